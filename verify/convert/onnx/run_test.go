package onnx

import (
	"encoding/binary"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// array is a tensor of the interpreter below.
type array struct {
	dims []int
	data []float64
}

type node struct {
	operator        string
	inputs, outputs []string
	ints            map[string][]int
	floats          map[string]float64
	words           map[string]string
}

// decoded is a model as a reader sees it.
type decoded struct {
	ir, opset       int
	nodes           []node
	values          map[string]array // initializers
	inputs, outputs []string
}

func decode(t *testing.T, file []byte) decoded {
	t.Helper()
	top := fields(t, file)
	m := decoded{ir: varint(t, top[1]), opset: varint(t, fields(t, top[8][0])[2]), values: map[string]array{}}
	g := fields(t, top[7][0])
	for _, raw := range g[1] {
		f := fields(t, raw)
		n := node{operator: string(f[4][0]), ints: map[string][]int{}, floats: map[string]float64{}, words: map[string]string{}}
		for _, in := range f[1] {
			n.inputs = append(n.inputs, string(in))
		}
		for _, out := range f[2] {
			n.outputs = append(n.outputs, string(out))
		}
		for _, raw := range f[5] {
			a := fields(t, raw)
			name := string(a[1][0])
			switch varint(t, a[20]) {
			case attributeFloat:
				bits, _ := protowire.ConsumeFixed32(a[2][0])
				n.floats[name] = float64(math.Float32frombits(bits))
			case attributeInt:
				n.ints[name] = []int{varint(t, a[3])}
			case attributeString:
				n.words[name] = string(a[4][0])
			case attributeInts:
				for _, v := range a[8] {
					n.ints[name] = append(n.ints[name], varint(t, [][]byte{v}))
				}
			}
		}
		m.nodes = append(m.nodes, n)
	}
	for _, raw := range g[5] {
		f := fields(t, raw)
		var a array
		count := 1
		for _, d := range f[1] {
			a.dims = append(a.dims, varint(t, [][]byte{d}))
			count *= a.dims[len(a.dims)-1]
		}
		for b := f[9][0]; len(b) > 0; {
			if varint(t, f[2]) == typeInt64 {
				a.data = append(a.data, float64(int64(binary.LittleEndian.Uint64(b))))
				b = b[8:]
			} else {
				a.data = append(a.data, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
				b = b[4:]
			}
		}
		if len(a.data) != count {
			t.Fatalf("%s has %d values and the shape %v", f[8][0], len(a.data), a.dims)
		}
		m.values[string(f[8][0])] = a
	}
	for _, v := range g[11] {
		m.inputs = append(m.inputs, string(fields(t, v)[1][0]))
	}
	for _, v := range g[12] {
		m.outputs = append(m.outputs, string(fields(t, v)[1][0]))
	}
	return m
}

// run computes the nodes in their order, each as docs/Operators.md of ONNX defines
// it for opset 11.
func (m decoded) run(t *testing.T, input []float32, height, width int) map[string]array {
	t.Helper()
	values := map[string]array{}
	for name, v := range m.values {
		values[name] = v
	}
	first := array{dims: []int{1, len(input) / height / width, height, width}}
	for _, v := range input {
		first.data = append(first.data, float64(v))
	}
	values[m.inputs[0]] = first
	for _, n := range m.nodes {
		var in []array
		for _, name := range n.inputs {
			v, ok := values[name]
			if !ok {
				t.Fatalf("%s reads %s before it is written", n.operator, name)
			}
			in = append(in, v)
		}
		values[n.outputs[0]] = n.compute(t, in)
	}
	return values
}

func (a array) each(f func(x float64) float64) array {
	out := array{dims: a.dims}
	for _, x := range a.data {
		out.data = append(out.data, f(x))
	}
	return out
}

// zip combines two arrays of one shape, or an array and a number.
func (a array) zip(b array, f func(x, y float64) float64) array {
	i := -1
	return a.each(func(x float64) float64 {
		i++
		return f(x, b.data[i%len(b.data)])
	})
}

func (n node) compute(t *testing.T, in []array) array {
	t.Helper()
	x := in[0]
	switch n.operator {
	case "Identity":
		return x
	case "LeakyRelu":
		return x.each(func(v float64) float64 {
			if v < 0 {
				return v * n.floats["alpha"]
			}
			return v
		})
	case "Relu":
		return x.each(func(v float64) float64 { return math.Max(v, 0) })
	case "Sigmoid":
		return x.each(func(v float64) float64 { return 1 / (1 + math.Exp(-v)) })
	case "Softplus":
		return x.each(func(v float64) float64 { return math.Log1p(math.Exp(v)) })
	case "Tanh":
		return x.each(math.Tanh)
	case "Mul":
		return x.zip(in[1], func(a, b float64) float64 { return a * b })
	case "Add":
		return x.zip(in[1], func(a, b float64) float64 { return a + b })
	case "Conv":
		return n.window(x, in[1].dims[0], func(read func(c, ky, kx int) float64, filter int) float64 {
			w := in[1]
			sum := in[2].data[filter]
			per, kernel := w.dims[1], w.dims[2]
			group := filter / (w.dims[0] / n.ints["group"][0])
			for c := range per {
				for ky := range kernel {
					for kx := range kernel {
						if v := read(group*per+c, ky, kx); !math.IsNaN(v) {
							sum += v * w.data[((filter*per+c)*kernel+ky)*kernel+kx]
						}
					}
				}
			}
			return sum
		})
	case "MaxPool":
		return n.window(x, x.dims[1], func(read func(c, ky, kx int) float64, c int) float64 {
			most := math.Inf(-1)
			for ky := range n.ints["kernel_shape"][0] {
				for kx := range n.ints["kernel_shape"][1] {
					if v := read(c, ky, kx); v > most {
						most = v
					}
				}
			}
			return most
		})
	}
	return n.rearrange(t, in)
}

// rearrange computes the operators that only move values.
func (n node) rearrange(t *testing.T, in []array) array {
	t.Helper()
	x := in[0]
	switch n.operator {
	case "Concat": // of one image along the channels
		out := array{dims: []int{1, 0, x.dims[2], x.dims[3]}}
		for _, a := range in {
			out.dims[1] += a.dims[1]
			out.data = append(out.data, a.data...)
		}
		if n.ints["axis"][0] != 1 {
			t.Fatalf("joins along %v", n.ints["axis"])
		}
		return out
	case "Slice":
		from, to, plane := int(in[1].data[0]), int(in[2].data[0]), x.dims[2]*x.dims[3]
		if in[3].data[0] != 1 {
			t.Fatalf("slices along %v", in[3].data)
		}
		return array{dims: []int{1, to - from, x.dims[2], x.dims[3]}, data: x.data[from*plane : to*plane]}
	case "Resize":
		if n.words["mode"] != "nearest" || n.words["coordinate_transformation_mode"] != "asymmetric" || n.words["nearest_mode"] != "floor" || len(in[1].data) != 0 {
			t.Fatalf("resizes with %v", n.words)
		}
		sy, sx := in[2].data[2], in[2].data[3]
		out := array{dims: []int{1, x.dims[1], int(float64(x.dims[2]) * sy), int(float64(x.dims[3]) * sx)}}
		for c := range out.dims[1] {
			for y := range out.dims[2] {
				for at := range out.dims[3] {
					out.data = append(out.data, x.data[(c*x.dims[2]+int(math.Floor(float64(y)/sy)))*x.dims[3]+int(math.Floor(float64(at)/sx))])
				}
			}
		}
		return out
	}
	t.Fatalf("there is no operator %s", n.operator)
	return array{}
}

// window moves a kernel over an image. read gives NaN outside of it.
func (n node) window(x array, channels int, f func(read func(c, ky, kx int) float64, c int) float64) array {
	k, s, p := n.ints["kernel_shape"], n.ints["strides"], n.ints["pads"]
	size := func(i int) int { return (x.dims[2+i]+p[i]+p[2+i]-k[i])/s[i] + 1 }
	out := array{dims: []int{1, channels, size(0), size(1)}}
	for c := range channels {
		for y := range out.dims[2] {
			for at := range out.dims[3] {
				out.data = append(out.data, f(func(c, ky, kx int) float64 {
					row, column := y*s[0]+ky-p[0], at*s[1]+kx-p[1]
					if row < 0 || row >= x.dims[2] || column < 0 || column >= x.dims[3] {
						return math.NaN()
					}
					return x.data[(c*x.dims[2]+row)*x.dims[3]+column]
				}, c))
			}
		}
	}
	return out
}
