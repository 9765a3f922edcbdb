// Package judge owns the comparison of an engine's answer with the reference:
// which differences are tolerable at a precision, and what a pattern of
// intolerable ones most likely means. It works on numbers in memory; it must
// never run an engine, read a file or decide what to do about a verdict.
package judge

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/detect"
)

// Precision is the arithmetic an engine was asked to use.
type Precision string

// The precisions judged.
const (
	FP32 Precision = "fp32"
	// TF32 is float32 whose products have factors of 11 significant bits.
	TF32 Precision = "tf32"
	FP16 Precision = "fp16"
	// BF16 has float32's range and 8 significant bits.
	BF16 Precision = "bf16"
	INT8 Precision = "int8"
)

// Tolerance is how far an engine may be from the reference.
type Tolerance struct {
	// RelL2 bounds the decoded rows and how near a suspect must be. The heads
	// themselves have limits of their own (Limit).
	RelL2 float64
	// IoU is the least overlap of a box with its counterpart, Score the largest
	// difference of their scores.
	IoU, Score float64
	// Repeat bounds the relative L2 between two runs on one input: parallel
	// sums may be added in another order.
	Repeat float64
}

// For returns the tolerance of a precision.
//
// FP32: sound float32 engines differ from the reference by 1e-6 to 1e-4
// (summation order, Winograd); 1e-3 is the design's bar. FP16: half precision
// has 11 bits, so each layer rounds by up to 5e-4 and a hundred layers add up
// to about 1e-2; OpenCV's own tests allow 0.006 to 0.04 in scores and 0.03 to
// 0.042 in IoU (modules/dnn/test/test_darknet_importer.cpp). TF32 has as many
// bits in its products. BF16 has fewer, and must reach the same. INT8: eight bits,
// post-training; the least that still finds the same objects.
func For(p Precision) Tolerance {
	switch p {
	case FP16, TF32, BF16:
		return Tolerance{RelL2: 2e-2, IoU: 0.95, Score: 0.03, Repeat: 1e-3}
	case INT8:
		return Tolerance{RelL2: 2e-1, IoU: 0.80, Score: 0.15, Repeat: 1e-3}
	}
	return Tolerance{RelL2: 1e-3, IoU: 0.99, Score: 0.005, Repeat: 1e-5}
}

// PrecisionOf is the precision that a target name stands for.
func PrecisionOf(target string) Precision {
	switch {
	case strings.Contains(target, "bf16"):
		return BF16
	case strings.Contains(target, "fp16") || strings.Contains(target, "half"):
		return FP16
	case strings.Contains(target, "int8"):
		return INT8
	}
	return FP32
}

// Tensor is one raw head or one set of rows.
type Tensor struct {
	Layer int
	// Shape is [1, C, H, W] or [C, H, W] for a head, [N, 5+classes] for rows.
	Shape []int
	Data  []float32
}

// Case is everything that is judged together.
type Case struct {
	Net       *darknet.Network
	Precision Precision
	// Reference are the reference's raw heads of the first input, computed in
	// float64, in the order of Net.Heads(); Noise are the same in the precision
	// that is judged. What differs between the two is what rounding alone does.
	Reference, Noise []Tensor
	// Heads are the engine's for the same input, Rows its own decoding (empty
	// when it has none), Other its heads for a different input (empty when none
	// was run), Repeat its heads for the first input, run again.
	Heads, Rows, Other, Repeat []Tensor
	// OtherReference are the reference's heads for the other input, in float32.
	// Last are the engine's of the last timed run of the first input, and
	// RunDiff says of every run how far its heads are from the first run's, -1
	// where they are not finite.
	OtherReference, Last []Tensor
	RunDiff              []float64
	// RunMost is the largest difference of any one value from the first run, and
	// RunRows the number of decoded values that differ from the first run's though
	// the heads do not.
	RunMost []float64
	RunRows []int
	// OtherRows, RepeatRows and LastRows are the engine's own decoding of Other,
	// Repeat and Last.
	OtherRows, RepeatRows, LastRows []Tensor
	// Rate and Peak are the engine's GFLOP/s in its fastest run and the processor's,
	// 0 where one is not known.
	Rate, Peak float64
	// OtherSwapped: the other input is the first with red and blue exchanged.
	OtherSwapped bool
	// Asked and Ran are backend/target as asked for and as executed.
	Asked, Ran string
	// Expected are boxes that must be found (fractions of the input), when the
	// picture's content is known.
	Expected []detect.Box
}

// Verdict is the judgement of one engine.
type Verdict struct {
	OK bool
	// Reasons say in plain sentences what is wrong, the likely cause first.
	Reasons []string
	// RelL2 and MaxAbs are by head, in the order of the reference; +Inf where
	// there was nothing to compare.
	RelL2, MaxAbs []float64
	// Limits are what was applied to them.
	Limits []Limit
	// Boxes are what the engine's raw heads mean: score at least detect.Show,
	// thinned, fractions of the network's input.
	Boxes []detect.Box
	// AllHeadsOff: every head differs, so that the cause is early or in the
	// input and Suspects may name it.
	AllHeadsOff bool
}

func (v *Verdict) fail(reason string) {
	v.OK = false
	v.Reasons = append(v.Reasons, reason)
}

// Judge compares. It never fails: what cannot be compared is a reason.
func Judge(c Case) Verdict {
	v := Verdict{OK: true}
	tol := For(c.Precision)

	if c.Asked != "" && c.Asked != c.Ran {
		v.fail(lang.F("it was asked to run on %s and ran on %s", c.Asked, c.Ran))
	}

	engine := byLayer(c.Heads)
	if problem := c.unfit(); problem != "" {
		v.fail(problem)
		return v
	}
	off := make([]bool, len(c.Reference))
	comparable := true
	var bad []string
	for i, ref := range c.Reference {
		rel, abs := math.Inf(1), math.Inf(1)
		limit := limits(c, i)
		v.Limits = append(v.Limits, limit)
		got, ok := engine[ref.Layer]
		switch problem := unusable(got, ref); {
		case !ok:
			v.fail(lang.F("head %d (layer %d) is missing", i, ref.Layer))
			comparable = false
		case problem != "":
			v.fail(lang.F("head %d (layer %d) %s", i, ref.Layer, problem))
			comparable = false
		default:
			rel, abs = Distance(got.Data, ref.Data)
			if !limit.within(rel, abs) {
				off[i] = true
				bad = append(bad, lang.F("head %d (layer %d) differs by %.2g (relative L2, limit %.2g; largest difference %.3g, limit %.2g)",
					i, ref.Layer, rel, limit.RelL2, abs, limit.MaxAbs))
			}
		}
		v.RelL2, v.MaxAbs = append(v.RelL2, rel), append(v.MaxAbs, abs)
	}
	if len(bad) > 0 {
		v.AllHeadsOff = comparable && len(bad) == len(c.Reference)
		if cause := cause(c, engine, off); cause != "" {
			v.fail(cause)
		}
		for _, b := range bad {
			v.fail(b)
		}
	}
	if comparable {
		v.precision(c, engine)
		v.boxes(c, engine, tol)
		v.again(c, engine, tol)
	}
	v.rows(c, engine, tol, off, comparable)
	return v
}

// unusable says why a head cannot be compared at all.
func unusable(got, ref Tensor) string {
	if got.Data == nil {
		return lang.T("is empty")
	}
	if !sameShape(got.Shape, ref.Shape) || len(got.Data) != len(ref.Data) {
		if len(got.Data) == len(ref.Data) && sameShape(got.Shape, permuted(ref.Shape, 1, 2, 0)) {
			return lang.F("has the shape %v instead of %v: channels come last", got.Shape, ref.Shape)
		}
		return lang.F("has the shape %v instead of %v", got.Shape, ref.Shape)
	}
	nan, inf := 0, 0
	for _, x := range got.Data {
		switch f := float64(x); {
		case math.IsNaN(f):
			nan++
		case math.IsInf(f, 0):
			inf++
		}
	}
	if nan+inf > 0 {
		return lang.F("holds %d NaN and %d infinite of %d values: an overflow or uninitialized memory in a layer before it", nan, inf, len(got.Data))
	}
	return ""
}

// sameShape ignores leading ones: an engine may or may not show the batch.
func sameShape(a, b []int) bool {
	a, b = trim(a), trim(b)
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func trim(s []int) []int {
	for len(s) > 3 && s[0] == 1 {
		s = s[1:]
	}
	return s
}

func permuted(s []int, order ...int) []int {
	s = trim(s)
	if len(s) != len(order) {
		return nil
	}
	out := make([]int, len(s))
	for i, o := range order {
		out[i] = s[o]
	}
	return out
}

// Distance is ‖a − b‖ / ‖b‖ and the largest |a − b|. Two zero vectors are 0
// apart; anything is infinitely far from a zero b.
func Distance(a, b []float32) (relL2, maxAbs float64) {
	if len(a) != len(b) {
		return math.Inf(1), math.Inf(1)
	}
	var diff, norm float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		diff += d * d
		norm += float64(b[i]) * float64(b[i])
		maxAbs = math.Max(maxAbs, math.Abs(d))
	}
	switch {
	case math.IsNaN(diff):
		return math.Inf(1), math.Inf(1)
	case diff == 0:
		return 0, 0
	case norm == 0:
		return math.Inf(1), maxAbs
	}
	return math.Sqrt(diff / norm), maxAbs
}

// cause guesses from the pattern. It is told only heads that could be compared
// and of which at least one is off.
func cause(c Case, engine map[int]Tensor, off []bool) string {
	const same = 1e-2 // a hypothesis must fit far better than chance
	count := 0
	for _, o := range off {
		if o {
			count++
		}
	}
	fits := func(limit float64, distance func(got, ref Tensor) float64) bool {
		for i, ref := range c.Reference {
			if off[i] && !(distance(engine[ref.Layer], ref) < limit) {
				return false
			}
		}
		return true
	}
	if fits(math.Inf(1), func(got, _ Tensor) float64 {
		if constant(got.Data) {
			return 0
		}
		return math.Inf(1)
	}) {
		return lang.T("its output is one and the same value everywhere: the network did not run")
	}
	if fits(same, func(got, ref Tensor) float64 { d, _ := Distance(got.Data, transpose(ref)); return d }) {
		return lang.T("its output is the reference's with height and width exchanged")
	}
	if fits(same, func(got, ref Tensor) float64 { d, _ := Distance(got.Data, channelsLast(ref)); return d }) {
		return lang.T("its output is the reference's with channels last, though the shape says otherwise")
	}
	if c.OtherSwapped && count == len(off) {
		other := byLayer(c.Other)
		swapped := true
		for _, ref := range c.Reference {
			d, _ := Distance(other[ref.Layer].Data, ref.Data)
			swapped = swapped && d < same
		}
		if swapped {
			return lang.T("red and blue are exchanged in its input: it reads BGR where RGB is given")
		}
	}
	if ratio, ok := ratio(c, engine, off); ok {
		return lang.F("its output is the reference's times %.4g: a scale is missing or applied twice", ratio)
	}
	switch {
	case count == len(off):
		if c.Precision == FP32 && fits(2e-2, func(got, ref Tensor) float64 { d, _ := Distance(got.Data, ref.Data); return d }) {
			return lang.T("all heads are off a little: reduced precision (half, TF32, quantized), another batch-norm epsilon, or slightly different weights")
		}
		if c.Precision == BF16 && fits(1, func(got, ref Tensor) float64 {
			d, _ := Distance(got.Data, ref.Data)
			noise, _ := Distance(byLayer(c.Noise)[ref.Layer].Data, ref.Data)
			return d / (gain(c.Net, ref.Layer) * noise)
		}) {
			return lang.T("all heads are off by no more than bfloat16 rounds, which is too much for this network")
		}
		return lang.T("all heads are off: the input (scale, color order, layout) or a layer that all of them share")
	case count == 1:
		for i := range off {
			if off[i] {
				return lang.F("only head %d is off: the layers %s alone feed it", i, privateLayers(c.Net, c.Reference[i].Layer, others(c.Reference, i)))
			}
		}
	case !off[0]:
		return lang.T("the coarsest head is right and the finer ones are off: upsampling or the route that joins it")
	}
	return lang.T("some heads are right: the fault lies behind the layers they share")
}

func others(ref []Tensor, not int) []int {
	var list []int
	for i, r := range ref {
		if i != not {
			list = append(list, r.Layer)
		}
	}
	return list
}

// privateLayers names the layers that a head depends on and the other heads do
// not: a, b–c.
func privateLayers(net *darknet.Network, head int, others []int) string {
	mine := ancestors(net, head)
	for _, o := range others {
		for l := range ancestors(net, o) {
			delete(mine, l)
		}
	}
	var list []int
	for l := range mine {
		list = append(list, l)
	}
	sort.Ints(list)
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprint(list[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d–%d", list[i], list[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

func ancestors(net *darknet.Network, layer int) map[int]bool {
	seen := map[int]bool{}
	todo := []int{layer}
	for len(todo) > 0 {
		l := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if l < 0 || l >= len(net.Layers) || seen[l] {
			continue
		}
		seen[l] = true
		todo = append(todo, net.Layers[l].Inputs...)
	}
	return seen
}

func constant(data []float32) bool {
	for _, x := range data {
		if x != data[0] {
			return false
		}
	}
	return len(data) > 1
}

// ratio looks for one factor that explains all heads that are off.
func ratio(c Case, engine map[int]Tensor, off []bool) (float64, bool) {
	var er, rr, ee float64
	for i, ref := range c.Reference {
		if !off[i] {
			continue
		}
		for k, r := range ref.Data {
			e := float64(engine[ref.Layer].Data[k])
			er += e * float64(r)
			rr += float64(r) * float64(r)
			ee += e * e
		}
	}
	if rr == 0 || ee == 0 {
		return 0, false
	}
	factor := er / rr
	rest := 1 - er*er/(ee*rr) // sin² of the angle between the two
	return factor, rest < 1e-5 && math.Abs(factor-1) > 3e-3
}

func transpose(t Tensor) []float32 {
	s := trim(t.Shape)
	if len(s) != 3 {
		return nil
	}
	out := make([]float32, len(t.Data))
	for ch := range s[0] {
		for y := range s[1] {
			for x := range s[2] {
				out[(ch*s[2]+x)*s[1]+y] = t.Data[(ch*s[1]+y)*s[2]+x]
			}
		}
	}
	return out
}

func channelsLast(t Tensor) []float32 {
	s := trim(t.Shape)
	if len(s) != 3 {
		return nil
	}
	plane := s[1] * s[2]
	out := make([]float32, len(t.Data))
	for ch := range s[0] {
		for p := range plane {
			out[p*s[0]+ch] = t.Data[ch*plane+p]
		}
	}
	return out
}

func byLayer(list []Tensor) map[int]Tensor {
	m := map[int]Tensor{}
	for _, t := range list {
		m[t.Layer] = t
	}
	return m
}

// precision notices an FP32 run whose results have only half the bits. That
// alone moves a head by less than the FP32 limit and would pass.
func (v *Verdict) precision(c Case, engine map[int]Tensor) {
	if c.Precision != FP32 && c.Precision != TF32 { // TF32 adds up in float32
		return
	}
	for _, p := range []struct {
		name string
		low  uint32 // mantissa bits that this precision does not have
	}{{"bfloat16", 1<<16 - 1}, {"half precision", 1<<13 - 1}} {
		// Half numbers below 2⁻¹⁴ have fewer bits still, so this holds for them.
		coarse := func(x float32) bool { return math.Float32bits(x)&p.low == 0 }
		fits, count := 0, 0
		for i, ref := range c.Reference {
			for k, x := range engine[ref.Layer].Data {
				// Values that are so in truth, as all are that zero weights give,
				// show nothing, nor do those that may become zero.
				if coarse(c.Noise[i].Data[k]) || math.Abs(float64(c.Noise[i].Data[k])) <= flushed {
					continue
				}
				count++
				if coarse(x) {
					fits++
				}
			}
		}
		if count > 0 && float64(fits) > 0.999*float64(count) {
			v.fail(lang.F("float32 was asked for, but every value of its output fits in %s", lang.T(p.name)))
			return
		}
	}
}

// boxes compares what the heads mean. A box of one side must have a
// counterpart among the other's candidates, not among what was left after
// thinning: which of two nearly equal boxes survives may differ for no fault.
// What the limits of the heads permit moves boxes, which matters where the raw
// numbers are so large that float32 leaves few bits behind the point.
func (v *Verdict) boxes(c Case, engine map[int]Tensor, tol Tolerance) {
	heads := c.Net.Heads()
	yolos := c.Net.Yolos()
	m := v.moves(c, tol)
	wide := detect.Compare - m.score
	suppress := detect.Overlap(c.Net)
	var mineAll, theirsAll []detect.Box
	for i, ref := range c.Reference {
		if i >= len(heads) || heads[i] != ref.Layer {
			v.fail(lang.T("the reference's heads are not those of the network"))
			return
		}
		mine, err := detect.Scan(c.Net, yolos[i], ref.Data, wide)
		if err != nil {
			v.fail(err.Error())
			return
		}
		theirs, err := detect.Scan(c.Net, yolos[i], engine[ref.Layer].Data, wide)
		if err != nil {
			v.fail(err.Error())
			return
		}
		mineAll, theirsAll = append(mineAll, mine...), append(theirsAll, theirs...)
	}
	v.Boxes = detect.Thin(strongest(above(theirsAll, detect.Show), 1000), suppress)
	// Of thousands of boxes (damaged or foreign weights) nothing new is learnt.
	const enough = 3000
	if len(mineAll) > enough || len(theirsAll) > enough {
		if min(len(mineAll), len(theirsAll)) < enough/2 {
			v.fail(lang.F("it finds %d candidate boxes where the reference finds %d", len(theirsAll), len(mineAll)))
		}
		return
	}
	lost := m.unmatched(above(detect.Thin(mineAll, suppress), detect.Compare), theirsAll)
	extra := m.unmatched(above(detect.Thin(theirsAll, suppress), detect.Compare), mineAll)
	if len(lost) > 0 {
		v.fail(lang.F("%d of the reference's boxes are not found, the first: class %d, score %.3f", len(lost), lost[0].Class, lost[0].Score))
	}
	if len(extra) > 0 {
		v.fail(lang.F("%d boxes are found that the reference does not have, the first: class %d, score %.3f", len(extra), extra[0].Class, extra[0].Score))
	}
	for _, e := range c.Expected {
		if len(moves{iou: 0.9, score: 0.05, edge: 0.1 * pixel(c.Net), vast: math.Inf(1)}.unmatched([]detect.Box{e}, v.Boxes)) > 0 {
			v.fail(lang.F("an object that is in the picture is not found: class %d at %.2f, %.2f", e.Class, e.X+e.W/2, e.Y+e.H/2))
		}
	}
	if c.Expected != nil && len(v.Boxes) > len(c.Expected) {
		v.fail(lang.F("%d boxes are found in a picture of %d objects", len(v.Boxes), len(c.Expected)))
	}
}

// strongest bounds the work of thinning where weights mean nothing and every
// cell is a box.
func strongest(list []detect.Box, n int) []detect.Box {
	detect.Sort(list)
	return list[:min(n, len(list))]
}

func above(list []detect.Box, score float64) []detect.Box {
	var out []detect.Box
	for _, b := range list {
		if b.Score >= score {
			out = append(out, b)
		}
	}
	return out
}

// again checks that the engine looks at its input, and sees the same twice.
func (v *Verdict) again(c Case, engine map[int]Tensor, tol Tolerance) {
	if len(c.Other) > 0 {
		other := byLayer(c.Other)
		for i, ref := range c.Reference {
			if problem := unusable(other[ref.Layer], ref); problem != "" {
				v.fail(lang.F("for another input, head %d (layer %d) %s", i, ref.Layer, problem))
				continue
			}
			d, _ := Distance(other[ref.Layer].Data, engine[ref.Layer].Data)
			if d == 0 {
				if !c.blind(i) {
					v.fail(lang.F("head %d (layer %d) is the same for two different inputs: a stale output, or the input is not read", i, ref.Layer))
				}
			}
			if i >= len(c.OtherReference) {
				continue
			}
			limit := limits(c, i).widened(ref, c.OtherReference[i])
			if rel, abs := Distance(other[ref.Layer].Data, c.OtherReference[i].Data); !limit.within(rel, abs) {
				v.fail(lang.F("for another input, head %d (layer %d) differs by %.2g (relative L2, limit %.2g; largest difference %.3g, limit %.2g)",
					i, ref.Layer, rel, limit.RelL2, abs, limit.MaxAbs))
			}
		}
	}
	v.timed(c, tol)
	if len(c.Repeat) > 0 {
		repeat := byLayer(c.Repeat)
		for i, ref := range c.Reference {
			d, most := Distance(repeat[ref.Layer].Data, engine[ref.Layer].Data)
			if !(d <= c.repeatable(i, tol)) || !(most <= twice(limits(c, i))) {
				v.fail(lang.F("head %d (layer %d) differs by %.2g (one value by %.3g) between two runs on one input: a race, or state left over from another run", i, ref.Layer, d, most))
			}
		}
	}
}

// Suspect is a known mistake together with the raw heads it would give.
type Suspect struct {
	Text  string
	Heads []Tensor
}

// Identify puts a suspect's text first when its heads are the engine's. It is
// for verdicts with AllHeadsOff: computing suspects costs a reference run each.
func Identify(v *Verdict, c Case, suspects []Suspect) bool {
	tol := For(c.Precision)
	engine := byLayer(c.Heads)
	for _, s := range suspects {
		match := len(s.Heads) > 0
		for _, h := range s.Heads {
			d, _ := Distance(engine[h.Layer].Data, h.Data)
			match = match && d <= tol.RelL2
		}
		if match {
			v.Reasons = append([]string{s.Text}, v.Reasons...)
			return true
		}
	}
	return false
}
