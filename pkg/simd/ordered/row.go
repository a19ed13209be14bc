package ordered

import "math"

// Extremes returns the least and the largest value of x; 0, 0 if there is none. The sign of a zero is not defined, and
// nothing is where x holds a NaN.
func Extremes(x []float32) (lo, hi float32) {
	if len(x) == 0 {
		return 0, 0
	}
	return extremes(x)
}

func extremesGeneric(x []float32) (lo, hi float32) {
	lo, hi = x[0], x[0]
	for _, v := range x {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	return lo, hi
}

// Grid rounds x in place to an asymmetric grid, in float64 with halves away from zero:
//
//	x ← float32((sat(zero + round(x·levels/span), 0, levels) − zero)·step)
//
// |x|·levels/span must stay below 2^62 and span above 0.
func Grid(x []float32, levels, span, zero, step float64) {
	if len(x) > 0 {
		grid(x, levels, span, zero, step)
	}
}

func gridGeneric(x []float32, levels, span, zero, step float64) {
	for i, v := range x {
		code := zero + Away(float64(float64(v)*levels)/span)
		if code < 0 {
			code = 0
		}
		if code > levels {
			code = levels
		}
		x[i] = float32(float64((code - zero) * step))
	}
}

// Away rounds to the nearest integer, halves away from zero, for |v| < 2^62.
func Away(v float64) float64 { return float64(int64(v + math.Copysign(0.5, v))) }

// Distances replaces scores x ≤ hi by what the codes of their distance to hi stand for, in float32:
//
//	x ← −step·⌊min(hi − x, r)·inv + ½⌋        0 < r, r·inv < 2^31
func Distances(x []float32, hi, r, inv, step float32) {
	if len(x) > 0 {
		distances(x, hi, r, inv, step)
	}
}

func distancesGeneric(x []float32, hi, r, inv, step float32) {
	for i, v := range x {
		d := hi - v
		if d > r {
			d = r
		}
		x[i] = float32(float32(int32(float32(d*inv)+0.5)) * -step)
	}
}
