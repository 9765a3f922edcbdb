package doctor_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
)

// answer is what one recorded machine must be told; see testdata/cases.yaml.
type rightAnswer struct {
	Case string
	// Parts are the project's own recordings, below testdata/hosts, that make
	// the machine together; without any it is one of shared/cases.
	Parts  []string
	Recipe string
	Set    map[string]string
	Exit   int
	Expect []struct{ ID, State, Found, Fix string }
	Avoid  []string
	// Open says why deployctl does not give this answer yet.
	Open string
}

// wrong says what is wrong with a judgement, "" when it is right; harmful
// reports whether a fix says something it must not.
func (a rightAnswer) wrong(j *judge.Judgement) (why string, harmful bool) {
	var all []string
	match := func(pattern, text string) bool {
		return pattern == "" || regexp.MustCompile("(?i)"+pattern).MatchString(text)
	}
	for _, f := range j.Findings {
		if f.State == judge.OK || f.State == judge.Skipped {
			continue
		}
		for _, bad := range a.Avoid {
			if match(bad, f.Fix) || match(bad, f.Found) {
				all, harmful = append(all, fmt.Sprintf("%s says %q, %q", f.ID, f.Found, f.Fix)), true
			}
		}
	}
	for _, want := range a.Expect {
		if !slices.ContainsFunc(j.Findings, func(f judge.Finding) bool {
			return (want.ID == "" || want.ID == f.ID) && match("^("+want.State+")$", string(f.State)) && match(want.Found, f.Found) && match(want.Fix, f.Fix)
		}) {
			all = append(all, fmt.Sprintf("no finding %+v", want))
		}
	}
	if exit := j.Exit(false); exit != a.Exit {
		all = append(all, fmt.Sprintf("exit %d, not %d", exit, a.Exit))
	}
	return strings.Join(all, "; "), harmful
}

// TestCases judges every machine of shared/cases through the real probes.
func TestCases(t *testing.T) {
	if _, err := os.Stat(sharedCases); err != nil {
		t.Skipf("the recorded machines are not beside this checkout: %v", err)
	}
	judgeCases(t, "testdata/cases.yaml")
}

// TestMachines judges the project's own recorded machines in the same way.
func TestMachines(t *testing.T) {
	if testing.Short() {
		t.Skip("every recorded machine: not with -short, which CI uses under the race detector")
	}
	judgeCases(t, "testdata/machines.yaml")
	judgeCases(t, "testdata/unix.yaml")
	judgeCases(t, "testdata/unix-whole.yaml")
	judgeCases(t, "testdata/unix-more.yaml")
	judgeCases(t, "testdata/unix-third.yaml")
	judgeCases(t, "testdata/windows.yaml")
	judgeCases(t, "testdata/project.yaml")
	judgeCases(t, "testdata/lot.yaml")
	judgeCases(t, "testdata/lot2.yaml")
	judgeCases(t, "testdata/lot3.yaml")
	judgeCases(t, "testdata/lot4.yaml")
	judgeCases(t, "testdata/lot5.yaml")
	judgeCases(t, "testdata/lot6.yaml")
	judgeCases(t, "testdata/lot7.yaml")
	judgeCases(t, "testdata/lot8.yaml")
	judgeCases(t, "testdata/lot9.yaml")
	judgeCases(t, "testdata/lot10.yaml")
	judgeCases(t, "testdata/lot11.yaml")
	judgeCases(t, "testdata/lot12w.yaml")
	judgeCases(t, "testdata/lot12-unix.yaml")
	judgeCases(t, "testdata/lot13.yaml")
	judgeCases(t, "testdata/lot14.yaml")
	judgeCases(t, "testdata/lot15.yaml")
	judgeCases(t, "testdata/lot16.yaml")
	judgeCases(t, "testdata/lot17w.yaml")
	judgeCases(t, "testdata/lot17u.yaml")
	judgeCases(t, "testdata/lot18.yaml")
	judgeCases(t, "testdata/lot19u.yaml")
	judgeCases(t, "testdata/lot19w.yaml")
	judgeCases(t, "testdata/lot20u.yaml")
	judgeCases(t, "testdata/lot20w.yaml")
	judgeCases(t, "testdata/lot20.yaml")
	judgeCases(t, "testdata/lot21u.yaml")
	judgeCases(t, "testdata/lot21w.yaml")
	judgeCases(t, "testdata/agreement.yaml")
}

var sharedCases = filepath.Join("..", "..", "shared", "cases")

func readAnswers(t *testing.T, table string) []rightAnswer {
	t.Helper()
	data, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	var answers []rightAnswer
	if err := yaml.UnmarshalWithOptions(data, &answers, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return answers
}

// embeddedTables are read once for all tests: nothing changes them.
var embeddedTables = sync.OnceValues(recipes.EmbeddedTables)

func embedded(t *testing.T) *recipes.Tables {
	t.Helper()
	tables, err := embeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// recipe is the recipe that the machine is judged by.
func (a rightAnswer) recipe(t *testing.T) *recipes.Recipe {
	t.Helper()
	r, err := recipes.Find(a.Recipe, "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err = r.Set(a.Set); err != nil {
		t.Fatal(err)
	}
	return r
}

// host is the recorded machine.
func (a rightAnswer) host(t *testing.T) *host.Host {
	t.Helper()
	files := []string{filepath.Join(sharedCases, a.Case+".txtar")}
	if len(a.Parts) > 0 {
		files = nil
	}
	for _, part := range a.Parts {
		files = append(files, filepath.Join("testdata", "hosts", part+".txtar"))
	}
	return hosttest.Load(t, files...)
}

func judgeCases(t *testing.T, table string) {
	t.Helper()
	tables := embedded(t)
	counts := map[string]int{}
	answers := readAnswers(t, table)
	for _, a := range answers {
		r := a.recipe(t)
		f := doctor.Probe(context.Background(), a.host(t), doctor.Probes(false))
		j := judge.Evaluate(r, tables, f)
		why, harmful := a.wrong(j)
		verdict := "right"
		switch {
		case harmful:
			verdict = "harmful"
		case why != "" && a.Exit != 0 && j.Exit(false) == 0:
			verdict = "healthy-but-broken"
		case why != "":
			verdict = "wrong"
		}
		counts[verdict]++
		t.Logf("%-24s %-18s %s", a.Case, verdict, why)
		switch {
		case why != "" && a.Open == "":
			t.Errorf("%s: %s", a.Case, why)
		case why == "" && a.Open != "":
			t.Errorf("%s is right now: remove its open from %s", a.Case, table)
		}
	}
	t.Logf("%d cases: %v", len(answers), counts)
}

// TestChecksAreKnown: every relation and fact that a check names exists.
func TestChecksAreKnown(t *testing.T) {
	tables, err := embeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	checks, err := tables.Checks()
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, p := range doctor.Probes(false) {
		seen = append(seen, p.Provides...)
	}
	for i := range checks {
		for _, mistake := range judge.LintCheck(&checks[i]) {
			t.Error(mistake)
		}
		for _, topic := range checks[i].RestsOn {
			if !slices.Contains(seen, topic) {
				t.Errorf("%s rests on %q, which no probe looks at", checks[i].ID, topic)
			}
		}
	}
}
