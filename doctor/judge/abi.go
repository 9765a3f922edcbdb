package judge

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// hidden says how a program comes to instruction sets that are kept from it: by
// a hypervisor or an emulator. "" where the processor itself lacks them.
func hidden(c facts.CPU, missing string) string {
	switch c.Emulation {
	case "rosetta": // Apple, "About the Rosetta translation environment"
		return lang.F("This is an Apple processor, and Rosetta runs x86 programs without %s. Use programs made for arm64 (docker run --platform linux/arm64; on macOS, the Homebrew in /opt/homebrew).", missing)
	case "qemu":
		return lang.F("QEMU emulates this processor, without %s. Use programs made for the machine below (docker run --platform), or a newer QEMU with -cpu max.", missing)
	}
	host := lang.F("If the host's CPU has %s, ", missing)
	switch v := strings.ToLower(c.Hypervisor); {
	case v == "":
		return ""
	case strings.Contains(v, "kvm"), strings.Contains(v, "qemu"):
		return lang.F("%slet the virtual machine see it: QEMU -cpu host; libvirt <cpu mode='host-passthrough'/>; Proxmox: CPU type host. Then start it again.", host)
	case strings.Contains(v, "vmware"):
		return lang.F("%sraise the virtual machine's hardware version and its cluster's EVC mode, then start it again.", host)
	case strings.Contains(v, "hyper"), strings.Contains(v, "microsoft"):
		return lang.F("%srun Set-VMProcessor NAME -CompatibilityForMigrationEnabled $false on the host, with the virtual machine off.", host)
	case strings.Contains(v, "virtualbox"), strings.Contains(v, "oracle"):
		return lang.F("%sturn off Hyper-V and core isolation on a Windows host, which keep VirtualBox from passing it on, then start the virtual machine again.", host)
	}
	return lang.F("%slet the virtual machine see the host's CPU in the hypervisor's settings, then start it again.", host)
}

// distributionLevel finds a distribution that is built for newer processors: RHEL
// 9 and its rebuilds for x86-64-v2, RHEL 10 for v3 (Red Hat, release notes). A
// container gets as far as being looked at.
func distributionLevel(e *evaluation, _ subject) (map[string]string, bool) {
	o := e.facts.OS
	if o.Arch != "amd64" || !slices.Contains([]string{"rhel", "centos", "rocky", "oracle", "ol"}, o.ID) {
		return nil, false // AlmaLinux 10 has builds for v2 too
	}
	have, err := strconv.Atoi(strings.TrimPrefix(e.facts.CPU.Level, "x86-64-v"))
	need := map[int]int{9: 2, 10: 3}[major(o.Version)]
	// No processor has these without the rest of the level (x86-64 psABI); only a hypervisor
	// hides single features. A list of flags that leaves some out says nothing.
	whole := map[int][]string{2: {"sse4_2", "popcnt"}, 3: {"avx2", "fma", "f16c"}}[need]
	if e.facts.CPU.Hypervisor == "" && whole != nil && !slices.ContainsFunc(whole, func(f string) bool { return !slices.Contains(e.facts.CPU.Features, f) }) {
		return nil, false
	}
	return map[string]string{"need": "x86-64-v" + strconv.Itoa(need), "hidden": hidden(e.facts.CPU, "x86-64-v"+strconv.Itoa(need))}, err == nil && have < need
}

// glibcOnMusl finds a library for glibc on a system with musl (Alpine).
func glibcOnMusl(e *evaluation, s subject) (map[string]string, bool) {
	if e.facts.OS.Libc.Kind != "musl" {
		return nil, false
	}
	return needVars(e, s, func(n facts.Need) bool {
		return n.Cause == facts.NotFound && strings.HasPrefix(n.Name, "ld-linux")
	})
}

// oldCXXABI finds a LibTorch for the C++ ABI of GCC 4 beside an OpenCV for
// today's: no program can be linked with both (pytorch/pytorch issue 14620).
func oldCXXABI(e *evaluation, s subject) (map[string]string, bool) {
	if s.instance.Built.CXXABI != "pre-cxx11" || e.facts.OS.Family != "linux" || s.instance.Attrs["kind"] != "" {
		return nil, false
	}
	opencv, ok := e.facts.Active("opencv")
	return map[string]string{"opencv": opencv.Version}, ok && opencv.Built.CXXABI != "pre-cxx11"
}

// brewFormula finds a library that Homebrew should have and does not.
func brewFormula(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := needsOf(facts.NotFound)(e, s)
	if !ok || e.facts.OS.Family != "darwin" {
		return nil, false
	}
	for _, n := range s.instance.Needs {
		if n.Cause == facts.NotFound && n.Package != "" {
			vars["formula"] = n.Package
			vars["command"] = "brew install " + n.Package
			if n.Installed {
				// The version that was linked with is gone: the formula moved on.
				vars["command"] = "brew reinstall " + cmp.Or(map[string]string{"libtorch": "pytorch"}[s.name], s.name)
			}
			break
		}
		// The archives of PyTorch for arm64 need Homebrew's, which they look for
		// beside themselves (pytorch/pytorch issue 124732).
		if n.Cause == facts.NotFound && path.Base(n.Name) == "libomp.dylib" {
			vars["command"] = lang.F(`brew install libomp && cp "$(brew --prefix libomp)/lib/libomp.dylib" %s/`, path.Dir(n.By))
		}
	}
	return vars, true
}

// cltOutdated finds command-line tools that are older than the oldest for this
// macOS (Homebrew, Library/Homebrew/os/mac/xcode.rb): an upgrade of macOS keeps them.
func cltOutdated(e *evaluation, s subject) (map[string]string, bool) {
	system := major(e.facts.OS.Version)
	least := map[int]string{11: "12.5", 12: "13.0", 13: "14.0", 14: "15.0", 15: "16.0"}[system]
	if system >= 26 {
		least = strconv.Itoa(system) + ".0"
	}
	if least == "" || !s.instance.Active || s.instance.Unusable != nil {
		return nil, false
	}
	enough, err := check(">= "+least, s.instance.Version)
	return map[string]string{"least": least}, err == nil && !enough
}

// cltLeftovers finds C++ headers that an upgrade of the command-line tools left in them.
func cltLeftovers(_ *evaluation, s subject) (map[string]string, bool) {
	return map[string]string{}, s.instance.Active && s.instance.HasPart("old-cxx-headers")
}

// noPackageFile finds an OpenCV that somebody built here without opencv4.pc, by
// which gocv finds it, and that lacks nothing else.
func noPackageFile(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	if !slices.Contains(e.touched(), "pkg-config") || !i.Active || i.HasPart("pkg-config") || !i.HasPart("headers") || managed(i.Path) || strings.Contains(i.Path, "homebrew") {
		return nil, false
	}
	for n := range e.recipe.Requirements {
		q := e.recipe.Requirements[n].Component
		if q == nil || q.Name != "opencv" || !slices.Contains(q.Has, "pkg-config") {
			continue
		}
		enough, err := check(q.Version, i.Version)
		lacks := slices.ContainsFunc(q.Has, func(part string) bool { return part != "pkg-config" && !i.HasPart(part) })
		return map[string]string{"sudo": e.sudo()}, err == nil && enough && !lacks
	}
	return nil, false
}

// packageOfNothing finds a package file that pkg-config takes and whose OpenCV was
// removed.
func packageOfNothing(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	gone := slices.Contains(i.Via, "pkg-config") && i.Places.PkgConfig != "" && i.Places.Lib == "" && i.Places.Include == "" && !i.HasPart("headers") && !i.HasPart("core")
	return map[string]string{"sudo": e.sudo()}, gone && !managed(i.Places.PkgConfig) && slices.Contains(e.touched(), "pkg-config")
}

// packageDangles makes the relation for a package file that names folders of
// headers, or single libraries, that are not here.
func packageDangles(libraries bool) relation {
	return func(e *evaluation, s subject) (map[string]string, bool) {
		d := s.instance.Dangling
		if d == nil || !slices.Contains(e.touched(), "pkg-config") {
			return nil, false
		}
		vars := map[string]string{"file": d.File, "folders": strings.Join(d.Folders, ", "), "sudo": e.sudo(), "are": "is"}
		if len(d.Libraries) > 1 {
			vars["are"] = "are"
		}
		var flags []string
		for _, l := range d.Libraries {
			flags = append(flags, "-l"+l)
		}
		vars["libraries"] = strings.Join(flags, ", ")
		if e.manager() == "apt" && len(d.Packages) > 0 {
			vars["packages"], vars["reinstall"] = strings.Join(d.Packages, " "), "yes"
		}
		if managed(path.Dir(d.File)) {
			vars["package"] = "yes"
		} else if root, ok := strings.CutSuffix(s.instance.Places.Include, "/include/opencv4"); ok {
			vars["prefix"] = root
		}
		return vars, len(d.Libraries) > 0 && libraries || len(d.Folders) > 0 && !libraries
	}
}

// filesLost finds a copy whose packages are installed and have lost a file that a
// requirement of the recipe asks for.
func filesLost(e *evaluation, s subject) (map[string]string, bool) {
	l := s.instance.Lost
	if l == nil || !s.instance.Active {
		return nil, false
	}
	asked := slices.ContainsFunc(e.recipe.Requirements, func(q recipes.Requirement) bool {
		_, applies := e.applies(q.When)
		return applies && q.Component != nil && slices.Contains(names(q.Component), s.name) && slices.ContainsFunc(l.Parts, func(part string) bool { return slices.Contains(q.Component.Has, part) })
	})
	vars := map[string]string{"file": l.Files[0], "packages": strings.Join(l.Packages, " "), "reinstall": "yes", "list": strings.Join(l.Packages, ", ")}
	if len(l.Files) > 1 {
		vars["more"] = lang.F(", and so are %d more", len(l.Files)-1)
	}
	return vars, asked
}

// otherOpenCV finds a program that was linked with another series of OpenCV than the
// one here, as after an upgrade of the distribution.
func otherOpenCV(e *evaluation, s subject) (map[string]string, bool) {
	opencv, ok := e.facts.Active("opencv")
	if !ok || opencv.Version == "" || !opencv.HasPart("shared") {
		return nil, false
	}
	vars, ok := needVars(e, s, func(n facts.Need) bool {
		return n.Cause == facts.NotFound && n.Elsewhere == "" && n.Package == "" && strings.HasPrefix(n.Name, "libopencv_")
	})
	if ok {
		vars["opencv"] = opencv.Version
	}
	return vars, ok
}

// staticOnly finds an OpenCV without shared libraries where Go links it.
func staticOnly(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	own := slices.ContainsFunc(e.facts.Environment.Variables, func(v facts.Variable) bool { return v.Name == "GOFLAGS" || v.Name == "CGO_LDFLAGS" })
	return nil, i.Active && i.HasPart("static") && !i.HasPart("shared") && !own && slices.Contains(e.touched(), "go")
}

// gocvPackages are the modules whose headers gocv's files include, on every system
// (hybridgroup/gocv: calib3d.h, features2d.h, objdetect.h, photo.h, video.h and others).
var gocvPackages = []string{"calib3d", "core", "dnn", "features2d", "highgui", "imgcodecs", "imgproc", "objdetect", "photo", "video", "videoio"}

// gocvNeeds finds an OpenCV that was built without modules that gocv includes.
func gocvNeeds(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	if !i.Active || len(i.Built.Modules) == 0 || !slices.Contains(e.touched(), "go") {
		return nil, false
	}
	missing := slices.DeleteFunc(slices.Clone(gocvPackages), func(m string) bool { return slices.Contains(i.Built.Modules, m) })
	return map[string]string{"modules": strings.Join(missing, ", ")}, len(missing) > 0
}
