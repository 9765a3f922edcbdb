// Package installers owns everything that changes a machine: the plan of steps
// that would mend a judgement, its cost, the consent text, the journal, the
// lock, the apply loop and the undo. It must never judge (doctor does), never
// infer success from an exit code, and never elevate deployctl itself.
//
// The order for a caller: MakePlan, Plan.Describe, ask, Applier.Apply, then
// probe and judge again.
package installers

import (
	"context"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/apk"
	"github.com/deployctl/deployctl/installers/apt"
	"github.com/deployctl/deployctl/installers/brew"
	"github.com/deployctl/deployctl/installers/choco"
	"github.com/deployctl/deployctl/installers/cmake"
	"github.com/deployctl/deployctl/installers/dnf"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/envedit"
	"github.com/deployctl/deployctl/installers/feature"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/ldconf"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/msys2"
	"github.com/deployctl/deployctl/installers/pacman"
	"github.com/deployctl/deployctl/installers/pip"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/scoop"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/vcpkg"
	"github.com/deployctl/deployctl/installers/vsinstaller"
	"github.com/deployctl/deployctl/installers/wheel"
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
	Kept     = mechanism.Kept
	Manual   = mechanism.Manual
)

// managers is the one list that wires the package managers. A plan has them in
// this order.
func managers() []*pkgmgr.Manager {
	return []*pkgmgr.Manager{
		apt.Manager(), dnf.Manager(), pacman.Manager(), apk.Manager(), zypper.Manager(), brew.Manager(),
		winget.Manager(), choco.Manager(), scoop.Manager(), msys2.Manager(), feature.Manager(), vsinstaller.Manager(),
		vcpkg.Manager(), pip.Manager(), ldconf.Manager(),
	}
}

// managerOf gives the manager of a mechanism, completed for what a step works
// on; nil when no manager has the name. Without a host it is the descriptor alone.
func managerOf(h *host.Host, name, target string) *pkgmgr.Manager {
	for _, m := range managers() {
		switch {
		case m.Name == name && h == nil:
			return m
		case m.Name == name:
			return m.For(h, target)
		}
	}
	return nil
}

// ManagerOf gives the descriptor of the package manager that a mechanism is; nil
// for other mechanisms.
func ManagerOf(name string) *pkgmgr.Manager { return managerOf(nil, name, "") }

// tools are what mechanisms work with: the machine, the store and network, and
// processes. Plans need the machine only, and descriptions nothing.
type tools struct {
	host   *host.Host
	fetch  download.Options
	run    func(ctx context.Context, c cmake.Command, onLine func(string)) (int, error)
	stream func(ctx context.Context, s Step, onLine func(string)) (int, error)
	limit  time.Duration // of one command; 0 is the mechanism's own
	tries  int
	pause  time.Duration
	// repairFollows is pkgmgr.Mechanism's.
	repairFollows bool
}

// workers is the one list that wires the mechanisms that work on files and
// settings; the package managers are in managers.
func (t tools) workers() map[string]mechanism.Worker {
	return map[string]mechanism.Worker{
		"fetch":     files.Fetch{Options: t.fetch, Index: wheel.Fetcher(t.host)},
		"fetch-all": files.FetchAll{Options: t.fetch, Index: wheel.Fetcher(t.host)},
		"unpack":    files.Unpack{Store: t.fetch.Store},
		"place":     files.Place{Store: t.fetch.Store},
		"cmake":     cmake.Worker{Run: t.run},
		"envedit":   envedit.Worker{Host: t.host},
		wheel.Name:  wheel.Worker{Store: t.fetch.Store},
	}
}

// mechanism is what carries out a step; nil for a name that this deployctl does
// not have. A package manager takes packages from the step's repository: what is
// installed and how it is removed does not differ, so the journal and undo need
// only the name.
func (t tools) mechanism(s Step) mechanism.Mechanism {
	if w := t.workers()[s.Mechanism]; w != nil {
		return mechanism.Of(w)
	}
	m := managerOf(t.host, s.Mechanism, s.Target)
	if m != nil && s.Repository != "" && s.Mechanism == "apt" {
		m = apt.NewLocal(s.Repository).Manager()
	}
	if m == nil {
		return nil
	}
	return pkgmgr.Mechanism{Manager: m, Host: t.host, Stream: t.stream, AtMost: t.limit, Tries: t.tries, Pause: t.pause, RepairFollows: t.repairFollows}
}

// what says what a step does, exactly: its command, or the files and settings
// that it changes.
func what(s Step) (label, text string) {
	if m := (tools{}).mechanism(s); m != nil {
		return m.Describe(s)
	}
	return "runs", step.Quote(s.Argv)
}

// Script is the step for languages that need no deployctl.
func Script(s Step) mechanism.Script {
	if m := (tools{}).mechanism(s); m != nil {
		return m.Export(s)
	}
	return pkgmgr.Mechanism{Manager: &pkgmgr.Manager{}}.Export(s)
}
