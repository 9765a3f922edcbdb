// Package gocv owns the engine that runs a network through OpenCV's DNN module
// by way of gocv: it compiles a small worker program on the machine that is
// being proven, with the gocv release that fits the OpenCV found there, and
// keeps it in a cache. The main binary contains the worker as source only; this
// package must never link OpenCV itself.
package gocv

import (
	"context"
	"embed"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/go-version"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/compile"
	"github.com/deployctl/deployctl/verify/engines/internal/cxx"
	"github.com/deployctl/deployctl/verify/engines/internal/opencv"
	"github.com/deployctl/deployctl/verify/engines/internal/worker"
)

// Name is the engine's name.
const Name = "gocv"

// workerSource is compiled on the target machine, hence embedded as text; the
// files carry a build tag that keeps them out of this program.
//
//go:embed worker/*.go
var workerSource embed.FS

// workerSum pins the content of every gocv release the worker can be compiled
// with (and of what their go.mod files name), so that the Go command needs no
// checksum database and accepts nothing else.
//
//go:embed worker.sum
var workerSum string

// Releases are the gocv releases whose content is pinned, oldest first.
func Releases() []string {
	var list []string
	for _, line := range strings.Split(workerSum, "\n") {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "gocv.io/x/gocv" && !strings.HasSuffix(f[1], "/go.mod") {
			list = append(list, f[1])
		}
	}
	sort.Slice(list, func(a, b int) bool { return older(list[a], list[b]) })
	return list
}

// Modules are the files that the Go command needs to compile the worker with a
// release: its content, and the go.mod files of all that any release names.
func Modules(release string) []engine.Module {
	var list []engine.Module
	for _, line := range strings.Split(workerSum, "\n") {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		version, isMod := strings.CutSuffix(f[1], "/go.mod")
		if f[0] == "gocv.io/x/gocv" && version != release {
			continue
		}
		m := engine.Module{Path: f[0], Version: version, Ext: "zip", Sum: f[2]}
		if isMod {
			m.Ext = "mod"
		}
		list = append(list, m)
	}
	return list
}

// older compares two releases; both come from the pinned list.
func older(a, b string) bool {
	va, errA := version.NewVersion(a)
	vb, errB := version.NewVersion(b)
	return errA == nil && errB == nil && va.LessThan(vb)
}

// Options say with what the worker is compiled. Paths are absolute.
type Options struct {
	Process engine.Process
	// Cache is deployctl's cache folder; workers live in Cache/workers/gocv.
	Cache string
	// Release is the gocv release, one of Releases.
	Release string
	// Go is the go command; GoVersion what it calls itself (1.19.8). Asked for
	// when empty.
	Go, GoVersion string
	// CXX and CC are the compilers, CXXVersion what the first calls itself.
	// Empty: the Go command's choice (g++ and gcc from PATH).
	CXX, CC, CXXVersion string
	// OpenCVVersion and OpenCVPath are the copy to link: its version, and a
	// file of it whose change means another build (the core library).
	OpenCVVersion, OpenCVPath string
	// PkgConfigDir holds the opencv4.pc of that copy, for advice: the build sees
	// the same environment as the user's own.
	PkgConfigDir string
	// Getenv reads the environment that Process gives its children; nil is this
	// process's.
	Getenv func(string) (string, bool)
	// Flags replace pkg-config (gocv's build tag customenv); needed on Windows.
	Flags *Flags
	// Proxy gives the one module proxy that the worker may be compiled from
	// (file:///…). It is asked when the worker must be compiled; nil leaves that
	// to the user's own settings of the Go command.
	Proxy func(ctx context.Context) (string, error)
	// Fresh compiles the worker even if there is one.
	Fresh bool
	// BuildLimit is the most time the compilation may take; 0 is 20 minutes.
	BuildLimit time.Duration
}

// Flags are compiler and linker flags for an OpenCV that pkg-config does not know.
type Flags struct{ CPP, CXX, LD string }

const buildLimit = 20 * time.Minute

// New returns the engine. Nothing is looked at until Prepare.
func New(o Options) engine.Engine {
	if o.BuildLimit == 0 {
		o.BuildLimit = buildLimit
	}
	return &builder{o}
}

type builder struct{ o Options }

func (b *builder) Spec() engine.Spec { return Spec() }

// Prepare finds the worker in the cache or compiles it, which takes about a
// minute and, the first time, the network.
func (b *builder) Prepare(ctx context.Context, progress engine.Progress) (engine.Worker, error) {
	if !pinned(b.o.Release) {
		return engine.Worker{}, lang.Errorf("gocv release %q is not pinned; choose one of %s", b.o.Release, strings.Join(Releases(), ", "))
	}
	goVersion, err := compile.Version(ctx, b.o.Process, Name, b.o.Go, b.o.GoVersion)
	if err != nil {
		return engine.Worker{}, err
	}
	recipe, err := b.recipe(goVersion)
	if err != nil {
		return engine.Worker{}, err
	}
	program := compile.Program{
		Engine: Name, Cache: b.o.Cache, Recipe: recipe, Fresh: b.o.Fresh,
		Build: func(ctx context.Context, dir string, progress engine.Progress) error {
			return b.build(ctx, dir, goVersion, progress)
		},
	}
	exe, took, err := program.Prepare(ctx, progress)
	if err != nil {
		return engine.Worker{}, err
	}
	w := b.worker(exe)
	w.Built, w.BuildTime = took > 0, took
	return w, nil
}

func (b *builder) worker(exe string) engine.Worker {
	return engine.Worker{
		Engine: Name, Version: b.o.Release, Argv: []string{exe}, Env: opencv.Environment(),
		Inspect: opencv.Executed, Copy: opencv.Copy(b.o.OpenCVVersion, b.o.OpenCVPath, b.o.Getenv), Runs: opencv.Runs(),
	}
}

// steering are the variables by which pkg-config, the compilers and the linker
// choose files. They stay the user's, and another value is another worker.
var steering = []string{
	"PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH",
	"LIBRARY_PATH", "LD_RUN_PATH", "INCLUDE", "LIB",
}

func (b *builder) steered() string {
	getenv := b.o.Getenv
	if getenv == nil {
		getenv = os.LookupEnv
	}
	var list []string
	for _, name := range steering {
		if v, ok := getenv(name); ok && v != "" {
			list = append(list, name+"="+v)
		}
	}
	return strings.Join(list, " ")
}

// recipe lists everything that decides what the worker becomes.
func (b *builder) recipe(goVersion string) ([]string, error) {
	source, err := source()
	if err != nil {
		return nil, err
	}
	list := []string{
		"source " + compile.Sum(source),
		"gocv " + b.o.Release,
		"tags " + b.tags(),
		"go " + goVersion + " " + runtime.GOOS + "/" + runtime.GOARCH,
	}
	if b.trims() {
		list = append(list, "without "+strings.Join(unused, " "))
	}
	return append(list, b.inputs()...), nil
}

// inputs are the parts of the recipe that the Go command does not see: what
// pkg-config, the compiler and the linker find.
func (b *builder) inputs() []string {
	opencv := "opencv " + b.o.OpenCVVersion + " " + b.o.OpenCVPath
	if info, err := os.Stat(b.o.OpenCVPath); err == nil {
		opencv += fmt.Sprintf(" %d %d", info.Size(), info.ModTime().UnixNano())
	}
	list := []string{opencv, "compiler " + b.o.CXX + " " + b.o.CXXVersion, "environment " + b.steered()}
	if f := b.o.Flags; f != nil {
		list = append(list, "flags", f.CPP, f.CXX, f.LD)
	}
	return list
}

func (b *builder) tags() string {
	tags := []string{"gocvworker"}
	if !older(b.o.Release, "v0.41.0") {
		tags = append(tags, "gocv_exceptions")
	}
	if !older(b.o.Release, "v0.42.0") {
		// gocv's own tags for leaving out the modules not named.
		tags = append(tags, "gocv_specific_modules", "gocv_dnn")
	}
	if b.o.Flags != nil {
		tags = append(tags, "customenv")
	}
	return strings.Join(tags, ",")
}

func pinned(release string) bool {
	for _, r := range Releases() {
		if r == release {
			return true
		}
	}
	return false
}

// source are the files of the worker's program.
func source() (map[string][]byte, error) {
	files, err := compile.Source(workerSource, worker.Source, opencv.Source)
	if err != nil {
		return nil, err
	}
	files["peak.cpp"], err = cxx.Peak()
	return files, err
}
