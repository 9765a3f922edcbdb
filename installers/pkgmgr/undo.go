package pkgmgr

import (
	"context"
	"maps"
	"slices"

	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Undo plans the removal of what the records added, all of it in one
// transaction: after a repair an earlier record's package may need a later
// one's, so no order of single removals is right for all of them. What somebody
// changed since, and what something else needs, stays. What was changed to a
// newer version stays: an older one is not safe to go back to.
func (m Mechanism) Undo(ctx context.Context, made []mechanism.Made, purge bool) (mechanism.Undoing, error) {
	t := &removal{m: m, purge: purge, soft: map[string]bool{}, records: map[string][]string{}}
	var u mechanism.Undoing
	for _, r := range made {
		for _, p := range r.Changed {
			t.changed = append(t.changed, step.Package{Name: p.Name, Version: p.Version})
		}
	}
	for _, r := range made {
		found, err := t.add(ctx, r)
		if err != nil {
			return u, err
		}
		u.Found = u.Found || found
	}
	steps, err := t.steps(ctx)
	for _, s := range steps {
		u.Steps = append(u.Steps, mechanism.Back{Step: s})
	}
	u.Kept, u.Manual = t.kept, t.manual
	return u, err
}

// removal gathers what one manager would take back.
type removal struct {
	m         Mechanism
	purge     bool // edited configuration goes, too
	installed mechanism.State
	names     []string
	// changed are the versions that deployctl itself brought packages to.
	changed []step.Package
	// soft are the packages whose configuration stays: it was there before, or
	// somebody edited it.
	soft map[string]bool
	// records are the packages of each record that is taken back whole.
	records map[string][]string
	serves  []string
	kept    []mechanism.Kept
	manual  []mechanism.Manual
}

func (t *removal) keep(why, name string) { t.kept = mechanism.Keep(t.kept, why, name) }

// add takes in a record; false when nothing of it is to be removed.
func (t *removal) add(ctx context.Context, r mechanism.Made) (bool, error) {
	var names []string
	for _, p := range r.Added {
		names = append(names, p.Name)
	}
	var err error
	if t.installed == nil || t.m.Installed == nil {
		if t.installed, err = t.m.Manager.State(ctx, t.m.Host, names); err != nil {
			return false, lang.Errorf("undo with %s: %w", t.m.Name, err)
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { _, ok := t.installed[n]; return !ok })
	edited := map[string]string{}
	if t.m.Edited != nil && !t.purge {
		if edited, err = t.m.Edited(ctx, t.m.Host, names); err != nil {
			return false, lang.Errorf("undo with %s: %w", t.m.Name, err)
		}
	}
	found, whole := false, true
	for _, p := range r.Added {
		now, ok := t.installed[p.Name]
		before := slices.Contains(r.Leftover, p.Name)
		file, mine := edited[p.Name]
		if mine {
			t.keep(lang.T("edited since it was installed (undo --purge removes it)"), file)
			whole = false
		}
		switch {
		case !ok, now.Leftover && (before || mine):
			continue
		case !now.Leftover && now.Version != p.Version && !slices.Contains(t.changed, step.Package{Name: p.Name, Version: now.Version}):
			t.keep(lang.T("upgraded or changed since deployctl installed it"), p.Name)
			whole = false
			continue
		}
		found = true
		t.names = append(t.names, p.Name)
		t.soft[p.Name] = t.soft[p.Name] || before || mine
	}
	if found && t.m.Withdraw != nil { // a name that a package provides stays asked for
		for _, n := range r.Step.Packages {
			if _, ok := t.installed[n]; !ok {
				t.names = append(t.names, n)
			}
		}
	}
	if found {
		t.serves = append(t.serves, r.Step.Requirements...)
	}
	if found && whole {
		t.records[r.Key] = names
	}
	return found, nil
}

// steps makes the removals, nothing when there is nothing to remove. What the
// manager cannot remove is left to a person, in the plan.
func (t *removal) steps(ctx context.Context) ([]step.Step, error) {
	m := t.m
	names, err := t.free(ctx)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	tool := m.Find(ctx, m.Host)
	if m.QuoteRemove != nil {
		remove, err := m.QuoteRemove(ctx, m.Host, tool, names)
		if err != nil {
			return nil, lang.Errorf("undo with %s: %w", m.Name, err)
		}
		extra := slices.DeleteFunc(remove, func(n string) bool { return slices.Contains(names, n) })
		if len(extra) > 0 {
			return nil, &step.Failure{Kind: step.Changed,
				Cause: lang.F("packages that stay need these: %s", step.Some(extra, 8)),
				Next:  lang.T("remove them first if they are not wanted (or undo all runs together), then undo again")}
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
	steps, err := t.repair(ctx, names, tool)
	if err != nil {
		return nil, lang.Errorf("undo with %s: %w", m.Name, err)
	}
	steps = append(steps, t.remove(soft, ".keeping", false, tool)...)
	steps = append(steps, t.remove(rest, "", t.purge || !m.Saves, tool)...)
	if len(steps) > 0 {
		// The last one closes the records: a run that stops half way is taken
		// up again by the next undo.
		steps[len(steps)-1].Undoes = slices.Sorted(maps.Keys(t.records))
	}
	return steps, nil
}

// repair makes the steps without which the manager refuses to remove anything:
// finishing what was interrupted, and completing what is half unpacked. What that
// brings in is in the journal as added.
func (t *removal) repair(ctx context.Context, names []string, tool string) ([]step.Step, error) {
	m := t.m
	if m.Damage == nil || m.Configure == nil || m.Busy != nil && m.Busy(ctx, m.Host) != "" {
		return nil, nil
	}
	d, err := m.Damage(ctx, m.Host)
	torn := slices.DeleteFunc(d.Torn, func(n string) bool { return !slices.Contains(names, n) })
	if err != nil || !d.Journal && len(torn) == 0 {
		return nil, err
	}
	steps := []step.Step{m.Finish(step.Unique(t.serves))}
	if len(torn) > 0 && m.FixBroken != nil {
		complete := m.Complete(tool, torn, step.Unique(t.serves))
		complete.Packages = torn
		steps = append(steps, complete)
	}
	return steps, nil
}

// free are the packages to remove, without those that something else needs.
func (t *removal) free(ctx context.Context) ([]string, error) {
	names := step.Unique(t.names)
	if len(names) == 0 {
		return nil, nil
	}
	if err := t.m.CheckNames(names); err != nil {
		return nil, lang.Errorf("undo with %s: %w", t.m.Name, err)
	}
	if t.m.Needed == nil {
		return names, nil
	}
	by, err := t.m.Needed(ctx, t.m.Host, names)
	if err != nil {
		return nil, lang.Errorf("undo with %s: %w", t.m.Name, err)
	}
	for _, n := range names {
		if who, ok := by[n]; ok {
			t.keep(lang.F("%s needs it", who), n)
		}
	}
	for key, of := range t.records {
		if slices.ContainsFunc(of, func(n string) bool { _, ok := by[n]; return ok }) {
			delete(t.records, key)
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { _, ok := by[n]; return ok }), nil
}

func (t *removal) remove(names []string, suffix string, purge bool, tool string) []step.Step {
	m := t.m
	var steps []step.Step
	for _, batch := range m.Batches(names) {
		var args []string
		if m.Remove != nil {
			args = m.Remove(batch, purge)
		}
		if args == nil {
			t.manual = append(t.manual, mechanism.Manual{Requirement: m.Name + ".remove", Title: lang.F("Remove %s", step.Some(batch, 6)),
				Reason: lang.F("%s cannot remove %s by itself", m.Name, step.Some(batch, 6)), Do: m.NoRemove})
			continue
		}
		id := m.Name + ".remove" + suffix
		if m.Alone {
			id += "." + batch[0]
		}
		steps = append(steps, step.Step{
			ID: id, Title: lang.F("Remove %s, which deployctl added", step.Some(batch, 6)),
			Effect: step.Destructive, Needs: m.Needs(), Requirements: step.Unique(t.serves), Mechanism: m.Name, Action: step.Remove, Packages: batch,
			Target: m.Target, Note: m.Note, Cost: step.Cost{Minutes: 0.2, Note: lang.T("frees disk space")},
			Argv: m.Argv(tool, args),
			Undo: lang.T("deployctl doctor --fix installs them again"),
		})
	}
	return steps
}
