package elevate

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/step"
)

func TestFind(t *testing.T) {
	ctx := context.Background()
	both := hosttest.Parse(t, "-- env --\nPATH=/usr/bin\n-- exec /usr/bin/doas --\n-- exec /usr/bin/sudo --\n-- exec /usr/bin/pkexec --\n")
	m, err := Find(ctx, both, facts.User{})
	if err != nil || m.Name != "sudo" || m.Path != "/usr/bin/sudo" {
		t.Errorf("got %+v, %v", m, err)
	}
	if m, err = Find(ctx, both, facts.User{Admin: true}); err != nil || m.Name != "" {
		t.Errorf("root: got %+v, %v", m, err)
	}
	// A sudo of the user's own could keep the password.
	own := hosttest.Parse(t, "-- env --\nPATH=/home/me/bin:/usr/bin\n-- exec /home/me/bin/sudo --\n-- exec /usr/bin/doas --\n")
	if m, err = Find(ctx, own, facts.User{}); err != nil || m.Path != "/usr/bin/doas" {
		t.Errorf("sudo on the user's PATH: got %+v, %v", m, err)
	}
	_, err = Find(ctx, hosttest.Empty("linux", "amd64"), facts.User{})
	var f *step.Failure
	if !errors.As(err, &f) || f.Kind != step.NoPrivilege || f.Next == "" {
		t.Errorf("got %v", err)
	}
	m, err = Find(ctx, hosttest.Empty("windows", "amd64"), facts.User{})
	if err != nil || !m.UAC() || m.Ready(ctx, hosttest.Empty("windows", "amd64"), nil) != nil {
		t.Errorf("windows: got %+v, %v", m, err)
	}
}

func TestWrap(t *testing.T) {
	argv := []string{"/usr/bin/apt-get", "update"}
	for _, c := range []struct {
		m    Method
		want string
	}{
		{Method{}, "/usr/bin/apt-get update"},
		{Method{Name: "uac"}, "/usr/bin/apt-get update"},
		{Method{Name: "sudo", Path: "/usr/bin/sudo"}, "/usr/bin/sudo -n -- /usr/bin/apt-get update"},
		{Method{Name: "doas", Path: "/usr/bin/doas"}, "/usr/bin/doas -n -- /usr/bin/apt-get update"},
		{Method{Name: "pkexec", Path: "/usr/bin/pkexec"}, "/usr/bin/pkexec --disable-internal-agent /usr/bin/apt-get update"},
	} {
		if d := cmp.Diff(c.want, strings.Join(c.m.Wrap(argv), " ")); d != "" {
			t.Error(d)
		}
	}
}

// sudo answers Run as sudo -n would; ok changes once the password was given.
type sudo struct {
	host.World
	ok   bool
	said string
}

func (s *sudo) Run(context.Context, host.Command) (host.Output, error) {
	if s.ok {
		return host.Output{}, nil
	}
	return host.Output{Exit: 1, Stderr: []byte(s.said)}, nil
}

func TestReady(t *testing.T) {
	ctx := context.Background()
	m := Method{Name: "sudo", Path: "/usr/bin/sudo"}
	w := &sudo{said: "sudo: a password is required\n"}
	h := &host.Host{World: w, OS: "linux", Arch: "amd64"}
	kind := func(err error) step.Kind {
		var f *step.Failure
		if errors.As(err, &f) {
			return f.Kind
		}
		return ""
	}
	if err := m.Ready(ctx, h, nil); kind(err) != step.Refused || !strings.Contains(err.Error(), "no terminal") {
		t.Errorf("without a terminal: %v", err)
	}
	if err := m.Ready(ctx, h, func(context.Context, []string) error { return errors.New("exit status 1") }); kind(err) != step.Refused {
		t.Errorf("wrong password: %v", err)
	}
	if err := m.Ready(ctx, h, func(context.Context, []string) error { return nil }); kind(err) != step.Refused || !strings.Contains(err.Error(), "does not remember") {
		t.Errorf("not remembered: %v", err)
	}
	var asked []string
	if err := m.Ready(ctx, h, func(_ context.Context, argv []string) error { asked, w.ok = argv, true; return nil }); err != nil {
		t.Errorf("right password: %v", err)
	}
	if d := cmp.Diff([]string{"/usr/bin/sudo", "-v"}, asked); d != "" {
		t.Error(d)
	}
	if err := m.Ready(ctx, h, nil); err != nil {
		t.Errorf("remembered: %v", err)
	}
}

// rules answers "sudo -n -l -- COMMAND" for the commands that begin so.
type rules struct {
	host.World
	allowed []string
}

func (r rules) Run(_ context.Context, c host.Command) (host.Output, error) {
	command := strings.TrimPrefix(strings.Join(c.Argv, " "), "/usr/bin/sudo -n -l -- ")
	for _, a := range r.allowed {
		if strings.HasPrefix(command, a) {
			return host.Output{Stdout: []byte(command)}, nil
		}
	}
	return host.Output{Exit: 1}, nil
}

// A sudoers rule for the package manager alone is enough; one for everything
// keeps the environment in the command.
func TestForRules(t *testing.T) {
	install := []string{"/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "/usr/bin/apt-get", "install", "--", "g++"}
	linker := []string{"/usr/sbin/ldconfig"}
	for _, c := range []struct {
		allowed  []string
		commands [][]string
		want     string // the first command as it runs
	}{
		{[]string{"/"}, [][]string{install, linker}, "/usr/bin/sudo -n -- /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C /usr/bin/apt-get install -- g++"},
		{[]string{"/usr/bin/apt-get"}, [][]string{install}, "/usr/bin/sudo -n -- /usr/bin/apt-get install -- g++"},
		{[]string{"/usr/bin/apt-get"}, [][]string{install, linker}, "/usr/bin/sudo -n -- /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C /usr/bin/apt-get install -- g++"},
		{nil, [][]string{install}, "/usr/bin/sudo -n -- /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C /usr/bin/apt-get install -- g++"},
	} {
		h := &host.Host{World: rules{allowed: c.allowed}, OS: "linux", Arch: "amd64"}
		m := Method{Name: "sudo", Path: "/usr/bin/sudo"}.For(context.Background(), h, c.commands)
		if d := cmp.Diff(c.want, strings.Join(m.Wrap(install), " ")); d != "" {
			t.Errorf("allowed %q: %s", c.allowed, d)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, line := range []string{
		"sudo: a password is required",
		"sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper",
		"u2 is not in the sudoers file.  This incident will be reported.",
		"Sorry, user u2 is not allowed to execute '/usr/bin/env' as root on vm.",
		"doas: Authentication required", "doas: Operation not permitted", "doas: a tty is required",
		"sudo: The \"no new privileges\" flag is set, which prevents sudo from running as root.",
		"Error executing command as another user: Not authorized",
	} {
		if f := Explain([]string{"noise", line}); f == nil || f.Kind != step.Refused || f.Cause == "" || f.Next == "" {
			t.Errorf("%q: %+v", line, f)
		}
	}
	if f := Explain([]string{"E: Unable to locate package sudo", "Setting up sudo: done"}); f != nil {
		t.Errorf("not a refusal: %+v", f)
	}
}
