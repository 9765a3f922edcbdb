package engines

import (
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/verify/engine"
)

// TestDeclared: every engine is a word of the recipes, has a recipe that ends with
// it or a component that one provides, and declares what the others do.
func TestDeclared(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range All() {
		if seen[s.Name] {
			t.Errorf("%s is there twice", s.Name)
		}
		seen[s.Name] = true
		if s.Recipe != "" { // packages for Python that no mechanism installs have none
			r, err := recipes.Find(s.Recipe, "")
			if err != nil {
				t.Errorf("%s: %v", s.Name, err)
			} else if r.Verify == nil || r.Verify.Engine != s.Name || !slices.Contains(recipes.Engines(), s.Name) {
				t.Errorf("%s: the recipe %s does not end with its proof", s.Name, s.Recipe)
			}
		}
		if _, ok := recipes.FindComponent(s.Component); !ok {
			t.Errorf("%s: recipes/catalog.go has no component %q", s.Name, s.Component)
		}
		if s.Library == "" || len(s.Formats) == 0 || s.Find == nil {
			t.Errorf("%s does not declare everything (Library, Formats, Find): %+v", s.Name, s)
		}
		if len(s.Targets) == 0 || s.Targets[0].Name != "cpu" {
			t.Errorf("%s: the default target is not the processor: %v", s.Name, s.TargetNames())
		}
		for _, target := range s.Targets {
			got, ok := s.Target(target.Backend, target.Name)
			if !ok || got.Pair() != target.Pair() || target.Backend == "" {
				t.Errorf("%s does not find its target %s", s.Name, target.Pair())
			}
		}
		if _, ok := s.Target("", "abacus"); ok {
			t.Errorf("%s computes on an abacus", s.Name)
		}
	}
	for _, system := range []string{"linux", "windows", "darwin"} {
		r, err := recipes.Find(recipes.DefaultOn(system), "")
		if err != nil || r.Verify.Engine != Default(system).Name {
			t.Errorf("on %s the default engine is %s and the default recipe %s: %v", system, Default(system).Name, recipes.DefaultOn(system), err)
		}
	}
	if _, ok := Named("abacus"); ok || len(Names()) != len(All()) {
		t.Errorf("names are %q", Names())
	}
}

// TestCode: every engine that has lines for a choice has them for each of its targets,
// with the threads and the settings in them, and no place left open.
func TestCode(t *testing.T) {
	for _, s := range All() {
		if s.Code == nil {
			continue
		}
		settings := map[string]string{}
		for _, v := range s.Settings {
			settings[v.Name] = v.Values[len(v.Values)-1]
		}
		for _, target := range s.Targets {
			code := s.Code(engine.Choice{Target: target, Threads: 7, Settings: settings})
			if len(code) == 0 {
				t.Errorf("%s has no lines for %s", s.Name, target.Pair())
			}
			for _, c := range code {
				text := strings.Join(c.Lines, "\n")
				if !strings.Contains(text, "7") || strings.Contains(text, "gocv.)") || strings.Contains(text, "::)") || strings.Contains(text, "%") {
					t.Errorf("%s on %s in %s: %s", s.Name, target.Pair(), c.Language, text)
				}
			}
			plain := s.Code(engine.Choice{Target: target})
			for _, c := range plain {
				if strings.Contains(strings.Join(c.Lines, "\n"), "(0)") {
					t.Errorf("%s on %s limits threads to none: %q", s.Name, target.Pair(), c.Lines)
				}
			}
		}
	}
}
