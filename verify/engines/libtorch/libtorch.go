// Package libtorch owns the engine that runs a network through LibTorch: its worker
// is C++ that loads a TorchScript module. It is compiled on the machine that is
// proven, with the user's own compiler, once through CMake's find_package(Torch) and
// once with the flags that LibTorch's headers and libraries need. The main binary
// contains the worker as source only; this package must never link LibTorch.
package libtorch

import (
	"context"
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/go-version"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/cxx"
)

// Name is the engine's name.
const Name = "libtorch"

// workerSource is compiled on the target machine, hence embedded as text.
//
//go:embed worker
var workerSource embed.FS

// cudaDrivers begin the names of files without which LibTorch cannot have used CUDA.
var cudaDrivers = []string{"libcuda.so", "nvcuda", "libcudart", "cudart"}

// code are the lines that limit LibTorch's threads (torch/csrc/api, ATen/Parallel.h).
func code(c engine.Choice) []engine.Code {
	return c.Limited(
		engine.Code{Language: "C++", Lines: []string{"at::set_num_threads(%d);"}},
		engine.Code{Language: "Python", Lines: []string{"torch.set_num_threads(%d)"}},
	)
}

// Spec declares the engine.
func Spec() engine.Spec {
	return engine.Spec{
		Name: Name, Library: "LibTorch", Component: "libtorch", Recipe: "libtorch",
		Formats: []engine.Format{engine.TorchScript},
		Targets: []engine.Target{
			{Name: "cpu", Backend: "libtorch", Layers: "cpu"},
			{Name: "cuda", Backend: "libtorch", Layers: "cuda", Drivers: cudaDrivers},
			{Name: "cuda_fp16", Backend: "libtorch", Layers: "cuda_fp16", Drivers: cudaDrivers},
		},
		Code:    code,
		Missing: missing, Find: find,
	}
}

// missing says what CUDA lacks, "" when nothing.
func missing(asked engine.Target, d engine.Device, refused bool) (why, fix string) {
	switch {
	case asked.Family() != "cuda":
		return "", ""
	case d.CUDA == nil || d.CUDA.Count == 0:
		return lang.T("CUDA cannot be used: LibTorch sees no CUDA device, or was built without CUDA"),
			lang.T("Run nvidia-smi to see whether there is a GPU and a driver; deployctl doctor --recipe libtorch --set gpu=cuda says which build of LibTorch fits.")
	case refused:
		return lang.T("CUDA cannot be used: LibTorch does not list it"), lang.T("Use --target cpu.")
	}
	return "", ""
}

// find is the engine for the LibTorch and the tools that were found.
func find(m engine.Machine) (engine.Engine, error) {
	found, ok := cxx.Pick(m.Facts, "libtorch")
	copies := m.Facts.Components["libtorch"]
	switch {
	case ok:
	case len(copies) > 0 && copies[0].Unusable != nil:
		return nil, lang.Errorf("the LibTorch in %s cannot be used: %s", copies[0].Path, copies[0].Unusable.Detail)
	case len(copies) > 0:
		return nil, lang.Errorf("the LibTorch in %s has no headers and libraries to build with: run deployctl doctor --recipe libtorch --fix", copies[0].Path)
	default:
		return nil, lang.Errorf("LibTorch is not installed here: run deployctl doctor --recipe libtorch --fix")
	}
	o := Options{
		Process: m.Process, Cache: m.Cache, Getenv: m.Getenv, Fresh: m.Fresh, Tools: cxx.FindTools(m, false),
		Version: found.Version, Library: found.Attrs["lib"], Include: found.Attrs["include"], ABI: found.Attrs["cxx11_abi"],
	}
	if config := found.Attrs["cmake"]; config != "" {
		o.ConfigDir = filepath.Dir(config)
	}
	return New(o), nil
}

// Options say what the worker is compiled with and against. Paths are absolute.
type Options struct {
	Process engine.Process
	// Cache is deployctl's cache folder; workers live in Cache/workers/libtorch.
	Cache string
	Tools cxx.Tools
	// Version and Library are the copy that was found: its release, and one of its
	// libraries.
	Version, Library string
	// Include is the folder of its headers, ConfigDir that of its TorchConfig.cmake;
	// "" for none.
	Include, ConfigDir string
	// ABI is the value of _GLIBCXX_USE_CXX11_ABI that it was built with, "" where that
	// is not known.
	ABI string
	// Getenv reads the environment that Process gives its children; nil is this
	// process's.
	Getenv func(string) (string, bool)
	// Fresh compiles the worker even if there is one.
	Fresh bool
	// BuildLimit is the most time a compilation may take; 0 is 10 minutes.
	BuildLimit time.Duration
}

// New returns the engine. Nothing is looked at until Prepare.
func New(o Options) engine.Engine { return &builder{o} }

type builder struct{ o Options }

func (b *builder) Spec() engine.Spec { return Spec() }

// Prepare finds the worker in the cache or compiles it, which takes about 30 seconds
// each way.
func (b *builder) Prepare(ctx context.Context, progress engine.Progress) (engine.Worker, error) {
	if !atLeast(b.o.Version, "1.8") {
		return engine.Worker{}, &engine.Unavailable{Engine: Name, Why: lang.F("LibTorch %s is older than 1.8, the oldest that reads the modules that deployctl writes", b.o.Version),
			Fix: lang.T("install LibTorch 1.8 or newer")}
	}
	c := cxx.Builder{
		Engine: Name, Process: b.o.Process, Cache: b.o.Cache, Tools: b.o.Tools, Getenv: b.o.Getenv, Fresh: b.o.Fresh, Limit: b.o.BuildLimit,
		Source: []fs.FS{workerSource}, Target: Spec().Targets[0], Worker: b.worker,
		Library: cxx.Library{
			Name: "LibTorch", Package: "Torch", Component: "libtorch", Version: b.o.Version, File: b.o.Library, ConfigDir: b.o.ConfigDir,
			Headers: "torch/", Install: lang.T("install LibTorch's development files (deployctl doctor --recipe libtorch --fix)"),
			Standard: b.standard(), Flags: b.flags(), Explain: explain,
		},
	}
	return c.Prepare(ctx, progress)
}

// standard is the C++ standard of its headers (the error at the head of
// torch/csrc/api/include/torch/all.h).
func (b *builder) standard() int {
	switch {
	case atLeast(b.o.Version, "2.14"):
		return 20
	case atLeast(b.o.Version, "2.1"):
		return 17
	}
	return 14
}

// flags are what a compiler needs without CMake, nil where they are not known:
// Visual C++ has others.
func (b *builder) flags() *cxx.Flags {
	if b.o.Include == "" || runtime.GOOS == "windows" {
		return nil
	}
	const api = "/torch/csrc/api/include"
	root, dir := strings.TrimSuffix(filepath.ToSlash(b.o.Include), api), filepath.Dir(b.o.Library)
	f := &cxx.Flags{
		Compile: []string{"-I" + root, "-I" + root + api},
		// A wheel's libraries are in no folder that the loader knows.
		Link: []string{"-L" + dir, "-Wl,-rpath," + dir, "-ltorch_cpu", "-lc10"},
	}
	if b.o.ABI != "" {
		f.Compile = append(f.Compile, "-D_GLIBCXX_USE_CXX11_ABI="+b.o.ABI)
	}
	if cuda, err := filepath.Glob(filepath.Join(dir, "libtorch_cuda.*")); err == nil && len(cuda) > 0 {
		// It registers CUDA when it is loaded; nothing refers to it.
		f.Link = append(f.Link, "-Wl,--no-as-needed", "-ltorch_cuda", "-lc10_cuda", "-Wl,--as-needed")
	}
	return f
}

func (b *builder) worker(exe string) engine.Worker {
	return engine.Worker{
		Engine: Name, Version: "C++", Argv: []string{exe},
		Copy: &engine.Copy{
			Name: "LibTorch", Version: b.o.Version, File: b.o.Library, Getenv: b.getenv,
			Prefixes: []string{"libtorch.", "libtorch_", "libc10.", "libc10_", "torch.", "torch_", "c10."}, // the last three are Windows'
		},
		Runs: engine.Runs{Component: "libtorch", Display: "LibTorch", Remedy: remedy},
	}
}

func (b *builder) getenv(name string) (string, bool) {
	if b.o.Getenv != nil {
		return b.o.Getenv(name)
	}
	return os.LookupEnv(name)
}

// atLeast compares two releases; one that cannot be read is new.
func atLeast(have, want string) bool {
	h, errH := version.NewVersion(have)
	w, errW := version.NewVersion(want)
	return errH != nil || errW != nil || h.GreaterThanOrEqual(w)
}

// explain knows failures of a build that are LibTorch's own (its CMake package is
// share/cmake/Caffe2/*.cmake).
func explain(log string) (why, fix string) {
	words := strings.Join(strings.Fields(log), " ")
	has := func(parts ...string) bool {
		for _, p := range parts {
			if !strings.Contains(words, p) {
				return false
			}
		}
		return true
	}
	cpuBuild := lang.T("install the CUDA Toolkit of its series, or a CPU build of LibTorch")
	switch {
	case has("uses CUDA but I cannot find the CUDA"), has("Failed to find CUDA", "Caffe2"), has("Could not find CUDA", "Caffe2"):
		return lang.T("find_package(Torch) fails: this LibTorch is a CUDA build, and CMake finds no CUDA Toolkit for it"), cpuBuild
	case has("Specify CUDA_TOOLKIT_ROOT_DIR", "Caffe2"), has("CUDA_TOOLKIT_ROOT_DIR not found", "Caffe2"):
		return lang.T("find_package(Torch) fails: this LibTorch is a CUDA build, and CMake finds no CUDA Toolkit for it"), cpuBuild
	case has("Protobuf version mismatch"), has("Protobuf compiler version", "doesn't match library version"):
		return lang.T("find_package(Torch) fails: the protobuf here is not the one that this LibTorch was built with"), lang.T("install the development files of the protobuf that LibTorch's package names")
	}
	return "", ""
}

// remedy knows what to do about LibTorch's own messages.
func remedy(message string) string {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(message, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("PytorchStreamReader failed", "file not found: model/", "failed finding central directory", "Unknown type name"):
		return lang.T("the converted network is damaged: run deployctl verify --fresh")
	case has("the maximum supported version for reading is", "Unknown builtin op"):
		return lang.T("this LibTorch is too old for the module: install 1.8 or newer (deployctl doctor --recipe libtorch --fix)")
	case has("no kernel image is available"):
		return lang.T("this LibTorch has no code for this GPU: install a build for its compute capability")
	case has("driver version is insufficient"):
		return lang.T("update the NVIDIA driver, or install a LibTorch for an older CUDA")
	case has("CUDA out of memory", "CUDA error: out of memory"):
		return lang.T("free memory of the GPU (nvidia-smi shows what uses it)")
	case has("can't allocate memory", "not enough memory"):
		return engine.FreeMemory(lang.T("YOLOv3 needs about 1 GB"))
	}
	return ""
}
