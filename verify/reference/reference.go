// Package reference runs a Darknet network in pure Go: the oracle every other
// engine is judged by, and the engine of a machine with nothing installed. It
// owns being right first and fast second: direct convolutions as matrix
// products (gonum BLAS), no Winograd, no reduced precision, no cgo. It must
// never share code with an engine under test, nor with the decoding of boxes.
//
// Inside, tensors are channels-last (H, W, C): a 1×1 convolution is then a
// plain product, the columns of a larger kernel are contiguous copies, and the
// product of pixels × inputs with inputs × filters is the form gonum runs
// fastest (measured 26–30 GFLOP/s float32 on two Zen 4 cores, against 23 for
// the filters-first form). Inputs and results are (C, H, W), as everywhere else.
package reference

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/darknet"
)

// Epsilon is how a batch-norm keeps away from dividing by zero. Engines
// differ, and with small variances it shows in the third decimal.
type Epsilon struct {
	Value float64
	// Outside: (x−mean)/(√var + Value). Otherwise (x−mean)/√(var + Value).
	Outside bool
}

// The conventions of the engines that read Darknet files.
var (
	// OpenCVEpsilon: modules/dnn/src/darknet/darknet_io.cpp sets eps to 1e-6
	// for every batch-norm and modules/dnn/src/layers/batch_norm_layer.cpp
	// divides by sqrt(var + eps). It is the default here, for gocv is the
	// first engine judged.
	OpenCVEpsilon = Epsilon{Value: 1e-6}
	// DarknetEpsilon: pjreddie/darknet src/blas.c normalize_cpu divides by
	// sqrt(var) + 1e-6; its CUDA kernel by sqrt(var + 1e-5).
	DarknetEpsilon = Epsilon{Value: 1e-6, Outside: true}
	// ForkEpsilon: AlexeyAB/darknet src/blas.c divides by sqrt(var + 1e-5).
	ForkEpsilon = Epsilon{Value: 1e-5}
)

// Options choose how to run; the zero value is the default.
type Options struct {
	// Threads that compute at once; 0 is GOMAXPROCS.
	Threads int
	// Float64 folds, multiplies and accumulates in float64: about 2.5 times
	// slower, and the judge where two float32 engines disagree.
	Float64 bool
	// Half rounds the input, the weights and every layer's output to half
	// precision, as an engine that stores its numbers so does: the noise that
	// such an engine may have.
	Half bool
	// BFloat16 does the same with bfloat16: float32 with 8 significant bits.
	BFloat16 bool
	// Products rounds both factors of every product of a convolution, as units
	// that multiply with fewer bits do; sums keep all bits. Not with Float64.
	Products Rounding
	// Flush takes numbers that are too small to be normal for zero: below 2⁻¹²⁶
	// also products and sums (FTZ and DAZ), with Half those below 2⁻¹⁴ that are
	// stored. Not with Float64.
	Flush bool
	// Epsilon of batch-norm; nil is OpenCVEpsilon.
	Epsilon *Epsilon
}

// Rounding is how the factors of a product lose bits.
type Rounding int

// The roundings. NVIDIA's tensor cores keep 10 bits of a float32's fraction
// (TF32). The conversion instruction rounds to nearest, ties away from zero
// (PTX ISA, cvt.rna.tf32.f32); a factor that was not converted loses its low
// bits instead, as the unit does not read them.
const (
	Whole Rounding = iota
	TF32
	TF32Cut
)

// Output is the raw result of one layer.
type Output struct {
	Layer int // Darknet's counting
	Shape darknet.Shape
	Data  []float32 // row-major C, H, W
}

// Engine is a network ready to run. It may be used by several goroutines.
type Engine struct {
	run func(ctx context.Context, input []float32, want []int) ([]Output, error)
	net *darknet.Network
}

// New prepares a network: it folds batch-norm into kernels and transposes
// them, which needs as much memory as the weights again (twice in Float64).
// The weights are not referred to afterwards. They must be of this network;
// a resized copy of the network they were read for is fine.
func New(net *darknet.Network, weights *darknet.Weights, opts Options) (*Engine, error) {
	if len(weights.Data) != net.Params() {
		return nil, lang.Errorf("prepare reference engine: network %s needs %d weights, these are %d", net.Name, net.Params(), len(weights.Data))
	}
	if opts.Threads <= 0 {
		opts.Threads = runtime.GOMAXPROCS(0)
	}
	if opts.Epsilon == nil {
		eps := OpenCVEpsilon
		opts.Epsilon = &eps
	}
	e := &Engine{net: net}
	if opts.Float64 {
		e.run = newRunner[float64](net, weights, opts).forward
	} else {
		e.run = newRunner[float32](net, weights, opts).forward
	}
	return e, nil
}

// Forward runs the network on one input, [1, Channels, Height, Width] in
// row-major order (RGB in 0…1 for a YOLO), and gives the raw output of every
// head (darknet.Network.Heads), before any decoding. The input is not changed.
func (e *Engine) Forward(ctx context.Context, input []float32) ([]Output, error) {
	return e.Layers(ctx, input, e.net.Heads())
}

// Layers is Forward for the outputs of any layers, in the order asked for.
// Layers after the last one asked for are not run.
func (e *Engine) Layers(ctx context.Context, input []float32, layers []int) ([]Output, error) {
	want := darknet.Shape{C: e.net.Channels, H: e.net.Height, W: e.net.Width}
	if len(input) != want.Len() {
		return nil, lang.Errorf("run reference engine: the input has %d values, %s needs %v", len(input), e.net.Name, want)
	}
	if len(layers) == 0 {
		return nil, lang.Errorf("run reference engine: no layer's output is asked for; the network has no yolo layer")
	}
	for _, l := range layers {
		if l < 0 || l >= len(e.net.Layers) {
			return nil, lang.Errorf("run reference engine: there is no layer %d in %s", l, e.net.Name)
		}
	}
	return e.run(ctx, input, layers)
}

type float interface{ float32 | float64 }

// runner holds what New prepared, in the precision it runs in.
type runner[T float] struct {
	net     *darknet.Network
	threads int
	opts    Options
	convs   []conv[T] // by layer index
}

// conv is a folded convolution: kernel[g] is [ky][kx][input channel][filter]
// of group g, bias one for each filter.
type conv[T float] struct {
	kernel [][]T
	bias   []T
	// least is the smallest magnitude of a kernel's weights other than 0, by
	// group; for Flush.
	least []float64
}

func newRunner[T float](net *darknet.Network, weights *darknet.Weights, opts Options) *runner[T] {
	r := &runner[T]{net: net, threads: opts.Threads, opts: opts, convs: make([]conv[T], len(net.Layers))}
	parallel(len(net.Layers), opts.Threads, func(_, i int) {
		if net.Layers[i].Kind == darknet.Convolutional {
			r.convs[i] = fold[T](&net.Layers[i], weights.Layer(i), *opts.Epsilon)
			c := &r.convs[i]
			r.store(c.bias)
			for _, k := range c.kernel {
				r.store(k)
				roundFactors(k, opts.Products)
				c.least = append(c.least, least(k))
			}
		}
	})
	return r
}

// fold works in float64 and rounds once: kernel·s and bias − mean·s with
// s = scale/√(variance+ε).
func fold[T float](l *darknet.Layer, w darknet.LayerWeights, eps Epsilon) conv[T] {
	p := l.Conv
	inC, outC, area := l.In.C/p.Groups, p.Filters/p.Groups, p.Size*p.Size
	c := conv[T]{bias: make([]T, p.Filters), kernel: make([][]T, p.Groups)}
	for g := range c.kernel {
		k := make([]T, area*inC*outC)
		for f := range outC {
			at := g*outC + f
			s, b := 1.0, float64(w.Biases[at])
			if p.BatchNorm {
				d := math.Sqrt(float64(w.Variances[at]) + eps.Value)
				if eps.Outside {
					d = math.Sqrt(float64(w.Variances[at])) + eps.Value
				}
				s = float64(w.Scales[at]) / d
				b -= float64(w.Means[at]) * s
			}
			c.bias[at] = T(b)
			src := w.Kernel[at*inC*area:][:inC*area]
			for ch := range inC {
				for a := range area {
					k[(a*inC+ch)*outC+f] = T(float64(src[ch*area+a]) * s)
				}
			}
		}
		c.kernel[g] = k
	}
	return c
}

func (r *runner[T]) forward(ctx context.Context, input []float32, want []int) ([]Output, error) {
	n := r.net
	last := 0
	for _, l := range want {
		last = max(last, l)
	}
	// uses[i] counts who still has to read layer i; at zero its memory is
	// free for a later layer. That keeps 107 layers within a few buffers.
	uses := make([]int, last+1)
	for i := range n.Layers[:last+1] {
		for _, j := range n.Layers[i].Inputs {
			if j >= 0 {
				uses[j]++
			}
		}
	}
	var pool buffers[T]
	tensors := make([][]T, last+1)
	first := pool.get(len(input))
	toChannelsLast(first, input, n.Channels)
	r.store(first)
	outputs := make([]Output, len(want))
	panels := make([][]T, r.threads)

	for i := range n.Layers[:last+1] {
		if err := ctx.Err(); err != nil {
			return nil, lang.Errorf("reference engine stopped before layer %d: %w", i, err)
		}
		l := &n.Layers[i]
		ins := make([][]T, len(l.Inputs))
		for k, j := range l.Inputs {
			if ins[k] = first; j >= 0 {
				ins[k] = tensors[j]
			}
		}
		out := pool.get(l.Out.Len())
		switch l.Kind {
		case darknet.Convolutional:
			in := ins[0]
			if r.opts.Products != Whole {
				in = pool.get(len(ins[0]))
				copy(in, ins[0])
				roundFactors(in, r.opts.Products)
			}
			if err := r.convolve(ctx, l, &r.convs[i], in, out, panels); err != nil {
				return nil, err
			}
			if r.opts.Products != Whole {
				pool.put(in)
			}
		case darknet.Maxpool:
			r.maxpool(l, ins[0], out)
		case darknet.Shortcut:
			r.shortcut(l, ins, out)
		case darknet.Route:
			r.route(l, ins, out)
		case darknet.Upsample:
			r.upsample(l, ins[0], out)
		case darknet.Yolo:
			copy(out, ins[0]) // raw: decoding is not the engine's work
		}
		r.store(out)
		tensors[i] = out
		for k, w := range want {
			if w == i {
				outputs[k] = Output{Layer: i, Shape: l.Out, Data: toChannelsFirst(out, l.Out)}
			}
		}
		for _, j := range l.Inputs {
			if j < 0 {
				continue
			}
			if uses[j]--; uses[j] == 0 {
				pool.put(tensors[j])
				tensors[j] = nil
			}
		}
	}
	return outputs, nil
}

// Panels of rows are multiplied with at most panelCols filters at a time:
// below four blocks of 64×64 gonum's Gemm stays on the calling goroutine, so
// that Threads means what it says.
const (
	panelRows = 64
	panelCols = 192
)

// convolve computes out = act(columns(in) · kernel + bias). Each worker takes
// a few dozen output pixels at a time, gathers their columns into a panel that
// stays in its cache, and finishes them, activation included.
func (r *runner[T]) convolve(ctx context.Context, l *darknet.Layer, c *conv[T], in, out []T, panels [][]T) error {
	p := l.Conv
	pixels := l.Out.H * l.Out.W
	// Equal shares, a whole number for each worker.
	rounds := (pixels + panelRows*r.threads - 1) / (panelRows * r.threads)
	rows := (pixels + rounds*r.threads - 1) / (rounds * r.threads)
	inC, outC := l.In.C/p.Groups, p.Filters/p.Groups
	depth := inC * p.Size * p.Size
	pointwise := p.Size == 1 && p.Stride == 1 && p.Pad == 0 && p.Groups == 1
	var stopped atomic.Bool
	parallel((pixels+rows-1)/rows, r.threads, func(worker, job int) {
		if stopped.Load() {
			return
		}
		if ctx.Err() != nil {
			stopped.Store(true)
			return
		}
		from := job * rows
		m := min(rows, pixels-from)
		dst := out[from*p.Filters : (from+m)*p.Filters]
		for row := range m {
			copy(dst[row*p.Filters:], c.bias)
		}
		for g := range p.Groups {
			var a []T
			if pointwise {
				a = in[from*depth : (from+m)*depth]
			} else {
				if len(panels[worker]) < rows*depth {
					panels[worker] = make([]T, rows*depth)
				}
				a = panels[worker][:m*depth]
				columns(l, in, a, from, m, g)
			}
			product := multiply[T]
			if r.opts.Flush && !r.opts.Half && least(a)*c.least[g] < tiny {
				product = multiplyFlushed[T]
			}
			for col := 0; col < outC; col += panelCols {
				product(m, min(panelCols, outC-col), depth, a, depth, c.kernel[g][col:], outC, dst[g*outC+col:], p.Filters)
			}
		}
		activate(dst, p.Activation)
	})
	if stopped.Load() {
		return lang.Errorf("reference engine stopped in layer %d: %w", l.Index, ctx.Err())
	}
	return nil
}

// columns gathers, for m output pixels from the given one on, the inputs under
// the kernel: [pixel][ky][kx][channel], zero outside the picture.
func columns[T float](l *darknet.Layer, in, panel []T, from, m, group int) {
	p := l.Conv
	inC := l.In.C / p.Groups
	depth := inC * p.Size * p.Size
	whole := p.Groups == 1
	for row := range m {
		y0 := (from+row)/l.Out.W*p.Stride - p.Pad
		x0 := (from+row)%l.Out.W*p.Stride - p.Pad
		dst := panel[row*depth : (row+1)*depth]
		for ky := range p.Size {
			line := dst[ky*p.Size*inC : (ky+1)*p.Size*inC]
			y := y0 + ky
			if y < 0 || y >= l.In.H {
				clear(line)
				continue
			}
			if whole && x0 >= 0 && x0+p.Size <= l.In.W {
				copy(line, in[(y*l.In.W+x0)*inC:])
				continue
			}
			for kx := range p.Size {
				cell := line[kx*inC : (kx+1)*inC]
				x := x0 + kx
				if x < 0 || x >= l.In.W {
					clear(cell)
					continue
				}
				copy(cell, in[(y*l.In.W+x)*l.In.C+group*inC:])
			}
		}
	}
}

// multiply adds a·b to c, all row-major with the given strides. gonum skips
// the products of an element of a that is exactly zero, so a NaN weight under a zero
// input does not show; the judge looks at weights for NaN itself.
func multiply[T float](m, n, k int, a []T, lda int, b []T, ldb int, c []T, ldc int) {
	switch a := any(a).(type) {
	case []float32:
		gonum.Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, a, lda, any(b).([]float32), ldb, 1, any(c).([]float32), ldc)
	case []float64:
		gonum.Implementation{}.Dgemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, a, lda, any(b).([]float64), ldb, 1, any(c).([]float64), ldc)
	}
}

// activate applies the function in place; all but leaky and relu go through float64.
func activate[T float](v []T, a darknet.Activation) {
	switch a {
	case darknet.Leaky:
		for i, x := range v {
			if x < 0 {
				v[i] = x * 0.1
			}
		}
	case darknet.Relu:
		for i, x := range v {
			if x < 0 {
				v[i] = 0
			}
		}
	case darknet.Logistic:
		for i, x := range v {
			v[i] = T(1 / (1 + math.Exp(-float64(x))))
		}
	case darknet.Swish:
		for i, x := range v {
			v[i] = T(float64(x) / (1 + math.Exp(-float64(x))))
		}
	case darknet.Mish:
		for i, x := range v {
			v[i] = T(mish(float64(x)))
		}
	}
}

// mish is x·tanh(ln(1+eˣ)) = x·n/(n+2) with n = e²ˣ + 2eˣ: one exponential and
// no cancellation. Beyond 20 the factor is 1 to the last bit.
func mish(x float64) float64 {
	if x > 20 {
		return x
	}
	e := math.Exp(x)
	n := e * (e + 2)
	return x * n / (n + 2)
}

func (r *runner[T]) maxpool(l *darknet.Layer, in, out []T) {
	p := l.Pool
	c := l.In.C
	parallel(l.Out.H, r.threads, func(_, y int) {
		y0, y1 := window(y, p, l.In.H)
		for x := range l.Out.W {
			x0, x1 := window(x, p, l.In.W)
			dst := out[(y*l.Out.W+x)*c:][:c]
			// Darknet's start value; it stays where a window lies wholly in the padding.
			for i := range dst {
				dst[i] = -math.MaxFloat32
			}
			for yy := y0; yy < y1; yy++ {
				for xx := x0; xx < x1; xx++ {
					src := in[(yy*l.In.W+xx)*c:][:c]
					for i, v := range src {
						if v > dst[i] || v != v {
							dst[i] = v
						}
					}
				}
			}
		}
	})
}

// window is the part of output o's window that lies inside 0…size.
func window(o int, p *darknet.PoolParams, size int) (from, to int) {
	from = o*p.Stride - p.Padding/2
	return max(from, 0), min(from+p.Size, size)
}

func (r *runner[T]) shortcut(l *darknet.Layer, ins [][]T, out []T) {
	const piece = 1 << 16
	parallel((len(out)+piece-1)/piece, r.threads, func(_, job int) {
		from, to := job*piece, min((job+1)*piece, len(out))
		dst := out[from:to]
		copy(dst, ins[0][from:to])
		for _, in := range ins[1:] {
			for i, v := range in[from:to] {
				dst[i] += v
			}
		}
		activate(dst, l.Shortcut.Activation)
	})
}

func (r *runner[T]) route(l *darknet.Layer, ins [][]T, out []T) {
	pixels := l.Out.H * l.Out.W
	at := 0
	for _, in := range ins {
		c := len(in) / pixels
		share := c / l.Route.Groups
		skip := l.Route.GroupID * share
		for p := range pixels {
			copy(out[p*l.Out.C+at:][:share], in[p*c+skip:])
		}
		at += share
	}
}

func (r *runner[T]) upsample(l *darknet.Layer, in, out []T) {
	s, c := l.Upsample.Stride, l.In.C
	line := l.Out.W * c
	parallel(l.In.H, r.threads, func(_, y int) {
		dst := out[y*s*line:][:line]
		for x := range l.Out.W {
			copy(dst[x*c:(x+1)*c], in[(y*l.In.W+x/s)*c:])
		}
		if l.Upsample.Scale != 1 {
			for i := range dst {
				dst[i] *= T(l.Upsample.Scale)
			}
		}
		for k := 1; k < s; k++ {
			copy(out[(y*s+k)*line:][:line], dst)
		}
	})
}

func toChannelsLast[T float](dst []T, src []float32, channels int) {
	pixels := len(src) / channels
	for c := range channels {
		for p, v := range src[c*pixels : (c+1)*pixels] {
			dst[p*channels+c] = T(v)
		}
	}
}

func toChannelsFirst[T float](src []T, s darknet.Shape) []float32 {
	dst := make([]float32, len(src))
	pixels := s.H * s.W
	for c := range s.C {
		line := dst[c*pixels : (c+1)*pixels]
		for p := range line {
			line[p] = float32(src[p*s.C+c])
		}
	}
	return dst
}

// buffers hands out memory of layers that nobody will read any more.
type buffers[T float] struct{ free [][]T }

// get returns n elements of any content: every layer writes all of its output.
func (b *buffers[T]) get(n int) []T {
	best := -1
	for i, f := range b.free {
		if cap(f) >= n && (best < 0 || cap(f) < cap(b.free[best])) {
			best = i
		}
	}
	if best < 0 {
		return make([]T, n)
	}
	f := b.free[best]
	b.free[best] = b.free[len(b.free)-1]
	b.free = b.free[:len(b.free)-1]
	return f[:n]
}

func (b *buffers[T]) put(f []T) { b.free = append(b.free, f) }

// parallel calls do(worker, job) for every job below jobs, on at most threads
// goroutines; worker is below threads and never runs two jobs at once.
func parallel(jobs, threads int, do func(worker, job int)) {
	threads = min(threads, jobs)
	if threads <= 1 {
		for j := range jobs {
			do(0, j)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range threads {
		wg.Go(func() {
			for {
				j := int(next.Add(1)) - 1
				if j >= jobs {
					return
				}
				do(w, j)
			}
		})
	}
	wg.Wait()
}
