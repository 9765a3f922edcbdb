// Package choco is Chocolatey: argv, state and the meaning of its exit statuses.
// It must never change the machine. Run under Wine with a stand-in only.
//
// Sources: docs.chocolatey.org, choco install, choco uninstall (options and exit
// codes, Chocolatey CLI 2).
package choco

import (
	"cmp"
	"context"
	"encoding/xml"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Manager returns the Chocolatey manager. Its folder belongs to administrators.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "choco", Tool: "choco", Path: usual + `\bin\choco.exe`, Where: Where, Admin: true,
		UndoBy:  "choco uninstall",
		Limit:   3 * time.Hour,
		Install: Install,
		At:      pkgmgr.AtVersion,
		Remove: func(p []string, _ bool) []string {
			return append(append([]string{"uninstall"}, p...), "--yes", "--limit-output", "--no-progress")
		},
		Installed: installed,
		// uninstall: 1605 and 1614 say that the product had been removed.
		Succeeded: []int{1614},
		Reboot:    []int{pkgmgr.RebootRequired, pkgmgr.RebootInitiated},
		Explain: pkgmgr.WindowsExplainer("choco", Code, []pkgmgr.Rule{
			pkgmgr.NotFound(`^(\S+) not installed\. The package was not found`, "was not found with the source(s) listed", "package(s) not found"),
			{Any: []string{"hashes do not match", "checksum for", "checksums do not match"}, Kind: step.HashMismatch,
				Cause: "a file does not match the hash that its package states", Next: "wait for a corrected package, or install it by hand"},
			pkgmgr.Conflict("unable to resolve dependency", "depends on", "dependency conflict"),
			pkgmgr.Locked("unable to obtain lock", "being used by another process"),
		}),
	}
}

const usual = `C:\ProgramData\chocolatey`

// Install gives the arguments that install packages, with more at the end.
func Install(packages []string) []string {
	return append(append([]string{"install"}, packages...), "--yes", "--no-progress", "--limit-output")
}

// Where looks into Chocolatey's own folder and never on PATH or into the user's
// variables, which may lead anywhere: the program runs as administrator.
func Where(ctx context.Context, h *host.Host) string {
	if exe := h.Join(root(ctx, h), `bin\choco.exe`); h.Exists(ctx, exe) {
		return exe
	}
	return ""
}

func root(ctx context.Context, h *host.Host) string {
	return cmp.Or(h.MachineFolder(ctx, "ChocolateyInstall"), h.Join(h.MachineFolder(ctx, "ProgramData"), "chocolatey"))
}

// installed reads the description that Chocolatey keeps of each package,
// lib\<id>\<id>.nuspec. That is what choco list reads, which asks the network in
// version 1 and refuses the option that keeps it from it in version 2. A package
// that failed is moved to lib-bad.
func installed(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
	dir := h.Join(root(ctx, h), "lib")
	entries, err := h.ReadDir(ctx, dir)
	if host.IsNotExist(err) {
		return map[string]pkgmgr.Installed{}, nil
	}
	if err != nil {
		return nil, lang.Errorf("list Chocolatey's packages: %w", err)
	}
	list := map[string]pkgmgr.Installed{}
	for _, e := range entries {
		if !e.Dir {
			continue
		}
		data, _, err := h.ReadFile(ctx, h.Join(dir, e.Name, e.Name+".nuspec"), 1<<20)
		if err != nil {
			if ctx.Err() != nil {
				return nil, lang.Errorf("list Chocolatey's packages: %w", ctx.Err())
			}
			continue // a folder that some package left
		}
		if id, version, ok := ParseNuspec(data); ok {
			list[id] = pkgmgr.Installed{Version: version, Ready: true}
		}
	}
	return list, nil
}

// ParseNuspec reads a package's id (in lower case: NuGet ignores it) and version.
func ParseNuspec(data []byte) (id, version string, ok bool) {
	var spec struct {
		Metadata struct {
			ID      string `xml:"id"`
			Version string `xml:"version"`
		} `xml:"metadata"`
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if err := xml.Unmarshal([]byte(text), &spec); err != nil {
		return "", "", false
	}
	id = strings.ToLower(step.Clean(spec.Metadata.ID, 200))
	version = step.Clean(spec.Metadata.Version, 100)
	return id, version, id != "" && version != ""
}

// Code explains Chocolatey's own statuses; 1 and -1 are any error.
func Code(exit int) (pkgmgr.Code, bool) {
	if exit == 350 { // pending reboot detected, no action has occurred
		return pkgmgr.WindowsCode(3017)
	}
	return pkgmgr.Code{}, false
}
