package frameworks

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// windows finds the copies of Windows: DLLs in the order in which LoadLibrary
// looks for a name (the program's own folder apart), and trees in the usual
// places.
func (w *world) windows(ctx context.Context) {
	h := w.h
	root := w.envPath("SystemRoot")
	if root == "" {
		root = `C:\Windows`
	}
	searched := []string{h.Join(root, "System32"), root}
	for _, d := range h.PathDirs() {
		if look.IsPath(d) && len(d) > 2 && d[1] == ':' {
			searched = append(searched, strings.TrimRight(strings.ReplaceAll(d, "/", `\`), `\`))
		}
	}
	dirs := slices.Clone(searched)
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
	}
	for _, s := range w.searches {
		own := slices.Clone(dirs)
		for _, c := range s.copies {
			own = append(own, c.prefix, h.Join(c.prefix, "lib"), h.Join(c.prefix, "capi"), h.Join(c.prefix, "libs"), h.Join(c.prefix, "bin"), h.Join(c.prefix, "python"))
		}
		seen := map[string]bool{}
		for i, dir := range own {
			key := strings.ToLower(strings.TrimRight(dir, `\`))
			if seen[key] || len(seen) > maxDirs || ctx.Err() != nil {
				continue
			}
			seen[key] = true
			s.dlls(ctx, strings.TrimRight(dir, `\`), i < len(searched))
		}
		s.windowsPrograms(ctx)
		s.windowsHeaders(ctx)
		s.allConfigs(ctx)
		s.releaseFiles(ctx)
		for _, c := range s.copies {
			s.dllVersion(ctx, c)
		}
		if s.spec.component == "darknet" {
			s.readBinaries(ctx)
		}
		s.windowsSettle(ctx)
		if s.spec.component == "openpose" {
			s.openposeTrees(ctx, trees)
		}
	}
}

// windowsTrees are the tops of trees that may hold a framework.
func (w *world) windowsTrees(ctx context.Context) []string {
	h := w.h
	var out []string
	add := func(d string) {
		if d != "" && !slices.Contains(out, d) && len(out) < maxDirs/4 {
			out = append(out, d)
		}
	}
	for _, s := range w.specs {
		for _, v := range s.env {
			if d := w.envPath(v); d != "" {
				add(d)
				add(prefixOf(d))
			}
		}
	}
	for _, d := range strings.Split(h.Env("CMAKE_PREFIX_PATH"), ";") {
		if look.IsPath(d) && len(d) > 2 && d[1] == ':' {
			add(strings.TrimRight(strings.ReplaceAll(d, "/", `\`), `\`))
		}
	}
	places := []string{`C:\`, `D:\`, w.envPath("USERPROFILE"), h.Join(w.envPath("USERPROFILE"), "Downloads")}
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
	for _, v := range []string{`C:\msys64\ucrt64`, `C:\msys64\mingw64`} {
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

// dlls adds the copy in one folder, if its DLLs (or static libraries) are there.
func (s *search) dlls(ctx context.Context, dir string, searched bool) {
	var core, static string
	best := 99
	names := s.spec.dllNames()
	var parts []string
	for _, e := range s.list(ctx, dir) {
		low := strings.ToLower(e.Name)
		for i, pattern := range names {
			if ok, err := path.Match(pattern, low); ok && err == nil && i < best && !strings.HasSuffix(low, "d.dll") && !e.Dir {
				core, best = e.Name, i
			}
		}
		stem, isLib := strings.CutSuffix(low, ".lib")
		if isLib && slices.Contains(s.spec.libs, stem) {
			static = e.Name
		}
		if stem, ok := strings.CutSuffix(low, ".dll"); ok {
			for lib, part := range s.spec.parts {
				if strings.EqualFold(lib, stem) {
					parts = append(parts, part)
				}
			}
		}
	}
	if core == "" && static == "" {
		return
	}
	// oneAPI's latest is a link to a release's folder.
	lib := s.real(ctx, s.h.Join(dir, core))
	if core != "" {
		dir = s.h.DirOf(lib)
	}
	prefix := prefixOf(dir)
	if core == "" {
		// An import library beside headers, or an archive: ncnn comes so.
		for _, c := range s.copies {
			if c.prefix == prefix {
				c.dev = true
				return
			}
		}
		if s.spec.component != "ncnn" && s.spec.component != "executorch" && s.spec.component != "mace" {
			return
		}
		c := s.add(&copyOf{prefix: prefix, libDir: dir, static: true, dev: true})
		c.note("file", s.h.Join(dir, static), "static library")
		return
	}
	var c *copyOf
	for _, o := range s.copies {
		if strings.EqualFold(o.lib, lib) {
			return // seen through a link already, in an earlier folder
		}
		if o.lib == "" && (o.kind != "" && (within(dir, o.prefix) || dir == o.prefix) || o.prefix == prefix) {
			c = o
		}
	}
	if c == nil {
		c = s.add(&copyOf{prefix: prefix})
	}
	c.lib, c.libDir, c.soname = lib, dir, core
	c.dev = c.dev || static != ""
	for _, part := range parts {
		c.add(part)
	}
	c.note("file", c.lib, "library")
	if !searched {
		return
	}
	for _, o := range s.copies {
		if o != c && slices.Contains(o.via, viaDLL) && strings.EqualFold(o.soname, c.soname) {
			c.set("shadowed", "by "+o.lib)
			return
		}
	}
	c.wins(viaDLL)
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
	for i, b := range bases {
		if slices.Contains(bases[:i], b) || len(s.list(ctx, b)) == 0 {
			continue
		}
		file, _, version, macros := s.findHeaders(ctx, b)
		if file == "" {
			continue
		}
		prefix := prefixOf(b)
		var c *copyOf
		for _, o := range s.copies {
			if strings.EqualFold(o.prefix, prefix) && c == nil {
				c = o
			}
		}
		if c == nil {
			c = s.add(&copyOf{prefix: prefix})
		}
		c.include, c.headerVersion = b, version
		c.version = better(c.version, version)
		c.note("header", file, "headers "+version)
		if s.spec.details != nil {
			attrs, has := s.spec.details(macros)
			for k, v := range attrs {
				c.set(k, look.Clean(v))
			}
			for _, part := range has {
				c.add(part)
			}
		}
	}
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
		c.conflict = fmt.Sprintf("the headers in %s are %s, the library %s is %s", c.include, c.headerVersion, c.lib, v)
		c.version = v
	}
}

// windowsSettle picks the active copy: the DLL that the search order finds
// first, else the one that a variable or CMake names.
func (s *search) windowsSettle(ctx context.Context) {
	byCMake := (*copyOf)(nil)
	for _, p := range s.spec.cmake {
		d := s.envPath(p + "_DIR")
		if d == "" || byCMake != nil {
			continue
		}
		for _, dir := range []string{d, s.h.Join(d, "lib")} {
			if c := s.cmakePackage(ctx, dir); c != nil && byCMake == nil {
				byCMake = c
				c.wins(viaCMake)
			}
		}
	}
	for _, v := range s.spec.env {
		value := s.envPath(v)
		if value == "" {
			continue
		}
		hit := false
		for _, c := range s.copies {
			if strings.EqualFold(c.prefix, value) || strings.EqualFold(c.prefix, prefixOf(value)) || strings.EqualFold(c.libDir, value) || within(strings.ToLower(c.prefix), strings.ToLower(value)) {
				if c.attrs["env"] == "" {
					c.set("env", v)
				}
				hit = true
				break
			}
		}
		if !hit && len(s.stale) < 8 {
			s.stale = append(s.stale, fmt.Sprintf("%s is %s, where no %s is", v, value, s.spec.component))
		}
	}
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
				out = append(out, fmt.Sprintf("the search order finds %s (%s) before %s (%s): programs load it unless the other lies in their own folder",
					first.lib, orUnknown(first.version), c.lib, orUnknown(c.version)))
			}
		}
		if named != nil && named != first && !(named.version != "" && named.version == first.version) {
			by := named.attrs["env"]
			if named == byCMake {
				by = "CMake"
			}
			out = append(out, fmt.Sprintf("%s leads to %s in %s but the search order finds %s in %s", by, orUnknown(named.version), named.prefix, orUnknown(first.version), first.libDir))
		}
		first.conflict = strings.Join(out, "; ")
	case named != nil:
		named.active = true
		named.set("why", "a variable names it; its libraries are not in PATH, so programs start only with copies beside them")
		if named.static {
			named.set("why", "a variable names it")
		}
	}
}

func orUnknown(v string) string {
	if v == "" {
		return "of unknown version"
	}
	return v
}
