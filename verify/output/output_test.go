package output

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	at := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	own, notes, empty := at("own", "kind: it"), at("notes", "text"), at("empty", "")
	link, lost := filepath.Join(dir, "link"), filepath.Join(dir, "lost")
	if err := errors.Join(os.Symlink(notes, link), os.Symlink(filepath.Join(dir, "gone"), lost)); err != nil {
		t.Skip("skipped: this system lets nobody make symbolic links:", err)
	}
	f := File{Flag: "--output", Kind: "a thing", Is: func(file string) bool {
		raw, err := os.ReadFile(file)
		return err == nil && strings.HasPrefix(string(raw), "kind:")
	}}
	for _, c := range []struct {
		name   string
		inputs []Input
		words  string
	}{
		{own, nil, ""},
		{empty, nil, ""},
		{filepath.Join(dir, "new"), nil, ""},
		{own, []Input{{"--lock", ""}, {"--lock", own}}, "given with --lock"},
		{notes, nil, "exists and is not a thing"},
		{link, nil, "exists and is not a thing"},
		{lost, nil, "leads nowhere"},
		{dir, nil, "cannot be written: it is a folder"},
		{filepath.Join(notes, "below"), nil, "cannot be written"},
	} {
		f.Inputs = c.inputs
		place, err := f.Place(c.name)
		if err == nil {
			err = f.Check(place)
		}
		if err == nil {
			err = f.Writable(place)
		}
		var e *Error
		if c.words == "" && err != nil || c.words != "" && (!errors.As(err, &e) || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), "--output")) {
			t.Errorf("%s: %v, want %q", c.name, err, c.words)
		}
	}
}
