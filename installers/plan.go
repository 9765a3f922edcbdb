package installers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/elevate"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
)

// Plan is what would be done, in order, and what cannot be.
type Plan struct {
	Steps []Step `json:"steps"`
	// Manual are the requirements that no step mends.
	Manual []Manual `json:"manual,omitempty"`
	// Elevation is how steps become root; zero when they need not.
	Elevation elevate.Method `json:"-"`
	// Blocked says why Apply would refuse (no way to become root); the plan is
	// still worth showing.
	Blocked *Failure `json:"blocked,omitempty"`
}

// Manual is a requirement left to a person.
type Manual struct {
	Requirement string `json:"requirement"`
	Title       string `json:"title"`
	// Reason says why it cannot be mended automatically.
	Reason string `json:"reason"`
	// Do is the recipe's sentence for doing it by hand, "" when it has none.
	Do string `json:"do,omitempty"`
}

// Sum adds up the steps' costs, sizes in bytes; sure is false when some
// step's cost is not known yet.
func (p *Plan) Sum() (download, disk int64, minutes float64, sure bool) {
	sure = true
	for _, s := range p.Steps {
		download += s.Cost.DownloadBytes
		disk += s.Cost.DiskBytes
		minutes += s.Cost.Minutes
		sure = sure && !s.Cost.Estimated
	}
	return download, disk, minutes, sure
}

// choice is one applicable fix of a requirement.
type choice struct {
	manager  *pkgmgr.Manager // nil when it needs no package manager
	packages []string
	// before and after are the steps around the packages'.
	before, after []Step
}

// by reports whether the choice has packages of the manager.
func (c choice) by(m *pkgmgr.Manager) bool {
	return c.manager != nil && c.manager.Name == m.Name && c.manager.Target == m.Target
}

// inUse gives the managers of the wishes' first choices, in the order in which
// they are wired; one that works on several things stands there for each.
func inUse(wishes []*wish) []*pkgmgr.Manager {
	var list []*pkgmgr.Manager
	for _, m := range managers() {
		for _, w := range wishes {
			c := w.choices[0]
			if c.manager != nil && c.manager.Name == m.Name && !slices.ContainsFunc(list, c.by) {
				list = append(list, c.manager)
			}
		}
	}
	return list
}

// wish is a requirement to be mended and the fixes that could.
type wish struct {
	finding judge.Finding
	manual  string
	choices []choice
}

// MakePlan turns the failing and warning findings into steps. For each it takes
// the first fix whose package manager is among the facts and whose distribution
// fits; packages of one manager become one step, and what is fetched, unpacked
// or built follows in steps of its own. A package that fresh lists do not know
// moves the requirement to its next fix. It changes nothing. A recipe with a
// package name that is no package name is an error.
func MakePlan(ctx context.Context, j *judge.Judgement, h *host.Host, places Places) (*Plan, error) {
	return MakePlanFrom(ctx, j, h, places, Sources{})
}

func makePlan(ctx context.Context, j *judge.Judgement, h *host.Host, places Places, with []*pkgmgr.Manager) (*Plan, error) {
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
		r := reqs[f.ID]
		if r == nil {
			plan.Manual = append(plan.Manual, Manual{Requirement: f.ID, Title: f.Title, Reason: "it is not a line of the recipe", Do: f.Fix})
			continue
		}
		w := &wish{finding: f, manual: r.Manual}
		if r.Component != nil {
			w.manual = cmp.Or(judge.OnJetson(r.Component.Name, j.Facts), r.Manual)
		}
		reason := "the recipe has no automatic fix for it"
		if len(r.Fix) > 0 {
			reason = "no fix in the recipe fits this system and its package managers"
		}
		for _, fix := range r.Fix {
			c, err := applicable(ctx, fix, around, with)
			var cannot *Failure
			if errors.As(err, &cannot) {
				reason = cannot.Error()
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("recipe %s, requirement %s: %w", j.Recipe.Name, r.ID, err)
			}
			if c != nil {
				w.choices = append(w.choices, *c)
			}
		}
		if len(w.choices) == 0 {
			plan.giveUp(w, reason)
			continue
		}
		wishes = append(wishes, w)
	}
	for len(wishes) > 0 {
		again, err := plan.round(ctx, h, j.Facts, &wishes)
		if err != nil {
			return nil, err
		}
		if !again {
			break
		}
	}
	plan.surround(wishes)
	order := map[string]int{}
	for i, f := range j.Findings {
		order[f.ID] = i
	}
	sort.SliceStable(plan.Manual, func(a, b int) bool { return order[plan.Manual[a].Requirement] < order[plan.Manual[b].Requirement] })
	err := plan.elevate(ctx, h, j.Facts.OS.User)
	return plan, err
}

func (p *Plan) giveUp(w *wish, reason string) {
	do := w.manual
	if do == "" {
		do = w.finding.Fix
	}
	p.Manual = append(p.Manual, Manual{Requirement: w.finding.ID, Title: w.finding.Title, Reason: reason, Do: do})
}

// applicable gives the choice a fix offers on this host, nil for none. The error
// is a *Failure when this machine lacks what only the fix needs.
func applicable(ctx context.Context, fix recipes.Fix, around ways, with []*pkgmgr.Manager) (*choice, error) {
	c := &choice{}
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
		if fix.Installer != "" {
			target = around.setup(fix.Installer)
		}
		c.manager, c.packages = m.For(around.h, target), names
	}
	if named && c.manager == nil || !distroFits(fix.Distro, around.f.OS) {
		return nil, nil
	}
	var ok bool
	var err error
	c.before, c.after, ok, err = around.steps(ctx, fix)
	if err != nil || !ok || !named && len(c.before)+len(c.after) == 0 {
		return nil, err
	}
	return c, nil
}

func distroFits(distro []string, os facts.OS) bool {
	if len(distro) == 0 || slices.Contains(distro, os.ID) {
		return true
	}
	return slices.ContainsFunc(os.Like, func(like string) bool { return slices.Contains(distro, like) })
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
}

// round builds the steps for the wishes' first choices. It reports true when a
// choice turned out impossible and was dropped: then the plan must be built
// again from what is left.
func (p *Plan) round(ctx context.Context, h *host.Host, f *facts.Facts, wishes *[]*wish) (again bool, err error) {
	p.Steps = nil
	used := map[string]int{}
	for _, m := range inUse(*wishes) {
		var mine []*wish
		var names []string
		for _, w := range *wishes {
			if w.choices[0].by(m) {
				mine = append(mine, w)
				names = append(names, w.choices[0].packages...)
			}
		}
		if len(mine) == 0 {
			continue
		}
		names = unique(names)
		tool := m.Find(ctx, h)
		installed, listErr := m.State(ctx, h, names)
		if listErr != nil && ctx.Err() != nil {
			return false, fmt.Errorf("plan with %s: %w", m.Name, ctx.Err())
		}
		if failure := new(Failure); errors.As(listErr, &failure) && failure.Kind == step.NoPrivilege {
			// What was done could not be told afterwards.
			return p.drop(wishes, func(w *wish) string {
				if w.choices[0].by(m) {
					return failure.Error()
				}
				return ""
			}), nil
		}
		var damage pkgmgr.Damage
		if m.Damage != nil && listErr == nil {
			if damage, err = m.Damage(ctx, h); err != nil {
				return false, fmt.Errorf("plan with %s: %w", m.Name, err)
			}
		}
		lists := pkgmgr.Lists{Present: true, Fresh: true}
		if m.Fresh != nil {
			lists = m.Fresh(ctx, h)
		}

		var quote pkgmgr.Quote
		note := ""
		switch {
		case listErr != nil:
			note = "unknown: " + reason(listErr)
		case m.Quote == nil:
			note = m.Name + " does not tell before it starts"
		case !lists.Present:
			note = "unknown until the package lists are fetched"
		default:
			var qerr error
			quote, qerr = m.Quote(ctx, h, tool, names)
			var failure *Failure
			switch {
			case qerr != nil && ctx.Err() != nil:
				return false, fmt.Errorf("plan with %s: %w", m.Name, ctx.Err())
			case errors.As(qerr, &failure):
				note = "unknown: " + failure.Cause
			case qerr != nil:
				note = "unknown: " + reason(qerr)
			case len(quote.NotFound) > 0 && lists.Fresh:
				dropped := p.drop(wishes, func(w *wish) string {
					if !w.choices[0].by(m) {
						return ""
					}
					for _, n := range quote.NotFound {
						if slices.Contains(w.choices[0].packages, n) {
							return "package " + n + " is not in " + cmp.Or(m.Sources, "this system's sources")
						}
					}
					return ""
				})
				if dropped {
					return true, nil
				}
				note = "unknown: " + strings.Join(quote.NotFound, ", ") + " not found"
			case len(quote.NotFound) > 0:
				note = "unknown until the package lists are fetched again"
			case len(quote.Remove) > 0:
				reason := "installing it would remove " + strings.Join(quote.Remove, ", ") + ", which deployctl does not do"
				return p.drop(wishes, func(w *wish) string {
					if w.choices[0].by(m) {
						return reason
					}
					return ""
				}), nil
			}
		}

		// Left out: what is installed and would not change. Passing it would
		// mark it as wanted by hand and change what autoremove does later.
		changes := map[string]bool{}
		for _, c := range quote.Change {
			changes[c.Name] = true
		}
		stays := func(n string) bool { return installed[n].Ready && !changes[n] }
		if listErr == nil && (note == "" || m.Quote == nil || !lists.Present) {
			if p.drop(wishes, func(w *wish) string {
				if !w.choices[0].by(m) || len(w.choices[0].after) > 0 || slices.ContainsFunc(w.choices[0].packages, func(n string) bool { return !stays(n) }) {
					return ""
				}
				return "its packages (" + strings.Join(w.choices[0].packages, ", ") + ") are installed already, so installing them changes nothing"
			}) {
				return true, nil
			}
			names = slices.DeleteFunc(names, stays)
		}
		if len(names) == 0 {
			continue // a build whose packages are all there
		}

		ids := make([]string, len(mine))
		for i, w := range mine {
			ids[i] = w.finding.ID
		}
		p.repair(m, tool, damage, ids)
		if m.Refresh != nil && (!lists.Fresh || len(quote.NotFound) > 0) {
			p.Steps = append(p.Steps, Step{
				ID: m.Name + ".update", Title: "Fetch the package lists", Effect: step.Write,
				Needs: needs(m, step.Network), Requirements: ids, Mechanism: m.Name, Action: step.Refresh,
				Cost: Cost{DownloadBytes: 10e6, DiskBytes: 50e6, Minutes: 0.2, Estimated: true, Note: "a guess for the main archive; each further source adds its own list"},
				Argv: m.Argv(tool, m.Refresh()),
				Undo: "nothing to undo: the lists are a cache",
			})
		}
		cost := Cost{DownloadBytes: quote.DownloadBytes, DiskBytes: quote.DiskBytes, Minutes: step.Minutes(quote.DownloadBytes, quote.DiskBytes), Note: note, Estimated: note != ""}
		if note != "" {
			cost.Minutes = 0 // a guess about nothing
		} else if !lists.Fresh {
			cost.Note = "by package lists older than a day"
		}
		undo := "deployctl undo removes exactly the packages this step adds, unless something else needs them by then"
		if m.Remove == nil {
			undo = "by hand: " + m.NoRemove
		}
		for i, batch := range batches(m, names) {
			id := m.Name + ".install"
			if m.Alone {
				id, quote = id+"."+batch[0], pkgmgr.Quote{}
			}
			if used[id]++; used[id] > 1 {
				id = fmt.Sprintf("%s-%d", id, used[id]) // another target
			}
			if i > 0 {
				cost = Cost{Note: note, Estimated: note != ""} // told with the first
			}
			p.Steps = append(p.Steps, Step{
				ID: id, Title: title(batch, quote), Effect: step.Write,
				Needs: needs(m, step.Network), Requirements: serves(mine, batch), Mechanism: m.Name, Action: step.Install, Packages: batch,
				Target: m.Target, Note: m.Note, Cost: cost, Argv: m.Argv(tool, m.Install(batch)), Undo: undo,
			})
		}
	}
	return false, nil
}

// batches are the packages of one command each.
func batches(m *pkgmgr.Manager, names []string) [][]string {
	if !m.Alone {
		return [][]string{names}
	}
	return slices.Collect(slices.Chunk(names, 1))
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
		p.Steps = append(p.Steps, Step{
			ID: m.Name + ".configure", Title: "Finish the package installation that was interrupted", Effect: step.Write,
			Needs: needs(m), Requirements: ids, Mechanism: m.Name, Action: step.Configure,
			Cost: Cost{Minutes: 0.5, Estimated: true, Note: "the files are on the disk already"},
			Argv: m.Argv(m.Configure()[0], m.Configure()[1:]),
			Undo: "nothing to undo: it finishes what another run began",
		})
	}
	if len(d.Broken) > 0 && m.FixBroken != nil {
		p.Steps = append(p.Steps, Step{
			ID: m.Name + ".fix-broken", Title: "Complete the packages left half installed: " + some(d.Broken, 5), Effect: step.Write,
			Needs: needs(m, step.Network), Requirements: ids, Mechanism: m.Name, Action: step.FixBroken,
			Cost: Cost{Minutes: 0.5, Estimated: true, Note: "left out when finishing the interrupted run mends them"},
			Argv: m.Argv(tool, m.FixBroken()),
			Undo: "deployctl undo removes exactly the packages this step adds",
		})
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
		dropped = true
		if w.choices = w.choices[1:]; len(w.choices) > 0 {
			kept = append(kept, w)
			continue
		}
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
			return fmt.Errorf("find a way to become administrator: %w", err)
		}
		return nil
	}
	p.Elevation = method
	for i, s := range p.Steps {
		if s.NeedsAny(step.Admin) {
			p.Steps[i].Argv = method.Wrap(s.Argv)
		}
	}
	return nil
}

func needs(m *pkgmgr.Manager, more ...step.Need) []step.Need {
	list := []step.Need{}
	if m.Admin {
		list = append(list, step.Admin)
	}
	return append(list, more...)
}

func title(names []string, q pkgmgr.Quote) string {
	t := "Install " + some(names, 6)
	if more := len(q.Change) - len(names); more > 0 {
		t += fmt.Sprintf(" and %d packages they need", more)
		if more == 1 {
			t = strings.Replace(t, "1 packages they need", "1 package they need", 1)
		}
	}
	return t
}

func some(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}

// reason is the innermost sentence for people.
func reason(err error) string {
	if errors.Is(err, host.ErrNotRecorded) {
		return "the snapshot does not say"
	}
	return err.Error()
}

func unique(names []string) []string {
	out := slices.Clone(names)
	sort.Strings(out)
	return slices.Compact(out)
}
