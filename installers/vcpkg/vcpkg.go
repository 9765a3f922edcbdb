// Package vcpkg is vcpkg in its classic mode: argv, state and the meaning of
// what it says. It must never change the machine. Run under Wine with a stand-in
// only.
//
// Sources: learn.microsoft.com/vcpkg/commands/install and /remove (options),
// microsoft/vcpkg-tool, src/vcpkg/vcpkglib.cpp (installed/vcpkg/status, updates),
// paragraphs.cpp (their format), triplet.cpp (the default triplets).
package vcpkg

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Manager returns the vcpkg manager. Its target is the root folder of a vcpkg,
// and it works on the machine's own triplet.
func Manager() *pkgmgr.Manager {
	m := pkgmgr.Manager{
		Name: "vcpkg", Tool: "vcpkg", Path: "vcpkg",
		Pick: func(f *facts.Facts) (string, error) {
			for _, i := range f.Components["vcpkg"] {
				if i.Attrs["root"] != "" {
					return i.Attrs["root"], nil
				}
			}
			if len(f.Components["vcpkg"]) > 0 {
				// Visual Studio's own vcpkg has no classic mode.
				return "", &step.Failure{Kind: step.NotFound, Cause: lang.T("the vcpkg of this machine has no root folder (.vcpkg-root) to install into"), Next: lang.T("clone microsoft/vcpkg and set VCPKG_ROOT")}
			}
			return "", pkgmgr.ErrAbsent
		},
		Split: split,
		// A port with at most one feature: split has taken them apart.
		Valid: regexp.MustCompile(`^[a-z0-9][a-z0-9-]*(\[[a-z0-9-]+\])?$`),
		Limit: 6 * time.Hour, // it compiles
		Note:  lang.T("vcpkg compiles what it installs, with everything that it needs"),
		Explain: pkgmgr.Explainer("vcpkg", []pkgmgr.Rule{
			{Any: []string{"unable to find a valid visual studio instance"}, Kind: step.Conflict,
				Cause: "vcpkg found no Visual Studio with C++ to compile with", Next: "install the C++ tools of Visual Studio, then run deployctl again"},
			{Any: []string{"permission denied", "access is denied"}, Kind: step.NoPrivilege,
				Cause: "vcpkg may not write into its folder", Next: "make it writable for this user, then run deployctl again"},
			pkgmgr.NotFound("", "does not exist", "failed to load port", "is not a feature of"),
			pkgmgr.Untrusted("file does not have the expected hash", "unexpected hash"),
			pkgmgr.Locked("waiting to take filesystem lock", "filesystem lock on"),
			{Any: []string{"failed with: build_failed", "failed with: post_build_checks_failed"}, Kind: step.Other,
				Cause: "a port could not be compiled", Next: "read the log that vcpkg names, fix what it says, then run deployctl again"},
		}),
		NoRemove: lang.T("vcpkg takes out whole ports only, and this one was there before: vcpkg remove PORT, then vcpkg install PORT without the feature"),
	}
	m.Install = func(p []string) []string { return append([]string{"install"}, join(p)...) }
	m.Remove = remove
	m.On = func(h *host.Host, root string) *pkgmgr.Manager {
		on := m
		on.Target = root
		triplet := Triplet(h)
		exe := "vcpkg"
		if h.Windows() {
			exe = "vcpkg.exe"
		}
		on.Path = h.Join(root, exe)
		on.Where = func(context.Context, *host.Host) string { return on.Path }
		// The root is said, too: VCPKG_ROOT may name another.
		args := []string{"--triplet=" + triplet, "--vcpkg-root=" + root, "--disable-metrics"}
		on.Install = func(p []string) []string { return append(append([]string{"install"}, join(p)...), args...) }
		on.Remove = func(p []string, purge bool) []string {
			if rm := remove(p, purge); rm != nil {
				return append(rm, args...)
			}
			return nil
		}
		on.Installed = func(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
			return installed(ctx, h, root, triplet)
		}
		return &on
	}
	return &m
}

// Triplet is the one that vcpkg takes by default: the user's, else the machine's.
func Triplet(h *host.Host) string {
	if t := h.Env("VCPKG_DEFAULT_TRIPLET"); t != "" && regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`).MatchString(t) {
		return t
	}
	arch := map[string]string{"amd64": "x64", "386": "x86"}[h.Arch]
	if arch == "" {
		arch = h.Arch
	}
	system := map[string]string{"darwin": "osx"}[h.OS]
	if system == "" {
		system = h.OS
	}
	return arch + "-" + system
}

// split takes port[a,b] apart into port[a] and port[b], so that each feature is
// looked up and journaled by itself. core, which turns the default features off
// for all of them, stays as it is and is no valid name then.
func split(specs []string) []string {
	var names []string
	for _, s := range specs {
		port, features, ok := strings.Cut(strings.TrimSuffix(s, "]"), "[")
		list := strings.Split(features, ",")
		if !ok || !strings.HasSuffix(s, "]") {
			names = append(names, s)
			continue
		}
		if slices.Contains(list, "core") {
			names = append(names, lang.F("%s without default features", s))
			continue
		}
		for _, f := range list {
			names = append(names, port+"["+f+"]")
		}
	}
	return names
}

// join puts features of one port together again.
func join(names []string) []string {
	var ports []string
	features := map[string][]string{}
	for _, n := range names {
		port, feature, _ := strings.Cut(strings.TrimSuffix(n, "]"), "[")
		if !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
		if feature != "" {
			features[port] = append(features[port], feature)
		}
	}
	for i, p := range ports {
		if f := features[p]; len(f) > 0 {
			ports[i] = p + "[" + strings.Join(f, ",") + "]"
		}
	}
	return ports
}

// remove names whole ports; without --recurse vcpkg refuses to take along what
// needs them. nil when only features were added to ports that were there.
func remove(names []string, _ bool) []string {
	args := []string{"remove"}
	for _, n := range names {
		if !strings.Contains(n, "[") {
			args = append(args, n)
		}
	}
	if len(args) == 1 {
		return nil
	}
	return args
}

// installed reads vcpkg's database: installed/vcpkg/status and the changes in
// updates/, which the next vcpkg folds into it.
func installed(ctx context.Context, h *host.Host, root, triplet string) (map[string]pkgmgr.Installed, error) {
	dir := h.Join(root, "installed", "vcpkg")
	var text strings.Builder
	for _, name := range append([]string{h.Join(dir, "status")}, h.Glob(ctx, h.Join(dir, "updates"), "[0-9]*")...) {
		part, err := h.Text(ctx, name)
		if err != nil && !host.IsNotExist(err) {
			return nil, lang.Errorf("list vcpkg's packages: %w", err)
		}
		text.WriteString(part + "\n\n")
	}
	return ParseStatus(text.String(), triplet), nil
}

// ParseStatus reads paragraphs of "Key: value" lines; a later one of the same
// port, feature and triplet replaces an earlier one. A feature has the version
// of its port.
func ParseStatus(text, triplet string) map[string]pkgmgr.Installed {
	list := map[string]pkgmgr.Installed{}
	versions := map[string]string{}
	for _, para := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		field := map[string]string{}
		for _, line := range strings.Split(para, "\n") {
			if key, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") {
				field[key] = strings.TrimSpace(value)
			}
		}
		port, feature := field["Package"], field["Feature"]
		if port == "" || field["Architecture"] != triplet {
			continue
		}
		name := port
		if feature != "" && feature != "core" {
			name += "[" + feature + "]"
		} else if v := field["Version"]; v != "" {
			if p := field["Port-Version"]; p != "" && p != "0" {
				v += "#" + p
			}
			versions[port] = v
		}
		if field["Status"] != "install ok installed" {
			delete(list, name)
			continue
		}
		list[name] = pkgmgr.Installed{Ready: true}
	}
	for name, i := range list {
		port, _, _ := strings.Cut(name, "[")
		i.Version = versions[port]
		list[name] = i
	}
	return list
}
