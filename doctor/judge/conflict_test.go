package judge

import (
	"slices"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestConflictIsJudgedOnce: what a probe says of copies that disagree is one
// warning, and none where there is no such component.
func TestConflictIsJudgedOnce(t *testing.T) {
	_, tables := load(t)
	const two = "the loader takes cudnn 9.1.0, but the headers in /usr/include are 8.9.7"
	for _, c := range []struct {
		name string
		have []facts.Instance
		want []string
	}{
		{"two versions", []facts.Instance{{Version: "9.1.0", Path: "/usr/lib/libcudnn.so.9.1.0", Active: true, Conflict: two}, {Version: "8.9.7", Path: "/usr/include", Via: []string{"include"}}}, []string{"cudnn.conflict: " + two}},
		{"one", []facts.Instance{{Version: "9.1.0", Active: true}}, nil},
		{"no cuDNN", nil, nil},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian"}, Components: map[string][]facts.Instance{"cudnn": c.have}}
		requirement := recipes.Requirement{ID: "cudnn.version", Severity: recipes.Recommended, Component: &recipes.ComponentCheck{Name: "cudnn"}}
		var got []string
		for _, finding := range Evaluate(&recipes.Recipe{Name: "test", Requirements: []recipes.Requirement{requirement}}, tables, f).Findings {
			if finding.ID != "cudnn.version" {
				got = append(got, finding.ID+": "+finding.Found)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
