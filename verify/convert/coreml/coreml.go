// Package coreml writes a Darknet network as a Core ML model: a neural network of the
// first version of the specification, which iOS 11, macOS 10.13 and everything newer
// read. It owns the layers that stand for Darknet's and the bytes of the file; it must
// never run a model.
//
// The forms follow Apple's own specification (github.com/apple/coremltools,
// mlmodel/format: Model.proto, FeatureTypes.proto, NeuralNetwork.proto).
package coreml

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/convert/internal/layers"
	"github.com/deployctl/deployctl/verify/darknet"
)

// File is the file's name.
const File = "model.mlmodel"

// Input is the name of the model's input: a MultiArray of float32, [channels, height,
// width].
const Input = "input"

// Elsewhere is where the model runs, and how to try it there.
const Elsewhere = "Core ML runs on Apple's systems only. To compile the model on a Mac with Xcode: xcrun coremlcompiler compile FILE ."

// Numbers of the specification.
const (
	specification = 1     // Model.specificationVersion
	float32Array  = 65568 // ArrayFeatureType.ArrayDataType.FLOAT32

	convolution = 100 // NeuralNetworkLayer's oneof
	pooling     = 120
	activation  = 130
	upsample    = 210
	add         = 230
	multiply    = 231
	concat      = 320
	slice       = 350

	linear    = 5 // ActivationParams' oneof
	relu      = 10
	leakyReLU = 15
	tanh      = 30
	sigmoid   = 40
	softplus  = 70
)

// Outputs are the names of the model's outputs: the tensor that each yolo layer
// reads, in the order of net.Heads().
func Outputs(net *darknet.Network) []string { return layers.Outputs(net) }

// Write writes the model: everything that the heads depend on, with batch
// normalization folded into the convolutions.
func Write(w io.Writer, net *darknet.Network, weights *darknet.Weights) error {
	if err := layers.Check("Core ML", net, weights); err != nil {
		return err
	}
	g := graph{net: net, names: map[int]string{-1: Input}}
	for i, needed := range layers.Needed(net) {
		if needed {
			g.layer(&net.Layers[i], weights.Layer(i))
		}
	}
	return g.write(w)
}

// part is a run of bytes of the file. The weights, which are nearly all of it, are made
// when they are written.
type part struct {
	head  []byte
	size  int // of what write writes
	write func(w *bufio.Writer) error
}

// message is a protobuf message in parts.
type message []part

func (m message) size() int {
	n := 0
	for _, p := range m {
		n += len(p.head) + p.size
	}
	return n
}

// raw is a message that is known as bytes.
func raw(b []byte) message { return message{{head: b}} }

// field is a message as field n of another.
func field(n protowire.Number, m message) message {
	head := protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.BytesType), uint64(m.size()))
	return slices.Concat(raw(head), m)
}

func number(b []byte, n protowire.Number, v int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
}

func decimal(b []byte, n protowire.Number, v float32) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(b, n, protowire.Fixed32Type), math.Float32bits(v))
}

func text(b []byte, n protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

// packed are repeated numbers.
func packed(b []byte, n protowire.Number, numbers ...int) []byte {
	var list []byte
	for _, v := range numbers {
		list = protowire.AppendVarint(list, uint64(v))
	}
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), list)
}

// floats is a WeightParams: floatValue 1, packed.
func floats(n int, value func(i int) float32) message {
	head := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), uint64(4*n))
	return message{{head: head}, {size: 4 * n, write: func(w *bufio.Writer) error {
		for i := range n {
			if _, err := w.Write(binary.LittleEndian.AppendUint32(w.AvailableBuffer(), math.Float32bits(value(i)))); err != nil {
				return err
			}
		}
		return nil
	}}}
}

// padded is a ValidPadding: paddingAmounts 1, of which each of borderAmounts 10, height
// and width, has startEdgeSize 1 and endEdgeSize 2.
func padded(before, after int) message {
	edges := number(number(nil, 1, before), 2, after)
	both := slices.Concat(field(10, raw(edges)), field(10, raw(edges)))
	return field(1, both)
}

// graph collects the layers.
type graph struct {
	net  *darknet.Network
	list message
	// names are the tensors that hold the Darknet layers' outputs.
	names map[int]string
}

// add appends a NeuralNetworkLayer: name 1, input 2, output 3, and what kind it is.
func (g *graph) add(kind protowire.Number, parameters message, output string, inputs ...string) {
	b := text(nil, 1, output)
	for _, in := range inputs {
		b = text(b, 2, in)
	}
	b = text(b, 3, output)
	g.list = append(g.list, field(1, append(raw(b), field(kind, parameters)...))...)
}

// layer appends the layers for one of Darknet's.
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
	case darknet.Maxpool: // PoolingLayerParams: type 1 (maximum: 0), kernelSize 10, stride 20, valid 30
		p := l.Pool
		before := p.Padding / 2
		sizes := packed(packed(nil, 10, p.Size, p.Size), 20, p.Stride, p.Stride)
		g.add(pooling, append(raw(sizes), field(30, padded(before, p.Padding-before))...), out, ins[0])
	case darknet.Shortcut:
		g.activated(l.Shortcut.Activation, out, func(to string) {
			if len(ins) == 1 {
				g.same(ins[0], to)
				return
			}
			g.add(add, nil, to, ins...)
		})
	case darknet.Route:
		g.route(l, ins, out)
	case darknet.Upsample: // UpsampleLayerParams: scalingFactor 1, mode 5 (nearest neighbor: 0)
		to := out
		if l.Upsample.Scale != 1 {
			to = out + "_raw"
		}
		g.add(upsample, raw(packed(nil, 1, l.Upsample.Stride, l.Upsample.Stride)), to, ins[0])
		if to != out {
			g.activation(linear, decimal(nil, 1, float32(l.Upsample.Scale)), to, out)
		}
	case darknet.Yolo: // a layer may read on from it
		g.same(ins[0], out)
	}
}

// convolution has its batch normalization folded in. ConvolutionLayerParams:
// outputChannels 1, kernelChannels 2, nGroups 10, kernelSize 20, stride 30, valid 50,
// hasBias 70, weights 90, bias 91.
func (g *graph) convolution(l *darknet.Layer, w darknet.LayerWeights, in, out string) {
	c := l.Conv
	kernel, biases := layers.Fold(c, w)
	b := number(number(number(nil, 1, c.Filters), 2, l.In.C/c.Groups), 10, c.Groups)
	b = packed(packed(b, 20, c.Size, c.Size), 30, c.Stride, c.Stride)
	m := slices.Concat(raw(b), field(50, padded(c.Pad, c.Pad)), raw(number(nil, 70, 1)),
		field(90, floats(len(w.Kernel), kernel)), field(91, floats(c.Filters, func(i int) float32 { return biases[i] })))
	g.activated(c.Activation, out, func(to string) { g.add(convolution, m, to, in) })
}

// activation appends an ActivationParams of a kind.
func (g *graph) activation(kind protowire.Number, parameters []byte, in, out string) {
	g.add(activation, field(kind, raw(parameters)), out, in)
}

// same gives a tensor a second name: x times 1.
func (g *graph) same(in, out string) { g.activation(linear, decimal(nil, 1, 1), in, out) }

// activated appends what make makes and an activation of that.
func (g *graph) activated(a darknet.Activation, out string, make func(to string)) {
	raw := out + "_raw"
	if a == darknet.Linear {
		raw = out
	}
	make(raw)
	switch a {
	case darknet.Leaky:
		g.activation(leakyReLU, decimal(nil, 1, 0.1), raw, out)
	case darknet.Relu:
		g.activation(relu, nil, raw, out)
	case darknet.Logistic:
		g.activation(sigmoid, nil, raw, out)
	case darknet.Swish:
		g.activation(sigmoid, nil, raw, out+"_sigmoid")
		g.add(multiply, nil, out, raw, out+"_sigmoid")
	case darknet.Mish:
		g.activation(softplus, nil, raw, out+"_softplus")
		g.activation(tanh, nil, out+"_softplus", out+"_tanh")
		g.add(multiply, nil, out, raw, out+"_tanh")
	}
}

// route joins along the channels; with groups each input gives a slice of them.
// SliceLayerParams: startIndex 1, endIndex 2, stride 3, axis 4 (channels: 0).
func (g *graph) route(l *darknet.Layer, ins []string, out string) {
	if l.Route.Groups > 1 {
		for k, j := range l.Inputs {
			from, to := layers.Part(g.net, l.Route, j)
			name := fmt.Sprintf("%s_part%d", out, k)
			g.add(slice, raw(number(number(number(nil, 1, from), 2, to), 3, 1)), name, ins[k])
			ins[k] = name
		}
	}
	if len(ins) == 1 {
		g.same(ins[0], out)
		return
	}
	g.add(concat, nil, out, ins...)
}

// array is a FeatureDescription (name 1, type 3) of a MultiArray (FeatureType:
// multiArrayType 5; ArrayFeatureType: shape 1, dataType 2).
func array(name string, shape darknet.Shape) message {
	kind := number(packed(nil, 1, shape.C, shape.H, shape.W), 2, float32Array)
	return slices.Concat(raw(text(nil, 1, name)), field(3, field(5, raw(kind))))
}

// write writes a Model: specificationVersion 1, description 2 (input 1, output 10),
// neuralNetwork 500 (layers 1).
func (g *graph) write(w io.Writer) error {
	description := field(1, array(Input, darknet.Shape{C: g.net.Channels, H: g.net.Height, W: g.net.Width}))
	for _, h := range g.net.Heads() {
		description = append(description, field(10, array(layers.Name(h), g.net.Layers[h].Out))...)
	}
	model := slices.Concat(raw(number(nil, 1, specification)), field(2, description), field(500, g.list))
	if model.size() > math.MaxInt32 {
		return lang.Errorf("convert %s to Core ML: the model would have %d bytes, and protobuf's readers accept %d at most", g.net.Name, model.size(), math.MaxInt32)
	}
	out := bufio.NewWriterSize(w, 1<<20)
	for _, p := range model {
		if _, err := out.Write(p.head); err != nil {
			return err
		}
		if p.write != nil {
			if err := p.write(out); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}
