package installers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/elevate"
	"github.com/deployctl/deployctl/installers/ldconf"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Plan is what would be done, in order, and what cannot be.
type Plan struct {
	Steps []Step `json:"steps"`
	// Manual are the requirements that no step mends.
	Manual []Manual `json:"manual,omitempty"`
	// Kept is what an undo leaves where it is.
	Kept []Kept `json:"kept,omitempty"`
	// Fixes are the words of doctor for what is planned otherwise than it said, and
	// for what is left to a person: requirement to fix.
	Fixes map[string]string `json:"-"`
	// Elevation is how steps become root; zero when they need not.
	Elevation elevate.Method `json:"-"`
	// Blocked says why Apply would refuse (no way to become root); the plan is
	// still worth showing.
	Blocked *Failure `json:"blocked,omitempty"`
}

// Cost adds up the steps' costs. It is the one sum that doctor's closing line,
// plan and --fix show.
func (p *Plan) Cost() (sum Cost) {
	for _, s := range p.Steps {
		sum = sum.Plus(s.Cost)
	}
	return sum
}

// choice is one applicable fix of a requirement.
type choice struct {
	manager  *pkgmgr.Manager // nil when it needs no package manager
	packages []string
	// versions are those of packages that are asked for by name.
	versions map[string]string
	// download is what the recipe says that the packages take, 0 where it says nothing.
	download recipes.Bytes
	// before and after are the steps around the packages'.
	before, after []Step
	// text is what doctor says of an entry of the fix list.
	text string
	// again: the packages are installed and have lost files.
	again bool
}

// by reports whether the choice has packages of the manager.
func (c choice) by(m *pkgmgr.Manager) bool {
	return !c.again && c.manager != nil && c.manager.Name == m.Name && c.manager.Target == m.Target
}

// inUse gives the managers of the wishes' first choices, in the order in which
// they are wired; one that works on several things stands there for each.
func inUse(wishes []*wish) []*pkgmgr.Manager {
	var list []*pkgmgr.Manager
	for _, m := range managers() {
		for _, w := range wishes {
			c := w.choices[0]
			if c.manager != nil && !c.again && c.manager.Name == m.Name && !slices.ContainsFunc(list, c.by) {
				list = append(list, c.manager)
			}
		}
	}
	return list
}

// wish is a requirement to be fixed and the fixes that could.
type wish struct {
	finding judge.Finding
	choices []choice
	// byHand is what doctor says where no entry of the fix list helps.
	byHand string
	// dropped: its first choice turned out impossible.
	dropped bool
	// tried: there were choices, and each turned out impossible.
	tried bool
	// component is what its packages bring, "" for what is not a component.
	component string
}

func makePlan(ctx context.Context, j *judge.Judgement, h *host.Host, places Places, with []*pkgmgr.Manager) (*Plan, error) {
	plan, err := layOut(ctx, j, h, places, with)
	if err != nil {
		return nil, err
	}
	return plan, plan.elevate(ctx, h, j.Facts.OS.User)
}

// layOut is a plan that does not know yet how its steps become root.
func layOut(ctx context.Context, j *judge.Judgement, h *host.Host, places Places, with []*pkgmgr.Manager) (*Plan, error) {
	plan := &Plan{}
	around := ways{h: h, f: j.Facts, r: j.Recipe, places: places}
	reqs := map[string]*recipes.Requirement{}
	for i := range j.Recipe.Requirements {
		reqs[j.Recipe.Requirements[i].ID] = &j.Recipe.Requirements[i]
	}
	var wishes []*wish
	for _, f := range j.Findings {
		if f.State != judge.Fail && f.State != judge.Warn {
			continue
		}
		w, reason, err := around.wish(ctx, f, reqs[f.ID], with)
		if err != nil {
			return nil, err
		}
		if len(w.choices) == 0 {
			plan.giveUp(w, reason)
			continue
		}
		wishes = append(wishes, w)
	}
	for len(wishes) > 0 {
		again, err := plan.round(ctx, h, &wishes)
		if err != nil {
			return nil, err
		}
		if !again {
			break
		}
	}
	plan.surround(wishes)
	plan.note(wishes)
	order := map[string]int{}
	for i, f := range j.Findings {
		order[f.ID] = i
	}
	sort.SliceStable(plan.Manual, func(a, b int) bool { return order[plan.Manual[a].Requirement] < order[plan.Manual[b].Requirement] })
	return plan, nil
}

// wish gathers the ways to fix a finding. Without any, the reason says why there
// is none. What the finding itself says is to be done comes before the recipe's
// list: it knows this machine.
func (w ways) wish(ctx context.Context, f judge.Finding, r *recipes.Requirement, with []*pkgmgr.Manager) (*wish, string, error) {
	out := &wish{finding: f}
	switch {
	case f.Action != nil:
		c, reason, err := w.action(ctx, f, with)
		if c != nil {
			out.choices = []choice{*c}
		}
		return out, reason, err
	case r == nil:
		return out, lang.T("only a person can do this"), nil
	case f.Reach:
		return out, lang.T("a usable copy is installed, so nothing is installed again"), nil
	}
	if c := r.Component; c != nil {
		out.component = cmp.Or(append([]string{c.Name}, c.AnyOf...)...)
	}
	out.byHand = judge.ByHand(r, w.f)
	reason := lang.T("the recipe has no automatic fix for it")
	if len(r.Fix) > 0 {
		reason = lang.T("no fix in the recipe fits this system and its package managers")
	}
	for i := range r.Fix {
		fix := r.Fix[i]
		text := judge.FixText(r, &fix, w.f)
		c, err := applicable(ctx, fix, w, with)
		if c != nil && c.manager != nil && c.manager.At != nil {
			of := recipes.Packages{Manager: c.manager.Name, Packages: c.packages}
			if r.Component != nil {
				of = of.Pin(r.Component.Version)
			}
			c.versions = of.Versions
		}
		var cannot *Failure
		if errors.Is(err, host.ErrNotRecorded) {
			cannot = &Failure{Kind: step.NotFound, Cause: lang.T("the snapshot does not say")}
		}
		if cannot != nil || errors.As(err, &cannot) {
			reason = cannot.Error()
			out.dropped = out.dropped || text != "" && len(out.choices) == 0 // doctor may have said this one
			continue
		}
		if err != nil {
			return nil, "", lang.Errorf("recipe %s, requirement %s: %w", w.r.Name, r.ID, err)
		}
		if c != nil && text != "" {
			c.text = text
			out.choices = append(out.choices, *c)
		}
	}
	if len(out.choices) > 0 && !f.Listed {
		// What doctor says fits this machine better than the list.
		out.choices, reason = nil, lang.T("only a person can do this")
	}
	return out, reason, nil
}

// action makes the choice of a finding's own action; nil with the reason where
// it is a person's to carry out.
func (w ways) action(ctx context.Context, f judge.Finding, with []*pkgmgr.Manager) (*choice, string, error) {
	a := f.Action
	if ok, why := a.Automatic(w.f.OS); !ok {
		return nil, why, nil
	}
	c := &choice{}
	name, packages := a.Manager, a.Packages
	if a.Loader != nil {
		name, packages = ldconf.Name, []string{ldconf.Package(a.Loader.File, a.Loader.Folder)}
		with = append(slices.Clone(with), ldconf.Manager()) // it needs no network
	}
	if name != "" {
		i := slices.IndexFunc(with, func(m *pkgmgr.Manager) bool { return m.Name == name })
		if i < 0 {
			return nil, lang.F("%s cannot be used here", name), nil
		}
		m := with[i]
		if err := m.CheckNames(packages); err != nil {
			return nil, err.Error(), nil //nolint:nilerr // it is the reason
		}
		target, err := m.Choose(w.f)
		if errors.Is(err, pkgmgr.ErrAbsent) {
			return nil, lang.F("%s is not on this machine", name), nil
		}
		if err != nil {
			return nil, "", err
		}
		c.manager, c.packages, c.versions = m.For(w.h, target), packages, a.Versions
		if a.Reinstall {
			if m.Reinstall == nil {
				return nil, lang.F("%s cannot reinstall packages", name), nil
			}
			tool := m.Find(ctx, w.h)
			c.again = true
			c.before = []Step{{
				ID: name + ".reinstall." + packages[0], Title: lang.F("Reinstall %s, which has lost a file", step.Some(packages, 6)), Effect: step.Write, Needs: m.Needs(step.Network),
				Mechanism: name, Action: step.Reinstall, Packages: packages, Argv: m.Argv(tool, m.Reinstall(packages)),
				Cost: Cost{Minutes: 0.2, Estimated: true, Note: lang.F("%s does not tell before it starts", name)},
				Undo: lang.T("nothing to undo: the same packages are installed again"),
			}}
		}
	}
	var edits []step.Env
	for _, e := range a.Env {
		edits = append(edits, step.Env{Name: e.Name, Value: e.Value, Prepend: true, Scope: w.places.Scope})
	}
	if len(edits) > 0 {
		c.after = []Step{w.edit(f.ID, edits)}
	}
	return c, "", nil
}

// note keeps what doctor has to say where the plan does not do what it said: a
// package that it named cannot be had.
func (p *Plan) note(wishes []*wish) {
	p.Fixes = map[string]string{}
	for _, w := range wishes {
		if text := w.choices[0].text; text != "" && w.finding.Listed && w.dropped {
			p.Fixes[w.finding.ID] = text
		}
	}
	for _, m := range p.Manual {
		p.Fixes[m.Requirement] = m.Do
	}
}

func (p *Plan) giveUp(w *wish, reason string) {
	do := w.finding.Fix
	if do == "" || (w.tried || w.dropped) && w.finding.Action == nil { // what it says to install cannot be had
		do = cmp.Or(w.byHand, do)
	}
	p.Manual = append(p.Manual, Manual{Requirement: w.finding.ID, Title: w.finding.Title, Reason: reason, Do: do, Required: w.finding.State == judge.Fail})
}

// applicable gives the choice a fix offers on this host, nil for none. The error
// is a *Failure when this machine lacks what only the fix needs.
func applicable(ctx context.Context, fix recipes.Fix, around ways, with []*pkgmgr.Manager) (*choice, error) {
	c := &choice{download: fix.Download}
	named := false
	for _, m := range with { // a fix has the packages of one
		names := m.Of(fix)
		if len(names) == 0 {
			continue
		}
		named = true
		// Checked even where it does not apply: a bad recipe is bad everywhere.
		if err := m.CheckNames(names); err != nil {
			return nil, err
		}
		target, err := m.Choose(around.f)
		if errors.Is(err, pkgmgr.ErrAbsent) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c.manager, c.packages = m.For(around.h, target), names
	}
	if named && c.manager == nil || !judge.Fits(&fix, around.f) {
		return nil, nil
	}
	var err error
	c.after, err = around.steps(ctx, fix)
	if err != nil || !named && len(c.after) == 0 {
		return nil, err
	}
	return c, nil
}

// surround puts the steps of the wishes' choices around the packages', each
// step once.
func (p *Plan) surround(wishes []*wish) {
	var before, after []Step
	add := func(list []Step, w *wish, more []Step) []Step {
		for _, s := range more {
			if i := slices.IndexFunc(list, func(have Step) bool { return have.ID == s.ID }); i >= 0 {
				list[i].Requirements = append(list[i].Requirements, w.finding.ID)
				continue
			}
			s.Requirements = []string{w.finding.ID}
			list = append(list, s)
		}
		return list
	}
	for _, w := range wishes {
		before = add(before, w, w.choices[0].before)
		after = add(after, w, w.choices[0].after)
	}
	p.Steps = slices.Concat(before, p.Steps, after)
	// CUDA's installer puts its files into each Visual Studio that it finds.
	slices.SortStableFunc(p.Steps, func(a, b Step) int {
		rank := func(s Step) int {
			if judge.BringsCUDA(s.Mechanism, s.Packages) {
				return 1
			}
			return 0
		}
		return cmp.Compare(rank(a), rank(b))
	})
}

// round builds the steps for the wishes' first choices. It reports true when a
// choice turned out impossible and was dropped: then the plan must be built
// again from what is left.
func (p *Plan) round(ctx context.Context, h *host.Host, wishes *[]*wish) (again bool, err error) {
	p.Steps = nil
	used := map[string]int{}
	for _, m := range inUse(*wishes) {
		if again, err = p.use(ctx, h, m, wishes, used); again || err != nil {
			return again, err
		}
	}
	return false, nil
}

// estimate is what a manager says of installing packages, before anything is
// changed.
type estimate struct {
	tool      string
	installed map[string]pkgmgr.Installed
	listErr   error // why what is installed is unknown
	damage    pkgmgr.Damage
	lists     pkgmgr.Lists
	quote     pkgmgr.Quote
	note      string // why the sizes are unknown
	busy      string // who is changing packages now
}

// use builds the steps of one manager, as round does for all.
func (p *Plan) use(ctx context.Context, h *host.Host, m *pkgmgr.Manager, wishes *[]*wish, used map[string]int) (again bool, err error) {
	var mine []*wish
	var names []string
	for _, w := range *wishes {
		if w.choices[0].by(m) {
			mine = append(mine, w)
			names = append(names, w.choices[0].packages...)
		}
	}
	if len(mine) == 0 {
		return false, nil
	}
	names = step.Unique(names)
	e, dropped, err := p.ask(ctx, h, m, names, wishes)
	if err != nil || dropped {
		return dropped, err
	}
	// Left out: what is installed and would not change. Passing it would
	// mark it as wanted by hand and change what autoremove does later.
	changes := map[string]bool{}
	for _, c := range e.quote.Change {
		changes[c.Name] = true
	}
	newer := map[string]bool{} // that an installation may bring in a newer version of
	for _, w := range mine {
		for _, n := range w.choices[0].packages {
			newer[n] = newer[n] || m.Upgrades && w.finding.Cause == judge.WrongVersion
		}
	}
	versions := map[string]string{}
	for _, w := range mine {
		maps.Copy(versions, w.choices[0].versions)
	}
	stays := func(n string) bool {
		return e.installed[n].Ready && !changes[n] && !newer[n] && (versions[n] == "" || versions[n] == e.installed[n].Version)
	}
	if e.listErr == nil && (e.note == "" || m.Quote == nil || !e.lists.Present) {
		if p.drop(wishes, func(w *wish) string {
			if !w.choices[0].by(m) || len(w.choices[0].after) > 0 || slices.ContainsFunc(w.choices[0].packages, func(n string) bool { return !stays(n) }) {
				return ""
			}
			return lang.F("its packages (%s) are installed already, so installing them changes nothing", strings.Join(w.choices[0].packages, ", "))
		}) {
			return true, nil
		}
		names = slices.DeleteFunc(names, stays)
	}
	if len(names) > 0 { // none: a build whose packages are all there
		p.install(m, e, names, mine, used, versions)
	}
	return false, nil
}

// ask has the manager say what installing the packages would do. It reports true
// when a choice was dropped because of the answer.
func (p *Plan) ask(ctx context.Context, h *host.Host, m *pkgmgr.Manager, names []string, wishes *[]*wish) (e estimate, dropped bool, err error) {
	because := func(reason string) bool {
		return p.drop(wishes, func(w *wish) string {
			if w.choices[0].by(m) {
				return reason
			}
			return ""
		})
	}
	e.tool = m.Find(ctx, h)
	e.installed, e.listErr = m.State(ctx, h, names)
	if e.listErr != nil && ctx.Err() != nil {
		return e, false, lang.Errorf("plan with %s: %w", m.Name, ctx.Err())
	}
	if failure := new(Failure); errors.As(e.listErr, &failure) && (failure.Kind == step.NoPrivilege || failure.Kind == step.Unusable) {
		// What was done could not be seen afterwards.
		return e, because(failure.Error()), nil
	}
	if m.Busy != nil {
		e.busy = m.Busy(ctx, h)
	}
	if m.Damage != nil && e.listErr == nil && e.busy == "" { // what somebody is still doing is not broken
		if e.damage, err = m.Damage(ctx, h); err != nil {
			return e, false, lang.Errorf("plan with %s: %w", m.Name, err)
		}
	}
	e.lists = pkgmgr.Lists{Present: true, Fresh: true}
	if m.Fresh != nil {
		e.lists = m.Fresh(ctx, h)
	}
	switch {
	case e.listErr != nil:
		e.note = lang.F("the exact size is unknown: %s", reason(e.listErr))
		return e, false, nil //nolint:nilerr // it is in the note
	case m.Quote == nil:
		e.note = lang.F("%s does not tell before it starts", m.Name)
		return e, false, nil
	case !e.lists.Present:
		e.note = lang.T("the exact size is unknown until the package lists are fetched")
		return e, false, nil
	}
	var qerr error
	if e.busy != "" {
		e.note = lang.F("the exact size is unknown while another package manager is at work (%s), which deployctl waits for", e.busy)
		return e, false, nil
	}
	e.quote, qerr = m.Quote(ctx, h, e.tool, names)
	var failure *Failure
	switch {
	case qerr != nil && ctx.Err() != nil:
		return e, false, lang.Errorf("plan with %s: %w", m.Name, ctx.Err())
	case errors.As(qerr, &failure):
		e.note = lang.F("the exact size is unknown: %s", failure.Cause)
	case qerr != nil:
		e.note = lang.F("the exact size is unknown: %s", reason(qerr))
	case len(e.quote.NotFound) > 0 && e.lists.Fresh:
		if p.drop(wishes, func(w *wish) string {
			if !w.choices[0].by(m) {
				return ""
			}
			for _, n := range e.quote.NotFound {
				if slices.Contains(w.choices[0].packages, n) {
					return lang.F("package %s is not in %s", n, cmp.Or(m.Sources, lang.T("this system's sources")))
				}
			}
			return ""
		}) {
			return e, true, nil
		}
		e.note = lang.F("the exact size is unknown: %s was not found", strings.Join(e.quote.NotFound, ", "))
	case len(e.quote.NotFound) > 0:
		e.note = lang.T("the exact size is unknown until the package lists are fetched again")
	case len(e.quote.Remove) > 0:
		return e, because(lang.F("installing it would remove %s, which deployctl does not do", strings.Join(e.quote.Remove, ", "))), nil
	}
	return e, false, nil
}

// install adds the steps that install packages, and what must come before them.
func (p *Plan) install(m *pkgmgr.Manager, e estimate, names []string, mine []*wish, used map[string]int, versions map[string]string) {
	ids := make([]string, len(mine))
	for i, w := range mine {
		ids[i] = w.finding.ID
	}
	p.repair(m, e.tool, e.damage, ids)
	quote, note := e.quote, e.note
	if m.Refresh != nil && (!e.lists.Fresh || len(quote.NotFound) > 0) {
		p.Steps = append(p.Steps, Step{
			ID: m.Name + ".update", Title: lang.T("Fetch the package lists"), Effect: step.Write,
			Needs: m.Needs(step.Network), Requirements: ids, Mechanism: m.Name, Action: step.Refresh,
			Cost: Cost{DownloadBytes: 10e6, DiskBytes: 50e6, Minutes: 0.2, Estimated: true, Note: lang.T("a guess for the main archive; each further source adds its own list")},
			Argv: m.Argv(e.tool, m.Refresh()),
			Undo: lang.T("nothing to undo: the lists are a cache"),
		})
	}
	cost := Cost{DownloadBytes: quote.DownloadBytes, DiskBytes: quote.DiskBytes, Minutes: step.Minutes(quote.DownloadBytes, quote.DiskBytes)}
	if note == "" && !e.lists.Fresh {
		cost.Note = lang.T("by package lists older than a day")
	}
	undo := cmp.Or(m.Undo, lang.T("deployctl undo removes exactly the packages this step adds, unless something else needs them by then"))
	if m.Remove == nil {
		undo = lang.F("by hand: %s", m.NoRemove)
	}
	counted := map[string]bool{}
	for i, batch := range m.BatchesAt(names, versions) {
		id, args := m.Name+".install", m.Install(batch)
		at := map[string]string(nil)
		if v := versions[batch[0]]; m.At != nil && v != "" {
			args, at = m.At(args, v), map[string]string{batch[0]: v}
		}
		if m.Alone || at != nil {
			id, quote = id+"."+batch[0], pkgmgr.Quote{}
		}
		if used[id]++; used[id] > 1 {
			id = fmt.Sprintf("%s-%d", id, used[id]) // another target
		}
		if note != "" {
			cost = usual(mine, batch, counted)
			cost.Note = note
		} else if i > 0 {
			cost = Cost{} // told with the first
		}
		what, need := title(batch, quote), m.Needs(step.Network)
		if at != nil {
			what += " " + at[batch[0]]
		}
		if m.Title != nil {
			what = m.Title(batch)
		}
		if m.Name == ldconf.Name {
			need = m.Needs()
		}
		p.Steps = append(p.Steps, Step{
			ID: id, Title: what, Effect: step.Write,
			Needs: need, Requirements: serves(mine, batch), Mechanism: m.Name, Action: step.Install, Packages: batch, Versions: at,
			Target: m.Target, Note: m.Note, Cost: cost, Argv: m.Argv(e.tool, args), Undo: undo,
		})
	}
}

// serves gives the requirements of the wishes that want one of the packages.
func serves(wishes []*wish, names []string) []string {
	ids := []string{}
	for _, w := range wishes {
		if slices.ContainsFunc(w.choices[0].packages, func(n string) bool { return slices.Contains(names, n) }) {
			ids = append(ids, w.finding.ID)
		}
	}
	return ids
}

// repair plans what an interrupted run makes necessary.
func (p *Plan) repair(m *pkgmgr.Manager, tool string, d pkgmgr.Damage, ids []string) {
	if (d.Journal || len(d.Broken) > 0) && m.Configure != nil {
		p.Steps = append(p.Steps, m.Finish(ids))
	}
	if len(d.Broken) > 0 && m.FixBroken != nil {
		p.Steps = append(p.Steps, m.Complete(tool, d.Broken, ids))
	}
}

// drop takes the first choice from every wish that why gives a reason for; a
// wish without choices left becomes manual.
func (p *Plan) drop(wishes *[]*wish, why func(*wish) string) bool {
	dropped := false
	var kept []*wish
	for _, w := range *wishes {
		reason := why(w)
		if reason == "" {
			kept = append(kept, w)
			continue
		}
		dropped, w.dropped = true, true
		if w.choices = w.choices[1:]; len(w.choices) > 0 {
			kept = append(kept, w)
			continue
		}
		w.tried = true
		p.giveUp(w, reason)
	}
	*wishes = kept
	if len(kept) == 0 {
		p.Steps = nil
	}
	return dropped
}

// elevate finds the way to root and puts it before the argv that need it.
func (p *Plan) elevate(ctx context.Context, h *host.Host, user facts.User) error {
	if !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.NeedsAny(step.Admin) }) {
		return nil
	}
	method, err := elevate.Find(ctx, h, user)
	if err != nil {
		if !errors.As(err, &p.Blocked) {
			return lang.Errorf("find a way to become administrator: %w", err)
		}
		return nil
	}
	var commands [][]string
	for _, s := range p.Steps {
		if s.NeedsAny(step.Admin) {
			commands = append(commands, s.Argv)
		}
	}
	p.Elevation = method.For(ctx, h, commands)
	for i, s := range p.Steps {
		if s.NeedsAny(step.Admin) {
			p.Steps[i].Argv = p.Elevation.Wrap(s.Argv)
		}
	}
	return nil
}

func title(names []string, q pkgmgr.Quote) string {
	t := lang.F("Install %s", step.Some(names, 6))
	if more := len(q.Change) - len(names); more > 0 {
		t += lang.F(" and %d packages they need", more)
		if more == 1 {
			t = strings.Replace(t, "1 packages they need", "1 package they need", 1)
		}
	}
	return t
}

// reason is the innermost sentence for people.
func reason(err error) string {
	if errors.Is(err, host.ErrNotRecorded) {
		return lang.T("the snapshot does not say")
	}
	return err.Error()
}
