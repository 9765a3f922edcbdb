package ncnn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/convert/internal/converttest"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/internal/nets"
	"github.com/deployctl/deployctl/verify/reference"
)

// everything is a network with every kind of layer and every activation.
func everything() string {
	return nets.Net(64, 32,
		nets.Conv(8, 3, 2, "leaky", "batch_normalize=1", "pad=1"),
		nets.Conv(8, 3, 1, "mish", "batch_normalize=1", "pad=1"),
		"[shortcut]\nfrom=-2\nactivation=leaky\n",
		nets.Conv(12, 3, 1, "swish", "batch_normalize=1", "pad=1", "groups=4"),
		"[maxpool]\nsize=2\nstride=2\n",
		"[maxpool]\nsize=2\nstride=1\n",
		"[maxpool]\nsize=5\nstride=1\n",
		nets.Conv(8, 1, 1, "relu"),
		"[upsample]\nstride=2\n",
		"[upsample]\nstride=1\nscale=0.5\n",
		"[route]\nlayers=-1,2\n",
		"[route]\nlayers=-1,3\ngroups=2\ngroup_id=0\n",
		nets.Conv(6, 1, 1, "logistic"),
		nets.Yolo("0", "10,10", 1, 1),
		"[route]\nlayers=6\ngroups=2\ngroup_id=1\n",
		"[route]\nlayers=-1\n",
		nets.Conv(7, 2, 1, "linear", "batch_normalize=1"),
		nets.Yolo("0", "10,10", 2, 1))
}

// blob is [C, H, W].
type blob struct {
	c, h, w int
	v       []float64
}

func (b blob) at(c, y, x int) float64 { return b.v[(c*b.h+y)*b.w+x] }

func newBlob(c, h, w int) blob { return blob{c, h, w, make([]float64, c*h*w)} }

// line is one layer of the text.
type line struct {
	kind, name string
	ins, outs  []string
	number     map[int]float64
	list       map[int][]float64
}

func parse(t *testing.T, text string) []line {
	t.Helper()
	rows := strings.Split(strings.TrimSpace(text), "\n")
	if rows[0] != "7767517" {
		t.Fatalf("begins %q", rows[0])
	}
	var out []line
	seen, blobs := map[string]bool{}, map[string]bool{}
	for _, row := range rows[2:] {
		f := strings.Fields(row)
		n, m := number(t, f[2]), number(t, f[3])
		l := line{kind: f[0], name: f[1], ins: f[4 : 4+n], outs: f[4+n : 4+n+m], number: map[int]float64{}, list: map[int][]float64{}}
		for _, p := range f[4+n+m:] {
			k, v, _ := strings.Cut(p, "=")
			id := number(t, k)
			values := []float64{}
			for s := range strings.SplitSeq(v, ",") {
				x, err := strconv.ParseFloat(s, 64)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, x)
			}
			if id <= -23300 {
				l.list[-23300-id] = values[1:]
			} else {
				l.number[id] = values[0]
			}
		}
		if seen[l.name] {
			t.Errorf("two layers are called %s", l.name)
		}
		seen[l.name] = true
		for _, in := range l.ins {
			// Each blob has one reader, and is there before it is read.
			if !blobs[in] {
				t.Errorf("%s reads %s, which is not there or was read already", l.name, in)
			}
			delete(blobs, in)
		}
		for _, o := range l.outs {
			blobs[o] = true
		}
		out = append(out, l)
	}
	total := 0
	for _, l := range out {
		total += len(l.outs)
	}
	if want := fmt.Sprintf("%d %d", len(out), total); rows[1] != want {
		t.Errorf("counts are %q, not %q", rows[1], want)
	}
	return out
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// run computes what ncnn's documentation says of each layer.
func run(t *testing.T, text string, bin []byte, input []float32) map[string]blob {
	t.Helper()
	blobs := map[string]blob{}
	next := func() float64 {
		v := math.Float32frombits(binary.LittleEndian.Uint32(bin))
		bin = bin[4:]
		return float64(v)
	}
	for _, l := range parse(t, text) {
		n := func(id int) int { return int(l.number[id]) }
		var in, out blob
		if len(l.ins) > 0 {
			in = blobs[l.ins[0]]
		}
		switch l.kind {
		case "Input":
			out = newBlob(n(2), n(1), n(0))
			for i := range out.v {
				out.v[i] = float64(input[i])
			}
		case "Split":
			for _, o := range l.outs {
				blobs[o] = in
			}
			continue
		case "Convolution", "ConvolutionDepthWise":
			if flag := next(); flag != 0 {
				t.Fatalf("the flag is %v", flag)
			}
			groups := max(1, n(7))
			per := in.c / groups
			if n(6) != n(0)*per*n(1)*n(11) {
				t.Errorf("%s has %d weights", l.name, n(6))
			}
			kernel, bias := make([]float64, n(6)), make([]float64, n(0))
			for i := range kernel {
				kernel[i] = next()
			}
			for i := range bias {
				bias[i] = next()
			}
			out = newBlob(n(0), (in.h+n(14)+n(16)-n(11))/n(13)+1, (in.w+n(4)+n(15)-n(1))/n(3)+1)
			for f := range out.c {
				for y := range out.h {
					for x := range out.w {
						sum := bias[f]
						for c := range per {
							for ky := range n(11) {
								for kx := range n(1) {
									yy, xx := y*n(13)+ky-n(14), x*n(3)+kx-n(4)
									if yy >= 0 && xx >= 0 && yy < in.h && xx < in.w {
										sum += kernel[((f*per+c)*n(11)+ky)*n(1)+kx] * in.at(f/(out.c/groups)*per+c, yy, xx)
									}
								}
							}
						}
						out.v[(f*out.h+y)*out.w+x] = activate([]string{"", "ReLU", "LeakyReLU", "", "Sigmoid", "Mish"}[n(9)], l.list[10], sum)
					}
				}
			}
		case "Pooling":
			out = newBlob(in.c, (in.h+n(13)+n(15)-n(11))/n(12)+1, (in.w+n(3)+n(14)-n(1))/n(2)+1)
			for c := range out.c {
				for y := range out.h {
					for x := range out.w {
						most := math.Inf(-1)
						for ky := range n(11) {
							for kx := range n(1) {
								yy, xx := y*n(12)+ky-n(13), x*n(2)+kx-n(3)
								if yy >= 0 && xx >= 0 && yy < in.h && xx < in.w {
									most = max(most, in.at(c, yy, xx))
								}
							}
						}
						out.v[(c*out.h+y)*out.w+x] = most
					}
				}
			}
		case "ReLU", "Sigmoid", "Mish", "Swish":
			out = newBlob(in.c, in.h, in.w)
			for i, v := range in.v {
				kind := l.kind
				if kind == "ReLU" {
					kind = "LeakyReLU"
				}
				out.v[i] = activate(kind, []float64{l.number[0]}, v)
			}
		case "BinaryOp":
			out = newBlob(in.c, in.h, in.w)
			for i, v := range in.v {
				switch {
				case n(0) == 0 && n(1) == 0:
					out.v[i] = v + blobs[l.ins[1]].v[i]
				case n(0) == 2 && n(1) == 1:
					out.v[i] = v * l.number[2]
				default:
					t.Fatalf("%s is another operation", l.name)
				}
			}
		case "Crop":
			out = blob{n(5), in.h, in.w, in.v[n(2)*in.h*in.w:][:n(5)*in.h*in.w]}
		case "Concat":
			out = blob{0, in.h, in.w, nil}
			for _, i := range l.ins {
				out.c += blobs[i].c
				out.v = append(out.v, blobs[i].v...)
			}
		case "Interp":
			s := n(1)
			out = newBlob(in.c, in.h*s, in.w*s)
			for c := range out.c {
				for y := range out.h {
					for x := range out.w {
						out.v[(c*out.h+y)*out.w+x] = in.at(c, y/s, x/s)
					}
				}
			}
		default:
			t.Fatalf("%s is a layer of the kind %s", l.name, l.kind)
		}
		blobs[l.outs[0]] = out
	}
	if len(bin) != 0 {
		t.Errorf("%d bytes are left over", len(bin))
	}
	return blobs
}

func activate(kind string, p []float64, v float64) float64 {
	sigmoid := 1 / (1 + math.Exp(-v))
	switch kind {
	case "ReLU":
		return max(v, 0)
	case "LeakyReLU":
		if v < 0 {
			return v * p[0]
		}
	case "Sigmoid":
		return sigmoid
	case "Swish":
		return v * sigmoid
	case "Mish":
		return v * math.Tanh(math.Log1p(math.Exp(v)))
	}
	return v
}

func files(t testing.TB, net *darknet.Network, w *darknet.Weights) (text string, bin []byte) {
	t.Helper()
	var a, b bytes.Buffer
	if err := WriteParam(&a, net); err != nil {
		t.Fatal(err)
	}
	if err := WriteBin(&b, net, w); err != nil {
		t.Fatal(err)
	}
	return a.String(), b.Bytes()
}

// worst is the largest relative L2 of any head from the reference's.
func worst(t *testing.T, net *darknet.Network, w *darknet.Weights, input []float32, got map[string]blob) float64 {
	t.Helper()
	e, err := reference.New(net, w, reference.Options{Float64: true})
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.Forward(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	most := 0.0
	for i, name := range Outputs(net) {
		b, ok := got[name]
		if !ok || len(b.v) != len(want[i].Data) {
			t.Fatalf("%s has %d values, not %d", name, len(b.v), len(want[i].Data))
		}
		diff, norm := 0.0, 0.0
		for k, v := range want[i].Data {
			diff += (float64(v) - b.v[k]) * (float64(v) - b.v[k])
			norm += float64(v) * float64(v)
		}
		most = max(most, math.Sqrt(diff/norm))
	}
	return most
}

// TestSameAsReference runs what was written by the layers' definitions, in double
// precision, and compares with the reference.
func TestSameAsReference(t *testing.T) {
	net, w, input := converttest.Model(t, everything())
	text, bin := files(t, net, w)
	if d := worst(t, net, w, input, run(t, text, bin, input)); d > 1e-6 {
		t.Errorf("differs by %g\n%s", d, text)
	}
}

// TestFaults: a mistake of the writer in one place changes what comes out. What the
// comparison above could not see is worth nothing.
func TestFaults(t *testing.T) {
	net, w, input := converttest.Model(t, everything())
	text, bin := files(t, net, w)
	replaced := func(old, new string) func(string, []byte) (string, []byte) {
		return func(s string, b []byte) (string, []byte) {
			if !strings.Contains(s, old) {
				t.Errorf("%q is not in the text", old)
			}
			return strings.Replace(s, old, new, 1), b
		}
	}
	for name, change := range map[string]func(string, []byte) (string, []byte){
		"slope":                     replaced("-23310=1,1.000000e-01", "-23310=1,2.000000e-01"),
		"mish is a sigmoid":         replaced("9=5", "9=4"),
		"no activation":             replaced(" 9=1", " 9=0"),
		"padding before, not after": replaced("3=0 13=0 14=1 15=1", "3=1 13=1 14=0 15=0"),
		"the other half":            replaced("2=6 3=-233 4=-233 5=6", "2=0 3=-233 4=-233 5=6"),
		"not scaled":                replaced("2=5.000000e-01", "2=1.000000e+00"),
		"slope of a layer":          replaced("0=1.000000e-01", "0=3.000000e-01"),
		"kernels exchanged": func(s string, b []byte) (string, []byte) {
			b = slices.Clone(b)
			for i := range 27 * 4 {
				b[4+i], b[4+27*4+i] = b[4+27*4+i], b[4+i]
			}
			return s, b
		},
		"weights shifted": func(s string, b []byte) (string, []byte) {
			b = slices.Clone(b)
			copy(b[4+4:4+8*27*4], bin[4:])
			return s, b
		},
		"half precision": func(s string, b []byte) (string, []byte) {
			b = slices.Clone(b)
			for i := 4; i < 4+8*27*4; i += 4 { // ten bits of fraction
				v := binary.LittleEndian.Uint32(b[i:])
				binary.LittleEndian.PutUint32(b[i:], (v+0x1000)&^0x1fff)
			}
			return s, b
		},
	} {
		text, bin := change(text, bin)
		if d := worst(t, net, w, input, run(t, text, bin, input)); d < 1e-5 {
			t.Errorf("%s: differs by %g only", name, d)
		}
	}
}

func TestRefused(t *testing.T) {
	net, w, _ := converttest.Model(t, everything())
	short := *w
	short.Data = w.Data[1:]
	if err := WriteBin(&bytes.Buffer{}, net, &short); err == nil || !strings.Contains(err.Error(), "weights") {
		t.Errorf("too few weights: %v", err)
	}
	plain, w, _ := converttest.Model(t, nets.Net(32, 32, nets.Conv(8, 3, 2, "leaky")))
	if err := WriteParam(&bytes.Buffer{}, plain); err == nil || !strings.Contains(err.Error(), "no yolo layer") {
		t.Errorf("no head: %v", err)
	}
	if err := WriteBin(&bytes.Buffer{}, plain, w); err == nil || !strings.Contains(err.Error(), "no yolo layer") {
		t.Errorf("no head: %v", err)
	}
}
