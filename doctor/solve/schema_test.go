package solve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gen "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/recipes"
)

// TestSchema keeps the published schema of plans equal to the Go types, and
// every plan of the constructed hosts valid against it.
func TestSchema(t *testing.T) {
	r := gen.Reflector{ExpandedStruct: true}
	if err := r.AddGoComments("github.com/deployctl/deployctl/doctor/solve", "."); err != nil {
		t.Fatal(err)
	}
	for k, c := range r.CommentMap {
		r.CommentMap[strings.Replace(k, "/solve/.", "/solve", 1)] = c
	}
	s := r.Reflect(&solve.Document{})
	s.ID, s.Title = "urn:deployctl:plan:1", "deployctl plan"
	s.Properties.Set("schema", &gen.Schema{Const: 1})
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want := append(data, '\n')
	file := filepath.FromSlash("../../docs/schema/plan.schema.json")
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s does not match the Go types; run go test ./doctor/solve -run TestSchema -update", file)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:deployctl:plan:1", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:deployctl:plan:1")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range scenes(t) {
		solution, err := solve.Solve(context.Background(), sc.recipe, tables, sc.facts, solve.Options{Targets: sc.targets})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := solution.WriteJSON(&out, report.Made{}); err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(&out)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", sc.name(), err)
		}
	}
}

func TestParseTargets(t *testing.T) {
	got, err := solve.ParseTargets([]string{"cuda=12.6", "opencv=>=4.8"})
	if err != nil || got["cuda"] != "12.6" || got["opencv"] != ">=4.8" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := solve.ParseTargets([]string{"cuda=12.6 cudnn=9"}); err != nil || len(got) != 2 {
		t.Errorf("two in one: %v, %v", got, err)
	}
	for _, bad := range []string{"cuda", "=12", "cuda=", "cudda=12", "cuda=newest", "cuda=>"} {
		if _, err := solve.ParseTargets([]string{bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// TestTargetBesideTheRecipe: a wish for a component that the recipe does not ask
// for is met too.
func TestTargetBesideTheRecipe(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenes(t) {
		if s.name() != "debian-12-go-1.19" {
			continue
		}
		for target, want := range map[string]string{"cudnn": "8.9", "ninja": "1.12"} {
			solution, err := solve.Solve(context.Background(), s.recipe, tables, s.facts, solve.Options{Targets: map[string]string{target: want}})
			if err != nil {
				t.Fatal(err)
			}
			if !solution.Feasible || len(solution.Changes) != 1 || solution.Changes[0].Component != target || !strings.HasPrefix(solution.Changes[0].To, want) {
				t.Errorf("%s=%s: %+v", target, want, solution)
			}
		}
		return
	}
	t.Error("the host is gone")
}

// TestStops: a search ends when its context does.
func TestStops(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	all := scenes(t)
	stopped := false
	for _, s := range all {
		if _, err := solve.Solve(ctx, s.recipe, tables, s.facts, solve.Options{}); err != nil {
			stopped = true
		}
	}
	if !stopped {
		t.Error("no search noticed that its context had ended")
	}
}

func FuzzParseTargets(f *testing.F) {
	for _, seed := range []string{"cuda=12.6", "cuda=>=12.4, <13", "cuda=12.6 cudnn=9.1", "=", "cuda=1.2.3.4.5.6.7.8.9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		targets, err := solve.ParseTargets([]string{text})
		if err == nil && strings.TrimSpace(text) != "" && len(targets) == 0 {
			t.Errorf("%q is accepted and gives nothing", text)
		}
	})
}
