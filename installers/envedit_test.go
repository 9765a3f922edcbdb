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
