package host_test

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

func TestSystemPath(t *testing.T) {
	h := hosttest.Parse(t, "-- env --\nPATH=/home/me/bin:/usr/bin\n-- exec /home/me/bin/apt-get --\n-- exec /usr/bin/apt-get --\n-- exec /home/me/bin/other --\n")
	if got := h.SystemPath(t.Context(), "apt-get"); got != "/usr/bin/apt-get" {
		t.Errorf("apt-get: %q", got)
	}
	if got := h.SystemPath(t.Context(), "other"); got != "" {
		t.Errorf("a program that only the user's PATH has: %q", got)
	}
}

func TestMachineFolder(t *testing.T) {
	env := "-- platform --\nwindows/amd64\n-- env --\nProgramFiles(x86)=C:\\Users\\u\nProgramData=C:\\Users\\u\nSystemRoot=C:\\Users\\u\n"
	for _, c := range []struct{ name, host, variable, want string }{
		{"no registry", env, "ProgramFiles(x86)", `C:\Program Files (x86)`},
		{"another drive", env + "-- reg 64 HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion --\nProgramFilesDir (x86)=D:\\P\n", "ProgramFiles(x86)", `D:\P`},
		{"the drive of Windows", env + "-- reg 64 HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion --\nSystemRoot=E:\\Windows\n" +
			"-- reg 64 HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList --\nProgramData=%SystemDrive%\\ProgramData\n", "ProgramData", `E:\ProgramData`},
		{"not set", env, "ChocolateyInstall", ""},
	} {
		if got := hosttest.Parse(t, c.host).MachineFolder(t.Context(), c.variable); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}
