package project

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

// TestCommands: calls, comments, quotes and nested parentheses of CMake files.
func TestCommands(t *testing.T) {
	got := commands("# find_package(A)\n#[[ set(B)\n]] Project(\"My \\\" App\"\n  CXX) # x\nif((A OR B) AND C)\nendif ()\nset(X a;b\n")
	want := []command{
		{"project", []string{`My \" App`, "CXX"}, 3}, {"if", []string{"A", "OR", "B", "AND", "C"}, 5}, {"endif", nil, 6}, {"set", []string{"X", "a", "b"}, 7},
	}
	probetest.Same(t, "", want, got, cmp.AllowUnexported(command{}))
}

// TestDarknet: what counts of a Makefile.
func TestDarknet(t *testing.T) {
	demands, code := parseDarknet("GPU=1\nCUDNN=0\nOPENCV=1 # yes\nARCH= -gencode arch=compute_30,code=sm_30 \\\n  -gencode arch=compute_52,code=[sm_52,compute_52]\n# ARCH= code=sm_99\nEXEC=darknet\nifeq ($(GPU), 1)\n  GPU=0\nendif\n`pkg-config --libs opencv`\n")
	probetest.Same(t, "", []facts.Demand{
		{By: "makefile", Name: "GPU", Component: "cuda", Line: 1, Text: "GPU=1", Parts: []string{"nvcc"}},
		{By: "makefile", Name: "OPENCV", Component: "opencv", Line: 3, Text: "OPENCV=1", PkgConfig: "opencv"},
	}, demands)
	if len(code) != 1 || !cmp.Equal(code[0].Archs, []string{"3.0", "5.2"}) || !cmp.Equal(code[0].PTX, []string{"5.2"}) || code[0].Line != 4 {
		t.Errorf("code %+v", code)
	}
	if _, code := parseDarknet("GPU=0\nARCH= code=sm_30\nEXEC=darknet\n"); code != nil {
		t.Errorf("without a GPU: %+v", code)
	}
}

// TestNoProject: a home folder, and projects of other people's kinds.
func TestNoProject(t *testing.T) {
	for _, files := range []string{
		"", "-- file /home/user/x.weights --\n", "-- file /home/user/Makefile --\nGPU=1\n", "-- file /home/user/CMakeLists.txt --\ncmake_minimum_required(VERSION 2.8)\nproject(x)\nfind_package(Qt5 REQUIRED)\n",
		"-- file /home/user/go.mod --\nmodule x\n",
	} {
		f, err := Probe(t.Context(), hosttest.Parse(t, "-- cwd --\n/home/user\n-- dir /home/user --\n"+files))
		if err != nil || f.Project.Folder != "" || f.Project.Kinds != nil {
			t.Errorf("%q gives %+v, %v", files, f.Project, err)
		}
	}
}

// FuzzCommands: no text breaks the readers, and every line that they name is there.
func FuzzCommands(f *testing.F) {
	f.Add("project(x CUDA)\nfind_package(OpenCV 4 REQUIRED COMPONENTS core)\n#[[\n]]set(CMAKE_CUDA_ARCHITECTURES 50 \"86-real\")")
	f.Add("GPU=1\nARCH= -gencode arch=compute_30,code=[sm_30,compute_30] \\\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		for _, c := range commands(text) {
			if c.line < 1 || c.line > lines {
				t.Errorf("%q: line %d of %d", c.name, c.line, lines)
			}
			if len(c.args) > 0 {
				findPackage(facts.Demand{}, c.args)
				architectures(facts.GPUCode{}, c.args)
			}
		}
		if demands, _ := parseDarknet(text); len(demands) > 3 {
			t.Errorf("%+v", demands)
		}
		for _, d := range downloads(text) {
			if d.at < 1 || d.at > lines {
				t.Errorf("%+v: line of %d", d, lines)
			}
			d.problem()
		}
		if d := linkedModules("f", text); d.Line > lines {
			t.Errorf("%+v: line of %d", d, lines)
		}
		makefileSIMD("f", text)
	})
}

// TestMSVCRuntime: what a CMakeLists.txt alone says of the C runtime.
func TestMSVCRuntime(t *testing.T) {
	for text, want := range map[string]string{
		"project(x)": "md",
		`set(CMAKE_MSVC_RUNTIME_LIBRARY "MultiThreaded$<$<CONFIG:Debug>:Debug>")`:    "mt",
		`set(CMAKE_MSVC_RUNTIME_LIBRARY "MultiThreaded$<$<CONFIG:Debug>:Debug>DLL")`: "md",
		"set(CMAKE_MSVC_RUNTIME_LIBRARY ${X})":                                       "",
		"set_property(TARGET x PROPERTY MSVC_RUNTIME_LIBRARY MultiThreaded)":         "",
		`set(CMAKE_CXX_FLAGS_RELEASE "/MT /O2")`:                                     "",
		"include(options.cmake)":                                                     "",
		"# include(options.cmake)":                                                   "md",
	} {
		if got := msvcRuntime(text); got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
}

// TestBuildFolder: doctor started in the folder that a tree is built in reads that
// folder's cache; folders of other projects are left alone.
func TestBuildFolder(t *testing.T) {
	const cache = "-- platform --\nlinux/amd64\n-- cwd --\n/src/build\n-- file /src/build/CMakeCache.txt --\nOPENCV_DNN_CUDA:BOOL=OFF\nWITH_CUDA:BOOL=ON\nCMAKE_PROJECT_NAME:STATIC=OpenCV\nCMAKE_CACHEFILE_DIR:INTERNAL=/src/build\n"
	for name, c := range map[string]struct {
		text string
		want facts.LeftoverProblem
	}{
		"switched off":    {cache, facts.SwitchedOff},
		"on":              {strings.Replace(cache, "DNN_CUDA:BOOL=OFF", "DNN_CUDA:BOOL=ON", 1), ""},
		"without CUDA":    {strings.Replace(cache, "WITH_CUDA:BOOL=ON", "WITH_CUDA:BOOL=OFF", 1), ""},
		"another project": {strings.Replace(cache, "=OpenCV", "=demo", 1), ""},
		"moved":           {strings.Replace(cache, "INTERNAL=/src/build", "INTERNAL=/old/build", 1), facts.FromElsewhere},
		"moved, another":  {strings.NewReplacer("INTERNAL=/src/build", "INTERNAL=/old/build", "=OpenCV", "=demo").Replace(cache), ""},
	} {
		t.Run(name, func(t *testing.T) {
			leavesOver(t, c.text, c.want)
		})
	}
}

// leavesOver probes a host, which has one leftover, of that problem, or none for "".
func leavesOver(t *testing.T, text string, want facts.LeftoverProblem) {
	t.Helper()
	f, err := Probe(t.Context(), hosttest.Parse(t, text))
	got := facts.LeftoverProblem("")
	for _, l := range f.Project.Leftovers {
		got = l.Problem
	}
	if err != nil || got != want || len(f.Project.Leftovers) > 1 {
		t.Errorf("%+v, not %q (%v)", f.Project.Leftovers, want, err)
	}
}

// TestCachedHeaders: what a build folder remembers of headers that are not here.
func TestCachedHeaders(t *testing.T) {
	const python = "PYTHON3_INCLUDE_DIR:PATH=/usr/include/python3.10\n"
	const lapacke = "LAPACKE_H_PATH:PATH=LAPACKE_H_PATH-NOTFOUND\n"
	const included = "-- file /src/build/opencv_lapack.h --\n#include \"LAPACKE_H_PATH-NOTFOUND/lapacke.h\"\n"
	const glslang = "NCNN_VULKAN:BOOL=ON\nNCNN_SYSTEM_GLSLANG:BOOL=ON\nglslang_DIR:PATH=glslang_DIR-NOTFOUND\n"
	for name, c := range map[string]struct {
		project, cache, files string
		want                  facts.LeftoverProblem
	}{
		"opencv_contrib's archive": {"OpenCV", "OPENCV_EXTRA_MODULES_PATH:PATH=/src/opencv_contrib-4.10.0/modules\n", "-- file /src/opencv_contrib-4.10.0/modules/x --\nx\n", facts.OtherModules},
		"opencv_contrib at a tag":  {"OpenCV", "OPENCV_EXTRA_MODULES_PATH:PATH=/src/contrib/modules\n", "-- file /src/contrib/modules/x --\nx\n-- file /src/contrib/.git/HEAD --\nabc\n-- file /src/contrib/.git/packed-refs --\nabc refs/tags/4.5.2\n", facts.OtherModules},
		"opencv_contrib's branch":  {"OpenCV", "OPENCV_EXTRA_MODULES_PATH:PATH=/src/contrib/modules\n", "-- file /src/contrib/modules/x --\nx\n-- file /src/contrib/.git/HEAD --\nref: refs/heads/4.x\n", facts.OtherModules},
		"both of one branch":       {"OpenCV", "OPENCV_EXTRA_MODULES_PATH:PATH=/src/contrib/modules\n", "-- file /src/contrib/modules/x --\nx\n-- file /src/contrib/.git/HEAD --\nref: refs/heads/4.x\n-- file /src/.git/HEAD --\nref: refs/heads/4.x\n", ""},
		"opencv_contrib is gone":   {"OpenCV", "OPENCV_EXTRA_MODULES_PATH:PATH=/src/contrib/modules\n", "", facts.NamesNoFile},
		"no Python.h":              {"OpenCV", python, "-- dir /usr/include --\n", facts.NoPythonHeaders},
		"Python.h":                 {"OpenCV", python, "-- file /usr/include/python3.10/Python.h --\nx\n", ""},
		"without Python":           {"OpenCV", python + "BUILD_opencv_python3:BOOL=OFF\n", "-- dir /usr/include --\n", ""},
		"Python of another":        {"demo", python, "-- dir /usr/include --\n", ""},
		"no lapacke.h":             {"OpenCV", lapacke, included, facts.NoLapacke},
		"LAPACK was left out":      {"OpenCV", lapacke, "", ""},
		"no glslang":               {"ncnn", glslang, "", facts.NoGlslang},
		"ncnn's own glslang":       {"ncnn", strings.Replace(glslang, "GLSLANG:BOOL=ON", "GLSLANG:BOOL=OFF", 1), "", ""},
		"ncnn without Vulkan":      {"ncnn", strings.Replace(glslang, "VULKAN:BOOL=ON", "VULKAN:BOOL=OFF", 1), "", ""},
		"the glslang of a system":  {"ncnn", strings.Replace(glslang, "glslang_DIR-NOTFOUND", "/usr/lib/cmake/glslang", 1), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			leavesOver(t, "-- platform --\nlinux/amd64\n-- cwd --\n/src/build\n-- file /src/build/CMakeCache.txt --\nCMAKE_PROJECT_NAME:STATIC="+c.project+"\n"+c.cache+c.files, c.want)
		})
	}
}

// TestSources: the version of OpenCV's own sources, from their folder and from a build
// folder in them.
func TestSources(t *testing.T) {
	const tree = "-- file /src/CMakeLists.txt --\nproject(OpenCV CXX C)\n-- file /src/modules/core/include/opencv2/core/version.hpp --\n#define CV_VERSION_MAJOR    4\n#define CV_VERSION_MINOR    5\n#define CV_VERSION_REVISION 0\n#define CV_VERSION_STATUS   \"-pre\"\n"
	for name, c := range map[string]struct{ text, want string }{
		"the sources":    {"-- platform --\nlinux/amd64\n-- cwd --\n/src\n" + tree, "4.5.0"},
		"a build folder": {"-- platform --\nlinux/amd64\n-- cwd --\n/src/build\n-- file /src/build/CMakeCache.txt --\nCMAKE_PROJECT_NAME:STATIC=OpenCV\n" + tree, "4.5.0"},
		"another":        {"-- platform --\nlinux/amd64\n-- cwd --\n/src\n" + strings.Replace(tree, "project(OpenCV", "project(demo)\nfind_package(OpenCV", 1), ""},
	} {
		f, err := Probe(t.Context(), hosttest.Parse(t, c.text))
		if err != nil || f.Project.Version != c.want {
			t.Errorf("%s: %q, not %q (%v)", name, f.Project.Version, c.want, err)
		}
	}
}

// TestMSBuild: for which GPUs projects of Visual Studio make code.
// TestPythonOfSheet: headers and libraries that a property sheet takes from two Pythons.
func TestPythonOfSheet(t *testing.T) {
	const sheet, python35 = `C:\caffe\windows\CommonSettings.props`, `C:\Python35\`
	host := func(support, include, libraries string) string {
		return "-- platform --\nwindows/amd64\n-- cwd --\nC:\\caffe\n-- file " + sheet + " --\n<PythonSupport>" + support + "</PythonSupport>\n<PythonDir>" + python35 + "</PythonDir>\n" +
			"<LibraryPath>" + libraries + ";$(LibraryPath)</LibraryPath>\n<IncludePath>" + include + ";$(IncludePath)</IncludePath>\n" +
			"-- file " + python35 + "include\\pyconfig.h --\n#pragma comment(lib,\"python35.lib\")\n-- file " + python35 + "libs\\python35.lib --\n-- file " + python35 + "libs\\python3.lib --\n" +
			"-- file C:\\Conda\\include\\pyconfig.h --\n#pragma comment(lib,\"python36_d.lib\")\n#pragma comment(lib,\"python36.lib\")\n-- file C:\\Conda\\libs\\python36.lib --\n"
	}
	mixed := []facts.MSBuildSetting{{Kind: facts.PythonMixed, Value: "python36.lib", Folders: []string{`C:\Conda\include`, python35 + "libs"}, Libraries: []string{"python35.lib"}, File: sheet, Line: 4}}
	for name, c := range map[string]struct {
		text string
		want []facts.MSBuildSetting
	}{
		"two":                 {host("true", `C:\Conda\include;$(PythonDir)\include`, `$(PythonDir)\libs`), mixed},
		"one":                 {host("true", `$(PythonDir)include`, `$(PythonDir)libs`), nil},
		"both libraries":      {host("true", `C:\Conda\include`, `$(PythonDir)libs;C:\Conda\libs`), nil},
		"without Python":      {host("false", `C:\Conda\include`, `$(PythonDir)libs`), nil},
		"headers not known":   {host("true", `D:\x\include`, `$(PythonDir)libs`), nil},
		"libraries not known": {host("true", `C:\Conda\include`, `D:\x\libs`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Probe(t.Context(), hosttest.Parse(t, c.text))
			if err != nil || !reflect.DeepEqual(f.Project.MSBuild, c.want) {
				t.Errorf("%+v, not %+v (%v)", f.Project.MSBuild, c.want, err)
			}
		})
	}
}

func TestMSBuild(t *testing.T) {
	const solution = "-- platform --\nwindows/amd64\n-- cwd --\nC:\\s\n-- file C:\\s\\s.sln --\nProject(\"{8BC9CEB8}\") = \"ocr\", \"sub\\ocr.vcxproj\", \"{A}\"\n"
	project := func(line string) string {
		return solution + "-- file C:\\s\\sub\\ocr.vcxproj --\n<Project>\n" + line + "\n</Project>\n"
	}
	props := func(cpu string) string {
		return "-- platform --\nwindows/amd64\n-- cwd --\nC:\\caffe\n-- file C:\\caffe\\windows\\CommonSettings.props --\n<CpuOnlyBuild>" + cpu + "</CpuOnlyBuild>\n<CudaArchitecture>compute_61,sm_61</CudaArchitecture>\n"
	}
	code := func(file, text string, archs, ptx []string) []facts.GPUCode {
		return []facts.GPUCode{{By: "msbuild", File: file, Line: 2, Text: text, Archs: archs, PTX: ptx}}
	}
	const line = "<CodeGeneration>compute_20,sm_21;compute_75,compute_75</CodeGeneration>"
	for name, c := range map[string]struct {
		text string
		want []facts.GPUCode
	}{
		"a project in a solution":    {project(line), code(`C:\s\sub\ocr.vcxproj`, line, []string{"2.1"}, []string{"7.5"})},
		"what the solution inherits": {project("<CodeGeneration>%(CodeGeneration)</CodeGeneration>"), nil},
		"no CUDA":                    {project("<Optimization>Disabled</Optimization>"), nil},
		"Caffe":                      {props("false"), code(`C:\caffe\windows\CommonSettings.props`, "<CudaArchitecture>compute_61,sm_61</CudaArchitecture>", []string{"6.1"}, nil)},
		"Caffe for the CPU":          {props("true"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Probe(t.Context(), hosttest.Parse(t, c.text))
			if err != nil || !reflect.DeepEqual(f.Project.GPUCode, c.want) {
				t.Errorf("%+v, not %+v (%v)", f.Project.GPUCode, c.want, err)
			}
		})
	}
}

// TestOpenPoseFolders: CMake started in a part of the sources, a build folder among
// them, and what is neither.
func TestOpenPoseFolders(t *testing.T) {
	const tree = "-- cwd --\n/src\n-- file /src/CMakeLists.txt --\nproject(OpenPose)\n-- file /src/src/openpose/CMakeLists.txt --\ninclude(x)\n-- file /src/cmake/CMakeLists.txt --\nproject(x)\n"
	cache := func(folder, home string) string {
		return "-- file " + folder + "/CMakeCache.txt --\nCMAKE_CACHEFILE_DIR:INTERNAL=" + folder + "\nCMAKE_HOME_DIRECTORY:INTERNAL=" + home + "\n"
	}
	for name, c := range map[string]struct {
		files string
		want  facts.LeftoverProblem
	}{
		"whole":         {cache("/src/build", "/src"), ""},
		"a part":        {cache("/src/build", "/src/src/openpose"), facts.WrongFolder},
		"a project":     {cache("/src/build", "/src/cmake"), ""},
		"among modules": {"-- dir /src/src/openpose/build/CMakeFiles --\n", facts.AmongModules},
		"a module":      {"-- file /src/src/openpose/build/CMakeLists.txt --\nx\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Probe(t.Context(), hosttest.Parse(t, tree+c.files))
			got := facts.LeftoverProblem("")
			for _, l := range f.Project.Leftovers {
				got = l.Problem
			}
			if err != nil || got != c.want || len(f.Project.Leftovers) > 1 {
				t.Errorf("%+v, not %q (%v)", f.Project.Leftovers, c.want, err)
			}
		})
	}
}

// TestDownloads: what OpenCV's build fetched and cannot use.
func TestDownloads(t *testing.T) {
	const tree = "-- cwd --\n/cv\n-- file /cv/CMakeLists.txt --\nproject(OpenCV)\n-- file /cv/.cache/ade/abc-v1.zip --\nPK\n-- empty /cv/.cache/ippicv/abc-x.tgz --\n-- file /other/xfeatures2d/abc-y.i --\n<!DOCTYPE html><html><body>x</body></html>\n"
	for _, c := range []struct{ env, path string }{{"HOME=/h", "/cv/.cache/ippicv/abc-x.tgz"}, {"OPENCV_DOWNLOAD_PATH=/other", "/other/xfeatures2d/abc-y.i"}} {
		f, err := Probe(t.Context(), hosttest.Parse(t, tree+"-- env --\n"+c.env+"\n"))
		if d := f.Project.Downloads; err != nil || len(d) != 1 || d[0].Path != c.path {
			t.Errorf("%s: %+v, %v", c.env, d, err)
		}
	}
}
