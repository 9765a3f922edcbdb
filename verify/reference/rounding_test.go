package reference

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/internal/nets"
)

func TestRoundFactors(t *testing.T) {
	const ulp = 0x1p-10
	for _, c := range []struct{ in, near, cut float32 }{
		{1, 1, 1}, {-1, -1, -1}, {0, 0, 0}, {1 + ulp, 1 + ulp, 1 + ulp},
		{1 + 0.4*ulp, 1, 1}, {1 + 0.5*ulp, 1 + ulp, 1}, {-1 - 0.6*ulp, -1 - ulp, -1}, {1 + 1.9*ulp, 1 + 2*ulp, 1 + ulp},
		{2 - 0x1p-23, 2, 2 - ulp}, {float32(math.Inf(1)), float32(math.Inf(1)), float32(math.Inf(1))},
	} {
		for how, want := range map[Rounding]float32{Whole: c.in, TF32: c.near, TF32Cut: c.cut} {
			v := []float32{c.in}
			if roundFactors(v, how); v[0] != want {
				t.Errorf("%v, %d: %v, want %v", c.in, how, v[0], want)
			}
		}
	}
	nan := []float32{float32(math.NaN())}
	if roundFactors(nan, TF32); nan[0] == nan[0] {
		t.Errorf("NaN becomes %v", nan[0])
	}
}

// chainNet has weights that are multiplied by a factor in each layer.
func chainNet(t *testing.T, factors ...float32) (*darknet.Network, *darknet.Weights, []float32) {
	t.Helper()
	chain := nets.Net(32, 32,
		nets.Conv(16, 3, 1, "leaky", "pad=1"), nets.Conv(16, 3, 1, "leaky", "pad=1"), nets.Conv(6, 1, 1, "linear"),
		nets.Yolo("0", "10,10", 1, 1))
	net, err := darknet.ParseConfig(strings.NewReader(chain), "chain")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	w := darknet.NewWeights(net)
	for i, f := range factors {
		l := w.Layer(i)
		for k := range l.Kernel {
			l.Kernel[k] = float32(rng.NormFloat64()) * f
		}
	}
	input := make([]float32, 3*32*32)
	for i := range input {
		input[i] = rng.Float32()
	}
	return net, w, input
}

func head(t *testing.T, net *darknet.Network, w *darknet.Weights, input []float32, o Options) []float32 {
	t.Helper()
	e, err := New(net, w, o)
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Forward(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	return out[0].Data
}

func away(a, b []float32) float64 {
	var d, n float64
	for i := range a {
		d += (float64(a[i]) - float64(b[i])) * (float64(a[i]) - float64(b[i]))
		n += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(d / n)
}

// TestTF32: rounding the factors moves the result by about 2⁻¹¹, cutting them by
// more and towards zero; and two ways to write one network are rounded
// differently, but by as much: gainTF32 of the judge covers that.
func TestTF32(t *testing.T) {
	net, w, input := chainNet(t, 0.2, 0.1, 0.3)
	exact := head(t, net, w, input, Options{Float64: true})
	near := away(head(t, net, w, input, Options{Products: TF32}), exact)
	cut := away(head(t, net, w, input, Options{Products: TF32Cut}), exact)
	if near < 1e-4 || near > 1e-3 || cut < 1.5*near {
		t.Errorf("rounded %.2g, cut %.2g", near, cut)
	}
	// Leaky is homogeneous: what one layer is multiplied by, the next undoes.
	for _, f := range []float32{1.1, 1.37, 0.73, 0.9, 1.9} {
		_, other, _ := chainNet(t, 0.2*f, 0.1/f, 0.3)
		if got := away(head(t, net, other, input, Options{Products: TF32}), exact); got > 2*near || got < near/2 {
			t.Errorf("factor %v: %.2g, against %.2g", f, got, near)
		}
	}
}

// TestFlush: small weights and small values in between become zero, products
// that are too small do, and a network without any is not changed.
func TestFlush(t *testing.T) {
	net, w, input := chainNet(t, 0.2, 0.1, 0.3)
	if a, b := head(t, net, w, input, Options{Flush: true}), head(t, net, w, input, Options{}); away(a, b) != 0 {
		t.Errorf("normal numbers change by %.2g", away(a, b))
	}
	for name, factors := range map[string][]float32{
		"small values": {1e-38, 1, 1e38}, "small products": {1e-20, 3e-19, 1e38},
	} {
		net, w, input := chainNet(t, factors...)
		if d := away(head(t, net, w, input, Options{Flush: true}), head(t, net, w, input, Options{Float64: true})); d < 1e-4 || d > 1 {
			t.Errorf("%s: flushing changes the result by %.2g", name, d)
		}
	}
	// The slow product is the fast one where nothing is flushed.
	rng := rand.New(rand.NewPCG(5, 6))
	a, b, c, d := make([]float32, 3*5), make([]float32, 5*4), make([]float32, 3*4), make([]float32, 3*4)
	for _, v := range [][]float32{a, b} {
		for i := range v {
			v[i] = rng.Float32()
		}
	}
	multiply(3, 4, 5, a, 5, b, 4, c, 4)
	multiplyFlushed(3, 4, 5, a, 5, b, 4, d, 4)
	if away(c, d) > 1e-6 {
		t.Errorf("%v, %v", c, d)
	}
	half := []float32{0x1p-15, -0x1p-15, 0x1p-14, 3}
	flush(half, halfTiny)
	if half[0] != 0 || half[1] != 0 || half[2] == 0 || half[3] != 3 {
		t.Errorf("%v", half)
	}
	if least([]float32{0, -2, 1e-40, 5}) >= tiny || !math.IsInf(least([]float32{0}), 1) {
		t.Error("least")
	}
}

func TestToBFloat16(t *testing.T) {
	const ulp = 0x1p-7
	for in, want := range map[float32]float32{
		0: 0, 1: 1, -1: -1, 1 + ulp: 1 + ulp, 1 + 0.4*ulp: 1, 1 + 0.5*ulp: 1, 1 + 1.5*ulp: 1 + 2*ulp, -1 - 0.6*ulp: -1 - ulp,
		0x1.82p127: 0x1.82p127, float32(math.Inf(1)): float32(math.Inf(1)),
	} {
		v := []float32{in}
		if toBFloat16(v); v[0] != want {
			t.Errorf("%v: %v, want %v", in, v[0], want)
		}
	}
	// float64 is rounded once to float32 before; a NaN stays one.
	d := []float64{1 + 0.6*ulp, math.NaN()}
	if toBFloat16(d); d[0] != 1+ulp || !math.IsNaN(d[1]) {
		t.Errorf("%v", d)
	}
}
