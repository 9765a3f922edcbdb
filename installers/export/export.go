// Package export writes a plan in languages that need no deployctl: a shell
// script, a PowerShell script, a Dockerfile and an Ansible play. It owns the
// quoting for each of them. It must never run anything, and never write a
// command that the plan does not have, but for the refresh of apt's lists that
// a fresh machine needs and the clean-up of an image's layer.
//
// Each format runs the plan's own argv, so that each ends in the same state as
// "deployctl doctor --fix".
package export

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/apt"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Format is a language.
type Format string

// The formats, by the names that --format takes.
const (
	Shell      Format = "sh"
	PowerShell Format = "ps1"
	Dockerfile Format = "dockerfile"
	Ansible    Format = "ansible"
)

// Formats are all of them, in the order for a help text.
func Formats() []Format { return []Format{Shell, PowerShell, Dockerfile, Ansible} }

// About is what the plan was made from and for.
type About struct {
	Recipe string
	// OS names the base image of the Dockerfile; zero leaves it to the reader.
	OS facts.OS
	// Image names the clean system that the plan is for; "" for a machine's.
	Image string
	// Whole is the plan that deployctl prints, whose changes without a step are
	// written as commands, too; nil for the steps alone.
	Whole *Whole
}

// ArgumentError says that an argument of a step cannot be written in a format.
type ArgumentError struct {
	Step   string
	Format Format
	Why    string
}

// Error is one sentence with the step.
func (e *ArgumentError) Error() string {
	return lang.F("step %s cannot be written as %s: an argument %s; deployctl did not make this plan", e.Step, e.Format, e.Why)
}

// Write writes the plan's steps in the format. The output depends on the
// arguments only. The error is an *ArgumentError, the writer's, or that the
// format is unknown; nothing is written when the plan cannot be.
func Write(w io.Writer, format Format, plan *installers.Plan, about About) error {
	write, ok := map[Format]func(*page, []task){
		Shell: writeShell, PowerShell: writePowerShell, Dockerfile: writeDockerfile, Ansible: writeAnsible,
	}[format]
	if !ok {
		return lang.Errorf("no format is called %q: use sh, ps1, dockerfile or ansible", step.Clean(string(format), 40))
	}
	tasks, err := prepare(format, plan)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(plan.Manual), func(m installers.Manual) bool { return !m.Required })
	if format == PowerShell && about.Whole.onWindows() {
		tasks, left = about.Whole.order(tasks)
	}
	b := bufio.NewWriter(w)
	write(&page{Writer: b, about: about, manual: plan.Manual, left: left}, tasks)
	if err := b.Flush(); err != nil {
		return lang.Errorf("write the plan as %s: %w", format, err)
	}
	return nil
}

// task is a step made ready for any language: argv, or lines where it works on
// files.
type task struct {
	title, purpose, undo string
	requirements         []string // that it serves
	// argv is without the planning machine's way to become root.
	argv  []string
	admin bool
	by    *pkgmgr.Manager // nil where no package manager does it
	cache bool            // fetches lists only
	// posix or windows (PowerShell) are what a step on files does.
	posix   *posix
	windows []string
	env     []step.Env
	// paths: it works at paths of the planning machine.
	paths bool
	// change: its lines are those of a change that no step carries out.
	change bool
}

// onFiles reports whether the task works on files.
func (t task) onFiles() bool { return t.posix != nil || t.windows != nil }

func prepare(format Format, plan *installers.Plan) (tasks []task, err error) {
	prefix := plan.Elevation.Wrap(nil)
	fetched := map[string]*step.Fetch{}
	for _, s := range plan.Steps {
		if f, ok := s.With.(*step.Fetch); ok {
			fetched[f.SHA256] = f
		}
	}
	refreshed := false
	for _, s := range plan.Steps {
		x := installers.Script(s)
		if x.Skip {
			continue
		}
		if x.Refuse != "" {
			return nil, lang.Errorf("step %s %s", s.ID, x.Refuse)
		}
		t := task{title: step.Clean(s.Title, 200), argv: s.Argv, admin: s.NeedsAny(step.Admin), by: installers.ManagerOf(s.Mechanism), cache: s.Action == step.Refresh, undo: cmp.Or(x.Undo, step.Clean(s.Undo, 300)), env: s.Edits(), requirements: s.Requirements}
		if len(s.Requirements) > 0 {
			t.purpose = lang.F("For %s.", step.Clean(strings.Join(s.Requirements, ", "), 496))
		}
		if t.admin && len(prefix) > 0 && len(s.Argv) > len(prefix) && slices.Equal(s.Argv[:len(prefix)], prefix) {
			t.argv = s.Argv[len(prefix):]
		}
		o, words := opOf(x, s.Argv), s.Argv
		if o != nil {
			words = slices.Concat(words, o.words)
		}
		why := refuse(format, words)
		if why == "" && format == Ansible && o == nil {
			why = expanded(s.Argv)
		}
		if why != "" {
			return nil, &ArgumentError{Step: s.ID, Format: format, Why: why}
		}
		if o != nil {
			if err := onFiles(format, &t, o, s, fetched); err != nil {
				return nil, err
			}
		}
		if !t.onFiles() && len(t.argv) == 0 {
			return nil, lang.Errorf("step %s has no command", s.ID)
		}
		if s.Mechanism == "apt" && s.Action == step.Refresh {
			refreshed = true
		}
		if s.Mechanism == "apt" && s.Action == step.Install && !refreshed {
			// The planning machine had fresh lists; the next one may have none.
			m := apt.Manager()
			tasks = append(tasks, task{title: "Fetch the package lists", purpose: "A fresh machine has none.",
				undo: "nothing to undo: the lists are a cache", argv: m.Argv(m.Path, m.Refresh()), admin: m.Admin, by: m, cache: true})
			refreshed = true
		}
		tasks = append(tasks, t)
	}
	return tasks, nil
}

// refuse says why words cannot be written in a format, "" when they can.
func refuse(format Format, words []string) string {
	for _, w := range words {
		switch {
		case strings.ContainsRune(w, 0):
			return lang.T("holds a zero byte")
		case !utf8.ValidString(w):
			return lang.T("is not UTF-8")
		case format == Dockerfile && strings.ContainsAny(w, "\r\n"):
			return lang.T("holds a line break")
		}
	}
	return ""
}

// expanded says what Ansible's command module would expand, also in argv; only
// ansible-core 2.16 and newer can be told not to.
func expanded(argv []string) string {
	for _, a := range argv {
		if strings.Contains(a, "$") || strings.HasPrefix(a, "~") {
			return lang.T("holds a $ or begins with ~, which Ansible would expand")
		}
	}
	return ""
}

// page is the output; a bufio.Writer keeps the first error for Flush.
type page struct {
	*bufio.Writer
	about  About
	manual []installers.Manual
	// left is what the plan requires and the script does not do.
	left []installers.Manual
}

// nothing is what a script with nothing to run says, "" where there is nothing to
// do: then its exit status is 3, that of a machine that does not meet the recipe.
func (p *page) nothing() string {
	if len(p.left) == 0 {
		return ""
	}
	return lang.F("This script does nothing: %s must be fixed by hand (see the top of it).", lang.Count(len(p.left), "problem"))
}

func (p *page) line(format string, args ...any) {
	fmt.Fprintf(p.Writer, format+"\n", args...) //nolint:errcheck // kept by the bufio.Writer until Flush
}

// comment writes text as lines that begin with "# ".
func (p *page) comment(indent, text string) {
	for _, l := range fold(text, 76-len(indent)) {
		p.line("%s# %s", indent, l)
	}
}

// head says what the file is. The first line is a plain comment, so that no
// Dockerfile directive can be smuggled in by a recipe's name.
func (p *page) head(tasks []task) {
	p.comment("", lang.T("Written by deployctl; it runs without deployctl."))
	if name := step.Clean(p.about.Recipe, 100); name != "" {
		p.comment("", lang.F("Recipe: %s.", name))
	}
	if image := step.Clean(p.about.Image, 40); image != "" {
		p.comment("", lang.F("It is the plan for a clean %s.", image))
	} else {
		p.comment("", lang.T("It is the plan of one machine: what was installed there already is not in it."))
	}
	p.comment("", lang.T("Nothing here keeps a journal, so \"deployctl undo\" cannot take it back."))
	if slices.ContainsFunc(tasks, func(t task) bool { return t.admin }) {
		p.comment("", map[bool]string{true: lang.T("Steps that need administrator rights ask for them."), false: lang.T("Only the steps that need it run as root.")}[p.about.Whole.onWindows()])
	}
	if slices.ContainsFunc(tasks, func(t task) bool { return t.paths }) {
		p.comment("", lang.T("Files go where the planning machine's user has them: run it as a user of the same name."))
	}
	manual := p.manual
	if p.about.Whole.onWindows() {
		manual = p.left
	}
	for _, m := range manual {
		text := lang.F("Left to do by hand: %s: %s.", m.Requirement, strings.TrimRight(m.Reason, ".。"))
		if m.Do != "" {
			text += " " + m.Do
		}
		p.comment("", step.Clean(text, 600))
	}
}

// explain writes a task's comments.
func (p *page) explain(indent string, i, of int, t task) {
	p.comment(indent, lang.F("%d of %d: %s. %s", i+1, of, t.title, t.purpose))
	if t.undo != "" {
		p.comment(indent, lang.F("Undo: %s.", t.undo))
	}
}

// fold breaks text at spaces; a longer word keeps its own line.
func fold(text string, width int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(lines, line)
}

// foldWords breaks a command into lines that the caller joins by a backslash.
func foldWords(words []string, width int) []string {
	var lines []string
	line := ""
	for _, w := range words {
		if line != "" && len(line)+1+len(w) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(lines, line)
}
