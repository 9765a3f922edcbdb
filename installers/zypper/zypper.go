// Package zypper is SUSE's package manager as argv and rules. It must never
// change the machine. Not run for real yet: argv from zypper(8) 1.14, checked
// by golden tests with fake runs.
package zypper

import (
	"github.com/deployctl/deployctl/installers/pkgmgr"
)

// Manager returns the zypper manager. zypper refreshes its lists itself.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "zypper", Tool: "zypper", Path: "/usr/bin/zypper", Admin: true,
		UndoBy: "zypper remove --clean-deps", Clean: []string{"/usr/bin/zypper clean --all"}, Unchanged: "Nothing to do",
		Env: []string{"LC_ALL=C"},
		Install: func(p []string) []string {
			return append([]string{"--non-interactive", "install", "--no-recommends", "--"}, p...)
		},
		Remove: func(p []string, _ bool) []string {
			return append([]string{"--non-interactive", "remove", "--no-clean-deps", "--"}, p...)
		},
		Installed: pkgmgr.RPM,
		Explain: pkgmgr.Explainer("zypper", []pkgmgr.Rule{
			pkgmgr.Locked("system management is locked"),
			pkgmgr.NotFound("no provider of", "not found in package names"),
			pkgmgr.Untrusted("signature verification failed", "digest verification failed"),
			pkgmgr.Conflict("nothing provides", "problem: "),
		}),
		Disks: []string{"/var/cache", "/usr"},
	}
}
