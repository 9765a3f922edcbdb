package torchscript

import (
	"archive/zip"
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

	"github.com/deployctl/deployctl/verify/convert/internal/converttest"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/internal/nets"
)

func write(t testing.TB, net *darknet.Network, w *darknet.Weights) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := Write(&file, net, w); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// records are those of an archive, and where each one's data begins.
func records(t *testing.T, file []byte) (names []string, data map[string][]byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	data = map[string][]byte{}
	for _, f := range z.File {
		at, err := f.DataOffset()
		if err != nil {
			t.Fatal(err)
		}
		if at%alignment != 0 || f.Method != zip.Store || f.Flags&8 != 0 {
			t.Errorf("%s begins at %d, method %d, flags %x", f.Name, at, f.Method, f.Flags)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r) // which checks the CRC
		if err != nil || !bytes.Equal(raw, file[at:at+int64(len(raw))]) {
			t.Fatalf("%s: %v", f.Name, err)
		}
		names, data[f.Name] = append(names, f.Name), raw
	}
	return names, data
}

// TestArchive: what LibTorch's reader relies on.
func TestArchive(t *testing.T) {
	net, w, _ := converttest.Model(t, nets.Everything())
	names, data := records(t, write(t, net, w))
	if names[0] != "model/version" || string(data["model/version"]) != "3\n" || string(data["model/byteorder"]) != "little" {
		t.Errorf("%q", names)
	}
	code := string(data["model/code/__torch__.py"])
	for _, want := range []string{
		"class Network(Module):\n  __parameters__ = []\n  __buffers__ = [\"layer_0_weight\", \"layer_0_bias\", ",
		"  layer_0_weight : Tensor\n", "  training : bool\n",
		"  def forward(self: __torch__.Network,\n    input: Tensor) -> Tuple[Tensor, Tensor]:\n",
		"    layer_0 = torch.conv2d(input, self.layer_0_weight, self.layer_0_bias, [2, 2], [1, 1], [1, 1], 1)\n    layer_0 = torch.leaky_relu(layer_0, 0.1)\n",
		"[1, 1], 4)\n", "torch.slice(", "torch.cat([", "torch.mul(layer_9, 0.5)", "    return (layer_12, layer_16,)\n",
	} {
		if !strings.Contains(code, want) {
			t.Errorf("the code lacks %q:\n%s", want, code)
		}
	}
	tensors := 0
	for name, raw := range data {
		if key, ok := strings.CutPrefix(name, "model/data/"); ok {
			tensors++
			if len(raw) == 0 || len(raw)%4 != 0 {
				t.Errorf("%s has %d bytes", key, len(raw))
			}
		}
	}
	pickled := data["model/data.pkl"]
	if tensors != 12 || bytes.Count(pickled, []byte("_rebuild_tensor_v2")) != tensors || pickled[len(pickled)-1] != opStop {
		t.Errorf("%d tensors", tensors)
	}
	if string(data["model/constants.pkl"]) != "\x80\x02)." {
		t.Errorf("%q", data["model/constants.pkl"])
	}
	// The bytes depend on nothing but the network and its weights.
	if !bytes.Equal(write(t, net, w), write(t, net, w)) {
		t.Error("two files differ")
	}
}

func TestOutputs(t *testing.T) {
	net, _, _ := converttest.Model(t, nets.Everything())
	if got := Outputs(net); !slices.Equal(got, []string{"layer_12", "layer_16"}) {
		t.Errorf("%q", got)
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
	full := errors.New("full")
	for limit := range 3 {
		if err := Write(&failing{limit * 2048, full}, net, w); !errors.Is(err, full) {
			t.Errorf("a disk that is full after %d bytes: %v", limit*2048, err)
		}
	}
}

// failing is a file on a disk with space for so many bytes.
type failing struct {
	left int
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, f.err
	}
	return len(p), nil
}

func TestFloat(t *testing.T) {
	for v, want := range map[float64]string{0.5: "0.5", 2: "2.", 1e-30: "1e-30"} {
		if got := float(v); got != want {
			t.Errorf("%v is %s", v, got)
		}
	}
}

// script loads modules, runs each on its input, and writes what comes out. Its
// arguments are folders, each with model.pt, input and shape.
const script = `
import sys, torch
for folder in sys.argv[1:]:
    file = folder + "/model.pt"
    m = torch.jit.load(file)
    shape = [int(v) for v in open(folder + "/shape").read().split()]
    x = torch.frombuffer(bytearray(open(folder + "/input", "rb").read()), dtype=torch.float32).reshape(shape)
    with torch.no_grad():
        out = m(x)
        assert isinstance(out, tuple) and not m.training and len(list(m.buffers())) > 0
        frozen = torch.jit.freeze(m.eval())(x)
    for i, t in enumerate(out):
        assert torch.allclose(t, frozen[i], rtol=1e-4, atol=1e-5)
        open("%s/%d" % (folder, i), "wb").write(t.contiguous().numpy().tobytes())
    m.save(folder + "/again.pt")  # torch writes what it has read
    torch.jit.load(folder + "/again.pt")
print(torch.__version__)
`

// python is one that has torch.
func python(t testing.TB) string {
	t.Helper()
	name := os.Getenv("DEPLOYCTL_TEST_TORCH_PYTHON")
	if name == "" {
		name = "python3"
	}
	if out, err := exec.Command(name, "-c", "import torch").CombinedOutput(); err != nil {
		t.Skipf("skipped: no torch to load the module with (name a Python that has it in DEPLOYCTL_TEST_TORCH_PYTHON): %v: %s", err, out)
	}
	return name
}

// TestTorch: torch loads the module, and its results are the reference's.
func TestTorch(t *testing.T) {
	interpreter := python(t)
	configs := map[string]string{
		"everything": nets.Everything(),
		"one head":   nets.Net(32, 32, nets.Conv(6, 3, 1, "leaky", "batch_normalize=1", "pad=1"), nets.Yolo("0", "10,10", 1, 1)),
		"odd pools": nets.Net(48, 64, nets.Conv(4, 3, 1, "leaky", "pad=1"), "[maxpool]\nsize=3\nstride=2\n", "[maxpool]\nsize=2\nstride=1\npadding=1\n",
			nets.Conv(6, 1, 1, "linear"), nets.Yolo("0", "10,10", 1, 1)),
	}
	dir := t.TempDir()
	argv := []string{"-c", script}
	for name, config := range configs {
		net, w, input := converttest.Model(t, config)
		folder := filepath.Join(dir, name)
		err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "model.pt"), write(t, net, w), 0o600),
			os.WriteFile(filepath.Join(folder, "input"), engine.AppendFloats(nil, input), 0o600),
			os.WriteFile(filepath.Join(folder, "shape"), fmt.Appendf(nil, "1 3 %d %d", net.Height, net.Width), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		argv = append(argv, folder)
	}
	out, err := exec.Command(interpreter, argv...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, config := range configs {
		worst, err := converttest.Worst(t, config, func(head, values int) ([]float32, error) {
			return engine.ReadFloats(filepath.Join(dir, name, fmt.Sprint(head)), values)
		})
		if err != nil || !(worst <= 1e-5) {
			t.Errorf("%s: differs by %.2g: %v", name, worst, err)
		}
		t.Logf("%s: differs by %.2g in torch %s", name, worst, strings.TrimSpace(string(out)))
	}
}
