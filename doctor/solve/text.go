package solve

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// changes fills a solution from the best plan.
func (p *problem) changes(best *plan, s *Solution) {
	chosen := make([]*candidate, len(p.vars))
	for v := range p.vars {
		chosen[v] = &p.vars[v].cands[best.chosen[v]]
	}
	pick := func(c *constraint) []*candidate {
		out := make([]*candidate, len(c.scope))
		for n, v := range c.scope {
			out[n] = chosen[v]
		}
		return out
	}
	for v, c := range chosen {
		if c.action == Keep {
			continue
		}
		change := Change{Component: c.component, Action: c.action, To: c.inst.Version, How: c.how, Cost: c.cost, instance: c.inst, sets: c.sets}
		active, ok := p.facts.Active(c.component)
		if title, python := forPython(p.recipe, c.component); python {
			change.title = title
			if list := judge.PythonImports(p.facts, c.component); len(list) > 0 {
				active, ok = list[0], true
			} else {
				ok = false // what else is here serves other programs
			}
		}
		if ok {
			change.From = active.Version
		}
		if c.none {
			change.To = ""
		}
		if c.action == Switch {
			change.Path = c.inst.Path
		}
		change.Why, change.serves = p.reasons(v, chosen)
		s.Changes = append(s.Changes, change)
		s.Cost = s.Cost.plus(c.cost)
	}
	for _, c := range p.constraints {
		if c.untested == nil {
			continue
		}
		if text := c.untested(pick(c)); text != "" {
			s.Untested = append(s.Untested, text)
		}
	}
	// Compilers before what is compiled with them; CUDA after Visual Studio,
	// because its installer looks for it.
	order := []string{"visual-studio", "msvc", "windows-sdk", "nvidia-driver", "cuda", "cudnn"}
	slices.SortStableFunc(s.Changes, func(a, b Change) int {
		rank := func(c Change) int {
			if i := slices.Index(order, c.Component); i >= 0 {
				return i
			}
			if c.Component == "opencv" || c.Component == "openpose" {
				return len(order) + 1
			}
			return len(order)
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Component, b.Component))
	})
	s.Changes = withToolset(s.Changes)
}

// withToolset leaves the compiler and the SDK to the change that installs Visual
// Studio with its workload for C++, and the compiler to the one that makes builds
// use another Visual Studio, whose default toolset its generator selects.
func withToolset(changes []Change) []Change {
	if at := slices.IndexFunc(changes, func(c Change) bool { return c.Component == "visual-studio" && c.Action == Install }); at >= 0 {
		studio := &changes[at]
		mine := func(c Change) bool { return ofWorkload(c) || c.Action == Install && isDefault(c, studio.To) }
		for _, c := range changes {
			if mine(c) {
				studio.with, studio.Cost = append(studio.with, c), studio.Cost.plus(c.Cost)
			}
		}
		return slices.DeleteFunc(changes, mine)
	}
	studio := slices.IndexFunc(changes, func(c Change) bool { return c.Component == "visual-studio" && c.Action == Switch })
	if studio < 0 {
		return changes
	}
	inside := strings.ToLower(strings.TrimRight(changes[studio].Path, `\`)) + `\`
	toolset := slices.IndexFunc(changes, func(c Change) bool {
		return c.Component == "msvc" && c.Action == Switch && c.instance.HasPart("default") && strings.HasPrefix(strings.ToLower(c.Path), inside)
	})
	if toolset < 0 {
		return changes
	}
	changes[studio].with = []Change{changes[toolset]}
	return slices.Delete(changes, toolset, toolset+1)
}

// isDefault reports whether a toolset is the one that a Visual Studio's workload for
// C++ installs.
func isDefault(c Change, version string) bool {
	return c.Component == "msvc" && slices.ContainsFunc(studios, func(s studio) bool { return s.version == version && s.msvc == c.To })
}

// ofWorkload reports whether a change brings what every Visual Studio for C++ has:
// no line asks for a certain version of it.
func ofWorkload(c Change) bool {
	return c.Action == Install && (c.Component == "msvc" || c.Component == "windows-sdk") && !slices.ContainsFunc(c.serves, func(id string) bool {
		return id != "" && id != "msvc.present" && id != "windows-sdk.present"
	})
}

// later are the versions that doctor will advise for changes that only the others
// make necessary, where they are not those that the plan has.
func (p *problem) later(s *Solution) map[string]string {
	versions := map[string]string{}
	for i := range s.Changes {
		c := &s.Changes[i]
		if len(p.covered(c, p.findings)) > 0 {
			continue
		}
		for _, f := range p.covered(c, p.without(s, i)) {
			if v := f.Advised[c.Component]; v != "" && s.Targets[c.Component] == "" {
				versions[c.Component] = v
			}
		}
	}
	return versions
}

// covered are the failed findings that a change serves.
func (p *problem) covered(c *Change, findings []judge.Finding) []judge.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f judge.Finding) bool {
		return f.State != judge.Fail || f.Fix == "" || !slices.Contains(c.serves, f.ID)
	})
}

// without is what doctor says after all changes but one.
func (p *problem) without(s *Solution, i int) []judge.Finding {
	others := *s
	others.Changes = slices.Delete(slices.Clone(s.Changes), i, i+1)
	return judge.Evaluate(p.recipe, p.tables, Apply(p.facts, &others)).Findings
}

// advise gives every change the words that doctor has for it. A change that only
// the others make necessary gets those that doctor will have after them.
func (p *problem) advise(s *Solution) {
	after := map[string]judge.State{}
	for _, f := range judge.Evaluate(p.recipe, p.tables, Apply(p.facts, s)).Findings {
		after[f.ID] = f.State
	}
	for i := range s.Changes {
		c := &s.Changes[i]
		// A health check of the component is repaired by it, too.
		gone := func(f judge.Finding) bool {
			return strings.HasPrefix(f.ID, c.Component+".") && after[f.ID] != judge.Fail
		}
		found := p.findings
		how, covers := words(found, c, gone)
		if how == "" {
			found = p.without(s, i)
			how, _ = words(found, c, func(judge.Finding) bool { return false })
		}
		if how == "" {
			continue
		}
		c.How, c.Covers = how, covers
		// The words name the version that doctor advises, whatever was computed.
		for _, f := range found {
			if v := f.Advised[c.Component]; v != "" && f.Fix == how && s.Targets[c.Component] == "" {
				c.To = v
			}
		}
	}
}

// words are the fix of the finding that a change serves best, and all findings
// with that fix.
func words(findings []judge.Finding, c *Change, gone func(judge.Finding) bool) (how string, covers []string) {
	rank := 0
	for _, f := range findings {
		serves := slices.Contains(c.serves, f.ID)
		if f.State != judge.Fail || f.Fix == "" || !serves && !gone(f) {
			continue
		}
		mine := 1
		switch {
		case serves && (f.Advised[c.Component] != "" || strings.Contains(f.Fix, recipes.Display(c.Component))):
			mine = 4
		case serves && strings.HasPrefix(f.ID, c.Component+"."):
			mine = 3
		case serves:
			mine = 2
		}
		if mine > rank {
			how, rank = f.Fix, mine
		}
	}
	for _, f := range findings {
		if how != "" && f.State == judge.Fail && f.Fix == how {
			covers = append(covers, f.ID)
		}
	}
	return how, covers
}

// repairs adds, before the other changes, what doctor says is wrong and none of
// them covers, each fix once with all its findings.
func (p *problem) repairs(s *Solution) {
	changes := s.Changes
	s.Changes = []Change{}
	for _, f := range p.findings {
		if f.State == judge.Warn {
			s.Warnings = append(s.Warnings, repair(f))
		}
		if f.State != judge.Fail && f.State != judge.Pending || f.Fix == "" || p.aside(f.ID) ||
			slices.ContainsFunc(changes, func(c Change) bool { return slices.Contains(c.Covers, f.ID) }) {
			continue
		}
		c := repair(f)
		if i := slices.IndexFunc(s.Changes, func(c Change) bool { return c.Action == Repair && c.How == f.Fix }); i >= 0 {
			s.Changes[i].Covers = append(s.Changes[i].Covers, f.ID)
			s.Changes[i].Why = append(s.Changes[i].Why, c.Why...)
			continue
		}
		s.Changes = append(s.Changes, c)
	}
	s.Changes = append(s.Changes, changes...)
}

// repair is what doctor says of a finding, as a change.
func repair(f judge.Finding) Change {
	component, _, _ := strings.Cut(f.ID, ".")
	return Change{Component: component, Action: Repair, title: f.Title, How: f.Fix, Path: f.Path, Why: []string{f.ID + ": " + f.Found}, Covers: []string{f.ID}}
}

// Price puts in what the installers' steps for the findings of a change take:
// known is false where that is not theirs alone. A change without steps is left to
// a person.
func (s *Solution) Price(steps func(findings []string) (cost Cost, known, any bool)) {
	s.Cost, s.priced = Cost{}, true
	priced := map[string]bool{}
	for i := range s.Changes {
		c := &s.Changes[i]
		c.ByHand = true // without a finding, --fix has no step
		if len(c.Covers) > 0 {
			cost, known, any := steps(c.Covers)
			c.ByHand = !any
			if known {
				if priced[c.How] { // what one command does is counted once
					cost = Cost{}
				}
				c.Cost.DownloadBytes, c.Cost.Minutes, priced[c.How] = cost.DownloadBytes, cost.Minutes, true
			}
		}
		s.Cost = s.Cost.plus(c.Cost)
	}
}

// aside reports whether a finding is on what no installation changes; the
// conflict says it with its fix.
func (p *problem) aside(id string) bool {
	return slices.ContainsFunc(p.recipe.Requirements, func(q recipes.Requirement) bool {
		return q.ID == id && q.Component == nil && q.Compat == nil
	})
}

// reasons says which lines do not hold when a component stays as it is while
// everything else is as planned, in words and by their ids.
func (p *problem) reasons(v int, chosen []*candidate) (out, ids []string) {
	was := candidate{component: p.vars[v].name, none: true}
	for i := range p.vars[v].cands {
		if c := &p.vars[v].cands[i]; c.action == Keep {
			was = *c
			break
		}
	}
	for _, c := range p.byVar[v] {
		picked := make([]*candidate, len(c.scope))
		var others []string
		for n, w := range c.scope {
			picked[n] = chosen[w]
			if w == v {
				picked[n] = &was
			} else {
				others = append(others, chosen[w].label())
			}
		}
		if c.ok(picked) {
			continue
		}
		ids = append(ids, c.id)
		if was.none {
			if c.own && c.id != "target" {
				out = append(out, lang.F("%s: it is not installed", c.id))
			}
			continue // of tables the line on the component itself says enough
		}
		text := cmp.Or(c.id, "toolsets") + ": "
		if at := slices.IndexFunc(p.findings, func(f judge.Finding) bool { return f.ID == c.id && f.State == judge.Fail }); at >= 0 && c.own {
			out = append(out, text+p.findings[at].Found) // doctor's words
			continue
		}
		if c.context != "" {
			others = append(others, c.context)
		}
		if c.own || len(others) == 0 {
			text += lang.F("%s; this is %s", cmp.Or(c.asks, c.why()), was.label())
		} else {
			text += lang.F("%s does not work with %s", was.label(), strings.Join(others, lang.T(" and ")))
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		// Only together with another change: name the lines they share.
		for _, c := range p.byVar[v] {
			if c.id != "" {
				out = append(out, c.id)
				ids = append(ids, c.id)
			}
		}
	}
	return out, ids
}

// WriteText shows a solution for people, on lines of a width in columns; 0 does
// not wrap.
func (s *Solution) WriteText(w io.Writer, width int) error {
	b := bufio.NewWriter(w)
	line := func(first, text string) {
		fmt.Fprintf(b, "%s\n", first+report.Wrap(text, report.Columns(first), width))
	}
	line("", s.Heading())
	steps := s.Steps()
	if !s.Feasible {
		for _, text := range s.Conflict {
			line("  ", text)
		}
		if len(steps) > 0 {
			line("\n", lang.T("What else is wrong:"))
		}
	}
	for i, g := range steps {
		fmt.Fprintln(b)
		line(fmt.Sprintf("%d. ", i+1), g.Title)
		line(lang.T("   how   "), g.How)
		for _, why := range g.Why {
			line(lang.T("   why   "), why)
		}
		if g.Cost != (Cost{}) {
			line(lang.T("   cost  "), g.Cost.String())
		}
		if g.Who != "" {
			line(lang.T("   who   "), g.Who)
		}
	}
	if len(s.Warnings) > 0 {
		line("\n", lang.T("Recommended, but not required:"))
	}
	for _, text := range s.Recommended() {
		line("- ", text)
	}
	for _, text := range s.Notes() {
		fmt.Fprintln(b)
		line("", text)
	}
	if err := b.Flush(); err != nil {
		return lang.Errorf("show the plan: %w", err)
	}
	return nil
}

// onlyByHand: nothing is installed, and there are no steps for what is to be fixed.
func (s *Solution) onlyByHand() bool {
	return !slices.ContainsFunc(s.Changes, func(c Change) bool { return c.Action != Repair || !c.ByHand })
}

// Heading is the answer in a sentence, which a list may follow.
func (s *Solution) Heading() string {
	first := ""
	for _, name := range slices.Sorted(maps.Keys(s.Targets)) {
		first += lang.F("With %s %s: ", recipes.Display(name), s.Targets[name])
	}
	n := len(s.Steps())
	switch {
	case !s.Feasible && s.asks:
		return lang.F("%sRecipe %s cannot be planned before this is known:", first, s.Recipe)
	case !s.Feasible:
		return lang.F("%sRecipe %s cannot be satisfied here.", first, s.Recipe)
	case n == 0:
		return lang.F("%sRecipe %s needs no changes.", first, s.Recipe)
	case s.onlyByHand():
		return lang.F("%sRecipe %s needs nothing installed. %s to fix by hand:", first, s.Recipe, recipes.Count(n, "problem"))
	}
	return lang.F("%sRecipe %s needs %s: %s.", first, s.Recipe, recipes.Count(n, "change"), s.Cost)
}

// Recommended are the warnings, each in a line.
func (s *Solution) Recommended() []string {
	var out []string
	for _, c := range s.Warnings {
		out = append(out, c.title+": "+c.How)
	}
	return out
}

// Notes are what the plan rests on and what it leaves out, in sentences.
func (s *Solution) Notes() []string {
	var out []string
	for _, text := range s.Untested {
		out = append(out, lang.F("%s has not been tested. Run deployctl verify to find out whether it works.", text))
	}
	for _, text := range s.Open {
		out = append(out, lang.F("Not considered: %s", text))
	}
	return out
}

// Step is the changes that one thing to do brings about.
type Step struct {
	Title, How string
	Why        []string
	Cost       Cost
	Who        string // "" where Price was not asked
}

// Steps joins the changes with the same words.
func (s *Solution) Steps() []Step {
	var out []Step
	for _, c := range s.Changes {
		who := ""
		if s.priced {
			who = lang.T("deployctl doctor --fix does this")
			if c.ByHand {
				who = lang.T("you do this")
			}
		}
		i := slices.IndexFunc(out, func(g Step) bool { return g.How == c.How })
		if i < 0 {
			out = append(out, Step{Title: c.Title(), How: c.How, Why: slices.Clone(c.Why), Cost: c.Cost, Who: who})
			continue
		}
		g := &out[i]
		if c.ByHand {
			g.Who = who
		}
		g.Title += lang.T("; ") + c.Title()
		g.Cost = g.Cost.plus(c.Cost)
		for _, why := range c.Why {
			if !slices.Contains(g.Why, why) {
				g.Why = append(g.Why, why)
			}
		}
	}
	return out
}

// plus adds up two costs.
func (c Cost) plus(other Cost) Cost {
	c.DownloadBytes += other.DownloadBytes
	c.Minutes += other.Minutes
	c.Reboot = c.Reboot || other.Reboot
	c.Heavy = c.Heavy || other.Heavy
	return c
}

// Document is a solution in JSON.
type Document struct {
	Schema int `json:"schema"`
	report.Made
	*Solution
}

// WriteJSON writes a solution as one JSON document, which says what made it.
func (s *Solution) WriteJSON(w io.Writer, by report.Made) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(Document{1, by, s}); err != nil {
		return lang.Errorf("write the plan: %w", err)
	}
	return nil
}

// Title is a change in a line.
func (c Change) Title() string {
	name := recipes.Display(c.Component)
	if c.Action != Repair {
		name = cmp.Or(c.title, name)
	}
	to := strings.TrimSpace(name + " " + released(c.Component, c.To))
	from := strings.TrimSpace(name + " " + released(c.Component, c.From))
	switch c.Action {
	case Repair:
		return lang.F("Repair: %s", c.title)
	case Switch:
		if c.From == "" {
			return lang.F("Make programs find %s in %s", to, c.Path)
		}
		return lang.F("Use %s in %s instead of %s", to, c.Path, c.From)
	case Configure:
		return lang.F("Set up %s again", to)
	case Upgrade:
		return lang.F("Upgrade %s from %s to %s", name, c.From, cmp.Or(c.To, lang.T("a newer version")))
	case Downgrade:
		return lang.F("Replace %s with %s", from, c.To)
	case Remove:
		return lang.F("Remove %s", from)
	}
	if c.From != "" {
		return lang.F("Install %s and keep %s", to, c.From)
	}
	return lang.F("Install %s", to)
}

// released is a version as its maker names it: Visual Studio's line has a year.
func released(component, version string) string {
	line, _, _ := strings.Cut(version, ".")
	for _, s := range studios {
		if component == "visual-studio" && strings.HasPrefix(s.version, line+".") {
			return s.year + " " + version
		}
	}
	return version
}

// String gives a cost in words; sizes are estimates.
func (c Cost) String() string {
	var parts []string
	if c.DownloadBytes > 0 {
		parts = append(parts, lang.F("%s to download", recipes.Size(c.DownloadBytes, true)))
	} else {
		parts = append(parts, lang.T("nothing to download"))
	}
	if c.Minutes > 0 {
		parts = append(parts, recipes.Duration(c.Minutes))
	}
	if c.Reboot {
		parts = append(parts, lang.T("a restart"))
	}
	if c.Heavy {
		parts = append(parts, lang.T("a Visual Studio"))
	}
	return strings.Join(parts, lang.T(", "))
}
