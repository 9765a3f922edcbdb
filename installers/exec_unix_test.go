//go:build unix

package installers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shell writes a script (a test's own program, no user's words in it) and runs
// it as a job.
func shell(t *testing.T, ctx context.Context, l Live, script string, onLine func(string)) (exit int, log string, err error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "log")
	exit, err = l.Stream(ctx, Job{Argv: []string{"/bin/sh", path}, Log: name}, onLine)
	data, rerr := os.ReadFile(name)
	if rerr != nil {
		t.Fatal(rerr)
	}
	return exit, string(data), err
}

func TestLiveLinesAndExit(t *testing.T) {
	var lines []string
	exit, log, err := shell(t, context.Background(), Live{Poll: time.Millisecond}, "echo one; echo two >&2; printf 'a\\rb\\nlast'; exit 7", func(l string) { lines = append(lines, l) })
	if exit != 7 || err != nil {
		t.Errorf("exit %d, %v", exit, err)
	}
	if d := cmp.Diff([]string{"one", "two", "a", "b", "last"}, lines); d != "" {
		t.Error(d)
	}
	if log != "one\ntwo\na\rb\nlast" {
		t.Errorf("log %q", log)
	}
	if exit, _, err = shell(t, context.Background(), Live{}, "kill -9 $$", func(string) {}); exit != 128+9 || err != nil {
		t.Errorf("killed: exit %d, %v", exit, err)
	}
	if _, err := (Live{}).Stream(context.Background(), Job{Argv: []string{"/nonexistent"}, Log: filepath.Join(t.TempDir(), "l")}, func(string) {}); err == nil {
		t.Error("a missing program started")
	}
	long := 0
	if _, _, err = shell(t, context.Background(), Live{}, "head -c 300000 /dev/zero | tr '\\0' x", func(l string) { long = max(long, len(l)) }); err != nil || long > maxLine {
		t.Errorf("line of %d bytes, %v", long, err)
	}
}

func TestLiveStopIsAskedFirst(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var once sync.Once
	var lines []string
	// Like apt: the child (dpkg) must not see the signal, the leader finishes.
	exit, _, err := shell(t, ctx, Live{Poll: time.Millisecond, Grace: time.Minute},
		"trap 'asked=1' INT\nsh -c 'trap \"echo child hit\" INT; echo ready; while [ ! -e \"$0.go\" ]; do sleep 0.01; done' \"$0\" &\nchild=$!\nwhile [ -z \"$asked\" ]; do sleep 0.01; done\n: > \"$0.go\"\nwait $child\necho finished\nexit 0",
		func(l string) {
			lines = append(lines, l)
			if l == "ready" {
				once.Do(cancel)
			}
		})
	if exit != 0 || !errors.Is(err, context.Canceled) || !slices.Equal(lines, []string{"ready", "finished"}) {
		t.Errorf("exit %d, %v, %q", exit, err, lines)
	}
}

func TestLiveKillsTheWholeGroup(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pid := 0
	exit, _, err := shell(t, ctx, Live{Poll: time.Millisecond, Grace: 10 * time.Millisecond},
		"trap '' INT TERM\nsleep 600 &\necho child $!\nwait", func(l string) {
			if rest, ok := strings.CutPrefix(l, "child "); ok {
				n, perr := strconv.Atoi(rest)
				if perr != nil {
					t.Error(perr)
				}
				pid = n
				cancel()
			}
		})
	if exit != 128+9 || !errors.Is(err, context.Canceled) || pid == 0 {
		t.Fatalf("exit %d, %v, child %d", exit, err, pid)
	}
	// The orphan is reaped by init some time after the kill: wait for that.
	deadline := time.After(10 * time.Second)
	for {
		stat, rerr := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || (rerr == nil && strings.Contains(string(stat), ") Z ")) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("process %d survived", pid)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
