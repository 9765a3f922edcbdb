package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/apt"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/goproxy"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/models"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines"
	"github.com/deployctl/deployctl/verify/engines/gocv"
)

// LockOptions are what Lock depends on.
type LockOptions struct {
	Console *console.Console
	Folders Folders
	Recipe  Selection
	// Models are published models to lock as well.
	Models []string
	// WithGo locks Go's packages although this machine has Go.
	WithGo bool
	// For names a clean system (images.Names), From a snapshot of another machine, that
	// is locked for instead of this one; what it needs is fetched from here.
	For, From string
	// Output is the file to write, "-" for standard output.
	Output string
}

// Lock writes down every file that "doctor --fix" would take on this machine. It
// changes nothing: apt's lists are fetched into a folder of their own.
func Lock(ctx context.Context, o LockOptions) error {
	place, err := outputFile(lang.T("a lockfile"), isLock, o.Output)
	if err != nil {
		return err
	}
	o.Output = place
	l, err := o.make(ctx)
	if err != nil {
		return err
	}
	if o.Output == "-" {
		text, err := l.Encode()
		if err != nil {
			return err
		}
		_, err = o.Console.Out.Write(text)
		return err
	}
	if err := l.Save(o.Output); err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.Console.Text(), o.Output+": "+contents(l))
	return err
}

// contents says in a line what a lock holds.
func contents(l *lockfile.Lock) string {
	parts := []string{
		lang.F("recipe %s on %s", l.Recipe.Name, l.System.String()),
		lang.F("%d packages, %d files of Go modules, %d other files", len(l.Packages), len(l.Modules), len(l.Files)),
		step.Bytes(l.Bytes()),
	}
	return strings.Join(parts, lang.T("; "))
}

func (o LockOptions) make(ctx context.Context) (*lockfile.Lock, error) {
	if err := o.models(&lockfile.Lock{}); err != nil { // before anything is asked or fetched
		return nil, err
	}
	seen, h, err := PlanOptions{For: o.For, From: o.From}.machine(ctx)
	if err != nil {
		return nil, err
	}
	r, t, err := o.Recipe.load(ctx, o.Folders, seen.OS.Family)
	if err != nil {
		return nil, err
	}
	j := judge.Evaluate(r, t, seen)
	if o.WithGo {
		for i, f := range j.Findings {
			if q := requirement(r, f.ID); q != nil && q.Component != nil && q.Component.Name == "go" {
				j.Findings[i].State = judge.Fail
			}
		}
	}
	identity, err := lockfile.RecipeOf(r)
	if err != nil {
		return nil, err
	}
	l := &lockfile.Lock{Schema: lockfile.Schema, Recipe: identity, System: lockfile.SystemOf(j.Facts)}
	if err := o.packages(ctx, h, j, l); err != nil {
		return nil, err
	}
	if err := o.models(l); err != nil {
		return nil, err
	}
	if r.Verify != nil {
		spec, _ := engines.Named(r.Verify.Engine)
		if err := o.modules(ctx, h, j, t, l, spec); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(l.Packages, func(a, b lockfile.Package) int {
		return cmp.Compare(a.Name+":"+a.Architecture, b.Name+":"+b.Architecture)
	})
	return l, l.Check()
}

// files locks what the plan of a system without apt, or of another machine, takes as
// files: wheels, archives, sources. No package manager but apt keeps its files so that
// another machine can install from them.
func (o LockOptions) files(ctx context.Context, h *host.Host, j *judge.Judgement, l *lockfile.Lock) error {
	plan, err := makePlan(ctx, j, h, o.Folders, o.elsewhere(), installers.Sources{FilesOnly: true, Index: host.Live()})
	if err != nil {
		return err
	}
	for _, m := range plan.Manual {
		o.Console.Note("not locked: %s (%s)", m.Title, m.Reason)
	}
	for _, s := range plan.Steps {
		if file, ok := s.With.(*step.Fetch); ok {
			l.Files = addFile(l.Files, *file)
		}
	}
	if len(l.Files) == 0 && len(plan.Manual) > 0 {
		return &lockfile.Error{Why: lang.F("nothing that the recipe needs on %s comes as a file: a lockfile holds packages of apt, wheels, archives and sources", l.System.String()),
			Next: lang.T("name another recipe (deployctl recipe list), or install with a network there")}
	}
	return nil
}

// elsewhere reports whether the lock is for another machine than this one.
func (o LockOptions) elsewhere() bool { return o.For != "" || o.From != "" }

// packages locks what the plan takes.
func (o LockOptions) packages(ctx context.Context, h *host.Host, j *judge.Judgement, l *lockfile.Lock) (err error) {
	switch apt := len(j.Facts.Components["apt"]) > 0; {
	case apt && o.elsewhere():
		return &lockfile.Error{Why: lang.T("packages of apt are locked on the system that they are for"), Next: lang.T("run deployctl lock there, or in a chroot or container of it, without --for and --from")}
	case !apt:
		return o.files(ctx, h, j, l)
	}
	lists, err := os.MkdirTemp("", "deployctl-lists-*")
	if err != nil {
		return store.Explain(os.TempDir(), err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(lists)) }()
	// apt fetches as a user of its own, who must come in.
	if err := os.Chmod(lists, 0o755); err != nil {
		return store.Explain(lists, err)
	}
	task := o.Console.Start(lang.T("fetch the package lists"), -1)
	err = apt.UpdateInto(ctx, h, lists)
	task.Done("")
	if err != nil {
		return err
	}
	plan, err := makePlan(ctx, j, h, o.Folders, false, installers.Sources{Lists: lists})
	if err != nil {
		return err
	}
	for _, m := range plan.Manual {
		o.Console.Note("not locked: %s (%s)", m.Title, m.Reason)
	}
	for _, s := range plan.Steps {
		file, fetch := s.With.(*step.Fetch)
		switch {
		case fetch:
			l.Files = addFile(l.Files, *file)
		case s.Mechanism == "apt" && s.Action == step.Install:
			if l.Packages, err = apt.Locked(ctx, h, s.Packages, lists); err != nil {
				return err
			}
		case s.Mechanism == "apt":
			return &step.Failure{Kind: step.Interrupted, Cause: lang.T("an earlier package installation was interrupted on this machine"), Next: lang.T("finish it first (dpkg --configure -a, apt-get --fix-broken install)")}
		}
	}
	return nil
}

func addFile(list []step.Fetch, f step.Fetch) []step.Fetch {
	if slices.ContainsFunc(list, func(have step.Fetch) bool { return have.SHA256 == f.SHA256 }) {
		return list
	}
	return append(list, f)
}

func (o LockOptions) models(l *lockfile.Lock) error {
	known, err := models.Known()
	if err != nil {
		return err
	}
	for _, name := range o.Models {
		m, err := models.Find(known, name)
		if err != nil {
			return &UsageError{err}
		}
		if !slices.Contains(l.Models, name) {
			l.Models = append(l.Models, name)
		}
		l.Files = addFile(l.Files, step.Fetch{Name: m.File, Size: m.Size, SHA256: string(m.SHA256), Mirrors: m.Mirrors})
	}
	return nil
}

// modules locks what an engine's worker is compiled from.
func (o LockOptions) modules(ctx context.Context, h *host.Host, j *judge.Judgement, t *recipes.Tables, l *lockfile.Lock, spec engine.Spec) error {
	if spec.Modules == nil || spec.Child != nil && l.System.OS == "windows" {
		return nil // no worker is compiled
	}
	goCommand, have := j.Facts.Active("go")
	releases := []string{""}
	if spec.Name == gocv.Name {
		releases = nil
		for _, release := range gocvReleases(j, t, l.Packages) {
			releases = append(releases, "v"+trimV(release))
		}
	} else if !have {
		o.Console.Note("not locked: the %s worker (it is compiled with Go, which is not installed here)", spec.Name)
		return nil
	}
	if len(releases) == 0 {
		o.Console.Note("not locked: the gocv worker (no release is known to fit this machine's OpenCV and Go, or those that apt has)")
		return nil
	}
	if o.elsewhere() {
		o.Console.Note("not locked: the %s worker (its Go modules are locked on the machine that compiles it)", spec.Name)
		return nil
	}
	base, err := goproxy.Base(ctx, h, goCommand.Path)
	if err != nil {
		return err
	}
	var pins []goproxy.Pin
	for _, release := range releases {
		for _, m := range spec.Modules(release) {
			if p := goproxy.Pin(m); !slices.Contains(pins, p) {
				pins = append(pins, p)
			}
		}
	}
	task := o.Console.Start(strings.TrimSpace(lang.F("fetch the Go modules of %s %s", spec.Name, strings.Join(releases, ", "))), -1)
	l.Modules, err = goproxy.Lock(ctx, pins, base, download.NewClient(), store.New(o.Folders.Cache))
	task.Done("")
	return err
}

func requirement(r *recipes.Recipe, id string) *recipes.Requirement {
	for i := range r.Requirements {
		if r.Requirements[i].ID == id {
			return &r.Requirements[i]
		}
	}
	return nil
}

// gocvReleases are those that may be needed once the packages are
// installed: the table's answer for what the machine has and for what apt would
// install. There may be two where a machine has Go and the lock has another.
func gocvReleases(j *judge.Judgement, t *recipes.Tables, packages []lockfile.Package) []string {
	var list []string
	for _, q := range j.Recipe.Requirements {
		if q.Compat == nil || q.Compat.Choose != "gocv" {
			continue
		}
		cases := []map[string]string{{}}
		for _, name := range q.Compat.Given {
			var more []map[string]string
			for _, version := range versions(name, j, packages) {
				for _, c := range cases {
					with := map[string]string{name: version}
					for k, v := range c {
						with[k] = v
					}
					more = append(more, with)
				}
			}
			cases = more
		}
		for _, given := range cases {
			if release, _, err := t.Choose(q.Compat.Table, given, "gocv"); err == nil && !slices.Contains(list, release) {
				list = append(list, release)
			}
		}
	}
	slices.Sort(list)
	return list
}

// versions are a component's versions on this machine and, where its package is
// locked, after installing.
func versions(component string, j *judge.Judgement, packages []lockfile.Package) []string {
	var list []string
	for _, f := range j.Findings {
		q := requirement(j.Recipe, f.ID)
		if q == nil || q.Component == nil || q.Component.Name != component {
			continue
		}
		locked := ""
		for _, fix := range q.Fix {
			for _, name := range fix.Packages["apt"] {
				for _, p := range packages {
					if p.Name == name {
						locked = upstream(p.Version)
					}
				}
			}
		}
		if locked != "" {
			list = append(list, locked)
		}
	}
	if i, ok := j.Facts.Active(component); ok && !slices.Contains(list, i.Version) {
		list = append(list, i.Version)
	}
	return list
}

// upstream is the version that a package's makers gave it: 2:1.19~1 is 1.19,
// 4.6.0+dfsg-12 is 4.6.0 (Policy 5.6.12).
func upstream(version string) string {
	if _, after, ok := strings.Cut(version, ":"); ok {
		version = after
	}
	if i := strings.IndexAny(version, "-+~"); i >= 0 {
		version = version[:i]
	}
	return version
}

// modules lays out the module proxy of the lock's files that the worker of a
// release is compiled from. Offline and without a lock it is none, so that the
// Go command uses its own cache or says what it lacks.
func (o DoctorOptions) modules(ctx context.Context, spec engine.Spec, release string) (string, error) {
	if o.lock == nil {
		return "off", nil
	}
	for _, want := range spec.Modules(release) {
		if !slices.ContainsFunc(o.lock.Modules, func(m lockfile.Module) bool {
			return m.Path == want.Path && m.Version == want.Version && m.Ext == want.Ext
		}) {
			return "", &lockfile.Error{Why: lang.F("the lockfile has no %s@%s.%s, which the %s worker needs here", want.Path, want.Version, want.Ext, spec.Name),
				Next: lang.T("make it on a system like this one with deployctl lock")}
		}
	}
	s := store.New(o.Folders.Cache)
	var missing []step.Fetch
	for _, m := range o.lock.Modules {
		missing = append(missing, m.File)
	}
	fetch := files.FetchAll{Options: download.Options{Store: s, Offline: o.Offline}}
	if err := fetch.Fetch(ctx, missing, func(step.Progress) {}); err != nil {
		return "", err
	}
	return goproxy.Lay(ctx, o.lock.Modules, s, filepath.Join(o.Folders.Cache, "goproxy"))
}

// modulesHere says before anything is changed that the worker could not be
// compiled offline afterwards, when the Go command's cache has no release of its
// module at all. Which one of gocv it will be shows only once OpenCV is installed.
func modulesHere(ctx context.Context, x examination, module string) error {
	if module == "" {
		return nil
	}
	cache := x.host.Env("GOMODCACHE")
	if goCommand, ok := x.judgement.Facts.Active("go"); ok && cache == "" {
		out, err := x.host.Run(ctx, host.Command{Argv: []string{goCommand.Path, "env", "GOMODCACHE"}, Dir: os.TempDir(), Env: []string{"GOTOOLCHAIN=local"}})
		if err != nil {
			return lang.Errorf("ask Go for its module cache: %w", err)
		}
		cache = strings.TrimSpace(string(out.Stdout))
	}
	if cache == "" {
		cache = x.host.Join(x.host.Env("HOME"), "go", "pkg", "mod")
	}
	folder := x.host.Join(append(append([]string{cache, "cache", "download"}, strings.Split(module, "/")...), "@v")...)
	if len(x.host.Glob(ctx, folder, "*.zip")) > 0 {
		return nil
	}
	return &step.Failure{Kind: download.Offline, Cause: lang.F("nothing was changed: no release of the Go module %s is on this machine (%s), and --offline prevents downloading one", module, folder),
		Next: lang.T("import a bundle that has it (deployctl bundle import FILE), or run this with a network")}
}
