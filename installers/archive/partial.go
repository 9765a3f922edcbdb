package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/durable/inuse"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// makePartial makes the folder that a destination is unpacked into before it gets
// its name, empty and for this user only. A leftover is
// removed first.
func makePartial(dest string) (string, error) {
	dir := durable.Partial(dest)
	if err := RemovePartial(dir); err != nil {
		return "", err
	}
	return dir, store.Explain(dir, os.Mkdir(dir, 0o700))
}

// RemovePartial removes such a folder with all in it, if it is there. Anything
// else of that name, a link to a folder too, is not deployctl's: it stays and
// is an error.
func RemovePartial(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return store.Explain(dir, err)
	case !info.IsDir():
		return lang.Errorf("%s is in the way: it is not a folder", dir)
	}
	if os.RemoveAll(dir) == nil {
		return nil
	}
	// Nothing can be removed from a folder that is read-only. A link is no
	// folder here, and is removed itself.
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(p, 0o700) // before it is read
	})
	if err == nil {
		err = os.RemoveAll(dir)
	}
	if inuse.Is(err) {
		by, next := inuse.Advice(Files(dir)...)
		return &step.Failure{Kind: step.Locked, Err: err, Cause: lang.F("%s %s", dir, by), Next: lang.F("%s, then run this again", next)}
	}
	return store.Explain(dir, err)
}

// Files are those below a folder that programs may have open, at most 1,000.
func Files(dir string) []string {
	var list []string
	// What cannot be listed is left out: the list serves to look who is in the way.
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			list = append(list, name)
		}
		if len(list) == 1000 {
			return fs.SkipAll
		}
		return nil
	})
	return list
}
