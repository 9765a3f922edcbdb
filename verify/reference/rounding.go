package reference

import "math"

// tiny is the least normal float32, halfTiny the least normal number of half
// precision.
const (
	tiny     = 0x1p-126
	halfTiny = 0x1p-14
)

// store rounds what an engine of these options keeps in memory between layers.
func (r *runner[T]) store(v []T) {
	if r.opts.Half {
		toHalf(v)
	}
	if r.opts.BFloat16 {
		toBFloat16(v)
	}
	if r.opts.Flush {
		below := tiny
		if r.opts.Half {
			below = halfTiny
		}
		flush(v, T(below))
	}
}

func flush[T float](v []T, below T) {
	for i, x := range v {
		if x > -below && x < below {
			v[i] = 0
		}
	}
}

// least is the smallest magnitude other than 0, +Inf where there is none.
func least[T float](v []T) float64 {
	m := T(math.Inf(1))
	for _, x := range v {
		if x < 0 {
			x = -x
		}
		if x > 0 && x < m {
			m = x
		}
	}
	return float64(m)
}

// multiplyFlushed is multiply for factors whose products can be too small to be
// normal: each product and each sum that is becomes zero.
func multiplyFlushed[T float](m, n, k int, a []T, lda int, b []T, ldb int, c []T, ldc int) {
	zero := func(x T) T {
		if x > -tiny && x < tiny {
			return 0
		}
		return x
	}
	for i := range m {
		out := c[i*ldc:][:n]
		for l, x := range a[i*lda:][:k] {
			for j, y := range b[l*ldb:][:n] {
				out[j] = zero(out[j] + zero(x*y))
			}
		}
	}
}

// roundFactors leaves 10 bits of each number's fraction.
func roundFactors[T float](v []T, how Rounding) {
	const low = 1<<13 - 1 // the bits of float32 that go
	if how == Whole {
		return
	}
	for i, x := range v {
		bits := math.Float32bits(float32(x))
		if bits&0x7f800000 == 0x7f800000 { // infinite or NaN
			continue
		}
		if how == TF32 {
			bits += (low + 1) / 2
		}
		v[i] = T(math.Float32frombits(bits &^ low))
	}
}

// toHalf rounds to the nearest number of half precision (IEEE 754 binary16: 11
// significant bits, steps of 2⁻²⁴ below 2⁻¹⁴, at most 65504), ties to even.
func toHalf[T float](v []T) {
	for i, x := range v {
		_, exp := math.Frexp(float64(x))
		step := math.Ldexp(1, max(exp-11, -24))
		r := math.RoundToEven(float64(x)/step) * step
		if math.Abs(r) > 65504 {
			r = math.Inf(int(math.Copysign(1, r)))
		}
		v[i] = T(r)
	}
}

// toBFloat16 rounds to the nearest number of bfloat16: the upper half of a float32,
// ties to even.
func toBFloat16[T float](v []T) {
	for i, x := range v {
		bits := math.Float32bits(float32(x))
		if bits&0x7f800000 == 0x7f800000 { // infinite or NaN
			continue
		}
		bits += 0x7fff + bits>>16&1
		v[i] = T(math.Float32frombits(bits &^ 0xffff))
	}
}
