package solve_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/recipes"
)

// TestLive plans every recipe of the library for the machine that the test runs
// on, whatever it is: there is an answer, and a plan that leaves nothing open
// ends with every required line holding.
func TestLive(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	all, err := recipes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	f := doctor.Probe(context.Background(), host.Live(), doctor.Probes(false))
	for _, r := range all {
		s, err := solve.Solve(context.Background(), r, tables, f, solve.Options{})
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
			continue
		}
		var text bytes.Buffer
		if err := s.WriteText(&text, 0); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", text.String())
		if s.Feasible == (len(s.Conflict) > 0) {
			t.Errorf("%s: feasible is %v with the conflict %v", r.Name, s.Feasible, s.Conflict)
		}
		if not := judge.Unsatisfied(r, tables, solve.Apply(f, s)); s.Feasible && len(s.Open) == 0 && len(not) > 0 {
			t.Errorf("%s: after the plan these do not hold: %v", r.Name, not)
		}
	}
}
