package opencv

import (
	"context"
	"slices"
	"sort"
	"strings"
)

// windows finds the copies of Windows: the DLLs in the search order, official
// packages and build trees by their usual places, and CMake's files.
func (s *search) windows(ctx context.Context) {
	h := s.h
	pathDirs := h.PathDirs()
	// The order in which LoadLibrary looks for a DLL by name, the program's own
	// folder apart (Microsoft, "Dynamic-link library search order").
	root := h.Env("SystemRoot")
	if root == "" {
		root = `C:\Windows`
	}
	search := append([]string{h.Join(root, "System32"), root}, pathDirs...)
	dirs := slices.Clone(search)
	for _, top := range s.windowsRoots(ctx) {
		dirs = append(dirs, s.windowsBins(ctx, top)...)
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		key := strings.ToLower(strings.TrimRight(dir, `\/`))
		if seen[key] || len(seen) > 600 || ctx.Err() != nil {
			continue
		}
		seen[key] = true
		s.dlls(ctx, dir, slices.Contains(search, dir))
	}
	for _, c := range slices.Clone(s.copies) {
		s.besideDLLs(ctx, c)
	}
	for _, name := range []string{"OpenCV_DIR", "OPENCV_DIR"} {
		v := h.Env(name)
		if v == "" {
			continue
		}
		for _, d := range []string{v, h.Join(v, "lib"), h.Join(v, `..\..`)} {
			if c := s.config(ctx, d); c != nil {
				c.wins(viaCMake)
				break
			}
		}
	}
	var first *copyOf
	for _, c := range s.copies {
		if slices.Contains(c.via, viaDLL) {
			first = c
			break
		}
	}
	switch {
	case first != nil:
		first.active = true
		first.set("why", "its DLLs come first in the search order, in "+first.libDir)
		for _, c := range s.copies {
			if c != first && slices.Contains(c.via, viaCMake) && !agree(c.version, first.version) {
				first.conflict = "CMake finds " + c.version + " in " + c.prefix + " but the DLL search order finds " + first.version + " in " + first.libDir
			}
		}
	default:
		for _, c := range s.copies {
			if slices.Contains(c.via, viaCMake) {
				c.active = true
				c.set("why", "OpenCV_DIR names it; its DLLs are not in PATH, so programs do not start")
				break
			}
		}
	}
}

// dlls adds the copies in one folder. Debug builds beside release builds are
// one copy; MinGW's (libopencv_) and MSVC's (opencv_) are two.
func (s *search) dlls(ctx context.Context, dir string, searched bool) {
	entries, err := s.h.ReadDir(ctx, dir)
	if err != nil {
		s.unreadable(err)
		return
	}
	type group struct {
		version, abi string
		modules      []string
		core         string
		debug        bool
	}
	groups := map[string]*group{}
	var keys []string
	for _, e := range entries {
		n, ok := parseLibName(e.Name)
		if !ok || !strings.HasSuffix(strings.ToLower(e.Name), ".dll") || strings.HasPrefix(n.Module, "videoio_ffmpeg") {
			continue
		}
		abi := "msvc"
		if strings.HasPrefix(strings.ToLower(e.Name), "lib") {
			abi = "mingw"
		}
		key := abi + n.Version
		g := groups[key]
		if g == nil {
			g = &group{version: n.Version, abi: abi}
			groups[key] = g
			keys = append(keys, key)
		}
		if n.Debug {
			g.debug = true
			continue
		}
		g.modules = append(g.modules, n.Module)
		if g.core == "" || n.Module == "core" || n.Module == "world" {
			g.core = e.Name
		}
	}
	sort.Strings(keys)
	for _, key := range keys {
		g := groups[key]
		if g.core == "" {
			continue // debug only: nothing a release build could load
		}
		if len(s.copies) >= maxCopies {
			return
		}
		c := &copyOf{prefix: s.windowsPrefix(dir), version: g.version}
		s.copies = append(s.copies, c)
		c.libDir, c.core, c.soname = dir, s.h.Join(dir, g.core), g.core
		c.modules = g.modules
		sort.Strings(c.modules)
		c.set("abi", g.abi)
		if g.debug {
			c.set("debug", "yes")
		}
		c.note("file", c.core, "library "+g.version)
		if searched {
			// Only the first folder with a DLL of that name wins.
			taken := false
			for _, o := range s.copies {
				taken = taken || o != c && slices.Contains(o.via, viaDLL) && strings.EqualFold(o.soname, c.soname)
			}
			if !taken {
				c.wins(viaDLL)
			} else {
				c.set("shadowed", "yes")
			}
		}
	}
}

// windowsPrefix is the folder that holds include beside the DLLs:
// …\build\x64\vc16\bin → …\build, …\install\x64\mingw\bin → …\install.
func (s *search) windowsPrefix(dir string) string {
	parts := strings.Split(strings.TrimRight(strings.ReplaceAll(dir, "/", `\`), `\`), `\`)
	if n := len(parts); n > 1 && strings.EqualFold(parts[n-1], "bin") {
		parts = parts[:n-1]
		if n := len(parts); n > 2 && (strings.HasPrefix(strings.ToLower(parts[n-1]), "vc") || strings.EqualFold(parts[n-1], "mingw")) {
			parts = parts[:n-2] // and the architecture above it
		}
	}
	return strings.Join(parts, `\`)
}

// besideDLLs looks for headers and CMake files of a copy.
func (s *search) besideDLLs(ctx context.Context, c *copyOf) {
	h := s.h
	for _, sub := range []string{"include", `include\opencv4`, `include\opencv5`} {
		dir := h.Join(c.prefix, sub)
		text, err := h.Text(ctx, h.Join(dir, `opencv2\core\version.hpp`))
		if err != nil {
			s.unreadable(err)
			continue
		}
		v := headerVersion(text)
		c.note("header", h.Join(dir, `opencv2\core\version.hpp`), "CV_VERSION "+v)
		if agree(v, c.version) {
			c.include, c.version = dir, better(c.version, v)
		} else {
			c.conflict = "the headers in " + dir + " are " + v + ", the DLLs in " + c.libDir + " are " + c.version
		}
		break
	}
	for _, dir := range []string{c.prefix, h.Join(c.prefix, "lib"), h.Join(c.libDir, `..\lib`), h.Join(c.prefix, `share\opencv4`), h.Join(c.prefix, `share\opencv`)} {
		file := h.Join(dir, "OpenCVConfig.cmake")
		if _, err := h.Stat(ctx, file); err == nil {
			c.cmake = file
			c.note("file", file, "CMake package")
			break
		}
	}
}

// windowsRoots are the tops of trees that hold an OpenCV.
func (s *search) windowsRoots(ctx context.Context) []string {
	h := s.h
	var out []string
	for _, v := range []string{"OpenCV_DIR", "OPENCV_DIR", "OpenCV_ROOT", "OPENCV_ROOT", "OPENCV_HOME"} {
		if p := h.Env(v); p != "" {
			out = append(out, p)
		}
	}
	for _, drive := range []string{`C:\`, `D:\`} {
		out = append(out, h.Glob(ctx, drive, "opencv*")...)
	}
	// gocv's own place, MSYS2, Chocolatey, vcpkg, conda.
	out = append(out, `C:\opencv\build\install`, `C:\tools\opencv`, `C:\msys64\ucrt64`, `C:\msys64\mingw64`, `C:\msys64\clang64`)
	for _, v := range []string{"VCPKG_ROOT", "VCPKG_INSTALLATION_ROOT"} {
		if p := h.Env(v); p != "" {
			out = append(out, h.Glob(ctx, h.Join(p, "installed"), "*-windows*")...)
		}
	}
	out = append(out, h.Glob(ctx, `C:\vcpkg\installed`, "*-windows*")...)
	if p := h.Env("CONDA_PREFIX"); p != "" {
		out = append(out, h.Join(p, "Library"))
	}
	return out
}

// windowsBins are the folders below a tree's top where its DLLs lie.
func (s *search) windowsBins(ctx context.Context, top string) []string {
	h := s.h
	out := []string{top, h.Join(top, "bin")}
	for _, base := range []string{top, h.Join(top, "build"), h.Join(top, `build\install`), h.Join(top, `opencv\build`)} {
		arch := "x64"
		switch h.Arch {
		case "386":
			arch = "x86"
		case "arm64":
			arch = "ARM64"
		}
		if base != top {
			out = append(out, h.Join(base, "bin"), h.Join(base, `bin\Release`))
		}
		entries, err := h.ReadDir(ctx, h.Join(base, arch))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if low := strings.ToLower(e.Name); strings.HasPrefix(low, "vc") || low == "mingw" || low == "bin" {
				out = append(out, h.Join(base, arch, e.Name, "bin"))
			}
		}
	}
	return out
}
