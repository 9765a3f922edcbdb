package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	read := func() string {
		data, err := os.ReadFile(path)
		if err != nil {
			return err.Error()
		}
		return string(data)
	}
	alone := func() {
		t.Helper()
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	for _, text := range []string{"one", "two"} {
		if err := WriteFile(path, []byte(text), 0o640); err != nil || read() != text {
			t.Fatalf("%q, %v", read(), err)
		}
		alone()
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// A failure half way leaves the old file and nothing else.
	broken := errors.New("broken")
	if err := Write(path, 0o600, func(w io.Writer) error { _, err := w.Write(make([]byte, 3<<20)); return errors.Join(err, broken) }); !errors.Is(err, broken) || read() != "two" {
		t.Errorf("%v, %q", err, read())
	}
	alone()
	// So does a name that is taken by a folder.
	if err := WriteFile(dir, nil, 0o600); err == nil {
		t.Error("a file took a folder's name")
	}
	alone()
	if err := WriteFile(filepath.Join(dir, "none", "x"), nil, 0o600); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestLinkIsReplaced: what a link leads to is never written.
func TestLinkIsReplaced(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making a link needs a privilege on Windows")
	}
	dir := t.TempDir()
	victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(victim, []byte("theirs"), 0o600), os.Symlink(victim, link)); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(link, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "theirs" {
		t.Errorf("%q, %v", data, err)
	}
}
