package images

import (
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/recipes"
)

// TestPlansForImages: each clean system gets a whole plan for the default recipe of
// its kind, which brings everything, since nothing is there.
func TestPlansForImages(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		recipe, want := "opencv-yolov3", []string{"go", "opencv", "pkg-config"}
		if strings.HasPrefix(name, "windows") {
			recipe, want = "gocv-windows", []string{"cmake", "git", "go", "mingw", "opencv"}
		}
		r, err := recipes.Find(recipe, "")
		if err != nil {
			t.Fatal(err)
		}
		f, h, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if home := h.Env("HOME") + h.Env("LOCALAPPDATA"); home == "" {
			t.Errorf("%s has no folder for what is installed", name)
		}
		s, err := solve.Solve(t.Context(), r, tables, f, solve.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range s.Changes {
			got = append(got, c.Component)
		}
		for _, component := range want {
			if !s.Feasible || !slices.Contains(got, component) {
				t.Errorf("%s: feasible %v, changes %v, want %s among them; conflict %v", name, s.Feasible, got, component, s.Conflict)
			}
		}
		for _, finding := range judge.Evaluate(r, tables, f).Findings {
			if finding.State == judge.Unknown {
				t.Errorf("%s: %s is unknown: %s", name, finding.ID, finding.Found)
			}
		}
	}
	if _, _, err := Open("debian:11"); err == nil || !strings.Contains(err.Error(), "ubuntu:24.04") {
		t.Errorf("an unknown name: %v", err)
	}
}
