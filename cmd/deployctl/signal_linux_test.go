package main

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSignals stops the real program while it looks at a machine with a tool
// that hangs: by Ctrl-C, by a service manager, and by a terminal that is closed
// (which is told twice). It ends in order each time. Under nohup a closed
// terminal stops nothing.
func TestSignals(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// A signal that is ignored stays so in every child, and nohup or a script's &
	// may have started these tests. One that is caught is the default in a child.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGINT, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
	for _, c := range []struct {
		name, before, command string
		send                  []syscall.Signal
		want                  string // on standard error, "" when it must go on
	}{
		{"Ctrl-C", "", "doctor", []syscall.Signal{syscall.SIGINT}, "stopped while looking at the machine"},
		{"service manager", "", "doctor --format json", []syscall.Signal{syscall.SIGTERM}, "stopped while looking at the machine"},
		{"closed terminal", "", "doctor", []syscall.Signal{syscall.SIGHUP, syscall.SIGHUP}, "stopped while looking at the machine"},
		{"facts", "", "facts", []syscall.Signal{syscall.SIGINT}, "stopped while looking at the machine"},
		{"plan", "", "plan", []syscall.Signal{syscall.SIGINT}, "stopped while looking at the machine"},
		{"shadow", "", "shadow", []syscall.Signal{syscall.SIGINT}, "stopped while looking at the machine"},
		{"diff", "", "diff here here", []syscall.Signal{syscall.SIGINT}, "stopped while looking at the machine"},
		{"verify", "", "verify", []syscall.Signal{syscall.SIGINT}, "stopped while looking at the machine"},
		{"verify, service manager", "", "verify --format json", []syscall.Signal{syscall.SIGTERM}, "stopped while looking at the machine"},
		{"nohup", "trap '' HUP; ", "doctor", []syscall.Signal{syscall.SIGHUP}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			began, proceed := filepath.Join(dir, "began"), filepath.Join(dir, "proceed")
			child := "" // one that left the tool's process group: finding it takes a moment
			if c.want != "" {
				child = "setsid sleep 600 &\n"
			}
			tool := "#!/bin/sh\n" + child + ": >" + began + "\nuntil [ -e " + proceed + " ]; do sleep 0.02; done\necho 'g++ (GCC) 12.2.0'\n"
			if err := os.WriteFile(filepath.Join(dir, "g++"), []byte(tool), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(self, filepath.Join(dir, "deployctl")); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("/bin/sh", "-c", c.before+"exec deployctl "+c.command)
			mark := "DEPLOYCTL_STOPPED=" + dir
			cmd.Env = []string{mark, "HOME=" + dir, "PATH=" + dir + ":/usr/bin:/bin", "GORACE=atexit_sleep_ms=0"}
			var errOut bytes.Buffer
			cmd.Stderr = &errOut
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			limit := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() }) // gone is well
			defer limit.Stop()
			for until := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
				if _, err := os.Stat(began); err == nil {
					break
				}
				if time.Now().After(until) {
					t.Fatal("it never asked the tool")
				}
			}
			for i, s := range c.send {
				if err := cmd.Process.Signal(s); err != nil && i == 0 { // later ones may find it ended
					t.Fatal(err)
				}
			}
			if c.want == "" {
				if err := os.WriteFile(proceed, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait() // the state says it
			ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !ok || ws.Signaled() {
				t.Fatalf("a signal ended it: %v", cmd.ProcessState)
			}
			// What was killed takes a moment to be gone on a busy machine.
			left := marked(t, mark)
			for until := time.Now().Add(10 * time.Second); len(left) > 0 && time.Now().Before(until); left = marked(t, mark) {
				time.Sleep(20 * time.Millisecond)
			}
			if len(left) > 0 {
				t.Errorf("processes were left behind: %v", left)
			}
			if got := errOut.String(); c.want != "" && (!strings.Contains(got, c.want) || ws.ExitStatus() != 1) || c.want == "" && strings.Contains(got, "stopped") {
				t.Errorf("%v: %q", cmd.ProcessState, got)
			}
		})
	}
}
