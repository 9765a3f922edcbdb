// Package compilers finds the C and C++ compilers of a host: every copy of gcc,
// g++, clang and clang++ on PATH, also under versioned names, and cross
// compilers. nvcc and MSVC belong to other probes. It must never judge.
//
// Instances are of the components gcc, g++, clang, clang++ and cross. Active is
// the copy that the plain name (gcc, not gcc-12) finds first on PATH. Attrs:
// target (the triplet it compiles for), threads (posix, win32), language (c,
// c++; of cross), family (gcc, clang; of cross), wrapper (ccache …),
// distribution (msys2-ucrt64, llvm-mingw … on Windows), vendor (apple), real
// (after links), broken (the part that is missing). An unusable compiler has no version, and a facts.Problem says why.
package compilers

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Provides are the component names of this probe.
func Provides() []string { return []string{"gcc", "g++", "clang", "clang++", "cross"} }

// maxAsked bounds how many compilers are asked for their version.
const maxAsked = 24

// compilerName takes apart what a compiler's file is called:
// [triplet-](gcc|g++|clang|clang++)[-version]. A triplet has two parts at
// least: c89-gcc and afl-gcc are wrappers.
var compilerName = lazyregexp.New(`^(?:([a-z0-9_.]+(?:-[a-z0-9_.]+)+)-|(musl)-)?(gcc|g\+\+|clang|clang\+\+)(?:-?(\d+(?:\.\d+){0,2}))?$`)

type candidate struct {
	look.Copy
	kind   string // gcc, g++, clang, clang++
	prefix string // the triplet in its name
	suffix string // the version in its name
}

func (c candidate) plain() bool { return c.prefix == "" && c.suffix == "" }

// Probe finds compilers. The error says what could not be looked at as a whole;
// a single compiler that does not work is a facts.Problem.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	index := look.NewIndex(ctx, h, func(name string) bool {
		// The expression alone would cost more than the listing.
		return (strings.Contains(name, "gcc") || strings.Contains(name, "g++") || strings.Contains(name, "clang")) && compilerName.MatchString(name)
	})
	list := gather(ctx, h, index)
	instances := make([]facts.Instance, len(list))
	problems := make([]error, len(list))
	asked := min(len(list), maxAsked)
	crashed := look.Parallel(asked, func(i int) { instances[i], problems[i] = inspect(ctx, h, list[i]) })
	for i := asked; i < len(list); i++ {
		// Hundreds of compilers: the rest is listed by name only.
		instances[i] = facts.Instance{Path: list[i].Path, Version: list[i].suffix, Attrs: map[string]string{}}
	}

	f := facts.Facts{Components: map[string][]facts.Instance{}}
	active := map[string]bool{}
	for i, c := range list {
		inst, component := instances[i], c.kind
		if errors.Is(problems[i], errNotOne) {
			continue
		}
		if problems[i] != nil {
			f.Problems = append(f.Problems, facts.Problem{Probe: "compilers", Covers: []string{component}, Error: problems[i].Error()})
		}
		if cross(h, c, inst) {
			component = "cross"
			inst.Attrs["language"], inst.Attrs["family"] = "c", strings.TrimSuffix(c.kind, "++")
			if strings.HasSuffix(c.kind, "++") {
				inst.Attrs["language"] = "c++"
			}
			if c.kind == "g++" {
				inst.Attrs["family"] = "gcc"
			}
		} else if c.plain() && c.OnPath && !active[component] {
			active[component] = true
			inst.Active, inst.Via = true, []string{"PATH"}
		}
		inst.Via = append(inst.Via, namedBy(h, c)...)
		f.Add(component, inst)
	}
	return f, crashed
}

// gather lists the compilers on PATH, plain names before others so that a copy
// found under both is known by the plain one, and each program once a kind.
func gather(ctx context.Context, h *host.Host, index *look.Index) []candidate {
	var list []candidate
	seen := map[string]bool{}
	take := func(copies []look.Copy) {
		for _, c := range copies {
			m := compilerName.FindStringSubmatch(c.Name)
			if m == nil {
				continue
			}
			key := m[3] + " " + c.Real
			if look.Wrapper(h.Base(c.Real)) {
				key += " " + c.Path // ccache, and the like, is whatever it is called
			}
			if seen[key] {
				continue
			}
			seen[key] = true
			list = append(list, candidate{Copy: c, kind: m[3], prefix: m[1] + m[2], suffix: m[4]})
		}
	}
	plain := []string{"gcc", "g++", "clang", "clang++"}
	for _, name := range plain {
		take(index.Find(ctx, []string{name}, folders(ctx, h)...))
	}
	take(index.All(ctx))
	take(named(ctx, h))
	return list
}

// variables name compilers for Go and CMake, and those that nvcc hands C++ to.
var variables = []string{"CC", "CXX", "CUDAHOSTCXX", "NVCC_CCBIN"}

// named are the compilers that variables name by a path that may be on no list.
func named(ctx context.Context, h *host.Host) (list []look.Copy) {
	for _, v := range variables {
		path, _, _ := strings.Cut(h.Env(v), " ")
		info, err := h.Stat(ctx, path)
		if h.Windows() || !strings.HasPrefix(path, "/") || err != nil || !info.Exec || info.Dir {
			continue
		}
		list = append(list, look.Copy{Name: h.Base(path), Path: path, Real: h.Real(ctx, path)})
	}
	return list
}

// folders are where compilers are put without being on PATH.
func folders(ctx context.Context, h *host.Host) []string {
	switch h.OS {
	case "windows":
		dirs := []string{`C:\Program Files\LLVM\bin`}
		for _, root := range []string{`C:\msys64`, `C:\tools\msys64`} {
			if h.Exists(ctx, root) {
				for _, env := range []string{"ucrt64", "mingw64", "clang64", "clangarm64", "mingw32"} {
					dirs = append(dirs, h.Join(root, env, "bin"))
				}
			}
		}
		return append(dirs, `C:\mingw64\bin`, `C:\MinGW\bin`, `C:\TDM-GCC-64\bin`, `C:\llvm-mingw\bin`, `C:\ProgramData\mingw64\mingw64\bin`)
	case "darwin":
		return []string{"/opt/homebrew/opt/llvm/bin", "/usr/local/opt/llvm/bin"}
	}
	var dirs []string
	for _, dir := range h.Glob(ctx, "/usr/lib", "llvm-*") {
		dirs = append(dirs, dir+"/bin")
	}
	for _, dir := range h.Glob(ctx, "/opt/rh", "*toolset-*") {
		dirs = append(dirs, dir+"/root/usr/bin")
	}
	return dirs
}

// errNotOne marks a file that only looks like the compiler it is named after.
var errNotOne = lang.New("not a compiler of this kind")

var (
	gccSays   = lazyregexp.New(`(?m)^gcc version (\d+(?:\.\d+)*)`)
	clangSays = lazyregexp.New(`(?m)(?:clang|Apple LLVM) version (\d+(?:\.\d+)*)`)
	anySays   = lazyregexp.New(`(?m)(?:^gcc|clang|Apple LLVM) version (\d+(?:\.\d+)*)`)
	targetIs  = lazyregexp.New(`(?m)^Target:\s*(\S+)`)
	threadsIs = lazyregexp.New(`(?m)^Thread model:\s*(\S+)`)
)

// inspect asks a compiler what it is. Both families answer -v with version,
// target and thread model in one go.
func inspect(ctx context.Context, h *host.Host, c candidate) (facts.Instance, error) {
	inst := facts.Instance{Path: c.Path, Attrs: map[string]string{}}
	if c.Real != c.Path {
		inst.Attrs["real"] = c.Real
	}
	if base := h.Base(c.Real); look.Wrapper(base) {
		inst.Attrs["wrapper"] = base
	}
	if strings.HasSuffix(c.kind, "++") {
		inst.Has = []string{"c++"}
	} else {
		inst.Has = []string{"c"}
	}
	if h.Windows() {
		look.Set(inst.Attrs, "distribution", distribution(c.Real))
	}
	path := c.Path
	if h.OS == "darwin" && strings.HasPrefix(path, "/usr/bin/") {
		// Apple's stubs open a window when no developer tools are installed.
		real, ok := look.AppleTool(ctx, h, c.Name)
		if !ok {
			return inst, errNotOne
		}
		path = real
		inst.Attrs["real"] = real
	}
	if v, source := clangByFolder(ctx, h, c); v != "" {
		inst.Version = v
		inst.Evidence = []facts.Evidence{{Kind: "file", Source: source}}
		inst.Attrs["target"] = c.prefix
		if c.prefix == "" {
			delete(inst.Attrs, "target")
		}
		return inst, nil
	}
	version, evidence, text, err := look.Ask(ctx, h, []string{path, "-v"}, anySays.Get())
	if path != c.Path && version == "" {
		// What Apple's stub starts is there, so that it opens no window.
		if v, e, t, errStub := look.Ask(ctx, h, []string{c.Path, "-v"}, anySays.Get()); v != "" {
			version, evidence, text, err = v, e, t, errStub
		}
	}
	inst.Evidence = []facts.Evidence{evidence}
	if err != nil {
		return inst, lang.Errorf("ask %s for its version: %w", c.Path, err)
	}
	isClang := clangSays.MatchString(text) && !gccSays.MatchString(text)
	if strings.HasPrefix(c.kind, "g") && isClang {
		return inst, errNotOne // macOS calls its clang gcc as well
	}
	inst.Version = version
	if m := targetIs.FindStringSubmatch(text); m != nil {
		inst.Attrs["target"] = m[1]
	}
	if m := threadsIs.FindStringSubmatch(text); m != nil {
		inst.Attrs["threads"] = m[1]
	}
	if strings.Contains(text, "Apple clang version") || strings.Contains(text, "Apple LLVM version") { // the second up to Xcode 10
		inst.Attrs["vendor"] = "apple" // its numbers are Xcode's, not LLVM's
	}
	if part := missingPart(ctx, h, c, inst); part != "" {
		inst.Has = nil
		inst.Unusable = &facts.Unusable{Reason: facts.Incomplete, Detail: lang.F("%s cannot compile: its %s is missing", c.Path, part), Remedy: remedy(ctx, h, c, part)}
	} else if gone := missingHeaders(ctx, h, c, inst); len(gone) > 0 {
		inst.Has = nil
		inst.Unusable = &facts.Unusable{Reason: facts.Incomplete, Detail: lang.F("%s cannot compile: the headers %s are missing", c.Path, strings.Join(gone, ", ")), Remedy: headers(ctx, h, inst)}
	} else if release := halfGCC(ctx, h, c, text); release != "" {
		inst.Has = nil
		inst.Unusable = &facts.Unusable{Reason: facts.Incomplete, Detail: lang.F("%s cannot compile C++: it uses the headers of GCC %s, the newest GCC here, and of that only the part for C is installed", c.Path, release), Remedy: lang.F("Install the C++ library's headers of GCC %s", release)}
		if loader.Debian(ctx, h) {
			inst.Unusable.Remedy = lang.F("As root: %s", "apt-get install libstdc++-"+release+"-dev")
		}
	}
	return inst, nil
}

var selectedGCC = lazyregexp.New(`(?m)^Selected GCC installation:\s*(\S+)`)

// halfGCC is the release of GCC whose C++ headers clang++ uses and does not find: it
// takes the newest that has a folder, and gcc-12 without g++-12 makes one
// (clangd/vscode-clangd issue 553, llvm/llvm-project issue 59738). It is looked at where
// builds use this clang++: beside a g++ that works, nobody meets it.
func halfGCC(ctx context.Context, h *host.Host, c candidate, text string) string {
	m := selectedGCC.FindStringSubmatch(text)
	used := slices.Contains(namedBy(h, c), "CXX") || len(h.LookPath(ctx, "g++")) == 0
	if h.OS != "linux" || c.kind != "clang++" || m == nil || !used || !strings.HasPrefix(path.Clean(m[1]), "/usr/lib/gcc/") {
		return ""
	}
	release, others := path.Base(path.Clean(m[1])), h.Glob(ctx, "/usr/include/c++", "*")
	if len(others) == 0 || slices.Contains(others, "/usr/include/c++/"+release) {
		return ""
	}
	// Where it can be asked, its answer decides.
	out, err := h.Run(ctx, host.Command{Argv: []string{c.Path, "-E", "-o", "/dev/null", "-x", "c++", "-include", "vector", "/dev/null"}})
	if err == nil && out.Exit == 0 {
		return ""
	}
	return release
}

// clangByFolder reads LLVM's version from the folder of its own headers,
// PREFIX/lib/clang/VERSION: starting clang takes tens of milliseconds. Since
// LLVM 16 the folder has the major number only, and clang must be asked.
func clangByFolder(ctx context.Context, h *host.Host, c candidate) (version, source string) {
	if !strings.HasPrefix(c.kind, "clang") || h.OS == "darwin" || c.prefix != "" {
		return "", ""
	}
	dir := h.Join(h.DirOf(h.DirOf(c.Real)), "lib", "clang")
	found := h.Glob(ctx, dir, "*.*.*")
	if len(found) != 1 {
		return "", ""
	}
	if v := h.Base(found[0]); fullVersion.MatchString(v) {
		return v, found[0]
	}
	return "", ""
}

var fullVersion = lazyregexp.New(`^\d+\.\d+\.\d+$`)

// missingPart names the program behind a gcc driver that is not there: the
// driver answers also when the package with the compiler proper, or with the
// assembler and the linker, is half removed.
func missingPart(ctx context.Context, h *host.Host, c candidate, inst facts.Instance) string {
	target := inst.Attrs["target"]
	if h.OS != "linux" || !strings.HasPrefix(c.kind, "g") || target == "" || inst.Attrs["wrapper"] != "" {
		return ""
	}
	compiler := "cc1"
	if c.kind == "g++" {
		compiler = "cc1plus"
	}
	major, _, _ := strings.Cut(inst.Version, ".")
	prefix := h.DirOf(h.DirOf(c.Real))
	var own []string // its folders, where its programs are looked for first (gcc(1), -B)
	for _, lib := range []string{"libexec", "lib"} {
		for _, v := range []string{inst.Version, major} {
			if dir := h.Join(prefix, lib, "gcc", target, v); h.Exists(ctx, dir) {
				own = append(own, dir)
			}
		}
	}
	if len(own) == 0 {
		return "" // installed in a way not known here; the driver's word must do
	}
	if !has(ctx, h, compiler, own) {
		return compiler
	}
	others := slices.Concat(own, []string{h.Join(prefix, target, "bin"), h.Join(prefix, "bin")}, h.PathDirs())
	for _, part := range []string{"as", "ld"} {
		if !has(ctx, h, part, others) && !knows(ctx, h, c.Path, part) {
			return part
		}
	}
	return ""
}

// knows reports whether the driver finds a program in places of its own: it answers
// with a path then, and with the bare name otherwise (gcc(1), -print-prog-name). A
// driver that was not asked may.
func knows(ctx context.Context, h *host.Host, driver, program string) bool {
	out, err := h.Run(ctx, host.Command{Argv: []string{driver, "-print-prog-name=" + program}})
	return err != nil || out.Exit != 0 || strings.TrimSpace(string(out.Stdout)) != program
}

// has reports whether one of the folders has the program. What a snapshot does not
// hold may be there.
func has(ctx context.Context, h *host.Host, program string, folders []string) bool {
	return slices.ContainsFunc(folders, func(dir string) bool {
		_, err := h.Stat(ctx, h.Join(dir, program))
		return err == nil || !host.IsNotExist(err)
	})
}

// missingHeaders are headers of the C library, the kernel and C++ that the system's own
// gcc does not find. The compiler is only asked where they are not in their places.
func missingHeaders(ctx context.Context, h *host.Host, c candidate, inst facts.Instance) (gone []string) {
	if h.OS != "linux" || !strings.HasPrefix(c.kind, "g") || !strings.HasPrefix(c.Real, "/usr/bin/") || inst.Attrs["wrapper"] != "" || cross(h, c, inst) {
		return nil
	}
	major, _, _ := strings.Cut(inst.Version, ".")
	ask := []string{c.Path, "-E", "-o", "/dev/null", "-x", "c"}
	folders := map[string][]string{"stdio.h": {"/usr/include", "/usr/include/" + inst.Attrs["target"]}, "linux/errno.h": {"/usr/include"}}
	if c.kind == "g++" {
		ask[len(ask)-1] = "c++"
		folders["vector"] = []string{"/usr/include/c++/" + major, "/usr/include/c++/" + inst.Version}
	}
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		if has(ctx, h, name, folders[name]) {
			continue
		}
		out, err := h.Run(ctx, host.Command{Argv: append(slices.Clone(ask), "-include", name, "/dev/null")})
		if err == nil && out.Exit == 1 {
			gone = append(gone, name)
		}
	}
	return gone
}

// headers is how missing headers come back.
func headers(ctx context.Context, h *host.Host, inst facts.Instance) string {
	if loader.Debian(ctx, h) {
		major, _, _ := strings.Cut(inst.Version, ".")
		return lang.F("As root: %s", "apt-get install --reinstall libc6-dev linux-libc-dev libstdc++-"+major+"-dev")
	}
	return lang.T("Install the development packages of the C library, the kernel's headers and the C++ library again.")
}

// remedy is how a missing part of a compiler comes back.
func remedy(ctx context.Context, h *host.Host, c candidate, part string) string {
	binutils := part == "as" || part == "ld"
	debian := loader.Debian(ctx, h)
	switch triplet := loader.Triplet(h.Arch); {
	case binutils && debian && triplet != "":
		return lang.F("As root: %s", "apt-get install --reinstall binutils binutils-"+strings.ReplaceAll(triplet, "_", "-"))
	case binutils:
		return lang.T("Install binutils again.")
	}
	return lang.F("Install the package of %s again, which has its %s.", c.Path, part)
}

// cross reports whether a compiler makes programs for another kind of machine.
func cross(h *host.Host, c candidate, inst facts.Instance) bool {
	target := cmp.Or(inst.Attrs["target"], c.prefix)
	if target == "" {
		return false
	}
	if c.prefix == "musl" {
		return true
	}
	if arch := look.TripletArch(target); arch != "" && arch != h.Arch {
		return !(h.OS == "darwin" && strings.Contains(target, "apple")) // every Apple clang makes both
	}
	switch h.OS {
	case "linux":
		if strings.Contains(target, "android") || !strings.Contains(target, "linux") {
			return true
		}
		// A prefixed musl compiler on a glibc system; Alpine's own has the
		// triplet …-alpine-linux-musl and is found under the plain name.
		return c.prefix != "" && strings.Contains(target, "musl") && !strings.Contains(target, "alpine")
	case "windows":
		return !strings.Contains(target, "mingw") && !strings.Contains(target, "windows") && !strings.Contains(target, "cygwin") && !strings.Contains(target, "msys")
	case "darwin":
		return !strings.Contains(target, "apple")
	}
	return false
}

// namedBy lists the variables that name this very compiler.
func namedBy(h *host.Host, c candidate) []string {
	var via []string
	for _, v := range variables {
		word, _, _ := strings.Cut(h.Env(v), " ")
		if word != "" && (word == c.Path || word == c.Real || word == c.Name && c.OnPath) {
			via = append(via, v)
		}
	}
	return via
}

// distribution tells the origin of a compiler on Windows by its path.
func distribution(path string) string {
	p := strings.ToLower(strings.ReplaceAll(path, `\`, "/"))
	for _, env := range []string{"ucrt64", "mingw64", "mingw32", "clang64", "clangarm64"} {
		if strings.Contains(p, "msys") && strings.Contains(p, "/"+env+"/") {
			return "msys2-" + env
		}
	}
	for _, k := range []string{"llvm-mingw", "tdm-gcc", "cygwin", "winlibs", "strawberry"} {
		if strings.Contains(p, k) {
			return k
		}
	}
	switch {
	case strings.Contains(p, "/program files/llvm/"):
		return "llvm"
	case strings.Contains(p, "microsoft visual studio"):
		return "visual-studio"
	case strings.Contains(p, "mingw"):
		return "mingw"
	}
	return ""
}
