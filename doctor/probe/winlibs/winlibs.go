// Package winlibs finds the libraries that programs expect of Windows itself:
// the Visual C++ runtimes, the Universal C runtime and Media Foundation.
//
// The components it fills:
//
//	vcredist          one instance an architecture and generation
//	ucrt              ucrtbase.dll
//	media-foundation  absent on N and KN editions and on a Server without the feature
//
// It must never load a library: files and the registry say enough.
package winlibs

import (
	"bytes"
	"cmp"
	"context"
	"debug/pe"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Provides are the component names of this probe.
func Provides() []string {
	return []string{"vcredist", "ucrt", "media-foundation"}
}

// Probe reads the runtimes. On other systems it finds nothing.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	if !h.Windows() {
		return facts.Facts{}, nil
	}
	p := &prober{ctx: ctx, h: h, root: look.SystemRoot(h)}
	var f facts.Facts
	for _, i := range p.redists() {
		f.Add("vcredist", i)
	}
	if file := p.system("ucrtbase.dll"); h.Exists(ctx, file) {
		f.Add("ucrt", facts.Instance{Path: file, Active: true, Via: []string{"dll"}, Evidence: []facts.Evidence{{Kind: "file", Source: file}}})
	}
	if i, ok := p.mediaFoundation(); ok {
		f.Add("media-foundation", i)
	}
	f.Problems = p.problems.Facts("vcredist")
	return f, nil
}

type prober struct {
	ctx      context.Context
	h        *host.Host
	root     string // C:\Windows
	problems look.Problems
}

// system is a file in the folder of this machine's own architecture.
func (p *prober) system(name string) string { return p.h.Join(p.root, "System32", name) }

func (p *prober) own() string { return look.WindowsArch(p.h.Arch) }

// folder is where libraries of an architecture live; "" where Windows keeps
// them apart from both (arm64 on arm64 is System32 like any other own one).
func (p *prober) folder(arch string) string {
	switch {
	case arch == p.own():
		return p.h.Join(p.root, "System32")
	case arch == "x86":
		return p.h.Join(p.root, "SysWOW64")
	case arch == "x64" && p.h.Arch == "arm64":
		return p.h.Join(p.root, "System32") // ARM64X libraries serve both
	}
	return ""
}

// runtime is a generation of the Visual C++ runtime. 2015 to 2026 are one
// (14.0, binary compatible). Sources: cpp-docs
// windows/redistributing-visual-cpp-files and determining-which-dlls-to-redistribute.
type runtime struct {
	key, years string
	must       []string // without these almost no program starts
	also       []string // by feature: ConcRT, OpenMP, exceptions on x64
}

func runtimes() []runtime {
	return []runtime{
		{"14.0", "2015-2026", []string{"vcruntime140.dll", "msvcp140.dll"}, []string{"vcruntime140_1.dll", "msvcp140_1.dll", "msvcp140_2.dll", "msvcp140_atomic_wait.dll", "concrt140.dll", "vcomp140.dll"}},
		{"12.0", "2013", []string{"msvcr120.dll", "msvcp120.dll"}, []string{"vcomp120.dll"}},
		{"11.0", "2012", []string{"msvcr110.dll", "msvcp110.dll"}, []string{"vcomp110.dll"}},
		{"10.0", "2010", []string{"msvcr100.dll", "msvcp100.dll"}, []string{"vcomp100.dll"}},
	}
}

// redists gives one instance for each generation and architecture that the
// registry or the library folders show. Active is 14.0 of this machine's own
// architecture when all libraries that must be there are.
func (p *prober) redists() []facts.Instance {
	var out []facts.Instance
	for _, r := range runtimes() {
		for _, arch := range []string{"x64", "x86", "arm64"} {
			if i, ok := p.redist(r, arch); ok {
				out = append(out, i)
			}
		}
	}
	if !slices.ContainsFunc(out, func(i facts.Instance) bool { return i.Active }) {
		if i, ok := p.onPath(); ok {
			out = append(out, i)
		}
	}
	return out
}

// onPath is the runtime of 2015 and newer that programs load from a folder on PATH:
// where System32 has none, that is the next place (Microsoft, Dynamic-link library
// search order).
func (p *prober) onPath() (facts.Instance, bool) {
	r := runtimes()[0]
	for _, dir := range p.h.PathDirs() {
		if len(dir) < 3 || dir[1] != ':' {
			continue
		}
		file := p.h.Join(dir, r.must[0])
		data, _, err := p.h.ReadFile(p.ctx, file, 1<<20)
		if err != nil || machine(data) != p.own() {
			continue
		}
		i := facts.Instance{
			Version: closure.FileVersion(data), Path: file, Active: true, Via: []string{"dll", "path"},
			Attrs:    map[string]string{"arch": p.own(), "generation": r.years, "registered": "false"},
			Has:      []string{p.own()},
			Evidence: []facts.Evidence{{Kind: "file", Source: file}},
		}
		for _, name := range append(append([]string{}, r.must...), r.also...) {
			if p.h.Exists(p.ctx, p.h.Join(dir, name)) {
				i.Has = append(i.Has, name)
			}
		}
		if !slices.Contains(i.Has, r.must[1]) {
			continue // a Python's folder has only what Python needs
		}
		return i, true
	}
	return facts.Instance{}, false
}

// machine is the architecture that a PE file is made for, "" for another file
// (Microsoft, PE Format).
func machine(data []byte) string {
	f, err := pe.NewFile(bytes.NewReader(data))
	if err != nil {
		return ""
	}
	return map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "x64", pe.IMAGE_FILE_MACHINE_I386: "x86", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}[f.Machine]
}

func (p *prober) redist(r runtime, arch string) (facts.Instance, bool) {
	i := facts.Instance{Attrs: map[string]string{"arch": arch, "generation": r.years}, Has: []string{arch}}
	// Setup writes x64 into both views, x86 into the 32-bit one.
	for _, key := range []string{
		`HKLM\SOFTWARE\Microsoft\VisualStudio\` + r.key + `\VC\Runtimes\` + arch,
		`HKLM\SOFTWARE\Microsoft\VisualStudio\` + r.key + `\VC\VCRedist\` + arch, // 2010
	} {
		for _, view := range []string{"64", "32"} {
			k, err := p.h.RegistryKey(p.ctx, key, view)
			p.problems.Note(p.ctx, key, err)
			v, ok := RedistVersion(k)
			if err != nil || !ok {
				continue
			}
			i.Evidence = append(i.Evidence, facts.Evidence{Kind: "registry", Source: key, Detail: view + "-bit view: " + v})
			i.Version = cmp.Or(i.Version, v)
		}
	}
	dir := p.folder(arch)
	var missing, there []string
	if dir != "" {
		for n, name := range append(append([]string{}, r.must...), r.also...) {
			if file := p.h.Join(dir, name); p.h.Exists(p.ctx, file) {
				there = append(there, name)
				i.Path = cmp.Or(i.Path, file)
			} else if n < len(r.must) {
				missing = append(missing, name)
			}
		}
	}
	if len(i.Evidence) == 0 && len(there) == 0 {
		return i, false
	}
	if len(i.Evidence) == 0 {
		// Copied by hand, or part of another product: the file itself has the version.
		i.Attrs["registered"] = "false"
		i.Evidence = []facts.Evidence{{Kind: "file", Source: i.Path}}
		if data, _, err := p.h.ReadFile(p.ctx, i.Path, 1<<20); err == nil {
			i.Version = closure.FileVersion(data)
		}
	} else {
		i.Attrs["registered"] = "true"
	}
	i.Has = append(i.Has, there...)
	// vcruntime140_1.dll holds the exception handling of x64 programs that were
	// compiled with 14.20 or newer; it came with that version.
	if newer := v14(i.Version); arch == "x64" && newer >= 20 && len(missing) == 0 && slices.Contains(there, "vcruntime140.dll") && !slices.Contains(there, "vcruntime140_1.dll") {
		i.Unusable = &facts.Unusable{Reason: facts.Incomplete,
			Detail: lang.F("the Visual C++ runtime %s is registered, but vcruntime140_1.dll is missing in %s", i.Version, dir),
			Remedy: lang.T("Install the Visual C++ redistributable for x64 again (https://aka.ms/vs/17/release/vc_redist.x64.exe, Repair).")}
	}
	if len(missing) > 0 {
		i.Attrs["missing"] = strings.Join(missing, " ")
	}
	i.Active = r.key == "14.0" && arch == p.own() && len(missing) == 0
	if i.Active {
		i.Via = []string{"dll"}
	}
	return i, true
}

// v14 is the minor number of a runtime 14.x, -1 for others.
func v14(version string) int {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(minor)
	if major != "14" || err != nil {
		return -1
	}
	return n
}

var redistText = lazyregexp.New(`^[vV]?(\d+\.\d+(?:\.\d+){0,2})`)

// RedistVersion reads a Runtimes key: the numbers Major, Minor, Bld and Rbld,
// else the text Version (v14.38.33135.00). false means that the key says that
// nothing is installed.
func RedistVersion(k host.Key) (string, bool) {
	number := func(name string) (uint64, bool) {
		v, ok := k.Value(name)
		if v.String != "" {
			i, err := strconv.ParseUint(v.String, 10, 32)
			return i, err == nil
		}
		return v.Int, ok
	}
	if installed, ok := number("Installed"); ok && installed == 0 {
		return "", false
	}
	major, ok := number("Major")
	minor, ok2 := number("Minor")
	build, ok3 := number("Bld")
	if ok && ok2 && ok3 && major > 0 {
		revision, _ := number("Rbld")
		return fmt.Sprintf("%d.%d.%d.%d", major, minor, build, revision), true
	}
	v, _ := k.Value("Version")
	if m := redistText.FindStringSubmatch(v.String); m != nil {
		return m[1], true
	}
	return "", false
}

// mediaFoundation is active when the three libraries that OpenCV's MSMF backend
// links are there.
func (p *prober) mediaFoundation() (facts.Instance, bool) {
	var i facts.Instance
	var missing []string
	for _, name := range []string{"mfplat.dll", "mf.dll", "mfreadwrite.dll"} {
		file := p.system(name)
		if !p.h.Exists(p.ctx, file) {
			missing = append(missing, name)
			continue
		}
		i.Has = append(i.Has, name)
		i.Evidence = append(i.Evidence, facts.Evidence{Kind: "file", Source: file})
		i.Path = cmp.Or(i.Path, file)
	}
	if len(i.Has) == 0 {
		return i, false
	}
	i.Active = len(missing) == 0
	if i.Active {
		i.Via = []string{"dll"}
	} else {
		i.Attrs = map[string]string{"missing": strings.Join(missing, " ")}
	}
	return i, true
}
