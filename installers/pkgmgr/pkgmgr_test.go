package pkgmgr

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
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
