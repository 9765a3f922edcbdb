//go:build unix

package envedit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/deployctl/deployctl/installers/step"
)

// TestMain lets this program be the child that TestKill kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("DEPLOYCTL_TEST_EDIT"); dir != "" {
		fmt.Println(editForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func editForEver(home string) error {
	s := shell{shown: "profile", path: filepath.Join(home, ".profile")}
	fmt.Println("begun")
	for {
		if err := errors.Join(s.put(killed), s.drop(killed, "")); err != nil {
			return err
		}
	}
}

var killed = entry("PATH", "/opt/x", User)

// TestKill: whenever it is killed, the file is the old one or the new one, and
// the next run leaves nothing besides.
func TestKill(t *testing.T) {
	home, before := t.TempDir(), strings.Repeat("# a line of somebody's\n", 1000)
	profile := filepath.Join(home, ".profile")
	if err := os.WriteFile(profile, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	s := script{before: before}
	s.begin(false)
	s.lines = []string{render(killed)}
	after := s.String()
	seen := map[string]int{}
	for range 25 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "DEPLOYCTL_TEST_EDIT="+home)
		stdout, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := stdout.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(30 * time.Millisecond))
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err == nil || child.ProcessState.Exited() {
			t.Fatalf("the child ended by itself: %v", err)
		}
		data, err := os.ReadFile(profile)
		switch {
		case err != nil:
			t.Fatal(err)
		case string(data) == before:
			seen["old"]++
		case string(data) == after:
			seen["new"]++
		default:
			t.Fatalf("neither old nor new: %d bytes", len(data))
		}
		if left, err := filepath.Glob(filepath.Join(home, ".*partial")); err != nil {
			t.Fatal(err)
		} else if len(left) > 0 {
			seen["partial"]++
		}
	}
	t.Logf("%v", seen)
	place := shell{shown: "profile", path: profile}
	if err := errors.Join(place.put(killed), place.drop(killed, ""), place.put(killed)); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(home)
	if err != nil || len(names) != 1 {
		t.Errorf("left %v, %v", names, err)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func TestOwnerIsKept(t *testing.T) {
	needRoot(t)
	w := newWorker(t, "linux")
	write(t, w, "/home/u/.profile", "A=1\n")
	if err := os.Chown(w.path("/home/u/.profile"), 1234, 4321); err != nil {
		t.Fatal(err)
	}
	mustApply(t, w, killed)
	info, err := os.Stat(w.path("/home/u/.profile"))
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 1234 || st.Gid != 4321 {
		t.Errorf("owner is %d:%d", st.Uid, st.Gid)
	}
}

// TestFullAndReadOnlyDisk uses a real, small file system.
func TestFullAndReadOnlyDisk(t *testing.T) {
	needRoot(t)
	w := newWorker(t, "linux")
	dir := w.path("/etc/profile.d")
	mount := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
			t.Skipf("cannot mount here: %v: %s", err, out)
		}
	}
	mount("-t", "tmpfs", "-o", "size=32k", "none")
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	first := entry("PATH", "/opt/x", Machine)
	takes := mustApply(t, w, first)
	was := content(t, w, profileFile)
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 28<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := apply(t, w, install(entry("PATH", "/opt/y", Machine))); kind(err) != step.DiskFull || !strings.Contains(err.Error(), profileFile) {
		t.Errorf("full: %v", err)
	}
	if got := content(t, w, profileFile); got != was {
		t.Errorf("full: the file became %q", got)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("full: left %v, %v", left, err)
	}
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
	mount("-o", "remount,ro")
	if _, err := apply(t, w, install(entry("PATH", "/opt/y", Machine))); kind(err) != step.ReadOnly {
		t.Errorf("read-only: %v", err)
	}
	if err := undo(t, w, takes, first); kind(err) != step.ReadOnly {
		t.Errorf("read-only, undo: %v", err)
	}
}

// TestNoRight runs as an ordinary user.
func TestNoRight(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	w := newWorker(t, "linux")
	for dir, want := range map[string]step.Kind{"/etc/profile.d": step.NoPrivilege, "/home/u": step.ReadOnly} {
		if err := os.Chmod(w.path(dir), 0o555); err != nil {
			t.Fatal(err)
		}
		scope := map[step.Kind]string{step.NoPrivilege: Machine, step.ReadOnly: User}[want]
		if _, err := apply(t, w, install(entry("PATH", "/opt/y", scope))); kind(err) != want {
			t.Errorf("%s: %v", dir, err)
		}
		if err := os.Chmod(w.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
