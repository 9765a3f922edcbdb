package pasted

import (
	"strings"
	"testing"
	"unicode/utf16"
)

func utf16Of(s string, big bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
		hi, lo := byte(u>>8), byte(u)
		if big {
			b.WriteString(string([]byte{hi, lo}))
		} else {
			b.WriteString(string([]byte{lo, hi}))
		}
	}
	return b.String()
}

func TestClean(t *testing.T) {
	const plain = "a : 1\n  b : 2024-01-01T00:00:00Z\n\n| c | ä\n"
	each := func(prefix string) string {
		return prefix + strings.ReplaceAll(strings.TrimSuffix(plain, "\n"), "\n", "\n"+prefix) + "\n"
	}
	for name, text := range map[string]string{
		"as it is":        plain,
		"Windows lines":   strings.ReplaceAll(plain, "\n", "\r\n"),
		"converted twice": strings.ReplaceAll(plain, "\n", "\r\r\n"),
		"mark":            "\ufeff" + plain,
		"UTF-16":          utf16Of(plain, false),
		"UTF-16 BE":       utf16Of(plain, true),
		"colours":         strings.ReplaceAll(plain, "b", "\x1b[1;32mb\x1b[0m\x1b[K"),
		"title":           "\x1b]0;a window\x07" + plain,
		"link":            strings.ReplaceAll(plain, "b", "\x1b]8;;http://x\x1b\\b\x1b]8;;\x1b\\"),
		"GitHub":          each("2026-01-02T03:04:05.1234567Z "),
		"gh":              each("a job\tUNKNOWN STEP\t2026-01-02T03:04:05.1234567Z "),
		"GitLab":          each("2026-01-02T03:04:05.123456Z 01O "),
		"Jenkins":         each("[2026-01-02T03:04:05.123Z] "),
		"log":             each("2026-01-02 03:04:05,123 "),
		"quoted":          each("> "),
		"browser":         strings.ReplaceAll(plain, "  ", "\u00a0 "),
	} {
		if got := Clean(text); got != plain {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "\ufeff\ufeff", "\xff\xfea", "> > x\n>", "\x1b[", "2026-01-02T03:04:05Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := Clean(text); strings.Contains(got, "\r\n") && !strings.Contains(text, "\r\r") && !strings.Contains(text, "\x1b") && len(text) > 1 && text[0] < 0x80 {
			t.Errorf("%q: %q", text, got)
		}
	})
}
