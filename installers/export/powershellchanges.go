package export

// powerShellChanges are the functions that a change without a step of its own
// needs. pip checks the sum of a wheel itself (--require-hashes).
const powerShellChanges = `

# Lets this session see what the registry has now.
function Update-Session {
    $folders = @('Machine', 'User') | ForEach-Object { [System.Environment]::GetEnvironmentVariable('PATH', $_) } | Where-Object { $_ }
    $env:PATH = $folders -join ';'
    foreach ($scope in @('Machine', 'User')) {
        foreach ($name in @('CUDA_PATH', 'OpenCV_DIR')) {
            $value = [System.Environment]::GetEnvironmentVariable($name, $scope)
            if ($value) { [System.Environment]::SetEnvironmentVariable($name, $value) }
        }
    }
}

function Get-Entries([string] $Name, [string] $Scope) {
    $text = [System.Environment]::GetEnvironmentVariable($Name, $Scope)
    if (-not $text) { return @() }
    return @($text.Split(';') | Where-Object { $_ -ne '' })
}

# Puts a folder before another one in a variable that is a list; first of all
# where no other one is named. It stays in the list, the machine's or the user's,
# that the other one is in: Windows reads the machine's first.
function Move-Entry([string] $Name, [string] $Entry, [string] $Before) {
    $scope = 'User'
    foreach ($one in @('Machine', 'User')) {
        if ($Before -ne '' -and @(Get-Entries $Name $one | Where-Object { $_.TrimEnd('\') -eq $Before.TrimEnd('\') }).Count -gt 0) { $scope = $one; break }
        if ($Before -eq '' -and @(Get-Entries $Name $one | Where-Object { $_.TrimEnd('\') -eq $Entry.TrimEnd('\') }).Count -gt 0) { $scope = $one; break }
    }
    if ($scope -eq 'Machine') { Assert-Administrator }
    $rest = @(Get-Entries $Name $scope | Where-Object { $_.TrimEnd('\') -ne $Entry.TrimEnd('\') })
    $new = @()
    $placed = $false
    foreach ($one in $rest) {
        if (-not $placed -and ($Before -eq '' -or $one.TrimEnd('\') -eq $Before.TrimEnd('\'))) { $new += $Entry; $placed = $true }
        $new += $one
    }
    if (-not $placed) { $new += $Entry }
    [System.Environment]::SetEnvironmentVariable($Name, ($new -join ';'), $scope)
    Update-Session
}

function Remove-Entry([string] $Name, [string] $Entry) {
    foreach ($scope in @('Machine', 'User')) {
        $now = @(Get-Entries $Name $scope)
        $rest = @($now | Where-Object { $_.TrimEnd('\') -ne $Entry.TrimEnd('\') })
        if ($rest.Count -eq $now.Count) { continue }
        if ($scope -eq 'Machine') { Assert-Administrator }
        [System.Environment]::SetEnvironmentVariable($Name, ($rest -join ';'), $scope)
    }
    Update-Session
}

# Sets a variable where it is set now, for this user where it is nowhere, and in
# this session. An empty value removes it.
function Set-Everywhere([string] $Name, [string] $Value) {
    $scope = 'User'
    if ([System.Environment]::GetEnvironmentVariable($Name, 'Machine')) {
        $scope = 'Machine'
        Assert-Administrator
    }
    $new = $Value
    if ($Value -eq '') { $new = $null }
    [System.Environment]::SetEnvironmentVariable($Name, $new, $scope)
    [System.Environment]::SetEnvironmentVariable($Name, $new)
}

# Copies files by their names, each from the first folder that has it.
function Copy-Named([string[]] $Names, [string[]] $From, [string] $To) {
    [void] [System.IO.Directory]::CreateDirectory($To)
    foreach ($name in $Names) {
        $found = @($From | ForEach-Object { [System.IO.Directory]::GetFiles($_, $name) })
        if ($found.Count -eq 0) { throw ($name + ' is in none of ' + ($From -join ', ')) }
        foreach ($file in $found) {
            $target = [System.IO.Path]::Combine($To, [System.IO.Path]::GetFileName($file))
            if ($file -ne $target) { [System.IO.File]::Copy($file, $target, $true) }
        }
    }
}

function Get-Download([string] $Address, [string] $Name) {
    [void] [System.IO.Directory]::CreateDirectory($Work)
    $file = [System.IO.Path]::Combine($Work, $Name)
    Invoke-WebRequest -UseBasicParsing -Uri $Address -OutFile $file
    return $file
}

# Runs a vendor's installer, whose signature must be valid where it has one, and
# whose hash must be the one that is given.
function Invoke-Setup([string] $Address, [string] $Name, [string[]] $Arguments, [string] $Sum = '') {
    $file = Get-Download $Address $Name
    if ($Sum -ne '' -and (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash -ne $Sum) { throw ($Name + ' is not the file that was published: its SHA-256 is another one') }
    $signature = Get-AuthenticodeSignature -FilePath $file
    if ($signature.Status -ne 'Valid' -and $signature.Status -ne 'NotSigned') { throw ($Name + ' has a signature that is not valid: ' + $signature.Status) }
    if ($Name.EndsWith('.msi')) { $Arguments = @('/i', $file) + $Arguments; $file = 'msiexec.exe' }
    Invoke-Argv (@($file) + $Arguments)
}

# Unpacks a published archive into a folder that is not there yet.
function Expand-Release([string] $Address, [string] $Into) {
    if ([System.IO.Directory]::Exists($Into)) {
        Write-Host 'done already'
        return
    }
    $file = Get-Download $Address 'release.zip'
    $part = $Into + '.deployctl-partial'
    if ([System.IO.Directory]::Exists($part)) { Remove-Item -LiteralPath $part -Recurse -Force }
    [void] [System.IO.Directory]::CreateDirectory($part)
    Invoke-Argv @([System.IO.Path]::Combine($env:SystemRoot, 'System32\tar.exe'), '-x', '-f', $file, '-C', $part)
    [System.IO.Directory]::Move($part, $Into)
}

function Get-Source([string] $Address, [string] $Tag, [string] $Into) {
    if ([System.IO.Directory]::Exists($Into)) {
        Write-Host ($Into + ' is there already')
        return
    }
    Invoke-Argv @('git', 'clone', '--depth', '1', '--branch', $Tag, $Address, $Into)
}

# Forgets how a build folder was configured: CMake keeps the compiler of the
# first time.
function Clear-Cache([string] $Folder) {
    foreach ($name in @('CMakeCache.txt', 'CMakeFiles')) {
        $path = [System.IO.Path]::Combine($Folder, $name)
        if ([System.IO.File]::Exists($path) -or [System.IO.Directory]::Exists($path)) { Remove-Item -LiteralPath $path -Recurse -Force }
    }
}

# Brings NVIDIA's cuDNN into CUDA's folder from its Python wheel, whose SHA-256 pip
# checks.
function Install-CuDNN([string] $Requirement, [string] $Sum, [string] $Into) {
    Assert-Administrator
    if (-not [System.IO.Directory]::Exists($Into)) { throw ($Into + ' has no CUDA Toolkit') }
    [void] [System.IO.Directory]::CreateDirectory($Work)
    $list = [System.IO.Path]::Combine($Work, 'cudnn.txt')
    [System.IO.File]::WriteAllText($list, $Requirement + ' --hash=sha256:' + $Sum)
    $python = 'python'
    if (Get-Command py -ErrorAction SilentlyContinue) { $python = 'py' }
    Invoke-Argv @($python, '-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '--platform', 'win_amd64', '--require-hashes', '--requirement', $list, '--dest', $Work)
    $folder = [System.IO.Path]::Combine($Work, 'cudnn')
    [void] [System.IO.Directory]::CreateDirectory($folder)
    Invoke-Argv @([System.IO.Path]::Combine($env:SystemRoot, 'System32\tar.exe'), '-x', '-f', [System.IO.Directory]::GetFiles($Work, 'nvidia_cudnn*.whl')[0], '-C', $folder)
    foreach ($part in @(@('*.dll', 'bin'), @('*.h', 'include'), @('*.lib', 'lib\x64'))) {
        $to = [System.IO.Path]::Combine($Into, $part[1])
        [void] [System.IO.Directory]::CreateDirectory($to)
        $found = [System.IO.Directory]::GetFiles($folder, $part[0], 'AllDirectories')
        if ($found.Count -eq 0) { throw ($Requirement + ' has no ' + $part[0]) }
        foreach ($file in $found) { [System.IO.File]::Copy($file, [System.IO.Path]::Combine($to, [System.IO.Path]::GetFileName($file)), $true) }
    }
}`
