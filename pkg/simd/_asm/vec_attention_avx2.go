package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vecAttentionAVX2: RoPE, scores, softmax, weights, merge.
func vecAttentionAVX2(k *ykit) {
	k.write("rotateAVX2", "the pairs (a, b) turned in place, and their range; n pairs.",
		"func(a, b *int64, cos, sin *int16, n int, s uint) (lo, hi int64)",
		func(r *yrow) (func(), func()) {
			pa, pb, cos, sin := r.ptr("a"), r.ptr("b"), r.ptr("cos"), r.ptr("sin")
			s, lim := r.rounding("s", true), r.zeroRange()
			return func() {
				for i := range 2 {
					a, b := r.int64s(pa, i), r.int64s(pb, i)
					for _, v := range []reg.VecVirtual{a, b} {
						r.round(v, r.sign(v), s)
						r.capQ(v, r.k64(32767))
						r.floorQ(v, r.k64(-32767))
					}
					co, si := r.int16sTo64(cos, i), r.int16sTo64(sin, i)
					x, y := r.YMM(), r.YMM()
					r.VPMULDQ(a, co, x)
					r.VPMULDQ(a, si, y)
					r.VPMULDQ(b, si, si)
					r.VPMULDQ(b, co, co)
					r.VPSUBQ(si, x, x)
					r.VPADDQ(co, y, y)
					for _, v := range []reg.VecVirtual{x, y} {
						r.roundBy(v, 14)
						r.foldRange(v, lim)
					}
					r.storeInt64s(x, pa, i)
					r.storeInt64s(y, pb, i)
				}
			}, func() { r.returnRange(lim, "lo", "hi") }
		})

	k.write("scoresAVX2", "s = ((acc − zq·sum − zero·c)·m)<<(left − k), its plain range, and the least of 16 and left − k.",
		"func(s *int64, acc, sum, zero, k *int32, m *uint32, n int, zq, c, left int32) (lo, hi int64, least int32)",
		func(r *yrow) (func(), func()) {
			s, acc, sum, zero, k, m := r.ptr("s"), r.ptr("acc"), r.ptr("sum"), r.ptr("zero"), r.ptr("k"), r.ptr("m")
			zq, cc, left := r.d("zq"), r.d("c"), r.d("left")
			lim, least := r.plainRange(), r.YMM()
			r.VMOVDQU(r.k32(16), least)
			return func() {
					v, a, o, n := r.int32s(acc), r.int32s(sum), r.int32s(zero), r.int32s(k)
					r.VPMULLD(zq, a, a)
					r.VPMULLD(cc, o, o)
					r.VPSUBD(a, v, v)
					r.VPSUBD(o, v, v)
					r.VPSUBD(n, left, n)
					r.VPMINSD(n, least, least)
					p := r.widen(n)
					for i, w := range r.widen(v) {
						r.VPMULDQ(r.uint32sTo64(m, i), w, w)
						r.VPSLLVQ(p[i], w, w)
						r.storeInt64s(w, s, i)
						r.foldRange(w, lim)
					}
				}, func() {
					r.returnRange(lim, "lo", "hi")
					x, y, g := r.XMM(), r.XMM(), r.GP32()
					r.VEXTRACTI128(Imm(1), least, x)
					r.VPMINSD(least.AsX(), x, x)
					for _, order := range []uint64{0x4e, 0xb1} {
						r.VPSHUFD(Imm(order), x, y)
						r.VPMINSD(y, x, x)
					}
					r.VMOVD(x, g)
					r.Store(g, r.Return("least"))
				}
		})

	for _, quad := range []bool{false, true} {
		for _, wide := range []bool{false, true} {
			vecExpAVX2(k, quad, wide)
		}
	}

	k.write("foldAVX2", "w = round(e·m / 2^(k−kmin)), max(0, max w), Σw, Σe.",
		"func(w *int64, e *int32, m *uint32, k *int32, n int, kmin int32) (top, sumW, sumE int64)",
		func(r *yrow) (func(), func()) {
			w, e, m, k := r.ptr("w"), r.ptr("e"), r.ptr("m"), r.ptr("k")
			kmin, top, sumW, sumE := r.d("kmin"), r.zero(), r.zero(), r.zero()
			return func() {
					shift := r.int32s(k)
					r.VPSUBD(kmin, shift, shift)
					r.VPMINUD(r.k32(62), shift, shift)
					by := r.widen(shift)
					for i := range 2 {
						v, half := r.int32sTo64(e, i), r.YMM()
						r.VPADDQ(v, sumE, sumE)
						r.VPMULUDQ(r.uint32sTo64(m, i), v, v)
						r.VMOVDQU(r.k64(1), half)
						r.VPSLLVQ(by[i], half, half)
						r.VPSRLQ(Imm(1), half, half)
						r.VPADDQ(half, v, v)
						r.VPSRLVQ(by[i], v, v)
						r.storeInt64s(v, w, i)
						r.VPADDQ(v, sumW, sumW)
						r.maxQ(v, top)
					}
				}, func() {
					r.result(func(v, acc reg.VecVirtual) { r.maxQ(v, acc) }, top, "top")
					r.returnSum(sumW, "sumW")
					r.returnSum(sumE, "sumE")
				}
		})

	k.write("sumShiftAVX2", "Σ w>>s.",
		"func(w *int64, n int, s uint) (sum int64)",
		func(r *yrow) (func(), func()) {
			w, s, sum := r.ptr("w"), r.rounding("s", false), r.zero()
			return func() {
				for i := range 2 {
					v := r.int64s(w, i)
					r.VPXOR(r.k64(-1<<63), v, v)
					r.VPSRLQ(s.count, v, v)
					r.VPSUBQ(s.back, v, v)
					r.VPADDQ(v, sum, sum)
				}
			}, func() { r.returnSum(sum, "sum") }
		})

	k.write("splitAVX2", "N = min(32767, ((w>>s)·c + half)>>(32 + n32)) in two bytes, ΣN, ΣN·zero.",
		"func(lo, hi *uint8, w *int64, zero *int32, n int, s uint, c, half int64, n32 int32) (sum, dot int64)",
		func(r *yrow) (func(), func()) {
			lo, hi, w, zero := r.ptr("lo"), r.ptr("hi"), r.ptr("w"), r.ptr("zero")
			s, cc, half, sh := r.count("s"), r.q("c"), r.q("half"), r.count32("n32")
			sum, dot := r.zero(), r.zero()
			return func() {
					var p pair
					for i := range p {
						p[i] = r.int64s(w, i)
						r.VPSRLQ(s, p[i], p[i])
						r.VPMULUDQ(cc, p[i], p[i])
						r.VPADDQ(half, p[i], p[i])
					}
					v := r.upper(p)
					r.VPSRLD(sh, v, v)
					r.VPMINUD(r.k32(32767), v, v)
					r.VPADDD(v, sum, sum)
					d := r.YMM()
					r.VPMULLD(r.at(zero, 4, 0), v, d)
					for _, w := range r.widen(d) {
						r.VPADDQ(w, dot, dot)
					}
					r.VPAND(r.k32(127), v, d)
					r.storeBytes(d, lo)
					r.VPSRLD(Imm(7), v, v)
					r.storeBytes(v, hi)
				}, func() {
					r.returnSum32(sum, "sum")
					r.returnSum(dot, "dot")
				}
		})

	k.write("mergeAVX2", "u = round((acc − dot)·m·2^8 / 2^shift) and its range; shift ≤ 62.",
		"func(u *int64, acc *int32, n int, dot int32, m int64, shift uint) (least, most int64)",
		func(r *yrow) (func(), func()) {
			u, acc := r.ptr("u"), r.ptr("acc")
			dot, m, sh, lim := r.d("dot"), r.q("m"), r.rounding("shift", true), r.zeroRange()
			return func() {
				v := r.int32s(acc)
				r.VPSUBD(dot, v, v)
				for i, w := range r.widen(v) {
					r.VPMULDQ(m, w, w)
					r.VPSLLQ(Imm(8), w, w)
					r.round(w, r.sign(w), sh)
					r.storeInt64s(w, u, i)
					r.foldRange(w, lim)
				}
			}, func() { r.returnRange(lim, "least", "most") }
		})

	k.write("joinAVX2", "u = 128·hi + lo.",
		"func(u, hi, lo *int32, n int)",
		func(r *yrow) (func(), func()) {
			u, hi, lo := r.ptr("u"), r.ptr("hi"), r.ptr("lo")
			return func() {
				v := r.int32s(hi)
				r.VPSLLD(Imm(7), v, v)
				r.VPADDD(r.at(lo, 4, 0), v, v)
				r.storeInt32s(v, u)
			}, func() {}
		})
}

// base returns (Pow2 or Pow2Quad of v) in 32-bit lanes and leaves the whole octaves in v.
func (r *yrow) base(v reg.VecVirtual, quad bool) reg.VecVirtual {
	f, b, t := r.YMM(), r.YMM(), r.YMM()
	r.VPAND(r.k32(32767), v, f)
	r.VPSRLD(Imm(15), v, v)
	r.VPSRLD(Imm(1), f, t)
	r.VMOVDQU(r.k32(32768), b)
	if quad {
		u := r.YMM()
		r.VPSUBD(f, b, u)
		r.VPMULLD(f, u, u)
		r.VPSRLD(Imm(15), u, u)
		r.VPMULLD(r.k32(11), u, u)
		r.VPSRLD(Imm(6), u, u)
		r.VPADDD(u, t, t)
	}
	r.VPSUBD(t, b, b)
	return b
}

// octaves turns w < 2^25 into (min(w, cap)<<left)>>right below 32 octaves.
func (r *yrow) octaves(v, limit, left, right reg.VecVirtual) {
	r.VPMINUD(limit, v, v)
	r.VPSLLD(left, v, v)
	r.VPSRLD(right, v, v)
	r.VPMINUD(r.k32(1<<20-1), v, v)
}

// octavesQ is the same for a pair of w < 2^62, joined.
func (r *yrow) octavesQ(p pair, limit, left, right reg.VecVirtual) reg.VecVirtual {
	for _, w := range p {
		r.minQ(limit, w)
		r.VPSLLQ(left, w, w)
		r.VPSRLQ(right, w, w)
		r.capQ(w, r.k64(1<<20-1))
	}
	return r.lower(p)
}

// vecExpAVX2 writes the exponential of distance codes for a shift of 32 + h32: of at most 8 bits, or wide.
func vecExpAVX2(k *ykit, quad, wide bool) {
	name, scalar := "exp8", "int32"
	if wide {
		name, scalar = "exp16", "int64"
	}
	q, doc := suffix(quad)
	k.write(name+q+"AVX2", "e = b·2^15 >> octaves of the distance codes, shifted by 32 + h32; octaves (min(d·mf, cap)<<left)>>right"+doc+".",
		"func(e *int32, s *int64, n int, hi, r int64, s1 uint, mul, half int64, h32, top int32, mf, cap, left, right "+scalar+")",
		func(r *yrow) (func(), func()) {
			e, s := r.ptr("e"), r.ptr("s")
			hi, lim, s1, mul, half := r.q("hi"), r.q("r"), r.count("s1"), r.q("mul"), r.q("half")
			h, top := r.count32("h32"), r.d("top")
			var mf, limit, left, right reg.VecVirtual
			if wide {
				mf, limit, left, right = r.q("mf"), r.q("cap"), r.count("left"), r.count("right")
			} else {
				mf, limit, left, right = r.d("mf"), r.d("cap"), r.count32("left"), r.count32("right")
			}
			return func() {
				var p pair
				for i := range p {
					p[i] = r.YMM()
					r.VPSUBQ(r.at(s, 8, 4*i), hi, p[i])
					r.minQ(lim, p[i])
					r.VPSRLQ(s1, p[i], p[i])
					r.VPMULUDQ(mul, p[i], p[i])
					r.VPADDQ(half, p[i], p[i])
				}
				v := r.upper(p)
				r.VPSRLD(h, v, v)
				r.VPMINUD(top, v, v)
				if wide {
					p = r.widen(v)
					for i := range p {
						r.VPMULUDQ(mf, p[i], p[i])
					}
					v = r.octavesQ(p, limit, left, right)
				} else {
					r.VPMULLD(mf, v, v)
					r.octaves(v, limit, left, right)
				}
				b := r.base(v, quad)
				r.VPSLLD(Imm(15), b, b)
				r.VPSRLVD(v, b, b)
				r.storeInt32s(b, e)
			}, func() {}
		})
}
