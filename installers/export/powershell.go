package export

import (
	"slices"
	"strings"
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

function Invoke-Argv([string[]] $Argv) {
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
    # 3010 and 1641: done, a restart is needed or was begun (Windows Installer).
    if ($process.ExitCode -eq 3010 -or $process.ExitCode -eq 1641) {
        Write-Warning ($Argv[0] + ': done; restart the machine before you go on')
        return
    }
    if ($process.ExitCode -ne 0) {
        throw ($Argv[0] + ' ended with exit status ' + $process.ExitCode)
    }
}`

const powerShellRoot = `
function Invoke-AsRoot([string[]] $Argv) {
    if ($env:OS -eq 'Windows_NT') {
        $me = New-Object System.Security.Principal.WindowsPrincipal ([System.Security.Principal.WindowsIdentity]::GetCurrent())
        if (-not $me.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)) {
            throw 'this step needs administrator rights: start PowerShell with "Run as administrator" and run the script again'
        }
        Invoke-Argv $Argv
    } elseif ((& id -u) -eq '0') {
        Invoke-Argv $Argv
    } elseif (Get-Command sudo -ErrorAction SilentlyContinue) {
        Invoke-Argv (@('sudo', '--') + $Argv)
    } else {
        throw 'this step needs root and sudo is not installed: run the script as root'
    }
}`

func writePowerShell(p *page, tasks []task) {
	// Windows PowerShell 5.1 reads a file without a mark in the machine's code
	// page, where the bytes of one character can become a quote.
	if slices.ContainsFunc(tasks, func(t task) bool {
		return !ascii(t.title) || slices.ContainsFunc(t.argv, func(a string) bool { return !ascii(a) })
	}) {
		p.WriteRune(0xfeff) //nolint:errcheck // kept by the bufio.Writer until Flush
	}
	p.head(tasks)
	p.line("%s", powerShellRun)
	for _, t := range tasks {
		if t.admin {
			p.line("%s", powerShellRoot)
			break
		}
	}
	if len(tasks) == 0 {
		p.line("\n# Nothing to do.")
	}
	for i, t := range tasks {
		p.line("")
		p.explain("", i, len(tasks), t)
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
		p.line("%s @(\n    %s\n)", verb, strings.Join(foldWords(words, 92), "\n    "))
	}
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) < 0
}
