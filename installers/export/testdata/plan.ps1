# Written by deployctl; it runs without deployctl.
# Recipe: opencv-gocv.
# It is the plan of one machine: what was installed there already is not in
# it.
# Nothing here keeps a journal, so "deployctl undo" cannot take it back.
# Only the steps that need it run as root.
# Left to do by hand: cpu.avx2: the recipe has no automatic fix for it. Use a
# processor that has it.
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2.0
trap {
    [System.Console]::Error.WriteLine('failed: ' + $_.Exception.Message)
    exit 1
}
$Meanings = @{}
$script:RestartDue = $false

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
}

function Test-Administrator {
    $me = New-Object System.Security.Principal.WindowsPrincipal ([System.Security.Principal.WindowsIdentity]::GetCurrent())
    return $me.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
}

function Assert-Administrator {
    if (-not (Test-Administrator)) {
        throw 'this step needs administrator rights: start PowerShell with "Run as administrator" and run the script again'
    }
}

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
}

# 1 of 3: Fetch the package lists. A fresh machine has none.
# Undo: nothing to undo: the lists are a cache.
Write-Host '== Fetch the package lists'
Invoke-AsRoot @(
    '/usr/bin/env', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C', 'NEEDRESTART_SUSPEND=1',
    'APT_LISTCHANGES_FRONTEND=none', '/usr/bin/apt-get', '--quiet', '--option',
    'Acquire::Retries=3', 'update'
)

# 2 of 3: Install cmake, g++. For cmake.present, gcc.version.
# Undo: apt-get --purge autoremove cmake g++; first look at what else it would
# remove.
Write-Host '== Install cmake, g++'
Invoke-AsRoot @(
    '/usr/bin/env', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C', 'NEEDRESTART_SUSPEND=1',
    'APT_LISTCHANGES_FRONTEND=none', '/usr/bin/apt-get', '--yes', '--quiet', '--no-remove',
    '--option', 'Dpkg::Use-Pty=0', '--option', 'DPkg::Lock::Timeout=30', '--option',
    'Acquire::Retries=3', '--option', 'APT::Cmd::Pattern-Only=true', '--option',
    'Dpkg::Options::=--force-confdef', '--option', 'Dpkg::Options::=--force-confold',
    '--no-install-recommends', 'install', '--', 'cmake', 'g++'
)

# 3 of 3: Install go@1.22.
# Undo: brew uninstall go@1.22; first look at what else it would remove.
Write-Host '== Install go@1.22'
Invoke-Argv @(
    '/usr/bin/env', 'HOMEBREW_NO_ANALYTICS=1', 'HOMEBREW_NO_ENV_HINTS=1',
    'HOMEBREW_NO_INSTALL_CLEANUP=1', 'NONINTERACTIVE=1', '/opt/homebrew/bin/brew', 'install',
    '--formula', '--', 'go@1.22'
)
