package doctor_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
)

// follow changes a recorded machine as an action says; false for packages,
// whose files no recording has.
func follow(h *host.Host, f *facts.Facts, a *judge.Action) (*host.Host, bool) {
	separator := ":"
	if f.OS.Family == "windows" {
		separator = ";"
	}
	env := map[string]string{}
	for _, edit := range a.Env {
		list := strings.FieldsFunc(h.Env(edit.Name), func(r rune) bool { return string(r) == separator })
		same := func(folder string) func(string) bool {
			return func(s string) bool { return strings.EqualFold(strings.TrimRight(s, `\/`), folder) }
		}
		at := 0
		switch {
		case edit.Remove:
			list = slices.DeleteFunc(list, same(edit.Value))
			env[edit.Name] = strings.Join(list, separator)
			continue
		case edit.Before != "":
			at = max(0, slices.IndexFunc(list, same(edit.Before)))
		}
		env[edit.Name] = strings.Join(slices.Insert(list, at, edit.Value), separator)
	}
	return host.Overlay(h, env), len(a.Packages) == 0 && a.Loader == nil
}

// TestAdviceIsTrue follows every fix that a program can carry out on every
// recorded machine and judges again: the finding is gone, and nothing fails that
// was well before.
func TestAdviceIsTrue(t *testing.T) {
	followed := 0
	for _, table := range []string{"testdata/cases.yaml", "testdata/machines.yaml"} {
		for _, a := range readAnswers(t, table) {
			h := a.host(t)
			followed += adviceIsTrue(t, a.Case, h, a.recipe(t), embedded(t))
		}
	}
	if followed < 4 {
		t.Errorf("only %d fixes were followed", followed)
	}
}

func adviceIsTrue(t *testing.T, name string, h *host.Host, r *recipes.Recipe, tables *recipes.Tables) (followed int) {
	t.Helper()
	f := doctor.Probe(context.Background(), h, doctor.Probes(false))
	before := judge.Evaluate(r, tables, f)
	state := map[string]judge.State{}
	for _, x := range before.Findings {
		state[x.ID] = x.State
	}
	for _, x := range before.Findings {
		if x.Action == nil {
			continue
		}
		changed, ok := follow(h, f, x.Action)
		if !ok {
			continue
		}
		followed++
		for _, after := range judge.Evaluate(r, tables, doctor.Probe(context.Background(), changed, doctor.Probes(false))).Findings {
			bad := after.State == judge.Fail || after.State == judge.Warn
			switch {
			case bad && after.ID == x.ID && after.Found == x.Found:
				t.Errorf("%s: %s is still there after %q: %s", name, x.ID, x.Fix, after.Found)
			case after.State == judge.Fail && state[after.ID] == judge.OK:
				t.Errorf("%s: after %q, %s fails: %s", name, x.Fix, after.ID, after.Found)
			}
		}
	}
	return followed
}

// TestSelectionTurnsNothingIntoFailure: leaving a requirement out, or lowering
// its severity, never makes another line fail that did not, on any recorded
// machine and with any recipe.
func TestSelectionTurnsNothingIntoFailure(t *testing.T) {
	all, err := recipes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	tables := embedded(t)
	machines := []*facts.Facts{}
	for _, a := range readAnswers(t, "testdata/machines.yaml") {
		if a.Case == "gocv-healthy" || a.Case == "opencv-cuda-built" || a.Case == "vs-reboot" || a.Case == "server-core" {
			machines = append(machines, doctor.Probe(context.Background(), a.host(t), doctor.Probes(false)))
		}
	}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		machines = append(machines, doctor.Probe(context.Background(), hosttest.Empty(goos, "amd64"), doctor.Probes(false)))
	}
	for _, f := range machines {
		for _, r := range all {
			state := map[string]judge.State{}
			for _, x := range judge.Evaluate(r, tables, f).Findings {
				state[x.ID] = x.State
			}
			for _, q := range r.Requirements {
				for _, s := range [][2][]string{{{q.ID}, nil}, {nil, {q.ID}}} {
					narrowed, err := r.Select(nil, s[0], s[1])
					if err != nil {
						t.Fatal(err)
					}
					for _, x := range judge.Evaluate(narrowed, tables, f).Findings {
						if x.State == judge.Fail && state[x.ID] != judge.Fail {
							t.Errorf("%s on %s without or with a lower %s: %s was %s and fails", r.Name, f.OS.Family, q.ID, x.ID, state[x.ID])
						}
					}
				}
			}
		}
	}
}
