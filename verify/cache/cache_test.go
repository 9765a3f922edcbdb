package cache

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestWriteReplacesWholeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "file")
	for _, text := range []string{"one", "a longer second"} {
		if err := WriteBytes(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Fatalf("read back %q, %v", got, err)
		}
	}
}

func TestFailedWriteLeavesTheOldFileAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := WriteBytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	full := fmt.Errorf("write: %w", syscall.ENOSPC)
	err := Write(path, 248_007_048, func(w io.Writer) error {
		_, werr := w.Write(make([]byte, 3<<20))
		return errors.Join(werr, full)
	})
	if runtime.GOOS != "windows" && !errors.Is(err, ErrFull) {
		t.Fatalf("error is %v, want a full disk", err)
	}
	for _, want := range []string{path, "248.0 MB"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("message lacks %q: %v", want, err)
		}
	}
	list, readErr := os.ReadDir(dir)
	if readErr != nil || len(list) != 1 {
		t.Fatalf("left behind: %v %v", list, readErr)
	}
	got, readErr := os.ReadFile(path)
	if readErr != nil || string(got) != "old" {
		t.Fatalf("old file is now %q, %v", got, readErr)
	}
}

func TestUnwritable(t *testing.T) {
	// A file where a folder should be fails for root as well, which a mode
	// would not.
	block := filepath.Join(t.TempDir(), "block")
	if err := os.WriteFile(block, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := WriteBytes(filepath.Join(block, "file"), []byte("x"))
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), block) {
		t.Fatalf("error is %v", err)
	}
	if e := Explain("/x", 0, &os.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}); !errors.Is(e, ErrReadOnly) || strings.Count(e.Error(), "/x") != 1 {
		t.Fatalf("permission: %v", e)
	}
	if Explain("/x", 0, nil) != nil {
		t.Fatal("nil is not nil")
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 248_007_048: "248.0 MB", 5e9: "5.0 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}
