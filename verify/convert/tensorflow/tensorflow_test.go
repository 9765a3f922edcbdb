package tensorflow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/internal/nets"
)

func model(t *testing.T, config string) (*darknet.Network, *darknet.Weights) {
	t.Helper()
	net, err := darknet.ParseConfig(strings.NewReader(config), "net")
	if err != nil {
		t.Fatal(err)
	}
	w := darknet.NewWeights(net)
	for i := range w.Data {
		w.Data[i] = float32(i%1000+1) / 1000
	}
	return net, w
}

// node is a NodeDef, read back.
type node struct {
	name, op string
	inputs   []string
	attrs    map[string][]byte // AttrValue
}

// fields calls f for each field of a message.
func fields(t *testing.T, b []byte, f func(n protowire.Number, v uint64, content []byte)) {
	t.Helper()
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		b = b[size:]
		var v uint64
		var content []byte
		switch kind {
		case protowire.VarintType:
			v, size = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			content, size = protowire.ConsumeBytes(b)
		default:
			size = protowire.ConsumeFieldValue(n, kind, b)
		}
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		b = b[size:]
		f(n, v, content)
	}
}

func decode(t *testing.T, raw []byte) (nodes []node, version uint64) {
	t.Helper()
	fields(t, raw, func(n protowire.Number, _ uint64, content []byte) {
		if n == 4 {
			fields(t, content, func(_ protowire.Number, v uint64, _ []byte) { version = v })
			return
		}
		d := node{attrs: map[string][]byte{}}
		fields(t, content, func(n protowire.Number, _ uint64, content []byte) {
			switch n {
			case 1:
				d.name = string(content)
			case 2:
				d.op = string(content)
			case 3:
				d.inputs = append(d.inputs, string(content))
			case 5:
				key, value := "", []byte(nil)
				fields(t, content, func(n protowire.Number, _ uint64, content []byte) {
					if n == 1 {
						key = string(content)
					} else {
						value = content
					}
				})
				d.attrs[key] = value
			}
		})
		nodes = append(nodes, d)
	})
	return nodes, version
}

// tensor gives the shape and the bytes of a constant.
func (d node) tensor(t *testing.T) (dims []int, content []byte) {
	t.Helper()
	fields(t, d.attrs["value"], func(_ protowire.Number, _ uint64, tensor []byte) {
		fields(t, tensor, func(n protowire.Number, _ uint64, part []byte) {
			switch n {
			case 2:
				fields(t, part, func(_ protowire.Number, _ uint64, dim []byte) {
					fields(t, dim, func(_ protowire.Number, v uint64, _ []byte) { dims = append(dims, int(v)) })
				})
			case 4:
				content = part
			}
		})
	})
	return dims, content
}

// TestGraph: every node reads what was made before it, constants hold what their
// shapes say, and what is there is what the network needs. cmd/pipeline runs such
// graphs in TensorFlow where that is there.
func TestGraph(t *testing.T) {
	net, w := model(t, nets.Everything())
	var file, again bytes.Buffer
	if err := errors.Join(Write(&file, net, w), Write(&again, net, w)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Error("two files of the same network differ")
	}
	nodes, version := decode(t, file.Bytes())
	seen, ops := map[string]bool{}, map[string]int{}
	for _, d := range nodes {
		for _, in := range d.inputs {
			if !seen[in] {
				t.Errorf("%s reads %s, which is not there yet", d.name, in)
			}
		}
		if seen[d.name] {
			t.Errorf("%s is there twice", d.name)
		}
		seen[d.name] = true
		ops[d.op]++
		if d.op != "Const" {
			continue
		}
		dims, content := d.tensor(t)
		count := 4
		for _, n := range dims {
			count *= n
		}
		if len(content) != count {
			t.Errorf("%s of shape %v has %d bytes", d.name, dims, len(content))
		}
	}
	delete(ops, "Const")
	want := map[string]int{
		"Placeholder": 1, "Conv2D": 9, "BiasAdd": 6, "LeakyRelu": 2, "Relu": 1, "Sigmoid": 2, "Softplus": 1, "Tanh": 1, "Mul": 3, "AddV2": 1,
		"MaxPool": 3, "PadV2": 2, "ResizeNearestNeighbor": 2, "ConcatV2": 3, "Slice": 7, "Identity": 2,
	}
	for op, n := range want {
		if ops[op] != n {
			t.Errorf("%d nodes of %s, not %d", ops[op], op, n)
		}
		delete(ops, op)
	}
	if len(ops) > 0 || version != producer {
		t.Errorf("also %v; version %d", ops, version)
	}
	for _, name := range Outputs(net) {
		if !seen[name] {
			t.Errorf("there is no output %s", name)
		}
	}
}

// TestKernel: TensorFlow's order of a kernel, with batch normalization folded in.
func TestKernel(t *testing.T) {
	net, w := model(t, nets.Net(32, 32, nets.Conv(4, 3, 1, "linear", "batch_normalize=1", "pad=1"), nets.Conv(6, 1, 1, "linear"), nets.Yolo("0", "10,10", 1, 1)))
	var file bytes.Buffer
	if err := Write(&file, net, w); err != nil {
		t.Fatal(err)
	}
	nodes, _ := decode(t, file.Bytes())
	i := slices.IndexFunc(nodes, func(d node) bool { return d.name == "layer_0_conv_kernel" })
	if i < 0 {
		t.Fatal("there is no kernel")
	}
	dims, content := nodes[i].tensor(t)
	if !slices.Equal(dims, []int{3, 3, 3, 4}) {
		t.Errorf("the kernel has the shape %v", dims)
	}
	l := w.Layer(0)
	const row, column, channel, filter = 2, 0, 1, 3
	got := math.Float32frombits(binary.LittleEndian.Uint32(content[4*(((row*3+column)*3+channel)*4+filter):]))
	want := float64(l.Kernel[((filter*3+channel)*3+row)*3+column]) * float64(l.Scales[filter]) / math.Sqrt(float64(l.Variances[filter])+1e-6)
	if math.Abs(float64(got)-want) > 1e-6*math.Abs(want) {
		t.Errorf("%v, not %v", got, want)
	}
}

// TestRefused: what cannot be written is said.
func TestRefused(t *testing.T) {
	net, w := model(t, nets.Everything())
	short := *w
	short.Data = short.Data[:len(short.Data)-1]
	headless, own := model(t, nets.Net(32, 32, nets.Conv(4, 3, 1, "linear", "pad=1")))
	full := errors.New("full")
	for want, err := range map[string]error{
		"needs":         Write(&bytes.Buffer{}, net, &short),
		"no yolo layer": Write(&bytes.Buffer{}, headless, own),
		"full":          Write(failing{full}, net, w),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
