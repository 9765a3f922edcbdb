// Package openvino writes a Darknet network as OpenVINO's intermediate
// representation: an XML file with the operations and a binary file with the
// constants they read, in single precision. It owns the operations that stand for
// Darknet's layers and the bytes of the files; it must never run a model.
//
// The forms follow OpenVINO's own description of its operation sets
// (github.com/openvinotoolkit/openvino, docs: openvino-ir-format/operation-sets).
package openvino

import (
	"bufio"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/verify/convert/internal/layers"
	"github.com/deployctl/deployctl/verify/darknet"
)

// The names of the files. OpenVINO is given the first and finds the second by its name.
const (
	XML = "model.xml"
	Bin = "model.bin"
)

// Input is the name of the model's input: float32, [1, channels, height, width].
const Input = "input"

// irVersion is the version of the file's form: 11, which OpenVINO reads since 2022.1.
const irVersion = "11"

// Outputs are the names of the model's outputs: the tensor that each yolo layer
// reads, in the order of net.Heads().
func Outputs(net *darknet.Network) []string { return layers.Outputs(net) }

// WriteXML writes the operations that the heads depend on.
func WriteXML(w io.Writer, net *darknet.Network, weights *darknet.Weights) error {
	g, err := newGraph(net, weights)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	return e.Encode(g.file)
}

// WriteBin writes the constants of the same operations, one after the other.
func WriteBin(w io.Writer, net *darknet.Network, weights *darknet.Weights) error {
	g, err := newGraph(net, weights)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	for _, c := range g.constants {
		if err := c(b); err != nil {
			return err
		}
	}
	return b.Flush()
}

// The elements of the XML file.
type (
	file struct {
		XMLName xml.Name    `xml:"net"`
		Name    string      `xml:"name,attr"`
		Version string      `xml:"version,attr"`
		Layers  []operation `xml:"layers>layer"`
		Edges   []edge      `xml:"edges>edge"`
	}
	operation struct {
		ID      int    `xml:"id,attr"`
		Name    string `xml:"name,attr"`
		Type    string `xml:"type,attr"`
		Version string `xml:"version,attr"`
		Data    *data  `xml:"data"`
		Input   *ports `xml:"input"`
		Output  *ports `xml:"output"`
	}
	data struct {
		Attributes []xml.Attr `xml:",any,attr"`
	}
	ports struct {
		Ports []port `xml:"port"`
	}
	port struct {
		ID        int    `xml:"id,attr"`
		Precision string `xml:"precision,attr"`
		Names     string `xml:"names,attr,omitempty"`
		Dims      []int  `xml:"dim"`
	}
	edge struct {
		FromLayer int `xml:"from-layer,attr"`
		FromPort  int `xml:"from-port,attr"`
		ToLayer   int `xml:"to-layer,attr"`
		ToPort    int `xml:"to-port,attr"`
	}
)

// tensor is what an operation gives at a port.
type tensor struct {
	operation, port int
	precision       string
	dims            []int
}

// graph collects operations and their constants.
type graph struct {
	file      file
	constants []func(w *bufio.Writer) error
	offset    int // in the binary file, of the next constant
	// outputs are what the Darknet layers give, the network's input at -1.
	outputs map[int]tensor
}

func newGraph(net *darknet.Network, weights *darknet.Weights) (*graph, error) {
	if err := layers.Check("OpenVINO's representation", net, weights); err != nil {
		return nil, err
	}
	g := &graph{file: file{Name: "darknet", Version: irVersion}, outputs: map[int]tensor{}}
	shape := []int{1, net.Channels, net.Height, net.Width}
	g.outputs[-1] = g.add(Input, "Parameter", "opset1", shape, nil, "shape", list(shape, ","), "element_type", "f32")
	g.name(g.outputs[-1], Input)
	for i, needed := range layers.Needed(net) {
		if needed {
			l := &net.Layers[i]
			g.outputs[i] = g.layer(net, l, weights.Layer(i))
		}
	}
	for _, head := range net.Heads() {
		t := g.outputs[head]
		g.name(t, layers.Name(head))
		g.add(layers.Name(head)+"/result", "Result", "opset1", nil, []tensor{t})
	}
	return g, nil
}

// layer adds the operations of one layer and returns what the layer gives.
func (g *graph) layer(net *darknet.Network, l *darknet.Layer, w darknet.LayerWeights) tensor {
	name := layers.Name(l.Index)
	out := []int{1, l.Out.C, l.Out.H, l.Out.W}
	ins := make([]tensor, len(l.Inputs))
	for k, j := range l.Inputs {
		ins[k] = g.outputs[j]
	}
	switch l.Kind {
	case darknet.Convolutional:
		return g.convolution(l, w, ins[0], out)
	case darknet.Maxpool:
		p := l.Pool
		before := p.Padding / 2
		after := p.Padding - before
		return g.add(name, "MaxPool", "opset1", out, ins, "strides", pair(p.Stride), "pads_begin", pair(before), "pads_end", pair(after),
			"kernel", pair(p.Size), "rounding_type", "floor", "auto_pad", "explicit")
	case darknet.Shortcut:
		sum := ins[0]
		for k, in := range ins[1:] {
			sum = g.add(fmt.Sprintf("%s/sum%d", name, k), "Add", "opset1", out, []tensor{sum, in}, "auto_broadcast", "numpy")
		}
		return g.activated(name, l.Shortcut.Activation, sum)
	case darknet.Route:
		return g.route(net, l, ins, out)
	case darknet.Upsample:
		return g.upsample(l, ins[0], out)
	}
	return ins[0] // a yolo layer gives what it reads
}

// convolution has its batch normalization folded in.
func (g *graph) convolution(l *darknet.Layer, w darknet.LayerWeights, in tensor, out []int) tensor {
	c, name := l.Conv, layers.Name(l.Index)
	at, biases := layers.Fold(c, w)
	kind, shape := "Convolution", []int{c.Filters, l.In.C, c.Size, c.Size}
	if c.Groups > 1 {
		kind, shape = "GroupConvolution", []int{c.Groups, c.Filters / c.Groups, l.In.C / c.Groups, c.Size, c.Size}
	}
	kernel := g.floats(name+"/weight", shape, at)
	bias := g.floats(name+"/bias", []int{1, c.Filters, 1, 1}, func(i int) float32 { return biases[i] })
	t := g.add(name+"/convolution", kind, "opset1", out, []tensor{in, kernel}, "strides", pair(c.Stride), "dilations", pair(1),
		"pads_begin", pair(c.Pad), "pads_end", pair(c.Pad), "auto_pad", "explicit")
	t = g.add(name+"/biased", "Add", "opset1", out, []tensor{t, bias}, "auto_broadcast", "numpy")
	return g.activated(name, c.Activation, t)
}

// activated applies an activation.
func (g *graph) activated(name string, a darknet.Activation, in tensor) tensor {
	apply := func(kind, set string, more ...tensor) tensor {
		return g.add(name, kind, set, in.dims, append([]tensor{in}, more...))
	}
	switch a {
	case darknet.Leaky:
		return apply("PReLU", "opset1", g.floats(name+"/slope", []int{1}, func(int) float32 { return 0.1 }))
	case darknet.Relu:
		return apply("ReLU", "opset1")
	case darknet.Logistic:
		return apply("Sigmoid", "opset1")
	case darknet.Swish:
		return apply("Swish", "opset4")
	case darknet.Mish:
		return apply("Mish", "opset4")
	}
	return in
}

// route joins along the channels; with groups each input gives a slice of them.
func (g *graph) route(net *darknet.Network, l *darknet.Layer, ins []tensor, out []int) tensor {
	name := layers.Name(l.Index)
	if l.Route.Groups > 1 {
		for k, j := range l.Inputs {
			from, to := layers.Part(net, l.Route, j)
			part := fmt.Sprintf("%s/part%d", name, k)
			dims := []int{1, to - from, ins[k].dims[2], ins[k].dims[3]}
			ins[k] = g.add(part, "Slice", "opset8", dims, []tensor{
				ins[k], g.int64s(part+"/from", from), g.int64s(part+"/to", to), g.int64s(part+"/step", 1), g.int64s(part+"/axis", 1),
			})
		}
	}
	if len(ins) == 1 {
		return ins[0]
	}
	return g.add(name, "Concat", "opset1", out, ins, "axis", "1")
}

// upsample repeats each element, and multiplies where the layer has a scale.
func (g *graph) upsample(l *darknet.Layer, in tensor, out []int) tensor {
	name, times := layers.Name(l.Index), l.Upsample.Stride
	t := g.add(name+"/repeated", "Interpolate", "opset4", out, []tensor{
		in, g.int64s(name+"/size", l.Out.H, l.Out.W), g.floats(name+"/scales", []int{2}, func(int) float32 { return float32(times) }), g.int64s(name+"/axes", 2, 3),
	}, "mode", "nearest", "shape_calculation_mode", "scales", "coordinate_transformation_mode", "asymmetric", "nearest_mode", "floor",
		"antialias", "false", "pads_begin", "0", "pads_end", "0", "cube_coeff", "-0.75")
	if l.Upsample.Scale == 1 {
		return t
	}
	factor := g.floats(name+"/factor", []int{1}, func(int) float32 { return float32(l.Upsample.Scale) })
	return g.add(name, "Multiply", "opset1", out, []tensor{t, factor}, "auto_broadcast", "numpy")
}

// add appends an operation with its edges. attributes are names and values in turn;
// out is the shape of the one tensor it gives, nil for none.
func (g *graph) add(name, kind, set string, out []int, ins []tensor, attributes ...string) tensor {
	o := operation{ID: len(g.file.Layers), Name: name, Type: kind, Version: set}
	for i := 0; i < len(attributes); i += 2 {
		if o.Data == nil {
			o.Data = &data{}
		}
		o.Data.Attributes = append(o.Data.Attributes, xml.Attr{Name: xml.Name{Local: attributes[i]}, Value: attributes[i+1]})
	}
	for i, in := range ins {
		if o.Input == nil {
			o.Input = &ports{}
		}
		o.Input.Ports = append(o.Input.Ports, port{ID: i, Precision: in.precision, Dims: in.dims})
		g.file.Edges = append(g.file.Edges, edge{FromLayer: in.operation, FromPort: in.port, ToLayer: o.ID, ToPort: i})
	}
	t := tensor{operation: o.ID, port: len(ins), precision: "FP32", dims: out}
	if out != nil {
		o.Output = &ports{[]port{{ID: t.port, Precision: t.precision, Dims: out}}}
	}
	g.file.Layers = append(g.file.Layers, o)
	return t
}

// name gives a tensor a name that programs ask for it by.
func (g *graph) name(t tensor, name string) {
	g.file.Layers[t.operation].Output.Ports[0].Names = name
}

// constant appends a tensor whose values write writes, size bytes of them.
func (g *graph) constant(name, element, precision string, shape []int, size int, write func(w *bufio.Writer) error) tensor {
	t := g.add(name, "Const", "opset1", shape, nil, "element_type", element, "shape", list(shape, ", "),
		"offset", strconv.Itoa(g.offset), "size", strconv.Itoa(size))
	g.file.Layers[t.operation].Output.Ports[0].Precision = precision
	t.precision = precision
	g.offset += size
	g.constants = append(g.constants, write)
	return t
}

func (g *graph) floats(name string, shape []int, value func(i int) float32) tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return g.constant(name, "f32", "FP32", shape, 4*n, func(w *bufio.Writer) error {
		for i := range n {
			if _, err := w.Write(binary.LittleEndian.AppendUint32(w.AvailableBuffer(), math.Float32bits(value(i)))); err != nil {
				return err
			}
		}
		return nil
	})
}

func (g *graph) int64s(name string, values ...int) tensor {
	return g.constant(name, "i64", "I64", []int{len(values)}, 8*len(values), func(w *bufio.Writer) error {
		for _, v := range values {
			if err := binary.Write(w, binary.LittleEndian, int64(v)); err != nil {
				return err
			}
		}
		return nil
	})
}

// pair is a number for both directions.
func pair(n int) string { return list([]int{n, n}, ", ") }

func list(numbers []int, between string) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, between)
}
