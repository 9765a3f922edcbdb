// Package installers owns everything that changes a machine: the plan of steps
// that would mend a judgement, its cost, the consent text, the journal, the
// lock, the apply loop and the undo. It must never judge (doctor does), never
// infer success from an exit code, and never elevate deployctl itself.
//
// The order for a caller: MakePlan, Plan.Describe, ask, Applier.Apply, then
// probe and judge again.
package installers

import (
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/apk"
	"github.com/deployctl/deployctl/installers/apt"
	"github.com/deployctl/deployctl/installers/brew"
	"github.com/deployctl/deployctl/installers/choco"
	"github.com/deployctl/deployctl/installers/conan"
	"github.com/deployctl/deployctl/installers/dnf"
	"github.com/deployctl/deployctl/installers/feature"
	"github.com/deployctl/deployctl/installers/ldconf"
	"github.com/deployctl/deployctl/installers/msys2"
	"github.com/deployctl/deployctl/installers/pacman"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/scoop"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/vcpkg"
	"github.com/deployctl/deployctl/installers/vsinstaller"
	"github.com/deployctl/deployctl/installers/winget"
	"github.com/deployctl/deployctl/installers/zypper"
)

// The words of the contract, so that a caller imports one package.
type (
	Step     = step.Step
	Cost     = step.Cost
	Package  = step.Package
	Progress = step.Progress
	Failure  = step.Failure
)

// managers is the one list that wires the package managers. A plan has them in
// this order.
func managers() []*pkgmgr.Manager {
	return []*pkgmgr.Manager{
		apt.Manager(), dnf.Manager(), pacman.Manager(), apk.Manager(), zypper.Manager(), brew.Manager(),
		winget.Manager(), choco.Manager(), scoop.Manager(), msys2.Manager(), feature.Manager(), vsinstaller.Manager(),
		vcpkg.Manager(), conan.Manager(), ldconf.Manager(),
	}
}

// managerOf gives the manager of a mechanism, completed for what a step works
// on; nil when no manager has the name.
func managerOf(h *host.Host, name, target string) *pkgmgr.Manager {
	for _, m := range managers() {
		if m.Name == name {
			return m.For(h, target)
		}
	}
	return nil
}

// managerFor is the manager that carries out a step: its own one, or the one
// that takes packages from the step's repository. What is installed and how it
// is removed does not differ, so the journal and undo need only the name.
func managerFor(h *host.Host, s Step) *pkgmgr.Manager {
	if s.Repository != "" && s.Mechanism == "apt" {
		return apt.NewLocal(s.Repository).Manager()
	}
	return managerOf(h, s.Mechanism, s.Target)
}
