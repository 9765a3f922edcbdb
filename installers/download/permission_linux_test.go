package download

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/deployctl/deployctl/installers/step"
)

// TestNoPermission: a folder that belongs to somebody else.
func TestNoPermission(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming somebody else needs root")
	}
	m := newMirror(t, serve(content, ""))
	s := newSetup(t, m)
	for _, dir := range []string{filepath.Dir(s.cache), s.cache} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error)
	go func() {
		// The thread ends with the goroutine: it is never unlocked.
		runtime.LockOSThread()
		if _, err := unix.SetfsuidRetUid(65534); err != nil {
			ended <- err
			return
		}
		_, err := Fetch(t.Context(), s.a, s.o)
		ended <- err
	}()
	s.kind(<-ended, step.ReadOnly)
	s.left(false)
	if n := len(m.seen()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
