package console

import (
	"bytes"
	"io"
	"testing"
)

func TestPrintable(t *testing.T) {
	const text = "ok\tgröße \x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[8m\u009b\u202e \xff\x00\r\nnext\rback\n日本\n"
	for color, want := range map[bool]string{
		true:  "ok\tgröße \x1b[31mred\x1b[0m ?]0;title? ?[2J?[8m?? ??\nnext?back\n日本\n",
		false: "ok\tgröße ?[31mred?[0m ?]0;title? ?[2J?[8m?? ??\nnext?back\n日本\n",
	} {
		// In pieces of any size: a character or a color may be cut in two.
		for size := 1; size <= len(text); size++ {
			var b bytes.Buffer
			p := &printable{to: &b, color: &color}
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				if _, err := io.WriteString(p, rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if got := b.String(); got != want {
				t.Errorf("color %v, in pieces of %d: %q, want %q", color, size, got, want)
			}
		}
	}
}
