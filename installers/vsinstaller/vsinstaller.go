// Package vsinstaller adds components to Visual Studio and takes out again what
// it added; where there is no Visual Studio it brings in the Build Tools. It
// must never change the machine and never touch a component that it did not add.
// Run under Wine with a stand-in only.
//
// Sources: visualstudio-docs, docs/install,
// use-command-line-parameters-to-install-visual-studio.md (2025-11: commands,
// parameters, winget's --override, exit codes) and
// workload-component-id-vs-build-tools.md; the exit codes 740 to 8010 as
// learn.microsoft.com shows them for the same installer.
package vsinstaller

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/msvc"
	"github.com/deployctl/deployctl/installers/choco"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/winget"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// What stands for a target while there is no Visual Studio: the package manager
// that brings in the Build Tools. On replaces it by the folder they go to.
const (
	byWinget = "winget"
	byChoco  = "choco"
)

// product is the id prefix of what setup installed; it is removed as a whole.
const product = "Microsoft.VisualStudio.Product."

// Manager returns the manager of Visual Studio's components. Its target is the
// folder of one installation.
func Manager() *pkgmgr.Manager {
	m := pkgmgr.Manager{
		Name: "visual-studio", Tool: "setup.exe", Path: `C:\Program Files (x86)\Microsoft Visual Studio\Installer\setup.exe`, Admin: true,
		Pick:    Pick,
		Limit:   4 * time.Hour,
		Note:    lang.T("Visual Studio must be closed"),
		Reboot:  []int{pkgmgr.RebootRequired, pkgmgr.RebootInitiated},
		Explain: pkgmgr.WindowsExplainer("setup.exe", Code, nil),
		Install: func(ids []string) []string { return modify("", "--add", ids) },
		Remove:  func(ids []string, _ bool) []string { return remove("", ids) },
	}
	m.On = func(h *host.Host, target string) *pkgmgr.Manager {
		on := m
		on.Target = target
		on.Where = setup
		switch target {
		case byWinget, byChoco:
			on.Target = h.Join(h.MachineFolder(context.Background(), "ProgramFiles(x86)"), `Microsoft Visual Studio\2022\BuildTools`)
			bootstrap(&on, target)
		default:
			on.Install = func(ids []string) []string { return modify(target, "--add", ids) }
		}
		on.Remove = func(ids []string, _ bool) []string { return remove(on.Target, ids) }
		on.Installed = func(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
			return installed(ctx, h, on.Target)
		}
		return &on
	}
	return &m
}

// Pick chooses the newest complete installation, a release before a preview. One
// that is not complete is not touched: setup would first have to repair it.
func Pick(f *facts.Facts) (target string, err error) {
	var best *facts.Instance
	broken := ""
	for i := range f.Components["visual-studio"] {
		vs := &f.Components["visual-studio"][i]
		if !slices.Contains(vs.Has, "complete") || vs.Attrs["instance_id"] == "" {
			if vs.Attrs["instance_id"] != "" {
				broken = vs.Path
			}
			continue
		}
		if best == nil || better(vs, best) {
			best = vs
		}
	}
	switch {
	case best != nil:
		return best.Path, nil
	case broken != "":
		return "", &step.Failure{Kind: step.Conflict, Cause: lang.F("the Visual Studio in %s is not completely installed", step.Clean(broken, 200)), Next: lang.T("open the Visual Studio Installer and repair it")}
	case f.OS.Family != "windows":
		return "", pkgmgr.ErrAbsent
	case len(f.Components[byWinget]) > 0:
		return byWinget, nil
	case len(f.Components[byChoco]) > 0:
		return byChoco, nil
	}
	return "", pkgmgr.ErrAbsent
}

func better(a, b *facts.Instance) bool {
	if pa, pb := a.Attrs["prerelease"] == "true", b.Attrs["prerelease"] == "true"; pa != pb {
		return pb
	}
	va, errA := recipes.Version(a.Version)
	vb, errB := recipes.Version(b.Version)
	if errA != nil || errB != nil {
		return errB != nil && errA == nil
	}
	return va.GreaterThan(vb)
}

// setup is the installer that every Visual Studio since 2017 shares. It ends
// when the work is done (--wait is for the bootstrapper only), and must not be
// started from its own folder. vs_installer.exe beside it is the window.
func setup(ctx context.Context, h *host.Host) string {
	return h.Join(h.MachineFolder(ctx, "ProgramFiles(x86)"), `Microsoft Visual Studio\Installer\setup.exe`)
}

func each(flag string, ids []string) []string {
	var args []string
	for _, id := range ids {
		args = append(args, flag, id)
	}
	return args
}

func modify(path, flag string, ids []string) []string {
	args := append([]string{"modify", "--installPath", path}, each(flag, ids)...)
	return append(args, "--quiet", "--norestart")
}

// remove takes out components; where the whole product was added, that.
func remove(path string, ids []string) []string {
	if slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, product) }) {
		return []string{"uninstall", "--installPath", path, "--quiet", "--norestart"}
	}
	return modify(path, "--remove", ids)
}

// bootstrap brings in the Build Tools with the components, through a package
// manager, whose statuses may then be either's. Nothing but the required parts
// of a component comes along. The bootstrapper is told to wait.
func bootstrap(m *pkgmgr.Manager, by string) {
	from, id := winget.Manager(), "Microsoft.VisualStudio.2022.BuildTools"
	m.Install = func(ids []string) []string {
		return winget.Install(id, "--version", recipes.Pinned(byWinget, id, ""), "--override", strings.Join(append([]string{"--quiet", "--wait", "--norestart"}, each("--add", ids)...), " "))
	}
	if by == byChoco {
		from, id = choco.Manager(), "visualstudio2022buildtools"
		m.Install = func(ids []string) []string {
			// The package adds --quiet, --wait and --norestart itself.
			return append(choco.Install([]string{id}), "--package-parameters", strings.Join(each("--add", ids), " "))
		}
	}
	where := func(ctx context.Context, h *host.Host) string { return from.Find(ctx, h) }
	m.Where = where
	m.Tool, m.Note = from.Tool, lang.F("brings in Visual Studio Build Tools 2022 with these components, by %s", by)
	m.Reboot = from.Reboot
	m.Explain = pkgmgr.WindowsExplainer(by, func(exit int) (pkgmgr.Code, bool) {
		own := map[string]func(int) (pkgmgr.Code, bool){byWinget: winget.Code, byChoco: choco.Code}[by]
		if c, ok := own(exit); ok {
			return c, true
		}
		return Code(exit)
	}, nil)
}

// installed reads the setup record of the installation in the folder: the ids of
// its components and its product. They have no version here: an update of
// Visual Studio changes all of them and takes nothing away.
func installed(ctx context.Context, h *host.Host, target string) (map[string]pkgmgr.Installed, error) {
	list := map[string]pkgmgr.Installed{}
	dir := h.Join(h.MachineFolder(ctx, "ProgramData"), `Microsoft\VisualStudio\Packages\_Instances`)
	entries, err := h.ReadDir(ctx, dir)
	if host.IsNotExist(err) {
		return list, nil
	}
	if err != nil {
		return nil, lang.Errorf("list the installed Visual Studios: %w", err)
	}
	for _, e := range entries {
		text, err := h.Text(ctx, h.Join(dir, e.Name, "state.json"))
		if host.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, lang.Errorf("read what is installed of Visual Studio: %w", err)
		}
		s, err := msvc.ParseState([]byte(text))
		if !strings.EqualFold(s.Path, strings.TrimRight(target, `\`)) {
			continue
		}
		if err != nil {
			return nil, lang.Errorf("read what is installed of Visual Studio: %w", err)
		}
		for _, id := range slices.Concat(s.Packages, s.Selected, []string{s.ProductID}) {
			if shown(id) && !slices.Contains(s.Failed, id) {
				list[id] = pkgmgr.Installed{Ready: true}
			}
		}
	}
	if ctx.Err() != nil {
		return nil, errors.Join(lang.Errorf("read what is installed of Visual Studio"), ctx.Err())
	}
	return list, nil
}

// shown leaves out the thousands of packages that components are made of.
func shown(id string) bool {
	return strings.HasPrefix(id, product) || strings.Contains(id, ".Component.") || strings.Contains(id, ".ComponentGroup.") || strings.Contains(id, ".Workload.")
}

// Code explains setup's own statuses.
func Code(exit int) (pkgmgr.Code, bool) {
	switch uint32(exit) {
	case 1001, 1618:
		return pkgmgr.Code{Kind: step.Locked, Cause: "the Visual Studio Installer is already at work", Next: "let it finish and close it, then run deployctl again"}, true
	case 1003, 8006:
		return pkgmgr.Code{Kind: step.Locked, Cause: "Visual Studio is in use", Next: "close it and what it started, then run deployctl again"}, true
	case 1603:
		return pkgmgr.Code{Kind: step.Other, Cause: "Visual Studio's setup met a fatal error (1603)", Next: "read dd_setup*.log in %TEMP%, fix what it says, then run deployctl again"}, true
	case 5003:
		return pkgmgr.Code{Kind: step.NoNetwork, Cause: "the bootstrapper could not fetch the installer", Next: "check the network and the proxy settings, then run deployctl again"}, true
	case 5004:
		return pkgmgr.WindowsCode(1602)
	case 5005:
		return pkgmgr.WindowsCode(1639)
	case 5007, 8001, 8010:
		return pkgmgr.Code{Kind: step.Conflict, Cause: "this machine does not meet the requirements of that Visual Studio", Next: "see the product's system requirements; choose another version"}, true
	case 8002:
		return pkgmgr.Code{Kind: step.NoNetwork, Cause: "setup could not begin to download", Next: "check the network and the proxy settings, then run deployctl again"}, true
	case 8003:
		return pkgmgr.Code{Kind: step.Conflict, Cause: "a component is out of support and cannot be added any more", Next: "name a newer one in the recipe"}, true
	case 8004:
		return pkgmgr.Code{Kind: step.ReadOnly, Cause: "the folder of Visual Studio cannot be used", Next: "see that its disk is there and writable, then run deployctl again"}, true
	case 8005:
		return pkgmgr.Code{Kind: step.Untrusted, Cause: "a downloaded package could not be verified", Next: "empty C:\\ProgramData\\Microsoft\\VisualStudio\\Packages of the package that dd_setup*.log names, then run deployctl again"}, true
	case 0xC0005291: // -1073720687
		return pkgmgr.Code{Kind: step.NoNetwork, Cause: "a server could not be reached", Next: "check the network and the proxy settings, then run deployctl again"}, true
	}
	return pkgmgr.Code{}, false
}
