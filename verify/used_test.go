package verify

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/gocv"
	"github.com/deployctl/deployctl/verify/judge"
)

// gpu is what OpenCV says where OpenCL works.
func gpu() *engine.Device {
	return &engine.Device{
		Pairs:  []string{"opencv/opencl", "opencv/opencl_fp16", "opencv/cpu"},
		OpenCL: &engine.OpenCL{Have: true, Use: true, Name: "Radeon", Vendor: "AMD", Type: "gpu"},
		Built:  map[string]string{"OpenCL": "YES (no extra features)"},
		Layers: map[string]int{"OCL": 12, "CPU": 3},
	}
}

// nvidia is what OpenCV says where CUDA works.
func nvidia() *engine.Device {
	return &engine.Device{
		Pairs: []string{"cuda/cuda", "opencv/cpu"}, CUDA: &engine.CUDA{Count: 1, Names: []string{"H100"}},
		Built: map[string]string{"NVIDIA CUDA": "YES (ver 12.4)", "cuDNN": "YES (ver 9.1)"}, Layers: map[string]int{"CUDA": 15},
	}
}

// processor makes the heads of the processor from those of the target, with
// the last bits changed or not.
func processor(t *testing.T, a *engine.Answer, differ bool) {
	t.Helper()
	for _, o := range a.Outputs {
		if o.Kind != "head" {
			continue
		}
		data, err := o.Load()
		if err != nil {
			t.Fatal(err)
		}
		if differ {
			data[0] *= 1.000001
		}
		o.File = write(t, filepath.Join(filepath.Dir(o.File), "processor-"+filepath.Base(o.File)), engine.AppendFloats(nil, data))
		a.Processor = append(a.Processor, o)
	}
	a.ProcessorSeconds = 1
}

// TestTargetIsReallyUsed: right numbers do not show where they were computed.
func TestTargetIsReallyUsed(t *testing.T) {
	f := newFiles(t)
	for _, c := range []struct {
		name, target string
		spoil        func(a *engine.Answer)
		device       func() *engine.Device
		same         bool
		level        int // also: the least level at which it shows
		state        State
		words        string
	}{
		{"OpenCL", "opencl", nil, gpu, false, 1, OK, ""},
		{"CUDA", "cuda", func(a *engine.Answer) { a.Libraries[0] = "/usr/lib/libcuda.so.550.54" }, nvidia, false, 1, OK, ""},
		{"CUDA without a GPU", "cuda", func(a *engine.Answer) { a.Device.Pairs, a.Device.CUDA = a.Device.Pairs[1:], &engine.CUDA{} }, nvidia, false, 1, Fail, "sees no CUDA device"},
		{"CUDA not built in", "cuda", func(a *engine.Answer) {
			a.Device.Pairs, a.Device.CUDA, a.Device.Built = a.Device.Pairs[1:], &engine.CUDA{}, nil
		}, nvidia, false, 1, Fail, "built without it"},
		{"an old driver", "cuda", func(a *engine.Answer) { a.Device.Pairs, a.Device.CUDA = a.Device.Pairs[1:], &engine.CUDA{Count: -1} }, nvidia, false, 1, Fail, "driver is older"},
		{"no cuDNN", "cuda", func(a *engine.Answer) { a.Device.Pairs = a.Device.Pairs[1:]; a.Device.Built["cuDNN"] = "NO" }, nvidia, false, 1, Fail, "without cuDNN"},
		{"OpenCL disabled", "opencl", func(a *engine.Answer) {
			a.Device.Pairs, a.Device.OpenCL = a.Device.Pairs[2:], &engine.OpenCL{}
		}, gpu, false, 1, Fail, "OPENCV_OPENCL_RUNTIME"},
		{"OpenCL without a device", "opencl", func(a *engine.Answer) {
			a.Device.Pairs, a.Device.OpenCL = a.Device.Pairs[2:], &engine.OpenCL{Have: true}
		}, gpu, false, 1, Fail, "no device"},
		{"OpenCL on a processor", "opencl", func(a *engine.Answer) { a.Device.OpenCL.Type = "cpu" }, gpu, false, 1, Fail, "GPUs only"},
		{"OpenCL on a processor, allowed", "opencl", func(a *engine.Answer) { a.Device.OpenCL.Type, a.Device.OpenCL.Any = "cpu", true }, gpu, false, 1, OK, ""},
		{"half precision on x86", "cpu_fp16", func(a *engine.Answer) { a.Device.Layers = map[string]int{"CPU": 1} }, gpu, false, 1, Fail, "half precision on this processor"},
		{"nothing said", "opencl", func(a *engine.Answer) { a.Device = nil }, gpu, false, 1, Unknown, "does not say"},
		{"no list", "opencl", func(a *engine.Answer) { a.Device.Pairs = nil }, gpu, false, 1, Unknown, "does not say"},
		{"layers on the processor", "opencl", func(a *engine.Answer) { a.Device.Layers = map[string]int{"CPU": 15} }, gpu, false, 2, Fail, "all layers on CPU"},
		{"full precision instead of half", "opencl_fp16", nil, gpu, false, 2, Fail, "all layers on CPU and OCL"},
		{"layers not known", "opencl", func(a *engine.Answer) { a.Device.Layers = nil }, gpu, false, 2, Unknown, "what the layers ran"},
		{"no driver loaded", "opencl", func(a *engine.Answer) { a.Libraries = a.Libraries[:1] }, gpu, false, 2, Fail, "no library of its driver"},
		{"the processor's bits", "opencl", nil, gpu, true, 2, Unknown, "this network would give anywhere"},
		{"no results of the processor", "opencl", func(a *engine.Answer) { a.Processor = nil }, gpu, false, 2, Unknown, "gave none of the processor"},
	} {
		for level := c.level; level <= LevelCheck; level++ {
			o := f.options(t, fake{name: "gocv"})
			o.Level, o.Target = level, c.target
			if c.target == "cuda" {
				o.Backend = "cuda"
			}
			o.Process = worker{spoil: func(a *engine.Answer) {
				a.Device, a.Libraries = c.device(), []string{"/usr/lib/libopencv_core.so.406", "/usr/lib/libOpenCL.so.1"}
				processor(t, a, !c.same)
				if c.spoil != nil {
					c.spoil(a)
				}
			}}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			e := r.Engines[0]
			if e.State != c.state || r.State != c.state || !strings.Contains(e.Why, c.words) {
				t.Errorf("%s, level %d: %s: %s %q", c.name, level, e.State, e.Why, e.Reasons)
			}
			if level == LevelCheck && e.State == OK && (e.Device == nil || e.ProcessorSeconds == 0) {
				t.Errorf("%s: the result does not name the device: %+v", c.name, e)
			}
		}
	}
}

// TestProcessorsBits: a network with work to do cannot give the same bits on
// two devices; one that gives the same for every picture can.
func TestProcessorsBits(t *testing.T) {
	f := newFiles(t)
	net, err := darknet.LoadConfig(f.config)
	if err != nil {
		t.Fatal(err)
	}
	if net, err = net.Resize(1024, 1024); err != nil {
		t.Fatal(err)
	}
	if net.GFLOP() < telling {
		t.Fatalf("the test's network has %v GFLOP", net.GFLOP())
	}
	head := func(v float32) []judge.Tensor { return []judge.Tensor{{Layer: 2, Data: []float32{v, 1}}} }
	file := write(t, filepath.Join(t.TempDir(), "head"), engine.AppendFloats(nil, []float32{3, 1}))
	// The rows are not what is compared.
	a := engine.Answer{Device: gpu(), Processor: []engine.Tensor{{Kind: "head", Layer: 2, Shape: []int{2}, File: file}, {Kind: "rows", Layer: 3, Shape: []int{2}, File: file}}}
	for _, c := range []struct {
		heads, other []judge.Tensor
		state        State
	}{
		{head(3), head(4), Fail},
		{head(3), head(3), Unknown},
		{head(3.0000002), head(4), OK},
	} {
		e := &Engine{State: OK}
		w := ready{spec: gocv.Spec()}
		w.target, _ = w.spec.Target("", "opencl")
		if err := e.used(w, a, judge.Case{Heads: c.heads, Other: c.other}, net.GFLOP()); err != nil {
			t.Fatal(err)
		}
		if e.State != c.state {
			t.Errorf("%v: %s: %s", c.heads[0].Data, e.State, e.Why)
		}
	}
}

// TestShorterPrecision: an engine that was asked for a shorter precision on the
// processor and gives its own results in single precision did not follow.
func TestShorterPrecision(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "head"), engine.AppendFloats(nil, []float32{3, 1}))
	single := []engine.Tensor{{Kind: "head", Layer: 2, Shape: []int{2}, File: file}}
	for _, c := range []struct {
		name   string
		value  float32
		single []engine.Tensor
		layers map[string]int
		state  State
		ran    judge.Precision
		words  string
	}{
		{"followed", 3.01, single, map[string]int{"cpu_bf16": 4}, OK, judge.BF16, ""},
		{"followed, without a word", 3.01, single, nil, OK, judge.BF16, ""},
		{"the same bits", 3, single, nil, Fail, judge.FP32, "computed in single precision"},
		{"single precision's rounding", 3.000002, single, nil, Fail, judge.FP32, "computed in single precision"},
		{"another layer's word", 3.01, single, map[string]int{"cpu": 4}, Fail, judge.FP32, "ran all layers on cpu"},
		{"nothing to compare with", 3.01, nil, nil, Unknown, "", "not known in which precision"},
	} {
		e := &Engine{State: OK}
		w := ready{target: engine.Target{Name: "cpu_bf16", Backend: "torch", Layers: "cpu_bf16"}}
		a := engine.Answer{Device: &engine.Device{Pairs: []string{"torch/cpu_bf16"}, Layers: c.layers}, Processor: c.single}
		heads := []judge.Tensor{{Layer: 2, Data: []float32{c.value, 1}}}
		if err := e.used(w, a, judge.Case{Precision: judge.BF16, Heads: heads}, 1); err != nil {
			t.Fatal(err)
		}
		if e.State != c.state || e.Precision != c.ran || !strings.Contains(e.Why, c.words) {
			t.Errorf("%s: %s in %q: %s", c.name, e.State, e.Precision, e.Why)
		}
	}
}
