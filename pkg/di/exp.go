package di

import (
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// Exp returns e^(−d·m/2^k) in Q30 by shifts and adds alone (DI-Exp): the chord of 2^−f in every octave, with log2 e
// taken as 1.4375.
//
// Domain: 0 ≤ d < 2^31, m < 2^16. Exp(0) = 2^30 exactly; monotone in d; above 31 octaves 0.
// Error: +6.2 % at most from the chord and +0.36 %·x from the constant, 0.044 absolute.
//
// Source: I-LLM, Algorithm 1. Departure: the period stays a product instead of a quotient 1/t rounded to an integer
// (t = 12 for 8-bit scores at c = 15 leaves 12 levels), and 30 fraction bits guard the tail.
func Exp(d int64, m uint32, k int32) int64 {
	v := vec.Octaves(d*Log2E(m, false), k)
	return intmath.Asr(vec.Pow2(v)<<15, int(intmath.Asr(v, 15)))
}

// ExpPlus is Exp with log2 e = 94548/2^16 and a parabola of 11/64 on the chord (DI-Exp+): one multiplication more.
//
// Error: 0.32 % on x ≤ 5, 0.5 % on x ≤ 15, 0.002 absolute. Source: ours.
func ExpPlus(d int64, m uint32, k int32) int64 {
	v := vec.Octaves(d*Log2E(m, true), k)
	return intmath.Asr(vec.Pow2Quad(v)<<15, int(intmath.Asr(v, 15)))
}
