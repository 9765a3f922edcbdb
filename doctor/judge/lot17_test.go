package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestLot17 judges what the seventeenth lot's projects and toolkits say.
func TestLot17(t *testing.T) {
	_, tables := load(t)
	windows := facts.OS{Family: "windows", ID: "windows", Arch: "amd64"}
	off := facts.Project{Folder: `C:\op`, Leftovers: []facts.Leftover{{Entry: "USE_CUDNN", Value: "OFF", Problem: facts.WithoutCuDNN, File: `C:\op\build\CMakeCache.txt`, Line: 1}}}
	links := func(runtime string) facts.Project {
		return facts.Project{Folder: `C:\p`, Kinds: []string{"msbuild"}, MSBuild: []facts.MSBuildSetting{{Kind: facts.Libraries, Value: "opencv_world490.lib", Libraries: []string{"opencv_world490.lib"}, Configuration: "Release", Runtime: runtime, File: `C:\p\p.vcxproj`, Line: 9}}}
	}
	static := facts.Instance{Version: "4.9.0", Path: `C:\cv`, Active: true, Has: []string{"static", "headers", "world"}, Built: facts.Built{Runtime: "mt"}}
	shared := facts.Instance{Version: "4.9.0", Path: `C:\cv2`, Has: []string{"shared", "headers", "world"}}
	headers := facts.Project{Folder: `C:\p`, Kinds: []string{"msbuild"}, MSBuild: []facts.MSBuildSetting{{Kind: facts.Headers, Value: "OPENCV_DIR", Folders: []string{`C:\opencv_3.0\include`}, File: `C:\p\p.vcxproj`, Line: 9}}}
	only32 := facts.Project{Folder: `C:\p`, Kinds: []string{"msbuild"}, MSBuild: []facts.MSBuildSetting{{Kind: facts.Only32Bit, Value: "Win32", Libraries: []string{"opencv_world480.lib"}, File: `C:\p\p.vcxproj`, Line: 4}}}
	packed := facts.Instance{Version: "4.8.0", Path: `C:\opencv\build`, Active: true, Has: []string{"shared", "headers", "world"}, Places: facts.Places{Bin: `C:\opencv\build\x64\vc16\bin`}}
	candidate := facts.Instance{Version: "8.0.27", Path: `C:\CUDA\v8.0`, Active: true, Has: []string{"nvcc"}, Attrs: map[string]string{"msc_ver_min": "1600", "msc_ver_max": "1900", "msc_2015_below": "23918"}}
	msvc := func(version string) facts.Instance {
		return facts.Instance{Version: version, Active: true, Path: `C:\VC`}
	}
	gpu := func(gib uint64) []facts.GPU {
		return []facts.GPU{{Vendor: "nvidia", Name: "x", Memory: gib << 30, ComputeCapability: "6.1"}}
	}
	for _, c := range []struct {
		name    string
		project facts.Project
		gpus    []facts.GPU
		list    map[string][]facts.Instance
		id, fix string // "" for nothing found
	}{
		{"no cuDNN for 3 GB", off, gpu(3), nil, "project.cache-cudnn", "-DUSE_CUDNN=ON"},
		{"no cuDNN for 24 GB", off, gpu(24), nil, "project.cache-cudnn", ""},
		{"/MD with static libraries", links("md"), nil, map[string][]facts.Instance{"opencv": {static}}, "project.static-runtime", "Multi-threaded (/MT)"},
		{"/MT with static libraries", links("mt"), nil, map[string][]facts.Instance{"opencv": {static}}, "project.static-runtime", ""},
		{"/MD, and DLLs are here as well", links("md"), nil, map[string][]facts.Instance{"opencv": {static, shared}}, "project.static-runtime", ""},
		{"OPENCV_DIR is not set", headers, nil, map[string][]facts.Instance{"opencv": {static}}, "project.opencv-headers", `Set OPENCV_DIR to C:\cv`},
		{"and there is no OpenCV", headers, nil, nil, "project.opencv-headers", "Install OpenCV for Visual Studio"},
		{"Win32 with OpenCV's package", only32, nil, map[string][]facts.Instance{"opencv": {packed}}, "project.platform", "Configuration Manager"},
		{"Win32 with an OpenCV for it", only32, nil, map[string][]facts.Instance{"opencv": {packed, {Version: "4.8.0", Path: `C:\cv32`, Places: facts.Places{Bin: `C:\cv32\x86\vc17\bin`}}}}, "project.platform", ""},
		{"a release candidate of CUDA 8.0", facts.Project{}, nil, map[string][]facts.Instance{"cuda": {candidate}, "msvc": {msvc("14.0.24215")}}, "cuda.msvc", "8.0.61"},
		{"with an old Visual Studio 2015", facts.Project{}, nil, map[string][]facts.Instance{"cuda": {candidate}, "msvc": {msvc("14.0.23026")}}, "cuda.msvc", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := facts.Facts{OS: windows, Project: c.project, GPUs: c.gpus, Components: c.list}
			r := &recipes.Recipe{Name: "x", Components: []string{"opencv", "cuda", "openpose"}, Requirements: []recipes.Requirement{{ID: "cuda.msvc", Compat: &recipes.CompatCheck{Table: "cuda-msvc", Given: []string{"cuda", "msvc"}, Choose: "vs"}}}}
			fix := ""
			for _, found := range Evaluate(r, tables, &f).Findings {
				if found.ID == c.id && (found.State == Fail || found.State == Warn) {
					fix = found.Fix
				}
			}
			if (fix != "") != (c.fix != "") || !strings.Contains(fix, c.fix) {
				t.Errorf("%q, not %q", fix, c.fix)
			}
		})
	}
}
