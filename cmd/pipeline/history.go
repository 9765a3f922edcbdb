package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/probe"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/elevate"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// account looks up who runs deployctl, and with what means to become root.
func account(ctx context.Context, h *host.Host) facts.User {
	var own []probe.Probe
	for _, p := range doctor.Probes(false) {
		if p.Name == "os" {
			own = append(own, p)
		}
	}
	return doctor.Probe(ctx, h, own).OS.User
}

// tell says what of the journal cannot be read.
func tell(c *console.Console, unread installers.Unread) {
	if why := unread.String(); why != "" {
		c.Note("%s", why)
	}
}

// History prints one line for each step that deployctl carried out.
func History(ctx context.Context, l Listing) error {
	if err := textOrJSON(l.Format); err != nil {
		return err
	}
	h := host.Live()
	user := account(ctx, h)
	state, err := installers.StateDir(h, user.Admin)
	if err != nil {
		return err
	}
	records, unread, err := installers.Histories(state, installers.MachineDir(h, user.Admin))
	if err != nil {
		return err
	}
	c := l.Console
	tell(c, unread)
	returned := installers.Returned(ctx, h, user, records)
	records = slices.DeleteFunc(records, func(r installers.Record) bool { return r.Event == installers.Started })
	if l.Format == formats.JSON {
		return historyJSON(l, state, records, returned)
	}
	for _, r := range records {
		names := make([]string, 0, len(r.Added))
		for _, p := range r.Added {
			names = append(names, p.Name)
		}
		added := ""
		if len(names) > 0 {
			added = lang.F("  added %d: %s", len(names), shorten(names, 6))
		}
		if len(r.Changed) > 0 {
			added += lang.F("  changed %d", len(r.Changed))
		}
		if len(r.Removed) > 0 {
			added += lang.F("  removed %d", len(r.Removed))
		}
		if r.User != "" {
			added += lang.F("  by %s", step.Clean(r.User, 40))
		}
		if _, err := fmt.Fprintln(c.Text(), listed(c, fmt.Sprintf("%s  %s  %-11s ", r.Run, r.Time.Local().Format("2006-01-02 15:04"), r.Event), r.Step.Title+added)); err != nil {
			return err
		}
	}
	for _, r := range records {
		for _, p := range returned[r.Key()] {
			c.Note("%s was undone and is there again; deployctl undo --run %s removes it.", p.Name, r.Run)
		}
	}
	if len(records) == 0 {
		c.Note("deployctl has changed nothing here (no journal in %s).", state)
	}
	return nil
}

// historyJSON writes the steps, and what of each was undone and is there again.
func historyJSON(l Listing, state string, records []installers.Record, returned map[string][]installers.Package) error {
	type listedStep struct {
		installers.Record
		Returned []installers.Package `json:"returned,omitempty"`
	}
	steps := make([]listedStep, 0, len(records))
	for _, r := range records {
		steps = append(steps, listedStep{r, returned[r.Key()]})
	}
	return writeJSON(l.Console, struct {
		heading
		Folder string       `json:"folder"` // of the journal
		Steps  []listedStep `json:"steps"`
	}{l.heading(), state, steps})
}

func shorten(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, " ")
	}
	return lang.F("%s … %d more", strings.Join(names[:most], " "), len(names)-most)
}

// UndoOptions are what Undo depends on.
type UndoOptions struct {
	Console *console.Console
	Folders Folders
	Undo    installers.Undo
	Yes     bool
	DryRun  bool
}

// Undo takes back what deployctl installed.
func Undo(ctx context.Context, o UndoOptions) error {
	h := host.Live()
	user := account(ctx, h)
	a, err := applier(h, o.Folders, user.Admin)
	if err != nil {
		return err
	}
	show := &stepProgress{console: o.Console}
	a.Report = show.report
	records, unread, err := a.Settle(ctx)
	show.finish()
	if err != nil {
		return err
	}
	tell(o.Console, unread)
	plan, err := installers.PlanUndo(ctx, h, user, records, o.Undo)
	var unknown *installers.UnknownRunError
	if errors.As(err, &unknown) {
		return &UsageError{err}
	}
	if err != nil {
		return err
	}
	if len(plan.Steps)+len(plan.Manual)+len(plan.Kept) == 0 {
		o.Console.Note("There is nothing to undo.")
		return nil
	}
	if err := plan.Describe(o.Console.Text()); err != nil {
		return err
	}
	if o.DryRun || len(plan.Steps) == 0 {
		return nil
	}
	agreed, err := consent(ctx, o.Console, o.Yes, plan)
	if err != nil {
		return err
	}
	if !agreed {
		o.Console.Note("Nothing was changed.")
		return nil
	}
	result, err := apply(ctx, o.Console, o.Folders, h, user.Admin, plan, false, installers.Result{})
	if err == nil && repaired(result) {
		result, err = o.again(ctx, h, user, a, result)
	}
	if err != nil {
		return err
	}
	var gone []string
	for _, s := range result.Steps {
		for _, p := range s.Removed {
			gone = append(gone, p.Name)
		}
	}
	if len(gone) > 0 {
		o.Console.Note("Removed %d: %s.", len(gone), shorten(gone, 6))
	}
	if _, due := result.Restart(plan); due {
		o.Console.Note("Restart Windows: some of it takes effect only then.")
		return verdict(judge.ExitPending)
	}
	return nil
}

// repaired reports whether an undo had to add packages before it could remove any.
func repaired(result installers.Result) bool {
	return slices.ContainsFunc(result.Steps, func(s installers.StepResult) bool { return len(s.Added) > 0 })
}

// again takes back what an undo added itself, as part of the same run.
func (o UndoOptions) again(ctx context.Context, h *host.Host, user facts.User, a *installers.Applier, done installers.Result) (installers.Result, error) {
	records, _, err := a.Settle(ctx)
	if err != nil {
		return done, err
	}
	plan, err := installers.PlanUndo(ctx, h, user, records, installers.Undo{Run: done.Run, Purge: o.Undo.Purge})
	if err != nil || len(plan.Steps) == 0 {
		return done, err
	}
	more, err := apply(ctx, o.Console, o.Folders, h, user.Admin, plan, false, done)
	more.Steps = append(done.Steps, more.Steps...)
	return more, err
}

// applier is what carries plans out on this machine.
func applier(h *host.Host, folders Folders, admin bool) (*installers.Applier, error) {
	state, err := installers.StateDir(h, admin)
	if err != nil {
		return nil, err
	}
	name := ""
	if installers.MachineDir(h, admin) != "" {
		name = h.Env("USER")
	}
	return &installers.Applier{Host: h, Exec: installers.Live{}, State: state, Machine: installers.MachineDir(h, admin), Shared: installers.Shared(h, state), User: name, Command: os.Args,
		Fetch: download.Options{Store: store.New(folders.Cache)}}, nil
}

// apply carries a plan out and shows how it goes.
func apply(ctx context.Context, c *console.Console, folders Folders, h *host.Host, admin bool, plan *installers.Plan, offline bool, after installers.Result) (installers.Result, error) {
	a, err := applier(h, folders, admin)
	if err != nil {
		return installers.Result{}, err
	}
	show := &stepProgress{console: c, plan: plan}
	a.Report, a.Fetch.Offline, a.After = show.report, offline, after
	if c.InTTY {
		a.Ask = elevate.Foreground
	}
	result, err := a.Apply(ctx, plan)
	show.end(result, err)
	if err != nil {
		err = told(plan, result, err)
	}
	if result.Note != "" {
		c.Note("%s", result.Note)
	}
	if _, none := os.Stat(result.Log); err != nil && none == nil {
		return result, lang.Errorf("%w\n  what was said is in %s", err, result.Log)
	}
	return result, err
}

// told puts before a step's failure what was tried, and after it the lines by
// which the tool itself said why.
func told(plan *installers.Plan, result installers.Result, err error) error {
	for i, r := range result.Steps {
		if r.Outcome == installers.WasFailed && i < len(plan.Steps) {
			err = fmt.Errorf("%s: %w", plan.Steps[i].Title, err)
		}
	}
	if f := new(installers.Failure); errors.As(err, &f) {
		for _, line := range f.Detail {
			err = fmt.Errorf("%w\n  | %s", err, line)
		}
	}
	return err
}
