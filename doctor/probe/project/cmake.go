package project

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// packages are the names by which CMake files ask for a component, and cached
// folders begin (OpenCV_DIR), in lower case.
var packages = map[string]string{
	"opencv": "opencv", "cuda": "cuda", "cudatoolkit": "cuda", "torch": "libtorch", "onnxruntime": "onnxruntime", "ncnn": "ncnn",
	"openvino": "openvino", "tensorrt": "tensorrt", "caffe": "caffe", "darknet": "darknet", "openpose": "openpose",
}

// trees are the projects of others that people build in their own folder.
var trees = []string{"openpose", "ncnn", "darknet", "opencv", "caffe", "torch", "executorch", "mnn"}

// managers are files with which a package manager gives CMake its packages.
var managers = []string{"vcpkg.json", "conanfile.txt", "conanfile.py"}

// command is one call in a CMake file.
type command struct {
	name string // in lower case
	args []string
	line int
}

// commands reads the calls in a CMake file (cmake-language(7)).
func commands(text string) (out []command) {
	const most = 10_000
	line := 1
	for i := 0; i < len(text) && len(out) < most; {
		n := 1
		switch c := text[i]; {
		case c == '#':
			n = comment(text[i:])
		case wordByte(c):
			for i+n < len(text) && wordByte(text[i+n]) {
				n++
			}
			rest := strings.TrimLeft(text[i+n:], " \t")
			if strings.HasPrefix(rest, "(") {
				open := len(text) - len(rest) + 1
				args, used := arguments(text[open:])
				out = append(out, command{strings.ToLower(text[i : i+n]), args, line})
				n = open + used - i
			}
		}
		line += strings.Count(text[i:i+n], "\n")
		i += n
	}
	return out
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// comment is the length of the comment that a text begins with.
func comment(text string) int {
	end, more := "\n", 0
	if strings.HasPrefix(text, "#[[") {
		end, more = "]]", 2
	}
	if i := strings.Index(text, end); i >= 0 {
		return i + more
	}
	return len(text)
}

// arguments reads up to the parenthesis that closes a call, and says how much it
// read.
func arguments(text string) (args []string, n int) {
	depth, start := 1, -1
	end := func() {
		if start >= 0 {
			args, start = append(args, text[start:n]), -1
		}
	}
	for n < len(text) {
		switch c := text[n]; c {
		case '"':
			end()
			from := n + 1
			for n++; n < len(text) && text[n] != '"'; n++ {
				if text[n] == '\\' {
					n++
				}
			}
			args = append(args, text[from:min(n, len(text))])
		case '#':
			end()
			n += comment(text[n:])
			continue
		case ' ', '\t', '\r', '\n', ';':
			end()
		case '(', ')':
			end()
			if depth += map[byte]int{'(': 1, ')': -1}[c]; depth == 0 {
				return args, n + 1
			}
		default:
			if start < 0 {
				start = n
			}
		}
		n++
	}
	n = len(text)
	end()
	return args, n
}

// cmakeLists reads the CMakeLists.txt of the folder.
func (p *prober) cmakeLists() {
	p.dir = p.sourceFolder()
	file := p.h.Join(p.dir, "CMakeLists.txt")
	text := p.text(file)
	if text == "" {
		// It may be the folder that one of the trees is built in.
		if tree := strings.ToLower(p.cache(p.h.Dir)); slices.Contains(trees, tree) {
			p.p.Kinds = append(p.p.Kinds, "cmake", tree)
		} else {
			p.p.Leftovers = nil
		}
		return
	}
	lines := strings.Split(text, "\n")
	own := slices.ContainsFunc(managers, func(name string) bool { return p.h.Exists(p.ctx, p.h.Join(p.dir, name)) })
	var demands []facts.Demand
	var code []facts.GPUCode
	var kinds []string
	var cxx *facts.CXXStandard
	features, depth := false, 0 // the standard may be raised by the features that are asked for
	for _, c := range commands(text) {
		d := facts.Demand{By: "cmake", File: file, Line: c.line, Text: lines[c.line-1], Optional: depth > 0, Unsure: depth > 0 || own}
		first := ""
		if len(c.args) > 0 {
			first = c.args[0]
		}
		switch c.name {
		case "if", "foreach", "while", "function", "macro":
			depth++
		case "endif", "endforeach", "endwhile", "endfunction", "endmacro":
			depth = max(0, depth-1)
		case "cmake_minimum_required":
			if depth == 0 && len(c.args) > 1 && first == "VERSION" && number(c.args[1]) {
				d.Name, d.Component = "CMake", "cmake"
				d.Version, d.Policies, _ = strings.Cut(c.args[1], "...")
				demands = append(demands, d)
			}
		case "project":
			if low := strings.ToLower(first); slices.Contains(trees, low) && depth == 0 {
				kinds = append(kinds, low)
			}
			if depth == 0 && slices.Contains(c.args, "CUDA") {
				d.Name, d.Component = "CUDA", "cuda"
				demands = append(demands, d)
			}
		case "find_package":
			if d.Component = packages[strings.ToLower(first)]; d.Component != "" {
				demands = append(demands, findPackage(d, c.args))
			}
		case "set", "list":
			own = own || strings.HasSuffix(first, "_DIR") && packages[strings.ToLower(strings.TrimSuffix(first, "_DIR"))] != "" ||
				slices.Contains(c.args, "CMAKE_PREFIX_PATH") || slices.Contains(c.args, "CMAKE_MODULE_PATH")
			if first == "CMAKE_CXX_STANDARD" && depth == 0 && len(c.args) == 2 && number(c.args[1]) {
				cxx = &facts.CXXStandard{Standard: c.args[1], File: file, Line: c.line, Text: strings.TrimSpace(d.Text)}
			}
			if first == "CMAKE_CUDA_ARCHITECTURES" && depth == 0 {
				code = append(code, architectures(facts.GPUCode{By: "cmake", Optional: true, File: file, Line: c.line, Text: strings.TrimSpace(d.Text)}, c.args[1:]))
			}
		case "set_property", "set_target_properties":
			if i := slices.Index(c.args, "CXX_STANDARD"); i > 0 && i+1 < len(c.args) && depth == 0 && number(c.args[i+1]) {
				cxx = &facts.CXXStandard{Standard: c.args[i+1], File: file, Line: c.line, Text: strings.TrimSpace(d.Text)}
			}
		case "target_compile_features":
			features = true
		case "fetchcontent_declare", "cpmaddpackage", "hunter_add_package", "externalproject_add":
			own = true
		}
	}
	missing, imports := p.missing(file, text)
	if len(kinds) == 0 && !imports && !slices.ContainsFunc(demands, func(d facts.Demand) bool { return d.Component != "cmake" }) {
		return // it is a project, but not one of ours
	}
	p.p.Kinds = append(append(p.p.Kinds, "cmake"), kinds...)
	for _, d := range demands {
		p.demand(d)
	}
	p.p.GPUCode = append(p.p.GPUCode, code...)
	if !features {
		p.p.CXX = cxx
	}
	if p.h.Windows() && !own && !p.h.Exists(p.ctx, p.h.Join(p.dir, "CMakePresets.json")) {
		p.p.Runtime = msvcRuntime(text)
	}
	p.caches()
	p.submodules()
	p.p.Missing = p.unclonedApart(missing)
}

// msvcRuntime is the C runtime that MSVC builds a project with: CMake's own choice,
// /MD, or what the one line says that sets it (CMAKE_MSVC_RUNTIME_LIBRARY). "" where
// flags, properties or other files have a say.
func msvcRuntime(text string) string {
	const variable = "CMAKE_MSVC_RUNTIME_LIBRARY"
	runtime := "md"
	for _, c := range commands(text) {
		all := strings.Join(c.args, " ")
		switch {
		case c.name == "include", c.name == "add_subdirectory":
			return ""
		case c.name == "set" && len(c.args) > 1 && c.args[0] == variable && strings.HasPrefix(c.args[1], "MultiThreaded"):
			runtime = "mt"
			if strings.HasSuffix(c.args[1], "DLL") {
				runtime = "md"
			}
		case strings.Contains(all, "MSVC_RUNTIME_LIBRARY"), strings.Contains(all, "/MT"), strings.Contains(all, "/MD"), strings.Contains(all, "-MT"), strings.Contains(all, "-MD"):
			return ""
		}
	}
	return runtime
}

// submodules looks for folders that git left empty (gitmodules(5)).
func (p *prober) submodules() {
	const most = 32
	file, n := p.h.Join(p.dir, ".gitmodules"), 0
	for line := range strings.Lines(p.text(file)) {
		n++
		key, value, _ := strings.Cut(line, "=")
		if value = strings.TrimSpace(value); strings.TrimSpace(key) != "path" || value == "" || len(p.p.Submodules) == most {
			continue
		}
		dir := p.h.Join(p.dir, value)
		if entries, err := p.h.ReadDir(p.ctx, dir); err == nil && len(entries) == 0 {
			p.p.Submodules = append(p.p.Submodules, facts.Submodule{Path: dir, File: file, Line: n})
		}
	}
}

// number reports whether an argument is a version, and not a variable.
func number(arg string) bool { return arg != "" && arg[0] >= '0' && arg[0] <= '9' }

// findPackage reads find_package(NAME [version] [EXACT] [QUIET] [REQUIRED]
// [COMPONENTS …]) (cmake-commands(7)).
func findPackage(d facts.Demand, args []string) facts.Demand {
	d.Name = args[0]
	required, components := false, false
	for i, arg := range args[1:] {
		switch {
		case i == 0 && number(arg):
			d.Version, _, _ = strings.Cut(arg, "...")
		case arg == "REQUIRED":
			required, components = true, true // components may follow it
		case arg == "COMPONENTS":
			components = true
		case arg == "QUIET":
			d.Unsure, components = true, false
		case strings.ToUpper(arg) == arg:
			components = false // another keyword, or a variable
		case components && !strings.Contains(arg, "$"):
			d.Parts = append(d.Parts, strings.TrimPrefix(arg, "opencv_"))
		}
	}
	d.Optional = d.Optional || !required
	return d
}

// architectures reads the values of CMAKE_CUDA_ARCHITECTURES: 86 is machine code
// and PTX, 86-real and 86-virtual one of them.
func architectures(g facts.GPUCode, values []string) facts.GPUCode {
	for _, v := range values {
		digits, kind, _ := strings.Cut(v, "-")
		sm := capability(digits)
		if sm != "" && kind != "virtual" {
			g.Archs = append(g.Archs, sm)
		}
		if sm != "" && kind != "real" {
			g.PTX = append(g.PTX, sm)
		}
	}
	return g
}

// capability is 8.6 for 86; "" for what is not one.
func capability(digits string) string {
	if len(digits) < 2 || len(digits) > 3 || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return fmt.Sprintf("%s.%s", digits[:len(digits)-1], digits[len(digits)-1:])
}

// capabilities reads OpenCV's CUDA_ARCH_BIN (7.2,8.7, also with blanks, semicolons or
// without points); nil where one of them is not understood.
func capabilities(value string) (list []string) {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(",; ", r) }) {
		sm := capability(strings.ReplaceAll(word, ".", ""))
		if sm == "" {
			return nil
		}
		list = append(list, sm)
	}
	return list
}

// caches reads what earlier runs of CMake remember, in the folders that people
// and Visual Studio build in.
func (p *prober) caches() {
	dirs := []string{p.h.Dir, p.dir, p.h.Join(p.dir, "build")}
	const most = 8
	// build_release of Darknet's build.sh, build_ios of PyTorch's, cmake-out of ExecuTorch's.
	for _, pattern := range []string{"build*", "cmake-*"} {
		if named := p.h.Glob(p.ctx, p.dir, pattern); len(named) <= most {
			dirs = append(dirs, named...)
		}
	}
	if presets := p.h.Glob(p.ctx, p.h.Join(p.dir, "out", "build"), "*"); len(presets) <= most {
		dirs = append(dirs, presets...)
	}
	dirs = append(dirs, p.h.Join(p.dir, "out", "build"))
	for i, dir := range dirs {
		if !slices.Contains(dirs[:i], dir) {
			p.cache(dir)
			p.buildFolder(dir)
		}
	}
	// OpenPose's CMakeLists.txt there takes each folder for a module (OpenPose issue 970).
	if dir := p.h.Join(p.dir, "src", "openpose", "build"); slices.Contains(p.p.Kinds, "openpose") {
		for _, name := range []string{"CMakeCache.txt", "CMakeFiles"} {
			if p.h.Exists(p.ctx, p.h.Join(dir, name)) {
				p.p.Leftovers = append(p.p.Leftovers, facts.Leftover{Entry: name, Value: dir, File: p.h.Join(dir, name), Problem: facts.AmongModules})
				break
			}
		}
	}
}

// gocvFolder is where win_build_opencv.cmd of gocv builds OpenCV.
const gocvFolder = `C:\opencv\build`

// gocvBuild reads the cache of the folder in which gocv's win_build_opencv.cmd builds
// OpenCV, as long as nothing was installed from there, and reports whether there is
// something to say of it.
func (p *prober) gocvBuild() bool {
	if !p.h.Windows() {
		return false
	}
	if p.h.Exists(p.ctx, p.h.Join(gocvFolder, "install")) {
		return false
	}
	p.cache(gocvFolder)
	return len(p.p.Leftovers) > 0
}

// cache reads one of them, and returns the name of the project that it is of.
func (p *prober) cache(dir string) (project string) {
	c := p.cacheOf(dir)
	if c == nil {
		return ""
	}
	file := c.file
	var found []facts.Leftover
	var dnn, lapack, glslang, python, obsensor, modules, pybind facts.Leftover
	code := facts.GPUCode{By: "cmake-cache", File: file}
	cuda := false
	options, all := map[string]string{}, map[string]facts.Leftover{}
	for _, e := range c.entries {
		name, value, n := e.name, e.value, e.line
		l := facts.Leftover{Entry: name, Value: value, File: file, Line: n, Problem: facts.NamesNoFile}
		if slices.Contains(compared, name) {
			all[name], options[name] = l, value
		}
		switch {
		case name == "CMAKE_PROJECT_NAME":
			project = value
		case name == "WITH_CUDA":
			cuda = value == "ON"
		case name == "CUDA_ARCH_BIN":
			code.Line, code.Text, code.Archs = n, e.text, capabilities(value)
		case name == "CUDA_ARCH_PTX":
			code.PTX = capabilities(value)
		case name == "BUILD_PYTHON" || name == "NCNN_SYSTEM_GLSLANG" || name == "NCNN_VULKAN" || name == "CUDA_ARCH":
			options[name] = value
		case name == "WITH_OBSENSOR" && value == "ON":
			obsensor, obsensor.Problem = l, facts.NotWithMinGW
		case name == "LAPACKE_H_PATH" && strings.HasSuffix(value, "-NOTFOUND"):
			lapack, lapack.Problem = l, facts.NoLapacke
		case strings.EqualFold(name, "glslang_DIR") && strings.HasSuffix(value, "-NOTFOUND"):
			glslang, glslang.Problem = l, facts.NoGlslang
		case (name == "PYTHON3_INCLUDE_DIR" || name == "PYTHON3_INCLUDE_PATH") && p.gone(value+"/Python.h"):
			python, python.Problem = l, facts.NoPythonHeaders
		case name == "OPENCV_EXTRA_MODULES_PATH" && !p.gone(value):
			modules, modules.Problem = l, facts.OtherModules
		case name == "PYTHON_EXECUTABLE":
			pybind, pybind.Problem = l, facts.OldPybind
		case name == "OPENCV_DNN_CUDA" && value == "OFF":
			dnn, dnn.Problem = l, facts.SwitchedOff
		case name == "CMAKE_CACHEFILE_DIR":
			if !p.same(value, dir) {
				l.Problem = facts.FromElsewhere
				p.p.Leftovers = append(p.p.Leftovers, l) // all else follows from it
				return project
			}
		case name == "CMAKE_HOME_DIRECTORY" && p.onlyPart(value):
			l.Problem = facts.WrongFolder
			found = append(found, l)
		case p.h.Windows() && (name == "CMAKE_GENERATOR" || name == "CMAKE_GENERATOR_PLATFORM"):
			l.Problem = facts.OfGenerator
			found = append(found, l)
		case remembered(name) && p.gone(value) && len(found) < 8:
			found = append(found, l)
		}
	}
	if project == "OpenCV" && cuda && dnn.Entry != "" {
		found = append(found, dnn)
	}
	// OpenPose takes the card's by itself unless CUDA_ARCH says that they are typed in.
	typed := project == "OpenPose" && options["CUDA_ARCH"] == "Manual" && options["GPU_MODE"] != "CPU_ONLY" && options["GPU_MODE"] != "OPENCL"
	if (project == "OpenCV" && cuda || typed) && len(code.Archs) > 0 {
		p.p.GPUCode = append(p.p.GPUCode, code)
	}
	if l, needs := p.needsPrompt(options, file); needs {
		found = append(found, l)
	}
	if project == "OpenCV" && obsensor.Entry != "" && options["CMAKE_GENERATOR"] == "MinGW Makefiles" {
		found = append(found, obsensor)
	}
	// OpenCV before 3.3 writes the include of a header that it did not find.
	if project == "OpenCV" && lapack.Entry != "" && strings.Contains(p.text(dir, "opencv_lapack.h"), lapack.Value+"/") {
		found = append(found, lapack)
	}
	if project == "OpenCV" && python.Entry != "" && options["BUILD_opencv_python3"] != "OFF" {
		found = append(found, python)
	}
	if modules.Detail = p.contrib(modules.Value); project == "OpenCV" && modules.Detail != "" {
		found = append(found, modules)
	}
	if pybind.Detail = p.pybind(); project == "OpenPose" && options["BUILD_PYTHON"] == "ON" && pybind.Entry != "" && pybind.Detail != "" {
		found = append(found, pybind)
	}
	if project == "ncnn" && glslang.Entry != "" && options["NCNN_SYSTEM_GLSLANG"] == "ON" && options["NCNN_VULKAN"] == "ON" {
		found = append(found, glslang)
	}
	p.p.Leftovers = append(append(p.p.Leftovers, found...), p.together(project, dir, all)...)
	p.linkedNotFound(dir)
	if project == "OpenCV" {
		p.failedDownloads(dir)
	}
	return project
}

// needsPrompt: Visual Studio's own generators find the compiler's headers by themselves,
// others by what its developer prompt sets.
func (p *prober) needsPrompt(options map[string]string, file string) (facts.Leftover, bool) {
	generator := options["CMAKE_GENERATOR"]
	needs := p.h.Windows() && (generator == "Ninja" || generator == "NMake Makefiles") && strings.HasSuffix(strings.ToLower(options["CMAKE_CXX_COMPILER"]), "/cl.exe") && p.h.Env("INCLUDE") == ""
	return facts.Leftover{Entry: "CMAKE_GENERATOR", Value: generator, File: file, Problem: facts.NeedsPrompt}, needs
}

// contrib is the release of the opencv_contrib that OPENCV_EXTRA_MODULES_PATH names: what
// the folder of its archive is named for, or the tag that git has there; "" where
// neither is.
func (p *prober) contrib(modules string) string {
	if p.h.Windows() {
		modules = strings.ReplaceAll(modules, "/", `\`)
	}
	dir := p.h.DirOf(strings.TrimRight(modules, `\/`))
	if m := contribFolder.FindStringSubmatch(p.h.Base(dir)); m != nil {
		return m[1]
	}
	head := strings.TrimSpace(p.text(dir, ".git", "HEAD"))
	if branch, ok := strings.CutPrefix(head, "ref: refs/heads/"); ok && slices.Contains([]string{"3.4", "4.x", "5.x", "master"}, branch) {
		// OpenCV's sources of a release are not that branch.
		for _, own := range []string{p.dir, p.h.DirOf(p.dir)} {
			if strings.TrimSpace(p.text(own, ".git", "HEAD")) == head {
				return ""
			}
		}
		return "branch " + branch
	}
	for line := range strings.Lines(p.text(dir, ".git", "packed-refs")) {
		hash, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
		if tag, ok := strings.CutPrefix(ref, "refs/tags/"); ok && hash == head && number(tag) {
			return tag
		}
	}
	return ""
}

var contribFolder = lazyregexp.New(`(?i)^opencv_contrib-([0-9]+\.[0-9]+\.[0-9]+)$`)

// pybind is the release of the pybind11 in OpenPose's sources; "" where it cannot be read.
func (p *prober) pybind() string {
	for _, root := range []string{p.dir, p.h.DirOf(p.dir)} {
		text := p.text(root, "3rdparty", "pybind11", "include", "pybind11", "detail", "common.h")
		if m := pybindVersion.FindStringSubmatch(text); m != nil {
			return m[1] + "." + m[2]
		}
	}
	return ""
}

var pybindVersion = lazyregexp.New(`PYBIND11_VERSION_MAJOR\s+([0-9]+)\s+#\s*define\s+PYBIND11_VERSION_MINOR\s+([0-9]+)`)

// sources reads the version of OpenCV's own sources, where they are what is built.
func (p *prober) sources() {
	if !slices.Contains(p.p.Kinds, "opencv") {
		return
	}
	file := []string{"modules", "core", "include", "opencv2", "core", "version.hpp"}
	text := p.text(append([]string{p.dir}, file...)...)
	if text == "" { // the build folder in them
		text = p.text(append([]string{p.h.DirOf(p.dir)}, file...)...)
	}
	names := []string{"MAJOR", "MINOR", "REVISION"}
	if strings.Contains(text, "CV_VERSION_EPOCH") { // OpenCV 2.4
		names = []string{"EPOCH", "MAJOR", "MINOR"}
	}
	var parts []string
	for _, name := range names {
		for line := range strings.Lines(text) {
			if words := strings.Fields(line); len(words) == 3 && words[1] == "CV_VERSION_"+name && number(words[2]) {
				parts = append(parts, words[2])
				break
			}
		}
	}
	if len(parts) == 3 {
		p.p.Version = strings.Join(parts, ".")
	}
}

// onlyPart reports whether a folder below the project's has a CMakeLists.txt that is
// no project of its own: CMake was to be started in the folder above.
func (p *prober) onlyPart(value string) bool {
	own := p.dir
	if p.h.Windows() {
		value, own = strings.ReplaceAll(value, "/", `\`), strings.TrimRight(own, `\`)
		if len(value) <= len(own) || !strings.EqualFold(value[:len(own)], own) || value[len(own)] != '\\' {
			return false
		}
	} else if !strings.HasPrefix(value, strings.TrimRight(own, "/")+"/") {
		return false
	}
	text := p.text(value, "CMakeLists.txt")
	return text != "" && !slices.ContainsFunc(commands(text), func(c command) bool { return c.name == "project" || c.name == "cmake_minimum_required" })
}

// remembered reports whether a cached entry is a path that CMake goes by when it
// runs again.
func remembered(name string) bool {
	switch name {
	case "CMAKE_HOME_DIRECTORY", "CMAKE_MAKE_PROGRAM", "CMAKE_GENERATOR_INSTANCE", "CMAKE_C_COMPILER", "CMAKE_CXX_COMPILER", "CMAKE_CUDA_COMPILER", "CUDA_TOOLKIT_ROOT_DIR", "CUDAToolkit_ROOT", "OPENCV_EXTRA_MODULES_PATH", "CMAKE_TOOLCHAIN_FILE":
		return true
	}
	pkg, ok := strings.CutSuffix(name, "_DIR")
	return ok && packages[strings.ToLower(pkg)] != ""
}

// gone reports whether an absolute path is known to name nothing.
func (p *prober) gone(value string) bool {
	absolute := strings.HasPrefix(value, "/")
	if p.h.Windows() {
		absolute = len(value) > 2 && value[1] == ':'
		value = strings.ReplaceAll(value, "/", `\`)
	}
	if !absolute {
		return false
	}
	_, err := p.h.Stat(p.ctx, value)
	return host.IsNotExist(err)
}

// same reports whether two paths are one folder, links followed.
func (p *prober) same(a, b string) bool {
	var keys []string
	for _, name := range []string{a, b} {
		if p.h.Windows() {
			name = strings.ToLower(strings.ReplaceAll(name, "/", `\`))
		}
		keys = append(keys, strings.TrimRight(p.h.Real(p.ctx, name), `\/`))
	}
	if p.h.Windows() {
		return strings.EqualFold(keys[0], keys[1])
	}
	return keys[0] == keys[1]
}
