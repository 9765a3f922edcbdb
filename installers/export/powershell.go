package export

import (
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// powerShellWord quotes for PowerShell. In a single-quoted string only a single
// quote is special, and PowerShell takes the typographic ones U+2018, U+2019,
// U+201A and U+201B for the same; each is doubled (about_Quoting_Rules).
func powerShellWord(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range s {
		if r == '\'' || r >= 0x2018 && r <= 0x201b {
			b.WriteRune(r)
		}
		b.WriteRune(r)
	}
	b.WriteByte('\'')
	return b.String()
}

// Commands are started by the .NET class and not by the call operator: before
// PowerShell 7.3 that loses empty arguments and quotes inside arguments. Where
// ArgumentList is missing (Windows PowerShell 5.1) the words are joined by the
// rules that Windows programs split by (CommandLineToArgvW).
const powerShellRun = `$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2.0

function Join-Argument([string] $Word) {
    if ($Word -ne '' -and $Word -notmatch '[\s"]') { return $Word }
    $out = [regex]::Replace($Word, '(\\*)"', '$1$1\"')
    $out = [regex]::Replace($out, '(\\+)\z', '$1$1')
    return '"' + $out + '"'
}

# $Fine are exit statuses that mean success besides 0, $Restart those that mean
# success after a restart: 3010 and 1641 are the Windows Installer's.
function Invoke-Argv([string[]] $Argv, [int[]] $Fine = @(), [int[]] $Restart = @(3010, 1641)) {
    $info = New-Object System.Diagnostics.ProcessStartInfo
    $info.FileName = $Argv[0]
    $info.UseShellExecute = $false
    $rest = @($Argv | Select-Object -Skip 1)
    if ($info.PSObject.Properties['ArgumentList']) {
        foreach ($word in $rest) { $info.ArgumentList.Add($word) }
    } else {
        $info.Arguments = (@($rest | ForEach-Object { Join-Argument $_ }) -join ' ')
    }
    $process = [System.Diagnostics.Process]::Start($info)
    $process.WaitForExit()
    if ($Restart -contains $process.ExitCode) {
        Write-Warning ($Argv[0] + ': done; restart the machine before you go on')
    } elseif ($process.ExitCode -ne 0 -and $Fine -notcontains $process.ExitCode) {
        throw ($Argv[0] + ' ended with exit status ' + $process.ExitCode)
    }
}`

const powerShellAdministrator = `
function Assert-Administrator {
    $me = New-Object System.Security.Principal.WindowsPrincipal ([System.Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $me.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)) {
        throw 'this step needs administrator rights: start PowerShell with "Run as administrator" and run the script again'
    }
}`

const powerShellRoot = `
function Invoke-AsRoot([string[]] $Argv, [int[]] $Fine = @(), [int[]] $Restart = @(3010, 1641)) {
    if ($env:OS -eq 'Windows_NT') {
        Assert-Administrator
        Invoke-Argv $Argv $Fine $Restart
    } elseif ((& id -u) -eq '0') {
        Invoke-Argv $Argv $Fine $Restart
    } elseif (Get-Command sudo -ErrorAction SilentlyContinue) {
        Invoke-Argv (@('sudo', '--') + $Argv) $Fine $Restart
    } else {
        throw 'this step needs root and sudo is not installed: run the script as root'
    }
}`

func writePowerShell(p *page, tasks []task) {
	// Windows PowerShell 5.1 reads a file without a mark in the machine's code
	// page, where the bytes of one character can become a quote.
	if slices.ContainsFunc(tasks, func(t task) bool {
		return !ascii(t.title) || !ascii(strings.Join(t.argv, "")+strings.Join(t.windows, ""))
	}) {
		p.WriteRune(0xfeff) //nolint:errcheck // kept by the bufio.Writer until Flush
	}
	p.head(tasks)
	p.line("%s", powerShellRun)
	text := func(t task) string { return strings.Join(t.windows, "\n") }
	asRoot := slices.ContainsFunc(tasks, func(t task) bool { return t.admin || strings.Contains(text(t), "Invoke-AsRoot") })
	change := slices.ContainsFunc(tasks, func(t task) bool { return t.change })
	if asRoot || change {
		p.line("%s", powerShellAdministrator)
	}
	if asRoot {
		p.line("%s", powerShellRoot)
	}
	onFiles := slices.ContainsFunc(tasks, task.onFiles)
	if onFiles {
		changes := ""
		if change {
			changes = powerShellChanges
		}
		p.line("%s%s%s\n\ntry {", powerShellFiles, powerShellRemember, changes)
	}
	if said := p.nothing(); len(tasks) == 0 && said != "" {
		p.line("\n[System.Console]::Error.WriteLine(%s)\nexit 3", powerShellWord(said))
	} else if len(tasks) == 0 {
		p.line("\n# Nothing to do.")
	}
	for i, t := range tasks {
		p.line("")
		p.explain("", i, len(tasks), t)
		if t.windows != nil {
			p.line("Write-Host %s", powerShellWord("== "+t.title))
			p.line("%s", strings.Join(t.windows, "\n"))
			continue
		}
		verb := "Invoke-Argv"
		if t.admin {
			verb = "Invoke-AsRoot"
		}
		words := make([]string, len(t.argv))
		for i, a := range t.argv {
			words[i] = powerShellWord(a)
			if i < len(t.argv)-1 {
				words[i] += ","
			}
		}
		p.line("Write-Host %s", powerShellWord("== "+t.title))
		p.line("%s @(\n    %s\n)%s", verb, strings.Join(foldWords(words, 92), "\n    "), powerShellExits(t.by))
	}
	for _, m := range p.left {
		if len(tasks) > 0 {
			p.line("Write-Warning %s", powerShellWord(step.Clean("Left to do by hand: "+m.Requirement+": "+m.Do, 600)))
		}
	}
	if onFiles {
		p.line("\n} finally {\n    if ([System.IO.Directory]::Exists($Work)) { Remove-Item -LiteralPath $Work -Recurse -Force }\n}")
	}
}

// powerShellExits gives the exit statuses of a manager's success, "" where they
// are the usual ones. Windows' are unsigned, .NET's are not.
func powerShellExits(m *pkgmgr.Manager) string {
	list := func(codes []int) string {
		words := make([]string, len(codes))
		for i, c := range codes {
			words[i] = strconv.Itoa(int(int32(uint32(c))))
		}
		return "@(" + strings.Join(words, ", ") + ")"
	}
	if m == nil || len(m.Succeeded)+len(m.Reboot) == 0 {
		return ""
	}
	return " " + list(m.Succeeded) + " " + list(m.Reboot)
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) < 0
}
