package bench

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	generator "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "rewrite docs/schema/bench.schema.json")

// TestSchema: docs/schema/bench.schema.json is what the types say, and a report is
// valid against it.
func TestSchema(t *testing.T) {
	r := &generator.Reflector{AllowAdditionalProperties: true, Anonymous: true}
	for _, folder := range []string{"verify/bench", "verify"} {
		path := map[string]string{"verify/bench": ".", "verify": ".."}[folder]
		if err := r.AddGoComments("github.com/deployctl/deployctl/"+folder, path); err != nil {
			t.Fatal(err)
		}
		for k, c := range r.CommentMap { // the generator joins the folder as it is given
			r.CommentMap[strings.Replace(filepath.ToSlash(k), folder+"/"+path+".", folder+".", 1)] = c
		}
	}
	s := r.Reflect(&Report{})
	s.ID, s.Title = "urn:deployctl:bench:1", "deployctl bench"
	s.Definitions["Report"].Properties.Set("schema", &generator.Schema{Const: Schema})
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got := append(data, '\n')
	file := filepath.FromSlash("../../docs/schema/bench.schema.json")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the types say: run go test ./verify/bench -run TestSchema -update", file)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:deployctl:bench:1", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:deployctl:bench:1")
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
	report, _ := measureAll(t, timings{"slow": 0.5, "gpu": 0.1})
	data, err = json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if err := check(text); err != nil {
		t.Error(err)
	}
	for what, bad := range map[string]string{
		"another schema":  strings.Replace(text, `"schema":1`, `"schema":2`, 1),
		"no rows":         strings.Replace(text, `"rows"`, `"lines"`, 1),
		"a time in words": strings.Replace(text, `"median_s":`, `"median_s":"long","min":`, 1),
	} {
		if bad == text || check(bad) == nil {
			t.Errorf("accepted: %s", what)
		}
	}
}
