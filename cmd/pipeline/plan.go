package pipeline

import (
	"context"
	"slices"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/images"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/export"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// PlanOptions are what Plan depends on.
type PlanOptions struct {
	Console *console.Console
	Folders Folders
	Recipe  Selection
	From    string
	// For names a clean system (images.Names) that is planned for instead.
	For     string
	Targets []string // component=version
	Format  string   // one of PlanFormats
	Version string   // deployctl's own
}

// PlanFormats are the names of what a plan can be written as: pages, then scripts.
func PlanFormats() []string {
	names := formats.Names(formats.Plan)
	for _, f := range export.Formats() {
		names = append(names, string(f))
	}
	return names
}

// Plan says what the smallest change is that makes a recipe hold, and why; or
// writes the installers' steps in a language that needs no deployctl.
func Plan(ctx context.Context, o PlanOptions) error {
	written := export.Format(o.Format)
	asScript := slices.Contains(export.Formats(), written)
	format, err := formats.Find(formats.Plan, o.Format)
	if err != nil && !asScript {
		return &UsageError{formats.Unknown(o.Format, PlanFormats())}
	}
	targets, err := solve.ParseTargets(o.Targets)
	if err != nil {
		return &UsageError{err}
	}
	if asScript && len(targets) > 0 {
		return usagef("--target is a question for --format %s: a script holds what doctor --fix would do", lang.List(formats.Names(formats.Plan), true))
	}
	f, h, err := o.machine(ctx)
	if err != nil {
		return err
	}
	r, t, err := o.Recipe.load(ctx, o.Folders, f.OS.Family)
	if err != nil {
		return err
	}
	j := judge.Evaluate(r, t, f)
	if asScript {
		plan, err := o.steps(ctx, j, h)
		if err != nil {
			return err
		}
		about := export.About{Recipe: r.Name, OS: f.OS, Image: o.For}
		if written == export.PowerShell {
			s, err := solve.Solve(ctx, r, t, f, solve.Options{})
			if err != nil {
				return err
			}
			about.Whole = &export.Whole{Solution: s, Findings: j.Findings, Facts: f, Recipe: r, Tables: t}
		}
		return export.Write(o.Console.Out, written, plan, about)
	}
	s, err := solve.Solve(ctx, r, t, f, solve.Options{Targets: targets})
	if err != nil {
		return err
	}
	said := report.New(j, false)
	if len(targets) == 0 { // --fix has no targets
		steps, err := outline(ctx, j, h, o.Folders, o.recorded())
		if err != nil {
			return err
		}
		said.Fix = o.Recipe.fix(steps)
		s.Fix = said.Fix
		s.Price(priceOf(steps))
		correct(s, j.Findings, steps)
	}
	by := Made(o.Console, o.Version)
	d := &formats.Document{
		Command: formats.Plan, Solution: s, Next: said.Run(), Facts: f, Version: o.Version, Time: by.Time, Exit: planExit(s),
		Style: report.Style{Width: o.Console.Width},
	}
	if d.Next != "" && o.For != "" { // --fix would change this machine
		d.Next = o.script(f)
	}
	if err := format.Write(out(o.Console, format), d); err != nil {
		return err
	}
	return verdict(d.Exit)
}

// correct gives the changes what the installers' plan says to do, where it does not do
// what doctor said.
func correct(s *solve.Solution, findings []judge.Finding, p *installers.Plan) {
	for i := range s.Changes {
		c := &s.Changes[i]
		for _, f := range findings {
			if fix := p.Fixes[f.ID]; fix != "" && f.Fix == c.How && slices.Contains(c.Covers, f.ID) {
				c.How = fix
				break
			}
		}
	}
}

// planExit is the exit code that a plan stands for.
func planExit(s *solve.Solution) int {
	switch {
	case !s.Feasible:
		return judge.ExitFail
	case len(s.Open) > 0:
		return judge.ExitUnknown
	}
	return judge.ExitOK
}

// script says how the plan for a clean system becomes a script for it.
func (o PlanOptions) script(f *facts.Facts) string {
	format := export.Dockerfile
	if f.OS.Family == "windows" {
		format = export.PowerShell
	}
	return lang.F("As a script: `deployctl plan --for %s%s --format %s`", o.For, o.Recipe.flags(), format)
}

// recorded: the plan is not for this machine, so its folders are not used.
func (o PlanOptions) recorded() bool { return o.From != "" || o.For != "" }

// machine is what is planned for: this machine, one in a snapshot, or a clean
// system.
func (o PlanOptions) machine(ctx context.Context) (*facts.Facts, *host.Host, error) {
	if o.For != "" {
		if o.From != "" {
			return nil, nil, usagef("--for and --from exclude each other: a clean system has no snapshot")
		}
		f, h, err := images.Open(o.For)
		if err != nil {
			return nil, nil, &UsageError{err}
		}
		return f, h, nil
	}
	h, f, err := lookAt(ctx, o.From, false)
	return f, h, err
}

// steps is the installers' plan. A clean system has no package manager that could
// be asked.
func (o PlanOptions) steps(ctx context.Context, j *judge.Judgement, h *host.Host) (*installers.Plan, error) {
	if o.For != "" {
		places, err := places(h, j, o.Folders, true)
		if err != nil {
			return nil, err
		}
		return installers.Outline(ctx, j, h, places)
	}
	defer o.Console.Late(lang.T("ask what is to be installed"))()
	return makePlan(ctx, j, h, o.Folders, o.From != "", installers.Sources{})
}

// priceOf gives what the steps for some findings take.
func priceOf(plan *installers.Plan) func(findings []string) (cost solve.Cost, known, any bool) {
	return func(findings []string) (sum solve.Cost, known, any bool) {
		known = true
		for _, s := range plan.Steps {
			others := slices.DeleteFunc(slices.Clone(s.Requirements), func(id string) bool { return slices.Contains(findings, id) })
			if len(others) == len(s.Requirements) {
				continue
			}
			any = true
			known = known && len(others) == 0
			sum.DownloadBytes += s.Cost.DownloadBytes
			sum.Minutes += s.Cost.Minutes
		}
		return sum, known && any, any
	}
}

// outline is the installers' plan without asking a package manager; one without
// steps where there is no folder to install into, so that --fix refuses.
func outline(ctx context.Context, j *judge.Judgement, h *host.Host, folders Folders, recorded bool) (*installers.Plan, error) {
	places, err := places(h, j, folders, recorded)
	if err != nil {
		return &installers.Plan{}, nil //nolint:nilerr // see above
	}
	return installers.Outline(ctx, j, h, places)
}

// makePlan plans with the folders of the machine that was judged: this user's
// cache on this machine, the account's own on one in a snapshot.
func makePlan(ctx context.Context, j *judge.Judgement, h *host.Host, folders Folders, recorded bool, from installers.Sources) (*installers.Plan, error) {
	places, err := places(h, j, folders, recorded)
	if err != nil {
		return nil, err
	}
	return installers.MakePlan(ctx, j, h, places, from)
}

// places are the folders to install into. A recording that does not tell where its
// user's are has them by the variable's name, as a person there would write it.
func places(h *host.Host, j *judge.Judgement, folders Folders, recorded bool) (installers.Places, error) {
	if !recorded {
		return installers.PlacesOf(h, j.Facts.OS.User, folders.Cache)
	}
	p, err := installers.PlacesOf(h, j.Facts.OS.User, "")
	if err == nil {
		return p, nil
	}
	data, cache := "$HOME/.local/share/deployctl", "$HOME/.cache/deployctl"
	if h.Windows() {
		data, cache = `%LOCALAPPDATA%\deployctl\opt`, `%LOCALAPPDATA%\deployctl`
	}
	return installers.Places{Opt: data, Cache: cache, Scope: "user"}, nil
}
