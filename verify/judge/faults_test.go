package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/detect"
	"github.com/deployctl/deployctl/verify/reference"
)

// model has what YOLOv3 has, in small: strided convolutions, residual blocks,
// two upsampled routes, three heads, and a maxpool.
const model = `[net]
width=96
height=64
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=8
size=1
stride=1
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=16
size=3
stride=1
pad=1
activation=leaky

[shortcut]
from=-3
activation=linear

[maxpool]
size=2
stride=2

[convolutional]
batch_normalize=1
filters=24
size=3
stride=2
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=24
size=3
stride=2
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=32
size=3
stride=2
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=32
size=3
stride=1
pad=1
activation=leaky

[shortcut]
from=-2
activation=linear

[convolutional]
filters=27
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=6,7,8
anchors=5,6, 8,15, 16,12, 15,30, 30,22, 30,60, 58,45, 78,90, 90,60
classes=4
num=9

[route]
layers=-3

[convolutional]
batch_normalize=1
filters=12
size=1
stride=1
pad=1
activation=leaky

[upsample]
stride=2

[route]
layers=-1,7

[convolutional]
batch_normalize=1
filters=24
size=3
stride=1
pad=1
activation=leaky

[convolutional]
filters=27
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=3,4,5
anchors=5,6, 8,15, 16,12, 15,30, 30,22, 30,60, 58,45, 78,90, 90,60
classes=4
num=9

[route]
layers=-3

[convolutional]
batch_normalize=1
filters=12
size=1
stride=1
pad=1
activation=leaky

[upsample]
stride=2

[route]
layers=-1,6

[convolutional]
batch_normalize=1
filters=24
size=3
stride=1
pad=1
activation=leaky

[convolutional]
filters=27
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=0,1,2
anchors=5,6, 8,15, 16,12, 15,30, 30,22, 30,60, 58,45, 78,90, 90,60
classes=4
num=9
`

// bench is one network with weights and inputs, and the reference's answer.
type bench struct {
	net                     *darknet.Network
	weights                 *darknet.Weights
	input, swapped          []float32
	ref, noise, half, other []Tensor
}

// newBench draws weights and sets the batch-norm statistics to what the layer
// sees on the input, as training would, so that every layer stays of order one.
// One channel in eight is quiet (variance near 1e-4): there an epsilon shows.
func newBench(t testing.TB) *bench {
	t.Helper()
	net, err := darknet.ParseConfig(strings.NewReader(model), "small")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(2, 3))
	b := &bench{net: net, weights: darknet.NewWeights(net), input: make([]float32, 3*96*64)}
	for i := range b.input {
		c, y, x := i/(96*64), i/96%64, i%96
		b.input[i] = float32(0.5 + 0.25*math.Sin(float64(x)*0.2+float64(c)) + 0.2*math.Cos(float64(y)*0.13*float64(c+1)) + 0.05*rng.Float64())
	}
	b.swapped = swap(b.input)
	for i := range net.Layers {
		l := &net.Layers[i]
		if l.Kind != darknet.Convolutional {
			continue
		}
		w := b.weights.Layer(i)
		n := len(w.Kernel) / l.Conv.Filters
		for k := range w.Kernel {
			w.Kernel[k] = float32((rng.Float64()*2 - 1) * math.Sqrt(6/float64(n)))
		}
		if !l.Conv.BatchNorm {
			for f := range w.Biases {
				w.Biases[f] = float32(rng.Float64() - 0.5)
				if f%9 == 4 {
					w.Biases[f] -= 1
				}
			}
			continue
		}
		for f := range l.Conv.Filters {
			w.Scales[f] = 1
			w.Variances[f] = 1
			if f%8 == i%8 {
				for k := range n {
					w.Kernel[f*n+k] *= 0.01
				}
			}
		}
		bare := *net
		bare.Layers = append([]darknet.Layer(nil), net.Layers...)
		conv := *l.Conv
		conv.Activation = darknet.Linear
		bare.Layers[i].Conv = &conv
		out := layers(t, &bare, b.weights, reference.Options{}, b.input, i)[0]
		plane := l.Out.H * l.Out.W
		for f := range l.Conv.Filters {
			var sum, square float64
			for _, v := range out.Data[f*plane : (f+1)*plane] {
				sum += float64(v)
				square += float64(v) * float64(v)
			}
			mean := sum / float64(plane)
			w.Means[f] = float32(mean)
			w.Variances[f] = float32(square/float64(plane) - mean*mean)
			w.Scales[f] = float32(0.7 + 0.6*rng.Float64())
			w.Biases[f] = float32(0.6*rng.Float64() - 0.3)
		}
	}
	b.judgeBy(t)
	return b
}

// judgeBy computes what an engine that runs the bench's weights is judged by.
func (b *bench) judgeBy(t testing.TB) {
	t.Helper()
	b.ref = layers(t, b.net, b.weights, reference.Options{Float64: true}, b.input, b.net.Heads()...)
	b.noise = layers(t, b.net, b.weights, reference.Options{}, b.input, b.net.Heads()...)
	b.other = layers(t, b.net, b.weights, reference.Options{}, b.swapped, b.net.Heads()...)
	b.half = layers(t, b.net, b.weights, reference.Options{Half: true}, b.input, b.net.Heads()...)
}

func layers(t testing.TB, net *darknet.Network, w *darknet.Weights, o reference.Options, input []float32, want ...int) []Tensor {
	t.Helper()
	e, err := reference.New(net, w, o)
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Layers(t.Context(), input, want)
	if err != nil {
		t.Fatal(err)
	}
	var list []Tensor
	for _, h := range out {
		list = append(list, Tensor{h.Layer, []int{1, h.Shape.C, h.Shape.H, h.Shape.W}, h.Data})
	}
	return list
}

func swap(input []float32) []float32 {
	n := len(input) / 3
	out := append([]float32(nil), input...)
	copy(out[:n], input[2*n:])
	copy(out[2*n:], input[:n])
	return out
}

// naive is an engine under test: plain loops in float32, sharing no line with
// the reference, with a place for every mistake an engine can make.
type naive struct {
	slope     float64 // of leaky below zero
	eps       float64 // of batch-norm
	edge      bool    // pads by repeating the edge instead of with zero
	shift     int     // moves every padded kernel by so many pixels
	rotate    bool    // true convolution: kernels turned by 180°
	bilinear  bool    // upsampling
	late      bool    // upsampling shifted by one
	noAdd     bool    // shortcuts only pass the previous layer on
	swapRoute bool
	half      bool // every layer's output is rounded to half precision
	bf16      bool
	fault     func(layer int, out []float64) // applied to one layer's output
}

func sound() naive { return naive{slope: 0.1, eps: 1e-6} }

func (n naive) run(b *bench, w *darknet.Weights, input []float32) []Tensor {
	outs := make([][]float64, len(b.net.Layers))
	first := make([]float64, len(input))
	for i, v := range input {
		first[i] = float64(v)
	}
	for i := range b.net.Layers {
		l := &b.net.Layers[i]
		var ins [][]float64
		for _, j := range l.Inputs {
			if j < 0 {
				ins = append(ins, first)
			} else {
				ins = append(ins, outs[j])
			}
		}
		out := make([]float64, l.Out.Len())
		switch l.Kind {
		case darknet.Convolutional:
			n.conv(l, w.Layer(i), ins[0], out)
		case darknet.Maxpool:
			for k := range out {
				c, y, x := k/(l.Out.H*l.Out.W), k/l.Out.W%l.Out.H, k%l.Out.W
				out[k] = math.Inf(-1)
				for dy := range l.Pool.Size {
					for dx := range l.Pool.Size {
						yy, xx := y*l.Pool.Stride+dy-l.Pool.Padding/2, x*l.Pool.Stride+dx-l.Pool.Padding/2
						if yy >= 0 && yy < l.In.H && xx >= 0 && xx < l.In.W {
							out[k] = math.Max(out[k], ins[0][(c*l.In.H+yy)*l.In.W+xx])
						}
					}
				}
			}
		case darknet.Shortcut:
			copy(out, ins[0])
			if !n.noAdd {
				for k := range out {
					out[k] += ins[1][k]
				}
			}
		case darknet.Route:
			if n.swapRoute && len(ins) == 2 {
				ins[0], ins[1] = ins[1], ins[0]
			}
			at := 0
			for _, in := range ins {
				at += copy(out[at:], in)
			}
		case darknet.Upsample:
			n.upsample(l, ins[0], out)
		case darknet.Yolo:
			copy(out, ins[0])
		}
		if n.fault != nil {
			n.fault(i, out)
		}
		for k := range out {
			switch {
			case n.half:
				out[k] = round(out[k], 13)
			case n.bf16:
				out[k] = round(out[k], 16)
			default:
				out[k] = float64(float32(out[k]))
			}
		}
		outs[i] = out
	}
	var list []Tensor
	for _, h := range b.net.Heads() {
		s := b.net.Layers[h].Out
		t := Tensor{h, []int{1, s.C, s.H, s.W}, make([]float32, s.Len())}
		for k, v := range outs[h] {
			t.Data[k] = float32(v)
		}
		list = append(list, t)
	}
	return list
}

// round drops the lowest mantissa bits of a float32, to nearest.
func round(v float64, bits uint) float64 {
	u := math.Float32bits(float32(v))
	return float64(math.Float32frombits((u + 1<<(bits-1)) &^ (1<<bits - 1)))
}

func (n naive) conv(l *darknet.Layer, w darknet.LayerWeights, in, out []float64) {
	p := l.Conv
	for k := range out {
		f, y, x := k/(l.Out.H*l.Out.W), k/l.Out.W%l.Out.H, k%l.Out.W
		sum := 0.0
		for c := range l.In.C {
			for ky := range p.Size {
				for kx := range p.Size {
					yy, xx := y*p.Stride+ky-p.Pad, x*p.Stride+kx-p.Pad
					if p.Size > 1 {
						yy, xx = yy+n.shift, xx+n.shift
					}
					if yy < 0 || yy >= l.In.H || xx < 0 || xx >= l.In.W {
						if !n.edge {
							continue
						}
						yy, xx = min(max(yy, 0), l.In.H-1), min(max(xx, 0), l.In.W-1)
					}
					at := ky*p.Size + kx
					if n.rotate {
						at = p.Size*p.Size - 1 - at
					}
					sum += in[(c*l.In.H+yy)*l.In.W+xx] * float64(w.Kernel[(f*l.In.C+c)*p.Size*p.Size+at])
				}
			}
		}
		if p.BatchNorm {
			sum = (sum - float64(w.Means[f])) / math.Sqrt(float64(w.Variances[f])+n.eps) * float64(w.Scales[f])
		}
		sum += float64(w.Biases[f])
		if p.Activation == darknet.Leaky && sum < 0 {
			sum *= n.slope
		}
		out[k] = sum
	}
}

func (n naive) upsample(l *darknet.Layer, in, out []float64) {
	s := l.Upsample.Stride
	for k := range out {
		c, y, x := k/(l.Out.H*l.Out.W), k/l.Out.W%l.Out.H, k%l.Out.W
		at := func(y, x int) float64 {
			return in[(c*l.In.H+min(max(y, 0), l.In.H-1))*l.In.W+min(max(x, 0), l.In.W-1)]
		}
		switch {
		case n.bilinear:
			fy, fx := (float64(y)+0.5)/float64(s)-0.5, (float64(x)+0.5)/float64(s)-0.5
			y0, x0 := int(math.Floor(fy)), int(math.Floor(fx))
			py, px := fy-float64(y0), fx-float64(x0)
			out[k] = (at(y0, x0)*(1-px)+at(y0, x0+1)*px)*(1-py) + (at(y0+1, x0)*(1-px)+at(y0+1, x0+1)*px)*py
		case n.late:
			out[k] = at((y-1)/s, (x-1)/s)
		default:
			out[k] = at(y/s, x/s)
		}
	}
}

// decode is the engine's own decoding as OpenCV does it, small scores zeroed.
func decode(t testing.TB, net *darknet.Network, heads []Tensor) []Tensor {
	t.Helper()
	var list []Tensor
	for i, yolo := range net.Yolos() {
		if i >= len(heads) {
			break
		}
		rows, err := detect.Decode(net, yolo, heads[i].Data)
		if err != nil {
			t.Fatal(err)
		}
		for r := range rows.Len() {
			row := rows.Row(r)
			for k := range row[5:] {
				if row[5+k] <= RowThreshold {
					row[5+k] = 0
				}
			}
		}
		list = append(list, Tensor{yolo, []int{rows.Len(), 5 + rows.Classes}, rows.Data})
	}
	return list
}

// answer is what verify would collect from the engine.
func (b *bench) answer(t testing.TB, n naive, w *darknet.Weights) Case {
	t.Helper()
	heads := n.run(b, w, b.input)
	return Case{
		Net: b.net, Precision: FP32, Reference: b.ref, Noise: b.noise,
		Heads: heads, Rows: decode(t, b.net, heads),
		Other: n.run(b, w, b.swapped), OtherSwapped: true, OtherReference: b.other,
		Last: n.run(b, w, b.input), RunDiff: []float64{0, 0, 0},
		Repeat: n.run(b, w, b.input),
		Asked:  "opencv/cpu", Ran: "opencv/cpu",
		Expected: b.expected(t),
	}
}

// expected are the objects of the picture: what the reference finds.
func (b *bench) expected(t testing.TB) []detect.Box {
	t.Helper()
	var rows []detect.Rows
	for i, yolo := range b.net.Yolos() {
		r, err := detect.Decode(b.net, yolo, b.ref[i].Data)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return detect.Thin(detect.Candidates(rows, detect.Show), detect.Suppress)
}

func TestSoundEnginePasses(t *testing.T) {
	b := newBench(t)
	if len(b.expected(t)) == 0 {
		t.Fatal("the bench has no box, its box checks would prove nothing")
	}
	v := Judge(b.answer(t, sound(), b.weights))
	if !v.OK {
		t.Fatalf("a sound engine is refused: %v", v.Reasons)
	}
	for i := range v.RelL2 {
		// The margin to the limit is what makes the limit sharp.
		if v.RelL2[i] > 1e-5 {
			t.Errorf("head %d of a sound engine differs by %g", i, v.RelL2[i])
		}
	}
	if len(v.Boxes) != len(b.expected(t)) {
		t.Errorf("%d boxes, want %d", len(v.Boxes), len(b.expected(t)))
	}
}

// clone copies weights so that a fault can be planted in them.
func clone(net *darknet.Network, w *darknet.Weights) *darknet.Weights {
	c := darknet.NewWeights(net)
	copy(c.Data, w.Data)
	return c
}

// TestPlantedFaults plants one mistake at a time. Each must be refused, with a
// reason that holds the given words.
func TestPlantedFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped by -short: it takes minutes under the race detector; CI runs it without")
	}
	b := newBench(t)
	type fault struct {
		name  string
		words string
		plant func(n *naive, w *darknet.Weights) // before the run
		spoil func(c *Case)                      // after it
	}
	heads := b.net.Heads()
	faults := []fault{
		{name: "dropped bias", plant: func(_ *naive, w *darknet.Weights) { clear(w.Layer(1).Biases) }},
		{name: "dropped bias of one filter", plant: func(_ *naive, w *darknet.Weights) { w.Layer(9).Biases[3] = 0 }},
		{name: "dropped bias of a head", words: "only head 1 is off", plant: func(_ *naive, w *darknet.Weights) { clear(w.Layer(heads[1]).Biases) }},
		{name: "batch-norm mean ignored", plant: func(_ *naive, w *darknet.Weights) { clear(w.Layer(3).Means) }},
		{name: "batch-norm epsilon ignored", words: "all heads are off", plant: func(n *naive, _ *darknet.Weights) { n.eps = 0 }},
		{name: "batch-norm epsilon 1e-5", words: "all heads are off", plant: func(n *naive, _ *darknet.Weights) { n.eps = 1e-5 }},
		{name: "batch-norm epsilon 1e-3", words: "all heads are off", plant: func(n *naive, _ *darknet.Weights) { n.eps = 1e-3 }},
		{name: "padding repeats the edge", plant: func(n *naive, _ *darknet.Weights) { n.edge = true }},
		{name: "padding on one side only", plant: func(n *naive, _ *darknet.Weights) { n.shift = 1 }},
		{name: "kernels rotated", plant: func(n *naive, _ *darknet.Weights) { n.rotate = true }},
		{name: "bilinear upsampling", words: "upsampling", plant: func(n *naive, _ *darknet.Weights) { n.bilinear = true }},
		{name: "shifted upsampling", words: "upsampling", plant: func(n *naive, _ *darknet.Weights) { n.late = true }},
		{name: "route in the wrong order", words: "route", plant: func(n *naive, _ *darknet.Weights) { n.swapRoute = true }},
		{name: "shortcut dropped", plant: func(n *naive, _ *darknet.Weights) { n.noAdd = true }},
		{name: "activation slope 0.2", plant: func(n *naive, _ *darknet.Weights) { n.slope = 0.2 }},
		{name: "activation slope 0.11", plant: func(n *naive, _ *darknet.Weights) { n.slope = 0.11 }},
		{name: "half precision", words: "half precision", plant: func(n *naive, _ *darknet.Weights) { n.half = true }},
		{name: "bfloat16", words: "bfloat16", plant: func(n *naive, _ *darknet.Weights) { n.bf16 = true }},
		{name: "weights read one float late", plant: func(_ *naive, w *darknet.Weights) { copy(w.Data, w.Data[1:]) }},
		{name: "one weight of one filter has its sign flipped", plant: func(_ *naive, w *darknet.Weights) {
			k := w.Layer(8).Kernel
			most := 0
			for i := range k {
				if math.Abs(float64(k[i])) > math.Abs(float64(k[most])) {
					most = i
				}
			}
			k[most] = -k[most]
		}},
		{name: "one NaN in a layer", words: "NaN", plant: func(n *naive, _ *darknet.Weights) {
			n.fault = func(layer int, out []float64) {
				if layer == 17 {
					out[5] = math.NaN()
				}
			}
		}},
		{name: "overflow", words: "infinite", plant: func(n *naive, _ *darknet.Weights) {
			n.fault = func(layer int, out []float64) {
				if layer == heads[0] {
					out[0] = math.Inf(1)
				}
			}
		}},
		{name: "one channel of a layer is zero", plant: func(n *naive, _ *darknet.Weights) {
			n.fault = func(layer int, out []float64) {
				if layer == 6 {
					clear(out[:len(out)/24])
				}
			}
		}},
		{name: "one pixel of a head is another's", words: "only head 2 is off", plant: func(n *naive, _ *darknet.Weights) {
			n.fault = func(layer int, out []float64) {
				if layer == heads[2] {
					out[0], out[1] = out[1], out[0]
				}
			}
		}},
		{name: "all zero", words: "did not run", plant: func(n *naive, _ *darknet.Weights) {
			n.fault = func(_ int, out []float64) { clear(out) }
		}},

		{name: "last head missing", words: "is missing", spoil: func(c *Case) { c.Heads = c.Heads[:2] }},
		{name: "two heads exchanged", words: "shape", spoil: func(c *Case) { c.Heads[0].Layer, c.Heads[1].Layer = c.Heads[1].Layer, c.Heads[0].Layer }},
		{name: "empty head", words: "empty", spoil: func(c *Case) { c.Heads[1].Data = nil }},
		{name: "height and width exchanged, shape too", words: "shape", spoil: func(c *Case) {
			for i := range c.Heads {
				s := c.Heads[i].Shape
				c.Heads[i].Data, c.Heads[i].Shape = transpose(c.Heads[i]), []int{1, s[1], s[3], s[2]}
			}
		}},
		{name: "height and width exchanged", words: "height and width", spoil: func(c *Case) {
			for i := range c.Heads {
				c.Heads[i].Data = transpose(c.Heads[i])
			}
		}},
		{name: "channels last", words: "channels last", spoil: func(c *Case) {
			for i := range c.Heads {
				c.Heads[i].Data = channelsLast(c.Heads[i])
			}
		}},
		{name: "scaled by 1.01", words: "times 1.01", spoil: func(c *Case) {
			for i := range c.Heads {
				for k := range c.Heads[i].Data {
					c.Heads[i].Data[k] *= 1.01
				}
			}
		}},
		{name: "stale output", words: "stale", spoil: func(c *Case) { c.Other = c.Heads }},
		{name: "stale output of one head", words: "stale", spoil: func(c *Case) { c.Other[1] = c.Heads[1] }},
		{name: "stale output, one input late", words: "between two runs", spoil: func(c *Case) { c.Repeat = c.Other }},
		{name: "NaN only for another input", words: "another input", spoil: func(c *Case) { c.Other[0].Data[0] = float32(math.NaN()) }},
		{name: "wrong for another input", words: "for another input, head 0 (layer 11) differs", spoil: func(c *Case) {
			for k := range c.Other[0].Data {
				c.Other[0].Data[k] = 3
			}
		}},
		{name: "half of a head is stale", words: "for another input, head 1", spoil: func(c *Case) {
			copy(c.Other[1].Data[:len(c.Other[1].Data)/2], c.Heads[1].Data)
		}},
		{name: "NaN in every run but the first", words: "run 2 of 3 on the same input gave NaN", spoil: func(c *Case) { c.RunDiff = []float64{0, -1, -1} }},
		{name: "one timed run is another's", words: "run 3 of 3 on the same input differs", spoil: func(c *Case) { c.RunDiff[2] = 0.4 }},
		{name: "NaN in the last timed run", words: "in the last timed run, head 2", spoil: func(c *Case) { c.Last[2].Data[3] = float32(math.NaN()) }},
		{name: "one value of the last timed run is off", words: "in the last timed run, head 0", spoil: func(c *Case) { c.Last[0].Data[3] += 0.1 }},
		{name: "faster than the processor can be", words: "did not do the work", spoil: func(c *Case) { c.Rate, c.Peak = 30915, 166 }},
		{name: "not the same twice", words: "between two runs", spoil: func(c *Case) { c.Repeat[2].Data[7] += 0.01 }},
		{name: "silent fallback to the CPU", words: "asked to run on opencv/opencl and ran on opencv/cpu", spoil: func(c *Case) { c.Asked = "opencv/opencl" }},
		{name: "anchors exchanged in decoding", words: "anchors", spoil: func(c *Case) {
			net := *b.net
			net.Layers = append([]darknet.Layer(nil), net.Layers...)
			y := net.Yolos()[0]
			p := *net.Layers[y].Yolo
			p.Anchors = append([][2]float64(nil), p.Anchors...)
			p.Anchors[6], p.Anchors[7] = p.Anchors[7], p.Anchors[6]
			net.Layers[y].Yolo = &p
			c.Rows = decode(t, &net, c.Heads)
		}},
		{name: "scale_x_y applied where there is none", words: "scale_x_y", spoil: func(c *Case) {
			net := *b.net
			net.Layers = append([]darknet.Layer(nil), net.Layers...)
			y := net.Yolos()[1]
			p := *net.Layers[y].Yolo
			p.ScaleXY = 1.05
			net.Layers[y].Yolo = &p
			c.Rows = decode(t, &net, c.Heads)
		}},
		{name: "class scores not multiplied by objectness", words: "class scores", spoil: func(c *Case) {
			for _, r := range c.Rows {
				w := r.Shape[1]
				for i := 0; i < len(r.Data); i += w {
					for k := 5; k < w; k++ {
						r.Data[i+k] /= r.Data[i+4]
					}
				}
			}
		}},
		{name: "rows missing", words: "rows of layer", spoil: func(c *Case) { c.Rows = c.Rows[:2] }},
		{name: "rows in another order", words: "decoding is off", spoil: func(c *Case) {
			w := c.Rows[0].Shape[1]
			a := append([]float32(nil), c.Rows[0].Data[:w]...)
			copy(c.Rows[0].Data, c.Rows[0].Data[w:2*w])
			copy(c.Rows[0].Data[w:], a)
		}},
		{name: "an expected object is not found", words: "in the picture is not found", spoil: func(c *Case) {
			c.Expected = append(c.Expected, detect.Box{Class: 3, Score: 0.9, X: 0.9, Y: 0.9, W: 0.05, H: 0.05})
		}},
		{name: "more is found than is there", words: "boxes are found in a picture", spoil: func(c *Case) { c.Expected = c.Expected[:0:0]; c.Expected = []detect.Box{} }},
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			n, w := sound(), clone(b.net, b.weights)
			if f.plant != nil {
				f.plant(&n, w)
			}
			c := b.answer(t, n, w)
			if f.spoil != nil {
				f.spoil(&c)
			}
			refused(t, Judge(c), f.words)
		})
	}
	t.Logf("%d planted faults", len(faults))
}

func refused(t *testing.T, v Verdict, words string) {
	t.Helper()
	if v.OK || len(v.Reasons) == 0 {
		t.Fatalf("not flagged: heads differ by %.2g", v.RelL2)
	}
	if text := strings.Join(v.Reasons, "\n"); !strings.Contains(text, words) {
		t.Fatalf("no reason says %q:\n%s", words, text)
	}
	t.Logf("%s", v.Reasons[0])
}

// TestOnePercent puts the kernel of each layer in turn off by 1 %.
func TestOnePercent(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped by -short: it takes minutes under the race detector; CI runs it without")
	}
	b := newBench(t)
	for i := range b.net.Layers {
		if b.net.Layers[i].Kind != darknet.Convolutional {
			continue
		}
		t.Run(fmt.Sprintf("layer %d", i), func(t *testing.T) {
			w := clone(b.net, b.weights)
			for k := range w.Layer(i).Kernel {
				w.Layer(i).Kernel[k] *= 1.01
			}
			c := b.answer(t, sound(), w)
			c.Rows, c.Expected = nil, nil // the heads alone must show it
			refused(t, Judge(c), "differs by")
		})
	}
}

// TestInputFaults: mistakes in the input are flagged, and named from the
// engine's own other run or from suspects that the reference computed.
func TestInputFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped by -short: it takes minutes under the race detector; CI runs it without")
	}
	b := newBench(t)
	edit := func(f func(v float32) float32) []float32 {
		out := append([]float32(nil), b.input...)
		for i := range out {
			out[i] = f(out[i])
		}
		return out
	}
	bright := edit(func(v float32) float32 { return v * 255 })
	heads := b.net.Heads()
	suspects := []Suspect{
		{"not scaled", layers(t, b.net, b.weights, reference.Options{}, bright, heads...)},
		{"epsilon 1e-5", layers(t, b.net, b.weights, reference.Options{Epsilon: &reference.ForkEpsilon}, b.input, heads...)},
	}

	c := b.answer(t, sound(), b.weights)
	c.Heads, c.Other, c.Repeat = c.Other, c.Heads, c.Other
	c.Rows = decode(t, b.net, c.Heads)
	refused(t, Judge(c), "red and blue are exchanged")

	c = b.answer(t, sound(), b.weights)
	c.Heads = sound().run(b, b.weights, bright)
	c.Repeat, c.Rows = c.Heads, nil
	v := Judge(c)
	refused(t, v, "all heads are off")
	if !v.AllHeadsOff || !Identify(&v, c, suspects) || v.Reasons[0] != "not scaled" {
		t.Errorf("not identified: %v", v.Reasons)
	}

	n := sound()
	n.eps = 1e-5
	c = b.answer(t, n, b.weights)
	v = Judge(c)
	if !Identify(&v, c, suspects) || v.Reasons[0] != "epsilon 1e-5" {
		t.Errorf("not identified: %v", v.Reasons)
	}

	c = b.answer(t, sound(), clone(b.net, b.weights))
	c.Heads = sound().run(b, b.weights, edit(func(v float32) float32 { return v * 2 }))
	c.Repeat = c.Heads
	if v = Judge(c); Identify(&v, c, suspects) {
		t.Errorf("an unknown fault was named: %v", v.Reasons)
	}
}

// TestPrecisions: what FP32 refuses, FP16 accepts, within bounds.
func TestPrecisions(t *testing.T) {
	b := newBench(t)
	n := sound()
	n.half = true
	c := b.answer(t, n, b.weights)
	c.Precision, c.Noise = FP16, b.half
	if v := Judge(c); !v.OK {
		t.Errorf("half precision is refused as FP16: %v", v.Reasons)
	}
	w := clone(b.net, b.weights)
	for k := range w.Layer(1).Kernel {
		w.Layer(1).Kernel[k] *= 1.2
	}
	c = b.answer(t, n, w)
	c.Precision, c.Noise = FP16, b.half
	refused(t, Judge(c), "differs by")
	// What is above bfloat16's bar, and no more than its rounding, is said to be that.
	noise := layers(t, b.net, b.weights, reference.Options{BFloat16: true}, b.input, b.net.Heads()...)
	for share, words := range map[float64]string{0.8: "no more than bfloat16 rounds", 1.2: "all heads are off: the input"} {
		c = b.answer(t, sound(), b.weights)
		c.Precision, c.Noise, c.Rows = BF16, noise, nil
		for i, ref := range c.Reference {
			off := make([]float32, len(ref.Data))
			for k, v := range ref.Data {
				off[k] = v + float32(share*gain(b.net, ref.Layer))*(noise[i].Data[k]-v)
			}
			c.Heads[i].Data = off
		}
		refused(t, Judge(c), words)
	}
	for target, want := range map[string]Precision{"cpu": FP32, "cpu_bf16": BF16, "": FP32, "opencl_fp16": FP16, "cuda_fp16": FP16, "cpu_int8": INT8} {
		if got := PrecisionOf(target); got != want {
			t.Errorf("%s is judged as %s, want %s", target, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		a, b     []float32
		rel, abs float64
	}{
		{[]float32{3, 4}, []float32{3, 4}, 0, 0},
		{[]float32{3, 5}, []float32{3, 4}, 0.2, 1},
		{[]float32{0, 0}, []float32{0, 0}, 0, 0},
		{[]float32{0, 1}, []float32{0, 0}, math.Inf(1), 1},
		{[]float32{nan, 1}, []float32{1, 1}, math.Inf(1), math.Inf(1)},
		{[]float32{1}, []float32{1, 1}, math.Inf(1), math.Inf(1)},
	} {
		if rel, abs := Distance(c.a, c.b); rel != c.rel || abs != c.abs {
			t.Errorf("Distance(%v, %v) = %v, %v; want %v, %v", c.a, c.b, rel, abs, c.rel, c.abs)
		}
	}
}
