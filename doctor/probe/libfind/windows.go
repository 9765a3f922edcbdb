package libfind

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// windows finds the copies of Windows: DLLs in the order in which LoadLibrary
// looks for a name (the program's own folder apart), and trees in the usual
// places.
func (w *world) windows(ctx context.Context) {
	h := w.h
	searched := w.searched()
	own, release := w.programFolder(ctx)
	if own != "" {
		searched = append([]string{own}, searched...)
	}
	stale, _, _ := look.StalePath(ctx, h) // an error is the operating system's probe's to tell
	dirs := slices.Concat(searched, stale)
	trees := w.windowsTrees(ctx)
	for _, tree := range trees {
		if len(w.list(ctx, tree)) == 0 {
			continue
		}
		for _, sub := range []string{
			"", "bin", "lib", `lib\x64`, `x64\bin`, `x64\lib`, `bin\intel64`, `redist\intel64`, `redist\intel64\vc14`, `bin\intel64\vc14`, `runtime\bin\intel64\Release`,
			`runtime\bin\intel64`, `runtime\3rdparty\tbb\bin`, `runtime\lib\intel64\Release`, `deployment_tools\inference_engine\bin\intel64\Release`, `build\x64\Release`, `build\bin`,
			`build\src\Release`, `x64\Release`, `build\darknet\x64`, "capi", `runtimes\win-x64\native`, "libs",
		} {
			first, _, _ := strings.Cut(sub, `\`)
			if sub == "" || w.entry(ctx, tree, first) != "" {
				dirs = append(dirs, h.Join(tree, sub))
			}
		}
		if w.specs[0].component == "opencv" {
			dirs = append(dirs, w.openCVBins(ctx, tree)...)
		}
	}
	for _, s := range w.searches {
		looked := slices.Clone(dirs)
		for _, c := range s.copies {
			looked = append(looked, c.prefix, h.Join(c.prefix, "lib"), h.Join(c.prefix, "capi"), h.Join(c.prefix, "libs"), h.Join(c.prefix, "bin"), h.Join(c.prefix, "python"))
		}
		s.allDLLs(ctx, looked, len(searched))
		s.windowsPrograms(ctx)
		s.windowsHeaders(ctx)
		s.allConfigs(ctx)
		s.releaseFiles(ctx)
		for _, c := range s.copies {
			if s.spec.component == "onnxruntime" && own != "" && strings.EqualFold(c.libDir, own) {
				c.version = better(c.version, release)
			}
			s.dllVersion(ctx, c)
		}
		if s.spec.component == "darknet" || s.spec.component == "opencv" {
			s.readBinaries(ctx)
		}
		s.windowsSettle(ctx)
		switch s.spec.component {
		case "openpose":
			s.openposeTrees(ctx, append(w.openposeHere(ctx), trees...))
		case "caffe":
			for _, c := range s.copies {
				if slices.ContainsFunc(s.copies, func(o *copyOf) bool { return o != c && ownedBy(c.prefix, o) }) {
					continue // the one below it says what this tree brings
				}
				s.carried(ctx, c, []string{"bin", `build\x64\Release`, ""}, c.prefix)
			}
		}
	}
}

// searched are the folders in which LoadLibrary looks for a DLL by name, in its
// order, the program's own folder apart (Microsoft, "Dynamic-link library search
// order").
func (w *world) searched() []string {
	h := w.h
	root := look.SystemRoot(h)
	searched := []string{h.Join(root, "System32"), root}
	for _, d := range h.PathDirs() {
		if look.IsPath(d) && len(d) > 2 && d[1] == ':' {
			searched = append(searched, strings.TrimRight(strings.ReplaceAll(d, "/", `\`), `\`))
		}
	}
	return searched
}

// allDLLs looks into folders, of which the first are searched.
func (s *search) allDLLs(ctx context.Context, dirs []string, searched int) {
	seen := map[string]bool{}
	for i, dir := range dirs {
		key := strings.ToLower(strings.TrimRight(dir, `\`))
		if seen[key] || len(seen) > maxDirs || ctx.Err() != nil {
			continue
		}
		seen[key] = true
		s.dlls(ctx, strings.TrimRight(dir, `\`), i < searched)
	}
}

// windowsTrees are the tops of trees that may hold a framework.
func (w *world) windowsTrees(ctx context.Context) []string {
	h := w.h
	var out []string
	add := func(dirs ...string) { look.AddNew(&out, maxDirs/4, dirs...) }
	add(w.namedTrees()...)
	for _, d := range strings.Split(h.Env("CMAKE_PREFIX_PATH"), ";") {
		if look.IsPath(d) && len(d) > 2 && d[1] == ':' {
			add(strings.TrimRight(strings.ReplaceAll(d, "/", `\`), `\`))
		}
	}
	places := []string{`C:\`, `D:\`, `C:\tools`, w.envPath("USERPROFILE"), h.Join(w.envPath("USERPROFILE"), "Downloads")}
	for _, v := range []string{"ProgramFiles", "ProgramFiles(x86)"} {
		if p := w.envPath(v); p != "" {
			places = append(places, p, h.Join(p, "Intel"))
		}
	}
	for _, place := range places {
		if len(place) < 3 || place[1] != ':' {
			continue
		}
		for _, e := range w.list(ctx, place) {
			if w.known(e.Name) {
				add(h.Join(place, e.Name))
			}
		}
	}
	for _, v := range []string{"ProgramFiles(x86)", "ProgramFiles"} {
		p := w.envPath(v)
		if p == "" {
			continue
		}
		for _, c := range []string{"mkl", "dnnl", "tbb"} {
			dir := h.Join(p, `Intel\oneAPI`, c)
			for _, e := range w.list(ctx, dir) {
				if !strings.EqualFold(e.Name, "latest") {
					add(h.Join(dir, e.Name))
				}
			}
		}
	}
	for _, root := range []string{w.envPath("VCPKG_ROOT"), w.envPath("VCPKG_INSTALLATION_ROOT"), `C:\vcpkg`} {
		if root == "" {
			continue
		}
		for _, e := range w.list(ctx, h.Join(root, "installed")) {
			if strings.Contains(e.Name, "-windows") {
				add(h.Join(root, "installed", e.Name))
			}
		}
	}
	for _, v := range []string{`C:\msys64\ucrt64`, `C:\msys64\mingw64`, `C:\msys64\clang64`} {
		add(v)
	}
	if p := w.envPath("CONDA_PREFIX"); p != "" {
		add(h.Join(p, "Library"))
	}
	return out
}

// dllNames are the patterns of a component's DLLs, folded.
func (s *spec) dllNames() []string {
	names := s.dlls
	if names == nil {
		names = s.libs
	}
	out := make([]string, 0, 2*len(names))
	for _, n := range names {
		out = append(out, strings.ToLower(n)+".dll")
		if !strings.HasPrefix(n, "lib") && !strings.Contains(n, "*") {
			out = append(out, "lib"+strings.ToLower(n)+".dll") // MinGW
		}
	}
	return out
}

// dllOf is what a DLL's name says of the copy that it belongs to.
type dllOf struct {
	compiler, version string
	part              string
	debug             bool
}

// dllGroup are the DLLs of one copy in one folder.
type dllGroup struct {
	dllOf
	core  string
	best  int // the pattern that core matches
	parts []string
	// debugCore is core's debug build. It stands for core where that is not there.
	debugCore string
}

// dllGroups sorts the files of one folder: into one copy, or into one for each
// version and compiler. static is its archive or import library.
func (s *search) dllGroups(ctx context.Context, dir string) (groups []*dllGroup, static string) {
	names := s.spec.dllNames()
	for _, e := range s.list(ctx, dir) {
		low := strings.ToLower(e.Name)
		if stem, ok := strings.CutSuffix(low, ".lib"); ok && slices.Contains(s.spec.libs, stem) {
			static = e.Name
		}
		stem, ok := strings.CutSuffix(low, ".dll")
		if !ok || e.Dir {
			continue
		}
		var of dllOf
		if s.spec.dll != nil {
			if of, ok = s.spec.dll(e.Name); !ok {
				continue
			}
		}
		i := slices.IndexFunc(groups, func(g *dllGroup) bool { return g.compiler == of.compiler && g.version == of.version })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &dllGroup{dllOf: of, best: len(names)})
		}
		g := groups[i]
		g.debug = g.debug || of.debug
		if of.part != "" && !of.debug {
			g.parts = append(g.parts, of.part)
		}
		for lib, part := range s.spec.parts {
			if strings.EqualFold(lib, stem) {
				g.parts = append(g.parts, part)
			}
		}
		for i, pattern := range names[:g.best] {
			ok, err := path.Match(pattern, low)
			if ok && err == nil && of.debug {
				g.debugCore = e.Name
			} else if ok && err == nil && !strings.HasSuffix(low, "d.dll") {
				g.core, g.best = e.Name, i
				break
			}
		}
	}
	for _, g := range groups {
		if g.core == "" {
			g.core = g.debugCore
		}
	}
	return slices.DeleteFunc(groups, func(g *dllGroup) bool { return g.core == "" }), static
}

// dlls adds the copies in one folder, if DLLs (or static libraries) are there.
func (s *search) dlls(ctx context.Context, dir string, searched bool) {
	groups, static := s.dllGroups(ctx, dir)
	modules, of, parts := s.staticModules(ctx, dir)
	if static = cmp.Or(modules, static); len(groups) == 0 && static != "" {
		if c := s.archive(ctx, dir, static); c != nil && modules != "" {
			c.version = better(c.version, of.version)
			c.built.Compiler, c.built.Toolset, c.built.CXXABI = of.compiler, toolset(dir), "msvc"
			c.set("abi", of.compiler)
			for _, part := range parts {
				c.add(part)
			}
		}
	}
	for _, g := range groups {
		// oneAPI's latest is a link to a release's folder.
		lib := s.real(ctx, s.h.Join(dir, g.core))
		c := s.placeDLL(lib, g)
		if c == nil {
			continue // seen through a link already, in an earlier folder
		}
		c.dev = c.dev || static != ""
		for _, part := range g.parts {
			c.add(part)
		}
		c.note("file", c.lib, strings.TrimSpace("library "+g.version))
		if !searched {
			continue
		}
		first := slices.IndexFunc(s.copies, func(o *copyOf) bool {
			return o != c && slices.Contains(o.via, viaDLL) && strings.EqualFold(o.soname, c.soname)
		})
		if first >= 0 {
			c.set("shadowed", "by "+s.copies[first].lib)
			continue
		}
		c.wins(viaDLL)
	}
}

// placeDLL gives a library to the copy of its package or prefix, or to a new one.
func (s *search) placeDLL(lib string, g *dllGroup) *copyOf {
	dir := s.h.DirOf(lib)
	prefix := s.prefixOf(dir)
	var c *copyOf
	for _, o := range s.copies {
		if strings.EqualFold(o.lib, lib) {
			return nil
		}
		if o.lib == "" && (o.kind != "" && (within(dir, o.prefix) || dir == o.prefix) || o.prefix == prefix) && agree(o.version, g.version) {
			c = o
		}
	}
	if c == nil {
		c = s.add(&copyOf{prefix: prefix})
	}
	c.lib, c.libDir, c.soname = lib, dir, g.core
	c.version = better(c.version, g.version)
	if g.compiler != "" {
		c.set("abi", g.compiler)
		c.built.Compiler, c.built.Toolset = g.compiler, toolset(dir)
		if g.compiler == "msvc" {
			c.built.CXXABI = "msvc"
		}
	}
	if g.debug {
		c.set("debug", "yes")
	}
	if g.core == g.debugCore {
		c.unusable = &facts.Unusable{Reason: facts.Incomplete, Detail: lang.F("only the debug build of OpenCV is in %s (%s), whose runtime comes only with Visual Studio", dir, g.core),
			Remedy: lang.T("Copy the DLLs of the release build (without the d at the end of their names) there, or put the folder that has them first on PATH.")}
	}
	return c
}

// archive adds an import library beside headers, or an archive: ncnn comes so. It gives
// the copy that is new, nil for none.
func (s *search) archive(ctx context.Context, dir, static string) *copyOf {
	prefix := s.prefixOf(dir)
	for _, c := range s.copies {
		if c.prefix == prefix {
			c.dev = true
			return nil
		}
	}
	if slices.Contains([]string{"ncnn", "executorch", "mace", "opencv"}, s.spec.component) {
		c := s.add(&copyOf{prefix: prefix, libDir: dir, static: true, dev: true})
		c.note("file", s.h.Join(dir, static), "static library")
		c.built.Runtime = s.msvcRuntime(ctx, s.h.Join(dir, static))
		return c
	}
	return nil
}

// msvcRuntime is the C runtime that a static library's objects were compiled for,
// as they tell the linker, which refuses others with LNK2038 (Microsoft, detect_mismatch
// and /FAILIFMISMATCH); "" where they do not say.
func (s *search) msvcRuntime(ctx context.Context, file string) string {
	const marker = "RuntimeLibrary=M"
	data, err := s.h.Search(ctx, file, marker, maxBinary, len(marker)+1)
	if err != nil || len(data) <= len(marker) {
		return ""
	}
	return map[byte]string{'T': "mt", 'D': "md"}[data[len(marker)]]
}

// windowsPrograms adds programs in PATH and in the copies' folders.
func (s *search) windowsPrograms(ctx context.Context) {
	for _, name := range s.spec.programs {
		first := true
		dirs := s.h.PathDirs()
		onPath := len(dirs)
		for _, c := range s.copies {
			dirs = append(dirs, c.libDir, c.prefix)
		}
		for i, dir := range dirs {
			if !look.IsPath(dir) || len(dir) < 3 || dir[1] != ':' || i > maxDirs {
				continue
			}
			spelt := s.entry(ctx, strings.TrimRight(dir, `\`), name+".exe")
			if spelt == "" {
				continue
			}
			file := s.h.Join(dir, spelt)
			var c *copyOf
			for _, o := range s.copies {
				if strings.EqualFold(o.program, file) || o.program == "" && strings.EqualFold(o.libDir, strings.TrimRight(dir, `\`)) {
					c = o
				}
			}
			if c == nil {
				c = s.add(&copyOf{prefix: prefixOf(strings.TrimRight(dir, `\`))})
			}
			if c.program == "" {
				c.program = file
				c.note("file", file, "program")
			}
			if i < onPath && first {
				first = false
				c.wins(viaPath)
			}
		}
	}
}

// windowsHeaders looks for headers in the copies' trees.
func (s *search) windowsHeaders(ctx context.Context) {
	var bases []string
	for _, c := range s.copies {
		bases = append(bases, s.h.Join(c.prefix, "include"))
		if s.spec.component == "libtorch" {
			bases = append(bases, s.h.Join(c.prefix, `include\torch\csrc\api\include`))
		}
		if s.spec.component == "openvino" {
			bases = append(bases, s.h.Join(c.prefix, `runtime\include`))
		}
	}
	for _, v := range s.spec.env {
		if d := s.envPath(v); d != "" {
			bases = append(bases, s.h.Join(d, "include"))
		}
	}
	var folders []string
	for _, b := range bases {
		folders = append(folders, s.includeFolders(ctx, b)...)
	}
	for i, b := range folders {
		if slices.Contains(folders[:i], b) || len(s.list(ctx, b)) == 0 {
			continue
		}
		file, _, version, macros := s.findHeaders(ctx, b)
		if file == "" {
			continue
		}
		prefix := prefixOf(b)
		taken := false
		for _, c := range s.copies {
			if strings.EqualFold(c.prefix, prefix) && (!taken || s.spec.dll != nil) {
				taken = true
				s.giveHeaders(c, b, file, version, macros)
			}
		}
		if !taken {
			s.giveHeaders(s.add(&copyOf{prefix: prefix}), b, file, version, macros)
		}
	}
}

func (s *search) giveHeaders(c *copyOf, dir, file, version string, macros map[string]string) {
	if c.include != "" && s.spec.includes != nil {
		return // the first of its folders has them
	}
	if s.spec.dll != nil && !agree(c.version, version) {
		c.mixed(dir, version, c.version)
	} else {
		c.include, c.headerVersion = dir, version
		c.version = better(c.version, version)
	}
	c.note("header", file, "headers "+version)
	s.detail(c, macros)
}

// dllVersion reads a DLL's version resource where nothing beside it tells its
// release, and compares it with the headers where something does.
func (s *search) dllVersion(ctx context.Context, c *copyOf) {
	if c.lib == "" || strings.Count(c.version, ".") >= 2 || ctx.Err() != nil {
		return
	}
	data, err := s.h.Search(ctx, c.lib, versionInfo(), maxBinary, 4<<10)
	s.unreadable(err)
	v := resourceVersion(data)
	if v == "" {
		return
	}
	c.note("file", c.lib, "FileVersion "+v)
	switch {
	case agree(c.version, v):
		c.version = better(c.version, v)
	case c.headerVersion != "":
		c.mixed(c.include, c.headerVersion, v)
		c.version = v
	}
}

// mixed notes that the headers and the library of one copy are of two releases:
// what is compiled with the one does not link with the other.
func (c *copyOf) mixed(include, headers, library string) {
	c.unusable = &facts.Unusable{Reason: facts.Mismatch,
		Detail: lang.F("the headers in %s are %s, the library %s is %s", include, headers, c.lib, library),
		Remedy: lang.F("Remove %s and build or unpack one release there.", c.prefix)}
}

// windowsNamed finds the copies that a variable's value names.
func windowsNamed(value string) func(*copyOf) bool {
	low := strings.ToLower(value)
	return func(c *copyOf) bool {
		return within(strings.ToLower(c.libDir), low) || strings.EqualFold(c.prefix, value) || strings.EqualFold(c.prefix, prefixOf(value)) || strings.EqualFold(c.libDir, value) || within(strings.ToLower(c.prefix), low) || len(c.prefix) > 3 && within(low, strings.ToLower(c.prefix))
	}
}

// windowsSettle picks the active copy: the DLL that the search order finds
// first, else the one that a variable or CMake names.
func (s *search) windowsSettle(ctx context.Context) {
	byCMake := (*copyOf)(nil)
	for _, p := range s.spec.cmake {
		d := s.envPath(p + "_DIR")
		if d == "" {
			continue
		}
		dirs := []string{d, s.h.Join(d, "lib")}
		if s.spec.component == "opencv" {
			dirs = append(dirs, s.h.DirOf(s.h.DirOf(d))) // it names build\x64\vc16
		}
		for _, dir := range dirs {
			if byCMake == nil {
				byCMake = s.cmakePackage(ctx, dir)
			}
		}
	}
	if byCMake != nil {
		byCMake.wins(viaCMake)
	}
	s.named(windowsNamed)
	var first, named *copyOf
	for _, c := range s.copies {
		if first == nil && slices.Contains(c.via, viaDLL) {
			first = c
		}
		if first == nil && s.spec.component == "darknet" && slices.Contains(c.via, viaPath) {
			first = c
		}
		if named == nil && c.attrs["env"] != "" {
			named = c
		}
	}
	if byCMake != nil {
		named = byCMake
	}
	switch {
	case first != nil:
		first.active = true
		first.set("why", "its libraries come first in the search order, in "+strings.TrimSuffix(first.libDir, `\`))
		if first.libDir == "" {
			first.set("why", "the first program in PATH")
		}
		var out []string
		if own := first.conflict; own != "" {
			out = append(out, own)
		}
		for _, c := range s.copies {
			if c != first && strings.HasPrefix(c.attrs["shadowed"], "by "+first.lib) && !(c.version != "" && c.version == first.version) {
				out = append(out, lang.F("the search order finds %s (%s) before %s (%s): programs load it unless the other lies in their own folder",
					first.lib, orUnknown(first.version), c.lib, orUnknown(c.version)))
			}
		}
		if named != nil && named != first && !(named.version != "" && named.version == first.version) {
			by := named.attrs["env"]
			if named == byCMake {
				by = "CMake"
			}
			out = append(out, lang.F("%s leads to %s in %s but the search order finds %s in %s", by, orUnknown(named.version), named.prefix, orUnknown(first.version), first.libDir))
		}
		first.conflict = strings.Join(out, lang.T("; "))
	case named != nil:
		named.active = true
		named.set("why", "a variable names it; its libraries are not in PATH, so programs start only with copies beside them")
		if named.static {
			named.set("why", "a variable names it")
		}
	default:
		if c := s.given(); c != nil {
			c.active = true
			c.set("why", whyGiven)
		}
	}
}

func orUnknown(v string) string { return cmp.Or(v, lang.T("of unknown version")) }
