package installers

import (
	"context"
	"fmt"
	"slices"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
)

// PlanRest plans what is left of runs that failed or were killed when a recipe asks
// for nothing more: packages that work already, and that their manager has not
// configured, or will not work beside.
func PlanRest(ctx context.Context, h *host.Host, user facts.User, records []Record) (*Plan, error) {
	plan, seen := &Plan{}, map[string]bool{}
	for _, rec := range records {
		m := managerOf(h, rec.Step.Mechanism, rec.Step.Target)
		if m == nil || m.Damage == nil || m.Configure == nil || seen[m.Name] || rec.Event == Done || rec.Event == Skipped {
			continue
		}
		seen[m.Name] = true
		if m.Busy != nil && m.Busy(ctx, h) != "" {
			continue
		}
		d, err := m.Damage(ctx, h)
		if err != nil {
			return nil, fmt.Errorf("plan with %s: %w", m.Name, err)
		}
		d.Broken = slices.DeleteFunc(d.Broken, func(n string) bool { return !madeBy(records, m.Name, n) })
		ids := rec.Step.Requirements
		plan.repair(m, m.Find(ctx, h), d, ids)
		for i := range plan.Steps {
			if s := &plan.Steps[i]; s.Action == step.FixBroken {
				s.Packages = d.Broken
			}
		}
	}
	return plan, plan.elevate(ctx, h, user)
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
