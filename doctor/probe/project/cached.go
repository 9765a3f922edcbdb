package project

import (
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// compared are the entries of a cache that say something only together.
var compared = []string{
	"CMAKE_GENERATOR", "CMAKE_CXX_COMPILER", "CMAKE_BUILD_TYPE", "GPU_MODE", "USE_CUDNN", "BUILD_opencv_python3", "PYTHON3_LIBRARY", "CUDNN_LIBRARY",
	"Caffe_LIB", "Caffe_Proto_LIB", "Caffe_LIB_RELEASE", "Caffe_Proto_LIB_RELEASE", "Caffe_LIB_DEBUG", "Caffe_Proto_LIB_DEBUG",
}

// together are the leftovers that two entries make, or an entry and what lies in the
// build folder.
func (p *prober) together(project, dir string, all map[string]facts.Leftover) (out []facts.Leftover) {
	add := func(l facts.Leftover, problem facts.LeftoverProblem, detail string) {
		l.Problem, l.Detail = problem, detail
		out = append(out, l)
	}
	switch project {
	case "OpenPose":
		if l := all["USE_CUDNN"]; l.Value == "OFF" && (all["GPU_MODE"].Value == "CUDA" || all["GPU_MODE"].Value == "") {
			add(l, facts.WithoutCuDNN, "")
		}
		if l, folder := otherCaffe(all); p.h.Windows() && folder != "" {
			add(l, facts.OtherCaffe, folder)
		}
	case "OpenCV":
		if l := all["CUDNN_LIBRARY"]; l.Value != "" && !strings.HasSuffix(l.Value, "-NOTFOUND") && !p.gone(l.Value) {
			p.p.CuDNN = l.Value
		}
		if l := all["PYTHON3_LIBRARY"]; p.h.Windows() && all["BUILD_opencv_python3"].Value != "OFF" {
			if name := p.noDebugPython(l.Value, dir, all); name != "" {
				add(l, facts.NoPythonDebug, name)
			}
		}
	}
	return out
}

// otherCaffe finds the Caffe of another GPU_MODE, which CMake keeps when the mode is
// changed: OpenPose's CMakeLists.txt forgets some of the entries only. The folder is the
// one of the mode (OpenPose 1.4.0 to master).
func otherCaffe(all map[string]facts.Leftover) (facts.Leftover, string) {
	folder := map[string]string{"CUDA": "caffe", "CPU_ONLY": "caffe_cpu", "OPENCL": "caffe_opencl"}[all["GPU_MODE"].Value]
	for _, name := range compared {
		l := all[name]
		if m := broughtCaffe.FindStringSubmatch(l.Value); strings.HasPrefix(name, "Caffe_") && m != nil && folder != "" && m[1] != folder {
			return l, folder
		}
	}
	return facts.Leftover{}, ""
}

var (
	broughtCaffe = lazyregexp.New(`(?i)/3rdparty/windows/(caffe(?:_cpu|_opencl)?)/lib/`)
	pythonImport = lazyregexp.New(`(?i)^(.+[/\\])(python3[0-9]+)\.lib$`)
)

// noDebugPython is the library by which Python's headers ask for its debug build in a
// Debug configuration, where that is what the build folder is for or was begun in it, and
// the library is not here; "" otherwise.
func (p *prober) noDebugPython(library, dir string, all map[string]facts.Leftover) string {
	m := pythonImport.FindStringSubmatch(library)
	if m == nil || p.gone(library) || !p.gone(m[1]+m[2]+"_d.lib") {
		return ""
	}
	// Visual Studio's generators have each configuration in one build folder, others one.
	if studio := strings.HasPrefix(all["CMAKE_GENERATOR"].Value, "Visual Studio"); !studio && all["CMAKE_BUILD_TYPE"].Value == "Debug" {
		return m[2] + "_d.lib"
	}
	if !p.h.Exists(p.ctx, p.h.Join(dir, "modules", "python3", "opencv_python3.dir", "Debug")) && !p.h.Exists(p.ctx, p.h.Join(dir, "lib", "Debug")) {
		return ""
	}
	return m[2] + "_d.lib"
}

// notFound is what CMake writes for a library that a package of imported targets has no
// file of in a configuration: the linker then looks for torch-NOTFOUND.obj.
var notFound = lazyregexp.New(`([A-Za-z0-9_]+)-NOTFOUND(?:\.obj|\.lib)?(?:;|$)`)

// linkedNotFound reads which libraries the projects of Visual Studio link that CMake wrote
// into a build folder without having found them. The detail is a configuration that has
// none of them.
func (p *prober) linkedNotFound(dir string) {
	const most = 16
	if !p.h.Windows() {
		return
	}
	files := p.h.Glob(p.ctx, dir, "*.vcxproj")
	for _, file := range files[:min(len(files), most)] {
		var first facts.Leftover
		configuration, lacks, n := "", map[string]bool{}, 0
		for line := range strings.Lines(p.text(file)) {
			n++
			if m := conditionOf.FindStringSubmatch(line); m != nil {
				configuration = m[1]
			}
			m := settingOf.FindStringSubmatch(line)
			if m == nil || m[1] != "AdditionalDependencies" || configuration == "" {
				continue
			}
			lib := notFound.FindStringSubmatch(m[2])
			lacks[configuration] = lib != nil
			if lib != nil && first.Entry == "" {
				first = facts.Leftover{Entry: configuration, Value: strings.TrimSuffix(lib[0], ";"), Problem: facts.LinksNotFound, File: file, Line: n}
			}
		}
		if first.Entry == "" {
			continue
		}
		for _, other := range []string{"Release", "RelWithDebInfo", "MinSizeRel", "Debug"} {
			if lacking, ok := lacks[other]; ok && !lacking && first.Detail == "" {
				first.Detail = other
			}
		}
		p.p.Leftovers = append(p.p.Leftovers, first)
		return // the others follow from the same package
	}
}
