package export

import (
	"fmt"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Lasting changes of the environment are written where package envedit writes
// them, with the same bytes, so that deployctl finds its own lines afterwards.

// posixRemember is a script's way to write a line as envedit does: into its own
// file for the machine, into a marked block of the user's profiles. A profile
// is copied, changed and renamed, and keeps its mode and owner.
const posixRemember helper = `# reads SCOPE FILE: whether it is one of those that the scope's login shells read.
reads() {
  case "$1 ${2##*/}" in
    'machine deployctl.sh' | 'user .profile') true;;
    'user .bash_profile') exists "$2";;
    'user .bash_login') exists "$2" && ! exists "${2%/*}/.bash_profile";;
    'user .zprofile') case "$(uname) ${SHELL:-}" in Darwin* | *' zsh' | */zsh) true;; *) false;; esac;;
    *) false;;
  esac;
};
notes() {
  echo '# Written by deployctl: settings that it made, the newest last.';
  echo '# To see them: deployctl history. To take them back: deployctl undo.';
};
# copied FILE LINE: the file with the line before the end of the block, or in place of
# the one that sets the same variable.
copied() {
  name=${2##* # deployctl: };
  name=${name%%=*} rest='' put='';
  case "$name" in
    *+) same=$2;;
    *) same=" # deployctl: $name=";;
  esac;
  while IFS= read -r rest; do
    case "$rest" in
      *"$same"*) rest=$2 put=yes;;
      '# <<< deployctl <<<') [ -n "$put" ] || printf '%s\n' "$2";;
    esac;
    printf '%s\n' "$rest";
    rest='';
  done <"$1";
  printf '%s' "$rest";
};
# remember SCOPE LINE...: writes lines into deployctl's part of each of the scope's files.
remember() {
  scope=$1 new='';
  shift;
  if [ "$scope" = user ]; then : "${HOME:?is not set}"; fi;
  for file in /etc/profile.d/deployctl.sh "${HOME:-}/.profile" "${HOME:-}/.bash_profile" "${HOME:-}/.bash_login" "${ZDOTDIR:-${HOME:-}}/.zprofile"; do
    reads "$scope" "$file" || continue;
    for line do
      if [ -f "$file" ] && grep -qxF -e "$line" "$file"; then continue; fi;
      put='' part=${file%/*}/.${file##*/}.deployctl-partial;
      rm -f -- "$part";
      if exists "$file"; then cp -p -- "$file" "$part"; fi;
      {
        if [ "$scope" = machine ]; then
          [ -s "$file" ] || notes;
          if [ -e "$file" ]; then copied "$file" "$line"; fi;
          [ -n "$put" ] || printf '%s\n' "$line";
        elif [ -e "$file" ] && grep -qxF -e '# >>> deployctl >>>' "$file"; then
          copied "$file" "$line";
        else
          ended='';
          if [ -e "$file" ]; then
            cat -- "$file";
            if [ -n "$(tail -c 1 "$file")" ]; then echo; ended=yes; fi;
          fi;
          echo '# >>> deployctl >>>';
          notes;
          [ -e "$file" ] || echo '# deployctl made this file.';
          [ -z "$ended" ] || echo '# The line before this block had no line break at its end; deployctl added it.';
          printf '%s\n' "$line";
          echo '# <<< deployctl <<<';
        fi;
      } >"$part";
      grep -qxF -e "$line" "$part" || fail "$file: deployctl's block in it does not end; repair it or remove it";
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
};`

// profileLine is an edit's line in a shell's file: its command, and what it is
// about (envedit's render).
func profileLine(e step.Env) string {
	quoted := "'" + strings.ReplaceAll(e.Value, "'", `'\''`) + "'"
	if !e.Prepend {
		return "export " + e.Name + "=" + quoted + lineTag + e.Name + "=" + e.Value
	}
	return fmt.Sprintf(`case ":${%[1]s-}:" in *:%[2]s:*) ;; *) export %[1]s=%[2]s"${%[1]s:+:$%[1]s}" ;; esac`, e.Name, quoted) + lineTag + e.Name + "+=" + e.Value
}

const lineTag = " # deployctl: "

func posixEnvStep(edits []step.Env) *posix {
	p := &posix{helpers: []helper{posixBasics, posixRemember}}
	words := []string{edits[0].Scope}
	for _, e := range edits {
		words = append(words, profileLine(e))
	}
	p.call("", "remember", words, "")
	return p
}

// dockerEnv gives the ENV instructions of edits: what a Dockerfile builds and
// runs does not read profiles. A value is quoted as for a shell, and the
// variable's own value is put after a list's new entry (Dockerfile reference,
// "Environment replacement").
func dockerEnv(edits []step.Env) []string {
	var lines []string
	for _, e := range edits {
		l := "ENV " + e.Name + "=" + step.Word(e.Value)
		if e.Prepend {
			l += fmt.Sprintf(`"${%[1]s:+:${%[1]s}}"`, e.Name)
		}
		lines = append(lines, l)
	}
	return lines
}

// badEdit says why an edit is none that deployctl plans.
func badEdit(e, first step.Env) string {
	switch {
	case !variable.MatchString(e.Name):
		return lang.T("sets something that is not a variable")
	case e.Scope != "user" && e.Scope != "machine" || e.Scope != first.Scope:
		return lang.T("sets a variable for an unknown user")
	case e.Value == "" || strings.ContainsAny(e.Value, "\r\n") || strings.Contains(e.Value, lineTag):
		return lang.T("sets a variable to a value that does not fit on a line")
	}
	return ""
}

// powerShellRemember is envedit's way to write to the registry. A value that
// has %NAME% in it keeps its type; setting a variable that is not there tells
// running programs (WM_SETTINGCHANGE), which .NET does on each change.
const powerShellRemember = `

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
}`

func windowsEnvStep(edits []step.Env) []string {
	var lines []string
	for _, e := range edits {
		prepend := raw("$false")
		if e.Prepend {
			prepend = "$true"
		}
		lines = append(lines, powerShellCall("", "Set-Remembered", e.Scope, e.Name, e.Value, prepend))
	}
	return lines
}
