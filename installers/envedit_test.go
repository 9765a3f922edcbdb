package installers

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/step"
)

// ticking is a world in which time passes, so that each run has its own name.
type ticking struct {
	host.World
	now time.Time
}

func (w *ticking) Now() time.Time {
	w.now = w.now.Add(time.Second)
	return w.now
}

// TestEnvironmentThroughTheJournal applies an edit of the environment, settles
// one that was cut off, and takes both back by what the journal says.
func TestEnvironmentThroughTheJournal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("writes a profile")
	}
	ctx, home, state := context.Background(), t.TempDir(), t.TempDir()
	h := host.Overlay(hosttest.Empty("linux", "amd64"), map[string]string{"HOME": home, "SHELL": "/bin/bash"})
	h.World = &ticking{World: h.World, now: hosttest.Time}
	profile := filepath.Join(home, ".profile")
	if err := os.WriteFile(profile, []byte("umask 022"), 0o644); err != nil {
		t.Fatal(err)
	}
	a := &Applier{Host: h, State: state}
	plan := func(dir string) *Plan {
		return &Plan{Steps: []Step{{ID: dir + ".env", Mechanism: "envedit", Action: step.Install, Effect: step.Write, Needs: []step.Need{step.NewShell},
			With: step.Edits{{Name: "PATH", Value: "/opt/" + dir + "/bin", Prepend: true, Scope: "user"}}}}}
	}
	for _, dir := range []string{"x", "y"} {
		res, err := a.Apply(ctx, plan(dir))
		want := []Package{{Name: "PATH+=/opt/" + dir + "/bin (" + profile + ")", Version: "listed"}}
		if err != nil || cmp.Diff(want, res.Steps[0].Added) != "" {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	if res, err := a.Apply(ctx, plan("x")); err != nil || res.Steps[0].Outcome != WasSkipped {
		t.Errorf("again: %+v, %v", res, err)
	}

	// The second run was killed after the file was written.
	journal := filepath.Join(state, journalFile)
	data, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	if err := os.WriteFile(journal, []byte(strings.Join(lines[:3], "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if res, err := a.Apply(ctx, plan("y")); err != nil || len(res.Recovered) != 1 || len(res.Recovered[0].Added) != 1 {
		t.Fatalf("after a kill: %+v, %v", res, err)
	}

	records, _, err := History(state)
	if err != nil {
		t.Fatal(err)
	}
	undo, err := PlanUndo(ctx, h, facts.User{Admin: true}, records, Undo{Run: AllRuns})
	if err != nil || len(undo.Steps) != 2 {
		t.Fatalf("%+v, %v", undo, err)
	}
	if _, err := a.Apply(ctx, undo); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(profile); err != nil || string(data) != "umask 022" {
		t.Errorf("left %q, %v", data, err)
	}
}

// TestReturned: an undo took an edit out, and an older profile brings it back, as an
// older registry does after a power cut. The next undo takes it out once more, but
// nothing that is not in deployctl's own folder.
func TestReturned(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("writes a profile")
	}
	ctx, home, state := context.Background(), t.TempDir(), t.TempDir()
	h := host.Overlay(hosttest.Empty("linux", "amd64"), map[string]string{"HOME": home, "SHELL": "/bin/bash"})
	h.World = &ticking{World: h.World, now: hosttest.Time}
	profile := filepath.Join(home, ".profile")
	own := filepath.Join(home, ".local/share/deployctl/x/bin")
	edits := step.Edits{
		{Name: "PATH", Value: own, Prepend: true, Scope: "user"},
		{Name: "PATH", Value: filepath.Join(home, ".local/share/deployctl-of-mine/bin"), Prepend: true, Scope: "user"},
		{Name: "PATH", Value: "/opt/cuda/bin", Prepend: true, Scope: "user"},
	}
	a := &Applier{Host: h, State: state}
	fix := func() {
		t.Helper()
		if _, err := a.Apply(ctx, &Plan{Steps: []Step{{ID: "x.env", Mechanism: "envedit", Action: step.Install, Effect: step.Write, With: edits}}}); err != nil {
			t.Fatal(err)
		}
	}
	undo := func(u Undo) (takes []string) {
		t.Helper()
		records, _, err := History(state)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := PlanUndo(ctx, h, facts.User{}, records, u)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range plan.Steps {
			for _, take := range s.Take {
				takes = append(takes, take.Name)
			}
		}
		if _, err := a.Apply(ctx, plan); err != nil {
			t.Fatal(err)
		}
		return takes
	}
	read := func() string {
		t.Helper()
		data, err := os.ReadFile(profile)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(data)
	}
	fix()
	older := read()
	if n := undo(Undo{}); len(n) != 3 {
		t.Fatalf("took back %q", n)
	}
	fix() // a later run's record of the same names, undone, too
	undo(Undo{Run: AllRuns})
	back := "PATH+=" + own + " (" + profile + ")"
	for _, u := range []Undo{{Run: AllRuns}, {}} {
		if err := os.WriteFile(profile, []byte(older), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := undo(u); cmp.Diff([]string{back}, got) != "" {
			t.Errorf("%+v took back %q", u, got)
		}
		if strings.Contains(read(), own) || !strings.Contains(read(), "/opt/cuda/bin") {
			t.Errorf("the profile is %q", read())
		}
		if got := undo(u); got != nil {
			t.Errorf("%+v, once more, took back %q", u, got)
		}
	}
}

// TestReturnedIsMine: what a later run made is that run's.
func TestReturnedIsMine(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("writes a profile")
	}
	ctx := context.Background()
	h := host.Overlay(hosttest.Empty("linux", "amd64"), map[string]string{"HOME": t.TempDir(), "SHELL": "/bin/bash"})
	made := func(run string) Record {
		value := filepath.Join(h.Env("HOME"), ".local/share/deployctl/x/bin")
		s := Step{ID: "x.env", Mechanism: "envedit", Action: step.Install, With: step.Edits{{Name: "PATH", Value: value, Prepend: true, Scope: "user"}}}
		return Record{Run: run, Seq: 1, Event: Done, Step: s, Added: []Package{{Name: "PATH+=" + value + " (" + h.Env("HOME") + "/.profile)", Version: "listed"}}}
	}
	records := []Record{made("a"), {Run: "b", Seq: 1, Event: Done, Step: Step{Mechanism: "envedit", Action: step.Remove, Undoes: []string{"a/1"}}}, made("c")}
	if err := os.WriteFile(filepath.Join(h.Env("HOME"), ".profile"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	a := &Applier{Host: h, State: t.TempDir()}
	if _, err := a.Apply(ctx, &Plan{Steps: []Step{made("c").Step}}); err != nil {
		t.Fatal(err)
	}
	if back := Returned(ctx, h, facts.User{}, records); len(back) != 0 {
		t.Errorf("%v", back)
	}
	if back := Returned(ctx, h, facts.User{}, records[:2]); len(back["a/1"]) != 1 {
		t.Errorf("%v", back)
	}
}
