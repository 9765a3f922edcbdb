package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/probe"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/bundle"
	"github.com/deployctl/deployctl/installers/envedit"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/engines"
)

// DoctorOptions are what Doctor depends on.
type DoctorOptions struct {
	Console *console.Console
	Folders Folders
	Recipe  Selection
	From    string // a snapshot, "" for this machine
	Format  string // one of formats.Names
	Version string // deployctl's own
	Fix     bool
	Yes     bool
	DryRun  bool
	Strict  bool
	Deep    bool
	Timings bool
	All     bool
	Plan    bool // also the plan, in formats that have a place for it, which asks the package manager
	Level   int  // of the proof after a fix; 0 for none
	// Locked is a lockfile that names all files to take, "" for none. Offline
	// asks no server; without Locked it goes by the last bundle imported for
	// the recipe, if there was one.
	Locked  string
	Offline bool
	Verify  VerifyOptions

	lock   *lockfile.Lock // of Locked or the imported bundle; nil for none
	format formats.Format // of Format
}

// examination is one walk from host to judgement.
type examination struct {
	host      *host.Host
	judgement *judge.Judgement
	report    *report.Report
	outline   *installers.Plan // what --fix would do, as far as it is known without asking; nil for nothing
}

// examine probes the host and judges it. Meanwhile garbage is collected less
// often: a look makes much of it and ends within a second (measured: a third of
// its processor time).
func examine(ctx context.Context, h *host.Host, probes []probe.Probe, r *recipes.Recipe, t *recipes.Tables, o DoctorOptions) examination {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	f := doctor.Probe(ctx, h, probes)
	x := examination{host: h, judgement: judge.Evaluate(r, t, f)}
	x.report = x.newReport(o)
	return x
}

func (x examination) newReport(o DoctorOptions) *report.Report {
	report := report.New(x.judgement, o.Strict)
	report.Made = Made(o.Console, o.Version)
	report.Host.Recorded = o.From != ""
	if r := x.judgement.Recipe; !o.Fix && o.proves(r) {
		report.Proves = "deployctl verify"
		if r.Verify.Engine != engines.Default(runtime.GOOS).Name {
			report.Proves += " --engine " + r.Verify.Engine
		}
	}
	if o.Timings {
		report.Timings = x.judgement.Facts.Timings
	}
	return report
}

// pastRuns is the history as far as this user may read it. It is not known where
// there is no folder for one, so that nothing was changed, or none may be read:
// looking does without, and what would write to it refuses.
func pastRuns(h *host.Host, user facts.User) (records []installers.Record, known bool, err error) {
	state, err := installers.StateDir(h, user.Admin)
	if err != nil {
		return nil, false, nil //nolint:nilerr // see above
	}
	records, _, err = installers.Histories(state, installers.MachineDir(h, user.Admin))
	if errors.Is(err, fs.ErrPermission) || host.IsNotExist(err) {
		return nil, false, nil
	}
	return records, err == nil, err
}

// later is the live host as a shell opened now would see it, nil when that is
// how this process sees it, too. It differs after deployctl has made lasting
// changes of the environment, and on Windows after an installer has.
func later(ctx context.Context, h *host.Host, user facts.User) (*host.Host, error) {
	records, known, err := pastRuns(h, user)
	if err != nil || !known {
		return nil, err
	}
	env := map[string]string{}
	if path, ok := envedit.NewPath(ctx, h); ok {
		env["PATH"] = path
	}
	if edits := envedit.Kept(ctx, h, installers.Edits(records)); len(edits) > 0 && !envedit.InEffect(edits, h.Windows(), h.Getenv) {
		maps.Copy(env, envedit.Overlay(edits, h.Windows(), host.Overlay(h, env).Getenv))
	}
	if len(env) == 0 {
		return nil, nil
	}
	return host.Overlay(h, env), nil
}

// pending marks the findings that would hold in a new shell.
func (x *examination) pending(ctx context.Context, r *recipes.Recipe, t *recipes.Tables, o DoctorOptions) error {
	h, err := later(ctx, x.host, x.judgement.Facts.OS.User)
	if err != nil || h == nil {
		return err
	}
	inNew := map[string]judge.State{}
	for _, f := range examine(ctx, h, doctor.Probes(o.Deep), r, t, o).judgement.Findings {
		inNew[f.ID] = f.State
	}
	for i := range x.judgement.Findings {
		f := &x.judgement.Findings[i]
		if f.State != judge.OK && f.State != judge.Skipped && inNew[f.ID] == judge.OK {
			f.State, f.Fix = judge.Pending, lang.T("Open a new shell: deployctl has changed the environment since this one began.")
		}
	}
	x.report = x.newReport(o)
	return nil
}

// Doctor says what the host lacks for a recipe; with Fix it installs that,
// looks again, and proves the result. Without Fix it changes nothing.
func Doctor(ctx context.Context, o DoctorOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	o.format, _ = formats.Find(formats.Doctor, o.Format) // checked
	if (o.Fix && !o.DryRun || o.Offline) && o.Folders.Missing != nil {
		return o.Folders.Missing
	}
	h, probes, err := openHost(o.From, o.Deep)
	if err != nil {
		return err
	}
	r, t, err := o.Recipe.load(ctx, o.Folders, h.OS)
	if err != nil {
		return err
	}
	if o.lock, err = o.loadLock(r.Name); err != nil {
		return err
	}
	x := examine(ctx, h, probes, r, t, o)
	if err := ctx.Err(); err != nil {
		return lang.Errorf("stopped while looking at the machine: %w", err)
	}
	if o.From == "" && x.report.Exit != judge.ExitOK {
		if err := x.pending(ctx, r, t, o); err != nil {
			// What was found stands, whatever the state of the journal.
			o.Console.Note("deployctl: whether a new shell would find more is unknown: %v", err)
		}
	}
	return annotated(o.Console, o.format, func() error {
		switch {
		case o.Fix && !o.DryRun:
			return o.fix(ctx, &x, r, t)
		case o.DryRun:
			return o.dryRun(ctx, &x)
		}
		return o.say(ctx, &x, r, t)
	}, func() *formats.Document { return o.document(&x) })
}

// say writes what was found, and what --fix would take.
func (o DoctorOptions) say(ctx context.Context, x *examination, r *recipes.Recipe, t *recipes.Tables) (err error) {
	if x.report.Attention(judge.Fail, judge.Warn) {
		x.outline, err = outline(ctx, x.judgement, x.host, o.Folders, o.From != "")
		if err != nil {
			return o.broken(x, err)
		}
		x.report.Fix = o.Recipe.fix(x.outline)
		x.correct(x.outline)
	}
	if o.Recipe.Name == "" {
		if x.report.Others, err = others(r.Name, x.judgement.Facts, t, recipes.EmbeddedNamed); err != nil {
			return err
		}
	}
	if o.Plan && x.report.Attention(judge.Fail, judge.Warn) {
		plan, err := o.plan(ctx, *x)
		if err != nil {
			return o.broken(x, err)
		}
		x.plan(plan, o)
	}
	if err := o.write(x); err != nil {
		return err
	}
	return verdict(x.report.Exit)
}

func (o DoctorOptions) check() error {
	format, err := checkFormat(formats.Doctor, o.Format)
	switch {
	case err != nil:
		return err
	case o.Level < 0 || o.Level > 3:
		return usagef("--level %d is unknown: use 0, 1, 2 or 3", o.Level)
	case o.Plan && !format.Plans:
		return usagef("%s", planFormats())
	case o.From != "" && o.Fix && !o.DryRun:
		return usagef("--fix cannot repair the machine in a snapshot: add --dry-run to see its plan")
	case (o.Locked != "" || o.Offline) && !o.Fix && !o.DryRun:
		return usagef("--locked and --offline say where --fix may take files from: add --fix or --dry-run")
	case (o.Locked != "" || o.Offline) && o.From != "":
		return usagef("--locked and --offline look at what is on this machine, so they do not go with --from")
	case o.Offline && strings.HasPrefix(o.Recipe.Name, "https://"):
		return usagef("--offline prevents downloading the recipe %s: download it yourself and name the file", o.Recipe.Name)
	case o.Yes && !o.Fix:
		return usagef("--yes does nothing without --fix")
	}
	if !o.Fix || o.DryRun {
		return nil
	}
	return o.Verify.checkPicture()
}

// plan is what would mend the host.
func (o DoctorOptions) plan(ctx context.Context, x examination) (*installers.Plan, error) {
	defer o.Console.Late(lang.T("ask what is to be installed"))()
	plan, err := makePlan(ctx, x.judgement, x.host, o.Folders, o.From != "", installers.Sources{Lock: o.lock, Offline: o.Offline})
	if err == nil && o.Offline && o.lock == nil && len(plan.Steps) > 0 && o.proves(x.judgement.Recipe) {
		spec, _ := engines.Named(x.judgement.Recipe.Verify.Engine)
		err = modulesHere(ctx, x, spec.GoModule)
	}
	if err == nil && o.Fix && o.From == "" {
		err = rest(ctx, x, plan)
	}
	var unfit *lockfile.Error
	if errors.As(err, &unfit) {
		err = &UsageError{err}
	}
	return plan, err
}

// rest adds what is left of an interrupted run and the recipe does not ask for.
func rest(ctx context.Context, x examination, plan *installers.Plan) error {
	user := x.judgement.Facts.OS.User
	records, known, err := pastRuns(x.host, user)
	if err != nil || !known {
		return err
	}
	rest, err := installers.PlanRest(ctx, x.host, user, records, len(plan.Steps) > 0)
	if err == nil && len(plan.Steps) == 0 {
		plan.Elevation, plan.Blocked = rest.Elevation, rest.Blocked
	}
	if err == nil {
		plan.Steps = append(plan.Steps, rest.Steps...)
	}
	return err
}

// loadLock reads the lockfile that the options name or imply, nil for none.
func (o DoctorOptions) loadLock(recipe string) (*lockfile.Lock, error) {
	name := o.Locked
	if name == "" && o.Offline {
		name = bundle.Remembered(o.Folders.Cache, recipe)
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	if name == "" {
		return nil, nil
	}
	return lockOf(name)
}

// lockOf reads a lockfile that the user names.
func lockOf(name string) (*lockfile.Lock, error) {
	l, err := lockfile.Load(name)
	if err != nil {
		return nil, &UsageError{err}
	}
	return l, nil
}

func (x *examination) plan(p *installers.Plan, o DoctorOptions) {
	x.report.Plan, x.report.Fix = orEmpty(p.Steps), o.Recipe.fix(p)
	if len(p.Manual) > 0 {
		x.report.Manual = p.Manual
	}
	x.correct(p)
}

// correct gives the findings what the plan says to do, where it does not do what they said.
func (x *examination) correct(p *installers.Plan) {
	for i := range x.report.Findings {
		f := &x.report.Findings[i]
		if fix := p.Fixes[f.ID]; fix != "" && f.Fix != "" {
			f.Fix = fix
		}
	}
}

// orEmpty keeps a JSON list a list.
func orEmpty(steps []installers.Step) any {
	if steps == nil {
		return []installers.Step{}
	}
	return steps
}

// write renders the report in the chosen format; what GitHub adds to the text comes
// at the end.
func (o DoctorOptions) write(x *examination) error {
	if o.format.Live {
		return x.report.WriteText(o.Console.Text(), o.style())
	}
	return o.format.Write(out(o.Console, o.format), o.document(x))
}

func (o DoctorOptions) style() report.Style {
	return report.Style{Color: o.Console.Color, Width: o.Console.Width, All: o.All}
}

// dryRun shows the findings and the plan.
func (o DoctorOptions) dryRun(ctx context.Context, x *examination) error {
	plan, err := o.plan(ctx, *x)
	if err != nil && o.format.Live {
		return errors.Join(o.write(x), o.broken(x, err))
	} else if err != nil {
		return o.broken(x, err)
	}
	x.plan(plan, o)
	if err := o.write(x); err != nil {
		return err
	}
	if o.format.Live {
		if err := o.describe(plan); err != nil {
			return err
		}
	}
	return verdict(x.report.Exit)
}

func (o DoctorOptions) describe(plan *installers.Plan) error {
	if len(plan.Steps) == 0 && len(plan.Manual) == 0 {
		_, err := fmt.Fprintln(o.Console.Text(), lang.T("\nNothing to do."))
		return err
	}
	if _, err := fmt.Fprintln(o.Console.Text()); err != nil {
		return err
	}
	return plan.Describe(o.Console.Text())
}

// mostRounds bounds how often --fix plans: what one round installs can show what
// else is needed (a compiler that is there now, and not on PATH), and a third
// round has not been seen to be.
const mostRounds = 3

// fix walks the rest of the pipeline: plan, consent, apply, look again, prove.
func (o DoctorOptions) fix(ctx context.Context, x *examination, r *recipes.Recipe, t *recipes.Tables) error {
	var run repair
	for range mostRounds {
		more, err := o.round(ctx, x, r, t, &run)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	// A second --fix in the same shell ends as the first did.
	if len(run.plan.Steps) == 0 && x.report.Attention(judge.Pending) {
		if err := o.lookAgain(ctx, x, r, t, &run); err != nil {
			return err
		}
	}
	return o.prove(ctx, x, r)
}

// lookAgain examines the machine as it is now, in a new shell where this one's
// environment is older.
func (o DoctorOptions) lookAgain(ctx context.Context, x *examination, r *recipes.Recipe, t *recipes.Tables, run *repair) error {
	again := host.Live()
	h, err := later(ctx, again, x.judgement.Facts.OS.User)
	if err != nil {
		return err
	}
	if h != nil {
		again = h
		if !run.told {
			o.Console.Note("  new shells find what was installed; this one does not yet")
		}
		run.told = true
	}
	*x = examine(ctx, again, doctor.Probes(o.Deep), r, t, o)
	return nil
}

// repair is what the rounds of one --fix have done.
type repair struct {
	plan   installers.Plan // their steps, and what the first left to a person
	result installers.Result
	told   bool // that only new shells find it
}

// round plans, asks, carries out and looks again; more says that another round
// may find something new to do. What the user did not agree to is a verdict,
// unless earlier rounds changed something.
func (o DoctorOptions) round(ctx context.Context, x *examination, r *recipes.Recipe, t *recipes.Tables, run *repair) (more bool, err error) {
	plan, err := o.plan(ctx, *x)
	if err != nil {
		return false, o.broken(x, err)
	}
	first := len(run.plan.Steps) == 0
	if first {
		x.plan(plan, o)
	}
	if len(plan.Steps) == 0 || !first && !adds(run.plan.Steps, plan.Steps) {
		return false, nil
	}
	text := o.format.Live
	if text {
		if err := o.write(x); err != nil {
			return false, err
		}
		if err := o.describe(plan); err != nil {
			return false, err
		}
	}
	agreed, err := consent(ctx, o.Console, o.Yes, plan)
	switch {
	case err != nil:
		return false, err
	case !agreed && !first:
		return false, nil
	case !agreed:
		o.Console.Note("Nothing was changed.")
		if !text {
			if err := o.write(x); err != nil {
				return false, err
			}
		}
		return false, verdict(x.report.Exit)
	}
	ahead := o.ahead(ctx, x.host, r, plan)
	result, err := apply(ctx, o.Console, o.Folders, x.host, x.judgement.Facts.OS.User.Admin, plan, o.Offline, run.result)
	ahead(err == nil)
	if err != nil {
		return false, o.broken(x, err)
	}
	run.plan.Steps = append(run.plan.Steps, plan.Steps...)
	result.Steps = append(run.result.Steps, result.Steps...)
	run.result = result
	if first {
		run.plan.Manual = plan.Manual
	}
	// The installer's word is not taken for it.
	if err := o.lookAgain(ctx, x, r, t, run); err != nil {
		return false, err
	}
	served, due := run.result.Restart(&run.plan)
	if due {
		x.judgement.AwaitRestart(served)
		x.report = x.newReport(o)
	}
	x.report.Plan = orEmpty(run.plan.Steps)
	if len(run.plan.Manual) > 0 {
		x.report.Manual = run.plan.Manual
	}
	if text {
		if _, err := fmt.Fprintln(o.Console.Text()); err != nil {
			return false, err
		}
	}
	return !due && x.report.Attention(judge.Fail, judge.Warn), nil
}

// adds reports whether a plan has a step that none of those done is.
func adds(done, plan []installers.Step) bool {
	what := func(s installers.Step) string {
		return fmt.Sprint(s.ID, s.Mechanism, s.Action, s.Packages, s.Argv, s.Edits())
	}
	return slices.ContainsFunc(plan, func(s installers.Step) bool {
		return !slices.ContainsFunc(done, func(d installers.Step) bool { return what(d) == what(s) })
	})
}

// consent asks before anything is changed. Without a terminal only --yes will do.
func consent(ctx context.Context, c *console.Console, yes bool, plan *installers.Plan) (bool, error) {
	if plan.Blocked != nil {
		return false, plan.Blocked
	}
	if yes {
		return true, nil
	}
	if !c.InTTY {
		return false, usagef("this changes the machine and there is no terminal to ask on: add --yes to agree, or --dry-run to see the plan")
	}
	agreed, err := c.Confirm(ctx, lang.T("\nApply this plan?"))
	if ctx.Err() != nil {
		return false, errors.New(lang.T("stopped before anything was changed"))
	}
	return agreed, err
}

// broken ends a run in which a step failed: the document still says so.
func (o DoctorOptions) broken(x *examination, err error) error {
	x.report.Error = err.Error()
	x.report.Exit = judge.ExitError
	if o.format.Live {
		return err
	}
	if werr := o.write(x); werr != nil {
		return errors.Join(err, werr)
	}
	return err
}

// stepProgress draws the installers' progress, one task a step and phase.
type stepProgress struct {
	console *console.Console
	plan    *installers.Plan
	key     string
	task    *console.Task
	note    string // of a fetch: why it is tried again
	// stopping: it stays on the screen until the end, whatever is still finished.
	stopping bool
}

func (s *stepProgress) report(p installers.Progress) {
	if s.stopping {
		return
	}
	s.stopping = p.Phase == step.Stopping
	key := p.StepID + "/" + string(p.Phase)
	if p.Phase == step.Waiting {
		key += "/" + p.Message // another program, now
	}
	if key != s.key {
		s.finish()
		name := string(p.Phase)
		if p.Index >= 1 && p.Index <= len(s.plan.Steps) {
			name = s.plan.Steps[p.Index-1].Title
			if len(s.plan.Steps[p.Index-1].Packages) > 0 || p.Phase == step.Waiting {
				name = fmt.Sprintf("%s (%s)", name, p.Phase)
			}
		}
		if p.Message != "" && (p.Phase == step.Waiting && p.Total == 0 || p.Phase == step.Stopping) {
			name = p.Message // says for whom, or what is still done
		}
		switch {
		case p.Total > 0:
			s.task = s.console.StartBytes(name, p.Total)
		case p.Percent >= 0:
			s.task = s.console.Start(name, 1000) // tenths of a percent
		default:
			s.task = s.console.Start(name, -1)
		}
		s.key = key
	}
	switch {
	case p.Total > 0:
		s.task.Set(p.Bytes)
	case p.Percent >= 0:
		s.task.Set(int64(p.Percent * 10))
	}
	if p.Total > 0 && p.Message != "" && p.Message != s.note {
		s.note = p.Message
		s.console.Note("  %s", p.Message)
	}
}

func (s *stepProgress) finish() {
	if s.task != nil {
		s.task.Done("")
		s.task = nil
	}
}

func (s *stepProgress) end(result installers.Result, err error) {
	s.finish()
	for i, r := range result.Steps {
		switch r.Outcome {
		case installers.WasDone:
			switch {
			case len(r.Added)+len(r.Changed) == 0:
			case len(s.plan.Steps[i].Packages) > 0:
				s.console.Note("  %s: %d packages added, %d changed", r.ID, len(r.Added), len(r.Changed))
			default:
				for _, made := range append(slices.Clone(r.Added), r.Changed...) {
					s.console.Note("  %s: %s", r.ID, made.Name)
				}
			}
		case installers.WasFailed:
			if err != nil && len(r.Added) > 0 {
				s.console.Note("  %s: failed after %d packages were added", r.ID, len(r.Added))
			}
		case installers.NotRun:
			s.console.Note("  %s: not run", r.ID)
		}
		if r.Reboot {
			s.console.Note("  %s: takes effect after a restart of Windows", r.ID)
		}
		if r.Note != "" {
			s.console.Note("  %s: %s", r.ID, strings.TrimSpace(r.Note))
		}
	}
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string { return lang.Sentence(s) }

// proves reports whether a fix ends with a proof.
func (o DoctorOptions) proves(r *recipes.Recipe) bool {
	return r.Verify != nil && o.Level > 0 && canRun(r.Verify.Engine)
}

// proof is how the recipe is proven.
func (o DoctorOptions) proof(r *recipes.Recipe) VerifyOptions {
	v := o.Verify
	v.Engine = r.Verify.Engine
	v.Console, v.Folders, v.Format, v.Version, v.Level = o.Console, o.Folders, o.Format, o.Version, o.Level
	return v
}

// aheadRoom is what must stay free beside what the plan takes.
const aheadRoom = 2_000_000_000

// ahead makes what the proof needs while the plan is carried out, where there is
// room for both. The function it returns ends that: it waits for what is useful,
// and stops what is not.
func (o DoctorOptions) ahead(ctx context.Context, h *host.Host, r *recipes.Recipe, plan *installers.Plan) (end func(useful bool)) {
	none := func(bool) {}
	if !o.proves(r) {
		return none
	}
	options, err := o.proof(r).asked()
	if err != nil {
		return none // the proof says so, here and below
	}
	cost := plan.Cost()
	room, err := h.Disk(ctx, o.Folders.Cache)
	if err != nil || room.Free < uint64(cost.DownloadBytes+cost.DiskBytes+aheadRoom) {
		return none
	}
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Whatever goes wrong here does so again in the proof, where it is told. A
		// crash must not end the process under a package manager.
		defer func() { _ = recover() }()
		_ = verify.Ahead(ctx, options)
	}()
	return func(useful bool) {
		defer stop()
		if !useful {
			stop()
		}
		shown := o.Console.Late(lang.T("prepare the proof"))
		<-done
		shown()
	}
}

// prove ends a fix: where the machine has all that is required, the recipe's engine
// shows it. What is wrong with the user's own project is reported all the same.
func (o DoctorOptions) prove(ctx context.Context, x *examination, r *recipes.Recipe) error {
	ready := x.judgement.Machine().Exit(false) == judge.ExitOK
	without := ready && o.proves(r) && withoutGo(r.Verify.Engine, r, x.judgement.Facts)
	if !ready || !o.proves(r) || without {
		if err := o.write(x); err != nil {
			return err
		}
		if x.report.Next != "" {
			o.Console.Note("\n%s", sentence(x.report.Next))
		}
		if without {
			o.Console.Note("\nNothing was proven: the proof with %s compiles a small program with Go, which is not installed. Install Go and run deployctl verify --engine %s.", r.Verify.Engine, r.Verify.Engine)
		} else if ready && r.Verify != nil && o.Level > 0 {
			o.Console.Note("\nNothing was proven: this deployctl cannot run the engine %s yet.", r.Verify.Engine)
		}
		return verdict(x.report.Exit)
	}
	if o.format.Live {
		if err := o.write(x); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(o.Console.Text()); err != nil {
			return err
		}
	}
	v := o.proof(r)
	if o.lock != nil || o.Offline {
		spec, _ := engines.Named(v.Engine)
		v.modules = func(ctx context.Context, release string) (string, error) { return o.modules(ctx, spec, release) }
	}
	proof, err := prove(ctx, v, func() (*host.Host, *judge.Judgement, error) { return x.host, x.judgement, nil })
	if err != nil {
		return o.broken(x, err)
	}
	x.report.Proof = proof.result
	x.report.Exit = max(x.report.Exit, proof.exit)
	if !o.format.Live {
		if err := o.write(x); err != nil {
			return err
		}
	} else if err := proof.write(o.Console); err != nil {
		return err
	} else if x.judgement.Exit(false) != judge.ExitOK { // the project's problems have the last word
		if _, err := fmt.Fprintf(o.Console.Text(), "\n%s\n", report.Wrap(x.report.Closing(), 0, o.Console.Width)); err != nil {
			return err
		}
	}
	if proof.exit != judge.ExitOK {
		return verdict(proof.exit)
	}
	return verdict(x.report.Exit)
}
