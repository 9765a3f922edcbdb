// Package native owns what engines share whose library is loaded by its path in a
// worker of pure Go: finding the copy that programs here load, looking at its file,
// compiling the worker (which needs Go but neither a C compiler nor headers), and
// what every loader says. Which library it is and what it is asked is the engine's
// own. On Windows, where Go calls a library's functions without cgo in any program,
// deployctl.exe starts itself as the worker and nothing is compiled. This package
// must never load a library itself.
package native

import (
	"context"
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/ownership"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/compile"
	"github.com/deployctl/deployctl/verify/engines/internal/worker"
)

// source is the part of the workers that all these engines share. It is compiled
// on the target machine, hence embedded as text.
//
//go:embed source/*.go
var source embed.FS

// workerSum pins the content of the one module that workers are compiled with.
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

// Kind is what one engine adds.
type Kind struct {
	// Spec is its declaration, without Find.
	Spec engine.Spec
	// Worker is the engine's own part of its worker.
	Worker fs.FS
	// Prefixes begin the names of the library's files, in lower case.
	Prefixes []string
	// File is the library to load of a copy that was found, "" where that copy has
	// none; nil is the attribute lib.
	File func(c facts.Instance) string
	// Oldest is the first release that the worker can use, "" where any that has the
	// functions will do.
	Oldest string
	// Get says how the library comes to this machine, Without what to do about a
	// copy that has none: each the end of a sentence, which is translated when it is
	// shown.
	Get, Without string
	// ThreadsEnv names variables that limit the library's threads, where its API
	// cannot.
	ThreadsEnv []string
	// Child is the worker as a part of this program, which then starts itself; nil
	// where it is compiled.
	Child func()
	// Remedy knows the library's own messages that have one clear remedy, "" for
	// others.
	Remedy func(message string) string
}

// Options say what the worker is compiled with and what it loads. Paths are
// absolute.
type Options struct {
	Process engine.Process
	// Cache is deployctl's cache folder; workers live in Cache/workers/NAME.
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
	// Missing are the files that the library needs and that Windows does not find,
	// which only says that there is one (error 126).
	Missing []string
	// Fresh compiles the worker even if there is one.
	Fresh bool
	// BuildLimit is the most time the compilation may take; 0 is 10 minutes.
	BuildLimit time.Duration
}

// Declare is the engine's declaration.
func (k Kind) Declare() engine.Spec {
	s := k.Spec
	s.Find = k.find
	if k.Child != nil {
		s.Child = k.Child
		return s
	}
	s.GoModule, s.Modules = "github.com/ebitengine/purego", modules
	return s
}

// modules are the files of the one module, in every release of the library.
func modules(string) []engine.Module {
	var list []engine.Module
	for line := range strings.Lines(workerSum) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		m := engine.Module{Path: f[0], Version: strings.TrimSuffix(f[1], "/go.mod"), Ext: "zip", Sum: f[2]}
		if m.Version != f[1] {
			m.Ext = "mod"
		}
		list = append(list, m)
	}
	return list
}

// Source are the files of the worker, by name.
func (k Kind) Source() (map[string][]byte, error) {
	return compile.Source(worker.Source, source, k.Worker)
}

// missing are the files that a library needs before it can be loaded and that Windows
// does not find. Those that its parts for other processors need are left out.
func missing(needs []facts.Need) []string {
	var names []string
	for _, n := range needs {
		if n.Cause == facts.NotFound && !strings.Contains(strings.ToLower(n.By), "_providers_") {
			names = append(names, n.Name)
		}
	}
	return names
}

// Reinstall is the next action where a library is damaged.
func (k Kind) Reinstall() string {
	return lang.F("reinstall %s (deployctl doctor --recipe %s --fix)", k.Spec.Library, k.Spec.Recipe)
}

// file is the library of a copy.
func (k Kind) file(c facts.Instance) string {
	if k.File != nil {
		return k.File(c)
	}
	return c.Attrs["lib"]
}

// tooOld reports whether the worker cannot use a copy because of its release. Where that
// is not known the library itself says.
func (k Kind) tooOld(c facts.Instance) bool {
	return k.Oldest != "" && c.Version != "" && !compile.AtLeast(c.Version, k.Oldest)
}

// before reports whether a copy is rather loaded than another: one that is new enough,
// then what programs load, but not Windows' own. Every program that brings its library along loads that by its
// path, as the worker does; only a bare name leads to System32 (onnxruntime.dll of
// Windows ML, often an old one).
func (k Kind) before(c, other facts.Instance) bool {
	if old, others := k.tooOld(c), k.tooOld(other); old != others {
		return others
	}
	if own, others := windowsOwn(k.file(c)), windowsOwn(k.file(other)); own != others {
		return others
	}
	return c.Active && !other.Active
}

// windowsOwn reports whether a file is a part of Windows.
func windowsOwn(file string) bool {
	return strings.Contains(strings.ToLower(file), `\windows\system32\`)
}

// find is the engine for the library that programs here load, or for another copy
// of it.
func (k Kind) find(m engine.Machine) (engine.Engine, error) {
	copies := m.Facts.Components[k.Spec.Component]
	var found *facts.Instance
	for i := range copies {
		c := &copies[i]
		if c.Unusable == nil && (found == nil || k.before(*c, *found)) && k.file(*c) != "" {
			found = c
		}
	}
	switch {
	case found == nil && len(copies) > 0 && copies[0].Unusable != nil:
		return nil, lang.Errorf("the %s in %s cannot be used: %s", k.Spec.Library, copies[0].Path, copies[0].Unusable.Detail)
	case found == nil && len(copies) > 0:
		return nil, lang.Errorf("the %s in %s has no library of its own: %s", k.Spec.Library, copies[0].Path, lang.T(k.Without))
	case found == nil:
		return nil, lang.Errorf("%s is not installed here: %s", k.Spec.Library, lang.T(k.Get))
	case k.tooOld(*found):
		return nil, lang.Errorf("the %s in %s is release %s, and this engine needs %s or newer: %s", k.Spec.Library, found.Path, found.Version, k.Oldest, lang.T(k.Get))
	}
	goCommand, _ := m.Facts.Active("go")
	o := Options{
		Process: m.Process, Cache: m.Cache, Go: goCommand.Path, GoVersion: goCommand.Version,
		Library: k.file(*found), Version: found.Version, Getenv: m.Getenv, Fresh: m.Fresh,
	}
	if k.Child != nil { // other loaders name what they miss
		o.Missing = missing(found.Needs)
	}
	if m.Proxy != nil {
		o.Proxy = func(ctx context.Context) (string, error) { return m.Proxy(ctx, purego) }
	}
	return k.New(o), nil
}

// New returns the engine. Nothing is looked at until Prepare.
func (k Kind) New(o Options) *Runner {
	if o.BuildLimit == 0 {
		o.BuildLimit = buildLimit
	}
	return &Runner{k, o}
}

// Runner is the engine for one library.
type Runner struct {
	kind Kind
	// Options are what it was made with.
	Options Options
}

// Spec is the engine's declaration.
func (r *Runner) Spec() engine.Spec { return r.kind.Declare() }

// Library is the file that the worker loads.
func (r *Runner) Library() string { return r.Options.Library }

// Prepare looks at the library and finds the worker in the cache or compiles it,
// which needs the network the first time.
func (r *Runner) Prepare(ctx context.Context, progress engine.Progress) (engine.Worker, error) {
	o, name := r.Options, r.kind.Spec.Name
	// Others could put there what root would run.
	if err := ownership.RootOnly(o.Library); err != nil {
		return engine.Worker{}, &engine.Unavailable{Engine: name, Why: err.Error(), Err: err,
			Fix: lang.F("run deployctl verify as that user, or install %s for everyone (deployctl doctor --recipe %s --fix)", r.kind.Spec.Library, r.kind.Spec.Recipe)}
	}
	if why, fix := Damaged(o.Library, r.kind.Reinstall()); why != "" {
		return engine.Worker{}, &engine.Unavailable{Engine: name, Why: why, Fix: fix, Broken: true}
	}
	if len(o.Missing) > 0 {
		return engine.Worker{}, &engine.Unavailable{Engine: name, Broken: true,
			Why: lang.F("%s needs %s, which Windows does not find", o.Library, strings.Join(o.Missing, ", ")),
			Fix: lang.F("run deployctl doctor --recipe %s --fix", r.kind.Spec.Recipe)}
	}
	if r.kind.Child != nil {
		exe, err := os.Executable()
		if err != nil {
			return engine.Worker{}, &engine.Unavailable{Engine: name, Why: lang.T("deployctl does not find its own program"), Fix: lang.T("start it by its full path"), Err: err}
		}
		return r.worker([]string{exe, engine.ChildCommand, name, o.Library}, 0), nil
	}
	goVersion, err := compile.Version(ctx, o.Process, name, o.Go, o.GoVersion)
	if err != nil {
		return engine.Worker{}, err
	}
	if !compile.AtLeast(goVersion, oldestGo) {
		return engine.Worker{}, &engine.Unavailable{Engine: name, Why: lang.F("Go %s is too old to compile its worker, which needs Go %s", goVersion, oldestGo), Fix: lang.T("install a newer Go")}
	}
	files, err := r.kind.Source()
	if err != nil {
		return engine.Worker{}, err
	}
	files["go.mod"] = []byte("module deployctl.worker/" + name + "\n\ngo " + oldestGo + "\n\nrequire github.com/ebitengine/purego " + purego + "\n")
	files["go.sum"] = []byte(workerSum)
	program := compile.Program{
		Engine: name, Cache: o.Cache, Fresh: o.Fresh,
		Recipe: []string{"source " + compile.Sum(files), "go " + goVersion + " " + runtime.GOOS + "/" + runtime.GOARCH},
		Build: func(ctx context.Context, dir string, progress engine.Progress) error {
			return r.build(ctx, dir, files, progress)
		},
	}
	exe, took, err := program.Prepare(ctx, progress)
	if err != nil {
		return engine.Worker{}, err
	}
	return r.worker([]string{exe, o.Library}, took), nil
}

// worker is the program that argv starts; it took so long to compile.
func (r *Runner) worker(argv []string, took time.Duration) engine.Worker {
	o := r.Options
	return engine.Worker{
		Engine: r.kind.Spec.Name, Version: o.Version, Argv: argv,
		Built: took > 0, BuildTime: took, ThreadsEnv: r.kind.ThreadsEnv,
		Copy: &engine.Copy{Name: r.kind.Spec.Library, Version: o.Version, File: o.Library, Getenv: o.Getenv, Prefixes: r.kind.Prefixes},
		Runs: engine.Runs{Component: r.kind.Spec.Component, Display: r.kind.Spec.Library, Remedy: r.remedy},
	}
}

// build compiles the worker in dir.
func (r *Runner) build(ctx context.Context, dir string, files map[string][]byte, progress engine.Progress) error {
	o, name := r.Options, r.kind.Spec.Name
	if err := compile.Write(dir, files); err != nil {
		return err
	}
	scratch := filepath.Join(dir, "tmp")
	if err := cache.MkdirAll(scratch); err != nil {
		return err
	}
	env := append(compile.Environment(o.Cache), "CGO_ENABLED=0", "GOTMPDIR="+scratch)
	if o.Proxy != nil {
		address, err := o.Proxy(ctx)
		if err != nil {
			return err
		}
		env = append(env, "GOPROXY="+address, "GONOPROXY=none")
	}
	limited, cancel := context.WithTimeout(ctx, o.BuildLimit)
	defer cancel()
	argv := []string{o.Go, "build", "-buildvcs=false", "-trimpath", "-tags", "nativeworker", "-o", filepath.Join(dir, compile.Exe()), "."}
	progress.Start(lang.F("compile the %s worker", name), -1)
	result := compile.Run(limited, o.Process, dir, argv, env, progress)
	progress.Done()
	if ctx.Err() != nil {
		return lang.Errorf("compile the %s worker: %w", name, context.Cause(ctx))
	}
	if result.OK() {
		return cache.Explain(scratch, 0, os.RemoveAll(scratch))
	}
	log := string(result.Out.Stdout) + string(result.Out.Stderr)
	file := filepath.Join(o.Cache, "logs", name+".log")
	if err := cache.WriteBytes(file, []byte(strings.Join(argv, " ")+"\n"+log)); err != nil {
		return err
	}
	u := &engine.Unavailable{Engine: name, Log: file, Err: result.Err}
	u.Why, u.Fix = explain(log, result.Err, o.BuildLimit)
	return u
}
