package di

import (
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// MaxDepth is the longest dot product of 8-bit codes whose int32 accumulator cannot overflow.
const MaxDepth = 33025

// Accumulate turns raw dot products into the row T of DI-MatMul for output channels j0 … j0+len(t)−1:
// T_j = M_j·Σ_k (X_k − z)(code_jk − z_w,j), plus the bias where w has one. It returns min(0, min T) and max(0, max T).
//
// In: acc[j] = Σ_k X_k·w'_jk of channel j0+j over what the product sees of the weights (quant.Linear.Seen),
// x the header of the activation row with its Sum. Units: T in steps of the row scale (x.M, x.K + w.KW).
// Range: K = w.In ≤ MaxDepth, |T| < 2^55 without and < 2^60 with a bias. Error: none; a bias is off by
// 10^−7 of itself (24-bit reciprocal of x.M).
//
// Source: I-LLM, DI-MatMul. Departure: one k_w for the matrix and 24-bit M_j, so that a row's columns compare.
func Accumulate(t []int64, acc []int32, x quant.RowParams, w *quant.Linear, j0 int) (lo, hi int64) {
	// code − z_w = w' − (z_w − off), hence Σ(X−z)(w'−z') = ΣXw' − z·Σw' − z'·(ΣX − K·z).
	c, off := x.Sum-int32(w.In)*x.Zero, int32(0)
	switch {
	case w.Bits == 8:
		off = 128
	case w.Bits > 4:
		c = 0 // the panel holds code − z_w itself
	}
	j1 := j0 + len(t)
	lo, hi = vec.Accumulate(t, acc, w.SumW[j0:j1], w.M[j0:j1], w.Zero[j0:j1], x.Zero, c, off)
	if w.Bias != nil {
		return addBias(t, w.Bias[j0:j1], x, w)
	}
	return lo, hi
}

// addBias adds the bias in the row's units: b·2^(k_x+k_w)/m_x, with the division done once a row.
func addBias(t []int64, bias []int32, x quant.RowParams, w *quant.Linear) (lo, hi int64) {
	r := dyadic.Fit(1, uint64(max(x.M, 1)), 24)
	n := int(r.K) - int(x.K+w.KW-w.KB)
	if n >= -12 { // the product is below 2^47: nothing reaches the clamp
		return vec.AddBias(t, bias, int64(r.M), uint(max(-n, 0)), uint(min(max(n, 0), 62)))
	}
	for j, b := range bias {
		t[j] += intmath.SatShift(int64(b)*int64(r.M), n, 59)
		lo, hi = min(lo, t[j]), max(hi, t[j])
	}
	return lo, hi
}

// MinMax returns min(0, min t) and max(0, max t): the range that Requant takes.
func MinMax(t []int64) (lo, hi int64) { return vec.MinMax(t) }
