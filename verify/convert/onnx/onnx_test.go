package onnx

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/deployctl/deployctl/verify/convert/internal/converttest"
	"github.com/deployctl/deployctl/verify/internal/nets"
	"github.com/deployctl/deployctl/verify/reference"
)

// TestSameAsReference runs what was written by the operators' definitions, in
// double precision, and compares with the reference.
func TestSameAsReference(t *testing.T) {
	net, w, input := converttest.Model(t, nets.Everything())
	var file bytes.Buffer
	if err := Write(&file, net, w, Oldest); err != nil {
		t.Fatal(err)
	}
	m := decode(t, file.Bytes())
	if m.ir != int(irVersion(Oldest)) || m.opset != Oldest || !slices.Equal(m.outputs, Outputs(net)) {
		t.Errorf("IR %d, opset %d, outputs %q", m.ir, m.opset, m.outputs)
	}
	got := m.run(t, input, net.Height, net.Width)
	e, err := reference.New(net, w, reference.Options{Float64: true})
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.Forward(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range want {
		v := got[m.outputs[i]]
		if !slices.Equal(v.dims, []int{1, h.Shape.C, h.Shape.H, h.Shape.W}) {
			t.Errorf("head %d has the shape %v, not %v", i, v.dims, h.Shape)
			continue
		}
		diff, norm := 0.0, 0.0
		for k, x := range h.Data {
			diff += (v.data[k] - float64(x)) * (v.data[k] - float64(x))
			norm += float64(x) * float64(x)
		}
		if rel := math.Sqrt(diff / norm); !(rel < 1e-6) {
			t.Errorf("head %d differs by %.2g", i, rel)
		}
	}
	// For a look with other tools: onnx.checker, Netron.
	if dir := os.Getenv("DEPLOYCTL_TEST_ONNX_DIR"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "everything.onnx"), file.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOnlyWhatIsNeeded: layers that no head depends on are not written.
func TestOnlyWhatIsNeeded(t *testing.T) {
	net, w, _ := converttest.Model(t, nets.Net(32, 32,
		nets.Conv(4, 3, 1, "mish", "pad=1"), "[route]\nlayers=-1\n", nets.Conv(6, 3, 1, "linear", "pad=1"), nets.Yolo("0", "10,10", 1, 1),
		nets.Conv(4, 3, 1, "mish", "pad=1"), "[route]\nlayers=0\n", nets.Conv(4, 3, 1, "mish", "pad=1")))
	var file bytes.Buffer
	if err := Write(&file, net, w, Oldest); err != nil {
		t.Fatal(err)
	}
	m := decode(t, file.Bytes())
	var operators []string
	for _, n := range m.nodes {
		operators = append(operators, n.operator)
	}
	if !slices.Equal(operators, []string{"Conv", "Softplus", "Tanh", "Mul", "Identity", "Conv"}) || !slices.Equal(m.outputs, []string{"layer_2"}) {
		t.Errorf("nodes %q, outputs %q", operators, m.outputs)
	}
}

func TestErrors(t *testing.T) {
	net, w, _ := converttest.Model(t, nets.Everything())
	w.Data = w.Data[1:]
	if err := Write(&bytes.Buffer{}, net, w, Oldest); err == nil || !strings.Contains(err.Error(), "weights") {
		t.Errorf("weights of another network: %v", err)
	}
	none, w, _ := converttest.Model(t, nets.Net(32, 32, nets.Conv(6, 3, 1, "linear")))
	for _, opset := range []int{Oldest - 1, Newest + 1} {
		if err := Write(&bytes.Buffer{}, net, w, opset); err == nil || !strings.Contains(err.Error(), "11 to 23") {
			t.Errorf("opset %d: %v", opset, err)
		}
	}
	if err := Write(&bytes.Buffer{}, none, w, Oldest); err == nil || !strings.Contains(err.Error(), "no yolo layer") {
		t.Errorf("no head: %v", err)
	}
	net, w, _ = converttest.Model(t, nets.Everything())
	full := errors.New("disk full")
	if err := Write(failing{full}, net, w, Oldest); !errors.Is(err, full) {
		t.Errorf("full disk: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// fields are those of a message by number.
func fields(t *testing.T, b []byte) map[protowire.Number][][]byte {
	t.Helper()
	list := map[protowire.Number][][]byte{}
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		b = b[size:]
		size = protowire.ConsumeFieldValue(n, kind, b)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		content := b[:size]
		if kind == protowire.BytesType {
			content, _ = protowire.ConsumeBytes(content)
		}
		list[n] = append(list[n], content)
		b = b[size:]
	}
	return list
}

func varint(t *testing.T, list [][]byte) int {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("%d values", len(list))
	}
	v, size := protowire.ConsumeVarint(list[0])
	if size < 0 {
		t.Fatal(protowire.ParseError(size))
	}
	return int(v)
}
