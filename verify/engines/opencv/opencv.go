// Package opencv owns the engine that runs a network through OpenCV's dnn module
// from C++: its worker is compiled on the machine that is proven, with the user's
// own compiler, once through CMake's find_package(OpenCV) and once with the flags of
// pkg-config. That proves headers, libraries and both lookups without Go. The main
// binary contains the worker as source only; this package must never link OpenCV.
package opencv

import (
	"context"
	"embed"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/cxx"
	"github.com/deployctl/deployctl/verify/engines/internal/opencv"
)

// Name is the engine's name.
const Name = "opencv"

// workerSource is compiled on the target machine, hence embedded as text.
//
//go:embed worker
var workerSource embed.FS

// Spec declares the engine. It reads Darknet's files; Engine.Spec of an OpenCV 5,
// which has no importer for those, says ONNX.
func Spec() engine.Spec {
	return engine.Spec{
		Name: Name, Library: "OpenCV", Component: "opencv", Recipe: "opencv-cpp",
		Formats: []engine.Format{engine.Darknet, engine.ONNX}, Targets: opencv.Targets(), Missing: opencv.Missing, Find: find,
		Settings: opencv.Settings("4.7.0"), Code: opencv.Code, // Engine.Spec has those of its release
	}
}

// find is the engine for the OpenCV and the tools that were found.
func find(m engine.Machine) (engine.Engine, error) {
	found, ok := cxx.Pick(m.Facts, "opencv")
	if copies := m.Facts.Components["opencv"]; !ok && len(copies) > 0 && copies[0].Unusable != nil {
		return nil, lang.Errorf("the OpenCV in %s cannot be used: %s", copies[0].Path, copies[0].Unusable.Detail)
	}
	if !ok {
		return nil, lang.Errorf("OpenCV is not installed here with its headers and libraries: run deployctl doctor --recipe opencv-cpp --fix")
	}
	o := Options{
		Process: m.Process, Cache: m.Cache, Getenv: m.Getenv, Fresh: m.Fresh,
		// MinGW names DLLs as libraries are named elsewhere.
		Tools:   cxx.FindTools(m, strings.HasPrefix(filepath.Base(found.Attrs["lib"]), "lib")),
		Version: found.Version, Library: found.Attrs["lib"],
	}
	if pc := found.Attrs["pc"]; pc != "" {
		o.PkgConfigDir, o.Module = filepath.Dir(pc), strings.TrimSuffix(filepath.Base(pc), ".pc")
	}
	if config := found.Attrs["cmake"]; config != "" {
		o.ConfigDir = filepath.Dir(config)
	}
	return New(o), nil
}

// Options say what the worker is compiled with and against. Paths are absolute.
type Options struct {
	Process engine.Process
	// Cache is deployctl's cache folder; workers live in Cache/workers/opencv.
	Cache string
	Tools cxx.Tools
	// Version and Library are the copy that was found: its release, and its core
	// library.
	Version, Library string
	// ConfigDir is the folder of its OpenCVConfig.cmake, PkgConfigDir that of its .pc
	// file, and Module that file's name (opencv4); "" for none.
	ConfigDir, PkgConfigDir, Module string
	// Format is the form that the network is read in; "" is Darknet's, or ONNX with an
	// OpenCV that has no importer for that.
	Format engine.Format
	// Getenv reads the environment that Process gives its children; nil is this
	// process's.
	Getenv func(string) (string, bool)
	// Fresh compiles the worker even if there is one.
	Fresh bool
	// BuildLimit is the most time a compilation may take; 0 is 10 minutes.
	BuildLimit time.Duration
}

// New returns the engine. Nothing is looked at until Prepare.
func New(o Options) engine.Engine {
	major, _, _ := strings.Cut(o.Version, ".")
	next := len(major) > 1 || major >= "5"
	if o.Format == "" {
		o.Format = engine.Darknet
		if next {
			o.Format = engine.ONNX
		}
	}
	if o.Module == "" {
		o.Module = "opencv4"
		if next {
			o.Module = "opencv5"
		}
	}
	standard := 11
	if next {
		standard = 17
	}
	return &builder{o, standard}
}

type builder struct {
	o        Options
	standard int // of C++
}

// Spec is the engine's with the format that this OpenCV reads.
func (b *builder) Spec() engine.Spec {
	s := Spec()
	s.Formats = []engine.Format{b.o.Format}
	s.Settings = opencv.Settings(b.o.Version)
	return s
}

// Prepare finds the worker in the cache or compiles it, which takes about 10
// seconds each way.
func (b *builder) Prepare(ctx context.Context, progress engine.Progress) (engine.Worker, error) {
	c := cxx.Builder{
		Engine: Name, Process: b.o.Process, Cache: b.o.Cache, Tools: b.o.Tools, Getenv: b.o.Getenv, Fresh: b.o.Fresh, Limit: b.o.BuildLimit,
		Source: []fs.FS{opencv.Source, workerSource}, Target: opencv.Targets()[0], Worker: b.worker,
		Library: cxx.Library{
			Name: "OpenCV", Component: "opencv", Package: "OpenCV", Module: b.o.Module, Version: b.o.Version, File: b.o.Library,
			ConfigDir: b.o.ConfigDir, PkgDir: b.o.PkgConfigDir, Headers: "opencv2/", Install: lang.T("install OpenCV's development files (deployctl doctor --recipe opencv-cpp --fix)"),
			Standard: b.standard, Explain: explain,
		},
	}
	return c.Prepare(ctx, progress)
}

func (b *builder) worker(exe string) engine.Worker {
	runs := opencv.Runs()
	runs.Remedy = remedy
	return engine.Worker{
		Engine: Name, Version: "C++", Argv: []string{exe}, Env: opencv.Environment(), Inspect: opencv.Executed,
		Copy: opencv.Copy(b.o.Version, b.o.Library, b.o.Getenv), Runs: runs,
	}
}

// explain knows failures of a build that are OpenCV's own: its CMake package of
// Windows names the compilers that it has libraries for.
func explain(log string) (why, fix string) {
	const pack = "Found OpenCV Windows Pack but it has no binaries compatible with your configuration"
	// CMake breaks lines.
	if strings.Contains(strings.Join(strings.Fields(log), " "), pack) {
		return lang.F("find_package(%s) fails: %s", "OpenCV", pack),
			lang.T("build with a Visual Studio that this OpenCV has a folder for (x64\\vc16: 2019, x64\\vc17: 2022), for x64; MinGW needs an OpenCV built with MinGW")
	}
	return "", ""
}

// remedy knows what to do about the worker's own messages and OpenCV's.
func remedy(message string) string {
	switch {
	case strings.Contains(message, "OpenCV's headers are of "):
		return lang.T("remove one of the two copies (deployctl shadow opencv shows them), then run deployctl verify --fresh")
	case strings.Contains(message, "OpenCV does not know the model's output"):
		return lang.T("report this with the version of OpenCV")
	}
	return opencv.Remedy(message)
}
