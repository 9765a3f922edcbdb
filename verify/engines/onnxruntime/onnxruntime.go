// Package onnxruntime owns the engine that runs a network through ONNX Runtime's
// C API. The library is loaded by its path in a small worker program, which needs
// Go but neither a C compiler nor the library's headers. The main binary contains
// the worker as source only; this package must never load the library itself.
package onnxruntime

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/ownership"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/compile"
	"github.com/deployctl/deployctl/verify/engines/internal/worker"
)

// Name is the engine's name.
const Name = "onnxruntime"

// display is what the library is called in sentences.
const display = "ONNX Runtime"

// workerSource is compiled on the target machine, hence embedded as text.
//
//go:embed worker/*.go
var workerSource embed.FS

// workerSum pins the content of the one module that the worker is compiled with.
//
//go:embed worker.sum
var workerSum string

// purego is that module's release; it calls a library's functions without cgo. It
// is the last that Go 1.18 to 1.24 can compile.
const (
	purego   = "v0.10.2"
	oldestGo = "1.18"
)

// buildLimit is the most time that compiling may take: it takes about 10 seconds.
const buildLimit = 10 * time.Minute

// Spec declares the engine.
func Spec() engine.Spec {
	return engine.Spec{
		Name: Name, Library: display, Component: "onnxruntime", Recipe: "onnxruntime",
		Formats: []engine.Format{engine.ONNX},
		Targets: []engine.Target{{Name: "cpu", Backend: "onnxruntime", Layers: "CPUExecutionProvider"}},
		Find:    find,
	}
}

// find is the engine for the library that programs here load, or for another copy
// of it.
func find(m engine.Machine) (engine.Engine, error) {
	copies := m.Facts.Components[Name]
	var found *facts.Instance
	for i := range copies {
		c := &copies[i]
		if c.Attrs["lib"] != "" && c.Unusable == nil && (found == nil || c.Active && !found.Active) {
			found = c
		}
	}
	switch {
	case found == nil && len(copies) > 0 && copies[0].Unusable != nil:
		return nil, fmt.Errorf("the ONNX Runtime in %s cannot be used: %s", copies[0].Path, copies[0].Unusable.Detail)
	case found == nil && len(copies) > 0:
		return nil, fmt.Errorf("the ONNX Runtime in %s has no library of its own: run deployctl runtimes pull onnxruntime", copies[0].Path)
	case found == nil:
		return nil, errors.New("ONNX Runtime is not installed here: run deployctl runtimes pull onnxruntime, which fetches its library, or deployctl doctor --recipe onnxruntime --fix, which installs it")
	}
	goCommand, _ := m.Facts.Active("go")
	o := Options{
		Process: m.Process, Cache: m.Cache, Go: goCommand.Path, GoVersion: goCommand.Version,
		Library: found.Attrs["lib"], Version: found.Version, Getenv: m.Getenv, Fresh: m.Fresh,
	}
	if m.Proxy != nil {
		o.Proxy = func(ctx context.Context) (string, error) { return m.Proxy(ctx, purego) }
	}
	return New(o), nil
}

// Options say what the worker is compiled with and what it loads. Paths are
// absolute.
type Options struct {
	Process engine.Process
	// Cache is deployctl's cache folder; workers live in Cache/workers/onnxruntime.
	Cache string
	// Go is the go command; GoVersion what it calls itself, asked for when empty.
	Go, GoVersion string
	// Library is the shared library to load, Version its release.
	Library, Version string
	// Getenv reads the environment that Process gives its children; nil is this
	// process's.
	Getenv func(string) (string, bool)
	// Proxy gives the one module proxy that the worker may be compiled from. It is
	// asked when the worker must be compiled; nil leaves that to the user's own
	// settings of the Go command.
	Proxy func(ctx context.Context) (string, error)
	// Fresh compiles the worker even if there is one.
	Fresh bool
	// BuildLimit is the most time the compilation may take; 0 is 10 minutes.
	BuildLimit time.Duration
}

// New returns the engine. Nothing is looked at until Prepare.
func New(o Options) engine.Engine {
	if o.BuildLimit == 0 {
		o.BuildLimit = buildLimit
	}
	return &runner{o}
}

type runner struct{ o Options }

func (r *runner) Spec() engine.Spec { return Spec() }

// Prepare looks at the library and finds the worker in the cache or compiles it,
// which needs the network the first time.
func (r *runner) Prepare(ctx context.Context, progress engine.Progress) (engine.Worker, error) {
	// Others could put there what root would run.
	if err := ownership.RootOnly(r.o.Library); err != nil {
		return engine.Worker{}, &engine.Unavailable{Engine: Name, Why: err.Error(), Err: err,
			Fix: "run deployctl verify as that user, or install ONNX Runtime for everyone (deployctl doctor --recipe onnxruntime --fix)"}
	}
	if why, fix := damaged(r.o.Library); why != "" {
		return engine.Worker{}, &engine.Unavailable{Engine: Name, Why: why, Fix: fix, Broken: true}
	}
	goVersion, err := compile.Version(ctx, r.o.Process, Name, r.o.Go, r.o.GoVersion)
	if err != nil {
		return engine.Worker{}, err
	}
	if !compile.AtLeast(goVersion, oldestGo) {
		return engine.Worker{}, &engine.Unavailable{Engine: Name, Why: fmt.Sprintf("Go %s is too old to compile its worker, which needs Go %s", goVersion, oldestGo), Fix: "install a newer Go"}
	}
	files, err := compile.Source(workerSource, worker.Source)
	if err != nil {
		return engine.Worker{}, err
	}
	files["go.mod"] = []byte("module deployctl.worker/onnxruntime\n\ngo " + oldestGo + "\n\nrequire github.com/ebitengine/purego " + purego + "\n")
	files["go.sum"] = []byte(workerSum)
	program := compile.Program{
		Engine: Name, Cache: r.o.Cache, Fresh: r.o.Fresh,
		Recipe: []string{"source " + compile.Sum(files), "go " + goVersion + " " + runtime.GOOS + "/" + runtime.GOARCH},
		Build: func(ctx context.Context, dir string, progress engine.Progress) error {
			return r.build(ctx, dir, files, progress)
		},
	}
	exe, took, err := program.Prepare(ctx, progress)
	if err != nil {
		return engine.Worker{}, err
	}
	return engine.Worker{
		Engine: Name, Version: r.o.Version, Argv: []string{exe, r.o.Library},
		Built: took > 0, BuildTime: took,
		Copy: &engine.Copy{
			Name: display, Version: r.o.Version, File: r.o.Library, Getenv: r.o.Getenv,
			Prefixes: []string{"libonnxruntime.", "onnxruntime."}, // the second is Windows'
		},
		Runs: engine.Runs{Component: Name, Display: display, Remedy: remedy},
	}, nil
}

// build compiles the worker in dir.
func (r *runner) build(ctx context.Context, dir string, files map[string][]byte, progress engine.Progress) error {
	if err := compile.Write(dir, files); err != nil {
		return err
	}
	scratch := filepath.Join(dir, "tmp")
	if err := cache.MkdirAll(scratch); err != nil {
		return err
	}
	env := append(compile.Environment(r.o.Cache), "CGO_ENABLED=0", "GOTMPDIR="+scratch)
	if r.o.Proxy != nil {
		address, err := r.o.Proxy(ctx)
		if err != nil {
			return err
		}
		env = append(env, "GOPROXY="+address, "GONOPROXY=none")
	}
	limited, cancel := context.WithTimeout(ctx, r.o.BuildLimit)
	defer cancel()
	argv := []string{r.o.Go, "build", "-buildvcs=false", "-trimpath", "-tags", "ortworker", "-o", filepath.Join(dir, compile.Exe()), "."}
	progress.Start("compile the onnxruntime worker", -1)
	result := compile.Run(limited, r.o.Process, dir, argv, env, progress)
	progress.Done()
	if ctx.Err() != nil {
		return fmt.Errorf("compile the onnxruntime worker: %w", context.Cause(ctx))
	}
	if result.OK() {
		return cache.Explain(scratch, 0, os.RemoveAll(scratch))
	}
	log := string(result.Out.Stdout) + string(result.Out.Stderr)
	file := filepath.Join(r.o.Cache, "logs", Name+".log")
	if err := cache.WriteBytes(file, []byte(strings.Join(argv, " ")+"\n"+log)); err != nil {
		return err
	}
	u := &engine.Unavailable{Engine: Name, Log: file, Err: result.Err}
	u.Why, u.Fix = explain(log, result.Err, r.o.BuildLimit)
	return u
}
