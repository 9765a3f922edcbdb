//go:build unix

package pipeline

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime"

	"github.com/deployctl/deployctl/doctor/host/ownership"
)

// ownCache is the user's cache folder, but root's own where sudo -E kept
// another user's HOME or XDG_CACHE_HOME: root must not run what that user could
// have put there, nor leave files there that the user cannot remove.
func ownCache(dir string) string { return own(dir, ".cache", "Library/Caches") }

// ownConfig is the same for the folder of the user's recipes.
func ownConfig(dir string) string { return own(dir, ".config", "Library/Application Support") }

func own(dir, linux, darwin string) string {
	if os.Geteuid() != 0 || ownership.RootOnly(dir) == nil {
		return dir
	}
	root, err := user.LookupId("0")
	if err != nil || root.HomeDir == "" {
		return dir // whoever uses it asks ownership again, and says why it cannot be used
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(root.HomeDir, darwin)
	}
	return filepath.Join(root.HomeDir, linux)
}
