package console

import (
	"bytes"
	"testing"
)

func TestUnicodeLocale(t *testing.T) {
	for _, c := range []struct {
		all, ctype, lang string
		want             bool
	}{
		{"", "", "", true},
		{"", "", "C", false},
		{"", "", "POSIX", false},
		{"", "", "C.UTF-8", true},
		{"", "", "en_US.utf8", true},
		{"C", "", "en_US.UTF-8", false},
		{"", "de_DE.ISO-8859-1", "en_US.UTF-8", false},
		{"C.UTF-8", "C", "C", true},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_CTYPE": c.ctype, "LANG": c.lang}
		if got := UnicodeLocale(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestASCII: in a locale without Unicode nothing else is written, to Out and to Err, and
// also where a character comes in two parts.
func TestASCII(t *testing.T) {
	var out, errs bytes.Buffer
	c := &Console{Out: &out, Err: &errs, ASCII: true}
	text := c.Text()
	for _, b := range []byte("✓ 416×416 · 7.8·10⁻⁶ · 10¹² · x² … Proven → “yes” 日本\n") {
		if _, err := text.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	c.Note("3 µs · fertig: Müller")
	if got, want := out.String(), "+ 416x416 - 7.8-10^-6 - 10^12 - x^2 ... Proven -> \"yes\" ??\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := errs.String(), "3 us - fertig: Muller\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestQuiet: notes are left out, errors are not.
func TestQuiet(t *testing.T) {
	var errs bytes.Buffer
	c := &Console{Err: &errs, Quiet: true, Now: System().Now}
	c.Note("a note")
	c.Start("work", 10).Done("made")
	c.Fail("an error")
	if errs.String() != "an error\n" {
		t.Errorf("%q", errs.String())
	}
}
