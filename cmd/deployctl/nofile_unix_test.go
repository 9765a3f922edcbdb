//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"os"
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

// TestInputThatIsNoFile: whatever is read is refused at once when it is a pipe
// without a writer, a device or a folder.
func TestInputThatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{fifo, "/dev/zero", dir} {
		for _, args := range [][]string{
			{"doctor", "--dry-run", "--locked", file}, {"bundle", "list", file}, {"bundle", "import", file}, {"models", "import", file},
			{"recipe", "lint", file}, {"verify", "--recipe", file}, {"bundle", "create", "--lock", file, "--output", filepath.Join(dir, "out.tar")},
		} {
			out, errOut := runSelf(t, []string{"HOME=" + dir, "PATH=/usr/bin"}, args...)
			if !strings.Contains(errOut, "deployctl: ") || strings.Contains(errOut, "panic") {
				t.Errorf("%q: %s%s", args, out, errOut)
			}
		}
	}
}

// TestOtherUsersHome: after su and sudo -u, HOME may be another user's and closed;
// a service may have none, or /dev/null. Looking says nothing of it, and works.
func TestOtherUsersHome(t *testing.T) {
	dir, err := os.MkdirTemp("", "deployctl-home")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // a folder in /tmp
	locked := filepath.Join(dir, "locked")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "deployctl")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(locked, 0o700), os.WriteFile(copied, program, 0o755), os.Chmod(locked, 0)); err != nil {
		t.Fatal(err)
	}
	var attr *syscall.SysProcAttr
	if os.Geteuid() == 0 { // who may enter every folder
		attr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	for _, home := range []string{"HOME=" + locked, "HOME=/dev/null", "NOHOME=1"} {
		out, errOut := runAs(t, copied, attr, []string{home, "PATH=/usr/bin:/bin"}, "doctor", "--recipe", "opencv-cuda", "--format", "json")
		if !json.Valid([]byte(out)) || !strings.Contains(out, `"findings"`) || errOut != "" {
			t.Errorf("%s: %.300s\n%s", home, out, errOut)
		}
		if out, errOut := runAs(t, copied, attr, []string{home, "PATH=/usr/bin:/bin"}, "recipe", "list"); !strings.Contains(out, "opencv-yolov3") {
			t.Errorf("%s: %s%s", home, out, errOut)
		}
	}
	if _, errOut := runAs(t, copied, attr, []string{"HOME=" + locked, "PATH=/usr/bin"}, "doctor", "--recipe", "my-own"); !strings.Contains(errOut, "your own recipes could not be listed") {
		t.Error(errOut)
	}
}
