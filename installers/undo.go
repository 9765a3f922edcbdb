package installers

import (
	"context"
	"slices"
	"strconv"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/elevate"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/recipes/library/lang"
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
	return lang.F("no run is called %s; deployctl history lists the runs", strconv.Quote(e.Run))
}

// PlanUndo makes the plan that takes back what the journal says was added. What
// somebody changed since, and what something else needs, stays, and the plan says
// why. Steps come in the reverse order of what they take back.
func PlanUndo(ctx context.Context, h *host.Host, user facts.User, records []Record, u Undo) (*Plan, error) {
	if u.Run != "" && u.Run != AllRuns && !slices.ContainsFunc(records, func(r Record) bool { return r.Run == u.Run }) {
		return nil, &UnknownRunError{u.Run}
	}
	if _, err := elevate.Find(ctx, h, user); err != nil && (u.Run == "" || u.Run == AllRuns) {
		// Without a way to root, what runs as root did is not this user's to undo.
		records = slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.Shared })
	}
	undone := undoneBy(records)
	back := Returned(ctx, h, user, records)
	var open []Record // newest first
	for _, r := range slices.Backward(records) {
		if undone[r.Key()] {
			r.Added, r.Changed = back[r.Key()], nil
		}
		if r.made() && (u.Run == "" || u.Run == AllRuns || r.Run == u.Run) {
			open = append(open, r)
		}
	}
	plan := &Plan{}
	for len(open) > 0 {
		batch, rest := open, []Record(nil)
		if u.Run == "" { // run by run, until one has something left
			of := func(r Record) bool { return r.Run == open[0].Run }
			batch = slices.DeleteFunc(slices.Clone(open), func(r Record) bool { return !of(r) })
			rest = slices.DeleteFunc(slices.Clone(open), of)
		}
		found, err := plan.takeBack(ctx, tools{host: h}, batch, u.Purge)
		if err != nil {
			return nil, err
		}
		if found {
			break
		}
		open = rest
	}
	if err := plan.elevate(ctx, h, user); err != nil {
		return nil, err
	}
	return plan, nil
}

// takeBack plans the undo of records, newest first, all of one mechanism and
// target together. It reports whether anything of them was left.
func (p *Plan) takeBack(ctx context.Context, t tools, records []Record, purge bool) (found bool, err error) {
	type group struct {
		by   mechanism.Mechanism
		made []mechanism.Made
		at   []int
	}
	var groups []*group
	known := map[string]*group{}
	for i, r := range records {
		if r.Shared && !asRoot(r.Step) {
			for _, made := range slices.Concat(r.Added, r.Changed) {
				p.Kept = mechanism.Keep(p.Kept, lang.F("root made it: sudo deployctl undo --run %s takes it back", r.Run), made.Name)
			}
			continue
		}
		key := r.Step.Mechanism + "\x00" + r.Step.Target
		g := known[key]
		if g == nil {
			g = &group{by: t.mechanism(r.Step)}
			known[key] = g
			if g.by != nil {
				groups = append(groups, g)
			}
		}
		if g.by == nil { // an older deployctl's
			for _, added := range r.Added {
				p.Kept = mechanism.Keep(p.Kept, lang.F("this deployctl does not know how to remove what %s installed", r.Step.Mechanism), added.Name)
			}
			continue
		}
		g.made = append(g.made, mechanism.Made{Key: r.Key(), Step: r.Step, Added: r.Added, Changed: r.Changed, Leftover: r.Leftover})
		g.at = append(g.at, i)
	}
	back := map[int][]Step{}
	for _, g := range groups {
		u, err := g.by.Undo(ctx, g.made, purge)
		if err != nil {
			return false, err
		}
		found = found || u.Found
		for _, s := range u.Steps {
			back[g.at[s.At]] = append(back[g.at[s.At]], s.Step)
		}
		for _, k := range u.Kept {
			p.Kept = mechanism.Keep(p.Kept, k.Why, k.Names...)
		}
		p.Manual = append(p.Manual, u.Manual...)
	}
	for i := range records {
		p.Steps = append(p.Steps, back[i]...)
	}
	return found, nil
}
