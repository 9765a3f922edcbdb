// Package mingw finds the GNU-style compilers of Windows: MinGW-w64 in its many
// distributions, MSYS2's environments, LLVM-MinGW and TDM-GCC, which cgo needs.
//
// The components it fills:
//
//	mingw  one instance a compiler folder, those on PATH first in its order
//	msys2  one instance an MSYS2 root; its parts are the environments in it
//
// Files beside the compiler tell version, target, threads and exceptions; a
// compiler is started (gcc -v) only where they do not. It must never judge.
package mingw

import (
	"cmp"
	"context"
	"regexp"
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

// Limits on what a full disk or PATH can make the probe do.
const (
	maxFound = 32 // compiler folders
	maxRuns  = 4  // gcc -v
	// runTimeout is for one of them; after one that hangs no other is started.
	runTimeout = 1500 * time.Millisecond
)

// Provides are the component names of this probe.
func Provides() []string {
	return []string{"mingw", "msys2"}
}

// Probe reads the MinGW compilers. On other systems it finds nothing.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	if !h.Windows() {
		return facts.Facts{}, nil
	}
	p := &prober{ctx: ctx, h: h}
	var f facts.Facts
	roots := p.msys2()
	for _, i := range roots {
		f.Add("msys2", i)
	}
	for _, i := range p.compilers(roots) {
		f.Add("mingw", i)
	}
	return f, nil
}

type prober struct {
	ctx  context.Context
	h    *host.Host
	runs int
}

// environments are MSYS2's (msys2.org/docs/environments).
func environments() []string {
	return []string{"ucrt64", "clang64", "clangarm64", "mingw64", "mingw32", "clang32"}
}

// msys2 looks where its installer, winget, Chocolatey and Scoop put it.
func (p *prober) msys2() []facts.Instance {
	candidates := []string{
		p.h.Env("MSYS2_ROOT"), p.h.Env("MSYS2_PATH"), `C:\msys64`, `C:\msys32`, `C:\tools\msys64`, `D:\msys64`,
		p.h.Join(cmp.Or(p.h.Env("USERPROFILE"), `C:\Users\Default`), `scoop\apps\msys2\current`),
	}
	// A folder on PATH inside another root: D:\dev\msys64\ucrt64\bin.
	for _, dir := range p.h.PathDirs() {
		up := p.h.DirOf(strings.TrimRight(dir, `\/`))
		if slices.Contains(append(environments(), "usr"), strings.ToLower(p.h.Base(up))) {
			candidates = append(candidates, p.h.DirOf(up))
		}
	}
	var out []facts.Instance
	for _, root := range candidates {
		root = strings.TrimRight(root, `\/`)
		if root == "" || p.ctx.Err() != nil || slices.ContainsFunc(out, func(i facts.Instance) bool { return strings.EqualFold(i.Path, root) }) {
			continue
		}
		// Git for Windows has the same usr\bin but no pacman.
		if !p.h.Exists(p.ctx, p.h.Join(root, `usr\bin\pacman.exe`)) {
			continue
		}
		i := facts.Instance{Path: root, Active: len(out) == 0, Evidence: []facts.Evidence{{Kind: "file", Source: p.h.Join(root, `usr\bin\pacman.exe`)}}}
		for _, e := range environments() {
			if p.h.Exists(p.ctx, p.h.Join(root, e, `bin\gcc.exe`)) || p.h.Exists(p.ctx, p.h.Join(root, e, `bin\clang.exe`)) {
				i.Has = append(i.Has, e)
			}
		}
		out = append(out, i)
	}
	return out
}

// compilers gives those on PATH in its order, then those in the usual folders.
func (p *prober) compilers(msys []facts.Instance) []facts.Instance {
	var out []facts.Instance
	seen := map[string]bool{}
	add := func(exe string, onPath bool) {
		bin := p.h.DirOf(exe)
		if len(out) == maxFound || seen[strings.ToLower(bin)] || p.ctx.Err() != nil {
			return
		}
		seen[strings.ToLower(bin)] = true
		if i, ok := p.compiler(exe); ok {
			if onPath {
				i.Via = []string{"PATH"}
			}
			out = append(out, i)
		}
	}
	gcc := p.h.LookPath(p.ctx, "gcc")
	for _, exe := range gcc {
		add(exe, true)
	}
	for _, exe := range p.h.LookPath(p.ctx, "clang") {
		add(exe, true)
	}
	for _, dir := range p.folders(msys) {
		for _, name := range []string{"gcc.exe", "clang.exe"} {
			if exe := p.h.Join(dir, name); p.h.Exists(p.ctx, exe) {
				add(exe, false)
				break
			}
		}
	}
	p.choose(out, gcc)
	for n := range out {
		if slices.Contains(out[n].Via, "PATH") {
			out[n].Attrs["path_order"] = strconv.Itoa(n + 1)
		}
	}
	return out
}

// choose marks the compiler that cgo gets: $CC where it is set, else the first
// gcc on PATH (cmd/go's default on Windows), and says when it cannot serve.
func (p *prober) choose(list []facts.Instance, onPath []string) {
	want, from := "", ""
	if cc := strings.Fields(strings.Trim(p.h.Env("CC"), `"`)); len(cc) > 0 {
		from = "CC"
		if strings.ContainsAny(cc[0], `\/`) {
			want = cc[0]
		} else if found := p.h.LookPath(p.ctx, strings.TrimSuffix(cc[0], ".exe")); len(found) > 0 {
			want = found[0]
		}
	}
	if want == "" && len(onPath) > 0 {
		want, from = onPath[0], "PATH"
	}
	for n := range list {
		i := &list[n]
		if want == "" || !strings.EqualFold(p.h.DirOf(i.Path), p.h.DirOf(want)) {
			continue
		}
		i.Active = true
		i.Via = append(i.Via, "cgo")
		i.Attrs["cgo"] = "yes, from " + from
		if why := p.unfit(i); why != "" {
			i.Attrs["cgo"] = "no: " + why // judge shows what follows the colon
		}
		if from == "PATH" {
			p.runtimeFirst(i)
		}
		break
	}
	for n := range list {
		if i := &list[n]; !i.Active && i.Makes.Target == p.h.Arch && p.unfit(i) == "" && i.Attrs["compiler"] == "gcc" {
			i.Attrs["cgo"] = "yes, where it comes first on PATH"
		}
	}
}

// unfit says why cgo cannot use a compiler; "" where nothing is known against it.
func (p *prober) unfit(i *facts.Instance) string {
	arch, kind := i.Makes.Target, i.Attrs["kind"]
	switch {
	case arch == "386" && p.h.Arch == "amd64":
		return lang.T("it builds 32-bit programs (i686), and Go here builds 64-bit ones")
	case arch != "" && arch != p.h.Arch:
		return lang.F("it builds for %s, and Go here builds for %s", arch, p.h.Arch)
	case kind == "cygwin" || kind == "msvc":
		return lang.F("it builds for %s, not MinGW", kind)
	}
	return ""
}

// runtimeFirst notes another program's C++ runtime that Windows finds before the
// compiler's own: every program that the compiler makes is then run with it.
func (p *prober) runtimeFirst(i *facts.Instance) {
	const name = "libstdc++-6.dll"
	own := p.h.Join(p.h.DirOf(i.Path), name)
	mine, err := p.h.Stat(p.ctx, own)
	if err != nil {
		return // linked statically, or LLVM's
	}
	root := look.SystemRoot(p.h)
	for _, dir := range append([]string{p.h.Join(root, "System32"), root}, p.h.PathDirs()...) {
		file := p.h.Join(dir, name)
		if strings.EqualFold(file, own) {
			return
		}
		other, err := p.h.Stat(p.ctx, file)
		// OpenCV's folder may hold a copy of the compiler's.
		if err != nil || len(p.h.Glob(p.ctx, dir, "libopencv_*.dll")) > 0 || other.Size == mine.Size && mine.Size > 1<<10 {
			continue
		}
		i.Needs = append(i.Needs, facts.Need{Name: name, By: "a program built with " + i.Path, Cause: facts.Foreign, Found: file, Elsewhere: own, Through: "PATH"})
		return
	}
}

// folders are where distributions install by default.
func (p *prober) folders(msys []facts.Instance) []string {
	var out []string
	for _, root := range msys {
		for _, e := range root.Has {
			out = append(out, p.h.Join(root.Path, e, "bin"))
		}
	}
	home := cmp.Or(p.h.Env("USERPROFILE"), `C:\Users\Default`)
	for _, dir := range []string{
		`C:\mingw64`, `C:\mingw32`, `C:\MinGW`, `C:\TDM-GCC-64`, `C:\TDM-GCC-32`, `C:\winlibs\mingw64`,
		`C:\ProgramData\mingw64\mingw64`, `C:\ProgramData\chocolatey\lib\mingw\tools\install\mingw64`, `C:\tools\mingw64`,
		`C:\Strawberry\c`, `C:\llvm-mingw`, `C:\Program Files\mingw64`, `C:\Program Files\CodeBlocks\MinGW`,
		`C:\Program Files (x86)\Dev-Cpp\MinGW64`,
		p.h.Join(home, `scoop\apps\gcc\current`), p.h.Join(home, `scoop\apps\mingw\current`),
		p.h.Join(home, `scoop\apps\mingw-winlibs\current`), p.h.Join(home, `scoop\apps\mingw-mstorsjo-llvm-ucrt\current`),
	} {
		out = append(out, p.h.Join(dir, "bin"))
	}
	for _, parent := range []struct{ dir, pattern, sub string }{
		{`C:\Program Files\mingw-w64`, "*", `mingw64\bin`},
		{`C:\Program Files (x86)\mingw-w64`, "*", `mingw32\bin`},
		{`C:\Qt\Tools`, "*mingw*", "bin"},
		{`C:\`, "llvm-mingw*", "bin"},
		{p.h.Join(cmp.Or(p.h.Env("LOCALAPPDATA"), p.h.Join(home, `AppData\Local`)), `Microsoft\WinGet\Packages`), "brechtsanders.winlibs*", `mingw64\bin`},
		{p.h.Join(cmp.Or(p.h.Env("LOCALAPPDATA"), p.h.Join(home, `AppData\Local`)), `Microsoft\WinGet\Packages`), "martinstorsjo.llvm-mingw*", `bin`},
	} {
		found := p.h.Glob(p.ctx, parent.dir, parent.pattern)
		for _, dir := range found[:min(len(found), 8)] {
			out = append(out, p.h.Join(dir, parent.sub))
		}
	}
	// An error is the operating system's probe's to tell.
	stale, _, _ := look.StalePath(p.ctx, p.h)
	return append(out, stale...)
}

// compiler describes one compiler folder.
func (p *prober) compiler(exe string) (facts.Instance, bool) {
	d := p.fromFiles(exe)
	ev := []facts.Evidence{{Kind: "file", Source: exe}}
	if (d.Version == "" || d.Target == "") && p.runs < maxRuns {
		p.runs++
		ctx, cancel := context.WithTimeout(p.ctx, runTimeout)
		out, err := p.h.Run(ctx, host.Command{Argv: []string{exe, "-v"}})
		if ctx.Err() != nil {
			p.runs = maxRuns
		}
		cancel()
		if err == nil {
			said := ParseVersion(string(out.Stderr) + "\n" + string(out.Stdout))
			d.merge(said)
			ev = append(ev, facts.Evidence{Kind: "command", Source: exe + " -v", Detail: said.Target})
		}
	}
	if d.Version == "" && d.Target == "" {
		return facts.Instance{
			Path: exe, Attrs: map[string]string{"state": "what it is could not be determined: neither its folder nor " + p.h.Base(exe) + " -v says so"}, Evidence: ev,
		}, true
	}
	d.derive(exe)
	i := facts.Instance{Path: exe, Attrs: map[string]string{}, Makes: facts.Makes{Target: d.Arch, Threads: d.Threads, Runtime: d.CRT}, Evidence: ev}
	i.Version = look.Version(d.Version)
	for k, v := range map[string]string{
		"compiler": d.Compiler, "target": d.Target, "arch": d.Arch, "threads": d.Threads, "exceptions": d.Exceptions,
		"crt": d.CRT, "distribution": d.Distribution, "kind": d.Kind, "mingw_w64": d.Runtime,
	} {
		if v != "" {
			i.Attrs[k] = v
		}
	}
	bin := p.h.DirOf(exe)
	for part, names := range map[string][]string{
		"c++": {"g++.exe", "clang++.exe"}, "gcc": {"gcc.exe"}, "make": {"mingw32-make.exe", "make.exe"},
		"cmake": {"cmake.exe"}, "ninja": {"ninja.exe"}, "pkg-config": {"pkg-config.exe", "pkgconf.exe"}, "gdb": {"gdb.exe"},
	} {
		for _, name := range names {
			if p.h.Exists(p.ctx, p.h.Join(bin, name)) {
				i.Has = append(i.Has, part)
				break
			}
		}
	}
	sort.Strings(i.Has)
	return i, true
}

// Compiler is what is known of one compiler.
type Compiler struct {
	Compiler     string // gcc or clang
	Version      string // 13.2.0
	Target       string // x86_64-w64-mingw32
	Threads      string // posix, win32, mcf
	Exceptions   string // seh, sjlj, dwarf
	CRT          string // ucrt, msvcrt
	Distribution string // msys2, winlibs, mingw-builds, tdm, llvm-mingw, mingw.org …
	Runtime      string // version of mingw-w64
	Arch         string // GOARCH of Target
	Kind         string // mingw-w64, mingw.org, cygwin, msvc
}

func (d *Compiler) merge(o Compiler) {
	for _, f := range []struct{ to, from *string }{
		{&d.Compiler, &o.Compiler}, {&d.Version, &o.Version}, {&d.Target, &o.Target}, {&d.Threads, &o.Threads},
		{&d.Exceptions, &o.Exceptions}, {&d.CRT, &o.CRT}, {&d.Distribution, &o.Distribution}, {&d.Runtime, &o.Runtime},
	} {
		*f.to = cmp.Or(*f.to, *f.from)
	}
}

// derive fills in what follows from the rest.
func (d *Compiler) derive(exe string) {
	t := strings.ToLower(d.Target)
	d.Arch = look.TripletArch(t)
	switch {
	case strings.Contains(t, "cygwin"), strings.HasSuffix(t, "-msys"):
		d.Kind = "cygwin"
	case strings.Contains(t, "msvc"):
		d.Kind = "msvc"
	case strings.Contains(t, "w64-"), strings.HasSuffix(t, "windows-gnu"):
		d.Kind = "mingw-w64"
	case strings.Contains(t, "mingw32"):
		d.Kind = "mingw.org"
	}
	p := strings.ToLower(strings.ReplaceAll(exe, "/", `\`))
	if d.Distribution == "" {
		d.Distribution = look.Containing(p, [][2]string{
			{`\llvm-mingw`, "llvm-mingw"}, {`\tdm-gcc`, "tdm"}, {`winlibs`, "winlibs"}, {`\strawberry\`, "strawberry"},
			{`\qt\tools\`, "qt"}, {`\codeblocks\`, "codeblocks"}, {`\ucrt64\bin`, "msys2"}, {`\clang64\bin`, "msys2"},
			{`\clangarm64\bin`, "msys2"}, {`\msys64\`, "msys2"}, {`\msys2\`, "msys2"},
		})
	}
	if d.CRT == "" {
		switch {
		case strings.Contains(p, `\ucrt64\`), strings.Contains(p, `\clang64\`), strings.Contains(p, `\clangarm64\`), strings.Contains(p, "ucrt"):
			d.CRT = "ucrt"
		case strings.Contains(p, "msvcrt"), d.Distribution == "msys2" && (strings.Contains(p, `\mingw64\`) || strings.Contains(p, `\mingw32\`)):
			d.CRT = "msvcrt"
		}
	}
	if d.Exceptions == "" && d.Kind == "mingw-w64" && d.Arch == "amd64" && strings.HasPrefix(d.Compiler, "clang") {
		d.Exceptions = "seh" // LLVM's only model for this target
	}
}

var (
	versionFolder = lazyregexp.New(`^\d+(\.\d+){0,3}$`)
	msvcrtMacro   = lazyregexp.New(`(?m)^\s*#\s*define\s+__MSVCRT_VERSION__\s+0x([0-9A-Fa-f]+)`)
	runtimeMacro  = lazyregexp.New(`(?m)^\s*#\s*define\s+__MINGW64_VERSION_(MAJOR|MINOR|BUGFIX)\s+(\d+)`)
	gthread       = lazyregexp.New(`_GTHR_(POSIX|WIN32|MCF)_H|gthr-(posix|win32|mcf)\.h`)
)

// fromFiles reads what lies beside a compiler: lib\gcc\<target>\<version> or
// lib\clang\<version>, the run-time libraries and the headers.
func (p *prober) fromFiles(exe string) Compiler {
	var d Compiler
	bin := p.h.DirOf(exe)
	if !strings.EqualFold(p.h.Base(bin), "bin") {
		return d // a shim: the compiler is elsewhere
	}
	root := p.h.DirOf(bin)
	name := strings.ToLower(p.h.Base(exe))
	lib := p.h.Join(root, `lib\gcc`)
	if targets, err := p.h.ReadDir(p.ctx, lib); err == nil && strings.HasPrefix(name, "gcc") {
		for _, t := range targets {
			for _, v := range p.versions(p.h.Join(lib, t.Name)) {
				d.Compiler, d.Target, d.Version = "gcc", t.Name, v
			}
		}
	}
	if d.Version == "" {
		if list := p.versions(p.h.Join(root, `lib\clang`)); len(list) > 0 {
			d.Compiler, d.Version = "clang", list[len(list)-1]
			if !strings.Contains(d.Version, ".") {
				d.Version += ".0.0" // clang 16 and later name the folder by the major only; see below
			}
			for _, t := range []string{"x86_64", "aarch64", "i686", "armv7"} {
				if p.h.Exists(p.ctx, p.h.Join(bin, t+"-w64-windows-gnu.cfg")) || p.h.Exists(p.ctx, p.h.Join(bin, t+"-w64-mingw32-gcc.exe")) {
					d.Target = t + "-w64-windows-gnu"
					if own := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i686"}[p.h.Arch]; t == own {
						break
					}
				}
			}
			// The folder gives the major version only: ask the compiler itself.
			if strings.HasSuffix(d.Version, ".0.0") {
				d.Version = ""
			}
		}
	}
	if d.Version == "" && d.Target == "" {
		return d
	}
	for file, model := range map[string]string{"libgcc_s_seh-1.dll": "seh", "libgcc_s_sjlj-1.dll": "sjlj", "libgcc_s_dw2-1.dll": "dwarf"} {
		if p.h.Exists(p.ctx, p.h.Join(bin, file)) {
			d.Exceptions = model
		}
	}
	if d.Compiler == "gcc" {
		for _, f := range []string{
			p.h.Join(root, "include", "c++", d.Version, d.Target, "bits", "gthr-default.h"),
			p.h.Join(lib, d.Target, d.Version, "include", "c++", d.Target, "bits", "gthr-default.h"),
		} {
			text, err := p.h.Text(p.ctx, f)
			if err != nil {
				continue
			}
			if m := gthread.FindStringSubmatch(text); m != nil {
				d.Threads = strings.ToLower(m[1] + m[2])
			}
		}
	}
	for _, include := range []string{p.h.Join(root, "include"), p.h.Join(root, d.Target, "include"), p.h.Join(root, `generic-w64-mingw32\include`)} {
		if text, err := p.h.Text(p.ctx, p.h.Join(include, "_mingw.h")); err == nil && d.CRT == "" {
			d.CRT = CRT(text)
		}
		if text, err := p.h.Text(p.ctx, p.h.Join(include, "_mingw_mac.h")); err == nil && d.Runtime == "" {
			d.Runtime = RuntimeVersion(text)
		}
	}
	if strings.EqualFold(p.h.Base(root), "ucrt64") || p.h.Exists(p.ctx, p.h.Join(p.h.DirOf(root), `usr\bin\pacman.exe`)) {
		d.Distribution = "msys2"
	}
	return d
}

// versions lists version-named folders, oldest first.
func (p *prober) versions(dir string) []string {
	entries, err := p.h.ReadDir(p.ctx, dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if versionFolder.MatchString(e.Name) {
			out = append(out, e.Name)
		}
	}
	sort.SliceStable(out, func(a, b int) bool { return look.Newer(out[b], out[a]) })
	return out
}

// CRT reads mingw-w64's _mingw.h: the default C runtime is UCRT where
// __MSVCRT_VERSION__ is 0xE00 or more.
func CRT(header string) string {
	m := msvcrtMacro.FindStringSubmatch(header)
	if m == nil {
		return ""
	}
	n, err := strconv.ParseUint(m[1], 16, 32)
	if err != nil {
		return ""
	}
	if n >= 0xE00 {
		return "ucrt"
	}
	return "msvcrt"
}

// RuntimeVersion reads mingw-w64's _mingw_mac.h.
func RuntimeVersion(header string) string {
	parts := map[string]string{}
	for _, m := range runtimeMacro.FindAllStringSubmatch(header, -1) {
		parts[m[1]] = m[2]
	}
	if parts["MAJOR"] == "" {
		return ""
	}
	return parts["MAJOR"] + "." + max(parts["MINOR"], "0") + "." + max(parts["BUGFIX"], "0")
}

var (
	gccVersion   = lazyregexp.New(`(?m)^(?:.*\bgcc(?:\.exe)?|gcc|.*-gcc[\w.-]*) version (\d+(?:\.\d+)*)\S*(.*)$`)
	clangVersion = lazyregexp.New(`(?m)^(.*?)clang version (\d+(?:\.\d+)*)`)
	shortGCC     = lazyregexp.New(`(?m)^\S*g(?:cc|\+\+)\S* \(([^)]*(?:\([^)]*\)[^)]*)*)\) (\d+\.\d+(?:\.\d+)?)`)
	targetLine   = lazyregexp.New(`(?mi)^Target: *(\S+)`)
	threadLine   = lazyregexp.New(`(?mi)^Thread model: *(\w+)`)
	threadFlag   = lazyregexp.New(`--enable-threads=(\w+)`)
	installedDir = lazyregexp.New(`(?mi)^InstalledDir: *(.+?)\s*$`)
	collectGCC   = lazyregexp.New(`(?mi)^COLLECT_GCC=(.+?)\s*$`)
	pkgModel     = lazyregexp.New(`(?i)\b(?:x86_64|i686|aarch64)-(?:(ucrt|msvcrt)-)?(posix|win32|mcf)-(seh|sjlj|dwarf)`)
	dumpMachine  = lazyregexp.New(`^[A-Za-z0-9_]+(?:-[A-Za-z0-9_.]+){1,3}$|^mingw32$`)
)

// ParseVersion reads what gcc and clang print for -v, --version or
// -dumpmachine. What the text does not say stays empty.
func ParseVersion(text string) Compiler {
	var d Compiler
	text = strings.ReplaceAll(text, "\r\n", "\n")
	note := "" // the packager's words in brackets
	if m := clangVersion.FindStringSubmatch(text); m != nil {
		d.Compiler, d.Version = "clang", m[2]
	} else if m := gccVersion.FindStringSubmatch(text); m != nil {
		d.Compiler, d.Version, note = "gcc", m[1], m[2]
	} else if m := shortGCC.FindStringSubmatch(text); m != nil {
		d.Compiler, d.Version, note = "gcc", m[2], m[1]
	}
	if m := targetLine.FindStringSubmatch(text); m != nil {
		d.Target = m[1]
	} else if line := strings.TrimSpace(text); dumpMachine.MatchString(line) {
		d.Target = line
	}
	if m := threadLine.FindStringSubmatch(text); m != nil {
		d.Threads = strings.ToLower(m[1])
	} else if m := threadFlag.FindStringSubmatch(text); m != nil {
		d.Threads = strings.ToLower(m[1])
	}
	if d.Threads == "single" {
		d.Threads = "none"
	}
	lower := strings.ToLower(text)
	if m := pkgModel.FindStringSubmatch(text); m != nil {
		d.Exceptions = strings.ToLower(m[3])
		d.CRT = strings.ToLower(m[1])
		d.Threads = cmp.Or(d.Threads, strings.ToLower(m[2]))
	}
	if d.Exceptions == "" && d.Compiler == "gcc" {
		d.Exceptions = exceptions(lower, d.Target)
	}
	switch {
	case d.CRT != "":
	case strings.Contains(lower, "--with-default-msvcrt=ucrt"), strings.Contains(lower, "mingw-w64ucrt"), strings.Contains(lower, "-ucrt-rt_v"), strings.Contains(lower, "/ucrt64"), strings.Contains(lower, `\ucrt64`):
		d.CRT = "ucrt"
	case strings.Contains(lower, "--with-default-msvcrt=msvcrt"), strings.Contains(lower, "mingw-w64msvcrt"), strings.Contains(lower, "-msvcrt-rt_v"):
		d.CRT = "msvcrt"
	}
	d.Distribution = distribution(lower, strings.ToLower(note))
	if d.Distribution == "" {
		for _, re := range []*regexp.Regexp{installedDir.Get(), collectGCC.Get()} {
			if m := re.FindStringSubmatch(text); m != nil && strings.Contains(strings.ToLower(m[1]), "llvm-mingw") {
				d.Distribution = "llvm-mingw"
			}
		}
	}
	return d
}

// exceptions follows GCC's configure: for x86_64-w64-mingw32 SEH is the default
// since 4.8, for 32-bit targets SJLJ unless --with-dwarf2 or
// --disable-sjlj-exceptions.
func exceptions(lower, target string) string {
	sixtyFour := strings.HasPrefix(target, "x86_64-")
	if !strings.Contains(strings.ToLower(target), "mingw") {
		return ""
	}
	switch {
	case strings.Contains(lower, "--enable-sjlj-exceptions"):
		return "sjlj"
	case strings.Contains(lower, "--enable-seh-exceptions"):
		return "seh"
	case sixtyFour:
		return "seh"
	case strings.Contains(lower, "--with-dwarf2"), strings.Contains(lower, "--enable-dwarf2"), strings.Contains(lower, "--disable-sjlj-exceptions"), strings.Contains(lower, "--with-dwarf"):
		return "dwarf"
	}
	return ""
}

func distribution(lower, note string) string {
	switch {
	case strings.Contains(lower, "brecht sanders"), strings.Contains(lower, "winlibs"):
		return "winlibs"
	case strings.Contains(note, "tdm"):
		return "tdm"
	case strings.Contains(lower, "built by mingw-builds"), strings.Contains(lower, "built by mingw-w64"):
		return "mingw-builds"
	case strings.Contains(lower, "built by msys2"), strings.Contains(lower, "by msys2 project"), strings.Contains(lower, "msys2.org"), strings.Contains(lower, `\msys64\`), strings.Contains(lower, "/msys64/"):
		return "msys2"
	case strings.Contains(lower, "mingw.org"):
		return "mingw.org"
	case strings.Contains(lower, "strawberry"):
		return "strawberry"
	case strings.Contains(note, "gcc for "), strings.Contains(note, "debian"), strings.Contains(note, "ubuntu"):
		return "linux"
	}
	return ""
}
