//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSnapshotThatIsNoFile: a pipe that nobody writes to and a device without an
// end are refused at once.
func TestSnapshotThatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{fifo, "/dev/zero", "/dev/null", dir} {
		for _, args := range [][]string{{"doctor", "--from", from}, {"facts", "--from", from}, {"plan", "--from", from}, {"shadow", "--from", from}, {"diff", from, from}} {
			_, errOut := runSelf(t, []string{"HOME=" + dir, "PATH=/usr/bin"}, args...)
			if !strings.Contains(errOut, "is not a file: save the snapshot in a file first") {
				t.Errorf("%q: %s", args, errOut)
			}
		}
	}
}
