// Package scoop is Scoop: argv, state and the meaning of what it says. It must
// never change the machine. Run under Wine with a stand-in only.
//
// Sources: ScoopInstaller/Scoop, libexec/scoop-install.ps1 and
// scoop-uninstall.ps1 (options, messages), lib/install.ps1 (apps\<app>\current),
// the shim that Scoop writes for itself.
package scoop

import (
	"context"
	"encoding/json"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Manager returns the Scoop manager, completed for a host by On: Scoop is a
// PowerShell script, started as its own shim starts it, but without cmd.exe,
// which reads an argument twice.
func Manager() *pkgmgr.Manager {
	m := pkgmgr.Manager{
		Name: "scoop", Tool: "powershell", Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`,
		UndoBy:    "scoop uninstall",
		Installed: installed,
		Explain: pkgmgr.WindowsExplainer("scoop", nil, []pkgmgr.Rule{
			pkgmgr.NotFound(`Couldn't find manifest for '([^']+)'`, "couldn't find manifest for"),
			{Any: []string{"hash check failed"}, Kind: step.HashMismatch,
				Cause: "a file does not match the hash that its manifest states", Next: "run scoop update, then run deployctl again"},
			pkgmgr.Locked("still running", "being used by another process"),
		}),
	}
	m.On = func(h *host.Host, _ string) *pkgmgr.Manager {
		on := m
		run := func(args ...string) []string {
			return append([]string{"-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted", "-File", h.Join(root(h), `apps\scoop\current\bin\scoop.ps1`)}, args...)
		}
		on.Where = func(ctx context.Context, h *host.Host) string {
			if exe := h.Join(h.Env("SystemRoot"), `System32\WindowsPowerShell\v1.0\powershell.exe`); h.Exists(ctx, exe) {
				return exe
			}
			return ""
		}
		// Its own update needs git, which it may be about to install.
		on.Install = func(p []string) []string { return append(run("install", "--no-update-scoop"), p...) }
		on.Remove = func(p []string, purge bool) []string {
			args := run("uninstall")
			if purge {
				args = append(args, "--purge") // the app's persistent data, too
			}
			return append(args, p...)
		}
		return &on
	}
	return &m
}

func root(h *host.Host) string {
	if dir := h.Env("SCOOP"); dir != "" {
		return dir
	}
	return h.Join(h.Env("USERPROFILE"), "scoop")
}

// installed reads apps\<app>\current\manifest.json, which Scoop writes last but
// one; reading beats a PowerShell that starts in a second.
func installed(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
	dir := h.Join(root(h), "apps")
	entries, err := h.ReadDir(ctx, dir)
	if host.IsNotExist(err) {
		return map[string]pkgmgr.Installed{}, nil
	}
	if err != nil {
		return nil, lang.Errorf("list Scoop's apps: %w", err)
	}
	list := map[string]pkgmgr.Installed{}
	for _, e := range entries {
		data, _, err := h.ReadFile(ctx, h.Join(dir, e.Name, `current\manifest.json`), 1<<20)
		if err != nil {
			if ctx.Err() != nil {
				return nil, lang.Errorf("list Scoop's apps: %w", ctx.Err())
			}
			continue
		}
		if v, ok := ParseManifest(data); ok {
			list[e.Name] = pkgmgr.Installed{Version: v, Ready: true}
		}
	}
	return list, nil
}

// ParseManifest reads the version of an app's manifest.
func ParseManifest(data []byte) (version string, ok bool) {
	var m struct {
		Version string `json:"version"`
	}
	if json.Unmarshal(data, &m) != nil {
		return "", false
	}
	version = step.Clean(m.Version, 100)
	return version, version != ""
}
