// Package elevate finds the way to run one command as administrator: as it is
// for root, else sudo, doas or pkexec in this order; on Windows UAC, which asks
// on the desktop for each command. It must never elevate
// deployctl itself, and never read a password: the tool asks for it, on the
// terminal, before the first step that needs it.
//
// The environment a step needs travels in its argv (env K=V … tool), because
// sudo and doas clear the environment and only some sudoers rules let
// "sudo K=V" through; env behaves the same under all three. Where a sudoers rule
// allows the tool alone, env is left out (Method.Bare).
package elevate

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Method is one way to become administrator. The zero Method changes nothing.
type Method struct {
	Name string // sudo, doas, pkexec, uac; "" when already administrator
	Path string // "" for uac, which is no program
	// Bare: sudo's rules allow the tools themselves and not env before them. What
	// env would set is then in sudo's own environment, of which it passes on the
	// language (env_check in sudoers(5)) and little else.
	Bare bool
}

const uac = "uac"

// UAC reports whether steps become administrator by Windows' own question: they
// are started by the shell's verb "runas", their argv stays as it is, and what
// they print cannot be seen from here.
func (m Method) UAC() bool { return m.Name == uac }

// order is the preference; each is looked up in the
// system's own folders, since a sudo on the user's PATH could keep the password.
var order = [...]string{"sudo", "doas", "pkexec"}

// Find chooses the method for the host's user. The failure is NoPrivilege; on
// Windows there is none, since only the question itself tells whether this user
// may answer it.
func Find(ctx context.Context, h *host.Host, user facts.User) (Method, error) {
	if user.Admin {
		return Method{}, nil
	}
	if h.Windows() {
		return Method{Name: uac}, nil
	}
	for _, name := range order {
		if path := h.SystemPath(ctx, name); path != "" {
			return Method{Name: name, Path: path}, nil
		}
	}
	return Method{}, &step.Failure{Kind: step.NoPrivilege,
		Cause: lang.T("this step needs root and neither sudo, doas nor pkexec is installed"),
		Next:  lang.T("run deployctl as root (su -), or install sudo and add this user to it")}
}

// For fits the method to the commands that will run: Bare where sudo says that
// this user may run each of them without a password, and not with env in front.
func (m Method) For(ctx context.Context, h *host.Host, commands [][]string) Method {
	bare := m
	bare.Bare = true
	if m.Name == "sudo" && !m.allows(ctx, h, commands) && bare.allows(ctx, h, commands) {
		return bare
	}
	return m
}

// allows reports whether sudo says, without a password, that every command may be
// run.
func (m Method) allows(ctx context.Context, h *host.Host, commands [][]string) bool {
	return !slices.ContainsFunc(commands, func(c []string) bool {
		out, err := h.Run(ctx, host.Command{Argv: append([]string{m.Path, "-n", "-l", "--"}, m.command(c)...), Env: []string{"LC_ALL=C"}})
		return err != nil || out.Exit != 0
	})
}

// command is argv as the method runs it: without env and its settings when Bare.
func (m Method) command(argv []string) []string {
	if !m.Bare || len(argv) == 0 || argv[0] != "/usr/bin/env" {
		return argv
	}
	tool := slices.IndexFunc(argv[1:], func(a string) bool { return !strings.Contains(a, "=") })
	return argv[1+max(tool, 0):]
}

// Wrap puts the method before argv. The tool is told never to ask: Ready has
// asked before, and a step runs in its own process group, where reading the
// terminal would stop it for ever.
func (m Method) Wrap(argv []string) []string {
	var prefix []string
	switch m.Name {
	case "", uac:
		return argv
	case "sudo":
		prefix = []string{m.Path, "-n", "--"}
	case "doas":
		prefix = []string{m.Path, "-n", "--"}
	case "pkexec":
		// A graphical agent may still ask; the built-in one needs the terminal.
		prefix = []string{m.Path, "--disable-internal-agent"}
	}
	return append(prefix, m.command(argv)...)
}

// Terminal runs a command in the foreground with this process's terminal, so
// that it can ask for a password itself.
type Terminal func(ctx context.Context, argv []string) error

// Foreground is the real Terminal.
func Foreground(ctx context.Context, argv []string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stderr, os.Stderr
	return cmd.Run()
}

// Ready makes sure that Wrap will work now: without a question where possible,
// else by letting the tool ask on the terminal; ask is nil without one.
func (m Method) Ready(ctx context.Context, h *host.Host, ask Terminal) error {
	if m.Name == "" || m.Name == "pkexec" || m.UAC() || m.Bare {
		return nil // pkexec and UAC remember nothing: each step is authorised on its own; For has asked for Bare
	}
	out, err := h.Run(ctx, host.Command{Argv: m.Wrap([]string{"/bin/true"}), Env: []string{"LC_ALL=C"}})
	if err == nil && out.Exit == 0 {
		return nil
	}
	if err != nil && ctx.Err() != nil {
		return lang.Errorf("ask %s for root: %w", m.Name, ctx.Err())
	}
	said := strings.Split(string(out.Stderr), "\n")
	if ask == nil {
		if f := Explain(said); f != nil {
			return f
		}
		return m.refused(said, err)
	}
	argv := []string{m.Path, "-v"}
	if m.Name == "doas" {
		argv = []string{m.Path, "/bin/true"}
	}
	if err := ask(ctx, argv); err != nil {
		return m.refused(said, err)
	}
	// doas forgets unless its rule says persist: look again before relying on it.
	out, err = h.Run(ctx, host.Command{Argv: m.Wrap([]string{"/bin/true"}), Env: []string{"LC_ALL=C"}})
	if err != nil || out.Exit != 0 {
		return &step.Failure{Kind: step.Refused, Err: err,
			Cause: lang.F("%s accepted the password but does not remember it for the next command", m.Name),
			Next:  lang.T("run deployctl itself as root, or add persist (doas) or a timestamp_timeout (sudo) to its rule")}
	}
	return nil
}

func (m Method) refused(said []string, err error) *step.Failure {
	return &step.Failure{Kind: step.Refused, Err: err, Detail: clean(said),
		Cause: lang.F("%s did not let this user become root", m.Name),
		Next:  lang.F("run deployctl as root, or ask the administrator for a rule in %s", map[string]string{"sudo": "sudoers", "doas": "doas.conf"}[m.Name])}
}

// Denied is the failure when Windows' question was answered with no, or by a
// policy or a missing desktop in the user's place.
func Denied(err error) *step.Failure {
	return &step.Failure{Kind: step.Refused, Err: err,
		Cause: lang.T("you said no to Windows' question for administrator rights (or nobody could be asked)"),
		Next:  lang.T("run deployctl again and say yes, or start it from a terminal opened with \"Run as administrator\"")}
}

// Explain recognises what sudo, doas and pkexec say when they refuse; nil when
// the lines are not theirs. Texts: sudo 1.9, doas 6.8 (opendoas), polkit 122.
func Explain(lines []string) *step.Failure {
	for _, line := range lines {
		l := strings.TrimSpace(line)
		f := &step.Failure{Kind: step.Refused, Detail: []string{step.Clean(l, 300)}}
		switch {
		case strings.HasPrefix(l, "sudo: ") && (strings.Contains(l, "a password is required") || strings.Contains(l, "a terminal is required")),
			strings.HasPrefix(l, "doas: ") && strings.Contains(strings.ToLower(l), "authentication required"),
			strings.HasPrefix(l, "doas: ") && strings.Contains(l, "a tty is required"):
			f.Cause = lang.T("becoming root needs a password and there is no terminal to ask on")
			f.Next = lang.T("run deployctl in a terminal or as root, or allow this user without a password")
		case strings.Contains(l, "is not in the sudoers file"), strings.HasPrefix(l, "Sorry, user "),
			strings.HasPrefix(l, "sudo: ") && strings.Contains(l, "is not allowed"),
			strings.HasPrefix(l, "doas: ") && strings.Contains(l, "not permitted"):
			f.Cause = lang.T("this user may not become root")
			f.Next = lang.T("run deployctl as root, or ask the administrator to add this user to sudoers or doas.conf")
		case strings.HasPrefix(l, "sudo: ") && strings.Contains(l, "no new privileges"):
			f.Cause = lang.T("sudo cannot work here: the \"no new privileges\" flag is set (a container started that way)")
			f.Next = lang.T("run deployctl as root in the container")
		case strings.HasPrefix(l, "Error executing command as another user: Not authorized"),
			strings.HasPrefix(l, "Error executing command as another user: Request dismissed"):
			f.Cause = lang.T("pkexec did not authorize the step")
			f.Next = lang.T("run deployctl as root, or in a desktop session where the question can be answered")
		default:
			continue
		}
		return f
	}
	return nil
}

func clean(lines []string) []string {
	var out []string
	for _, l := range lines {
		if c := step.Clean(l, 300); c != "" && len(out) < 5 {
			out = append(out, c)
		}
	}
	return out
}
