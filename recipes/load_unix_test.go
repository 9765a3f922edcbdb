//go:build unix

package recipes

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFindPipe: a pipe is refused before it is opened, which would hang.
func TestFindPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(pipe, ""); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
}
