package solve

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// candidate is one way a component could be after the plan.
type candidate struct {
	component string
	inst      facts.Instance
	none      bool // no copy at all
	readable  bool // its version is one
	action    Action
	how       string
	cost      Cost
	score     int64
	requires  map[string]recipes.Constraint
	sets      map[string]map[string]string
}

func (c *candidate) label() string {
	if c.none {
		return lang.F("no %s", recipes.Display(c.component))
	}
	return label(c.component, c.inst.Version)
}

// variable is a component (or several that serve alike) and its candidates,
// cheapest first.
type variable struct {
	name  string
	cands []candidate
}

// constraint is one line of the recipe, a row's condition between components,
// or a wish. ok is asked when every variable of the scope has a candidate; it
// must be a function of those candidates alone.
type constraint struct {
	id    string // requirement id, "target" or "" for how the world is
	scope []int
	ok    func([]*candidate) bool
	// why says what is asked, for people, given the candidates that are left of
	// each variable in the scope.
	why func() string
	// untested reports a pair that nobody has tried.
	untested func([]*candidate) string
	// asks is what an own line asks, where why says more.
	asks string
	// own marks a line on a component itself, and not between components.
	own bool
	// context names what else a table was asked for: openpose 1.6.0.
	context string

	memo map[string]bool
}

type problem struct {
	vars        []variable
	index       map[string]int
	constraints []*constraint
	byVar       [][]*constraint
	fixed       []string // why nothing can be done, whatever is installed
	asks        bool     // fixed is only what is unknown
	open        []string
	facts       *facts.Facts
	tables      *recipes.Tables
	recipe      *recipes.Recipe
	// findings are what doctor says of the machine as it is.
	findings []judge.Finding
	// soon are the paths of copies that a new session finds, by component.
	soon map[string]string
}

// build turns the recipe's required lines into variables and constraints.
func build(r *recipes.Recipe, t *recipes.Tables, f *facts.Facts, offers []Offer, targets map[string]string) (*problem, error) {
	p := &problem{index: map[string]int{}, facts: f, tables: t, recipe: r, findings: judge.Evaluate(r, t, f).Findings, soon: map[string]string{}}
	now := map[string]judge.Finding{}
	for _, finding := range p.findings {
		now[finding.ID] = finding
		if finding.ID == "gpu.cuda-gone" && finding.State == judge.Fail { // no change on this machine helps
			p.fixed = append(p.fixed, finding.Found+". "+finding.Fix)
		}
	}
	var ask []*recipes.Requirement
	for i := range r.Requirements {
		q := &r.Requirements[i]
		if p.unread(q, now[q.ID]) {
			continue
		}
		if q.Severity != recipes.Required || !asked(r, q.When, f) || now[q.ID].Cause == judge.NotNeeded || now[q.ID].Cause == judge.Symptom {
			continue
		}
		if q.Component == nil && q.Compat == nil {
			p.hardware(q, now[q.ID])
			continue
		}
		ask = append(ask, q)
		if finding := now[q.ID]; q.Component != nil && finding.State == judge.Pending {
			for _, name := range names(q.Component) {
				p.soon[name] = finding.Path
			}
		}
	}
	p.unknownCard(ask, targets)
	needed := map[string]bool{}
	for _, q := range ask {
		if c := q.Component; c != nil {
			needed[strings.Join(names(c), "|")] = true
		} else {
			for _, name := range components(q.Compat) {
				needed[name] = true
			}
		}
	}
	for name := range targets {
		needed[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		p.variable(name, offers)
	}
	for _, q := range ask {
		// "Asked where cuda is installed" holds after a plan that installs it.
		if q.When != nil && slices.ContainsFunc(q.When.Present, func(name string) bool {
			_, planned := p.index[name]
			return !planned && len(f.Components[name]) == 0
		}) {
			continue
		}
		var err error
		if q.Component != nil {
			err = p.component(q)
		} else {
			err = p.compat(q)
		}
		if err != nil {
			return nil, err
		}
		p.settled(q.ID, now[q.ID])
	}
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		if err := p.target(name, targets[name]); err != nil {
			return nil, err
		}
	}
	p.world()
	p.byVar = make([][]*constraint, len(p.vars))
	for _, c := range p.constraints {
		c.memo = map[string]bool{}
		for _, v := range c.scope {
			p.byVar[v] = append(p.byVar[v], c)
		}
	}
	return p, nil
}

// unknownCard stops a plan that would choose a CUDA Toolkit for a card of which
// nobody knows what code it runs.
func (p *problem) unknownCard(ask []*recipes.Requirement, targets map[string]string) {
	text := judge.AskCard(p.facts)
	decides := slices.ContainsFunc(ask, func(q *recipes.Requirement) bool {
		return q.Compat != nil && slices.Contains(q.Compat.Given, "sm") && !slices.Contains(q.Compat.Optional, "sm")
	})
	if text == "" || !decides || len(p.facts.Components["cuda"]) > 0 || targets["cuda"] != "" {
		return
	}
	p.asks = len(p.fixed) == 0
	p.fixed = append(p.fixed, text)
}

func names(c *recipes.ComponentCheck) []string {
	if c.Name != "" {
		return []string{c.Name}
	}
	return c.AnyOf
}

// settled lets a line be as it is where doctor does not object to that: it has
// seen more than versions, another finding is the cause, a new session is all
// that it takes, or nobody knows what is wrong. The parts of Visual Studio are
// changes of their own, though the finding on it speaks for them.
func (p *problem) settled(id string, f judge.Finding) {
	switch {
	case f.State == judge.Unknown:
		if text := lang.F("%s could not be checked: %s", id, strings.TrimPrefix(f.Found, strings.TrimSuffix(lang.T("could not be checked: %s"), "%s"))); !slices.ContainsFunc(p.open, func(open string) bool { return strings.HasPrefix(open, id) }) {
			p.open = append(p.open, text)
		}
	case f.After == judge.CUDAGone, id == "msvc.present", id == "windows-sdk.present", f.State != judge.OK && f.State != judge.Pending && f.After == "":
		return
	}
	for _, c := range p.constraints {
		if c.id != id {
			continue
		}
		asked := c.ok
		c.ok = func(chosen []*candidate) bool {
			return asked(chosen) || !slices.ContainsFunc(chosen, func(one *candidate) bool { return one.action != Keep })
		}
	}
}

// components are those of a compat check, topics left out.
func components(c *recipes.CompatCheck) []string {
	var out []string
	for _, name := range append(slices.Clone(c.Given), slices.Sorted(maps.Keys(c.Holds))...) {
		if !slices.Contains(recipes.Topics(), name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// hardware notes a line that no installation changes.
func (p *problem) hardware(q *recipes.Requirement, f judge.Finding) {
	switch f.State {
	case judge.Fail:
		p.fixed = append(p.fixed, lang.F("%s (%s): %s; required: %s. No installation changes that. %s", f.Title, f.ID, f.Found, f.Wanted, f.Fix))
	case judge.Unknown:
		p.open = append(p.open, lang.F("%s could not be checked: %s", q.ID, strings.TrimPrefix(f.Found, strings.TrimSuffix(lang.T("could not be checked: %s"), "%s"))))
	}
}

// score weighs a change: a plan's score is the sum. One point is a thousand;
// what is below a point only breaks ties in favour of newer versions.
//
//	switching to another copy 1, configuring 5, upgrading 10, installing 20,
//	downgrading 30, removing 40; 10 a gigabyte to fetch; 1 a minute;
//	30 for a restart; 200 for installing a Visual Studio
//
// so that keeping beats everything, and a Visual Studio or several toolkits
// are touched only when nothing smaller will do.
func score(a Action, c Cost) int64 {
	if a == Keep {
		return 0
	}
	points := map[Action]int64{Switch: 1, Configure: 5, Upgrade: 10, Install: 20, Downgrade: 30, Remove: 40}[a] * 1000
	points += c.DownloadBytes / 1e5 // a gigabyte is 10,000
	points += int64(c.Minutes * 1000)
	if c.Reboot {
		points += 30_000
	}
	if c.Heavy {
		points += 200_000
	}
	return points
}

// untestedScore is what a plan pays for each pair that nobody has tried.
const untestedScore = 15_000

// forPython reports whether a recipe asks for a component as a package of Python, and
// what it calls it: PyTorch's package is not LibTorch.
func forPython(r *recipes.Recipe, component string) (title string, ok bool) {
	i := slices.IndexFunc(r.Requirements, func(q recipes.Requirement) bool {
		return q.Component != nil && q.Component.Python && q.Component.Name == component
	})
	if i < 0 {
		return "", false
	}
	return lang.T(r.Requirements[i].Title), true
}

// variable adds a component with what it could become. A component that no
// probe could look at stays out of the problem.
func (p *problem) variable(name string, offers []Offer) {
	v := variable{name: name}
	alternatives := strings.Split(name, "|")
	for _, component := range alternatives {
		list := p.facts.Components[component]
		active, has := p.facts.Active(component)
		if _, python := forPython(p.recipe, component); python { // what else is here serves other programs
			list = judge.PythonImports(p.facts, component)
			if has = len(list) > 0; has {
				list[0].Active, list[0].Imports = true, []string{component}
				active = list[0]
			}
		}
		if problem, failed := p.facts.Problem(component); failed && !has {
			p.open = append(p.open, lang.F("%s could not be checked: %s", component, problem.Error))
			return
		}
		for _, i := range list {
			c := candidate{component: component, inst: i, action: Keep}
			if soon := i.Path != "" && i.Path == p.soon[component]; soon {
				has, active = true, i
			} else if !i.Active {
				c.action, c.how = Switch, judge.Reach(p.recipe, p.facts, component, i)
			}
			v.cands = append(v.cands, c)
		}
		for rank, o := range offers {
			if o.Component != component {
				continue
			}
			c := candidate{component: component, how: o.How, cost: o.Cost, sets: o.Sets, action: Install,
				inst: facts.Instance{Version: o.Version, Has: o.Has, Attrs: o.Attrs, Imports: o.Imports}, requires: map[string]recipes.Constraint{}}
			bad := false
			for other, text := range o.Requires {
				constraint, err := recipes.ParseConstraint(text)
				if bad = bad || err != nil; err == nil {
					c.requires[other] = constraint
				}
			}
			if bad {
				continue
			}
			same := slices.IndexFunc(list, func(i facts.Instance) bool { return i.Version == o.Version })
			switch {
			case same >= 0:
				c.action, c.inst.Path = Configure, list[same].Path
				if c.inst.Attrs == nil {
					c.inst.Attrs = list[same].Attrs
				}
			case has && !beside(component) && newer(active.Version, o.Version):
				c.action = Downgrade
			case has && !beside(component):
				c.action = Upgrade
			}
			c.score = score(c.action, c.cost) + int64(min(rank, 900))
			v.cands = append(v.cands, c)
		}
		if len(alternatives) == 1 {
			if !has {
				v.cands = append(v.cands, candidate{component: component, none: true, action: Keep})
			}
			if len(list) > 0 {
				v.cands = append(v.cands, candidate{component: component, none: true, action: Remove, how: "uninstall", score: score(Remove, Cost{})})
			}
		}
	}
	if len(alternatives) > 1 && !slices.ContainsFunc(v.cands, func(c candidate) bool { return c.action == Keep }) {
		v.cands = append(v.cands, candidate{component: alternatives[0], none: true, action: Keep})
	}
	for i := range v.cands {
		if c := &v.cands[i]; c.action == Switch {
			c.score = score(Switch, Cost{})
		}
	}
	for i := range v.cands {
		_, err := recipes.Version(v.cands[i].inst.Version)
		v.cands[i].readable = err == nil
	}
	slices.SortStableFunc(v.cands, func(a, b candidate) int { return cmp.Compare(a.score, b.score) })
	p.index[name] = len(p.vars)
	p.vars = append(p.vars, v)
}

// scope gives the variables of components; false when one could not be checked.
func (p *problem) scope(list ...string) ([]int, bool) {
	var out []int
	for _, name := range list {
		i, ok := p.index[name]
		if !ok {
			return nil, false
		}
		if !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	return out, true
}

// unread reports whether nobody knows if a copy that is there satisfies a
// requirement: nothing is planned on a guess.
func (p *problem) unread(q *recipes.Requirement, f judge.Finding) bool {
	if q.Component == nil || q.Severity != recipes.Required || f.State != judge.Unknown || f.Path == "" {
		return false
	}
	p.open = append(p.open, lang.F("%s could not be checked: %s", f.Title, f.Found))
	return true
}

// component turns a component check into a constraint.
func (p *problem) component(q *recipes.Requirement) error {
	c := q.Component
	if _, err := recipes.ParseConstraint(c.Version); err != nil {
		return lang.Errorf("recipe %s, requirement %s: %w", p.recipe.Name, q.ID, err)
	}
	list := []string{strings.Join(names(c), "|")}
	for _, key := range slices.Sorted(maps.Keys(c.Attr)) {
		a, err := recipes.ParseAttr(c.Attr[key])
		if err != nil {
			return lang.Errorf("recipe %s, requirement %s: %w", p.recipe.Name, q.ID, err)
		}
		if of := a.SeriesOf(); of != "" {
			list = append(list, of)
		}
	}
	scope, ok := p.scope(list...)
	if !ok {
		return nil
	}
	wants := q.Wants()
	if rest, ok := strings.CutPrefix(wants, c.Name+" "); ok {
		wants = label(c.Name, rest)
	}
	asks := lang.F("requires %s", wants)
	if len(c.Attr) > 0 { // a condition on a detail is the recipe's, not for people
		asks = lang.F("requires %s", q.Title)
	}
	p.constraints = append(p.constraints, &constraint{
		id: q.ID, scope: scope, own: true,
		asks: asks,
		why:  func() string { return lang.F("%s (%s) requires %s", q.Title, q.ID, wants) },
		ok: func(chosen []*candidate) bool {
			first := chosen[0]
			if c.Absent {
				if first.none {
					return true
				}
				fits, _ := judge.InstanceFits(p.recipe, c, first.inst, p.mini(chosen))
				return !fits
			}
			if first.none {
				return false
			}
			world := p.mini(chosen)
			fits, _ := judge.InstanceFits(p.recipe, c, world.Components[first.component][0], world)
			return fits
		},
	})
	return nil
}

// mini makes facts of a few candidates, what one sets in another included.
func (p *problem) mini(chosen []*candidate) *facts.Facts {
	f := &facts.Facts{OS: p.facts.OS, GPUs: p.facts.GPUs, Components: map[string][]facts.Instance{}}
	for _, c := range chosen {
		if c.none {
			continue
		}
		i := c.inst
		i.Active = true
		f.Components[c.component] = []facts.Instance{i}
	}
	for _, c := range chosen {
		for name, attrs := range c.sets {
			for n := range f.Components[name] {
				i := &f.Components[name][n]
				i.Attrs = maps.Clone(i.Attrs)
				if i.Attrs == nil {
					i.Attrs = map[string]string{}
				}
				for k, v := range attrs {
					i.Attrs[k] = addWord(i.Attrs[k], v)
				}
			}
		}
	}
	return f
}

// target turns a wish into a constraint.
func (p *problem) target(name, text string) error {
	want, err := targetConstraint(text)
	if err != nil {
		return lang.Errorf("target %s=%s: %w", name, text, err)
	}
	scope, ok := p.scope(name)
	if !ok {
		p.open = append(p.open, lang.F("the target %s=%s: the component could not be checked", name, text))
		return nil
	}
	p.constraints = append(p.constraints, &constraint{
		id: "target", scope: scope, own: true,
		why: func() string { return lang.F("the target is %s", label(name, text)) },
		ok: func(chosen []*candidate) bool {
			if chosen[0].none {
				return false
			}
			holds, err := want.Check(chosen[0].inst.Version)
			return err == nil && holds
		},
	})
	return nil
}

// world adds how components depend on one another, whatever the recipe says.
func (p *problem) world() {
	for i := range p.vars {
		others := map[string]bool{}
		for _, c := range p.vars[i].cands {
			for name := range c.requires {
				others[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(others)) {
			scope, ok := p.scope(name)
			if !ok || slices.Contains(scope, i) {
				continue
			}
			own := p.vars[i].name
			p.constraints = append(p.constraints, &constraint{
				scope: []int{i, scope[0]},
				why: func() string {
					return lang.F("each %s is part of its own %s", recipes.Display(own), recipes.Display(name))
				},
				ok: func(chosen []*candidate) bool {
					want, asks := chosen[0].requires[name]
					if !asks {
						return true
					}
					holds, err := want.Check(chosen[1].inst.Version)
					return !chosen[1].none && err == nil && holds
				},
			})
		}
	}
	// A toolset lies inside its Visual Studio: keeping one means keeping the
	// other, and the active toolset is one of the active Visual Studio.
	scope, ok := p.scope("msvc", "visual-studio")
	if !ok {
		return
	}
	p.constraints = append(p.constraints, &constraint{
		scope: scope,
		why:   func() string { return lang.T("an MSVC toolset is part of its Visual Studio") },
		ok: func(chosen []*candidate) bool {
			home := chosen[0].inst.Attrs["visual_studio"]
			return home == "" || strings.EqualFold(home, chosen[1].inst.Path)
		},
	})
}
