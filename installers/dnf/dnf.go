// Package dnf is Fedora's and Red Hat's package manager as argv and rules. It
// must never change the machine. Not run for real yet: argv from dnf(8) of
// dnf 4 and 5, checked by golden tests with fake runs.
package dnf

import (
	"github.com/deployctl/deployctl/installers/pkgmgr"
)

// Manager returns the dnf manager. dnf fetches its lists itself.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "dnf", Tool: "dnf", Path: "/usr/bin/dnf", Admin: true,
		UndoBy: "dnf remove", Clean: []string{"/usr/bin/dnf clean all"}, Unchanged: "Nothing to do",
		Env: []string{"LC_ALL=C"},
		Install: func(p []string) []string {
			return append([]string{"install", "--assumeyes", "--setopt=install_weak_deps=False", "--"}, p...)
		},
		Remove: func(p []string, _ bool) []string {
			return append([]string{"remove", "--assumeyes", "--setopt=clean_requirements_on_remove=False", "--"}, p...)
		},
		Installed: pkgmgr.RPM,
		Explain: pkgmgr.Explainer("dnf", []pkgmgr.Rule{
			pkgmgr.Locked("waiting for process with pid", "failed to obtain the transaction lock", "rpm lock"),
			pkgmgr.NotFound("unable to find a match", "no match for argument"),
			pkgmgr.Untrusted("gpg check failed", "checksum doesn't match", "public key for"),
			pkgmgr.Conflict("nothing provides", "conflicting requests", "problem with installed package"),
		}),
		Disks: []string{"/var/cache", "/usr"},
	}
}
