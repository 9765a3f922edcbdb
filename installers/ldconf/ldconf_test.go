package ldconf

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestCommands runs the commands in a folder instead of /etc: the line is added
// once, other lines stay, and the undo leaves what was there before.
func TestCommands(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("ld.so.conf.d is Linux's")
	}
	dir := t.TempDir()
	run := func(args []string) {
		t.Helper()
		script := strings.NewReplacer(folder, dir+"/", ldconfig, "true").Replace(args[1])
		if out, err := exec.Command("/bin/sh", args[0], script).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
	}
	file := filepath.Join(dir, "opencv.conf")
	read := func() string {
		data, err := os.ReadFile(file)
		if err != nil {
			return err.Error()
		}
		return string(data)
	}
	m, names := Manager(), []string{Package("opencv", "/opt/cv-4.6/lib")}
	if err := m.CheckNames(names); err != nil {
		t.Fatal(err)
	}
	run(m.Install(names))
	if read() != "/opt/cv-4.6/lib\n" {
		t.Errorf("after the installation: %q", read())
	}
	run(m.Remove(names, true))
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("after the undo: %q", read())
	}
	const own = "/opt/other/lib\n/opt/cv-4x6/lib\n"
	if err := os.WriteFile(file, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	run(m.Install(names))
	run(m.Remove(names, true))
	if read() != own {
		t.Errorf("another's lines: %q", read())
	}
}

// TestNames: nothing that a shell would read as more than a word gets through.
func TestNames(t *testing.T) {
	for _, bad := range []string{"opencv=/opt/x; rm -rf /", "opencv=/opt/$HOME", "../x=/opt", "opencv=opt", "opencv", "a b=/opt", "opencv=/opt/\nx"} {
		if Manager().CheckNames([]string{bad}) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// TestLook: what is listed already is no change.
func TestLook(t *testing.T) {
	h := hosttest.Parse(t, "-- file /etc/ld.so.conf.d/opencv.conf --\n/opt/cv/lib\n")
	q, err := Manager().Quote(context.Background(), h, "", []string{"opencv=/opt/cv/lib", "tbb=/opt/tbb"})
	if err != nil || len(q.Change) != 1 || q.Change[0].Name != "tbb=/opt/tbb" {
		t.Errorf("%+v, %v", q, err)
	}
}
