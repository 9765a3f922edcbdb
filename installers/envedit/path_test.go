package envedit

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
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
