// Package pkgmgr is the shape that every package manager fills in: its argv,
// how its state is read, and what its output means. A manager is data and pure
// functions; it must never run anything that changes the machine: the
// installers package does that, after consent.
package pkgmgr

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// ErrAbsent is Pick's answer for a machine that does not have the manager.
var ErrAbsent = lang.New("the package manager is not on this machine")

// Manager is one package manager. Functions that may be nil say so.
type Manager struct {
	// Name is the field of a recipe's fix, and the component in the facts
	// where Pick is nil.
	Name string
	// Tool is looked up on PATH; Path is where it usually is, for a host that
	// cannot be asked (a snapshot). Where, which may be nil, finds it first: a
	// tool that a target brings along, or one that PATH must not decide.
	Tool, Path string
	Where      func(ctx context.Context, h *host.Host) string

	// Pick says whether the facts have the manager, and which of several things
	// it shall work on (a Visual Studio, a root folder); "" where there is no
	// choice. It gives ErrAbsent, or a *step.Failure when what is there cannot
	// be used. nil: the component of the manager's name is enough.
	Pick func(f *facts.Facts) (target string, err error)
	// On completes the manager for a host and what Pick chose; it may be nil.
	// The result's Target is kept in the plan and the journal, so that the step
	// and its undo work on the same thing.
	On     func(h *host.Host, target string) *Manager
	Target string
	// Alone: a command takes one package.
	Alone bool
	// Limit is how long one command may take; 0 means an hour.
	Limit time.Duration
	// Note is what a person should know before agreeing.
	Note string
	// Title says in a line what installing does, Undo how it is taken back; nil
	// and "" for what is said of packages.
	Title func(packages []string) string
	Undo  string
	// UndoBy is the command by which a person removes packages, "" for none.
	UndoBy string
	// Clean are commands that empty what the manager keeps for later; they belong
	// into the layer of an image that filled it.
	Clean []string
	// Unchanged is a pattern of what it says when nothing was to be done, "" where
	// that is not known.
	Unchanged string
	// Admin: changes need root.
	Admin bool
	// Retries: it does not wait for its lock itself, so a command that found it
	// held is tried again.
	Retries bool
	// Upgrades: installing what is installed upgrades it, where the manager cannot
	// tell before whether there is a newer one.
	Upgrades bool
	// Saves: a removal deletes the configuration and saves what somebody edited
	// under another name; only undo --purge asks for more.
	Saves bool
	// Sources says where its packages come from, in a sentence; "" is "this
	// system's sources".
	Sources string
	// Env goes into the argv of every change (env K=V … tool).
	Env []string
	// Split takes the packages of a fix apart into those that are looked up and
	// journaled each by itself; nil where they are that already.
	Split func(packages []string) []string
	// Valid is what a name may look like where that is not what recipes say of the
	// manager (recipes.Manager); nil otherwise.
	Valid *regexp.Regexp

	// Install, Remove (purge: with its configuration) give the arguments after
	// the tool. Remove is nil, or gives nil, for what can only be taken back by
	// hand; NoRemove then says why and how. Refresh, Configure, FixBroken and Keep are
	// nil where there is nothing of the kind; Configure and Keep are whole argv.
	Install func(packages []string) []string
	// At adds the version to the arguments that install one package; nil where the
	// manager cannot be asked for one.
	At        func(args []string, version string) []string
	Remove    func(packages []string, purge bool) []string
	NoRemove  string
	Refresh   func() []string
	Configure func() []string
	// Reinstall gives the arguments that install packages again which have lost
	// files, and others anew; nil where there is no such command.
	Reinstall func(packages []string) []string
	// Withdraw gives the arguments that take back what a failed installation left
	// asked for, nil for nothing (nil: a failure leaves nothing).
	Withdraw  func(ctx context.Context, h *host.Host, packages []string) []string
	FixBroken func() []string
	// Keep takes back the marks for removal of packages that are installed.
	Keep func(packages []string) []string

	// Installed is what is installed now, by name. Where the whole list cannot
	// be had reliably it is nil, and Look asks for some names; see State.
	Installed func(ctx context.Context, h *host.Host) (map[string]Installed, error)
	Look      func(ctx context.Context, h *host.Host, packages []string) (map[string]Installed, error)
	// Fresh reports whether the package lists are there and recent (nil: the
	// manager fetches them itself).
	Fresh func(ctx context.Context, h *host.Host) Lists
	// Quote asks the manager what installing would do, changing nothing. nil
	// where the manager cannot tell.
	Quote func(ctx context.Context, h *host.Host, tool string, packages []string) (Quote, error)
	// QuoteRemove gives the packages that a removal would take away.
	QuoteRemove func(ctx context.Context, h *host.Host, tool string, packages []string) ([]string, error)
	// Needed gives those of the packages that must stay because others need
	// them, each with one that does; nil where the manager cannot tell.
	Needed func(ctx context.Context, h *host.Host, packages []string) (map[string]string, error)
	// Provided reports whether an installed package gives a name that no package
	// has (nil: names are packages, or Quote tells).
	Provided func(ctx context.Context, h *host.Host, name string) bool
	// Edited gives those of the packages of which somebody edited a
	// configuration file, with the file (nil: the manager has none).
	Edited func(ctx context.Context, h *host.Host, packages []string) (map[string]string, error)
	// Damage says whether an earlier run was interrupted (nil: never).
	Damage func(ctx context.Context, h *host.Host) (Damage, error)
	// Busy names the process that holds the manager's locks now ("process 12
	// (unattended-upgr)"), "" when there is none or nobody can tell (nil: nobody
	// can).
	Busy func(ctx context.Context, h *host.Host) string
	// NewProgress gives a reader of one run's lines; it answers false for a
	// line that is not about progress. May be nil.
	NewProgress func() func(line string) (step.Progress, bool)
	// Succeeded are exit statuses besides 0 that mean success, Reboot those that
	// mean success after a restart (Windows Installer's 3010 and 1641).
	Succeeded, Reboot []int
	// Explain turns the last lines of a failed run into a cause. It never
	// returns nil.
	Explain func(exit int, lines []string) *step.Failure
	// Disks are the folders that need room, archives first.
	Disks []string
}

// Installed is one package on the machine.
type Installed = mechanism.Installed

// Lists is the state of the package lists.
type Lists struct {
	Present bool
	// Fresh: fetched within the last day by this machine's clock.
	Fresh bool
}

// Quote is what an installation would do.
type Quote struct {
	DownloadBytes, DiskBytes int64
	Change                   []step.Package
	Remove                   []string
	// NotFound are the names no list knows; when there are any, the rest of
	// the quote is empty.
	NotFound []string
}

// Damage is what an interrupted run left.
type Damage struct {
	// Journal: the manager refuses to work until Configure has run.
	Journal bool
	// Broken are packages neither installed nor absent. Torn are those of them that
	// were being unpacked, and must be installed again before anything else.
	Broken, Torn []string
	// Marked are installed and marked for removal: the next program that carries
	// out marks (aptitude, dselect) removes them.
	Marked []string
}

// For gives the manager completed for a host and a target.
func (m *Manager) For(h *host.Host, target string) *Manager {
	if m.On == nil {
		return m
	}
	return m.On(h, target)
}

// Choose is Pick with its default.
func (m *Manager) Choose(f *facts.Facts) (target string, err error) {
	switch {
	case m.Pick != nil:
		return m.Pick(f)
	case len(f.Components[m.Name]) == 0:
		return "", ErrAbsent
	}
	return "", nil
}

// State is what is installed now, by name: everything, or of these packages
// where the manager's whole list cannot be had.
func (m *Manager) State(ctx context.Context, h *host.Host, packages []string) (map[string]Installed, error) {
	if m.Installed == nil {
		return m.Look(ctx, h, packages)
	}
	return m.Installed(ctx, h)
}

// Needs are the needs of a step of the manager.
func (m *Manager) Needs(more ...step.Need) []step.Need {
	list := []step.Need{}
	if m.Admin {
		list = append(list, step.Admin)
	}
	return append(list, more...)
}

// Batches are the packages of one command each.
func (m *Manager) Batches(names []string) [][]string {
	if !m.Alone && len(names) > 0 {
		return [][]string{names}
	}
	return slices.Collect(slices.Chunk(names, 1))
}

// AtVersion puts an option that names the version before the other options.
func AtVersion(args []string, version string) []string {
	return append(slices.Clone(args), "--version", version)
}

// BatchesAt are Batches in which each package that a version is asked of has a
// command of its own.
func (m *Manager) BatchesAt(names []string, versions map[string]string) [][]string {
	if m.At == nil {
		return m.Batches(names)
	}
	var plain []string
	var alone [][]string
	for _, n := range names {
		if versions[n] != "" {
			alone = append(alone, []string{n})
		} else {
			plain = append(plain, n)
		}
	}
	return append(m.Batches(plain), alone...)
}

// Of gives this manager's packages of a fix.
func (m *Manager) Of(f recipes.Fix) []string {
	if m.Split != nil {
		return m.Split(f.Packages[m.Name])
	}
	return f.Packages[m.Name]
}

// CheckNames refuses anything that is not plainly a package name.
func (m *Manager) CheckNames(names []string) error {
	valid := func(n string) bool { return len(n) <= 200 && m.Valid.MatchString(n) }
	if m.Valid == nil {
		known, _ := recipes.FindManager(m.Name)
		valid = known.Names
	}
	for _, n := range names {
		if !valid(n) {
			return lang.Errorf("%q is not a package name that deployctl passes to %s", step.Clean(n, 60), m.Name)
		}
	}
	return nil
}

// Argv is the whole command of a change: env K=V … tool arguments.
func (m *Manager) Argv(tool string, args []string) []string {
	var argv []string
	if len(m.Env) > 0 {
		argv = append(argv, "/usr/bin/env")
		argv = append(argv, m.Env...)
	}
	return append(append(argv, tool), args...)
}

// Find gives the tool's path on the host, or its usual one. One that is run as
// an administrator is not looked up on the user's PATH, where anybody may have put another.
func (m *Manager) Find(ctx context.Context, h *host.Host) string {
	if h.World != nil {
		if m.Where != nil {
			if path := m.Where(ctx, h); path != "" {
				return path
			}
		}
		if m.Admin {
			return cmp.Or(h.SystemPath(ctx, m.Tool), m.Path)
		}
		if found := h.LookPath(ctx, m.Tool); len(found) > 0 {
			return found[0]
		}
	}
	return m.Path
}

// Rule matches a line of output to a failure. Its texts are translated when it does.
type Rule struct {
	// Any of these substrings, lower case, makes the rule apply.
	Any         []string
	Kind        step.Kind
	Cause, Next string
	// Names is a pattern whose group is what the cause is about (a package, a
	// process), which is added to it; "" for none.
	Names string
}

// cause is the rule's, with the names that the lines have.
func (r Rule) cause(lines []string) string {
	if r.Names == "" {
		return lang.T(r.Cause)
	}
	var names []string
	pattern := regexp.MustCompile(r.Names)
	for _, line := range lines {
		if m := pattern.FindStringSubmatch(line); m != nil && len(names) < 20 {
			names = append(names, step.Clean(m[1], 100))
		}
	}
	if len(names) == 0 {
		return lang.T(r.Cause)
	}
	return lang.F("%s: %s", lang.T(r.Cause), step.Some(step.Unique(names), 5))
}

// Match applies the first rule that fits any line; nil when none does. The
// telling lines become the detail.
func Match(rules []Rule, lines []string) *step.Failure {
	for _, r := range rules {
		var detail []string
		for _, line := range lines {
			low := strings.ToLower(line)
			for _, s := range r.Any {
				if strings.Contains(low, s) {
					c := step.Clean(line, 300)
					if len(detail) < 4 && !slices.Contains(detail, c) {
						detail = append(detail, c)
					}
					break
				}
			}
		}
		if len(detail) > 0 {
			return &step.Failure{Kind: r.Kind, Cause: r.cause(lines), Next: lang.T(r.Next), Detail: detail}
		}
	}
	return nil
}

// Unexplained is the failure when no rule fits.
func Unexplained(tool string, exit int, lines []string) *step.Failure {
	var last []string
	for _, l := range lines {
		if c := step.Clean(l, 300); c != "" {
			last = append(last, c)
		}
	}
	if len(last) > 5 {
		last = last[len(last)-5:]
	}
	return &step.Failure{Kind: step.Other, Detail: last, StatusOnly: true,
		Cause: lang.F("%s ended with exit status %d", tool, exit),
		Next:  lang.T("read its last lines in the log, fix what they say and run deployctl again")}
}
