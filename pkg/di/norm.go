package di

import (
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// MaxNorm is the longest row whose sum of squares stays at most 2^62.
const MaxNorm = 16384

// Norm holds the constants of one DI-RMSNorm or DI-LayerNorm over n channels.
type Norm struct {
	Gamma  []int32 // Γ_c = round(γ_c·√n/s_c·2^KGamma), |Γ| ≤ 2^23
	KGamma int32
	Beta   []int64 // nil, or round(β_c·2^(30+KGamma)), below 2^59
	E      int64   // round(ε·n·4^k_r), 0 ≤ E < 2^61, of a LayerNorm < 2^45
	Layer  bool    // subtract the mean first (DI-LayerNorm)
	KR     int32   // k_r, the residual grid; already contained in E
	Ratio  Ratio   // of the result's range
	Static *Static // nil: dynamic
	Twice  bool    // see Site
}

// reciprocal is 1/√S of a row: u = round(h'·rho / 2^n) is h/√S in Q30.
type reciprocal struct {
	rho int64
	n   uint
}

// newReciprocal takes S ≥ 1: D = ⌊√(S·4^a)⌋ in [2^30, 2^31), one division. S reaches 2^62 where MaxNorm channels have all
// met the limit of the residual; a stays 0 then.
func newReciprocal(s int64) reciprocal {
	a := max(0, intmath.Asr(int64(61-intmath.ILog2(uint64(s))), 1))
	d := root(uint64(s) << uint(2*a))
	return reciprocal{rho: intmath.DivRound(1<<61, int64(d)), n: uint(31 - a)}
}

// root is intmath.Isqrt(a) for 2^60 ≤ a ≤ 2^62 in two divisions: Newton's iteration from a parabola within 0.51 % of the root
// is within 9·10^−11 of it behind them, and never below its floor.
//
// Source: ours; the parabola is the one of least relative error on [1, 4), in units of 2^−16. It replaces the paper's
// bit-wise root, whose 31 steps took longer than a short row.
func root(a uint64) uint64 {
	a = min(a, 1<<62-1)
	u := a >> 30
	x := (33998<<30 + 34456*u - 2587*(u*u>>30)) >> 16
	x = (x + a/x) >> 1
	x = (x + a/x) >> 1
	for x*x > a {
		x--
	}
	return x
}

// NormRow sets v[:len(h)] to the normalised row before its requantisation and returns min(0, min v), max(0, max v).
//
// In: h int32 on the residual grid, any values, len(h) = len(p.Gamma) ≤ MaxNorm. Out: v in steps of 2^−(30+KGamma),
// |v| < 2^54 + |β|. Error: 9·10^−7 of the row's rms (3·10^−6 beside a channel of 2000), LayerNorm 2·10^−6 (10^−5).
// A row of zeros gives 0 (β).
//
// Source: I-LLM, Algorithm 4. Departure: reads the 32-bit residual, so no 8-bit input is aligned and squared; ε enters
// the sum of squares, where the paper's figure drops it.
func NormRow(v []int64, h []int32, p *Norm) (lo, hi int64) {
	if len(p.Gamma) != len(h) || p.Beta != nil && len(p.Beta) != len(h) {
		panic(errLengths)
	}
	v = v[:len(h)]
	if p.Layer {
		return layerNorm(v, h, p)
	}
	s := max(0, intmath.ILog2(uint64(vec.MaxAbs(h)))-23)
	r := newReciprocal(max(1, vec.SumSquares(h, uint(s))+intmath.RoundShift(p.E, 2*s)))
	lo, hi = vec.Norm(v, h, p.Gamma, uint(s), r.rho, r.n)
	if p.Beta != nil {
		return shiftBy(v, p.Beta)
	}
	return lo, hi
}

// layerNorm centres the row with up to 8 guard bits: without them the mean alone costs 4·10^−4.
func layerNorm(v []int64, h []int32, p *Norm) (lo, hi int64) {
	if len(h) == 0 {
		return 0, 0
	}
	s := max(-8, intmath.ILog2(uint64(vec.MaxAbs(h)))-22)
	left, right := uint(max(-s, 0)), uint(max(s, 0))
	mean := intmath.DivRound(vec.SumRound(h, left, right), int64(len(h)))
	r := newReciprocal(max(1, vec.CentredSquares(h, left, right, mean)+intmath.RoundShift(p.E, 2*s)))
	return vec.LayerNorm(v, h, p.Gamma, p.Beta, left, right, mean, r.rho, r.n)
}

// shiftBy adds β, whose scale is the row's exactly.
func shiftBy(v, beta []int64) (lo, hi int64) {
	for j, b := range beta {
		v[j] += b
		lo, hi = min(lo, v[j]), max(hi, v[j])
	}
	return lo, hi
}

// Norm is DI-RMSNorm or DI-LayerNorm with the requantisation of its result.
func (w *worker) Norm(dst []uint8, h []int32, p *Norm, bits int) quant.RowParams {
	if p.Static == nil && !p.Twice {
		if lo, hi, ok := w.normPending(h, p); ok {
			return p.Ratio.RequantPending(dst, &w.row, lo, hi, 1<<15, 30+p.KGamma+15, bits, w.mantissa)
		}
	}
	v := w.scratch(len(h))
	lo, hi := NormRow(v, h, p)
	return Site{p.Ratio, p.Static, p.Twice}.Requant(dst, v, lo, hi, 1<<15, 30+p.KGamma+15, bits, w.mantissa)
}

// normPending makes w.row the row of NormRow, bit for bit, for rows whose values need no shift before they are squared: all
// that a residual stream usually holds. ok says that this is one.
func (w *worker) normPending(h []int32, p *Norm) (lo, hi int64, ok bool) {
	n := len(h)
	if len(p.Gamma) != n || p.Beta != nil && len(p.Beta) != n {
		panic(errLengths)
	}
	if n > w.row.Cap() {
		panic(errRow)
	}
	if p.Layer {
		return w.layerPending(h, p)
	}
	top, squares := vec.Squares(h)
	if p.Beta != nil || top >= 1<<24 || n > MaxNorm {
		return 0, 0, false
	}
	r := newReciprocal(max(1, squares+p.E))
	lo, hi = w.row.Norm(h, p.Gamma, top, r.rho, r.n)
	return lo, hi, true
}

func (w *worker) layerPending(h []int32, p *Norm) (lo, hi int64, ok bool) {
	top, sum := vec.AbsSum(h)
	s := max(-8, intmath.ILog2(uint64(top))-22)
	if s > 0 || len(h) == 0 || len(h) > 4096 {
		return 0, 0, false
	}
	left := uint(-s)
	mean := intmath.DivRound(sum<<left, int64(len(h)))
	r := newReciprocal(max(1, vec.CentredSquares(h, left, 0, mean)+intmath.RoundShift(p.E, 2*s)))
	lo, hi = w.row.LayerNorm(h, p.Gamma, p.Beta, left, mean, r.rho, r.n)
	return lo, hi, true
}

// HeadNorm is DI-RMSNorm over one head of q or k (Qwen3), on a row T with its own scale.
type HeadNorm struct {
	Gamma  []int32 // as Norm.Gamma, over head_dim; 1/√d and the q/k factors belong here
	KGamma int32
	Eps    dyadic.Scale // Fit(ε·n·10^6, 10^6)
}

// Apply normalises T in place and returns the new scale and range: T int64 [d] in steps of m/2^k with its range lo, hi
// becomes v in steps of 2^−(30+KGamma), given as (2^15, 30+KGamma+15), ready for RoPE.Rotate.
//
// Only ε depends on the row's scale, m of 16 bits. |T| < 2^60, d ≤ MaxNorm.
func (p *HeadNorm) Apply(t []int64, lo, hi int64, m uint32, k int32) (m2 uint32, k2 int32, lo2, hi2 int64) {
	if len(p.Gamma) != len(t) {
		panic(errLengths)
	}
	s := max(0, intmath.ILog2(uint64(max(-lo, hi)))-14)
	k -= int32(s)
	square := int64(0)
	for j, x := range t {
		x = intmath.Sat(intmath.RoundShift(x, s), -32767, 32767)
		t[j] = x
		square += x * x
	}
	f := dyadic.Fit(uint64(p.Eps.M), uint64(m)*uint64(m), dyadic.Bits)
	e := intmath.SatShift(int64(f.M), int(f.K)+int(p.Eps.K)-2*int(k), 60)
	r := newReciprocal(max(1, square+e))
	for j, g := range p.Gamma {
		t[j] = intmath.RoundShift(t[j]*r.rho, int(r.n)) * int64(g)
		lo2, hi2 = min(lo2, t[j]), max(hi2, t[j])
	}
	return 1 << 15, 30 + p.KGamma + 15, lo2, hi2
}
