package recipes

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	gen "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write golden files")

// generate makes a schema from a Go type, with the Go comments as descriptions.
func generate(t *testing.T, v any, id, title string) []byte {
	t.Helper()
	r := gen.Reflector{FieldNameTag: "yaml", ExpandedStruct: true}
	if err := r.AddGoComments("github.com/deployctl/deployctl/recipes", "."); err != nil {
		t.Fatal(err)
	}
	// AddGoComments joins the package path with "." on some systems.
	for k, c := range r.CommentMap {
		r.CommentMap[strings.Replace(k, "/recipes/.", "/recipes", 1)] = c
	}
	r.Mapper = func(typ reflect.Type) *gen.Schema {
		enum := func(words []string) *gen.Schema {
			s := &gen.Schema{Type: "string"}
			for _, w := range words {
				s.Enum = append(s.Enum, w)
			}
			return s
		}
		switch typ {
		case reflect.TypeFor[Severity]():
			return enum(Severities())
		case reflect.TypeFor[Basis]():
			return enum(Bases())
		case reflect.TypeFor[Bytes]():
			return &gen.Schema{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)? ?(B|kB|KiB|MB|MiB|GB|GiB|TB|TiB)$`, Examples: []any{"2GiB"}}
		}
		return nil
	}
	s := r.Reflect(v)
	s.ID, s.Title = gen.ID(id), title
	if q, ok := s.Definitions["Requirement"]; ok {
		for _, check := range []string{"os", "cpu", "memory", "disk", "component", "compat", "gpu"} {
			q.OneOf = append(q.OneOf, &gen.Schema{Required: []string{check}})
		}
	}
	if f, ok := s.Definitions["Fix"]; ok {
		for _, m := range Managers() {
			f.Properties.Set(m.Name, &gen.Schema{Type: "array", Items: &gen.Schema{Type: "string"}, Description: m.About})
		}
		for _, m := range append(Managers(), Manager{Name: "archive"}, Manager{Name: "wheel"}) {
			f.OneOf = append(f.OneOf, &gen.Schema{Required: []string{m.Name}})
		}
		// A build stands alone, or beside the packages that it needs.
		alone := &gen.Schema{Required: []string{"build"}, Not: &gen.Schema{AnyOf: slices.Clone(f.OneOf)}}
		f.OneOf = append(f.OneOf, alone)
	}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

// TestSchema keeps the published schemas equal to the Go types, and every
// embedded file valid against them.
func TestSchema(t *testing.T) {
	for _, tt := range []struct {
		name    string
		value   any
		title   string
		current []byte
		files   string
	}{
		{"recipe", &Recipe{}, "deployctl recipe", RecipeSchema(), "library/*.yaml"},
		{"compat", &Table{}, "deployctl compatibility table", TableSchema(), "library/compat/*.yaml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := "urn:deployctl:" + tt.name + ":1"
			want := generate(t, tt.value, id, tt.title)
			// docs/schema is what is published; recipes/schema is what the
			// program prints. They are the same bytes.
			for _, file := range []string{"schema/" + tt.name + ".schema.json", "../docs/schema/" + tt.name + ".schema.json"} {
				if *update {
					if err := os.WriteFile(filepath.FromSlash(file), want, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				got, err := os.ReadFile(filepath.FromSlash(file))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s does not match the Go types; run go test ./recipes -run TestSchema -update", file)
				}
			}
			if !*update && !bytes.Equal(tt.current, want) {
				t.Error("the embedded schema does not match the Go types")
			}
			schema := compileSchema(t, want, id)
			files, err := filepath.Glob(tt.files)
			if err != nil || len(files) == 0 {
				t.Fatalf("no files %s: %v", tt.files, err)
			}
			for _, file := range files {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := validate(t, schema, data); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
		})
	}
}

func compileSchema(t *testing.T, data []byte, id string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(id, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, data []byte) error {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(value)
}

// TestSchemaRefuses: the schema catches in an editor what the loader refuses.
func TestSchemaRefuses(t *testing.T) {
	s := compileSchema(t, RecipeSchema(), "urn:deployctl:recipe:1")
	if err := validate(t, s, []byte(small)); err != nil {
		t.Fatalf("the sample itself: %v", err)
	}
	for name, change := range map[string][2]string{
		"unknown key":      {"why:", "wyh:"},
		"no check":         {"    component: {name: go}\n", ""},
		"two checks":       {"    component: {name: go}\n", "    component: {name: go}\n    memory: {min: 1GiB}\n"},
		"unknown severity": {"severity: required", "severity: must"},
		"size without unit": {
			"component: {name: go}", "memory: {min: 5}",
		},
		"fix with two managers": {"apt: [golang-go]", "apt: [golang-go]\n        dnf: [golang]"},
	} {
		changed := strings.Replace(small, change[0], change[1], 1)
		if changed == small {
			t.Fatalf("%s: the sample does not contain %q", name, change[0])
		}
		if validate(t, s, []byte(changed)) == nil {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}
