package host_test

import (
	"context"
	"errors"
	"io/fs"
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
	h := host.Memo(&host.Host{World: c, OS: plain.OS, Arch: plain.Arch})
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
