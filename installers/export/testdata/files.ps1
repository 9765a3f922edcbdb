# Written by deployctl; it runs without deployctl.
# Recipe: opencv-gocv.
# It is the plan of one machine: what was installed there already is not in
# it.
# Nothing here keeps a journal, so "deployctl undo" cannot take it back.
# Only the steps that need it run as root.
# Files go where the planning machine's user has them: run it as a user of the
# same name.
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

# 1 of 10: Fetch the package lists. A fresh machine has none.
# Undo: nothing to undo: the lists are a cache.
Write-Host '== Fetch the package lists'
Invoke-AsRoot @(
    '/usr/bin/env', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C', 'NEEDRESTART_SUSPEND=1',
    'APT_LISTCHANGES_FRONTEND=none', '/usr/bin/apt-get', '--quiet', '--option',
    'Acquire::Retries=3', 'update'
)

# 2 of 10: Install cmake, ninja-build. For cmake.present, gcc.version.
# Undo: apt-get --purge autoremove cmake ninja-build; first look at what else
# it would remove.
Write-Host '== Install cmake, ninja-build'
Invoke-AsRoot @(
    '/usr/bin/env', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C', 'NEEDRESTART_SUSPEND=1',
    'APT_LISTCHANGES_FRONTEND=none', '/usr/bin/apt-get', '--yes', '--quiet', '--no-remove',
    '--option', 'Dpkg::Use-Pty=0', '--option', 'DPkg::Lock::Timeout=30', '--option',
    'Acquire::Retries=3', '--option', 'APT::Cmd::Pattern-Only=true', '--option',
    'Dpkg::Options::=--force-confdef', '--option', 'Dpkg::Options::=--force-confold',
    '--no-install-recommends', 'install', '--', 'cmake', 'ninja-build'
)

# 3 of 10: Unpack opencv-4.10.0.tar.xz. For opencv.tuned. It fetches
# opencv-4.10.0.tar.xz (95.0 MB) where it is not done already.
# Undo: nothing to undo: the folder goes with the build.
Write-Host '== Unpack opencv-4.10.0.tar.xz'
Invoke-Argv @(
    '/bin/sh', '-c',
    'set -eu
exists() { [ -e "$1" ] || [ -L "$1" ]; };
already() { echo ''done already''; };
fail() { printf ''%s\n'' "$*" >&2; exit 1; };
work=$(mktemp -d);
trap ''rm -rf -- "$work"'' EXIT;
trap ''exit 1'' HUP INT TERM;
sum() { if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d '' '' -f 1; };
# fetch SHA256 SIZE PROTOCOLS MIRROR...: brings the file to $work/SHA256, checked.
fetch() {
  sha=$1 size=$2 protocols=$3;
  shift 3;
  if [ -e "$work/$sha" ]; then return 0; fi;
  for url do
    rm -f "$work/part";
    if command -v curl >/dev/null; then
      curl --fail --location --silent --show-error --globoff --retry 3 --proto "=$protocols" --max-filesize "$size" --output "$work/part" --url "$url" || continue;
    elif command -v wget >/dev/null; then
      wget -q -O "$work/part" -- "$url" || continue;
    elif [ -x /usr/lib/apt/apt-helper ]; then
      /usr/lib/apt/apt-helper download-file "$url" "$work/part" "SHA256:$sha" >&2 || continue;
    else
      fail ''nothing here can fetch a file: install curl or wget, and ca-certificates'';
    fi;
    if [ "$(wc -c <"$work/part")" -eq "$size" ] && [ "$(sum "$work/part")" = "$sha" ]; then
      mv "$work/part" "$work/$sha";
      return 0;
    fi;
    printf ''%s\n'' "$url gives another file: its size or SHA-256 is wrong" >&2;
  done;
  fail "no address gave the file with the SHA-256 $sha; https needs ca-certificates";
};
# extract FORMAT FILE FOLDER, with whatever is there (tar -C reads \ in a name).
extract() {
  tools=''tar cmake bsdtar'' how=xo;
  case "$1" in
    zip) tools=''unzip cmake bsdtar'';;
    tar.gz) how=xoz;;
    tar.xz) how=xoJ;;
  esac;
  for tool in $tools; do
    command -v "$tool" >/dev/null || continue;
    rm -rf -- "$3";
    mkdir -- "$3";
    case "$tool" in
      unzip) (cd -- "$3" && unzip -q "$2") && return 0;;
      cmake) (cd -- "$3" && cmake -E tar xf "$2") && return 0;;
      *) (cd -- "$3" && "$tool" "-${how}f" "$2") && return 0;;
    esac;
  done;
  fail "nothing here unpacks $1 (tried $tools): install unzip for zip, xz-utils for tar.xz, or cmake";
};
# unpack FORMAT STRIP PARTIAL INTO SHA256 [FROM TO]...: the folder appears whole or not at all.
unpack() (
  umask 022;
  strip=$2 part=$3 into=$4;
  rm -rf -- "$part";
  mkdir -p -- "$part";
  extract "$1" "$work/$5" "$part/all";
  shift 5;
  chmod -R u+rwX "$part/all";
  find "$part/all" -type d -exec chmod a-s,u=rwx,go=rx {} +;
  find "$part/all" -type f \( -perm -100 -o -perm -010 -o -perm -001 \) -exec chmod 0755 {} +;
  find "$part/all" -type f ! \( -perm -100 -o -perm -010 -o -perm -001 \) -exec chmod 0644 {} +;
  while [ "$strip" -gt 0 ]; do
    mkdir "$part/stripped";
    for top in "$part"/all/* "$part"/all/.[!.]*; do
      if [ -d "$top" ] && [ ! -L "$top" ]; then cp -pPR "$top/." "$part/stripped"; fi;
    done;
    rm -rf -- "$part/all";
    mv "$part/stripped" "$part/all";
    strip=$((strip - 1));
  done;
  if [ $# -gt 0 ]; then
    mv "$part/all" "$part/whole";
    while [ $# -gt 0 ]; do
      to=$part/all/$2;
      mkdir -p -- "${to%/*}";
      mv -- "$part/whole/$1" "$to";
      shift 2;
    done;
  fi;
  mv -- "$part/all" "$into";
  rm -rf -- "$part";
);
if exists /opt/deployctl/opencv-4.10.0 || exists /root/.cache/deployctl/build/opencv-4.10.0/source; then already; else
  fetch e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 95000000 https \
    https://example.org/opencv-4.10.0.tar.xz https://example.com/mirror/opencv-4.10.0.tar.xz;
  unpack tar.xz 1 /root/.cache/deployctl/build/opencv-4.10.0/.source.deployctl-partial \
    /root/.cache/deployctl/build/opencv-4.10.0/source \
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855;
fi;
'
)

# 4 of 10: configure opencv-4.10.0.
# Undo: nothing to undo: it works in a folder that goes with the build.
Write-Host '== configure opencv-4.10.0'
Invoke-Argv @(
    '/bin/sh', '-c',
    'set -eu
exists() { [ -e "$1" ] || [ -L "$1" ]; };
already() { echo ''done already''; };
fail() { printf ''%s\n'' "$*" >&2; exit 1; };
# built PRODUCT KEY STAMP: whether the stage or the whole build is done, with this key.
built() {
  if [ "$(cat -- "$1/.deployctl-build" 2>/dev/null)" = "$2" ]; then return 0; fi;
  if exists "$1"; then fail "$1 is already there and was made differently: move it away"; fi;
  [ "$(cat -- "$3" 2>/dev/null)" = "$2" ];
};
if built /opt/deployctl/opencv-4.10.0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 /root/.cache/deployctl/build/opencv-4.10.0/.deployctl-build-configure; then already; else
  rm -rf -- /root/.cache/deployctl/build/opencv-4.10.0/build/CMakeCache.txt;
  mkdir -p -- /root/.cache/deployctl/build/opencv-4.10.0/build;
  (
    cd -- /root/.cache/deployctl/build/opencv-4.10.0/build;
    export LC_ALL=C;
    /usr/bin/cmake -S /root/.cache/deployctl/build/opencv-4.10.0/source -B \
      /root/.cache/deployctl/build/opencv-4.10.0/build -G Ninja \
      -DCMAKE_INSTALL_PREFIX=/opt/deployctl/opencv-4.10.0 ''-DCPU_BASELINE=NEON;NEON_FP16'';
  );
  printf ''%s\n'' e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 >/root/.cache/deployctl/build/opencv-4.10.0/.deployctl-build-configure;
fi;
'
)

# 5 of 10: compile opencv-4.10.0.
# Undo: nothing to undo: it works in a folder that goes with the build.
Write-Host '== compile opencv-4.10.0'
Invoke-Argv @(
    '/bin/sh', '-c',
    'set -eu
exists() { [ -e "$1" ] || [ -L "$1" ]; };
already() { echo ''done already''; };
fail() { printf ''%s\n'' "$*" >&2; exit 1; };
# built PRODUCT KEY STAMP: whether the stage or the whole build is done, with this key.
built() {
  if [ "$(cat -- "$1/.deployctl-build" 2>/dev/null)" = "$2" ]; then return 0; fi;
  if exists "$1"; then fail "$1 is already there and was made differently: move it away"; fi;
  [ "$(cat -- "$3" 2>/dev/null)" = "$2" ];
};
if built /opt/deployctl/opencv-4.10.0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 /root/.cache/deployctl/build/opencv-4.10.0/.deployctl-build-compile; then already; else
  (
    cd -- /root/.cache/deployctl/build/opencv-4.10.0/build;
    export LC_ALL=C;
    /usr/bin/cmake --build /root/.cache/deployctl/build/opencv-4.10.0/build --parallel 4;
  );
  printf ''%s\n'' e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 >/root/.cache/deployctl/build/opencv-4.10.0/.deployctl-build-compile;
fi;
'
)

# 6 of 10: install opencv-4.10.0.
# Undo: remove the folder /opt/deployctl/opencv-4.10.0.
Write-Host '== install opencv-4.10.0'
Invoke-Argv @(
    '/bin/sh', '-c',
    'set -eu
exists() { [ -e "$1" ] || [ -L "$1" ]; };
already() { echo ''done already''; };
fail() { printf ''%s\n'' "$*" >&2; exit 1; };
# built PRODUCT KEY STAMP: whether the stage or the whole build is done, with this key.
built() {
  if [ "$(cat -- "$1/.deployctl-build" 2>/dev/null)" = "$2" ]; then return 0; fi;
  if exists "$1"; then fail "$1 is already there and was made differently: move it away"; fi;
  [ "$(cat -- "$3" 2>/dev/null)" = "$2" ];
};
if built /opt/deployctl/opencv-4.10.0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 ''''; then already; else
  rm -rf -- /opt/deployctl/.opencv-4.10.0.deployctl-partial;
  (
    cd -- /root/.cache/deployctl/build/opencv-4.10.0/build;
    export LC_ALL=C DESTDIR=/opt/deployctl/.opencv-4.10.0.deployctl-partial;
    /usr/bin/cmake --install /root/.cache/deployctl/build/opencv-4.10.0/build;
  );
  printf ''%s\n'' e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 >/opt/deployctl/.opencv-4.10.0.deployctl-partial/opt/deployctl/opencv-4.10.0/.deployctl-build;
  mkdir -p -- /opt/deployctl;
  mv -- /opt/deployctl/.opencv-4.10.0.deployctl-partial/opt/deployctl/opencv-4.10.0 \
    /opt/deployctl/opencv-4.10.0;
  rm -rf -- /opt/deployctl/.opencv-4.10.0.deployctl-partial;
fi;
'
)

# 7 of 10: Let new shells find opencv-4.10.0 (PKG_CONFIG_PATH).
# Undo: take the lines out again.
Write-Host '== Let new shells find opencv-4.10.0 (PKG_CONFIG_PATH)'
Invoke-Argv @(
    '/bin/sh', '-c',
    'set -eu
exists() { [ -e "$1" ] || [ -L "$1" ]; };
already() { echo ''done already''; };
fail() { printf ''%s\n'' "$*" >&2; exit 1; };
# reads SCOPE FILE: whether it is one of those that the scope''s login shells read.
reads() {
  case "$1 ${2##*/}" in
    ''machine deployctl.sh'' | ''user .profile'') true;;
    ''user .bash_profile'') exists "$2";;
    ''user .bash_login'') exists "$2" && ! exists "${2%/*}/.bash_profile";;
    ''user .zprofile'') case "$(uname) ${SHELL:-}" in Darwin* | *'' zsh'' | */zsh) true;; *) false;; esac;;
    *) false;;
  esac;
};
notes() {
  echo ''# Written by deployctl: settings that it made, the newest last.'';
  echo ''# To see them: deployctl history. To take them back: deployctl undo.'';
};
# copied FILE LINE: the file with the line before the end of the block, or in place of
# the one that sets the same variable.
copied() {
  name=${2##* # deployctl: };
  name=${name%%=*} rest='''' put='''';
  case "$name" in
    *+) same=$2;;
    *) same=" # deployctl: $name=";;
  esac;
  while IFS= read -r rest; do
    case "$rest" in
      *"$same"*) rest=$2 put=yes;;
      ''# <<< deployctl <<<'') [ -n "$put" ] || printf ''%s\n'' "$2";;
    esac;
    printf ''%s\n'' "$rest";
    rest='''';
  done <"$1";
  printf ''%s'' "$rest";
};
# remember SCOPE LINE...: writes lines into deployctl''s part of each of the scope''s files.
remember() {
  scope=$1 new='''';
  shift;
  if [ "$scope" = user ]; then : "${HOME:?is not set}"; fi;
  for file in /etc/profile.d/deployctl.sh "${HOME:-}/.profile" "${HOME:-}/.bash_profile" "${HOME:-}/.bash_login" "${ZDOTDIR:-${HOME:-}}/.zprofile"; do
    reads "$scope" "$file" || continue;
    for line do
      if [ -f "$file" ] && grep -qxF -e "$line" "$file"; then continue; fi;
      put='''' part=${file%/*}/.${file##*/}.deployctl-partial;
      rm -f -- "$part";
      if exists "$file"; then cp -p -- "$file" "$part"; fi;
      {
        if [ "$scope" = machine ]; then
          [ -s "$file" ] || notes;
          if [ -e "$file" ]; then copied "$file" "$line"; fi;
          [ -n "$put" ] || printf ''%s\n'' "$line";
        elif [ -e "$file" ] && grep -qxF -e ''# >>> deployctl >>>'' "$file"; then
          copied "$file" "$line";
        else
          ended='''';
          if [ -e "$file" ]; then
            cat -- "$file";
            if [ -n "$(tail -c 1 "$file")" ]; then echo; ended=yes; fi;
          fi;
          echo ''# >>> deployctl >>>'';
          notes;
          [ -e "$file" ] || echo ''# deployctl made this file.'';
          [ -z "$ended" ] || echo ''# The line before this block had no line break at its end; deployctl added it.'';
          printf ''%s\n'' "$line";
          echo ''# <<< deployctl <<<'';
        fi;
      } >"$part";
      grep -qxF -e "$line" "$part" || fail "$file: deployctl''s block in it does not end; repair it or remove it";
      exists "$file" || chmod 0644 "$part";
      if [ -L "$file" ]; then
        cat -- "$part" >"$file";
        rm -f -- "$part";
      else
        mv -f -- "$part" "$file";
      fi;
      new=yes;
    done;
  done;
  [ -n "$new" ] || already;
};
remember machine \
  ''case ":${PKG_CONFIG_PATH-}:" in *:''\''''/opt/deployctl/opencv-4.10.0/lib/pkgconfig''\'''':*) ;; *) export PKG_CONFIG_PATH=''\''''/opt/deployctl/opencv-4.10.0/lib/pkgconfig''\''''"${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}" ;; esac # deployctl: PKG_CONFIG_PATH+=/opt/deployctl/opencv-4.10.0/lib/pkgconfig'';
'
)

# 8 of 10: Remove the sources and objects of the build.
# Undo: nothing to undo: only the build needed them.
Write-Host '== Remove the sources and objects of the build'
Invoke-Argv @(
    '/bin/sh', '-c',
    'set -eu
exists() { [ -e "$1" ] || [ -L "$1" ]; };
already() { echo ''done already''; };
fail() { printf ''%s\n'' "$*" >&2; exit 1; };
if exists /root/.cache/deployctl/build/opencv-4.10.0; then
  rm -rf -- /root/.cache/deployctl/build/opencv-4.10.0;
else already; fi;
'
)

# 9 of 10: Take the library out of library.zip. It fetches library.zip (95.0
# MB) where it is not done already.
# Undo: remove the folder /root/.cache/deployctl/runtimes/library.
Write-Host '== Take the library out of library.zip'
Invoke-Argv @(
    '/bin/sh', '-c',
    'set -eu
exists() { [ -e "$1" ] || [ -L "$1" ]; };
already() { echo ''done already''; };
fail() { printf ''%s\n'' "$*" >&2; exit 1; };
work=$(mktemp -d);
trap ''rm -rf -- "$work"'' EXIT;
trap ''exit 1'' HUP INT TERM;
sum() { if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d '' '' -f 1; };
# fetch SHA256 SIZE PROTOCOLS MIRROR...: brings the file to $work/SHA256, checked.
fetch() {
  sha=$1 size=$2 protocols=$3;
  shift 3;
  if [ -e "$work/$sha" ]; then return 0; fi;
  for url do
    rm -f "$work/part";
    if command -v curl >/dev/null; then
      curl --fail --location --silent --show-error --globoff --retry 3 --proto "=$protocols" --max-filesize "$size" --output "$work/part" --url "$url" || continue;
    elif command -v wget >/dev/null; then
      wget -q -O "$work/part" -- "$url" || continue;
    elif [ -x /usr/lib/apt/apt-helper ]; then
      /usr/lib/apt/apt-helper download-file "$url" "$work/part" "SHA256:$sha" >&2 || continue;
    else
      fail ''nothing here can fetch a file: install curl or wget, and ca-certificates'';
    fi;
    if [ "$(wc -c <"$work/part")" -eq "$size" ] && [ "$(sum "$work/part")" = "$sha" ]; then
      mv "$work/part" "$work/$sha";
      return 0;
    fi;
    printf ''%s\n'' "$url gives another file: its size or SHA-256 is wrong" >&2;
  done;
  fail "no address gave the file with the SHA-256 $sha; https needs ca-certificates";
};
# extract FORMAT FILE FOLDER, with whatever is there (tar -C reads \ in a name).
extract() {
  tools=''tar cmake bsdtar'' how=xo;
  case "$1" in
    zip) tools=''unzip cmake bsdtar'';;
    tar.gz) how=xoz;;
    tar.xz) how=xoJ;;
  esac;
  for tool in $tools; do
    command -v "$tool" >/dev/null || continue;
    rm -rf -- "$3";
    mkdir -- "$3";
    case "$tool" in
      unzip) (cd -- "$3" && unzip -q "$2") && return 0;;
      cmake) (cd -- "$3" && cmake -E tar xf "$2") && return 0;;
      *) (cd -- "$3" && "$tool" "-${how}f" "$2") && return 0;;
    esac;
  done;
  fail "nothing here unpacks $1 (tried $tools): install unzip for zip, xz-utils for tar.xz, or cmake";
};
# unpack FORMAT STRIP PARTIAL INTO SHA256 [FROM TO]...: the folder appears whole or not at all.
unpack() (
  umask 022;
  strip=$2 part=$3 into=$4;
  rm -rf -- "$part";
  mkdir -p -- "$part";
  extract "$1" "$work/$5" "$part/all";
  shift 5;
  chmod -R u+rwX "$part/all";
  find "$part/all" -type d -exec chmod a-s,u=rwx,go=rx {} +;
  find "$part/all" -type f \( -perm -100 -o -perm -010 -o -perm -001 \) -exec chmod 0755 {} +;
  find "$part/all" -type f ! \( -perm -100 -o -perm -010 -o -perm -001 \) -exec chmod 0644 {} +;
  while [ "$strip" -gt 0 ]; do
    mkdir "$part/stripped";
    for top in "$part"/all/* "$part"/all/.[!.]*; do
      if [ -d "$top" ] && [ ! -L "$top" ]; then cp -pPR "$top/." "$part/stripped"; fi;
    done;
    rm -rf -- "$part/all";
    mv "$part/stripped" "$part/all";
    strip=$((strip - 1));
  done;
  if [ $# -gt 0 ]; then
    mv "$part/all" "$part/whole";
    while [ $# -gt 0 ]; do
      to=$part/all/$2;
      mkdir -p -- "${to%/*}";
      mv -- "$part/whole/$1" "$to";
      shift 2;
    done;
  fi;
  mv -- "$part/all" "$into";
  rm -rf -- "$part";
);
if exists /root/.cache/deployctl/runtimes/library; then already; else
  fetch b718f1354f7247312eca086d9a024afe5fa717ddea5adeddd6f12bcf945b2e8c 95000000 https \
    https://example.org/library.zip;
  unpack zip 0 /root/.cache/deployctl/runtimes/.library.deployctl-partial \
    /root/.cache/deployctl/runtimes/library \
    b718f1354f7247312eca086d9a024afe5fa717ddea5adeddd6f12bcf945b2e8c package/liba.so.1 \
    lib/liba.so.1;
fi;
'
)

# 10 of 10: Put yolov3.weights where it is looked for. It fetches
# yolov3.weights (95.0 MB) where it is not done already.
# Undo: remove the file /root/.cache/deployctl/models/yolov3.weights.
Write-Host '== Put yolov3.weights where it is looked for'
Invoke-Argv @(
    '/bin/sh', '-c',
    'set -eu
exists() { [ -e "$1" ] || [ -L "$1" ]; };
already() { echo ''done already''; };
fail() { printf ''%s\n'' "$*" >&2; exit 1; };
work=$(mktemp -d);
trap ''rm -rf -- "$work"'' EXIT;
trap ''exit 1'' HUP INT TERM;
sum() { if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d '' '' -f 1; };
# fetch SHA256 SIZE PROTOCOLS MIRROR...: brings the file to $work/SHA256, checked.
fetch() {
  sha=$1 size=$2 protocols=$3;
  shift 3;
  if [ -e "$work/$sha" ]; then return 0; fi;
  for url do
    rm -f "$work/part";
    if command -v curl >/dev/null; then
      curl --fail --location --silent --show-error --globoff --retry 3 --proto "=$protocols" --max-filesize "$size" --output "$work/part" --url "$url" || continue;
    elif command -v wget >/dev/null; then
      wget -q -O "$work/part" -- "$url" || continue;
    elif [ -x /usr/lib/apt/apt-helper ]; then
      /usr/lib/apt/apt-helper download-file "$url" "$work/part" "SHA256:$sha" >&2 || continue;
    else
      fail ''nothing here can fetch a file: install curl or wget, and ca-certificates'';
    fi;
    if [ "$(wc -c <"$work/part")" -eq "$size" ] && [ "$(sum "$work/part")" = "$sha" ]; then
      mv "$work/part" "$work/$sha";
      return 0;
    fi;
    printf ''%s\n'' "$url gives another file: its size or SHA-256 is wrong" >&2;
  done;
  fail "no address gave the file with the SHA-256 $sha; https needs ca-certificates";
};
# placed PATH SHA256: whether the file is there; another one is not ours.
placed() {
  if [ -f "$1" ] && [ ! -L "$1" ] && [ "$(sum "$1")" = "$2" ]; then return 0; fi;
  if exists "$1"; then fail "$1 is there already and is another file: move it away if it is not wanted"; fi;
  return 1;
};
# place SHA256 FOLDER PARTIAL PATH, for this user only.
place() (
  umask 077;
  mkdir -p -- "$2";
  cp -- "$work/$1" "$3";
  mv -- "$3" "$4";
);
if placed /root/.cache/deployctl/models/yolov3.weights 9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4; then already; else
  fetch 9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4 95000000 https \
    https://example.org/yolov3.weights;
  place 9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4 \
    /root/.cache/deployctl/models \
    /root/.cache/deployctl/models/.yolov3.weights.deployctl-partial \
    /root/.cache/deployctl/models/yolov3.weights;
fi;
'
)
