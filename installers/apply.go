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
	"github.com/deployctl/deployctl/installers/cmake"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/elevate"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Applier carries out plans on one machine.
type Applier struct {
	Host *host.Host
	Exec Executor
	// State is the folder of journal, lock and logs (StateDir); it is created.
	State string
	// Machine is the folder of the machine's own history where State is a user's
	// (MachineDir); "" where State is all there is. Shared: everybody may read
	// State's history.
	Machine string
	Shared  bool
	// User is who runs deployctl, for the history.
	User string
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
	// LockTries and LockPause are how often and how long apart it is looked whether
	// the package manager's lock is free; 0 means for 10 minutes, every 3 s. A
	// command that finds a lock whose holder cannot be seen is tried 10 times at
	// most.
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
	// Note is what a person should know of the run as a whole.
	Note string `json:"note,omitempty"`
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
	keeper  *keeper // writes the machine's history, nil where State has all
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
		return Result{}, unwritten(a.State, lang.Errorf("make the folder for deployctl's journal: %w", err))
	}
	if a.Shared {
		if err := os.Chmod(a.State, 0o755); err != nil { //nolint:gosec // everybody may read the machine's history
			return Result{}, lang.Errorf("make the folder for deployctl's journal: %w", err)
		}
	}
	release, err := lock(a.State, a.me())
	if err != nil {
		return Result{}, err
	}
	result, err := r.locked(ctx)
	if rerr := release(); rerr != nil && err == nil {
		err = rerr
	}
	return result, err
}

// Settle closes the records of killed runs and gives the whole history, and what
// of it cannot be read. Apply does so itself; a plan that is made from the history
// (PlanUndo) needs it before, and that nobody else is changing packages, which it
// waits for. It changes nothing but the journal; the error may be a *HeldError.
func (a *Applier) Settle(ctx context.Context) ([]Record, Unread, error) {
	if err := a.settled(ctx); err != nil {
		return nil, Unread{}, err
	}
	r := &run{Applier: a}
	records, unread, err := Histories(a.State, a.Machine)
	if err == nil {
		err = r.idle(ctx, records)
	}
	if err == nil {
		var open []Record
		open, err = r.look(ctx, records)
		records = append(records, open...)
	}
	return records, unread, err
}

// me is this process as the holder of a lock.
func (a *Applier) me() Holder {
	return Holder{PID: os.Getpid(), Since: a.Host.Now(), Command: a.Command}
}

// idle waits until nobody changes what the records were about.
func (r *run) idle(ctx context.Context, records []Record) error {
	seen := map[string]bool{}
	for _, rec := range records {
		m := r.tools().mechanism(rec.Step)
		if m == nil || seen[rec.Step.Mechanism] {
			continue
		}
		seen[rec.Step.Mechanism] = true
		if err := m.Idle(ctx, rec.Step, r.wait(ctx, rec.Step.ID, false)); err != nil {
			return err
		}
	}
	return nil
}

// settled closes the open records in State.
func (a *Applier) settled(ctx context.Context) error {
	records, _, err := History(a.State)
	if err != nil || len(Unfinished(records)) == 0 {
		return err
	}
	release, err := lock(a.State, a.me())
	if err != nil {
		return err
	}
	r := &run{Applier: a}
	records, _, err = History(a.State) // again, now that no one else writes
	if err == nil {
		r.journal, err = openJournal(a.State, a.Shared)
	}
	if err == nil {
		_, err = r.settle(ctx, records)
		err = errors.Join(err, r.journal.f.Close())
	}
	return errors.Join(err, release())
}

func (r *run) locked(ctx context.Context) (Result, error) {
	r.log = filepath.Join(r.State, "logs", r.id+".log")
	result := Result{Run: r.id, Log: r.log}
	records, _, err := History(r.State)
	if err != nil {
		return result, err
	}
	if r.journal, err = openJournal(r.State, r.Shared); err != nil {
		return result, err
	}
	result.Recovered, err = r.settle(ctx, records)
	if err == nil {
		err = r.plan.Elevation.Ready(ctx, r.Host, r.Ask)
	}
	if err == nil {
		err = r.share(ctx, &result)
	}
	if err == nil {
		err = r.steps(ctx, &result)
	}
	if r.keeper != nil {
		if cerr := r.keeper.close(); cerr != nil && err == nil {
			err = lang.Errorf("close the machine's history: %w", cerr)
		}
	}
	if cerr := r.journal.f.Close(); cerr != nil && err == nil {
		err = lang.Errorf("close the journal: %w", cerr)
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
		rec, err := r.cutOff(ctx, open)
		if err != nil {
			return settled, err
		}
		if err := r.write(rec); err != nil {
			return settled, err
		}
		settled = append(settled, rec)
	}
	return settled, nil
}

// cutOff is the record that closes a killed run's.
func (r *run) cutOff(ctx context.Context, open Record) (Record, error) {
	m := r.tools().mechanism(open.Step)
	if m == nil {
		return Record{}, lang.Errorf("the journal tells of an interrupted step by %q, which this deployctl does not know; use the version that wrote %s", open.Step.Mechanism, filepath.Join(r.State, journalFile))
	}
	if err := m.Settle(ctx, open.Step, r.wait(ctx, open.Step.ID, true)); err != nil {
		return Record{}, err
	}
	after, err := m.State(ctx, open.Step)
	if err != nil {
		return Record{}, lang.Errorf("see what the interrupted run %s did: %w", open.Run, err)
	}
	rec := Record{Run: open.Run, Seq: open.Seq, Time: r.Host.Now(), Event: CutOff, Step: open.Step, Leftover: open.Leftover, Log: open.Log, User: open.User,
		Failure: &Failure{Kind: step.Interrupted, Cause: lang.T("deployctl was stopped during this step")}}
	rec.Added, rec.Changed, rec.Removed = diff(open.Before, after)
	return rec, nil
}

// wait is the mechanism.Wait of a step, which a killed run may have begun.
func (r *run) wait(ctx context.Context, id string, killed bool) mechanism.Wait {
	given := func(who string) error {
		if killed {
			return &Failure{Kind: step.Locked, Cause: lang.F("an earlier run of deployctl was killed, and a package manager is still at work: %s", who),
				Next: lang.T("let it finish, then run deployctl again")}
		}
		return &Failure{Kind: step.Locked, Cause: lang.F("another program holds the package manager's lock: %s", who),
			Next: lang.T("let it finish (unattended upgrades take minutes), then run deployctl again")}
	}
	waiting := func(who string) string {
		if killed {
			return lang.F("waiting for what an interrupted run began: %s", who)
		}
		return lang.F("waiting for another package manager: %s", who)
	}
	return func(busy func() string) error {
		for try := 1; ; try++ {
			who := busy()
			switch {
			case ctx.Err() != nil:
				return step.Stopped(ctx.Err())
			case who == "":
				return nil
			case try > cmp.Or(r.LockTries, 200):
				return given(who)
			}
			r.tell(Progress{StepID: id, Phase: step.Waiting, Percent: -1, Message: waiting(who)})
			select {
			case <-ctx.Done():
			case <-time.After(r.pause()):
			}
		}
	}
}

// tries and pause are how often and how long apart a locked manager is tried again.
func (r *run) tries() int           { return cmp.Or(r.LockTries, 10) }
func (r *run) pause() time.Duration { return cmp.Or(r.LockPause, 3*time.Second) }

// tools are those of this run, for the step under way.
func (r *run) tools() tools {
	return tools{host: r.Host, fetch: r.Fetch, run: r.command, stream: r.stream, limit: r.Limit, tries: r.tries(), pause: r.pause(),
		repairFollows: r.plan != nil && r.seq < len(r.plan.Steps) && slices.Contains([]step.Action{step.FixBroken, step.Remove}, r.plan.Steps[r.seq].Action)}
}

// command runs one command of a build; output goes to the log.
func (r *run) command(ctx context.Context, job cmake.Command, onLine func(string)) (int, error) {
	inner, cancel := context.WithTimeout(ctx, cmp.Or(r.Limit, 6*time.Hour)) // a large build on a small machine
	defer cancel()
	return r.Exec.Stream(inner, Job{Argv: job.Argv, Dir: job.Dir, Env: job.Env, Owned: true, Hold: job.Hold, Log: r.log}, onLine)
}

// stream runs the command of a package manager's step.
func (r *run) stream(ctx context.Context, s Step, onLine func(string)) (int, error) {
	job := Job{Argv: s.Argv, Log: r.log, Elevated: r.plan.Elevation.Wrap(nil), UAC: r.plan.Elevation.UAC() && s.NeedsAny(step.Admin)}
	if m, ok := r.tools().mechanism(s).(pkgmgr.Mechanism); ok && (s.Action == step.Install || s.Action == step.Remove) {
		job.Done = func() bool { return m.Reached(ctx, s) }
	}
	if r.plan.Elevation.Bare { // sudo passes the language on, and nothing else of what env would set
		job.Env, job.Alone = []string{"LC_ALL=C"}, true
	}
	return r.Exec.Stream(ctx, job, onLine)
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
		return step.Stopped(err)
	}
	return nil
}

// step runs one step between two journal records.
func (r *run) step(ctx context.Context, s Step) (StepResult, error) {
	failed := StepResult{Outcome: WasFailed}
	m := r.tools().mechanism(s)
	if m == nil {
		return failed, lang.Errorf("step %s: no mechanism is called %q", s.ID, s.Mechanism)
	}
	if ctx.Err() != nil {
		return StepResult{Outcome: NotRun}, step.Stopped(ctx.Err())
	}
	before := func(err error) error { return broken(ctx, lang.Errorf("before %s: %w", s.ID, err)) }
	if err := m.Idle(ctx, s, r.wait(ctx, s.ID, false)); err != nil {
		return failed, before(err)
	}
	check, err := m.Check(ctx, s)
	if err != nil {
		return failed, before(err)
	}
	rec := Record{Run: r.id, Seq: len(r.After.Steps) + r.seq, Step: s, Log: r.log, User: r.User}
	if check.Done {
		rec.Time, rec.Event = r.Host.Now(), Skipped
		return StepResult{Outcome: WasSkipped, Note: lang.T("already done")}, r.write(rec)
	}
	if err := r.fits(ctx, slices.Concat(check.Room, r.later())); err != nil {
		return failed, err
	}
	if check.Before == nil {
		if check.Before, err = m.State(ctx, s); err != nil {
			return failed, before(err)
		}
	}
	started := begin(rec, check.Before)
	started.Time = r.Host.Now()
	if err := r.write(started); err != nil {
		return failed, err
	}
	if check.Note != "" {
		r.tell(Progress{StepID: s.ID, Phase: step.Downloading, Message: check.Note})
	}
	ended, err := m.Apply(ctx, s, func(p Progress) {
		p.StepID = s.ID
		r.tell(p)
	})
	return r.close(ctx, m, started, ended, err)
}

// begin makes the record that a step has begun, with what was there before.
func begin(rec Record, before mechanism.State) Record {
	rec.Event, rec.Before = Started, map[string]string{}
	for name, p := range before {
		if p.Leftover {
			rec.Leftover = append(rec.Leftover, name)
			continue
		}
		rec.Before[name] = p.Version
	}
	sort.Strings(rec.Leftover)
	return rec
}

// basis is what a step's work is compared with.
func basis(started Record, ended mechanism.Ended) map[string]string {
	if ended.Before == nil {
		return started.Before
	}
	return begin(started, ended.Before).Before
}

// close looks at the machine, whatever happened and even when the user has
// stopped the step, and writes what was done. When it cannot look, the record
// stays open, and the next run settles it.
func (r *run) close(ctx context.Context, m mechanism.Mechanism, started Record, ended mechanism.Ended, applied error) (StepResult, error) {
	s := started.Step
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookLimit)
	defer cancel()
	res := StepResult{Outcome: WasDone}
	after, err := m.State(look, s)
	if err != nil {
		res.Outcome = WasFailed
		unseen := &Failure{Kind: step.Other, Err: err, Cause: lang.F("what %s did could not be read: %v", s.ID, err), Next: lang.T("run deployctl again, which looks once more")}
		if applied != nil {
			return res, broken(ctx, applied)
		}
		return res, unseen
	}
	rec := started
	rec.Before, rec.Exit = nil, ended.Exit
	rec.Added, rec.Changed, rec.Removed = diff(basis(started, ended), after)
	res.Note, err = m.Confirm(look, s, ended, applied, after)
	rec.Failure = broken(ctx, err)
	rec.Reboot = ended.Reboot && rec.Failure == nil
	res.Added, res.Changed, res.Removed, res.Reboot = rec.Added, rec.Changed, rec.Removed, rec.Reboot
	rec.Time, rec.Event = r.Host.Now(), Done
	if rec.Failure != nil {
		rec.Event, res.Outcome = Failed, WasFailed
	}
	if err := r.write(rec); err != nil {
		return res, err
	}
	if rec.Failure != nil {
		return res, rec.Failure
	}
	return res, nil
}

func (r *run) write(rec Record) error {
	write := r.journal.write
	if r.keeper != nil && asRoot(rec.Step) {
		write = r.keeper.write
	}
	if err := write(rec); err != nil {
		return err
	}
	if r.records++; r.wrote != nil {
		r.wrote(r.records)
	}
	return nil
}

// later is what the steps after this one are planned to need: a plan that does not
// fit on the disk as a whole is not begun.
func (r *run) later() []mechanism.Room {
	var list []mechanism.Room
	for _, s := range r.plan.Steps[min(r.seq, len(r.plan.Steps)):] {
		if m := r.tools().mechanism(s); m != nil {
			list = append(list, m.Room(s)...)
		}
	}
	return list
}

// space is what the folders of one file system need together.
type space struct {
	disk host.Disk
	dirs []string
	need int64
	next string
}

// fits refuses folders whose file system is read-only, or has less room than all
// of its folders need together.
func (r *run) fits(ctx context.Context, rooms []mechanism.Room) error {
	var list []*space
	for _, room := range rooms {
		if room.Bytes <= 0 {
			continue
		}
		d, err := r.Host.Disk(ctx, room.Dir)
		switch {
		case err != nil:
			continue // not an answer, so no reason to refuse: the work itself will tell
		case d.ReadOnly:
			return &Failure{Kind: step.ReadOnly, Cause: lang.F("%s is on a file system that is mounted read-only", room.Dir), Next: lang.T("mount it writable, then run deployctl again")}
		case d.NoInodes:
			return &Failure{Kind: step.DiskFull, Cause: lang.F("%s is on a file system that has free space but no inodes left for further files (df -i)", room.Dir), Next: lang.T("remove many small files there (old caches), then run deployctl again")}
		}
		i := slices.IndexFunc(list, func(s *space) bool {
			return slices.Contains(s.dirs, room.Dir) || d.ID != "" && s.disk.ID == d.ID
		})
		if i < 0 {
			i, list = len(list), append(list, &space{disk: d, next: room.Next})
		}
		list[i].need += room.Bytes
		if !slices.Contains(list[i].dirs, room.Dir) {
			list[i].dirs = append(list[i].dirs, room.Dir)
		}
	}
	for _, s := range list {
		if s.disk.Free < uint64(s.need) {
			return s.full()
		}
	}
	return nil
}

func (s *space) full() error {
	need, free := step.Bytes(s.need), step.Bytes(int64(min(s.disk.Free, 1<<62)))
	cause := lang.F("%s needs %s and has %s free", s.dirs[0], need, free)
	if last := len(s.dirs) - 1; last > 0 {
		cause = lang.F("%s and %s are on one file system, which needs %s and has %s free", strings.Join(s.dirs[:last], lang.T(", ")), s.dirs[last], need, free)
	}
	return &Failure{Kind: step.DiskFull, Cause: cause, Next: s.next}
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

// broken makes any error of a step a *Failure, nil of none.
func broken(ctx context.Context, err error) *Failure {
	var f *Failure
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return step.Stopped(ctx.Err())
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.DeadlineExceeded):
		return &Failure{Kind: step.TimedOut, Err: err, Cause: lang.F("%v: it took longer than its limit and was stopped", err), Next: lang.T("see the log, then run deployctl again: it goes on from there")}
	}
	return &Failure{Kind: step.Other, Err: err, Cause: err.Error(), Next: lang.T("fix what it says, then run deployctl again")}
}

// diff compares two states of a package database. Packages that left only
// their configuration count as absent.
func diff(before map[string]string, after mechanism.State) (added, changed, removed []Package) {
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

// pruneLogs keeps the newest logs, whose names begin with the time, and this
// run's own: with the clock set back it is not among the newest.
func pruneLogs(dir, own string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return lang.Errorf("tidy the logs: %w", err)
	}
	for i := 0; i < len(entries)-keepLogs; i++ {
		if entries[i].Name() == own {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entries[i].Name())); err != nil {
			return lang.Errorf("tidy the logs: %w", err)
		}
	}
	return nil
}
