package di

import (
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// The literal formulas of mode "published", for ablations: what they lose against the default is in the algorithm
// reference, sections 4.4, 5, 7 and 13. The residual stream of 16 bits a channel is
// NarrowResidual.

// publishedProb is the number of fraction bits of a probability, and of a sigmoid.
const publishedProb = 7

// publishedPeriod is t = round(2^k/m_f), the steps of m/2^k in an octave, within 1 … 2^45.
func publishedPeriod(m uint32, k int32) int64 {
	f := Log2E(m, false)
	if k < 0 || f == 0 {
		return 1
	}
	return min(max(1, intmath.DivRound(1<<uint(min(k, 61)), f)), 1<<45)
}

// twice is Requant as I-LLM's equations (2) to (8) print it: round((T − lo)·(2^n−1)/R) and the zero point rounded on its own.
// The error is up to one step instead of a half. T is moved by lo in place.
func (q grid) twice(t []int64, lo int64) {
	for j := range t {
		t[j] -= lo
	}
}

// requantTwice is the requantisation of 2…8 bits with two roundings. lo, hi: as Ratio.Requant's.
func requantTwice(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, bits, mantissa int) quant.RowParams {
	dst = dst[:len(t)]
	if hi == lo {
		clear(dst)
		return zeroRow(mantissa)
	}
	q := newGrid(hi-lo, hi-lo, bits)
	q.twice(t, lo)
	sum := vec.Requant(dst, t, q.s, q.g, q.h, 0, 1<<uint(bits)-1)
	m, k = q.scale(m, k, bits, mantissa)
	return quant.RowParams{M: m, K: k, Zero: int32(q.zero(lo)), Sum: int32(sum)}
}

// requantTwice16 is requantTwice for 2…16 bits.
func requantTwice16(dst []uint16, t []int64, lo, hi int64, m uint32, k int32, bits, mantissa int) quant.RowParams {
	dst = dst[:len(t)]
	if hi == lo {
		clear(dst)
		return zeroRow(mantissa)
	}
	q := newGrid(hi-lo, hi-lo, bits)
	q.twice(t, lo)
	sum := vec.Requant16(dst, t, q.s, q.g, q.h, 0, 1<<uint(bits)-1)
	m, k = q.scale(m, k, bits, mantissa)
	return quant.RowParams{M: m, K: k, Zero: int32(q.zero(lo)), Sum: int32(sum)}
}

// softmaxPublished is Softmax with Algorithm 1 as printed: t rounded to whole steps, no guard bits. With 8-bit codes at
// c = 15 t is 12 and numerators vanish from 2.65 below the maximum on.
func (w *worker) softmaxPublished(e []int32, s []int64, hi int64, d distance) {
	top, t := int64(1)<<uint(w.score)-1, publishedPeriod(d.m, d.k)
	for j, v := range s {
		code := intmath.RoundShift(intmath.Asr(min(hi-v, d.r), int(d.s))*d.g, int(d.h))
		e[j] = int32(min(code, top))
	}
	vec.ExpPublished(e, e, t)
}

// WeightsPublished normalises one row of numerators to P_j = round(e_j·2^7/Σe), scale 2^−7, for values on a constant grid,
// whose scale the result takes. nlo, nhi as Weights has them. Source: I-LLM, Algorithm 2; the mass is not 1, and
// probabilities below 2^−8 are lost.
func WeightsPublished(nlo, nhi []uint8, e []int32, vals *Values, n int) PVRow {
	sum := int64(0)
	for _, v := range e[:n] {
		sum += int64(v)
	}
	row := PVRow{M: vals.M[0], K: vals.K[0] + publishedProb}
	for j, v := range e[:n] {
		p := intmath.DivRound(int64(v)<<publishedProb, max(sum, 1))
		nlo[j], nhi[j] = uint8(p&127), uint8(intmath.Asr(p, 7))
		row.SumN += p
		row.ZeroDot += p * int64(vals.Zero[j])
	}
	return row
}

// swigluPublished is SwiGLURow with σ(x) = e^(x−M)/(e^(x−M) + e^(−M)) in 2^−7, M = max(0, max x) of the row, both
// exponentials as printed. Source: I-LLM, Algorithm 3. Where both vanish σ is 0.
func (w *worker) swigluPublished(y []int64, gate, up Row, alpha []int32, k int32) (lo, hi int64) {
	factor := func(j int) int64 {
		if alpha == nil {
			return 1
		}
		return int64(alpha[j])
	}
	top := int64(0)
	for j := range y {
		top = max(top, gate.at(j)*factor(j))
	}
	t := publishedPeriod(gate.M, k)
	none := vec.PublishedQ30(top, t)
	for j := range y {
		x := gate.at(j)
		e, s := vec.PublishedQ30(top-x*factor(j), t), int64(0)
		if e+none > 0 {
			s = intmath.DivRound(e<<publishedProb, e+none)
		}
		y[j] = x * (s << (15 - publishedProb)) * up.at(j)
		lo, hi = min(lo, y[j]), max(hi, y[j])
	}
	return lo, hi
}

// at is X − z of channel j.
func (r Row) at(j int) int64 {
	if r.Codes16 != nil {
		return int64(r.Codes16[j]) - int64(r.Zero)
	}
	return int64(r.Codes[j]) - int64(r.Zero)
}
