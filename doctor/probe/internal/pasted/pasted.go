// Package pasted gives a program's output back as the program wrote it, where
// it went through a terminal, a log of a build service, PowerShell's
// redirection or a quoted message first. It must never change a text that came
// straight from the program, and never read what the text says.
package pasted

import (
	"bytes"
	"strings"
	"unicode/utf16"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

var (
	// Escape sequences of ECMA-48: CSI (colours, cursor) and OSC (titles, links).
	escapes = lazyregexp.New("\x1b(?:\\[[0-9:;<=>?]*[ -/]*[@-~]|\\][^\x07\x1b\n]*(?:\x07|\x1b\\\\)?|[()][0-9A-B]|[=>])")
	quoted  = lazyregexp.New(`(?m)^[ \t]*> ?`)
	// What GitHub Actions, GitLab, Jenkins, Azure and docker put before a line:
	// an RFC 3339 time, in brackets or not, GitLab's stream number (00O, 01E+).
	// gh run view --log also puts the job and the step, parted by tabs.
	stamp = lazyregexp.New(`(?m)^(?:[^\t\n]*\t[^\t\n]*\t\x{feff}?)?\[?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?\]?(?: [0-9]{2}[OE][+ ]?| |$)`)
)

// Clean removes a byte order mark, turns UTF-16 with one into UTF-8, and
// removes carriage returns at the ends of lines, escape sequences, times
// before lines, and the signs of a quotation where the text begins with one.
func Clean(text string) string {
	text = decode(text)
	if strings.Contains(text, "\x1b") {
		text = escapes.ReplaceAllString(text, "")
	}
	if strings.Contains(text, "\r\n") {
		// Twice converted text has two.
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\r\n", "\n"), "\r\n", "\n")
	}
	// A page in a browser indents with no-break spaces; one alone may be meant.
	if strings.Contains(text, "\u00a0\u00a0") || strings.Contains(text, " \u00a0") || strings.Contains(text, "\u00a0 ") {
		text = strings.ReplaceAll(text, "\u00a0", " ")
	}
	if stamped(text) {
		text = stamp.ReplaceAllString(text, "")
	}
	if strings.HasPrefix(strings.TrimLeft(text, " \t\n"), "> ") {
		text = quoted.ReplaceAllString(text, "")
	}
	return text
}

// stamped reports whether a line can begin with a time: the expression is slow
// on the long lines of /proc/cpuinfo, which has none.
func stamped(text string) bool {
	for line := range strings.Lines(text) {
		if dated(line) {
			return true
		}
		if _, rest, ok := strings.Cut(line, "\t"); ok {
			if _, rest, ok := strings.Cut(rest, "\t"); ok && dated(strings.TrimPrefix(rest, "\ufeff")) {
				return true
			}
		}
	}
	return false
}

func dated(s string) bool {
	s = strings.TrimPrefix(s, "[")
	return len(s) > 10 && s[4] == '-' && s[7] == '-' && s[0] >= '0' && s[0] <= '9'
}

func decode(text string) string {
	if s, ok := strings.CutPrefix(text, "\ufeff"); ok {
		return s
	}
	big := strings.HasPrefix(text, "\xfe\xff")
	if !big && !strings.HasPrefix(text, "\xff\xfe") {
		return text
	}
	data := bytes.Clone([]byte(text[2:]))
	units := make([]uint16, 0, len(data)/2)
	for ; len(data) >= 2; data = data[2:] {
		if big {
			units = append(units, uint16(data[0])<<8|uint16(data[1]))
		} else {
			units = append(units, uint16(data[1])<<8|uint16(data[0]))
		}
	}
	return string(utf16.Decode(units))
}
