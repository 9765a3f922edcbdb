package formats

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	generator "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
)

// doctorSchema is the published form of doctor's document: the Go types with their
// comments, and the later stages in the places that report keeps for them. The
// schema of a proof is within, so that one file is enough.
func doctorSchema(t *testing.T) []byte {
	t.Helper()
	r := &generator.Reflector{AllowAdditionalProperties: true, Anonymous: true}
	for _, folder := range []string{"doctor/report", "doctor/judge", "installers/step", "installers/mechanism"} {
		if err := r.AddGoComments("github.com/deployctl/deployctl/"+folder, "../../"+folder); err != nil {
			t.Fatal(err)
		}
		for k, c := range r.CommentMap { // the generator joins the folder as it is given
			r.CommentMap[strings.Replace(filepath.ToSlash(k), folder+"/../../"+folder, folder, 1)] = c
		}
	}
	s := r.Reflect(&report.Report{})
	s.ID, s.Title = "urn:deployctl:doctor:1", "deployctl doctor"
	for name, v := range map[string]any{"Step": step.Step{}, "Manual": mechanism.Manual{}} {
		for key, d := range r.Reflect(v).Definitions {
			s.Definitions[key] = d
		}
		if s.Definitions[name] == nil {
			t.Fatalf("no %s in the schema", name)
		}
	}
	properties := s.Definitions["Report"].Properties
	properties.Set("plan", &generator.Schema{Type: "array", Items: &generator.Schema{Ref: "#/$defs/Step"}, Description: "What --fix would do, or did; empty without --plan, --dry-run or --fix."})
	properties.Set("manual", &generator.Schema{Type: "array", Items: &generator.Schema{Ref: "#/$defs/Manual"}, Description: "What the plan leaves to a person."})
	properties.Set("proof", &generator.Schema{Ref: "urn:deployctl:verify:1", Description: "What verify measured after --fix."})
	finding := s.Definitions["Finding"].Properties
	finding.Set("state", &generator.Schema{Type: "string", Enum: []any{judge.OK, judge.Info, judge.Warn, judge.Fail, judge.Unknown, judge.Skipped, judge.Pending}})
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	verify, err := os.ReadFile("../../docs/schema/verify.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var proof map[string]any
	if err := json.Unmarshal(verify, &proof); err != nil {
		t.Fatal(err)
	}
	whole["$defs"].(map[string]any)["verify"] = proof
	var out bytes.Buffer
	if err := encode(&out, whole); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSchema: docs/schema/doctor.schema.json is what the types say, and documents of
// every kind are valid against it.
func TestSchema(t *testing.T) {
	got := doctorSchema(t)
	file := filepath.FromSlash("../../docs/schema/doctor.schema.json")
	keep(t, file, string(got))
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:deployctl:doctor:1", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:deployctl:doctor:1")
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) error {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(value)
	}
	for about, d := range documentsIn(t, JSON) {
		if d.Doctor == nil {
			continue
		}
		text := written(t, JSON, d)
		if err := check(text); err != nil {
			t.Errorf("%s: %v", about, err)
		}
		for what, bad := range map[string]string{
			"a state that there is not": strings.Replace(text, `"state": "ok"`, `"state": "fine"`, 1),
			"no tool":                   strings.Replace(text, `"tool"`, `"program"`, 1),
			"a step without a title":    strings.Replace(text, `"title": "Install libopencv-dev"`, `"name": ""`, 1),
		} {
			if bad == text || check(bad) == nil {
				t.Errorf("%s: accepted: %s", about, what)
			}
		}
	}
}
