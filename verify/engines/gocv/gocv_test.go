package gocv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/engine"
)

func TestReleases(t *testing.T) {
	list := Releases()
	if len(list) != 26 || list[0] != "v0.20.0" || list[len(list)-1] != "v0.43.0" {
		t.Fatalf("%d releases: %v", len(list), list)
	}
	for _, r := range list {
		if !strings.Contains(workerSum, "gocv.io/x/gocv "+r+"/go.mod h1:") {
			t.Errorf("%s: its go.mod is not pinned", r)
		}
	}
	// What compat.md section 2.2 chooses must be there.
	for _, want := range []string{"v0.22.0", "v0.23.0", "v0.31.0", "v0.37.0", "v0.39.0", "v0.41.0", "v0.42.0", "v0.43.0"} {
		if !slices.Contains(list, want) {
			t.Errorf("%s is not pinned", want)
		}
	}
	// Pinned here a second time, from compat.md section 2.1.
	if !strings.Contains(workerSum, "gocv.io/x/gocv v0.43.0 h1:PFNpRUcV8fgBRDbVHHN+4BDZjjPnVveo5N/+e15BTuA=\n") {
		t.Error("v0.43.0 has another hash")
	}
}

func TestTagsAndGoLine(t *testing.T) {
	for release, want := range map[string]string{
		"v0.22.0": "gocvworker 1.13",
		"v0.31.0": "gocvworker 1.13",
		"v0.32.1": "gocvworker 1.13",
		"v0.39.0": "gocvworker 1.21",
		"v0.41.0": "gocvworker,gocv_exceptions 1.21",
		"v0.43.0": "gocvworker,gocv_exceptions,gocv_specific_modules,gocv_dnn 1.21",
	} {
		b := &builder{Options{Release: release}}
		if got := b.tags() + " " + goLine(release); got != want {
			t.Errorf("%s: %s, want %s", release, got, want)
		}
	}
}

// goCommand stands in for the Go command: it writes the worker, or fails.
type goCommand struct {
	mu    sync.Mutex
	calls []host.Command
	log   string // written to standard error with status 1
	err   error
	block chan struct{} // when not nil, a build waits for it
	began chan struct{}
	wrote string

	source    string // of gocv, which it finds
	unfetched string // what it says when it cannot
}

func (g *goCommand) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	g.mu.Lock()
	g.calls = append(g.calls, cmd)
	g.mu.Unlock()
	if cmd.Argv[1] == "version" {
		return host.Output{Stdout: []byte("go version go1.19.8 linux/amd64\n")}, nil
	}
	if cmd.Argv[1] == "list" {
		if g.unfetched != "" {
			return host.Output{Stderr: []byte(g.unfetched), Exit: 1}, nil
		}
		return host.Output{Stdout: []byte(g.source + "\n")}, nil
	}
	if g.began != nil {
		close(g.began)
	}
	if g.block != nil {
		select {
		case <-g.block:
		case <-ctx.Done():
			return host.Output{Exit: -1, Signal: "killed"}, fmt.Errorf("go was stopped: %w", context.Cause(ctx))
		}
	}
	if g.err != nil {
		return host.Output{}, g.err
	}
	if g.log != "" {
		return host.Output{Stderr: []byte(g.log), Exit: 1}, nil
	}
	// The compiler's own leftovers, as when it is killed.
	for _, e := range cmd.Env {
		if dir, ok := strings.CutPrefix(e, "GOTMPDIR="); ok {
			if err := os.WriteFile(filepath.Join(dir, "cc1.s"), nil, 0o600); err != nil {
				return host.Output{}, err
			}
		}
	}
	at := slices.Index(cmd.Argv, "-o")
	if at < 0 {
		return host.Output{}, fmt.Errorf("the stand-in does not know %q", cmd.Argv)
	}
	out := cmd.Argv[at+1]
	text := g.wrote
	if text == "" {
		text = "worker"
	}
	return host.Output{}, os.WriteFile(out, []byte(text), 0o700)
}

func (g *goCommand) builds() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, c := range g.calls {
		if c.Argv[1] == "build" {
			n++
		}
	}
	return n
}

func options(t *testing.T, g *goCommand) Options {
	g.source = t.TempDir()
	for _, name := range []string{
		"aruco.cpp", "aruco.go", "cgo.go", "core.cpp", "core.go", "core.h", "core_string.go", "core_test.go", "dnn.cpp", "dnn.go",
		"go.mod", "mat_noprofile.go", "README.md", "svd.cpp", "svd.go", "svd.h", "version.go", "video.go", "videoio.cpp", "videoio_string.go",
	} {
		if err := os.WriteFile(filepath.Join(g.source, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Options{Process: g, Cache: t.TempDir(), Release: "v0.31.0", Go: "/usr/bin/go", OpenCVVersion: "4.6.0", CXXVersion: "12.2"}
}

type counter struct{ started, ticks, done atomic.Int64 }

func (c *counter) Start(string, int64) { c.started.Add(1) }
func (c *counter) Add(int64)           { c.ticks.Add(1) }
func (c *counter) Done()               { c.done.Add(1) }

func TestPrepareBuildsOnce(t *testing.T) {
	g := &goCommand{}
	o := options(t, g)
	o.OpenCVPath, o.PkgConfigDir = "/opt/cv/lib/libopencv_core.so.406", "/opt/cv/lib/pkgconfig"
	p := &counter{}
	w, err := New(o).Prepare(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if !w.Built || g.builds() != 1 || p.started.Load() != 1 || p.done.Load() != 1 {
		t.Fatalf("built %v, %d builds, %d/%d progress", w.Built, g.builds(), p.started.Load(), p.done.Load())
	}
	// What the compilers leave behind is in the build's folder and goes with it.
	for _, name := range []string{"GOTMPDIR", "TMPDIR", "TMP", "TEMP"} {
		if !slices.ContainsFunc(g.calls[len(g.calls)-1].Env, func(e string) bool { return strings.HasPrefix(e, name+"="+filepath.Dir(w.Argv[0])+".build-") }) {
			t.Errorf("%s is not in the folder of the build", name)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(w.Argv[0]), "tmp")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the compilers' temporary files are still there: %v", err)
	}
	// The loader must search as it does for the user's own programs.
	if !slices.Equal(w.Env, []string{"OPENCV_LOG_LEVEL=WARNING"}) || w.Copy.File != o.OpenCVPath {
		t.Errorf("environment %v, copy %+v", w.Env, w.Copy)
	}
	for _, file := range []string{"main.go", "threads.go", "threads.cpp", "exception.go", "exception_abort.go", "go.mod", "go.sum"} {
		if _, err := os.Stat(filepath.Join(filepath.Dir(w.Argv[0]), file)); err != nil {
			t.Errorf("the worker's module lacks a file: %v", err)
		}
	}
	cmd := g.calls[len(g.calls)-1]
	// Go 1.19 knows -buildvcs, and -trimpath would have it compile its standard
	// library; nothing may be fetched but what is pinned.
	if !slices.Contains(cmd.Argv, "-buildvcs=false") || slices.Contains(cmd.Argv, "-trimpath") {
		t.Errorf("the command is %v", cmd.Argv)
	}
	newer := o
	newer.Release = "v0.42.0"
	if argv, _, err := (&builder{o: newer}).command(t.Context(), t.TempDir(), "1.20", nil, p); err != nil || !slices.Contains(argv, "-trimpath") {
		t.Errorf("Go 1.20, which compiles its library anyway: %v, %v", argv, err)
	}
	for _, want := range []string{"GOFLAGS=-mod=readonly", "GOTOOLCHAIN=local", "GOSUMDB=off", "GOWORK=off", "CGO_ENABLED=1"} {
		if !slices.Contains(cmd.Env, want) {
			t.Errorf("%v lacks %s", cmd.Env, want)
		}
	}
	for _, e := range cmd.Env {
		if strings.HasPrefix(e, "GOPROXY") || strings.HasPrefix(e, "PKG_CONFIG") {
			t.Errorf("%s is the user's", e)
		}
	}
	if again, err := New(o).Prepare(t.Context(), p); err != nil || again.Built || g.builds() != 1 || again.Argv[0] != w.Argv[0] {
		t.Fatalf("second time: built %v, %d builds, %v", again.Built, g.builds(), err)
	}
	// What steers pkg-config elsewhere is another worker, too.
	steered := o
	steered.Getenv = func(name string) (string, bool) { return "/opt/other", name == "PKG_CONFIG_PATH" }
	if other, err := New(steered).Prepare(t.Context(), p); err != nil || !other.Built || other.Argv[0] == w.Argv[0] {
		t.Fatalf("another PKG_CONFIG_PATH: %v %v", other.Argv, err)
	}
	definition := func(c host.Command) string {
		i := slices.IndexFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, "CGO_CPPFLAGS=-DDEPLOYCTL_INPUTS=") })
		if i < 0 {
			t.Fatalf("no definition in %q", c.Env)
		}
		return c.Env[i]
	}
	if definition(cmd) == definition(g.calls[len(g.calls)-1]) {
		t.Error("Go's build cache would give gocv with the flags of the other PKG_CONFIG_PATH")
	}
	// Another OpenCV is another worker.
	o.OpenCVVersion = "4.10.0"
	if other, err := New(o).Prepare(t.Context(), p); err != nil || !other.Built || other.Argv[0] == w.Argv[0] {
		t.Fatalf("another OpenCV: %v %v", other.Argv, err)
	}
}

func TestOldGoIsNotGivenNewFlags(t *testing.T) {
	g := &goCommand{}
	o := options(t, g)
	o.GoVersion = "go1.15.15"
	if _, err := New(o).Prepare(t.Context(), engine.Silent{}); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(g.calls[0].Argv, "-buildvcs=false") {
		t.Error("Go 1.15 does not know -buildvcs")
	}
}

// TestUnusedFiles: the parts of gocv that the worker does without are left out
// of its build, by gocv's own tags where it has them.
func TestUnusedFiles(t *testing.T) {
	g := &goCommand{}
	o := options(t, g)
	w, err := New(o).Prepare(t.Context(), engine.Silent{})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(w.Argv[0])
	var got []string
	entries, err := os.ReadDir(filepath.Join(dir, "gocv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{
		"cgo.go", "core.cpp", "core.go", "core.h", "core_string.go", "dnn.cpp", "dnn.go", "go.mod", "mat_noprofile.go", "svd.h", "version.go",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err != nil || !strings.HasSuffix(string(text), "\nreplace gocv.io/x/gocv => ./gocv\n") {
		t.Errorf("go.mod: %s %v", text, err)
	}

	o.Release = "v0.43.0"
	if w, err = New(o).Prepare(t.Context(), engine.Silent{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(w.Argv[0]), "gocv")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a copy where gocv has tags: %v", err)
	}
}

// TestUnfetched: where gocv cannot be fetched nothing is compiled, and the reason
// is the Go command's.
func TestUnfetched(t *testing.T) {
	g := &goCommand{unfetched: "gocv.io/x/gocv@v0.31.0: Get \"https://proxy.invalid/gocv.io/x/gocv/@v/v0.31.0.zip\": dial tcp: lookup proxy.invalid: no such host\n"}
	_, err := New(options(t, g)).Prepare(t.Context(), engine.Silent{})
	var u *engine.Unavailable
	if !errors.As(err, &u) || !strings.Contains(u.Why, "the server's name was not found") || u.Broken || g.builds() != 0 {
		t.Errorf("%v after %d builds", err, g.builds())
	}
}

func TestDamagedWorkerIsBuiltAgain(t *testing.T) {
	g := &goCommand{}
	o := options(t, g)
	w, err := New(o).Prepare(t.Context(), engine.Silent{})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(w.Argv[0])
	for name, damage := range map[string]func() error{
		"changed worker":   func() error { return os.WriteFile(w.Argv[0], []byte("evil"), 0o700) },
		"cut worker":       func() error { return os.Truncate(w.Argv[0], 2) },
		"no worker":        func() error { return os.Remove(w.Argv[0]) },
		"changed manifest": func() error { return os.WriteFile(filepath.Join(dir, "manifest.json"), []byte("{}"), 0o600) },
		"no manifest":      func() error { return os.Remove(filepath.Join(dir, "manifest.json")) },
		"forged worker": func() error {
			return forge(filepath.Join(dir, "manifest.json"), w.Argv[0], "evil")
		},
		"worker that all may write":   func() error { return os.Chmod(w.Argv[0], 0o777) },
		"manifest that all may write": func() error { return os.Chmod(filepath.Join(dir, "manifest.json"), 0o666) },
		"folder that all may write":   func() error { return os.Chmod(dir, 0o777) },
		"parent that all may write":   func() error { return os.Chmod(filepath.Dir(dir), 0o777) },
		"killed build":                func() error { return errors.Join(os.Remove(w.Argv[0]), os.Mkdir(dir+".build-1", 0o700)) },
	} {
		if runtime.GOOS == "windows" && strings.Contains(name, "all may write") {
			continue // modes mean nothing there
		}
		before := g.builds()
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		again, err := New(o).Prepare(t.Context(), engine.Silent{})
		if err != nil || g.builds() != before+1 {
			t.Fatalf("%s: %d new builds, %v", name, g.builds()-before, err)
		}
		if text, err := os.ReadFile(again.Argv[0]); err != nil || string(text) != "worker" {
			t.Fatalf("%s: worker is %q, %v", name, text, err)
		}
	}
	if left, _ := filepath.Glob(dir + ".build-*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// forge replaces a worker and makes its manifest match.
func forge(manifestFile, worker, text string) error {
	raw, err := os.ReadFile(manifestFile)
	if err != nil {
		return err
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(text))
	m["sha256"] = hex.EncodeToString(sum[:])
	if raw, err = json.Marshal(m); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(worker, []byte(text), 0o700), os.WriteFile(manifestFile, raw, 0o600))
}

func TestFreshBuildsAgain(t *testing.T) {
	g := &goCommand{}
	o := options(t, g)
	for range 2 {
		if _, err := New(o).Prepare(t.Context(), engine.Silent{}); err != nil {
			t.Fatal(err)
		}
	}
	o.Fresh = true
	if w, err := New(o).Prepare(t.Context(), engine.Silent{}); err != nil || !w.Built || g.builds() != 2 {
		t.Errorf("%d builds, %v", g.builds(), err)
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	g := &goCommand{log: "# gocv.io/x/gocv\ncgo: C compiler \"gcc\" not found: exec: \"gcc\": executable file not found in $PATH\n"}
	o := options(t, g)
	_, err := New(o).Prepare(t.Context(), engine.Silent{})
	var u *engine.Unavailable
	if !errors.As(err, &u) || u.Broken || !strings.Contains(u.Error(), "gcc is missing") {
		t.Fatalf("%v", err)
	}
	if text, err := os.ReadFile(u.Log); err != nil || !strings.Contains(string(text), "executable file not found") {
		t.Errorf("log: %q, %v", text, err)
	}
	entries, err := os.ReadDir(filepath.Join(o.Cache, "workers", Name))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

func TestBuildStops(t *testing.T) {
	g := &goCommand{block: make(chan struct{})}
	o := options(t, g)
	o.BuildLimit = time.Millisecond
	var u *engine.Unavailable
	if _, err := New(o).Prepare(t.Context(), engine.Silent{}); !errors.As(err, &u) || !strings.Contains(err.Error(), "did not end within") {
		t.Errorf("deadline: %v", err)
	}
	g = &goCommand{block: make(chan struct{}), began: make(chan struct{})}
	o = options(t, g)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-g.began
		cancel()
	}()
	if _, err := New(o).Prepare(ctx, engine.Silent{}); !errors.Is(err, context.Canceled) || errors.As(err, new(*engine.Unavailable)) {
		t.Errorf("cancel: %v", err)
	}
}

func TestTwoAtOnceBuildOnce(t *testing.T) {
	g := &goCommand{block: make(chan struct{}), began: make(chan struct{})}
	o := options(t, g)
	results := make(chan error, 2)
	prepare := func() {
		_, err := New(o).Prepare(t.Context(), engine.Silent{})
		results <- err
	}
	go prepare()
	<-g.began
	go prepare()
	close(g.block)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if g.builds() != 1 {
		t.Errorf("%d builds", g.builds())
	}
}

func TestWaitingForTheLockCanBeCancelled(t *testing.T) {
	g := &goCommand{}
	o := options(t, g)
	if _, err := New(o).Prepare(t.Context(), engine.Silent{}); err != nil {
		t.Fatal(err)
	}
	locks, err := filepath.Glob(filepath.Join(o.Cache, "workers", Name, "*.lock"))
	if err != nil || len(locks) != 1 {
		t.Fatalf("%v %v", locks, err)
	}
	held := flock.New(locks[0])
	if ok, err := held.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	defer held.Unlock() //nolint:errcheck // the test ends
	if err := os.RemoveAll(strings.TrimSuffix(locks[0], ".lock")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p := &cancelling{cancel: cancel}
	if _, err := New(o).Prepare(ctx, p); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
}

// cancelling gives up as soon as it is told to wait.
type cancelling struct {
	engine.Silent
	cancel func()
}

func (c *cancelling) Start(string, int64) { c.cancel() }

func TestUnwritableCache(t *testing.T) {
	o := options(t, &goCommand{})
	file := filepath.Join(o.Cache, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o.Cache = file
	var e *cache.Error
	if _, err := New(o).Prepare(t.Context(), engine.Silent{}); !errors.As(err, &e) || !strings.Contains(err.Error(), file) {
		t.Fatalf("%v", err)
	}
}

func TestNoGoAndWrongRelease(t *testing.T) {
	o := options(t, &goCommand{})
	o.Go = ""
	var u *engine.Unavailable
	if _, err := New(o).Prepare(t.Context(), engine.Silent{}); !errors.As(err, &u) {
		t.Errorf("no Go: %v", err)
	}
	o = options(t, &goCommand{})
	o.Release = "v9.9.9"
	if _, err := New(o).Prepare(t.Context(), engine.Silent{}); err == nil || errors.As(err, &u) && u.Why == "" {
		t.Errorf("wrong release: %v", err)
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name, log, words string
		broken           bool
	}{
		{"no gcc", `# runtime/cgo
cgo: C compiler "gcc" not found: exec: "gcc": executable file not found in $PATH`, "the compiler gcc is missing", false},
		{"no g++", `# gocv.io/x/gocv
exec: "g++": executable file not found in $PATH`, "the compiler g++ is missing", false},
		{"no pkg-config", `# gocv.io/x/gocv
go build gocv.io/x/gocv: exec: "pkg-config": executable file not found in $PATH`, "pkg-config is missing", false},
		{"no opencv4.pc", `# pkg-config --cflags  -- opencv4
Package opencv4 was not found in the pkg-config search path.
Perhaps you should add the directory containing ` + "`opencv4.pc'" + `
to the PKG_CONFIG_PATH environment variable
Package 'opencv4', required by 'virtual:world', not found
pkg-config: exit status 1`, "does not know opencv4", false},
		{"no network", `go: gocv.io/x/gocv@v0.31.0: Get "https://proxy.example/gocv.io/x/gocv/@v/v0.31.0.mod": dial tcp: lookup proxy.example: no such host`, "could not be fetched: the server's name was not found (DNS)", false},
		{"no certificates", `go: gocv.io/x/gocv@v0.31.0: Get "https://proxy.example/gocv.io/x/gocv/@v/v0.31.0.mod": tls: failed to verify certificate: x509: certificate signed by unknown authority`, "does not trust the server's certificate", false},
		{"clock", `go: gocv.io/x/gocv@v0.31.0: Get "https://proxy.example/gocv.io/x/gocv/@v/v0.31.0.mod": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2001-01-01T00:00:00Z is before 2026-01-01T00:00:00Z`, "by this machine's clock", false},
		{"proxy", `go: gocv.io/x/gocv@v0.31.0: Get "https://proxy.example/gocv.io/x/gocv/@v/v0.31.0.mod": proxyconnect tcp: dial tcp 127.0.0.1:3128: connect: connection refused`, "the proxy did not let it through", false},
		{"not there", `go: gocv.io/x/gocv@v0.31.0: reading https://proxy.example/gocv.io/x/gocv/@v/v0.31.0.mod: 404 Not Found`, "GOPROXY's server does not serve it", false},
		{"login page", `go: gocv.io/x/gocv@v0.31.0: zip: not a valid zip file`, "a web page came in its place", false},
		{"offline", `go: gocv.io/x/gocv@v0.31.0: module lookup disabled by GOPROXY=off`, "could not be fetched", false},
		{"tampered", `verifying gocv.io/x/gocv@v0.31.0: checksum mismatch
	downloaded: h1:AAAA
	go.sum:     h1:BBBB

SECURITY ERROR`, "not what deployctl pinned", false},
		{"disk full", `# gocv.io/x/gocv
/tmp/ccx.s: Assembler messages: fatal error: can't write: No space left on device
write /tmp/go-build/b001: no space left on device`, "disk filled up", false},
		{"memory", `c++: fatal error: Killed signal terminated program cc1plus
compilation terminated.`, "out of memory", false},
		{"descriptors", `go: open /root/go/pkg/mod/cache/lock: too many open files`, "too few file descriptors", false},
		{"old Go", `go: module . requires go >= 1.21 (running go 1.19.8)`, "needs Go 1.21", false},
		{"older Go's words", `note: module requires Go 1.21`, "needs Go 1.21", false},
		{"gocv too new", `# gocv.io/x/gocv
In file included from aruco.cpp:1:
aruco.h:12:31: error: 'ArucoDetector' in namespace 'cv::aruco' does not name a type
   12 | typedef cv::aruco::ArucoDetector *ArucoDetector;`, "gocv v0.31.0 does not fit OpenCV 4.6.0: aruco.h:12: 'ArucoDetector' in namespace 'cv::aruco'", true},
		{"no header", `# gocv.io/x/gocv
aruco.h:8:10: fatal error: opencv2/aruco.hpp: No such file or directory`, "lacks the header opencv2/aruco.hpp", true},
		{"no header, clang", `./dnn.h:8:10: fatal error: 'opencv2/dnn.hpp' file not found`, "lacks the header opencv2/dnn.hpp", true},
		{"old compiler", `/usr/include/c++/4.8/bits/c++0x_warning.h:32:2: error: #error This file requires compiler and library support for the ISO C++ 2011 standard.`, "too old or broken", true},
		{"no library", `/usr/bin/ld: cannot find -lopencv_viz: No such file or directory
collect2: error: ld returned 1 exit status`, "library opencv_viz", true},
		{"two OpenCVs", "/usr/bin/ld: dnn.o: undefined reference to `cv::dnn::dnn4_v20220524::readNet(std::string const&)'\ncollect2: error: ld returned 1 exit status", "two versions", true},
		{"our source", `./main.go:12:3: undefined: gocv.Nothing`, "main.go:12: undefined: gocv.Nothing", true},
		{"anything else", "line one\nsome last words\n\n", "some last words", true},
		{"silence", "", "said nothing", true},
	} {
		why, fix, broken := explain(c.log, Options{Release: "v0.31.0", OpenCVVersion: "4.6.0"})
		if !strings.Contains(why, c.words) || fix == "" || broken != c.broken || strings.Contains(why, "\n") {
			t.Errorf("%s: %q, %q, broken %v; want %q, %v", c.name, why, fix, broken, c.words, c.broken)
		}
	}
}

func TestPkgConfigPathIsAdvice(t *testing.T) {
	log := "Package opencv4 was not found in the pkg-config search path."
	_, fix, _ := explain(log, Options{PkgConfigDir: "/opt/cv/lib/pkgconfig"})
	if !strings.Contains(fix, "add /opt/cv/lib/pkgconfig to PKG_CONFIG_PATH") {
		t.Error(fix)
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("aruco.h:12:31: error: x")
	f.Add("exec: \"\": executable file not found")
	f.Fuzz(func(t *testing.T, log string) {
		if why, fix, _ := explain(log, Options{}); why == "" || fix == "" {
			t.Fatal("nothing said")
		}
	})
}

func TestModules(t *testing.T) {
	for _, release := range Releases() {
		kinds := map[string]int{}
		for _, m := range Modules(release) {
			if !strings.HasPrefix(m.Sum, "h1:") || m.Path == "gocv.io/x/gocv" && m.Version != release {
				t.Errorf("%s: %+v", release, m)
			}
			kinds[m.Ext]++
		}
		if kinds["zip"] != 1 || kinds["mod"] != 3 {
			t.Errorf("%s: %v", release, kinds)
		}
	}
	if list := Modules("v9.9.9"); len(list) != 2 {
		t.Errorf("an unknown release has %v", list)
	}
}

func TestProxy(t *testing.T) {
	g := &goCommand{}
	o := options(t, g)
	asked := 0
	o.Proxy = func(context.Context) (string, error) {
		asked++
		if asked == 1 {
			return "", errors.New("no such release in the lockfile")
		}
		return "file:///cache/goproxy", nil
	}
	if _, err := New(o).Prepare(t.Context(), &counter{}); err == nil || g.builds() != 0 {
		t.Fatalf("%v, %d builds", err, g.builds())
	}
	for range 2 { // the second time the worker is there
		if _, err := New(o).Prepare(t.Context(), &counter{}); err != nil {
			t.Fatal(err)
		}
	}
	var env []string
	for _, c := range g.calls {
		if c.Argv[1] == "build" {
			env = c.Env
		}
	}
	if asked != 2 || g.builds() != 1 || !slices.Contains(env, "GOPROXY=file:///cache/goproxy") || !slices.Contains(env, "GONOPROXY=none") {
		t.Errorf("asked %d times, %d builds, %q", asked, g.builds(), env)
	}
}
