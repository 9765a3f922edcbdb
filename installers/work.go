package installers

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/deployctl/deployctl/installers/cmake"
	"github.com/deployctl/deployctl/installers/envedit"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// worker carries out the steps of a mechanism that works on files and settings
// instead of packages. What it does is journaled like a package manager's work,
// by comparing what is there before and after.
type worker interface {
	// State is what is there now of what the step makes or takes back: a name
	// (a path, a variable) and its version (a digest, a value). What was made
	// by nobody has no entry.
	State(ctx context.Context, s Step) (map[string]string, error)
	// Done reports whether the step's purpose is met.
	Done(ctx context.Context, s Step) (bool, error)
	// Do carries the step out. It is called when Done was false, and must cope
	// with what a killed run left.
	Do(ctx context.Context, s Step, tell func(Progress)) error
}

// workers is the one list that wires the mechanisms that work on files; the
// package managers are in managers.
func (r *run) workers() map[string]worker {
	return map[string]worker{
		"fetch":     files.Fetch{Options: r.Fetch},
		"fetch-all": files.FetchAll{Options: r.Fetch},
		"unpack":    files.Unpack{Store: r.Fetch.Store},
		"place":     files.Place{Store: r.Fetch.Store},
		"cmake":     cmake.Worker{Run: r.command},
		"envedit":   envedit.Worker{Host: r.Host},
	}
}

// command runs one command of a worker's step. The failure is the worker's to
// name; output goes to the log.
func (r *run) command(ctx context.Context, job cmake.Command, onLine func(string)) (int, error) {
	limit := r.Limit
	if limit == 0 {
		limit = 6 * time.Hour // a large build on a small machine
	}
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return r.Exec.Stream(inner, Job{Argv: job.Argv, Dir: job.Dir, Env: job.Env, Owned: true, Hold: job.Hold, Log: r.log}, onLine)
}

// work runs one step of a worker between two journal records.
func (r *run) work(ctx context.Context, s Step, w worker) (StepResult, error) {
	failed := StepResult{Outcome: WasFailed}
	done, err := w.Done(ctx, s)
	if err != nil {
		return failed, r.broken(ctx, "before "+s.ID, err)
	}
	rec := Record{Run: r.id, Seq: len(r.After.Steps) + r.seq, Step: s, Log: r.log}
	if done {
		rec.Time, rec.Event = r.Host.Now(), Skipped
		return StepResult{Outcome: WasSkipped, Note: "already done"}, r.write(rec)
	}
	if err := r.fits(ctx, folder(s), s.Cost.DiskBytes, "free some room, then run deployctl again"); err != nil {
		return failed, err
	}
	before, err := w.State(ctx, s)
	if err != nil {
		return failed, r.broken(ctx, "before "+s.ID, err)
	}
	started := rec
	started.Time, started.Event, started.Before = r.Host.Now(), Started, before
	if err := r.write(started); err != nil {
		return failed, err
	}
	doErr := w.Do(ctx, s, func(p Progress) {
		p.StepID = s.ID
		r.tell(p)
	})

	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookLimit)
	defer cancel()
	if doErr == nil {
		if done, err = w.Done(look, s); err != nil {
			doErr = err
		} else if !done {
			doErr = errors.New(s.ID + " ended well, but what it is for is not there")
		}
	}
	after, err := w.State(look, s)
	if err != nil {
		doErr = errors.Join(doErr, err)
		after = before
	}
	rec.Added, rec.Changed, rec.Removed = diff(before, installed(after))
	res := StepResult{Outcome: WasDone, Added: rec.Added, Changed: rec.Changed, Removed: rec.Removed}
	rec.Time, rec.Event = r.Host.Now(), Done
	if doErr != nil {
		failure := r.broken(ctx, s.ID, doErr)
		rec.Event, res.Outcome = Failed, WasFailed
		rec.Failure = failure
		if err := r.write(rec); err != nil {
			return res, err
		}
		return res, failure
	}
	return res, r.write(rec)
}

// folder is where a step's files go; a store's own folder is left to the fetch,
// which knows how much of the file is there.
func folder(s Step) string {
	switch {
	case s.Unpack != nil:
		return filepath.Dir(s.Unpack.Into)
	case s.Place != nil:
		return filepath.Dir(s.Place.Path)
	case s.Build != nil:
		return s.Build.Work
	}
	return "."
}

// broken makes any error of a worker a *Failure.
func (r *run) broken(ctx context.Context, what string, err error) *Failure {
	var f *Failure
	switch {
	case ctx.Err() != nil:
		return stopped(ctx.Err())
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.DeadlineExceeded):
		return &Failure{Kind: step.TimedOut, Err: err, Cause: what + " took longer than its limit and was stopped", Next: "see the log, then run deployctl again: it goes on from there"}
	}
	return &Failure{Kind: step.Other, Err: err, Cause: fmt.Sprintf("%s: %v", what, err), Next: "mend what it says, then run deployctl again"}
}

// installed gives a worker's state the form of a package list.
func installed(state map[string]string) map[string]pkgmgr.Installed {
	list := make(map[string]pkgmgr.Installed, len(state))
	for name, version := range state {
		list[name] = pkgmgr.Installed{Version: version, Ready: true}
	}
	return list
}
