package judge

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestPythonPackage: what the Python on PATH imports counts, whoever installed it; what
// belongs to another Python, or to C++, does not.
func TestPythonPackage(t *testing.T) {
	wheel := func(path string, imports ...string) facts.Instance {
		return facts.Instance{Version: "20261020", Path: path, Imports: imports, Attrs: map[string]string{"kind": "wheel"}}
	}
	for _, c := range []struct {
		name, python string
		copies       []facts.Instance
		want         State
		found        string
	}{
		{"none", "/v/bin/python3", nil, Fail, "not installed"},
		{"pip's", "/v/bin/python3", []facts.Instance{wheel("/v/lib/python3.11/site-packages/ncnn", "ncnn 1.0.20261020")}, OK, "ncnn 20261020"},
		{"conda's", "/opt/conda/bin/python", []facts.Instance{wheel("/opt/conda/lib/python3.11/site-packages/ncnn")}, OK, "ncnn 20261020"},
		{"conda's on Windows", `C:\miniconda3\python.exe`, []facts.Instance{wheel(`C:\miniconda3\Lib\site-packages\ncnn`)}, OK, "ncnn 20261020"},
		{"another environment's", "/v/bin/python3", []facts.Instance{wheel("/v2/lib/python3.11/site-packages/ncnn")}, Fail,
			"ncnn 20261020 is in /v2/lib/python3.11/site-packages/ncnn, where the Python on PATH does not look"},
		{"C++'s", "/v/bin/python3", []facts.Instance{{Version: "20261020", Path: "/usr", Active: true}}, Fail, "not installed"},
	} {
		_, tables := load(t)
		f := &facts.Facts{OS: facts.OS{Family: "linux"}, Components: map[string][]facts.Instance{"python": {{Path: c.python, Active: true}}}}
		if c.copies != nil {
			f.Components["ncnn"] = c.copies
		}
		r := &recipes.Recipe{Name: "test", Requirements: []recipes.Requirement{{ID: "asked", Title: "asked", Manual: "By hand.", Component: &recipes.ComponentCheck{Name: "ncnn", Python: true}}}}
		got := Evaluate(r, tables, f).Findings[0]
		if got.State != c.want || got.Found != c.found {
			t.Errorf("%s: %s, %q", c.name, got.State, got.Found)
		}
	}
}
