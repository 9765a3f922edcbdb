package lockfile_test

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

	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/step"
)

var update = flag.Bool("update", false, "rewrite docs/schema/lock.schema.json and bundle.schema.json")

// TestSchema: the published schemas are what the types say. A bundle begins with the
// lock of what it holds, which bundle list prints: both are one type. Neither has a
// time or the version of deployctl, since one machine gives one lock, to the byte.
func TestSchema(t *testing.T) {
	for name, title := range map[string]string{"lock": "deployctl lock", "bundle": "deployctl bundle: its first file, deployctl.lock.json"} {
		r := &generator.Reflector{Anonymous: true} // other keys are refused, as Read does
		if err := r.AddGoComments("github.com/deployctl/deployctl/installers/lockfile", "./"); err != nil {
			t.Fatal(err)
		}
		for k, c := range r.CommentMap {
			r.CommentMap[strings.Replace(k, "/lockfile/.", "/lockfile", 1)] = c
		}
		s := r.Reflect(&lockfile.Lock{})
		s.ID, s.Title = generator.ID("urn:deployctl:"+name+":1"), title
		data, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, '\n')
		file := filepath.FromSlash("../../docs/schema/" + name + ".schema.json")
		if *update {
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		published, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(published, data) {
			t.Errorf("%s does not match the Go types; run go test ./installers/lockfile -run TestSchema -update", file)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(published))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource(name, doc); err != nil {
			t.Fatal(err)
		}
		schema, err := c.Compile(name)
		if err != nil {
			t.Fatal(err)
		}
		fetch := step.Fetch{Name: "g++.deb", Size: 10, SHA256: strings.Repeat("a", 64), Mirrors: []string{"https://mirror.example/g++.deb"}}
		l := &lockfile.Lock{
			Schema: lockfile.Schema, Recipe: lockfile.Recipe{Name: "opencv-yolov3", SHA256: strings.Repeat("b", 64)}, System: lockfile.System{OS: "debian", Version: "12", Arch: "amd64"},
			Packages: []lockfile.Package{{Name: "g++", Version: "12.2", Architecture: "amd64", Stanza: "Package: g++", File: fetch}},
			Modules:  []lockfile.Module{{Path: "gocv.io/x/gocv", Version: "v0.31.0", Ext: "zip", File: fetch}}, Files: []step.Fetch{fetch}, Models: []string{"yolov3"}, Program: &fetch,
		}
		text, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for about, c := range map[string]struct {
			text  string
			valid bool
		}{
			"whole": {string(text), true}, "no recipe": {`{"schema":1,"system":{"os":"debian","version":"12","arch":"amd64"}}`, false},
			"a key of another program": {strings.Replace(string(text), `"schema"`, `"more":1,"schema"`, 1), false},
		} {
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); (err == nil) != c.valid {
				t.Errorf("%s, %s: %v", name, about, err)
			}
		}
	}
}
