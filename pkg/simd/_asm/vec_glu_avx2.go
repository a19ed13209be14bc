package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gather looks eight indices up in a table of words, of which the one behind the last index may be read.
func (r *yrow) gather(table reg.GPVirtual, index reg.VecVirtual) reg.VecVirtual {
	v, mask := r.zero(), r.YMM()
	r.VPCMPEQD(mask, mask, mask)
	r.VPGATHERDD(mask, Mem{Base: table, Index: index, Scale: 2}, v)
	r.VPAND(r.k32(0xffff), v, v)
	return v
}

// vecGatesAVX2: SwiGLU and its table.
func vecGatesAVX2(k *ykit) {
	k.write("swigluAVX2", "y = (g − zg)·table[g]·(u − zu) and its range; the table has 257 entries.",
		"func(y *int64, gate, u *uint8, table *uint16, n int, zg, zu int32) (lo, hi int64)",
		func(r *yrow) (func(), func()) {
			y, g, u, table := r.ptr("y"), r.ptr("gate"), r.ptr("u"), r.ptr("table")
			zg, zu, lo, hi := r.d("zg"), r.d("zu"), r.zero(), r.zero()
			return func() {
				x, t := r.uint8sTo32(g), r.uint8sTo32(u)
				s := r.gather(table, x)
				r.VPSUBD(zg, x, x)
				r.VPSUBD(zu, t, t)
				r.VPMULLD(x, s, s)
				r.VPMULLD(t, s, s)
				r.VPMINSD(s, lo, lo)
				r.VPMAXSD(s, hi, hi)
				for i, w := range r.widen(s) {
					r.storeInt64s(w, y, i)
				}
			}, func() { r.returnRange32(lo, hi) }
		})
	for _, quad := range []bool{false, true} {
		vecGateTableAVX2(k, quad)
		vecGatesAlphaAVX2(k, quad)
	}
}

// sigmoid returns σ of the octaves v in Q15: sigma[E], or 2^15 − that in the negative lanes of x. σ of E = 2^15 is that
// of E − 1, so that the gather stays within the 2^15 + 1 words.
func (r *yrow) sigmoid(v, x reg.VecVirtual, sigma reg.GPVirtual, quad bool) reg.VecVirtual {
	e := r.base(v, quad)
	r.VPSRLVD(v, e, e)
	r.VPMINUD(r.k32(32767), e, e)
	s, t, sign := r.gather(sigma, e), r.YMM(), r.YMM()
	r.VPSRAD(Imm(31), x, sign)
	r.VMOVDQU(r.k32(32768), t)
	r.VPSUBD(s, t, t)
	r.VPBLENDVB(sign, t, s, s)
	return s
}

func vecGateTableAVX2(k *ykit, quad bool) {
	q, doc := suffix(quad)
	k.write("gates"+q+"AVX2", "table[x] = σ, or 2^15 − σ where x < zg, for n codes x"+doc+".",
		"func(table *uint16, n int, zg, mf, cap, left, right int32, sigma *uint16)",
		func(r *yrow) (func(), func()) {
			table, sigma := r.ptr("table"), r.ptr("sigma")
			mf, limit, left, right := r.d("mf"), r.d("cap"), r.count32("left"), r.count32("right")
			x, g, lanes := r.YMM(), r.GP64(), r.XMM()
			r.MOVQ(U64(0x0706050403020100), g)
			r.VMOVQ(g, lanes)
			r.VPMOVZXBD(lanes, x)
			r.VPSUBD(r.d("zg"), x, x)
			return func() {
				v := r.YMM()
				r.VPABSD(x, v)
				r.VPMULLD(mf, v, v)
				r.octaves(v, limit, left, right)
				r.storeWords(r.sigmoid(v, x, sigma, quad), table)
				r.VPADDD(r.k32(8), x, x)
			}, func() {}
		})
}

func vecGatesAlphaAVX2(k *ykit, quad bool) {
	q, doc := suffix(quad)
	k.write("swigluAlpha"+q+"AVX2", "y = x·σ·(u − zu), x = g − zg, σ of |x|·mf·alpha, and its range"+doc+".",
		"func(y *int64, gate, u *uint8, alpha *int32, n int, zg, zu, mf int32, cap, left, right int64, sigma *uint16) (lo, hi int64)",
		func(r *yrow) (func(), func()) {
			y, g, u, alpha, sigma := r.ptr("y"), r.ptr("gate"), r.ptr("u"), r.ptr("alpha"), r.ptr("sigma")
			zg, zu, mf := r.d("zg"), r.d("zu"), r.d("mf")
			limit, left, right, lim := r.q("cap"), r.count("left"), r.count("right"), r.zeroRange()
			return func() {
				x, a := r.uint8sTo32(g), r.YMM()
				r.VPSUBD(zg, x, x)
				r.VPABSD(x, a)
				r.VPMULLD(mf, a, a)
				p := r.widen(a)
				for i := range p {
					r.VPMULDQ(r.int32sTo64(alpha, i), p[i], p[i])
				}
				v := r.octavesQ(p, limit, left, right)
				s, t := r.sigmoid(v, x, sigma, quad), r.uint8sTo32(u)
				r.VPMULLD(x, s, s)
				r.VPSUBD(zu, t, t)
				b := r.widen(t)
				for i, w := range r.widen(s) {
					r.VPMULDQ(b[i], w, w)
					r.storeInt64s(w, y, i)
					r.foldRange(w, lim)
				}
			}, func() { r.returnRange(lim, "lo", "hi") }
		})
}
