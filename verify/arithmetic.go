package verify

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/judge"
	"github.com/deployctl/deployctl/verify/reference"
)

// usual says what the limits of a precision are derived for, where the hardware
// does nothing out of the ordinary.
func usual(p judge.Precision) string {
	switch p {
	case judge.FP16:
		return lang.T("half precision, whose limits are derived by rounding the input, the weights and every layer of the reference to 11 bits")
	case judge.BF16:
		return lang.T("bfloat16, whose limits are derived by rounding the input, the weights and every layer of the reference to 8 bits, and are no wider than those of half precision")
	case judge.INT8:
		return lang.T("8 bits, whose limits are those that still find the same objects")
	}
	return "float32"
}

// arithmetic is a sound way to compute that some hardware has and that is
// further from the reference than rounding alone explains. Its limits are
// derived as the others are: by simulating it in the reference.
type arithmetic struct {
	precision judge.Precision
	opts      reference.Options
	// biased: its errors have a direction, so they are measured from what the
	// simulation gives, not from the exact result.
	biased bool
	text   string
}

// arithmetics are those that a target's hardware may have.
func arithmetics(target string, a engine.Answer) []arithmetic {
	if judge.PrecisionOf(target) == judge.BF16 {
		return nil
	}
	tf32 := lang.T("TF32: this GPU (compute capability 8.0 or newer) may multiply float32 numbers by 11 of their 24 bits, unless NVIDIA_TF32_OVERRIDE=0 is set; the limits are derived by simulating that in the reference")
	if judge.PrecisionOf(target) == judge.FP16 {
		return []arithmetic{{judge.FP16, reference.Options{Half: true, Flush: true}, false,
			lang.T("half precision on hardware that treats numbers below 2⁻¹⁴ as zero; the limits are derived by simulating that in the reference")}}
	}
	list := []arithmetic{{judge.FP32, reference.Options{Flush: true}, false,
		lang.T("float32 on hardware that treats numbers below 2⁻¹²⁶ as zero (FTZ, DAZ), and this network has some; the limits are derived by simulating that in the reference")}}
	switch a.BatchNorm {
	case engine.VariancePlus1e5:
		list = append(list, arithmetic{judge.FP32, reference.Options{Epsilon: &reference.ForkEpsilon}, true,
			lang.T("float32 with 1e-5 added to the variance in batch normalization, as this Darknet does, where others add 1e-6; the limits are derived by doing the same in the reference")})
	case engine.DeviationPlus1e6:
		list = append(list, arithmetic{judge.FP32, reference.Options{Epsilon: &reference.DarknetEpsilon}, true,
			lang.T("float32 with 1e-6 added to the standard deviation in batch normalization, as this Darknet does, where others add it to the variance; the limits are derived by doing the same in the reference")})
	}
	if target == "cuda" && ampere(a.Device) {
		list = append(list,
			arithmetic{judge.TF32, reference.Options{Products: reference.TF32}, false, tf32},
			arithmetic{judge.TF32, reference.Options{Products: reference.TF32Cut}, true, tf32})
	}
	return list
}

// ampere reports whether a GPU has tensor cores that multiply TF32: compute
// capability 8.0 and newer (NVIDIA, CUDA C++ Programming Guide, "Arithmetic
// Instructions" and "Compute Capability 8.x"), and that its use is not switched
// off.
func ampere(d *engine.Device) bool {
	return d != nil && d.CUDA != nil && slices.ContainsFunc(d.CUDA.Capabilities, func(c string) bool {
		major, _, _ := strings.Cut(c, ".")
		n, err := strconv.Atoi(major)
		return err == nil && n >= 8
	})
}

// concede judges an answer that is outside the usual limits once more, by those
// of each arithmetic that the hardware may have. Each costs a run of the
// reference, so this is for answers that are not accepted otherwise. What is
// simulated and changes nothing in this network explains nothing.
func (o *oracle) concede(ctx context.Context, input []float32, target string, answer engine.Answer, c judge.Case, v judge.Verdict, text *string) (judge.Case, judge.Verdict, error) {
	for _, r := range v.RelL2 {
		if math.IsInf(r, 0) || math.IsNaN(r) {
			return c, v, nil
		}
	}
	if len(v.RelL2) == 0 {
		return c, v, nil
	}
	nearest := c.Noise
	for _, a := range arithmetics(target, answer) {
		t, err := o.run(ctx, input, a.opts)
		if err != nil {
			return c, v, err
		}
		if equal(t.heads, c.Noise) {
			continue
		}
		other := c
		other.Precision, other.Noise = a.precision, t.heads
		if a.biased {
			second, err := o.run(ctx, o.second, a.opts)
			if err != nil {
				return c, v, err
			}
			other.Reference, other.OtherReference = t.heads, second.heads
			other.Noise = shifted(t.heads, nearest, c.Reference)
		}
		nearest = t.heads
		if w := judge.Judge(other); w.OK {
			*text = a.text
			return other, w, nil
		}
	}
	return c, v, nil
}

func equal(a, b []judge.Tensor) bool {
	return slices.EqualFunc(a, b, func(x, y judge.Tensor) bool { return slices.Equal(x.Data, y.Data) })
}

// shifted is center with the errors that noise has against exact.
func shifted(center, noise, exact []judge.Tensor) []judge.Tensor {
	out := slices.Clone(center)
	for i := range out {
		out[i].Data = slices.Clone(center[i].Data)
		for k := range out[i].Data {
			out[i].Data[k] += noise[i].Data[k] - exact[i].Data[k]
		}
	}
	return out
}
