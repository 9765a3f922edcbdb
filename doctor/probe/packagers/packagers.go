// Package packagers finds the package managers of a host: those of the system
// and those a user brings along. Most versions come from the manager's own
// database, as the programs are slow to start. It must never judge, and never
// asks one for its packages.
//
// Instances are of the components named in Provides. Active is the copy its
// name finds first on PATH. Attrs: real, shim, root (vcpkg, conda, brew's
// prefix), package (the version with epoch and revision as the distribution
// writes it).
package packagers

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// Provides are the component names of this probe.
func Provides() []string {
	var names []string
	for _, m := range managers() {
		names = append(names, m.component)
	}
	return names
}

// manager is how one package manager is found and told its version.
type manager struct {
	component string
	names     []string // programs
	on        string   // GOOS, or "" for all
	// deb is the Debian package that carries it.
	deb string
	// file tells the version without running anything.
	file func(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance)
	// args and says make it tell the version when no file did and it is quick;
	// nil means that it is not run.
	args []string
	says *regexp.Regexp
	// only limits running to a program of that name, after links.
	only string
}

func managers() []manager {
	version := []string{"--version"}
	number := regexp.MustCompile(`(?m)(\d+(?:\.\d+)+)`)
	return []manager{
		{component: "apt", names: []string{"apt-get"}, on: "linux", deb: "apt", args: version, says: number},
		{component: "dnf", names: []string{"dnf", "dnf5", "dnf-3"}, on: "linux", file: dnfVersion, args: version, says: regexp.MustCompile(`dnf5 version (\d+(?:\.\d+)+)`), only: "dnf5"},
		{component: "yum", names: []string{"yum"}, on: "linux", file: dnfVersion},
		{component: "pacman", names: []string{"pacman"}, on: "linux", file: pacmanVersion, args: version, says: regexp.MustCompile(`Pacman v(\d+(?:\.\d+)+)`)},
		{component: "apk", names: []string{"apk"}, on: "linux", file: apkVersion, args: version, says: number},
		{component: "zypper", names: []string{"zypper"}, on: "linux", args: version, says: number},
		{component: "brew", names: []string{"brew"}, file: brewVersion},
		{component: "winget", names: []string{"winget"}, on: "windows", file: wingetVersion},
		{component: "choco", names: []string{"choco"}, on: "windows", file: chocoVersion},
		{component: "scoop", names: []string{"scoop"}, on: "windows", file: scoopVersion},
		{component: "vcpkg", names: []string{"vcpkg"}, file: vcpkgVersion},
		{component: "conan", names: []string{"conan"}, file: distInfo("conan")},
		{component: "conda", names: []string{"conda", "mamba", "micromamba"}, file: condaVersion},
		{component: "nix", names: []string{"nix", "nix-env"}, file: nixVersion, args: version, says: number},
		{component: "snap", names: []string{"snap"}, on: "linux", deb: "snapd"},
		{component: "flatpak", names: []string{"flatpak"}, on: "linux", deb: "flatpak", args: version, says: number},
		{component: "pip", names: []string{"pip3", "pip"}, file: distInfo("pip")},
		{component: "uv", names: []string{"uv"}, file: distInfo("uv"), args: version, says: number},
		{component: "npm", names: []string{"npm"}, file: npmVersion},
	}
}

// Probe finds package managers. The error says what could not be looked at.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	var names []string
	for _, m := range managers() {
		names = append(names, m.names...)
	}
	index := look.NewIndex(ctx, h, look.Names(names...))
	type found struct {
		manager manager
		copy    look.Copy
		inst    facts.Instance
		problem error
	}
	var list []found
	var debs []string
	for _, m := range managers() {
		if m.on != "" && m.on != h.OS {
			continue
		}
		for _, c := range index.Find(ctx, m.names, folders(h, m.component)...) {
			list = append(list, found{manager: m, copy: c})
			if m.deb != "" {
				debs = append(debs, m.deb)
			}
		}
	}
	packages := map[string]string{}
	var failed error
	if len(debs) > 0 {
		var err error
		packages, err = look.Dpkg(ctx, h, debs...)
		if err != nil && !host.IsNotExist(err) {
			failed = err
		}
	}
	crashed := look.Parallel(len(list), func(i int) {
		l := &list[i]
		l.inst = facts.Instance{Path: l.copy.Path, Attrs: map[string]string{}}
		if l.copy.Real != l.copy.Path {
			l.inst.Attrs["real"] = l.copy.Real
		}
		if v := packages[l.manager.deb]; v != "" && strings.HasPrefix(l.copy.Path, "/usr/") {
			l.inst.Version = look.Upstream(v)
			l.inst.Attrs["package"] = v
			l.inst.Evidence = []facts.Evidence{{Kind: "file", Source: look.DpkgStatus, Detail: l.manager.deb + " " + v}}
			return
		}
		if l.manager.file != nil {
			l.manager.file(ctx, h, l.copy, &l.inst)
		}
		if only := l.manager.only; l.inst.Version != "" || l.manager.args == nil || only != "" && h.Base(l.copy.Real) != only {
			if len(l.inst.Evidence) == 0 {
				l.inst.Evidence = []facts.Evidence{{Kind: "file", Source: l.copy.Path}}
			}
			return
		}
		version, evidence, _, err := look.Ask(ctx, h, append([]string{l.copy.Path}, l.manager.args...), l.manager.says)
		l.inst.Version, l.problem = version, err
		l.inst.Evidence = append(l.inst.Evidence, evidence)
	})
	f := facts.Facts{Components: map[string][]facts.Instance{}}
	active, seen := map[string]bool{}, map[string]bool{}
	for _, l := range list {
		name := l.manager.component
		key := name + " " + l.copy.Real
		// pip and pip3 are two scripts for one package.
		if e := l.inst.Evidence; len(e) > 0 && strings.HasSuffix(e[0].Source, ".dist-info") {
			key = name + " " + e[0].Source
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		if l.copy.OnPath && !active[name] {
			active[name] = true
			l.inst.Active, l.inst.Via = true, []string{"PATH"}
		}
		if l.problem != nil {
			f.Problems = append(f.Problems, facts.Problem{Probe: "packagers", Covers: []string{name}, Error: l.problem.Error()})
		}
		f.Add(name, l.inst)
	}
	return f, errors.Join(ctx.Err(), failed, crashed)
}

// folders are where a manager lies without PATH knowing.
func folders(h *host.Host, component string) []string {
	home := look.EnvPath(h, "HOME")
	var dirs []string
	add := func(base string, below ...string) {
		if base != "" {
			dirs = append(dirs, h.Join(append([]string{base}, below...)...))
		}
	}
	if h.Windows() {
		user, local, data := look.EnvPath(h, "USERPROFILE"), look.EnvPath(h, "LocalAppData"), look.EnvPath(h, "ProgramData")
		switch component {
		case "winget":
			add(local, `Microsoft\WindowsApps`)
		case "choco":
			add(look.EnvPath(h, "ChocolateyInstall"), "bin")
			add(data, `chocolatey\bin`)
		case "scoop":
			add(look.EnvPath(h, "SCOOP"), "shims")
			add(user, `scoop\shims`)
		case "vcpkg":
			add(look.EnvPath(h, "VCPKG_ROOT"))
			add(look.EnvPath(h, "VCPKG_INSTALLATION_ROOT"))
			dirs = append(dirs, `C:\vcpkg`, `C:\src\vcpkg`, `C:\dev\vcpkg`)
			add(user, "vcpkg")
		case "conda":
			for _, name := range []string{"miniconda3", "anaconda3", "miniforge3", "mambaforge"} {
				add(user, name, "Scripts")
				add(data, name, "Scripts")
			}
		}
		return dirs
	}
	switch component {
	case "brew":
		if h.OS == "darwin" {
			dirs = append(dirs, "/opt/homebrew/bin", "/usr/local/bin")
		} else {
			dirs = append(dirs, "/home/linuxbrew/.linuxbrew/bin")
			add(home, ".linuxbrew", "bin")
		}
	case "vcpkg":
		add(look.EnvPath(h, "VCPKG_ROOT"))
		add(home, "vcpkg")
		dirs = append(dirs, "/opt/vcpkg", "/usr/local/vcpkg")
	case "conda":
		for _, name := range []string{"miniconda3", "anaconda3", "miniforge3", "mambaforge"} {
			add(home, name, "bin")
			dirs = append(dirs, "/opt/"+name+"/bin")
		}
		dirs = append(dirs, "/opt/conda/bin")
	case "nix":
		dirs = append(dirs, "/nix/var/nix/profiles/default/bin", "/run/current-system/sw/bin")
	case "uv":
		add(home, ".local", "bin")
		add(home, ".cargo", "bin")
	}
	return dirs
}
