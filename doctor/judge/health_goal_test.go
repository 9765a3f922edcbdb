package judge

import (
	"slices"
	"testing"
)

// TestGoalLast: what is to be built comes after what keeps it from being built, and only
// then.
func TestGoalLast(t *testing.T) {
	goal := Finding{ID: "opencv.tuned", State: Fail, Cause: NotInstalled}
	hindered := Finding{ID: "project.cache", State: Warn, Project: true}
	listed := goal
	listed.Listed = true
	other := Finding{ID: "cmake.version", State: Fail, Cause: NotInstalled}
	for _, c := range []struct {
		name string
		in   []Finding
		want []string
		goal bool
	}{
		{"hindered", []Finding{goal, hindered}, []string{"project.cache", "opencv.tuned"}, true},
		{"by a folder", []Finding{goal, {ID: "build.path-length", State: Warn}}, []string{"build.path-length", "opencv.tuned"}, true},
		{"by nothing", []Finding{goal, other}, []string{"opencv.tuned", "cmake.version"}, false},
		{"by what passes", []Finding{goal, {ID: "project.cache", State: OK, Project: true}}, []string{"opencv.tuned", "project.cache"}, false},
		{"a package brings it", []Finding{listed, hindered}, []string{"opencv.tuned", "project.cache"}, false},
		{"a tool", []Finding{other, hindered}, []string{"cmake.version", "project.cache"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			is := false
			for _, f := range goalLast(c.in) {
				got, is = append(got, f.ID), is || f.Goal
			}
			if !slices.Equal(got, c.want) || is != c.goal {
				t.Errorf("%v, goal %v", got, is)
			}
		})
	}
}
