package export

import (
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
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

// powerShellParameters are what a script that installs on Windows may be told.
const powerShellParameters = `# -Restart restarts Windows at the end where an installer asks for it, and goes on
# after the next sign-in. -ForUser is what the script tells itself when it asks for
# administrator rights. Exit status: 0 done, 1 a step failed, 3010 done after a restart.
param([switch] $Restart, [string] $ForUser = '')
`

// powerShellHead begins every script: the first failure ends it.
const powerShellHead = `$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2.0
trap {
    [System.Console]::Error.WriteLine('failed: ' + $_.Exception.Message)
    exit 1
}
$Meanings = @{}
$script:RestartDue = $false
`

// Commands are started by the .NET class and not by the call operator: before
// PowerShell 7.3 that loses empty arguments and quotes inside arguments. Where
// ArgumentList is missing (Windows PowerShell 5.1) the words are joined by the
// rules that Windows programs split by (CommandLineToArgvW).
const powerShellRun = `
function Join-Argument([string] $Word) {
    if ($Word -ne '' -and $Word -notmatch '[\s"]') { return $Word }
    $out = [regex]::Replace($Word, '(\\*)"', '$1$1\"')
    $out = [regex]::Replace($out, '(\\+)\z', '$1$1')
    return '"' + $out + '"'
}

# $Fine are exit statuses that mean success besides 0, $Reboot those that mean
# success after a restart: 3010 and 1641 are the Windows Installer's.
function Invoke-Argv([string[]] $Argv, [int[]] $Fine = @(), [int[]] $Reboot = @(3010, 1641)) {
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
    if ($Reboot -contains $process.ExitCode) {
        Write-Warning ($Argv[0] + ': done; it takes effect after a restart')
        $script:RestartDue = $true
    } elseif ($process.ExitCode -ne 0 -and $Fine -notcontains $process.ExitCode) {
        $text = $Argv[0] + ' ended with exit status ' + $process.ExitCode
        if ($process.ExitCode -lt 0) { $text += (' (0x{0:X8})' -f $process.ExitCode) }
        foreach ($tool in @([System.IO.Path]::GetFileNameWithoutExtension($Argv[0]), 'msiexec')) {
            if ($Meanings.ContainsKey($tool) -and $Meanings[$tool].ContainsKey($process.ExitCode)) {
                $text += ': ' + $Meanings[$tool][$process.ExitCode]
                break
            }
        }
        throw $text
    }
}`

const powerShellAdministrator = `
function Test-Administrator {
    $me = New-Object System.Security.Principal.WindowsPrincipal ([System.Security.Principal.WindowsIdentity]::GetCurrent())
    return $me.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
}

function Assert-Administrator {
    if (-not (Test-Administrator)) {
        throw 'this step needs administrator rights: start PowerShell with "Run as administrator" and run the script again'
    }
}`

// powerShellElevate asks for administrator rights once, for the whole script, in
// place of once for each installer. What it sets for a user must be this user's.
const powerShellElevate = `
function Start-AsAdministrator {
    $me = [System.Security.Principal.WindowsIdentity]::GetCurrent()
    if ($ForUser -ne '' -and $me.User.Value -ne $ForUser) {
        throw ('the administrator rights are those of another account (' + $me.Name + '): sign in with an account that is an administrator, and run the script again')
    }
    if (Test-Administrator) { return }
    if ($ForUser -ne '') { throw 'Windows gave no administrator rights' }
    if (-not $PSCommandPath) { throw 'start PowerShell with "Run as administrator", or save this script as a file and run that' }
    $words = @('-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', $PSCommandPath, '-ForUser', $me.User.Value)
    if ($Restart) { $words += '-Restart' }
    $line = (@($words | ForEach-Object { Join-Argument $_ }) -join ' ')
    try {
        $process = Start-Process -FilePath (Get-Process -Id $PID).Path -ArgumentList $line -Verb RunAs -Wait -PassThru
    } catch {
        throw ('Windows asked for administrator rights and did not get them: ' + $_.Exception.Message)
    }
    exit $process.ExitCode
}
if ($env:OS -eq 'Windows_NT') { Start-AsAdministrator }`

// powerShellRestart ends the script. What an installer replaces is in use until
// Windows restarts; the script is safe to run again: each step looks first.
const powerShellRestart = `
if ($script:RestartDue) {
    if ($Restart -and $PSCommandPath) {
        $again = Join-Argument (Get-Process -Id $PID).Path
        foreach ($word in @('-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', $PSCommandPath)) { $again += ' ' + (Join-Argument $word) }
        [Microsoft.Win32.Registry]::SetValue('HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\RunOnce', 'deployctl', $again)
        Restart-Computer -Force
    } else {
        Write-Warning 'restart Windows, then run this script again'
    }
    exit 3010
}`

const powerShellRoot = `
function Invoke-AsRoot([string[]] $Argv, [int[]] $Fine = @(), [int[]] $Reboot = @(3010, 1641)) {
    if ($env:OS -eq 'Windows_NT') {
        Assert-Administrator
        Invoke-Argv $Argv $Fine $Reboot
    } elseif ((& id -u) -eq '0') {
        Invoke-Argv $Argv $Fine $Reboot
    } elseif (Get-Command sudo -ErrorAction SilentlyContinue) {
        Invoke-Argv (@('sudo', '--') + $Argv) $Fine $Reboot
    } else {
        throw 'this step needs root and sudo is not installed: run the script as root'
    }
}`

func writePowerShell(p *page, tasks []task) {
	// Windows PowerShell 5.1 reads a file without a mark in the machine's code
	// page, where the bytes of one character can become a quote.
	if lang.Current() != lang.English || slices.ContainsFunc(tasks, func(t task) bool {
		return !ascii(t.title) || !ascii(strings.Join(t.argv, "")+strings.Join(t.windows, ""))
	}) {
		p.WriteRune(0xfeff) //nolint:errcheck // kept by the bufio.Writer until Flush
	}
	p.head(tasks)
	head, installs := powerShellHead, powerShellInstalls(tasks)
	if installs {
		// The window in which Windows runs it with administrator rights closes at once.
		wait := "    if ($ForUser -ne '') { [void] (Read-Host 'Press Enter to close this window') }\n    exit 1\n"
		head = powerShellParameters + strings.Replace(head, "    exit 1\n", wait, 1)
	}
	p.line("%s%s", head, powerShellRun)
	text := func(t task) string { return strings.Join(t.windows, "\n") }
	asRoot := slices.ContainsFunc(tasks, func(t task) bool { return t.admin || strings.Contains(text(t), "Invoke-AsRoot") })
	change := slices.ContainsFunc(tasks, func(t task) bool { return t.change })
	if asRoot || change {
		p.line("%s", powerShellAdministrator)
	}
	if asRoot {
		p.line("%s", powerShellRoot)
	}
	if installs {
		p.line("\n%s", strings.Join(meanings(tasks), "\n"))
	}
	if installs {
		p.line("%s", strings.TrimPrefix(powerShellAdministrator+powerShellElevate, map[bool]string{true: powerShellAdministrator}[asRoot || change]))
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
			p.line("Write-Warning %s", powerShellWord(step.Clean(lang.F("Left to do by hand: %s: %s", m.Requirement, m.Do), 600)))
		}
	}
	if onFiles {
		p.line("\n} finally {\n    if ([System.IO.Directory]::Exists($Work)) { Remove-Item -LiteralPath $Work -Recurse -Force }\n}")
	}
	if installs {
		p.line("%s", powerShellRestart)
	}
}

// powerShellInstalls reports whether one of Windows' installers is run, which may ask
// for administrator rights by itself and for a restart.
func powerShellInstalls(tasks []task) bool {
	return slices.ContainsFunc(tasks, func(t task) bool {
		text := strings.Join(t.windows, "\n")
		return t.by != nil && len(t.by.Reboot) > 0 || t.windows != nil && t.admin || strings.Contains(text, "Invoke-AsRoot") || strings.Contains(text, "Invoke-Setup") || strings.Contains(text, "'winget'")
	})
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
