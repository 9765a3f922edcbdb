package project

import (
	"strings"
	"testing"
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
