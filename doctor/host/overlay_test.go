package host_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// asking keeps the environment of each command.
type asking struct {
	host.World
	env [][]string
}

func (a *asking) Run(_ context.Context, cmd host.Command) (host.Output, error) {
	a.env = append(a.env, cmd.Env)
	return host.Output{}, nil
}

func TestOverlay(t *testing.T) {
	plain := hosttest.Parse(t, "-- env --\nPATH=/usr/bin\nHOME=/home/u\n-- exec /usr/bin/tool --\n-- exec /opt/x/tool --\n")
	w := &asking{World: plain.World}
	h := host.Overlay(&host.Host{World: w, OS: plain.OS, Arch: plain.Arch, Self: "/self"}, map[string]string{"PATH": "/opt/x:/usr/bin", "X_DIR": "/opt/x"})

	if h.Env("PATH") != "/opt/x:/usr/bin" || h.Env("X_DIR") != "/opt/x" || h.Env("HOME") != "/home/u" || h.OS != "linux" || h.Self != "/self" {
		t.Errorf("PATH %q, X_DIR %q, HOME %q, %s, %s", h.Env("PATH"), h.Env("X_DIR"), h.Env("HOME"), h.OS, h.Self)
	}
	if _, ok := h.Getenv("path"); ok {
		t.Error("path is another variable than PATH on Linux")
	}
	if diff := cmp.Diff([]string{"/opt/x/tool", "/usr/bin/tool"}, h.LookPath(t.Context(), "tool")); diff != "" {
		t.Errorf("lookup (-want +got):\n%s", diff)
	}

	given := []string{"X_DIR=/mine"}
	for _, env := range [][]string{nil, given} {
		if _, err := h.Run(t.Context(), host.Command{Argv: []string{"/usr/bin/tool"}, Env: env}); err != nil {
			t.Fatal(err)
		}
	}
	want := [][]string{{"PATH=/opt/x:/usr/bin", "X_DIR=/opt/x"}, {"PATH=/opt/x:/usr/bin", "X_DIR=/opt/x", "X_DIR=/mine"}}
	if diff := cmp.Diff(want, w.env); diff != "" {
		t.Errorf("environment of commands (-want +got):\n%s", diff)
	}
	if len(given) != 1 {
		t.Error("the caller's list was changed")
	}
}

// TestOverlayChild runs a real process: what the caller gives wins.
func TestOverlayChild(t *testing.T) {
	live := host.Live()
	sh := live.LookPath(t.Context(), "sh")
	if len(sh) == 0 {
		t.Skip("no sh here")
	}
	h := host.Overlay(live, map[string]string{"DEPLOYCTL_A": "over", "DEPLOYCTL_B": "over"})
	out, err := h.Run(t.Context(), host.Command{Argv: []string{sh[0], "-c", `echo "$DEPLOYCTL_A $DEPLOYCTL_B"`}, Env: []string{"DEPLOYCTL_B=given"}})
	if err != nil || string(out.Stdout) != "over given\n" {
		t.Errorf("child saw %q, %v", out.Stdout, err)
	}
}

func TestOverlayOnWindowsIgnoresCase(t *testing.T) {
	h := host.Overlay(hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- env --\nPath=C:\\Windows\n"), map[string]string{"PATH": `C:\x;C:\Windows`})
	if got := h.Env("Path"); got != `C:\x;C:\Windows` {
		t.Errorf("Path is %q", got)
	}
}
