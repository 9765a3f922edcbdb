// Package dnf is Fedora's and Red Hat's package manager as argv and rules. It
// must never change the machine. .ci/managers runs the real dnf 4; argv also from
// dnf(8) of dnf 5.
package dnf

import (
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// Manager returns the dnf manager. dnf fetches its lists itself.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "dnf", Tool: "dnf", Path: "/usr/bin/dnf", Admin: true, Retries: true, Upgrades: true, Saves: true,
		UndoBy: "dnf remove", Clean: []string{"/usr/bin/dnf clean all"}, Unchanged: "Nothing to do",
		Env: []string{"LC_ALL=C"},
		Install: func(p []string) []string {
			// Lists may be two days old without --refresh, and dnf would say of an old
			// version that nothing is to be done. It waits for its lock for ever unless
			// it is told to end.
			return append([]string{"install", "--assumeyes", "--refresh", "--setopt=exit_on_lock=True", "--setopt=install_weak_deps=False", "--"}, p...)
		},
		Remove: func(p []string, _ bool) []string {
			return append([]string{"remove", "--assumeyes", "--setopt=exit_on_lock=True", "--setopt=clean_requirements_on_remove=False", "--"}, p...)
		},
		Installed: pkgmgr.RPM,
		Provided:  pkgmgr.RPMProvided,
		Needed:    pkgmgr.RPMNeeded,
		Explain: pkgmgr.Explainer("dnf", []pkgmgr.Rule{
			pkgmgr.Locked("waiting for process with pid", "failed to obtain the transaction lock", "rpm lock", "already locked by"),
			pkgmgr.Untrusted("gpg check failed", "checksum doesn't match", "incorrect checksum", "public key for", "gpg signature verification error", "signature verification"),
			pkgmgr.NotFound(`^No match for argument: (\S+)`, "unable to find a match", "no match for argument"),
			{Kind: step.Conflict, Any: []string{"nothing provides"}, Cause: "a package needs another one that is in none of this system's sources",
				Next: "add the source that has what the lines below name (dnf repolist --all lists those that are off), then run deployctl again"},
			pkgmgr.Conflict("conflicting requests", "problem with installed package", "conflicts with"),
		}),
		Disks: []string{"/var/cache", "/usr"},
	}
}
