package host

import "context"

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
