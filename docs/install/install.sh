#!/bin/sh
# Installs deployctl: downloads the archive for this system, compares its checksum with
# the release's list, and puts the programs into a folder.
#
#   sh install.sh
#
# DEPLOYCTL_VERSION   the release, for example v1.2.3 (default: the newest)
# DEPLOYCTL_TO        the folder (default: /usr/local/bin as root, else ~/.local/bin)
# DEPLOYCTL_FROM      where the release's files are (default: the release on GitHub)
set -eu
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

case $(uname -s) in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) fail "there is no archive for $(uname -s). On Windows, use install.ps1." ;;
esac
case $(uname -m) in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fail "there is no archive for $(uname -m). Build it with Go: go install github.com/deployctl/deployctl/cmd/deployctl@latest" ;;
esac
releases=https://github.com/deployctl/deployctl/releases
if [ -n "${DEPLOYCTL_VERSION:-}" ]; then from=$releases/download/$DEPLOYCTL_VERSION; else from=$releases/latest/download; fi
from=${DEPLOYCTL_FROM:-$from}
if [ "$(id -u)" = 0 ]; then to=/usr/local/bin; else to=$HOME/.local/bin; fi
to=${DEPLOYCTL_TO:-$to}

if command -v curl >/dev/null; then
  fetch() { curl -fsSL --proto '=https,http,file' -o "$2" "$1"; }
elif command -v wget >/dev/null; then
  fetch() { wget -q -O "$2" "$1"; }
else
  fail "neither curl nor wget is installed. Install one of them and run this again."
fi
if command -v sha256sum >/dev/null; then
  sum() { sha256sum "$1" | cut -d' ' -f1; }
elif command -v shasum >/dev/null; then
  sum() { shasum -a 256 "$1" | cut -d' ' -f1; }
else
  fail "neither sha256sum nor shasum is installed, so the download could not be checked. Nothing was installed."
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
fetch "$from/checksums.txt" "$work/checksums.txt" || fail "could not download $from/checksums.txt"
line=$(grep -E "  deployctl_[^/]*_${os}_$arch\.tar\.gz\$" "$work/checksums.txt") || fail "the release has no archive for $os on $arch"
want=${line%% *}
file=${line##* }
fetch "$from/$file" "$work/$file" || fail "could not download $from/$file"
have=$(sum "$work/$file")
[ "$have" = "$want" ] || fail "$file has the SHA-256 $have, but the release lists $want. Nothing was installed."

tar -xzf "$work/$file" -C "$work"
mkdir -p "$to"
for program in deployctl deployctl-ask-opencl; do
  # Beside the old one and then over it: a running deployctl keeps its file.
  cp "$work/${file%.tar.gz}/$program" "$to/.$program.new"
  chmod 755 "$to/.$program.new"
  mv -f "$to/.$program.new" "$to/$program"
done
"$to/deployctl" version
printf 'Installed to %s\n' "$to"
case :$PATH: in
  *:"$to":*) ;;
  *) printf 'That folder is not on PATH. Add it: export PATH="%s:$PATH"\n' "$to" ;;
esac
