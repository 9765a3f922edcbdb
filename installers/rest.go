package installers

import (
	"context"
	"slices"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// PlanRest plans what is left of runs that failed or were killed and that a recipe
// does not ask for: packages that work already, and that their manager has not
// configured, or will not work beside, unless a plan with steps of its own does that
// first (planned); and packages that work, but that a removal had marked.
func PlanRest(ctx context.Context, h *host.Host, user facts.User, records []Record, planned bool) (*Plan, error) {
	plan, seen := &Plan{}, map[string]bool{}
	for _, rec := range records {
		m := managerOf(h, rec.Step.Mechanism, rec.Step.Target)
		if m == nil || m.Damage == nil || m.Configure == nil || seen[m.Name] || rec.Event == Done || rec.Event == Skipped {
			continue
		}
		seen[m.Name] = true
		removing := removing(records, m.Name)
		if planned && len(removing) == 0 {
			continue
		}
		if m.Busy != nil && m.Busy(ctx, h) != "" {
			continue
		}
		d, err := m.Damage(ctx, h)
		if err != nil {
			return nil, lang.Errorf("plan with %s: %w", m.Name, err)
		}
		d.Broken = slices.DeleteFunc(d.Broken, func(n string) bool { return !madeBy(records, m.Name, n) })
		ids := rec.Step.Requirements
		if !planned {
			plan.repair(m, m.Find(ctx, h), d, ids)
		}
		for i := range plan.Steps {
			if s := &plan.Steps[i]; s.Action == step.FixBroken {
				s.Packages = d.Broken
			}
		}
		marked := slices.DeleteFunc(d.Marked, func(n string) bool { return !slices.Contains(removing, n) })
		if m.Keep != nil && len(marked) > 0 {
			plan.Steps = append(plan.Steps, m.Unmark(marked, ids))
		}
	}
	return plan, plan.elevate(ctx, h, user)
}

// removing are the packages of removals that did not end well.
func removing(records []Record, mechanism string) (names []string) {
	done := map[string]bool{}
	for _, r := range records {
		done[r.Key()] = done[r.Key()] || r.Event == Done
	}
	for _, r := range records {
		if r.Step.Mechanism == mechanism && r.Step.Action == step.Remove && !done[r.Key()] {
			names = append(names, r.Step.Packages...)
		}
	}
	return names
}

// madeBy reports whether a package is of a step of the history: added or changed,
// or come during a step that nobody closed.
func madeBy(records []Record, mechanism, name string) bool {
	is := func(p Package) bool { return p.Name == name }
	for _, r := range records {
		if r.Step.Mechanism == mechanism && (slices.ContainsFunc(r.Added, is) || slices.ContainsFunc(r.Changed, is)) {
			return true
		}
	}
	return slices.ContainsFunc(Unfinished(records), func(r Record) bool {
		_, before := r.Before[name]
		return r.Step.Mechanism == mechanism && !before
	})
}
