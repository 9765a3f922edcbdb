package console

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// printable is a stream of text for people. What a machine, a snapshot, a recipe
// or a child process says may hold terminal escapes: they could hide a finding,
// rewrite one, or set the window's title. Only line ends, tabs, printable
// characters and, where this program draws in color, its own colors pass.
type printable struct {
	to    io.Writer
	color *bool // nil for none
	ascii bool
	// raised: the character before is part of an exponent.
	raised bool
	rest   []byte // the beginning of a character or color that was cut off
}

// colors are the sequences that this program writes itself.
var colors = []string{"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[35m", "\x1b[36m", "\x1b[90m"}

func (p *printable) Write(data []byte) (int, error) {
	text := append(p.rest, data...)
	p.rest = nil
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		if text[0] == 0x1b && p.color != nil && *p.color {
			if i := slices.IndexFunc(colors, func(c string) bool { return bytes.HasPrefix(text, []byte(c)) }); i >= 0 {
				out, text = append(out, colors[i]...), text[len(colors[i]):]
				continue
			}
			if slices.ContainsFunc(colors, func(c string) bool { return strings.HasPrefix(c, string(text)) }) {
				p.rest = slices.Clone(text)
				break
			}
		}
		if !utf8.FullRune(text) {
			p.rest = slices.Clone(text)
			break
		}
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\r' && n == len(text): // a line end may follow
			p.rest = []byte{'\r'}
		case r == '\r' && text[n] == '\n': // the line end says it
		case p.ascii && r >= utf8.RuneSelf && (r != utf8.RuneError || n > 1) && !unprintable(r):
			var ascii string
			ascii, p.raised = inASCII(r, p.raised)
			out, text = append(out, ascii...), text[n:]
			continue
		case r == '\n' || r == '\t' || !unprintable(r) && (r != utf8.RuneError || n > 1):
			out = append(out, text[:n]...)
		default:
			out = append(out, '?')
		}
		text, p.raised = text[n:], false
	}
	if _, err := p.to.Write(out); err != nil {
		return 0, err
	}
	return len(data), nil
}

// unprintable are control characters, and those that turn the direction of the
// text around them.
func unprintable(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// printable makes one printable text of what is for people, in this console's
// locale.
func (c *Console) printable(s string) string {
	var b bytes.Buffer
	_, _ = (&printable{to: &b, ascii: c.ASCII}).Write([]byte(s)) // a buffer takes everything
	return b.String()
}
