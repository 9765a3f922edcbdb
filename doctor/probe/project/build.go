package project

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// sourceFolder is the folder with the sources that the current folder builds: itself, the
// one that CMake was started with here, or, where that is still to be done, the one
// above a folder named for a build.
func (p *prober) sourceFolder() string {
	own := p.h.Dir
	if p.h.Exists(p.ctx, p.h.Join(own, "CMakeLists.txt")) {
		return own
	}
	if c := p.readCache(own); c != nil {
		home := c.value("CMAKE_HOME_DIRECTORY")
		if p.h.Windows() {
			home = strings.ReplaceAll(home, "/", `\`)
		}
		if p.h.Exists(p.ctx, p.h.Join(home, "CMakeLists.txt")) {
			return home
		}
		return own
	}
	name := strings.ToLower(p.h.Base(own))
	named := slices.ContainsFunc([]string{"build", "_build", "cmake-build-"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	if up := p.h.DirOf(own); named && p.h.Exists(p.ctx, p.h.Join(up, "CMakeLists.txt")) {
		return up
	}
	return own
}

// entry is one line of CMake's cache.
type entry struct {
	name, value string
	text        string // the line
	line        int
}

// cached is what CMake remembers in one folder.
type cached struct {
	file    string
	entries []entry
}

// value is what an entry has, "" for none.
func (c *cached) value(name string) string {
	for _, e := range c.entries {
		if e.name == name {
			return e.value
		}
	}
	return ""
}

// cacheOf reads the cache in a folder, nil where there is none.
func (p *prober) cacheOf(dir string) *cached {
	const enough = 2 << 20 // OpenCV's has some 600 KiB
	c := &cached{file: p.h.Join(dir, "CMakeCache.txt")}
	data, _, err := p.h.ReadFile(p.ctx, c.file, enough)
	if err != nil {
		return nil
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		name, rest, _ := strings.Cut(line, ":")
		if _, value, ok := strings.Cut(rest, "="); ok && value != "" && name != "" && name[0] != '#' && name[0] != '/' {
			c.entries = append(c.entries, entry{name, value, line, n})
		}
	}
	return c
}

// readCache is cacheOf where the cache was made in that folder, nil otherwise.
func (p *prober) readCache(dir string) *cached {
	c := p.cacheOf(dir)
	if c == nil {
		return nil
	}
	if made := c.value("CMAKE_CACHEFILE_DIR"); made != "" && !p.same(made, dir) {
		return nil
	}
	return c
}

// otherLinker is the link.exe of GNU's coreutils, in the folder that Git and MSYS2 have it.
var otherLinker = lazyregexp.New(`(?i)[/\\]usr[/\\]bin[/\\]link\.exe$`)

// buildFolder reads what a build folder's cache says that this machine cannot do.
func (p *prober) buildFolder(dir string) {
	c := p.readCache(dir)
	if c == nil {
		return
	}
	project := c.value("CMAKE_PROJECT_NAME")
	if cuda := strings.ToLower(c.value("WITH_CUDA")); project == "OpenCV" && (cuda == "on" || cuda == "off") {
		p.p.CUDA = cuda
	}
	// A toolchain file builds for another system.
	if c.value("CMAKE_TOOLCHAIN_FILE") == "" && c.value("CMAKE_SYSTEM_NAME") == "" {
		p.instructions(c)
	}
	for _, e := range c.entries {
		l := facts.Leftover{Entry: e.name, Value: e.value, File: c.file, Line: e.line}
		switch {
		case project == "OpenCV" && e.name == "ENABLE_VFPV3" && e.value == "ON" && p.h.Arch == "arm64":
			l.Problem = facts.Not64BitARM
		case e.name == "Caffe_INCLUDE_DIRS" && c.value("BUILD_CAFFE") == "OFF":
			l.Problem, l.Detail = p.caffeProto(e.value)
		case (e.name == "CMAKE_AR" || e.name == "CMAKE_RANLIB") && p.h.OS == "darwin" && p.h.Exists(p.ctx, p.h.Join(p.h.DirOf(p.h.DirOf(e.value)), "conda-meta")):
			l.Problem = facts.ForeignArchiver
		case e.name == "CMAKE_LINKER" && p.h.Windows() && otherLinker.MatchString(e.value) && strings.HasSuffix(strings.ToLower(c.value("CMAKE_CXX_COMPILER")), "/cl.exe"):
			l.Value = strings.ReplaceAll(e.value, "/", `\`)
			l.Problem, l.Detail = facts.OtherLinker, p.h.DirOf(l.Value)
		}
		if l.Problem != "" {
			p.p.Leftovers = append(p.p.Leftovers, l)
		}
		if l.Problem == facts.ForeignArchiver {
			return // its other tools come from there, too
		}
	}
}

// caffeProto looks for the header that protoc makes of Caffe's caffe.proto. Caffe's own
// build puts it below its build folder, and the sources' include folder is without it
// (BVLC/caffe issue 1761).
func (p *prober) caffeProto(folders string) (facts.LeftoverProblem, string) {
	header := []string{"caffe", "proto", "caffe.pb.h"}
	first := ""
	for dir := range strings.SplitSeq(folders, ";") {
		if !p.gone(p.h.Join(append([]string{dir}, header...)...)) || p.gone(p.h.Join(dir, "caffe", "blob.hpp")) {
			return "", ""
		}
		if first == "" {
			first = dir
		}
	}
	root := p.h.DirOf(first)
	for _, below := range []string{"build/install/include", "build/include", ".build_release/src", "build/src"} {
		dir := p.h.Join(root, below)
		if p.h.Exists(p.ctx, p.h.Join(append([]string{dir}, header...)...)) {
			return facts.NoCaffeProto, dir
		}
	}
	return facts.NoCaffeProto, ""
}

// simdOptions are options of projects that compile all of it for instructions which
// not every processor has, by their names in CMake's cache: libfacedetection's, and
// that of Darknet's CMakeLists.txt. ncnn and OpenCV's CPU_DISPATCH choose at run time
// and are not among them.
var simdOptions = map[string][]string{
	"ENABLE_AVX2": {"avx2", "fma"}, "ENABLE_AVX512": {"avx512f", "avx512bw"}, "ENABLE_AVX": {"avx"},
	"ENABLE_SSE_AND_AVX_FLAGS": {"avx", "avx2"}, "USE_AVX": {"avx"}, "USE_AVX2": {"avx2"}, "WITH_AVX": {"avx"}, "WITH_AVX2": {"avx2"},
}

// simdFlags are options of compilers with what the code then uses (GCC manual, x86
// options).
var simdFlags = map[string][]string{
	"-mavx": {"avx"}, "-mavx2": {"avx2"}, "-mfma": {"fma"}, "-mf16c": {"f16c"}, "-mavx512f": {"avx512f"}, "-msse4.2": {"sse4_2"}, "-msse4.1": {"sse4_1"},
	"-march=haswell": {"avx2", "fma"}, "-march=broadwell": {"avx2", "fma"}, "-march=skylake": {"avx2", "fma"}, "-march=x86-64-v3": {"avx2", "fma"},
	"-march=skylake-avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}, "-march=x86-64-v4": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
	"-march=znver1": {"avx2", "fma"}, "-march=znver2": {"avx2", "fma"}, "-march=znver3": {"avx2", "fma"},
}

// armFlags are those of 64-bit ARM (GCC manual, AArch64 options): processors and
// architectures whose code Armv8.0 does not run, and what is added to them after a +.
var armFlags = map[string][]string{
	"-march=armv8.1-a": {"atomics"}, "-march=armv8.2-a": {"atomics"}, "-march=armv8.3-a": {"atomics"}, "-march=armv8.4-a": {"atomics", "dotprod"},
	"-mcpu=cortex-a55": {"atomics", "fphp", "dotprod"}, "-mcpu=cortex-a75": {"atomics", "fphp", "dotprod"}, "-mcpu=cortex-a76": {"atomics", "fphp", "dotprod"},
	"-mcpu=cortex-a77": {"atomics", "fphp", "dotprod"}, "-mcpu=cortex-a78": {"atomics", "fphp", "dotprod"}, "-mcpu=neoverse-n1": {"atomics", "fphp", "dotprod"},
	"+dotprod": {"dotprod"}, "+fp16": {"fphp", "asimdhp"}, "+lse": {"atomics"}, "+i8mm": {"i8mm"}, "+bf16": {"bf16"}, "+sve": {"sve"},
}

// flagFeatures are the instructions that an option of the compiler lets it use.
func flagFeatures(flag string) []string {
	if known := simdFlags[flag]; known != nil {
		return known
	}
	base, more, _ := strings.Cut(flag, "+")
	features := slices.Clone(armFlags[base])
	if !strings.HasPrefix(base, "-march=") && !strings.HasPrefix(base, "-mcpu=") {
		return nil
	}
	for name := range strings.SplitSeq(more, "+") {
		features = append(features, armFlags["+"+name]...)
	}
	return features
}

// instructions reads which instructions of the processor a build folder compiles for.
func (p *prober) instructions(c *cached) {
	if p.h.Arch != "amd64" && p.h.Arch != "arm64" {
		return
	}
	opencv := c.value("CMAKE_PROJECT_NAME") == "OpenCV"
	for _, e := range c.entries {
		code := facts.CPUCode{Name: e.name, Value: e.value, File: c.file, Line: e.line}
		switch {
		case e.name == "CPU_BASELINE" && opencv:
			code.By, code.Features = "baseline", baseline(p.h.Arch, e.value)
		case simdOptions[e.name] != nil && (e.value == "ON" || e.value == "TRUE" || e.value == "1"):
			code.By, code.Features = "option", simdOptions[e.name]
		case strings.HasPrefix(e.name, "CMAKE_CXX_FLAGS") || strings.HasPrefix(e.name, "CMAKE_C_FLAGS") || e.name == "OPENCV_EXTRA_CXX_FLAGS":
			var flags []string
			for flag := range strings.FieldsSeq(e.value) {
				if known := flagFeatures(flag); known != nil {
					flags, code.Features = append(flags, flag), append(code.Features, known...)
				}
			}
			code.By, code.Value = "flag", strings.Join(flags, " ")
		}
		if len(code.Features) > 0 {
			p.p.CPUCode = append(p.p.CPUCode, code)
		}
	}
}

// baseline is what OpenCV's CPU_BASELINE names (cmake/OpenCVCompilerOptimizations.cmake).
func baseline(arch, value string) (features []string) {
	for word := range strings.FieldsFuncSeq(strings.ToUpper(value), func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		switch word {
		case "AVX512_SKX":
			features = append(features, "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl")
		case "FP16": // on 64-bit ARM every processor has these conversions
			if arch == "amd64" {
				features = append(features, "f16c")
			}
		case "NEON_FP16":
			features = append(features, "fphp", "asimdhp")
		default:
			if name := recipes.CanonicalFeature(strings.TrimPrefix(word, "NEON_")); slices.Contains(recipes.Features(), name) {
				features = append(features, name)
			}
		}
	}
	return features
}

// unclonedApart leaves out the folders that git did not fill, which are named as such.
func (p *prober) unclonedApart(list []facts.Missing) []facts.Missing {
	return slices.DeleteFunc(list, func(m facts.Missing) bool {
		return slices.ContainsFunc(p.p.Submodules, func(s facts.Submodule) bool {
			return m.Path == s.Path || strings.HasPrefix(m.Path, s.Path+"/") || strings.HasPrefix(m.Path, s.Path+`\`)
		})
	})
}

// makers are calls that may make or get what is not there yet.
var makers = []string{"externalproject_add", "add_custom_command", "execute_process", "fetchcontent_declare", "fetchcontent_makeavailable", "include", "hunter_add_package", "cpmaddpackage"}

// missing finds folders and libraries that the lines outside of conditions name by a
// path in the project, and that are not there. imports reports whether it names a
// library that is known as one that was downloaded (IMPORTED).
func (p *prober) missing(file, text string) (list []facts.Missing, imports bool) {
	vars := map[string]string{}
	for _, name := range []string{"CMAKE_SOURCE_DIR", "CMAKE_CURRENT_SOURCE_DIR", "PROJECT_SOURCE_DIR", "CMAKE_CURRENT_LIST_DIR"} {
		vars[name] = p.dir
	}
	lines, depth, makes := strings.Split(text, "\n"), 0, false
	for _, c := range commands(text) {
		switch c.name {
		case "if", "foreach", "while", "function", "macro":
			depth++
		case "endif", "endforeach", "endwhile", "endfunction", "endmacro":
			depth = max(0, depth-1)
		}
		if c.name == "add_library" && len(c.args) > 1 && slices.Contains(c.args, "IMPORTED") && packages[strings.ToLower(c.args[0])] != "" {
			imports = true
		}
		makes = makes || slices.Contains(makers, c.name) || c.name == "file" && len(c.args) > 0 && c.args[0] != "GLOB" && c.args[0] != "GLOB_RECURSE"
		if depth > 0 || len(c.args) == 0 {
			if c.name == "set" && len(c.args) > 0 {
				delete(vars, c.args[0])
			}
			continue
		}
		kind, paths := named(c)
		if c.name == "set" {
			delete(vars, c.args[0])
			if value, ok := expand(strings.Join(c.args[1:], ";"), vars); ok && len(c.args) == 2 {
				vars[c.args[0]] = value
			}
		}
		for _, path := range paths {
			path, ok := expand(path, vars)
			if !ok || path == "" {
				continue
			}
			if !p.absolute(path) {
				path = p.h.Join(p.dir, path)
			}
			if p.lacking(path) {
				list = append(list, facts.Missing{Kind: kind, Path: strings.ReplaceAll(path, "*", "ANDROID_ABI"), File: file, Line: c.line, Text: strings.TrimSpace(lines[c.line-1])})
			}
		}
	}
	if makes {
		list = nil
	}
	return list, imports
}

// packageFolder is the folder in which a line says that CMake finds one of the known
// packages: set(OpenCV_DIR FOLDER), without CACHE, which a command line goes before.
func packageFolder(c command) (paths []string) {
	if name, ok := strings.CutSuffix(c.args[0], "_DIR"); ok && len(c.args) == 2 && packages[strings.ToLower(name)] != "" {
		return c.args[1:]
	}
	return nil
}

// othersFolders are where projects keep the sources of others, and othersNames what
// those are often called: a download without git's submodules lacks them. A project's
// own folders come with it.
var (
	othersFolders = []string{"3rdparty", "third_party", "thirdparty", "3rd_party", "external", "externals", "extern", "deps", "dependencies", "submodules", "vendor"}
	othersNames   = []string{"pybind11", "glslang", "googletest", "gtest", "benchmark", "eigen", "fmt", "spdlog", "glog", "gflags", "caffe", "json", "yaml-cpp", "protobuf", "abseil-cpp", "glfw", "glm", "imgui", "cpuinfo", "xnnpack", "opencv", "ncnn"}
)

// ofOthers reports whether a folder that a project adds is one of those.
func ofOthers(path string) bool {
	parts := strings.FieldsFunc(strings.ToLower(path), func(r rune) bool { return r == '/' || r == '\\' })
	if len(parts) == 0 {
		return false
	}
	return slices.Contains(othersNames, parts[len(parts)-1]) || slices.ContainsFunc(parts[:len(parts)-1], func(part string) bool { return slices.Contains(othersFolders, part) })
}

// named are the paths by which a call names what has to be there.
func named(c command) (kind string, paths []string) {
	switch c.name {
	case "set":
		return "package", packageFolder(c)
	case "add_subdirectory":
		if ofOthers(c.args[0]) {
			return "folder", c.args[:1]
		}
	case "set_target_properties", "set_property":
		for i, arg := range c.args[:len(c.args)-1] {
			if arg == "IMPORTED_LOCATION" || strings.HasPrefix(arg, "IMPORTED_LOCATION_") {
				paths = append(paths, c.args[i+1])
			}
		}
	}
	return "library", paths
}

// expand puts in what variables have; ok is false where one is not known. The ABI of
// Android is any: the folders of one are named for it.
func expand(text string, vars map[string]string) (out string, ok bool) {
	for {
		before, rest, found := strings.Cut(text, "${")
		out += before
		if !found {
			return out, !strings.Contains(out, "$")
		}
		name, after, closed := strings.Cut(rest, "}")
		value, known := vars[name]
		if name == "ANDROID_ABI" {
			value, known = "*", true
		}
		if !closed || !known {
			return "", false
		}
		out, text = out+value, after
	}
}

func (p *prober) absolute(path string) bool {
	return strings.HasPrefix(path, "/") || p.h.Windows() && len(path) > 2 && path[1] == ':'
}

// lacking reports whether a path, in which one part may be *, is known to name nothing.
func (p *prober) lacking(path string) bool {
	before, after, any := strings.Cut(path, "*")
	if !any {
		return p.gone(path)
	}
	before, after = strings.TrimRight(before, `\/`), strings.TrimLeft(after, `\/`)
	folders := p.h.Glob(p.ctx, before, "*")
	for _, dir := range folders {
		if !p.gone(p.h.Join(dir, after)) {
			return false
		}
	}
	return len(folders) > 0 || p.gone(before)
}
