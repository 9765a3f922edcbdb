package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHostileMachine runs the real program where tools hang, flood, fork and
// lie: it ends by itself, says unknown for what it could not learn, and leaves
// no process behind.
func TestHostileMachine(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	pc := filepath.Join(dir, "pc")
	for _, d := range []string{bin, pc, filepath.Join(dir, "home")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script := func(name, body string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script("g++", "sleep 600 & setsid sleep 600 & wait")        // hangs, one child outside its group
	script("clang++", "while :; do echo clang version x; done") // endless output
	script("pkg-config", "exec cat /dev/zero")                  // endless garbage
	script("cmake", "kill -SEGV $$")
	script("git", "trap '' INT TERM; while :; do :; done") // deaf to signals
	if err := os.Symlink("loop", filepath.Join(bin, "loop")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(bin, "loop"), filepath.Join(bin, "ninja")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(pc, "opencv4.pc"), 0o600); err != nil {
		t.Fatal(err)
	}
	huge, err := os.Create(filepath.Join(pc, "opencv.pc"))
	if err != nil {
		t.Fatal(err)
	}
	if err := huge.Truncate(1 << 40); err != nil { // sparse
		t.Fatal(err)
	}
	if err := huge.Close(); err != nil {
		t.Fatal(err)
	}
	path := []string{bin} // one variable may hold 128 KiB
	for i := range 10_000 {
		path = append(path, fmt.Sprintf("/n/%d", i))
	}
	path = append(path, "/usr/bin", "/bin") // for the scripts' own tools

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The contract is 10 s in all; the limit here only ends a test that hangs.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	mark := fmt.Sprintf("DEPLOYCTL_HOSTILE=%d-%d", os.Getpid(), time.Now().UnixNano())
	c := exec.CommandContext(ctx, self, "doctor", "--format", "json")
	// testscript.Main makes the test binary act as deployctl by its name.
	c.Args[0] = "deployctl"
	c.Env = []string{
		"HOME=" + filepath.Join(dir, "home"), "PATH=" + strings.Join(path, ":"), "PKG_CONFIG_PATH=" + pc, mark,
		"LD_LIBRARY_PATH=" + bin, "OCL_ICD_VENDORS=" + filepath.Join(bin, "loop"), "GORACE=atexit_sleep_ms=0",
	}
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	err = c.Run()
	if ctx.Err() != nil {
		t.Fatal("doctor did not end")
	}
	var exit *exec.ExitError
	if err != nil && !asExit(err, &exit) {
		t.Fatal(err)
	}
	var doc struct {
		Exit     int
		Findings []struct{ ID, State, Found string }
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatalf("standard output is no document: %v\n%.400s\n%.400s", err, out.String(), errOut.String())
	}
	if bytes.Contains(errOut.Bytes(), []byte("goroutine ")) {
		t.Errorf("a stack trace: %.600s", errOut.String())
	}
	if c.ProcessState.ExitCode() != doc.Exit {
		t.Errorf("exit code %d, the document says %d", c.ProcessState.ExitCode(), doc.Exit)
	}
	states := map[string]string{}
	for _, f := range doc.Findings {
		states[f.ID] = f.State + ": " + f.Found
	}
	for _, id := range []string{"cxx.compiler", "pkg-config.present"} {
		if !strings.HasPrefix(states[id], "unknown") {
			t.Errorf("%s is %q, want unknown", id, states[id])
		}
	}
	if survivors := marked(t, mark); len(survivors) > 0 {
		t.Errorf("processes were left behind: %v", survivors)
	}
}

func asExit(err error, to **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError) //nolint:errorlint // straight from Run
	*to = e
	return ok
}

// marked lists the live processes whose environment carries the mark.
func marked(t *testing.T, mark string) []string {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range procs {
		data, err := os.ReadFile(p)
		if err != nil || !bytes.Contains(data, []byte(mark)) {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(p), "cmdline")) // gone is well
		out = append(out, string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '})))
	}
	return out
}
