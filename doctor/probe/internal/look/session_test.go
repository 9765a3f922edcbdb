package look

import (
	"context"
	"slices"
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestStalePath: a folder that an installer put on PATH after this session began is in
// the registry alone; of the machine's part, the user's, and with another variable in it.
func TestStalePath(t *testing.T) {
	h := hosttest.Parse(t, `-- platform --
windows/amd64
-- env --
PATH=C:\Windows\System32
SystemRoot=C:\Windows
-- reg 64 HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment --
Path=C:\Windows\System32;C:\CMake\bin;C:\gone\bin
-- reg 64 HKCU\Environment --
Path=%TOOLS%\bin
TOOLS=D:\tools
-- exec C:\CMake\bin\cmake.exe --
MZ
-- exec D:\tools\bin\go.exe --
MZ
`)
	dirs, values, err := StalePath(context.Background(), h)
	if want := []string{`C:\CMake\bin`, `D:\tools\bin`}; err != nil || !slices.Equal(dirs, want) || values["tools"] != `D:\tools` {
		t.Errorf("%v, %v, %v; want %v", dirs, values, err, want)
	}
}
