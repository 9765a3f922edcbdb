//go:build unix

package pipeline

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"syscall"
)

// ownCache is the user's cache folder, but root's own where sudo kept another
// user's HOME: root must not run what that user could have put there.
func ownCache(dir string) string {
	if os.Geteuid() != 0 || os.Getenv("XDG_CACHE_HOME") != "" {
		return dir
	}
	info, err := os.Stat(os.Getenv("HOME"))
	if err != nil {
		return dir
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid == 0 {
		return dir
	}
	root, err := user.LookupId("0")
	if err != nil || root.HomeDir == "" {
		return dir
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(root.HomeDir, "Library", "Caches")
	}
	return filepath.Join(root.HomeDir, ".cache")
}
