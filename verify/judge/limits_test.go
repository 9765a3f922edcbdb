package judge

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// The transforms of Winograd's F(6×6, 3×3) with the points 0, ±1, ±2, ±½
// (Lavin and Gray 2015).
var (
	winogradB = [8][8]float64{
		{1, 0, -5.25, 0, 5.25, 0, -1, 0}, {0, 1, 1, -4.25, -4.25, 1, 1, 0}, {0, -1, 1, 4.25, -4.25, -1, 1, 0},
		{0, .5, .25, -2.5, -1.25, 2, 1, 0}, {0, -.5, .25, 2.5, -1.25, -2, 1, 0},
		{0, 2, 4, -2.5, -5, .5, 1, 0}, {0, -2, 4, 2.5, -5, -.5, 1, 0}, {0, -1, 0, 5.25, 0, -5.25, 0, 1},
	}
	winogradG = [8][3]float64{
		{1, 0, 0}, {-2. / 9, -2. / 9, -2. / 9}, {-2. / 9, 2. / 9, -2. / 9},
		{1. / 90, 1. / 45, 2. / 45}, {1. / 90, -1. / 45, 2. / 45},
		{32. / 45, 16. / 45, 8. / 45}, {32. / 45, -16. / 45, 8. / 45}, {0, 0, 1},
	}
	winogradA = [6][8]float64{
		{1, 1, 1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, .5, -.5, 0}, {0, 1, 1, 4, 4, .25, .25, 0},
		{0, 1, -1, 8, -8, .125, -.125, 0}, {0, 1, 1, 16, 16, 1. / 16, 1. / 16, 0}, {0, 1, -1, 32, -32, 1. / 32, -1. / 32, 1},
	}
)

// rows of matrices as slices.
func matrix[R interface{ [8]float64 | [3]float64 }](m []R, at func(R, int) float64, n int) [][]float64 {
	var out [][]float64
	for _, r := range m {
		line := make([]float64, n)
		for k := range n {
			line[k] = at(r, k)
		}
		out = append(out, line)
	}
	return out
}

// sandwich is m·x·mᵀ, every step rounded.
func sandwich(m, x [][]float64, round func(float64) float64) [][]float64 {
	times := func(a, b [][]float64, turned bool) [][]float64 {
		out := make([][]float64, len(a))
		n := len(b[0])
		if turned {
			n = len(b)
		}
		for i := range a {
			out[i] = make([]float64, n)
			for j := range n {
				sum := 0.0
				for k := range a[i] {
					v := 0.0
					if turned {
						v = b[j][k]
					} else {
						v = b[k][j]
					}
					sum = round(sum + round(round(a[i][k])*v))
				}
				out[i][j] = sum
			}
		}
		return out
	}
	return times(times(m, x, false), m, true)
}

// TestGain computes how much more Winograd's F(6×6, 3×3) rounds than a plain
// sum, for the numbers of channels that YOLOv3's 3×3 layers have.
func TestGain(t *testing.T) {
	b := matrix(winogradB[:], func(r [8]float64, k int) float64 { return r[k] }, 8)
	g := matrix(winogradG[:], func(r [3]float64, k int) float64 { return r[k] }, 3)
	a := matrix(winogradA[:], func(r [8]float64, k int) float64 { return r[k] }, 8)
	single := func(v float64) float64 { return float64(float32(v)) }
	double := func(v float64) float64 { return v }
	rng := rand.New(rand.NewPCG(1, 2))
	for _, channels := range []int{3, 8, 16, 32, 64, 128, 256, 512} {
		var plain, winograd, size float64
		for range 12 {
			var in, ker [][][]float64
			for range channels {
				x, k := make([][]float64, 8), make([][]float64, 3)
				for i := range x {
					for range 8 {
						x[i] = append(x[i], single(rng.NormFloat64()))
					}
				}
				for i := range k {
					for range 3 {
						k[i] = append(k[i], single(rng.NormFloat64()))
					}
				}
				in, ker = append(in, x), append(ker, k)
			}
			direct := func(round func(float64) float64, y, x int) float64 {
				sum := 0.0
				for ky := range 3 {
					for kx := range 3 {
						for c := range channels {
							sum = round(sum + round(in[c][y+ky][x+kx]*ker[c][ky][kx]))
						}
					}
				}
				return sum
			}
			tile := func(round func(float64) float64) [][]float64 {
				sum := make([][]float64, 8)
				for i := range sum {
					sum[i] = make([]float64, 8)
				}
				for c := range channels {
					u, v := sandwich(g, ker[c], round), sandwich(b, in[c], round)
					for i := range 8 {
						for j := range 8 {
							sum[i][j] = round(sum[i][j] + round(u[i][j]*v[i][j]))
						}
					}
				}
				return sandwich(a, sum, round)
			}
			exact, got := tile(double), tile(single)
			for y := range 6 {
				for x := range 6 {
					want := direct(double, y, x)
					if math.Abs(exact[y][x]-want) > 1e-9*math.Sqrt(float64(channels)*9) {
						t.Fatalf("the transforms are not those of Winograd's algorithm: %v, want %v", exact[y][x], want)
					}
					plain += math.Pow(direct(single, y, x)-want, 2)
					winograd += math.Pow(got[y][x]-want, 2)
					size += want * want
				}
			}
		}
		ratio := math.Sqrt(winograd / plain)
		t.Logf("%d channels: plain %.2g, Winograd %.2g, ratio %.2f", channels, math.Sqrt(plain/size), math.Sqrt(winograd/size), ratio)
		limit := float64(gainWide)
		if channels < 32 {
			limit = gainNarrow
		}
		if ratio > limit || ratio < limit/2 {
			t.Errorf("%d channels: Winograd's algorithm rounds %.2f times as much as a plain sum; the gain is %v", channels, ratio, limit)
		}
	}
}

// TestOneElement: an error of one value among thousands is seen, in every head,
// where the relative L2 of the whole head would hide it.
func TestOneElement(t *testing.T) {
	b := newBench(t)
	for head := range b.ref {
		for _, size := range []float64{4, -4, 0.05} {
			c := b.answer(t, sound(), b.weights)
			c.Rows, c.Expected = nil, nil
			c.Heads[head].Data[4*len(c.Heads[head].Data)/27+3] += float32(size)
			c.Repeat = c.Heads
			refused(t, Judge(c), "largest difference")
		}
	}
	c := b.answer(t, sound(), b.weights)
	if v := Judge(c); !v.OK {
		t.Errorf("a sound engine is refused: %s", strings.Join(v.Reasons, "; "))
	}
}

// TestOddWeights: what people try first is judged like anything else.
func TestOddWeights(t *testing.T) {
	zero := newBench(t)
	clear(zero.weights.Data)
	flat := newBench(t)
	thin := newBench(t)
	for _, h := range flat.net.Heads() {
		for f := range flat.weights.Layer(h).Biases {
			// Widths that underflow to zero, or a hundredth of a pixel, and
			// objectness and classes that make each cell a box.
			switch f % 9 {
			case 2, 3:
				flat.weights.Layer(h).Biases[f], thin.weights.Layer(h).Biases[f] = -900, -7
			case 4, 5:
				flat.weights.Layer(h).Biases[f], thin.weights.Layer(h).Biases[f] = 4, 4
			}
		}
	}
	huge := newBench(t)
	for _, h := range huge.net.Heads() {
		for k := range huge.weights.Layer(h).Kernel {
			huge.weights.Layer(h).Kernel[k] *= 3000 // widths up to exp(thousands)
		}
	}
	faint := newBench(t)
	for _, h := range faint.net.Heads() {
		for k := range faint.weights.Layer(h).Kernel {
			faint.weights.Layer(h).Kernel[k] *= 0x1p-130
		}
		clear(faint.weights.Layer(h).Biases)
	}
	faint.judgeBy(t)
	flushes := sound() // an engine that takes numbers below 2⁻¹²⁶ for zero
	flushes.fault = func(_ int, out []float64) {
		for k, x := range out {
			if math.Abs(x) < 0x1p-126 {
				out[k] = 0
			}
		}
	}
	c := faint.answer(t, flushes, faint.weights)
	c.Expected = nil
	if v := Judge(c); !v.OK {
		t.Errorf("numbers that become zero: a sound engine is refused: %s", strings.Join(v.Reasons, "; "))
	}
	for name, b := range map[string]*bench{"all zero": zero, "boxes of no area": flat, "boxes thinner than a pixel": thin, "boxes of any size": huge} {
		b.judgeBy(t)
		c := b.answer(t, sound(), b.weights)
		c.Expected = nil
		if v := Judge(c); !v.OK {
			t.Errorf("%s: a sound engine is refused: %s", name, strings.Join(v.Reasons, "; "))
		}
		c.Heads[0].Data[5] += 4
		c.Rows, c.Repeat = nil, c.Heads
		refused(t, Judge(c), "head 0")
	}
}
