//go:build unix

package native

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/engine"
)

// TestAnotherUsersLibrary: root does not load what another user could change.
func TestAnotherUsersLibrary(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can have another user's files
	}
	g := &goCommand{}
	o := options(t, g)
	raw, err := os.ReadFile(o.Library)
	if err != nil {
		t.Fatal(err)
	}
	o.Library = filepath.Join(t.TempDir(), "libonnxruntime.so.1")
	if err := os.WriteFile(o.Library, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := testKind.New(o).Prepare(t.Context(), engine.Silent{}); err != nil {
		t.Fatalf("root's own: %v", err)
	}
	if err := os.Chown(o.Library, 12345, -1); err != nil {
		t.Fatal(err)
	}
	var u *engine.Unavailable
	if _, err := testKind.New(o).Prepare(t.Context(), engine.Silent{}); !errors.As(err, &u) || !strings.Contains(u.Why, "root does not use") || u.Fix == "" {
		t.Errorf("another user's: %v", err)
	}
}
