package reference

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
)

// naive computes one layer by the definition: seven loops over (C, H, W)
// tensors in float64, batch-norm unfolded, nothing shared with the engine.
func naive(l *darknet.Layer, w darknet.LayerWeights, eps Epsilon, ins [][]float64) []float64 {
	out := make([]float64, l.Out.Len())
	in := ins[0]
	read := func(c, y, x int) float64 {
		if y < 0 || x < 0 || y >= l.In.H || x >= l.In.W {
			return 0
		}
		return in[(c*l.In.H+y)*l.In.W+x]
	}
	act := func(a darknet.Activation, x float64) float64 {
		switch a {
		case darknet.Leaky:
			return math.Max(x, 0.1*x)
		case darknet.Relu:
			return math.Max(x, 0)
		case darknet.Logistic:
			return 0.5 + 0.5*math.Tanh(x/2)
		case darknet.Swish:
			return x * (0.5 + 0.5*math.Tanh(x/2))
		case darknet.Mish:
			return x * math.Tanh(math.Log1p(math.Exp(x)))
		}
		return x
	}
	for oc := range l.Out.C {
		for oy := range l.Out.H {
			for ox := range l.Out.W {
				o := &out[(oc*l.Out.H+oy)*l.Out.W+ox]
				switch l.Kind {
				case darknet.Convolutional:
					p := l.Conv
					per := l.In.C / p.Groups
					first := oc / (p.Filters / p.Groups) * per
					for c := range per {
						for ky := range p.Size {
							for kx := range p.Size {
								*o += float64(w.Kernel[((oc*per+c)*p.Size+ky)*p.Size+kx]) *
									read(first+c, oy*p.Stride-p.Pad+ky, ox*p.Stride-p.Pad+kx)
							}
						}
					}
					if p.BatchNorm {
						*o -= float64(w.Means[oc])
						if eps.Outside {
							*o /= math.Sqrt(float64(w.Variances[oc])) + eps.Value
						} else {
							*o /= math.Sqrt(float64(w.Variances[oc]) + eps.Value)
						}
						*o *= float64(w.Scales[oc])
					}
					*o = act(p.Activation, *o+float64(w.Biases[oc]))
				case darknet.Maxpool:
					*o = -math.MaxFloat32
					for ky := range l.Pool.Size {
						for kx := range l.Pool.Size {
							y, x := oy*l.Pool.Stride-l.Pool.Padding/2+ky, ox*l.Pool.Stride-l.Pool.Padding/2+kx
							if y >= 0 && x >= 0 && y < l.In.H && x < l.In.W {
								*o = math.Max(*o, read(oc, y, x))
							}
						}
					}
				case darknet.Shortcut:
					for _, v := range ins {
						*o += v[(oc*l.Out.H+oy)*l.Out.W+ox]
					}
					*o = act(l.Shortcut.Activation, *o)
				case darknet.Upsample:
					*o = l.Upsample.Scale * read(oc, oy/l.Upsample.Stride, ox/l.Upsample.Stride)
				case darknet.Yolo:
					*o = read(oc, oy, ox)
				case darknet.Route:
					at := oc
					for _, v := range ins {
						c := len(v) / (l.Out.H * l.Out.W)
						share := c / l.Route.Groups
						if at < share {
							*o = v[((l.Route.GroupID*share+at)*l.Out.H+oy)*l.Out.W+ox]
							break
						}
						at -= share
					}
				}
			}
		}
	}
	return out
}

// randomWeights fills every kind of parameter with something that matters.
func randomWeights(n *darknet.Network, seed uint64) *darknet.Weights {
	r := rand.New(rand.NewPCG(seed, 1))
	w := darknet.NewWeights(n)
	for i := range n.Layers {
		v := w.Layer(i)
		for k := range v.Biases {
			v.Biases[k] = r.Float32() - 0.5
		}
		for k := range v.Scales {
			v.Scales[k] = r.Float32()*2 - 0.7
			v.Means[k] = r.Float32() - 0.5
			v.Variances[k] = r.Float32()*0.5 + 0.3
		}
		fan := float32(math.Sqrt(float64(len(v.Kernel) / max(1, len(v.Biases)))))
		for k := range v.Kernel {
			v.Kernel[k] = (r.Float32()*2 - 1) / fan
		}
		if len(v.Variances) > 0 { // a quiet filter, where the epsilon decides
			v.Variances[0], v.Means[0] = 1e-6, 0
			for k := range v.Kernel[:len(v.Kernel)/len(v.Biases)] {
				v.Kernel[k] *= 1e-3
			}
		}
	}
	return w
}

func randomInput(n *darknet.Network, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 2))
	in := make([]float32, n.Channels*n.Height*n.Width)
	for i := range in {
		in[i] = r.Float32()
	}
	return in
}

// check compares every layer of a network with naive, given the engine's own
// inputs to that layer, so that an error is told where it arises.
func check(t *testing.T, n *darknet.Network, opts Options, tolerance float64) {
	t.Helper()
	w := randomWeights(n, 7)
	in := randomInput(n, 7)
	e, err := New(n, w, opts)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]int, len(n.Layers))
	for i := range all {
		all[i] = i
	}
	got, err := e.Layers(t.Context(), in, all)
	if err != nil {
		t.Fatal(err)
	}
	eps := OpenCVEpsilon
	if opts.Epsilon != nil {
		eps = *opts.Epsilon
	}
	wide := func(v []float32) []float64 {
		o := make([]float64, len(v))
		for i, x := range v {
			o[i] = float64(x)
		}
		return o
	}
	for i := range n.Layers {
		l := &n.Layers[i]
		var ins [][]float64
		for _, j := range l.Inputs {
			if j < 0 {
				ins = append(ins, wide(in))
			} else {
				ins = append(ins, wide(got[j].Data))
			}
		}
		want := naive(l, w.Layer(i), eps, ins)
		if got[i].Shape != l.Out || len(got[i].Data) != len(want) {
			t.Fatalf("layer %d (%s): shape %v, %d values, want %v", i, l.Kind, got[i].Shape, len(got[i].Data), l.Out)
		}
		var diff, norm float64
		for k, v := range want {
			d := float64(got[i].Data[k]) - v
			diff += d * d
			norm += v * v
		}
		if norm == 0 || !(math.Sqrt(diff/norm) <= tolerance) {
			t.Errorf("layer %d (%s %v→%v): relative L2 %.2g, norm %.2g", i, l.Kind, l.In, l.Out, math.Sqrt(diff/norm), math.Sqrt(norm))
		}
	}
}

func parse(t *testing.T, w, h, c int, layers string) *darknet.Network {
	t.Helper()
	n, err := darknet.ParseConfig(strings.NewReader(fmt.Sprintf("[net]\nwidth=%d\nheight=%d\nchannels=%d\n%s", w, h, c, layers)), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func section(filters, size, stride, pad, groups, bn int, act darknet.Activation) string {
	return fmt.Sprintf("[convolutional]\nfilters=%d\nsize=%d\nstride=%d\npadding=%d\ngroups=%d\nbatch_normalize=%d\nactivation=%s\n",
		filters, size, stride, pad, groups, bn, act)
}

func TestLayers(t *testing.T) {
	cases := map[string]struct {
		w, h, c int
		cfg     string
	}{
		"1×1":                     {13, 7, 3, section(5, 1, 1, 0, 1, 0, "linear")},
		"1×1 batch-norm leaky":    {13, 7, 8, section(5, 1, 1, 0, 1, 1, "leaky")},
		"1×1 stride 2":            {13, 8, 4, section(5, 1, 2, 0, 1, 1, "leaky")},
		"1×1 padded":              {6, 5, 4, section(5, 1, 1, 1, 1, 1, "leaky")},
		"3×3":                     {17, 11, 3, section(6, 3, 1, 1, 1, 1, "leaky")},
		"3×3 no padding":          {17, 11, 3, section(6, 3, 1, 0, 1, 1, "relu")},
		"3×3 wide padding":        {5, 4, 3, section(6, 3, 1, 3, 1, 0, "linear")},
		"3×3 stride 2, even size": {16, 12, 3, section(6, 3, 2, 1, 1, 1, "mish")},
		"3×3 stride 2, odd size":  {15, 13, 3, section(6, 3, 2, 1, 1, 1, "swish")},
		"2×2 stride 2":            {9, 8, 3, section(4, 2, 2, 0, 1, 0, "logistic")},
		"5×5 stride 3":            {23, 19, 2, section(4, 5, 3, 2, 1, 1, "leaky")},
		"groups 2":                {11, 9, 6, section(8, 3, 1, 1, 2, 1, "leaky")},
		"groups 2, 1×1":           {11, 9, 6, section(8, 1, 1, 0, 2, 1, "leaky")},
		"depthwise stride 2":      {11, 9, 6, section(6, 3, 2, 1, 6, 1, "relu")},
		"wider than one panel":    {9, 10, 70, section(401, 3, 1, 1, 1, 1, "leaky")},
		"one pixel":               {1, 1, 3, section(4, 3, 1, 1, 1, 1, "leaky")},
		"one row":                 {40, 1, 3, section(4, 3, 1, 1, 1, 1, "leaky")},
		"pool 2/2":                {16, 12, 3, "[maxpool]\nsize=2\nstride=2\n"},
		"pool 2/2, odd size":      {15, 11, 3, "[maxpool]\nsize=2\nstride=2\n"},
		"pool 2/1 (tiny)":         {13, 13, 3, "[maxpool]\nsize=2\nstride=1\n"},
		"pool 5/1 (spp)":          {13, 9, 3, "[maxpool]\nsize=5\nstride=1\n"},
		"pool 13/1 (spp)":         {10, 9, 3, "[maxpool]\nsize=13\nstride=1\n"},
		"pool 3/2 own padding":    {10, 9, 3, "[maxpool]\nsize=3\nstride=2\npadding=1\n"},
		"upsample 2":              {5, 7, 3, "[upsample]\nstride=2\n"},
		"upsample 3 scaled":       {5, 7, 3, "[upsample]\nstride=3\nscale=-0.5\n"},
		"route and shortcut": {9, 8, 3, section(6, 3, 1, 1, 1, 1, "leaky") + section(6, 3, 1, 1, 1, 1, "linear") +
			"[shortcut]\nfrom=-2\nactivation=leaky\n" + "[shortcut]\nfrom=-2,0\nactivation=linear\n" +
			"[route]\nlayers=-1,0,-3\n" + "[route]\nlayers=-1,1\ngroups=2\ngroup_id=1\n" +
			"[route]\nlayers=2\n" + "[route]\nlayers=-2\ngroups=3\ngroup_id=0\n"},
		"yolo": {4, 4, 3, section(14, 1, 1, 0, 1, 0, "linear") + "[yolo]\nmask=0,1\nanchors=1,2,3,4\nnum=2\nclasses=2\n" +
			"[route]\nlayers=-2\n" + section(3, 1, 1, 0, 1, 1, "leaky")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			n := parse(t, c.w, c.h, c.c, c.cfg)
			check(t, n, Options{}, 2e-6)
			check(t, n, Options{Threads: 1}, 2e-6)
			check(t, n, Options{Threads: 5}, 2e-6)
			// What is left of float64's precision is the float32 of the comparison.
			check(t, n, Options{Float64: true}, 6e-8)
			check(t, n, Options{Float64: true, Epsilon: &DarknetEpsilon}, 6e-8)
			check(t, n, Options{Float64: true, Epsilon: &ForkEpsilon}, 6e-8)
			check(t, n, Options{Float64: true, Epsilon: &Epsilon{}}, 6e-8)
		})
	}
}

// TestFamilies runs each family at 64×64, with every layer checked against naive;
// SPP's big pools then reach over the whole picture.
func TestFamilies(t *testing.T) {
	for _, f := range darknet.Families() {
		t.Run(f, func(t *testing.T) {
			if testing.Short() && f != darknet.YOLOv4Tiny {
				t.Skip("-short: the direct loops over the large families take seconds")
			}
			n, err := darknet.Family(f, 64)
			if err != nil {
				t.Fatal(err)
			}
			check(t, n, Options{}, 3e-6)
		})
	}
}

// TestSameTwice: the same input gives the same bits, however threads race, and
// running leaves input and engine as they were.
func TestSameTwice(t *testing.T) {
	n, err := darknet.Family(darknet.YOLOv4Tiny, 64)
	if err != nil {
		t.Fatal(err)
	}
	in := randomInput(n, 1)
	e, err := New(n, randomWeights(n, 1), Options{Threads: 4})
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		out []Output
		err error
	}
	results := make(chan result, 4)
	for range cap(results) {
		go func() {
			out, err := e.Forward(t.Context(), in)
			results <- result{out, err}
		}()
	}
	var first []Output
	for range cap(results) {
		r := <-results
		if r.err != nil {
			t.Fatal(r.err)
		}
		if first == nil {
			first = r.out
		}
		if len(r.out) != 2 || r.out[0].Layer != 29 || r.out[1].Layer != 36 {
			t.Fatalf("heads are %d outputs, want layers 29 and 36", len(r.out))
		}
		for i, o := range r.out {
			for k, v := range o.Data {
				if math.Float32bits(v) != math.Float32bits(first[i].Data[k]) {
					t.Fatalf("head %d value %d differs between two runs: %g, %g", i, k, v, first[i].Data[k])
				}
			}
		}
	}
	for i, v := range randomInput(n, 1) {
		if in[i] != v {
			t.Fatalf("the input was changed at %d", i)
		}
	}
}

func TestWrongUse(t *testing.T) {
	n := parse(t, 4, 4, 3, section(14, 1, 1, 0, 1, 0, "linear")+"[yolo]\nmask=0,1\nanchors=1,2,3,4\nnum=2\nclasses=2\n")
	other := parse(t, 4, 4, 3, section(15, 1, 1, 0, 1, 0, "linear"))
	if _, err := New(n, darknet.NewWeights(other), Options{}); err == nil || !strings.Contains(err.Error(), "56 weights, these are 60") {
		t.Errorf("another network's weights: %v", err)
	}
	e, err := New(n, darknet.NewWeights(n), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Forward(t.Context(), make([]float32, 47)); err == nil || !strings.Contains(err.Error(), "47 values") {
		t.Errorf("short input: %v", err)
	}
	if _, err := e.Layers(t.Context(), make([]float32, 48), []int{2}); err == nil || !strings.Contains(err.Error(), "no layer 2") {
		t.Errorf("a layer that is not there: %v", err)
	}
	if _, err := e.Layers(t.Context(), make([]float32, 48), nil); err == nil {
		t.Error("no layer asked for: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Forward(ctx, make([]float32, 48)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestNaNTravels: a NaN in the input reaches the head; an oracle that drops it
// would acquit an engine that makes one.
func TestNaNTravels(t *testing.T) {
	n := parse(t, 8, 8, 3, section(4, 3, 1, 1, 1, 1, "leaky")+"[maxpool]\nsize=2\nstride=2\n[upsample]\nstride=2\n"+
		section(7, 1, 1, 0, 1, 0, "linear")+"[yolo]\nmask=0\nanchors=1,2\nnum=1\nclasses=2\n")
	in := randomInput(n, 3)
	in[20] = float32(math.NaN())
	e, err := New(n, randomWeights(n, 3), Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Forward(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range out[0].Data {
		if v != v {
			return
		}
	}
	t.Error("the NaN was lost")
}
