package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestCUDAOfDLLs: which release of CUDA a program's DLLs are of, and whether it has
// code for the card here.
func TestCUDAOfDLLs(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	e := &evaluation{tables: tables}
	for _, c := range []struct {
		names   []string
		release string
		sm      string
		code    bool
	}{
		{[]string{"cublas64_90.dll", "cudart64_90.dll"}, "9.0", "7.5", false},
		{[]string{"cudart64_100.dll"}, "10.0", "7.5", true},
		{[]string{"cublas64_10.dll", "cudart64_102.dll"}, "10.2", "8.6", false},
		{[]string{"cudart64_110.dll"}, "11.x", "8.9", true},
		{[]string{"cublas64_11.dll"}, "11.x", "12.0", false},
		{[]string{"cublasLt64_12.dll", "cublas64_12.dll"}, "12.x", "12.0", true},
		{[]string{"cudart64_13.dll"}, "13.x", "6.1", false},
		{[]string{"cublas64_10.dll"}, "", "", true},
		{[]string{"cufft64_10.dll", "curand64_10.dll", "npp.dll"}, "", "", true},
	} {
		release := cudaOfDLLs(c.names)
		if release != c.release {
			t.Errorf("%v: %q, not %q", c.names, release, c.release)
		}
		if c.release != "" && e.hasCodeFor(c.sm, release) != c.code {
			t.Errorf("CUDA %s has code for %s: %v", release, c.sm, !c.code)
		}
	}
}

// TestCuDNNMajor: the number in the name of a library of cuDNN.
func TestCuDNNMajor(t *testing.T) {
	for name, want := range map[string]int{
		"cudnn64_8.dll": 8, "cudnn_ops_infer64_8.dll": 8, "CUDNN64_9.DLL": 9, "libcudnn.so.9": 9, "libcudnn_cnn.so.9": 9, "libcudnn.so.8": 8,
		"libcudnn.so": 0, "cudnn.lib": 0, "cudart64_12.dll": 0, "": 0,
	} {
		if got := cudnnMajor(name); got != want {
			t.Errorf("%s: %d, not %d", name, got, want)
		}
	}
}

// TestSeriesOf: the release that a library's SONAME stands for.
func TestSeriesOf(t *testing.T) {
	for soname, want := range map[string][2]string{
		"libcudart.so.10.0": {"cuda", "10.0"}, "libcudart.so.9.2": {"cuda", "9.2"}, "libcudart.so.10.2": {"cuda", "10.2"},
		"libcudart.so.10": {"cuda", "10"}, "libcudart.so.11.0": {"cuda", "11"}, "libcudart.so.12": {"cuda", "12"}, "libcublas.so.10": {"cuda", "10"}, "libcublasLt.so.11": {"cuda", "11"},
		"libcudnn.so.7": {"cudnn", "7"}, "libcufft.so.10": {}, "libz.so.1": {}, "libcudart.so": {},
	} {
		if component, series := seriesOf(soname); component != want[0] || series != want[1] {
			t.Errorf("%s: %s %s, not %v", soname, component, series, want)
		}
	}
}

// TestLot2: the checks that a second lot of public threads led to, with their advice
// on each system, beside machines on which it is not so.
func TestLot2(t *testing.T) {
	_, tables := load(t)
	on := func(family, id string) facts.OS { return facts.OS{Family: family, ID: id, Arch: "amd64"} }
	linux, windows, mac := on("linux", "ubuntu"), on("windows", "windows"), on("darwin", "macos")
	jetson := facts.OS{Family: "linux", ID: "ubuntu", Arch: "arm64", Board: "jetson"}
	opencv := func(has ...string) facts.Instance {
		return facts.Instance{Version: "4.8.1", Path: "/usr/local", Active: true, Has: append([]string{"core", "dnn"}, has...)}
	}
	imports := func(name, version string, modules ...string) facts.Facts {
		return facts.Facts{Project: facts.Project{Folder: "/p", Demands: []facts.Demand{{By: "go", Name: "gocv.io/x/gocv/" + name, Component: "opencv", Version: version, Parts: modules, File: "/p/main.go", Line: 3}}}}
	}
	conda := func(through string, activated bool) facts.Facts {
		return facts.Facts{Environment: facts.Environment{CondaFirst: &facts.CondaFirst{Folder: "/c", Through: through, Packages: []string{"Qt5"}, Activated: activated}}}
	}
	cudnn := facts.Instance{Version: "9.8.0", Path: "/usr/lib/libcudnn.so.9", Active: true, Has: []string{"headers", "shared"}}
	foreign := facts.Instance{Version: "9.8.0", Path: "/usr/local/cuda-12.6/lib64/libcudnn.so.9", Unusable: &facts.Unusable{Reason: facts.WrongArch, Detail: "it is for x86-64"}}
	cuda := facts.Instance{Version: "12.6", Path: "/usr/local/cuda-12.6", Active: true}
	off := facts.Facts{Project: facts.Project{Folder: "/b", Leftovers: []facts.Leftover{{Entry: "OPENCV_DNN_CUDA", Value: "OFF", File: "/b/CMakeCache.txt", Line: 1, Problem: facts.SwitchedOff}}}}
	tensorflow := func(version string) map[string][]facts.Instance {
		return map[string][]facts.Instance{"tensorflow": {{Version: version, Path: "/usr/local/lib", Active: true}}}
	}
	cpu := func(features ...string) facts.Facts {
		return facts.Facts{CPU: facts.CPU{Arch: "amd64", Features: features}}
	}
	of := func(name string, list ...facts.Instance) map[string][]facts.Instance {
		return map[string][]facts.Instance{name: list}
	}
	both := map[string][]facts.Instance{"cudnn": {cudnn, foreign}, "cuda": {cuda}}
	for _, c := range []struct {
		name   string
		os     facts.OS
		f      facts.Facts
		list   map[string][]facts.Instance
		recipe string
		id     string
		state  State
		fix    string // "" for nothing found
	}{
		{"gocv/cuda", linux, imports("cuda", "0.35.0", "cudaarithm"), of("opencv", opencv()), "x", "project.gocv-package", Fail, "make install_cuda"},
		{"gocv/cuda on Windows", windows, imports("cuda", "0.35.0", "cudaarithm"), of("opencv", opencv()), "x", "project.gocv-package", Fail, "does not work with MinGW"},
		{"gocv/cuda on a Mac", mac, imports("cuda", "0.35.0", "cudaarithm"), of("opencv", opencv()), "x", "project.gocv-package", Fail, "does not exist for macOS"},
		{"gocv/contrib on Windows", windows, imports("contrib", "0.35.0", "face"), of("opencv", opencv()), "x", "project.gocv-package", Fail, "win_build_opencv.cmd"},
		{"gocv/contrib", linux, imports("contrib", "0.35.0", "face"), of("opencv", opencv()), "x", "project.gocv-package", Fail, "make install."},
		{"gocv/contrib with contrib", linux, imports("contrib", "0.35.0", "face"), of("opencv", opencv("face")), "x", "project.gocv-package", Fail, ""},
		{"gocv/contrib with Debian's contrib", linux, imports("contrib", "0.43.0", "face", "xfeatures2d"), of("opencv", opencv("face")), "x", "project.gocv-package", Fail, "make install."},
		{"opencv_world has all or nothing is known", linux, imports("contrib", "0.35.0", "face"), of("opencv", opencv("world")), "x", "project.gocv-package", Fail, ""},
		{"an older gocv", linux, imports("contrib", "0.22.0", "face"), of("opencv", opencv()), "x", "project.gocv-package", Fail, ""},
		{"a fork of gocv", linux, imports("contrib", "", "face"), of("opencv", opencv()), "x", "project.gocv-package", Fail, ""},
		{"conda on PATH", linux, conda("PATH", true), of("opencv", opencv()), "opencv-source", "build.conda-packages", Warn, "conda deactivate"},
		{"conda in the prefix path", linux, conda("CMAKE_PREFIX_PATH", true), nil, "opencv-cuda", "build.conda-packages", Warn, "unset CMAKE_PREFIX_PATH"},
		{"conda by hand", mac, conda("PATH", false), nil, "opencv-source", "build.conda-packages", Warn, "CMAKE_IGNORE_PREFIX_PATH=/c"},
		{"conda, and OpenCV is built already", linux, conda("PATH", true), of("opencv", opencv()), "opencv-cuda", "build.conda-packages", Warn, ""},
		{"conda, and nothing is built", linux, conda("PATH", true), nil, "onnxruntime", "build.conda-packages", Warn, ""},
		{"cuDNN of another machine", jetson, facts.Facts{}, both, "x", "cudnn.foreign", Warn, "/usr/lib"},
		{"cuDNN of another machine elsewhere", jetson, facts.Facts{}, map[string][]facts.Instance{"cudnn": both["cudnn"]}, "x", "cudnn.foreign", Warn, ""},
		{"dnn without CUDA", linux, off, map[string][]facts.Instance{"cudnn": {cudnn}, "cuda": {cuda}}, "x", "project.cache-dnn", Warn, "-DOPENCV_DNN_CUDA=ON"},
		{"dnn without CUDA nor cuDNN", linux, off, of("cuda", cuda), "x", "project.cache-dnn", Warn, ""},
		{"TensorFlow 2.4.0 without AVX2", linux, cpu("avx"), tensorflow("2.4.0"), "x", "tensorflow.avx2", Warn, "2.4.1"},
		{"TensorFlow 2.4.0 with AVX2", linux, cpu("avx", "avx2"), tensorflow("2.4.0"), "x", "tensorflow.avx2", Warn, ""},
		{"TensorFlow 2.4.1", linux, cpu("avx"), tensorflow("2.4.1"), "x", "tensorflow.avx2", Warn, ""},
		{"TensorFlow 2.4 of no known patch", linux, cpu("avx"), tensorflow("2.4"), "x", "tensorflow.avx2", Warn, ""},
		{"TensorFlow and an unknown CPU", linux, facts.Facts{}, tensorflow("2.4.0"), "x", "tensorflow.avx2", Warn, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.f.OS, c.f.Components = c.os, c.list
			r := &recipes.Recipe{Name: c.recipe, Components: []string{"opencv", "cuda", "cudnn", "tensorflow"}}
			fix := ""
			for _, f := range Evaluate(r, tables, &c.f).Findings {
				if f.ID == c.id && f.State != OK && f.State != Skipped {
					if fix = f.Fix; f.State != c.state || fix == "" {
						t.Errorf("%+v", f)
					}
				}
			}
			if (fix != "") != (c.fix != "") || !strings.Contains(fix, c.fix) {
				t.Errorf("%q, not %q", fix, c.fix)
			}
		})
	}
}
