// Package zypper is SUSE's package manager as argv and rules. It must never
// change the machine. .ci/managers runs the real one.
package zypper

import (
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// Exit statuses of zypper(8) that say more than success: what was asked was done.
const (
	rebootNeeded  = 102
	restartNeeded = 103 // of zypper itself
	reposSkipped  = 106 // some source could not be read
)

// Manager returns the zypper manager. zypper refreshes its lists itself.
func Manager() *pkgmgr.Manager {
	locked := pkgmgr.Locked("system management is locked")
	locked.Names = `locked by the application with pid ([0-9]+ \([^)]*\))`
	return &pkgmgr.Manager{
		Name: "zypper", Tool: "zypper", Path: "/usr/bin/zypper", Admin: true, Retries: true, Upgrades: true, Saves: true,
		UndoBy: "zypper remove --clean-deps", Clean: []string{"/usr/bin/zypper clean --all"}, Unchanged: "Nothing to do",
		Env: []string{"LC_ALL=C"},
		Install: func(p []string) []string {
			return append([]string{"--non-interactive", "install", "--no-recommends", "--"}, p...)
		},
		Remove: func(p []string, _ bool) []string {
			return append([]string{"--non-interactive", "remove", "--no-clean-deps", "--"}, p...)
		},
		Succeeded: []int{restartNeeded, reposSkipped}, Reboot: []int{rebootNeeded},
		Installed: pkgmgr.RPM,
		Provided:  pkgmgr.RPMProvided,
		Needed:    pkgmgr.RPMNeeded,
		// A source that is left out comes first: what only it has is then not found.
		Explain: pkgmgr.Explainer("zypper", append([]pkgmgr.Rule{
			locked,
			{Kind: step.Untrusted, Any: []string{"signing key received"}, Cause: "the key of a package source has not been accepted on this machine",
				Next: "check the key's fingerprint and accept it with zypper refresh, then run deployctl again"},
			pkgmgr.Untrusted("signature verification failed", "digest verification failed", "signature verification", "package header is not signed"),
		}, append(pkgmgr.Common("zypper"),
			pkgmgr.NotFound(`^No provider of '(.+)' found`, "no provider of", "not found in package names"),
			pkgmgr.Rule{Kind: step.Conflict, Any: []string{"nothing provides"}, Cause: "a package needs another one that is in none of this system's sources",
				Next: "add the source that has what the lines below name (zypper repos lists those that are off), then run deployctl again"},
			pkgmgr.Conflict("problem: "),
		)...)),
		Disks: []string{"/var/cache", "/usr"},
	}
}
