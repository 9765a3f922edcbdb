package pipeline

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
)

// recorded is a recorded machine with the recipe that it is judged by.
type recorded struct {
	Case, Recipe string
	Parts        []string
	Set          map[string]string
}

// recordedMachines are those of tables in doctor/testdata, and those of shared/cases where
// that folder is beside this checkout.
func recordedMachines(t *testing.T, tables ...string) []recorded {
	t.Helper()
	var all []recorded
	for _, table := range append(tables, "cases") {
		data, err := os.ReadFile(filepath.Join("..", "..", "doctor", "testdata", table+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var list []recorded
		if err := yaml.Unmarshal(data, &list); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(sharedCases); err != nil && table == "cases" {
			t.Logf("without the %d machines of shared/cases: %v", len(list), err)
			continue
		}
		all = append(all, list...)
	}
	return all
}

var sharedCases = filepath.Join("..", "..", "..", "shared", "cases")

func (m recorded) host(t *testing.T) *host.Host {
	t.Helper()
	files := []string{filepath.Join(sharedCases, m.Case+".txtar")}
	if len(m.Parts) > 0 {
		files = nil
	}
	for _, part := range m.Parts {
		files = append(files, filepath.Join("..", "..", "doctor", "testdata", "hosts", part+".txtar"))
	}
	return hosttest.Load(t, files...)
}

// recipe is a recipe with the machine's settings where it is the machine's own.
func (m recorded) recipe(t *testing.T, name string) *recipes.Recipe {
	t.Helper()
	r, err := recipes.Find(name, "")
	if err != nil {
		t.Fatal(err)
	}
	if name == m.Recipe {
		if r, err = r.Set(m.Set); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// TestOneAdvice: on every recorded machine doctor, plan and doctor --fix say the
// same. Every fix of doctor's is a step of plan's, and the other way round; what
// --fix would do is what doctor says, and where it does nothing, it says why and
// repeats doctor's words.
func TestOneAdvice(t *testing.T) {
	if testing.Short() {
		t.Skip("every recorded machine: not with -short, which CI uses under the race detector")
	}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, m := range recordedMachines(t, "machines", "unix", "unix-whole", "windows", "project") {
		h := m.host(t)
		f := doctor.Probe(t.Context(), h, doctor.Probes(false))
		// The machine's own recipe, and one that nobody thought of here: on Unix
		// that of another system.
		other := "gocv-windows"
		if f.OS.Family == "windows" {
			other = "opencv-tuned"
		}
		for _, name := range []string{m.Recipe, other} {
			a := advice{t: t, name: m.Case + ", " + name, tables: tables, facts: f, recipe: m.recipe(t, name), counts: counts}
			a.judgement = judge.Evaluate(a.recipe, tables, f)
			a.byDoctor()
			a.byPlan()
			a.byFix(h)
		}
	}
	t.Logf("%v", counts)
	if counts["fixes"] < 200 || counts["steps"] < 20 || counts["by hand"] < 150 || counts["only after other changes"] > 15 {
		t.Errorf("fewer are compared than there should be: %v", counts)
	}
}

// advice is one comparison.
type advice struct {
	t         *testing.T
	name      string
	tables    *recipes.Tables
	facts     *facts.Facts
	recipe    *recipes.Recipe
	judgement *judge.Judgement
	counts    map[string]int
}

// byDoctor: the report has every fix, whole.
func (a advice) byDoctor() {
	var text strings.Builder
	if err := report.New(a.judgement, false).WriteText(&text, report.Style{}); err != nil {
		a.t.Fatal(err)
	}
	for _, f := range a.judgement.Findings {
		if f.State != judge.Fail && f.State != judge.Warn {
			continue
		}
		a.counts["fixes"]++
		if f.Fix == "" || !strings.Contains(text.String(), "fix: "+f.Fix+"\n") {
			a.t.Errorf("%s: doctor does not say how to fix %s (%q)", a.name, f.ID, f.Fix)
		}
	}
}

// byPlan: plan has every fix of a failed or pending finding, and nothing else but what the
// other steps make necessary.
func (a advice) byPlan() {
	s, err := solve.Solve(a.t.Context(), a.recipe, a.tables, a.facts, solve.Options{})
	if err != nil {
		a.t.Fatal(err)
	}
	var text strings.Builder
	if err := s.WriteText(&text, 0); err != nil {
		a.t.Fatal(err)
	}
	fixes := map[string][]string{} // one check may find several things
	for _, f := range a.judgement.Findings {
		if f.State != judge.Fail && f.State != judge.Pending {
			continue
		}
		fixes[f.ID] = append(fixes[f.ID], f.Fix)
		if !strings.Contains(text.String(), f.Fix) {
			a.t.Errorf("%s: plan does not say what doctor says of %s (%q):\n%s", a.name, f.ID, f.Fix, &text)
		}
	}
	seen := map[string]bool{}
	for i, c := range s.Changes {
		a.counts["changes of a plan"]++
		if len(c.Covers) == 0 {
			a.counts["only after other changes"]++
			a.follows(s, i)
			continue
		}
		for _, id := range c.Covers {
			if !slices.Contains(fixes[id], c.How) {
				a.t.Errorf("%s: plan says %q, and doctor of %s %q", a.name, c.How, id, fixes[id])
			}
		}
		if c.Action == solve.Repair && seen[c.How] {
			a.t.Errorf("%s: plan has %q twice", a.name, c.How)
		}
		seen[c.How] = true
	}
}

// follows: a change that covers no finding is one that doctor asks for in the
// same words once the others are made.
func (a advice) follows(s *solve.Solution, i int) {
	others := *s
	others.Changes = slices.Delete(slices.Clone(s.Changes), i, i+1)
	for _, f := range judge.Evaluate(a.recipe, a.tables, solve.Apply(a.facts, &others)).Findings {
		if f.State == judge.Fail && f.Fix == s.Changes[i].How {
			return
		}
	}
	a.t.Errorf("%s: doctor never says %q, step %d of plan (%s)", a.name, s.Changes[i].How, i+1, s.Changes[i].Title())
}

// byFix: every problem is a step that does what doctor says, or is left to a
// person in doctor's words.
func (a advice) byFix(h *host.Host) {
	places, err := installers.PlacesOf(h, a.facts.OS.User, "")
	if err != nil {
		a.t.Errorf("%s: %v", a.name, err)
		return
	}
	plan, err := installers.MakePlan(a.t.Context(), a.judgement, h, places, installers.Sources{})
	if err != nil {
		a.t.Errorf("%s: %v", a.name, err)
		return
	}
	done := map[string]bool{}
	for _, f := range a.judgement.Findings {
		if f.State != judge.Fail && f.State != judge.Warn {
			continue
		}
		at := slices.IndexFunc(plan.Manual, func(m installers.Manual) bool {
			return m.Requirement == f.ID && (m.Do == f.Fix || m.Do == plan.Fixes[f.ID])
		})
		if at < 0 {
			at = slices.IndexFunc(plan.Manual, func(m installers.Manual) bool { return m.Requirement == f.ID })
		}
		for _, s := range plan.Steps {
			if slices.Contains(s.Requirements, f.ID) {
				done[f.ID] = true
				a.counts["steps"]++
				a.does(s, f)
			}
		}
		switch {
		case at >= 0 && done[f.ID]:
			a.t.Errorf("%s: %s has a step and is left to a person", a.name, f.ID)
		case at < 0 && !done[f.ID]:
			a.t.Errorf("%s: --fix forgets %s", a.name, f.ID)
		case at >= 0:
			a.counts["by hand"]++
			if m := plan.Manual[at]; m.Do != f.Fix && m.Do != plan.Fixes[f.ID] || m.Reason == "" {
				a.t.Errorf("%s: --fix says of %s %q (%s), and doctor %q", a.name, f.ID, m.Do, m.Reason, f.Fix)
			}
			if f.Listed {
				a.counts["listed and impossible"]++
			}
		}
	}
}

// TestNext: on every recorded machine doctor's closing line, plan and --fix agree
// about the next command and what it takes.
func TestNext(t *testing.T) {
	if testing.Short() {
		t.Skip("every recorded machine: not with -short, which CI uses under the race detector")
	}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, m := range recordedMachines(t, "machines", "unix", "unix-whole", "windows", "project") {
		h := m.host(t)
		f := doctor.Probe(t.Context(), h, doctor.Probes(false))
		a := advice{t: t, name: m.Case, tables: tables, facts: f, recipe: m.recipe(t, m.Recipe), counts: counts}
		a.judgement = judge.Evaluate(a.recipe, tables, f)
		places, err := installers.PlacesOf(h, f.OS.User, "")
		if err != nil {
			t.Errorf("%s: %v", m.Case, err)
			continue
		}
		plan, err := installers.MakePlan(t.Context(), a.judgement, h, places, installers.Sources{})
		if err != nil {
			t.Errorf("%s: %v", m.Case, err)
			continue
		}
		a.byCost(h, plan)
	}
	if counts["commands"] < 12 || counts["sizes"] < 5 || counts["nothing to run"] < 100 {
		t.Errorf("fewer are compared than there should be: %v", counts)
	}
}

// byCost: doctor's closing line, plan and --fix name the same command with the same
// size and time, and only where that command does something about what is wrong.
func (a advice) byCost(h *host.Host, plan *installers.Plan) {
	outlined, err := outline(a.t.Context(), a.judgement, h, Folders{}, true)
	if err != nil {
		a.t.Errorf("%s: %v", a.name, err)
		return
	}
	selection := Selection{Name: a.recipe.Name}
	said := report.New(a.judgement, false)
	said.Fix = selection.fix(outlined)
	var doctor, fix strings.Builder
	if err := said.WriteText(&doctor, report.Style{}); err != nil {
		a.t.Fatal(err)
	}
	if err := plan.Describe(&fix); err != nil {
		a.t.Fatal(err)
	}
	run := said.Run()
	if run == "" {
		if strings.Contains(doctor.String(), "Run `deployctl doctor --fix") {
			a.t.Errorf("%s: doctor offers a command that changes nothing:\n%s", a.name, &doctor)
		}
		a.counts["nothing to run"]++
		return
	}
	a.counts["commands"]++
	if len(plan.Steps) == 0 || !slices.ContainsFunc(plan.Steps, func(s installers.Step) bool {
		return slices.ContainsFunc(a.judgement.Findings, func(f judge.Finding) bool {
			return (f.State == judge.Fail || f.State == judge.Warn) && slices.Contains(s.Requirements, f.ID)
		})
	}) {
		a.t.Errorf("%s: %q would change nothing", a.name, run)
	}
	sum := plan.Cost()
	figures := []string{recipes.Duration(sum.Minutes)}
	if sum.DownloadBytes > 0 {
		figures = append(figures, recipes.Size(sum.DownloadBytes, sum.Estimated))
		a.counts["sizes"]++
	}
	first, _, _ := strings.Cut(fix.String(), "\n")
	for _, figure := range figures {
		if !strings.Contains(doctor.String(), run) || !strings.Contains(run, figure) || !strings.Contains(first, figure) {
			a.t.Errorf("%s: %q of --fix (%s) is not in what doctor says: %s", a.name, figure, first, run)
		}
	}
	s, err := solve.Solve(a.t.Context(), a.recipe, a.tables, a.facts, solve.Options{})
	if err != nil {
		a.t.Fatal(err)
	}
	s.Price(priceOf(outlined))
	var cost solve.Cost
	for _, c := range s.Changes {
		if !c.ByHand && len(c.Covers) > 0 {
			cost.DownloadBytes += c.Cost.DownloadBytes
		}
	}
	// Plan's changes are of what is required; the lists of packages are no change.
	only := sum.DownloadBytes - warned(plan, a.judgement)
	if cost.DownloadBytes != only && cost.DownloadBytes != only-listsOf(plan) {
		a.t.Errorf("%s: plan says %d bytes and --fix %d", a.name, cost.DownloadBytes, only)
	}
}

// warned is what steps take that serve warnings alone.
func warned(plan *installers.Plan, j *judge.Judgement) (bytes int64) {
	for _, s := range plan.Steps {
		if !slices.ContainsFunc(j.Findings, func(f judge.Finding) bool {
			return f.State == judge.Fail && slices.Contains(s.Requirements, f.ID)
		}) {
			bytes += s.Cost.DownloadBytes
		}
	}
	return bytes
}

// listsOf is what fetching the package lists takes, which plan does not count as a
// change.
func listsOf(plan *installers.Plan) (bytes int64) {
	for _, s := range plan.Steps {
		if s.Action == step.Refresh {
			bytes += s.Cost.DownloadBytes
		}
	}
	return bytes
}

// does: a step does no more than the fix says.
func (a advice) does(s installers.Step, f judge.Finding) {
	var words []string
	for _, p := range s.Packages {
		// One command installs what several findings need.
		if f.Action != nil || len(s.Requirements) == 1 {
			words = append(words, p)
		}
	}
	for _, e := range s.Edits() {
		words = append(words, e.Value)
	}
	for _, w := range words {
		if file, folder, ok := strings.Cut(w, "=/"); ok && s.Mechanism == "ldconf" {
			w = "/" + folder
			words = append(words, file+".conf")
		}
		if strings.Contains(f.Fix, "Visual Studio Installer") { // which shows titles, not ids
			if strings.Contains(w, ".VC.") {
				w = "Desktop development with C++"
			} else if strings.Contains(w, "SDK.") {
				w = "Windows SDK"
			}
		}
		if !strings.Contains(f.Fix, w) && !strings.Contains(f.Fix, "doctor --fix") && s.Mechanism != "feature" {
			a.t.Errorf("%s: the step %s of --fix has %s, and doctor says of %s %q", a.name, s.ID, w, f.ID, f.Fix)
		}
	}
}
