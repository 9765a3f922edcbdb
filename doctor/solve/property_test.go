package solve

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
)

// embeddedTables are read once for all tests: nothing changes them.
var embeddedTables = sync.OnceValues(recipes.EmbeddedTables)

func embedded(t testing.TB, name string, set map[string]string) (*recipes.Recipe, *recipes.Tables) {
	t.Helper()
	r, err := recipes.Find(name, "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err = r.Set(set); err != nil {
		t.Fatal(err)
	}
	tables, err := embeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	return r, tables
}

// dice makes hosts at random inside the ranges of the tables.
type dice struct{ *rand.Rand }

// share is how many of the cases are tried: all, or with -short (under the race
// detector) a fifth.
func share(n int) int {
	if testing.Short() {
		return n / 5
	}
	return n
}

func pick[T any](d dice, list []T) T { return list[d.IntN(len(list))] }

// host is a machine that has, of each component a recipe asks for, one copy,
// two, or none, of versions that tables or catalogue name.
func (d dice) host(r *recipes.Recipe, t *recipes.Tables) *facts.Facts {
	windows := slices.ContainsFunc(r.Requirements, func(q recipes.Requirement) bool {
		return q.OS != nil && slices.Equal(q.OS.Family, []string{"windows"})
	}) || r.Name == "opencv-cuda" && d.IntN(2) == 0
	f := &facts.Facts{
		OS:     facts.OS{Family: "linux", ID: "debian", Version: pick(d, []string{"11", "12", "13"}), Arch: "amd64", Libc: facts.Libc{Kind: "glibc", Version: "2.36"}},
		CPU:    facts.CPU{Arch: "amd64", Features: []string{"avx", "avx2", "sse2"}, Cores: 4},
		Memory: facts.Memory{Total: 16 << 30},
		GPUs:   []facts.GPU{{Vendor: "nvidia", Name: "a card", Memory: 8 << 30, ComputeCapability: pick(d, []string{"3.5", "5.2", "6.1", "7.5", "8.6", "8.9", "9.0", "12.0"})}},
	}
	for _, purpose := range recipes.Purposes() {
		f.Disks = append(f.Disks, facts.Disk{Purpose: purpose, Path: "/", Total: 500 << 30, Free: 100 << 30})
	}
	if windows {
		f.OS = facts.OS{Family: "windows", ID: "windows", Version: "10.0.22631", Arch: "amd64"}
	} else {
		f.Add("apt", facts.Instance{Version: "2.6", Path: "/usr/bin/apt-get", Active: true})
	}
	offers := Catalogue(r, t, f)
	byName := map[string][]Offer{}
	for _, o := range offers {
		byName[o.Component] = append(byName[o.Component], o)
	}
	for _, name := range recipes.Components() {
		list := byName[name]
		if len(list) == 0 || d.IntN(5) == 0 {
			continue
		}
		for n := range 1 + d.IntN(2) {
			o := pick(d, list)
			i := facts.Instance{Version: o.Version, Path: fmt.Sprintf("/%s/%d", name, n), Active: n == 0, Has: slices.Clone(o.Has), Attrs: map[string]string{}}
			if n == 0 {
				i.Via = []string{"PATH"}
			}
			for k, v := range o.Attrs {
				if d.IntN(4) > 0 {
					i.Attrs[k] = v
				}
			}
			if len(i.Has) > 0 && d.IntN(4) == 0 {
				i.Has = i.Has[1:]
			}
			if name == "visual-studio" {
				i.Attrs["cuda_customizations"] = pick(d, []string{"", "11.8", "12.1", "11.1,12.6"})
			}
			f.Add(name, i)
		}
	}
	return f
}

// TestPlanHolds: applied to the facts, every plan ends with every required line
// holding, judged by Evaluate, which knows nothing of the solver; otherwise the
// solver said that there is none.
func TestPlanHolds(t *testing.T) {
	seed := uint64(20261123)
	d := dice{rand.New(rand.NewPCG(seed, 1))}
	feasible, conflicts, longest := 0, 0, 0
	for _, tt := range []struct {
		recipe string
		set    map[string]string
	}{
		{"opencv-cuda", nil}, {"opencv-yolov3", nil}, {"openpose-windows", nil}, {"openpose-windows", map[string]string{"release": "1.6.0"}},
		{"onnxruntime", map[string]string{"gpu": "cuda"}}, {"libtorch", map[string]string{"gpu": "cuda"}}, {"openpose-linux", nil}, {"gocv-windows", nil},
	} {
		r, tables := embedded(t, tt.recipe, tt.set)
		for n := range share(25) {
			f := d.host(r, tables)
			if brief, whole := judge.Unsatisfied(r, tables, f), required(r, judge.Evaluate(r, tables, f)); !slices.Equal(brief, whole) {
				t.Errorf("%s, host %d: without advice %v are not satisfied, with it %v", tt.recipe, n, brief, whole)
			}
			s, err := Solve(context.Background(), r, tables, f, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !s.Feasible {
				conflicts++
				longest = max(longest, len(s.Conflict))
				if len(s.Conflict) == 0 || slices.ContainsFunc(s.Changes, func(c Change) bool { return c.Action != Repair }) {
					t.Errorf("%s, host %d: a conflict without a reason, or with changes: %+v", tt.recipe, n, s)
				}
				continue
			}
			feasible++
			if not := judge.Unsatisfied(r, tables, Apply(f, s)); len(not) > 0 {
				t.Fatalf("%s, host %d: after the plan these do not hold: %v\nplan: %+v", tt.recipe, n, not, s.Changes)
			}
			if len(judge.Unsatisfied(r, tables, f)) == 0 && len(s.Changes) > 0 {
				t.Errorf("%s, host %d: everything holds, and the plan is %+v", tt.recipe, n, s.Changes)
			}
		}
	}
	t.Logf("%d plans, %d conflicts of at most %d sentences", feasible, conflicts, longest)
	if feasible < share(100) || conflicts < share(5) {
		t.Errorf("%d plans and %d conflicts: the hosts are not varied", feasible, conflicts)
	}
}

// TestNoSmallerPlan tries every combination of small problems and lets
// Evaluate judge each: the solver's plan exists exactly when one of them holds,
// and none that holds costs less.
func TestNoSmallerPlan(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(20261123, 2))}
	feasible, conflicts := 0, 0
	cases := share(75)
	if testing.Short() {
		cases = 6 // thousands of combinations each, on one goroutine
	}
	for n := range cases {
		name, only := "opencv-cuda", []string{"cuda.version", "cuda.driver", "cuda.sm", "cudnn.", "opencv."}
		switch n % 3 {
		case 1:
			name, only = "opencv-yolov3", []string{"go.", "opencv.", "gocv."}
		case 2:
			name, only = "openpose-windows", []string{"openpose.vs", "openpose.cuda", "openpose.cudnn", "cuda.msvc", "cuda.vs-integration", "msvc."}
		}
		r, tables := embedded(t, name, nil)
		// A smaller recipe, not a selection from this one, whose other
		// requirements would still be judged.
		r.Requirements = slices.DeleteFunc(slices.Clone(r.Requirements), func(q recipes.Requirement) bool {
			return !slices.ContainsFunc(only, func(begin string) bool { return strings.HasPrefix(q.ID, begin) })
		})
		f := d.host(r, tables)
		// A few offers of each component, the rest cannot be had.
		all := Catalogue(r, tables, f)
		d.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		count := map[string]int{}
		offers := slices.DeleteFunc(all, func(o Offer) bool {
			count[o.Component]++
			return count[o.Component] > 3
		})
		s, err := Solve(context.Background(), r, tables, f, Options{Offers: offers})
		if err != nil {
			t.Fatal(err)
		}
		least, tried := bruteForce(t, r, tables, f, offers)
		if tried > 20000 {
			t.Fatalf("%d combinations", tried)
		}
		switch {
		case s.Feasible && len(s.Open) > 0: // a version that is not known: Evaluate says so after any plan
			continue
		case s.Feasible != (least >= 0):
			t.Fatalf("case %d, %s: feasible is %v, the cheapest of %d combinations %d\nconflict %v\nplan %+v", n, name, s.Feasible, tried, least, s.Conflict, s.Changes)
		case s.Feasible && s.Score != least:
			t.Fatalf("case %d, %s: score %d, the cheapest of %d combinations has %d", n, name, s.Score, tried, least)
		case s.Feasible:
			feasible++
		default:
			conflicts++
		}
	}
	t.Logf("%d plans, %d conflicts", feasible, conflicts)
	if feasible < cases*30/75 || conflicts < cases*10/75 {
		t.Errorf("%d plans and %d conflicts: the cases are not varied", feasible, conflicts)
	}
}

// required are the ids of a recipe's required lines that fail or are unknown.
func required(r *recipes.Recipe, j *judge.Judgement) []string {
	var ids []string
	for _, f := range j.Findings {
		if f.Severity == recipes.Required && (f.State == judge.Fail || f.State == judge.Unknown) &&
			slices.ContainsFunc(r.Requirements, func(q recipes.Requirement) bool { return q.ID == f.ID }) {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

// TestConflictIsNeeded: every line of a conflict is needed for it; with any one
// left out there is a plan.
func TestConflictIsNeeded(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(20261123, 3))}
	r, tables := embedded(t, "openpose-windows", map[string]string{"release": "1.6.0"})
	conflicts := 0
	for range share(15) {
		f := d.host(r, tables)
		p, err := build(r, tables, f, Catalogue(r, tables, f), map[string]string{"cuda": pick(d, []string{"8.0", "10.0", "11.1", "12.6"})})
		if err != nil {
			t.Fatal(err)
		}
		best, _, err := p.search(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if best != nil {
			continue
		}
		conflicts++
		chain, err := p.chain(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		skip := map[*constraint]bool{}
		for _, c := range p.constraints {
			skip[c] = !slices.Contains(chain, c)
		}
		if best, _, err := p.search(context.Background(), skip); err != nil || best != nil {
			t.Fatalf("the chain alone is no conflict: %v", err)
		}
		for _, c := range chain {
			skip[c] = true
			if best, _, err := p.search(context.Background(), skip); err != nil || best == nil {
				t.Errorf("%s is not needed for the conflict: %v", c.id, err)
			}
			skip[c] = false
		}
	}
	if conflicts == 0 {
		t.Error("no conflict came up")
	}
}

// bruteForce gives the score of the cheapest combination that holds, -1 for
// none. What holds is Evaluate's word; how the world hangs together (a toolset
// in its Visual Studio) is asked apart, because Evaluate does not know it.
func bruteForce(t *testing.T, r *recipes.Recipe, tables *recipes.Tables, f *facts.Facts, offers []Offer) (least int64, tried int) {
	t.Helper()
	p, err := build(r, tables, f, offers, nil)
	if err != nil {
		t.Fatal(err)
	}
	least = -1
	if len(p.fixed) > 0 {
		return least, 0
	}
	chosen := make([]int, len(p.vars))
	for {
		tried++
		picked := make([]*candidate, len(p.vars))
		total := int64(0)
		for v := range chosen {
			picked[v] = &p.vars[v].cands[chosen[v]]
			total += picked[v].score
		}
		possible := true
		for _, c := range p.constraints {
			scope := make([]*candidate, len(c.scope))
			changed := false
			for n, v := range c.scope {
				scope[n] = picked[v]
				changed = changed || picked[v].action != Keep
			}
			if c.id == "" && !c.ok(scope) {
				possible = false
			}
			if c.untested != nil && changed && c.untested(scope) != "" {
				total += untestedScore
			}
		}
		if possible && (least < 0 || total < least) {
			s := &Solution{}
			p.changes(&plan{chosen: chosen}, s)
			if len(judge.Unsatisfied(r, tables, Apply(f, s))) == 0 {
				least = total
			}
		}
		v := 0
		for ; v < len(chosen); v++ {
			if chosen[v]++; chosen[v] < len(p.vars[v].cands) {
				break
			}
			chosen[v] = 0
		}
		if v == len(chosen) {
			return least, tried
		}
	}
}
