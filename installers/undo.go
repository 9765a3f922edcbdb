package installers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// AllRuns asks PlanUndo for everything deployctl ever added.
const AllRuns = "all"

// Undo says what PlanUndo is to take back.
type Undo struct {
	// Run is a run's id, AllRuns, or "" for the latest run that added anything
	// still there.
	Run string
	// Purge takes edited configuration files, too.
	Purge bool
}

// UnknownRunError is a run that the journal does not have.
type UnknownRunError struct{ Run string }

func (e *UnknownRunError) Error() string {
	return fmt.Sprintf("no run is called %s; deployctl history lists the runs", strconv.Quote(e.Run))
}

// Kept is something that an undo leaves where it is.
type Kept struct {
	Names []string `json:"names"`
	// Why ends the sentence "stays, because …".
	Why string `json:"why"`
}

// PlanUndo makes the plan that takes back what the journal says was added. What
// somebody changed since, and what something else needs by now, stays, and the
// plan says why. What was changed to a newer version stays: an older one is not
// safe to go back to.
//
// Steps come in the reverse order of what they take back. But all packages of
// one manager go in one transaction: after a repair an earlier record's package
// may need a later one's, so no order of single removals is right for all of
// them; the transaction has the place of the manager's last use.
func PlanUndo(ctx context.Context, h *host.Host, user facts.User, records []Record, u Undo) (*Plan, error) {
	if u.Run != "" && u.Run != AllRuns && !slices.ContainsFunc(records, func(r Record) bool { return r.Run == u.Run }) {
		return nil, &UnknownRunError{u.Run}
	}
	undone := undoneBy(records)
	plan := &Plan{}
	var order []func() ([]Step, error)
	taken := map[string]*removal{}
	for i := len(records) - 1; i >= 0; i-- {
		r := records[i]
		if r.Event == Started || r.Step.Action == step.Remove || len(r.Added)+len(r.Changed) == 0 || undone[r.Key()] {
			continue
		}
		if u.Run != AllRuns && u.Run != "" && r.Run != u.Run {
			continue
		}
		m := managerOf(h, r.Step.Mechanism, r.Step.Target)
		if m == nil {
			s, err := takeBack(ctx, h, r, plan)
			if err != nil {
				return nil, err
			}
			if s != nil {
				order = append(order, func() ([]Step, error) { return []Step{*s}, nil })
				u.Run = cmp.Or(u.Run, r.Run)
			}
			continue
		}
		key := m.Name + "\x00" + m.Target
		t := taken[key]
		if t == nil {
			t = &removal{m: m, purge: u.Purge, soft: map[string]bool{}, records: map[string][]string{}}
			taken[key] = t
			order = append(order, func() ([]Step, error) { return t.steps(ctx, h, plan) })
		}
		found, err := t.add(ctx, h, r, plan)
		if err != nil {
			return nil, err
		}
		if found {
			u.Run = cmp.Or(u.Run, r.Run)
		}
	}
	for _, make := range order {
		steps, err := make()
		if err != nil {
			return nil, err
		}
		plan.Steps = append(plan.Steps, steps...)
	}
	if err := plan.elevate(ctx, h, user); err != nil {
		return nil, err
	}
	return plan, nil
}

// keep notes what stays; names with the same reason share a line.
func (p *Plan) keep(why, name string) {
	i := slices.IndexFunc(p.Kept, func(k Kept) bool { return k.Why == why })
	if i < 0 {
		i, p.Kept = len(p.Kept), append(p.Kept, Kept{Why: why})
	}
	if !slices.Contains(p.Kept[i].Names, name) {
		p.Kept[i].Names = append(p.Kept[i].Names, name)
	}
}

// takeBack makes the step that takes back what a worker's record made; nil when
// nothing of it is left. What somebody else changed stays.
func takeBack(ctx context.Context, h *host.Host, r Record, plan *Plan) (*Step, error) {
	w := (&run{Applier: &Applier{Host: h}}).workers()[r.Step.Mechanism]
	if w == nil {
		return nil, fmt.Errorf("undo: no mechanism is called %q", r.Step.Mechanism)
	}
	s := Step{Mechanism: r.Step.Mechanism, Action: step.Remove, Effect: step.Destructive, Env: r.Step.Env}
	for _, p := range append(slices.Clone(r.Added), r.Changed...) {
		s.Take = append(s.Take, step.Take(p))
	}
	now, err := w.State(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("undo %s: %w", r.Step.ID, err)
	}
	var names []string
	all := true
	s.Take = slices.DeleteFunc(s.Take, func(t step.Take) bool {
		version, there := now[t.Name]
		switch {
		case !there:
			return true
		case version != t.Version:
			plan.keep("changed since deployctl made it", t.Name)
			all = false
			return true
		}
		names = append(names, t.Name)
		return false
	})
	if len(s.Take) == 0 {
		return nil, nil
	}
	s.ID = r.Step.ID + ".undo"
	s.Title = "Take back " + some(names, 4)
	s.Needs, s.Requirements = []step.Need{}, r.Step.Requirements
	s.Cost = Cost{Minutes: 0.1, Note: "gives room back"}
	s.Undo = "deployctl doctor --fix makes it again"
	if all {
		s.Undoes = []string{r.Key()}
	}
	return &s, nil
}

// removal gathers what one manager would take back.
type removal struct {
	m         *pkgmgr.Manager
	purge     bool // edited configuration goes, too
	installed map[string]pkgmgr.Installed
	names     []string
	// soft are the packages whose configuration stays: it was there before, or
	// somebody edited it.
	soft map[string]bool
	// records are the packages of each record that is taken back whole.
	records map[string][]string
	serves  []string
}

// add takes in a record; false when nothing of it is to be removed.
func (t *removal) add(ctx context.Context, h *host.Host, r Record, plan *Plan) (bool, error) {
	var names []string
	for _, p := range r.Added {
		names = append(names, p.Name)
	}
	var err error
	if t.installed == nil || t.m.Installed == nil {
		if t.installed, err = t.m.State(ctx, h, names); err != nil {
			return false, fmt.Errorf("undo with %s: %w", t.m.Name, err)
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { _, ok := t.installed[n]; return !ok })
	edited := map[string]string{}
	if t.m.Edited != nil && !t.purge {
		if edited, err = t.m.Edited(ctx, h, names); err != nil {
			return false, fmt.Errorf("undo with %s: %w", t.m.Name, err)
		}
	}
	found, whole := false, true
	for _, p := range r.Added {
		now, ok := t.installed[p.Name]
		before := slices.Contains(r.Leftover, p.Name)
		file, mine := edited[p.Name]
		if mine {
			plan.keep("edited since it was installed (undo --purge removes it)", file)
			whole = false
		}
		switch {
		case !ok, now.Leftover && (before || mine):
			continue
		case !now.Leftover && now.Version != p.Version:
			plan.keep("upgraded or changed since deployctl installed it", p.Name)
			whole = false
			continue
		}
		found = true
		t.names = append(t.names, p.Name)
		t.soft[p.Name] = t.soft[p.Name] || before || mine
	}
	if found {
		t.serves = append(t.serves, r.Step.Requirements...)
	}
	if found && whole {
		t.records[r.Key()] = names
	}
	return found, nil
}

// steps makes the removals, nothing when there is nothing to remove. What the
// manager cannot remove is left to a person, in the plan.
func (t *removal) steps(ctx context.Context, h *host.Host, plan *Plan) ([]Step, error) {
	m := t.m
	names, err := t.free(ctx, h, plan)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	tool := m.Find(ctx, h)
	if m.QuoteRemove != nil {
		remove, err := m.QuoteRemove(ctx, h, tool, names)
		if err != nil {
			return nil, fmt.Errorf("undo with %s: %w", m.Name, err)
		}
		extra := slices.DeleteFunc(remove, func(n string) bool { return slices.Contains(names, n) })
		if len(extra) > 0 {
			return nil, &Failure{Kind: step.Changed,
				Cause: "packages that are not being undone need these by now: " + some(extra, 8),
				Next:  "remove them first if they are not wanted (or undo all runs together), then undo again"}
		}
	}
	// Those whose configuration stays go first: the removal of what they need
	// would take them with it, and their configuration, too.
	var soft, rest []string
	for _, n := range names {
		if t.soft[n] {
			soft = append(soft, n)
		} else {
			rest = append(rest, n)
		}
	}
	steps := t.remove(soft, ".keeping", false, tool, plan)
	steps = append(steps, t.remove(rest, "", true, tool, plan)...)
	if len(steps) > 0 {
		// The last one closes the records: a run that stops half way is taken
		// up again by the next undo.
		steps[len(steps)-1].Undoes = slices.Sorted(maps.Keys(t.records))
	}
	return steps, nil
}

// free are the packages to remove, without those that something else needs.
func (t *removal) free(ctx context.Context, h *host.Host, plan *Plan) ([]string, error) {
	names := unique(t.names)
	if len(names) == 0 {
		return nil, nil
	}
	if err := t.m.CheckNames(names); err != nil {
		return nil, fmt.Errorf("undo with %s: %w", t.m.Name, err)
	}
	if t.m.Needed == nil {
		return names, nil
	}
	by, err := t.m.Needed(ctx, h, names)
	if err != nil {
		return nil, fmt.Errorf("undo with %s: %w", t.m.Name, err)
	}
	for _, n := range names {
		if who, ok := by[n]; ok {
			plan.keep(who+" needs it", n)
		}
	}
	for key, of := range t.records {
		if slices.ContainsFunc(of, func(n string) bool { _, ok := by[n]; return ok }) {
			delete(t.records, key)
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { _, ok := by[n]; return ok }), nil
}

func (t *removal) remove(names []string, suffix string, purge bool, tool string, plan *Plan) []Step {
	m := t.m
	var steps []Step
	for _, batch := range batches(m, names) {
		var args []string
		if m.Remove != nil {
			args = m.Remove(batch, purge)
		}
		if args == nil {
			plan.Manual = append(plan.Manual, Manual{Requirement: m.Name + ".remove", Title: "Remove " + some(batch, 6),
				Reason: m.Name + " cannot remove " + some(batch, 6) + " by itself", Do: m.NoRemove})
			continue
		}
		id := m.Name + ".remove" + suffix
		if m.Alone {
			id += "." + batch[0]
		}
		steps = append(steps, Step{
			ID: id, Title: "Remove " + some(batch, 6) + ", which deployctl added",
			Effect: step.Destructive, Needs: needs(m), Requirements: unique(t.serves), Mechanism: m.Name, Action: step.Remove, Packages: batch,
			Target: m.Target, Note: m.Note, Cost: Cost{Minutes: 0.2, Note: "gives room back"},
			Argv: m.Argv(tool, args),
			Undo: "deployctl doctor --fix installs them again",
		})
	}
	return steps
}

// WasStopped reports whether the error is the user's own stop.
func WasStopped(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Kind == step.Cancelled
}
