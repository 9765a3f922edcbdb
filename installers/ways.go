package installers

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/apt"
	"github.com/deployctl/deployctl/installers/archive"
	"github.com/deployctl/deployctl/installers/cmake"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/ldconf"
	"github.com/deployctl/deployctl/installers/models"
	"github.com/deployctl/deployctl/installers/npm"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/installers/wheel"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/wheeltag"
)

// ways plans the fixes that need no package manager, and what surrounds those
// that do.
type ways struct {
	h      *host.Host
	f      *facts.Facts
	r      *recipes.Recipe
	places Places
}

// steps are what a fix takes besides packages, after them.
func (w ways) steps(ctx context.Context, fix recipes.Fix) ([]Step, error) {
	switch {
	case fix.Archive != nil:
		return w.archive(ctx, *fix.Archive)
	case fix.Build != "":
		i := slices.IndexFunc(w.r.Builds, func(b recipes.Build) bool { return b.Name == fix.Build })
		if i < 0 {
			return nil, lang.Errorf("recipe %s has no build %q", w.r.Name, fix.Build)
		}
		return w.build(ctx, w.r.Builds[i])
	case len(fix.Wheel) > 0:
		return w.wheels(ctx, fix.Wheel)
	}
	return w.npm(ctx, fix.Packages["npm"])
}

// artifact finds an artifact of the recipe and plans its fetching.
func (w ways) artifact(ctx context.Context, name string) (recipes.Artifact, Step, error) {
	i := slices.IndexFunc(w.r.Artifacts, func(a recipes.Artifact) bool { return a.Name == name })
	if i < 0 {
		return recipes.Artifact{}, Step{}, lang.Errorf("recipe %s has no artifact %q", w.r.Name, name)
	}
	a := w.r.Artifacts[i]
	f := step.Fetch{Name: a.Name, Size: int64(a.Size), SHA256: a.SHA256}
	for _, address := range append([]string{a.URL}, a.Mirrors...) {
		pool, isDebian := strings.CutPrefix(address, recipes.DebianArchive)
		if !isDebian {
			f.Mirrors = append(f.Mirrors, address)
			continue
		}
		site, err := apt.DebianArchive(ctx, w.h)
		if err != nil {
			return a, Step{}, err
		}
		if site != "" {
			f.Mirrors = append(f.Mirrors, strings.TrimSuffix(site, "/")+"/"+pool)
			f.Trusted = true
		}
	}
	if len(f.Mirrors) == 0 {
		return a, Step{}, &step.Failure{Kind: step.NotFound, Cause: lang.F("%s is only in Debian's archive, and this machine's apt is not set up for one", a.Name), Next: lang.T("add a source of Debian's archive, or fetch the file by hand")}
	}
	return a, fetchStep(f), nil
}

func fetchStep(f step.Fetch) Step {
	return Step{
		ID: f.Name + ".fetch", Title: lang.F("Fetch %s", f.Name), Effect: step.Write, Needs: []step.Need{step.Network},
		Cost:      Cost{DownloadBytes: f.Size, DiskBytes: f.Size, Minutes: step.Minutes(f.Size, 0)},
		Undo:      lang.T("nothing to undo: it is kept in deployctl's cache"),
		Mechanism: "fetch", Action: step.Install, With: &f,
	}
}

func (w ways) unpack(id, title string, u step.Unpack, unpacked int64) Step {
	undo := lang.F("deployctl undo removes %s, unless someone changed it", u.Into)
	return Step{
		ID: id, Title: title, Effect: step.Write, Needs: []step.Need{},
		Cost: Cost{DiskBytes: unpacked, Minutes: step.Minutes(0, unpacked), Note: lang.T("the unpacked size is an estimate")},
		Undo: undo, Mechanism: "unpack", Action: step.Install, With: &u,
	}
}

func format(name string) (string, error) {
	if f := archive.ByName(name); f != "" {
		return string(f), nil
	}
	return "", lang.Errorf("what kind of archive %s is cannot be told from its name", name)
}

func (w ways) archive(ctx context.Context, fix recipes.ArchiveFix) ([]Step, error) {
	a, fetch, err := w.artifact(ctx, fix.Artifact)
	if err != nil {
		return nil, err
	}
	kind, err := format(a.Name)
	if err != nil {
		return nil, err
	}
	into := w.h.Join(w.places.Opt, fix.Into)
	u := step.Unpack{SHA256: a.SHA256, Size: int64(a.Size), Format: kind, Strip: fix.Strip, Into: into}
	unpacked := 3 * int64(a.Size)
	if len(fix.Files) > 0 {
		u.Files, unpacked = map[string]string{}, int64(a.Size)
		for _, name := range fix.Files {
			u.Files[name] = name
		}
	}
	steps := []Step{fetch, w.unpack(fix.Into+".unpack", lang.F("Unpack %s into %s", a.Name, into), u, unpacked)}
	return append(steps, w.env(fix.Into, into, fix.Env)...), nil
}

func (w ways) build(ctx context.Context, b recipes.Build) ([]Step, error) {
	a, fetch, err := w.artifact(ctx, b.Artifact)
	if err != nil {
		return nil, err
	}
	kind, err := format(a.Name)
	if err != nil {
		return nil, err
	}
	product := w.h.Join(w.places.Opt, b.Name)
	work := w.h.Join(w.places.Cache, "build", b.Name)
	stages, err := cmake.Steps(w.h, cmake.Source{Build: b, Artifact: a, Facts: w.f, Work: work, Product: product})
	if err != nil {
		return nil, err
	}
	unpack := w.unpack(b.Name+".unpack", lang.F("Unpack %s", a.Name), step.Unpack{SHA256: a.SHA256, Size: int64(a.Size), Format: kind, Strip: b.Strip,
		Into: w.h.Join(work, "source"), Work: true, Product: product}, 4*int64(a.Size))
	unpack.Undo = lang.T("nothing to undo: the folder goes with the build")
	steps := append([]Step{fetch, unpack}, stages...)
	steps = append(steps, w.env(b.Name, product, b.Env)...)
	return append(steps, Step{
		ID: b.Name + ".tidy", Title: lang.T("Remove the sources and objects of the build"), Effect: step.Destructive, Needs: []step.Need{},
		Cost: Cost{DiskBytes: -4*int64(a.Size) - int64(b.Disk), Minutes: 0.1}, Undo: lang.T("nothing to undo: only the build needed them"),
		Mechanism: "unpack", Action: step.Tidy, Take: []step.Take{{Name: work, Version: files.Scratch}},
	}), nil
}

// env plans the lasting changes of the environment, none for no variables.
func (w ways) env(name, dir string, variables map[string]string) []Step {
	if len(variables) == 0 {
		return nil
	}
	var edits []step.Env
	for _, v := range slices.Sorted(maps.Keys(variables)) {
		edits = append(edits, step.Env{Name: v, Value: w.h.Join(dir, variables[v]), Prepend: true, Scope: w.places.Scope})
	}
	return []Step{{
		ID: name + ".env", Title: lang.F("Let new shells find %s (%s)", name, strings.Join(slices.Sorted(maps.Keys(variables)), ", ")),
		Effect: step.Write, Needs: []step.Need{step.NewShell}, Cost: Cost{Minutes: 0.1},
		Undo:      lang.T("deployctl undo takes the entries out again, unless someone changed them"),
		Mechanism: "envedit", Action: step.Install, With: step.Edits(edits),
	}}
}

// edit plans the lasting changes of the environment that a finding asks for.
func (w ways) edit(id string, edits []step.Env) Step {
	var names []string
	for _, e := range edits {
		names = append(names, lang.F("%s in %s", e.Value, e.Name))
	}
	return Step{
		ID: id + ".env", Title: lang.F("Put %s for new shells", strings.Join(names, lang.T(" and "))), Effect: step.Write, Needs: []step.Need{step.NewShell}, Cost: Cost{Minutes: 0.1},
		Undo: lang.T("deployctl undo takes the entries out again, unless someone changed them"), Mechanism: "envedit", Action: step.Install, With: step.Edits(edits),
	}
}

func (w ways) npm(ctx context.Context, names []string) ([]Step, error) {
	var steps []Step
	for _, name := range names {
		p := npm.ONNXRuntime()
		if name != p.Name {
			return nil, lang.Errorf("deployctl knows no libraries in the npm package %q; it knows %s", name, p.Name)
		}
		files, ok := p.Files[w.h.OS+"/"+w.h.Arch]
		if !ok {
			return nil, &step.Failure{Kind: step.NotFound, Cause: lang.F("%s has no library for %s/%s", p.Name, w.h.OS, w.h.Arch), Next: lang.T("use another engine, or build the library from source")}
		}
		registry, err := npm.Registry(ctx, w.h)
		if err != nil {
			return nil, err
		}
		a, err := p.Artifact(registry)
		if err != nil {
			return nil, err
		}
		into := w.h.Join(w.places.Opt, path.Base(p.Dir("")))
		steps = append(steps, fetchStep(step.Fetch{Name: path.Base(a.Mirrors[0]), Size: a.Size, SHA256: string(a.SHA256), Mirrors: a.Mirrors, Trusted: true}),
			w.unpack(p.Folder+".unpack", lang.F("Take the libraries of %s %s out of its npm package", p.Folder, p.Version),
				step.Unpack{SHA256: string(a.SHA256), Size: a.Size, Format: string(archive.TarGz), Files: files, Into: into}, a.Size/4))
		// Where programs look for shared libraries.
		variable := map[string]string{"windows": "PATH", "darwin": "DYLD_LIBRARY_PATH"}[w.h.OS]
		if variable == "" {
			variable = "LD_LIBRARY_PATH"
		}
		steps = append(steps, w.env(p.Folder, into, map[string]string{variable: "lib"})...)
	}
	return steps, nil
}

// wheels plans what is unpacked from Python wheels.
func (w ways) wheels(ctx context.Context, list []recipes.Wheel) ([]Step, error) {
	var steps []Step
	here := store.New(w.places.Cache)
	for _, wh := range list {
		f, ok := wheeltag.Pick(wh, judge.WheelTarget(w.f))
		if !ok {
			return nil, &step.Failure{Kind: step.NotFound, Cause: lang.F("%s %s has no wheel for %s", wh.Project, wh.Version, judge.WheelTarget(w.f).String()), Next: lang.T("install it another way")}
		}
		file := step.Fetch{Name: f.File, Size: int64(f.Size), SHA256: f.SHA256, Project: wh.Project}
		if !files.Stored(here, file) {
			// A snapshot does not say which index its machine uses: it will know itself.
			if _, err := wheel.Read(ctx, cmp.Or(w.places.index, w.h)); err != nil && !errors.Is(err, host.ErrNotRecorded) {
				return nil, err // no index is known: not this way
			}
		}
		into := w.h.Join(w.places.Opt, wh.Name)
		steps = append(steps, fetchStep(file), Step{
			ID: wh.Name + ".wheel", Title: lang.F("Unpack %s %s from its Python wheel into %s", wh.Project, wh.Version, into), Effect: step.Write, Needs: []step.Need{},
			Cost: Cost{DiskBytes: 3 * int64(f.Size), Minutes: step.Minutes(0, 3*int64(f.Size)), Note: lang.T("the unpacked size is an estimate")},
			Undo: lang.F("deployctl undo removes %s, unless someone changed it", into), Mechanism: wheel.Name, Action: step.Install, With: wheel.Unpack(wh, f, w.h.OS, into),
		})
		// The loader's own configuration serves every program at once; only root
		// can write it.
		system := wh.Loader != "" && w.places.Scope == "machine" && w.f.OS.Libc.Kind == "glibc"
		if system {
			steps = append(steps, w.loader(ctx, wh, w.h.Join(into, wh.Loader)))
		}
		steps = append(steps, w.env(wh.Name, into, wheel.Folders(wh, w.h.OS, system))...)
	}
	return steps, nil
}

// loader lets the dynamic loader look in a folder.
func (w ways) loader(ctx context.Context, wh recipes.Wheel, folder string) Step {
	m := ldconf.Manager()
	file := "deployctl-" + wh.Name
	if wh.Behind { // the files are read in the order of their names
		file = "zz-" + file
	}
	entry := []string{ldconf.Package(file, folder)}
	return Step{
		ID: wh.Name + ".loader", Title: m.Title(entry), Effect: step.Write, Needs: m.Needs(), Cost: Cost{Minutes: 0.1}, Undo: m.Undo,
		Mechanism: m.Name, Action: step.Install, Packages: entry, Argv: m.Argv(m.Find(ctx, w.h), m.Install(entry)),
	}
}

func (w ways) model(m models.Model) []Step {
	return []Step{
		fetchStep(step.Fetch{Name: m.File, Size: m.Size, SHA256: string(m.SHA256), Mirrors: m.Mirrors}),
		w.place(m.File, string(m.SHA256), m.Size, w.h.Join(w.places.Cache, "models", m.File)),
	}
}

func (w ways) place(name, sum string, size int64, to string) Step {
	return Step{
		ID: name + ".place", Title: lang.F("Put %s where it is looked for", name), Effect: step.Write, Needs: []step.Need{}, Cost: Cost{Minutes: 0.1},
		Undo: lang.F("deployctl undo removes %s, unless someone changed it", to), Mechanism: "place", Action: step.Install,
		With: &step.Place{SHA256: sum, Size: size, Path: to},
	}
}
