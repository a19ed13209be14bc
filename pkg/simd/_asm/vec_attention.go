package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vecAttention: RoPE, scores, softmax, weights, merge.
func vecAttention(c *build.Context) {
	writeRow(c, "rotateAVX512", "the pairs (a, b) turned in place, and their range; n pairs.",
		"func(a, b *int64, cos, sin *int16, n int, s uint) (lo, hi int64)",
		func(r *row) (func(), func()) {
			pa, pb, cos, sin := r.ptr("a"), r.ptr("b"), r.ptr("cos"), r.ptr("sin")
			s := r.rounding("s", true)
			q14 := rounding{count: r.constQ(14), half: r.constQ(1 << 13)}
			most, least := r.constQ(32767), r.constQ(-32767)
			lim := r.zeroRange()
			return func() {
				a, b := r.int64s(pa), r.int64s(pb)
				for _, v := range []reg.VecVirtual{a, b} {
					r.round(v, s)
					r.VPMINSQ(most, v, v)
					r.VPMAXSQ(least, v, v)
				}
				co, si := r.int16sTo64(cos), r.int16sTo64(sin)
				x, y, t := r.ZMM(), r.ZMM(), r.ZMM()
				r.VPMULDQ(a, co, x)
				r.VPMULDQ(b, si, t)
				r.VPSUBQ(t, x, x)
				r.VPMULDQ(a, si, y)
				r.VPMULDQ(b, co, t)
				r.VPADDQ(t, y, y)
				r.round(x, q14)
				r.round(y, q14)
				r.storeInt64s(x, pa)
				r.storeInt64s(y, pb)
				r.foldRange(x, lim)
				r.foldRange(y, lim)
			}, func() { r.returnRange(lim, "lo", "hi") }
		})

	writeRow(c, "scoresAVX512", "s = round((acc − zq·sum − zero·c)·m·2^16 / 2^(k−kmin)) and its plain range.",
		"func(s *int64, acc, sum, zero, k *int32, m *uint32, n int, zq, c, kmin int32) (lo, hi int64)",
		func(r *row) (func(), func()) {
			s, acc, sum, zero, k, m := r.ptr("s"), r.ptr("acc"), r.ptr("sum"), r.ptr("zero"), r.ptr("k"), r.ptr("m")
			zq, cc, kmin := r.d("zq"), r.d("c"), r.d("kmin")
			one, most := r.constQ(1), r.constD(62)
			lim := minMax{r.constQ(1<<63 - 1), r.constQ(-1 << 63)}
			return func() {
				v, a, o, n := r.int32s(acc), r.int32s(sum), r.int32s(zero), r.int32s(k)
				r.VPMULLD(zq, a, a)
				r.VPMULLD(cc, o, o)
				r.VPSUBD(a, v, v)
				r.VPSUBD(o, v, v)
				r.VPSUBD(kmin, n, n)
				r.VPMINUD(most, n, n)
				w, nq := r.widen(v), r.ZMM()
				r.VPMULDQ(r.uint32sTo64(m), w, w)
				r.VPSLLQ(Imm(16), w, w)
				r.VPMOVZXDQ(n, nq)
				r.roundVar(w, nq, one, false)
				r.storeInt64s(w, s)
				r.foldRange(w, lim)
			}, func() { r.returnRange(lim, "lo", "hi") }
		})

	for _, quad := range []bool{false, true} {
		for _, wide := range []bool{false, true} {
			vecExp(c, quad, wide)
		}
	}

	writeRow(c, "foldAVX512", "w = round(e·m / 2^(k−kmin)), max(0, max w), Σw, Σe.",
		"func(w *int64, e *int32, m *uint32, k *int32, n int, kmin int32) (top, sumW, sumE int64)",
		func(r *row) (func(), func()) {
			w, e, m, k := r.ptr("w"), r.ptr("e"), r.ptr("m"), r.ptr("k")
			kmin := r.d("kmin")
			one, most := r.constQ(1), r.constD(62)
			top, sumW, sumE := r.zero(), r.zero(), r.zero()
			return func() {
					n, nq := r.int32s(k), r.ZMM()
					r.VPSUBD(kmin, n, n)
					r.VPMINUD(most, n, n)
					r.VPMOVZXDQ(n, nq)
					v := r.int32sTo64(e)
					r.fold(r.VPADDQ, v, sumE)
					r.VPMULDQ(r.uint32sTo64(m), v, v)
					r.roundVar(v, nq, one, true)
					r.storeInt64s(v, w)
					r.fold(r.VPADDQ, v, sumW)
					r.fold(r.VPMAXSQ, v, top)
				}, func() {
					r.Store(r.reduce(r.VPMAXSQ, top), r.Return("top"))
					r.Store(r.reduce(r.VPADDQ, sumW), r.Return("sumW"))
					r.Store(r.reduce(r.VPADDQ, sumE), r.Return("sumE"))
				}
		})

	writeRow(c, "sumShiftAVX512", "Σ w>>s.",
		"func(w *int64, n int, s uint) (sum int64)",
		func(r *row) (func(), func()) {
			w, s, sum := r.ptr("w"), r.q("s"), r.zero()
			return func() {
					v := r.int64s(w)
					r.VPSRAVQ(s, v, v)
					r.fold(r.VPADDQ, v, sum)
				},
				func() { r.Store(r.reduce(r.VPADDQ, sum), r.Return("sum")) }
		})

	writeRow(c, "splitAVX512", "N = min(32767, round((w>>s)·c / 2^shift)) in two bytes, ΣN, ΣN·zero.",
		"func(lo, hi *uint8, w *int64, zero *int32, n int, s uint, c int64, shift uint) (sum, dot int64)",
		func(r *row) (func(), func()) {
			lo, hi, w, zero := r.ptr("lo"), r.ptr("hi"), r.ptr("w"), r.ptr("zero")
			s, cc, sh := r.q("s"), r.q("c"), r.rounding("shift", false)
			most, low := r.constQ(32767), r.constQ(127)
			sum, dot := r.zero(), r.zero()
			return func() {
					p := r.int64s(w)
					r.VPSRAVQ(s, p, p)
					r.VPMULUDQ(cc, p, p)
					r.VPADDQ(sh.half, p, p)
					r.VPSRLVQ(sh.count, p, p)
					r.VPMINSQ(most, p, p)
					r.fold(r.VPADDQ, p, sum)
					d := r.int32sTo64(zero)
					r.VPMULDQ(p, d, d)
					r.fold(r.VPADDQ, d, dot)
					l := r.ZMM()
					r.VPANDQ(low, p, l)
					r.storeBytes(l, lo)
					r.VPSRLQ(Imm(7), p, p)
					r.storeBytes(p, hi)
				}, func() {
					r.Store(r.reduce(r.VPADDQ, sum), r.Return("sum"))
					r.Store(r.reduce(r.VPADDQ, dot), r.Return("dot"))
				}
		})

	writeRow(c, "mergeAVX512", "u = round((acc − dot)·m·2^8 / 2^shift) and its range; shift ≤ 62.",
		"func(u *int64, acc *int32, n int, dot int32, m int64, shift uint) (least, most int64)",
		func(r *row) (func(), func()) {
			u, acc := r.ptr("u"), r.ptr("acc")
			dot, m, sh := r.d("dot"), r.q("m"), r.rounding("shift", true)
			lim := r.zeroRange()
			return func() {
				v := r.int32s(acc)
				r.VPSUBD(dot, v, v)
				w := r.widen(v)
				r.VPMULDQ(m, w, w)
				r.VPSLLQ(Imm(8), w, w)
				r.round(w, sh)
				r.storeInt64s(w, u)
				r.foldRange(w, lim)
			}, func() { r.returnRange(lim, "least", "most") }
		})
}

// vecExp writes the exponential of distance codes: of at most 8 bits, whose
// exponent d·mf < 2^25 stays in 32-bit lanes, or wide, below 2^33 in 64-bit ones.
// v = (min(d·mf, cap)<<left)>>right are octaves in 15 fraction bits.
func vecExp(c *build.Context, quad, wide bool) {
	name, scalar := "exp8", "int32"
	if wide {
		name, scalar = "exp16", "int64"
	}
	doc := "e = b·2^15 >> octaves of the distance codes; octaves (min(d·mf, cap)<<left)>>right"
	if quad {
		name += "Quad"
		doc += ", with the parabola"
	}
	writeRow(c, name+"AVX512", doc+".",
		"func(e *int32, s *int64, n int, hi, r int64, s1 uint, mul int64, h uint, top int64, mf, cap, left, right "+scalar+")",
		func(r *row) (func(), func()) {
			e, s := r.ptr("e"), r.ptr("s")
			hi, lim, s1, mul, h, top := r.q("hi"), r.q("r"), r.q("s1"), r.q("mul"), r.rounding("h", false), r.q("top")
			param := r.d
			if wide {
				param = r.q
			}
			mf, limit, left, right := param("mf"), param("cap"), param("left"), param("right")
			octaves, one, frac, eleven := r.constD(1<<20-1), r.constD(32768), r.constD(32767), r.constD(11)
			octavesQ := r.constQ(1<<20 - 1)
			return func() {
				d, v := r.ZMM(), r.YMM()
				r.VPSUBQ(r.int64s(s), hi, d)
				r.VPMINSQ(lim, d, d)
				r.VPSRAVQ(s1, d, d)
				r.VPMULDQ(mul, d, d)
				r.VPADDQ(h.half, d, d)
				r.VPSRAVQ(h.count, d, d)
				r.VPMINSQ(top, d, d)
				if wide {
					r.VPMULUDQ(mf, d, d)
					r.VPMINUQ(limit, d, d)
					r.VPSLLVQ(left, d, d)
					r.VPSRLVQ(right, d, d)
					r.VPMINUQ(octavesQ, d, d)
					r.VPMOVQD(d, v)
				} else {
					r.VPMOVQD(d, v)
					r.VPMULLD(mf, v, v)
					r.VPMINUD(limit, v, v)
					r.VPSLLVD(left, v, v)
					r.VPSRLVD(right, v, v)
					r.VPMINUD(octaves, v, v)
				}
				f, b, t := r.YMM(), r.YMM(), r.YMM()
				r.VPANDD(frac, v, f)
				r.VPSRLD(Imm(15), v, v)
				r.VPSRLD(Imm(1), f, t)
				r.VPSUBD(t, one, b)
				if quad {
					r.VPSUBD(f, one, t)
					r.VPMULLD(f, t, t)
					r.VPSRLD(Imm(15), t, t)
					r.VPMULLD(eleven, t, t)
					r.VPSRLD(Imm(6), t, t)
					r.VPSUBD(t, b, b)
				}
				r.VPSLLD(Imm(15), b, b)
				r.VPSRLVD(v, b, b)
				r.storeInt32s(b, e)
			}, func() {}
		})
}
