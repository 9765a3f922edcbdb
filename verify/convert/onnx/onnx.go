// Package onnx writes a Darknet network as an ONNX model, for every engine that
// cannot read Darknet's own files. It owns the operators that stand for Darknet's
// layers and the bytes of the file; it must never run a model, and it shares no
// arithmetic with the reference that engines are judged by.
//
// The forms follow onnx/onnx.proto and docs/Operators.md of github.com/onnx/onnx.
package onnx

import (
	"bufio"
	"fmt"
	"io"
	"math"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/convert/internal/layers"
	"github.com/deployctl/deployctl/verify/darknet"
)

// The operator sets that can be written. The first, of ONNX 1.6 in 2019, is what
// ONNX Runtime reads from 1.1 on and OpenCV from 4.2 on, and what reads newer ones
// reads it (docs/Versioning.md). The operators used here have the same form in all.
const (
	Oldest = 11
	Newest = 23
)

// irVersion is the version of the file's form that came with an operator set
// (docs/Versioning.md).
func irVersion(opset int) uint64 {
	switch {
	case opset <= 11:
		return 6
	case opset <= 14:
		return 7
	case opset <= 18:
		return 8
	case opset <= 20:
		return 9
	case opset <= 22:
		return 10
	}
	return 11
}

// Input is the name of the model's input: float32, [1, channels, height, width].
const Input = "input"

// maxModel is the largest message that protobuf's readers accept.
const maxModel = math.MaxInt32

// Outputs are the names of the model's outputs: the tensor that each yolo layer
// reads, in the order of net.Heads().
func Outputs(net *darknet.Network) []string { return layers.Outputs(net) }

// Write writes the model for an operator set, from Oldest to Newest: everything that
// the heads depend on, with batch normalization folded into the convolutions.
func Write(w io.Writer, net *darknet.Network, weights *darknet.Weights, opset int) error {
	if opset < Oldest || opset > Newest {
		return lang.Errorf("convert %s to ONNX: operator set %d is not supported. Use %d to %d", net.Name, opset, Oldest, Newest)
	}
	if err := layers.Check("ONNX", net, weights); err != nil {
		return err
	}
	g := graph{net: net, opset: opset, names: map[int]string{-1: Input}}
	used := layers.Needed(net)
	for i := range net.Layers {
		if used[i] {
			g.layer(&net.Layers[i], weights.Layer(i))
		}
	}
	return g.write(w)
}

// graph collects nodes and the constant tensors that they read.
type graph struct {
	net    *darknet.Network
	opset  int
	nodes  []byte // GraphProto.node, encoded
	params []param
	// names are the tensors that hold the layers' outputs.
	names map[int]string
	count int // of nodes, for their names
}

// param is a constant tensor whose values are written when the file is.
type param struct {
	head  []byte // TensorProto up to the length of its raw data
	size  int    // of the raw data in bytes
	write func(w *bufio.Writer) error
}

// layer appends the nodes of one layer.
func (g *graph) layer(l *darknet.Layer, w darknet.LayerWeights) {
	out := layers.Name(l.Index)
	ins := make([]string, len(l.Inputs))
	for k, j := range l.Inputs {
		ins[k] = g.names[j]
	}
	g.names[l.Index] = out
	switch l.Kind {
	case darknet.Convolutional:
		g.convolution(l, w, ins[0], out)
	case darknet.Maxpool:
		p := l.Pool
		before := int64(p.Padding / 2)
		after := int64(p.Padding) - before
		g.node("MaxPool", []string{ins[0]}, out, ints("kernel_shape", p.Size, p.Size), ints("strides", p.Stride, p.Stride),
			ints("pads", before, before, after, after))
	case darknet.Shortcut:
		g.activated(l.Shortcut.Activation, out, func(to string) {
			sum := ins[0]
			for k, in := range ins[1:] {
				next := to
				if k < len(ins)-2 {
					next = fmt.Sprintf("%s_sum%d", out, k)
				}
				g.node("Add", []string{sum, in}, next)
				sum = next
			}
			if len(ins) == 1 {
				g.node("Identity", ins, to)
			}
		})
	case darknet.Route:
		g.route(l, ins, out)
	case darknet.Upsample:
		g.upsample(l, ins[0], out)
	case darknet.Yolo: // a layer may read on from it
		g.node("Identity", ins[:1], out)
	}
}

// convolution has its batch normalization folded in.
func (g *graph) convolution(l *darknet.Layer, w darknet.LayerWeights, in, out string) {
	c := l.Conv
	at, biases := layers.Fold(c, w)
	kernel := g.floats(out+"_weight", []int64{int64(c.Filters), int64(l.In.C / c.Groups), int64(c.Size), int64(c.Size)}, len(w.Kernel), at)
	bias := g.floats(out+"_bias", []int64{int64(c.Filters)}, c.Filters, func(i int) float32 { return biases[i] })
	g.activated(c.Activation, out, func(to string) {
		g.node("Conv", []string{in, kernel, bias}, to, ints("kernel_shape", c.Size, c.Size), ints("strides", c.Stride, c.Stride),
			ints("pads", c.Pad, c.Pad, c.Pad, c.Pad), integer("group", c.Groups))
	})
}

// activated appends what make makes and an activation of that.
func (g *graph) activated(a darknet.Activation, out string, make func(to string)) {
	raw := out + "_raw"
	if a == darknet.Linear {
		raw = out
	}
	make(raw)
	switch a {
	case darknet.Leaky:
		g.node("LeakyRelu", []string{raw}, out, decimal("alpha", 0.1))
	case darknet.Relu:
		g.node("Relu", []string{raw}, out)
	case darknet.Logistic:
		g.node("Sigmoid", []string{raw}, out)
	case darknet.Swish:
		g.node("Sigmoid", []string{raw}, out+"_sigmoid")
		g.node("Mul", []string{raw, out + "_sigmoid"}, out)
	case darknet.Mish: // an operator of its own only since opset 18
		g.node("Softplus", []string{raw}, out+"_softplus")
		g.node("Tanh", []string{out + "_softplus"}, out+"_tanh")
		g.node("Mul", []string{raw, out + "_tanh"}, out)
	}
}

// route joins along the channels; with groups it takes a slice of each input.
func (g *graph) route(l *darknet.Layer, ins []string, out string) {
	r := l.Route
	if r.Groups > 1 {
		for k, j := range l.Inputs {
			from, to := layers.Part(g.net, r, j)
			name := fmt.Sprintf("%s_part%d", out, k)
			if len(ins) == 1 {
				name = out
			}
			g.node("Slice", []string{
				ins[k], g.int64s(fmt.Sprintf("%s_from%d", out, k), int64(from)),
				g.int64s(fmt.Sprintf("%s_to%d", out, k), int64(to)), g.int64s(fmt.Sprintf("%s_axis%d", out, k), 1),
			}, name)
			ins[k] = name
		}
		if len(ins) == 1 {
			return
		}
	}
	if len(ins) == 1 {
		g.node("Identity", ins, out)
		return
	}
	g.node("Concat", ins, out, integer("axis", 1))
}

func (g *graph) upsample(l *darknet.Layer, in, out string) {
	to := out
	if l.Upsample.Scale != 1 {
		to = out + "_raw"
	}
	size := []float32{1, 1, float32(l.Upsample.Stride), float32(l.Upsample.Stride)}
	none := g.floats(out+"_roi", []int64{0}, 0, nil) // only for cropping, but not optional before opset 13
	scales := g.floats(out+"_scales", []int64{4}, 4, func(i int) float32 { return size[i] })
	g.node("Resize", []string{in, none, scales}, to, word("mode", "nearest"),
		word("coordinate_transformation_mode", "asymmetric"), word("nearest_mode", "floor"))
	if to != out {
		factor := g.floats(out+"_factor", nil, 1, func(int) float32 { return float32(l.Upsample.Scale) })
		g.node("Mul", []string{to, factor}, out)
	}
}
