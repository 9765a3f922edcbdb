// Package ncnn writes a Darknet network as ncnn's two files: a text with the layers
// and a binary file with their weights in single precision. It owns the layers that
// stand for Darknet's and the bytes of the files; it must never run a model.
//
// The forms follow ncnn's own description of its files and of its layers' parameters
// (github.com/Tencent/ncnn, docs/developer-guide: param-and-model-file-structure.md and
// operation-param-weight-table.md) and the layers' sources (src/layer).
package ncnn

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/convert/internal/layers"
	"github.com/deployctl/deployctl/verify/darknet"
)

// The names of the files; ncnn is given both.
const (
	Param = "model.param"
	Bin   = "model.bin"
)

// Input is the name of the blob that a picture goes into: float32, [3, height, width].
const Input = "input"

// magic begins every text file of layers.
const magic = 7767517

// float32Flag is before weights that are stored in single precision; half precision
// and 8 bits have others (src/modelbin.cpp).
const float32Flag = 0

// Numbers of ncnn: what a pooling, an addition … is among others of its kind.
const (
	poolMax     = 0
	poolAsGiven = 1 // pad as given, round down (Pooling, pad_mode)
	interpNear  = 1
	binaryAdd   = 0
	binaryMul   = 2
)

// activations are the functions that a convolution has built in (Convolution,
// activation_type); the others are layers of their own.
var activations = map[darknet.Activation]string{
	darknet.Linear: "", darknet.Relu: " 9=1", darknet.Leaky: " 9=2 -23310=1,1.000000e-01", darknet.Logistic: " 9=4", darknet.Mish: " 9=5",
}

// Outputs are the names of the blobs that the yolo layers read, in the order of
// net.Heads().
func Outputs(net *darknet.Network) []string { return layers.Outputs(net) }

// WriteParam writes the layers that the heads depend on.
func WriteParam(w io.Writer, net *darknet.Network) error {
	if len(net.Heads()) == 0 {
		return lang.Errorf("convert %s to ncnn: it has no yolo layer, so nothing to output", net.Name)
	}
	g := newGraph(net)
	g.layer("Input", Input, nil, []string{g.fork(-1)}, fmt.Sprintf("0=%d 1=%d 2=%d", net.Width, net.Height, net.Channels))
	g.split(-1)
	for i := range net.Layers {
		if g.needed[i] && !g.alias[i] {
			g.darknet(&net.Layers[i])
			g.split(i)
		}
	}
	_, err := fmt.Fprintf(w, "%d\n%d %d\n%s", magic, g.layers, g.blobs, g.text.String())
	return err
}

// WriteBin writes the weights of the same layers: for each convolution the flag of its
// kernel, the kernel with the batch normalization folded in, and the biases.
func WriteBin(w io.Writer, net *darknet.Network, weights *darknet.Weights) error {
	if err := layers.Check("ncnn", net, weights); err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	put := func(bits uint32) error {
		_, err := b.Write(binary.LittleEndian.AppendUint32(b.AvailableBuffer(), bits))
		return err
	}
	for i, needed := range layers.Needed(net) {
		l := &net.Layers[i]
		if !needed || l.Kind != darknet.Convolutional {
			continue
		}
		lw := weights.Layer(i)
		kernel, biases := layers.Fold(l.Conv, lw)
		if err := put(float32Flag); err != nil {
			return err
		}
		for k := range lw.Kernel {
			if err := put(math.Float32bits(kernel(k))); err != nil {
				return err
			}
		}
		for _, v := range biases {
			if err := put(math.Float32bits(v)); err != nil {
				return err
			}
		}
	}
	return b.Flush()
}

// graph collects lines of the text.
type graph struct {
	net           *darknet.Network
	needed        []bool
	text          strings.Builder
	layers, blobs int
	// alias are layers that give what they read: a yolo layer, a route of one layer.
	alias []bool
	// uses counts how often a layer's output is read, -1 being the input; a head is
	// read once more, from outside. taken counts those that were given out. A blob has
	// one reader in ncnn, so that what is read more often is split.
	uses, taken map[int]int
}

func newGraph(net *darknet.Network) *graph {
	g := &graph{net: net, needed: layers.Needed(net), alias: make([]bool, len(net.Layers)), uses: map[int]int{}, taken: map[int]int{}}
	for i := range net.Layers {
		l := &net.Layers[i]
		g.alias[i] = l.Kind == darknet.Yolo || l.Kind == darknet.Route && len(l.Inputs) == 1 && l.Route.Groups == 1 ||
			l.Kind == darknet.Shortcut && len(l.Inputs) == 1 && l.Shortcut.Activation == darknet.Linear
	}
	for i := range net.Layers {
		if g.needed[i] && !g.alias[i] {
			for _, j := range net.Layers[i].Inputs {
				g.uses[g.source(j)]++
			}
		}
	}
	for _, head := range net.Heads() {
		g.uses[g.source(head)]++
		g.taken[g.source(head)]++
	}
	return g
}

// source is the layer that computes what layer j gives.
func (g *graph) source(j int) int {
	for j >= 0 && g.alias[j] {
		j = g.net.Layers[j].Inputs[0]
	}
	return j
}

// name is that of a layer's output, and of its first copy where it is split.
func name(j int) string {
	if j < 0 {
		return Input
	}
	return layers.Name(j)
}

// fork is the name that a layer gives its output: that of what is split, where it is.
func (g *graph) fork(j int) string {
	if g.uses[j] > 1 {
		return name(j) + "_all"
	}
	return name(j)
}

// split appends the copies of an output that is read more than once.
func (g *graph) split(j int) {
	n := g.uses[j]
	if n < 2 {
		return
	}
	var copies []string
	for k := range n {
		copies = append(copies, copyName(j, k))
	}
	g.layer("Split", name(j)+"_split", []string{g.fork(j)}, copies, "")
}

// copyName is the k-th copy of an output; the first has its own name, by which a head
// is read.
func copyName(j, k int) string {
	if k == 0 {
		return name(j)
	}
	return fmt.Sprintf("%s_%d", name(j), k)
}

// read is the blob that the next reader of layer j gets.
func (g *graph) read(j int) string {
	j = g.source(j)
	g.taken[j]++
	return copyName(j, g.taken[j]-1)
}

// layer appends a line.
func (g *graph) layer(kind, name string, ins, outs []string, params string) {
	g.layers++
	g.blobs += len(outs)
	fields := append([]string{kind, name, fmt.Sprint(len(ins)), fmt.Sprint(len(outs))}, ins...)
	fields = append(fields, outs...)
	if params != "" {
		fields = append(fields, params)
	}
	g.text.WriteString(strings.Join(fields, " ") + "\n")
}

// darknet appends the lines of one layer.
func (g *graph) darknet(l *darknet.Layer) {
	out := g.fork(l.Index)
	switch l.Kind {
	case darknet.Convolutional:
		g.convolution(l, g.read(l.Inputs[0]), out)
	case darknet.Maxpool:
		p := l.Pool
		before := p.Padding / 2
		after := p.Padding - before
		g.layer("Pooling", name(l.Index), []string{g.read(l.Inputs[0])}, []string{out},
			fmt.Sprintf("0=%d 1=%d 11=%d 2=%d 12=%d 3=%d 13=%d 14=%d 15=%d 5=%d", poolMax, p.Size, p.Size, p.Stride, p.Stride, before, before, after, after, poolAsGiven))
	case darknet.Shortcut:
		sum := g.read(l.Inputs[0])
		for k, j := range l.Inputs[1:] {
			to := out + "_raw"
			if k < len(l.Inputs)-2 {
				to = fmt.Sprintf("%s_sum%d", out, k)
			} else if l.Shortcut.Activation == darknet.Linear {
				to = out
			}
			g.layer("BinaryOp", to, []string{sum, g.read(j)}, []string{to}, fmt.Sprintf("0=%d", binaryAdd))
			sum = to
		}
		if l.Shortcut.Activation != darknet.Linear {
			g.activation(l.Shortcut.Activation, sum, out)
		}
	case darknet.Route:
		g.route(l, out)
	case darknet.Upsample:
		g.upsample(l, out)
	}
}

// convolution appends one with its bias, and its activation where that is built in.
func (g *graph) convolution(l *darknet.Layer, in, out string) {
	c := l.Conv
	kind, group := "Convolution", ""
	if c.Groups > 1 {
		kind, group = "ConvolutionDepthWise", fmt.Sprintf(" 7=%d", c.Groups)
	}
	activation, builtIn := activations[c.Activation]
	to := out
	if !builtIn {
		to = out + "_raw"
	}
	size := c.Filters * (l.In.C / c.Groups) * c.Size * c.Size
	g.layer(kind, name(l.Index), []string{in}, []string{to}, fmt.Sprintf("0=%d 1=%d 11=%d 3=%d 13=%d 4=%d 14=%d 15=%d 16=%d 5=1 6=%d%s%s",
		c.Filters, c.Size, c.Size, c.Stride, c.Stride, c.Pad, c.Pad, c.Pad, c.Pad, size, group, activation))
	if !builtIn {
		g.activation(c.Activation, to, out)
	}
}

// activation appends one as a layer of its own.
func (g *graph) activation(a darknet.Activation, in, out string) {
	kind, params := map[darknet.Activation]string{
		darknet.Relu: "ReLU", darknet.Leaky: "ReLU", darknet.Logistic: "Sigmoid", darknet.Mish: "Mish", darknet.Swish: "Swish",
	}[a], ""
	if a == darknet.Leaky {
		params = "0=1.000000e-01"
	}
	g.layer(kind, out+"_activation", []string{in}, []string{out}, params)
}

// route joins along the channels; with groups it takes a slice of each input.
func (g *graph) route(l *darknet.Layer, out string) {
	var ins []string
	for k, j := range l.Inputs {
		in := g.read(j)
		if l.Route.Groups > 1 {
			from, to := layers.Part(g.net, l.Route, j)
			part := fmt.Sprintf("%s_part%d", out, k)
			if len(l.Inputs) == 1 {
				part = out
			}
			// Width and height as they are (-233), and some of the channels.
			g.layer("Crop", part, []string{in}, []string{part}, fmt.Sprintf("0=0 1=0 2=%d 3=-233 4=-233 5=%d", from, to-from))
			in = part
		}
		ins = append(ins, in)
	}
	if len(ins) > 1 {
		g.layer("Concat", name(l.Index), ins, []string{out}, "0=0")
	}
}

func (g *graph) upsample(l *darknet.Layer, out string) {
	u, to := l.Upsample, out
	if u.Scale != 1 {
		to = out + "_raw"
	}
	g.layer("Interp", name(l.Index), []string{g.read(l.Inputs[0])}, []string{to}, fmt.Sprintf("0=%d 1=%d.0 2=%d.0", interpNear, u.Stride, u.Stride))
	if u.Scale != 1 {
		g.layer("BinaryOp", out+"_scale", []string{to}, []string{out}, fmt.Sprintf("0=%d 1=1 2=%e", binaryMul, u.Scale))
	}
}
