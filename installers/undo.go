package installers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// AllRuns asks PlanUndo for everything deployctl ever added.
const AllRuns = "all"

// PlanUndo makes the plan that takes back what the journal says was added.
// which is a run's id, AllRuns, or "" for the latest run that added anything
// still there. It refuses with Changed when a package has another version by
// now, or when something outside what is being taken back needs it. What was
// changed to a newer version stays: an older one is not safe to go back to.
//
// Steps come in the reverse order of what they take back. But all packages of
// one manager go in one transaction: after a repair an earlier record's package
// may need a later one's, so no order of single removals is right for all of
// them; the transaction has the place of the manager's last use.
func PlanUndo(ctx context.Context, h *host.Host, user facts.User, records []Record, which string) (*Plan, error) {
	undone := undoneBy(records)
	plan := &Plan{}
	var order []func() ([]Step, error)
	taken := map[string]*removal{}
	for i := len(records) - 1; i >= 0; i-- {
		r := records[i]
		if r.Event == Started || r.Step.Action == step.Remove || len(r.Added)+len(r.Changed) == 0 || undone[r.Key()] {
			continue
		}
		if which != AllRuns && which != "" && r.Run != which {
			continue
		}
		m := managerOf(h, r.Step.Mechanism, r.Step.Target)
		if m == nil {
			s, err := takeBack(ctx, h, r)
			if err != nil {
				return nil, err
			}
			if s != nil {
				order = append(order, func() ([]Step, error) { return []Step{*s}, nil })
				which = cmp.Or(which, r.Run)
			}
			continue
		}
		key := m.Name + "\x00" + m.Target
		t := taken[key]
		if t == nil {
			t = &removal{m: m}
			taken[key] = t
			order = append(order, func() ([]Step, error) { return t.steps(ctx, h, plan) })
		}
		found, err := t.add(ctx, h, r)
		if err != nil {
			return nil, err
		}
		if found {
			which = cmp.Or(which, r.Run)
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

// takeBack makes the step that takes back what a worker's record made; nil when
// nothing of it is left. It refuses with Changed when somebody else changed it.
func takeBack(ctx context.Context, h *host.Host, r Record) (*Step, error) {
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
	s.Take = slices.DeleteFunc(s.Take, func(t step.Take) bool { _, there := now[t.Name]; return !there })
	if len(s.Take) == 0 {
		return nil, nil
	}
	var names []string
	for _, t := range s.Take {
		if now[t.Name] != t.Version {
			return nil, &Failure{Kind: step.Changed, Cause: t.Name + " was changed since deployctl made it", Next: "look at it and take it back by hand if it is not wanted"}
		}
		names = append(names, t.Name)
	}
	s.ID = r.Step.ID + ".undo"
	s.Title = "Take back " + some(names, 4)
	s.Needs, s.Requirements = []step.Need{}, r.Step.Requirements
	s.Cost = Cost{Minutes: 0.1, Note: "gives room back"}
	s.Undo = "deployctl doctor --fix makes it again"
	s.Undoes = []string{r.Key()}
	return &s, nil
}

// removal gathers what one manager would take back.
type removal struct {
	m         *pkgmgr.Manager
	installed map[string]pkgmgr.Installed
	names     []string
	keys      []string
	serves    []string
	// keep: some package had configuration of the user's before.
	keep bool
}

// add takes in a record; false when nothing of it is left.
func (t *removal) add(ctx context.Context, h *host.Host, r Record) (bool, error) {
	if t.installed == nil || t.m.Installed == nil {
		var names []string
		for _, p := range r.Added {
			names = append(names, p.Name)
		}
		var err error
		if t.installed, err = t.m.State(ctx, h, names); err != nil {
			return false, fmt.Errorf("undo with %s: %w", t.m.Name, err)
		}
	}
	found := false
	for _, p := range r.Added {
		now, ok := t.installed[p.Name]
		if !ok || now.Leftover {
			continue
		}
		if now.Version != p.Version {
			return false, &Failure{Kind: step.Changed,
				Cause: fmt.Sprintf("%s was installed by deployctl as %s and is %s now", p.Name, p.Version, now.Version),
				Next:  "somebody else changed it since, so remove it by hand if it is not wanted"}
		}
		found = true
		t.names = append(t.names, p.Name)
		t.keep = t.keep || slices.Contains(r.Leftover, p.Name)
	}
	if found {
		t.keys = append(t.keys, r.Key())
		t.serves = append(t.serves, r.Step.Requirements...)
	}
	return found, nil
}

// steps makes the removal, nothing when there is nothing to remove. What the
// manager cannot remove is left to a person, in the plan.
func (t *removal) steps(ctx context.Context, h *host.Host, plan *Plan) ([]Step, error) {
	m, names := t.m, unique(t.names)
	if len(names) == 0 {
		return nil, nil
	}
	if err := m.CheckNames(names); err != nil {
		return nil, fmt.Errorf("undo with %s: %w", m.Name, err)
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
	var steps []Step
	for _, batch := range batches(m, names) {
		var args []string
		if m.Remove != nil {
			// Configuration goes too, unless some was there before.
			args = m.Remove(batch, !t.keep)
		}
		if args == nil {
			plan.Manual = append(plan.Manual, Manual{Requirement: m.Name + ".remove", Title: "Remove " + some(batch, 6),
				Reason: m.Name + " cannot remove " + some(batch, 6) + " by itself", Do: m.NoRemove})
			continue
		}
		id := m.Name + ".remove"
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
	if len(steps) > 0 {
		// The last one closes the records: a run that stops half way is taken
		// up again by the next undo.
		steps[len(steps)-1].Undoes = t.keys
	}
	return steps, nil
}

// WasStopped reports whether the error is the user's own stop.
func WasStopped(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Kind == step.Cancelled
}
