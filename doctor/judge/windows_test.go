package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestWindowsCompilers: what keeps a compiler of Windows from building, each with
// a healthy neighbor.
func TestWindowsCompilers(t *testing.T) {
	_, tables := load(t)
	studio := func(version string, has ...string) facts.Instance {
		return facts.Instance{Version: version, Path: `C:\VS`, Active: true, Has: has, Attrs: map[string]string{"year": "2022"}}
	}
	cl := func(version string) facts.Instance { return facts.Instance{Version: version, Path: `C:\VS\VC`} }
	gcc := func(version, threads string) facts.Instance {
		return facts.Instance{Version: version, Path: `C:\mingw64\bin\gcc.exe`, Active: true, Attrs: map[string]string{"compiler": "gcc"}, Makes: facts.Makes{Target: "amd64", Threads: threads, Runtime: "ucrt"}}
	}
	opencv := func(runtime string) facts.Instance {
		return facts.Instance{Version: "4.8.1", Path: `C:\opencv`, Active: true, Built: facts.Built{Compiler: "mingw", Runtime: runtime}}
	}
	ort := facts.Instance{Version: "1.18.0", Path: `C:\ort`, Active: true, Built: facts.Built{CUDA: "11"}}
	cmake := facts.Instance{Version: "4.8.1", Path: `C:\opencv`, Active: true, Via: []string{"cmake"}, Has: []string{"shared"}, Places: facts.Places{Bin: `C:\opencv\bin`}}
	zlib := facts.Instance{Version: "8.5.0", Path: `C:\c\cudnn64_8.dll`, Active: true, Via: []string{"dll"}, Needs: []facts.Need{{Name: "zlibwapi.dll", By: `C:\c\cudnn64_8.dll`, Cause: facts.OnCall}}}
	cudnn := facts.Instance{Version: "9.5", Path: `C:\cudnn\bin\12.6\cudnn64_9.dll`, Active: true}
	cuda := facts.Instance{Version: "12.4.1", Path: `C:\cuda`, Active: true}
	onPath := func(version, dir string) facts.Instance {
		i := gcc(version, "posix")
		i.Path, i.Via, i.Active = dir+`\gcc.exe`, []string{"PATH"}, false
		return i
	}
	first := func(i facts.Instance) facts.Instance {
		i.Active = true
		return i
	}
	torch := func(cuda string) facts.Instance {
		return facts.Instance{Version: "2.3.1", Path: `C:\libtorch`, Active: true, Built: facts.Built{CUDA: cuda}}
	}
	driver := facts.Instance{Version: "461.92", Path: `C:\Windows\System32\nvcuda.dll`, Active: true}
	kit := func(parts ...string) facts.Instance {
		return facts.Instance{Version: "12.4.1", Path: `C:\cuda`, Active: true, Has: parts}
	}
	cuda11 := facts.Instance{Version: "11.0", Path: `C:\r\cudart64_110.dll`, Active: true, Via: []string{"dll"}}
	onDLL := facts.Instance{Version: "8.9", Path: `C:\c\bin\cudnn64_8.dll`, Active: true, Via: []string{"dll"}}
	with := func(names []string, list ...facts.Instance) map[string][]facts.Instance {
		out := map[string][]facts.Instance{}
		for i, n := range names {
			out[n] = append(out[n], list[i])
		}
		return out
	}
	for _, c := range []struct {
		name       string
		components map[string][]facts.Instance
		os         facts.OS
		id         string
		state      State
		fix        string
	}{
		{"no MSBuild", with([]string{"visual-studio"}, studio("17.8", "vctools")), facts.OS{}, "visual-studio.msbuild", Fail, `C:\VS`},
		{"MSBuild", with([]string{"visual-studio"}, studio("17.8", "vctools", "msbuild")), facts.OS{}, "", "", ""},
		{"2015 keeps MSBuild elsewhere", with([]string{"visual-studio"}, studio("14.0", "vctools")), facts.OS{}, "", "", ""},
		{"2015 Update 2", with([]string{"visual-studio", "msvc"}, studio("14.0", "vctools"), cl("14.0.23918")), facts.OS{}, "visual-studio.update", Fail, "Update 3"},
		{"2015 Update 1, by its setup", with([]string{"visual-studio"}, studio("14.0.24720", "vctools")), facts.OS{}, "visual-studio.update", Fail, "Update 3"},
		{"2015, the first release's number alone", with([]string{"visual-studio"}, studio("14.0.23107", "vctools")), facts.OS{}, "", "", ""},
		{"2015, the first release's compiler", with([]string{"visual-studio", "msvc"}, studio("14.0.23107", "vctools"), cl("14.0.23026")), facts.OS{}, "visual-studio.update", Fail, "Update 3"},
		{"2015 Update 3", with([]string{"visual-studio", "msvc"}, studio("14.0.25420", "vctools"), cl("14.0.24215")), facts.OS{}, "", "", ""},
		{"2015, unknown update", with([]string{"visual-studio", "msvc"}, studio("14.0", "vctools"), cl("14.0")), facts.OS{}, "", "", ""},
		{"win32 threads", with([]string{"mingw"}, gcc("8.1.0", "win32")), facts.OS{}, "mingw.threads", Fail, "posix"},
		{"win32 threads of GCC 13, OpenCV is built", with([]string{"mingw", "opencv"}, gcc("13.1.0", "win32"), facts.Instance{Version: "4.8.1", Active: true}), facts.OS{}, "", "", ""},
		{"posix threads", with([]string{"mingw"}, gcc("8.1.0", "posix")), facts.OS{}, "", "", ""},
		{"unknown threads", with([]string{"mingw"}, gcc("8.1.0", "")), facts.OS{}, "", "", ""},
		{"cuDNN off PATH", with([]string{"cudnn", "cuda"}, cudnn, cuda), facts.OS{}, "cudnn.dll-path", Fail, `Add C:\cudnn\bin\12.6 to PATH`},
		{"cuDNN on the PATH of new sessions", with([]string{"cudnn", "cuda"}, cudnn, cuda), facts.OS{StalePath: []string{`c:\cudnn\bin\12.6\`}}, "cudnn.dll-path", Pending, "Open a new terminal"},
		{"CUDA comes first", with([]string{"cudnn"}, cudnn), facts.OS{}, "", "", ""},
		{"another cuDNN on PATH", with([]string{"cuda", "cudnn", "cudnn"}, cuda, cudnn, facts.Instance{Version: "8", Path: `C:\c\bin\cudnn64_8.dll`, Via: []string{"dll"}}), facts.OS{}, "", "", ""},
		{"only headers are known", with([]string{"cudnn"}, facts.Instance{Version: "9.5.1", Path: `C:\cudnn\include`, Active: true}), facts.OS{}, "", "", ""},
		{"MSVCRT with UCRT", with([]string{"opencv", "mingw"}, opencv("msvcrt"), gcc("8.1.0", "posix")), facts.OS{}, "opencv.mingw-runtime", Warn, "MSVCRT"},
		{"UCRT with UCRT", with([]string{"opencv", "mingw"}, opencv("ucrt"), gcc("8.1.0", "posix")), facts.OS{}, "", "", ""},
		{"unknown runtime", with([]string{"opencv", "mingw"}, opencv(""), gcc("8.1.0", "posix")), facts.OS{}, "", "", ""},
		{"an older MinGW first", with([]string{"opencv", "mingw", "mingw"}, opencv("ucrt"), first(onPath("8.3.0", `C:\Strawberry\c\bin`)), onPath("13.2.0", `C:\mingw64\bin`)), facts.OS{}, "mingw.order", Fail, `Put C:\mingw64\bin before C:\Strawberry\c\bin`},
		{"an older MinGW later", with([]string{"opencv", "mingw", "mingw"}, opencv("ucrt"), first(onPath("13.2.0", `C:\mingw64\bin`)), onPath("8.3.0", `C:\Strawberry\c\bin`)), facts.OS{}, "", "", ""},
		{"an older MinGW first, no OpenCV", with([]string{"mingw", "mingw"}, first(onPath("8.3.0", `C:\a\bin`)), onPath("13.2.0", `C:\b\bin`)), facts.OS{}, "", "", ""},
		{"LibTorch for CUDA 12 on a driver for 11", with([]string{"libtorch", "nvidia-driver"}, torch("12.1"), driver), facts.OS{}, "libtorch.driver", Fail, "527.41"},
		{"LibTorch for CUDA 11 on a driver for 11", with([]string{"libtorch", "nvidia-driver"}, torch("11.1"), driver), facts.OS{}, "", "", ""},
		{"LibTorch without CUDA", with([]string{"libtorch", "nvidia-driver"}, torch(""), driver), facts.OS{}, "", "", ""},
		{"CUDA without NPP", with([]string{"cuda"}, kit("cublas", "cudart", "cufft", "curand", "cusolver")), facts.OS{}, "cuda.parts", Fail, "libraries of NPP"},
		{"CUDA with its libraries", with([]string{"cuda"}, kit("cublas", "cudart", "cufft", "curand", "cusolver", "npp")), facts.OS{}, "", "", ""},
		{"little is known of CUDA's libraries", with([]string{"cuda"}, kit("cudart")), facts.OS{}, "", "", ""},
		{"ONNX Runtime's libraries without a toolkit", with([]string{"onnxruntime", "cuda-runtime", "cudnn"}, ort, cuda11, onDLL), facts.OS{}, "onnxruntime.brings-cuda", Info, "Nothing to do"},
		{"the libraries of another CUDA", with([]string{"onnxruntime", "cuda-runtime", "cudnn"}, ort, facts.Instance{Version: "12", Active: true, Via: []string{"dll"}}, onDLL), facts.OS{}, "", "", ""},
		{"ONNX Runtime for CUDA 11", with([]string{"onnxruntime", "cuda"}, ort, cuda), facts.OS{}, "onnxruntime.cuda-build", Fail, "package for CUDA 12"},
		{"CUDA 11 is on PATH, too", with([]string{"onnxruntime", "cuda", "cuda-runtime"}, ort, cuda, facts.Instance{Version: "11.0", Via: []string{"dll"}}), facts.OS{}, "", "", ""},
		{"OpenCV for CMake only", with([]string{"opencv"}, cmake), facts.OS{}, "opencv.dll-path", Fail, `Add C:\opencv\bin to PATH`},
		{"OpenCV for CMake only, in a new session on PATH", with([]string{"opencv"}, cmake), facts.OS{StalePath: []string{`C:\OpenCV\bin`}}, "opencv.dll-path", Pending, "Open a new terminal"},
		{"no zlib for cuDNN 8", with([]string{"cudnn"}, zlib), facts.OS{}, "cudnn.zlib", Warn, "zlib 1.2.13"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.os.Family, c.os.ID, c.os.Arch = "windows", "windows", "amd64"
			r := &recipes.Recipe{Name: "test", Components: []string{"visual-studio", "mingw", "opencv", "cuda", "cudnn", "libtorch", "onnxruntime", "nvidia-driver"}}
			findings := Evaluate(r, tables, &facts.Facts{OS: c.os, Components: c.components}).Findings
			if c.id == "" && len(findings) > 0 || c.id != "" && (len(findings) != 1 || findings[0].ID != c.id || findings[0].State != c.state || !strings.Contains(findings[0].Fix, c.fix)) {
				t.Errorf("%+v", findings)
			}
		})
	}
}

// TestCUDAPathOther: CUDA_PATH is a toolkit that the recipe refuses, and the one on PATH
// is not.
func TestCUDAPathOther(t *testing.T) {
	_, tables := load(t)
	needs := func(cuda string, more ...string) *recipes.Recipe {
		return &recipes.Recipe{Name: "test", Components: append(more, "cuda"), Requirements: []recipes.Requirement{
			{ID: "cuda.version", Component: &recipes.ComponentCheck{Name: "cuda", Version: cuda}},
		}}
	}
	const studio = "visual-studio"
	for name, c := range map[string]struct {
		recipe         *recipes.Recipe
		onPath, inPath string // the toolkit that PATH finds, and CUDA_PATH's: "" for the same, "?" unknown, "-…" another one
		chosen         string // the series that a table names
		want           bool
	}{
		"CUDA_PATH is too old":                {needs(">= 11, < 12", studio), "11.8.89", "10.2.89", "", true},
		"CUDA_PATH is too new":                {needs(">= 11, < 12", studio), "11.8.89", "12.4.131", "", true},
		"both are accepted":                   {needs(">= 11", studio), "11.8.89", "12.4.131", "", false},
		"the one on PATH is refused, too":     {needs(">= 12", studio), "11.8.89", "10.2.89", "", false},
		"they are one":                        {needs(">= 11", studio), "11.8.89", "", "", false},
		"CUDA_PATH's release is not known":    {needs(">= 11, < 12", studio), "11.8.89", "?", "11.8", false},
		"the other is not CUDA_PATH's":        {needs(">= 11, < 12", studio), "11.8.89", "-10.2.89", "", false},
		"nothing is built by Visual Studio":   {needs(">= 11, < 12"), "11.8.89", "10.2.89", "", false},
		"a table names the series on PATH":    {needs(">= 10", studio), "11.7.99", "10.2.89", "11.7", true},
		"a table names the one of CUDA_PATH":  {needs(">= 10", studio), "11.7.99", "10.2.89", "10.2", false},
		"a table names a third series":        {needs(">= 10", studio), "11.7.99", "10.2.89", "12.1", false},
		"CUDA_PATH is a patch of that series": {needs(">= 10", studio), "11.7.99", "11.7.64", "11.7", false},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "windows", ID: "windows", Arch: "amd64"}}
		f.Add("cuda", facts.Instance{Version: c.onPath, Path: `C:\CUDA\first`, Active: true, Via: []string{"PATH"}})
		if release, elsewhere := strings.CutPrefix(c.inPath, "-"); elsewhere {
			f.Add("cuda", facts.Instance{Version: release, Path: `C:\CUDA\second`})
		} else if release != "" {
			f.Add("cuda", facts.Instance{Version: strings.TrimPrefix(release, "?"), Path: `C:\CUDA\second`, Via: []string{"CUDA_PATH"}})
		} else {
			f.Components["cuda"][0].Via = []string{"PATH", "CUDA_PATH"}
		}
		e := &evaluation{recipe: c.recipe, tables: tables, facts: f, chosen: map[string]string{"cuda": c.chosen}}
		vars, ok := cudaPathOther(e, subject{instance: &f.Components["cuda"][0]})
		if ok != c.want || ok && (vars["other"] != `C:\CUDA\second` || vars["release"] != c.inPath || vars["taken"] != `C:\CUDA\first`) {
			t.Errorf("%s: %v, %v", name, ok, vars)
		}
		if len(f.Components["cuda"]) == 2 {
			if _, ok := cudaPathOther(e, subject{instance: &f.Components["cuda"][1]}); ok {
				t.Errorf("%s: it is said of the other copy, too", name)
			}
		}
	}
}
