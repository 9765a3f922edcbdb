package installers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (run with -update to accept):\n%s", path, d)
	}
}

func kindOf(err error) step.Kind {
	var f *Failure
	if errors.As(err, &f) {
		return f.Kind
	}
	return ""
}

func ids(p *Plan) (list []string) {
	for _, s := range p.Steps {
		list = append(list, s.ID)
	}
	return list
}

func TestPlanMergesAndDescribes(t *testing.T) {
	m := newMachine()
	j := judgement(withApt("cmake", "bash"), withApt("cmake", "g++"), nil, []recipes.Fix{{Packages: recipes.PackageSet{"brew": {"cmake"}}}}, withApt("bash"), withApt("nosuchpkg"),
		[]recipes.Fix{{Distro: []string{"fedora"}, Packages: recipes.PackageSet{"apt": {"gcc"}}}, {Distro: []string{"debian"}, Packages: recipes.PackageSet{"apt": {"ninja-build"}}}})
	j.Facts.OS.User.Admin = false
	p := mustPlan(t, m, j)
	if d := cmp.Diff([]string{"apt.install"}, ids(p)); d != "" {
		t.Fatal(d)
	}
	s := p.Steps[0]
	if d := cmp.Diff([]string{"cmake", "g++", "ninja-build"}, s.Packages); d != "" {
		t.Error(d) // bash is there already: passing it would mark it manual
	}
	if s.Cost.DownloadBytes != 5000 || s.Cost.DiskBytes != 25000 || s.Cost.Estimated {
		t.Errorf("cost %+v", s.Cost)
	}
	var b bytes.Buffer
	if err := p.Describe(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.txt", b.String())
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.json", string(data)+"\n")
}

func TestPlanAgeOfLists(t *testing.T) {
	for _, c := range []struct {
		name  string
		lists time.Duration // age; 0 none
		pkg   string
		want  []string
		sure  bool
	}{
		{"fresh", time.Hour, "cmake", []string{"apt.install"}, true},
		{"old", 25 * time.Hour, "cmake", []string{"apt.update", "apt.install"}, false},
		{"clock set back", -48 * time.Hour, "cmake", []string{"apt.update", "apt.install"}, false},
		{"none", 0, "cmake", []string{"apt.update", "apt.install"}, false},
		{"old and unknown", 25 * time.Hour, "new-package", []string{"apt.update", "apt.install"}, false},
		{"fresh and unknown", time.Hour, "new-package", nil, true},
	} {
		m := newMachine()
		m.lists = time.Time{}
		if c.lists != 0 {
			m.lists = m.now.Add(-c.lists)
		}
		p := mustPlan(t, m, judgement(withApt(c.pkg)))
		if d := cmp.Diff(c.want, ids(p)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		if sure := !p.Cost().Estimated; sure != c.sure {
			t.Errorf("%s: sure %v", c.name, sure)
		}
	}
}

func TestDescribeWithoutLists(t *testing.T) {
	m := newMachine()
	m.lists = time.Time{}
	m.journal, m.installed["gcc"] = true, "iHR"
	var b bytes.Buffer
	if err := mustPlan(t, m, judgement(withApt("cmake"))).Describe(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan-bare.txt", b.String())
}

func TestPlanRefusesHostileNames(t *testing.T) {
	for _, bad := range []string{"-oDpkg::Pre-Install-Pkgs::=/tmp/x", "bash-", "cmake=1", "a b"} {
		for _, fix := range []recipes.Fix{{Packages: recipes.PackageSet{"apt": {bad}}}, {Packages: recipes.PackageSet{"dnf": {bad}}}, {Packages: recipes.PackageSet{"pacman": {bad}}}, {Packages: recipes.PackageSet{"apk": {bad}}}, {Packages: recipes.PackageSet{"zypper": {bad}}}, {Packages: recipes.PackageSet{"brew": {bad}}}} {
			if bad == "bash-" && fix.Packages["apt"] == nil {
				continue // only apt gives a trailing minus a meaning
			}
			if _, err := MakePlan(context.Background(), judgement([]recipes.Fix{fix}), newMachine().host(), Places{}, Sources{}); err == nil {
				t.Errorf("%q was let through in %+v", bad, fix)
			}
		}
	}
}

func TestApplyInstallsOnceAndUndoes(t *testing.T) {
	m, dir := newMachine(), t.TempDir()
	m.lists = time.Time{}
	p := mustPlan(t, m, judgement(withApt("cmake"), withApt("g++")))
	res, err := m.applier(t, dir).Apply(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	want := []Package{{Name: "cmake", Version: "1.0"}, {Name: "cmake-data", Version: "1.0"}, {Name: "g++", Version: "1.0"}, {Name: "gcc", Version: "1.0"}}
	if d := cmp.Diff(want, res.Steps[1].Added); d != "" {
		t.Error(d)
	}
	// The same plan again: checked, not run.
	if res, err = m.applier(t, dir).Apply(context.Background(), &Plan{Steps: p.Steps[1:]}); err != nil || res.Steps[0].Outcome != WasSkipped {
		t.Errorf("again: %+v, %v", res.Steps, err)
	}
	if d := cmp.Diff([]string{"update", "install cmake g++"}, m.ran); d != "" {
		t.Error(d)
	}
	records, torn, err := History(dir)
	if err != nil || torn != (Unread{}) {
		t.Fatalf("history: %+v, %v", torn, err)
	}
	var events []string
	for _, r := range records {
		events = append(events, r.Step.ID+" "+string(r.Event))
	}
	if d := cmp.Diff([]string{"apt.update started", "apt.update done", "apt.install started", "apt.install done", "apt.install skipped"}, events); d != "" {
		t.Error(d)
	}
	// Somebody builds on one of the packages: it stays, and undo says why.
	m.installed["theirs"], m.offer["theirs"] = "ii ", []string{"gcc"}
	kept, err := PlanUndo(context.Background(), m.host(), facts.User{Admin: true}, records, Undo{})
	if err != nil || len(kept.Steps) != 1 || len(kept.Steps[0].Undoes) != 0 {
		t.Fatalf("undo with a dependent: %+v, %v", kept, err)
	}
	if d := cmp.Diff([]string{"cmake", "cmake-data", "g++"}, kept.Steps[0].Packages); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Kept{{Names: []string{"gcc"}, Why: "theirs needs it"}}, kept.Kept); d != "" {
		t.Error(d)
	}
	delete(m.installed, "theirs")
	undo, err := PlanUndo(context.Background(), m.host(), facts.User{Admin: true}, records, Undo{})
	if err != nil || len(undo.Steps) != 1 || undo.Steps[0].Effect != step.Destructive {
		t.Fatalf("undo: %+v, %v", undo, err)
	}
	if _, err := m.applier(t, dir).Apply(context.Background(), undo); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"bash": "ii "}, m.installed); d != "" {
		t.Error(d)
	}
	if records, _, err = History(dir); err != nil {
		t.Fatal(err)
	}
	if undo, err = PlanUndo(context.Background(), m.host(), facts.User{Admin: true}, records, Undo{Run: AllRuns}); err != nil || len(undo.Steps) != 0 {
		t.Errorf("undo twice: %+v, %v", undo, err)
	}
}

// TestUndoKeeps: what somebody upgraded, edited or builds on stays with a
// reason, and the rest goes; a second undo takes what has become free.
func TestUndoKeeps(t *testing.T) {
	ctx, root := context.Background(), facts.User{Admin: true}
	m, dir := newMachine(), t.TempDir()
	if _, err := m.applier(t, dir).Apply(ctx, mustPlan(t, m, judgement(withApt("cmake"), withApt("g++"), withApt("ninja-build")))); err != nil {
		t.Fatal(err)
	}
	undo := func(u Undo) *Plan {
		t.Helper()
		records, _, err := History(dir)
		if err != nil {
			t.Fatal(err)
		}
		p, err := PlanUndo(ctx, m.host(), root, records, u)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if _, err := PlanUndo(ctx, m.host(), root, nil, Undo{Run: "wrong"}); !errors.As(err, new(*UnknownRunError)) {
		t.Errorf("a run that is not in the journal: %v", err)
	}
	// g++ was upgraded and needs gcc; ninja's configuration was edited.
	m.upgraded, m.conf = []string{"g++"}, map[string]string{"/etc/ninja-build.conf": "mine"}
	p := undo(Undo{})
	want := []Kept{
		{Names: []string{"g++"}, Why: "upgraded or changed since deployctl installed it"},
		{Names: []string{"/etc/ninja-build.conf"}, Why: "edited since it was installed (undo --purge removes it)"},
		{Names: []string{"gcc"}, Why: "g++ needs it"},
	}
	if d := cmp.Diff(want, p.Kept); d != "" {
		t.Error(d)
	}
	m.halfway = "cmake"
	if _, err := m.applier(t, dir).Apply(ctx, p); err == nil {
		t.Fatal("the purge was not killed")
	}
	// The killed purge left cmake's configuration; it is not taken for a
	// newcomer that needs the rest.
	if _, err := m.applier(t, dir).Apply(ctx, undo(Undo{})); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"bash": "ii ", "g++": "ii ", "gcc": "ii ", "ninja-build": "rc "}, m.installed); d != "" {
		t.Error(d)
	}
	// Nothing but what stays is left, so there is nothing to do, until g++ is
	// as it was and the configuration is asked for.
	if p := undo(Undo{Run: AllRuns}); len(p.Steps) != 0 || len(p.Kept) != 3 {
		t.Errorf("again: %+v", p)
	}
	m.upgraded = nil
	if _, err := m.applier(t, dir).Apply(ctx, undo(Undo{Purge: true})); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"bash": "ii "}, m.installed); d != "" {
		t.Error(d)
	}
}

// TestRoundsAreOneRun: what Apply goes on with is one run in the history, and one
// undo takes it back.
func TestRoundsAreOneRun(t *testing.T) {
	ctx := context.Background()
	m, dir := newMachine(), t.TempDir()
	first, err := m.applier(t, dir).Apply(ctx, mustPlan(t, m, judgement(withApt("cmake"))))
	if err != nil {
		t.Fatal(err)
	}
	a := m.applier(t, dir)
	a.After = first
	m.now = m.now.Add(time.Minute)
	second, err := a.Apply(ctx, mustPlan(t, m, judgement(withApt("g++"))))
	if err != nil || second.Run != first.Run || second.Log != first.Log {
		t.Fatalf("%+v, %v", second, err)
	}
	records, _, err := History(dir)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]int{}
	for _, r := range records {
		keys[r.Key()+string(r.Event)]++
	}
	if len(keys) != len(records) {
		t.Errorf("records share a key: %v", keys)
	}
	undo, err := PlanUndo(ctx, m.host(), facts.User{Admin: true}, records, Undo{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.applier(t, dir).Apply(ctx, undo); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"bash": "ii "}, m.installed); d != "" {
		t.Error(d)
	}
}

func TestFailuresSayWhatWasDone(t *testing.T) {
	says := func(exit int, lines ...string) func(*machine, []string, func(string)) (int, error) {
		return func(_ *machine, _ []string, line func(string)) (int, error) {
			for _, l := range lines {
				line(l)
			}
			return exit, nil
		}
	}
	for _, c := range []struct {
		name  string
		kind  step.Kind
		fault func(*machine, []string, func(string)) (int, error)
		added int
	}{
		{"locked", step.Locked, says(100, "E: Could not get lock /var/cache/apt/archives/lock. It is held by process 6984 (python3)"), 0},
		{"no network", step.NoNetwork, says(100, "E: Failed to fetch http://mirror.example/x.deb  Temporary failure resolving 'mirror.example'"), 0},
		{"hash", step.HashMismatch, says(100, "E: Failed to fetch http://mirror.example/x.deb  Hash Sum mismatch"), 0},
		{"sudo refused", step.Refused, says(1, "sudo: a password is required"), 0},
		{"conflict", step.Conflict, says(100, "E: Unable to correct problems, you have held broken packages."), 0},
		{"unknown", step.Other, says(7, "strange"), 0},
		{"success without effect", step.Other, says(0), 0},
		{"not started", step.Other, func(*machine, []string, func(string)) (int, error) {
			return -1, errors.New("fork: resource temporarily unavailable")
		}, 0},
		{"disk full half way", step.DiskFull, func(m *machine, _ []string, line func(string)) (int, error) {
			m.installed["cmake-data"] = "iU "
			line(" failed to write (No space left on device)")
			return 100, nil
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, dir := newMachine(), t.TempDir()
			m.fault = c.fault
			p := mustPlan(t, m, judgement(withApt("cmake")))
			res, err := m.applier(t, dir).Apply(context.Background(), p)
			if kindOf(err) != c.kind || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, %v", kindOf(err), err)
			}
			if res.Steps[0].Outcome != WasFailed || len(res.Steps[0].Added) != c.added {
				t.Errorf("result %+v", res.Steps[0])
			}
			records, _, herr := History(dir)
			if herr != nil || len(records) != 2 || records[1].Event != Failed || records[1].Failure.Kind != c.kind || len(records[1].Added) != c.added {
				t.Errorf("journal %+v, %v", records, herr)
			}
			// The cause gone, the next run reaches the goal.
			if _, err := m.applier(t, dir).Apply(context.Background(), mustPlan(t, m, judgement(withApt("cmake")))); err != nil {
				t.Errorf("next run: %v", err)
			}
			if m.installed["cmake"] != "ii " || m.installed["cmake-data"] != "ii " {
				t.Errorf("in the end: %v", m.installed)
			}
		})
	}
}

// TestUnreadDatabaseIsSettledLater: when the package database cannot be read after
// a step, the record stays open, and the next run finds out what was added.
func TestUnreadDatabaseIsSettledLater(t *testing.T) {
	ctx, dir, m := context.Background(), t.TempDir(), newMachine()
	m.fault = func(m *machine, _ []string, _ func(string)) (int, error) {
		m.installed["cmake"], m.installed["cmake-data"], m.blind = "ii ", "ii ", true
		return 0, nil
	}
	res, err := m.applier(t, dir).Apply(ctx, mustPlan(t, m, judgement(withApt("cmake"))))
	if kindOf(err) != step.Other || !strings.Contains(err.Error(), "could not be read") || res.Steps[0].Outcome != WasFailed {
		t.Errorf("got %v, %+v", err, res.Steps)
	}
	if _, _, err := m.applier(t, dir).Settle(ctx); err == nil {
		t.Error("settled without a look")
	}
	m.blind = false
	records, _, err := m.applier(t, dir).Settle(ctx)
	if err != nil || len(records) != 2 || records[1].Event != CutOff || len(records[1].Added) != 2 {
		t.Fatalf("settled %+v, %v", records, err)
	}
	undo, err := PlanUndo(ctx, m.host(), facts.User{Admin: true}, records, Undo{})
	if err != nil || len(undo.Steps) != 1 || len(undo.Steps[0].Packages) != 2 {
		t.Errorf("undo %+v, %v", undo, err)
	}
}

// TestOldJournals: what an earlier deployctl wrote can be taken back.
func TestOldJournals(t *testing.T) {
	dir := t.TempDir()
	path, folder := filepath.Join(dir, "model.bin"), filepath.Join(dir, "data-1.0")
	if err := errors.Join(os.WriteFile(path, []byte("model"), 0o644), os.Mkdir(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	const sum, empty = "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	name := func(p string) string { text, _ := json.Marshal(p); return string(text) }
	records, torn := parseJournal([]byte(`{"schema":1,"run":"1-1","seq":1,"time":"2026-11-01T00:00:00Z","event":"done","step":{"id":"data.unpack","title":"Unpack","effect":"write","needs":[],"cost":{"download_bytes":0,"disk_bytes":1,"minutes":0.1},"argv":null,"requirements":["a"],"undo":"","mechanism":"unpack","action":"install","unpack":{"sha256":"x","size":1,"format":"tar.gz","into":` + name(folder) + `}},"added":[{"name":` + name(folder) + `,"version":"tree:` + empty + `"}]}
{"schema":1,"run":"1-1","seq":2,"time":"2026-11-01T00:00:00Z","event":"done","step":{"id":"model.place","title":"Put","effect":"write","needs":[],"cost":{"download_bytes":0,"disk_bytes":1,"minutes":0.1},"argv":null,"requirements":["a"],"undo":"","mechanism":"place","action":"install","place":{"sha256":"` + sum + `","size":5,"path":` + name(path) + `}},"added":[{"name":` + name(path) + `,"version":"sha256:` + sum + `"}]}
{"schema":1,"run":"1-1","seq":3,"time":"2026-11-01T00:00:00Z","event":"done","step":{"id":"data.env","title":"Let","effect":"write","needs":["new shell"],"cost":{"download_bytes":0,"disk_bytes":0,"minutes":0.1},"argv":null,"requirements":["a"],"undo":"","mechanism":"envedit","action":"install","env":[{"name":"PATH","value":"/opt/x","prepend":true,"scope":"user"}]},"added":[{"name":"PATH+=/opt/x (/nowhere/.profile)","version":"listed"}]}
{"schema":1,"run":"1-1","seq":4,"time":"2026-11-01T00:00:00Z","event":"done","step":{"id":"conan.install","title":"Install","effect":"write","needs":[],"cost":{"download_bytes":0,"disk_bytes":0,"minutes":0.1},"argv":["conan"],"requirements":["a"],"undo":"","mechanism":"conan","action":"install","packages":["zlib/1.3.1"]},"added":[{"name":"zlib/1.3.1","version":"1.3.1"}]}
`))
	if torn != (Unread{}) || len(records) != 4 || len(Edits(records)) != 1 {
		t.Fatalf("%d records, %+v, edits %v", len(records), torn, Edits(records))
	}
	undo, err := PlanUndo(context.Background(), hosttest.Empty("linux", "amd64"), facts.User{Admin: true}, records, Undo{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"model.place.undo", "data.unpack.undo"}, ids(undo)); d != "" {
		t.Error(d)
	}
	if len(undo.Kept) != 1 || !strings.Contains(undo.Kept[0].Why, "conan") {
		t.Errorf("kept %+v", undo.Kept)
	}
	for _, s := range undo.Steps {
		if d := cmp.Diff([]string{"1-1/" + map[string]string{"model.place.undo": "2", "data.unpack.undo": "1"}[s.ID]}, s.Undoes); d != "" {
			t.Error(d)
		}
	}
}

func TestNoRoomAndNoListsStopBeforeTheStep(t *testing.T) {
	m, dir := newMachine(), t.TempDir()
	m.free = 1500
	_, err := m.applier(t, dir).Apply(context.Background(), mustPlan(t, m, judgement(withApt("cmake"))))
	if kindOf(err) != step.DiskFull || len(m.ran) != 0 {
		t.Errorf("no room: %v, ran %q", err, m.ran)
	}
	// apt-get update that fetched nothing ends with 0 all the same.
	m = newMachine()
	m.lists = time.Time{}
	m.fault = func(_ *machine, _ []string, line func(string)) (int, error) {
		line("W: Failed to fetch http://mirror.example/InRelease  Temporary failure resolving 'mirror.example'")
		return 0, nil
	}
	res, err := m.applier(t, dir).Apply(context.Background(), mustPlan(t, m, judgement(withApt("cmake"))))
	if kindOf(err) != step.NoNetwork || len(res.Steps) != 2 || res.Steps[1].Outcome != NotRun {
		t.Errorf("no network: %v, %+v", err, res.Steps)
	}
	// One source of two is enough to go on, with a note.
	m = newMachine()
	m.lists = time.Time{}
	m.fault = func(m *machine, _ []string, line func(string)) (int, error) {
		line("Get:1 http://mirror.example/debian bookworm InRelease [151 kB]")
		line("W: Failed to fetch http://other.example/InRelease  Temporary failure resolving 'other.example'")
		m.lists = m.now
		return 0, nil
	}
	res, err = m.applier(t, dir).Apply(context.Background(), mustPlan(t, m, judgement(withApt("cmake"))))
	if err != nil || len(res.Steps) != 2 || !strings.Contains(res.Steps[0].Note, "other.example") || res.Steps[1].Outcome != WasDone {
		t.Errorf("one source: %v, %+v", err, res.Steps)
	}
}

func TestLockedListsAreTriedAgain(t *testing.T) {
	m := newMachine()
	m.lists = time.Time{}
	m.fault = func(_ *machine, _ []string, line func(string)) (int, error) {
		line("E: Could not get lock /var/lib/apt/lists/lock. It is held by process 6894 (apt-get)")
		return 100, nil
	}
	a := m.applier(t, t.TempDir())
	waited := ""
	a.Report = func(p Progress) {
		if p.Phase == step.Waiting {
			waited = p.Message
		}
	}
	if _, err := a.Apply(context.Background(), mustPlan(t, m, judgement(withApt("cmake")))); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(waited, "process 6894 (apt-get)") {
		t.Errorf("told %q", waited)
	}
}

func TestNoWayToRoot(t *testing.T) {
	m := newMachine()
	m.tools = m.tools[:2]
	j := judgement(withApt("cmake"))
	j.Facts.OS.User.Admin = false
	p := mustPlan(t, m, j)
	if _, err := m.applier(t, t.TempDir()).Apply(context.Background(), p); kindOf(err) != step.NoPrivilege || len(m.ran) != 0 {
		t.Errorf("got %v, ran %q", err, m.ran)
	}
}

func TestStopAndStopBetweenSteps(t *testing.T) {
	m, dir := newMachine(), t.TempDir()
	m.lists = time.Time{}
	ctx, cancel := context.WithCancel(context.Background())
	m.fault = func(m *machine, _ []string, line func(string)) (int, error) {
		cancel()
		return 130, ctx.Err()
	}
	res, err := m.applier(t, dir).Apply(ctx, mustPlan(t, m, judgement(withApt("cmake"))))
	if kindOf(err) != step.Cancelled || res.Steps[0].Outcome != WasFailed || res.Steps[1].Outcome != NotRun {
		t.Errorf("got %v, %+v", err, res.Steps)
	}
	// Stopped while apt was finishing: what is done counts as done.
	m = newMachine()
	ctx, cancel = context.WithCancel(context.Background())
	m.fault = func(m *machine, _ []string, line func(string)) (int, error) {
		cancel()
		m.installed["cmake"], m.installed["cmake-data"] = "ii ", "ii "
		return 0, ctx.Err()
	}
	res, err = m.applier(t, t.TempDir()).Apply(ctx, mustPlan(t, m, judgement(withApt("cmake"))))
	if kindOf(err) != step.Cancelled || res.Steps[0].Outcome != WasDone || len(res.Steps[0].Added) != 2 {
		t.Errorf("got %v, %+v", err, res.Steps)
	}
}

// TestKilledAtEveryRecord cuts the journal of a plan with repair, update and
// install after each record, puts the machine into the state it had then, and
// runs again: the end state is always the same and undo knows all packages.
func TestKilledAtEveryRecord(t *testing.T) {
	broken := func() *machine {
		m := newMachine()
		m.journal, m.installed["gcc"], m.lists = true, "iHR", time.Time{}
		return m
	}
	whole, dir := broken(), t.TempDir()
	plan := mustPlan(t, whole, judgement(withApt("cmake"), withApt("g++")))
	if d := cmp.Diff([]string{"apt.configure", "apt.fix-broken", "apt.update", "apt.install"}, ids(plan)); d != "" {
		t.Fatal(d)
	}
	if _, err := whole.applier(t, dir).Apply(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, journalFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSpace(data), []byte("\n"))
	if len(lines) != 8 {
		t.Fatalf("%d records", len(lines))
	}
	for cut := 0; cut <= len(lines); cut++ {
		for _, torn := range []bool{false, true} {
			m, again := broken(), t.TempDir()
			part := bytes.Join(lines[:cut], nil)
			if torn && cut < len(lines) {
				part = append(part, lines[cut][:len(lines[cut])/2]...)
			}
			if err := os.WriteFile(filepath.Join(again, journalFile), part, 0o600); err != nil {
				t.Fatal(err)
			}
			// What the steps before the cut did; a step cut off had just finished.
			if cut >= 1 {
				m.journal = false
			}
			if cut >= 3 {
				m.installed["gcc"] = "ii "
			}
			if cut >= 5 {
				m.lists = m.now
			}
			if cut >= 7 {
				m.installed["cmake-data"] = "iU " // killed between two packages
				m.installed["g++"] = "ii "
			}
			p := mustPlan(t, m, judgement(withApt("cmake"), withApt("g++")))
			if _, err := m.applier(t, again).Apply(context.Background(), p); err != nil {
				t.Errorf("cut %d: %v", cut, err)
				continue
			}
			want := map[string]string{"bash": "ii ", "gcc": "ii ", "cmake": "ii ", "cmake-data": "ii ", "g++": "ii "}
			if d := cmp.Diff(want, m.installed); d != "" {
				t.Errorf("cut %d: %s", cut, d)
			}
			records, bad, err := History(again)
			if err != nil || len(Unfinished(records)) != 0 || bad.Torn > 1 || bad.Newer > 0 {
				t.Errorf("cut %d: %+v, unfinished %v, %v", cut, bad, Unfinished(records), err)
			}
			if cut == 8 {
				continue // its install record tells a story this machine does not share
			}
			undo, err := PlanUndo(context.Background(), m.host(), facts.User{Admin: true}, records, Undo{Run: AllRuns})
			if err != nil || len(undo.Steps) != 1 {
				t.Errorf("cut %d: undo %+v, %v", cut, undo, err)
				continue
			}
			if d := cmp.Diff([]string{"cmake", "cmake-data", "g++"}, undo.Steps[0].Packages); d != "" {
				t.Errorf("cut %d: undo %s", cut, d)
			}
		}
	}
}

// cutOff is the state of a kill -9 during an installation of cmake: the journal
// ends with the record that it began, and apt goes on by itself.
func cutOff(t *testing.T) (m *machine, dir string) {
	t.Helper()
	m, dir = newMachine(), t.TempDir()
	if _, err := m.applier(t, dir).Apply(context.Background(), mustPlan(t, m, judgement(withApt("cmake")))); err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(dir, journalFile)
	data, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(journal, bytes.SplitAfter(data, []byte("\n"))[0], 0o600); err != nil {
		t.Fatal(err)
	}
	m.ran, m.installed = nil, newMachine().installed
	return m, dir
}

// TestKilledRunsAptIsWaitedFor: apt goes on after a kill, and what it adds later
// belongs to that run as well, or undo would not know of it.
func TestKilledRunsAptIsWaitedFor(t *testing.T) {
	m, dir := cutOff(t)
	looks := 0
	m.onLocks = func(m *machine) bool {
		switch looks++; looks {
		case 1:
			m.installed["cmake-data"] = "iU "
		case 3:
			m.installed["cmake-data"], m.installed["cmake"] = "ii ", "ii "
		}
		return looks < 4
	}
	a := m.applier(t, dir)
	a.LockTries = 5
	var told []string
	a.Report = func(p Progress) { told = append(told, p.Message) }
	records, _, err := a.Settle(context.Background())
	if err != nil || len(records) != 2 || records[1].Event != CutOff || len(records[1].Added) != 2 {
		t.Errorf("settled %+v, %v", records, err)
	}
	if len(told) != 3 || !strings.Contains(told[0], "process 12 (apt-get)") {
		t.Errorf("told %q", told)
	}

	// One that does not end is reported, and the record stays open.
	m, dir = cutOff(t)
	m.onLocks = func(*machine) bool { return true }
	_, err = m.applier(t, dir).Apply(context.Background(), mustPlan(t, m, judgement(withApt("ninja-build"))))
	if kindOf(err) != step.Locked || !strings.Contains(err.Error(), "process 12 (apt-get)") || len(m.ran) != 0 {
		t.Errorf("got %v, ran %q", err, m.ran)
	}
	if records, _, err := History(dir); err != nil || len(Unfinished(records)) != 1 {
		t.Errorf("history %+v, %v", records, err)
	}
}

// TestClockSetBackKeepsTheLog: the log of a run is kept although all others
// seem to be younger.
func TestClockSetBackKeepsTheLog(t *testing.T) {
	m, dir := newMachine(), t.TempDir()
	logs := filepath.Join(dir, "logs")
	if err := os.Mkdir(logs, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 2 * keepLogs {
		if err := os.WriteFile(filepath.Join(logs, fmt.Sprintf("2099010%dT000000.000-%d.log", i%9+1, i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := m.applier(t, dir)
	m.fault = func(*machine, []string, func(string)) (int, error) {
		files, err := filepath.Glob(filepath.Join(logs, "2026*"))
		if err != nil || len(files) != 0 {
			t.Errorf("logs %q, %v", files, err)
		}
		now := filepath.Join(logs, fmt.Sprintf("%s-%d.log", m.now.Format("20060102T150405.000"), os.Getpid()))
		return 100, os.WriteFile(now, []byte("E: Broken"), 0o600)
	}
	res, err := a.Apply(context.Background(), mustPlan(t, m, judgement(withApt("cmake"))))
	if err == nil {
		t.Error("no failure")
	}
	if _, err := os.Stat(res.Log); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(logs); err != nil || len(left) != keepLogs+1 {
		t.Errorf("%d logs, %v", len(left), err)
	}
}

func TestSecondRunSaysWhoHoldsTheLock(t *testing.T) {
	m, dir := newMachine(), t.TempDir()
	a := m.applier(t, dir)
	a.Command = []string{"deployctl", "doctor", "--fix"}
	var second error
	m.fault = func(m *machine, _ []string, _ func(string)) (int, error) {
		_, second = newMachine().applier(t, dir).Apply(context.Background(), &Plan{})
		m.installed["ninja-build"] = "ii "
		return 0, nil
	}
	if _, err := a.Apply(context.Background(), mustPlan(t, m, judgement(withApt("ninja-build")))); err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if !errors.As(second, &held) || held.Holder == nil || held.Holder.PID != os.Getpid() || !strings.Contains(second.Error(), "deployctl doctor --fix") {
		t.Errorf("got %v", second)
	}
	if _, err := newMachine().applier(t, dir).Apply(context.Background(), &Plan{}); err != nil {
		t.Errorf("after it ended: %v", err)
	}
}

func TestUnwritableStateChangesNothing(t *testing.T) {
	m := newMachine()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.applier(t, filepath.Join(file, "state")).Apply(context.Background(), mustPlan(t, m, judgement(withApt("cmake")))); err == nil || len(m.ran) != 0 {
		t.Errorf("got %v, ran %q", err, m.ran)
	}
}

// TestManagersAreWired: what a recipe can name can be carried out, and refuses an
// option passed off as a package.
func TestManagersAreWired(t *testing.T) {
	for _, m := range recipes.Managers() {
		wired := ManagerOf(m.Name)
		if m.Name == "npm" { // deployctl reads the registry itself
			continue
		}
		if wired == nil {
			t.Errorf("%s can be named in a recipe, and nothing carries it out", m.Name)
			continue
		}
		for _, bad := range []string{"", "-x", "--help", "a b", "a;b", "a\n", "$(id)"} {
			if m.Names(bad) || wired.CheckNames([]string{bad}) == nil {
				t.Errorf("%s takes %q for a package", m.Name, bad)
			}
		}
	}
}

// TestOneMatcher: an entry for a whole family of systems is planned where doctor
// advises it.
func TestOneMatcher(t *testing.T) {
	for distro, want := range map[string]bool{"linux": true, "debian": true, "fedora": false, "windows": false} {
		fix := recipes.Fix{Distro: []string{distro}, Packages: recipes.PackageSet{"apt": {"cmake"}}}
		j := judgement([]recipes.Fix{fix})
		p := mustPlan(t, newMachine(), j)
		if got := len(p.Steps) > 0; got != want || judge.Fits(&fix, j.Facts) != want {
			t.Errorf("%s: planned %v, fits %v, want %v", distro, got, judge.Fits(&fix, j.Facts), want)
		}
	}
}

func TestArgv(t *testing.T) {
	windows := hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- env --\nSystemRoot=C:\\Windows\nUSERPROFILE=C:\\Users\\u v\nLOCALAPPDATA=C:\\Users\\u v\\AppData\\Local\n")
	linux := hosttest.Empty("linux", "amd64")
	type sample struct {
		host   *host.Host
		target string
		names  []string
	}
	samples := map[string][]sample{
		"winget": {{windows, "", []string{"Kitware.CMake"}}, {windows, "", []string{"Microsoft.VCRedist.2015+.x64"}}},
		"choco":  {{windows, "", []string{"cmake.install", "git"}}},
		"scoop":  {{windows, "", []string{"cmake", "git"}}},
		"msys2":  {{windows, `D:\msys64`, []string{"mingw-w64-x86_64-gcc", "mingw-w64-x86_64-cmake"}}},
		"feature": {
			{windows, "", []string{"ServerMediaFoundation"}},
			{windows, "", []string{"Media.MediaFeaturePack~~~~0.0.1.0"}},
		},
		"visual-studio": {
			{windows, `C:\Program Files\Microsoft Visual Studio\2022\Community`, []string{"Microsoft.VisualStudio.Component.VC.Tools.x86.x64", "Microsoft.VisualStudio.Component.Windows11SDK.22621"}},
			{windows, "winget", []string{"Microsoft.VisualStudio.Component.VC.Tools.x86.x64"}},
			{windows, "choco", []string{"Microsoft.VisualStudio.Component.VC.Tools.x86.x64"}},
			{windows, `C:\VS`, []string{"Microsoft.VisualStudio.Product.BuildTools", "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"}},
		},
		"vcpkg":  {{windows, `C:\src\vcpkg`, []string{"opencv4[dnn]", "opencv4[jpeg]", "zlib"}}, {linux, "/opt/vcpkg", []string{"opencv4", "opencv4[dnn]"}}},
		"pip":    {{linux, "/home/u/.venv/bin/python3", []string{"executorch", "torch"}}, {windows, `C:\work\.venv\Scripts\python.exe`, []string{"ncnn"}}},
		"ldconf": {{linux, "", []string{"opencv=/opt/opencv/lib"}}},
	}
	var b strings.Builder
	for _, m := range managers() {
		ss := samples[m.Name]
		if ss == nil {
			ss = []sample{{linux, "", []string{"cmake", "pkg-config"}}}
		}
		for _, s := range ss {
			m := m.For(s.host, s.target)
			tool := m.Path
			if m.Where != nil && s.host == windows {
				tool = m.Find(context.Background(), s.host)
			}
			line := func(what string, args []string) {
				b.WriteString(m.Name + " " + what + ": " + step.Quote(m.Argv(tool, args)) + "\n")
			}
			line("install", m.Install(s.names))
			byOther := s.target == "winget" || s.target == "choco" // Build Tools through a package manager
			if m.Remove != nil && !byOther {
				line("remove", m.Remove(s.names, false))
				line("purge", m.Remove(s.names, true))
			}
			if m.Refresh != nil {
				line("refresh", m.Refresh())
			}
			if m.Reinstall != nil {
				line("reinstall", m.Reinstall(s.names))
			}
			if err := m.CheckNames(s.names); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
			if m.Alone && len(s.names) != 1 {
				t.Errorf("%s takes one package a command", m.Name)
			}
			if (m.Installed == nil) == (m.Look == nil) || m.Remove == nil && m.NoRemove == "" {
				t.Errorf("%s is not complete: it needs Installed or Look, and Remove or NoRemove", m.Name)
			}
			if m.Explain == nil {
				t.Errorf("%s is not complete: it needs Explain", m.Name)
				continue
			}
			if f := m.Explain(1, []string{"write error: No space left on device"}); f.Kind != step.DiskFull {
				t.Errorf("%s: full disk is %s", m.Name, f.Kind)
			}
			if f := m.Explain(13, []string{"???"}); f.Kind != step.Other || !strings.Contains(f.Cause, "exit status 13") {
				t.Errorf("%s: %+v", m.Name, f)
			}
		}
		for _, bad := range []string{"", "-y", "--root=/x", "a b", "a;b", "../x", "/tmp/x.rpm", "@group", "!cmake", "a*", "https://x.example/y.rpm",
			"/featurename:x", "a\"b", "a'b", "a&b", "a|b", "%PATH%", "a\\b", "a\nb", "a;includeRecommended", "a=1", "$(x)", "a`b"} {
			if m.CheckNames([]string{bad}) == nil {
				t.Errorf("%s lets %q through", m.Name, bad)
			}
		}
	}
	golden(t, "argv.txt", b.String())
	// choco reads such a name as a file that lists packages.
	if m := managerOf(windows, "choco", ""); m.CheckNames([]string{"packages.config"}) == nil {
		t.Error("choco lets packages.config through")
	}
}

func TestOnlyFailuresAreFixed(t *testing.T) {
	j := judgement(withApt("cmake"), withApt("g++"), withApt("gcc"), withApt("ninja-build"))
	for i, s := range []judge.State{judge.OK, judge.Unknown, judge.Skipped, judge.Warn} {
		j.Findings[i].State = s
	}
	p := mustPlan(t, newMachine(), j)
	if len(p.Steps) != 1 || !slices.Equal(p.Steps[0].Packages, []string{"ninja-build"}) {
		t.Errorf("got %+v", p.Steps)
	}
}

// TestPlanFollowsTheFinding: what a finding itself says is to be done is the
// step, whatever the recipe's fix list has; what is a person's to do is listed
// with the finding's own words.
func TestPlanFollowsTheFinding(t *testing.T) {
	for _, c := range []struct {
		name          string
		change        func(f *judge.Finding)
		argv          string // of the only step; "" for none
		env           string
		manual, gives string // of the entry left to a person
	}{
		{"the recipe's own", func(*judge.Finding) {}, "install -- cmake", "", "", ""},
		{"a folder for the loader", func(f *judge.Finding) {
			f.Action = &judge.Action{Loader: &judge.LoaderEntry{File: "opencv", Folder: "/opt/cv/lib"}}
		}, "/bin/sh -c 'echo /opt/cv/lib >> /etc/ld.so.conf.d/opencv.conf && /sbin/ldconfig'", "", "", ""},
		{"other packages", func(f *judge.Finding) {
			f.Action = &judge.Action{Manager: "apt", Packages: []string{"ninja-build"}}
		}, "install -- ninja-build", "", "", ""},
		{"a package that lost a file", func(f *judge.Finding) {
			f.Action = &judge.Action{Manager: "apt", Packages: []string{"gcc"}, Reinstall: true}
		}, "--reinstall install -- gcc", "", "", ""},
		{"a variable", func(f *judge.Finding) {
			f.Action = &judge.Action{Env: []judge.EnvEdit{{Name: "PKG_CONFIG_PATH", Value: "/opt/cv/lib/pkgconfig"}}}
		}, "", "PKG_CONFIG_PATH=/opt/cv/lib/pkgconfig", "", ""},
		{"somebody else's variable", func(f *judge.Finding) {
			f.Fix = "Remove /opt/old from LD_LIBRARY_PATH."
			f.Action = &judge.Action{Env: []judge.EnvEdit{{Name: "LD_LIBRARY_PATH", Value: "/opt/old", Remove: true}}}
		}, "", "", "set by someone else", "Remove /opt/old from LD_LIBRARY_PATH."},
		{"a copy that is here", func(f *judge.Finding) { f.Reach, f.Fix = true, "Give CMake -DX_DIR=/opt/x." }, "", "", "a usable copy", "Give CMake -DX_DIR=/opt/x."},
		{"a health check", func(f *judge.Finding) { f.ID, f.Fix = "opencv.cpu", "Build it again." }, "", "", "only a person", "Build it again."},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := judgement(withApt("cmake"))
			j.Facts.OS.Libc.Kind = "glibc"
			c.change(&j.Findings[0])
			p := mustPlan(t, newMachine(), j)
			var argv, env, manual, gives string
			for _, s := range p.Steps {
				argv += step.Quote(s.Argv)
				for _, e := range s.Edits() {
					env += e.Name + "=" + e.Value
				}
			}
			for _, m := range p.Manual {
				manual, gives = m.Reason, m.Do
			}
			if !strings.Contains(argv, c.argv) || c.argv == "" && argv != "" || env != c.env || !strings.Contains(manual, c.manual) || c.manual == "" && manual != "" || gives != c.gives {
				t.Errorf("argv %q, env %q, left to a person %q: %q", argv, env, manual, gives)
			}
		})
	}
}

// TestUnreadIsTold: a line that is cut short and one of a later schema are
// counted and said, and keep nothing else from being read.
func TestUnreadIsTold(t *testing.T) {
	records, unread := parseJournal([]byte(`{"schema":1,"run":"a","seq":1,"event":"done"}
{"schema":1,"run":"b","se
{"schema":2,"run":"c","seq":"x","event":"done"}
{"schema":1,"run":"d","seq":1,"event":"done"}
`))
	if len(records) != 2 || unread != (Unread{Torn: 1, Newer: 1}) {
		t.Errorf("%d records, %+v", len(records), unread)
	}
	if text := unread.String(); !strings.Contains(text, "1 damaged line ") || !strings.Contains(text, "1 line of a newer deployctl") {
		t.Error(text)
	}
	if text := (Unread{}).String(); text != "" {
		t.Error(text)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte("{\"run\":\"a\",\"seq\":1,\"event\":\"started\",\"before\":{\"x\":\"1\"}}\n{\"run\":\"a\"\n\x00\xff"))
	f.Add([]byte("null\n[]\n{}\n{\"run\":\"a\",\"seq\":1,\"event\":\"done\"}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, torn := parseJournal(data)
		if len(records)+torn.Torn+torn.Newer > bytes.Count(data, []byte("\n"))+1 {
			t.Errorf("%d records and %+v", len(records), torn)
		}
		Unfinished(records)
	})
}
