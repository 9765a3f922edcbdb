package native

import (
	"context"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/engine"
)

// testKind is an engine that has all of what the real ones do.
var testKind = Kind{
	Spec: engine.Spec{
		Name: "onnxruntime", Library: "ONNX Runtime", Component: "onnxruntime", Recipe: "onnxruntime",
		Formats: []engine.Format{engine.ONNX}, Targets: []engine.Target{{Name: "cpu", Backend: "onnxruntime"}},
	},
	Worker: fstest.MapFS{"main.go": {Data: []byte("package main\n")}, "main_test.go": {Data: []byte("package main\n")}},
	Get:    "install it", Without: "install it elsewhere",
	Remedy: func(message string) string {
		if Has(message, "own words") {
			return "its own remedy"
		}
		return ""
	},
}

// goCommand stands in for the Go command: it writes the worker, or fails.
type goCommand struct {
	calls []host.Command
	log   string // written to standard error with status 1
	err   error
	hang  bool
}

func (g *goCommand) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	g.calls = append(g.calls, cmd)
	if g.hang {
		<-ctx.Done()
		return host.Output{Exit: -1, Signal: "killed"}, ctx.Err()
	}
	if g.err != nil {
		return host.Output{}, g.err
	}
	if g.log != "" {
		return host.Output{Stderr: []byte(g.log), Exit: 1}, nil
	}
	at := slices.Index(cmd.Argv, "-o")
	return host.Output{}, os.WriteFile(cmd.Argv[at+1], []byte("worker"), 0o700)
}

// library is a whole shared library, as far as its headers tell: this program.
func library(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func options(t *testing.T, g *goCommand) Options {
	t.Helper()
	return Options{Process: g, Cache: t.TempDir(), Go: "/usr/bin/go", GoVersion: "1.19.8", Library: library(t), Version: "1.20.1"}
}

func TestPrepare(t *testing.T) {
	g := &goCommand{}
	o := options(t, g)
	w, err := testKind.New(o).Prepare(t.Context(), engine.Silent{})
	if err != nil {
		t.Fatal(err)
	}
	if !w.Built || len(w.Argv) != 2 || w.Argv[1] != o.Library || w.Version != "1.20.1" || w.Copy.File != o.Library || len(w.Env) != 0 {
		t.Errorf("%+v", w)
	}
	cmd := g.calls[0]
	for _, want := range []string{"CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOTOOLCHAIN=local", "GOSUMDB=off", "GOWORK=off"} {
		if !slices.Contains(cmd.Env, want) {
			t.Errorf("%q lacks %s", cmd.Env, want)
		}
	}
	for _, name := range []string{"main.go", "call.go", "work.go", "load_windows.go", "forms.go", "watch.go", "loaded_linux.go", "go.mod", "go.sum"} {
		if _, err := os.Stat(filepath.Join(filepath.Dir(w.Argv[0]), name)); err != nil {
			t.Errorf("the worker's module lacks a file: %v", err)
		}
	}
	if tests, err := filepath.Glob(filepath.Join(filepath.Dir(w.Argv[0]), "*_test.go")); err != nil || len(tests) != 0 {
		t.Errorf("the worker's module has tests: %q, %v", tests, err)
	}
	again, err := testKind.New(o).Prepare(t.Context(), engine.Silent{})
	if err != nil || again.Built || len(g.calls) != 1 {
		t.Errorf("compiled again: %v, %d calls", err, len(g.calls))
	}
	// Another library needs no other worker.
	o.Library = filepath.Join(t.TempDir(), "other.so")
	if raw, err := os.ReadFile(library(t)); err != nil || os.WriteFile(o.Library, raw, 0o600) != nil {
		t.Fatal(err)
	}
	if again, err = testKind.New(o).Prepare(t.Context(), engine.Silent{}); err != nil || again.Built || again.Argv[1] != o.Library {
		t.Errorf("another library: %v, %+v", err, again)
	}
	o.Proxy = func(context.Context) (string, error) { return "file:///cache/goproxy", nil }
	o.Fresh = true
	if _, err := testKind.New(o).Prepare(t.Context(), engine.Silent{}); err != nil || len(g.calls) != 2 || !slices.Contains(g.calls[1].Env, "GOPROXY=file:///cache/goproxy") {
		t.Errorf("with a proxy: %v, %d calls", err, len(g.calls))
	}
}

// TestUnavailable: what keeps the worker from being had is a sentence with a fix.
func TestUnavailable(t *testing.T) {
	dir := t.TempDir()
	cut, text := filepath.Join(dir, "cut.so"), filepath.Join(dir, "text.so")
	raw, err := os.ReadFile(library(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(cut, raw[:len(raw)/2], 0o600), os.WriteFile(text, []byte("<html>not found</html>"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(o *Options, g *goCommand)
		why    string
		broken bool
	}{
		{"no library", func(o *Options, _ *goCommand) { o.Library = filepath.Join(dir, "none.so") }, "is not there", true},
		{"a library that was cut short", func(o *Options, _ *goCommand) { o.Library = cut }, "cut short", true},
		{"a web page", func(o *Options, _ *goCommand) { o.Library = text }, "not a shared library", true},
		{"no Go", func(o *Options, _ *goCommand) { o.Go = "" }, "no Go command", false},
		{"an old Go", func(o *Options, _ *goCommand) { o.GoVersion = "go1.15.15" }, "Go 1.15.15 is too old", false},
		{"no network", func(_ *Options, g *goCommand) { g.log = "dial tcp: lookup proxy.invalid: no such host\n" }, "the server's name was not found", false},
		{"altered module", func(_ *Options, g *goCommand) { g.log = "verifying module: checksum mismatch\n" }, "not what deployctl pinned", false},
		{"full disk", func(_ *Options, g *goCommand) { g.log = "write x: no space left on device\n" }, "the disk filled up", false},
		{"any other failure", func(_ *Options, g *goCommand) { g.log = "first\n./main.go:3: syntax error\n" }, "main.go:3: syntax error", false},
		{"no such Go", func(_ *Options, g *goCommand) { g.err = errors.New("exec format error") }, "exec format error", false},
		{"a build that hangs", func(o *Options, g *goCommand) { g.hang, o.BuildLimit = true, time.Millisecond }, "did not end within", false},
	} {
		g := &goCommand{}
		o := options(t, g)
		c.change(&o, g)
		_, err := testKind.New(o).Prepare(t.Context(), engine.Silent{})
		var u *engine.Unavailable
		if !errors.As(err, &u) || !strings.Contains(u.Why, c.why) || u.Fix == "" || u.Broken != c.broken {
			t.Errorf("%s: %v, %+v", c.name, err, u)
		}
	}
}

// TestAnotherProcessor: a library for another processor is refused before the
// loader, which would only say that it does not find it.
func TestAnotherProcessor(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("skipped: this test changes the header of an ELF file")
	}
	o := options(t, &goCommand{})
	raw, err := os.ReadFile(o.Library)
	if err != nil {
		t.Fatal(err)
	}
	raw[18] = byte(elf.EM_S390) // e_machine
	o.Library = filepath.Join(t.TempDir(), "other.so")
	if err := os.WriteFile(o.Library, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	var u *engine.Unavailable
	if _, err := testKind.New(o).Prepare(t.Context(), engine.Silent{}); !errors.As(err, &u) || !strings.Contains(u.Why, "for another processor (EM_S390)") || u.Fix == "" || !u.Broken {
		t.Errorf("%v", err)
	}
}

func TestFind(t *testing.T) {
	lib := func(path string) map[string]string { return map[string]string{"lib": path} }
	for _, c := range []struct {
		name   string
		copies []facts.Instance
		want   string // of the library, or of the error
	}{
		{"none", nil, "not installed"},
		{"one", []facts.Instance{{Version: "1.20.1", Attrs: lib("/a/libonnxruntime.so.1")}}, "/a/libonnxruntime.so.1"},
		{"the active one", []facts.Instance{{Attrs: lib("/a/libonnxruntime.so.1")}, {Active: true, Attrs: lib("/b/libonnxruntime.so.1")}}, "/b/libonnxruntime.so.1"},
		{"not the one that cannot be used", []facts.Instance{{Active: true, Attrs: lib("/a/libonnxruntime.so.1"), Unusable: &facts.Unusable{Reason: facts.WrongArch}}, {Attrs: lib("/b/libonnxruntime.so.1")}}, "/b/libonnxruntime.so.1"},
		{"only one that cannot be used", []facts.Instance{{Path: "/a", Attrs: lib("/a/libonnxruntime.so.1"), Unusable: &facts.Unusable{Reason: facts.WrongArch, Detail: "it is for arm64"}}}, "it is for arm64"},
		{"a Python package", []facts.Instance{{Path: "/usr/lib/python3/dist-packages/onnxruntime"}}, "has no library of its own"},
	} {
		f := &facts.Facts{Components: map[string][]facts.Instance{"onnxruntime": c.copies, "go": {{Version: "1.26", Path: "/usr/bin/go", Active: true}}}}
		e, err := testKind.Declare().Find(engine.Machine{Facts: f})
		got := ""
		if err != nil {
			got = err.Error()
		} else if o := e.(*Runner).Options; o.Go == "/usr/bin/go" {
			got = o.Library
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

// TestRemedy: messages of the loader, and a word of what to do.
func TestRemedy(t *testing.T) {
	for message, want := range map[string]string{
		"load /x/libonnxruntime.so.1: /lib/x86_64-linux-gnu/libm.so.6: version `GLIBC_2.35' not found (required by /x/libonnxruntime.so.1)": "newer system",
		"load /x/libonnxruntime.so.1: /x/libonnxruntime.so.1: file too short":                                                               "reinstall",
		"load /x/libonnxruntime.so.1: libtbb.so.12: cannot open shared object file: No such file or directory":                              "what the library needs",
		"/x/libc.so.6 is not ONNX Runtime: undefined symbol: OrtGetApiBase":                                                                 "shadow onnxruntime",
		"forward pass: Failed to allocate memory for requested buffer of size 1":                                                            "free memory",
		"own words":      "its own remedy",
		"something else": "",
	} {
		if got := testKind.New(Options{}).remedy(message); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", message, got)
		}
	}
}

// TestChild: where the worker is a part of this program, it is started with the library
// and nothing is compiled; what Windows does not find is named before that.
func TestChild(t *testing.T) {
	dir := t.TempDir()
	file := library(t)
	k := testKind
	k.Child = func() {}
	found := facts.Instance{Version: "1.20.1", Active: true, Attrs: map[string]string{"lib": file}}
	m := engine.Machine{Facts: &facts.Facts{Components: map[string][]facts.Instance{"onnxruntime": {
		{Version: "1.10.0", Active: true, Attrs: map[string]string{"lib": `C:\Windows\System32\onnxruntime.dll`}}, found,
	}}}, Cache: dir}
	e, err := k.Declare().Find(m)
	if err != nil {
		t.Fatal(err)
	}
	w, err := e.Prepare(t.Context(), engine.Silent{})
	exe, exeErr := os.Executable()
	if err != nil || exeErr != nil || !slices.Equal(w.Argv, []string{exe, engine.ChildCommand, "onnxruntime", file}) || w.Built {
		t.Errorf("%v %v %q", err, exeErr, w.Argv)
	}
	found.Needs = []facts.Need{
		{Name: "MSVCP140_1.dll", By: file, Cause: facts.NotFound},
		{Name: "cublas64_12.dll", By: `C:\x\onnxruntime_providers_cuda.dll`, Cause: facts.NotFound},
		{Name: "old.dll", By: file, Cause: facts.TooOld},
	}
	m.Facts.Components["onnxruntime"] = []facts.Instance{found}
	if e, err = k.Declare().Find(m); err != nil {
		t.Fatal(err)
	}
	_, err = e.Prepare(t.Context(), engine.Silent{})
	var u *engine.Unavailable
	if !errors.As(err, &u) || !u.Broken || !strings.Contains(u.Why, " needs MSVCP140_1.dll, which Windows does not find") {
		t.Errorf("%v", err)
	}
}
