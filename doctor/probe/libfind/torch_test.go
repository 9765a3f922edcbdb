package libfind_test

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/libfind"
)

// TestTorchBuild: which of PyTorch's own builds a copy is, and what it can compute
// with.
func TestTorchBuild(t *testing.T) {
	const site = "/usr/local/lib/python3.12/dist-packages/"
	wheel := func(version, module string) string {
		return "-- exec /usr/bin/python3 --\nx\n-- file " + site + "torch-" + version + ".dist-info/METADATA --\nName: torch\nVersion: " + version + "\n-- file " + site + "torch/version.py --\n" + module
	}
	zip := func(version string) string {
		return "-- file /opt/libtorch/build-version --\n" + version + "\n-- file /opt/libtorch/lib/libtorch.so --\n\n-- file /opt/libtorch/share/cmake/Torch/TorchConfig.cmake --\n\n"
	}
	for _, c := range []struct {
		name, host string
		want       facts.Built
	}{
		{"an index's wheel", wheel("2.4.0", "__version__ = '2.4.0+cu121'\ndebug = False\ncuda: Optional[str] = '12.1'\ngit_version = 'e4ee3be'\nhip: Optional[str] = None\n"), facts.Built{Build: "cu121", CUDA: "12.1", Backends: []string{"cpu", "cuda"}}},
		{"an old wheel", wheel("1.7.1+cu92", "__version__ = '1.7.1+cu92'\ncuda = '9.2'\nhip = None\n"), facts.Built{Build: "cu92", CUDA: "9.2", Backends: []string{"cpu", "cuda"}}},
		{"NVIDIA's wheel for JetPack", wheel("2.5.0a0+872d972e41.nv24.8", "__version__ = '2.5.0a0+872d972e41.nv24.08'\ndebug = False\ncuda: Optional[str] = '12.6'\nhip: Optional[str] = None\n"), facts.Built{Build: "own", Backends: []string{"cpu", "cuda"}}},
		{"a wheel for the CPU", wheel("2.4.0+cpu", "__version__ = '2.4.0+cpu'\ncuda: Optional[str] = None\nhip: Optional[str] = None\n"), facts.Built{Build: "cpu", Backends: []string{"cpu"}}},
		{"ROCm", wheel("2.4.0+rocm6.1", "__version__ = '2.4.0+rocm6.1'\ncuda: Optional[str] = None\nhip: Optional[str] = '6.1.40091'\n"), facts.Built{Backends: []string{"cpu", "rocm"}}},
		{"one that somebody built", wheel("2.4.0a0+git1a2b3c4", "__version__ = '2.4.0a0+git1a2b3c4'\ncuda: Optional[str] = '12.1'\nhip: Optional[str] = None\n"), facts.Built{Build: "own", Backends: []string{"cpu", "cuda"}}},
		{"an archive with CUDA", zip("2.4.0+cu124"), facts.Built{Build: "cu124", CUDA: "12.4"}},
		{"an archive for the CPU", zip("2.4.0+cpu"), facts.Built{Build: "cpu", Backends: []string{"cpu"}}},
	} {
		f, err := libfind.Probe(t.Context(), hosttest.Parse(t, "-- env --\nPATH=/usr/bin\n"+c.host))
		if err != nil || len(f.Components["libtorch"]) != 1 {
			t.Errorf("%s: %v, %+v", c.name, err, f.Components["libtorch"])
			continue
		}
		probetest.Same(t, c.name, c.want, f.Components["libtorch"][0].Built)
	}
}

// TestONNXWheel: a CPU package and a GPU package, by the providers in them.
func TestONNXWheel(t *testing.T) {
	const site = "/usr/local/lib/python3.12/dist-packages/"
	wheel := "-- env --\nPATH=/usr/bin\n-- exec /usr/bin/python3 --\nx\n-- file " + site + "onnxruntime-1.20.1.dist-info/METADATA --\nName: onnxruntime\nVersion: 1.20.1\n"
	module := "-- file " + site + "onnxruntime/capi/onnxruntime_pybind11_state.cpython-312-x86_64-linux-gnu.so --\n"
	for _, c := range []struct {
		name, host string
		want       []string
	}{
		{"CPU", wheel + module + "-- file " + site + "onnxruntime/capi/libonnxruntime_providers_shared.so --\n", []string{"cpu"}},
		{"CUDA", wheel + module + "-- file " + site + "onnxruntime/capi/libonnxruntime_providers_cuda.so --\n", []string{"cpu", "cuda"}},
		{"nothing is known of it", wheel, nil},
	} {
		f, err := libfind.Probe(t.Context(), hosttest.Parse(t, c.host))
		if err != nil || len(f.Components["onnxruntime"]) != 1 {
			t.Errorf("%s: %v, %+v", c.name, err, f.Components["onnxruntime"])
			continue
		}
		probetest.Same(t, c.name, c.want, f.Components["onnxruntime"][0].Built.Backends)
	}
}
