package host

import (
	"context"
	"strings"
)

// systemDirs are the folders where distributions keep their programs, and
// NixOS its sudo. Only root writes to them.
var systemDirs = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/run/wrappers/bin"}

// SystemPath gives the program of that name from the system's own folders, ""
// when none has it. What runs as root is looked up here and not on the user's
// PATH, as sudo does itself with its secure_path (sudoers(5)). On Windows it
// is always "".
func (h *Host) SystemPath(ctx context.Context, name string) string {
	if h.Windows() {
		return ""
	}
	dirs := h.SystemDirs
	if dirs == nil {
		dirs = systemDirs
	}
	for _, dir := range dirs {
		full := h.Join(dir, name)
		if info, err := h.Stat(ctx, full); err == nil && !info.Dir && info.Exec {
			return full
		}
	}
	return ""
}

// MachineFolder gives a folder of Windows by the variable that names it, as the
// machine's registry has it: the variable is the user's to set, and what runs as
// administrator must lie where only an administrator can put it. Where the
// registry does not say, it is Windows' usual folder, and for ChocolateyInstall "".
func (h *Host) MachineFolder(ctx context.Context, variable string) string {
	at, ok := machineFolders[variable]
	if !ok {
		panic("host: no machine folder " + variable)
	}
	k, err := h.RegistryKey(ctx, at.key, "64")
	if dir := k.Values[at.value].String; err == nil && dir != "" {
		if rest, ok := strings.CutPrefix(dir, "%SystemDrive%"); ok {
			return h.MachineFolder(ctx, "SystemRoot")[:len("C:")] + rest
		}
		return dir
	}
	return at.usual
}

// machineFolders says where the registry keeps them (all below HKLM,
// where users read and administrators write).
var machineFolders = map[string]struct{ key, value, usual string }{
	"SystemRoot":        {`HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`, "SystemRoot", `C:\Windows`},
	"ProgramFiles":      {`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion`, "ProgramFilesDir", `C:\Program Files`},
	"ProgramFiles(x86)": {`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion`, "ProgramFilesDir (x86)", `C:\Program Files (x86)`},
	"ProgramData":       {`HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList`, "ProgramData", `C:\ProgramData`},
	"ChocolateyInstall": {`HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment`, "ChocolateyInstall", ""},
}
