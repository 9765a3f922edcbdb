<#
.SYNOPSIS
Runs deployctl.exe on a real Windows and packs what it saw into one file.

.DESCRIPTION
What deployctl does on Windows is tested under Wine 10. This script is for what only a
real Windows shows: Windows 11, Server 2022, Server 2025. Without -Fix it changes
nothing. With -Fix it runs deployctl doctor --fix, verifies, and undoes all of it.

It works in Windows PowerShell 5.1 and in PowerShell 7, and needs no administrator
rights. The result is deployctl-windows-check.zip in the current folder. deployctl
redacts its snapshot (names, host, addresses); read the other files before you share them.

.EXAMPLE
powershell -ExecutionPolicy Bypass -File windows-check.ps1 -Exe .\deployctl.exe -Fix
#>
param(
    [string]$Exe = '.\deployctl.exe',
    [string]$Out = (Join-Path (Get-Location) 'deployctl-windows-check.zip'),
    [switch]$Fix
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$exePath = (Resolve-Path -LiteralPath $Exe).Path
$folder = Join-Path ([IO.Path]::GetTempPath()) ('deployctl-check-' + [guid]::NewGuid())
New-Item -ItemType Directory -Path $folder | Out-Null
$summary = New-Object System.Collections.ArrayList

# Invoke-Deployctl runs deployctl, keeps both of its streams and notes exit code and time.
function Invoke-Deployctl([string]$Name, [string[]]$Arguments) {
    $stdout = Join-Path $folder "$Name.out.txt"
    $stderr = Join-Path $folder "$Name.err.txt"
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $process = Start-Process -FilePath $exePath -ArgumentList $Arguments -NoNewWindow -PassThru -Wait -RedirectStandardOutput $stdout -RedirectStandardError $stderr
    $watch.Stop()
    [void]$summary.Add([pscustomobject]@{ name = $Name; arguments = ($Arguments -join ' '); exit = $process.ExitCode; seconds = [math]::Round($watch.Elapsed.TotalSeconds, 2) })
    Write-Host ('{0,-16} exit {1}  {2:n2} s' -f $Name, $process.ExitCode, $watch.Elapsed.TotalSeconds)
}

# Save-Fact keeps what a block prints, or why it failed.
function Save-Fact([string]$Name, [scriptblock]$Block) {
    $text = try { & $Block 2>&1 | Out-String -Width 300 } catch { "FAILED: $_" }
    Set-Content -LiteralPath (Join-Path $folder "$Name.txt") -Value $text -Encoding UTF8
}

try {
    Save-Fact 'system' {
        $names = 'ProductName', 'DisplayVersion', 'CurrentBuild', 'UBR', 'InstallationType', 'EditionID'
        Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' |
            Select-Object -Property $names | Format-List
        Write-Output $PSVersionTable
        'code pages: ANSI {0}, console {1}' -f [Text.Encoding]::Default.CodePage, [Console]::OutputEncoding.CodePage
        $fileSystem = Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem'
        'long paths: ' + $fileSystem.LongPathsEnabled
    }
    # Developer Mode lets users make symbolic links without administrator rights.
    Save-Fact 'developer-mode' { Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\AppModelUnlock' }
    # App execution aliases: files without content that start packaged programs.
    Save-Fact 'aliases' {
        $apps = Join-Path $env:LOCALAPPDATA 'Microsoft\WindowsApps'
        Get-ChildItem -LiteralPath $apps -Filter '*.exe' -Force | ForEach-Object {
            "$($_.Name) size $($_.Length) attributes $($_.Attributes)"
            if ('winget.exe', 'python.exe', 'python3.exe' -contains $_.Name) { fsutil reparsepoint query $_.FullName }
        }
    }
    Save-Fact 'runtime-dlls' {
        foreach ($pattern in 'vcruntime140*.dll', 'msvcp140*.dll', 'concrt140.dll', 'vcomp140.dll', 'onnxruntime*.dll', 'dxgi.dll', 'DirectML.dll') {
            Get-ChildItem -Path (Join-Path $env:SystemRoot "System32\$pattern") -ErrorAction SilentlyContinue |
                ForEach-Object { '{0} {1}' -f $_.Name, $_.VersionInfo.FileVersion }
        }
    }
    Save-Fact 'winget' { winget --version }
    Save-Fact 'visual-studio' {
        & (Join-Path ${env:ProgramFiles(x86)} 'Microsoft Visual Studio\Installer\vswhere.exe') -all -prerelease -products * -format json -utf8
    }
    Save-Fact 'compilers' {
        foreach ($name in 'cl', 'gcc', 'g++', 'clang', 'cmake', 'ninja', 'nvcc', 'nvidia-smi', 'go', 'python') {
            Get-Command -Name $name -All -ErrorAction SilentlyContinue | ForEach-Object { '{0} {1} {2}' -f $name, $_.Source, $_.Version }
        }
    }

    Invoke-Deployctl 'version' @('--version')
    Invoke-Deployctl 'facts' @('facts')
    Invoke-Deployctl 'doctor-cold' @('doctor')
    Invoke-Deployctl 'doctor' @('doctor', '--format', 'json')
    Invoke-Deployctl 'plan' @('plan')
    Invoke-Deployctl 'plan-ps1' @('plan', '--format', 'ps1')
    Invoke-Deployctl 'reference' @('verify', '--engine', 'reference', '--format', 'json')
    # A packaged program, which Windows may refuse to put into a job.
    Invoke-Deployctl 'packaged' @('run', '--', 'winget', '--version')
    Invoke-Deployctl 'snapshot' @('snapshot', '--output', ('"' + (Join-Path $folder 'machine.snapshot') + '"'))
    if ($Fix) {
        Invoke-Deployctl 'fix' @('doctor', '--fix', '--yes', '--format', 'json')
        Invoke-Deployctl 'verify' @('verify', '--format', 'json')
        # A picture that another program has open must cost neither the proof nor the picture.
        $picture = Join-Path $folder 'proof.png'
        Invoke-Deployctl 'picture' @('verify', '--picture', ('"' + $picture + '"'))
        $viewer = [IO.File]::Open($picture, 'Open', 'Read', 'None')
        try { Invoke-Deployctl 'picture-open' @('verify', '--picture', ('"' + $picture + '"')) }
        finally { $viewer.Dispose() }
        Invoke-Deployctl 'doctor-after' @('doctor', '--format', 'json')
        Invoke-Deployctl 'history' @('history')
        Invoke-Deployctl 'undo' @('undo', '--yes')
        Invoke-Deployctl 'doctor-undone' @('doctor', '--format', 'json')
    }
}
finally {
    ConvertTo-Json @($summary) | Set-Content -LiteralPath (Join-Path $folder 'summary.json') -Encoding UTF8
    if (Test-Path -LiteralPath $Out) { Remove-Item -LiteralPath $Out }
    Compress-Archive -Path (Join-Path $folder '*') -DestinationPath $Out
    Remove-Item -LiteralPath $folder -Recurse
    Write-Host "Wrote $Out"
}

if ($Fix) {
    $failed = @($summary | Where-Object { ('fix', 'verify', 'undo' -contains $_.name) -and $_.exit -ne 0 })
    if ($failed.Count -gt 0) { exit 1 }
}
exit 0
