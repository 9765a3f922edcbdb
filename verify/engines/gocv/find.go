package gocv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/opencv"
)

// Spec declares the engine.
func Spec() engine.Spec {
	return engine.Spec{
		Name: Name, Library: "OpenCV", Component: "opencv", Recipe: "opencv-yolov3",
		Formats: []engine.Format{engine.Darknet}, Targets: opencv.Targets(), Missing: opencv.Missing, Find: find,
		GoModule: "gocv.io/x/gocv", Modules: Modules, Code: code,
	}
}

// words are gocv's for our backends and targets (dnn.go).
var words = map[string]string{
	"opencv": "NetBackendOpenCV", "cuda": "NetBackendCUDA",
	"opencv/cpu": "NetTargetCPU", "opencv/cpu_fp16": "NetTargetType(10)", "opencv/opencl": "NetTargetFP32", "opencv/opencl_fp16": "NetTargetFP16",
	"cuda/cuda": "NetTargetCUDA", "cuda/cuda_fp16": "NetTargetCUDAFP16",
}

// code are the lines that use a choice.
func code(c engine.Choice) []engine.Code {
	var lines []string
	if c.Threads > 0 {
		lines = append(lines, fmt.Sprintf("gocv.SetNumThreads(%d) // gocv 0.31 does not have it yet", c.Threads))
	}
	lines = append(lines, "err := net.SetPreferableBackend(gocv."+words[c.Target.Backend]+")", "err = net.SetPreferableTarget(gocv."+words[c.Target.Pair()]+")")
	return []engine.Code{{Language: "Go", Lines: lines}}
}

// find is the engine for the OpenCV, Go and compiler that were found.
func find(m engine.Machine) (engine.Engine, error) {
	release := m.Chosen["gocv"]
	if release == "" {
		if m.Blocker != "" {
			return nil, lang.Errorf("the gocv engine cannot be built here: %s; run deployctl doctor --fix (or verify --engine reference for the built-in engine alone)", m.Blocker)
		}
		return nil, lang.Errorf("no gocv release is known to fit this machine's OpenCV: run deployctl doctor to see why")
	}
	found, _ := m.Facts.Active("opencv")
	goCommand, _ := m.Facts.Active("go")
	o := Options{
		Process: m.Process, Cache: m.Cache, Release: "v" + strings.TrimPrefix(release, "v"),
		Go: goCommand.Path, GoVersion: goCommand.Version,
		OpenCVVersion: found.Version, OpenCVPath: found.Attrs["lib"],
		Getenv: m.Getenv, Fresh: m.Fresh,
	}
	if pc := found.Attrs["pc"]; pc != "" {
		o.PkgConfigDir = filepath.Dir(pc)
	}
	if m.Facts.OS.Family == "windows" {
		var err error
		if o.Flags, err = flags(found, names); err != nil {
			return nil, err
		}
	}
	if m.Proxy != nil {
		o.Proxy = func(ctx context.Context) (string, error) { return m.Proxy(ctx, o.Release) }
	}
	if cxx, ok := m.Facts.Active("g++"); ok {
		o.CXX, o.CXXVersion = cxx.Path, cxx.Version
	} else if cxx, ok := m.Facts.Active("clang++"); ok {
		o.CXX, o.CXXVersion = cxx.Path, cxx.Version
	}
	return New(o), nil
}

// names are the files of a folder.
func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list, nil
}

// linked are the modules that the worker calls; world is all of them in one library.
var linked = []string{"world", "dnn", "imgcodecs", "imgproc", "core"}

// flags are those for an OpenCV built with MinGW. gocv's own name C:/opencv, and
// libraries of the one OpenCV release that each gocv was written for; no lines of
// gocv ask pkg-config on Windows (gocv, cgo.go). The import libraries are next to the
// DLLs' folder: libopencv_core.dll.a in MSYS2, libopencv_core4100.dll.a elsewhere.
func flags(cv facts.Instance, list func(dir string) ([]string, error)) (*Flags, error) {
	include, dlls := cv.Attrs["include"], cv.Attrs["libdir"]
	if include == "" || dlls == "" {
		return nil, lang.Errorf("the gocv engine cannot be built here: the headers or the libraries of OpenCV were not found. Run deployctl doctor to see why")
	}
	top := dlls[:max(0, strings.LastIndexAny(strings.TrimRight(dlls, `\/`), `\/`))]
	lib := top + `\lib`
	files, err := list(lib)
	if err != nil {
		return nil, lang.Errorf("look for OpenCV's import libraries: %w", err)
	}
	ld := []string{quote("-L" + lib)}
	for _, module := range linked {
		for _, f := range files {
			name, isImport := strings.CutSuffix(f, ".dll.a")
			release, isModule := strings.CutPrefix(name, "libopencv_"+module)
			if isImport && isModule && strings.Trim(release, "-0123456789") == "" { // ...d is a debug build
				ld = append(ld, "-l"+strings.TrimPrefix(name, "lib"))
				break
			}
		}
	}
	if len(ld) == 1 {
		return nil, lang.Errorf("the gocv engine cannot be built here: %s has no libopencv_core*.dll.a, the import library that MinGW links. Install OpenCV's development files there", lib)
	}
	return &Flags{CPP: quote("-I" + include), CXX: "-std=c++11", LD: strings.Join(ld, " ")}, nil
}

// quote writes a flag for the Go command, which splits them at spaces, with the
// slashes that GCC's response files leave alone.
func quote(flag string) string {
	flag = strings.ReplaceAll(flag, `\`, "/")
	if strings.Contains(flag, " ") {
		return "'" + flag + "'"
	}
	return flag
}
