package baseline

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// buildDI is the family of di.Exp and di.ExpPlus, which it calls. exact takes log2 e as 94548/2^16 instead of 1.4375,
// quad adds the parabola.
//
// Error (TestExpErrors): 0.044 absolute, 12 % relative at x = 15 (1.4375); 0.043, 6.2 % (94548); 0.002, 0.5 % (quad).
func buildDI(exact, quad bool) func(quant.Clip) evaluator {
	at := func(d int64, m uint32, k int32) int64 {
		v := vec.Octaves(d*di.Log2E(m, true), k)
		return intmath.Asr(vec.Pow2(v)<<15, int(intmath.Asr(v, 15)))
	}
	switch {
	case quad:
		at = di.ExpPlus
	case !exact:
		at = di.Exp
	}
	row := func(e, d []int32, m uint32, k int32) { vec.ExpChord(e, d, di.Log2E(m, exact), k, quad) }
	return func(quant.Clip) evaluator { return evaluator{at, row} }
}

// buildPublished is DI-Exp as Algorithm 1 of I-LLM prints it: t = round(2^k/m_f), q = d div t, r = d mod t,
// e = (t − ⌈r/2⌉) >> q in steps of 1/t, here brought to Q30, which the ratio of two of them does not see.
//
// t is at least 1. For 8-bit codes at c = 15 it is 12, and e vanishes from x = 2.65 on; for 16-bit codes from x = 8.
func buildPublished(quant.Clip) evaluator {
	steps := func(m uint32, k int32) int64 { return period(di.Log2E(m, false), k, intmath.DivRound) }
	return evaluator{
		at:  func(d int64, m uint32, k int32) int64 { return vec.PublishedQ30(d, steps(m, k)) },
		row: func(e, d []int32, m uint32, k int32) { vec.ExpPublished(e, d, steps(m, k)) },
	}
}

// period returns 2^k/m in whole steps by the given division, within 1 … 2^45: no distance of the domain, 2^36 at most,
// comes near a longer one.
func period(m int64, k int32, div func(a, b int64) int64) int64 {
	if k < 0 || m <= 0 {
		return 1
	}
	return min(max(1, div(1<<uint(min(k, 61)), m)), 1<<45)
}

// buildShiftmax is the exponential of I-ViT's Shiftmax with n = 15: on the data, x' = x + ⌊x/2⌋ − ⌊x/16⌋ for x = −d; with
// x₀ = ⌊−2^k/m⌋ and x' ≥ n·x₀, q = x' div x₀ and r = x' − q·x₀: e = ⌊(r/2 − x₀)·2^(n−q)⌋ in steps of 1/(−x₀·2^n),
// here brought to Q30.
//
// From 15 octaves (x ≈ 10.4) on e stays at its floor 2^−15. With 8-bit codes x₀ is 17 steps, and its rounding costs
// 42 % at x = 5. Source: I-ViT (int_exp_shift). Departure: the scale, static there, is the row's own.
func buildShiftmax(quant.Clip) evaluator {
	steps := func(m uint32, k int32) int64 {
		return period(int64(m), k, func(a, b int64) int64 { return -intmath.FloorDiv(-a, b) })
	}
	return evaluator{
		at:  func(d int64, m uint32, k int32) int64 { return vec.ShiftmaxQ30(d, steps(m, k)) },
		row: func(e, d []int32, m uint32, k int32) { vec.ExpShiftmax(e, d, steps(m, k)) },
	}
}
