// Package darknet owns the Darknet file forms: the .cfg text that describes a
// network and the .weights file that fills it, plus our own descriptions of
// the five YOLO families. It parses, checks, counts and writes; it must never
// run a network, and never guess: whatever would change the numbers and is not
// understood is an error that names file and line.
//
// The forms follow the source of Darknet (github.com/pjreddie/darknet and
// github.com/AlexeyAB/darknet, src/parser.c), which is their only specification.
package darknet

import (
	"fmt"
	"math"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Kind is the type of a layer, spelt as in a .cfg section header.
type Kind string

// The layer types of yolov3, yolov3-tiny, yolov3-spp, yolov4 and yolov4-tiny.
const (
	Convolutional Kind = "convolutional"
	Maxpool       Kind = "maxpool"
	Shortcut      Kind = "shortcut"
	Route         Kind = "route"
	Upsample      Kind = "upsample"
	Yolo          Kind = "yolo"
)

// Activation is the function applied to each element of a layer's output.
type Activation string

// The activations understood. Leaky has slope 0.1 below zero; Swish is
// x·σ(x); Mish is x·tanh(ln(1+eˣ)); Logistic is σ(x).
const (
	Linear   Activation = "linear"
	Leaky    Activation = "leaky"
	Relu     Activation = "relu"
	Mish     Activation = "mish"
	Swish    Activation = "swish"
	Logistic Activation = "logistic"
)

// Shape is one tensor of a batch of one: channels, height, width.
type Shape struct{ C, H, W int }

// Len is the number of elements.
func (s Shape) Len() int { return s.C * s.H * s.W }

func (s Shape) String() string { return fmt.Sprintf("%d×%d×%d", s.C, s.H, s.W) }

// Network is a parsed configuration with every shape worked out.
type Network struct {
	// Name is the file (or family) it came from, for messages.
	Name string
	// Width, Height and Channels are the network's input; 416, 416 and 3 for
	// most YOLOs.
	Width, Height, Channels int
	// Stretch: a picture is scaled to the input without keeping its proportion
	// (letter_box=0 in [net], of Darknet's AlexeyAB branch). A configuration that
	// does not say keeps it, as the original Darknet does.
	Stretch bool
	// Layers are the sections after [net], in order; Layers[i].Index == i.
	Layers []Layer
	// Ignored lists keys that are neither understood nor known to matter in
	// training only. They had no effect here; another engine may see it
	// differently, so a caller should show them.
	Ignored []IgnoredKey
}

// IgnoredKey is one "key=value" line that had no effect.
type IgnoredKey struct {
	Line         int
	Section, Key string
}

// Layer is one section. Exactly one of the pointers is set, the one Kind names.
type Layer struct {
	Index int  // Darknet's counting: the first section after [net] is 0
	Kind  Kind // which pointer below is set
	Line  int  // line of the section header in the .cfg, 1-based
	// Inputs are the layers read, in order; -1 is the network's input. Every
	// entry is smaller than Index.
	Inputs []int
	In     Shape // shape of Inputs[0] (for a route with groups: before the split)
	Out    Shape

	Conv     *ConvParams
	Pool     *PoolParams
	Shortcut *ShortcutParams
	Route    *RouteParams
	Upsample *UpsampleParams
	Yolo     *YoloParams
}

// ConvParams is a two-dimensional cross-correlation, square kernel, the same
// stride and padding in both directions.
// Out = (In + 2·Pad − Size)/Stride + 1, rounded down.
type ConvParams struct {
	Filters, Size, Stride, Pad, Groups int
	// BatchNorm: the file holds scales, means and variances too, and the
	// biases are added after the normalisation.
	BatchNorm  bool
	Activation Activation
}

// PoolParams is max pooling. Padding is the total over both sides: Padding/2
// (rounded down) before, the rest after; padded elements never win.
// Out = (In + Padding − Size)/Stride + 1, rounded down.
type PoolParams struct{ Size, Stride, Padding int }

// ShortcutParams adds the previous layer (Inputs[0]) and Inputs[1:], all of one shape.
type ShortcutParams struct{ Activation Activation }

// RouteParams concatenates along channels. With Groups > 1 each input gives
// only its GroupID-th slice of C/Groups channels.
type RouteParams struct{ Groups, GroupID int }

// UpsampleParams repeats each element Stride × Stride times (nearest), times Scale.
type UpsampleParams struct {
	Stride int
	Scale  float64
}

// YoloParams is a detection layer. Its input has len(Mask)·(5+Classes)
// channels: for each masked anchor tx, ty, tw, th, objectness, class logits.
type YoloParams struct {
	Classes int
	// Mask indexes Anchors, one entry for each box of a cell.
	Mask []int
	// Anchors are width, height in pixels of the network's input.
	Anchors [][2]float64
	// ScaleXY stretches the cell offset: σ(t)·ScaleXY − (ScaleXY−1)/2.
	ScaleXY float64
	// Thresh and NMSThresh are what the file suggests, nil where it does not: a
	// 0 that is given is meant.
	Thresh, NMSThresh *float64
}

// WeightCount is the number of floats this layer has in a .weights file.
func (l *Layer) WeightCount() int {
	if l.Kind != Convolutional {
		return 0
	}
	n := l.Conv.Filters * (1 + l.kernelLen())
	if l.Conv.BatchNorm {
		n += 3 * l.Conv.Filters
	}
	return n
}

// kernelLen is the number of weights of one filter.
func (l *Layer) kernelLen() int {
	return l.In.C / l.Conv.Groups * l.Conv.Size * l.Conv.Size
}

// Params is the number of floats in the .weights file (biases, batch-norm
// scales, means and variances, kernels); 62,001,757 for YOLOv3.
func (n *Network) Params() int {
	total := 0
	for i := range n.Layers {
		total += n.Layers[i].WeightCount()
	}
	return total
}

// GFLOP is 2·multiply-accumulates of the convolutions of one forward pass, in
// units of 10⁹; 65.86 for YOLOv3 at 416×416.
func (n *Network) GFLOP() float64 {
	total := 0.0
	for i := range n.Layers {
		total += n.Layers[i].GFLOP()
	}
	return total
}

// GFLOP of one layer; 0 for what is no convolution.
func (l *Layer) GFLOP() float64 {
	if l.Kind != Convolutional {
		return 0
	}
	return 2 * float64(l.kernelLen()) * float64(l.Out.Len()) / 1e9
}

// Yolos are the indices of the yolo layers, in order.
func (n *Network) Yolos() []int {
	var ids []int
	for i := range n.Layers {
		if n.Layers[i].Kind == Yolo {
			ids = append(ids, i)
		}
	}
	return ids
}

// Heads are the indices of the convolutions that feed the yolo layers, in the
// order of Yolos: 81, 93 and 105 for YOLOv3.
func (n *Network) Heads() []int {
	var ids []int
	for _, y := range n.Yolos() {
		ids = append(ids, n.Layers[y].Inputs[0])
	}
	return ids
}

// Convolutions is the number of convolutional layers.
func (n *Network) Convolutions() int {
	c := 0
	for i := range n.Layers {
		if n.Layers[i].Kind == Convolutional {
			c++
		}
	}
	return c
}

// Resize is the same network for another input, width and height in pixels,
// both multiples of 32 from 32 to 4096. The receiver is not changed; the layer
// parameters are shared between the two.
func (n *Network) Resize(width, height int) (*Network, error) {
	for _, v := range []int{width, height} {
		if v < 32 || v > MaxSide || v%32 != 0 {
			return nil, lang.Errorf("network input %d×%d: %w: width and height must be multiples of 32 from 32 to %d",
				width, height, ErrLimit, MaxSide)
		}
	}
	r := *n
	r.Width, r.Height = width, height
	r.Layers = append([]Layer(nil), n.Layers...)
	if err := r.shape(); err != nil {
		return nil, lang.Errorf("resize to %d×%d: %w", width, height, err)
	}
	return &r, nil
}

// Limits that no honest network of these families comes near; beyond them a
// file is taken for damaged rather than for a reason to ask for terabytes.
const (
	MaxSide    = 4096
	maxInput   = 1024 // channels of the network's input
	maxChan    = 1 << 16
	maxKernel  = 63
	maxStride  = 64
	maxClasses = 1 << 15
	maxTensor  = 1 << 29 // elements of one tensor
	maxParams  = 1 << 29 // floats of one weights file: 2 GiB
	maxLayers  = 4096
)

// shape works out In and Out of every layer from the network's input.
func (n *Network) shape() error {
	if n.Width < 1 || n.Width > MaxSide || n.Height < 1 || n.Height > MaxSide || n.Channels < 1 || n.Channels > maxInput {
		return n.fail(0, ErrLimit, lang.F("network input of %d channels, %d×%d pixels is outside 1…%d channels and 1…%d pixels",
			n.Channels, n.Width, n.Height, maxInput, MaxSide))
	}
	params := 0
	for i := range n.Layers {
		l := &n.Layers[i]
		ins := make([]Shape, len(l.Inputs))
		for k, j := range l.Inputs {
			if j < 0 {
				ins[k] = Shape{n.Channels, n.Height, n.Width}
			} else {
				ins[k] = n.Layers[j].Out
			}
		}
		l.In = ins[0]
		out := ins[0]
		switch l.Kind {
		case Convolutional:
			c := l.Conv
			if l.In.C%c.Groups != 0 || c.Filters%c.Groups != 0 {
				return n.fail(l.Line, ErrShape, lang.F("convolutional layer %d: %d input channels and %d filters cannot be split into %d groups",
					i, l.In.C, c.Filters, c.Groups))
			}
			if l.In.H+2*c.Pad < c.Size || l.In.W+2*c.Pad < c.Size {
				return n.fail(l.Line, ErrShape, lang.F("convolutional layer %d: its input %v is smaller than its kernel of %d", i, l.In, c.Size))
			}
			out = Shape{c.Filters, (l.In.H+2*c.Pad-c.Size)/c.Stride + 1, (l.In.W+2*c.Pad-c.Size)/c.Stride + 1}
			// Count with the bound first: the product can overflow 32 bits.
			if float64(l.In.C)*float64(c.Filters)*float64(c.Size*c.Size) > maxParams {
				return n.fail(l.Line, ErrLimit, lang.F("convolutional layer %d: %d×%d×%d×%d weights are more than a file may hold",
					i, c.Filters, l.In.C, c.Size, c.Size))
			}
			params += l.WeightCount()
			if params > maxParams {
				return n.fail(l.Line, ErrLimit, lang.F("convolutional layer %d: the network has more than %d weights", i, maxParams))
			}
		case Maxpool:
			p := l.Pool
			if l.In.H+p.Padding < p.Size || l.In.W+p.Padding < p.Size {
				return n.fail(l.Line, ErrShape, lang.F("maxpool layer %d: its input %v is smaller than its window of %d", i, l.In, p.Size))
			}
			out = Shape{l.In.C, (l.In.H+p.Padding-p.Size)/p.Stride + 1, (l.In.W+p.Padding-p.Size)/p.Stride + 1}
		case Shortcut:
			for k, s := range ins[1:] {
				if s != l.In {
					return n.fail(l.Line, ErrShape, lang.F("shortcut layer %d: layer %d gives %v, layer %d gives %v; they cannot be added",
						i, l.Inputs[0], l.In, l.Inputs[k+1], s))
				}
			}
		case Route:
			out.C = 0
			for k, s := range ins {
				if s.H != l.In.H || s.W != l.In.W {
					return n.fail(l.Line, ErrShape, lang.F("route layer %d: layer %d gives %v, layer %d gives %v; they cannot be joined",
						i, l.Inputs[0], l.In, l.Inputs[k], s))
				}
				if s.C%l.Route.Groups != 0 {
					return n.fail(l.Line, ErrShape, lang.F("route layer %d: %d channels of layer %d cannot be split into %d groups",
						i, s.C, l.Inputs[k], l.Route.Groups))
				}
				out.C += s.C / l.Route.Groups
			}
		case Upsample:
			out.H *= l.Upsample.Stride
			out.W *= l.Upsample.Stride
		case Yolo:
			if want := len(l.Yolo.Mask) * (5 + l.Yolo.Classes); l.In.C != want {
				return n.fail(l.Line, ErrShape, lang.F("yolo layer %d: its input has %d channels, but %d anchors of 5+%d values need %d (filters= of the layer before)",
					i, l.In.C, len(l.Yolo.Mask), l.Yolo.Classes, want))
			}
		}
		if float64(out.C)*float64(out.H)*float64(out.W) > maxTensor || out.C > maxChan || out.H > math.MaxInt32 {
			return n.fail(l.Line, ErrLimit, lang.F("%s layer %d: an output of %v is too large to be intended", l.Kind, i, out))
		}
		l.Out = out
	}
	return nil
}

func (n *Network) fail(line int, sentinel error, text string) error {
	return &ConfigError{File: n.Name, Line: line, Err: sentinel, Text: text}
}
