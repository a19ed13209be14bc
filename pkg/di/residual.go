package di

import (
	"math"

	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// AddResidual adds a linear's row T to the residual stream (DI-Add): h += T·m/2^k on the grid 2^−kr, saturating to
// ±(2^31−1). It returns how many elements saturated, which a calibrated model never sees.
//
// In: T int64, |T| < 2^60, in steps of m/2^k, m < 2^16. Error: half a step of the grid an add; no drift, since the
// scale never changes over the layers.
//
// Source: I-LLM, DI-Add. Departure: one 32-bit grid of three bits headroom instead of 16 bits a channel.
func AddResidual(h []int32, t []int64, m uint32, k int32, kr int32) (saturated int) {
	n := int(k) - 16 - int(kr)
	if n >= 0 {
		return vec.AddResidual(h, t, int64(m), uint(min(n, 62)))
	}
	for j, v := range t[:len(h)] {
		var sat bool
		if h[j], sat = addSat(h[j], intmath.RoundShift(v, 16)*int64(m), n); sat {
			saturated++
		}
	}
	return saturated
}

// Add is the general DI-Add onto the grid 2^−kr of two int32 rows: dst = x1·m1/2^k1 + x2·m2/2^k2, each rounded once.
// Mantissas of 16 bits; dst may be either input.
func Add(dst, x1 []int32, m1 uint32, k1 int32, x2 []int32, m2 uint32, k2 int32, kr int32) (saturated int) {
	x1, x2 = x1[:len(dst)], x2[:len(dst)]
	for j := range dst {
		d := intmath.SatShift(int64(x1[j])*int64(m1), int(k1)-int(kr), 58) +
			intmath.SatShift(int64(x2[j])*int64(m2), int(k2)-int(kr), 58)
		y := intmath.Sat(d, -math.MaxInt32, math.MaxInt32)
		if dst[j] = int32(y); y != d {
			saturated++
		}
	}
	return saturated
}

// addSat returns h + d for d = x·2^−n clamped to ±2^31, saturated to ±(2^31−1), and whether a clamp changed the sum.
// |x| < 2^57.
func addSat(h int32, x int64, n int) (int32, bool) {
	d := intmath.SatShift(x, n, 58) // not yet clamped for every purpose that counts
	v := int64(h) + intmath.Sat(d, -1<<31, 1<<31)
	y := intmath.Sat(v, -math.MaxInt32, math.MaxInt32)
	return int32(y), y != int64(h)+d
}
