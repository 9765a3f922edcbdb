// Package enginetest proves engines to tests: a small network with all that is
// special in Darknet's layers is run rightly, and with one fault at a time, each of
// which must be found and explained. It is imported by tests only.
package enginetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/convert"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/internal/nets"
)

// config is the network: 96×96, two heads.
func config() string {
	batch := []string{"batch_normalize=1", "pad=1"}
	return nets.Net(96, 96,
		nets.Conv(16, 3, 2, "leaky", batch...),
		nets.Conv(16, 3, 1, "mish", append(batch, "groups=2")...),
		"[shortcut]\nfrom=-2\nactivation=leaky\n",
		"[maxpool]\nsize=2\nstride=2\n",
		"[maxpool]\nsize=2\nstride=1\n",
		nets.Conv(14, 1, 1, "linear"),
		nets.Yolo("2,3", "6,5, 14,18, 30,30, 40,60", 2, 4),
		"[route]\nlayers=-3\n",
		"[upsample]\nstride=2\n",
		"[route]\nlayers=2,-1\n",
		"[route]\nlayers=-1\ngroups=2\ngroup_id=1\n",
		nets.Conv(16, 3, 1, "swish", batch...),
		nets.Conv(14, 1, 1, "linear"),
		nets.Yolo("0,1", "6,5, 14,18, 30,30, 40,60", 2, 4))
}

// filled is the network with weights; start chooses the numbers.
func filled(t testing.TB, start float64) (*darknet.Network, *darknet.Weights) {
	t.Helper()
	net, err := darknet.ParseConfig(strings.NewReader(config()), "odd")
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

// Bench is where an engine is proven.
type Bench struct {
	Engine engine.Engine
	// Cache is a cache folder.
	Cache  string
	folder string
	format convert.Format // without a name for Darknet's own
}

// New makes a bench for an engine.
func New(t testing.TB, e engine.Engine, cache string) *Bench {
	t.Helper()
	b := &Bench{Engine: e, Cache: cache, folder: t.TempDir()}
	b.format, _ = convert.Named(e.Spec().Formats[0]) // not found: Darknet's
	_, w := filled(t, 0)
	var file bytes.Buffer
	if _, err := w.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(b.path("odd.cfg"), []byte(config()), 0o600), os.WriteFile(b.path("odd.weights"), file.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *Bench) path(name string) string { return filepath.Join(b.folder, name) }

// Fault changes what a worker is asked, or its environment, behind the back of who
// asks it.
type Fault struct {
	Job func(j engine.Job) (engine.Job, error)
	Env []string
	// Target is the one asked for, "" for the processor.
	Target string
	// Emulator is put before the worker's command; Features are the processor's then.
	Emulator, Features []string
}

// tampered passes commands on, changed before.
type tampered struct {
	engine.Process
	fault Fault
}

func (p tampered) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	var j engine.Job
	if p.fault.Job != nil && json.Unmarshal(cmd.Stdin, &j) == nil {
		changed, err := p.fault.Job(j)
		if err != nil {
			return host.Output{}, err
		}
		if cmd.Stdin, err = json.Marshal(changed); err != nil {
			return host.Output{}, err
		}
	}
	if len(cmd.Stdin) > 0 { // a worker with its job
		cmd.Argv = append(slices.Clone(p.fault.Emulator), cmd.Argv...)
	}
	cmd.Env = append(cmd.Env, p.fault.Env...)
	return p.Process.Run(ctx, cmd)
}

// Prove runs the network on the engine with a fault.
func (b *Bench) Prove(t testing.TB, f Fault) verify.Engine {
	t.Helper()
	e, err := b.run(t, f)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (b *Bench) run(t testing.TB, f Fault) (verify.Engine, error) {
	r, err := verify.Run(t.Context(), verify.Options{
		Config: b.path("odd.cfg"), Weights: b.path("odd.weights"), Cache: b.Cache, Process: tampered{host.Live(), f}, Runs: 2, Threads: 1,
		Target: f.Target, Engines: []engine.Engine{b.Engine}, CPUFeatures: f.Features,
	})
	if err != nil {
		return verify.Engine{}, err
	}
	return r.Engines[0], nil
}

// Right checks that the engine is right, and that it says all that it should.
func (b *Bench) Right(t *testing.T) {
	e := b.Prove(t, Fault{})
	if e.State != verify.OK || len(e.RelL2) != 2 || e.RelL2[0] > 1e-5 || e.RelL2[1] > 1e-5 {
		t.Fatalf("%s: %q, %v; log %s", e.State, e.Reasons, e.RelL2, e.Log)
	}
	spec := b.Engine.Spec()
	if len(e.Own) == 0 || e.Versions[spec.Component] == "" || e.Backend != spec.Targets[0].Backend || e.Threads != 1 || e.CalibrationSpread < 1 || e.PeakGFLOPS <= 0 {
		t.Errorf("loaded %q, versions %v, on %s with %d threads, calibration %v, peak %v", e.Own, e.Versions, e.Backend, e.Threads, e.CalibrationSpread, e.PeakGFLOPS)
	}
}

// Caught checks that a fault is found, and what is said of it.
func (b *Bench) Caught(t *testing.T, name string, f Fault, why string) {
	t.Run(name, func(t *testing.T) {
		e := b.Prove(t, f)
		if e.State != verify.Fail || !strings.Contains(strings.Join(e.Reasons, "\n"), why) {
			t.Errorf("%s: %q, fix %q", e.State, e.Reasons, e.Fix)
		}
		t.Logf("%q, fix %q", e.Reasons, e.Fix)
	})
}

// Common checks the faults that every engine can have.
func (b *Bench) Common(t *testing.T) {
	for name, c := range map[string]struct {
		job func(j engine.Job) (engine.Job, error)
		why string
	}{
		"other weights":    {b.otherWeights(t, 1, nil), "all heads are off"},
		"a little off":     {b.otherWeights(t, 0, func(w *darknet.Weights) { w.Layer(0).Biases[1] *= 1.01 }), "differs by"},
		"one head's bias":  {b.otherWeights(t, 0, func(w *darknet.Weights) { w.Layer(12).Biases[3]++ }), "only head 1 is off"},
		"not a number":     {b.otherWeights(t, 0, func(w *darknet.Weights) { w.Layer(12).Biases[0] = float32(math.NaN()) }), "NaN"},
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
		"one input for both": {func(j engine.Job) (engine.Job, error) { j.Inputs[1] = j.Inputs[0]; return j, nil }, "same"},
		"an unknown target":  {func(j engine.Job) (engine.Job, error) { j.Target = "abacus"; return j, nil }, "abacus"},
		"another schema":     {func(j engine.Job) (engine.Job, error) { j.Schema = 1; return j, nil }, "schema 1"},
		"an input cut short": {func(j engine.Job) (engine.Job, error) { return j, os.Truncate(j.Inputs[0], 100) }, "has 100 bytes"},
	} {
		b.Caught(t, name, Fault{Job: c.job}, c.why)
	}
	if b.format.Name == "" {
		return // the heads are asked for by the names of Darknet's layers
	}
	b.Caught(t, "heads exchanged", Fault{Job: func(j engine.Job) (engine.Job, error) {
		j.Heads[0], j.Heads[1] = j.Heads[1], j.Heads[0]
		return j, nil
	}}, "has the shape")
}

// otherWeights has the worker read the network with other weights.
func (b *Bench) otherWeights(t testing.TB, start float64, spoil func(w *darknet.Weights)) func(j engine.Job) (engine.Job, error) {
	net, w := filled(t, start)
	if spoil != nil {
		spoil(w)
	}
	var file bytes.Buffer
	if b.format.Name == "" {
		if _, err := w.WriteTo(&file); err != nil {
			t.Fatal(err)
		}
		return func(j engine.Job) (engine.Job, error) {
			j.Weights = filepath.Join(j.OutDir, "other.weights")
			return j, os.WriteFile(j.Weights, file.Bytes(), 0o600)
		}
	}
	write := func(_ string, write func(io.Writer) error) error { return write(&file) }
	if err := b.format.Write(write, net, w); err != nil {
		t.Fatal(err)
	}
	return OtherModel(file.Bytes())
}

// OtherModel has the worker read another file of one part.
func OtherModel(file []byte) func(j engine.Job) (engine.Job, error) {
	return func(j engine.Job) (engine.Job, error) {
		j.Model = filepath.Join(j.OutDir, "other"+filepath.Ext(j.Model))
		return j, os.WriteFile(j.Model, file, 0o600)
	}
}

// otherInput has the worker look at changed pictures.
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

// Deaths checks the ways in which a library can end its process. loaded is the file
// name of a library that the worker loads.
func (b *Bench) Deaths(t *testing.T, loaded string) {
	preload := func(name, text string) []string { return []string{"LD_PRELOAD=" + shared(t, "lib"+name+".so", text)} }
	start := func(body string) string {
		return "#include <stdlib.h>\n__attribute__((constructor)) static void start(void) { " + body + " }\n"
	}
	b.Caught(t, "an instruction", Fault{Env: preload("trap", start("__builtin_trap();"))}, "instruction")
	b.Caught(t, "a crash", Fault{Env: preload("crash", start("*(volatile int *)8 = 1;"))}, "crashed")
	b.Caught(t, "a library that aborts", Fault{Env: preload("abort", start("abort();"))}, "abort")
	b.Caught(t, "a worker that ends", Fault{Env: preload("end", start("_Exit(3);"))}, "status 3")
	b.Caught(t, "a worker without an answer", Fault{Env: preload("quiet", start("_Exit(0);"))}, "without an answer")
	b.Caught(t, "another library of that name", Fault{Env: []string{"LD_LIBRARY_PATH=" + filepath.Dir(shared(t, loaded, "int other;\n"))}}, loaded)
}

// OldProcessor checks a library that was built for AVX2, on an emulated processor that
// has none (Intel's Westmere, of 2010).
func (b *Bench) OldProcessor(t *testing.T) {
	emulator, err := exec.LookPath("qemu-x86_64-static")
	if err != nil || runtime.GOARCH != "amd64" {
		t.Skipf("skipped: needs qemu-x86_64-static on amd64: %v", err)
	}
	library := shared(t, "libavx2.so", "__attribute__((constructor)) static void start(void) { __asm__ volatile(\"vpaddd %%ymm0, %%ymm1, %%ymm2\" ::: \"xmm2\"); }\n")
	westmere := Fault{Emulator: []string{emulator, "-cpu", "Westmere"}}
	if e := b.Prove(t, westmere); strings.Contains(e.Why, "crashed") {
		t.Skipf("skipped: the engine does not run in the emulator, whatever the processor lacks: %s", e.Why)
	}
	b.Caught(t, "built for AVX2", Fault{
		Emulator: append(westmere.Emulator, "-E", "LD_PRELOAD="+library),
		Features: []string{"sse2", "sse3", "ssse3", "sse4_1", "sse4_2", "popcnt", "aes"},
	}, "AVX2")
}

// Elsewhere checks that a run on the processor never passes for one on a GPU: asked
// for each other target, the worker computes on the processor behind deployctl's back.
func (b *Bench) Elsewhere(t *testing.T) {
	targets := b.Engine.Spec().Targets
	for _, target := range targets[1:] {
		name := target.Name
		t.Run(name, func(t *testing.T) {
			e := b.Prove(t, Fault{Target: name, Job: func(j engine.Job) (engine.Job, error) {
				j.Target, j.Backend = targets[0].Name, targets[0].Backend
				return j, nil
			}})
			if e.State != verify.Fail || len(e.Reasons) == 0 {
				t.Errorf("computed on the processor, asked for %s: %s %q", name, e.State, e.Reasons)
			}
			t.Logf("%q, fix %q", e.Reasons, e.Fix)
		})
	}
	if !slices.ContainsFunc(targets, func(s engine.Target) bool { return s.Name == "cuda" }) {
		if _, err := b.run(t, Fault{Target: "cuda"}); err == nil || !strings.Contains(err.Error(), "does not offer cuda") {
			t.Errorf("asked for cuda, which it does not have: %v", err)
		}
	}
}

// shared compiles a library in C.
func shared(t testing.TB, name, text string) string {
	t.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil || runtime.GOOS != "linux" {
		t.Skipf("skipped: needs a C compiler on Linux: %v", err)
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "source.c"), filepath.Join(dir, name)
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-Wl,-soname,"+name, "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return library
}
