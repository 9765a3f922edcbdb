package export

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// codeRanges hold the exit statuses that Windows' installers may end with and that
// deployctl explains: system errors and Windows Installer's, winget's, those of
// servicing, HRESULTs of system errors and WinINet, NTSTATUS, Visual Studio's.
// TestPowerShellMeanings looks for explained ones outside of them.
var codeRanges = [][2]uint32{
	{1, 10000}, {0x8A150000, 0x8A150200}, {0x800F0800, 0x800F0FFF}, {0x80070000, 0x80070100}, {0x80072E00, 0x80072FFF}, {0xC0000000, 0xC0000200}, {0xC0005200, 0xC0005300},
}

// meaning is what a manager's exit status means, "" where only its number is known.
func meaning(m *pkgmgr.Manager, code uint32) string {
	f := m.Explain(int(code), nil)
	if f == nil || f.StatusOnly {
		return ""
	}
	text := f.Cause
	if f.Next != "" {
		text = lang.F("%s. %s", f.Cause, lang.Sentence(f.Next))
	}
	return strings.NewReplacer(lang.T("Run deployctl"), lang.T("Run this script"), lang.T("run deployctl"), lang.T("run this script")).Replace(text)
}

// meanings are the lines that fill $Meanings: for each program that the tasks run,
// what its exit statuses mean. 'msiexec' stands for any other program.
func meanings(tasks []task) (lines []string) {
	for _, name := range []string{"winget", "choco", "scoop", "feature", "visual-studio"} {
		m := installers.ManagerOf(name)
		tool := strings.TrimSuffix(m.Tool, ".exe")
		if !slices.ContainsFunc(tasks, func(t task) bool {
			return t.by != nil && t.by.Name == m.Name || strings.Contains(strings.Join(t.windows, "\n"), powerShellWord(m.Tool)) || m.Path != "" && strings.Contains(strings.Join(t.windows, "\n"), powerShellWord(m.Path))
		}) {
			continue
		}
		lines = append(lines, meaningLines(tool, func(code uint32) string { return meaning(m, code) })...)
	}
	explain := pkgmgr.WindowsExplainer("it", nil, nil)
	return append(lines, meaningLines("msiexec", func(code uint32) string {
		return meaning(&pkgmgr.Manager{Explain: explain}, code)
	})...)
}

// meaningLines are the statuses of one program, those that mean the same in a line.
func meaningLines(tool string, of func(uint32) string) (lines []string) {
	codes := map[string][]string{}
	var order []string
	for _, r := range codeRanges {
		for code := r[0]; code <= r[1]; code++ {
			text := of(code)
			if text == "" {
				continue
			}
			if codes[text] == nil {
				order = append(order, text)
			}
			codes[text] = append(codes[text], fmt.Sprint(int32(code))) // .NET's have a sign
		}
	}
	if len(order) == 0 {
		return nil
	}
	lines = append(lines, "$Meanings["+powerShellWord(tool)+"] = @{}")
	for _, text := range order {
		lines = append(lines, "foreach ($code in @("+strings.Join(codes[text], ", ")+")) { $Meanings["+powerShellWord(tool)+"][$code] = "+powerShellWord(text)+" }")
	}
	return lines
}
