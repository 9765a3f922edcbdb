package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/deployctl/deployctl/installers/step"
)

func TestSumValid(t *testing.T) {
	good := strings.Repeat("0a", 32)
	for s, want := range map[Sum]bool{
		Sum(good): true, Sum(strings.ToUpper(good)): false, "": false, Sum(good[1:]): false, Sum(good + "0"): false,
		Sum("../" + good[3:]): false, Sum(good[:63] + "/"): false, Sum(good[:63] + "\n"): false,
	} {
		if s.Valid() != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

// published puts text into a store.
func published(t *testing.T, s *Store, text string) Sum {
	t.Helper()
	h := sha256.Sum256([]byte(text))
	sum := Sum(hex.EncodeToString(h[:]))
	temp := filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := s.Publish(temp, sum)
	if err != nil || path != s.Path(sum) {
		t.Fatal(path, err)
	}
	return sum
}

func TestGet(t *testing.T) {
	s := New(t.TempDir())
	sum := published(t, s, "text")
	if path, err := s.Get(t.Context(), sum, 4); err != nil || path != s.Path(sum) {
		t.Fatal(path, err)
	}
	var corrupt *CorruptError
	if err := os.WriteFile(s.Path(sum), []byte("tExt"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), sum, 4); !errors.As(err, &corrupt) {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), sum, 4); !errors.Is(err, ErrAbsent) {
		t.Error(err) // the corrupt one is gone
	}
	// A link in a file's place is not followed, whatever it leads to.
	if runtime.GOOS != "windows" {
		other := filepath.Join(t.TempDir(), "other")
		if err := os.WriteFile(other, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(other, s.Path(sum)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), sum, 4); !errors.As(err, &corrupt) {
			t.Error(err)
		}
		if _, err := os.Stat(other); err != nil {
			t.Error("what the link led to is gone")
		}
	}
}

// TestPlaceOnAnotherFileSystem: where no hard link is possible, it is a copy.
func TestPlaceOnAnotherFileSystem(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("uses /dev/shm as another file system")
	}
	dir, err := os.MkdirTemp("/dev/shm", "deployctl-*")
	if err != nil {
		t.Skipf("no second file system: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s := New(t.TempDir())
	sum := published(t, s, "text")
	to := filepath.Join(dir, "models", "m")
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Place(t.Context(), sum, to); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
	if left, err := os.ReadDir(filepath.Dir(to)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLockIsExclusive(t *testing.T) {
	s := New(t.TempDir())
	sum := published(t, s, "text")
	unlock, err := s.Lock(t.Context(), sum, nil)
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan bool)
	got := make(chan error)
	go func() {
		second, err := s.Lock(t.Context(), sum, func() { close(waited) })
		if err == nil {
			err = second()
		}
		got <- err
	}()
	<-waited // the second has seen that it is held
	select {
	case err := <-got:
		t.Fatalf("two hold the lock (%v)", err)
	default:
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind step.Kind
	}{
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, step.DiskFull},
		{&os.LinkError{Op: "rename", Old: "x", New: "y", Err: syscall.EDQUOT}, step.DiskFull},
		{fmt.Errorf("deep: %w", fs.ErrPermission), step.ReadOnly},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EROFS}, step.ReadOnly},
	} {
		err := Explain("/p", c.err)
		var f *step.Failure
		if !errors.As(err, &f) || f.Kind != c.kind || !errors.Is(err, c.err) || strings.Count(err.Error(), "/p") != 1 {
			t.Errorf("%v became %v", c.err, err)
		}
		if again := Explain("/q", err); !errors.Is(again, err) || !errors.Is(err, again) {
			t.Errorf("explained twice: %v", again)
		}
	}
	if err := Explain("/p", fs.ErrNotExist); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if Explain("/p", nil) != nil {
		t.Error("nil became an error")
	}
}

func TestAFolderInThePlaceOfAStoredFileIsRemoved(t *testing.T) {
	s := New(t.TempDir())
	sum := published(t, s, "text")
	if err := errors.Join(os.Remove(s.Path(sum)), os.MkdirAll(filepath.Join(s.Path(sum), "inner"), 0o700)); err != nil {
		t.Fatal(err)
	}
	var corrupt *CorruptError
	if _, err := s.Get(t.Context(), sum, 4); !errors.As(err, &corrupt) {
		t.Error(err)
	}
	if again := published(t, s, "text"); again != sum {
		t.Error(again)
	}
}

func TestOpenPartialRefusesLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: links need administrator rights")
	}
	dir := t.TempDir()
	victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "abcd.part")
	if err := errors.Join(os.WriteFile(victim, []byte("precious"), 0o600), os.Symlink(victim, link)); err != nil {
		t.Fatal(err)
	}
	var f *step.Failure
	if _, err := OpenPartial(link, os.O_TRUNC); !errors.As(err, &f) || f.Kind != step.Untrusted || !strings.Contains(f.Cause, "symbolic link") {
		t.Error(err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
	out, err := OpenPartial(filepath.Join(dir, "new.part"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
}

func TestRootUsesNoStoreOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: needs root")
	}
	cache := t.TempDir()
	s := New(cache)
	sum := published(t, s, "text")
	if _, err := s.Get(t.Context(), sum, 4); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(cache, 12345, -1); err != nil {
		t.Fatal(err)
	}
	var f *step.Failure
	if _, err := s.Get(t.Context(), sum, 4); !errors.As(err, &f) || f.Kind != step.Untrusted {
		t.Errorf("get: %v", err)
	}
	if _, err := s.Lock(t.Context(), sum, nil); !errors.As(err, &f) || f.Kind != step.Untrusted {
		t.Errorf("lock: %v", err)
	}
}
