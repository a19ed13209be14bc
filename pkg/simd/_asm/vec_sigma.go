package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A divider computes σ = round(2^30/D), D = 2^15 + E and 0 ≤ E ≤ 2^15, in 32-bit lanes: two steps of Newton's iteration from
// the line of least relative error, and one correction. Every intermediate stays below 2^31, and behind the steps the
// quotient is right or one too small, for each of the D (TestSigmaDivision).
type divider struct{ one, line, slope, top reg.VecVirtual }

func (r *wide) divider(one reg.VecVirtual) divider {
	return divider{one, r.const16(46261), r.const16(30840), r.const16(1 << 30)}
}

// divide spends e.
func (r *wide) divide(e reg.VecVirtual, c divider) reg.VecVirtual {
	d, y, t, k := e, r.ZMM(), r.ZMM(), r.K()
	r.VPADDD(c.one, e, d)
	r.VPMULLD(c.slope, d, y)
	r.VPSRLD(Imm(16), y, y)
	r.VPSUBD(y, c.line, y)
	for _, shift := range [][2]uint64{{11, 19}, {7, 23}} {
		r.VPMULLD(d, y, t)
		r.VPSUBD(t, c.top, t)
		r.VPSRAD(Imm(shift[0]), t, t)
		r.VPMULLD(y, t, t)
		r.VPSRAD(Imm(shift[1]), t, t)
		r.VPADDD(t, y, y)
	}
	r.VPMULLD(d, y, t)
	r.VPSUBD(t, c.top, t)
	half := r.ZMM()
	r.VPSRLD(Imm(1), d, half)
	r.VPADDD(half, t, t)
	r.VPCMPD(Imm(5), d, t, k) // t ≥ d
	r.VPTERNLOGD(Imm(0xff), half, half, half)
	r.VPSUBD(half, y, k, y)
	return y
}

// vecGates writes the table of σ over the gate codes.
func vecGates(c *build.Context, quad bool) {
	q, doc := suffix(quad)
	writeWide(c, "gates"+q+"AVX512", "table[x] = σ, or 2^15 − σ where x < zg, for n codes x"+doc+".",
		"func(table *uint16, n int, zg, mf, cap, left, right int32)",
		func(r *wide) (func(), func()) {
			table := r.ptr("table")
			mf, limit, left, right := r.d16("mf"), r.d16("cap"), r.d16("left"), r.d16("right")
			octaves, one, frac, eleven := r.const16(1<<20-1), r.const16(32768), r.const16(32767), r.const16(11)
			div, x, step, zero := r.divider(one), r.ZMM(), r.const16(16), r.zero()
			g := r.GP64()
			r.MOVQ(U64(0x0706050403020100), g)
			lanes := r.XMM()
			r.VMOVQ(g, lanes)
			r.MOVQ(U64(0x0f0e0d0c0b0a0908), g)
			r.VPINSRQ(Imm(1), g, lanes, lanes)
			r.VPMOVZXBD(lanes, x)
			r.VPSUBD(r.d16("zg"), x, x)
			return func() {
				v, e, k := r.ZMM(), r.ZMM(), r.K()
				r.VPABSD(x, v)
				r.VPMULLD(mf, v, v)
				r.octaves16(v, limit, left, right, octaves)
				b := r.base16(v, quad, one, frac, eleven)
				r.VPSRLVD(v, b, e)
				s := r.divide(e, div)
				r.VPCMPGTD(x, zero, k)
				r.VPSUBD(s, one, k, s)
				y := r.YMM()
				r.VPMOVDW(s, y)
				r.store(r.VMOVDQU16, y, r.at(table, 2))
				r.VPADDD(step, x, x)
			}, func() {}
		})
}

// vecGatesAlpha is SwiGLU without a table over the codes, since each channel has its own factor in the exponent.
func vecGatesAlpha(c *build.Context, quad bool) {
	q, doc := suffix(quad)
	writeWide(c, "swigluAlpha"+q+"AVX512", "y = x·σ·(u − zu), x = g − zg, σ of |x|·mf·alpha, and its range"+doc+".",
		"func(y *int64, gate, u *uint8, alpha *int32, n int, zg, zu, mf int32, cap, left, right int64) (lo, hi int64)",
		func(r *wide) (func(), func()) {
			y, g, u, alpha := r.ptr("y"), r.ptr("gate"), r.ptr("u"), r.ptr("alpha")
			zg, zu, mf := r.d16("zg"), r.d16("zu"), r.d16("mf")
			limit, left, right := r.q("cap"), r.q("left"), r.q("right")
			octaves, one, frac, eleven := r.constQ(1<<20-1), r.const16(32768), r.const16(32767), r.const16(11)
			div, zero, lim := r.divider(one), r.zero(), r.zeroRange()
			return func() {
				x, a, e, k := r.uint8s(g), r.ZMM(), r.ZMM(), r.K()
				r.VPSUBD(zg, x, x)
				r.VPABSD(x, a)
				r.VPMULLD(mf, a, a)
				p, q := r.widen(a)
				var half [2]reg.VecVirtual
				for i, w := range []reg.VecVirtual{p, q} {
					r.VPMULDQ(r.int32sTo64(alpha, i), w, w)
					r.VPMINUQ(limit, w, w)
					r.VPSLLVQ(left, w, w)
					r.VPSRLVQ(right, w, w)
					r.VPMINUQ(octaves, w, w)
					half[i] = r.YMM()
					r.VPMOVQD(w, half[i])
				}
				v := r.ZMM()
				r.VINSERTI64X4(Imm(1), half[1], half[0].AsZ(), v)
				b := r.base16(v, quad, one, frac, eleven)
				r.VPSRLVD(v, b, e)
				s := r.divide(e, div)
				r.VPCMPGTD(x, zero, k)
				r.VPSUBD(s, one, k, s)
				r.VPMULLD(x, s, s)
				t := r.uint8s(u)
				r.VPSUBD(zu, t, t)
				s0, s1 := r.widen(s)
				t0, t1 := r.widen(t)
				r.VPMULDQ(t0, s0, s0)
				r.VPMULDQ(t1, s1, s1)
				for i, w := range []reg.VecVirtual{s0, s1} {
					r.storeInt64s(w, y, i)
					r.foldRangeHalf(w, lim, i)
				}
			}, func() { r.returnRange(lim, "lo", "hi") }
		})
}

// vecSwiGLU looks σ up in a table of 256 words that fills eight registers: a permutation reads 64 of them.
func vecSwiGLU(c *build.Context) {
	writeWide(c, "swigluAVX512", "y = (g − zg)·table[g]·(u − zu) and its range.",
		"func(y *int64, gate, u *uint8, table *uint16, n int, zg, zu int32) (lo, hi int64)",
		func(r *wide) (func(), func()) {
			y, g, u, table := r.ptr("y"), r.ptr("gate"), r.ptr("u"), r.ptr("table")
			zg, zu, lo, hi := r.d16("zg"), r.d16("zu"), r.zero(), r.zero()
			var words [8]reg.VecVirtual
			for i := range words {
				words[i] = r.ZMM()
				r.VMOVDQU16(Mem{Base: table, Disp: 64 * i}, words[i])
			}
			b6, b7 := r.ZMM(), r.ZMM()
			for i, b := range []reg.VecVirtual{b6, b7} {
				w := r.GP32()
				r.MOVL(U32(64<<i), w)
				r.VPBROADCASTW(w, b)
			}
			return func() {
					index, k6, k7 := r.ZMM(), r.K(), r.K()
					if r.masked {
						r.VPMOVZXBW_Z(r.at(g, 1), r.tail, index.AsY())
					} else {
						r.VPMOVZXBW(r.at(g, 1), index.AsY())
					}
					sigma := r.lookup256(index, words, b6, b7, k6, k7)
					s, x, t := r.ZMM(), r.uint8s(g), r.uint8s(u)
					r.VPMOVZXWD(sigma.AsY(), s)
					r.VPSUBD(zg, x, x)
					r.VPSUBD(zu, t, t)
					r.VPMULLD(x, s, s)
					r.VPMULLD(t, s, s)
					r.fold(r.VPMINSD, s, lo)
					r.fold(r.VPMAXSD, s, hi)
					a, b := r.widen(s)
					r.storeInt64s(a, y, 0)
					r.storeInt64s(b, y, 1)
				}, func() {
					for _, m := range []struct {
						name string
						op   func(...Op)
						v    reg.VecVirtual
					}{{"lo", r.VPMINSQ, lo}, {"hi", r.VPMAXSQ, hi}} {
						a, b := r.widen(m.v)
						m.op(b, a, a)
						r.Store(r.reduce(m.op, a), r.Return(m.name))
					}
				}
		})
}
