// Package feature is Windows' optional features and capabilities through DISM:
// argv, state and the meaning of its statuses. It must never change the machine.
// Run under Wine with a stand-in only.
//
// Sources: learn.microsoft.com/windows-hardware/manufacture/desktop/
// dism-operating-system-package-servicing-command-line-options (features) and
// .../dism-capabilities-package-servicing-command-line-options (capabilities);
// .../enable-or-disable-windows-features-using-dism.
package feature

import (
	"context"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Manager returns the manager of Windows' features. A name with ~ is a
// capability (Media.MediaFeaturePack~~~~0.0.1.0 of N editions), any other a
// feature (ServerMediaFoundation of a Server).
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "feature", Tool: "dism", Path: `C:\Windows\System32\dism.exe`, Admin: true, Where: where,
		Pick: func(f *facts.Facts) (string, error) {
			if f.OS.Family != "windows" {
				return "", pkgmgr.ErrAbsent
			}
			return "", nil
		},
		Alone: true, // the two kinds have commands of their own
		Limit: 2 * time.Hour,
		Install: func(p []string) []string {
			if capability(p[0]) {
				return []string{"/online", "/english", "/add-capability", "/capabilityname:" + p[0], "/norestart", "/quiet"}
			}
			// /all: what it needs, too.
			return []string{"/online", "/english", "/enable-feature", "/featurename:" + p[0], "/all", "/norestart", "/quiet"}
		},
		Remove: func(p []string, _ bool) []string {
			if capability(p[0]) {
				return []string{"/online", "/english", "/remove-capability", "/capabilityname:" + p[0], "/norestart", "/quiet"}
			}
			return []string{"/online", "/english", "/disable-feature", "/featurename:" + p[0], "/norestart", "/quiet"}
		},
		Look: func(ctx context.Context, h *host.Host, names []string) (map[string]pkgmgr.Installed, error) {
			states, err := ask(ctx, h, where(ctx, h), names)
			if err != nil {
				return nil, err
			}
			list := map[string]pkgmgr.Installed{}
			for name, state := range states {
				if on(state) {
					list[name] = pkgmgr.Installed{Ready: true}
				}
			}
			return list, nil
		},
		// Which features there are depends on the edition: what Windows does
		// not have is told before, and the recipe's next fix taken.
		Quote: func(ctx context.Context, h *host.Host, tool string, names []string) (pkgmgr.Quote, error) {
			states, err := ask(ctx, h, tool, names)
			if err != nil {
				return pkgmgr.Quote{}, err
			}
			var q pkgmgr.Quote
			for _, n := range names {
				switch state, known := states[n]; {
				case !known:
					q.NotFound = append(q.NotFound, n)
				case !on(state):
					q.Change = append(q.Change, step.Package{Name: n})
				}
			}
			return q, nil
		},
		Reboot:  []int{pkgmgr.RebootRequired, pkgmgr.RebootInitiated},
		Explain: pkgmgr.WindowsExplainer("dism", Code, nil),
	}
}

func capability(name string) bool { return strings.Contains(name, "~") }

// where is Windows' own DISM; PATH has no say in what runs as administrator.
func where(ctx context.Context, h *host.Host) string {
	return h.Join(h.MachineFolder(ctx, "SystemRoot"), `System32\dism.exe`)
}

// ask lists the states of all features, and of all capabilities where one of the
// names is one (that list takes longer). DISM tells them to administrators only.
func ask(ctx context.Context, h *host.Host, tool string, names []string) (map[string]string, error) {
	states := map[string]string{}
	for _, kind := range []struct {
		command    string
		capability bool
	}{{"/get-features", false}, {"/get-capabilities", true}} {
		wanted := false
		for _, n := range names {
			wanted = wanted || capability(n) == kind.capability
		}
		if !wanted {
			continue
		}
		out, err := h.Run(ctx, host.Command{Argv: []string{tool, "/online", "/english", kind.command, "/format:table"}})
		if err != nil {
			return nil, lang.Errorf("ask DISM for Windows' features: %w", err)
		}
		if out.Exit != 0 {
			f := Manager().Explain(out.Exit, strings.Split(string(out.Stdout)+"\n"+string(out.Stderr), "\n"))
			if f.Kind == step.NoPrivilege {
				f.Cause = lang.T("DISM tells the state of Windows' features to administrators only")
			}
			return nil, f
		}
		for name, state := range ParseTable(string(out.Stdout)) {
			states[name] = state
		}
	}
	return states, nil
}

// on: enabled, or enabled after the restart that is due.
func on(state string) bool {
	switch state {
	case "Enabled", "Enable Pending", "Installed", "Install Pending":
		return true
	}
	return false
}

var row = lazyregexp.New(`^([A-Za-z0-9][A-Za-z0-9_.~-]*)\s*\|\s*([A-Z][A-Za-z ]*[a-z])\s*$`)

// ParseTable reads the rows "name | state" of DISM's tables. The heading
// ("Feature Name | State") has a space in its first column and is no row.
func ParseTable(text string) map[string]string {
	states := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if m := row.FindStringSubmatch(strings.TrimRight(line, "\r")); m != nil {
			states[m[1]] = m[2]
		}
	}
	return states
}

// Code explains the statuses of Windows' servicing (CBS, winerror.h).
func Code(exit int) (pkgmgr.Code, bool) {
	switch uint32(exit) {
	case 0x800F0954: // CBS_E_INVALID_WINDOWS_UPDATE_COUNT_WSUS
		return pkgmgr.Code{Kind: step.NotFound, Cause: "the update server of this organization (WSUS) does not have the feature's files", Next: "ask its administrator to allow features from Windows Update (\"Download repair content and optional features directly from Windows Update\"), then run deployctl again"}, true
	case 0x800F081F: // CBS_E_SOURCE_MISSING
		return pkgmgr.Code{Kind: step.NotFound, Cause: "the feature's files are not on this machine and could not be found", Next: "connect to Windows Update, or run dism with /source and the installation medium, then run deployctl again"}, true
	case 0x800F0906, 0x800F0907: // CBS_E_DOWNLOAD_FAILURE, CBS_E_GROUPPOLICY_DISALLOWED
		return pkgmgr.Code{Kind: step.NoNetwork, Cause: "the feature's files could not be fetched from Windows Update", Next: "check the network, the proxy and the update policy, then run deployctl again"}, true
	case 0x800F080C: // CBS_E_UNKNOWN_UPDATE
		return pkgmgr.Code{Kind: step.NotFound, Cause: "this edition of Windows has no feature of that name", Next: "see what dism /online /get-features lists"}, true
	case 0x800F0922: // CBS_E_INSTALLERS_FAILED
		return pkgmgr.Code{Kind: step.Other, Cause: "Windows could not install the feature", Next: "read C:\\Windows\\Logs\\DISM\\dism.log, fix what it says, then run deployctl again"}, true
	case 0x800F082F: // servicing is pending
		return pkgmgr.WindowsCode(3017)
	case 0x800F0831: // CBS_E_STORE_CORRUPTION
		return pkgmgr.Code{Kind: step.Other, Cause: "Windows' component store is damaged", Next: "run dism /online /cleanup-image /restorehealth, then run deployctl again"}, true
	case 87: // ERROR_INVALID_PARAMETER
		return pkgmgr.WindowsCode(1639)
	}
	return pkgmgr.Code{}, false
}
