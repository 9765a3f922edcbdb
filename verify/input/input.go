// Package input opens the files that a user names: regular files of a bounded
// size, and nothing that could block, go on forever or change meanwhile into
// something else. It must never read what a file means.
package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// What can be wrong with a file before it is read; test with errors.Is.
var (
	ErrIrregular = lang.New("not a regular file")
	ErrLarge     = lang.New("too large")
)

// Error names the file that cannot be read.
type Error struct {
	File string
	Kind error
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v: %s", e.File, e.Kind, e.Text) }

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Open opens a regular file of at most max bytes. A pipe without a writer does
// not block it.
func Open(file string, max int64) (*os.File, int64, error) {
	info, err := os.Stat(file)
	if err == nil {
		err = fit(file, info, max)
	}
	if err != nil {
		return nil, 0, err
	}
	f, err := host.Open(file)
	if err != nil {
		return nil, 0, err
	}
	// What was opened may be another file by now.
	if info, err = f.Stat(); err == nil {
		err = fit(file, info, max)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

func fit(file string, info fs.FileInfo, max int64) error {
	if !info.Mode().IsRegular() {
		return &Error{file, ErrIrregular, lang.F("%s; save it in a file first", Kind(info.Mode()))}
	}
	if info.Size() > max {
		return &Error{file, ErrLarge, lang.F("it has %d bytes, and at most %d are read", info.Size(), max)}
	}
	return nil
}

// Kind says what something other than a regular file is.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return lang.T("it is a folder")
	case mode&fs.ModeNamedPipe != 0:
		return lang.T("it is a pipe")
	case mode&fs.ModeSocket != 0:
		return lang.T("it is a socket")
	case mode&fs.ModeDevice != 0:
		return lang.T("it is a device")
	}
	return lang.T("it is not a regular file")
}

// Read is Open and the content. A file that grows meanwhile, or that never ends
// (some under /proc claim to be empty), is an error.
func Read(file string, max int64) ([]byte, error) {
	f, _, err := Open(file, max)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > max {
		return nil, &Error{file, ErrLarge, lang.F("it goes on after %d bytes, and no more are read", max)}
	}
	return data, nil
}
