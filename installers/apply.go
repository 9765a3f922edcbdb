package installers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/elevate"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// Applier carries out plans on one machine.
type Applier struct {
	Host *host.Host
	Exec Executor
	// State is the folder of journal, lock and logs (StateDir); it is created.
	State string
	// Command is what the lock says this process is doing.
	Command []string
	// Fetch says how files are fetched: its store, and whether the network may
	// be used.
	Fetch download.Options
	// Report receives progress; nil for none. It is called from one goroutine
	// at a time.
	Report func(Progress)
	// Ask lets sudo or doas ask for a password; nil without a terminal.
	Ask elevate.Terminal
	// Limit bounds one step; 0 means the mechanism's own limit: 60 minutes for
	// most package managers, 6 hours for a build.
	Limit time.Duration
	// LockTries and LockPause are how often and how long apart a step that
	// found the package manager locked is tried again; 0 means 10 times, 3 s.
	LockTries int
	LockPause time.Duration

	// After is an earlier result of the same run, which Apply then goes on with:
	// one run in the history, taken back by one undo. Zero begins a run.
	After Result

	// wrote is told of each record that is on the disk; tests die there.
	wrote func(n int)
}

// Outcome is how a step ended.
type Outcome string

// The outcomes. NotRun steps came after one that failed.
const (
	WasDone    Outcome = "done"
	WasSkipped Outcome = "skipped"
	WasFailed  Outcome = "failed"
	NotRun     Outcome = "not run"
)

// StepResult is what one step did, by the package database.
type StepResult struct {
	ID      string    `json:"id"`
	Outcome Outcome   `json:"outcome"`
	Added   []Package `json:"added,omitempty"`
	Changed []Package `json:"changed,omitempty"`
	Removed []Package `json:"removed,omitempty"`
	// Reboot: it takes full effect after a restart only.
	Reboot bool          `json:"reboot,omitempty"`
	Note   string        `json:"note,omitempty"`
	Took   time.Duration `json:"took_ns"`
}

// Result is what Apply did.
type Result struct {
	Run   string       `json:"run"`
	Steps []StepResult `json:"steps"`
	// Log is the file with everything the package managers said.
	Log string `json:"log"`
	// Recovered are the steps of killed runs that this one settled first.
	Recovered []Record `json:"-"`
}

// Restart reports whether a step of the plan asked for a restart, and which
// requirements such steps serve.
func (r Result) Restart(plan *Plan) (served []string, due bool) {
	for i, s := range r.Steps {
		if s.Reboot && i < len(plan.Steps) {
			served, due = append(served, plan.Steps[i].Requirements...), true
		}
	}
	return served, due
}

const (
	lookLimit = time.Minute // for reading the package database
	keepLogs  = 20
)

// run is the state of one Apply.
type run struct {
	*Applier
	id      string
	log     string
	seq     int
	journal *journal
	plan    *Plan
	mu      sync.Mutex // held while Report runs
	records int        // written by this run
}

// Apply carries out the steps in order and stops at the first that fails. The
// error is a *HeldError, a *Failure, or plain; the result says in every case
// what was done. It is the caller's part to probe again afterwards.
func (a *Applier) Apply(ctx context.Context, plan *Plan) (Result, error) {
	now := a.Host.Now()
	r := &run{Applier: a, plan: plan, id: cmp.Or(a.After.Run, fmt.Sprintf("%s-%d", now.UTC().Format("20060102T150405.000"), os.Getpid()))}
	if plan.Blocked != nil {
		return Result{}, plan.Blocked
	}
	if err := os.MkdirAll(filepath.Join(a.State, "logs"), 0o700); err != nil {
		return Result{}, fmt.Errorf("make the folder for deployctl's journal: %w", err)
	}
	release, err := lock(a.State, Holder{PID: os.Getpid(), Since: now, Command: a.Command})
	if err != nil {
		return Result{}, err
	}
	result, err := r.locked(ctx)
	if rerr := release(); rerr != nil && err == nil {
		err = rerr
	}
	return result, err
}

// Settle closes the records of killed runs and gives the whole history. Apply
// does so itself; a plan that is made from the history (PlanUndo) needs it
// before. It changes nothing but the journal; the error may be a *HeldError.
func (a *Applier) Settle(ctx context.Context) ([]Record, error) {
	records, _, err := History(a.State)
	if err != nil || len(Unfinished(records)) == 0 {
		return records, err
	}
	release, err := lock(a.State, Holder{PID: os.Getpid(), Since: a.Host.Now(), Command: a.Command})
	if err != nil {
		return nil, err
	}
	r := &run{Applier: a}
	records, _, err = History(a.State) // again, now that nobody else writes
	if err == nil {
		r.journal, err = openJournal(a.State)
	}
	if err == nil {
		var settled []Record
		settled, err = r.settle(ctx, records)
		records = append(records, settled...)
		err = errors.Join(err, r.journal.f.Close())
	}
	return records, errors.Join(err, release())
}

func (r *run) locked(ctx context.Context) (Result, error) {
	r.log = filepath.Join(r.State, "logs", r.id+".log")
	result := Result{Run: r.id, Log: r.log}
	records, _, err := History(r.State)
	if err != nil {
		return result, err
	}
	if r.journal, err = openJournal(r.State); err != nil {
		return result, err
	}
	result.Recovered, err = r.settle(ctx, records)
	if err == nil {
		err = r.plan.Elevation.Ready(ctx, r.Host, r.Ask)
	}
	if err == nil {
		err = r.steps(ctx, &result)
	}
	if cerr := r.journal.f.Close(); cerr != nil && err == nil {
		err = fmt.Errorf("close the journal: %w", cerr)
	}
	if perr := pruneLogs(filepath.Join(r.State, "logs"), filepath.Base(r.log)); perr != nil && err == nil {
		err = perr
	}
	return result, err
}

// settle closes the records of killed runs: what they added is known by
// comparing with what they found installed.
func (r *run) settle(ctx context.Context, records []Record) ([]Record, error) {
	var settled []Record
	for _, open := range Unfinished(records) {
		if err := r.idle(ctx, open); err != nil {
			return settled, err
		}
		if err := files.Sweep(open.Step); err != nil {
			return settled, fmt.Errorf("clear away what the interrupted run %s left: %w", open.Run, err)
		}
		after, known, err := r.now(ctx, open.Step)
		if !known {
			return settled, fmt.Errorf("the journal tells of an interrupted step by %q, which this deployctl does not know; use the version that wrote %s", open.Step.Mechanism, filepath.Join(r.State, journalFile))
		}
		if err != nil {
			return settled, fmt.Errorf("see what the interrupted run %s did: %w", open.Run, err)
		}
		rec := Record{Run: open.Run, Seq: open.Seq, Time: r.Host.Now(), Event: CutOff, Step: open.Step, Leftover: open.Leftover, Log: open.Log,
			Failure: &Failure{Kind: step.Interrupted, Cause: "deployctl was stopped during this step"}}
		rec.Added, rec.Changed, rec.Removed = diff(open.Before, after)
		if err := r.write(rec); err != nil {
			return settled, err
		}
		settled = append(settled, rec)
	}
	return settled, nil
}

// idle waits for the package manager of a killed run, which goes on without it:
// what that run added is known only when the manager has ended.
func (r *run) idle(ctx context.Context, open Record) error {
	m := managerOf(r.Host, open.Step.Mechanism, open.Step.Target)
	if m == nil || m.Busy == nil {
		return nil
	}
	tries, pause := r.patience()
	for try := 1; ; try++ {
		who := m.Busy(ctx, r.Host)
		switch {
		case ctx.Err() != nil:
			return stopped(ctx.Err())
		case who == "":
			return nil
		case try > tries:
			return &Failure{Kind: step.Locked,
				Cause: "an earlier run of deployctl was killed, and the package manager that it started is still at work: " + who,
				Next:  "let it finish, then run deployctl again"}
		}
		r.tell(Progress{StepID: open.Step.ID, Phase: step.Waiting, Percent: -1, Message: "waiting for what an interrupted run began: " + who})
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// patience is how often and how long apart a locked manager is tried again.
func (r *run) patience() (tries int, pause time.Duration) {
	return cmp.Or(r.LockTries, 10), cmp.Or(r.LockPause, 3*time.Second)
}

// now is the state of what a step's mechanism works on; known is false for a
// mechanism that this deployctl does not have.
func (r *run) now(ctx context.Context, s Step) (state map[string]pkgmgr.Installed, known bool, err error) {
	if w := r.workers()[s.Mechanism]; w != nil {
		made, err := w.State(ctx, s)
		return installed(made), true, err
	}
	m := managerOf(r.Host, s.Mechanism, s.Target)
	if m == nil {
		return nil, false, nil
	}
	state, err = m.State(ctx, r.Host, s.Packages)
	return state, true, err
}

func (r *run) steps(ctx context.Context, result *Result) error {
	for i := range r.plan.Steps {
		s := r.plan.Steps[i]
		r.seq = i + 1
		began := time.Now()
		res, err := r.step(ctx, s)
		res.ID, res.Took = s.ID, time.Since(began)
		result.Steps = append(result.Steps, res)
		if err != nil {
			for _, rest := range r.plan.Steps[i+1:] {
				result.Steps = append(result.Steps, StepResult{ID: rest.ID, Outcome: NotRun})
			}
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return stopped(err)
	}
	return nil
}

// step runs one step between two journal records.
func (r *run) step(ctx context.Context, s Step) (StepResult, error) {
	if w := r.workers()[s.Mechanism]; w != nil {
		if ctx.Err() != nil {
			return StepResult{Outcome: NotRun}, stopped(ctx.Err())
		}
		return r.work(ctx, s, w)
	}
	m := managerFor(r.Host, s)
	if m == nil {
		return StepResult{Outcome: WasFailed}, fmt.Errorf("step %s: no mechanism is called %q", s.ID, s.Mechanism)
	}
	if ctx.Err() != nil {
		return StepResult{Outcome: NotRun}, stopped(ctx.Err())
	}
	if len(s.Argv) == 0 || m.CheckNames(s.Packages) != nil {
		return StepResult{Outcome: WasFailed}, fmt.Errorf("step %s is not one that deployctl planned", s.ID)
	}
	before, err := m.State(ctx, r.Host, s.Packages)
	if err != nil {
		return StepResult{Outcome: WasFailed}, fmt.Errorf("before %s: %w", s.ID, err)
	}
	quote, done, err := r.check(ctx, m, s, before)
	if err != nil {
		return StepResult{Outcome: WasFailed}, err
	}
	rec := Record{Run: r.id, Seq: len(r.After.Steps) + r.seq, Step: s, Log: r.log}
	if done {
		rec.Time, rec.Event = r.Host.Now(), Skipped
		return StepResult{Outcome: WasSkipped, Note: "already done"}, r.write(rec)
	}
	if err := r.room(ctx, m, quote); err != nil {
		return StepResult{Outcome: WasFailed}, err
	}

	started := rec
	started.Time, started.Event, started.Before = r.Host.Now(), Started, map[string]string{}
	for name, p := range before {
		if p.Leftover {
			started.Leftover = append(started.Leftover, name)
			continue
		}
		started.Before[name] = p.Version
	}
	sort.Strings(started.Leftover)
	if err := r.write(started); err != nil {
		return StepResult{Outcome: WasFailed}, err
	}
	if s.Cost.Estimated && len(quote.Change) > 0 {
		r.tell(Progress{StepID: s.ID, Phase: step.Downloading, Message: fmt.Sprintf("%s: %s to download, %s of disk",
			plural(len(quote.Change), "package"), step.Bytes(quote.DownloadBytes), step.Bytes(quote.DiskBytes))})
	}
	exit, lines, runErr := r.stream(ctx, m, s)

	// Whatever happened, and even when the user has stopped us, look at what
	// is installed now: that, not the exit status, is what was done.
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookLimit)
	defer cancel()
	rec.Exit, rec.Leftover = exit, started.Leftover
	res := StepResult{Outcome: WasDone}
	failure := r.failure(ctx, m, exit, lines, runErr)
	after, err := m.State(look, r.Host, s.Packages)
	if err != nil {
		failure = cmpFailure(failure, &Failure{Kind: step.Other, Err: err, Cause: "what " + s.ID + " did could not be read: " + err.Error(), Next: "run deployctl again"})
		after = nil
	} else {
		rec.Added, rec.Changed, rec.Removed = diff(started.Before, after)
		told := failure
		failure, res.Note = r.confirm(look, m, s, failure, lines, after)
		if told == nil && failure != nil && slices.Contains(m.Reboot, exit) {
			failure, res.Note = nil, "what it did shows after the restart"
		}
	}
	if failure == nil && slices.Contains(m.Reboot, exit) {
		res.Reboot = true
		rec.Reboot = true
	}
	res.Added, res.Changed, res.Removed = rec.Added, rec.Changed, rec.Removed
	rec.Time, rec.Event, rec.Failure = r.Host.Now(), Done, failure
	if failure != nil {
		rec.Event, res.Outcome = Failed, WasFailed
	}
	if err := r.write(rec); err != nil {
		return res, err
	}
	if failure != nil {
		return res, failure
	}
	return res, nil
}

func (r *run) write(rec Record) error {
	if err := r.journal.write(rec); err != nil {
		return err
	}
	if r.records++; r.wrote != nil {
		r.wrote(r.records)
	}
	return nil
}

func cmpFailure(first, second *Failure) *Failure {
	if first != nil {
		return first
	}
	return second
}

// check says whether the step is done already, and what it would take now.
func (r *run) check(ctx context.Context, m *pkgmgr.Manager, s Step, before map[string]pkgmgr.Installed) (q pkgmgr.Quote, done bool, err error) {
	switch s.Action {
	case step.Configure, step.FixBroken:
		d, err := m.Damage(ctx, r.Host)
		if err != nil {
			return q, false, fmt.Errorf("before %s: %w", s.ID, err)
		}
		if s.Action == step.FixBroken && d.Journal {
			return q, false, nil
		}
		return q, !d.Journal && len(d.Broken) == 0, nil
	case step.Refresh, step.Reinstall:
		return q, false, nil
	case step.Remove:
		for _, n := range s.Packages {
			if p, ok := before[n]; ok && !p.Leftover {
				return q, false, nil
			}
		}
		return q, true, nil
	case step.Install:
		if m.Quote == nil {
			for _, n := range s.Packages {
				if !before[n].Ready {
					return q, false, nil
				}
			}
			return q, true, nil
		}
		q, err = m.Quote(ctx, r.Host, m.Find(ctx, r.Host), s.Packages)
		switch {
		case errors.As(err, new(*Failure)):
			return q, false, err // says its cause and next action itself
		case err != nil:
			return q, false, fmt.Errorf("before %s: %w", s.ID, err)
		case len(q.NotFound) > 0:
			return q, false, &Failure{Kind: step.NotFound,
				Cause: "not in this system's package sources: " + step.Clean(strings.Join(q.NotFound, ", "), 300),
				Next:  "add the source that has it, or install it by hand"}
		case len(q.Remove) > 0:
			return q, false, &Failure{Kind: step.Conflict,
				Cause: "installing " + some(s.Packages, 3) + " would remove " + some(q.Remove, 5),
				Next:  "deployctl removes nothing on its own; decide by hand with apt-get install"}
		}
		return q, len(q.Change) == 0, nil
	}
	return q, false, fmt.Errorf("step %s: no action is called %q", s.ID, s.Action)
}

// room refuses to begin what the disk cannot hold. Archives and unpacked files
// are counted together, since both are there at the same time.
func (r *run) room(ctx context.Context, m *pkgmgr.Manager, q pkgmgr.Quote) error {
	for i, dir := range m.Disks {
		need := q.DiskBytes
		if i == 0 {
			need = q.DownloadBytes
		}
		if err := r.fits(ctx, dir, need, "free some room (apt-get clean gives back the package cache), then run deployctl again"); err != nil {
			return err
		}
	}
	return nil
}

// fits refuses a folder whose file system is read-only or has less room than
// is needed.
func (r *run) fits(ctx context.Context, dir string, need int64, next string) error {
	if need <= 0 {
		return nil
	}
	d, err := r.Host.Disk(ctx, dir)
	switch {
	case err != nil:
		return nil // not an answer, so no reason to refuse: the work itself will tell
	case d.ReadOnly:
		return &Failure{Kind: step.ReadOnly, Cause: dir + " is on a file system that is mounted read-only", Next: "mount it writable, then run deployctl again"}
	case d.Free < uint64(need):
		return &Failure{Kind: step.DiskFull,
			Cause: fmt.Sprintf("%s needs %s and has %s free", dir, step.Bytes(need), step.Bytes(int64(min(d.Free, 1<<62)))), Next: next}
	}
	return nil
}

// stream runs the command, again when the package manager was locked.
func (r *run) stream(ctx context.Context, m *pkgmgr.Manager, s Step) (int, []string, error) {
	limit := cmp.Or(r.Limit, m.Limit, time.Hour)
	tries, pause := r.patience()
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		r.tell(Progress{StepID: s.ID, Phase: step.Stopping, Percent: -1, Message: "stopping: the package under way is finished first"})
	})
	defer stop()
	for try := 1; ; try++ {
		t := &tail{}
		progress := func(string) (Progress, bool) { return Progress{}, false }
		if m.NewProgress != nil {
			progress = m.NewProgress()
		}
		exit, err := r.Exec.Stream(inner, Job{Argv: s.Argv, Log: r.log, Elevated: r.plan.Elevation.Wrap(nil),
			UAC: r.plan.Elevation.UAC() && s.NeedsAny(step.Admin)}, func(line string) {
			if p, ok := progress(line); ok {
				p.StepID = s.ID
				r.tell(p)
			}
			t.add(line)
		})
		lines := t.lines()
		if err != nil || exit == 0 || try == tries || s.Action == step.Install || s.Action == step.Remove {
			return exit, lines, err // apt itself has waited for the lock there
		}
		f := m.Explain(exit, lines)
		if f.Kind != step.Locked {
			return exit, lines, nil
		}
		r.tell(Progress{StepID: s.ID, Phase: step.Waiting, Percent: -1, Message: "waiting: " + f.Cause})
		select {
		case <-inner.Done():
			return exit, lines, inner.Err()
		case <-time.After(pause):
		}
	}
}

func (r *run) tell(p Progress) {
	if r.Report == nil {
		return
	}
	p.Index = r.seq
	if r.plan != nil {
		p.Of = len(r.plan.Steps)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Report(p)
}

// failure names what went wrong, nil for an exit status of 0.
func (r *run) failure(ctx context.Context, m *pkgmgr.Manager, exit int, lines []string, err error) *Failure {
	var named *Failure
	switch {
	case ctx.Err() != nil:
		return stopped(ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		return &Failure{Kind: step.TimedOut, Err: err, Cause: m.Tool + " took longer than its limit and was stopped", Next: "see the log, then run deployctl again: it goes on from there"}
	case errors.As(err, &named):
		return named
	case err != nil:
		return &Failure{Kind: step.Other, Err: err, Cause: err.Error(), Next: "see the log, then run deployctl again"}
	case exit == 0 || slices.Contains(m.Succeeded, exit) || slices.Contains(m.Reboot, exit):
		return nil
	}
	if f := elevate.Explain(lines); f != nil {
		return f
	}
	return m.Explain(exit, lines)
}

func stopped(err error) *Failure {
	return &Failure{Kind: step.Cancelled, Err: err, Cause: "stopped by the user", Next: "run deployctl again to go on from here"}
}

// confirm compares the step's purpose with the machine: a success that shows
// no effect is a failure, and a failure whose purpose is met is none.
func (r *run) confirm(ctx context.Context, m *pkgmgr.Manager, s Step, failure *Failure, lines []string, after map[string]pkgmgr.Installed) (f *Failure, note string) {
	switch s.Action {
	case step.Install, step.Reinstall:
		var absent []string
		for _, n := range s.Packages {
			if !after[n].Ready {
				absent = append(absent, n)
			}
		}
		if failure != nil && failure.Kind == step.Cancelled && len(absent) == 0 {
			return nil, "finished before it stopped"
		}
		if failure != nil || len(absent) == 0 {
			return failure, ""
		}
		if m.Quote != nil {
			// A virtual package is never listed itself; nothing is left to
			// change when something provides it.
			if q, err := m.Quote(ctx, r.Host, m.Find(ctx, r.Host), absent); err == nil && len(q.NotFound) == 0 && len(q.Change) == 0 {
				return nil, ""
			}
		}
		return &Failure{Kind: step.Other, Cause: m.Tool + " reported success, but " + some(absent, 5) + " is not installed", Next: "see the log, then run deployctl again"}, ""
	case step.Remove:
		for _, n := range s.Packages {
			if p, ok := after[n]; failure == nil && ok && !p.Leftover {
				return &Failure{Kind: step.Other, Cause: m.Tool + " reported success, but " + n + " is still installed", Next: "see the log, then run deployctl again"}, ""
			}
		}
		return failure, ""
	case step.Configure, step.FixBroken:
		d, err := m.Damage(ctx, r.Host)
		if err != nil {
			return cmpFailure(failure, &Failure{Kind: step.Other, Err: err, Cause: err.Error(), Next: "run deployctl again"}), ""
		}
		if s.Action == step.Configure && failure != nil && failure.Kind != step.Cancelled && failure.Kind != step.Locked && failure.Kind != step.Refused && !d.Journal && r.repairFollows() {
			// dpkg alone cannot configure a package whose dependencies were
			// not unpacked yet; the next step brings them in.
			return nil, "left for the next step: " + some(d.Broken, 5)
		}
		if failure == nil && (d.Journal || s.Action == step.FixBroken && len(d.Broken) > 0) {
			return &Failure{Kind: step.Interrupted, Cause: "the interrupted package installation could not be finished: " + some(d.Broken, 5), Next: "see the log; dpkg --audit lists the packages"}, ""
		}
		return failure, ""
	case step.Refresh:
		if failure != nil {
			return failure, ""
		}
		// apt-get update ends with 0 even when it could fetch nothing at all.
		trouble := m.Explain(100, lines)
		if trouble.Kind == step.Other {
			return nil, ""
		}
		if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Get:") || strings.HasPrefix(l, "Hit:") }) {
			return nil, "some lists could not be fetched: " + strings.Join(trouble.Detail, "; ")
		}
		return trouble, ""
	}
	return failure, ""
}

// repairFollows reports whether the plan's next step is the fix-broken one.
func (r *run) repairFollows() bool {
	return r.seq < len(r.plan.Steps) && r.plan.Steps[r.seq].Action == step.FixBroken
}

// diff compares two states of a package database. Packages that left only
// their configuration count as absent.
func diff(before map[string]string, after map[string]pkgmgr.Installed) (added, changed, removed []Package) {
	for name, p := range after {
		if p.Leftover {
			continue
		}
		was, had := before[name]
		switch {
		case !had:
			added = append(added, Package{Name: name, Version: p.Version})
		case was != p.Version:
			changed = append(changed, Package{Name: name, Version: p.Version, Was: was})
		}
	}
	for name, was := range before {
		if p, ok := after[name]; !ok || p.Leftover {
			removed = append(removed, Package{Name: name, Was: was})
		}
	}
	for _, list := range [][]Package{added, changed, removed} {
		sort.Slice(list, func(a, b int) bool { return list[a].Name < list[b].Name })
	}
	return added, changed, removed
}

// tail keeps the first and last lines of an output: the cause is in one of the
// two, and a package that prints for ever must not fill the memory.
type tail struct {
	head, last []string
}

func (t *tail) add(line string) {
	if len(t.head) < 100 {
		t.head = append(t.head, line)
		return
	}
	if t.last = append(t.last, line); len(t.last) > 400 {
		t.last = append(t.last[:0], t.last[200:]...)
	}
}

func (t *tail) lines() []string { return append(slices.Clone(t.head), t.last...) }

// pruneLogs keeps the newest logs, whose names begin with the time, and this
// run's own: with the clock set back it is not among the newest.
func pruneLogs(dir, own string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("tidy the logs: %w", err)
	}
	for i := 0; i < len(entries)-keepLogs; i++ {
		if entries[i].Name() == own {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entries[i].Name())); err != nil {
			return fmt.Errorf("tidy the logs: %w", err)
		}
	}
	return nil
}
