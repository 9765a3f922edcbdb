package report

import (
	"slices"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	page := "# opencv.version: OpenCV\n\n**What**: " + strings.Repeat("word ", 30) + "\n\n```\nx  y\n```\n- one " + strings.Repeat("word ", 20) + "\n"
	text := Page(page, Style{Color: true, Width: 60})
	for _, want := range []string{"\x1b[1mopencv.version: OpenCV\x1b[0m\n", "\x1b[1mWhat\x1b[0m: word", "\n    x  y\n", "\n- one word", "\n  word"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	if plain := Page(page, Style{Width: 60}); strings.Contains(plain, "\x1b") || strings.Contains(plain, "**") {
		t.Errorf("colored or not drawn: %q", plain)
	}
}

func TestNear(t *testing.T) {
	names := []string{"cuda.driver", "cuda.gcc", "cudnn.version", "opencv.version"}
	for word, want := range map[string][]string{"cuda.": {"cuda.driver", "cuda.gcc"}, "opncv.version": {"opencv.version"}, "cudnn.versoin": {"cudnn.version"}, "zzz": nil} {
		if got := Near(word, names); !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", word, got, want)
		}
	}
}
