package python

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/engine"
)

// interpreter stands in for a Python: it answers what a question is answered.
type interpreter struct {
	answer *module
	out    host.Output
	err    error
	calls  []host.Command
}

func (p *interpreter) Run(_ context.Context, cmd host.Command) (host.Output, error) {
	p.calls = append(p.calls, cmd)
	if p.answer == nil {
		return p.out, p.err
	}
	raw, err := json.Marshal(p.answer)
	return host.Output{Stdout: append([]byte("a line of sitecustomize\n\n"), raw...)}, err
}

// installed is a module whose library is a whole one: this program.
func installed(t *testing.T) *module {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	site := t.TempDir()
	location := filepath.Join(site, "cv2")
	library := filepath.Join(location, "cv2.abi3.so")
	raw, err := os.ReadFile(exe)
	if err := errors.Join(err, os.Mkdir(location, 0o700), os.WriteFile(library, raw, 0o600)); err != nil {
		t.Fatal(err)
	}
	return &module{Executable: exe, Python: "3.11.7", Path: []string{site}, Location: location, Library: library, Package: "opencv-python", Version: "4.10.0.84"}
}

func machine(p engine.Process, copies ...facts.Instance) engine.Machine {
	return engine.Machine{
		Process: p, Getenv: func(string) (string, bool) { return "", false },
		Facts: &facts.Facts{Components: map[string][]facts.Instance{"python": {{Path: "/usr/bin/python3", Version: "3.11.7", Active: true}}, "opencv-python": copies}},
	}
}

func TestPrepare(t *testing.T) {
	for _, c := range []struct {
		version string
		format  engine.Format
	}{{"4.10.0.84", engine.Darknet}, {"3.4.18.65", engine.Darknet}, {"5.0.0.93", engine.ONNX}, {"", engine.Darknet}} {
		m := installed(t)
		m.Version = c.version
		p := &interpreter{answer: m}
		e, err := OpenCV().Declare().Find(machine(p))
		if err != nil {
			t.Fatal(err)
		}
		w, err := e.Prepare(t.Context(), engine.Silent{})
		if err != nil {
			t.Fatal(err)
		}
		if e.Spec().Formats[0] != c.format {
			t.Errorf("OpenCV %q reads %v", c.version, e.Spec().Formats)
		}
		if len(p.calls) != 1 || p.calls[0].Argv[0] != "/usr/bin/python3" || !slices.Contains(p.calls[0].Argv, "-B") {
			t.Errorf("asked by %q", p.calls)
		}
		if w.Argv[0] != m.Executable || w.Argv[1] != "-B" || !strings.HasSuffix(w.Argv[3], "serve(OpenCV)\n\n") || w.Copy.File != m.Library || w.Version != c.version || len(w.Env) != 0 {
			t.Errorf("%+v", w)
		}
		// Windows accepts command lines of 32,767 characters.
		if n := len(strings.Join(w.Argv, " ")); n > 30_000 {
			t.Errorf("the command line has %d characters", n)
		}
	}
}

// TestUnavailable: what keeps an engine from being had is a sentence with a fix.
func TestUnavailable(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, p *interpreter)
		why    string
		broken bool
	}{
		"an old Python": {func(_ *testing.T, p *interpreter) { p.answer.Python = "3.6.15" }, "3.6.15, and its worker needs 3.7", false},
		"a Python that does not start": {func(_ *testing.T, p *interpreter) {
			p.answer, p.out = nil, host.Output{Exit: 1, Stderr: []byte("Python path configuration:\nModuleNotFoundError: No module named 'encodings'\n")}
		}, "No module named 'encodings'", true},
		"a Python that is not there": {func(_ *testing.T, p *interpreter) { p.answer, p.err = nil, errors.New("no such file") }, "no such file", true},
		"another program":            {func(_ *testing.T, p *interpreter) { p.answer, p.out = nil, host.Output{Stdout: []byte("hello\n")} }, "does not work", true},
		"a module without a library": {func(_ *testing.T, p *interpreter) { p.answer.Library = "" }, "which is not OpenCV for Python", true},
		"a library that was cut short": {func(t *testing.T, p *interpreter) {
			if err := os.Truncate(p.answer.Library, 100_000); err != nil {
				t.Fatal(err)
			}
		}, "cut short", true},
		"a web page": {func(t *testing.T, p *interpreter) {
			if err := os.WriteFile(p.answer.Library, []byte("<html>not found</html>"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a shared library", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := &interpreter{answer: installed(t)}
			c.change(t, p)
			e := OpenCV().New(Options{Process: p, Python: "/usr/bin/python3"})
			_, err := e.Prepare(t.Context(), engine.Silent{})
			var u *engine.Unavailable
			if !errors.As(err, &u) || !strings.Contains(u.Why, c.why) || u.Fix == "" || u.Broken != c.broken {
				t.Errorf("%v, %+v", err, u)
			}
		})
	}
}

func TestFind(t *testing.T) {
	m := &module{Executable: "/usr/bin/python3", Python: "3.11.7"}
	if _, err := OpenCV().Declare().Find(machine(&interpreter{answer: m})); err == nil || !strings.Contains(err.Error(), "cannot be imported") || !strings.Contains(err.Error(), "pip install opencv-python ") {
		t.Errorf("not installed: %v", err)
	}
	broken := &interpreter{out: host.Output{Exit: 1, Stderr: []byte("No module named 'encodings'\n")}}
	if _, err := OpenCV().Declare().Find(machine(broken)); err == nil || !strings.Contains(err.Error(), "does not work: No module named 'encodings'") {
		t.Errorf("a broken Python: %v", err)
	}
	other := facts.Instance{Path: "/opt/venv/lib/python3.12/site-packages/cv2", Attrs: map[string]string{"kind": "wheel"}}
	if _, err := OpenCV().Declare().Find(machine(&interpreter{answer: m}, other)); err == nil || !strings.Contains(err.Error(), "/opt/venv/lib/python3.12/site-packages belongs to another Python") {
		t.Errorf("in another Python: %v", err)
	}
	if _, err := OpenCV().Declare().Find(engine.Machine{Facts: &facts.Facts{}}); err == nil || !strings.Contains(err.Error(), "no Python is on PATH") {
		t.Errorf("without Python: %v", err)
	}
}

// TestRemedy: messages of Python, of loaders and of libraries, and a word of what to
// do.
func TestRemedy(t *testing.T) {
	for message, want := range map[string]string{
		"import cv2: ModuleNotFoundError: No module named 'numpy'":                                                                                                                                "install numpy",
		"import torch: ModuleNotFoundError: No module named 'typing_extensions'":                                                                                                                  "--upgrade opencv-python",
		"import cv2: ImportError: libGL.so.1: cannot open shared object file: No such file or directory":                                                                                          "libgl1",
		"import cv2: ImportError: numpy.core.multiarray failed to import":                                                                                                                         `"numpy<2"`,
		"import cv2: AttributeError: _ARRAY_API not found":                                                                                                                                        `"numpy<2"`,
		"import cv2: ImportError: /lib/x86_64-linux-gnu/libm.so.6: version `GLIBC_2.35' not found (required by /x/cv2.abi3.so)":                                                                   "newer system",
		"import cv2: ImportError: /lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /x/cv2.abi3.so)":                                                                           "newer system",
		"import cv2: ImportError: /x/cv2.abi3.so: file too short":                                                                                                                                 "--force-reinstall",
		"import cv2: ImportError: /x/cv2.abi3.so: wrong ELF class: ELFCLASS32":                                                                                                                    "another processor",
		"import cv2: ImportError: DLL load failed while importing cv2: The specified module could not be found.":                                                                                  "Visual C++",
		"import cv2: ImportError: Module use of python310.dll conflicts with this version of Python.":                                                                                             "another Python",
		"import cv2: ImportError: libtbb.so.12: cannot open shared object file: No such file or directory":                                                                                        "the package of the system",
		"import cv2: ImportError: /x/cv2.abi3.so: undefined symbol: _ZN2cv3dnn":                                                                                                                   "new virtual environment",
		"import cv2: ImportError: /lib/aarch64-linux-gnu/libgomp.so.1: cannot allocate memory in static TLS block":                                                                                "LD_PRELOAD",
		"import cv2: AttributeError: partially initialized module 'cv2' has no attribute 'gapi_wip_gst_GStreamerPipeline' (most likely circular)":                                                 "rename that file",
		"cv2 of /x/cv2/__init__.py has no dnn module":                                                                                                                                             "dnn module",
		"error: OpenCV(4.5.5) /io/opencv/modules/dnn/src/darknet/darknet_importer.cpp:207: error: (-212:Parsing error) Failed to parse NetParameter file: x.cfg in function 'readNetFromDarknet'": "belong together",
		"error: OpenCV(4.2.0) error: (-213) Unknown layer type: sam":                                                                                                                              "too old",
		"error: OpenCV(4.10.0) Insufficient memory":                                                                                                                                               "free memory",
		"something else": "",
	} {
		if got := OpenCV().remedy(message); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", message, got)
		}
	}
}

// TestOwnRemedy: messages of one library alone.
func TestOwnRemedy(t *testing.T) {
	for _, c := range []struct {
		kind          Kind
		message, want string
	}{
		{Torch(), "import torch: ValueError: libcublasLt.so.*[0-9] not found in the system path ['/x']", "CPU build"},
		{Torch(), "RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory", "--fresh"},
		{Torch(), "RuntimeError: Unknown builtin op: aten::mish.", "too old"},
		{Torch(), "OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB", "GPU's memory"},
		{Torch(), "RuntimeError: CUDA error: no kernel image is available for execution on the device", "compute capability"},
		{Ncnn(), "load model.param: ncnn gives the error -1", "does not know a layer"},
		{Ncnn(), "forward pass: ncnn gives the error -100", "out of memory"},
		{MNN(), "its converter to MNN failed: the worker ended with status 1 (ImportError: _tools.so: cannot enable executable stack as shared object requires: Invalid argument)", "--clear-execstack"},
		{MNN(), "its converter to MNN failed: the worker ended with status 1 (wrote nothing)", "install --upgrade mnn"},
		{MNN(), "the network has no output layer_81", "--fresh"},
		{MNN(), "something else", ""},
		{ExecuTorch(), "import torch: ModuleNotFoundError: No module named 'torch'", "install torch"},
		{ExecuTorch(), "import executorch.runtime: ImportError: /x/_C.cpython-311-x86_64-linux-gnu.so: undefined symbol: _ZN3c106detail", "another release of PyTorch"},
		{ExecuTorch(), "import executorch.runtime: ModuleNotFoundError: The prebuilt extension module executorch.extension.pybindings._C is not found. Please reinstall ExecuTorch from pip.", "--force-reinstall"},
		{ExecuTorch(), "this ExecuTorch was built without XNNPACK", "--force-reinstall"},
		{ExecuTorch(), "its converter to ExecuTorch failed: SpecViolationError: Operator x is not in Core ATen opset", "does not know an operation"},
		{ExecuTorch(), "something else", ""},
	} {
		if got := c.kind.remedy(c.message); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s: %q", c.kind.Spec.Name, c.message, got)
		}
	}
}

// TestMissing: a target that is not there is named with its reason.
func TestMissing(t *testing.T) {
	for _, c := range []struct {
		kind   Kind
		device engine.Device
		listed bool
		why    string
	}{
		{Torch(), engine.Device{Built: map[string]string{"CUDA": "NO"}, CUDA: &engine.CUDA{}}, false, "built without it"},
		{Torch(), engine.Device{Built: map[string]string{"CUDA": "YES (12.8)"}, CUDA: &engine.CUDA{}}, false, "torch.cuda.is_available() is False"},
		{Torch(), engine.Device{Built: map[string]string{"CUDA": "YES (12.8)"}, CUDA: &engine.CUDA{Count: 1}}, true, ""},
		{Ncnn(), engine.Device{Built: map[string]string{"Vulkan": "NO"}}, false, "built without it"},
		{Ncnn(), engine.Device{Vulkan: &engine.Vulkan{}}, false, "finds no device"},
		{Ncnn(), engine.Device{Vulkan: &engine.Vulkan{Names: []string{"llvmpipe (LLVM 15.0.6, 256 bits)"}, Types: []string{"cpu"}}}, false, "this machine's processor, not a GPU"},
		{Ncnn(), engine.Device{Vulkan: &engine.Vulkan{Names: []string{"NVIDIA H100"}, Types: []string{"gpu"}}}, true, ""},
		{OpenCV(), engine.Device{}, false, "built without it"},
		{OpenCV(), engine.Device{OpenCL: &engine.OpenCL{}}, false, "loads no OpenCL runtime"},
		{OpenCV(), engine.Device{OpenCL: &engine.OpenCL{Have: true}}, false, "finds no device"},
		{OpenCV(), engine.Device{OpenCL: &engine.OpenCL{Have: true, Use: true, Name: "pthread-cpu", Type: "cpu"}}, false, "pthread-cpu is not one"},
		{OpenCV(), engine.Device{OpenCL: &engine.OpenCL{Have: true, Use: true, Name: "A GPU", Type: "gpu"}}, false, "does not list it"},
		{OpenCV(), engine.Device{OpenCL: &engine.OpenCL{Have: true, Use: true, Name: "A GPU", Type: "gpu"}}, true, ""},
	} {
		target := c.kind.Spec.Targets[slices.IndexFunc(c.kind.Spec.Targets, func(t engine.Target) bool { return t.Family() != "cpu" })]
		why, fix := c.kind.Spec.Missing(target, c.device, !c.listed)
		if (why == "") != (c.why == "") || !strings.Contains(why, c.why) || (why == "") != (fix == "") {
			t.Errorf("%s: %q, %q; want %q", c.kind.Spec.Name, why, fix, c.why)
		}
	}
}

// TestShorter: a precision that a release does not have on the processor is named.
func TestShorter(t *testing.T) {
	for _, kind := range []Kind{Torch(), Ncnn()} {
		target, ok := kind.Spec.Target("", "cpu_bf16")
		if !ok {
			t.Fatalf("%s has no cpu_bf16", kind.Spec.Name)
		}
		if why, fix := kind.Spec.Missing(target, engine.Device{}, true); !strings.Contains(why, "has no bf16 on the processor") || fix == "" {
			t.Errorf("%s: %q, %q", kind.Spec.Name, why, fix)
		}
		if why, _ := kind.Spec.Missing(target, engine.Device{}, false); why != "" {
			t.Errorf("%s has it: %q", kind.Spec.Name, why)
		}
	}
}

// double is an adapter that needs no library: its results are slices of the picture.
const double = `
class Double:
    title, processor, pairs = "double", "double", ["double/cpu", "double/gpu"]
    def versions(self): return {"double": "1"}
    def threads(self, job): return 3
    def device(self): return {"pairs": ["double/cpu"]}
    def open(self, job): return self
    def layers(self): return {"cpu": 2}
    count = 0
    def run(self, picture):
        Double.count += 1
        a = array.array("f")
        a.frombytes(picture[:48])
        b = array.array("f", [1, 2, 3, float("nan") if SPOIL == "nan" else 4])
        if SPOIL == "drift" and Double.count > 1:
            b[0] = 1.5
        if SPOIL == "short":
            return [((1, 3, 2, 2), a.tobytes())], 0.25
        return [((1, 3, 2, 2), a.tobytes()), ((1, 4, 1, 1), b.tobytes())], 0.25
serve(Double)
`

// TestWorker runs the worker's own part in a real Python: what it measures, compares
// and writes.
func TestWorker(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("skipped: no Python: %v", err)
	}
	worker, err := script("worker.py")
	if err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, spoil, target string) (engine.Answer, error) {
		t.Helper()
		dir := t.TempDir()
		j := engine.Job{OutDir: dir, Width: 2, Height: 2, Heads: []int{3, 7}, Yolos: []int{4, 8}, Backend: "double", Target: target, Warmup: 1, Runs: 2}
		for i := range 2 {
			file := filepath.Join(dir, "input"+string('0'+rune(i)))
			j.Inputs = append(j.Inputs, file)
			values := make([]float32, 12)
			for k := range values {
				values[k] = float32(k + 100*i)
			}
			if err := os.WriteFile(file, engine.AppendFloats(nil, values), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w := engine.Worker{Engine: "double", Argv: []string{python, "-B", "-c", worker + "SPOIL = '" + spoil + "'\n" + double}}
		return engine.Execute(t.Context(), host.Live(), w, j, askLimit, nil)
	}
	a, err := run(t, "", "cpu")
	if err != nil {
		t.Fatal(err)
	}
	if a.Threads != 3 || a.Versions["double"] != "1" || a.Versions["python"] == "" || len(a.RunSeconds) != 3 || a.RunSeconds[0] != 0.25 || a.Device.Layers["cpu"] != 2 || a.Began == 0 || len(a.Libraries) == 0 || a.Memory < 1<<20 {
		t.Errorf("%+v", a)
	}
	if !slices.Equal(a.RunDiff, []float64{0, 0, 0, 0}) || len(a.Outputs) != 2 || len(a.Others) != 2 || len(a.Last) != 2 || len(a.Repeat) != 2 {
		t.Errorf("%+v", a)
	}
	if v, err := a.Others[0].Load(); err != nil || v[11] != 111 || a.Others[0].Layer != 3 || a.Others[0].Input != 1 {
		t.Errorf("the other input gives %v, %v", v, err)
	}
	if a, err = run(t, "drift", "cpu"); err != nil || a.RunDiff[0] != 0 || a.RunDiff[1] < 0.09 || a.RunDiff[1] > 0.1 || a.RunMost[3] != 0.5 {
		t.Errorf("drift: %v, %+v", err, a)
	}
	if a, err = run(t, "nan", "cpu"); err != nil || !slices.Equal(a.RunDiff, []float64{-1, -1, -1, -1}) {
		t.Errorf("NaN: %v, %+v", err, a)
	}
	if _, err = run(t, "short", "cpu"); err == nil || !strings.Contains(err.Error(), "gives 1 results, not 2") {
		t.Errorf("one result: %v", err)
	}
	if _, err = run(t, "", "gpu"); err == nil || !strings.Contains(err.Error(), "this double cannot use double/gpu") {
		t.Errorf("a target that is not there: %v", err)
	}
	if _, err = run(t, "", "abacus"); err == nil || !strings.Contains(err.Error(), "unknown backend and target double/abacus") {
		t.Errorf("an unknown target: %v", err)
	}
}
