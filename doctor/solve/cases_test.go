package solve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/recipes"
)

var update = flag.Bool("update", false, "write golden files")

// scene is one constructed host with what is asked about it. The comment of
// its file is the reasoning of a person; findings and plan are the golden part.
type scene struct {
	file    string
	archive *txtar.Archive
	recipe  *recipes.Recipe
	facts   *facts.Facts
	targets map[string]string
}

func scenes(t testing.TB) []scene {
	t.Helper()
	files, err := filepath.Glob(filepath.FromSlash("../testdata/hosts/cases/*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var out []scene
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := scene{file: file, archive: a, targets: map[string]string{}}
		sets := map[string]string{}
		for _, section := range a.Files {
			switch section.Name {
			case "ask":
				for line := range strings.Lines(string(section.Data)) {
					verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
					switch verb {
					case "recipe":
						if s.recipe, err = recipes.Find(rest, ""); err != nil {
							t.Fatalf("%s: %v", file, err)
						}
					case "set":
						if sets, err = recipes.ParseSet(strings.Fields(rest)); err != nil {
							t.Fatalf("%s: %v", file, err)
						}
					case "target":
						if s.targets, err = solve.ParseTargets(strings.Fields(rest)); err != nil {
							t.Fatalf("%s: %v", file, err)
						}
					}
				}
			case "facts.json":
				s.facts = &facts.Facts{}
				if err := json.Unmarshal(section.Data, s.facts); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
			}
		}
		if s.recipe == nil || s.facts == nil {
			t.Fatalf("%s needs a recipe and facts.json", file)
		}
		if s.recipe, err = s.recipe.Set(sets); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, s)
	}
	return out
}

func (s scene) name() string { return strings.TrimSuffix(filepath.Base(s.file), ".txtar") }

// TestCases: every constructed host has the diagnosis and the plan that a
// person has reasoned through, and the plan, applied, ends with every required
// line holding.
func TestCases(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	all := scenes(t)
	if len(all) < 30 {
		t.Errorf("%d hosts, want at least 30", len(all))
	}
	for _, s := range all {
		t.Run(s.name(), func(t *testing.T) {
			if len(strings.Fields(string(s.archive.Comment))) < 15 {
				t.Error("the file does not say how a person reasons about this host")
			}
			solution, err := solve.Solve(context.Background(), s.recipe, tables, s.facts, solve.Options{Targets: s.targets})
			if err != nil {
				t.Fatal(err)
			}
			var plan bytes.Buffer
			if err := solution.WriteText(&plan, 0); err != nil {
				t.Fatal(err)
			}
			s.golden(t, map[string]string{"findings": diagnosis(s, tables), "plan": plan.String()})
			if not := judge.Unsatisfied(s.recipe, tables, solve.Apply(s.facts, solution)); solution.Feasible && len(solution.Open) == 0 && len(not) > 0 {
				t.Errorf("after the plan these do not hold: %v", not)
			}
		})
	}
}

// TestEveryRecipeHasACase: a recipe that joins the library brings a host.
func TestEveryRecipeHasACase(t *testing.T) {
	used := map[string]bool{}
	for _, s := range scenes(t) {
		used[s.recipe.Name] = true
	}
	all, err := recipes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if !used[r.Name] {
			t.Errorf("no file in doctor/testdata/hosts/cases asks for the recipe %s", r.Name)
		}
	}
}

// diagnosis lists what is not in order.
func diagnosis(s scene, tables *recipes.Tables) string {
	var b strings.Builder
	for _, f := range judge.Evaluate(s.recipe, tables, s.facts).Findings {
		if f.State == judge.OK || f.State == judge.Skipped {
			continue
		}
		fmt.Fprintf(&b, "%-7s %s: wanted %s; found %s\n", f.State, f.ID, f.Wanted, f.Found)
	}
	if b.Len() == 0 {
		return "all in order\n"
	}
	return b.String()
}

func (s scene) golden(t *testing.T, want map[string]string) {
	t.Helper()
	for _, name := range []string{"findings", "plan"} {
		found := false
		for i := range s.archive.Files {
			if s.archive.Files[i].Name != name {
				continue
			}
			found = true
			if *update {
				s.archive.Files[i].Data = []byte(want[name])
			} else if got := string(s.archive.Files[i].Data); got != want[name] {
				t.Errorf("%s:\n%s\nwant, by %s:\n%s", name, want[name], s.file, got)
			}
		}
		if !found {
			if !*update {
				t.Errorf("%s has no section %s", s.file, name)
			}
			s.archive.Files = append(s.archive.Files, txtar.File{Name: name, Data: []byte(want[name])})
		}
	}
	if *update {
		if err := os.WriteFile(s.file, txtar.Format(s.archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestScenesAreFacts: the facts of constructed hosts are written by hand; each is
// of a form that a probe gives: nothing that facts have no field for, and only
// components, parts and details of the catalog.
func TestScenesAreFacts(t *testing.T) {
	for _, s := range scenes(t) {
		if len(s.facts.Unknown) > 0 {
			t.Errorf("%s: facts have no field for %q", s.name(), slices.Sorted(maps.Keys(s.facts.Unknown)))
		}
		for name, list := range s.facts.Components {
			c, ok := recipes.FindComponent(name)
			if !ok {
				t.Errorf("%s: the catalog does not know %s", s.name(), name)
				continue
			}
			active := 0
			for _, i := range list {
				if i.Active {
					active++
				}
				if len(i.Unknown) > 0 {
					t.Errorf("%s: a copy of %s has no field for %q", s.name(), name, slices.Sorted(maps.Keys(i.Unknown)))
				}
				for _, part := range i.Has {
					if len(c.Parts) > 0 && !slices.Contains(c.Parts, part) {
						t.Errorf("%s: no probe gives %s the part %s", s.name(), name, part)
					}
				}
				for key := range i.Attrs {
					open := strings.HasPrefix(key, "build.") && slices.Contains(c.Attrs, "build.")
					if len(c.Attrs) > 0 && !open && !slices.Contains(c.Attrs, key) {
						t.Errorf("%s: no probe gives %s the detail %s", s.name(), name, key)
					}
				}
			}
			if active > 1 {
				t.Errorf("%s: %d copies of %s are active", s.name(), active, name)
			}
		}
	}
}
