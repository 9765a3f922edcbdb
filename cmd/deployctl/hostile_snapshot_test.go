package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// evil sets a window's title, clears the screen, colors and hides what follows,
// and turns its direction.
const evil = "\x1b]0;pwned\x07\x1b[2J\x1b[8m\x9b31m\u009b31m\u202e\rOK"

// TestHostileSnapshot: what a machine says is shown, and does nothing to the
// terminal it is shown on, whatever the command; JSON stays JSON.
func TestHostileSnapshot(t *testing.T) {
	dir := t.TempDir()
	text := strings.ReplaceAll(`
-- env --
PATH=/usr/bin:/opt/EVIL/bin
CUDA_HOME=/opt/EVIL
OpenCV_DIR=/opt/EVIL
CC=EVIL
http_proxy=http://EVIL
-- file /etc/os-release --
ID=debian
VERSION_ID="12"
PRETTY_NAME="Debian EVIL"
-- run "/usr/bin/g++" "--version" --
g++ (EVIL) 12.2.0
-- run "/usr/bin/cmake" "--version" --
#exit 1
#stderr EVIL
-- run "/usr/bin/git" "--version" --
#error EVIL
-- run "/usr/bin/pkg-config" "--version" --
EVIL
-- file /usr/lib/pkgconfig/opencv4.pc --
prefix=/usr/EVIL
libdir=${prefix}/lib
Name: OpenCV
Version: 4.6.0EVIL
Libs: -L${libdir} -lopencv_core
-- file /usr/local/cuda-12.4/version.json --
{"cuda": {"name": "EVIL", "version": "12.4.EVIL"}}
-- file /usr/local/cuda-12.4/include/cuda.h --
#define CUDA_VERSION 12040
-- file /etc/OpenCL/vendors/EVIL.icd --
/usr/lib/libEVIL.so
`, "EVIL", evil)
	rec, err := hosttest.Recording(text)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := host.WriteSnapshot(&archive, rec); err != nil {
		t.Fatal(err)
	}
	snapshot, facts, recipe := filepath.Join(dir, "snapshot.tgz"), filepath.Join(dir, "facts.json"), filepath.Join(dir, evil[:20]+".yaml")
	if err := os.WriteFile(snapshot, archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal("Debian " + evil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(facts, []byte(`{"schema":1,"os":{"family":"linux","name":`+string(quoted)+`},"components":{"cuda":[{"version":`+string(quoted)+`,"active":true}]}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"doctor", "--from", snapshot}, {"doctor", "--from", snapshot, "--all"}, {"doctor", "--from", snapshot, "--dry-run"}, {"doctor", "--from", snapshot, "--format", "json"},
		{"doctor", "--from", snapshot, "--recipe", "opencv-cuda", "--all"},
		{"plan", "--from", snapshot}, {"plan", "--from", snapshot, "--recipe", "opencv-cuda"}, {"plan", "--from", snapshot, "--format", "json"},
		{"shadow", "--from", snapshot, "--all"}, {"facts", "--from", snapshot}, {"diff", snapshot, facts, "--all"}, {"diff", facts, snapshot, "--format", "json"},
		{"doctor", "--from", filepath.Join(dir, evil)}, {"doctor", "--recipe", recipe}, {"recipe", "show", evil}, {"explain", evil}, {"recipe", "lint", recipe}, {"doctor", "--set", evil}, {"doctor", "--format", evil},
		{evil}, {"verify", "--engine", "reference", "--cfg", evil}, {"shadow", evil},
	} {
		for _, color := range []string{"NO_COLOR=1", "CLICOLOR_FORCE=1"} {
			out, errOut := runSelf(t, []string{"HOME=" + dir, "PATH=/usr/bin:/bin", color}, args...)
			for stream, got := range map[string]string{"output": out, "errors": errOut} {
				if color != "NO_COLOR=1" {
					got = regexp.MustCompile("\x1b\\[(0|1|2|3[1-6]|90)m").ReplaceAllString(got, "")
				}
				if i := strings.IndexFunc(got, func(r rune) bool {
					return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\u202e'
				}); i >= 0 {
					t.Errorf("%s of %q with %s: %q", stream, args, color, got[max(0, i-60):min(len(got), i+40)])
				}
			}
			if args[len(args)-1] == "json" && !json.Valid([]byte(out)) {
				t.Errorf("%q: no JSON: %.200s", args, out)
			}
		}
	}
}

// runSelf runs the real program and returns both its streams.
func runSelf(t *testing.T, env []string, args ...string) (out, errOut string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return runAs(t, self, nil, env, args...)
}

func runAs(t *testing.T, self string, attr *syscall.SysProcAttr, env []string, args ...string) (out, errOut string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), self, args...)
	c.Args[0] = "deployctl" // see TestHostileMachine
	c.SysProcAttr = attr
	c.Env = append(env, "GORACE=atexit_sleep_ms=0")
	var o, e bytes.Buffer
	c.Stdout, c.Stderr = &o, &e
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return o.String(), e.String()
}
