package installers

import (
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
)

// TestStepsNameVersions: on a bare Windows every step of winget says which version
// it brings, and CUDA, whose installer looks for Visual Studio, comes after it.
func TestStepsNameVersions(t *testing.T) {
	h := hosttest.Load(t, "testdata/bare-windows.txtar")
	f := doctor.Probe(t.Context(), h, doctor.Probes(false))
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipes.Find("opencv-cuda", "")
	if err != nil {
		t.Fatal(err)
	}
	places, err := PlacesOf(h, f.OS.User, "")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := MakePlan(t.Context(), judge.Evaluate(r, tables, f), h, places, Sources{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range plan.Steps {
		ids = append(ids, s.ID)
		if !slices.Contains(s.Argv, "--version") {
			t.Errorf("%s has no version: %s", s.ID, strings.Join(s.Argv, " "))
		}
	}
	studio, cuda := slices.Index(ids, "visual-studio.install"), slices.Index(ids, "winget.install.Nvidia.CUDA")
	if studio < 0 || cuda < studio {
		t.Errorf("the steps are %v: Visual Studio comes before CUDA", ids)
	}
	for _, s := range plan.Steps {
		if s.ID == "winget.install.Nvidia.CUDA" && s.Versions["Nvidia.CUDA"] != "12.9" {
			t.Errorf("CUDA for a GTX 1060 is %v, want 12.9: 13 has no code for it", s.Versions)
		}
	}
}
