# Written by deployctl; it runs without deployctl.
# Recipe: opencv-gocv.
# It is the plan of one machine: what was installed there already is not in
# it.
# Nothing here keeps a journal, so "deployctl undo" cannot take it back.
# Only the steps that need it run as root.
# Files go where the planning machine's user has them: run it as a user of the
# same name.
# -Restart restarts Windows at the end where an installer asks for it, and goes on
# after the next sign-in. -ForUser is what the script tells itself when it asks for
# administrator rights. Exit status: 0 done, 1 a step failed, 3010 done after a restart.
param([switch] $Restart, [string] $ForUser = '')
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2.0
trap {
    [System.Console]::Error.WriteLine('failed: ' + $_.Exception.Message)
    if ($ForUser -ne '') { [void] (Read-Host 'Press Enter to close this window') }
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

$Meanings['choco'] = @{}
foreach ($code in @(5, -2147024891)) { $Meanings['choco'][$code] = 'Windows denied access to something that the installer needs. Run this script from a terminal opened with "Run as administrator".' }
foreach ($code in @(112, -2147024784)) { $Meanings['choco'][$code] = 'the disk is full. Free some, then run this script again.' }
foreach ($code in @(350, 3017, 3018)) { $Meanings['choco'][$code] = 'Windows must be restarted before anything can be installed. Restart Windows, then run this script again.' }
foreach ($code in @(740)) { $Meanings['choco'][$code] = 'the installer needs administrator rights. Run this script from a terminal opened with "Run as administrator".' }
foreach ($code in @(1223)) { $Meanings['choco'][$code] = 'Windows'' question for administrator rights was answered with no. Answer yes, or run this script from a terminal opened with "Run as administrator".' }
foreach ($code in @(1601)) { $Meanings['choco'][$code] = 'the Windows Installer service cannot be reached. Start the service msiserver, then run this script again.' }
foreach ($code in @(1602)) { $Meanings['choco'][$code] = 'the installation was cancelled. Run this script again and let it finish.' }
foreach ($code in @(1603)) { $Meanings['choco'][$code] = 'the installer met a fatal error (1603). Read its own log (newest files in %TEMP%), fix what it says, then run this script again.' }
foreach ($code in @(1604)) { $Meanings['choco'][$code] = 'the installation is suspended, incomplete. Restart Windows, then run this script again.' }
foreach ($code in @(1605)) { $Meanings['choco'][$code] = 'Windows does not know the product as installed. Look in Settings, Apps.' }
foreach ($code in @(1612)) { $Meanings['choco'][$code] = 'the file that the product was installed from is not there any more. Fetch the same installer again and repair the product, then run this script again.' }
foreach ($code in @(1618)) { $Meanings['choco'][$code] = 'another installation is running. Let it finish, then run this script again.' }
foreach ($code in @(1619, 1620)) { $Meanings['choco'][$code] = 'Windows Installer could not open the package. See that no virus scanner holds the file, then run this script again.' }
foreach ($code in @(1622)) { $Meanings['choco'][$code] = 'the installer could not write its log. Make %TEMP% writable, then run this script again.' }
foreach ($code in @(1624)) { $Meanings['choco'][$code] = 'Windows Installer could not apply the package''s transform. Read its own log (newest files in %TEMP%).' }
foreach ($code in @(1625, 1640, 1643, 1644)) { $Meanings['choco'][$code] = 'a policy of this machine forbids the installation. Ask its administrator.' }
foreach ($code in @(1633)) { $Meanings['choco'][$code] = 'the package is not made for this machine''s processor. Choose another package.' }
foreach ($code in @(1636, 1637, 1642)) { $Meanings['choco'][$code] = 'a patch does not fit what is installed. Update the product first, then run this script again.' }
foreach ($code in @(1638)) { $Meanings['choco'][$code] = 'another version of this product is installed already. Update or remove it in Settings, Apps, then run this script again.' }
foreach ($code in @(1639)) { $Meanings['choco'][$code] = 'the installer did not understand its arguments. This is a mistake in the recipe or in deployctl: report it.' }
foreach ($code in @(1654)) { $Meanings['choco'][$code] = 'the app cannot be installed on this version of Windows. Update Windows, then run this script again.' }
foreach ($code in @(-2147012894, -2147012889, -2147012867, -2147012866)) { $Meanings['choco'][$code] = 'a server could not be reached. Check the network and the proxy settings, then run this script again.' }
foreach ($code in @(-1073741819)) { $Meanings['choco'][$code] = 'the installer crashed. Run this script again; if it crashes again, install it by hand.' }
foreach ($code in @(-1073741515)) { $Meanings['choco'][$code] = 'the installer could not start: a DLL that it needs is missing. Install the Visual C++ runtime, then run this script again.' }
foreach ($code in @(-1073741510)) { $Meanings['choco'][$code] = 'the installer was stopped from outside. Run this script again and let it finish.' }
$Meanings['msiexec'] = @{}
foreach ($code in @(5, -2147024891)) { $Meanings['msiexec'][$code] = 'Windows denied access to something that the installer needs. Run this script from a terminal opened with "Run as administrator".' }
foreach ($code in @(112, -2147024784)) { $Meanings['msiexec'][$code] = 'the disk is full. Free some, then run this script again.' }
foreach ($code in @(740)) { $Meanings['msiexec'][$code] = 'the installer needs administrator rights. Run this script from a terminal opened with "Run as administrator".' }
foreach ($code in @(1223)) { $Meanings['msiexec'][$code] = 'Windows'' question for administrator rights was answered with no. Answer yes, or run this script from a terminal opened with "Run as administrator".' }
foreach ($code in @(1601)) { $Meanings['msiexec'][$code] = 'the Windows Installer service cannot be reached. Start the service msiserver, then run this script again.' }
foreach ($code in @(1602)) { $Meanings['msiexec'][$code] = 'the installation was cancelled. Run this script again and let it finish.' }
foreach ($code in @(1603)) { $Meanings['msiexec'][$code] = 'the installer met a fatal error (1603). Read its own log (newest files in %TEMP%), fix what it says, then run this script again.' }
foreach ($code in @(1604)) { $Meanings['msiexec'][$code] = 'the installation is suspended, incomplete. Restart Windows, then run this script again.' }
foreach ($code in @(1605)) { $Meanings['msiexec'][$code] = 'Windows does not know the product as installed. Look in Settings, Apps.' }
foreach ($code in @(1612)) { $Meanings['msiexec'][$code] = 'the file that the product was installed from is not there any more. Fetch the same installer again and repair the product, then run this script again.' }
foreach ($code in @(1618)) { $Meanings['msiexec'][$code] = 'another installation is running. Let it finish, then run this script again.' }
foreach ($code in @(1619, 1620)) { $Meanings['msiexec'][$code] = 'Windows Installer could not open the package. See that no virus scanner holds the file, then run this script again.' }
foreach ($code in @(1622)) { $Meanings['msiexec'][$code] = 'the installer could not write its log. Make %TEMP% writable, then run this script again.' }
foreach ($code in @(1624)) { $Meanings['msiexec'][$code] = 'Windows Installer could not apply the package''s transform. Read its own log (newest files in %TEMP%).' }
foreach ($code in @(1625, 1640, 1643, 1644)) { $Meanings['msiexec'][$code] = 'a policy of this machine forbids the installation. Ask its administrator.' }
foreach ($code in @(1633)) { $Meanings['msiexec'][$code] = 'the package is not made for this machine''s processor. Choose another package.' }
foreach ($code in @(1636, 1637, 1642)) { $Meanings['msiexec'][$code] = 'a patch does not fit what is installed. Update the product first, then run this script again.' }
foreach ($code in @(1638)) { $Meanings['msiexec'][$code] = 'another version of this product is installed already. Update or remove it in Settings, Apps, then run this script again.' }
foreach ($code in @(1639)) { $Meanings['msiexec'][$code] = 'the installer did not understand its arguments. This is a mistake in the recipe or in deployctl: report it.' }
foreach ($code in @(1654)) { $Meanings['msiexec'][$code] = 'the app cannot be installed on this version of Windows. Update Windows, then run this script again.' }
foreach ($code in @(3017, 3018)) { $Meanings['msiexec'][$code] = 'Windows must be restarted before anything can be installed. Restart Windows, then run this script again.' }
foreach ($code in @(-2147012894, -2147012889, -2147012867, -2147012866)) { $Meanings['msiexec'][$code] = 'a server could not be reached. Check the network and the proxy settings, then run this script again.' }
foreach ($code in @(-1073741819)) { $Meanings['msiexec'][$code] = 'the installer crashed. Run this script again; if it crashes again, install it by hand.' }
foreach ($code in @(-1073741515)) { $Meanings['msiexec'][$code] = 'the installer could not start: a DLL that it needs is missing. Install the Visual C++ runtime, then run this script again.' }
foreach ($code in @(-1073741510)) { $Meanings['msiexec'][$code] = 'the installer was stopped from outside. Run this script again and let it finish.' }

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
if ($env:OS -eq 'Windows_NT') { Start-AsAdministrator }

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
}

# Puts a variable, or an entry of a list, into the registry.
function Set-Remembered([string] $Scope, [string] $Name, [string] $Value, [bool] $Prepend) {
    $machine = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey('SYSTEM\CurrentControlSet\Control\Session Manager\Environment', $Scope -eq 'machine')
    $key = $machine
    if ($Scope -eq 'user') { $key = [Microsoft.Win32.Registry]::CurrentUser.CreateSubKey('Environment') }
    $there = @($key.GetValueNames()) -contains $Name
    $now = ''
    $kind = 'String'
    if ($there) {
        $now = [string] $key.GetValue($Name, '', 'DoNotExpandEnvironmentNames')
        $kind = $key.GetValueKind($Name)
    } elseif ($Prepend -and $Value.Contains('%')) {
        $kind = 'ExpandString'
    }
    $new = $Value
    if ($Prepend) {
        foreach ($entry in $now.Split(';')) {
            if ($entry.Trim('"').TrimEnd('\', '/') -eq $Value.TrimEnd('\', '/')) { $new = $now }
        }
        if (-not $there -and $Scope -eq 'user' -and $Name -ne 'PATH' -and @($machine.GetValueNames()) -contains $Name) {
            throw ($Name + ' is set for the whole machine, and one of the user would hide it')
        }
        if ($new -cne $now -and $now -ne '') { $new = $Value + ';' + $now }
    }
    if ($there -and $new -ceq $now) {
        Write-Host 'done already'
        return
    }
    $key.SetValue($Name, $new, $kind)
    $key.Close()
    [System.Environment]::SetEnvironmentVariable('DEPLOYCTL_TOLD', $null, 'User')
}

try {

# 1 of 6: Put setup.bin where it is looked for. It fetches setup.bin (95.0 MB)
# where it is not done already.
# Undo: remove the file C:\Users\Ann
# O'Neil\AppData\Local\deployctl\setup\setup.bin.
Write-Host '== Put setup.bin where it is looked for'
if (Test-Placed 'C:\Users\Ann O''Neil\AppData\Local\deployctl\setup\setup.bin' '8fb6d5f37e8055ce720bd0b1d56587f88c0071f285966ba17e72b2b12672aa73') { Write-Host 'done already' } else {
    $file = Get-Planned '8fb6d5f37e8055ce720bd0b1d56587f88c0071f285966ba17e72b2b12672aa73' 95000000 @('https://example.org/setup.bin', 'https://example.com/setup.bin')
    Set-Placed $file 'C:\Users\Ann O''Neil\AppData\Local\deployctl\setup\.setup.bin.deployctl-partial' 'C:\Users\Ann O''Neil\AppData\Local\deployctl\setup\setup.bin'
}

# 2 of 6: Install ninja.
# Undo: choco uninstall ninja; first look at what else it would remove.
Write-Host '== Install ninja'
Invoke-AsRoot @(
    'C:\ProgramData\chocolatey\bin\choco.exe', 'install', 'ninja'
) @(1614) @(3010, 1641)

# 3 of 6: Unpack library.zip. It fetches library.zip (95.0 MB) where it is not
# done already.
# Undo: remove the folder C:\Users\Ann
# O'Neil\AppData\Local\deployctl\opt\library.
Write-Host '== Unpack library.zip'
if ((Test-Path-Exactly 'C:\Users\Ann O''Neil\AppData\Local\deployctl\opt\library')) { Write-Host 'done already' } else {
    $file = Get-Planned 'b718f1354f7247312eca086d9a024afe5fa717ddea5adeddd6f12bcf945b2e8c' 95000000 @('https://example.org/library.zip')
    Expand-Planned $file 1 'C:\Users\Ann O''Neil\AppData\Local\deployctl\opt\.library.deployctl-partial' 'C:\Users\Ann O''Neil\AppData\Local\deployctl\opt\library' @()
}

# 4 of 6: Take the library out of library.zip. It fetches library.zip (95.0
# MB) where it is not done already.
Write-Host '== Take the library out of library.zip'
if ((Test-Path-Exactly 'C:\Users\Ann O''Neil\AppData\Local\deployctl\opt\taken') -or (Test-Path-Exactly 'C:\Users\Ann O''Neil\AppData\Local\deployctl\opt\other')) { Write-Host 'done already' } else {
    $file = Get-Planned 'b718f1354f7247312eca086d9a024afe5fa717ddea5adeddd6f12bcf945b2e8c' 95000000 @('https://example.org/library.zip')
    Expand-Planned $file 0 'C:\Users\Ann O''Neil\AppData\Local\deployctl\opt\.taken.deployctl-partial' 'C:\Users\Ann O''Neil\AppData\Local\deployctl\opt\taken' @('package/a.dll', 'lib/a.dll')
}

# 5 of 6: Let new shells find library (PATH).
# Undo: take the lines out again.
Write-Host '== Let new shells find library (PATH)'
Set-Remembered 'user' 'PATH' 'C:\Users\Ann O''Neil\AppData\Local\deployctl\opt\library\bin' $true

# 6 of 6: Remove what only the steps before needed.
Write-Host '== Remove what only the steps before needed'
if (Test-Path-Exactly 'C:\Users\Ann O''Neil\AppData\Local\deployctl\opt\taken') { Remove-Item -Recurse -Force -LiteralPath 'C:\Users\Ann O''Neil\AppData\Local\deployctl\opt\taken' } else { Write-Host 'done already' }

} finally {
    if ([System.IO.Directory]::Exists($Work)) { Remove-Item -LiteralPath $Work -Recurse -Force }
}

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
}
