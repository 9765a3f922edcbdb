package pkgmgr

import (
	"context"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// rpm asks rpm's database, which dnf and zypper share. Questions need no root.
func rpm(ctx context.Context, h *host.Host, args ...string) (host.Output, error) {
	path := h.SystemPath(ctx, "rpm")
	if path == "" {
		path = "/usr/bin/rpm"
	}
	out, err := h.Run(ctx, host.Command{Argv: append([]string{path}, args...), Env: []string{"LC_ALL=C"}})
	if err != nil {
		return out, lang.Errorf("ask rpm: %w", err)
	}
	return out, nil
}

// RPM lists what rpm has installed.
func RPM(ctx context.Context, h *host.Host) (map[string]Installed, error) {
	out, err := rpm(ctx, h, "-qa", "--qf", `%{NAME}\t%{EVR}\t%{ARCH}\n`)
	if err != nil {
		return nil, err
	}
	if out.Exit != 0 {
		return nil, lang.Errorf("list the installed packages: rpm ended with exit status %d: %s", out.Exit, step.Clean(string(out.Stderr), 200))
	}
	return ParseRPM(string(out.Stdout), h.Arch), nil
}

// rpmArch is rpm's name for a GOARCH, as far as it begins the name.
var rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i", "arm": "arm", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64"}

// ParseRPM reads lines of a name, a version and an architecture. A package of
// another architecture has it in its name, as dnf and zypper write it; of several
// versions (kernels) all are the version. The keys of package sources, which rpm
// lists as packages named gpg-pubkey, are none: a source's settings bring them, and
// no package manager removes them.
func ParseRPM(text, arch string) map[string]Installed {
	list := map[string]Installed{}
	for _, line := range strings.Split(text, "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 3 || f[0] == "" || f[1] == "" || f[0] == "gpg-pubkey" {
			continue
		}
		name := f[0]
		if native := rpmArch[arch]; f[2] != "noarch" && native != "" && !strings.HasPrefix(f[2], native) {
			name += "." + f[2]
		}
		versions := []string{f[1]}
		if had := list[name].Version; had != "" {
			versions = append(versions, strings.Split(had, ", ")...)
			slices.Sort(versions)
		}
		list[name] = Installed{Version: strings.Join(versions, ", "), Ready: true}
	}
	return list
}

// RPMProvided reports whether an installed package gives a name that is none
// itself.
func RPMProvided(ctx context.Context, h *host.Host, name string) bool {
	out, err := rpm(ctx, h, "-q", "--whatprovides", "--", name)
	return err == nil && out.Exit == 0
}

// neededLine is rpm's "\tCAPABILITY is needed by (installed) NAME-VERSION-RELEASE.ARCH".
var neededLine = lazyregexp.New(`^\s+(\S.*) is needed by \(installed\) (\S+)-[^-\s]+-[^-\s]+$`)

// RPMNeeded gives those of the packages that others need: dnf and zypper remove
// those others without a word. rpm only tests.
func RPMNeeded(ctx context.Context, h *host.Host, packages []string) (map[string]string, error) {
	return NeededBy(packages, func(names []string) (map[string]string, error) {
		out, err := rpm(ctx, h, append([]string{"-e", "--test", "--"}, names...)...)
		if err != nil || out.Exit == 0 {
			return nil, err
		}
		by := map[string]string{}
		for _, line := range strings.Split(string(out.Stdout)+"\n"+string(out.Stderr), "\n") {
			m := neededLine.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			givers, err := rpmGivers(ctx, h, m[1])
			if err != nil {
				return nil, err
			}
			for _, n := range givers {
				if slices.Contains(names, n) {
					by[n] = m[2]
				}
			}
			if len(givers) == 0 { // a need that is not one name ("(a if b)"): nothing is removed
				for _, n := range names {
					by[n] = m[2]
				}
			}
		}
		if len(by) == 0 {
			return nil, lang.Errorf("ask rpm what needs the packages: exit status %d: %s", out.Exit, step.Clean(string(out.Stderr), 200))
		}
		return by, nil
	})
}

// rpmGivers are the installed packages that give a capability ("libx.so.1()(64bit)",
// "nasm >= 2").
func rpmGivers(ctx context.Context, h *host.Host, capability string) ([]string, error) {
	name, _, _ := strings.Cut(capability, " ")
	out, err := rpm(ctx, h, "-q", "--qf", `%{NAME}\t%{EVR}\t%{ARCH}\n`, "--whatprovides", "--", name)
	if err != nil || out.Exit != 0 {
		return nil, err
	}
	var names []string
	for n := range ParseRPM(string(out.Stdout), h.Arch) {
		names = append(names, n)
	}
	return names, nil
}
