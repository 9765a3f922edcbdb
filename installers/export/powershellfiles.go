package export

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
)

// What works on files on Windows, in PowerShell; on any other system the
// PowerShell script hands the lines of posix.go to /bin/sh.
//
// .NET's methods are used where a cmdlet would read [ and ] in a path as a
// pattern. tar.exe is Windows' own (bsdtar, since Windows 10 1803; it reads zip
// too), by its whole path: another one may come first in PATH.
const powerShellFiles = `
$ProgressPreference = 'SilentlyContinue' # its bar makes Windows PowerShell's downloads crawl
[System.Net.ServicePointManager]::SecurityProtocol = [System.Net.ServicePointManager]::SecurityProtocol -bor 3072 # TLS 1.2
$Work = [System.IO.Path]::Combine([System.IO.Path]::GetTempPath(), 'deployctl-' + [guid]::NewGuid())

function Test-Path-Exactly([string] $Path) { return [System.IO.File]::Exists($Path) -or [System.IO.Directory]::Exists($Path) }

function Get-Sum([string] $Path) { return (Get-FileHash -LiteralPath $Path -Algorithm SHA256).Hash.ToLowerInvariant() }

# Brings a file to the work folder, checked.
function Get-Planned([string] $Sum, [long] $Size, [string[]] $Mirrors) {
    $file = [System.IO.Path]::Combine($Work, $Sum)
    if ([System.IO.File]::Exists($file)) { return $file }
    [void] [System.IO.Directory]::CreateDirectory($Work)
    $part = $file + '.part'
    foreach ($url in $Mirrors) {
        try {
            Invoke-WebRequest -UseBasicParsing -Uri $url -OutFile $part
        } catch {
            Write-Warning ($url + ': ' + $_.Exception.Message)
            continue
        }
        if ((New-Object System.IO.FileInfo $part).Length -eq $Size -and (Get-Sum $part) -ceq $Sum) {
            [System.IO.File]::Move($part, $file)
            return $file
        }
        Write-Warning ($url + ' gives another file: its size or SHA-256 is wrong')
    }
    throw ('no address gave the file with the SHA-256 ' + $Sum)
}

# The folder appears whole or not at all.
function Expand-Planned([string] $File, [int] $Strip, [string] $Partial, [string] $Into, [string[]] $Pick = @()) {
    if ([System.IO.Directory]::Exists($Partial)) { Remove-Item -LiteralPath $Partial -Recurse -Force }
    $all = [System.IO.Path]::Combine($Partial, 'all')
    [void] [System.IO.Directory]::CreateDirectory($all)
    Invoke-Argv @([System.IO.Path]::Combine($env:SystemRoot, 'System32\tar.exe'), '-x', '-f', $File, '-C', $all, '--strip-components', [string] $Strip)
    if ($Pick.Count -gt 0) {
        $picked = [System.IO.Path]::Combine($Partial, 'picked')
        for ($i = 0; $i -lt $Pick.Count; $i += 2) {
            $to = [System.IO.Path]::Combine($picked, $Pick[$i + 1].Replace('/', '\'))
            [void] [System.IO.Directory]::CreateDirectory([System.IO.Path]::GetDirectoryName($to))
            [System.IO.File]::Move([System.IO.Path]::Combine($all, $Pick[$i].Replace('/', '\')), $to)
        }
        $all = $picked
    }
    [System.IO.Directory]::Move($all, $Into)
    Remove-Item -LiteralPath $Partial -Recurse -Force
}

# Whether the file is there; another one is not ours.
function Test-Placed([string] $Path, [string] $Sum) {
    if ([System.IO.File]::Exists($Path) -and (Get-Sum $Path) -ceq $Sum) { return $true }
    if (Test-Path-Exactly $Path) { throw ($Path + ' is there already and is another file: move it away if it is not wanted') }
    return $false
}

function Set-Placed([string] $File, [string] $Partial, [string] $Path) {
    [void] [System.IO.Directory]::CreateDirectory([System.IO.Path]::GetDirectoryName($Path))
    [System.IO.File]::Copy($File, $Partial, $true)
    [System.IO.File]::Move($Partial, $Path)
}`

// powerShellCall is a command with its words quoted; a list of words is one.
func powerShellCall(indent, name string, args ...any) string {
	words := []string{name}
	for _, a := range args {
		switch a := a.(type) {
		case raw:
			words = append(words, string(a))
		case []string:
			quoted := make([]string, len(a))
			for i, w := range a {
				quoted[i] = powerShellWord(w)
			}
			words = append(words, "@("+strings.Join(quoted, ", ")+")")
		case string:
			words = append(words, powerShellWord(a))
		}
	}
	return indent + strings.Join(words, " ")
}

// raw is PowerShell as it is.
type raw string

// windowsPartial is deployctl's own name for what is not whole.
func windowsPartial(p string) string {
	i := strings.LastIndexByte(p, '\\')
	return p[:i+1] + "." + p[i+1:] + ".deployctl-partial"
}

func powerShellFetch(f *step.Fetch) string {
	return powerShellCall("    ", "$file = Get-Planned", f.SHA256, raw(strconv.FormatInt(f.Size, 10)), f.Mirrors)
}

func windowsUnpackStep(u *step.Unpack, f *step.Fetch) []string {
	var picks []string
	for _, from := range slices.Sorted(maps.Keys(u.Files)) {
		picks = append(picks, from, u.Files[from])
	}
	there := powerShellCall("", "(Test-Path-Exactly", u.Into) + ")"
	if u.Product != "" {
		there += powerShellCall(" -or ", "(Test-Path-Exactly", u.Product) + ")"
	}
	return []string{
		"if (" + there + ") { Write-Host 'done already' } else {", powerShellFetch(f),
		powerShellCall("    ", "Expand-Planned $file", raw(strconv.Itoa(u.Strip)), windowsPartial(u.Into), u.Into, picks), "}",
	}
}

func windowsPlaceStep(to *step.Place, f *step.Fetch) []string {
	return []string{
		powerShellCall("", "if (Test-Placed", to.Path, to.SHA256) + ") { Write-Host 'done already' } else {", powerShellFetch(f),
		powerShellCall("    ", "Set-Placed $file", windowsPartial(to.Path), to.Path), "}",
	}
}

func windowsTidyStep(names []string) []string {
	var lines []string
	for _, name := range names {
		lines = append(lines, powerShellCall("", "if (Test-Path-Exactly", name)+powerShellCall(") { ", "Remove-Item -Recurse -Force -LiteralPath", name)+" } else { Write-Host 'done already' }")
	}
	return lines
}
