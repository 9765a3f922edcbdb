package envedit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// maxFile is more than any profile has.
const maxFile = 4 << 20

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// file is a file as it was read. Links are followed: path is what they lead to.
type file struct {
	path    string
	content string
	info    fs.FileInfo // nil when there is none
	linked  bool        // there was a link
}

// read reads a whole file; one that is not there is empty.
func read(path string) (file, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file{path: path}, nil
	}
	if err != nil {
		return file{}, err
	}
	f := file{path: path, linked: info.Mode()&fs.ModeSymlink != 0}
	if f.linked {
		if f.path, err = filepath.EvalSymlinks(path); errors.Is(err, fs.ErrNotExist) {
			return file{}, &step.Failure{Kind: step.Other, Err: err, Cause: lang.F("%s is a link to a file that is not there", path), Next: lang.T("make that file or remove the link, then run deployctl again")}
		} else if err != nil {
			return file{}, err
		}
	}
	if f.info, err = os.Stat(f.path); err != nil {
		return file{}, err
	}
	if !f.info.Mode().IsRegular() || f.info.Size() > maxFile {
		return file{}, &step.Failure{Kind: step.Other, Cause: lang.F("%s is not a settings file: it is too large, or not a plain file", path), Next: lang.T("look at it, then run deployctl again")}
	}
	data, err := os.ReadFile(f.path)
	f.content = string(data)
	return f, err
}

// replace gives the file new content, with the mode and owner that it had; a
// new file is for all to read. A kill at any time leaves the old or the new
// content; what it leaves besides has one name, and goes with the next call.
func (f file) replace(content string) error {
	if err := f.tidy(); err != nil {
		return err
	}
	out, err := os.OpenFile(durable.Partial(f.path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if f.info != nil {
		mode = f.info.Mode().Perm()
		err = chown(out, f.info)
	}
	if err == nil {
		err = out.Chmod(mode)
	}
	if err == nil {
		_, err = out.WriteString(content)
	}
	if err != nil {
		return errors.Join(err, out.Close(), f.tidy())
	}
	return durable.Commit(out, f.path)
}

// remove removes the file.
func (f file) remove() error {
	if err := f.tidy(); err != nil {
		return err
	}
	if err := os.Remove(f.path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(f.path))
}

func (f file) tidy() error {
	if err := os.Remove(durable.Partial(f.path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// add writes at the end of a file that other programs may hold open to do the
// same. One write: a kill leaves all of it or nothing.
func (f file) add(text string) error {
	out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = out.WriteString(text)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return lang.Errorf("add to %s: %w", f.path, err)
	}
	return nil
}
