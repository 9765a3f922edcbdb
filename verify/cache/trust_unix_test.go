//go:build unix

package cache

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// tree makes root/a/b/file, all private.
func tree(t *testing.T) (root, file string) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "cache")
	dir, err := Secure(root, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return root, file
}

func TestTrusted(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(root, file string) error
		root  bool // needs root: only root gives files away
	}{
		"file for all":          {func(_, f string) error { return os.Chmod(f, 0o666) }, false},
		"file for the group":    {func(_, f string) error { return errors.Join(os.Chown(f, -1, 12345), os.Chmod(f, 0o660)) }, true},
		"folder for all":        {func(_, f string) error { return os.Chmod(filepath.Dir(f), 0o777) }, false},
		"sticky folder":         {func(_, f string) error { return os.Chmod(filepath.Dir(f), os.ModeSticky|0o777) }, false},
		"parent for all":        {func(r, _ string) error { return os.Chmod(filepath.Join(r, "a"), 0o707) }, false},
		"root for all":          {func(r, _ string) error { return os.Chmod(r, 0o777) }, false},
		"another user's file":   {func(_, f string) error { return os.Chown(f, 12345, -1) }, true},
		"another user's folder": {func(r, _ string) error { return os.Chown(filepath.Join(r, "a"), 12345, -1) }, true},
		"another user's link": {func(r, f string) error {
			return errors.Join(os.Rename(f, f+"2"), os.Symlink(f+"2", f), os.Lchown(f, 12345, -1))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("skipped: needs root")
			}
			root, file := tree(t)
			if err := Trusted(root, file); err != nil {
				t.Fatalf("before: %v", err)
			}
			if err := c.spoil(root, file); err != nil {
				t.Fatal(err)
			}
			var unsafe *UnsafeError
			if err := Trusted(root, file); !errors.As(err, &unsafe) {
				t.Fatalf("trusted all the same: %v", err)
			}
		})
	}
}

func TestTrustedControls(t *testing.T) {
	root, file := tree(t)
	other := filepath.Join(t.TempDir(), "disk")
	for name, change := range map[string]func() error{
		"read by all": func() error { return errors.Join(os.Chmod(file, 0o644), os.Chmod(filepath.Dir(file), 0o755)) },
		"a folder linked to another disk": func() error {
			return errors.Join(os.Rename(filepath.Join(root, "a"), other), os.Symlink(other, filepath.Join(root, "a")))
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if err := Trusted(root, file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Trusted(root, filepath.Dir(root)); err == nil {
		t.Error("a path outside the cache is trusted")
	}
	if err := Trusted(root, filepath.Join(root, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestSecureRemovesWhatOthersCouldWrite(t *testing.T) {
	root, file := tree(t)
	if err := os.Chmod(filepath.Join(root, "a"), 0o777); err != nil {
		t.Fatal(err)
	}
	dir, err := Secure(root, "a", "b")
	if err != nil || dir != filepath.Dir(file) {
		t.Fatal(dir, err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	a := filepath.Join(root, "a")
	if err := errors.Join(os.RemoveAll(a), os.WriteFile(a, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if again, err := Secure(root, "a", "b"); err != nil || again != dir {
		t.Errorf("a file in place of a folder: %v", err)
	}
	if err := os.Chmod(root, 0o777); err != nil {
		t.Fatal(err)
	}
	var unsafe *UnsafeError
	if _, err := Secure(root, "a"); !errors.As(err, &unsafe) {
		t.Errorf("an unsafe root: %v", err)
	}
}

func TestSeal(t *testing.T) {
	root, _ := tree(t)
	seal, err := Seal(root, "ab", "c")
	if err != nil {
		t.Fatal(err)
	}
	if !Sealed(root, seal, "ab", "c") || Sealed(root, seal, "a", "bc") || Sealed(root, "", "ab", "c") {
		t.Error("the seal is not of its parts")
	}
	// A planted cache brings its own key: others can read it.
	if err := os.Chmod(filepath.Join(root, "secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if Sealed(root, seal, "ab", "c") {
		t.Error("a key that others can read still seals")
	}
	again, err := Seal(root, "ab", "c")
	if err != nil || again == seal || !Sealed(root, again, "ab", "c") {
		t.Errorf("%v", err)
	}
}
