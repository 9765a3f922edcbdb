package installers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
)

// AllRuns asks PlanUndo for everything deployctl ever added.
const AllRuns = "all"

// PlanUndo makes the plan that takes back what the journal says was added, the
// last first. which is a run's id, AllRuns, or "" for the latest run that added
// anything still there. It refuses with Changed when a package has another
// version by now, or when something that deployctl did not add needs it. What
// was changed to a newer version stays: an older one is not safe to go back to.
func PlanUndo(ctx context.Context, h *host.Host, user facts.User, records []Record, which string) (*Plan, error) {
	plan := &Plan{}
	undone := map[string]bool{}
	for _, r := range records {
		if r.Event == Done && r.Step.Undoes != "" {
			undone[r.Step.Undoes] = true
		}
	}
	gone := map[string]bool{} // removed by an earlier step of this plan
	for i := len(records) - 1; i >= 0; i-- {
		r := records[i]
		if r.Event == Started || r.Step.Action == step.Remove || len(r.Added) == 0 || undone[r.Key()] {
			continue
		}
		if which != AllRuns && which != "" && r.Run != which {
			continue
		}
		s, err := undoStep(ctx, h, r, gone)
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue
		}
		if which == "" {
			which = r.Run
		}
		plan.Steps = append(plan.Steps, *s)
	}
	if err := plan.elevate(ctx, h, user); err != nil {
		return nil, err
	}
	return plan, nil
}

// undoStep makes the removal for one record, nil when nothing of it is left.
func undoStep(ctx context.Context, h *host.Host, r Record, gone map[string]bool) (*Step, error) {
	m := managerOf(r.Step.Mechanism)
	if m == nil {
		return nil, fmt.Errorf("undo %s: no mechanism is called %q", r.Key(), r.Step.Mechanism)
	}
	installed, err := m.Installed(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("undo %s: %w", r.Key(), err)
	}
	var names []string
	for _, p := range r.Added {
		now, ok := installed[p.Name]
		if !ok || now.Leftover || gone[p.Name] {
			continue
		}
		if now.Version != p.Version {
			return nil, &Failure{Kind: step.Changed,
				Cause: fmt.Sprintf("%s was installed by deployctl as %s and is %s now", p.Name, p.Version, now.Version),
				Next:  "somebody else changed it since, so remove it by hand if you want"}
		}
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return nil, nil
	}
	if err := m.CheckNames(names); err != nil {
		return nil, fmt.Errorf("undo %s: %w", r.Key(), err)
	}
	tool := m.Find(ctx, h)
	if m.QuoteRemove != nil {
		all := append(slices.Clone(names), keys(gone)...)
		remove, err := m.QuoteRemove(ctx, h, tool, all)
		if err != nil {
			return nil, fmt.Errorf("undo %s: %w", r.Key(), err)
		}
		extra := slices.DeleteFunc(remove, func(n string) bool { return slices.Contains(all, n) })
		if len(extra) > 0 {
			return nil, &Failure{Kind: step.Changed,
				Cause: "packages that deployctl did not add need these by now: " + strings.Join(extra, ", "),
				Next:  "remove them first if they are not wanted, then undo again"}
		}
	}
	for _, n := range names {
		gone[n] = true
	}
	// Configuration goes too, unless some was there before the installation.
	purge := !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(r.Leftover, n) })
	return &Step{
		ID: m.Name + ".remove." + strings.ReplaceAll(r.Key(), "/", "."), Title: "Remove " + some(names, 6) + ", added by " + r.Step.ID + " on " + r.Time.Local().Format("2 Jan 2006 15:04"),
		Effect: step.Destructive, Needs: needs(m), Requirements: r.Step.Requirements, Mechanism: m.Name, Action: step.Remove, Packages: names,
		Cost:   Cost{Minutes: 0.2, Note: "gives room back"},
		Argv:   m.Argv(tool, m.Remove(names, purge)),
		Undo:   "deployctl doctor --fix installs them again",
		Undoes: r.Key(),
	}, nil
}

func keys(set map[string]bool) []string {
	var list []string
	for k := range set {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
