// Package opencv finds every copy of OpenCV on a host: its libraries, headers,
// pkg-config and CMake files and the build information inside the library,
// which of them wins in which lookup, and where the lookups disagree.
//
// It reads files, and asks pkg-config. It must never load an OpenCV library: one that lacks a
// dependency or an instruction set would take the process with it.
package opencv

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/loader"
)

// Component is a copy that programs can be built against or run with.
const Component = "opencv"

// Lookups, as they stand in Instance.Via.
const (
	viaPkgConfig = "pkg-config"
	viaCMake     = "cmake"
	viaInclude   = "include"
	viaLink      = "link"
	viaLoader    = "ldconfig"
	viaLibPath   = "LD_LIBRARY_PATH"
	viaDLL       = "dll"
)

const (
	maxCopies = 64
	// maxSearch bounds how much of one library is read for its build
	// information; the largest known (a static build with CUDA kernels) keeps
	// it within its first 200 MB.
	maxSearch = 512 << 20
	// maxSearches bounds how many libraries are read.
	maxSearches = 8
)

// Provides lists the topics and components this probe is the source of.
func Provides() []string { return []string{Component} }

// Probe finds OpenCV. Component: opencv.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	s := &search{h: h, seenHeaders: map[string]found{}, seenConfigs: map[string]found{}}
	switch h.OS {
	case "windows":
		s.windows(ctx)
	default:
		s.unix(ctx)
	}
	s.buildInfo(ctx)
	var f facts.Facts
	for _, c := range s.copies {
		f.Add(Component, c.instance(h))
	}
	return f, errors.Join(ctx.Err(), errors.Join(s.errs...))
}

// search is one run of the probe.
type search struct {
	h      *host.Host
	copies []*copyOf
	// What was looked for once is not read again; several lookups pass by.
	seenHeaders, seenConfigs map[string]found
	errs                     []error
}

type found struct {
	version string
	c       *copyOf
}

// copyOf is one copy of OpenCV: what belongs to one version below one prefix.
type copyOf struct {
	prefix  string
	version string
	// core is the library that stands for all (core, world, or the first).
	core string
	// soname is what programs linked against it ask the loader for.
	soname string
	libDir string
	// modules of the shared libraries; static those of archives.
	modules, static []string
	dev             bool // the linker finds libopencv_core.so here
	include         string
	pc, cmake       string
	via             []string
	active          bool
	unseen          *facts.Unseen
	attrs           map[string]string
	evidence        []facts.Evidence
	built           facts.Built
	conflict        string
}

func (c *copyOf) note(kind, source, detail string) {
	c.evidence = append(c.evidence, facts.Evidence{Kind: kind, Source: source, Detail: detail})
}

func (c *copyOf) set(key, value string) {
	if value == "" {
		return
	}
	if c.attrs == nil {
		c.attrs = map[string]string{}
	}
	c.attrs[key] = value
}

func (c *copyOf) wins(via string) {
	if !slices.Contains(c.via, via) {
		c.via = append(c.via, via)
	}
}

// at returns the copy below a prefix that can be of that version, or a new one.
// The library's own version is the most precise and comes first, so later,
// vaguer evidence joins it.
func (s *search) at(prefix, version string) *copyOf {
	version = bare(version)
	for _, c := range s.copies {
		if c.prefix == prefix && agree(c.version, version) {
			c.version = better(c.version, version)
			return c
		}
	}
	c := &copyOf{prefix: prefix, version: version}
	if len(s.copies) < maxCopies {
		s.copies = append(s.copies, c)
	}
	return c
}

// instance is the copy as a fact.
func (c *copyOf) instance(h *host.Host) facts.Instance {
	has := append([]string(nil), c.modules...)
	if len(c.modules) == 0 {
		has = append(has, c.static...)
	}
	if c.include != "" {
		has = append(has, "headers")
	}
	if len(c.modules) > 0 {
		has = append(has, "shared")
	}
	if len(c.static) > 0 {
		has = append(has, "static")
	}
	if c.dev {
		has = append(has, "dev")
	}
	if c.pc != "" {
		has = append(has, "pkg-config")
	}
	if c.cmake != "" {
		has = append(has, "cmake")
	}
	for part, key := range map[string]string{
		"cuda": "build.cuda", "cudnn": "build.cudnn", "opencl": "build.opencl", "openvino": "build.openvino",
		"ffmpeg": "build.ffmpeg", "gstreamer": "build.gstreamer", "nonfree": "build.nonfree",
	} {
		if Yes(c.attrs[key]) {
			has = append(has, part)
		}
	}
	// One library that holds every module says which in its build information.
	if slices.Contains(c.modules, "world") || slices.Contains(c.static, "world") {
		built := strings.Fields(c.attrs["build.modules"])
		if len(built) == 0 && strings.HasPrefix(c.version, "4.") {
			// Unread; a world has every main module unless its builder left some out
			// (OpenCV 4's modules folder, dnn among them since 3.3).
			built = []string{"calib3d", "core", "dnn", "features2d", "flann", "highgui", "imgcodecs", "imgproc", "ml", "objdetect", "photo", "stitching", "video", "videoio"}
		}
		has = append(has, built...)
	}
	sort.Strings(has)
	c.set("lib", c.core)
	c.set("libdir", c.libDir)
	c.set("soname", c.soname)
	c.set("include", c.include)
	c.set("pc", c.pc)
	c.set("cmake", c.cmake)
	i := facts.Instance{
		Version: c.version, Path: c.prefix, Active: c.active, Via: c.via, Has: slices.Compact(has), Attrs: c.attrs, Unseen: c.unseen, Evidence: c.evidence,
		Places: facts.Places{Lib: c.libDir, Include: c.include},
		Built:  c.built, Conflict: c.conflict,
	}
	i.Built.CPU = baseline(h.Arch, c.attrs["build.cpu_baseline"])
	if c.pc != "" {
		i.Places.PkgConfig = h.DirOf(c.pc)
	}
	if c.cmake != "" {
		i.Places.CMake = h.DirOf(c.cmake)
	}
	if h.Windows() {
		i.Places.Lib, i.Places.Bin = "", c.libDir
		i.Built.Compiler = c.attrs["abi"] // by the names of its DLLs
		i.Built.Toolset = toolset(c.libDir)
		if i.Built.Compiler == "msvc" {
			i.Built.CXXABI = "msvc"
		}
	}
	return i
}

// toolset is the MSVC toolset by the folder that OpenCV's build names after it
// (OpenCVDetectCXXCompiler.cmake: vc14 to vc17 for v140 to v143).
func toolset(dir string) string {
	for _, part := range strings.Split(strings.ToLower(dir), `\`) {
		if t := map[string]string{"vc14": "v140", "vc15": "v141", "vc16": "v142", "vc17": "v143"}[part]; t != "" {
			return t
		}
	}
	return ""
}

// libraries adds the libraries of one folder.
func (s *search) libraries(ctx context.Context, dir string, files []string) {
	prefix := prefixOf(dir)
	type group struct {
		version string
		files   map[string]string // module → file
	}
	var groups []*group
	var links, static []string
	// Full versions first, so that a SONAME's two numbers join them.
	parsed := map[string]libName{}
	for _, file := range files {
		name := path.Base(file)
		if n, ok := parseLibName(name); ok {
			parsed[file] = n
		}
	}
	order := make([]string, 0, len(parsed))
	for file := range parsed {
		order = append(order, file)
	}
	sort.Slice(order, func(a, b int) bool {
		x, y := strings.Count(parsed[order[a]].Version, "."), strings.Count(parsed[order[b]].Version, ".")
		if x != y {
			return x > y
		}
		return order[a] < order[b]
	})
	for _, file := range order {
		n := parsed[file]
		switch {
		case n.Static:
			static = append(static, n.Module)
			continue
		case n.Suffix == "":
			links = append(links, file)
			continue
		}
		var g *group
		for _, have := range groups {
			if agree(have.version, n.Version) {
				g = have
				break
			}
		}
		if g == nil {
			g = &group{version: n.Version, files: map[string]string{}}
			groups = append(groups, g)
		}
		if g.files[n.Module] == "" {
			g.files[n.Module] = file
		}
	}
	for _, g := range groups {
		c := s.at(prefix, g.version)
		if c.core != "" {
			// A second folder of the same prefix holds the same release again:
			// a copy of its own, or two names of one folder.
			if c.libDir == dir {
				continue
			}
			c = &copyOf{prefix: dir, version: g.version}
			s.copies = append(s.copies, c)
		}
		c.libDir = dir
		for module := range g.files {
			c.modules = append(c.modules, module)
		}
		sort.Strings(c.modules)
		main := c.modules[0]
		for _, m := range []string{"world", "core"} {
			if g.files[m] != "" {
				main = m
			}
		}
		c.core = g.files[main]
		for _, file := range order {
			n := parsed[file]
			if n.Module == main && n.Suffix != "" && agree(n.Version, g.version) && (c.soname == "" || len(path.Base(file)) < len(c.soname)) {
				c.soname = path.Base(file)
			}
		}
		detail := "library " + c.version
		if c.soname != "" {
			detail += ", SONAME by its links " + c.soname
		}
		c.note("file", c.core, detail)
	}
	for _, file := range links {
		n := parsed[file]
		if n.Module != "core" && n.Module != "world" {
			continue
		}
		real, err := s.h.Resolve(ctx, file)
		if err != nil {
			continue // a dangling link serves nobody
		}
		target, _ := parseLibName(path.Base(real))
		c := s.byLibrary(dir, target.Version)
		if c == nil {
			// conda and some builds install the bare name as the file itself.
			c = s.at(prefix, target.Version)
			c.core, c.libDir, c.modules = real, dir, append(c.modules, n.Module)
			c.note("file", file, "library")
		}
		c.dev = true
	}
	if len(static) > 0 {
		sort.Strings(static)
		c := s.inLibDir(dir)
		if c == nil {
			c = s.at(prefix, "")
			c.libDir = dir
			c.note("file", dir, "static libraries")
		}
		c.static = static
		c.dev = true
	}
}

func (s *search) byLibrary(dir, version string) *copyOf {
	for _, c := range s.copies {
		if c.libDir == dir && agree(c.version, version) {
			return c
		}
	}
	return nil
}

func (s *search) inLibDir(dir string) *copyOf {
	for _, c := range s.copies {
		if c.libDir == dir {
			return c
		}
	}
	return nil
}

// real follows links, so that a folder of links (Homebrew's lib, GNU stow) is no
// copy of its own.
func (s *search) real(ctx context.Context, name string) string {
	if r, err := s.h.Resolve(ctx, name); err == nil {
		return r
	}
	return name
}

// headers adds the headers of one include folder, if OpenCV's are there, and
// returns their version.
func (s *search) headers(ctx context.Context, dir string) (string, *copyOf) {
	const tail = "/opencv2/core/version.hpp"
	if seen, ok := s.seenHeaders[dir]; ok {
		return seen.version, seen.c
	}
	text, err := s.h.Text(ctx, dir+tail)
	if err != nil {
		s.unreadable(err)
		s.seenHeaders[dir] = found{}
		return "", nil
	}
	v := headerVersion(text)
	where := strings.TrimSuffix(s.real(ctx, dir+tail), tail)
	c := s.at(prefixOf(where), v)
	if c.include == "" {
		c.include = where
		c.note("header", where+tail, "CV_VERSION "+v)
		if status := strings.TrimPrefix(v, bare(v)); status != "" {
			c.set("status", strings.TrimPrefix(status, "-"))
		}
	}
	s.seenHeaders[dir] = found{v, c}
	return v, c
}

// config adds the CMake package of one folder, if it is there.
func (s *search) config(ctx context.Context, dir string) *copyOf {
	if seen, ok := s.seenConfigs[dir]; ok {
		return seen.c
	}
	file := s.h.Join(dir, "OpenCVConfig.cmake")
	for _, c := range s.copies {
		if c.cmake == file || s.h.Windows() && strings.EqualFold(c.cmake, file) {
			return c
		}
	}
	text, err := s.h.Text(ctx, file)
	if err != nil {
		s.unreadable(err)
		s.seenConfigs[dir] = found{}
		return nil
	}
	v, source := configVersion(text), file
	if v == "" {
		// 2.4 and 3.x keep it in the file beside.
		source = s.h.Join(dir, "OpenCVConfig-version.cmake")
		if text, err = s.h.Text(ctx, source); err == nil {
			v = configVersion(text)
		}
	}
	c := s.at(prefixOf(s.h.DirOf(s.real(ctx, file))), v)
	if c.cmake == "" {
		c.cmake = file
		c.note("file", source, "OpenCV_VERSION "+v)
	}
	s.seenConfigs[dir] = found{v, c}
	return c
}

// unreadable keeps errors that hide something; absence is not one.
func (s *search) unreadable(err error) {
	if err != nil && !host.IsNotExist(err) && !errors.Is(err, host.ErrNotRecorded) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && len(s.errs) < 8 {
		s.errs = append(s.errs, err)
	}
}

// prefixOf is the installation prefix of a lib, include, share or CMake folder:
// what stands before the last such element.
func prefixOf(dir string) string {
	if strings.Contains(dir, `\`) {
		return strings.ReplaceAll(prefixOf(strings.ReplaceAll(dir, `\`, "/")), "/", `\`)
	}
	clean := path.Clean(dir)
	parts := strings.Split(clean, "/")
	for i := len(parts) - 1; i > 0; i-- {
		switch parts[i] {
		case "lib", "lib64", "lib32", "libs", "include", "share", "bin":
			prefix := strings.Join(parts[:i], "/")
			if prefix == "" {
				prefix = "/usr" // /lib is /usr/lib on every merged system
			}
			return prefix
		}
	}
	return clean
}

// buildInfo reads the text of cv::getBuildInformation out of the libraries'
// bytes: it is a string constant in core (or world).
func (s *search) buildInfo(ctx context.Context) {
	done := 0
	sort.SliceStable(s.copies, func(a, b int) bool { return s.copies[a].active && !s.copies[b].active })
	for _, c := range s.copies {
		file := c.core
		if file == "" || done == maxSearches {
			continue
		}
		done++
		info, ok, err := buildInfoOf(ctx, s.h, file)
		s.unreadable(err)
		if !ok {
			continue
		}
		for k, v := range info.Attrs() {
			c.set(k, v)
		}
		info.built(&c.built)
		// A library named by its SONAME alone tells its patch release here.
		if agree(c.version, info.Version) {
			c.version = better(c.version, bare(info.Version))
		}
		c.note("file", file, "build information of OpenCV "+info.Version)
	}
}

func buildInfoOf(ctx context.Context, h *host.Host, file string) (BuildInfo, bool, error) {
	data, err := h.Search(ctx, file, marker, maxSearch, maxInfo)
	if err != nil {
		return BuildInfo{}, false, fmt.Errorf("read the build information in %s: %w", file, err)
	}
	info, ok := ParseBuildInfo(string(data))
	return info, ok, nil
}

// BuiltOf reads what a library of OpenCV was built for out of its build
// information; false when it has none.
func BuiltOf(ctx context.Context, h *host.Host, file string) (facts.Built, bool, error) {
	info, ok, err := buildInfoOf(ctx, h, file)
	if !ok || err != nil {
		return facts.Built{}, false, err
	}
	attrs := info.Attrs()
	built := facts.Built{CPU: baseline(h.Arch, attrs["build.cpu_baseline"]), Backends: []string{"cpu"}}
	info.built(&built)
	for _, part := range []string{"cuda", "opencl"} {
		if Yes(attrs["build."+part]) {
			built.Backends = append(built.Backends, part)
		}
	}
	return built, true, nil
}

// unix finds the copies of Linux and macOS and settles the lookups.
func (s *search) unix(ctx context.Context) {
	h := s.h
	libs := loader.Open(ctx, h)
	dirs := libs.Dirs(ctx)
	if h.OS == "darwin" {
		dirs = s.kegs(ctx)
	}
	// Folders known only through the cache (ld.so.conf was changed since).
	for _, e := range libs.Cached("libopencv_") {
		if d := libs.Real(ctx, path.Dir(e.Path)); !slices.Contains(dirs, d) && len(dirs) < 512 {
			dirs = append(dirs, d)
		}
	}
	for _, p := range s.namedPrefixes(ctx) {
		for _, d := range []string{p, p + "/lib", p + "/lib64", p + "/lib/" + loader.Triplet(h.Arch)} {
			if d = libs.Real(ctx, d); !slices.Contains(dirs, d) {
				dirs = append(dirs, d)
			}
		}
	}
	pcDirs := loader.PkgConfigDirs(ctx, h)
	packages := s.packages(ctx, pcDirs, dirs)
	for _, p := range packages {
		for _, d := range p.Lib {
			if d = libs.Real(ctx, d); path.IsAbs(d) && !slices.Contains(dirs, d) && len(dirs) < 512 {
				dirs = append(dirs, d)
			}
		}
	}
	done := map[string]bool{}
	for i := 0; i < len(dirs); i++ {
		dir := libs.Real(ctx, dirs[i])
		files := libs.InDir(ctx, dir, "libopencv_")
		if done[dir] || len(files) == 0 {
			continue
		}
		done[dir] = true
		// A folder of nothing but links into another: the libraries are there.
		home := dir
		for _, f := range files {
			if home = path.Dir(s.real(ctx, f)); home == dir {
				break
			}
		}
		if home != dir && len(dirs) < 512 {
			dirs = append(dirs, home)
			continue
		}
		s.libraries(ctx, dir, files)
	}
	for _, p := range packages {
		c := s.ofPackage(ctx, p)
		if c.pc == "" {
			c.pc = p.File
		}
		c.note("file", p.File, "Version: "+p.Version)
	}
	s.allHeaders(ctx, packages)
	s.allConfigs(ctx)
	s.settle(ctx, libs, pcDirs)
}

// ofPackage returns the copy that a .pc file speaks of: the one below the prefix
// it names, or else the one it lies in (a tree that was moved), or a new one.
func (s *search) ofPackage(ctx context.Context, p loader.Package) *copyOf {
	var prefixes []string
	if v := p.Vars["prefix"]; path.IsAbs(v) {
		prefixes = append(prefixes, s.real(ctx, path.Clean(v)), path.Clean(v))
	}
	prefixes = append(prefixes, prefixOf(path.Dir(s.real(ctx, p.File))), prefixOf(path.Dir(p.File)))
	for _, prefix := range prefixes {
		for _, c := range s.copies {
			if c.prefix == prefix && agree(c.version, bare(p.Version)) {
				return s.at(prefix, p.Version)
			}
		}
	}
	return s.at(prefixes[0], p.Version)
}

// namedPrefixes are folders that the environment names.
func (s *search) namedPrefixes(ctx context.Context) []string {
	var out []string
	for _, name := range []string{"CONDA_PREFIX", "OpenCV_ROOT", "OPENCV_ROOT", "OpenCV_HOME", "OPENCV_HOME"} {
		if v := s.h.Env(name); path.IsAbs(v) {
			out = append(out, path.Clean(v))
		}
	}
	for _, name := range []string{"OpenCV_DIR", "OPENCV_DIR"} {
		if v := s.h.Env(name); path.IsAbs(v) {
			out = append(out, prefixOf(v))
		}
	}
	out = append(out, loader.SplitPath(s.h.Env("CMAKE_PREFIX_PATH"))...)
	if v := s.h.Env("VCPKG_ROOT"); path.IsAbs(v) {
		entries, err := s.h.ReadDir(ctx, path.Join(v, "installed"))
		if err == nil {
			for _, e := range entries {
				out = append(out, path.Join(v, "installed", e.Name))
			}
		}
	}
	if s.h.OS == "linux" {
		out = append(out, "/home/linuxbrew/.linuxbrew")
	}
	return out
}

// packages reads every .pc file of OpenCV: where pkg-config looks, and beside
// the libraries where it may not look.
func (s *search) packages(ctx context.Context, pcDirs, libDirs []string) []loader.Package {
	dirs := append([]string(nil), pcDirs...)
	for _, d := range libDirs {
		dirs = append(dirs, path.Join(d, "pkgconfig"))
	}
	var out []loader.Package
	seen := map[string]bool{}
	for _, dir := range dirs {
		if len(out) >= maxCopies || ctx.Err() != nil {
			break
		}
		for _, file := range s.h.Glob(ctx, dir, "opencv*.pc") {
			real, err := s.h.Resolve(ctx, file)
			if err != nil {
				real = file
			}
			if seen[real] {
				continue
			}
			seen[real] = true
			text, err := s.h.Text(ctx, file)
			if err != nil {
				s.unreadable(err)
				continue
			}
			out = append(out, loader.ParsePackage(file, text))
		}
	}
	return out
}

// includeDirs are OpenCV's folders below an include folder, newest first.
var includeDirs = []string{"/opencv5", "/opencv4", "/opencv3", "", "/opencv-4"}

func (s *search) allHeaders(ctx context.Context, packages []loader.Package) {
	var bases []string
	add := func(d string) {
		if !slices.Contains(bases, d) && len(bases) < 256 {
			bases = append(bases, d)
		}
	}
	add("/usr/include")
	add("/usr/local/include")
	for _, c := range s.copies {
		add(c.prefix + "/include")
	}
	for _, p := range s.namedPrefixes(ctx) {
		add(p + "/include")
	}
	for _, v := range []string{"CPATH", "CPLUS_INCLUDE_PATH"} {
		for _, d := range loader.SplitPath(s.h.Env(v)) {
			add(d)
		}
	}
	for _, b := range bases {
		if !s.h.Exists(ctx, b) {
			continue
		}
		for _, sub := range includeDirs {
			s.headers(ctx, b+sub)
		}
	}
	for _, p := range packages {
		for _, d := range p.Include {
			if path.IsAbs(d) {
				s.headers(ctx, d)
			}
		}
	}
}

// configDirs returns where CMake finds OpenCVConfig.cmake below a prefix.
func (s *search) configDirs(prefix string) []string {
	var out []string
	libs := []string{"lib", "lib64"}
	if t := loader.Triplet(s.h.Arch); t != "" {
		libs = append([]string{"lib/" + t}, libs...)
	}
	for _, lib := range libs {
		for _, name := range []string{"opencv4", "opencv5", "opencv", "OpenCV"} {
			out = append(out, path.Join(prefix, lib, "cmake", name))
		}
	}
	for _, name := range []string{"opencv4", "opencv5", "opencv", "OpenCV"} {
		out = append(out, path.Join(prefix, "share", name))
	}
	return out
}

// cmakePrefixes are the prefixes find_package visits, in its order: what the
// environment names, the parents of PATH's bin folders, the system's.
func (s *search) cmakePrefixes() []string {
	out := loader.SplitPath(s.h.Env("CMAKE_PREFIX_PATH"))
	for _, d := range s.h.PathDirs() {
		d = path.Clean(d)
		if b := path.Base(d); path.IsAbs(d) && (b == "bin" || b == "sbin") {
			d = path.Dir(d)
		}
		if path.IsAbs(d) && d != "/" && !slices.Contains(out, d) && len(out) < 64 {
			out = append(out, d)
		}
	}
	system := []string{"/usr/local", "/usr"}
	if s.h.OS == "darwin" {
		system = append([]string{"/opt/homebrew"}, system...)
	}
	for _, d := range system {
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

func (s *search) allConfigs(ctx context.Context) {
	seen := map[string]bool{}
	for _, c := range append([]*copyOf(nil), s.copies...) {
		if seen[c.prefix] {
			continue
		}
		seen[c.prefix] = true
		for _, d := range s.configDirs(c.prefix) {
			s.config(ctx, d)
		}
		s.config(ctx, c.prefix) // a build tree keeps it at its top
	}
}

// cmake returns the copy that find_package(OpenCV) takes.
func (s *search) cmakeWinner(ctx context.Context) *copyOf {
	for _, name := range []string{"OpenCV_DIR", "OPENCV_DIR"} {
		if v := s.h.Env(name); v != "" {
			if c := s.config(ctx, path.Clean(v)); c != nil {
				return c
			}
		}
	}
	for _, prefix := range s.cmakePrefixes() {
		for _, d := range s.configDirs(prefix) {
			if c := s.config(ctx, d); c != nil {
				return c
			}
		}
	}
	return nil
}
