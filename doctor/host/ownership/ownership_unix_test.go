//go:build unix

package ownership

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestRootOnly(t *testing.T) {
	top := t.TempDir()
	theirs, own := filepath.Join(top, "theirs"), filepath.Join(top, "own")
	for _, dir := range []string{filepath.Join(theirs, "cache"), own, filepath.Join(top, "open"), filepath.Join(top, "group")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(filepath.Join(top, "open"), 0o777),
		os.Symlink(filepath.Join(theirs, "cache"), filepath.Join(own, "link"))); err != nil {
		t.Fatal(err)
	}
	root := os.Geteuid() == 0
	if root {
		if err := errors.Join(os.Chown(theirs, 12345, -1), os.Chown(filepath.Join(top, "group"), 0, 12345), os.Chmod(filepath.Join(top, "group"), 0o770)); err != nil {
			t.Fatal(err)
		}
	}
	for path, unsafe := range map[string]bool{
		own: false, filepath.Join(own, "not", "yet"): false,
		theirs: true, filepath.Join(theirs, "cache"): true, filepath.Join(theirs, "not", "yet"): true,
		filepath.Join(own, "link"): true, filepath.Join(own, "link", "not", "yet"): true,
		filepath.Join(top, "open", "cache"): true, filepath.Join(top, "group"): true,
	} {
		err := RootOnly(path)
		var u *UnsafeError
		if errors.As(err, &u) != (unsafe && root) || err != nil && u == nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
