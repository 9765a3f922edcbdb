// Package python owns the engines that are Python packages: one worker in Python
// that speaks the job protocol, with an adapter for each package. It runs in the
// Python that the user's programs run in, with that Python's own way of finding
// packages, so that what is proven is what they import. The main binary contains the
// worker as text only; this package must never install a package, and it writes
// nothing into a Python's folders.
package python

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/ownership"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/compile"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// source is the worker and its adapters. It is run as the text of "python -c", so
// that there is no file that another user could change.
//
//go:embed worker/*.py
var source embed.FS

// oldest is the oldest Python that the worker runs in.
const oldest = "3.7"

// askLimit is the most time that a Python may take to say where a module is: it
// takes about 0.05 seconds.
const askLimit = 30 * time.Second

// Kind is what one engine adds.
type Kind struct {
	// Spec is its declaration, without Find.
	Spec engine.Spec
	// Adapter is the file of the worker that knows the module.
	Adapter string
	// Module is what programs import, Packages are the names under which it is
	// published, that to install first.
	Module   string
	Packages []string
	// Files are patterns of the file with the module's code, relative to the folder
	// that the module lies in, the likeliest first; Prefixes begin the names of those.
	Files, Prefixes []string
	// Converter is the file of the worker that makes the engine's file of another, ""
	// for none, and Converts what it does, without Version and Argv.
	Converter string
	Converts  engine.Converter
	// Formats are those that a version reads; nil: always those of Spec.
	Formats func(version string) []engine.Format
	// Remedy knows the library's own messages that have one clear remedy, "" for
	// others; nil where none is known.
	Remedy func(message string) string
}

// Options say which Python is asked. Paths are absolute.
type Options struct {
	Process engine.Process
	// Python is the program that runs the user's programs, Version its release
	// where it is known.
	Python, Version string
	// Getenv reads the environment that Process gives its children; nil is this
	// process's.
	Getenv func(string) (string, bool)
}

// Declare is the engine's declaration.
func (k Kind) Declare() engine.Spec {
	s := k.Spec
	s.Find, s.Converts, s.File = k.find, k.Converts.From, k.Converts.File
	return s
}

// New returns the engine. Nothing is looked at until Prepare.
func (k Kind) New(o Options) engine.Engine {
	if o.Getenv == nil {
		o.Getenv = os.LookupEnv
	}
	return &runner{kind: k, o: o}
}

// find is the engine for the Python that PATH finds, where that has the module.
func (k Kind) find(m engine.Machine) (engine.Engine, error) {
	python, ok := m.Facts.Active("python")
	if !ok || python.Path == "" {
		return nil, lang.Errorf("no Python is on PATH: install Python %s or newer (deployctl doctor --recipe opencv-python --fix)", oldest)
	}
	r := &runner{kind: k, o: Options{Process: m.Process, Python: python.Path, Version: python.Version, Getenv: m.Getenv}}
	if r.o.Getenv == nil {
		r.o.Getenv = os.LookupEnv
	}
	var u *engine.Unavailable
	switch err := r.ask(context.Background()); {
	case errors.As(err, &u):
		return nil, lang.Errorf("%s: %s", u.Why, u.Fix)
	case err != nil:
		return nil, err
	case r.found.Location == "":
		where := ""
		for _, c := range m.Facts.Components[k.Spec.Component] {
			if c.Attrs["kind"] == "wheel" {
				where = lang.F(" (the one in %s belongs to another Python)", filepath.Dir(c.Path))
				break
			}
		}
		return nil, lang.Errorf("%s cannot be imported by the Python on PATH, %s (Python %s)%s: run %s in the environment of your program", k.Module, r.found.Executable, r.found.Python, where, k.install())
	}
	return r, nil
}

// pip is how a person starts pip for the Python that PATH finds.
func pip() string {
	if runtime.GOOS == "windows" {
		return "python -m pip"
	}
	return "python3 -m pip"
}

// install is how a person installs the package.
func (k Kind) install() string { return pip() + " install " + k.Packages[0] }

// reinstall is the next action where the package is damaged.
func (k Kind) reinstall() string {
	return lang.F("run %s install --force-reinstall %s in the environment of your program", pip(), k.Packages[0])
}

// prefixes are those of Prefixes that the library's own name begins with.
func (k Kind) prefixes(library string) []string {
	return slices.DeleteFunc(slices.Clone(k.Prefixes), func(p string) bool { return !strings.HasPrefix(filepath.Base(library), p) })
}

// runner is the engine for one Python.
type runner struct {
	kind  Kind
	o     Options
	found *module
}

// module is what ask.py answers.
type module struct {
	Executable string   `json:"executable"`
	Python     string   `json:"python"`
	Path       []string `json:"path"`
	// Location is the module's folder or file, "" where it is not found; Library
	// the file with its code.
	Location string `json:"location"`
	Library  string `json:"library"`
	Package  string `json:"package"`
	Version  string `json:"version"`
}

// Spec is the engine's declaration.
func (r *runner) Spec() engine.Spec {
	s := r.kind.Declare()
	if r.kind.Formats != nil && r.found != nil && r.found.Version != "" {
		s.Formats = r.kind.Formats(r.found.Version)
	}
	return s
}

// Prepare asks Python where the module is and looks at its files.
func (r *runner) Prepare(ctx context.Context, _ engine.Progress) (engine.Worker, error) {
	k, name := r.kind, r.kind.Spec.Name
	if r.found == nil {
		if err := r.ask(ctx); err != nil {
			return engine.Worker{}, err
		}
	}
	f := r.found
	broken := func(why, fix string) error {
		return &engine.Unavailable{Engine: name, Why: why, Fix: fix, Broken: true}
	}
	switch {
	case !compile.AtLeast(f.Python, oldest):
		return engine.Worker{}, &engine.Unavailable{Engine: name, Why: lang.F("%s is Python %s, and its worker needs %s", f.Executable, f.Python, oldest), Fix: lang.T("use a newer Python")}
	case f.Location == "":
		return engine.Worker{}, &engine.Unavailable{Engine: name, Why: lang.F("%s cannot import %s", f.Executable, k.Module), Fix: lang.F("run %s in the environment of your program", k.install())}
	case f.Library == "":
		return engine.Worker{}, broken(lang.F("%s would import %s, which is not %s: it has no library", f.Executable, f.Location, k.Spec.Library), lang.T("rename it, or take its folder out of PYTHONPATH"))
	}
	if err := r.ownedAll(); err != nil {
		return engine.Worker{}, err
	}
	if why, fix := native.Damaged(f.Library, k.reinstall()); why != "" {
		return engine.Worker{}, broken(why, fix)
	}
	text, err := script("worker.py", k.Adapter)
	if err != nil {
		return engine.Worker{}, err
	}
	w := engine.Worker{
		Engine: name, Version: f.Version, Argv: []string{f.Executable, "-B", "-c", text},
		Copy: &engine.Copy{Name: k.Spec.Library, Version: f.Version, File: f.Library, Getenv: r.o.Getenv, Prefixes: k.prefixes(f.Library)},
		Runs: engine.Runs{Component: k.Spec.Component, Display: k.Spec.Library, Remedy: func(message string) string { return k.remedy(message) }},
	}
	if k.Converter != "" {
		if text, err = script(k.Converter); err != nil {
			return engine.Worker{}, err
		}
		c := k.Converts
		c.Version, c.Argv = f.Version, []string{f.Executable, "-B", "-c", text}
		w.Converter = &c
	}
	return w, nil
}

// script is the text of files of the worker, one after the other.
func script(files ...string) (string, error) {
	var text strings.Builder
	for _, name := range files {
		raw, err := source.ReadFile("worker/" + name)
		if err != nil {
			return "", lang.Errorf("read the worker's source: %w", err)
		}
		text.Write(raw)
		text.WriteByte('\n')
	}
	return text.String(), nil
}

// ask runs the Python to learn where the module is. It does not import it.
func (r *runner) ask(ctx context.Context) error {
	name := r.kind.Spec.Name
	for _, path := range r.loaded() {
		if err := r.owned(path); err != nil {
			return err
		}
	}
	text, err := script("ask.py")
	if err != nil {
		return err
	}
	question, err := json.Marshal(map[string]any{"module": r.kind.Module, "files": r.kind.Files, "packages": r.kind.Packages})
	if err != nil {
		return lang.Errorf("ask Python: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	out, err := r.o.Process.Run(limited, host.Command{Argv: []string{r.o.Python, "-B", "-c", text, string(question)}})
	if ctx.Err() != nil {
		return lang.Errorf("ask Python: %w", context.Cause(ctx))
	}
	lines := strings.Split(strings.TrimSpace(string(out.Stdout)), "\n")
	var m module
	if err != nil || out.Exit != 0 || out.Signal != "" || json.Unmarshal([]byte(lines[len(lines)-1]), &m) != nil || m.Executable == "" {
		last := strings.Split(strings.TrimSpace(string(out.Stderr)), "\n")
		why := last[len(last)-1]
		if err != nil {
			why = err.Error()
		}
		return &engine.Unavailable{Engine: name, Why: lang.F("%s does not work: %s", r.o.Python, why), Fix: lang.T("unset PYTHONHOME and PYTHONPATH, or reinstall that Python"), Broken: true, Err: err}
	}
	r.found = &m
	return nil
}

// loaded is what a Python may run before the first line of a program: itself, its
// own modules, and the folders whose .pth files and sitecustomize it obeys (site, in
// Python's library reference).
func (r *runner) loaded() []string {
	list := []string{r.o.Python}
	for _, name := range []string{"PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONEXECUTABLE"} {
		value, _ := r.o.Getenv(name)
		for _, entry := range filepath.SplitList(value) {
			if value != "" {
				list = append(list, entry) // "" is the current folder
			}
		}
	}
	series := "*"
	if parts := strings.Split(r.o.Version, "."); len(parts) > 1 {
		series = parts[0] + "." + parts[1]
	}
	roots := []string{filepath.Dir(filepath.Dir(r.o.Python)), "/usr/local"}
	if real, err := filepath.EvalSymlinks(r.o.Python); err == nil {
		roots = append(roots, filepath.Dir(filepath.Dir(real)))
	}
	if home, _ := r.o.Getenv("HOME"); home != "" {
		roots = append(roots, filepath.Join(home, ".local"))
	}
	for _, root := range roots {
		for _, below := range []string{"", "site-packages", "dist-packages"} {
			found, err := filepath.Glob(filepath.Join(root, "lib", "python"+series, below))
			if err == nil {
				list = append(list, found...)
			}
		}
	}
	return list
}

// owned is an error where another user could change what root would load.
func (r *runner) owned(path string) error {
	err := ownership.RootOnly(path)
	if err == nil {
		return nil
	}
	return &engine.Unavailable{Engine: r.kind.Spec.Name, Why: err.Error(), Err: err, Fix: lang.T("run deployctl verify as that user, or use a Python that belongs to root with PYTHONPATH unset")}
}

// ownedAll looks at everything that Python may load for a program that imports the
// module, where this is root: itself, the folders that it looks into, and every file
// in those that hold packages.
func (r *runner) ownedAll() error {
	f := r.found
	for _, path := range append([]string{f.Executable, f.Library, f.Location}, f.Path...) {
		if err := r.owned(path); err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	folders := []string{f.Location}
	for _, dir := range f.Path {
		if base := filepath.Base(dir); base == "site-packages" || base == "dist-packages" {
			folders = append(folders, dir)
		}
	}
	for _, dir := range folders {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return lang.Errorf("look at %s: %w", dir, err)
			}
			why, err := ownership.Private(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // a link to nothing
				return lang.Errorf("look at %s: %w", path, err)
			}
			if why != "" {
				u := &ownership.UnsafeError{Path: path, Why: why}
				return &engine.Unavailable{Engine: r.kind.Spec.Name, Why: u.Error(), Err: u, Fix: r.kind.reinstall()}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
