// Package winget is the Windows Package Manager: argv, state and the meaning of
// its exit statuses. It must never change the machine. Run under Wine with a
// stand-in only.
//
// Sources: learn.microsoft.com/windows/package-manager/winget/install, /list and
// /uninstall (options); microsoft/winget-cli, returnCodes.md and
// AppInstallerErrors.h (statuses).
package winget

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// The statuses that are no failures.
const (
	notInstalled   = 0x8A150014 // list: NO_APPLICATIONS_FOUND
	alreadyThere   = 0x8A150061 // PACKAGE_ALREADY_INSTALLED
	nothingNewer   = 0x8A15002B // UPDATE_NOT_APPLICABLE: install of what is there
	rebootToFinish = 0x8A150109 // INSTALL_REBOOT_REQUIRED_TO_FINISH
	rebootBegun    = 0x8A15010B // INSTALL_REBOOT_INITIATED
)

// Manager returns the winget manager. winget itself runs without administrator
// rights, as Microsoft means it to: it starts a package's own installer, which
// asks Windows for what it needs.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "winget", Tool: "winget", Path: `C:\Users\Default\AppData\Local\Microsoft\WindowsApps\winget.exe`, Where: Where,
		UndoBy:  "winget uninstall --exact --id",
		Alone:   true, // --id takes one
		Note:    lang.T("the package's own installer may ask Windows for administrator rights (UAC)"),
		Install: func(p []string) []string { return Install(p[0]) },
		At:      pkgmgr.AtVersion,
		Remove: func(p []string, _ bool) []string {
			return []string{"uninstall", "--exact", "--id", p[0], "--silent", "--accept-source-agreements", "--disable-interactivity"}
		},
		Look:      look,
		Succeeded: []int{alreadyThere, nothingNewer},
		Reboot:    []int{pkgmgr.RebootRequired, pkgmgr.RebootInitiated, rebootToFinish, rebootBegun},
		Explain:   pkgmgr.WindowsExplainer("winget", Code, nil),
	}
}

// Install gives the arguments that install a package, with more before the end.
func Install(id string, more ...string) []string {
	return append([]string{"install", "--exact", "--id", id, "--silent",
		"--accept-package-agreements", "--accept-source-agreements", "--disable-interactivity"}, more...)
}

// Where is winget's own folder for those who may list it, which are elevated
// administrators alone: the alias that App Installer gives every user, and PATH,
// are in the user's hands, and who can change them must not choose what runs
// elevated. For everybody else it is the alias, which a service has not on PATH.
// Source: github.com/microsoft/winget-cli issues 637 and 995.
func Where(ctx context.Context, h *host.Host) string {
	apps := h.Join(h.MachineFolder(ctx, "ProgramFiles"), "WindowsApps")
	newest := ""
	for _, dir := range h.Glob(ctx, apps, "Microsoft.DesktopAppInstaller_*_8wekyb3d8bbwe") {
		exe := h.Join(dir, "winget.exe")
		if h.Exists(ctx, exe) && (newest == "" || older(h.Base(h.DirOf(newest)), h.Base(dir))) {
			newest = exe
		}
	}
	if newest != "" {
		return newest
	}
	if local := h.Env("LOCALAPPDATA"); local != "" {
		if exe := h.Join(local, `Microsoft\WindowsApps\winget.exe`); h.Exists(ctx, exe) {
			return exe
		}
	}
	return ""
}

// older compares the versions in the full names of two packages.
func older(a, b string) bool {
	va, errA := recipes.Version(strings.Split(a, "_")[1])
	vb, errB := recipes.Version(strings.Split(b, "_")[1])
	return errB == nil && (errA != nil || va.LessThan(vb))
}

// look asks for each package by itself. The exit status says whether it is
// there; the table of all packages has headings in the user's language and cuts
// long ids to the width of the console.
func look(ctx context.Context, h *host.Host, packages []string) (map[string]pkgmgr.Installed, error) {
	list := map[string]pkgmgr.Installed{}
	tool := Manager().Find(ctx, h)
	for _, id := range packages {
		out, err := h.Run(ctx, host.Command{Argv: []string{tool, "list", "--exact", "--id", id, "--accept-source-agreements", "--disable-interactivity"}})
		if err != nil {
			return nil, unstarted(ctx, id, err)
		}
		switch uint32(out.Exit) {
		case 0:
			list[id] = pkgmgr.Installed{Version: ParseRow(string(out.Stdout), id), Ready: true}
		case notInstalled:
		default:
			return nil, lang.Errorf("ask winget for %s: %w", id, Manager().Explain(out.Exit, strings.Split(string(out.Stdout)+"\n"+string(out.Stderr), "\n")))
		}
	}
	return list, nil
}

// unstarted is what it means that winget could not be run: its file is there, an alias
// whose program App Installer no longer has, or may not start for this user.
func unstarted(ctx context.Context, id string, err error) error {
	if ctx.Err() != nil || errors.Is(err, host.ErrNotRecorded) || errors.Is(err, fs.ErrNotExist) {
		return lang.Errorf("ask winget for %s: %w", id, err)
	}
	return &step.Failure{Kind: step.Unusable, Err: err, Cause: lang.F("winget is there and cannot be run (%v)", err),
		Next: lang.T("repair App Installer, which it is part of (Settings, Apps, Installed apps, App Installer, Advanced options, Repair), or install with another package manager")}
}

// ParseRow reads the version from the row of winget list that has the id: the
// word after it ("< 3.1" and "> 3.1" where winget knows a limit only). It does
// not look at headings or columns. "unknown" when there is none.
func ParseRow(text, id string) string {
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		words := strings.Fields(line)
		// The name of a package may be its id: the last one counts.
		for i := len(words) - 2; i >= 0; i-- {
			if !strings.EqualFold(words[i], id) {
				continue
			}
			v := words[i+1]
			if (v == "<" || v == ">") && i+2 < len(words) {
				v = words[i+2]
			}
			return step.Clean(v, 100)
		}
	}
	return "unknown"
}

// Code explains winget's own statuses. The second half of the list has changed
// numbers in Microsoft's document; these are the ones of AppInstallerErrors.h.
func Code(exit int) (pkgmgr.Code, bool) {
	switch uint32(exit) {
	case 0x8A150005, 0x8A15010C: // CTRL_SIGNAL_RECEIVED, CANCELLED_BY_USER
		return pkgmgr.WindowsCode(1602)
	case 0x8A150008, 0x8A15002E, 0x8A150107: // DOWNLOAD_FAILED, DOWNLOAD_SIZE_MISMATCH, NO_NETWORK
		return pkgmgr.Code{Kind: step.NoNetwork, Cause: "winget could not fetch the package's installer", Next: "check the network and the proxy settings, then run deployctl again"}, true
	case 0x8A15000F, 0x8A150015, 0x8A150044, 0x8A150045, 0x8A15004B, 0x8A15003B: // sources
		return pkgmgr.Code{Kind: step.NoNetwork, Cause: "winget could not open its sources", Next: "run winget source update (or winget source reset --force as administrator), then run deployctl again"}, true
	case 0x8A150010, 0x8A150113: // NO_APPLICABLE_INSTALLER, SYSTEM_NOT_SUPPORTED
		return pkgmgr.Code{Kind: step.Conflict, Cause: "the package has no installer for this version of Windows or this processor", Next: "choose another way to install it"}, true
	case 0x8A150011, 0x8A15002D, 0x8A15005E, 0x8A150060: // INSTALLER_HASH_MISMATCH, SECURITY_CHECK_FAILED, PINNED_CERTIFICATE_MISMATCH, ARCHIVE_SCAN_FAILED
		return pkgmgr.Code{Kind: step.Untrusted, Cause: "what winget fetched is not what the package's manifest says, or a scanner objects to it", Next: "wait for a corrected manifest, or install it by hand"}, true
	case 0x8A150014, 0x8A150017, 0x8A150035: // NO_APPLICATIONS_FOUND, NO_MANIFEST_FOUND, NOT_ALL_QUERIES_FOUND_SINGLE
		return pkgmgr.Code{Kind: step.NotFound, Cause: "winget's sources do not have the package", Next: "run winget source update, then run deployctl again"}, true
	case 0x8A150016: // MULTIPLE_APPLICATIONS_FOUND
		return pkgmgr.Code{Kind: step.Conflict, Cause: "several of winget's sources have a package of that id", Next: "install it by hand with --source"}, true
	case 0x8A150019: // COMMAND_REQUIRES_ADMIN
		return pkgmgr.WindowsCode(740)
	case 0x8A15003A, 0x8A15001B, 0x8A15001C, 0x8A15010F: // BLOCKED_BY_POLICY
		return pkgmgr.WindowsCode(1625)
	case 0x8A150056: // INSTALLER_PROHIBITS_ELEVATION
		return pkgmgr.Code{Kind: step.Conflict, Cause: "the package's installer refuses to run as administrator", Next: "run deployctl from a terminal without administrator rights"}, true
	case 0x8A150006, 0x8A150049, 0x8A150030, 0x8A150108: // SHELLEXEC_INSTALL_FAILED, MSI_INSTALL_FAILED, EXEC_UNINSTALL_COMMAND_FAILED, CONTACT_SUPPORT
		return pkgmgr.Code{Kind: step.Other, Cause: "the package's own installer failed", Next: "read its exit code in the log, fix what it means, then run deployctl again"}, true
	case 0x8A150101, 0x8A150103, 0x8A150111: // PACKAGE_IN_USE, FILE_IN_USE, IN_USE_BY_APPLICATION
		return pkgmgr.Code{Kind: step.Locked, Cause: "the program, or one of its files, is in use", Next: "close it, then run deployctl again"}, true
	case 0x8A150102: // INSTALL_IN_PROGRESS
		return pkgmgr.WindowsCode(1618)
	case 0x8A150104, 0x8A150110: // MISSING_DEPENDENCY, DEPENDENCIES
		return pkgmgr.Code{Kind: step.Conflict, Cause: "something that the package needs is missing or could not be installed", Next: "read the log, install that first, then run deployctl again"}, true
	case 0x8A150105: // DISK_FULL
		return pkgmgr.WindowsCode(112)
	case 0x8A150106: // INSUFFICIENT_MEMORY
		return pkgmgr.Code{Kind: step.Other, Cause: "there is not enough memory for the package's installer", Next: "close other programs, then run deployctl again"}, true
	case 0x8A15010A: // REBOOT_REQUIRED_TO_INSTALL
		return pkgmgr.WindowsCode(3017)
	case 0x8A15010D, 0x8A15010E: // ALREADY_INSTALLED, DOWNGRADE
		return pkgmgr.WindowsCode(1638)
	case 0x8A15002F: // NO_UNINSTALL_INFO_FOUND
		return pkgmgr.Code{Kind: step.NotFound, Cause: "Windows has no command to uninstall the package", Next: "remove it in Settings, Apps"}, true
	}
	return pkgmgr.Code{}, false
}
