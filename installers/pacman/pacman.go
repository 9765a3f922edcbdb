// Package pacman is Arch Linux's package manager as argv and rules. It must
// never change the machine. Not run for real yet: argv from pacman(8) 6,
// checked by golden tests with fake runs.
package pacman

import (
	"context"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
)

// Manager returns the pacman manager. The lists are not refreshed apart: a
// refresh without a full upgrade leaves Arch in a state it does not support.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "pacman", Tool: "pacman", Path: "/usr/bin/pacman", Admin: true,
		UndoBy: "pacman -Rns", Clean: []string{"rm -rf /var/cache/pacman/pkg/*"},
		Env: []string{"LC_ALL=C"},
		Install: func(p []string) []string {
			return append([]string{"-S", "--noconfirm", "--needed", "--noprogressbar", "--"}, p...)
		},
		Remove: func(p []string, purge bool) []string {
			op := "-R"
			if purge {
				op = "-Rn"
			}
			return append([]string{op, "--noconfirm", "--"}, p...)
		},
		Installed: func(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
			return pkgmgr.List(ctx, h, []string{"/usr/bin/pacman", "-Q"}, pkgmgr.ParseNameVersion)
		},
		Explain: pkgmgr.Explainer("pacman", []pkgmgr.Rule{
			pkgmgr.Locked("unable to lock database"),
			pkgmgr.NotFound("target not found"),
			pkgmgr.Untrusted("invalid or corrupted package", "is unknown trust", "keyring is not writable"),
			pkgmgr.Conflict("unresolvable package conflicts", "could not satisfy dependencies", "exists in filesystem"),
		}),
		Disks: []string{"/var/cache", "/usr"},
	}
}
