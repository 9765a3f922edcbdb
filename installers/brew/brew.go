// Package brew is Homebrew as argv and rules. It must never change the machine.
// Not run for real yet: argv from brew(1) 4, checked by golden tests with fake
// runs.
package brew

import (
	"context"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
)

// Manager returns the Homebrew manager. It refuses to run as root, so it is
// never elevated, and it refreshes its lists itself.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "brew", Tool: "brew", Path: "/opt/homebrew/bin/brew",
		UndoBy: "brew uninstall",
		Env:    []string{"HOMEBREW_NO_ANALYTICS=1", "HOMEBREW_NO_ENV_HINTS=1", "HOMEBREW_NO_INSTALL_CLEANUP=1", "NONINTERACTIVE=1"},
		Install: func(p []string) []string {
			return append([]string{"install", "--formula", "--"}, p...)
		},
		Remove: func(p []string, _ bool) []string {
			return append([]string{"uninstall", "--formula", "--"}, p...)
		},
		Installed: func(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
			return pkgmgr.List(ctx, h, []string{"/opt/homebrew/bin/brew", "list", "--versions", "--formula"}, pkgmgr.ParseNameVersion)
		},
		Explain: pkgmgr.Explainer("brew", []pkgmgr.Rule{
			pkgmgr.Locked("another active homebrew", "has already locked"),
			pkgmgr.NotFound(`No available formula with the name "([^"]+)"`, "no available formula", "no formulae found"),
			pkgmgr.Untrusted("sha256 mismatch", "sha-256 mismatch"),
			pkgmgr.Conflict("because conflicting formulae", "refusing to uninstall"),
		}),
		Disks: []string{"/opt/homebrew", "/usr/local"},
	}
}
