package pkgmgr

import (
	"context"
	"runtime"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// List runs a manager's listing command and hands its output to parse.
func List(ctx context.Context, h *host.Host, argv []string, parse func(string) map[string]Installed) (map[string]Installed, error) {
	if path := h.SystemPath(ctx, h.Base(argv[0])); path != "" {
		argv = append([]string{path}, argv[1:]...)
	} else if found := h.LookPath(ctx, h.Base(argv[0])); len(found) > 0 {
		argv = append([]string{found[0]}, argv[1:]...)
	}
	return ListWith(ctx, h, argv, parse)
}

// ListWith is List with exactly this program, whatever PATH has.
func ListWith(ctx context.Context, h *host.Host, argv []string, parse func(string) map[string]Installed) (map[string]Installed, error) {
	out, err := h.Run(ctx, host.Command{Argv: argv, Env: []string{"LC_ALL=C"}})
	if err != nil {
		return nil, lang.Errorf("list the installed packages with %s: %w", argv[0], err)
	}
	if out.Exit != 0 {
		return nil, lang.Errorf("list the installed packages: %s ended with exit status %d: %s", argv[0], out.Exit, step.Clean(string(out.Stderr), 200))
	}
	return parse(string(out.Stdout)), nil
}

// ParseNameVersion reads lines of a name, white space and a version (more
// words are ignored): rpm -qa with a format, pacman -Q, brew list --versions.
func ParseNameVersion(text string) map[string]Installed {
	list := map[string]Installed{}
	for _, line := range strings.Split(text, "\n") {
		if f := strings.Fields(line); len(f) >= 2 {
			list[f[0]] = Installed{Version: f[1], Ready: true}
		}
	}
	return list
}

// Common are the causes that every manager reports in the C library's words.
func Common(tool string) []Rule {
	return []Rule{
		{Kind: step.DiskFull, Any: []string{"no space left on device", "not enough free disk space", "not enough space", "disk quota exceeded", "more space on the", "failed writing received data to disk"},
			Cause: "there is not enough disk space", Next: "free some disk space, then run deployctl again"},
		{Kind: step.ReadOnly, Any: []string{"read-only file system"},
			Cause: "the file system is mounted read-only", Next: "mount it writable, then run deployctl again"},
		{Kind: step.Untrusted, Any: []string{"ssl certificate", "certificate verify failed", "certificate problem"},
			Cause: "the certificate of the package server is not trusted here", Next: "correct the clock, or add your network's own certificate to those that this system trusts, then run deployctl again"},
		{Kind: step.NoNetwork, Any: []string{"could not resolve host", "temporary failure", "network is unreachable", "connection refused", "connection timed out", "could not connect", "failed to connect", "network error"},
			Cause: "the package server could not be reached", Next: lang.F("check the network and the proxy settings of %s, then run deployctl again", tool)},
		{Kind: step.NoNetwork, Any: []string{"failed to download metadata", "failed retrieving file", "failed to retrieve new repository metadata"},
			Cause: "a list or package could not be fetched from the package server", Next: lang.F("check the address of the source in the settings of %s, then run deployctl again", tool)},
		{Kind: step.NoPrivilege, Any: []string{"permission denied", "superuser privileges", "you cannot perform this operation unless you are root", "root privileges are required"},
			Cause: lang.F("%s needs more rights", tool), Next: rights(runtime.GOOS)},
	}
}

// rights is how a person gets them on a system.
func rights(goos string) string {
	if goos == "windows" {
		return lang.T("run deployctl from a terminal opened with \"Run as administrator\"")
	}
	return lang.T("run deployctl as root, or install sudo and add this user to it")
}

// Explainer tries the manager's own rules, then the common ones.
func Explainer(tool string, own []Rule) func(int, []string) *step.Failure {
	return func(exit int, lines []string) *step.Failure {
		if f := Match(append(append([]Rule(nil), own...), Common(tool)...), lines); f != nil {
			return f
		}
		return Unexplained(tool, exit, lines)
	}
}

// Locked, NotFound, Conflict and Untrusted make a rule with the shared wording.
func Locked(any ...string) Rule {
	return Rule{Any: any, Kind: step.Locked, Cause: "another program holds the package manager's lock",
		Next: "let it finish, then run deployctl again"}
}

// NotFound makes the rule for a package that no source has; names is a pattern whose
// group is the package.
func NotFound(names string, any ...string) Rule {
	return Rule{Any: any, Names: names, Kind: step.NotFound, Cause: "a package is not in this system's sources",
		Next: "add the source that has it, or install it by hand"}
}

// Conflict makes the rule for packages that do not fit together.
func Conflict(any ...string) Rule {
	return Rule{Any: any, Kind: step.Conflict, Cause: "the packages do not fit together with what is installed",
		Next: "fix what the lines below name, then run deployctl again"}
}

// Untrusted makes the rule for a signature or hash that is wrong.
func Untrusted(any ...string) Rule {
	return Rule{Any: any, Kind: step.Untrusted, Cause: "a package or list could not be trusted (its signature or hash is wrong)",
		Next: "fix the source's key or choose another mirror, then run deployctl again"}
}
