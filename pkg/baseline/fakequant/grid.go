package fakequant

import "math"

// Row rounds x in place to its own asymmetric grid of bits bits, 1 ≤ bits ≤ 16, whose range includes 0.
// A row of zeros stays as it is. NaN and infinities give NaN.
//
// Error: half a step, or up to one step at the clamped ends, where z was rounded against the range.
func Row(x []float32, bits int) { Part(x, bits, 1) }

// Part is Row over the part ratio of the row's range, 0 < ratio ≤ 1: lo and hi are multiplied by it, and what lies beyond
// saturates.
func Part(x []float32, bits int, ratio float64) {
	if len(x) == 0 {
		return
	}
	lo, hi := extremes(x)
	Range(x, bits, ratio*float64(min(lo, 0)), ratio*float64(max(hi, 0)))
}

// Range rounds x in place to the grid of bits bits over lo ≤ 0 ≤ hi; values beyond it saturate. An empty range leaves x as
// it is.
func Range(x []float32, bits int, lo, hi float64) {
	r := hi - lo
	if r == 0 {
		return
	}
	// Products of a float32 and the number of levels are exact in float64 and the quotient is rounded once,
	// so halves are seen as halves.
	levels := float64(int(1)<<bits - 1)
	s := r / levels
	z := roundHalf(-lo * levels / r)
	for i, v := range x {
		code := z + roundHalf(float64(v)*levels/r)
		if code < 0 {
			code = 0
		}
		if code > levels {
			code = levels
		}
		x[i] = float32((code - z) * s)
	}
}

// extremes returns the least and the largest value of x, at least one; NaN if any is NaN.
// Comparisons are several times as fast as the builtin min and max, which order zeros and NaN too.
func extremes(x []float32) (lo, hi float32) {
	lo, hi = x[0], x[0]
	for _, v := range x {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
		if v != v {
			return v, v
		}
	}
	return lo, hi
}

// roundHalf rounds to the nearest integer, halves away from zero, for |v| < 2^31.
func roundHalf(v float64) float64 {
	// Conversion truncates. Without a branch on the sign, which no predictor knows.
	return float64(int64(v + math.Copysign(0.5, v)))
}

// Symmetric rounds x in place to the grid ±(2^(bits−1) − 1) steps of max|x|/(2^(bits−1) − 1).
func Symmetric(x []float32, bits int) {
	var top float32
	for _, v := range x {
		top = max(top, v, -v)
	}
	if top == 0 {
		return
	}
	n := float64(int(1)<<(bits-1) - 1)
	for i, v := range x {
		x[i] = float32(roundHalf(float64(v)*n/float64(top)) * (float64(top) / n))
	}
}

// Distances replaces the scores x by the values of their bits-wide distances to the row maximum, ≤ 0,
// after clipping at clip natural units (0: no clip), and returns the step of the distances.
func Distances(x []float32, bits int, clip float32) (step float32) {
	if len(x) == 0 {
		return 0
	}
	lo, hi := extremes(x)
	r := hi - lo
	if clip > 0 {
		r = min(r, clip)
	}
	if r == 0 {
		clear(x)
		return 0
	}
	levels := float64(int(1)<<bits - 1)
	step, inv := float32(float64(r)/levels), float32(levels/float64(r))
	for i, v := range x {
		d := hi - v
		if d > r {
			d = r
		}
		x[i] = float32(int32(d*inv+0.5)) * -step // d ≥ 0: adding a half and truncating rounds
	}
	return step
}

// Exp is e^x as DI-Exp has it, x ≤ 0: 2^−q·(1 − f/2) with q + f = −x·1.4375, q whole and 0 ≤ f < 1.
func Exp(x float32) float32 { return chord(-x, 1.4375, 0) }

// ExpPlus is e^x as DI-Exp+ has it, x ≤ 0: log2 e instead of 1.4375, and the parabola 11/64·f(1 − f) subtracted.
func ExpPlus(x float32) float32 { return chord(-x, 94548.0/65536, 11.0/64) }

// sigmoid is σ(x) in the two-branch form of DI-SwiGLU with the given e^x.
func sigmoid(exp func(float32) float32, x float32) float32 {
	if x < 0 {
		return 1 - 1/(1+exp(x))
	}
	return 1 / (1 + exp(-x))
}

// chord is 2^−q·(1 − f/2 − parabola·f·(1 − f)) for x·octaves = q + f; 32 octaves and more give 0.
func chord(x float32, octaves, parabola float64) float32 {
	v := float64(x) * octaves
	if !(v < 32) {
		return 0
	}
	q := math.Floor(v)
	f := v - q
	return float32(math.Ldexp(1-f/2-parabola*f*(1-f), -int(q)))
}
