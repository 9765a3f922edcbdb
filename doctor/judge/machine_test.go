package judge

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestMachine: what is wrong with the user's project alone leaves the machine
// ready; anything else does not.
func TestMachine(t *testing.T) {
	project := Finding{ID: "project.gocv", State: Fail, Severity: recipes.Required, Project: true}
	opencv := Finding{ID: "opencv.version", State: Fail, Severity: recipes.Required}
	for _, c := range []struct {
		name       string
		findings   []Finding
		all, alone int
	}{
		{"the project alone", []Finding{project}, ExitFail, ExitOK},
		{"the machine, too", []Finding{project, opencv}, ExitFail, ExitFail},
		{"healthy", nil, ExitOK, ExitOK},
	} {
		j := &Judgement{Findings: c.findings}
		if j.Exit(false) != c.all || j.Machine().Exit(false) != c.alone || len(j.Findings) != len(c.findings) {
			t.Errorf("%s: %d and %d", c.name, j.Exit(false), j.Machine().Exit(false))
		}
	}
	// The checks mark their findings.
	_, tables := load(t)
	f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian"}, Components: map[string][]facts.Instance{},
		Project: facts.Project{Models: []facts.Model{{Path: "/home/user/a.onnx", Problem: "empty"}}}}
	marked := 0
	for _, x := range Evaluate(&recipes.Recipe{Name: "test"}, tables, f).Findings {
		if x.Project {
			marked++
		}
	}
	if marked != 1 {
		t.Errorf("%d findings on the project", marked)
	}
}
