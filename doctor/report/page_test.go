package report

import (
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
	table := "\n| id | why |\n| --- | --- |\n| [`a.b`](../a.b.md) (recommended) | one of `x \\| y`: " + strings.Repeat("word ", 15) + "|\n| c | |\n\nSee [the page](https://example.org/p).\n"
	want := "\n\na.b (recommended)\n  why: one of `x | y`: word word word word word word word\n    word word word word word word word word\n\nc\n\nSee the page (https://example.org/p).\n"
	if got := Page(table, Style{Width: 60}); got != want {
		t.Errorf("a table: %q, not %q", got, want)
	}
	if plain := Page(page, Style{Width: 60}); strings.Contains(plain, "\x1b") || strings.Contains(plain, "**") {
		t.Errorf("colored or not drawn: %q", plain)
	}
}
