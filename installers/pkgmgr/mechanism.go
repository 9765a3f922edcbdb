package pkgmgr

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/elevate"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Mechanism carries out the steps of a package manager: the one adapter between
// the descriptors and what applies a plan.
type Mechanism struct {
	*Manager
	Host *host.Host
	// Stream runs a step's command and hands over its lines.
	Stream func(ctx context.Context, s step.Step, onLine func(string)) (exit int, err error)
	// AtMost is how long a command may take; 0 is the manager's own limit.
	AtMost time.Duration
	// Tries and Pause are how often and how long apart a command that found the
	// manager locked is tried again.
	Tries int
	Pause time.Duration
	// RepairFollows: the plan's next step completes or removes broken packages.
	RepairFollows bool
}

// State is what is installed, or of what the step names.
func (m Mechanism) State(ctx context.Context, s step.Step) (mechanism.State, error) {
	return m.Manager.State(ctx, m.Host, s.Packages)
}

// Check asks the manager itself, where it can tell before it starts.
func (m Mechanism) Check(ctx context.Context, s step.Step) (mechanism.Check, error) {
	if len(s.Argv) == 0 || m.CheckNames(s.Packages) != nil {
		return mechanism.Check{}, step.ErrNotPlanned
	}
	before, err := m.State(ctx, s)
	if err != nil {
		return mechanism.Check{}, err
	}
	q, done, err := m.quote(ctx, s, before)
	if err != nil || done {
		return mechanism.Check{Done: done}, err
	}
	c := mechanism.Check{Before: before}
	c.Room = m.room(q.DownloadBytes, q.DiskBytes)
	if s.Cost.Estimated && len(q.Change) > 0 {
		c.Note = lang.F("%s to install: %s to download, %s of disk", recipes.Count(len(q.Change), "package"), step.Bytes(q.DownloadBytes), step.Bytes(q.DiskBytes))
	}
	return c, nil
}

// room is what the folders need. The archives and the unpacked files are there at
// the same time.
func (m Mechanism) room(download, disk int64) []mechanism.Room {
	var list []mechanism.Room
	for i, dir := range m.Disks {
		room := mechanism.Room{Dir: dir, Bytes: disk, Next: m.frees()}
		if i == 0 {
			room.Bytes = download
		}
		list = append(list, room)
	}
	return list
}

// Room is by the cost in the plan: the manager's own figures, where it had any.
// Package lists replace older ones and need little.
func (m Mechanism) Room(s step.Step) []mechanism.Room {
	if s.Action != step.Install && s.Action != step.Reinstall {
		return nil
	}
	return m.room(s.Cost.DownloadBytes, s.Cost.DiskBytes)
}

// Idle waits for another run of the manager, or of another program that uses it.
func (m Mechanism) Idle(ctx context.Context, _ step.Step, wait mechanism.Wait) error {
	if m.Busy == nil || m.Host == nil {
		return nil
	}
	return wait(func() string { return m.Busy(ctx, m.Host) })
}

// Finish is the step that completes what an interrupted run of the manager began.
// The manager has Configure.
func (m *Manager) Finish(requirements []string) step.Step {
	argv := m.Configure()
	return step.Step{
		ID: m.Name + ".configure", Title: lang.T("Finish the package installation that was interrupted"), Effect: step.Write,
		Needs: m.Needs(), Requirements: requirements, Mechanism: m.Name, Action: step.Configure,
		Cost: step.Cost{Minutes: 0.5, Estimated: true, Note: lang.T("the files are on the disk already")},
		Argv: m.Argv(argv[0], argv[1:]),
		Undo: lang.T("nothing to undo: it finishes what another run began"),
	}
}

// Complete is the step that completes packages which are neither installed nor
// absent. The manager has FixBroken.
func (m *Manager) Complete(tool string, broken, requirements []string) step.Step {
	return step.Step{
		ID: m.Name + ".fix-broken", Title: lang.F("Complete the packages left half installed: %s", step.Some(broken, 5)), Effect: step.Write,
		Needs: m.Needs(step.Network), Requirements: requirements, Mechanism: m.Name, Action: step.FixBroken,
		Cost: step.Cost{Minutes: 0.5, Estimated: true, Note: lang.T("left out when finishing the interrupted run fixes them")},
		Argv: m.Argv(tool, m.FixBroken()),
		Undo: lang.T("deployctl undo removes exactly the packages this step adds"),
	}
}

// Unmark is the step that takes back the marks of packages which an interrupted
// removal did not come to. The manager has Keep.
func (m *Manager) Unmark(marked, requirements []string) step.Step {
	argv := m.Keep(marked)
	return step.Step{
		ID: m.Name + ".keep", Title: lang.F("Keep %s, which an interrupted removal had marked", step.Some(marked, 5)), Effect: step.Write,
		Needs: m.Needs(), Requirements: requirements, Mechanism: m.Name, Action: step.Keep, Packages: marked,
		Cost: step.Cost{Minutes: 0.1, Estimated: true},
		Argv: m.Argv(argv[0], argv[1:]),
		Undo: lang.T("nothing to undo: it takes back what another run began"),
	}
}

// frees says what to do about a full disk.
func (m Mechanism) frees() string {
	if len(m.Clean) == 0 || m.Clean[0] != m.Path+" clean" {
		return lang.T("free some disk space, then run deployctl again")
	}
	return lang.F("free some disk space (%s clean empties the package cache), then run deployctl again", m.Tool)
}

// quote says what the step would take now, and whether it is done.
func (m Mechanism) quote(ctx context.Context, s step.Step, before mechanism.State) (q Quote, done bool, err error) {
	switch s.Action {
	case step.Configure, step.FixBroken:
		d, err := m.Damage(ctx, m.Host)
		if err != nil || s.Action == step.FixBroken && d.Journal {
			return q, false, err
		}
		return q, !d.Journal && len(about(s, d.Broken)) == 0, nil
	case step.Keep:
		d, err := m.Damage(ctx, m.Host)
		return q, err == nil && len(about(s, d.Marked)) == 0, err
	case step.Refresh, step.Reinstall:
		return q, false, nil
	case step.Remove:
		return q, !slices.ContainsFunc(s.Packages, func(n string) bool { return there(before, n) }), nil
	case step.Install:
		if m.Quote == nil {
			other := slices.ContainsFunc(s.Packages, func(n string) bool { return s.Versions[n] != "" && before[n].Version != s.Versions[n] })
			return q, len(m.absent(ctx, s.Packages, before)) == 0 && !m.Upgrades && !other, nil
		}
		q, err = m.Quote(ctx, m.Host, m.Find(ctx, m.Host), s.Packages)
		switch {
		case err != nil:
		case len(q.NotFound) > 0:
			err = &step.Failure{Kind: step.NotFound,
				Cause: lang.F("not in this system's package sources: %s", step.Clean(strings.Join(q.NotFound, lang.T(", ")), 300)),
				Next:  lang.T("add the source that has it, or install it by hand")}
		case len(q.Remove) > 0:
			err = &step.Failure{Kind: step.Conflict,
				Cause: lang.F("installing %s would remove %s", step.Some(s.Packages, 3), step.Some(q.Remove, 5)),
				Next:  lang.F("deployctl removes nothing on its own; decide by hand with %s", m.Tool)}
		}
		return q, err == nil && len(q.Change) == 0, err
	}
	return q, false, lang.Errorf("no action is called %q", s.Action)
}

// about are those of the packages that a repair is for: of all, where it names none.
func about(s step.Step, broken []string) []string {
	if len(s.Packages) == 0 {
		return broken
	}
	return slices.DeleteFunc(slices.Clone(broken), func(n string) bool { return !slices.Contains(s.Packages, n) })
}

// there reports whether a package is installed, not only its configuration left.
func there(state mechanism.State, name string) bool {
	p, ok := state[name]
	return ok && !p.Leftover
}

func (m Mechanism) absent(ctx context.Context, names []string, state mechanism.State) (list []string) {
	for _, n := range names {
		if !state[n].Ready && (m.Provided == nil || !m.Provided(ctx, m.Host, n)) {
			list = append(list, n)
		}
	}
	return list
}

// Reached reports whether the packages of an installation are there, those of a removal
// gone. What cannot be read is not reached.
func (m Mechanism) Reached(ctx context.Context, s step.Step) bool {
	state, err := m.State(ctx, s)
	if err != nil {
		return false
	}
	if s.Action == step.Remove {
		return !slices.ContainsFunc(s.Packages, func(n string) bool { return there(state, n) })
	}
	return len(m.absent(ctx, s.Packages, state)) == 0
}

// Apply runs the command, again when the manager was locked.
func (m Mechanism) Apply(ctx context.Context, s step.Step, tell func(step.Progress)) (mechanism.Ended, error) {
	stop := context.AfterFunc(ctx, func() {
		tell(step.Progress{Phase: step.Stopping, Percent: -1, Message: lang.T("stopping: the package under way is finished first")})
	})
	defer stop()
	inner, cancel := context.WithTimeout(ctx, cmp.Or(m.AtMost, m.Limit, time.Hour))
	defer cancel()
	var before mechanism.State
	for try := 1; ; try++ {
		t := &tail{}
		progress := func(string) (step.Progress, bool) { return step.Progress{}, false }
		if m.NewProgress != nil {
			progress = m.NewProgress()
		}
		exit, err := m.Stream(inner, s, func(line string) {
			if p, ok := progress(line); ok {
				tell(p)
			}
			t.add(line)
		})
		ended := mechanism.Ended{Before: before, Exit: exit, Lines: t.lines(), Reboot: slices.Contains(m.Reboot, exit)}
		// apt itself has waited for the lock when it installs and removes.
		if err == nil && exit != 0 && try < m.Tries && (m.Retries || s.Action != step.Install && s.Action != step.Remove) {
			if f := m.Explain(exit, ended.Lines); f.Kind == step.Locked {
				tell(step.Progress{Phase: step.Waiting, Percent: -1, Message: lang.F("waiting: %s", f.Cause)})
				select {
				case <-inner.Done():
					err = inner.Err()
				case <-time.After(m.Pause):
					// What the other program installed meanwhile is not this step's.
					if now, err := m.State(inner, s); err == nil && now != nil {
						before = now
					}
					continue
				}
			}
		}
		failed := m.failure(ctx, ended, err)
		if failed != nil && s.Action == step.Install && m.Withdraw != nil {
			failed = errors.Join(failed, m.withdraw(ctx, s))
		}
		return ended, failed
	}
}

// withdraw takes back what a failed installation left asked for, even when the user
// has stopped it.
func (m Mechanism) withdraw(ctx context.Context, s step.Step) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	args := m.Manager.Withdraw(ctx, m.Host, s.Packages)
	if args == nil {
		return nil
	}
	s.Argv = m.Argv(m.Find(ctx, m.Host), args)
	exit, err := m.Stream(ctx, s, func(string) {})
	if err == nil && exit != 0 {
		err = lang.Errorf("exit status %d", exit)
	}
	if err != nil {
		return lang.Errorf("undo the request for %s: %w", step.Some(s.Packages, 5), err)
	}
	return nil
}

// failure names what went wrong, nil for a success.
func (m Mechanism) failure(ctx context.Context, ended mechanism.Ended, err error) error {
	switch exit := ended.Exit; {
	case ctx.Err() != nil:
		return step.Stopped(ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		return &step.Failure{Kind: step.TimedOut, Err: err, Cause: lang.F("%s took longer than its limit and was stopped", m.Tool), Next: lang.T("see the log, then run deployctl again: it goes on from there")}
	case err != nil:
		return err
	case exit == 0, slices.Contains(m.Succeeded, exit), ended.Reboot:
		return nil
	}
	if f := elevate.Explain(ended.Lines); f != nil {
		return f
	}
	f := m.Explain(ended.Exit, ended.Lines)
	if dir := m.full(ctx); f.Kind == step.Other && dir != "" {
		f.Kind, f.Cause, f.Next = step.DiskFull, lang.F("there is not enough disk space in %s", dir), m.frees()
	}
	return f
}

// full is a folder of the manager whose disk is full, "" for none. Not every
// manager says so when it cannot write.
func (m Mechanism) full(ctx context.Context) string {
	const little = 4 << 20
	for _, dir := range m.Disks {
		if d, err := m.Host.Disk(ctx, dir); err == nil && (d.Free < little || d.NoInodes) {
			return dir
		}
	}
	return ""
}

// Confirm looks at what is installed now: that, not the exit status, is what was
// done.
func (m Mechanism) Confirm(ctx context.Context, s step.Step, ended mechanism.Ended, applied error, after mechanism.State) (note string, err error) {
	switch s.Action {
	case step.Install, step.Reinstall:
		note, err = m.installed(ctx, s, ended, applied, after)
	case step.Remove:
		err = applied
		for _, n := range s.Packages {
			if err == nil && there(after, n) {
				err = m.noEffect(lang.F("%s is still installed", n))
			}
		}
	case step.Configure, step.FixBroken:
		note, err = m.repaired(ctx, s, applied)
	case step.Keep:
		if err = applied; err == nil {
			err = m.kept(ctx, s)
		}
	case step.Refresh:
		note, err = m.refreshed(ended, applied)
	default:
		err = applied
	}
	if applied == nil && err != nil && ended.Reboot {
		return lang.T("what it did shows after the restart"), nil
	}
	return note, err
}

func (m Mechanism) noEffect(what string) error {
	return &step.Failure{Kind: step.Other, Cause: lang.F("%s reported success, but %s", m.Tool, what), Next: lang.T("see the log, then run deployctl again")}
}

func (m Mechanism) installed(ctx context.Context, s step.Step, ended mechanism.Ended, applied error, after mechanism.State) (string, error) {
	missing := m.absent(ctx, s.Packages, after)
	var f *step.Failure
	switch {
	case len(missing) == 0 && errors.As(applied, &f) && f.Kind == step.Cancelled:
		return lang.T("finished before it stopped"), nil
	case applied != nil:
		return "", applied
	case len(missing) == 0:
		if f = m.leftOut(ended); f != nil {
			return lang.F("installed, although %s", f.Cause), nil //nolint:nilerr // the purpose is met; f is the error
		}
		return "", nil
	case m.leftOut(ended) != nil:
		return "", m.leftOut(ended)
	case m.Quote != nil:
		// A virtual package is never listed itself; nothing is left to change when
		// something provides it.
		if q, err := m.Quote(ctx, m.Host, m.Find(ctx, m.Host), missing); err == nil && len(q.NotFound)+len(q.Change) == 0 {
			return "", nil
		}
	}
	return "", m.noEffect(lang.F("%s is not installed", step.Some(missing, 5)))
}

// leftOut says what a run that ended well left out, as zypper does with a source
// that it cannot read; nil for nothing.
func (m Mechanism) leftOut(ended mechanism.Ended) *step.Failure {
	if !slices.Contains(m.Succeeded, ended.Exit) {
		return nil
	}
	if f := m.Explain(ended.Exit, ended.Lines); f.Kind != step.Other {
		return f
	}
	return nil
}

func (m Mechanism) repaired(ctx context.Context, s step.Step, applied error) (string, error) {
	d, err := m.Damage(ctx, m.Host)
	if err != nil {
		return "", cmp.Or(applied, err)
	}
	var f *step.Failure
	if s.Action == step.Configure && errors.As(applied, &f) && f.Kind != step.Cancelled && f.Kind != step.Locked && f.Kind != step.Refused && !d.Journal && m.RepairFollows {
		// dpkg alone cannot configure a package whose dependencies were not
		// unpacked yet; the next step brings them in.
		return lang.F("left for the next step: %s", step.Some(d.Broken, 5)), nil
	}
	if left := about(s, d.Broken); applied == nil && (d.Journal || s.Action == step.FixBroken && len(left) > 0) {
		return "", &step.Failure{Kind: step.Interrupted, Cause: lang.F("the interrupted package installation could not be finished: %s", step.Some(left, 5)), Next: lang.T("see the log; dpkg --audit lists the packages")}
	}
	return "", applied
}

func (m Mechanism) kept(ctx context.Context, s step.Step) error {
	d, err := m.Damage(ctx, m.Host)
	if left := about(s, d.Marked); err == nil && len(left) > 0 {
		err = m.noEffect(lang.F("%s is still marked for removal", step.Some(left, 5)))
	}
	return err
}

func (m Mechanism) refreshed(ended mechanism.Ended, applied error) (string, error) {
	if applied != nil {
		return "", applied
	}
	// apt-get update ends with 0 even when it could fetch nothing at all.
	trouble := m.Explain(100, ended.Lines)
	if trouble.Kind == step.Other {
		return "", nil
	}
	if slices.ContainsFunc(ended.Lines, func(l string) bool { return strings.HasPrefix(l, "Get:") || strings.HasPrefix(l, "Hit:") }) {
		return lang.F("some lists could not be fetched: %s", strings.Join(trouble.Detail, "; ")), nil
	}
	return "", trouble
}

// Settle waits for the manager of a killed run, which goes on without it: what
// that run added is known only when the manager has ended.
func (m Mechanism) Settle(ctx context.Context, s step.Step, wait mechanism.Wait) error {
	return m.Idle(ctx, s, wait)
}

// Describe is the command.
func (m Mechanism) Describe(s step.Step) (label, text string) {
	return "runs", step.Quote(s.Argv)
}

// Export is the command; a lockfile's packages have no source elsewhere.
func (m Mechanism) Export(s step.Step) mechanism.Script {
	var x mechanism.Script
	switch {
	case s.Repository != "":
		x.Refuse = mechanism.FromLockfile()
	case s.Action == step.Remove:
		x.Undo = lang.T("install the packages again")
	case s.Action == step.FixBroken, s.Action == step.Install && m.UndoBy == "" && m.Manager.Undo == "":
		x.Undo = lang.T("remove the packages that it adds; nothing here records which")
	case s.Action == step.Install && m.UndoBy != "":
		x.Undo = lang.F("%s; first look at what else it would remove", m.UndoBy+" "+step.Quote(s.Packages))
	default:
		x.Undo = step.Clean(strings.TrimPrefix(s.Undo, "deployctl undo "), 300)
	}
	return x
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
