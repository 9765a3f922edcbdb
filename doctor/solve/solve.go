// Package solve answers conflicts: from facts, a recipe, the compatibility
// tables and what could be installed it finds the cheapest set of changes after
// which every required line of the recipe holds, or proves that there is none
// and names the rows that exclude one another.
//
// It is pure: it reads no machine, fetches nothing and changes nothing. What
// is installed and how is the installers' business; a change here says what to
// reach and why.
//
// The search is an exact branch and bound of its own (search.go). A SAT or
// pseudo-boolean library was looked at: of those the module proxy has, gophersat
// is the one that fits, and its newest release is of November 2023; it cannot be
// stopped by a context, and its answers among equally good plans depend on its
// heuristics, which golden files must not. The problem is small, a dozen
// components with at most a few dozen versions each, so that the whole search
// takes milliseconds.
package solve

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/near"
)

// Action is what happens to a component.
type Action string

// The actions, cheapest first.
const (
	Keep      Action = "keep"      // as it is; not part of a plan
	Switch    Action = "switch"    // make programs find another installed copy
	Configure Action = "configure" // same version, set up again or by hand
	Upgrade   Action = "upgrade"   // to a newer version
	Install   Action = "install"   // where there was none, or beside what is there
	Downgrade Action = "downgrade" // to an older version
	Remove    Action = "remove"
	Repair    Action = "repair" // what a health check says is wrong
)

// Cost is what a change takes. Sizes are estimates by the kind of component,
// good for comparing plans and no promise.
type Cost struct {
	DownloadBytes int64   `json:"download_bytes"`
	Minutes       float64 `json:"minutes"`
	Reboot        bool    `json:"reboot,omitempty"`
	// Heavy marks an installation of Visual Studio.
	Heavy bool `json:"visual_studio,omitempty"`
}

// Change is one thing to do.
type Change struct {
	Component string `json:"component"`
	Action    Action `json:"action"`
	From      string `json:"from,omitempty"` // version now, "" for none
	To        string `json:"to,omitempty"`   // version to reach, "" for removed
	// How says in a phrase what brings it: "apt: libopencv-dev".
	How string `json:"how"`
	// Covers are the findings that How repairs; none for a change that only the
	// others make necessary.
	Covers []string `json:"covers,omitempty"`
	// Path is the copy that programs are to find, for Switch.
	Path string `json:"path,omitempty"`
	// Why names the requirements that do not hold without it, each with the row
	// or reason, most important first.
	Why  []string `json:"why"`
	Cost Cost     `json:"cost"`
	// ByHand: deployctl has no step for it.
	ByHand bool `json:"by_hand,omitempty"`

	title    string   // for Repair what will be so, for a package of Python its name
	serves   []string // the lines that do not hold without it
	instance facts.Instance
	sets     map[string]map[string]string
	with     []Change // what this one brings about by itself
}

// Solution is the answer. Feasible says that the changes make every required
// line hold; then Conflict is empty. Otherwise Conflict says in sentences why
// nothing can, and Changes has only what doctor says to repair all the same.
type Solution struct {
	Recipe   string            `json:"recipe"`
	Feasible bool              `json:"feasible"`
	Targets  map[string]string `json:"targets,omitempty"`
	Changes  []Change          `json:"changes"`
	Cost     Cost              `json:"cost"`
	// Conflict is the chain of lines and rows that exclude one another; every
	// one of them is needed for the conflict.
	Conflict []string `json:"conflict,omitempty"`
	// Open lists what could not be taken into account, and why: components
	// that no probe could look at, lines only hardware could mend.
	Open []string `json:"open,omitempty"`
	// Warnings are what doctor recommends and the recipe does not require.
	Warnings []Change `json:"warnings,omitempty"`
	// Fix is the command that makes those changes which deployctl has steps for.
	Fix *report.Fix `json:"fix,omitempty"`
	// Untested names pairs that the plan rests on and that nobody has tried.
	Untested []string `json:"untested,omitempty"`
	// Score is what was minimised (see score); 0 means nothing to do.
	Score int64 `json:"score"`
	// Nodes is how many partial plans the search looked at.
	Nodes int `json:"nodes"`

	priced bool // Price was asked who does what
	asks   bool // Conflict asks for what is unknown
}

// Options of Solve.
type Options struct {
	// Targets are what-if wishes: component to a version, of which every number
	// given must match ("12.6" is any 12.6.x), or a constraint (">= 12.4").
	Targets map[string]string
	// Offers are what could be installed. Nil asks the built-in catalogue,
	// Catalogue(recipe, tables, facts).
	Offers []Offer
}

// ParseTargets reads component=version pairs as --target has them.
func ParseTargets(pairs []string) (map[string]string, error) {
	out := map[string]string{}
	for _, pair := range pairs {
		for one := range strings.SplitSeq(pair, " ") {
			if one == "" {
				continue
			}
			name, want, ok := strings.Cut(one, "=")
			if !ok || name == "" || want == "" {
				return nil, lang.Errorf("--target %s: write COMPONENT=VERSION, such as cuda=12.6", pair)
			}
			if !slices.Contains(recipes.Components(), name) {
				return nil, near.Unknown(lang.T("--target: the component"), name, recipes.Components())
			}
			if _, err := targetConstraint(want); err != nil {
				return nil, lang.Errorf("--target %s: %w", pair, err)
			}
			out[name] = want
		}
	}
	return out, nil
}

// targetConstraint reads a wish.
func targetConstraint(text string) (recipes.Constraint, error) {
	if strings.ContainsAny(text, "<>=~!") {
		return recipes.ParseConstraint(text)
	}
	v, err := recipes.Version(text)
	if err != nil {
		return recipes.Constraint{}, err
	}
	n := v.Segments64()
	given := strings.Count(strings.SplitN(text, "-", 2)[0], ".") + 1
	n = n[:min(given, len(n))]
	next := slices.Clone(n)
	next[len(next)-1]++
	return recipes.ParseConstraint(fmt.Sprintf(">= %s, < %s", dotted(n), dotted(next)))
}

func dotted(n []int64) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(n), " ", "."), "[]")
}

// Solve finds the cheapest plan. The error is the context's, or says that the
// recipe or a target cannot be used; a conflict is no error but a Solution.
func Solve(ctx context.Context, r *recipes.Recipe, t *recipes.Tables, f *facts.Facts, o Options) (*Solution, error) {
	s := &Solution{Recipe: r.Name, Changes: []Change{}, Targets: o.Targets}
	offers := o.Offers
	if offers == nil {
		offers = catalogue(r, t, f, o.Targets)
	}
	p, err := build(r, t, f, offers, o.Targets)
	if err != nil {
		return nil, err
	}
	s.Open = p.open
	if len(p.fixed) > 0 {
		s.Conflict, s.asks = p.fixed, p.asks
		p.repairs(s)
		return s, nil
	}
	versions := map[string]string{}
	if o.Offers == nil { // who gives offers knows better than the catalogue
		versions = advised(p.findings, o.Targets)
	}
	best, nodes, err := p.best(ctx, offers, o.Targets, versions)
	if err != nil {
		return nil, err
	}
	s.Nodes = nodes
	if best == nil {
		if s.Conflict, err = p.explain(ctx); err != nil {
			return nil, err
		}
		p.repairs(s)
		return s, nil
	}
	s.Feasible, s.Score = true, best.score
	best.problem.changes(best, s)
	if later := p.later(s); len(later) > 0 && o.Offers == nil {
		// What doctor will advise after the first changes counts, too.
		maps.Copy(later, versions)
		again, more, err := p.best(ctx, offers, o.Targets, later)
		if err != nil {
			return nil, err
		}
		s.Nodes += more
		if again != nil && again.narrowed {
			s.Changes, s.Cost, s.Untested, s.Score = []Change{}, Cost{}, nil, again.score
			best = again
			best.problem.changes(best, s)
		}
	}
	best.problem.advise(s)
	best.problem.repairs(s)
	return s, nil
}

// best searches for a plan with the versions that doctor advises, and without
// them only where there is none.
func (p *problem) best(ctx context.Context, offers []Offer, targets, versions map[string]string) (*plan, int, error) {
	for _, list := range [][]Offer{narrow(offers, versions), offers} {
		if list == nil {
			continue
		}
		q, err := build(p.recipe, p.tables, p.facts, list, targets)
		if err != nil {
			return nil, 0, err
		}
		best, nodes, err := q.search(ctx, nil)
		if err != nil || best != nil {
			if best != nil {
				best.problem, best.narrowed = q, len(list) < len(offers)
			}
			return best, nodes, err
		}
	}
	return nil, 0, nil
}

// advised are the versions that the fixes of findings name.
func advised(findings []judge.Finding, targets map[string]string) map[string]string {
	versions := map[string]string{}
	for _, f := range findings {
		for name, v := range f.Advised {
			if f.State == judge.Fail && versions[name] == "" && targets[name] == "" {
				versions[name] = v
			}
		}
	}
	return versions
}

// narrow keeps one offer of each component that has an advised version; nil when
// none has.
func narrow(offers []Offer, versions map[string]string) []Offer {
	if len(versions) == 0 {
		return nil
	}
	var out []Offer
	for _, o := range offers {
		v := versions[o.Component]
		if v == "" {
			out = append(out, o)
			continue
		}
		// The catalogue may not have it: what it says of the component's other
		// versions is true of this one, too.
		if !slices.ContainsFunc(out, func(have Offer) bool { return have.Component == o.Component }) {
			o.Version = v
			out = append(out, o)
		}
	}
	return out
}

// Apply gives the facts as they would be after a feasible plan: what Evaluate
// then says of them is the plan's proof. f is not changed.
func Apply(f *facts.Facts, s *Solution) *facts.Facts {
	out := *f
	out.Components = maps.Clone(f.Components)
	if out.Components == nil {
		out.Components = map[string][]facts.Instance{}
	}
	var changes []Change
	for _, c := range s.Changes {
		changes = append(append(changes, c), c.with...)
	}
	for _, c := range changes {
		if c.Action == Repair {
			continue // no component changes its version
		}
		list := slices.Clone(out.Components[c.Component])
		if c.Action == Remove {
			delete(out.Components, c.Component)
			continue
		}
		for i := range list {
			list[i].Active = false
			list[i].Via = nil
		}
		replaced := c.Action == Upgrade || c.Action == Downgrade || c.Action == Configure || c.Action == Switch
		list = slices.DeleteFunc(list, func(i facts.Instance) bool {
			if c.Action == Upgrade || c.Action == Downgrade {
				return !beside(c.Component) || i.Path == c.instance.Path
			}
			return replaced && i.Path == c.instance.Path && i.Version == c.instance.Version
		})
		i := c.instance
		i.Active = true
		if len(i.Via) == 0 {
			i.Via = []string{"plan"}
		}
		out.Components[c.Component] = append([]facts.Instance{i}, list...)
	}
	// What one change does to another component (CUDA's files in Visual
	// Studio) comes last, whatever the order.
	for _, c := range s.Changes {
		for _, name := range slices.Sorted(maps.Keys(c.sets)) {
			list := slices.Clone(out.Components[name])
			for i := range list {
				if !list[i].Active {
					continue
				}
				attrs := maps.Clone(list[i].Attrs)
				if attrs == nil {
					attrs = map[string]string{}
				}
				for k, v := range c.sets[name] {
					attrs[k] = addWord(attrs[k], v)
				}
				list[i].Attrs = attrs
			}
			out.Components[name] = list
		}
	}
	return &out
}

// addWord puts a word into a comma-separated list.
func addWord(list, word string) string {
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
	if slices.Contains(words, word) {
		return list
	}
	return strings.Join(append(words, word), ",")
}
