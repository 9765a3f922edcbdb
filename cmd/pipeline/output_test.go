package pipeline

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/cmd/console"
)

// TestOutputsReplaceTheirOwnKindOnly: a text that lies where a snapshot, a
// lockfile or a bundle is to be written stays as it is; a snapshot is replaced.
func TestOutputsReplaceTheirOwnKindOnly(t *testing.T) {
	dir := t.TempDir()
	notes, own := filepath.Join(dir, "notes.txt"), filepath.Join(dir, "machine.tgz")
	if err := os.WriteFile(notes, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	c := &console.Console{Out: &out, Err: &log}
	for kind, write := range map[string]func() error{
		"a deployctl snapshot": func() error { return Snapshot(t.Context(), SnapshotOptions{Console: c, Output: notes}) },
		"a lockfile":           func() error { return Lock(t.Context(), LockOptions{Console: c, Output: notes}) },
		"a bundle": func() error {
			return BundleCreate(t.Context(), BundleOptions{LockOptions: LockOptions{Console: c, Output: notes}})
		},
	} {
		var usage *UsageError
		if err := write(); !errors.As(err, &usage) || !strings.Contains(err.Error(), notes+" exists and is not "+kind+": name another file") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if raw, err := os.ReadFile(notes); err != nil || string(raw) != "mine" {
		t.Errorf("the text is %q now, %v", raw, err)
	}
	for range 2 {
		if err := Snapshot(t.Context(), SnapshotOptions{Console: c, Output: own}); err != nil {
			t.Error(err)
		}
	}
	if err := BundleCreate(t.Context(), BundleOptions{LockOptions: LockOptions{Console: c, Output: own}, Lock: own}); err == nil || !strings.Contains(err.Error(), "given with --lock") {
		t.Errorf("a bundle in place of its lockfile: %v", err)
	}
}
