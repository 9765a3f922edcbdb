package installers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/apt"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/models"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Sources says where a plan's files may come from.
type Sources struct {
	// Lock names every file: nothing is resolved, and no server is asked but for
	// these. nil: the servers that the machine is set up for.
	Lock *lockfile.Lock
	// Offline: no server is asked at all.
	Offline bool
	// FilesOnly leaves package managers out: the plan has what is fetched as files.
	FilesOnly bool
	// Index is the machine whose pip names the index that wheels come from; nil for
	// the one that is planned for.
	Index *host.Host
	// Lists is a folder of apt's package lists to plan by instead of the
	// system's (apt.UpdateInto); for making a lock.
	Lists string
}

// MakePlan turns the failing and warning findings into steps. For each it takes
// the first fix whose package manager is among the facts and whose distribution
// fits; packages of one manager become one step, and what is fetched, unpacked
// or built follows in steps of its own. A package that fresh lists do not know
// moves the requirement to its next fix. It changes nothing. What a recipe calls
// a package and no manager would is an error.
//
// A lock that is for another system or recipe is refused; Offline, so is a plan
// that needs a file which is not on this machine: the error is a *MissingError.
// With a lock or offline, apt is the only package manager.
func MakePlan(ctx context.Context, j *judge.Judgement, h *host.Host, places Places, from Sources) (*Plan, error) {
	var plan *Plan
	var err error
	switch {
	case from.Lock != nil:
		plan, err = lockedPlan(ctx, j, h, places, from.Lock)
	case from.FilesOnly:
		places.index = from.Index
		return makePlan(ctx, j, h, places, nil)
	case from.Lists != "":
		return makePlan(ctx, j, h, places, []*pkgmgr.Manager{apt.WithLists(from.Lists)})
	case from.Offline:
		plan, err = makePlan(ctx, j, h, places, []*pkgmgr.Manager{apt.Cached()})
	default:
		return makePlan(ctx, j, h, places, managers())
	}
	if err != nil || !from.Offline {
		return plan, err
	}
	missing, err := plan.missing(ctx, h, store.New(places.Cache))
	if err == nil && len(missing) > 0 {
		err = &MissingError{missing}
	}
	if err != nil {
		return nil, err
	}
	for i := range plan.Steps {
		plan.Steps[i].Needs = slices.DeleteFunc(plan.Steps[i].Needs, func(n step.Need) bool { return n == step.Network })
	}
	return plan, nil
}

// MissingError names what --offline would need and this machine does not have.
type MissingError struct{ Files []step.Fetch }

// Error is one sentence and a line for each file.
func (e *MissingError) Error() string {
	var b strings.Builder
	var sum int64
	for _, f := range e.Files {
		sum += f.Size
	}
	b.WriteString(lang.F("nothing was changed: --offline prevents downloading %s (%s), which this machine does not have; import a bundle that has them (deployctl bundle import FILE), or run this with a network\n",
		recipes.Count(len(e.Files), "file"), step.Bytes(sum)))
	for _, f := range e.Files {
		b.WriteString(lang.F("  %s  %d bytes, sha256 %s\n", step.Clean(f.Name, 120), f.Size, f.SHA256))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// fetches are the files that a step brings.
func fetches(s Step) []step.Fetch {
	switch with := s.With.(type) {
	case *step.Fetch:
		return []step.Fetch{*with}
	case step.Files:
		return with
	}
	return nil
}

// missing are the files that the plan would have to fetch. The bytes of those
// that are there are hashed.
func (p *Plan) missing(ctx context.Context, h *host.Host, s *store.Store) (missing []step.Fetch, err error) {
	for _, st := range p.Steps {
		for _, f := range fetches(st) {
			_, err := s.Get(ctx, store.Sum(f.SHA256), f.Size)
			var corrupt *store.CorruptError
			if errors.Is(err, store.ErrAbsent) || errors.As(err, &corrupt) {
				missing = append(missing, f)
			} else if err != nil {
				return nil, err
			}
		}
		if st.Mechanism == "apt" && st.Repository == "" && st.Action == step.Install {
			packages, err := apt.Locked(ctx, h, st.Packages, "")
			if err != nil {
				return nil, err
			}
			for _, pkg := range packages {
				missing = append(missing, pkg.File)
			}
		}
	}
	return missing, nil
}

// lockedPlan plans with the lock's files alone. apt resolves the same names as
// ever, in a repository that holds the lock's packages and nothing else.
func lockedPlan(ctx context.Context, j *judge.Judgement, h *host.Host, places Places, lock *lockfile.Lock) (*Plan, error) {
	if err := lock.Fits(j.Recipe, j.Facts); err != nil {
		return nil, err
	}
	var with []*pkgmgr.Manager
	dir, err := repositoryOf(h, places, lock)
	if err != nil {
		return nil, err
	}
	local := apt.NewLocal(dir)
	if len(lock.Packages) > 0 && len(j.Facts.Components["apt"]) > 0 {
		if err := local.Write(ctx, h, lock.Packages); err != nil {
			return nil, lang.Errorf("prepare the lockfile's packages: %w", err)
		}
		with = append(with, local.Manager())
	}
	plan, err := makePlan(ctx, j, h, places, with)
	if err != nil {
		return nil, err
	}
	if err := plan.addModels(ctx, ways{h: h, f: j.Facts, r: j.Recipe, places: places}, lock); err != nil {
		return nil, err
	}
	var wanted []lockfile.Package
	for i := range plan.Steps {
		s := &plan.Steps[i]
		file, fetch := s.With.(*step.Fetch)
		switch {
		case fetch:
			locked, ok := lock.Find(file.SHA256)
			if !ok {
				return nil, notLocked(file.Name)
			}
			file.Mirrors, file.Trusted = locked.Mirrors, locked.Trusted
		case s.Mechanism == "apt" && s.Action == step.FixBroken:
			wanted = lock.Packages // which ones it takes shows only later
			s.Repository = dir
		case s.Mechanism == "apt" && s.Action == step.Install:
			s.Repository = dir
			q, err := with[0].Quote(ctx, h, with[0].Find(ctx, h), s.Packages)
			if err != nil {
				return nil, unlike(err)
			}
			if len(wanted) == 0 {
				wanted = changing(lock.Packages, q.Change)
			}
		default:
			continue
		}
		if s.Repository != "" {
			s.Needs = slices.DeleteFunc(s.Needs, func(n step.Need) bool { return n == step.Network })
			s.Cost.DownloadBytes = 0
		}
	}
	if len(plan.Steps) > 0 {
		plan.fetchFirst(local, wanted, lock.Modules, store.New(places.Cache))
	}
	return plan, nil
}

// repositoryOf is the folder of a lock's own packages.
func repositoryOf(h *host.Host, places Places, lock *lockfile.Lock) (string, error) {
	text, err := lock.Encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return h.Join(places.Cache, "apt", hex.EncodeToString(sum[:8])), nil
}

// addModels plans the lock's models that are not in their place yet.
func (p *Plan) addModels(ctx context.Context, w ways, lock *lockfile.Lock) error {
	known, err := models.Known()
	if err != nil {
		return err
	}
	for _, name := range lock.Models {
		m, err := models.Find(known, name)
		if err != nil {
			return err
		}
		if !m.Here(w.places.Cache) {
			p.Steps = append(p.Steps, w.model(m)...)
		}
	}
	return ctx.Err()
}

func notLocked(name string) error {
	return &Failure{Kind: step.NotFound, Cause: lang.F("%s is needed here and is not in the lockfile", name), Next: lang.T("make the lockfile on a system that has what this one has, and lacks what it lacks")}
}

// unlike explains that apt cannot do with the lock's packages.
func unlike(err error) error {
	var f *Failure
	if !errors.As(err, &f) || f.Kind != step.Conflict {
		return err
	}
	return &Failure{Kind: step.Conflict, Err: err, Detail: f.Detail, Cause: lang.T("the lockfile's packages need others that are neither installed here nor locked"),
		Next: lang.T("make the lockfile on a system that has what this one has, and lacks what it lacks")}
}

// changing picks the packages that apt would install.
func changing(packages []lockfile.Package, change []step.Package) []lockfile.Package {
	var list []lockfile.Package
	for _, p := range packages {
		if slices.ContainsFunc(change, func(c step.Package) bool {
			return c.Version == p.Version && (c.Name == p.Name || c.Name == p.Name+":"+p.Architecture)
		}) {
			list = append(list, p)
		}
	}
	return list
}

// fetchFirst puts the step that brings the packages and modules before all
// others. Where all is on the machine already it stays, since it also gives the
// packages their place in the repository.
func (p *Plan) fetchFirst(local apt.Local, packages []lockfile.Package, modules []lockfile.Module, s *store.Store) {
	var list []step.Fetch
	for _, pkg := range packages {
		f := pkg.File
		f.Path = local.File(pkg)
		list = append(list, f)
	}
	for _, m := range modules {
		list = append(list, m.File)
	}
	if len(list) == 0 {
		return
	}
	var parts []string
	if len(packages) > 0 {
		parts = append(parts, recipes.Count(len(packages), "package"))
	}
	if len(modules) > 0 {
		parts = append(parts, lang.F("%s of Go modules", recipes.Count(len(modules), "file")))
	}
	var bytes int64
	var serves []string
	for _, f := range list {
		if !files.Stored(s, f) {
			bytes += f.Size
		}
	}
	for _, st := range p.Steps {
		serves = append(serves, st.Requirements...)
	}
	p.Steps = slices.Insert(p.Steps, 0, Step{
		ID: "locked.fetch", Title: lang.F("Fetch what the lockfile names: %s", strings.Join(parts, ", ")), Effect: step.Write, Needs: []step.Need{step.Network},
		Cost: Cost{DownloadBytes: bytes, DiskBytes: bytes, Minutes: step.Minutes(bytes, 0)}, Requirements: step.Unique(serves),
		Undo:      lang.T("nothing to undo: it is kept in deployctl's cache"),
		Mechanism: "fetch-all", Action: step.Install, With: step.Files(list),
	})
}
