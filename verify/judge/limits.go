package judge

import (
	"math"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/darknet"
)

// Limit is how far one head may be from the reference: the relative L2 of all
// its values and the largest difference of any one of them.
type Limit struct {
	RelL2  float64 `json:"rel_l2"`
	MaxAbs float64 `json:"max_abs"`
}

// How much more a sound engine may round than the reference does. The noisiest
// algorithm in use is Winograd's F(6×6, 3×3) (OpenCV since 4.8:
// modules/dnn/src/layers/cpu_kernels/conv_winograd_f63.cpp): in one layer its
// rounding errors are up to gainWide times those of a plain sum over 32 input
// channels or more, and up to gainNarrow times over fewer. TestGain computes
// both. Measured over all of YOLOv3, OpenCV 4.10 is off by 2.5 times the
// reference's own noise, and 4.6, without Winograd, by 1.1.
const (
	gainWide   = 10
	gainNarrow = 17
)

// gain is what a head may be off by, in noise of the reference, if all 3×3
// layers before it used Winograd's algorithm: errors of layers are independent,
// so their squares add up.
func gain(net *darknet.Network, head int) float64 {
	count, sum := 0, 0.0
	for l := range ancestors(net, head) {
		if p := net.Layers[l].Conv; p != nil && p.Size == 3 {
			g := float64(gainWide)
			if net.Layers[l].In.C/p.Groups < 32 {
				g = gainNarrow
			}
			count++
			sum += g * g
		}
	}
	if count == 0 {
		return gainWide
	}
	return math.Sqrt(sum / float64(count))
}

// gainTF32 is the same for TF32, whose rounding is simulated in every product:
// only chance makes an engine's errors differ from the simulated ones, and an
// engine that runs some layers in float32 has smaller ones.
const gainTF32 = 2

// unit is the unit roundoff of float32.
const unit = 0x1p-24

// flushed is what sums of numbers below 2⁻¹²⁶, which some processors and most
// GPUs take for zero, can amount to (FTZ, DAZ): sixteen bits' worth of them.
const flushed = 0x1p-110

// limits are derived from the noise that the reference itself shows: the
// difference between what it computes in the precision that is judged (Noise)
// and in float64 (Reference), for each head. No noise can be expected to be
// less than one rounding in each layer, which matters where few numbers or
// none are rounded (tiny networks, weights of zero).
func limits(c Case, i int) Limit {
	ref := c.Reference[i]
	rel, abs := Distance(c.Noise[i].Data, ref.Data)
	largest := 0.0
	for _, v := range ref.Data {
		largest = math.Max(largest, math.Abs(float64(v)))
	}
	least := unit * float64(len(ancestors(c.Net, ref.Layer)))
	g := gain(c.Net, ref.Layer)
	if c.Precision == TF32 {
		g = gainTF32
	}
	l := Limit{RelL2: g * math.Max(rel, least), MaxAbs: g * math.Max(abs, least*largest)}
	if c.Precision == BF16 {
		// Its noise alone allows far more than what is of use.
		l.RelL2 = math.Min(l.RelL2, For(BF16).RelL2)
	}
	if c.Precision == INT8 {
		// The reference does not quantize: eight bits after training are judged
		// by what still finds the same objects.
		l = Limit{RelL2: For(INT8).RelL2, MaxAbs: largest}
	}
	l.MaxAbs = math.Max(l.MaxAbs, flushed)
	return l
}

// within reports whether a head is close enough.
func (l Limit) within(rel, abs float64) bool {
	return abs <= l.MaxAbs && (rel <= l.RelL2 || abs <= flushed)
}

// widened is the limit for an answer that is compared with the reference's
// float32 result, which has its own noise, for an input whose head is larger
// or smaller than the one the limit was derived for.
func (l Limit) widened(derivedFor, ref Tensor) Limit {
	scale := 1.0
	if a, b := norm(derivedFor.Data), norm(ref.Data); a > 0 {
		scale = math.Max(1, b/a)
	}
	const own = 1 + 1.0/gainWide
	return Limit{RelL2: l.RelL2 * own, MaxAbs: l.MaxAbs * own * scale}
}

func norm(data []float32) float64 {
	sum := 0.0
	for _, v := range data {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// unfit says why the reference itself cannot judge.
func (c Case) unfit() string {
	if len(c.Noise) != len(c.Reference) {
		return lang.T("the reference's own noise is not known")
	}
	for i, ref := range c.Reference {
		for _, t := range []Tensor{ref, c.Noise[i]} {
			if problem := unusable(t, ref); problem != "" {
				return lang.F("the reference cannot judge these weights: its own head %d (layer %d) %s", i, ref.Layer, problem)
			}
		}
	}
	return ""
}

// blind reports whether a head is the same for both inputs in truth, too, as
// with weights that are all zero or so small that what they give becomes zero.
func (c Case) blind(head int) bool {
	if head >= len(c.OtherReference) {
		return false
	}
	_, most := Distance(c.OtherReference[head].Data, c.Noise[head].Data)
	return most <= flushed
}

// mostSaved is how many multiplications of a 3×3 convolution Winograd's
// F(6×6, 3×3) leaves out: 324 become 64. No rate can be above the peak times
// this, where the peak was measured as the best of many tries beside the runs;
// the engine's is its fastest run, so that a busy machine does not hide a lie.
const mostSaved = 324.0 / 64

// twice is how far one value of two runs may be apart: each may be off by the
// limit.
func twice(l Limit) float64 { return 2 * l.MaxAbs }

// repeatable bounds the relative L2 of a head between two runs on one input:
// each may add up in an order of its own, and so be off by the reference's own
// noise in another direction.
func (c Case) repeatable(head int, tol Tolerance) float64 {
	noise, _ := Distance(c.Noise[head].Data, c.Reference[head].Data)
	return math.Max(tol.Repeat, 2*noise)
}

// timed judges the runs that were timed: all that is known of most of them is
// how far they are from the first.
func (v *Verdict) timed(c Case, tol Tolerance) {
	same := tol.Repeat
	for i := range c.Reference {
		same = math.Max(same, c.repeatable(i, tol))
	}
	for i, d := range c.RunDiff {
		if d < 0 {
			v.fail(lang.F("run %d of %d on the same input gave NaN or infinite values", i+1, len(c.RunDiff)))
			break
		}
		if !(d <= same) {
			v.fail(lang.F("run %d of %d on the same input differs by %.2g from the first: a race, or state left over from another run", i+1, len(c.RunDiff), d))
			break
		}
	}
	most := 0.0
	for i := range c.Reference {
		most = math.Max(most, twice(limits(c, i)))
	}
	for i, d := range c.RunMost {
		if !(d <= most) {
			v.fail(lang.F("run %d of %d on the same input differs by %.3g in one value from the first (limit %.2g): a race, or state left over from another run", i+1, len(c.RunMost), d, most))
			break
		}
	}
	for i, n := range c.RunRows {
		if n > 0 {
			v.fail(lang.F("run %d of %d on the same input gave other boxes (%d values) from the same raw heads: its own decoding is off, or has a race", i+1, len(c.RunRows), n))
			break
		}
	}
	last := byLayer(c.Last)
	for i, ref := range c.Reference {
		if len(last) == 0 {
			break
		}
		if problem := unusable(last[ref.Layer], ref); problem != "" {
			v.fail(lang.F("in the last timed run, head %d (layer %d) %s", i, ref.Layer, problem))
			continue
		}
		limit := limits(c, i)
		if rel, abs := Distance(last[ref.Layer].Data, ref.Data); !limit.within(rel, abs) {
			v.fail(lang.F("in the last timed run, head %d (layer %d) differs by %.2g (relative L2, limit %.2g; largest difference %.3g, limit %.2g)",
				i, ref.Layer, rel, limit.RelL2, abs, limit.MaxAbs))
		}
	}
	if c.Peak > 0 && c.Rate > c.Peak*mostSaved {
		v.fail(lang.F("it claims %.0f GFLOP/s; this machine cannot do more than %.0f, even with Winograd's algorithm: it did not do the work", c.Rate, c.Peak*mostSaved))
	}
}
