// Package msvc finds what builds C++ on Windows with Microsoft's tools: Visual
// Studio and its Build Tools in every channel, the MSVC toolsets inside them,
// the Windows SDKs and MSBuild.
//
// The components it fills:
//
//	visual-studio  one instance a copy, however broken: complete installations,
//	               interrupted ones, and folders that setup does not know
//	msvc           one instance a toolset folder
//	windows-sdk    one instance a version
//	msbuild        one instance a copy
//
// It must never judge (a missing component id is a fact, not a failure), and it
// starts no process but vswhere.
package msvc

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Provides are the component names of this probe.
func Provides() []string {
	return []string{"visual-studio", "msvc", "windows-sdk", "msbuild"}
}

// Probe reads Visual Studio, its toolsets, the Windows SDKs and MSBuild. On
// other systems it finds nothing.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	if !h.Windows() {
		return facts.Facts{}, nil
	}
	p := &prober{ctx: ctx, h: h}
	sdks := p.sdks()
	p.fromCache()
	p.fromVSWhere()
	p.fromRegistry()
	p.fromFolders()
	for _, s := range p.studios {
		p.inspect(s, len(sdks) > 0)
	}
	p.chooseStudio()
	var f facts.Facts
	for _, s := range p.studios {
		f.Add("visual-studio", s.instance())
	}
	for _, i := range p.toolsets() {
		f.Add("msvc", i)
	}
	for _, i := range sdks {
		f.Add("windows-sdk", i)
	}
	for _, i := range p.msbuilds() {
		f.Add("msbuild", i)
	}
	// Each problem is about where instances may be listed, so the versions of
	// Windows SDKs are certain all the same.
	f.Problems = p.problems.Facts("visual-studio", "msvc", "msbuild")
	return f, nil
}

// maxStudios bounds how many copies are looked into.
const maxStudios = 64

type prober struct {
	ctx      context.Context
	h        *host.Host
	studios  []*studio
	problems look.Problems
}

// studio is one copy of Visual Studio while it is being looked at.
type studio struct {
	Setup
	sources  []string // state.json, vswhere, registry, folder, environment
	evidence []facts.Evidence
	recordOK bool // the setup record could be read
	active   bool
	via      []string
	target   string // GOARCH that the developer prompt this runs in builds for
	// notes say in words why it is not a complete installation.
	notes []note

	folder   bool // Path is there
	sets     []toolset
	def      string // default toolset, as vcvars reads it
	cuda     []string
	has      []string
	missing  []string
	attrs    map[string]string
	msbuilds []string
}

type toolset struct {
	version string
	path    string
	// compilers lists host/target pairs that have a cl.exe: x64/x64.
	compilers []string
	cl        string // the one for this machine's own architecture
}

func (p *prober) problem(what string, err error) { p.problems.Note(p.ctx, what, err) }

func (p *prober) programFiles() []string {
	var out []string
	for _, dir := range []string{
		cmp.Or(p.h.Env("ProgramFiles(x86)"), `C:\Program Files (x86)`),
		cmp.Or(p.h.Env("ProgramW6432"), `C:\Program Files`),
		cmp.Or(p.h.Env("ProgramFiles"), `C:\Program Files`),
	} {
		if !slices.ContainsFunc(out, func(d string) bool { return strings.EqualFold(d, dir) }) {
			out = append(out, dir)
		}
	}
	return out
}

// registry reads a key in both views; a key that is not there is empty.
func (p *prober) registry(key string) []host.Key {
	var out []host.Key
	for _, view := range []string{"64", "32"} {
		k, err := p.h.RegistryKey(p.ctx, key, view)
		if err != nil {
			p.problem(key, err)
			continue
		}
		out = append(out, k)
	}
	return out
}

func value(k host.Key, name string) string {
	v, _ := k.Value(name)
	if v.String == "" && v.Int != 0 {
		return strconv.FormatUint(v.Int, 10)
	}
	return v.String
}

// add merges a record with what is known of the same folder.
func (p *prober) add(s Setup, source string, ev facts.Evidence) *studio {
	for _, old := range p.studios {
		same := s.Path != "" && strings.EqualFold(old.Path, s.Path)
		same = same || s.InstanceID != "" && strings.EqualFold(old.InstanceID, s.InstanceID)
		if !same {
			continue
		}
		old.merge(s)
		old.sources = append(old.sources, source)
		old.evidence = append(old.evidence, ev)
		return old
	}
	if len(p.studios) == maxStudios {
		return &studio{} // looked at by nobody
	}
	n := &studio{Setup: s, sources: []string{source}, evidence: []facts.Evidence{ev}, attrs: map[string]string{}}
	p.studios = append(p.studios, n)
	return n
}

// merge fills gaps; the states are vswhere's where it says them, because it
// asks setup itself.
func (s *studio) merge(o Setup) {
	for _, f := range []struct{ to, from *string }{
		{&s.InstanceID, &o.InstanceID}, {&s.Path, &o.Path}, {&s.Version, &o.Version},
		{&s.DisplayVersion, &o.DisplayVersion}, {&s.DisplayName, &o.DisplayName}, {&s.ProductID, &o.ProductID},
		{&s.ChannelID, &o.ChannelID}, {&s.Nickname, &o.Nickname}, {&s.UpdateDate, &o.UpdateDate},
		{&s.LineVersion, &o.LineVersion}, {&s.Milestone, &o.Milestone},
	} {
		*f.to = cmp.Or(*f.to, *f.from)
	}
	for _, f := range []struct{ to, from **bool }{
		{&s.Prerelease, &o.Prerelease}, {&s.Complete, &o.Complete}, {&s.Launchable, &o.Launchable},
		{&s.RebootRequired, &o.RebootRequired},
	} {
		if *f.from != nil {
			*f.to = *f.from
		}
	}
	if o.State != nil {
		s.State = o.State
	}
	if len(s.Packages) == 0 {
		s.Packages = o.Packages
	}
}

// fromCache reads %ProgramData%\Microsoft\VisualStudio\Packages\_Instances\<id>\state.json,
// or where a policy moved that cache.
func (p *prober) fromCache() {
	caches := []string{p.h.Join(cmp.Or(p.h.Env("ProgramData"), `C:\ProgramData`), `Microsoft\VisualStudio\Packages`)}
	for _, key := range []string{`HKLM\SOFTWARE\Policies\Microsoft\VisualStudio\Setup`, `HKLM\SOFTWARE\Microsoft\VisualStudio\Setup`} {
		for _, k := range p.registry(key) {
			dir := trimSlash(value(k, "CachePath"))
			if dir != "" && !slices.ContainsFunc(caches, func(c string) bool { return strings.EqualFold(c, dir) }) {
				caches = append(caches, dir)
			}
		}
	}
	reboot := map[string]bool{}
	for _, k := range p.registry(`HKLM\SOFTWARE\Microsoft\VisualStudio\Setup\Reboot`) {
		for id := range k.Values {
			reboot[strings.ToLower(id)] = true
		}
	}
	for _, cache := range caches {
		dir := p.h.Join(cache, "_Instances")
		entries, err := p.h.ReadDir(p.ctx, dir)
		p.problem("list "+dir, err)
		for _, e := range entries {
			if p.ctx.Err() != nil {
				return
			}
			if e.Dir || e.Link {
				p.fromState(p.h.Join(dir, e.Name, "state.json"), e.Name, reboot)
			}
		}
	}
}

func (p *prober) fromState(file, id string, reboot map[string]bool) {
	ev := facts.Evidence{Kind: "file", Source: file}
	text, err := p.h.Text(p.ctx, file)
	if err != nil {
		p.problem("setup record", err)
		if p.ctx.Err() != nil {
			return
		}
		s := p.add(Setup{InstanceID: id}, "state.json", ev)
		if host.IsNotExist(err) {
			s.notes = append(s.notes, note{"setup began it and left no record of what it installed", lang.T("setup began it and left no record of what it installed")})
		} else {
			s.notes = append(s.notes, note{"its setup record cannot be read", lang.T("its setup record cannot be read")})
		}
		return
	}
	rec, err := ParseState([]byte(text))
	rec.InstanceID = id
	if strings.HasSuffix(strings.ToLower(rec.ProductID), ".ssms") {
		return
	}
	ev.Detail = rec.Version
	s := p.add(rec, "state.json", ev)
	s.recordOK = err == nil
	if err != nil {
		s.notes = append(s.notes, note{"its setup record is damaged", lang.T("its setup record is damaged")})
	}
	s.Registered = cmp.Or(s.Registered, rec.Registered)
	if s.RebootRequired == nil {
		r := reboot[strings.ToLower(id)]
		s.RebootRequired = &r
	}
}

// vswhereTimeout leaves the probe time to answer from files and registry when
// vswhere hangs (its COM server may).
const vswhereTimeout = 1500 * time.Millisecond

// fromVSWhere asks vswhere where it is installed.
func (p *prober) fromVSWhere() {
	exe := ""
	for _, dir := range p.programFiles() {
		c := p.h.Join(dir, `Microsoft Visual Studio\Installer\vswhere.exe`)
		if p.h.Exists(p.ctx, c) {
			exe = c
			break
		}
	}
	if exe == "" {
		found := p.h.LookPath(p.ctx, "vswhere")
		if len(found) == 0 {
			return
		}
		exe = found[0]
	}
	ctx, cancel := context.WithTimeout(p.ctx, vswhereTimeout)
	defer cancel()
	var list []Setup
	var err error
	// -utf8 came with vswhere 2.5 and -prerelease with 2.1: an older one refuses them.
	for _, args := range [][]string{
		{"-products", "*", "-all", "-prerelease", "-utf8", "-format", "json"},
		{"-products", "*", "-all", "-format", "json"},
	} {
		var out host.Output
		out, err = p.h.Run(ctx, host.Command{Argv: append([]string{exe}, args...)})
		if err != nil {
			break
		}
		if out.Exit != 0 {
			err = lang.Errorf("exit status %d", out.Exit)
			continue
		}
		list, err = ParseVSWhere(out.Stdout)
		break
	}
	if err != nil && len(p.studios) == 0 {
		// With instances known from the setup cache, vswhere adds nothing certain.
		p.problem("run vswhere", err)
	}
	for _, s := range list {
		// SQL Server Management Studio installs through the same setup.
		if strings.HasSuffix(strings.ToLower(s.ProductID), ".ssms") {
			continue
		}
		p.add(s, "vswhere", facts.Evidence{Kind: "command", Source: exe, Detail: s.Version})
	}
}

// fromRegistry finds what setup before 2017 registered, and 2017's copy of it.
func (p *prober) fromRegistry() {
	for _, key := range []string{`HKLM\SOFTWARE\Microsoft\VisualStudio\SxS\VS7`, `HKLM\SOFTWARE\Microsoft\VisualStudio\SxS\VC7`} {
		for _, k := range p.registry(key) {
			for _, name := range slices.Sorted(maps.Keys(k.Values)) {
				major, _, _ := strings.Cut(name, ".")
				n, err := strconv.Atoi(major)
				// Before 10 (2010) no MSVC can compile what deployctl deploys.
				if err != nil || n < 10 || n > 99 {
					continue
				}
				dir := trimSlash(k.Values[name].String)
				if dir == "" {
					continue
				}
				if strings.HasSuffix(key, "VC7") {
					dir = trimSlash(p.h.DirOf(dir)) // …\VC
				}
				s := p.add(Setup{Path: dir}, "registry", facts.Evidence{Kind: "registry", Source: key, Detail: name})
				if s.Version == "" {
					s.Version = name
					s.legacy(p, name)
				}
			}
		}
	}
}

// legacy fills in what the registry says of 2015 and older.
func (s *studio) legacy(p *prober, ver string) {
	s.ProductID = ""
	for _, k := range p.registry(`HKLM\SOFTWARE\Microsoft\DevDiv\vs\Servicing\` + ver) {
		for _, sku := range k.Subkeys {
			product := map[string]string{
				"community": "Community", "professional": "Professional", "enterprise": "Enterprise",
				"ultimate": "Ultimate", "premium": "Premium", "wdexpress": "WDExpress", "vcexpress": "WDExpress",
			}[strings.ToLower(sku)]
			if product == "" {
				continue
			}
			s.ProductID = "Microsoft.VisualStudio.Product." + product
			for _, v := range p.registry(`HKLM\SOFTWARE\Microsoft\DevDiv\vs\Servicing\` + ver + `\` + sku) {
				if full := value(v, "Version"); full != "" && look.Newer(full, s.Version) {
					s.Version = full
				}
			}
		}
	}
	if s.ProductID == "" && !p.h.Exists(p.ctx, p.h.Join(s.Path, `Common7\IDE\devenv.exe`)) {
		// The compiler without the environment: Visual C++ Build Tools 2015.
		s.ProductID = "Microsoft.VisualStudio.Product.BuildTools"
	}
}

// fromFolders looks where Visual Studio is installed by default, for copies
// whose record is gone, and at the environment of a developer prompt.
func (p *prober) fromFolders() {
	if dir := trimSlash(p.h.Env("VSINSTALLDIR")); dir != "" && p.h.Exists(p.ctx, dir) {
		p.add(Setup{Path: dir}, "environment", facts.Evidence{Kind: "env", Source: "VSINSTALLDIR", Detail: dir})
	}
	for _, root := range p.programFiles() {
		base := p.h.Join(root, "Microsoft Visual Studio")
		years, err := p.h.ReadDir(p.ctx, base)
		p.problem("list "+base, err)
		for _, year := range years {
			if !year.Dir || strings.EqualFold(year.Name, "Installer") || strings.EqualFold(year.Name, "Shared") {
				continue
			}
			products, err := p.h.ReadDir(p.ctx, p.h.Join(base, year.Name))
			p.problem("list "+p.h.Join(base, year.Name), err)
			for _, product := range products {
				dir := p.h.Join(base, year.Name, product.Name)
				if slices.ContainsFunc(p.studios, func(s *studio) bool { return strings.EqualFold(s.Path, dir) }) {
					continue
				}
				if !p.h.Exists(p.ctx, p.h.Join(dir, `VC\Tools\MSVC`)) && !p.h.Exists(p.ctx, p.h.Join(dir, `Common7\Tools\VsDevCmd.bat`)) {
					continue
				}
				s := p.add(Setup{Path: dir}, "folder", facts.Evidence{Kind: "file", Source: dir})
				s.notes = append(s.notes, note{"the folder is there but setup has no record of it", lang.T("the folder is there but setup has no record of it")})
				if id := productFolder(product.Name); id != "" {
					s.ProductID = "Microsoft.VisualStudio.Product." + id
				}
			}
		}
	}
}

func productFolder(name string) string {
	for _, id := range []string{"BuildTools", "Community", "Professional", "Enterprise"} {
		if strings.EqualFold(id, name) {
			return id
		}
	}
	return ""
}

// majorOfFolder: the folder below "Microsoft Visual Studio" is a year up to
// 2022 and the major version from 18 on.
func majorOfFolder(name string) int {
	switch name {
	case "2017":
		return 15
	case "2019":
		return 16
	case "2022":
		return 17
	case "2026": // not the default, but people choose it
		return 18
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 18 && n < 100 {
		return n
	}
	return 0
}

func majorOf(ver string) int {
	major, _, _ := strings.Cut(ver, ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return 0
	}
	return n
}

// line is what depends on the major version. Sources: cpp-docs
// overview/compiler-versions, CMake's generator pages.
type line struct {
	year    string
	toolset string // newest of the line
	sdk     string // the SDK component that the line's C++ workload installs
}

func lineOf(major int) line {
	return map[int]line{
		10: {"2010", "v100", ""},
		11: {"2012", "v110", ""},
		12: {"2013", "v120", ""},
		14: {"2015", "v140", ""},
		15: {"2017", "v141", "Microsoft.VisualStudio.Component.Windows10SDK.17763"},
		16: {"2019", "v142", "Microsoft.VisualStudio.Component.Windows10SDK.19041"},
		17: {"2022", "v143", "Microsoft.VisualStudio.Component.Windows11SDK.22621"},
		18: {"2026", "v145", "Microsoft.VisualStudio.Component.Windows11SDK.26100"},
	}[major]
}

// The component ids that a C++ build with CMake needs.
const (
	componentTools      = "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"
	componentToolsARM64 = "Microsoft.VisualStudio.Component.VC.Tools.ARM64"
	componentCMake      = "Microsoft.VisualStudio.Component.VC.CMake.Project"
)

var sdkComponent = lazyregexp.New(`(?i)^Microsoft\.VisualStudio\.Component\.Windows(10|11|81)SDK(\.|$)`)

// inspect looks at the installation's own folder.
func (p *prober) inspect(s *studio, sdkOnMachine bool) {
	if p.ctx.Err() != nil || s.Path == "" {
		return
	}
	h, j := p.h, p.h.Join
	_, err := h.Stat(p.ctx, s.Path)
	s.folder = err == nil
	if err != nil && !host.IsNotExist(err) {
		p.problem("installation folder", err)
	}
	if s.Version == "" {
		if n := majorOfFolder(h.Base(h.DirOf(s.Path))); n > 0 {
			s.Version = strconv.Itoa(n) + ".0"
		}
	}
	p.findToolsets(s)
	if s.def != "" && !slices.ContainsFunc(s.sets, func(t toolset) bool { return t.version == s.def }) {
		s.notes = append(s.notes, note{"its default toolset " + s.def + " is not there, so vcvars fails", lang.F("its default toolset %s is not there, so vcvars fails", s.def)})
	}
	p.findCUDA(s)
	for _, sub := range []string{`MSBuild\Current\Bin`, `MSBuild\15.0\Bin`} {
		for _, arch := range []string{`amd64\`, `arm64\`, ``} {
			if exe := j(s.Path, sub, arch+"MSBuild.exe"); h.Exists(p.ctx, exe) {
				s.msbuilds = append(s.msbuilds, exe)
				break
			}
		}
	}
	const ext = `Common7\IDE\CommonExtensions\Microsoft\CMake`
	for part, file := range map[string]string{
		"cmake": j(s.Path, ext, `CMake\bin\cmake.exe`),
		"ninja": j(s.Path, ext, `Ninja\ninja.exe`),
		"clang": j(s.Path, `VC\Tools\Llvm\x64\bin\clang-cl.exe`),
		"vcpkg": j(s.Path, `VC\vcpkg\vcpkg.exe`),
	} {
		if h.Exists(p.ctx, file) {
			s.has = append(s.has, part)
			s.attrs[part] = file
		}
	}
	if len(s.msbuilds) > 0 {
		s.has = append(s.has, "msbuild")
	}
	s.components(h, sdkOnMachine)
}

func installed(list []string, id string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, id) })
}

// components derives the parts, and the ids of the usual C++ set that are missing.
func (s *studio) components(h *host.Host, sdkOnMachine bool) {
	all := s.Packages
	if len(all) == 0 {
		all = s.Selected
	}
	tools := componentTools
	if h.Arch == "arm64" {
		tools = componentToolsARM64
	}
	target := look.WindowsArch(h.Arch)
	usable := slices.ContainsFunc(s.sets, func(t toolset) bool { return t.cl != "" })
	if usable {
		s.has = append(s.has, "vctools")
	}
	for _, t := range s.sets {
		for _, pair := range t.compilers {
			_, tgt, _ := strings.Cut(pair, "/")
			look.AddNew(&s.has, 0, "target-"+tgt)
		}
	}
	sdk := slices.ContainsFunc(all, sdkComponent.MatchString)
	if sdk {
		s.has = append(s.has, "windows-sdk")
	}
	if installed(all, "Microsoft.VisualStudio.Component.VC.ATL") {
		s.has = append(s.has, "atl")
	}
	if installed(all, "Microsoft.VisualStudio.Component.VC.ATLMFC") {
		s.has = append(s.has, "mfc")
	}
	for _, v := range s.cuda {
		s.has = append(s.has, "cuda-"+v)
	}
	var shown []string
	for _, id := range all {
		if strings.Contains(id, ".Component.") || strings.Contains(id, ".ComponentGroup.") || strings.Contains(id, ".Workload.") {
			shown = append(shown, id)
		}
		if strings.Contains(id, ".Component.VC.") || strings.Contains(id, ".Workload.") || sdkComponent.MatchString(id) {
			s.has = append(s.has, id)
		}
	}
	sort.Strings(shown)
	if shown = slices.Compact(shown); len(shown) > 0 {
		s.attrs["components"] = strings.Join(shown, " ")
	}
	if majorOf(s.Version) < 15 {
		return // no component ids before 2017
	}
	if !usable {
		s.missing = append(s.missing, tools)
		if installed(all, tools) {
			s.notes = append(s.notes, note{"setup lists " + tools + " but no cl.exe for " + target + " is there", lang.F("setup lists %s but no cl.exe for %s is there", tools, target)})
		}
	}
	// Any Windows SDK of the machine serves, whichever instance brought it.
	if !sdk && !sdkOnMachine {
		if id := lineOf(majorOf(s.Version)).sdk; id != "" {
			s.missing = append(s.missing, id)
		}
	}
	if !installed(all, componentCMake) && !slices.Contains(s.has, "cmake") {
		s.missing = append(s.missing, componentCMake)
	}
}

// promptTarget reads what vcvars sets for the target, in GOARCH's words.
func promptTarget(arch string) string {
	return map[string]string{"x64": "amd64", "x86": "386", "arm64": "arm64", "arm": "arm"}[strings.ToLower(arch)]
}

var toolsetName = lazyregexp.New(`^\d+\.\d+(\.\d+)*$`)

// findToolsets lists VC\Tools\MSVC\<version>, or the one toolset that 2015 and
// older have in VC\bin.
func (p *prober) findToolsets(s *studio) {
	h, j := p.h, p.h.Join
	base := j(s.Path, `VC\Tools\MSVC`)
	entries, err := h.ReadDir(p.ctx, base)
	if s.folder {
		p.problem("list toolsets", err)
	}
	for _, e := range entries {
		if !toolsetName.MatchString(e.Name) {
			continue
		}
		t := toolset{version: e.Name, path: j(base, e.Name)}
		for _, hostDir := range []string{"Hostx64", "Hostx86", "Hostarm64"} {
			for _, target := range []string{"x64", "x86", "arm64", "arm", "arm64ec"} {
				if cl := j(t.path, "bin", hostDir, target, "cl.exe"); h.Exists(p.ctx, cl) {
					p.compiler(&t, strings.TrimPrefix(hostDir, "Host"), target, cl)
				}
			}
		}
		s.sets = append(s.sets, t)
	}
	sort.SliceStable(s.sets, func(a, b int) bool { return look.Newer(s.sets[a].version, s.sets[b].version) })
	s.def = p.defaultToolset(s)
	if n := majorOf(s.Version); len(s.sets) == 0 && n >= 10 && n <= 14 {
		t := toolset{version: s.legacyToolset(p), path: j(s.Path, "VC")}
		for dir, pair := range map[string][2]string{
			"": {"x86", "x86"}, "amd64": {"x64", "x64"}, "x86_amd64": {"x86", "x64"}, "amd64_x86": {"x64", "x86"},
			"x86_arm": {"x86", "arm"}, "amd64_arm": {"x64", "arm"},
		} {
			if cl := j(t.path, "bin", dir, "cl.exe"); h.Exists(p.ctx, cl) {
				p.compiler(&t, pair[0], pair[1], cl)
			}
		}
		sort.Strings(t.compilers)
		if len(t.compilers) > 0 {
			s.sets, s.def = []toolset{t}, t.version
		}
	}
}

// compiler notes a cl.exe, and prefers one that builds for this machine, hosted
// on its own architecture.
func (p *prober) compiler(t *toolset, hostArch, target, cl string) {
	t.compilers = append(t.compilers, hostArch+"/"+target)
	own := look.WindowsArch(p.h.Arch)
	if target == own && (t.cl == "" || hostArch == own) {
		t.cl = cl
	}
}

var crtBuild = lazyregexp.New(`#\s*define\s+_VC_CRT_(MAJOR|MINOR|BUILD)_VERSION\s+(\d+)`)

// legacyToolset reads VC\include\crtversion.h, which carries the compiler's
// build (24215 for 2015 Update 3).
func (s *studio) legacyToolset(p *prober) string {
	v := strconv.Itoa(majorOf(s.Version)) + ".0"
	text, err := p.h.Text(p.ctx, p.h.Join(s.Path, `VC\include\crtversion.h`))
	if err != nil {
		return v
	}
	for _, m := range crtBuild.FindAllStringSubmatch(text, -1) {
		if m[1] == "BUILD" {
			return v + "." + m[2]
		}
	}
	return v
}

// defaultToolset is the version vcvars picks when none is asked for. The file
// is what vcvars.bat reads; without it vcvars fails, and MSBuild takes the
// newest folder.
func (p *prober) defaultToolset(s *studio) string {
	build := p.h.Join(s.Path, `VC\Auxiliary\Build`)
	names := []string{"Microsoft.VCToolsVersion.default.txt"}
	if t := lineOf(majorOf(s.Version)).toolset; t != "" {
		names = append(names, "Microsoft.VCToolsVersion."+t+".default.txt")
	}
	for _, name := range names {
		data, _, err := p.h.ReadFile(p.ctx, p.h.Join(build, name), 1<<10)
		if err != nil {
			continue
		}
		if v := strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff")); toolsetName.MatchString(v) {
			return v
		}
	}
	return ""
}

var cudaProps = lazyregexp.New(`(?i)^CUDA (\d+\.\d+)\.props$`)

// findCUDA lists the CUDA versions whose build customisation this copy has.
// CUDA's installer writes them into the Visual Studios it finds, so one
// installed later has none.
func (p *prober) findCUDA(s *studio) {
	var dirs []string
	vc := p.h.Join(s.Path, `MSBuild\Microsoft\VC`)
	for _, dir := range p.h.Glob(p.ctx, vc, "v1*") {
		dirs = append(dirs, p.h.Join(dir, "BuildCustomizations"))
	}
	switch majorOf(s.Version) {
	case 15: // 2017 kept them beside the environment
		dirs = append(dirs, p.h.Join(s.Path, `Common7\IDE\VC\VCTargets\BuildCustomizations`))
	case 10, 11, 12, 14:
		v := "V" + strconv.Itoa(majorOf(s.Version)) + "0"
		dirs = append(dirs, p.h.Join(p.programFiles()[0], `MSBuild\Microsoft.Cpp\v4.0`, v, "BuildCustomizations"))
	}
	for _, dir := range dirs {
		entries, err := p.h.ReadDir(p.ctx, dir)
		if err != nil {
			continue
		}
		s.attrs["build_customizations"] = dir
		for _, e := range entries {
			if m := cudaProps.FindStringSubmatch(e.Name); m != nil {
				look.AddNew(&s.cuda, 0, m[1])
			}
		}
	}
	sort.SliceStable(s.cuda, func(a, b int) bool { return look.Newer(s.cuda[a], s.cuda[b]) })
}

// usable: a compiler for this machine is there.
func (s *studio) usable() bool { return slices.Contains(s.has, "vctools") }

// complete as setup counts: everything registered, no error, no restart due; nil
// where nothing says so: an answer of vswhere that was cut off, or of a version
// that does not tell, with no record of setup's beside it.
func (s *studio) complete() *bool {
	yes, no := true, false
	switch {
	case s.Complete != nil:
		return s.Complete
	case !s.folder || len(s.Failed) > 0 || len(s.notes) > 0:
		return &no
	case s.Registered != nil && !*s.Registered:
		return &no
	case s.RebootRequired != nil && *s.RebootRequired:
		return &no
	case !s.recordOK && majorOf(s.Version) >= 15: // older ones have no such record
		return nil
	}
	return &yes
}

// chooseStudio marks the copy that a build gets: the one whose prompt this is,
// else the newest that can compile, a release before a preview.
func (p *prober) chooseStudio() {
	var best *studio
	rank := func(s *studio) int {
		r := 0
		if s.usable() {
			r += 4
		}
		if c := s.complete(); c != nil && *c {
			r += 2
		}
		if s.Prerelease == nil || !*s.Prerelease {
			r++
		}
		return r
	}
	for _, s := range p.studios {
		if slices.Contains(s.sources, "environment") {
			s.active, s.via, s.target = true, []string{"environment"}, promptTarget(p.h.Env("VSCMD_ARG_TGT_ARCH"))
			return
		}
		if !s.folder {
			continue
		}
		if best == nil || rank(s) > rank(best) || rank(s) == rank(best) && look.Newer(s.Version, best.Version) {
			best = s
		}
	}
	if best != nil {
		best.active, best.via = true, []string{"newest"}
	}
}

// instance is the fact.
func (s *studio) instance() facts.Instance {
	l := lineOf(majorOf(s.Version))
	a := s.attrs
	set := func(k, v string) { look.Set(a, k, v) }
	setBool := func(k string, b *bool) {
		if b != nil {
			a[k] = strconv.FormatBool(*b)
		}
	}
	year := s.LineVersion
	if l.year != "" {
		year = l.year // early previews call 2019 "2018" and 2026 "18"
	}
	set("year", year)
	set("instance_id", s.InstanceID)
	set("name", s.DisplayName)
	set("nickname", s.Nickname)
	set("display_version", s.DisplayVersion)
	set("product_id", s.ProductID)
	set("product", s.ProductID[strings.LastIndex(s.ProductID, ".")+1:])
	set("channel_id", s.ChannelID)
	set("channel", s.ChannelID[strings.LastIndex(s.ChannelID, ".")+1:])
	set("milestone", s.Milestone)
	set("updated", s.UpdateDate)
	setBool("prerelease", s.Prerelease)
	setBool("launchable", s.Launchable)
	setBool("reboot_required", s.RebootRequired)
	complete := s.complete()
	setBool("complete", complete)
	set("sources", strings.Join(slices.Compact(s.sources), ","))
	set("toolset_family", l.toolset)
	if year != "" && majorOf(s.Version) >= 14 {
		a["generator"] = fmt.Sprintf("Visual Studio %d %s", majorOf(s.Version), year)
	}
	set("default_toolset", s.def)
	var versions []string
	for _, t := range s.sets {
		versions = append(versions, t.version)
	}
	set("toolsets", strings.Join(versions, ","))
	set("missing", strings.Join(s.missing, " "))
	set("failed", strings.Join(s.Failed, " "))
	if s.folder && (len(s.sets) > 0 || a["build_customizations"] != "") {
		a["cuda_customizations"] = strings.Join(s.cuda, ",") // "" says: looked, none
	}
	notes := s.state(complete == nil || *complete)
	var said, shown []string
	for _, n := range notes {
		said, shown = append(said, n.said), append(shown, n.shown)
	}
	set("state", strings.Join(said, "; "))
	if complete != nil && *complete {
		s.has = append(s.has, "complete")
	}
	if s.Launchable != nil && *s.Launchable {
		s.has = append(s.has, "launchable")
	}
	sort.Strings(s.has)
	return facts.Instance{
		Version: look.Version(s.Version), Path: s.Path, Active: s.active, Via: s.via,
		Has: slices.Compact(s.has), Attrs: a, Unusable: s.unusable(len(notes) == 1 && notes[0].said == restartDue, strings.Join(shown, lang.T("; "))), Makes: facts.Makes{Target: s.target}, Evidence: s.evidence,
	}
}

// Instance is what a record alone tells of a copy, as in a pasted answer of vswhere:
// what is in its folder is not known.
func (s Setup) Instance() facts.Instance {
	of := &studio{
		Setup: s, sources: []string{"vswhere"}, recordOK: true, folder: true, attrs: map[string]string{},
		evidence: []facts.Evidence{{Kind: "text", Source: "vswhere", Detail: s.Version}},
	}
	return of.instance()
}

// note is why an installation is not complete: in English, as its state is among the
// facts, and as people are shown it.
type note struct{ said, shown string }

// restartDue is the note of one that lacks nothing but a restart.
const restartDue = "a restart of Windows is due"

// unusable says why builds cannot use the copy: it lacks a restart alone, or its state
// is not complete.
func (s *studio) unusable(restart bool, state string) *facts.Unusable {
	switch {
	case restart:
		return &facts.Unusable{Reason: facts.NeedsRestart, Detail: lang.T("Visual Studio waits for a restart of Windows"), Remedy: lang.T("Restart Windows.")}
	case state != "":
		return &facts.Unusable{Reason: facts.Incomplete, Detail: lang.F("Visual Studio in %s is not complete: %s", s.Path, state),
			Remedy: lang.F("In the Visual Studio Installer, choose Repair for %s.", s.Path)}
	case s.Launchable != nil && !*s.Launchable:
		return &facts.Unusable{Reason: facts.Incomplete, Detail: lang.F("Visual Studio in %s cannot be started", s.Path),
			Remedy: lang.F("In the Visual Studio Installer, choose Repair for %s.", s.Path)}
	}
	return nil
}

// state says in words what keeps the copy from being complete.
func (s *studio) state(complete bool) []note {
	notes := slices.Clone(s.notes)
	if s.Path == "" {
		notes = append(notes, note{"where it was installed is not known", lang.T("where it was installed is not known")})
	} else if !s.folder {
		notes = append(notes, note{"its folder is gone or cannot be read", lang.T("its folder is gone or cannot be read")})
	}
	if s.Registered != nil && !*s.Registered || s.State != nil && *s.State&stateRegistered == 0 {
		notes = append(notes, note{"setup did not finish: no product is registered", lang.T("setup did not finish: no product is registered")})
	}
	if len(s.Failed) > 0 || s.State != nil && *s.State&stateNoErrors == 0 {
		notes = append(notes, note{"setup reported errors", lang.T("setup reported errors")})
	}
	if s.RebootRequired != nil && *s.RebootRequired {
		notes = append(notes, note{restartDue, lang.T(restartDue)})
	}
	if s.State != nil && *s.State&stateLocal == 0 && s.folder {
		notes = append(notes, note{"setup does not see its folder", lang.T("setup does not see its folder")})
	}
	if !complete && len(notes) == 0 {
		notes = append(notes, note{"setup says that it is not complete", lang.T("setup says that it is not complete")})
	}
	return slices.Compact(notes)
}
