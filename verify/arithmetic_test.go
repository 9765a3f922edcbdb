package verify

import (
	"os"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/reference"
)

// scaled rewrites the model's weights so that the values between its first two
// layers are near the smallest normal float32, which the second makes up for.
func (f files) scaled(t *testing.T) {
	t.Helper()
	f.rewritten(t, func(w *darknet.Weights) {
		first, second := w.Layer(0), w.Layer(1)
		for _, v := range [][]float32{first.Scales, first.Biases} {
			for i := range v {
				v[i] *= 0x1p-113
			}
		}
		for i := range second.Kernel {
			second.Kernel[i] *= 0x1p113
		}
	})
}

// quiet rewrites the model's weights so that the first layer's variances are small,
// where it shows what a batch normalization adds to them.
func (f files) quiet(t *testing.T) {
	t.Helper()
	f.rewritten(t, func(w *darknet.Weights) {
		first := w.Layer(0)
		for i := range first.Variances {
			first.Variances[i] *= 1e-4
			first.Scales[i] *= 1e-2
		}
	})
}

// rewritten changes the model's weights.
func (f files) rewritten(t *testing.T, change func(w *darknet.Weights)) {
	t.Helper()
	net, err := darknet.LoadConfig(f.config)
	if err != nil {
		t.Fatal(err)
	}
	w, err := darknet.LoadWeights(f.weights, net)
	if err != nil {
		t.Fatal(err)
	}
	change(w)
	out, err := os.Create(f.weights)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteTo(out); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestArithmeticOfTheHardware: what hardware soundly does is accepted by limits
// of its own, said in a sentence; only where the hardware can do it and the
// network shows it; and what is wrong stays wrong.
func TestArithmeticOfTheHardware(t *testing.T) {
	flush, tf32, cut := reference.Options{Flush: true}, reference.Options{Products: reference.TF32}, reference.Options{Products: reference.TF32Cut}
	half := reference.Options{Half: true}
	halfFlush := reference.Options{Half: true, Flush: true}
	wrong := func(v []float32) []float32 { // reads half of the picture a little darker
		out := append([]float32(nil), v...)
		for i := range out[:len(out)/2] {
			out[i] *= 0.98
		}
		return out
	}
	for _, c := range []struct {
		name, target, capability string
		opts                     reference.Options
		small                    bool // a network with numbers that are too small
		input                    func([]float32) []float32
		state                    State
		words                    string
	}{
		{"float32", "cpu", "", reference.Options{}, false, nil, OK, "float32"},
		{"FTZ where nothing is small", "cpu", "", flush, false, nil, OK, "float32"},
		{"FTZ", "cpu", "", flush, true, nil, OK, "FTZ, DAZ"},
		{"FTZ and wrong", "cpu", "", flush, true, wrong, Fail, ""},
		{"small numbers and wrong", "cpu", "", reference.Options{}, true, wrong, Fail, ""},
		{"small numbers that are kept", "cpu", "", reference.Options{}, true, nil, OK, "float32"},
		{"TF32 on the processor", "cpu", "", tf32, false, nil, Fail, ""},
		{"TF32 on an A100", "cuda", "8.0", tf32, false, nil, OK, "TF32"},
		{"TF32 on an H100", "cuda", "9.0", tf32, false, nil, OK, "TF32"},
		{"TF32, low bits cut", "cuda", "8.6", cut, false, nil, OK, "TF32"},
		{"TF32 and wrong", "cuda", "8.6", tf32, false, wrong, Fail, ""},
		{"float32 and wrong on an A100", "cuda", "8.0", reference.Options{}, false, wrong, Fail, ""},
		{"TF32 on a GPU that has none", "cuda", "7.5", tf32, false, nil, Fail, ""},
		{"TF32 on a GPU that is not known", "cuda", "", tf32, false, nil, Fail, ""},
		{"half precision instead of TF32", "cuda", "8.0", half, false, nil, Fail, ""},
		{"half precision", "cuda_fp16", "8.0", half, false, nil, OK, "11 bits"},
		{"half precision, flushed", "cuda_fp16", "8.0", halfFlush, false, nil, OK, "half precision"},
		{"half precision and wrong", "cuda_fp16", "8.0", half, false, wrong, Fail, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFiles(t)
			if c.small {
				f.scaled(t)
			}
			o := f.options(t, fake{name: "gocv"})
			o.Target, o.Backend = c.target, "opencv"
			w := worker{opts: c.opts, input: c.input}
			if strings.HasPrefix(c.target, "cuda") {
				o.Backend = "cuda"
				w.spoil = func(a *engine.Answer) {
					a.Device, a.Libraries = nvidia(), []string{"/usr/lib/libcuda.so.550.54"}
					a.Device.Pairs = append(a.Device.Pairs, "cuda/cuda_fp16")
					a.Device.Layers = map[string]int{"CUDA": 9, "CUDA_FP16": 9}
					if c.capability != "" {
						a.Device.CUDA.Capabilities = []string{c.capability}
					}
					processor(t, a, true)
				}
			}
			o.Process = w
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			e := r.Engines[0]
			if e.State != c.state || c.state == OK && !strings.Contains(e.Arithmetic, c.words) {
				t.Errorf("%s: %s, %q: off by %v, limits %v\n%s", e.State, e.Why, e.Arithmetic, e.RelL2, e.Limits, strings.Join(e.Reasons, "\n"))
			}
			var text strings.Builder
			if err := Render(&text, r, false); err != nil {
				t.Fatal(err)
			}
			if own := strings.Contains(text.String(), "judged by limits of its own"); own != (c.state == OK && c.words != "float32") {
				t.Errorf("the text:\n%s", &text)
			}
		})
	}
}

// TestBatchNorm: what an engine says that it adds in a batch normalization is what
// it is judged by; what it does not say is a fault, and a fault stays one.
func TestBatchNorm(t *testing.T) {
	fork, own := reference.Options{Epsilon: &reference.ForkEpsilon}, reference.Options{Epsilon: &reference.DarknetEpsilon}
	darker := func(v []float32) []float32 {
		out := append([]float32(nil), v...)
		for i := range out[:len(out)/2] {
			out[i] *= 0.98
		}
		return out
	}
	for _, c := range []struct {
		name, says string
		opts       reference.Options
		input      func([]float32) []float32
		state      State
		words      string
	}{
		{"the usual", "", reference.Options{}, nil, OK, "float32"},
		{"AlexeyAB's", engine.VariancePlus1e5, fork, nil, OK, "1e-5 added to the variance"},
		{"pjreddie's", engine.DeviationPlus1e6, own, nil, OK, "1e-6 added to the standard deviation"},
		{"AlexeyAB's, which is not said", "", fork, nil, Fail, "epsilon of 1e-5"},
		{"AlexeyAB's, said to be pjreddie's", engine.DeviationPlus1e6, fork, nil, Fail, "epsilon of 1e-5"},
		{"the usual, said to be AlexeyAB's", engine.VariancePlus1e5, reference.Options{}, nil, OK, "float32"},
		{"another word", "variance+1", fork, nil, Fail, "epsilon of 1e-5"},
		{"AlexeyAB's and wrong", engine.VariancePlus1e5, fork, darker, Fail, "differs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFiles(t)
			f.quiet(t)
			o := f.options(t, fake{name: "gocv"})
			o.Process = worker{opts: c.opts, input: c.input, spoil: func(a *engine.Answer) { a.BatchNorm = c.says }}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			e := r.Engines[0]
			said := e.Arithmetic
			if c.state == Fail {
				said = strings.Join(e.Reasons, "\n")
			}
			if e.State != c.state || !strings.Contains(said, c.words) {
				t.Errorf("%s: %q, %q: off by %v, limits %v", e.State, e.Arithmetic, e.Reasons, e.RelL2, e.Limits)
			}
		})
	}
}
