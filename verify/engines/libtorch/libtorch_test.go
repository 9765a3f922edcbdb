package libtorch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/verify/engine"
)

func TestFind(t *testing.T) {
	own := map[string]string{"lib": "/usr/lib/libtorch.so.1.13.0", "cmake": "/usr/lib/cmake/Torch/TorchConfig.cmake", "include": "/usr/include", "cxx11_abi": "1"}
	wheel := map[string]string{"lib": "/opt/torch/lib/libtorch.so", "include": "/opt/torch/include/torch/csrc/api/include", "cxx11_abi": "0"}
	for _, c := range []struct {
		name   string
		copies []facts.Instance
		want   string // of the options, or of the error
	}{
		{"none", nil, "not installed here"},
		{"Debian's", []facts.Instance{{Version: "1.13.0", Active: true, Attrs: own}}, "1.13.0 /usr/lib/libtorch.so.1.13.0 /usr/lib/cmake/Torch 1 [-I/usr/include -I/usr/include/torch/csrc/api/include -D_GLIBCXX_USE_CXX11_ABI=1] 14"},
		{"a wheel's", []facts.Instance{{Version: "2.1.2", Attrs: wheel}}, "2.1.2 /opt/torch/lib/libtorch.so  0 [-I/opt/torch/include -I/opt/torch/include/torch/csrc/api/include -D_GLIBCXX_USE_CXX11_ABI=0] 17"},
		{"a new one", []facts.Instance{{Version: "2.15.0", Attrs: wheel}}, " 20"},
		{"the active one", []facts.Instance{{Version: "2.1.2", Attrs: wheel}, {Version: "1.13.0", Active: true, Attrs: own}}, "1.13.0"},
		{"one that cannot be used", []facts.Instance{{Path: "/opt", Unusable: &facts.Unusable{Reason: facts.WrongArch, Detail: "it is for arm64"}}}, "it is for arm64"},
		{"a Python package", []facts.Instance{{Path: "/usr/lib/python3/dist-packages/torch"}}, "has no headers and libraries"},
	} {
		f := &facts.Facts{Components: map[string][]facts.Instance{"libtorch": c.copies, "cmake": {{Path: "/usr/bin/cmake", Active: true}}}}
		e, err := Spec().Find(engine.Machine{Facts: f, Getenv: func(string) (string, bool) { return "", false }})
		got := ""
		if err != nil {
			got = err.Error()
		} else if b := e.(*builder); b.o.Tools.CMake == "/usr/bin/cmake" {
			got = strings.Join([]string{b.o.Version, b.o.Library, b.o.ConfigDir, b.o.ABI, fmt.Sprint(b.flags().Compile), fmt.Sprint(b.standard())}, " ")
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

// TestFlags: CUDA's part is linked where there is one, though nothing refers to it.
func TestFlags(t *testing.T) {
	dir := t.TempDir()
	b := &builder{Options{Include: "/opt/torch/include", Library: filepath.Join(dir, "libtorch.so")}}
	if f := b.flags(); slices.Contains(f.Link, "-ltorch_cuda") || !slices.Contains(f.Link, "-Wl,-rpath,"+dir) || slices.ContainsFunc(f.Compile, func(a string) bool { return strings.Contains(a, "ABI") }) {
		t.Errorf("%+v", f)
	}
	if err := os.WriteFile(filepath.Join(dir, "libtorch_cuda.so"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if f := b.flags(); !slices.Contains(f.Link, "-ltorch_cuda") {
		t.Errorf("%+v", f)
	}
	b.o.Include = ""
	if f := b.flags(); f != nil {
		t.Errorf("without headers: %+v", f)
	}
}

func TestOld(t *testing.T) {
	_, err := New(Options{Version: "1.7.1"}).Prepare(t.Context(), engine.Silent{})
	var u *engine.Unavailable
	if !errors.As(err, &u) || !strings.Contains(u.Why, "older than 1.8") || u.Fix == "" {
		t.Errorf("%v", err)
	}
}

func TestMissing(t *testing.T) {
	cpu, cuda := Spec().Targets[0], Spec().Targets[1]
	for _, c := range []struct {
		name    string
		target  engine.Target
		device  engine.Device
		refused bool
		why     string
	}{
		{"the processor", cpu, engine.Device{}, false, ""},
		{"CUDA", cuda, engine.Device{CUDA: &engine.CUDA{Count: 1}}, false, ""},
		{"no device", cuda, engine.Device{CUDA: &engine.CUDA{}}, true, "sees no CUDA device"},
		{"nothing known", cuda, engine.Device{}, false, "sees no CUDA device"},
		{"not listed", cuda, engine.Device{CUDA: &engine.CUDA{Count: 1}}, true, "does not list it"},
	} {
		why, fix := missing(c.target, c.device, c.refused)
		if !strings.Contains(why, c.why) || (why == "") != (c.why == "") || (fix == "") != (why == "") {
			t.Errorf("%s: %q %q", c.name, why, fix)
		}
	}
}

// TestSentences: failures that are LibTorch's own, and what to do.
func TestSentences(t *testing.T) {
	for log, want := range map[string]string{
		"CMake Error at /opt/torch/share/cmake/Caffe2/Caffe2Config.cmake:91 (message):\n  Your installed Caffe2 version uses CUDA but I cannot find the CUDA\n  libraries.  Please set the proper CUDA prefixes and / or install CUDA.\n": "a CUDA build, and CMake finds no CUDA Toolkit",
		"CMake Error at /opt/torch/share/cmake/Caffe2/public/protobuf.cmake:88 (message):\n  Protobuf version mismatch\n":                                                                                                                 "protobuf",
		"something else": "",
	} {
		why, fix := explain(log)
		if !strings.Contains(why, want) || (why == "") != (want == "") || (fix == "") != (why == "") {
			t.Errorf("%q: %q %q", log, why, fix)
		}
	}
	for message, want := range map[string]string{
		"PytorchStreamReader failed reading zip archive: failed finding central directory":                                          "--fresh",
		"Attempted to read a PyTorch file with version 3, but the maximum supported version for reading is 2":                       "too old",
		"Unknown builtin op: aten::upsample_nearest2d":                                                                              "too old",
		"CUDA error: no kernel image is available for execution on the device":                                                      "compute capability",
		"CUDA driver version is insufficient for CUDA runtime version":                                                              "driver",
		"CUDA out of memory. Tried to allocate 2.00 GiB":                                                                            "nvidia-smi",
		"[enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 1024 bytes": "free memory",
		"anything else": "",
	} {
		if got := remedy(message); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%q: %q", message, got)
		}
	}
}

// TestWords: the worker knows every target that the engine declares.
func TestWords(t *testing.T) {
	text, err := os.ReadFile("worker/main.cpp")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range Spec().Targets {
		for _, word := range []string{target.Name, target.Backend, target.Layers, target.Pair()} {
			if !strings.Contains(string(text), `"`+word+`"`) {
				t.Errorf("the worker does not know %s", word)
			}
		}
	}
}
