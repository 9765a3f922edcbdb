package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/installers/wheel"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/wheeltag"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/convert/onnx"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/onnxruntime"
)

// onnxruntimeLibrary is a real ONNX Runtime for this system: that of
// DEPLOYCTL_TEST_ONNXRUNTIME, or the recipe's wheel, which is fetched.
func onnxruntimeLibrary(t *testing.T) string {
	t.Helper()
	if file := os.Getenv("DEPLOYCTL_TEST_ONNXRUNTIME"); file != "" {
		return file
	}
	h := host.Live()
	recipe, err := recipes.Find("onnxruntime", "")
	if err != nil {
		t.Fatal(err)
	}
	target := judge.WheelTarget(doctor.Probe(t.Context(), h, doctor.Probes(false)))
	for _, q := range recipe.Requirements {
		for _, fix := range q.Fix {
			for _, w := range fix.Wheel {
				file, ok := wheeltag.Pick(w, target)
				if w.Project != "onnxruntime" || !ok {
					continue
				}
				s, into := store.New(t.TempDir()), filepath.Join(t.TempDir(), w.Name)
				fetch := step.Fetch{Name: file.File, Size: int64(file.Size), SHA256: file.SHA256, Project: w.Project}
				if err := wheel.Fetcher(h)(t.Context(), fetch, download.Options{Store: s}); err != nil {
					t.Skipf("skipped: ONNX Runtime cannot be fetched here (name one in DEPLOYCTL_TEST_ONNXRUNTIME): %v", err)
				}
				st := step.Step{ID: w.Name, Title: w.Name, Mechanism: wheel.Name, Action: step.Install, With: wheel.Unpack(w, file, runtime.GOOS, into)}
				if err := (wheel.Worker{Store: s}).Do(t.Context(), st, func(step.Progress) {}); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"libonnxruntime.so.*", "libonnxruntime.*.dylib", "onnxruntime.dll"} {
					if found, err := filepath.Glob(filepath.Join(into, "lib", name)); err == nil && len(found) > 0 {
						return found[0]
					}
				}
				t.Fatalf("%s holds no library", file.File)
			}
		}
	}
	t.Skipf("skipped: the recipe onnxruntime has no wheel for %v", target)
	return ""
}

// odd is a network with what is special in Darknet's layers.
const odd = `[net]
width=96
height=96
channels=3
[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=16
size=3
stride=1
pad=1
groups=2
activation=mish
[shortcut]
from=-2
activation=leaky
[maxpool]
size=2
stride=2
[maxpool]
size=2
stride=1
[convolutional]
filters=14
size=1
stride=1
activation=linear
[yolo]
mask=2,3
anchors=6,5, 14,18, 30,30, 40,60
classes=2
num=4
[route]
layers=-3
[upsample]
stride=2
[route]
layers=-1,2
[route]
layers=-1
groups=2
group_id=1
[convolutional]
batch_normalize=1
filters=16
size=3
stride=1
pad=1
activation=swish
[convolutional]
filters=14
size=1
stride=1
activation=linear
[yolo]
mask=0,1
anchors=6,5, 14,18, 30,30, 40,60
classes=2
num=4
`

// oddWeights fills the network; start chooses the numbers.
func oddWeights(t *testing.T, start float64) (*darknet.Network, *darknet.Weights) {
	t.Helper()
	net, err := darknet.ParseConfig(strings.NewReader(odd), "odd")
	if err != nil {
		t.Fatal(err)
	}
	w := darknet.NewWeights(net)
	for i := range w.Data {
		w.Data[i] = float32(math.Sin(start+float64(i)*12.9898)) * 0.5
	}
	for i := range net.Layers {
		for k := range w.Layer(i).Variances {
			w.Layer(i).Variances[k] = 0.5 + float32(k)/16
		}
	}
	return net, w
}

// tampered passes jobs on to the real worker, changed before.
type tampered struct {
	engine.Process
	change func(j engine.Job) (engine.Job, error)
}

func (p tampered) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	var j engine.Job
	if p.change != nil && json.Unmarshal(cmd.Stdin, &j) == nil {
		changed, err := p.change(j)
		if err != nil {
			return host.Output{}, err
		}
		if cmd.Stdin, err = json.Marshal(changed); err != nil {
			return host.Output{}, err
		}
	}
	return p.Process.Run(ctx, cmd)
}

// otherModel has the job run a model of other weights.
func otherModel(t *testing.T, start float64, spoil func(w *darknet.Weights)) func(j engine.Job) (engine.Job, error) {
	net, w := oddWeights(t, start)
	if spoil != nil {
		spoil(w)
	}
	var file bytes.Buffer
	if err := onnx.Write(&file, net, w, onnx.Oldest); err != nil {
		t.Fatal(err)
	}
	return func(j engine.Job) (engine.Job, error) {
		j.Model = filepath.Join(j.OutDir, "other.onnx")
		return j, os.WriteFile(j.Model, file.Bytes(), 0o600)
	}
}

// otherInput has the job look at changed pictures.
func otherInput(change func(v []float32) []float32) func(j engine.Job) (engine.Job, error) {
	return func(j engine.Job) (engine.Job, error) {
		for i, file := range j.Inputs {
			v, err := engine.ReadFloats(file, 3*j.Width*j.Height)
			if err != nil {
				return j, err
			}
			if err := os.WriteFile(file, engine.AppendFloats(nil, change(v)), 0o600); err != nil {
				return j, fmt.Errorf("input %d: %w", i, err)
			}
		}
		return j, nil
	}
}

// stub is a library with ONNX Runtime's entry and these functions in C.
func stub(t *testing.T, name, text string) string {
	t.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil || runtime.GOOS != "linux" {
		t.Skipf("skipped: needs a C compiler on Linux: %v", err)
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, name+".c"), filepath.Join(dir, "lib"+name+".so")
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return library
}

// TestONNXRuntime runs a small network through a real ONNX Runtime: rightly, and
// with one fault at a time, each of which must be found and explained.
func TestONNXRuntime(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skipf("skipped: the worker is compiled with Go: %v", err)
	}
	library, cache, dir := onnxruntimeLibrary(t), t.TempDir(), t.TempDir()
	config, weights := filepath.Join(dir, "odd.cfg"), filepath.Join(dir, "odd.weights")
	_, w := oddWeights(t, 0)
	var file bytes.Buffer
	if _, err := w.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(config, []byte(odd), 0o600), os.WriteFile(weights, file.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	options := func(library string, change func(j engine.Job) (engine.Job, error)) verify.Options {
		return verify.Options{
			Config: config, Weights: weights, Cache: cache, Process: tampered{host.Live(), change}, Runs: 2, Threads: 1,
			Engines: []engine.Engine{onnxruntime.New(onnxruntime.Options{Process: host.Live(), Cache: cache, Go: goTool, Library: library, Version: "1"})},
		}
	}
	prove := func(t *testing.T, library string, change func(j engine.Job) (engine.Job, error)) verify.Engine {
		t.Helper()
		r, err := verify.Run(t.Context(), options(library, change))
		if err != nil {
			t.Fatal(err)
		}
		return r.Engines[0]
	}

	t.Run("right", func(t *testing.T) {
		for i := range 2 {
			e := prove(t, library, nil)
			if e.State != verify.OK || len(e.RelL2) != 2 || e.RelL2[0] > 1e-5 || e.RelL2[1] > 1e-5 || e.Device == nil || e.Device.Layers["CPUExecutionProvider"] == 0 {
				t.Fatalf("%s: %q, %v, %+v", e.State, e.Reasons, e.RelL2, e.Device)
			}
			if len(e.Own) != 1 || e.Versions["onnxruntime"] == "" || e.Backend != "onnxruntime" || e.Threads != 1 {
				t.Errorf("loaded %q, versions %v, on %s with %d threads", e.Own, e.Versions, e.Backend, e.Threads)
			}
			if made := e.ConvertSeconds > 0; made != (i == 0) {
				t.Errorf("run %d: converted in %v s", i, e.ConvertSeconds)
			}
		}
	})
	t.Run("loads", func(t *testing.T) {
		o := options(library, nil)
		o.Level = verify.LevelLoad
		r, err := verify.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if e := r.Engines[0]; e.State != verify.OK || e.Versions["onnxruntime"] == "" || len(e.Own) != 1 {
			t.Errorf("%s: %q, %v, %q", e.State, e.Reasons, e.Versions, e.Own)
		}
	})
	for name, c := range map[string]struct {
		change func(j engine.Job) (engine.Job, error)
		why    string
	}{
		"other weights":    {otherModel(t, 1, nil), "all heads are off"},
		"a little off":     {otherModel(t, 0, func(w *darknet.Weights) { w.Layer(0).Biases[1] *= 1.01 }), "differs by"},
		"one head's bias":  {otherModel(t, 0, func(w *darknet.Weights) { w.Layer(12).Biases[3]++ }), "only head 1 is off"},
		"not a number":     {otherModel(t, 0, func(w *darknet.Weights) { w.Layer(12).Biases[0] = float32(math.NaN()) }), "NaN"},
		"transposed input": {otherInput(transposed), "all heads are off"},
		"BGR": {otherInput(func(v []float32) []float32 {
			n := len(v) / 3
			return append(append(append([]float32(nil), v[2*n:]...), v[n:2*n]...), v[:n]...)
		}), "red and blue"},
		"0 to 255": {otherInput(func(v []float32) []float32 {
			for i := range v {
				v[i] *= 255
			}
			return v
		}), "not scaled"},
		"a damaged model": {func(j engine.Job) (engine.Job, error) {
			j.Model = filepath.Join(j.OutDir, "damaged.onnx")
			return j, os.WriteFile(j.Model, []byte("\x08\x06garbage"), 0o600)
		}, "load damaged.onnx"},
		"no such output": {func(j engine.Job) (engine.Job, error) { j.Outputs[0] = "layer_99"; return j, nil }, "layer_99"},
		"heads exchanged": {func(j engine.Job) (engine.Job, error) {
			j.Outputs[0], j.Outputs[1] = j.Outputs[1], j.Outputs[0]
			return j, nil
		}, "has the shape"},
	} {
		t.Run(name, func(t *testing.T) {
			if e := prove(t, library, c.change); e.State != verify.Fail || !strings.Contains(strings.Join(e.Reasons, "\n"), c.why) {
				t.Errorf("%s: %q", e.State, e.Reasons)
			}
		})
	}
	const entry = "struct { void *(*api)(unsigned); const char *(*version)(void); } b; void *OrtGetApiBase(void) { b.api = api; b.version = version; return &b; }\n"
	for name, c := range map[string]struct{ library, why string }{
		"another library":       {stub(t, "other", "int other;\n"), "is not ONNX Runtime"},
		"an old release":        {stub(t, "old", "static void *api(unsigned n) { return 0; } static const char *version(void) { return \"1.4.0\"; }\n"+entry), "1.4.0 is older than 1.10"},
		"without that API":      {stub(t, "none", "static void *api(unsigned n) { return 0; } static const char *version(void) { return \"1.99.0\"; }\n"+entry), "does not have version 1 of its API"},
		"an instruction":        {stub(t, "trap", "void *OrtGetApiBase(void) { __builtin_trap(); }\n"), "instruction"},
		"a crash":               {stub(t, "crash", "void *OrtGetApiBase(void) { return *(void **)8; }\n"), "crashed"},
		"a library that aborts": {stub(t, "abort", "#include <stdlib.h>\nvoid *OrtGetApiBase(void) { abort(); }\n"), "abort"},
		"cut short":             {cutShort(t, library), "cut short"},
		"not there":             {filepath.Join(dir, "libonnxruntime.so.1"), "is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			e := prove(t, c.library, nil)
			if e.State != verify.Fail || !strings.Contains(e.Why, c.why) || e.Fix == "" {
				t.Errorf("%s: %q, %q", e.State, e.Why, e.Fix)
			}
		})
	}
}

// transposed exchanges the height and width of a square picture.
func transposed(v []float32) []float32 {
	side := int(math.Sqrt(float64(len(v) / 3)))
	out := make([]float32, len(v))
	for c := range 3 {
		for y := range side {
			for x := range side {
				out[(c*side+x)*side+y] = v[(c*side+y)*side+x]
			}
		}
	}
	return out
}

func cutShort(t *testing.T, library string) string {
	t.Helper()
	raw, err := os.ReadFile(library)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "libonnxruntime.so.1")
	if err := os.WriteFile(file, raw[:len(raw)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
