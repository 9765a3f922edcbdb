package export

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/recipes"
)

var writeTo = flag.String("scripts", "", "write the scripts of the recorded Windows machines to a folder (.ci/powershell)")

// recorded is a machine of doctor/testdata's tables.
type recorded struct {
	Case   string
	Parts  []string
	Recipe string
	Set    map[string]string
	Exit   int
}

func machines(t *testing.T, table string) (list []recorded) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../doctor/testdata", table))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// written is a machine's plan as PowerShell, and how many of its changes are
// commands in it.
type written struct {
	script     string
	steps, run int
	feasible   bool
	left       []installers.Manual
}

func (m recorded) write(t *testing.T, tables *recipes.Tables) (w written, windows bool) {
	t.Helper()
	files := []string{filepath.Join("../../../../shared/cases", m.Case+".txtar")}
	if len(m.Parts) > 0 {
		files = nil
	}
	for _, p := range m.Parts {
		files = append(files, filepath.Join("../../doctor/testdata/hosts", p+".txtar"))
	}
	h := hosttest.Load(t, files...)
	if !h.Windows() {
		return w, false
	}
	r, err := recipes.Find(m.Recipe, "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err = r.Set(m.Set); err != nil {
		t.Fatal(err)
	}
	f := doctor.Probe(t.Context(), h, doctor.Probes(false))
	s, err := solve.Solve(t.Context(), r, tables, f, solve.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j := judge.Evaluate(r, tables, f)
	places, err := installers.PlacesOf(h, f.OS.User, "")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := installers.MakePlan(t.Context(), j, h, places, installers.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	whole := &Whole{Solution: s, Findings: j.Findings, Facts: f, Recipe: r, Tables: tables}
	var b bytes.Buffer
	if err := Write(&b, PowerShell, plan, About{Recipe: r.Name, OS: f.OS, Whole: whole}); err != nil {
		t.Fatal(err)
	}
	tasks, err := prepare(PowerShell, plan)
	if err != nil {
		t.Fatal(err)
	}
	_, w.left = whole.order(tasks)
	how := map[string]bool{}
	for _, c := range s.Changes {
		how[c.How+"|"+c.Component] = true
	}
	w.steps = len(how)
	w.run = w.steps - len(w.left)
	if w.feasible = s.Feasible; !w.feasible {
		w.run += len(s.Conflict)
	}
	w.script = b.String()
	return w, true
}

// TestWindowsPlansAreExecutable counts, over recorded Windows machines, how many
// steps of their plans are commands in the script: at least nine of ten.
func TestWindowsPlansAreExecutable(t *testing.T) {
	if _, err := os.Stat("../../../../shared/cases"); err != nil {
		t.Skipf("the recorded machines are not beside this checkout: %v", err)
	}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	count := func(table string, most int) (hosts, steps, run int) {
		for _, m := range machines(t, table) {
			if m.Exit == 0 || hosts == most {
				continue
			}
			w, windows := m.write(t, tables)
			if !windows || !w.feasible {
				continue
			}
			hosts, steps, run = hosts+1, steps+w.steps, run+w.run
			if *writeTo != "" {
				if err := os.WriteFile(filepath.Join(*writeTo, m.Case+".ps1"), []byte(w.script), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for _, l := range w.left {
				t.Logf("%s: %s: %s", m.Case, l.Requirement, l.Do)
			}
			if nothing := strings.Contains(w.script, "This script does nothing"); nothing != (w.run == 0) || nothing && !strings.Contains(w.script, "\nexit 3") {
				t.Errorf("%s: %d of %d steps are commands; the script says that it does nothing: %v", m.Case, w.run, w.steps, nothing)
			}
			if strings.Contains(w.script, "'Nvidia.CUDA'") && !strings.Contains(w.script, "'--version'") {
				t.Errorf("%s installs CUDA without a version", m.Case)
			}
		}
		return hosts, steps, run
	}
	hosts, steps, run := count("cases.yaml", -1)
	more, moreSteps, moreRun := count("windows.yaml", 30-hosts)
	hosts, steps, run = hosts+more, steps+moreSteps, run+moreRun
	t.Logf("%d Windows machines: %d of %d steps of their plans are commands in the script", hosts, run, steps)
	if run*10 < steps*9 {
		t.Errorf("%d of %d steps are commands, less than nine of ten", run, steps)
	}
	hosts, steps, run = 0, 0, 0
	for _, table := range []string{"cases.yaml", "windows.yaml", "machines.yaml"} {
		h, s, r := count(table, -1)
		hosts, steps, run = hosts+h, steps+s, run+r
	}
	t.Logf("all %d Windows machines that have a plan: %d of %d", hosts, run, steps)
}
