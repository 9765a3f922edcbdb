package pkgmgr

import (
	"context"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
)

func TestParseNameVersion(t *testing.T) {
	got := ParseNameVersion("cmake 3.28.1-2.fc39\n\nbroken\nopencv 4.9.0_7 4.8.0\n")
	want := map[string]Installed{"cmake": {Version: "3.28.1-2.fc39", Ready: true}, "opencv": {Version: "4.9.0_7", Ready: true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func FuzzParseNameVersion(f *testing.F) {
	f.Add("a 1\nb")
	f.Fuzz(func(t *testing.T, text string) {
		for name, p := range ParseNameVersion(text) {
			if name == "" || p.Version == "" {
				t.Errorf("%q: %+v", name, p)
			}
		}
	})
}

func TestFindLooksForRootsToolsInTheSystemsFolders(t *testing.T) {
	h := hosttest.Parse(t, "-- env --\nPATH=/home/me/bin:/usr/bin\n-- exec /home/me/bin/tool --\n-- exec /usr/bin/tool --\n")
	m := &Manager{Tool: "tool", Path: "/usr/bin/tool", Admin: true}
	if got := m.Find(t.Context(), h); got != "/usr/bin/tool" {
		t.Errorf("as root: %s", got)
	}
	if m.Admin = false; m.Find(t.Context(), h) != "/home/me/bin/tool" {
		t.Errorf("as the user: %s", m.Find(t.Context(), h))
	}
}

// TestUndoFinishesWhatWasInterrupted: while dpkg's journal is there, it refuses
// to remove anything.
func TestUndoFinishesWhatWasInterrupted(t *testing.T) {
	for _, pending := range []bool{true, false} {
		m := Mechanism{Host: hosttest.Empty("linux", "amd64"), Manager: &Manager{Name: "apt", Tool: "apt-get", Path: "/usr/bin/apt-get",
			Valid: regexp.MustCompile("."),
			Installed: func(context.Context, *host.Host) (map[string]Installed, error) {
				return map[string]Installed{"nasm": {Version: "2", Ready: true}}, nil
			},
			Damage:    func(context.Context, *host.Host) (Damage, error) { return Damage{Journal: pending}, nil },
			Configure: func() []string { return []string{"/usr/bin/dpkg", "--configure", "-a"} },
			Remove:    func(names []string, _ bool) []string { return append([]string{"remove"}, names...) },
		}}
		u, err := m.Undo(t.Context(), []mechanism.Made{{Key: "1", Step: step.Step{Mechanism: "apt"}, Added: []step.Package{{Name: "nasm", Version: "2"}}}}, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []step.Action
		for _, b := range u.Steps {
			got = append(got, b.Step.Action)
		}
		want := []step.Action{step.Configure, step.Remove}
		if !pending {
			want = want[1:]
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("pending %v: %s", pending, d)
		}
	}
}
