package winget

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

func TestParseRow(t *testing.T) {
	for _, c := range []struct{ name, text, id, want string }{
		{"English", "Name   Id            Version  Available Source\n---------------------------------------------\nCMake  Kitware.CMake 3.30.1   3.31.0    winget\n", "Kitware.CMake", "3.30.1"},
		{"German, with a spinner before it", "\r   - \r   \\ \rName                ID      Version Verfügbar Quelle\r\n-----\r\nGit                 Git.Git 2.47.0  2.47.1    winget\r\n", "Git.Git", "2.47.0"},
		{"Japanese", "名前  ID            バージョン ソース\n---------------\nCMake  Kitware.CMake 3.30.1     winget\n", "Kitware.CMake", "3.30.1"},
		{"limit", "Foo Bar   Foo.Bar   < 3.1  winget", "Foo.Bar", "3.1"},
		{"name is the id", "Foo.Bar Foo.Bar 1.0 winget", "Foo.Bar", "1.0"},
		{"other case", "CMake kitware.cmake 3.1 winget", "Kitware.CMake", "3.1"},
		{"id cut", "Visual Studio Build Tools 2022 Microsoft.VisualStudio.2022.Buil… 17.12.3 winget", "Microsoft.VisualStudio.2022.BuildTools", "unknown"},
		{"another one's prefix", "CMake Kitware.CMake.RC 4.0 winget", "Kitware.CMake", "unknown"},
		{"nothing", "", "Kitware.CMake", "unknown"},
	} {
		if got := ParseRow(c.text, c.id); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}

func TestLook(t *testing.T) {
	ask := func(exit, id string) string {
		return `-- run "C:\\Users\\u\\AppData\\Local\\Microsoft\\WindowsApps\\winget.exe" "list" "--exact" "--id" "` + id + `" "--accept-source-agreements" "--disable-interactivity" --` + "\n#exit " + exit + "\n"
	}
	h := hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- env --\nLOCALAPPDATA=C:\\Users\\u\\AppData\\Local\n"+
		ask("0", "Git.Git")+"Git  Git.Git 2.47.0 winget\n"+ask("2316632084", "Kitware.CMake")+"No installed package found\n"+ask("2316632079", "A.B")+"x\n")
	got, err := look(context.Background(), h, []string{"Git.Git", "Kitware.CMake"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]pkgmgr.Installed{"Git.Git": {Version: "2.47.0", Ready: true}}, got); d != "" {
		t.Error(d)
	}
	_, err = look(context.Background(), h, []string{"A.B"})
	var f *step.Failure
	if !errors.As(err, &f) || f.Kind != step.NoNetwork {
		t.Errorf("sources that cannot be opened: %v", err)
	}
}

// TestUnstarted: an alias whose program is not there is no package manager; a snapshot
// that does not say is no proof of that.
func TestUnstarted(t *testing.T) {
	const machine = "-- platform --\nwindows/amd64\n-- env --\nLOCALAPPDATA=C:\\Users\\u\\AppData\\Local\n-- exec C:\\Users\\u\\AppData\\Local\\Microsoft\\WindowsApps\\winget.exe --\n"
	_, err := look(t.Context(), hosttest.Parse(t, machine+`-- run "C:\\Users\\u\\AppData\\Local\\Microsoft\\WindowsApps\\winget.exe" "list" "--exact" "--id" "A.B" "--accept-source-agreements" "--disable-interactivity" --`+"\n#error The file cannot be accessed by the system.\n"), []string{"A.B"})
	var f *step.Failure
	if !errors.As(err, &f) || f.Kind != step.Unusable || !strings.Contains(f.Error(), "App Installer") {
		t.Errorf("an alias that cannot be started: %v", err)
	}
	if _, err = look(t.Context(), hosttest.Parse(t, machine), []string{"A.B"}); err == nil || errors.As(err, &f) {
		t.Errorf("a snapshot that does not say: %v", err)
	}
}

func TestWhere(t *testing.T) {
	const alias = `C:\Users\u\AppData\Local\Microsoft\WindowsApps\winget.exe`
	user := "-- platform --\nwindows/amd64\n-- env --\nLOCALAPPDATA=C:\\Users\\u\\AppData\\Local\nProgramFiles=C:\\Users\\u\\Fake\n-- exec " + alias + " --\n" +
		"-- exec C:\\Users\\u\\Fake\\WindowsApps\\Microsoft.DesktopAppInstaller_9.9.1.0_x64__8wekyb3d8bbwe\\winget.exe --\n"
	if got := Where(t.Context(), hosttest.Parse(t, user)); got != alias {
		t.Errorf("a user, with a variable that leads to a folder of his own: %q", got)
	}
	const apps = `D:\Programs\WindowsApps\Microsoft.DesktopAppInstaller_`
	elevated := user + "-- reg 64 HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion --\nProgramFilesDir=D:\\Programs\n" +
		"-- exec " + apps + "1.9.2.0_x64__8wekyb3d8bbwe\\winget.exe --\n-- exec " + apps + "1.24.1.0_x64__8wekyb3d8bbwe\\winget.exe --\n"
	if got := Where(t.Context(), hosttest.Parse(t, elevated)); got != apps+`1.24.1.0_x64__8wekyb3d8bbwe\winget.exe` {
		t.Errorf("an elevated administrator: %q", got)
	}
}

func TestCodes(t *testing.T) {
	for exit, kind := range map[int]step.Kind{
		0x8A150008: step.NoNetwork, 0x8A150010: step.Conflict, 0x8A150011: step.Untrusted, 0x8A150014: step.NotFound, 0x8A150019: step.NoPrivilege,
		0x8A15003A: step.Refused, 0x8A150101: step.Locked, 0x8A150102: step.Locked, 0x8A150105: step.DiskFull, 0x8A15010A: step.Interrupted, 0x8A15010C: step.Cancelled,
		-1978335212: step.NotFound,
	} {
		if f := Manager().Explain(exit, nil); f.Kind != kind || f.Next == "" {
			t.Errorf("%#x: %+v", uint32(exit), f)
		}
	}
	if f := Manager().Explain(0x8A150023, nil); f.Kind != step.Other || !strings.Contains(f.Cause, "0x8A150023") {
		t.Errorf("%+v", f)
	}
}

func FuzzParseRow(f *testing.F) {
	f.Add("CMake Kitware.CMake 3.30.1 winget", "Kitware.CMake")
	f.Add("a < ", "a")
	f.Fuzz(func(t *testing.T, text, id string) {
		if v := ParseRow(text, id); strings.ContainsAny(v, "\n\r\x1b") || len([]rune(v)) > 101 {
			t.Errorf("%q", v)
		}
	})
}
