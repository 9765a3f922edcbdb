package export

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/step"
)

// TestPowerShellMeanings: the script knows every exit status that deployctl explains.
func TestPowerShellMeanings(t *testing.T) {
	inside := func(code uint32) bool {
		return slices.ContainsFunc(codeRanges, func(r [2]uint32) bool { return r[0] <= code && code <= r[1] })
	}
	for _, name := range []string{"winget", "choco", "scoop", "feature", "visual-studio"} {
		m := installers.ManagerOf(name)
		known := 0
		for _, r := range [][2]uint32{{1, 20000}, {0x8A150000, 0x8A151000}, {0x800F0000, 0x800F1000}, {0x80070000, 0x80073000}, {0xC0000000, 0xC0006000}} {
			for code := r[0]; code <= r[1]; code++ {
				text := meaning(m, code)
				if text == "" {
					continue
				}
				known++
				if !inside(code) {
					t.Errorf("%s: %#x (%s) is in no range", name, code, text)
				}
			}
		}
		if known < 30 {
			t.Errorf("%s explains %d statuses only", name, known)
		}
	}
}

// windowsInstall is the script of a plan that installs by a manager of Windows.
func windowsInstall(t *testing.T, manager string, packages ...string) string {
	t.Helper()
	m := installers.ManagerOf(manager)
	s := installers.Step{ID: manager + ".install", Title: "Install", Mechanism: manager, Action: step.Install, Packages: packages, Argv: append([]string{m.Tool}, m.Install(packages)...)}
	if m.Admin {
		s.Needs = []step.Need{step.Admin}
	}
	var b bytes.Buffer
	if err := Write(&b, PowerShell, &installers.Plan{Steps: []installers.Step{s}}, About{OS: facts.OS{Family: "windows", ID: "windows"}}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPowerShellInstalls: the parts of a script that installs on Windows, in their
// order: it can be told of a restart, knows what statuses mean, asks for rights once,
// then installs, and says at the end that a restart is due.
func TestPowerShellInstalls(t *testing.T) {
	text := windowsInstall(t, "winget", "OpenJS.NodeJS")
	at := 0
	for _, part := range []string{
		"param([switch] $Restart", "trap {", "$script:RestartDue = $true",
		"$Meanings['winget'] = @{}", "-1978335215", "$Meanings['msiexec'] = @{}", "(1603)",
		"-Verb RunAs", "if ($env:OS -eq 'Windows_NT') { Start-AsAdministrator }",
		"'--exact'", " @(-1978335135, -1978335189)", "if ($script:RestartDue) {", "exit 3010",
	} {
		i := strings.Index(text[at:], part)
		if i < 0 {
			t.Fatalf("no %q after byte %d of:\n%s", part, at, text)
		}
		at += i
	}
	if n := strings.Count(text, "Start-AsAdministrator }"); n != 1 {
		t.Errorf("it asks for administrator rights %d times", n)
	}
	for _, word := range []string{"deployctl again", "run deployctl", "sudo "} {
		if _, script, ok := strings.Cut(text, "param("); ok && strings.Contains(script, word) {
			t.Errorf("the script says %q", word)
		}
	}
}
