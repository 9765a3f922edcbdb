package msvc

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// MSCVer derives _MSC_VER from a toolset version: 14.39.33519 gives 1939. 0
// means that it cannot be told. Source: cpp-docs overview/compiler-versions;
// 16.11's toolset is 14.29 and gives 1929.
func MSCVer(toolset string) int {
	parts := strings.Split(toolset, ".")
	if len(parts) < 2 {
		return 0
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil || major < 10 || major > 14 || minor < 0 || minor > 99 {
		return 0
	}
	if major < 14 { // 2010, 2012, 2013: 1600, 1700, 1800
		return (major + 6) * 100
	}
	return 1900 + minor
}

// Family names the platform toolset a toolset version belongs to: v143. There
// is no v144.
func Family(toolset string) string {
	switch n := MSCVer(toolset); {
	case n == 0 || n >= 1960:
		return ""
	case n < 1900:
		return "v" + strconv.Itoa((n/100-6)*10)
	case n < 1910:
		return "v140"
	case n < 1920:
		return "v141"
	case n < 1930:
		return "v142"
	case n < 1950:
		return "v143"
	default:
		return "v145"
	}
}

// toolsets gives every toolset of every copy. Active is the one a build gets:
// the developer prompt's, else the first cl.exe on PATH, else the default of
// the Visual Studio that is active.
func (p *prober) toolsets() []facts.Instance {
	var out []facts.Instance
	var studios []*studio
	for _, s := range p.studios {
		for _, t := range s.sets {
			out = append(out, t.instance(p, s))
			studios = append(studios, s)
		}
	}
	active := -1
	pick := func(via string, match func(i int) bool) {
		for i := range out {
			if !match(i) {
				continue
			}
			out[i].Via = append(out[i].Via, via)
			if active < 0 {
				active = i
			}
			return
		}
	}
	prompt := trimSlash(p.h.Env("VCToolsInstallDir"))
	if prompt == "" && p.h.Env("VSCMD_VER") == "" {
		// 2015's prompt sets VCINSTALLDIR only.
		prompt = trimSlash(p.h.Env("VCINSTALLDIR"))
	}
	if prompt != "" {
		pick("environment", func(i int) bool { return strings.EqualFold(out[i].Path, prompt) })
	}
	if cl := p.h.LookPath(p.ctx, "cl"); len(cl) > 0 {
		first := strings.ToLower(cl[0])
		pick("PATH", func(i int) bool { return strings.HasPrefix(first, strings.ToLower(out[i].Path)+`\`) })
	}
	pick("vcvars", func(i int) bool { return studios[i].active && out[i].Version == look.Version(studios[i].def) })
	if active < 0 {
		// vcvars has no default to read: MSBuild takes the newest.
		pick("msbuild", func(i int) bool { return studios[i].active })
	}
	if active >= 0 {
		out[active].Active = true
	}
	return out
}

func (t toolset) instance(p *prober, s *studio) facts.Instance {
	a := map[string]string{
		"visual_studio":         s.Path,
		"visual_studio_version": look.Version(s.Version),
		"default":               strconv.FormatBool(t.version == s.def),
		"compilers":             strings.Join(t.compilers, ","),
	}
	if n := MSCVer(t.version); n > 0 {
		a["msc_ver"] = strconv.Itoa(n)
	}
	look.Set(a, "toolset", Family(t.version))
	look.Set(a, "year", lineOf(majorOf(s.Version)).year)
	var has []string
	if t.cl != "" {
		a["cl"] = t.cl
		has = append(has, "cl")
	} else {
		a["state"] = "no cl.exe that builds for " + look.WindowsArch(p.h.Arch)
	}
	for _, pair := range t.compilers {
		_, target, _ := strings.Cut(pair, "/")
		has = append(has, target)
	}
	if t.version == s.def {
		has = append(has, "default")
	}
	sort.Strings(has)
	return facts.Instance{
		Version: look.Version(t.version), Path: t.path, Has: slices.Compact(has), Attrs: a,
		Evidence: []facts.Evidence{{Kind: "file", Source: t.path}},
	}
}

// msbuilds gives each copy's MSBuild, and the one that 2015 installs apart.
func (p *prober) msbuilds() []facts.Instance {
	var out []facts.Instance
	add := func(version, exe, studio string) {
		i := facts.Instance{Version: version, Path: exe, Evidence: []facts.Evidence{{Kind: "file", Source: exe}}}
		if studio != "" {
			i.Attrs = map[string]string{"visual_studio": studio}
		}
		out = append(out, i)
	}
	newest := -1
	for _, s := range p.studios {
		for _, exe := range s.msbuilds {
			if s.active {
				newest = len(out)
			}
			add(look.Version(s.Version), exe, s.Path)
		}
	}
	root := p.h.Join(p.programFiles()[0], "MSBuild")
	for _, v := range []string{"14.0", "12.0"} {
		for _, dir := range []string{`Bin\amd64`, "Bin"} {
			if exe := p.h.Join(root, v, dir, "MSBuild.exe"); p.h.Exists(p.ctx, exe) {
				if newest < 0 {
					newest = len(out)
				}
				add(v, exe, "")
				break
			}
		}
	}
	if onPath := p.h.LookPath(p.ctx, "msbuild"); len(onPath) > 0 {
		at := -1
		for i := range out {
			// amd64\MSBuild.exe and MSBuild.exe are the same version.
			if strings.EqualFold(out[i].Path, onPath[0]) || strings.EqualFold(p.h.DirOf(out[i].Path), p.h.Join(p.h.DirOf(onPath[0]), "amd64")) {
				at = i
			}
		}
		if at < 0 {
			at = len(out)
			v := ""
			if strings.Contains(strings.ToLower(onPath[0]), `\microsoft.net\framework`) {
				v = "4.0" // the .NET Framework's own, which cannot build v140 and later
			}
			add(v, onPath[0], "")
		}
		newest = at
		out[at].Via = []string{"PATH"}
	}
	if newest >= 0 {
		out[newest].Active = true
	}
	return out
}

var sdkVersion = lazyregexp.New(`^10\.0\.\d+(\.\d+)?$`)

// sdks lists the Windows SDKs: Include\10.0.x folders of every installed root,
// and 8.1. vcvars takes the newest whose um\winsdkver.h is there.
func (p *prober) sdks() []facts.Instance {
	roots := map[string]facts.Evidence{} // lower-case → evidence, spelling in Source
	var order []string
	addRoot := func(dir string, ev facts.Evidence) {
		dir = trimSlash(dir)
		if dir == "" {
			return
		}
		if _, ok := roots[strings.ToLower(dir)]; !ok {
			roots[strings.ToLower(dir)] = ev
			order = append(order, dir)
		}
	}
	var listed []string // versions the registry names
	const key = `HKLM\SOFTWARE\Microsoft\Windows Kits\Installed Roots`
	var old []string
	for _, k := range p.registry(key) {
		addRoot(value(k, "KitsRoot10"), facts.Evidence{Kind: "registry", Source: key, Detail: "KitsRoot10"})
		look.AddNew(&old, 0, trimSlash(value(k, "KitsRoot81")))
		for _, sub := range k.Subkeys {
			if sdkVersion.MatchString(sub) {
				listed = append(listed, sub)
			}
		}
	}
	addRoot(p.h.Env("WindowsSdkDir"), facts.Evidence{Kind: "env", Source: "WindowsSdkDir"})
	usual := p.h.Join(p.programFiles()[0], `Windows Kits\10`)
	addRoot(usual, facts.Evidence{Kind: "file", Source: usual})

	var out []facts.Instance
	for _, root := range order {
		include := p.h.Join(root, "Include")
		entries, err := p.h.ReadDir(p.ctx, include)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if sdkVersion.MatchString(e.Name) {
				out = append(out, p.sdk(root, e.Name, roots[strings.ToLower(root)], slices.Contains(listed, e.Name)))
			}
		}
	}
	for _, root := range old {
		i := facts.Instance{Version: "8.1", Path: root, Evidence: []facts.Evidence{{Kind: "registry", Source: key, Detail: "KitsRoot81"}}}
		if p.h.Exists(p.ctx, p.h.Join(root, `Include\um\Windows.h`)) {
			i.Has = []string{"um"}
			out = append(out, i)
		}
	}
	p.chooseSDK(out)
	return out
}

func (p *prober) sdk(root, v string, ev facts.Evidence, listed bool) facts.Instance {
	arch := look.WindowsArch(p.h.Arch)
	j := p.h.Join
	i := facts.Instance{
		Version: v, Path: j(root, "Include", v),
		Attrs:    map[string]string{"root": root, "registered": strconv.FormatBool(listed)},
		Evidence: []facts.Evidence{ev},
	}
	for _, part := range []struct{ name, file string }{
		{"lib", j(root, "Lib", v, "um", arch, "kernel32.lib")},
		{"rc", j(root, "bin", v, arch, "rc.exe")},
		{"ucrt", j(root, "Lib", v, "ucrt", arch, "ucrt.lib")},
		{"ucrt-headers", j(root, "Include", v, "ucrt", "corecrt.h")},
		{"um", j(root, "Include", v, "um", "winsdkver.h")},
	} {
		if p.h.Exists(p.ctx, part.file) {
			i.Has = append(i.Has, part.name)
		}
	}
	var missing []string
	for _, part := range []string{"um", "lib", "ucrt"} {
		if !i.HasPart(part) {
			missing = append(missing, part)
		}
	}
	if len(missing) > 0 {
		i.Attrs["state"] = "incomplete: no " + strings.Join(missing, ", ") + " for " + arch
	}
	if !i.HasPart("um") && !i.HasPart("lib") {
		i.Unusable = &facts.Unusable{Reason: facts.Incomplete, Detail: lang.F("the Windows SDK %s in %s has no um folder (windows.h) and no libraries of Windows", v, i.Path),
			Remedy: lang.T("In the Visual Studio Installer, choose Modify > Individual components and add a Windows 10 or 11 SDK.")}
	} else if bin := j(root, "bin", v); !i.HasPart("rc") && p.toolsWithout(bin, arch, "rc.exe") {
		i.Unusable = &facts.Unusable{Reason: facts.Incomplete, Detail: lang.F("the tools of the Windows SDK %s in %s lack rc.exe, without which nothing is linked (LNK1158)", v, bin),
			Remedy: lang.T("Repair it: Settings > Apps > Windows Software Development Kit > Modify > Repair. Or, in the Visual Studio Installer, choose Modify > Individual components, and remove this Windows SDK and add it again.")}
	}
	return i
}

// toolsWithout reports whether a folder of the SDK's tools is known to have others and not
// this one, neither for this processor nor, by which MSBuild goes first, for x86.
func (p *prober) toolsWithout(bin, arch, tool string) bool {
	lacks := false
	for _, a := range []string{arch, "x86"} {
		entries, err := p.h.ReadDir(p.ctx, p.h.Join(bin, a))
		if slices.ContainsFunc(entries, func(e host.Entry) bool { return strings.EqualFold(e.Name, tool) }) {
			return false
		}
		lacks = lacks || err == nil && slices.ContainsFunc(entries, func(e host.Entry) bool { return strings.HasSuffix(strings.ToLower(e.Name), ".exe") })
	}
	return lacks
}

func (p *prober) chooseSDK(list []facts.Instance) {
	asked := trimSlash(p.h.Env("WindowsSDKVersion"))
	best := -1
	for i := range list {
		if asked != "" && list[i].Version == asked {
			best = i
			list[i].Via = []string{"environment"}
			break
		}
		if !list[i].HasPart("um") || list[i].Unusable != nil {
			continue
		}
		if best < 0 || look.Newer(list[i].Version, list[best].Version) {
			best = i
		}
	}
	if best >= 0 {
		list[best].Active = true
		if list[best].Via == nil {
			list[best].Via = []string{"vcvars"}
		}
	}
}
