package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestWindowsBuilds: what keeps a build on Windows from finding what is there,
// each with a healthy neighbor.
func TestWindowsBuilds(t *testing.T) {
	_, tables := load(t)
	const cudas = `C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v`
	cuda := func(series string) facts.Instance {
		return facts.Instance{Version: series + ".1", Path: cudas + series, Active: true}
	}
	cudnn := func(dir string, has ...string) facts.Instance {
		return facts.Instance{Version: "8.9.7", Path: dir + `\bin\cudnn64_8.dll`, Active: true, Via: []string{"dll"}, Has: append(has, "shared")}
	}
	studio := facts.Instance{Version: "17.8", Path: `C:\VS`, Active: true, Attrs: map[string]string{"generator": "Visual Studio 17 2022"}}
	opencv := func(version, path string, has ...string) facts.Instance {
		return facts.Instance{Version: version, Path: path, Active: true, Via: []string{"dll"}, Has: has, Built: facts.Built{Compiler: "mingw"}}
	}
	contrib := []string{"headers", "face", "tracking", "xfeatures2d", "img_hash"}
	arch := func(version string, archs ...string) facts.Instance {
		return facts.Instance{Version: version, Path: `C:\opencv`, Active: true, Via: []string{"dll"}, Built: facts.Built{CUDA: "10.2", CuDNN: "7.6", CUDAArchs: archs}}
	}
	carried := facts.Instance{Version: "1.7.0", Path: `C:\openpose`, Active: true, Built: facts.Built{CUDA: "11"}}
	driver := func(version string) facts.Instance {
		return facts.Instance{Version: version, Path: `C:\Windows\System32\nvcuda.dll`, Active: true}
	}
	variable := func(name, value string, problem facts.VariableProblem) []facts.Variable {
		return []facts.Variable{{Name: name, Value: value, Problem: problem}}
	}
	cache := func(pairs ...string) (out []facts.Leftover) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, facts.Leftover{Entry: pairs[i], Value: pairs[i+1], Problem: facts.OfGenerator, File: `D:\b\CMakeCache.txt`, Line: i})
		}
		return out
	}
	type machine = map[string][]facts.Instance
	one := func(list ...facts.Instance) []facts.Instance { return list }
	hyperV := []facts.GPU{{Vendor: "microsoft", Name: "Microsoft Hyper-V Video"}}
	for _, c := range []struct {
		name       string
		components machine
		variables  []facts.Variable
		leftovers  []facts.Leftover
		gpus       []facts.GPU
		id         string
		state      State
		fix        string
	}{
		{name: "cuDNN in another major version's CUDA", components: machine{"cuda": one(cuda("12.4")), "cudnn": one(cudnn(cudas+"11.8", "headers"))}, id: "cudnn.other-cuda", state: Fail, fix: "a cuDNN for CUDA 12 into " + cudas + "12.4"},
		{name: "cuDNN in the CUDA that OpenCV is built for", components: machine{"cuda": one(cuda("12.4")), "cudnn": one(cudnn(cudas+"10.2", "headers")), "opencv": one(arch("4.5.1", "7.5"))}},
		{name: "cuDNN in another CUDA of the same major version", components: machine{"cuda": one(cuda("12.4")), "cudnn": one(cudnn(cudas+"12.1", "headers"))}, id: "cudnn.other-cuda", state: Fail, fix: "Copy cuDNN's files from " + cudas + "12.1"},
		{name: "the folder of a Visual Studio that is gone", components: machine{"cmake": one(facts.Instance{Version: "3.30", Active: true}), "visual-studio": one(studio)}, variables: variable("CMAKE_GENERATOR_INSTANCE", `C:\Old`, facts.Generator), id: "cmake.generator", state: Fail, fix: `set "CMAKE_GENERATOR_INSTANCE=C:\VS"`},
		{name: "the folder of a Visual Studio that is here", components: machine{"cmake": one(facts.Instance{Version: "3.30", Active: true}), "visual-studio": one(studio)}, variables: variable("CMAKE_GENERATOR_INSTANCE", "c:/vs/,version=17.8", facts.Generator)},
		{name: "a toolset that is not here", components: machine{"cmake": one(facts.Instance{Version: "3.30", Active: true}), "visual-studio": one(studio), "msvc": one(facts.Instance{Version: "14.38.33130", Active: true})}, variables: variable("CMAKE_GENERATOR_TOOLSET", "v142,host=x64", facts.Generator), id: "cmake.generator", state: Fail, fix: "CMAKE_GENERATOR_TOOLSET=v143"},
		{name: "a toolset's version that is not here", components: machine{"cmake": one(facts.Instance{Version: "3.30", Active: true}), "visual-studio": one(studio), "msvc": one(facts.Instance{Version: "14.38.33130", Active: true})}, variables: variable("CMAKE_GENERATOR_TOOLSET", "v143,version=14.29", facts.Generator), id: "cmake.generator", state: Fail, fix: "CMAKE_GENERATOR_TOOLSET=v143"},
		{name: "a toolset that is here", components: machine{"cmake": one(facts.Instance{Version: "3.30", Active: true}), "visual-studio": one(studio), "msvc": one(facts.Instance{Version: "14.38.33130", Active: true}, facts.Instance{Version: "14.16.27023"})}, variables: variable("CMAKE_GENERATOR_TOOLSET", "v141,cuda=12.1", facts.Generator)},
		{name: "cuDNN in its CUDA", components: machine{"cuda": one(cuda("12.4")), "cudnn": one(cudnn(cudas+"12.4", "headers"))}},
		{name: "cuDNN in both", components: machine{"cuda": one(cuda("12.4")), "cudnn": one(cudnn(cudas+"11.8", "headers"), cudnn(cudas+"12.4", "headers"))}},
		{name: "cuDNN in a folder of its own", components: machine{"cuda": one(cuda("12.4")), "cudnn": one(cudnn(`C:\cudnn`, "headers"))}},
		{name: "cuDNN without headers", components: machine{"cuda": one(cuda("12.4")), "cudnn": one(cudnn(cudas + "12.4"))}, id: "cudnn.version-header", state: Fail, fix: `12.4\include`},
		{name: "cuDNN without headers, OpenCV is built", components: machine{"cuda": one(cuda("12.4")), "cudnn": one(cudnn(cudas + "12.4")), "opencv": one(arch("4.10.0", "8.6"))}},
		{name: "a generator that is gone", components: machine{"visual-studio": one(studio)}, variables: variable("CMAKE_GENERATOR", "Visual Studio 16 2019", facts.Generator), id: "cmake.generator", state: Fail, fix: "CMAKE_GENERATOR=Visual Studio 17 2022"},
		{name: "a generator that is here", components: machine{"visual-studio": one(studio)}, variables: variable("CMAKE_GENERATOR", "Visual Studio 17 2022", facts.Generator)},
		{name: "another kind of generator", components: machine{"visual-studio": one(studio)}, variables: variable("CMAKE_GENERATOR", "Ninja", facts.Generator)},
		{name: "a platform of 32 bits", components: machine{"visual-studio": one(studio)}, variables: variable("CMAKE_GENERATOR_PLATFORM", "Win32", facts.Generator), id: "cmake.generator", state: Fail, fix: "CMAKE_GENERATOR_PLATFORM=x64"},
		{name: "a platform of 64 bits", components: machine{"visual-studio": one(studio)}, variables: variable("CMAKE_GENERATOR_PLATFORM", "x64", facts.Generator)},
		{name: "a cache for Win32", components: machine{"visual-studio": one(studio)}, leftovers: cache("CMAKE_GENERATOR", "Visual Studio 17 2022", "CMAKE_GENERATOR_PLATFORM", "Win32"), id: "project.cache-generator", state: Warn, fix: "-A x64"},
		{name: "a cache of a Visual Studio that is gone", components: machine{"visual-studio": one(studio)}, leftovers: cache("CMAKE_GENERATOR", "Visual Studio 15 2017 Win64"), id: "project.cache-generator", state: Warn, fix: "again"},
		{name: "an old generator without Win64", components: machine{"visual-studio": one(facts.Instance{Version: "15.9", Path: `C:\VS`, Active: true})}, leftovers: cache("CMAKE_GENERATOR", "Visual Studio 15 2017"), id: "project.cache-generator", state: Warn, fix: "-A x64"},
		{name: "an old generator with a platform", components: machine{"visual-studio": one(facts.Instance{Version: "15.9", Path: `C:\VS`, Active: true})}, leftovers: cache("CMAKE_GENERATOR", "Visual Studio 15 2017", "CMAKE_GENERATOR_PLATFORM", "x64")},
		{name: "a cache for x64", components: machine{"visual-studio": one(studio)}, leftovers: cache("CMAKE_GENERATOR", "Visual Studio 17 2022", "CMAKE_GENERATOR_PLATFORM", "x64")},
		{name: "a Visual Studio 2022 without a platform is for 64 bits", components: machine{"visual-studio": one(studio)}, leftovers: cache("CMAKE_GENERATOR", "Visual Studio 17 2022")},
		{name: "libraries of another OpenCV", components: machine{"opencv": one(opencv("4.8.1", `C:\opencv\build\install`, contrib...))}, variables: variable("CGO_LDFLAGS", "460", facts.OwnFlags), id: "opencv.gocv-libraries", state: Fail, fix: "Write 481 in place of 460"},
		{name: "libraries of this OpenCV", components: machine{"opencv": one(opencv("4.8.1", `C:\opencv\build\install`, contrib...))}, variables: variable("CGO_LDFLAGS", "481", facts.OwnFlags)},
		{name: "libraries without a version", components: machine{"opencv": one(opencv("4.8.1", `C:\opencv\build\install`, contrib...))}, variables: variable("CGO_LDFLAGS", "", facts.OwnFlags)},
		{name: "an OpenCV where gocv does not look", components: machine{"opencv": one(opencv("4.8.1", `D:\opencv\install`, contrib...))}, id: "opencv.gocv-place", state: Fail, fix: `-LD:\opencv\install\lib`},
		{name: "an OpenCV elsewhere, with flags", components: machine{"opencv": one(opencv("4.8.1", `D:\opencv\install`, contrib...))}, variables: variable("CGO_LDFLAGS", "", facts.OwnFlags)},
		{name: "an OpenCV that was not installed", components: machine{"opencv": one(opencv("4.8.1", `C:\opencv\build`, contrib[1:]...))}, id: "opencv.not-installed", state: Fail, fix: "mingw32-make install"},
		{name: "dnn without CUDA", components: machine{"opencv": one(arch("4.2.0", "3.0", "7.5")), "cuda": one(cuda("10.2"))}, id: "opencv.dnn-arch", state: Fail, fix: "CUDA_ARCH_BIN"},
		{name: "dnn with CUDA", components: machine{"opencv": one(arch("4.2.0", "7.5")), "cuda": one(cuda("10.2"))}},
		{name: "later releases build dnn for older cards", components: machine{"opencv": one(arch("4.5.1", "3.0", "7.5")), "cuda": one(cuda("10.2"))}},
		{name: "a driver older than the CUDA that a program brings", components: machine{"openpose": one(carried), "nvidia-driver": one(driver("441.66"))}, id: "openpose.driver", state: Fail, fix: "452.39 or newer"},
		{name: "a driver that is new enough for it", components: machine{"openpose": one(carried), "nvidia-driver": one(driver("456.38"))}},
		{name: "no plugin for video files", components: machine{"openpose": one(facts.Instance{Version: "1.7.0", Path: `C:\op`, Active: true, Needs: []facts.Need{{Name: "opencv_videoio_ffmpeg450_64.dll", By: `C:\op\bin\opencv_world450.dll`, Cause: facts.OnCall}}})}, id: "openpose.ffmpeg", state: Warn, fix: `to C:\op\bin`},
		{name: "a variable of an OpenCV that is gone", components: machine{"opencv": one(facts.Instance{Version: "4.10.0", Path: `C:\cv`, Active: true, Via: []string{"dll"}, Stale: []facts.Stale{{Variable: "OpenCV_DIR", Folder: `C:\old`}}})}, id: "opencv.variable", state: Warn, fix: `OpenCV_DIR to the OpenCV in C:\cv`},
		{name: "a display without a GPU", gpus: hyperV, id: "opencl.virtual-display", state: Fail, fix: "Use the CPU"},
		{name: "a GPU beside it", gpus: append([]facts.GPU{{Vendor: "nvidia", Name: "RTX 3060"}}, hyperV...)},
		{name: "an OpenCL for the CPU", components: machine{"opencl": one(facts.Instance{Version: "3.0", Active: true, Path: `C:\Windows\System32\intelocl64.dll`})}, gpus: hyperV},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recipes.Recipe{Name: "opencv-cuda", Verify: &recipes.Verify{Engine: "gocv"}, Components: []string{"visual-studio", "cmake", "go", "opencv", "cuda", "cudnn", "openpose", "nvidia-driver", "opencl"}}
			f := &facts.Facts{OS: facts.OS{Family: "windows", ID: "windows", Arch: "amd64"}, GPUs: c.gpus, Components: c.components}
			f.Environment.Variables, f.Project.Leftovers = c.variables, c.leftovers
			findings := Evaluate(r, tables, f).Findings
			if c.id == "" && len(findings) > 0 || c.id != "" && (len(findings) != 1 || findings[0].ID != c.id || findings[0].State != c.state || !strings.Contains(findings[0].Fix, c.fix)) {
				t.Errorf("%+v", findings)
			}
		})
	}
}
