// Package durable writes files that are whole or not there, whatever happens: an
// error, a kill, a power cut. What was there before stays until the new file has
// its name. It must never write through a link at the last part of a path.
package durable

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Partial is the name that a file or folder has until it is whole: beside it,
// since a rename does not cross file systems, and always the same, so that what
// a kill leaves is found by the next run. Only one process at a time may use it.
func Partial(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".deployctl-partial")
}

// Write makes or replaces a file by what fill writes. Several processes may do
// so at once; the last one wins.
func Write(path string, mode fs.FileMode, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<20)
	if err = fill(b); err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return Commit(f, path)
}

// WriteFile is Write for bytes at hand.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	return Write(path, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Commit closes a file that has all its bytes and gives it its name. On failure
// the file is removed.
func Commit(f *os.File, path string) error {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = Rename(f.Name(), path)
	}
	if err != nil {
		if rerr := os.Remove(f.Name()); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	return err
}

// Rename moves a file or folder, for good. On Windows a virus scanner may hold a
// new file for a moment, which makes the rename fail; there it is tried again.
func Rename(from, to string) error {
	err := os.Rename(from, to)
	for i := 0; runtime.GOOS == "windows" && err != nil && errors.Is(err, fs.ErrPermission) && i < 20; i++ {
		time.Sleep(100 * time.Millisecond)
		err = os.Rename(from, to)
	}
	if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}
