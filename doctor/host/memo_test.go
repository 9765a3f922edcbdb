package host_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// counting counts how often a folder is really listed.
type counting struct {
	host.World
	mu    sync.Mutex
	calls map[string]int
}

func (c *counting) ReadDir(ctx context.Context, name string) ([]host.Entry, error) {
	c.mu.Lock()
	c.calls[name]++
	c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.World.ReadDir(ctx, name)
}

func TestMemoListsEachFolderOnce(t *testing.T) {
	plain := hosttest.Parse(t, "-- file /usr/bin/a --\n-- file /usr/bin/b --\n")
	c := &counting{World: plain.World, calls: map[string]int{}}
	h, _ := host.Memo(&host.Host{World: c, OS: plain.OS, Arch: plain.Arch})
	want, err := plain.ReadDir(t.Context(), "/usr/bin")
	if err != nil {
		t.Fatal(err)
	}

	// A caller whose time is up gets its own error, and spoils nothing.
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.ReadDir(late, "/usr/bin"); !errors.Is(err, context.Canceled) {
		t.Errorf("late caller: %v", err)
	}
	before := c.calls["/usr/bin"]

	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := h.ReadDir(t.Context(), "/usr/bin")
			if err != nil || !cmp.Equal(got, want) {
				t.Errorf("got %v, %v", got, err)
			}
			got[0].Name = "changed" // one caller's list is its own
			if _, err := h.ReadDir(t.Context(), "/missing"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("missing: %v", err)
			}
		})
	}
	wg.Wait()
	if c.calls["/usr/bin"]-before != 1 || c.calls["/missing"] != 1 {
		t.Errorf("listed %v, want once each", c.calls)
	}
}

// TestMemoKeepsFilesOpen: only while it looks, and only a few.
func TestMemoKeepsFilesOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts the open files in /proc/self/fd")
	}
	dir := t.TempDir()
	open := func() (n int) {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, dir) {
				n++
			}
		}
		return n
	}
	h, done := host.Memo(host.Live())
	read := func(i int) {
		name := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
			t.Fatal(err)
		}
		for at := range int64(12) {
			got, err := h.ReadAt(t.Context(), name, at, 4)
			if want := "0123456789"[min(at, 10):min(at+4, 10)]; err != nil || string(got) != want {
				t.Errorf("from %d: %q, %v, not %q", at, got, err, want)
			}
		}
	}
	for i := range 40 {
		read(i)
	}
	if n := open(); n == 0 || n > 16 {
		t.Errorf("%d files are open", n)
	}
	if _, err := h.ReadAt(t.Context(), filepath.Join(dir, "missing"), 0, 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	done()
	read(40) // a probe that is late
	if n := open(); n != 0 {
		t.Errorf("%d files stay open", n)
	}
}
