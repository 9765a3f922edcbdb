// Package cache owns how verify writes files that matter: into a temporary
// neighbor, synced, then renamed, so that a reader sees the old file or the
// whole new one. It turns a full disk or a read-only folder into one clear
// sentence. It must never decide what is worth keeping.
package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// What can be wrong with a place; test with errors.Is.
var (
	ErrFull     = lang.New("no space left")
	ErrReadOnly = lang.New("not writable")
)

// Error is a file or folder that could not be written.
type Error struct {
	Path string
	// Needed is how many bytes were to be written, 0 when that is not known.
	Needed int64
	// Kind is ErrFull or ErrReadOnly, or nil for any other failure.
	Kind error
	Err  error
}

func (e *Error) Error() string {
	need := ""
	if e.Needed > 0 {
		need = lang.F(" (%s needed)", Bytes(e.Needed))
	}
	switch {
	case errors.Is(e.Kind, ErrFull):
		return lang.F("%s cannot be written: the disk is full%s; free some space or name another folder with --cache", e.Path, need)
	case errors.Is(e.Kind, ErrReadOnly):
		return lang.F("%s cannot be written%s: %v; name a writable folder with --cache", e.Path, need, cause(e.Err))
	}
	return lang.F("%s cannot be written%s: %v", e.Path, need, cause(e.Err))
}

// Is matches the kind.
func (e *Error) Is(target error) bool { return e.Kind != nil && target == e.Kind }

func (e *Error) Unwrap() error { return e.Err }

// cause leaves out the path that the sentence names already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}

// Explain wraps a failure to write at path. It returns nil for nil, and leaves
// an error that is already explained as it is.
func Explain(path string, needed int64, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	e := &Error{Path: path, Needed: needed, Err: err}
	switch {
	case diskFull(err):
		e.Kind = ErrFull
	case errors.Is(err, fs.ErrPermission), readOnly(err):
		e.Kind = ErrReadOnly
	}
	return e
}

// MkdirAll makes a folder for this user only.
func MkdirAll(dir string) error {
	return Explain(dir, 0, os.MkdirAll(dir, 0o700))
}

// Write replaces the file by what fill writes. needed is used in messages
// only. On any failure the old file stays and nothing else is left.
func Write(path string, needed int64, fill func(io.Writer) error) error {
	if err := MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	return Explain(path, needed, durable.Write(path, 0o600, fill))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// WriteBytes is Write for bytes at hand.
func WriteBytes(path string, data []byte) error {
	return Write(path, int64(len(data)), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Bytes is a size for people: 248.0 MB.
func Bytes(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	v, u := float64(n), 0
	for v >= 1000 && u < len(units)-1 {
		v /= 1000
		u++
	}
	if u == 0 {
		return lang.F("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[u])
}
