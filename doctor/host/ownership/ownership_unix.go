//go:build unix

package ownership

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// RootOnly reports, when this process is root, why another user could change
// what lies at path or below it: nil when nobody else can. Folders that do not
// exist yet are fine if those above them are. For other users it returns nil.
func RootOnly(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	existing, err := chain(path)
	if err != nil {
		return err
	}
	// The folders that links lead to count like those the path names.
	real, err := filepath.EvalSymlinks(existing)
	if err != nil || real == existing {
		return err
	}
	_, err = chain(real)
	return err
}

// chain checks the path and every folder above it, and returns the deepest one
// that exists.
func chain(path string) (existing string, err error) {
	existing = "/"
	for i, c := range path + "/" {
		if c != '/' || i == 0 || strings.HasSuffix(path[:i], "/") {
			continue
		}
		info, err := os.Lstat(path[:i])
		if errors.Is(err, fs.ErrNotExist) {
			return existing, nil
		}
		if err != nil {
			return "", err
		}
		if err := safe(path[:i], info); err != nil {
			return "", err
		}
		existing = path[:i]
	}
	return existing, nil
}

func safe(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode()
	switch {
	case !ok:
		return &UnsafeError{path, "its owner is unknown"}
	case st.Uid != 0:
		return &UnsafeError{path, fmt.Sprintf("it belongs to another user (uid %d)", st.Uid)}
	// In a sticky folder (/tmp) others cannot rename or remove what is root's,
	// and a link's own mode means nothing.
	case mode&fs.ModeSymlink != 0, mode.IsDir() && mode&fs.ModeSticky != 0:
		return nil
	case mode&0o002 != 0:
		return &UnsafeError{path, "every user may write to it"}
	case mode&0o020 != 0 && st.Gid != 0:
		return &UnsafeError{path, fmt.Sprintf("its group (gid %d) may write to it", st.Gid)}
	}
	return nil
}
