package gocv

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

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
			return nil, fmt.Errorf("the gocv engine cannot be built here: %s; run deployctl doctor --fix (or verify --engine reference for the built-in engine alone)", m.Blocker)
		}
		return nil, fmt.Errorf("no gocv release is known to fit this machine's OpenCV: run deployctl doctor to see why")
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
