package pipeline

import (
	"bytes"
	"context"
	"debug/elf"
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
	"github.com/deployctl/deployctl/verify/engines/onnxruntime"
)

// native is an engine whose library is loaded at run time, with a real one.
type native struct {
	name, library string
	// make makes the engine; the options are one type for all of them.
	make func(o onnxruntime.Options) engine.Engine
	// config is the network, layers the engine's word for what ran its layers, "" where
	// it has none.
	config, layers string
	// reads is the format that the network is converted to.
	reads engine.Format
	// limit is the relative L2 of a head that a right engine stays below.
	limit float64
	// damaged and unnamed are said of a network that was cut short, and of an output
	// that it does not have.
	damaged, unnamed string
	// more are further wrong answers, with what is said of them.
	more map[string]wrong
	// stubs are libraries that are not what they should be, with what is said of them.
	stubs map[string]struct{ library, why string }

	goTool, goVersion, cache, weights string
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

// every is a network with every kind of layer and every activation.
const every = `[net]
width=64
height=64
channels=3
[convolutional]
batch_normalize=1
pad=1
filters=8
size=3
stride=2
activation=leaky
[convolutional]
batch_normalize=1
pad=1
filters=8
size=3
stride=1
activation=mish
[shortcut]
from=-2
activation=leaky
[convolutional]
batch_normalize=1
pad=1
groups=4
filters=12
size=3
stride=1
activation=swish
[maxpool]
size=2
stride=2
[maxpool]
size=2
stride=1
[maxpool]
size=5
stride=1
[convolutional]
filters=8
size=1
stride=1
activation=relu
[upsample]
stride=2
[upsample]
stride=1
scale=0.5
[route]
layers=-1,2
[route]
layers=-1,3
groups=2
group_id=1
[convolutional]
filters=6
size=1
stride=1
activation=logistic
[yolo]
mask=0
anchors=10,10
classes=1
num=1
[route]
layers=6
groups=2
group_id=0
[route]
layers=-1
[convolutional]
batch_normalize=1
pad=1
filters=14
size=3
stride=1
activation=linear
[yolo]
mask=0,1
anchors=10,10, 20,20
classes=2
num=2
`

// wrong is what makes an answer wrong, with what is said of it.
type wrong struct {
	change func(j engine.Job) (engine.Job, error)
	why    string
}

// filled is the network with weights; start chooses the numbers.
func (n *native) filled(t *testing.T, start float64) (*darknet.Network, *darknet.Weights) {
	t.Helper()
	net, err := darknet.ParseConfig(strings.NewReader(n.config), "odd")
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

// tampered passes commands on, changed before.
type tampered struct {
	engine.Process
	change  func(j engine.Job) (engine.Job, error)
	command func(argv []string) []string
}

func (p tampered) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	var j engine.Job
	if json.Unmarshal(cmd.Stdin, &j) == nil {
		if p.change != nil {
			changed, err := p.change(j)
			if err != nil {
				return host.Output{}, err
			}
			if cmd.Stdin, err = json.Marshal(changed); err != nil {
				return host.Output{}, err
			}
		}
		if p.command != nil {
			cmd.Argv = p.command(cmd.Argv)
		}
	}
	return p.Process.Run(ctx, cmd)
}

// otherWeights has the job run the network with other weights.
func (n *native) otherWeights(t *testing.T, start float64, spoil func(w *darknet.Weights)) func(j engine.Job) (engine.Job, error) {
	net, w := n.filled(t, start)
	if spoil != nil {
		spoil(w)
	}
	var file bytes.Buffer
	var err error
	if format, ok := convert.Named(n.reads); ok {
		err = format.Write(func(_ string, write func(io.Writer) error) error { return write(&file) }, net, w)
	} else {
		_, err = w.WriteTo(&file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n.otherFile(func([]byte) []byte { return file.Bytes() })
}

// otherFile has the job read another file in place of the network's.
func (n *native) otherFile(change func(raw []byte) []byte) func(j engine.Job) (engine.Job, error) {
	return func(j engine.Job) (engine.Job, error) {
		file := &j.Weights
		if n.reads != engine.Darknet {
			file = &j.Model
		}
		raw, err := os.ReadFile(*file)
		if err != nil {
			return j, err
		}
		*file = filepath.Join(j.OutDir, "other"+filepath.Ext(*file))
		return j, os.WriteFile(*file, change(raw), 0o600)
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

// stub is a library with these functions in C.
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

// copied is the library with some bytes changed, in a folder of its own.
func copied(t *testing.T, library string, change func(raw []byte) []byte) string {
	t.Helper()
	raw, err := os.ReadFile(library)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), filepath.Base(library))
	if err := os.WriteFile(file, change(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// foreign is a library whose header says that it is for S/390.
func foreign(raw []byte) []byte {
	raw = slices.Clone(raw)
	raw[18], raw[19] = byte(elf.EM_S390), 0 // e_machine, little-endian
	return raw
}

// prove runs the engine with a library.
func (n *native) prove(t *testing.T, library string, p tampered) verify.Engine {
	t.Helper()
	r, err := verify.Run(t.Context(), n.options(library, p))
	if err != nil {
		t.Fatal(err)
	}
	return r.Engines[0]
}

func (n *native) options(library string, p tampered) verify.Options {
	p.Process = host.Live()
	return verify.Options{
		Config: n.weights[:len(n.weights)-len("weights")] + "cfg", Weights: n.weights, Cache: n.cache, Process: p, Runs: 2, Threads: 1,
		Engines: []engine.Engine{n.make(onnxruntime.Options{Process: host.Live(), Cache: n.cache, Go: n.goTool, GoVersion: n.goVersion, Library: library, Version: "1"})},
	}
}

// run runs a small network through the real library: rightly, and with one fault at
// a time, each of which must be found and explained.
func (n *native) run(t *testing.T) {
	var err error
	if n.goTool, err = exec.LookPath("go"); err != nil {
		t.Skipf("skipped: the worker is compiled with Go: %v", err)
	}
	// Asked once, and without the time that the engine gives it: the machine may be busy.
	said, err := exec.CommandContext(t.Context(), n.goTool, "env", "GOVERSION").Output()
	if err != nil {
		t.Fatal(err)
	}
	n.goVersion, n.cache = strings.TrimSpace(string(said)), t.TempDir()
	n.written(t)
	t.Run("right", n.right)
	if n.reads != engine.Darknet {
		t.Run("every layer", func(t *testing.T) {
			whole := *n
			whole.config = every
			whole.written(t)
			whole.right(t)
		})
	}
	t.Run("loads", func(t *testing.T) {
		o := n.options(n.library, tampered{})
		o.Level = verify.LevelLoad
		r, err := verify.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if e := r.Engines[0]; e.State != verify.OK || e.Versions[n.name] == "" || len(e.Own) == 0 {
			t.Errorf("%s: %q, %v, %q", e.State, e.Reasons, e.Versions, e.Own)
		}
	})
	n.faults(t)
	n.deaths(t)
}

// written writes the network's files.
func (n *native) written(t *testing.T) {
	n.weights = filepath.Join(t.TempDir(), "odd.weights")
	_, w := n.filled(t, 0)
	var file bytes.Buffer
	if _, err := w.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(strings.TrimSuffix(n.weights, "weights")+"cfg", []byte(n.config), 0o600), os.WriteFile(n.weights, file.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (n *native) right(t *testing.T) {
	for i := range 2 {
		e := n.prove(t, n.library, tampered{})
		if e.State != verify.OK || len(e.RelL2) != 2 || float64(e.RelL2[0]) > n.limit || float64(e.RelL2[1]) > n.limit {
			t.Fatalf("%s: %q, %v", e.State, e.Reasons, e.RelL2)
		}
		if n.layers != "" && (e.Device == nil || e.Device.Layers[n.layers] == 0) {
			t.Errorf("layers ran on %+v", e.Device)
		}
		if len(e.Own) == 0 || e.Versions[n.name] == "" || e.Backend != n.name || e.Threads != 1 {
			t.Errorf("loaded %q, versions %v, on %s with %d threads", e.Own, e.Versions, e.Backend, e.Threads)
		}
		if made := e.ConvertSeconds > 0; made != (i == 0 && n.reads != engine.Darknet) {
			t.Errorf("run %d: converted in %v s", i, e.ConvertSeconds)
		}
	}
}

// faults are wrong answers.
func (n *native) faults(t *testing.T) {
	last := func(w *darknet.Weights) []float32 { return w.Layer(n.heads(t)[1]).Biases }
	list := map[string]wrong{
		"other weights":    {n.otherWeights(t, 1, nil), "all heads are off"},
		"a little off":     {n.otherWeights(t, 0, func(w *darknet.Weights) { w.Layer(0).Biases[1] *= 1.01 }), "differs by"},
		"one head's bias":  {n.otherWeights(t, 0, func(w *darknet.Weights) { last(w)[3]++ }), "only head 1 is off"},
		"not a number":     {n.otherWeights(t, 0, func(w *darknet.Weights) { last(w)[0] = float32(math.NaN()) }), "NaN"},
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
		"a network cut short": {n.otherFile(func(raw []byte) []byte { return raw[:len(raw)/2] }), n.damaged},
		"not a network":       {n.otherFile(func([]byte) []byte { return []byte("\x08\x06garbage") }), n.damaged},
		"another target":      {func(j engine.Job) (engine.Job, error) { j.Target = "cuda"; return j, nil }, "unknown backend and target"},
		"too few pixels":      {func(j engine.Job) (engine.Job, error) { j.Width /= 2; return j, nil }, "input"},
	}
	for name, c := range n.more {
		list[name] = c
	}
	if n.unnamed != "" {
		list["no such output"] = wrong{func(j engine.Job) (engine.Job, error) { j.Outputs[0] = "layer_99"; return j, nil }, n.unnamed}
		list["heads exchanged"] = wrong{func(j engine.Job) (engine.Job, error) {
			j.Outputs[0], j.Outputs[1] = j.Outputs[1], j.Outputs[0]
			return j, nil
		}, "has the shape"}
	}
	for name, c := range list {
		t.Run(name, func(t *testing.T) {
			if e := n.prove(t, n.library, tampered{change: c.change}); e.State != verify.Fail || !strings.Contains(strings.Join(e.Reasons, "\n"), c.why) {
				t.Errorf("%s: %q", e.State, e.Reasons)
			}
		})
	}
}

func (n *native) heads(t *testing.T) []int {
	net, _ := n.filled(t, 0)
	return net.Heads()
}

// deaths are libraries that are not what they should be, and workers that do not
// live to answer.
func (n *native) deaths(t *testing.T) {
	list := map[string]struct{ library, why string }{
		"cut short": {copied(t, n.library, func(raw []byte) []byte { return raw[:len(raw)*2/3] }), "cut short"},
		"not there": {filepath.Join(t.TempDir(), filepath.Base(n.library)), "is not there"},
	}
	if runtime.GOOS == "linux" {
		list["another processor's"] = struct{ library, why string }{copied(t, n.library, foreign), "is for another processor"}
	}
	for name, c := range n.stubs {
		list[name] = c
	}
	for name, c := range list {
		t.Run(name, func(t *testing.T) {
			e := n.prove(t, c.library, tampered{})
			if e.State != verify.Fail || !strings.Contains(e.Why, c.why) || e.Fix == "" && !strings.Contains(e.Why, "run deployctl") {
				t.Errorf("%s: %q, %q", e.State, e.Why, e.Fix)
			}
		})
	}
	if runtime.GOOS == "windows" {
		return // no such shell
	}
	for name, c := range map[string]struct{ script, why string }{
		"killed":             {`"$@" & sleep 0.05; kill -9 $$`, "was killed from outside"},
		"without memory":     {`ulimit -v 90000; exec "$@"`, "memory"},
		"without an answer":  {"exit 0", "ended without an answer"},
		"an old environment": {`LD_LIBRARY_PATH=/nowhere exec "$@"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := n.prove(t, n.library, tampered{command: func(argv []string) []string { return append([]string{"/bin/sh", "-c", c.script, "sh"}, argv...) }})
			fixed := e.Fix != "" || strings.Contains(e.Why, "run deployctl")
			if right := c.why == ""; right && e.State != verify.OK || !right && (e.State != verify.Fail || !strings.Contains(e.Why, c.why) || !fixed) {
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
