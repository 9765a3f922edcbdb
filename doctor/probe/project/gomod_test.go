package project

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestGoMod: the lines of a go.mod that say which gocv is built.
func TestGoMod(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       required
	}{
		{"one line", "module x\nrequire gocv.io/x/gocv v0.31.0\n", required{version: "0.31.0", line: 2, text: "require gocv.io/x/gocv v0.31.0"}},
		{"a block", "require (\n\t\"gocv.io/x/gocv\" v0.43.0 // indirect\n)\n", required{version: "0.43.0", line: 2, text: "\"gocv.io/x/gocv\" v0.43.0 // indirect"}},
		{"replaced by a folder", "replace gocv.io/x/gocv v0.1.0 => ../gocv\nrequire gocv.io/x/gocv v0.1.0", required{line: 1, text: "replace gocv.io/x/gocv v0.1.0 => ../gocv", instead: "../gocv"}},
		{"replaced by a release", "require gocv.io/x/gocv v0.1.0\nreplace (\n gocv.io/x/gocv => gocv.io/x/gocv v0.31.0\n)", required{version: "0.31.0", line: 3, text: "gocv.io/x/gocv => gocv.io/x/gocv v0.31.0", instead: "gocv.io/x/gocv"}},
		{"another module", "require gocv.io/x/gocv/v2 v2.0.0\n// require gocv.io/x/gocv v0.31.0\nexclude gocv.io/x/gocv v0.30.0\n", required{}},
		{"cut off", "require (\n gocv.io/x/gocv", required{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := parseGoMod(c.text, gocv); got != c.want {
				t.Errorf("%+v, not %+v", got, c.want)
			}
		})
	}
}

// TestTagged: a gocv that only files with a build tag import is not what go build
// compiles; a go.mod without sources is believed.
func TestTagged(t *testing.T) {
	const mod = "-- platform --\nlinux/amd64\n-- cwd --\n/p\n-- file /p/go.mod --\nmodule x\nrequire gocv.io/x/gocv v0.43.0\n"
	const tagged = "-- file /p/worker/main.go --\n//go:build worker\n\npackage main\n\nimport (\n\t\"fmt\"\n\n\t\"gocv.io/x/gocv\"\n)\n"
	for name, c := range map[string]struct {
		files string
		want  bool // asked for
	}{
		"no sources":      {"", true},
		"an import":       {"-- file /p/main.go --\npackage main\n\nimport \"gocv.io/x/gocv\"\n", true},
		"a tag":           {tagged, false},
		"a name only":     {tagged + "-- file /p/main.go --\npackage main\n\nconst module = \"gocv.io/x/gocv\"\n", false},
		"both":            {tagged + "-- file /p/cuda/main.go --\npackage main\n\nimport \"gocv.io/x/gocv/cuda\"\n", true},
		"this system":     {"-- file /p/main.go --\n//go:build linux && cgo\n\npackage main\n\nimport cv \"gocv.io/x/gocv\"\n", true},
		"another system":  {"-- file /p/main.go --\n//go:build windows\n\npackage main\n\nimport cv \"gocv.io/x/gocv\"\n", false},
		"another module":  {tagged + "-- file /p/sub/go.mod --\nmodule y\n-- file /p/sub/main.go --\npackage main\n\nimport \"gocv.io/x/gocv\"\n", false},
		"tests are apart": {tagged + "-- file /p/x_test.go --\npackage main\n\nimport \"gocv.io/x/gocv\"\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Probe(t.Context(), hosttest.Parse(t, mod+c.files))
			if err != nil || (f.Project.Folder != "") != c.want {
				t.Errorf("%+v, %v", f.Project, err)
			}
		})
	}
}

// FuzzGoMod: no text breaks the reader, and a line that it names is there.
func FuzzGoMod(f *testing.F) {
	f.Add("module x\nrequire gocv.io/x/gocv v0.31.0\nreplace gocv.io/x/gocv => ../gocv\n")
	f.Add("replace (\n gocv.io/x/gocv =>\n")
	f.Fuzz(func(t *testing.T, text string) {
		if r := parseGoMod(text, gocv); r.line > strings.Count(text, "\n")+1 || r.line == 0 && r != (required{}) {
			t.Errorf("%+v", r)
		}
	})
}
