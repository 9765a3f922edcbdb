// Package tensorflow writes a Darknet network as a frozen TensorFlow graph
// (GraphDef), for TensorFlow's C API. Its tensors are channels-last: TensorFlow's
// convolutions on processors know no other order. It owns the operators that stand
// for Darknet's layers and the bytes of the file; it must never run a model.
//
// The operators are those of tensorflow/core/ops (nn_ops.cc, array_ops.cc,
// math_ops.cc, image_ops.cc) of github.com/tensorflow/tensorflow.
package tensorflow

import (
	"fmt"
	"io"
	"math"

	"github.com/deployctl/deployctl/verify/convert/internal/layers"
	"github.com/deployctl/deployctl/verify/darknet"
)

// Input is the name of the graph's input: float32, [1, height, width, channels].
const Input = "input"

// Outputs are the names of the operations that the yolo layers read, in the order of
// net.Heads(). Each gives float32, [1, height, width, channels].
func Outputs(net *darknet.Network) []string { return layers.Outputs(net) }

// Write writes the graph: everything that the heads depend on, with batch
// normalization folded into the convolutions.
func Write(w io.Writer, net *darknet.Network, weights *darknet.Weights) error {
	if err := layers.Check("TensorFlow", net, weights); err != nil {
		return err
	}
	g := graph{net: net, names: map[int]string{-1: Input}}
	g.node(Input, "Placeholder", nil, typed("dtype", typeFloat), shaped("shape", 1, net.Height, net.Width, net.Channels))
	used := layers.Needed(net)
	for i := range net.Layers {
		if used[i] {
			g.layer(&net.Layers[i], weights.Layer(i))
		}
	}
	return g.write(w)
}

// graph collects nodes.
type graph struct {
	net   *darknet.Network
	nodes []part
	// names are the operations that give the layers' outputs.
	names map[int]string
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
		g.maxpool(l, ins[0], out)
	case darknet.Shortcut:
		g.activated(l.Shortcut.Activation, out, func(to string) {
			sum := ins[0]
			for k, in := range ins[1:] {
				next := to
				if k < len(ins)-2 {
					next = fmt.Sprintf("%s_sum%d", out, k)
				}
				g.float(next, "AddV2", sum, in)
				sum = next
			}
			if len(ins) == 1 {
				g.float(to, "Identity", sum)
			}
		})
	case darknet.Route:
		g.route(l, ins, out)
	case darknet.Upsample:
		g.upsample(l, ins[0], out)
	case darknet.Yolo: // a layer may read on from it
		g.float(out, "Identity", ins[0])
	}
}

// convolution makes a convolution of each group: TensorFlow's on processors knows none.
func (g *graph) convolution(l *darknet.Layer, w darknet.LayerWeights, in, out string) {
	c := l.Conv
	kernel, biases := layers.Fold(c, w)
	filters, channels := c.Filters/c.Groups, l.In.C/c.Groups
	bias := g.floats(out+"_bias", []int{c.Filters}, c.Filters, func(i int) float32 { return biases[i] })
	g.activated(c.Activation, out, func(to string) {
		sum, parts := out+"_conv", []string{}
		for k := range c.Groups {
			part, name := in, sum
			if c.Groups > 1 {
				part, name = g.slice(fmt.Sprintf("%s_in%d", out, k), in, k*channels, channels), fmt.Sprintf("%s%d", sum, k)
			}
			// Darknet's order is [filter][channel][row][column], TensorFlow's [row][column][channel][filter].
			area := c.Size * c.Size
			weights := g.floats(name+"_kernel", []int{c.Size, c.Size, channels, filters}, area*channels*filters, func(i int) float32 {
				filter, channel, at := i%filters, i/filters%channels, i/filters/channels
				return kernel(((k*filters+filter)*channels+channel)*area + at)
			})
			g.node(name, "Conv2D", []string{part, weights}, append(padding(c.Size, c.Stride, c.Pad), typed("T", typeFloat), numbers("strides", 1, c.Stride, c.Stride, 1))...)
			parts = append(parts, name)
		}
		if c.Groups > 1 {
			g.concat(sum, parts)
		}
		g.float(to, "BiasAdd", sum, bias)
	})
}

// padding are a convolution's attributes for p rows and columns of zeros on each side.
// SAME is a form that all releases and their fast paths know: with stride 1 it is the
// same as size/2, with a larger one it is not.
func padding(size, stride, p int) [][]byte {
	switch {
	case p == 0:
		return [][]byte{word("padding", "VALID")}
	case stride == 1 && size == 2*p+1:
		return [][]byte{word("padding", "SAME")}
	}
	return [][]byte{word("padding", "EXPLICIT"), numbers("explicit_paddings", 0, 0, p, p, p, p, 0, 0)}
}

// maxpool surrounds the input with the lowest number where a window reaches beyond it.
func (g *graph) maxpool(l *darknet.Layer, in, out string) {
	p := l.Pool
	before := p.Padding / 2
	after := func(size, outs int) int { return max((outs-1)*p.Stride+p.Size-before-size, 0) }
	below, right := after(l.In.H, l.Out.H), after(l.In.W, l.Out.W)
	if before+below+right > 0 {
		around := g.integers(out+"_around", []int{4, 2}, 0, 0, before, below, before, right, 0, 0)
		lowest := g.floats(out+"_lowest", nil, 1, func(int) float32 { return -math.MaxFloat32 })
		g.node(out+"_padded", "PadV2", []string{in, around, lowest}, typed("T", typeFloat), typed("Tpaddings", typeInt32))
		in = out + "_padded"
	}
	g.node(out, "MaxPool", []string{in}, typed("T", typeFloat), numbers("ksize", 1, p.Size, p.Size, 1), numbers("strides", 1, p.Stride, p.Stride, 1), word("padding", "VALID"))
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
		g.node(out, "LeakyRelu", []string{raw}, typed("T", typeFloat), decimal("alpha", 0.1))
	case darknet.Relu:
		g.float(out, "Relu", raw)
	case darknet.Logistic:
		g.float(out, "Sigmoid", raw)
	case darknet.Swish:
		g.float(out+"_sigmoid", "Sigmoid", raw)
		g.float(out, "Mul", raw, out+"_sigmoid")
	case darknet.Mish:
		g.float(out+"_softplus", "Softplus", raw)
		g.float(out+"_tanh", "Tanh", out+"_softplus")
		g.float(out, "Mul", raw, out+"_tanh")
	}
}

// route joins along the channels; with groups it takes a slice of each input.
func (g *graph) route(l *darknet.Layer, ins []string, out string) {
	if l.Route.Groups > 1 {
		for k, j := range l.Inputs {
			from, to := layers.Part(g.net, l.Route, j)
			ins[k] = g.slice(fmt.Sprintf("%s_part%d", out, k), ins[k], from, to-from)
		}
	}
	if len(ins) == 1 {
		g.float(out, "Identity", ins[0])
		return
	}
	g.concat(out, ins)
}

// slice takes count channels of a tensor, from one on.
func (g *graph) slice(name, in string, from, count int) string {
	begin := g.integers(name+"_begin", []int{4}, 0, 0, 0, from)
	size := g.integers(name+"_size", []int{4}, -1, -1, -1, count) // -1: all
	g.node(name, "Slice", []string{in, begin, size}, typed("T", typeFloat), typed("Index", typeInt32))
	return name
}

// concat joins tensors along their channels.
func (g *graph) concat(name string, ins []string) {
	axis := g.integers(name+"_axis", nil, 3)
	g.node(name, "ConcatV2", append(append([]string{}, ins...), axis), typed("T", typeFloat), typed("Tidx", typeInt32), number("N", len(ins)))
}

func (g *graph) upsample(l *darknet.Layer, in, out string) {
	to := out
	if l.Upsample.Scale != 1 {
		to = out + "_raw"
	}
	size := g.integers(out+"_size", []int{2}, l.Out.H, l.Out.W)
	g.node(to, "ResizeNearestNeighbor", []string{in, size}, typed("T", typeFloat))
	if to != out {
		g.float(out, "Mul", to, g.floats(out+"_factor", nil, 1, func(int) float32 { return float32(l.Upsample.Scale) }))
	}
}
