// Package cxx owns how a worker in C++ becomes a program: the source that all such
// workers share, and the two ways in which a user's own project finds a library,
// CMake's find_package and pkg-config with the compiler. Each way is a program of
// its own, since each can find another copy of the library. What is compiled, and
// against which library, is the engine's own. It must never decide whether the
// copy that was found is the right one by anything but what the program loads.
package cxx

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/ownership"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/compile"
)

// source is what all workers in C++ share.
//
//go:embed source
var source embed.FS

// Peak is the text of peak.cpp, which measures the processor, for workers in other
// languages that link C++.
func Peak() ([]byte, error) { return source.ReadFile("source/peak.cpp") }

// buildLimit is the most time that compiling may take: it takes 10 to 20 seconds.
const buildLimit = 10 * time.Minute

// Tools are the programs that build. Paths are absolute, "" for none.
type Tools struct {
	CMake, Ninja, PkgConfig string
	// Compiler is g++ or clang++ with its arguments. nil on Windows leaves the choice
	// to CMake, which finds Visual Studio.
	Compiler []string
	// Versions are those of all these, for people and for the key of the cache.
	Versions string
}

// FindTools picks the tools of a machine. CXX has the last word on the compiler, as
// it has in the user's own builds. mingw: the library is one of MinGW's.
func FindTools(m engine.Machine, mingw bool) Tools {
	var t Tools
	var versions []string
	path := func(name string) string {
		i, ok := m.Facts.Active(name)
		if !ok {
			return ""
		}
		versions = append(versions, name+" "+i.Version)
		return i.Path
	}
	t.CMake, t.Ninja, t.PkgConfig = path("cmake"), path("ninja"), path("pkg-config")
	cxx, set := m.Getenv("CXX")
	switch f := strings.Fields(cxx); {
	case set && len(f) > 0:
		t.Compiler = f
		versions = append(versions, "CXX "+cxx)
	case m.Facts.OS.Family == "windows" && !mingw:
		path("msvc")
	default:
		for _, name := range []string{"g++", "clang++"} {
			if p := path(name); p != "" {
				t.Compiler = []string{p}
				break
			}
		}
	}
	t.Versions = strings.Join(versions, ", ")
	return t
}

// Library is what a worker is compiled against.
type Library struct {
	// Name is for people (OpenCV), Component its name in the facts, Package what CMake
	// calls it and Module what pkg-config does, "" for a library without a .pc file.
	Name, Component, Package, Module string
	// Flags are those of the compiler for a library without a .pc file; nil where they
	// are not known.
	Flags *Flags
	// Version and File are the copy that was found on the machine: its version, and
	// a file of it whose change means another build.
	Version, File string
	// ConfigDir is the folder of its CMake package, PkgDir that of its .pc file; ""
	// for none. A build that does not find the library by itself is given these.
	ConfigDir, PkgDir string
	// Headers begins the names of its header files (opencv2/).
	Headers string
	// Install is the action that installs its development files.
	Install string
	// Standard is the C++ standard of its headers: 11, 17.
	Standard int
	// Explain knows failures of a build that are this library's own, "" for others;
	// nil where none is known.
	Explain func(log string) (why, fix string)
}

// Flags are arguments of a compiler.
type Flags struct{ Compile, Link []string }

// Builder compiles a worker in every way that the machine has tools for.
type Builder struct {
	Engine  string
	Process engine.Process
	// Cache is deployctl's cache folder; workers live in Cache/workers/Engine.
	Cache   string
	Tools   Tools
	Library Library
	// Source are the engine's own files, CMakeLists.txt among them, which names the
	// program "worker".
	Source []fs.FS
	// Getenv reads the environment that Process gives its children.
	Getenv func(string) (string, bool)
	Fresh  bool
	// Limit is the most time a compilation may take; 0 is 10 minutes.
	Limit time.Duration
	// Target is the one that a program is asked for when it only loads.
	Target engine.Target
	// Worker is the worker for a program.
	Worker func(exe string) engine.Worker
}

// way is one way to build.
type way struct {
	// name is CMake, pkg-config …, which the cache's key has, too: it is translated when
	// it is shown.
	name string
	// build compiles the program to the file exe in dir; what failed is an
	// *engine.Unavailable.
	build func(ctx context.Context, dir string, progress engine.Progress) error
	// inputs are what decides the outcome besides what all ways share.
	inputs []string
}

// built is what became of a way.
type built struct {
	way    way
	worker engine.Worker
	failed *engine.Unavailable
	// version and files are the library that the program loaded.
	version string
	files   []string
	foreign *engine.Misloaded
}

// Prepare compiles the worker in each way, runs each program once without work,
// and returns the first that loads the copy that was found on the machine. What
// fails in the other way, or differs, is in the worker's notes.
func (b *Builder) Prepare(ctx context.Context, progress engine.Progress) (engine.Worker, error) {
	if b.Limit == 0 {
		b.Limit = buildLimit
	}
	if b.Getenv == nil {
		b.Getenv = os.LookupEnv
	}
	for _, file := range append([]string{b.Library.File, b.Tools.CMake, b.Tools.Ninja, b.Tools.PkgConfig}, b.Tools.Compiler...) {
		if !filepath.IsAbs(file) {
			continue
		}
		// Others could put there what root would run.
		if err := ownership.RootOnly(file); err != nil {
			return engine.Worker{}, &engine.Unavailable{Engine: b.Engine, Why: err.Error(), Err: err,
				Fix: lang.F("run deployctl verify as that user, or install %s for everyone", b.Library.Name)}
		}
	}
	ways := b.ways()
	if len(ways) == 0 {
		return engine.Worker{}, b.noTools()
	}
	results, err := b.tryAll(ctx, ways, nil, progress)
	if err == nil && !slices.ContainsFunc(results, built.ok) {
		results, err = b.tryAll(ctx, b.shown(results), results, progress)
	}
	if err != nil {
		return engine.Worker{}, err
	}
	took := time.Duration(0)
	for _, r := range results {
		took += r.worker.BuildTime
	}
	best := slices.IndexFunc(results, func(r built) bool { return r.ok() && r.foreign == nil })
	if best < 0 {
		best = slices.IndexFunc(results, built.ok)
	}
	if best < 0 {
		return engine.Worker{}, b.allFailed(results)
	}
	w := results[best].worker
	w.Built, w.BuildTime = took > 0, took
	w.Notes = append(w.Notes, b.notes(results, best)...)
	return w, nil
}

func (r built) ok() bool { return r.failed == nil }

// tryAll adds what becomes of the ways.
func (b *Builder) tryAll(ctx context.Context, ways []way, results []built, progress engine.Progress) ([]built, error) {
	for _, w := range ways {
		r, err := b.try(ctx, w, progress)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// noTools says what building lacks.
func (b *Builder) noTools() *engine.Unavailable {
	u := &engine.Unavailable{Engine: b.Engine, Why: lang.F("there is neither CMake nor pkg-config with a C++ compiler to build a program against %s", b.Library.Name),
		Fix: lang.T("install cmake and g++ (deployctl doctor --fix)")}
	switch {
	case b.Tools.CMake == "" && b.Library.Module == "" && b.Library.Flags == nil:
		u.Why, u.Fix = lang.F("there is no CMake to build a program against %s", b.Library.Name), lang.T("install cmake and g++ (deployctl doctor --fix)")
	case b.Tools.Compiler == nil && runtime.GOOS != "windows":
		u.Why, u.Fix = lang.T("there is no C++ compiler to build its worker"), lang.T("install g++ (deployctl doctor --fix)")
	}
	return u
}

// allFailed is the error where no way gave a program: the first that failed for
// another reason than a missing tool, and the others after it.
func (b *Builder) allFailed(results []built) *engine.Unavailable {
	first := results[0]
	for _, r := range results {
		if r.failed.Broken {
			first = r
			break
		}
	}
	u := *first.failed
	u.Why = lang.F("with %s: %s", lang.T(first.way.name), u.Why)
	told := []string{first.failed.Why}
	for _, r := range results {
		if !slices.Contains(told, r.failed.Why) {
			u.Why = lang.F("%s; with %s: %s", u.Why, lang.T(r.way.name), r.failed.Why)
			told = append(told, r.failed.Why)
		}
	}
	return &u
}

// notes say what another way does that the chosen one does not.
func (b *Builder) notes(results []built, best int) []string {
	var notes []string
	chosen := results[best]
	for i, r := range results {
		switch {
		case i == best:
		case r.failed != nil:
			notes = append(notes, lang.F("built with %s; with %s it fails: %s. To fix it: %s", lang.T(chosen.way.name), lang.T(r.way.name), r.failed.Why, r.failed.Fix))
		case r.foreign != nil && chosen.foreign == nil:
			notes = append(notes, lang.F("a program built with %s loads %s %s (%s), one built with %s %s (%s): a project gets another %s depending on its build system",
				lang.T(r.way.name), b.Library.Name, r.version, first(r.files), lang.T(chosen.way.name), chosen.version, first(chosen.files), b.Library.Name))
		default:
			notes = append(notes, lang.F("built with %s, and with %s as well; both load the same %s", lang.T(chosen.way.name), lang.T(r.way.name), b.Library.Name))
		}
	}
	return notes
}

func first(list []string) string {
	if len(list) == 0 {
		return lang.T("linked statically")
	}
	return list[0]
}

// try compiles in one way and asks the program what it loads.
func (b *Builder) try(ctx context.Context, w way, progress engine.Progress) (built, error) {
	files, err := b.files()
	if err != nil {
		return built{}, err
	}
	recipe := append([]string{"source " + compile.Sum(files), "way " + w.name, "tools " + b.Tools.Versions + " " + strings.Join(b.Tools.Compiler, " "),
		"system " + runtime.GOOS + "/" + runtime.GOARCH, "library " + b.library(), "environment " + b.steered()}, w.inputs...)
	program := compile.Program{
		Engine: b.Engine, Cache: b.Cache, Fresh: b.Fresh, Recipe: recipe,
		Build: func(ctx context.Context, dir string, progress engine.Progress) error {
			if err := compile.Write(dir, files); err != nil {
				return err
			}
			return w.build(ctx, dir, progress)
		},
	}
	r := built{way: w}
	exe, took, err := program.Prepare(ctx, progress)
	switch {
	case errors.As(err, &r.failed):
		return r, nil
	case err != nil:
		return built{}, err
	}
	r.worker = b.Worker(exe)
	r.worker.BuildTime = took
	return r, b.load(ctx, &r)
}

// loadLimit is the most time that a program may take to load its libraries.
const loadLimit = 2 * time.Minute

// load runs the program without work: it loads its libraries and names them.
func (b *Builder) load(ctx context.Context, r *built) (err error) {
	dir, done, err := cache.Scratch(b.Cache)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	a, err := engine.Execute(ctx, b.Process, r.worker, engine.Job{OutDir: dir, Backend: b.Target.Backend, Target: b.Target.Name}, loadLimit, nil)
	var death *engine.Death
	var answer *engine.AnswerError
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return err
	case errors.As(err, &death):
		r.failed = &engine.Unavailable{Engine: b.Engine, Why: lang.F("the program is built, and then %s", death.Why), Fix: death.Fix, Broken: true, Err: err}
		return nil
	case errors.As(err, &answer):
		r.failed = &engine.Unavailable{Engine: b.Engine, Why: lang.F("the program is built, and then says: %s", answer.Text), Fix: cmp.Or(answer.Fix, lang.F("deployctl shadow %s shows every copy", r.worker.Runs.Component)), Broken: true, Err: err}
		return nil
	default:
		return err
	}
	r.version = a.Versions[r.worker.Runs.Component]
	if c := r.worker.Copy; c != nil {
		r.files, r.foreign = c.Members(a.Libraries), c.Foreign(a.Libraries)
	}
	return nil
}

// files are all files of the worker.
func (b *Builder) files() (map[string][]byte, error) {
	return compile.Source(append([]fs.FS{source}, b.Source...)...)
}

// library identifies the copy that was found.
func (b *Builder) library() string {
	s := b.Library.Version + " " + b.Library.File
	if info, err := os.Stat(b.Library.File); err == nil {
		s += fmt.Sprintf(" %d %d", info.Size(), info.ModTime().UnixNano())
	}
	return s
}

// steering are the variables by which CMake, pkg-config, the compilers and the
// linkers choose files. They stay the user's, and another value is another worker.
func (b *Builder) steering() []string {
	return []string{
		"PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "LD_RUN_PATH",
		"INCLUDE", "LIB", "CXXFLAGS", "LDFLAGS", "CMAKE_PREFIX_PATH", "CMAKE_GENERATOR", "CMAKE_TOOLCHAIN_FILE",
		b.Library.Package + "_DIR", b.Library.Package + "_ROOT",
	}
}

func (b *Builder) steered() string {
	var list []string
	for _, name := range b.steering() {
		if v, ok := b.Getenv(name); ok && v != "" {
			list = append(list, name+"="+v)
		}
	}
	return strings.Join(list, " ")
}

// Pick is the copy of a component that programs here find first and that can be
// compiled against; ok is false where there is none.
func Pick(f *facts.Facts, component string) (i facts.Instance, ok bool) {
	for _, c := range f.Components[component] {
		if c.Unusable == nil && c.Attrs["lib"] != "" && (!ok || c.Active && !i.Active) {
			i, ok = c, true
		}
	}
	return i, ok
}
