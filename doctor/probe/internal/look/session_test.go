package look

import (
	"slices"
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestStalePath: what the registry has on PATH and the session has not.
func TestStalePath(t *testing.T) {
	h := hosttest.Parse(t, `-- platform --
windows/amd64
-- env --
PATH=C:\Windows;C:\Go\bin\
SystemRoot=C:\Windows
USERPROFILE=C:\Users\ada
-- reg 64 HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment --
Path=%SystemRoot%;"C:\opencv\bin";C:\gone;%CV%\x64\bin;relative
CV=C:\cv
-- reg 64 HKCU\Environment --
PATH=%USERPROFILE%\bin;c:\go\bin
-- file C:\opencv\bin\a.dll --
-- file C:\cv\x64\bin\a.dll --
-- file C:\Users\ada\bin\a.exe --
-- file C:\Go\bin\go.exe --
-- file C:\Windows\explorer.exe --
`)
	dirs, values, err := StalePath(t.Context(), h)
	if want := []string{`C:\opencv\bin`, `C:\cv\x64\bin`, `C:\Users\ada\bin`}; err != nil || !slices.Equal(dirs, want) || values["cv"] != `C:\cv` {
		t.Errorf("%v, %v, %v; want %v", dirs, values, err, want)
	}
}
