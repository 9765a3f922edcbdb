package coreml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/deployctl/deployctl/verify/convert/internal/converttest"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/internal/nets"
)

// fields are the length-delimited fields of a message, by number.
func fields(t *testing.T, b []byte) map[protowire.Number][][]byte {
	t.Helper()
	out := map[protowire.Number][][]byte{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatalf("no tag: %v", protowire.ParseError(n))
		}
		b = b[n:]
		if kind == protowire.BytesType {
			value, n := protowire.ConsumeBytes(b)
			if n < 0 {
				t.Fatalf("field %d: %v", number, protowire.ParseError(n))
			}
			out[number] = append(out[number], value)
		}
		n = protowire.ConsumeFieldValue(number, kind, b)
		if n < 0 {
			t.Fatalf("field %d: %v", number, protowire.ParseError(n))
		}
		b = b[n:]
	}
	return out
}

// TestGraph: every layer reads what an earlier one gives, no two give the same, and
// the outputs that the model promises exist.
func TestGraph(t *testing.T) {
	net, w, _ := converttest.Model(t, nets.Everything())
	var file bytes.Buffer
	if err := Write(&file, net, w); err != nil {
		t.Fatal(err)
	}
	top := fields(t, file.Bytes())
	description := fields(t, top[2][0])
	known := map[string]bool{string(fields(t, description[1][0])[1][0]): true}
	for _, l := range fields(t, top[500][0])[1] {
		f := fields(t, l)
		for _, in := range f[2] {
			if !known[string(in)] {
				t.Errorf("%s reads %s, which no earlier layer gives", f[1][0], in)
			}
		}
		for _, out := range f[3] {
			if known[string(out)] {
				t.Errorf("two layers give %s", out)
			}
			known[string(out)] = true
		}
	}
	var outputs []string
	for _, o := range description[10] {
		outputs = append(outputs, string(fields(t, o)[1][0]))
	}
	if !slices.Equal(outputs, Outputs(net)) {
		t.Errorf("outputs %v, not %v", outputs, Outputs(net))
	}
	for _, o := range outputs {
		if !known[o] {
			t.Errorf("no layer gives the output %s", o)
		}
	}
}

func TestRefused(t *testing.T) {
	net, w, _ := converttest.Model(t, nets.Everything())
	short := *w
	short.Data = w.Data[1:]
	if err := Write(io.Discard, net, &short); err == nil || !strings.Contains(err.Error(), "weights") {
		t.Errorf("too few weights: %v", err)
	}
	none, nw, _ := converttest.Model(t, nets.Net(32, 32, nets.Conv(4, 1, 1, "linear")))
	if err := Write(io.Discard, none, nw); err == nil || !strings.Contains(err.Error(), "no yolo layer") {
		t.Errorf("no head: %v", err)
	}
	if err := Write(converttest.Full{}, net, w); !errors.Is(err, converttest.ErrFull) {
		t.Errorf("a full disk: %v", err)
	}
}

// script reads models with coremltools and computes by the text of the specification
// what they say. Its arguments are folders, each with the model, an input, and the
// names of the outputs.
const script = `
import sys, numpy as np, coremltools
from coremltools.proto import FeatureTypes_pb2
def edges(p):
    b = p.paddingAmounts.borderAmounts
    return (b[0].startEdgeSize, b[0].endEdgeSize), (b[1].startEdgeSize, b[1].endEdgeSize)
def windows(x, size, stride, pad, fill):
    x = np.pad(x, ((0, 0),) + pad, constant_values=fill)
    v = np.lib.stride_tricks.sliding_window_view(x, tuple(size), axis=(1, 2))
    return v[:, ::stride[0], ::stride[1]]
def act(a, x):
    k = a.WhichOneof("NonlinearityType")
    p = getattr(a, k)
    return {"linear": lambda: p.alpha * x + p.beta, "ReLU": lambda: np.maximum(x, 0), "leakyReLU": lambda: np.where(x >= 0, x, p.alpha * x),
            "tanh": lambda: np.tanh(x), "sigmoid": lambda: 1 / (1 + np.exp(-x)), "softplus": lambda: np.log1p(np.exp(x))}[k]()
for folder in sys.argv[1:]:
    spec = coremltools.utils.load_spec(folder + "/model.mlmodel")
    assert spec.specificationVersion == 1 and spec.WhichOneof("Type") == "neuralNetwork"
    d = spec.description.input[0]
    assert d.type.multiArrayType.dataType == FeatureTypes_pb2.ArrayFeatureType.FLOAT32
    t = {d.name: np.fromfile(folder + "/input", np.float32).astype(np.float64).reshape(list(d.type.multiArrayType.shape))}
    for l in spec.neuralNetwork.layers:
        k = l.WhichOneof("layer")
        p, x = getattr(l, k), [t[n] for n in l.input]
        if k == "convolution":
            w = np.array(p.weights.floatValue, np.float64).reshape(p.outputChannels, p.kernelChannels, *p.kernelSize)
            v = windows(x[0], p.kernelSize, p.stride, edges(p.valid), 0)
            g, per = p.nGroups, p.outputChannels // p.nGroups
            y = np.concatenate([np.einsum("cyxij,ocij->oyx", v[i * p.kernelChannels:(i + 1) * p.kernelChannels], w[i * per:(i + 1) * per]) for i in range(g)])
            y += np.array(p.bias.floatValue, np.float64)[:, None, None]
            assert p.hasBias and not p.isDeconvolution
        elif k == "pooling":
            assert p.type == 0 and not p.globalPooling
            y = windows(x[0], p.kernelSize, p.stride, edges(p.valid), -np.inf).max((3, 4))
        elif k == "activation": y = act(p, x[0])
        elif k == "add": y = sum(x)
        elif k == "multiply": y = x[0] * x[1]
        elif k == "concat": y = np.concatenate(x)
        elif k == "slice":
            assert p.axis == 0
            y = x[0][p.startIndex:p.endIndex:p.stride]
        elif k == "upsample":
            assert p.mode == 0
            y = x[0].repeat(p.scalingFactor[0], 1).repeat(p.scalingFactor[1], 2)
        else: raise Exception(k)
        t[l.output[0]] = y
    for i, o in enumerate(spec.description.output):
        assert list(o.type.multiArrayType.shape) == list(t[o.name].shape), o.name
        t[o.name].astype(np.float32).tofile("%s/%d" % (folder, i))
print(coremltools.__version__)
`

// python is one that has coremltools.
func python(t testing.TB) string {
	t.Helper()
	name := os.Getenv("DEPLOYCTL_TEST_COREML_PYTHON")
	if name == "" {
		name = "python3"
	}
	if out, err := exec.Command(name, "-c", "import coremltools").CombinedOutput(); err != nil {
		t.Skipf("skipped: no coremltools to read the model with (name a Python that has it in DEPLOYCTL_TEST_COREML_PYTHON): %v: %s", err, out)
	}
	return name
}

// TestSpecification: coremltools reads the model, and what its layers mean by the
// specification gives the reference's results. Core ML itself is not run.
func TestSpecification(t *testing.T) {
	interpreter := python(t)
	configs := map[string]string{
		"everything": nets.Everything(),
		"one head":   nets.Net(32, 32, nets.Conv(6, 3, 1, "leaky", "batch_normalize=1", "pad=1"), nets.Yolo("0", "10,10", 1, 1)),
		"odd pools": nets.Net(48, 64, nets.Conv(4, 3, 1, "relu", "pad=1"), "[maxpool]\nsize=3\nstride=2\n", "[maxpool]\nsize=2\nstride=1\npadding=1\n",
			nets.Conv(6, 1, 1, "logistic"), nets.Yolo("0", "10,10", 1, 1)),
	}
	dir := t.TempDir()
	argv := []string{"-c", script}
	for name, config := range configs {
		net, w, input := converttest.Model(t, config)
		var file bytes.Buffer
		folder := filepath.Join(dir, name)
		if err := errors.Join(Write(&file, net, w), os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, File), file.Bytes(), 0o600),
			os.WriteFile(filepath.Join(folder, "input"), engine.AppendFloats(nil, input), 0o600)); err != nil {
			t.Fatal(err)
		}
		argv = append(argv, folder)
	}
	out, err := exec.Command(interpreter, argv...).Output()
	if err != nil {
		var e *exec.ExitError
		errors.As(err, &e)
		t.Fatalf("%v: %s", err, e.Stderr)
	}
	for name, config := range configs {
		worst, err := converttest.Worst(t, config, func(head, values int) ([]float32, error) {
			return engine.ReadFloats(filepath.Join(dir, name, fmt.Sprint(head)), values)
		})
		if err != nil || !(worst <= 1e-5) {
			t.Errorf("%s: differs by %.2g: %v", name, worst, err)
		}
		t.Logf("%s: differs by %.2g, read by coremltools %s", name, worst, strings.TrimSpace(string(out)))
	}
}
