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

// TestPrivate: the rule that caches of any user are judged by.
func TestPrivate(t *testing.T) {
	top := t.TempDir()
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		spoil func() error
		safe  bool
	}{
		"closed":         {func() error { return os.Chmod(file, 0o600) }, true},
		"read by all":    {func() error { return os.Chmod(file, 0o644) }, true},
		"written by all": {func() error { return os.Chmod(file, 0o666) }, false},
	}
	if os.Geteuid() == 0 {
		cases["root's group may write"] = struct {
			spoil func() error
			safe  bool
		}{func() error { return errors.Join(os.Chown(file, 0, 0), os.Chmod(file, 0o660)) }, true}
		cases["another group may write"] = struct {
			spoil func() error
			safe  bool
		}{func() error { return errors.Join(os.Chown(file, 0, 12345), os.Chmod(file, 0o660)) }, false}
		cases["another user's"] = struct {
			spoil func() error
			safe  bool
		}{func() error { return errors.Join(os.Chmod(file, 0o600), os.Chown(file, 12345, 0)) }, false}
	}
	for name, c := range cases {
		if os.Geteuid() == 0 {
			if err := os.Chown(file, 0, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.spoil(); err != nil {
			t.Fatal(err)
		}
		if why, err := Private(file); err != nil || (why == "") != c.safe {
			t.Errorf("%s: %q, %v", name, why, err)
		}
	}
	if _, err := Private(filepath.Join(top, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
