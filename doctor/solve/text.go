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
		if active, ok := p.facts.Active(c.component); ok {
			change.From = active.Version
		}
		if c.none {
			change.To = ""
		}
		if c.action == Switch {
			change.Path = c.inst.Path
		}
		change.Why = p.reasons(v, chosen)
		if fix := p.advice[c.component]; c.action != Switch && change.To != "" && strings.Contains(fix, change.To) {
			change.How = fix
		}
		s.Changes = append(s.Changes, change)
		s.Cost.DownloadBytes += c.cost.DownloadBytes
		s.Cost.Minutes += c.cost.Minutes
		s.Cost.Reboot = s.Cost.Reboot || c.cost.Reboot
		s.Cost.Heavy = s.Cost.Heavy || c.cost.Heavy
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
}

// reasons says which lines do not hold when a component stays as it is while
// everything else is as planned.
func (p *problem) reasons(v int, chosen []*candidate) []string {
	was := candidate{component: p.vars[v].name, none: true}
	for i := range p.vars[v].cands {
		if c := &p.vars[v].cands[i]; c.action == Keep {
			was = *c
			break
		}
	}
	var out []string
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
		if was.none {
			if c.own && c.id != "target" {
				out = append(out, c.id+": it is not installed")
			}
			continue // of tables the line on the component itself says enough
		}
		text := cmp.Or(c.id, "toolsets") + ": "
		if c.context != "" {
			others = append(others, c.context)
		}
		if c.own || len(others) == 0 {
			text += strings.TrimPrefix(c.why(), c.id+" ") + "; this is " + was.label()
		} else {
			text += fmt.Sprintf("%s does not work with %s", was.label(), strings.Join(others, " and "))
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		// Only together with another change: name the lines they share.
		for _, c := range p.byVar[v] {
			if c.id != "" {
				out = append(out, c.id)
			}
		}
	}
	return out
}

// WriteText shows a solution for people.
func (s *Solution) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(s.Targets)) {
		fmt.Fprintf(b, "With %s %s: ", name, s.Targets[name])
	}
	switch {
	case !s.Feasible:
		fmt.Fprintf(b, "Recipe %s cannot be satisfied on this machine.\n", s.Recipe)
		for _, line := range s.Conflict {
			fmt.Fprintf(b, "  %s\n", line)
		}
	case len(s.Changes) == 0:
		fmt.Fprintf(b, "Recipe %s needs no changes.\n", s.Recipe)
	default:
		fmt.Fprintf(b, "Recipe %s needs %s: %s.\n", s.Recipe, count(len(s.Changes), "change"), s.Cost)
		for i, c := range s.Changes {
			fmt.Fprintf(b, "\n%d. %s\n", i+1, c.Title())
			fmt.Fprintf(b, "   how   %s\n", c.How)
			for _, why := range c.Why {
				fmt.Fprintf(b, "   why   %s\n", why)
			}
			if c.Cost != (Cost{}) {
				fmt.Fprintf(b, "   cost  %s\n", c.Cost)
			}
		}
	}
	for _, text := range s.Untested {
		fmt.Fprintf(b, "\n%s has not been tested. Run deployctl verify to find out whether it works.\n", text)
	}
	for _, text := range s.Open {
		fmt.Fprintf(b, "\nNot considered: %s\n", text)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("show the plan: %w", err)
	}
	return nil
}

// WriteJSON writes a solution as one JSON document.
func (s *Solution) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(struct {
		Schema int `json:"schema"`
		*Solution
	}{1, s}); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// Title is a change in a line.
func (c Change) Title() string {
	to := label(c.Component, c.To)
	switch c.Action {
	case Repair:
		return "Repair: " + c.title
	case Switch:
		if c.From == "" {
			return fmt.Sprintf("Make programs find %s in %s", to, c.Path)
		}
		return fmt.Sprintf("Use %s in %s instead of %s", to, c.Path, c.From)
	case Configure:
		return fmt.Sprintf("Set up %s again", to)
	case Upgrade:
		return fmt.Sprintf("Upgrade %s from %s to %s", c.Component, c.From, cmp.Or(c.To, "a newer version"))
	case Downgrade:
		return fmt.Sprintf("Replace %s with %s", label(c.Component, c.From), c.To)
	case Remove:
		return "Remove " + label(c.Component, c.From)
	}
	if c.From != "" {
		return fmt.Sprintf("Install %s and keep %s", to, c.From)
	}
	return "Install " + to
}

// String gives a cost in words; sizes are estimates.
func (c Cost) String() string {
	var parts []string
	switch {
	case c.DownloadBytes >= gb:
		parts = append(parts, fmt.Sprintf("about %.1f GB to download", float64(c.DownloadBytes)/1e9))
	case c.DownloadBytes > 0:
		parts = append(parts, fmt.Sprintf("about %d MB to download", c.DownloadBytes/mb))
	default:
		parts = append(parts, "nothing to download")
	}
	if c.Minutes >= 1 {
		parts = append(parts, fmt.Sprintf("about %.0f min", c.Minutes))
	}
	if c.Reboot {
		parts = append(parts, "a restart")
	}
	if c.Heavy {
		parts = append(parts, "a Visual Studio")
	}
	return strings.Join(parts, ", ")
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
