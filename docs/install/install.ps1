# Installs deployctl: downloads the archive for this system, compares its checksum with
# the release's list, and puts the programs into a folder of the user's, without
# administrator rights. It runs in Windows PowerShell 5.1 and PowerShell 7.
#
#   powershell -ExecutionPolicy Bypass -File install.ps1
param(
    # The release, for example v1.2.3; by default the newest.
    [string]$Version = '',
    # The folder to install to.
    [string]$To = (Join-Path $env:LOCALAPPDATA 'Programs\deployctl'),
    # Where the release's files are; by default the release on GitHub.
    [string]$From = ''
)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue' # its bar makes downloads ten times slower in 5.1
Set-StrictMode -Version 2

if (-not $From) {
    $releases = 'https://github.com/deployctl/deployctl/releases'
    if ($Version) { $From = "$releases/download/$Version" } else { $From = "$releases/latest/download" }
}
# A 32-bit PowerShell sees the system's architecture in the second variable.
$machine = $env:PROCESSOR_ARCHITECTURE
if ($env:PROCESSOR_ARCHITEW6432) { $machine = $env:PROCESSOR_ARCHITEW6432 }
switch ($machine) {
    'AMD64' { $arch = 'amd64' }
    'ARM64' { $arch = 'arm64' }
    default { throw "There is no archive for $machine." }
}
# Windows PowerShell 5.1 offers servers TLS 1.0 only, unless it is told otherwise.
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

$work = Join-Path ([IO.Path]::GetTempPath()) ('deployctl-' + [Guid]::NewGuid())
New-Item -ItemType Directory -Path $work | Out-Null
try {
    $list = Join-Path $work 'checksums.txt'
    Invoke-WebRequest -UseBasicParsing -Uri "$From/checksums.txt" -OutFile $list
    $line = Get-Content $list | Where-Object { $_ -match "^([0-9a-f]{64})  (deployctl_[^/]*_windows_$arch\.zip)$" } | Select-Object -First 1
    if (-not $line) { throw "The release has no archive for Windows on $arch." }
    $want, $file = $line -split '  ', 2
    $archive = Join-Path $work $file
    Invoke-WebRequest -UseBasicParsing -Uri "$From/$file" -OutFile $archive
    $have = (Get-FileHash -Algorithm SHA256 -Path $archive).Hash.ToLowerInvariant()
    if ($have -ne $want) { throw "$file has the SHA-256 $have, but the release lists $want. Nothing was installed." }

    Expand-Archive -Path $archive -DestinationPath $work
    New-Item -ItemType Directory -Force -Path $To | Out-Null
    $folder = Join-Path $work ([IO.Path]::GetFileNameWithoutExtension($file))
    foreach ($program in 'deployctl.exe', 'deployctl-ask-opencl.exe') {
        Copy-Item -Force -Path (Join-Path $folder $program) -Destination (Join-Path $To $program)
    }
    & (Join-Path $To 'deployctl.exe') version
    if ($LASTEXITCODE -ne 0) { throw "deployctl.exe ended with exit code $LASTEXITCODE." }
    Write-Output "Installed to $To"

    # The user's PATH as the registry has it, with its variables as they are.
    $key = [Microsoft.Win32.Registry]::CurrentUser.OpenSubKey('Environment', $true)
    $path = [string]$key.GetValue('Path', '', [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
    if (($path -split ';') -notcontains $To) {
        $key.SetValue('Path', ($path.TrimEnd(';') + ';' + $To).TrimStart(';'), [Microsoft.Win32.RegistryValueKind]::ExpandString)
        Write-Output 'Added that folder to your PATH. Open a new terminal to use deployctl.'
    }
    $key.Close()
} finally {
    Remove-Item -Recurse -Force -Path $work
}
