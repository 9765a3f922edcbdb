package mechanism

import (
	"context"
	"slices"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Worker is what differs between the mechanisms that work on files and settings;
// Of makes a Mechanism of it. Each thing that it makes has a name and a version
// (a digest, a value), by which it is found again and taken back alone.
type Worker interface {
	// State is what is there now of what the step makes or takes back.
	State(ctx context.Context, s step.Step) (map[string]string, error)
	// Done reports whether the step's purpose is met.
	Done(ctx context.Context, s step.Step) (bool, error)
	// Do carries the step out. It is called when Done was false, and must cope
	// with what a killed run left.
	Do(ctx context.Context, s step.Step, tell func(step.Progress)) error
	// Sweep removes what a killed run may have left unfinished.
	Sweep(s step.Step) error
	// Room is the folder that needs disk space and how much, "" for none. What is
	// there already needs none.
	Room(s step.Step) (dir string, bytes int64)
	// Describe says exactly what the step does, which is no removal.
	Describe(s step.Step) (label, text string)
	// Export is the step for languages that need no deployctl.
	Export(s step.Step) Script
}

// Of completes a worker.
func Of(w Worker) Mechanism { return worker{w} }

type worker struct{ w Worker }

func (m worker) State(ctx context.Context, s step.Step) (State, error) {
	made, err := m.w.State(ctx, s)
	return Versions(made), err
}

// Check leaves the state to be read when the step is not done: a folder's digest
// takes long.
func (m worker) Check(ctx context.Context, s step.Step) (Check, error) {
	done, err := m.w.Done(ctx, s)
	return Check{Done: done, Room: m.Room(s)}, err
}

// Idle is at once: nobody else works on deployctl's own files.
func (m worker) Idle(context.Context, step.Step, Wait) error { return nil }

func (m worker) Room(s step.Step) []Room {
	dir, bytes := m.w.Room(s)
	if dir == "" {
		return nil
	}
	return []Room{{Dir: dir, Bytes: bytes, Next: lang.T("free some disk space, then run deployctl again")}}
}

func (m worker) Apply(ctx context.Context, s step.Step, tell func(step.Progress)) (Ended, error) {
	return Ended{}, m.w.Do(ctx, s, tell)
}

func (m worker) Confirm(ctx context.Context, s step.Step, _ Ended, applied error, _ State) (string, error) {
	if applied != nil {
		return "", applied
	}
	done, err := m.w.Done(ctx, s)
	if err == nil && !done {
		err = lang.Errorf("%s reported success, but what it makes is not there", s.ID)
	}
	return "", err
}

func (m worker) Settle(_ context.Context, s step.Step, _ Wait) error {
	if err := m.w.Sweep(s); err != nil {
		return lang.Errorf("clear away what an interrupted run left: %w", err)
	}
	return nil
}

func (m worker) Describe(s step.Step) (label, text string) {
	if s.Action == step.Remove || s.Action == step.Tidy {
		return "does", removes(s.Take)
	}
	return m.w.Describe(s)
}

func (m worker) Export(s step.Step) Script { return m.w.Export(s) }

// Undo plans a removal for each record: of what is still as it was made. What
// somebody else changed stays.
func (m worker) Undo(ctx context.Context, made []Made, _ bool) (Undoing, error) {
	var u Undoing
	for i, r := range made {
		s := step.Step{Mechanism: r.Step.Mechanism, Action: step.Remove, Effect: step.Destructive, With: r.Step.With}
		for _, p := range slices.Concat(r.Added, r.Changed) {
			s.Take = append(s.Take, step.Take(p))
		}
		now, err := m.State(ctx, s)
		if err != nil {
			return u, lang.Errorf("undo %s: %w", r.Step.ID, err)
		}
		var names []string
		all := true
		s.Take = slices.DeleteFunc(s.Take, func(t step.Take) bool {
			is, there := now[t.Name]
			switch {
			case !there:
				return true
			case is.Version != t.Version:
				u.Kept, all = Keep(u.Kept, lang.T("changed since deployctl made it"), t.Name), false
				return true
			}
			names = append(names, t.Name)
			return false
		})
		if len(s.Take) == 0 {
			continue
		}
		s.ID = r.Step.ID + ".undo"
		s.Title = lang.F("Take back %s", step.Some(names, 4))
		s.Needs, s.Requirements = []step.Need{}, r.Step.Requirements
		s.Cost = step.Cost{Minutes: 0.1, Note: lang.T("frees disk space")}
		s.Undo = lang.T("deployctl doctor --fix makes it again")
		if all {
			s.Undoes = []string{r.Key}
		}
		u.Found, u.Steps = true, append(u.Steps, Back{s, i})
	}
	return u, nil
}

// removes says what a removal takes back.
func removes(takes []step.Take) string {
	var names []string
	for _, t := range takes {
		if t.Was != "" {
			names = append(names, lang.F("%s (back to %s)", t.Name, step.Clean(t.Was, 100)))
			continue
		}
		names = append(names, t.Name)
	}
	return lang.F("removes %s", step.Some(names, len(names)))
}
