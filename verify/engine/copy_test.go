package engine

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
)

// twoCopies makes an OpenCV in a folder and a second libopencv_dnn elsewhere.
func twoCopies(t *testing.T) (c *Copy, own, other string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"lib/libopencv_core.so.4.6.0": "core", "lib/libopencv_dnn.so.4.6.0": "dnn",
		"local/libopencv_dnn.so.406": "kills every program", "local/libz.so.1": "z",
		"same/libopencv_dnn.so.4.6.0": "dnn",
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return &Copy{
		Name: "OpenCV", Version: "4.6.0", Prefixes: []string{"libopencv_"},
		File:   filepath.Join(dir, "lib/libopencv_core.so.4.6.0"),
		Getenv: func(string) (string, bool) { return "", false },
	}, filepath.Join(dir, "lib/libopencv_dnn.so.4.6.0"), filepath.Join(dir, "local/libopencv_dnn.so.406")
}

func TestForeign(t *testing.T) {
	c, own, other := twoCopies(t)
	dir := filepath.Dir(filepath.Dir(own))
	link := filepath.Join(filepath.Dir(own), "libopencv_dnn.so.406")
	if err := os.Symlink(filepath.Join(dir, "same", "libopencv_dnn.so.4.6.0"), link); err != nil {
		t.Skipf("skipped: no links here: %v", err)
	}
	for _, healthy := range [][]string{
		nil, {own}, {c.File, own, "/usr/lib/libz.so.1", filepath.Join(dir, "local", "libz.so.1")},
		{filepath.Join(dir, "same", "libopencv_dnn.so.4.6.0")}, {filepath.Join(dir, "local", "..", "lib", "libopencv_core.so.4.6.0")},
	} {
		if m := c.Foreign(healthy); m != nil {
			t.Errorf("%v: %+v", healthy, m)
		}
	}
	m := c.Foreign([]string{c.File, other})
	if m == nil || m.File != other || !strings.Contains(m.Why, other) || !strings.Contains(m.Why, filepath.Dir(own)) {
		t.Fatalf("%+v", m)
	}
	if runtime.GOOS == "linux" && !strings.HasPrefix(m.Fix, "Remove "+other+" and run ldconfig") {
		t.Error(m.Fix)
	}
	for name, value := range map[string]string{"LD_LIBRARY_PATH": "/x:" + filepath.Dir(other), "LD_PRELOAD": other} {
		c.Getenv = func(n string) (string, bool) { return value, n == name }
		if m := c.Foreign([]string{other}); m == nil || !strings.Contains(m.Fix, "out of "+name) {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if m := (*Copy)(nil).Foreign([]string{other}); m != nil {
		t.Error(m)
	}
	if m := (&Copy{File: "/x/libopencv_core.a"}).Foreign([]string{other}); m != nil {
		t.Error(m)
	}
}

// TestDeathNamesTheOtherCopy: a second libopencv_dnn that kills the worker
// while it is loaded leaves no answer; the loader says which file it was.
func TestDeathNamesTheOtherCopy(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("skipped: only glibc's loader lists files")
	}
	c, own, other := twoCopies(t)
	loads := own
	p := &process{act: func(_ context.Context, cmd host.Command) (host.Output, error) {
		if slices.Contains(cmd.Env, "LD_TRACE_LOADED_OBJECTS=1") {
			return host.Output{Stdout: []byte("\tlinux-vdso.so.1 (0x00007ffd)\n\tlibopencv_dnn.so.406 => " + loads + " (0x00007f12)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f13)\n")}, nil
		}
		return host.Output{Exit: -1, Signal: "segmentation fault"}, nil
	}}
	w := Worker{Engine: "x", Argv: []string{"/w"}, Copy: c}
	j, _ := job(t)
	if _, err := Execute(t.Context(), p, w, j, time.Minute, nil); err == nil || strings.Contains(err.Error(), "programs load") {
		t.Errorf("healthy: %v", err)
	}
	loads = other
	var d *Death
	if _, err := Execute(t.Context(), p, w, j, time.Minute, nil); !errors.As(err, &d) || !strings.Contains(d.Why, other) || !strings.Contains(d.Why, "crashed") || !strings.Contains(d.Fix, other) {
		t.Errorf("%v", err)
	}
}

func TestMissingLibraryOfTheCopy(t *testing.T) {
	c, own, _ := twoCopies(t)
	j, _ := job(t)
	for name, known := range map[string]bool{filepath.Base(own): true, "libgone.so.1": false} {
		p := &process{out: host.Output{Exit: 127, Stderr: []byte("/w: error while loading shared libraries: " + name + ": cannot open shared object file: No such file or directory\n")}}
		_, err := Execute(t.Context(), p, Worker{Engine: "x", Argv: []string{"/w"}, Copy: c}, j, time.Minute, nil)
		var d *Death
		if !errors.As(err, &d) || d.Cause != Library || strings.Contains(d.Fix, filepath.Dir(own)) != known {
			t.Errorf("%s: %v", name, err)
		}
		if known && runtime.GOOS == "linux" && !strings.HasSuffix(d.Fix, ">> /etc/ld.so.conf.d/opencv.conf && ldconfig") {
			t.Error(d.Fix)
		}
	}
}

func TestLibrariesTravel(t *testing.T) {
	j, a := job(t)
	a.Libraries = []string{"/usr/lib/libopencv_core.so.406"}
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Execute(t.Context(), &process{answer: raw}, Worker{Engine: "x", Argv: []string{"/w"}}, j, time.Minute, nil)
	if err != nil || !slices.Equal(got.Libraries, a.Libraries) {
		t.Fatalf("%v, %v", got.Libraries, err)
	}
}
