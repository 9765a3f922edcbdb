package envedit

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/step"
)

func TestNewPath(t *testing.T) {
	h := hosttest.Parse(t, `
-- platform --
windows/amd64
-- env --
PATH=C:\Windows;C:\Go\bin
SystemRoot=C:\Windows
-- reg 64 HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment --
Path=%SystemRoot%;c:\go\bin\;C:\Program Files\CMake\bin
-- reg 64 HKCU\Environment --
Path=C:\Users\u\shims;%NONE%\x
`)
	got, ok := NewPath(t.Context(), h)
	if want := `C:\Windows;C:\Go\bin;C:\Program Files\CMake\bin;C:\Users\u\shims;%NONE%\x`; !ok || got != want {
		t.Errorf("got %q, %v; want %q", got, ok, want)
	}
	for name, text := range map[string]string{
		"nothing new": "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\Windows\n-- reg 64 HKCU\\Environment --\nPath=c:\\windows\\\n",
		"no registry": "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\Windows\n",
		"not Windows": "-- env --\nPATH=/usr/bin\n",
	} {
		if got, ok := NewPath(t.Context(), hosttest.Parse(t, text)); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestKept: what the registry has no more is in no new session; elsewhere, and where it
// cannot be read, the history is what there is.
func TestKept(t *testing.T) {
	edits := []step.Env{{Name: "PATH", Value: `C:\a\lib`, Prepend: true}, {Name: "Path", Value: `C:\gone\lib`, Prepend: true}, {Name: "VARIABLE", Value: "1"}, {Name: "OTHER", Value: "2"}}
	const machine = "-- reg 64 HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment --\nVariable=1\nOTHER=3\n"
	h := hosttest.Parse(t, "-- platform --\nwindows/amd64\n"+machine+"-- reg 64 HKCU\\Environment --\nPath=C:\\b;c:\\A\\lib\\\n")
	if d := cmp.Diff([]step.Env{edits[0], edits[2]}, Kept(t.Context(), h, edits)); d != "" {
		t.Error(d)
	}
	for name, text := range map[string]string{"no registry": "-- platform --\nwindows/amd64\n", "not Windows": "-- env --\nPATH=/usr/bin\n"} {
		if d := cmp.Diff(edits, Kept(t.Context(), hosttest.Parse(t, text), edits)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
