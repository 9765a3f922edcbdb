// Package output decides where a file that a user names may be written: it
// replaces files of its own kind only, and none that was given as an input. It
// must never write anything but a file it removes at once.
package output

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/input"
)

// Error says why a name cannot be used.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

func refuse(text string) error { return &Error{text} }

// File is a file to write.
type File struct {
	// Flag is the option that named it, Kind what is written, with its article:
	// "a picture".
	Flag, Kind string
	// Is reports whether a file is of the kind and may be replaced.
	Is func(file string) bool
	// Inputs are the other files that the user named.
	Inputs []Input
}

// Input is a file that is read, and the option that named it; "" for none.
type Input struct{ Flag, File string }

// Place is where a name leads, links followed, which is what is replaced.
func (f File) Place(name string) (string, error) {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return name, nil
	case err != nil:
		return "", f.unwritable(name, err)
	case info.Mode()&fs.ModeSymlink == 0:
		return name, nil
	}
	place, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", refuse(lang.F("%s %s is a link that leads nowhere: name another file, or remove it", f.Flag, name))
	}
	return place, nil
}

// Check refuses to replace an input, by whatever name, or a file of another
// kind.
func (f File) Check(place string) error {
	there, err := os.Stat(place)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return f.unwritable(place, err)
	}
	for _, in := range f.Inputs {
		if in.File == "" {
			continue
		}
		if info, err := os.Stat(in.File); err == nil && os.SameFile(info, there) {
			return refuse(lang.F("%s %s is the file given with %s: name another file", f.Flag, place, in.Flag))
		}
	}
	if !there.Mode().IsRegular() {
		return refuse(lang.F("%s %s cannot be written: %s", f.Flag, place, input.Kind(there.Mode())))
	}
	// An empty file holds nothing that could be lost; mktemp makes such.
	if there.Size() > 0 && !f.Is(place) {
		return refuse(lang.F("%s %s exists and is not %s: name another file, or remove it", f.Flag, place, lang.T(f.Kind)))
	}
	return nil
}

// Writable finds out early that a file could not be written later.
func (f File) Writable(file string) error {
	dir := filepath.Dir(file)
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return refuse(lang.F("%s %s cannot be written: %s is not a folder", f.Flag, file, dir))
		}
		if err == nil {
			break
		}
		up := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || up == dir {
			return f.unwritable(file, err)
		}
		dir = up
	}
	t, err := os.CreateTemp(dir, ".deployctl-*")
	if err != nil {
		return f.unwritable(file, err)
	}
	return errors.Join(t.Close(), os.Remove(t.Name()))
}

// unwritable leaves out the path that the error repeats.
func (f File) unwritable(file string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return refuse(lang.F("%s %s cannot be written: %v", f.Flag, file, err))
}
