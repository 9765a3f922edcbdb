package installers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

// atWork is a machine on which another apt-get is in the middle of its packages
// for some looks at the locks; what it leaves half done meanwhile is not broken.
func atWork(looks int) *machine {
	m := newMachine()
	m.journal, m.installed["ninja-build"] = true, "iU "
	m.onLocks = func(m *machine) bool {
		if looks--; looks < 0 {
			m.journal, m.installed["ninja-build"] = false, "ii "
		}
		return looks >= 0
	}
	return m
}

// TestRunningDpkgIsWaitedFor: a dpkg that is at work is not an interrupted one.
func TestRunningDpkgIsWaitedFor(t *testing.T) {
	m, dir := atWork(3), t.TempDir()
	plan := mustPlan(t, m, judgement(withApt("cmake")))
	if len(plan.Steps) != 1 || !strings.Contains(plan.Steps[0].Cost.Note, "process 12 (apt-get)") {
		t.Fatalf("planned %+v", plan.Steps)
	}
	a := m.applier(t, dir)
	var told []string
	a.Report = func(p Progress) {
		if p.Phase == step.Waiting {
			told = append(told, p.Message)
		}
	}
	if _, err := a.Apply(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || told[0] != "waiting for another package manager: process 12 (apt-get)" || !slices.Equal(m.ran, []string{"install cmake"}) {
		t.Errorf("told %q, ran %q", told, m.ran)
	}

	// A plan to undo is made when nobody changes packages.
	m.onLocks, told = atWork(2).onLocks, nil
	if _, _, err := a.Settle(context.Background()); err != nil || len(told) != 2 {
		t.Errorf("before an undo: %v, told %q", err, told)
	}

	// One that was interrupted, with nobody at work, is finished as before.
	m = atWork(0)
	m.onLocks = nil
	if plan := mustPlan(t, m, judgement(withApt("cmake"))); len(plan.Steps) < 2 || plan.Steps[0].Action != step.Configure {
		t.Errorf("planned %+v", plan.Steps)
	}

	// A plan to finish an interrupted run, made before somebody else began.
	plan = mustPlan(t, m, judgement(withApt("cmake")))
	m.onLocks = atWork(2).onLocks
	if _, err := m.applier(t, t.TempDir()).Apply(context.Background(), plan); err != nil || slices.Contains(m.ran, "configure") {
		t.Errorf("%v, ran %q", err, m.ran)
	}

	// One that does not end: nothing is begun.
	m = atWork(100)
	_, err := m.applier(t, t.TempDir()).Apply(context.Background(), mustPlan(t, m, judgement(withApt("cmake"))))
	if kindOf(err) != step.Locked || !strings.Contains(err.Error(), "another program holds the package manager's lock: process 12 (apt-get)") || len(m.ran) != 0 {
		t.Errorf("got %v, ran %q", err, m.ran)
	}
}

// TestWholePlanMustFit: a plan whose first step alone would fit is not begun.
func TestWholePlanMustFit(t *testing.T) {
	for _, c := range []struct {
		free  uint64
		wrong string // "" for enough
	}{
		{1 << 20, ""},
		// cmake and cmake-data are 2 kB to fetch and 10 kB unpacked; the archive is
		// fetched and unpacked after them.
		{40_000, "/var/cache/apt/archives, /usr, DIR/cache/store and DIR/opt are on one file system, which needs 52.0 kB and has 40.0 kB free"},
	} {
		m, dir := newMachine(), t.TempDir()
		m.free = c.free
		plan := mustPlan(t, m, judgement(withApt("cmake")))
		sum := strings.Repeat("ab", 32)
		w := ways{h: m.host()}
		plan.Steps = append(plan.Steps,
			fetchStep(step.Fetch{Name: "data.zip", Size: 10_000, SHA256: sum, Mirrors: []string{"https://mirror.example/data.zip"}}),
			w.unpack("data.unpack", "Unpack data.zip", step.Unpack{SHA256: sum, Size: 10_000, Format: "zip", Into: filepath.Join(dir, "opt/data")}, 30_000))
		a := m.applier(t, dir)
		a.Fetch = download.Options{Store: store.New(filepath.Join(dir, "cache")), Offline: true}
		_, err := a.Apply(context.Background(), plan)
		if c.wrong == "" {
			if kindOf(err) == step.DiskFull || len(m.ran) != 1 {
				t.Errorf("with room: %v, ran %q", err, m.ran)
			}
			continue
		}
		want := strings.ReplaceAll(c.wrong, "DIR", dir)
		if kindOf(err) != step.DiskFull || !strings.Contains(err.Error(), want) || len(m.ran) != 0 {
			t.Errorf("got %v, ran %q; want %q", err, m.ran, want)
		}
		if records, _, err := History(dir); err != nil || len(records) != 0 {
			t.Errorf("it began something: %+v, %v", records, err)
		}
	}
}

// TestUndoOfTornPackages: a package that was being unpacked when everything died
// is installed again before it is removed; what that brings in is not forgotten.
func TestUndoOfTornPackages(t *testing.T) {
	m, dir := newMachine(), t.TempDir()
	ctx := context.Background()
	if _, err := m.applier(t, dir).Apply(ctx, mustPlan(t, m, judgement(withApt("cmake")))); err != nil {
		t.Fatal(err)
	}
	m.installed["cmake"], m.journal, m.ran = "iHR", true, nil
	a := m.applier(t, dir)
	records, _, err := a.Settle(ctx)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := PlanUndo(ctx, m.host(), facts.User{Admin: true}, records, Undo{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(ctx, plan); err != nil || len(m.installed) != 1 || !slices.Equal(m.ran, []string{"configure", "fix-broken", "remove cmake cmake-data"}) {
		t.Errorf("%v, ran %q, left %v", err, m.ran, m.installed)
	}
	// Somebody else's torn package is not this undo's to complete.
	m, dir = newMachine(), t.TempDir()
	if _, err := m.applier(t, dir).Apply(ctx, mustPlan(t, m, judgement(withApt("cmake")))); err != nil {
		t.Fatal(err)
	}
	m.installed["theirs"] = "iHR"
	records, _, err = m.applier(t, dir).Settle(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if plan, err = PlanUndo(ctx, m.host(), facts.User{Admin: true}, records, Undo{}); err != nil || len(plan.Steps) != 1 {
		t.Errorf("%v, %+v", err, plan)
	}
}

// TestRestOfAFailedRun: every tool works, and a package is not configured: the
// next --fix has that to do, and somebody else's package is not its business.
func TestRestOfAFailedRun(t *testing.T) {
	m, dir := newMachine(), t.TempDir()
	ctx := context.Background()
	m.fault = func(m *machine, _ []string, line func(string)) (int, error) {
		m.installed["cmake"], m.installed["cmake-data"] = "iU ", "iU "
		line("dpkg: unrecoverable fatal error, aborting:")
		line(" unable to write file '/var/lib/dpkg/status-new': No space left on device")
		return 100, nil
	}
	a := m.applier(t, dir)
	if _, err := a.Apply(ctx, mustPlan(t, m, judgement(withApt("cmake")))); kindOf(err) != step.DiskFull {
		t.Fatal(err)
	}
	m.installed["theirs"] = "iF "
	rest := func() *Plan {
		t.Helper()
		records, _, err := History(dir)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := PlanRest(ctx, m.host(), facts.User{Admin: true}, records, false)
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	plan := rest()
	if len(plan.Steps) != 2 || plan.Steps[0].Action != step.Configure || !slices.Equal(plan.Steps[1].Packages, []string{"cmake", "cmake-data"}) {
		t.Fatalf("planned %+v", plan.Steps)
	}
	if _, err := a.Apply(ctx, plan); err != nil || m.installed["cmake"] != "ii " {
		t.Errorf("%v, %v", err, m.installed)
	}
	if plan := rest(); len(plan.Steps) != 0 {
		t.Errorf("planned again: %+v", plan.Steps)
	}
	if err := os.Remove(filepath.Join(dir, journalFile)); err != nil {
		t.Fatal(err)
	}
	m.installed["cmake"] = "iU "
	if plan := rest(); len(plan.Steps) != 0 {
		t.Errorf("planned without a history: %+v", plan.Steps)
	}
}

// TestMarksOfAnInterruptedRemoval: a power cut during undo leaves packages marked for
// removal that are still installed; the next --fix takes those marks back, beside
// other steps or alone, and leaves everybody else's.
func TestMarksOfAnInterruptedRemoval(t *testing.T) {
	m, dir := newMachine(), t.TempDir()
	ctx := context.Background()
	if _, err := m.applier(t, dir).Apply(ctx, mustPlan(t, m, judgement(withApt("cmake")))); err != nil {
		t.Fatal(err)
	}
	read := func() []Record {
		t.Helper()
		records, _, err := History(dir)
		if err != nil {
			t.Fatal(err)
		}
		return records
	}
	rest := func(records []Record, planned bool) []Step {
		t.Helper()
		plan, err := PlanRest(ctx, m.host(), facts.User{Admin: true}, records, planned)
		if err != nil {
			t.Fatal(err)
		}
		return plan.Steps
	}
	m.installed["theirs"] = "ri "
	if steps := rest(read(), false); len(steps) != 0 {
		t.Fatalf("before any removal: %+v", steps)
	}
	undo, err := PlanUndo(ctx, m.host(), facts.User{Admin: true}, read(), Undo{Run: AllRuns})
	if err != nil {
		t.Fatal(err)
	}
	m.now = m.now.Add(time.Minute) // a run is known by its time
	m.fault = func(m *machine, _ []string, _ func(string)) (int, error) {
		delete(m.installed, "cmake")
		m.installed["cmake-data"] = "pi "
		return -1, errors.New("killed")
	}
	if _, err := m.applier(t, dir).Apply(ctx, undo); err == nil {
		t.Fatal("the removal was not killed")
	}
	for _, planned := range []bool{true, false} {
		steps := rest(read(), planned)
		if len(steps) != 1 || steps[0].Action != step.Keep || !slices.Equal(steps[0].Packages, []string{"cmake-data"}) || !slices.Contains(steps[0].Argv, "/usr/bin/apt-mark") {
			t.Fatalf("beside a plan %v: %+v", planned, steps)
		}
	}
	if _, err := m.applier(t, dir).Apply(ctx, &Plan{Steps: rest(read(), false)}); err != nil || m.installed["cmake-data"] != "ii " || m.installed["theirs"] != "ri " {
		t.Errorf("%v, %v", err, m.installed)
	}
	if steps := rest(read(), false); len(steps) != 0 {
		t.Errorf("again: %+v", steps)
	}
}
