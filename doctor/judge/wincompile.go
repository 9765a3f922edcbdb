package judge

import (
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// cudaFolder is the series in the name of the toolkit's folder that a path leads
// into on Windows (…\CUDA\v11.8\bin); "" where it leads into none.
func cudaFolder(path string) (root, series string) {
	low := strings.ToLower(path)
	_, rest, ok := strings.Cut(low, `\cuda\v`)
	if !ok {
		return "", ""
	}
	series, _, _ = strings.Cut(rest, `\`)
	if v, err := recipes.Version(series); err != nil || len(v.Segments()) < 2 || !strings.Contains(series, ".") {
		return "", ""
	}
	return path[:len(low)-len(rest)+len(series)], series
}

// cudnnOfOtherCUDA finds a cuDNN that was unpacked into another toolkit than the
// one that programs find first. Builds for CUDA 11 and 12 are different files of
// one name, and OpenCV's FindCUDNN looks into its own toolkit only.
func cudnnOfOtherCUDA(e *evaluation, s subject) (map[string]string, bool) {
	cuda, ok := e.facts.Active("cuda")
	root, series := cudaFolder(s.instance.Path)
	if !e.isWindows() || !ok || cuda.Path == "" || root == "" || series == recipes.Series(cuda.Version) || !slices.Contains(e.touched(), "cuda") {
		return nil, false
	}
	if slices.ContainsFunc([]string{"cudnn.cuda", "openpose.cuda", "cuda.sm", "cuda.version"}, e.failed) {
		return nil, false // another CUDA is to be used anyway
	}
	for _, name := range e.touched() {
		if i, ok := e.facts.Active(name); ok && i.Built.CUDA != "" && major(i.Built.CUDA) == major(series) && major(series) != major(cuda.Version) {
			return nil, false // what is built here uses that one
		}
	}
	for _, other := range e.facts.Components["cudnn"] {
		at, of := cudaFolder(other.Path)
		if at == "" && other.Path != "" || of == recipes.Series(cuda.Version) {
			return nil, false // one that serves this CUDA may be there
		}
	}
	vars := map[string]string{"dir": folderOf(s.instance.Path), "root": root, "built": strconv.Itoa(major(series)), "cuda": cuda.Version, "here": strconv.Itoa(major(cuda.Version)), "cuda-path": strings.TrimRight(cuda.Path, `\`)}
	if major(series) == major(cuda.Version) {
		opencv, built := e.facts.Active("opencv")
		vars["same"] = "yes"
		return vars, slices.Contains(e.touched(), "opencv") && e.recipe.Name == "opencv-cuda" && (!built || opencv.Built.CuDNN == "" && opencv.Built.CUDA == "")
	}
	return vars, true
}

// cudnnVersionHeader finds a cuDNN without headers where OpenCV is yet to be built,
// or of which only cudnn.h was copied: since 8 it includes cudnn_version.h, which
// has the version.
func cudnnVersionHeader(e *evaluation, s subject) (map[string]string, bool) {
	cuda, ok := e.facts.Active("cuda")
	opencv, built := e.facts.Active("opencv")
	if !e.isWindows() || !ok || cuda.Path == "" || e.recipe.Name != "opencv-cuda" || built && opencv.Built.CuDNN+opencv.Built.CUDA != "" || major(s.instance.Version) < 8 {
		return nil, false
	}
	for _, i := range e.facts.Components["cudnn"] {
		if i.HasPart("headers") {
			return nil, false
		}
	}
	return map[string]string{"include": strings.TrimRight(cuda.Path, `\`) + `\include`}, s.instance.HasPart("shared")
}

// studioOf is the major version of the Visual Studio that a generator of CMake
// names ("Visual Studio 16 2019"); 0 for other generators.
func studioOf(generator string) int {
	rest, ok := strings.CutPrefix(generator, "Visual Studio ")
	if !ok {
		return 0
	}
	number, _, _ := strings.Cut(rest, " ")
	return max(major(number), 0)
}

// generatorHere reports whether a Visual Studio is here that a generator names,
// and gives the generator of one that is; true where nothing is known.
func (e *evaluation) generatorHere(generator string) (instead string, here bool) {
	line := studioOf(generator)
	if _, failed := e.facts.Problem("visual-studio"); failed || line == 0 || len(e.facts.Components["visual-studio"]) == 0 {
		return "", true
	}
	for _, vs := range e.facts.Components["visual-studio"] {
		if vs.Version == "" || major(vs.Version) == line {
			return "", true
		}
		if instead == "" && vs.Unusable == nil {
			instead = vs.Attrs["generator"]
		}
	}
	return instead, false
}

// studioHere reports whether a Visual Studio is in a folder, and gives the folder
// of one that is here; true where nothing is known. A version may follow the
// folder (cmake-variables(7), CMAKE_GENERATOR_INSTANCE).
func (e *evaluation) studioHere(value string) (instead string, here bool) {
	folder, _, _ := strings.Cut(value, ",")
	plain := func(path string) string {
		return strings.ToLower(strings.TrimRight(strings.ReplaceAll(path, "/", `\`), `\`))
	}
	if _, failed := e.facts.Problem("visual-studio"); failed || !strings.ContainsAny(folder, `\/`) || len(e.facts.Components["visual-studio"]) == 0 {
		return "", true
	}
	for _, vs := range e.facts.Components["visual-studio"] {
		if vs.Path == "" || plain(vs.Path) == plain(folder) {
			return "", true
		}
		if instead == "" && vs.Unusable == nil {
			instead = vs.Path
		}
	}
	return instead, false
}

// toolsetHere is studioHere for a toolset: "v141", "v143,version=14.29". What
// else follows (host=x64, cuda=12.1) is not looked at.
func (e *evaluation) toolsetHere(value string) (instead string, here bool) {
	words := strings.Split(value, ",")
	family, version := words[0], ""
	for _, w := range words[1:] {
		if v, ok := strings.CutPrefix(w, "version="); ok {
			version = v
		}
	}
	list := e.facts.Components["msvc"]
	if _, failed := e.facts.Problem("msvc"); failed || len(list) == 0 || len(family) != 4 || !strings.HasPrefix(family, "v14") {
		return "", true
	}
	for _, c := range list {
		own, _, _ := strings.Cut(toolsetFlag(minor14(c.Version)), ",")
		if minor14(c.Version) >= 50 {
			own = "v145" // Visual Studio 2026
		}
		if c.Version == "" || own == family && strings.HasPrefix(c.Version+".", version) {
			return "", true
		}
		if instead == "" {
			instead = own
		}
	}
	return instead, false
}

// generatorGone finds a variable that makes CMake choose a Visual Studio that is
// not here, a toolset that it does not have, or 32-bit programs.
func generatorGone(e *evaluation, _ subject) (map[string]string, bool) {
	if !slices.Contains(e.touched(), "cmake") || !slices.Contains(e.touched(), "visual-studio") {
		return nil, false
	}
	for _, v := range e.facts.Environment.Variables {
		if v.Problem != facts.Generator {
			continue
		}
		vars := map[string]string{"variable": v.Name, "value": v.Value}
		instead, here := e.generatorHere(v.Value)
		switch {
		case v.Name == "CMAKE_GENERATOR" && !here:
			vars["problem"], vars["instead"] = lang.T("is not on this machine"), instead
			return vars, true
		case v.Name == "CMAKE_GENERATOR_PLATFORM" && strings.EqualFold(v.Value, "Win32") && e.facts.OS.Arch == "amd64":
			vars["problem"], vars["instead"] = lang.T("makes 32-bit programs"), "x64"
			return vars, true
		case v.Name == "CMAKE_GENERATOR_INSTANCE":
			if instead, here := e.studioHere(v.Value); !here {
				vars["problem"], vars["instead"] = lang.T("is the folder of no Visual Studio on this machine"), instead
				return vars, true
			}
		case v.Name == "CMAKE_GENERATOR_TOOLSET":
			if instead, here := e.toolsetHere(v.Value); !here {
				vars["problem"], vars["instead"] = lang.T("is not installed"), instead
				return vars, true
			}
		}
	}
	return nil, false
}

// cacheGenerator finds a build folder that was made for 32-bit programs or for a
// Visual Studio that is gone. Up to 2017, generators without Win64 in their name
// make 32-bit programs unless a platform is given (cmake-generators(7)).
func cacheGenerator(e *evaluation, s subject) (map[string]string, bool) {
	l := item[facts.Leftover](s)
	if l.Problem != facts.OfGenerator {
		return nil, false
	}
	platform := ""
	for _, other := range e.facts.Project.Leftovers {
		if other.File == l.File && other.Entry == "CMAKE_GENERATOR_PLATFORM" {
			platform = other.Value
		}
	}
	vars := map[string]string{}
	if l.Entry == "CMAKE_GENERATOR_PLATFORM" {
		vars["problem"] = lang.T("is for 32-bit programs")
		return vars, strings.EqualFold(platform, "Win32") && e.facts.OS.Arch == "amd64"
	}
	line := studioOf(l.Value)
	if slices.Contains([]string{"MinGW Makefiles", "MSYS Makefiles"}, l.Value) && slices.Contains(e.touched(), "cuda") {
		vars["problem"] = lang.T("is not for Visual Studio's compiler, the only one with which nvcc works on Windows")
		return vars, true
	}
	if _, here := e.generatorHere(l.Value); !here {
		vars["problem"] = lang.T("is not on this machine")
		return vars, true
	}
	vars["problem"] = lang.T("is for 32-bit programs")
	return vars, line > 0 && line < 16 && platform == "" && !strings.HasSuffix(l.Value, "Win64") && !strings.HasSuffix(l.Value, "ARM") && e.facts.OS.Arch == "amd64"
}

// ownFlags reports whether the environment has linker flags of its own for gocv.
func (e *evaluation) ownFlags() bool {
	return slices.ContainsFunc(e.facts.Environment.Variables, func(v facts.Variable) bool { return v.Problem == facts.OwnFlags })
}

// gocvLibraries compares the library that CGO_LDFLAGS names with the OpenCV here:
// MinGW's have the version in their names (opencv_core481).
func gocvLibraries(e *evaluation, s subject) (map[string]string, bool) {
	parts := strings.Split(s.instance.Version, ".")
	if !e.isWindows() || len(parts) < 3 || s.instance.Built.Compiler != "mingw" || !slices.Contains(e.touched(), "go") {
		return nil, false
	}
	digits := strings.Join(parts[:3], "")
	for _, v := range e.facts.Environment.Variables {
		if v.Problem == facts.OwnFlags && v.Value != "" && strings.Trim(v.Value, "0123456789") == "" && v.Value != digits {
			return map[string]string{"variable": v.Name, "named": v.Value, "digits": digits}, true
		}
	}
	return nil, false
}

// gocvPlace finds an OpenCV for MinGW that lies elsewhere than gocv's own flags
// look on Windows (cgo.go: C:/opencv/build/install).
func gocvPlace(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	if !e.isWindows() || i.Built.Compiler != "mingw" || i.Path == "" || e.ownFlags() || e.recipe.Verify == nil || e.recipe.Verify.Engine != "gocv" {
		return nil, false
	}
	low := strings.ToLower(i.Path) + `\`
	if !i.HasPart("headers") || strings.HasPrefix(low, `c:\opencv\build\`) {
		return nil, false
	}
	if slices.ContainsFunc(e.facts.Components["opencv"], func(o facts.Instance) bool {
		return o.Built.Compiler == "mingw" && o.HasPart("headers") && strings.HasPrefix(strings.ToLower(o.Path)+`\`, `c:\opencv\build\install\`)
	}) {
		return nil, false // that one is there as well, and is the one that gocv takes
	}
	include := strings.TrimRight(i.Path, `\`) + `\include`
	if i.Places.Include != "" {
		include = i.Places.Include
	}
	return map[string]string{"include": include, "lib": gocvLib(*i)}, true
}

// gocvLib is the folder of an OpenCV's import libraries.
func gocvLib(i facts.Instance) string {
	root := strings.TrimRight(i.Path, `\`)
	if strings.HasSuffix(strings.ToLower(i.Places.Bin), `\x64\mingw\bin`) {
		return root + `\x64\mingw\lib`
	}
	return root + `\lib`
}

// gocvNotInstalled finds a build of OpenCV that was not installed: its headers and
// libraries are not where gocv looks (gocv, win_build_opencv.cmd, its last step).
func gocvNotInstalled(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	low := strings.ToLower(strings.TrimRight(i.Path, `\`))
	if !e.isWindows() || i.Built.Compiler != "mingw" || i.HasPart("headers") || !strings.HasSuffix(low, `\build`) || e.recipe.Verify == nil || e.recipe.Verify.Engine != "gocv" {
		return nil, false
	}
	return nil, !slices.ContainsFunc(e.facts.Components["opencv"], func(o facts.Instance) bool { return o.Built.Compiler == "mingw" && o.HasPart("headers") })
}

// dnnArch: OpenCV 4.2 leaves the CUDA backend out of dnn where it was to be built
// for a capability below 5.3 as well (opencv/opencv issue 15858).
func dnnArch(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	if old, err := check(">= 4.2, < 4.3", i.Version); err != nil || !old || i.Built.CUDA == "" || !e.usesCUDA() {
		return nil, false
	}
	var below []string
	for _, arch := range i.Built.CUDAArchs {
		if low, err := check("< 5.3", arch); err == nil && low {
			below = append(below, arch)
		}
	}
	return map[string]string{"below": strings.Join(below, ", "), "sm": BestGPU(e.facts)}, len(below) > 0
}

// virtualDisplay finds a Windows whose only GPUs are those of a hypervisor or of
// Remote Desktop: no driver of theirs has OpenCL.
func virtualDisplay(e *evaluation, _ subject) (map[string]string, bool) {
	var names []string
	for _, g := range e.facts.GPUs {
		if !slices.Contains([]string{"microsoft", "vmware", "virtualbox", "qemu", "virtio", "redhat", "cirrus"}, g.Vendor) {
			return nil, false
		}
		names = append(names, g.Name)
	}
	asked := slices.Contains(e.touched(), "opencl")
	return map[string]string{"gpu": strings.Join(names, ", ")}, e.isWindows() && asked && len(names) > 0 && len(e.facts.Components["opencl"]) == 0
}

// wheelDLLs reports which requirement on cuDNN a copy in a Python package explains.
func wheelDLLs(names []string, from []string) string {
	for _, name := range names {
		if !strings.HasPrefix(strings.ToLower(name), "cudnn") {
			return ""
		}
	}
	if len(from) == 1 && strings.Contains(strings.ToLower(from[0]), `\site-packages\`) {
		return "cudnn.version"
	}
	return ""
}
