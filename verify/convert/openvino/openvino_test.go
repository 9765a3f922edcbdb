package openvino

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/convert/internal/converttest"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/internal/nets"
)

// files are the two files.
func files(t testing.TB, net *darknet.Network, w *darknet.Weights) (operations, constants []byte) {
	t.Helper()
	var text, bin bytes.Buffer
	if err := errors.Join(WriteXML(&text, net, w), WriteBin(&bin, net, w)); err != nil {
		t.Fatal(err)
	}
	return text.Bytes(), bin.Bytes()
}

// TestGraph: every input has its edge, with the shape that the other end gives, and
// the constants lie one after the other in the binary file, which they fill.
func TestGraph(t *testing.T) {
	net, w, _ := converttest.Model(t, nets.Everything())
	text, bin := files(t, net, w)
	var f file
	if err := xml.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	outputs := map[[2]int]port{}
	end := 0
	var results []string
	for i, o := range f.Layers {
		if o.ID != i {
			t.Errorf("operation %d has the number %d", i, o.ID)
		}
		if o.Output != nil {
			for _, p := range o.Output.Ports {
				outputs[[2]int{i, p.ID}] = p
			}
		}
		if o.Type == "Const" {
			from, size := 0, 0
			for _, a := range o.Data.Attributes {
				switch a.Name.Local {
				case "offset":
					_, _ = fmt.Sscan(a.Value, &from) // checked by what follows
				case "size":
					_, _ = fmt.Sscan(a.Value, &size)
				}
			}
			if from != end || size == 0 {
				t.Errorf("%s begins at %d and has %d bytes, where the one before ends at %d", o.Name, from, size, end)
			}
			end = from + size
		}
		if o.Type == "Result" {
			results = append(results, o.Name)
		}
	}
	if end != len(bin) {
		t.Errorf("the constants end at %d of %d bytes", end, len(bin))
	}
	fed := map[[2]int]bool{}
	for _, e := range f.Edges {
		from, ok := outputs[[2]int{e.FromLayer, e.FromPort}]
		to := f.Layers[e.ToLayer].Input.Ports[e.ToPort]
		if !ok || e.FromLayer >= e.ToLayer || !slices.Equal(from.Dims, to.Dims) || from.Precision != to.Precision {
			t.Errorf("edge %+v joins %+v and %+v", e, from, to)
		}
		fed[[2]int{e.ToLayer, e.ToPort}] = true
	}
	for i, o := range f.Layers {
		for k := range len(o.inputs()) {
			if !fed[[2]int{i, k}] {
				t.Errorf("input %d of %s has no edge", k, o.Name)
			}
		}
	}
	if len(results) != len(net.Heads()) {
		t.Errorf("results %v for %d heads", results, len(net.Heads()))
	}
}

func (o operation) inputs() []port {
	if o.Input == nil {
		return nil
	}
	return o.Input.Ports
}

func TestRefused(t *testing.T) {
	net, w, _ := converttest.Model(t, nets.Everything())
	short := *w
	short.Data = w.Data[1:]
	if err := WriteXML(io.Discard, net, &short); err == nil || !strings.Contains(err.Error(), "weights") {
		t.Errorf("too few weights: %v", err)
	}
	none, nw, _ := converttest.Model(t, nets.Net(32, 32, nets.Conv(4, 1, 1, "linear")))
	if err := WriteBin(io.Discard, none, nw); err == nil || !strings.Contains(err.Error(), "no yolo layer") {
		t.Errorf("no head: %v", err)
	}
	if err := WriteBin(converttest.Full{}, net, w); !errors.Is(err, converttest.ErrFull) {
		t.Errorf("a full disk: %v", err)
	}
	if err := WriteXML(converttest.Full{}, net, w); !errors.Is(err, converttest.ErrFull) {
		t.Errorf("a full disk: %v", err)
	}
}

// script has OpenVINO run models on their inputs and writes what comes out, or why
// nothing does. Its arguments are folders, each with the model, input and shape.
const script = `
import sys, numpy, openvino
core = openvino.Core()
for folder in sys.argv[1:]:
    shape = [int(v) for v in open(folder + "/shape").read().split()]
    x = numpy.fromfile(folder + "/input", dtype=numpy.float32).reshape(shape)
    try:
        compiled = core.compile_model(folder + "/model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        out = compiled(x)
        for i, name in enumerate(open(folder + "/outputs").read().split()):
            out[compiled.output(name)].astype(numpy.float32).tofile("%s/%d" % (folder, i))
    except Exception as e:
        open(folder + "/error", "w").write(str(e))
print(openvino.__version__)
`

// python is one that has OpenVINO.
func python(t testing.TB) string {
	t.Helper()
	name := os.Getenv("DEPLOYCTL_TEST_OPENVINO_PYTHON")
	if name == "" {
		name = "python3"
	}
	if out, err := exec.Command(name, "-c", "import openvino, numpy").CombinedOutput(); err != nil {
		t.Skipf("skipped: no OpenVINO to read the model with (name a Python that has it in DEPLOYCTL_TEST_OPENVINO_PYTHON): %v: %s", err, out)
	}
	return name
}

// faults are mistakes that the XML file could have.
var faults = map[string][2]string{
	"a padding less":               {`pads_begin="1, 1"`, `pads_begin="0, 0"`},
	"a stride less":                {`type="Convolution" version="opset1">` + "\n   <data strides=\"2, 2\"", `type="Convolution" version="opset1">` + "\n   <data strides=\"1, 1\""},
	"the mean in place of a max":   {`type="MaxPool" version="opset1"`, `type="AvgPool" version="opset1"`},
	"another activation":           {`type="Mish" version="opset4"`, `type="Sigmoid" version="opset1"`},
	"no activation":                {`type="Swish" version="opset4"`, `type="ReLU" version="opset1"`},
	"a bias multiplied":            {`type="Add" version="opset1"`, `type="Multiply" version="opset1"`},
	"linear in place of nearest":   {`mode="nearest"`, `mode="linear"`},
	"joined along the rows":        {`<data axis="1">`, `<data axis="2">`},
	"constants of another offset":  {`offset="0"`, `offset="4"`},
	"half of the kernel's numbers": {`element_type="f32" shape="`, `element_type="f16" shape="`},
}

// TestOpenVINO: OpenVINO's results are the reference's, and with any fault they are
// not.
func TestOpenVINO(t *testing.T) {
	interpreter := python(t)
	configs := map[string]string{
		"everything": nets.Everything(),
		"one head":   nets.Net(32, 32, nets.Conv(6, 3, 1, "leaky", "batch_normalize=1", "pad=1"), nets.Yolo("0", "10,10", 1, 1)),
		"odd pools": nets.Net(48, 64, nets.Conv(4, 3, 1, "relu", "pad=1"), "[maxpool]\nsize=3\nstride=2\n", "[maxpool]\nsize=2\nstride=1\npadding=1\n",
			nets.Conv(6, 1, 1, "logistic"), nets.Yolo("0", "10,10", 1, 1)),
	}
	dir := t.TempDir()
	argv := []string{"-c", script}
	lay := func(name, config string, change func(text []byte) []byte) {
		net, w, input := converttest.Model(t, config)
		text, bin := files(t, net, w)
		folder := filepath.Join(dir, name)
		if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, XML), change(text), 0o600),
			os.WriteFile(filepath.Join(folder, Bin), bin, 0o600), os.WriteFile(filepath.Join(folder, "input"), engine.AppendFloats(nil, input), 0o600),
			os.WriteFile(filepath.Join(folder, "outputs"), []byte(strings.Join(Outputs(net), " ")), 0o600),
			os.WriteFile(filepath.Join(folder, "shape"), fmt.Appendf(nil, "1 3 %d %d", net.Height, net.Width), 0o600)); err != nil {
			t.Fatal(err)
		}
		argv = append(argv, folder)
	}
	for name, config := range configs {
		lay(name, config, func(text []byte) []byte { return text })
	}
	for name, f := range faults {
		lay(name, configs["everything"], func(text []byte) []byte {
			changed := bytes.ReplaceAll(text, []byte(f[0]), []byte(f[1]))
			if bytes.Equal(changed, text) {
				t.Errorf("%s: the file has no %s", name, f[0])
			}
			return changed
		})
	}
	out, err := exec.Command(interpreter, argv...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, config := range configs {
		if worst, why := distance(t, filepath.Join(dir, name), config); why != "" || worst > 1e-5 {
			t.Errorf("%s: differs by %.2g %s", name, worst, why)
		} else {
			t.Logf("%s: differs by %.2g in OpenVINO %s", name, worst, bytes.TrimSpace(out))
		}
	}
	for name := range faults {
		worst, why := distance(t, filepath.Join(dir, name), configs["everything"])
		if why == "" && worst < 1e-3 {
			t.Errorf("%s: not found, the results differ by %.2g", name, worst)
		}
	}
}

// distance is the worst relative L2 of a folder's results, or why there are none.
func distance(t *testing.T, folder, config string) (worst float64, why string) {
	t.Helper()
	if text, err := os.ReadFile(filepath.Join(folder, "error")); err == nil {
		return 0, string(text)
	}
	worst, err := converttest.Worst(t, config, func(head, values int) ([]float32, error) {
		return engine.ReadFloats(filepath.Join(folder, fmt.Sprint(head)), values)
	})
	if err != nil {
		return 0, err.Error()
	}
	return worst, ""
}
