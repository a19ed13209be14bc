package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vecSoftmax: a row of scores becomes its weights in three passes. Between them it lies in pairs (see vecPending), each
// element as e·m·2^(16−k+kmin) + 2^15, from which a shift makes the rounded W and what is left of it.
func vecSoftmax(c *build.Context, upper Mem) {
	vecFoldExp(c, upper, false)
	vecFoldExp(c, upper, true)

	writeWide(c, "sumPairsAVX512", "Σ w>>s; n is a multiple of 16.", "func(w *int64, n int, s uint) (sum int64)",
		func(r *wide) (func(), func()) {
			w, s := r.ptr("w"), r.q("s")
			sums := [2]reg.VecVirtual{r.zero(), r.zero()}
			return func() {
					for i, sum := range sums {
						v := r.ZMM()
						r.VMOVDQU64(r.half(w, 8, i), v)
						r.VPSRLVQ(s, v, v)
						r.VPADDQ(v, sum, sum)
					}
				}, func() {
					r.VPADDQ(sums[1], sums[0], sums[0])
					r.Store(r.reduce(r.VPADDQ, sums[0]), r.Return("sum"))
				}
		})

	order := c.StaticGlobal("packed")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		at := func(i int) uint64 { return uint64(i&3*4 + i>>2) }
		c.AppendDatum(U64(at(2*i) | at(2*i+1)<<32))
	}
	writeBlocks(c, 64, "splitPairsAVX512", "N = min(32767, ((w>>s)·c / 2^32 + half) >> n32) in two bytes, ΣN, ΣN·zero; |zero| < 2^15.",
		"func(lo, hi *uint8, w *int64, zero *int32, n int, s uint, c int64, half, n32 int32) (sum, dot int64)",
		func(r *wide) (func(), func()) {
			lo, hi, w, zero := r.ptr("lo"), r.ptr("hi"), r.ptr("w"), r.ptr("zero")
			s, mul, half, n32 := r.q("s"), r.q("c"), r.d16("half"), r.d16("n32")
			sum, dot, ones, low, even := r.zero(), r.zero(), r.constW(1), r.constW(127), r.evenLanes()
			perm := r.ZMM()
			r.VMOVDQU32(order, perm)
			return func() {
					var words, least, most [2]reg.VecVirtual
					for j := range words {
						var v, z [2]reg.VecVirtual
						for i := range v {
							a, b, at := r.ZMM(), r.ZMM(), 2*j+i
							r.VMOVDQU64(r.half(w, 8, 2*at), a)
							r.VMOVDQU64(r.half(w, 8, 2*at+1), b)
							r.VPSRLVQ(s, a, a)
							r.VPSRLVQ(s, b, b)
							r.VPMULUDQ(mul, a, a)
							r.VPMULUDQ(mul, b, b)
							r.interleave(a, b, even)
							r.VPADDD(half, b, b)
							r.VPSRLVD(n32, b, b)
							v[i], z[i] = b, r.ZMM()
							m := r.at(zero, 4).Offset(64 * at)
							if r.masked {
								k := r.K()
								r.KSHIFTRQ(Imm(uint64(16*at)), r.tail, k)
								r.VMOVDQU32_Z(m, k, z[i])
							} else {
								r.VMOVDQU32(m, z[i])
							}
						}
						n, l := v[0], z[0]
						r.VPACKSSDW(v[1], v[0], n)
						r.VPACKSSDW(z[1], z[0], l)
						t := r.ZMM()
						r.VPMADDWD(ones, n, t)
						r.VPADDD(t, sum, sum)
						r.VPMADDWD(l, n, l)
						r.VPADDD(l, dot, dot)
						words[j], least[j], most[j] = n, r.ZMM(), r.ZMM()
						r.VPANDD(low, n, least[j])
						r.VPSRLW(Imm(7), n, most[j])
					}
					for i, v := range [][2]reg.VecVirtual{least, most} {
						b := v[0]
						r.VPACKUSWB(v[1], v[0], b)
						r.VPERMD(b, perm, b)
						r.store(r.VMOVDQU8, b, r.at([]reg.GPVirtual{lo, hi}[i], 1))
					}
				}, func() {
					r.Store(r.sum32(sum), r.Return("sum"))
					r.Store(r.sum32(dot), r.Return("dot"))
				}
		})
}

// vecFoldExp is exp8AVX512 and foldAVX512 without the round trip: the numerators stay in registers. Where the range is
// clipped the distances are cut to it first; elsewhere they cannot pass it.
func vecFoldExp(c *build.Context, upper Mem, clipped bool) {
	name, limit := "foldExpAVX512", ""
	if clipped {
		name, limit = "foldExpClippedAVX512", ", r int64"
	}
	writeWide(c, name, "w = e·(m<<(left−k)) + 2^15 in pairs with e = (2^30 − (x<<fraction & mask)) >> (x>>octave), x = mf·code, of the codes of s; Σ of e in pairs of lanes, Σ of the odd e, and all bits of w.",
		"func(w, s *int64, m *uint32, k *int32, n int, hi int64"+limit+", s1 uint, mul int64, half, h32, mf, octave, fraction, left int32) (all, odd, top int64)",
		func(r *wide) (func(), func()) {
			w, s, m, k := r.ptr("w"), r.ptr("s"), r.ptr("m"), r.ptr("k")
			hi, s1, mul := r.q("hi"), r.q("s1"), r.q("mul")
			var lim reg.VecVirtual
			if clipped {
				lim = r.q("r")
			}
			half, h32, mf, octave, fraction, left := r.d16("half"), r.d16("h32"), r.d16("mf"), r.d16("octave"), r.d16("fraction"), r.d16("left")
			one, mask, round := r.const16(1<<30), r.const16(0x1fff8000), r.constQ(1<<15)
			all, odd, top := r.zero(), r.zero(), r.zero()
			r.upperHalves(upper)
			return func() {
					var p [2]reg.VecVirtual
					for i := range p {
						p[i] = r.ZMM()
						r.VPSUBQ(r.int64s(s, i), hi, p[i])
						if clipped {
							r.VPMINUQ(lim, p[i], p[i])
						}
						r.VPSRLVQ(s1, p[i], p[i])
						r.VPMULUDQ(mul, p[i], p[i])
					}
					x := r.join(p[0], p[1])
					r.VPADDD(half, x, x)
					r.VPSRLVD(h32, x, x)
					r.VPMULLD(mf, x, x)
					f := r.ZMM()
					r.VPSLLVD(fraction, x, f)
					r.VPANDD(mask, f, f)
					r.VPSUBD(f, one, f)
					r.VPSRLVD(octave, x, x)
					e, e2 := f, r.ZMM()
					if r.masked {
						r.VPSRLVD_Z(x, f, r.tail, e)
					} else {
						r.VPSRLVD(x, f, e)
					}
					r.VPSRLQ(Imm(32), e, e2)
					r.VPADDQ(e, all, all)
					r.VPADDQ(e2, odd, odd)
					a, b := r.int32s(m), r.int32s(k)
					r.VPSUBD(b, left, b)
					r.VPSLLVD(b, a, a)
					r.VPSRLQ(Imm(32), a, b)
					r.VPMULUDQ(a, e, e)
					r.VPMULUDQ(b, e2, e2)
					r.VPADDQ(round, e, e)
					r.VPADDQ(round, e2, e2)
					r.VPTERNLOGQ(Imm(0xfe), e, e2, top)
					r.VMOVDQU64(e, r.half(w, 8, 0))
					r.VMOVDQU64(e2, r.half(w, 8, 1))
				}, func() {
					r.Store(r.reduce(r.VPADDQ, all), r.Return("all"))
					r.Store(r.reduce(r.VPADDQ, odd), r.Return("odd"))
					r.Store(r.reduce(r.VPORQ, top), r.Return("top"))
				}
		})
}
