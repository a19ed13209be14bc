package di

import (
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// ClipRange returns c^I, the clip value in steps of a row's scale m/2^k, at least 1; ok is false where the steps are so
// fine that no row reaches it.
//
// The shift is split (44, then at most 16) because k − c_k passes 46 in practice, where a plain shift overflows.
func ClipRange(clip dyadic.Scale, m uint32, k int32) (c int64, ok bool) {
	if l := 15 - intmath.ILog2(uint64(m)); l > 0 { // mantissas of fewer bits
		m, k = m<<uint(l), k+int32(l)
	}
	x := int(k) - int(clip.K)
	switch {
	case x > 60:
		return 0, false
	case x < 0:
		return 1, true
	}
	c = intmath.DivRound(int64(clip.M)<<uint(min(x, 44)), int64(m)) << uint(intmath.Sat(int64(x-44), 0, 16))
	return max(c, 1), true
}

// distance is the code grid of one row of scores: d_j = min(round((min(hi−S_j, r)>>s)·g/2^h), top) in steps of (m,k).
type distance struct {
	grid
	r int64 // the range after the clip
	m uint32
	k int32
}

// newDistance fixes the codes of a row of scores; r = 0 means that all scores are equal.
func (o *integer) newDistance(lo, hi int64, m uint32, k int32) distance {
	r := hi - lo
	if o.clipped {
		if c, ok := ClipRange(o.clip, m, k); ok {
			r = min(r, c)
		}
	}
	if r == 0 {
		return distance{}
	}
	d := distance{grid: newGrid(r, r, o.score), r: r}
	d.m, d.k = d.grid.scale(m, k, o.score, o.mantissa)
	return d
}

// Softmax is DI-ClippedSoftmax up to the numerators: the distance of every score to the row's maximum is clipped at c,
// quantised to n_s bits on the row's own grid and exponentiated.
//
// In: S int64 of the visible keys in steps of m/2^k, m of 16 bits with its top bit set, hi − lo < 2^58. Out: e[:len(s)]
// in Q30, 2^30 at the maximum. With 8-bit codes a row has at most 256 different numerators.
//
// Source: I-LLM, section 3, equation (10), Algorithm 2. Departure: DI-Exp with guard bits (Exp), and the division by
// the sum moves into Weights, which has 15 bits for it instead of 7.
func (w *worker) Softmax(e []int32, s []int64, lo, hi int64, m uint32, k int32) {
	e = e[:len(s)]
	d := w.newDistance(lo, hi, m, k)
	if d.r == 0 {
		for j := range e {
			e[j] = 1 << 30
		}
		return
	}
	if w.literal {
		w.softmaxPublished(e, s, hi, d)
		return
	}
	vec.Exp(e, s, hi, d.r, d.s, d.g, d.h, 1<<uint(w.score)-1, w.log2e(d.m), d.k, w.quad)
}
