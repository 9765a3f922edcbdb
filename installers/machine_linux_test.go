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
	"github.com/deployctl/deployctl/installers/step"
)

// shared is a machine with root and a user who may become root: by a sudo that
// runs what it is told.
type shared struct {
	*machine
	t             *testing.T
	sudo          string
	own, machines string // the folders of both histories
}

func newShared(t *testing.T) *shared {
	t.Helper()
	s := &shared{machine: newMachine(), t: t, sudo: filepath.Join(t.TempDir(), "sudo"), own: filepath.Join(t.TempDir(), "own"), machines: filepath.Join(t.TempDir(), "machine")}
	s.rule(`shift 2; exec "$@"`)
	return s
}

// rule is what sudo does with "-n -- command".
func (s *shared) rule(script string) {
	s.t.Helper()
	if err := os.WriteFile(s.sudo, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil { //nolint:gosec // it is run
		s.t.Fatal(err)
	}
}

func (s *shared) user() *Applier {
	a := s.applier(s.t, s.own)
	a.Machine, a.User = s.machines, "somebody"
	return a
}

func (s *shared) root() *Applier { return s.applier(s.t, s.machines) }

// plan is to install a package, for the user by sudo.
func (s *shared) plan(a *Applier, name string) *Plan {
	s.t.Helper()
	j := judgement(withApt(name))
	j.Facts.OS.User = facts.User{Admin: a.Machine == ""}
	return s.bySudo(mustPlan(s.t, s.machine, j))
}

func (s *shared) bySudo(p *Plan) *Plan {
	if p.Elevation.Name != "" {
		p.Elevation.Path = s.sudo
	}
	return p
}

func (s *shared) install(a *Applier, name string) Result {
	s.t.Helper()
	s.now = s.now.Add(time.Minute) // a run has its name by its time
	result, err := a.Apply(context.Background(), s.plan(a, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return result
}

// undo takes the latest run back.
func (s *shared) undo(a *Applier) (*Plan, error) {
	s.t.Helper()
	ctx := context.Background()
	records, _, err := a.Settle(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := PlanUndo(ctx, s.host(), facts.User{Admin: a.Machine == ""}, records, Undo{})
	s.now = s.now.Add(time.Minute)
	if err == nil && len(plan.Steps) > 0 {
		_, err = a.Apply(ctx, s.bySudo(plan))
	}
	return plan, err
}

func count(t *testing.T, dir string) int {
	t.Helper()
	records, _, err := History(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(records)
}

// TestOneHistory: what a user installed by sudo, root takes back, and the other
// way round; both see the same.
func TestOneHistory(t *testing.T) {
	s := newShared(t)
	s.install(s.user(), "cmake")
	if own, all := count(t, s.own), count(t, s.machines); own != 0 || all != 2 {
		t.Fatalf("%d records of the user's own, %d of the machine's", own, all)
	}
	if records, _, err := History(s.machines); err != nil || records[1].User != "somebody" {
		t.Errorf("%+v, %v", records, err)
	}
	if plan, err := s.undo(s.root()); err != nil || len(plan.Steps) != 1 || len(s.installed) != 1 {
		t.Errorf("root's undo: %v, %v, left %v", plan, err, s.installed)
	}
	if plan, err := s.undo(s.user()); err != nil || len(plan.Steps) != 0 {
		t.Errorf("the user's undo after root's: %+v, %v", plan, err)
	}
	s.install(s.root(), "g++")
	if plan, err := s.undo(s.user()); err != nil || len(plan.Steps) != 1 || len(s.installed) != 1 {
		t.Errorf("the user's undo: %+v, %v, left %v", plan, err, s.installed)
	}
	if plan, err := s.undo(s.root()); err != nil || len(plan.Steps) != 0 {
		t.Errorf("root's undo after the user's: %+v, %v", plan, err)
	}
	if left, err := filepath.Glob(s.machines + "/lock.json*"); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
}

// TestRootsFilesAreRoots: what root unpacked is shown to a user, and stays.
func TestRootsFilesAreRoots(t *testing.T) {
	s := newShared(t)
	if err := os.MkdirAll(s.machines, 0o755); err != nil { //nolint:gosec // as the machine's is
		t.Fatal(err)
	}
	line, err := Record{Run: "r", Seq: 1, Event: Done, Step: Step{ID: "data.unpack", Mechanism: "unpack", Action: step.Install, With: &step.Unpack{Into: "/opt/deployctl/data"}},
		Added: []Package{{Name: "/opt/deployctl/data", Version: "1"}}}.line()
	if err == nil {
		err = os.WriteFile(filepath.Join(s.machines, journalFile), line, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	plan, err := s.undo(s.user())
	if err != nil || len(plan.Steps) != 0 || len(plan.Kept) != 1 || !strings.Contains(plan.Kept[0].Why, "sudo deployctl undo --run r") {
		t.Errorf("%+v, %v", plan, err)
	}
	// Without any way to root, the user need not hear of it.
	s.tools = []string{"/usr/bin/apt-get", "/usr/bin/dpkg-query"}
	if plan, err := s.undo(s.user()); err != nil || len(plan.Kept) != 0 {
		t.Errorf("%+v, %v", plan, err)
	}
}

// TestOneLock: root and a user with sudo exclude one another, and say whom.
func TestOneLock(t *testing.T) {
	s := newShared(t)
	var held *HeldError
	during := func(other *Applier) func(*machine, []string, func(string)) (int, error) {
		return func(*machine, []string, func(string)) (int, error) {
			s.mu.Unlock() // the other one looks at the machine, too
			defer s.mu.Lock()
			_, err := other.Apply(context.Background(), s.plan(other, "ninja-build"))
			if !errors.As(err, &held) || held.Holder == nil || held.Holder.PID != os.Getpid() {
				t.Errorf("the other run: %v", err)
			}
			return 0, nil
		}
	}
	for _, c := range []struct{ first, second *Applier }{{s.user(), s.root()}, {s.root(), s.user()}} {
		held, s.ran = nil, nil
		s.fault = during(c.second)
		// apt did nothing, so the first one fails in the end.
		_, err := c.first.Apply(context.Background(), s.plan(c.first, "cmake"))
		if kindOf(err) != step.Other || held == nil || !slices.Equal(s.ran, []string{"install cmake"}) {
			t.Errorf("got %v, held %v, ran %q", err, held, s.ran)
		}
	}
}

// TestKilledUserIsSettledByAnyone: an open record of the machine's history is
// closed by whoever comes next; a user's plan to undo sees it closed before.
func TestKilledUserIsSettledByAnyone(t *testing.T) {
	for _, byRoot := range []bool{true, false} {
		s := newShared(t)
		s.install(s.user(), "cmake")
		journal := filepath.Join(s.machines, journalFile)
		data, err := os.ReadFile(journal)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(strings.TrimSpace(string(data)), "\n")
		if err := os.WriteFile(journal, []byte(lines[0]+`{"torn`), 0o600); err != nil {
			t.Fatal(err)
		}
		a := s.user()
		if byRoot {
			a = s.root()
		}
		if plan, err := s.undo(a); err != nil || len(plan.Steps) != 1 || len(s.installed) != 1 {
			t.Errorf("by root %v: %+v, %v, left %v", byRoot, plan, err, s.installed)
		}
		records, unread, err := History(s.machines)
		if err != nil || unread.Torn != 1 || len(Unfinished(records)) != 0 {
			t.Errorf("by root %v: %+v, %+v, %v", byRoot, records, unread, err)
		}
	}
}

// TestNoKeeper: sudo may allow the steps and not the machine's history.
func TestNoKeeper(t *testing.T) {
	s := newShared(t)
	s.rule(`echo "Sorry, user somebody is not allowed to execute this" >&2; exit 1`)
	if result := s.install(s.user(), "cmake"); !strings.Contains(result.Note, "in your own history") || count(t, s.own) != 2 {
		t.Errorf("%+v", result)
	}
	if plan, err := s.undo(s.user()); err != nil || len(plan.Steps) != 1 || len(s.installed) != 1 {
		t.Errorf("%+v, %v", plan, err)
	}
	// One that cannot be written begins nothing.
	s.rule(`shift 2; exec "$@"`)
	if err := os.WriteFile(s.machines, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.ran = nil
	a := s.user()
	if _, err := a.Apply(context.Background(), s.plan(a, "cmake")); err == nil || !strings.Contains(err.Error(), "open the machine's history") || len(s.ran) != 0 {
		t.Errorf("%v, ran %q", err, s.ran)
	}
}
