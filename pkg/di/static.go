package di

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// StaticGrid is a constant grid of codes: code(x) = sat(Zero + round(x·2^K/M), 0, 2^n − 1). It is what a calibration leaves
// of a site where Requant would look at the row. At the scores Zero is 0 and M/2^K the constant range R of a row.
type StaticGrid struct {
	M    uint32 `json:"m"` // 2^15 ≤ M < 2^16
	K    int32  `json:"k"`
	Zero int32  `json:"zero,omitempty"`
}

// maxStaticExponent bounds |log2| of a grid's step: steps beyond 2^±48 stand for no activation, and the scales of products
// with one row stay in the range of LogitHash.
const maxStaticExponent = 48

// Check refuses a grid that no calibration gives. bits is n; 0: a range, which has no codes.
func (g StaticGrid) Check(bits int) error {
	if g.M < 1<<15 || g.M >= 1<<16 {
		return fmt.Errorf("expected a mantissa of 16 bits, %d to %d, found %d", 1<<15, 1<<16-1, g.M)
	}
	if g.K < 15-maxStaticExponent || g.K > 15+maxStaticExponent {
		return fmt.Errorf("expected an exponent from %d to %d, found %d", 15-maxStaticExponent, 15+maxStaticExponent, g.K)
	}
	if g.Zero < 0 || int64(g.Zero) > 1<<uint(bits)-1 {
		return fmt.Errorf("expected a zero point from 0 to %d, found %d", int64(1)<<uint(bits)-1, g.Zero)
	}
	return nil
}

// Static is a StaticGrid made ready for rows of any unit, with its count of saturated codes. Safe for concurrent use.
type Static struct {
	grid      StaticGrid
	bits      int
	inverse   int64 // round(2^61/M), below 2^46
	saturated *atomic.Int64
}

// NewStatic prepares a grid for codes of 2…16 bits; count, which may be shared, takes the number of saturated codes.
func NewStatic(g StaticGrid, bits int, count *atomic.Int64) (*Static, error) {
	if bits < 2 || bits > 16 {
		return nil, fmt.Errorf("di: static grid: expected 2 to 16 bits, found %d", bits)
	}
	if err := g.Check(bits); err != nil {
		return nil, fmt.Errorf("di: static grid: %w", err)
	}
	if count == nil {
		count = new(atomic.Int64)
	}
	return &Static{grid: g, bits: bits, inverse: intmath.DivRound(1<<61, int64(g.M)), saturated: count}, nil
}

// Grid returns the grid.
func (g *Static) Grid() StaticGrid { return g.grid }

// step is a row's way to the grid: code = sat(Zero + round((T>>s)·g / 2^h)).
type step struct {
	s, h uint
	g    int64 // in (2^29, 2^31)
}

// step brings the unit m/2^k of a row to the grid's. No division: that by the grid's mantissa was done once, so the
// rows of a site whose unit changes from token to token cost no more than those whose unit stays.
//
// The quotient is g/2^(30+k−K) with g = round(m'·inverse/2^31), m' = m with its top bit at 15, relative error 2^−29. The
// full range of codes lies within 2^28 after T>>s, whose floor costs 2^(n−28) codes at most.
func (g *Static) step(m uint32, k int32) step {
	l := 15 - intmath.ILog2(uint64(m))
	e := 30 + int(k) + l - int(g.grid.K)
	s := min(max(0, g.bits+e-57), 62)
	return step{s: uint(s), h: uint(min(max(e-s, 1), 62)), g: intmath.RoundShift(int64(m)<<uint(l)*g.inverse, 31)}
}

// code is the code of T without saturation.
func (p step) code(t int64) int64 {
	return intmath.RoundShift(intmath.Asr(t, int(p.s))*p.g, int(p.h))
}

// bound limits T so that T>>s fits 32 bits, which changes no code: what is cut lies eight times beyond the grid's range.
func (p step) bound(t []int64, lo, hi int64) (int64, int64) {
	if p.s >= 30 {
		return lo, hi
	}
	top := int64(1<<31-1) << p.s
	if lo >= -top && hi <= top {
		return lo, hi
	}
	for j, v := range t {
		t[j] = max(-top, min(v, top))
	}
	return max(lo, -top), min(hi, top)
}

// ends are the values of T whose codes are cut: those above above, and those below below.
type ends struct {
	above, below int64
	high, low    bool // the row has such values
}

// ends tells from a row's range which of its codes are cut; most rows have none, and are not looked at again.
func (g *Static) ends(p step, lo, hi, top int64) ends {
	z := int64(g.grid.Zero)
	e := ends{high: z+p.code(hi) > top, low: z+p.code(lo) < 0}
	if e.high || e.low {
		far := intmath.Asr(1<<61, int(p.s)) // beyond every T>>s
		e.above = min(p.least(top-z+1), far)<<p.s - 1
		e.below = (1 - min(p.least(z+1), far)) << p.s
	}
	return e
}

// among counts the values of a row that are cut, by sign bits.
func (e ends) among(t []int64) int64 {
	n := uint64(0)
	for _, v := range t {
		n += uint64(e.above-v)>>63 + uint64(v-e.below)>>63
	}
	return int64(n)
}

// behind is among for a row whose codes are known: only the first and the last code can be of a value that is cut. It pays
// where these are few.
func (e ends) behind(codes []uint8, t []int64, top uint8) (n int64) {
	each := func(end uint8) {
		for at := 0; ; at++ {
			i := bytes.IndexByte(codes[at:], end)
			if i < 0 {
				return
			}
			at += i
			n += int64(uint64(e.above-t[at])>>63 + uint64(t[at]-e.below)>>63)
		}
	}
	if e.high {
		each(top)
	}
	if e.low {
		each(0)
	}
	return n
}

// least is the smallest x = T>>s whose code is at least c ≥ 1; that of −x is the largest whose code is at most −c, as
// rounding is odd. round(x·g/2^h) ≥ c means x·g ≥ c·2^h − 2^(h−1), below 2^58 for a grid that any row of |T| < 2^60 leaves.
func (p step) least(c int64) int64 {
	if p.h > 41 && c > 1<<(57-p.h) {
		return 1 << 61
	}
	half := int64(1) << (p.h - 1)
	return -intmath.FloorDiv(-(c<<p.h - half), p.g)
}

// Requant quantises a row on the constant grid: dst = sat(Zero + round(T·(m/2^k)/s), 0, 2^n − 1), n ≤ 8, s the grid's step.
//
// In: T int64 in steps of m/2^k, 1 ≤ m < 2^16, |T| < 2^60, with its range as Requant's; T may be limited in place. The
// range serves to count saturated codes and to leave the cut to them: the codes do not depend on it. Out: dst[:n], and the
// header with the grid's own scale. Error: half a step within the grid.
//
// Source: static per-tensor quantisation, as I-BERT and FQ-ViT have it and I-LLM compares with. Departure: the input's
// scale may still change from row to row; then one product replaces the division.
func (g *Static) Requant(dst []uint8, t []int64, lo, hi int64, m uint32, k int32) quant.RowParams {
	p, top := g.step(m, k), int64(1)<<uint(g.bits)-1
	lo, hi = p.bound(t, lo, hi)
	dst = dst[:len(t)]
	sum := vec.Requant(dst, t, p.s, p.g, p.h, int64(g.grid.Zero), top)
	if e := g.ends(p, lo, hi, top); e.high || e.low {
		if g.bits < 6 {
			g.saturated.Add(e.among(t))
		} else {
			g.saturated.Add(e.behind(dst, t, uint8(top)))
		}
	}
	return g.header(sum)
}

// Requant16 is Requant for n ≤ 16.
func (g *Static) Requant16(dst []uint16, t []int64, lo, hi int64, m uint32, k int32) quant.RowParams {
	p, top := g.step(m, k), int64(1)<<uint(g.bits)-1
	lo, hi = p.bound(t, lo, hi)
	if e := g.ends(p, lo, hi, top); e.high || e.low {
		g.saturated.Add(e.among(t))
	}
	return g.header(vec.Requant16(dst[:len(t)], t, p.s, p.g, p.h, int64(g.grid.Zero), top))
}

func (g *Static) header(sum int64) quant.RowParams {
	return quant.RowParams{M: g.grid.M, K: g.grid.K, Zero: g.grid.Zero, Sum: int32(sum)}
}

// Site is how one site of one block is requantised: over a part of the row's own range, or on a constant grid.
type Site struct {
	Ratio  Ratio
	Static *Static // nil: dynamic
	Twice  bool    // two roundings, as published; dynamic sites alone, without their Ratio
}

// Requant is Ratio.Requant or Static.Requant.
func (s Site) Requant(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, bits, mantissa int) quant.RowParams {
	if s.Static != nil {
		return s.Static.Requant(dst, t, lo, hi, m, k)
	}
	if s.Twice {
		return requantTwice(dst, t, lo, hi, m, k, bits, mantissa)
	}
	return s.Ratio.Requant(dst, t, lo, hi, m, k, bits, mantissa)
}

// Requant16 is Requant for up to 16 bits.
func (s Site) Requant16(dst []uint16, t []int64, lo, hi int64, m uint32, k int32, bits, mantissa int) quant.RowParams {
	if s.Static != nil {
		return s.Static.Requant16(dst, t, lo, hi, m, k)
	}
	if s.Twice {
		return requantTwice16(dst, t, lo, hi, m, k, bits, mantissa)
	}
	return s.Ratio.Requant16(dst, t, lo, hi, m, k, bits, mantissa)
}

// StaticScores is the constant range R of a row of scores: DI-ClippedSoftmax spreads its codes over min(R, c) below the
// row's maximum, whatever the row's own range is.
type StaticScores struct {
	grid      StaticGrid
	within    bool // R < c: scores beyond R count as saturated
	saturated *atomic.Int64
}

// NewStaticScores prepares the range r (Zero 0) for a clip value; clipped is false for none.
func NewStaticScores(r StaticGrid, clip dyadic.Scale, clipped bool, count *atomic.Int64) (*StaticScores, error) {
	if err := r.Check(0); err != nil {
		return nil, fmt.Errorf("di: static range of scores: %w", err)
	}
	if count == nil {
		count = new(atomic.Int64)
	}
	g := &StaticScores{grid: r, saturated: count, within: true}
	if clipped { // R < c: both mantissas have 16 bits with the top one set
		g.within = r.K > clip.K || r.K == clip.K && r.M < clip.M
	}
	return g, nil
}

// Floor returns what stands for the row's minimum in Worker.Softmax: hi − R in units of m/2^k, at least 1 below hi.
//
// In: a row of scores in steps of m/2^k, m of 16 bits, with its plain range lo ≤ hi, hi − lo < 2^57. One division a row.
func (g *StaticScores) Floor(s []int64, lo, hi int64, m uint32, k int32) int64 {
	r := int64(1) << 57 // R = M·2^(k−K)/m steps
	switch x := int(k - g.grid.K); {
	case x < -62:
		r = 1
	case x < 0:
		r = max(1, intmath.DivRound(int64(g.grid.M), int64(m))>>uint(min(-x, 62)))
	case x < 46:
		r = max(1, min(r, intmath.DivRound(int64(g.grid.M)<<uint(x), int64(m))))
	case x < 58:
		r = min(r, intmath.DivRound(int64(g.grid.M)<<45, int64(m))<<uint(x-45))
	}
	if g.within && hi-lo > r {
		n := int64(0)
		for _, v := range s {
			if hi-v > r {
				n++
			}
		}
		g.saturated.Add(n)
	}
	return hi - r
}
