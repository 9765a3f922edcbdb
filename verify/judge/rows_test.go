package judge

import (
	"math"
	"testing"

	"github.com/deployctl/deployctl/verify/detect"
)

// TestSameSize: exp(t) overflows float32 where t is 88.7, which an engine's
// formula may reach a little before or after ours. Nothing else is infinite.
func TestSameSize(t *testing.T) {
	inf := math.Inf(1)
	const limit = 5e-3
	for _, c := range []struct {
		anchor  float64
		e, r    float64
		allowed bool
	}{
		{10, inf, inf, true},
		{10, inf, math.MaxFloat32, true},
		{10, inf, math.MaxFloat32 / 416 * 1.01, true}, // exp(t) overflows
		{10, math.MaxFloat32, inf, true},
		{10, 1e30, 1.001e30, true},
		{10, 1e30, 1.01e30, false},
		{10, inf, 1e30, false},
		{10, 1e30, inf, false},
		{10, inf, 1, false},
		{10, 0, inf, false},
		{0.5, inf, math.MaxFloat32 / 416 / 1.9, true},
		{10, math.NaN(), inf, false},
		{10, inf, math.NaN(), false},
	} {
		if got := sameSize(c.e, c.r, limit, overflows(c.anchor, 416)); got != c.allowed {
			t.Errorf("anchor %v: %g and %g: %v", c.anchor, c.e, c.r, got)
		}
	}
}

// TestMoves: boxes may be apart by what the limits of the heads permit, and by
// no more.
func TestMoves(t *testing.T) {
	b := newBench(t)
	tol := For(FP32)
	box := detect.Box{Score: 0.9, X: 0.1, Y: 0.1, W: 1e20, H: 1e3}
	grown := box
	grown.W *= math.Exp(0.1)
	grown.X -= (grown.W - box.W) / 2
	endless := box
	endless.W = math.MaxFloat32 / 1.05
	lower := box
	lower.Score -= 0.04
	for _, c := range []struct {
		name     string
		limit    float64
		box, has detect.Box
		matched  bool
	}{
		{"usual limits, a wider box", 1e-4, box, grown, false},
		{"wide limits, a wider box", 0.1, box, grown, true},
		{"limits that are not wide enough", 0.05, box, grown, false},
		{"usual limits, an endless box", 1e-4, endless, detect.Box{}, false},
		{"wide limits, one that may be endless", 0.1, endless, detect.Box{}, true},
		{"usual limits, another score", 1e-4, box, lower, false},
		{"wide limits, another score", 0.1, box, lower, true},
	} {
		v := Verdict{Limits: []Limit{{MaxAbs: c.limit}}}
		m := v.moves(Case{Net: b.net, Precision: FP32}, tol)
		if got := len(m.unmatched([]detect.Box{c.box}, []detect.Box{c.has})) == 0; got != c.matched {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	v := Verdict{Limits: []Limit{{MaxAbs: 0.1}}}
	if m := v.moves(Case{Net: b.net, Precision: INT8}, For(INT8)); m.grow != 0 || m.score != For(INT8).Score {
		t.Errorf("8 bits: %+v", m)
	}
}

// TestSuppressed: where [yolo] has an nms_threshold, a box that a stronger one
// overlaps may be gone from the engine's own decoding, no other.
func TestSuppressed(t *testing.T) {
	rows := detect.Rows{Classes: 2, Data: []float32{
		0.5, 0.5, 0.2, 0.2, 1, 0.9, 0.1,
		0.51, 0.5, 0.2, 0.2, 1, 0.8, 0.7,
		0.9, 0.5, 0.1, 0.1, 1, 0.6, 0.1,
	}}
	half, none := 0.45, 0.0
	for _, c := range []struct {
		row, class int
		limit      *float64
		want       bool
	}{
		{1, 0, &half, true},
		{1, 0, nil, false},
		{1, 0, &none, false},
		{0, 0, &half, false}, // the stronger of the two
		{1, 1, &half, false}, // the other is of another class
		{2, 0, &half, false}, // overlaps nothing
	} {
		if got := suppressed(rows, c.row, c.class, c.limit, For(FP32)); got != c.want {
			t.Errorf("row %d, class %d: %v", c.row, c.class, got)
		}
	}
}

// TestLaterDecoding: a wrong decoding is found in every pass, and in a run that
// is kept nowhere.
func TestLaterDecoding(t *testing.T) {
	b := newBench(t)
	for when, rows := range map[string]func(*Case) *[]Tensor{
		"for another input, layer":                       func(c *Case) *[]Tensor { return &c.OtherRows },
		"in the last timed run, layer":                   func(c *Case) *[]Tensor { return &c.LastRows },
		"when the first input is given again, layer":     func(c *Case) *[]Tensor { return &c.RepeatRows },
		"run 2 of 3 on the same input gave other boxes ": nil,
	} {
		c := b.answer(t, sound(), b.weights)
		c.OtherRows, c.LastRows, c.RepeatRows = decode(t, b.net, c.Other), decode(t, b.net, c.Last), decode(t, b.net, c.Repeat)
		c.RunRows = []int{0, 0, 0}
		if v := Judge(c); !v.OK {
			t.Fatalf("a sound engine is refused: %v", v.Reasons)
		}
		if rows == nil {
			c.RunRows[1] = 1
		} else {
			(*rows(&c))[0].Data[4] += 0.1
		}
		refused(t, Judge(c), when)
	}
}

// TestOwnDecoding: the rows are judged by the engine's own heads, so that a head
// that is off by what its limit permits does not make them wrong; infinite
// widths that are not so are.
func TestOwnDecoding(t *testing.T) {
	b := newBench(t)
	for _, h := range b.net.Heads() {
		for k := range b.weights.Layer(h).Kernel {
			b.weights.Layer(h).Kernel[k] *= 3000
		}
	}
	b.judgeBy(t)
	c := b.answer(t, sound(), b.weights)
	c.Expected = nil
	if v := Judge(c); !v.OK {
		t.Fatalf("a sound engine is refused: %v", v.Reasons)
	}
	infinite, finite := 0, 0
	for _, rows := range c.Rows {
		width := rows.Shape[1]
		for i := 2; i < len(rows.Data); i += width {
			old := rows.Data[i]
			switch {
			case math.IsInf(float64(old), 1):
				infinite++
				rows.Data[i] = 1e10
			case old > 1e-3:
				finite++
				rows.Data[i] = float32(math.Inf(1))
			default:
				continue
			}
			if infinite+finite < 20 {
				refused(t, Judge(c), "decoding is off in size")
			}
			rows.Data[i] = old
		}
	}
	if infinite == 0 || finite == 0 {
		t.Errorf("%d infinite widths, %d others: the test shows nothing", infinite, finite)
	}
}
