package solve

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// plan is a complete choice.
type plan struct {
	chosen []int // candidate of each variable
	score  int64
	// problem is what it was found for.
	problem *problem
	// narrowed: it keeps to the versions that doctor advises.
	narrowed bool
}

// search finds the cheapest choice under the constraints (without those in
// skip), or nil when there is none. It is exact: a branch is cut only when its
// score, with the cheapest candidate that is left of every open component, is
// not below the best plan's. Among equals the first found stays, and the order
// is that of names and scores, so the answer is always the same.
func (p *problem) search(ctx context.Context, skip map[*constraint]bool) (*plan, int, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	s := &searcher{p: p, skip: skip, chosen: make([]int, len(p.vars)), ctx: ctx}
	domains := make([][]int, len(p.vars))
	for v := range p.vars {
		s.chosen[v] = -1
		for i := range p.vars[v].cands {
			domains[v] = append(domains[v], i)
		}
	}
	// Lines on one component alone go first: they leave few versions.
	for _, c := range p.constraints {
		if len(c.scope) == 1 && !skip[c] {
			domains[c.scope[0]] = s.filter(c, c.scope[0], domains[c.scope[0]])
		}
	}
	s.pairs(domains)
	s.walk(domains, 0, 0)
	return s.best, s.nodes, s.err
}

type searcher struct {
	p      *problem
	skip   map[*constraint]bool
	ctx    context.Context
	chosen []int
	best   *plan
	nodes  int
	err    error
}

// filter keeps the candidates of one variable under a constraint whose other
// variables are chosen.
func (s *searcher) filter(c *constraint, v int, domain []int) []int {
	var out []int
	for _, i := range domain {
		s.chosen[v] = i
		if s.holds(c) {
			out = append(out, i)
		}
	}
	s.chosen[v] = -1
	return out
}

// pairs removes, until nothing changes, candidates that no candidate of the
// other component in a constraint of two supports.
func (s *searcher) pairs(domains [][]int) {
	for changed := true; changed; {
		changed = false
		for _, c := range s.p.constraints {
			if len(c.scope) != 2 || s.skip[c] {
				continue
			}
			for k := range 2 {
				v, w := c.scope[k], c.scope[1-k]
				kept := slices.DeleteFunc(slices.Clone(domains[v]), func(i int) bool {
					s.chosen[v] = i
					supported := slices.ContainsFunc(domains[w], func(j int) bool {
						s.chosen[w] = j
						return s.holds(c)
					})
					return !supported
				})
				s.chosen[v], s.chosen[w] = -1, -1
				if len(kept) < len(domains[v]) {
					domains[v], changed = kept, true
				}
			}
		}
	}
}

// holds asks a constraint of the chosen candidates; answers are remembered,
// because the search asks the same pairs again and again.
func (s *searcher) holds(c *constraint) bool {
	var key strings.Builder
	picked := make([]*candidate, len(c.scope))
	for n, v := range c.scope {
		key.WriteByte(byte(s.chosen[v]))
		key.WriteByte(byte(s.chosen[v] >> 8))
		picked[n] = &s.p.vars[v].cands[s.chosen[v]]
	}
	if ok, known := c.memo[key.String()]; known {
		return ok
	}
	ok := c.ok(picked)
	c.memo[key.String()] = ok
	return ok
}

// walk chooses the open component with the fewest candidates left, each in the
// order of its score.
func (s *searcher) walk(domains [][]int, score int64, depth int) {
	if s.err != nil {
		return
	}
	s.nodes++
	if s.nodes%256 == 0 {
		if s.err = s.ctx.Err(); s.err != nil {
			return
		}
	}
	bound, next := score, -1
	for v := range domains {
		if s.chosen[v] >= 0 {
			continue
		}
		if len(domains[v]) == 0 {
			return
		}
		// Domains stay in the order of scores, so the first is the cheapest.
		bound += s.p.vars[v].cands[domains[v][0]].score
		if next < 0 || len(domains[v]) < len(domains[next]) {
			next = v
		}
	}
	if s.best != nil && bound >= s.best.score {
		return
	}
	if next < 0 {
		s.best = &plan{chosen: slices.Clone(s.chosen), score: score}
		return
	}
	for _, i := range domains[next] {
		s.chosen[next] = i
		if reduced, more, ok := s.forward(domains, next); ok {
			s.walk(reduced, score+s.p.vars[next].cands[i].score+more, depth+1)
		}
		s.chosen[next] = -1
	}
}

// forward narrows the neighbors of the variable just chosen; more is what
// pairs that nobody has tried add to the score.
func (s *searcher) forward(domains [][]int, v int) (reduced [][]int, more int64, ok bool) {
	reduced = slices.Clone(domains)
	for _, c := range s.p.byVar[v] {
		if s.skip[c] {
			continue
		}
		left := -1
		open := 0
		for _, w := range c.scope {
			if s.chosen[w] < 0 {
				open++
				left = w
			}
		}
		switch open {
		case 0:
			if !s.holds(c) {
				return nil, 0, false
			}
			more += s.untested(c)
		case 1:
			if reduced[left] = s.filter(c, left, reduced[left]); len(reduced[left]) == 0 {
				return nil, 0, false
			}
		}
	}
	return reduced, more, true
}

func (s *searcher) untested(c *constraint) int64 {
	if c.untested == nil {
		return 0
	}
	picked := make([]*candidate, len(c.scope))
	for n, v := range c.scope {
		picked[n] = &s.p.vars[v].cands[s.chosen[v]]
	}
	if c.untested(picked) == "" || !slices.ContainsFunc(picked, func(c *candidate) bool { return c.action != Keep }) {
		return 0
	}
	return untestedScore
}

// own are the candidates of a variable that the recipe's lines on it alone
// allow, the line asked about and wishes left out.
func (p *problem) own(v int, id string) []*candidate {
	var out []*candidate
	for i := range p.vars[v].cands {
		c := &p.vars[v].cands[i]
		if !slices.ContainsFunc(p.byVar[v], func(k *constraint) bool {
			return len(k.scope) == 1 && k.id != id && k.id != "target" && k.own && !k.ok([]*candidate{c})
		}) {
			out = append(out, c)
		}
	}
	return out
}

// chain gives lines that exclude one another: from all constraints it leaves out
// one after the other as long as the rest still has no solution. What is left
// is needed, every line of it.
func (p *problem) chain(ctx context.Context) ([]*constraint, error) {
	skip := map[*constraint]bool{}
	order := slices.Clone(p.constraints)
	// Leave out what lies between many components first: a wish against what
	// the hardware allows is the plainest chain.
	slices.SortStableFunc(order, func(a, b *constraint) int {
		return cmp.Or(cmp.Compare(len(b.scope), len(a.scope)), strings.Compare(a.id, b.id))
	})
	for _, c := range order {
		skip[c] = true
		best, _, err := p.search(ctx, skip)
		if err != nil {
			return nil, err
		}
		if best != nil {
			delete(skip, c)
		}
	}
	return slices.DeleteFunc(slices.Clone(p.constraints), func(c *constraint) bool { return skip[c] }), nil
}

// explain puts the chain into sentences.
func (p *problem) explain(ctx context.Context) ([]string, error) {
	chain, err := p.chain(ctx)
	if err != nil {
		return nil, err
	}
	var out, list []string
	for _, c := range chain {
		text := c.why()
		out = append(out, lang.Sentence(text))
		for _, v := range c.scope {
			if !slices.Contains(list, p.vars[v].name) {
				list = append(list, p.vars[v].name)
			}
		}
	}
	slices.Sort(list)
	for i, name := range list {
		list[i] = recipes.Display(name)
	}
	meets := lang.T("all of these.")
	if len(out) == 1 {
		meets = lang.T("this.")
	}
	return append(out, lang.F("No available version of %s meets %s", strings.Join(list, ", "), meets)), nil
}
