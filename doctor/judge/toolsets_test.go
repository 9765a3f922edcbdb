package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// windowsWithCUDA is a Windows with a CUDA toolkit whose header names the newest
// MSVC, Visual Studio 2019, and the given toolsets, the default one first.
func windowsWithCUDA(newest string, toolsets ...string) *facts.Facts {
	f := &facts.Facts{OS: facts.OS{Family: "windows", ID: "windows", Arch: "amd64"}, CPU: facts.CPU{Arch: "amd64"}}
	f.GPUs = []facts.GPU{{Vendor: "nvidia", Name: "a card", ComputeCapability: "6.1"}}
	studio := `C:\VS\2019`
	f.Add("visual-studio", facts.Instance{Version: "16.6", Path: studio, Active: true, Has: []string{"cuda-10.0"},
		Attrs: map[string]string{"generator": "Visual Studio 16 2019", "year": "2019", "cuda_customizations": "10.0"}})
	for i, v := range toolsets {
		family := "v14" + map[string]string{"14.1": "1", "14.2": "2", "14.3": "3", "14.4": "3"}[v[:4]]
		f.Add("msvc", facts.Instance{Version: v, Active: i == 0, Has: []string{"cl"}, Attrs: map[string]string{"toolset": family, "visual_studio": studio}})
	}
	f.Add("cuda", facts.Instance{Version: "10.0.130", Path: `C:\CUDA\v10.0`, Active: true, Has: []string{"nvcc"}, Attrs: map[string]string{"msc_ver_min": "1700", "msc_ver_max": newest}})
	return f
}

func findingsOf(t *testing.T, recipe string, f *facts.Facts) map[string]Finding {
	t.Helper()
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipes.Find(recipe, "")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Finding{}
	for _, found := range Evaluate(r, tables, f).Findings {
		out[found.ID] = found
	}
	return out
}

func TestToolsetForCUDA(t *testing.T) {
	for name, tt := range map[string]struct {
		facts *facts.Facts
		fix   string // "" for no such finding
	}{
		"another family":       {windowsWithCUDA("1919", "14.26.28801", "14.16.27023"), "-T v141"},
		"the same family":      {windowsWithCUDA("1939", "14.41.34120", "14.39.33519"), "-T v143,version=14.39"},
		"the default will do":  {windowsWithCUDA("1929", "14.26.28801", "14.16.27023"), ""},
		"no other one is here": {windowsWithCUDA("1919", "14.26.28801"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := findingsOf(t, "opencv-cuda", tt.facts)
			got, ok := found["msvc.toolset"]
			if ok != (tt.fix != "") || !strings.Contains(got.Fix, tt.fix) {
				t.Errorf("%+v, want a fix with %q", got, tt.fix)
			}
			if ok && found["cuda.msvc"].State != Skipped {
				t.Errorf("the symptom stands beside its cause: %+v", found["cuda.msvc"])
			}
			if !ok && name == "no other one is here" && !strings.Contains(found["cuda.msvc"].Fix, "v141 toolset 14.19") {
				t.Errorf("%+v", found["cuda.msvc"])
			}
		})
	}
}

func TestCuDNNImportLibrary(t *testing.T) {
	for lib, want := range map[string]string{
		`C:\CUDA\v10.0\lib\x64`: "",
		`C:\CUDA\v10.0\lib`:     `Move C:\CUDA\v10.0\lib\cudnn.lib to C:\CUDA\v10.0\lib\x64.`,
		"":                      `Copy cudnn.lib from NVIDIA's cuDNN archive to C:\CUDA\v10.0\lib\x64.`,
	} {
		f := windowsWithCUDA("1929", "14.26.28801")
		f.Add("cudnn", facts.Instance{Version: "7.6.5", Active: true, Has: []string{"headers"}, Places: facts.Places{Lib: lib},
			Attrs: map[string]string{"include": `C:\CUDA\v10.0\include`}})
		if got := findingsOf(t, "opencv-cuda", f)["cudnn.import-library"].Fix; got != want {
			t.Errorf("cudnn.lib in %q: %q, want %q", lib, got, want)
		}
	}
}

// TestExactVersions: no advice leaves the version of CUDA or cuDNN to chance,
// since the newest has no code for older cards.
func TestExactVersions(t *testing.T) {
	f := windowsWithCUDA("1929", "14.26.28801")
	delete(f.Components, "cuda")
	f.Add("winget", facts.Instance{Version: "1.9", Active: true})
	for capability, want := range map[string][2]string{
		"6.1": {"Nvidia.CUDA --version 12.", "cuDNN 9.10"}, // dropped by CUDA 13 and by cuDNN 9.11
		"8.9": {"Nvidia.CUDA --version 1", "cuDNN 9."},
	} {
		f.GPUs[0].ComputeCapability = capability
		found := findingsOf(t, "opencv-cuda", f)
		if got := found["cuda.version"].Fix; !strings.Contains(got, want[0]) {
			t.Errorf("%s: %q", capability, got)
		}
		if got := found["cudnn.version"].Fix; !strings.Contains(got, want[1]) {
			t.Errorf("%s: %q", capability, got)
		}
	}
}

func TestUnusableVisualStudio(t *testing.T) {
	for reason, want := range map[facts.Reason]State{facts.NeedsRestart: Pending, facts.Incomplete: Fail, "": ""} {
		f := windowsWithCUDA("1929", "14.26.28801")
		if reason != "" {
			f.Components["visual-studio"][0].Unusable = &facts.Unusable{Reason: reason, Detail: "it is so", Remedy: "Do this."}
		}
		got := findingsOf(t, "opencv-cuda", f)["visual-studio.unusable"]
		if got.State != want || want != "" && got.Fix != "Do this." {
			t.Errorf("%q: %+v", reason, got)
		}
	}
}

func TestPlaces(t *testing.T) {
	for name, tt := range map[string]struct {
		folder, long string
		want         bool
	}{
		"a short folder": {`C:\Users\ada\AppData\Local\deployctl`, "off", false},
		"a deep one":     {`C:\Users\a-rather-long-name-of-somebody\AppData\Local\deployctl`, "off", true},
		"long paths":     {`C:\Users\a-rather-long-name-of-somebody\AppData\Local\deployctl`, "on", false},
	} {
		f := windowsWithCUDA("1929", "14.26.28801")
		f.OS.LongPaths, f.Disks = tt.long, []facts.Disk{{Purpose: "cache", Path: tt.folder, Free: 1 << 40}}
		if got, ok := findingsOf(t, "opencv-source", f)["build.path-length"]; ok != tt.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// Projects that build in a folder of their sources': 60 characters are one too many.
	for name, tt := range map[string]struct {
		kinds  []string
		folder string
		long   string
		want   bool
	}{
		"OpenCV's sources, 60 characters":       {[]string{"cmake", "opencv"}, `C:\` + strings.Repeat("x", 57), "off", true},
		"OpenCV's sources, 59 characters":       {[]string{"cmake", "opencv"}, `C:\` + strings.Repeat("x", 56), "off", false},
		"OpenPose's sources, 60 characters":     {[]string{"openpose"}, `C:\` + strings.Repeat("x", 57), "off", true},
		"a character that takes several bytes":  {[]string{"openpose"}, `C:\` + strings.Repeat("工", 56), "off", false},
		"another project in a deep folder":      {[]string{"cmake"}, `C:\` + strings.Repeat("x", 57), "off", false},
		"OpenCV's sources with long paths":      {[]string{"opencv"}, `C:\` + strings.Repeat("x", 57), "on", false},
		"it is not known whether they are long": {[]string{"opencv"}, `C:\` + strings.Repeat("x", 57), "", false},
	} {
		f := windowsWithCUDA("1929", "14.26.28801")
		f.OS.LongPaths, f.Project = tt.long, facts.Project{Kinds: tt.kinds, Folder: tt.folder}
		if vars, ok := deepBuildFolder(&evaluation{facts: f}, subject{}); ok != tt.want || ok && (vars["folder"] != tt.folder || vars["length"] != "60") {
			t.Errorf("%s: %v, %v", name, ok, vars)
		}
	}
	for path, want := range map[string]string{`C:\mingw64\bin\gcc.exe`: "", `C:\Program Files\mingw\bin\gcc.exe`: "a space", `C:\Büro\bin\gcc.exe`: "other than ASCII"} {
		f := windowsWithCUDA("1929", "14.26.28801")
		f.Add("mingw", facts.Instance{Version: "13.2", Active: true, Path: path, Attrs: map[string]string{"cgo": "yes, from PATH"}})
		got, ok := findingsOf(t, "gocv-windows", f)["mingw.path"]
		if ok != (want != "") || !strings.Contains(got.Found, want) {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestCPULacks(t *testing.T) {
	f := debian12()
	f.Components["opencv"][0].Built.CPU = []string{"sse2"}
	if got, ok := findingsOf(t, "opencv-yolov3", f)["opencv.cpu"]; ok {
		t.Errorf("a CPU that has all: %+v", got)
	}
	f.Components["opencv"][0].Built.CPU = []string{"sse2", "avx512f"}
	if got := findingsOf(t, "opencv-yolov3", f)["opencv.cpu"]; got.State != Fail || !strings.Contains(got.Found, "avx512f") {
		t.Errorf("%+v", got)
	}
}
