package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vecSoftmax: a row of scores becomes its weights in three passes. Between them it lies in pairs (see vecPending), each
// element as e·m and a rounding term for some m = M·2^n, from which a shift makes W and what is left of it.
func vecSoftmax(c *build.Context, upper, order Mem) {
	second := c.StaticGlobal("second")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		at := func(i int) uint64 { return uint64(4*i + 1) } // words 2i of the dword lanes; the others are masked
		c.AppendDatum(U64(at(2*i) | at(2*i+1)<<32))
	}
	for _, ifma := range []bool{false, true} {
		vecFoldExp(c, upper, second, false, ifma)
		vecFoldExp(c, upper, second, true, ifma)
	}
	writeWide(c, "foldPairsAVX512", "w = e·m + round in pairs; Σ of e in pairs of lanes, Σ of the odd e, and all bits of w. m is read up to a whole step and one further.",
		"func(w *int64, e *int32, m *uint32, n int, round int64) (all, odd, top int64)",
		func(r *wide) (func(), func()) {
			w, e, m, round := r.ptr("w"), r.ptr("e"), r.ptr("m"), r.q("round")
			all, odd, top := r.zero(), r.zero(), r.zero()
			return func() { r.foldPair(r.int32s(e), w, m, round, all, odd, top) }, func() { r.foldSums(all, odd, top) }
		})
	vecSplitBytes(c)

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

// packedOrder has the order of four bytes each in which packing four registers of dwords leaves them, for VPERMD.
func packedOrder(c *build.Context) Mem {
	m := c.StaticGlobal("packed")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		at := func(i int) uint64 { return uint64(i&3*4 + i>>2) }
		c.AppendDatum(U64(at(2*i) | at(2*i+1)<<32))
	}
	return m
}

// vecFoldExp is exp8AVX512 and foldAVX512 without the round trip: the numerators stay in registers. Where the range is
// clipped the distances are cut to it first; elsewhere they cannot pass it.
//
// With IFMA the product of a distance and the grid's factor has its code, rounded, in the second word, and 255 is taken
// there of codes below 2^16.
func vecFoldExp(c *build.Context, upper, second Mem, clipped, ifma bool) {
	name, set, limit, grid := "foldExp", "AVX512", "", "half, h32, "
	if clipped {
		name, limit = "foldExpClipped", ", r int64"
	}
	if ifma {
		set, limit, grid = "AVX512IFMA", "", ""
	}
	writeWide(c, name+set, "w = e·m + round in pairs with e = (2^30 − (x<<fraction & mask)) >> (x>>octave), x = mf·code, of the codes of s; Σ of e in pairs of lanes, Σ of the odd e, and all bits of w. m is read up to a whole step and one further.",
		"func(w, s *int64, m *uint32, n int, round, hi int64"+limit+", s1 uint, mul int64, "+grid+"mf, octave, fraction int32) (all, odd, top int64)",
		func(r *wide) (func(), func()) {
			w, s, m := r.ptr("w"), r.ptr("s"), r.ptr("m")
			round, hi, s1, mul := r.q("round"), r.q("hi"), r.q("s1"), r.q("mul")
			var lim, half, h32, words reg.VecVirtual
			var lower reg.OpmaskVirtual
			switch {
			case clipped && ifma:
				lim = r.const16(255)
			case clipped:
				lim = r.q("r")
			}
			if ifma {
				half, words, lower = r.constQ(1<<15), r.ZMM(), r.K()
				r.VMOVDQU16(second, words)
				g := r.GP32()
				r.MOVL(U32(0x55555555), g)
				r.KMOVD(g, lower)
			} else {
				half, h32 = r.d16("half"), r.d16("h32")
				r.upperHalves(upper)
			}
			mf, octave, fraction := r.d16("mf"), r.d16("octave"), r.d16("fraction")
			one, mask := r.const16(1<<30), r.const16(0x1fff8000)
			all, odd, top := r.zero(), r.zero(), r.zero()
			return func() {
				var p [2]reg.VecVirtual
				for i := range p {
					d := r.ZMM()
					r.VPSUBQ(r.int64s(s, i), hi, d)
					if clipped && !ifma {
						r.VPMINUQ(lim, d, d)
					}
					r.VPSRLVQ(s1, d, d)
					if ifma {
						p[i] = r.ZMM()
						r.VMOVDQA64(half, p[i])
						r.VPMADD52HUQ(mul, d, p[i])
					} else {
						r.VPMULUDQ(mul, d, d)
						p[i] = d
					}
				}
				x := p[0]
				if ifma {
					r.VPERMT2W_Z(p[1], words, lower, x)
					if clipped {
						r.VPMINUD(lim, x, x)
					}
				} else {
					x = r.join(p[0], p[1])
					r.VPADDD(half, x, x)
					r.VPSRLVD(h32, x, x)
				}
				r.VPMULLD(mf, x, x)
				f := r.ZMM()
				r.VPSLLVD(fraction, x, f)
				r.VPANDD(mask, f, f)
				r.VPSUBD(f, one, f)
				r.VPSRLVD(octave, x, x)
				e := f
				if r.masked {
					r.VPSRLVD_Z(x, f, r.tail, e)
				} else {
					r.VPSRLVD(x, f, e)
				}
				r.foldPair(e, w, m, round, all, odd, top)
			}, func() { r.foldSums(all, odd, top) }
		})
}

// foldPair leaves sixteen numerators, which it spends, as e·m + round in pairs at w and adds to what foldSums returns.
func (r *wide) foldPair(e reg.VecVirtual, w, m reg.GPVirtual, round, all, odd, top reg.VecVirtual) {
	e2 := r.ZMM()
	r.VPSRLQ(Imm(32), e, e2)
	r.VPADDQ(e, all, all)
	r.VPADDQ(e2, odd, odd)
	r.VPMULUDQ(r.at(m, 4), e, e)
	r.VPMULUDQ(r.at(m, 4).Offset(4), e2, e2)
	r.VPADDQ(round, e, e)
	r.VPADDQ(round, e2, e2)
	r.VPTERNLOGQ(Imm(0xfe), e, e2, top)
	r.VMOVDQU64(e, r.half(w, 8, 0))
	r.VMOVDQU64(e2, r.half(w, 8, 1))
}

func (r *wide) foldSums(all, odd, top reg.VecVirtual) {
	r.Store(r.reduce(r.VPADDQ, all), r.Return("all"))
	r.Store(r.reduce(r.VPADDQ, odd), r.Return("odd"))
	r.Store(r.reduce(r.VPORQ, top), r.Return("top"))
}

// vecSplitBytes is splitPairsAVX512 for rows none of whose N passes 32767: IFMA leaves N from the tenth bit on, so that the
// upper byte of N = 128·hi + lo is one of the product.
func vecSplitBytes(c *build.Context) {
	table := c.StaticGlobal("bytes")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		v := uint64(0)
		for b := range 8 {
			j := 8*i + b // of the low 32 bytes, the second of each lane, then the third
			v |= uint64(j&1*64+j&15>>1*8+1+j>>4&1) << (8 * b)
		}
		c.AppendDatum(U64(v))
	}
	writeBlocks(c, 64, "splitBytesAVX512IFMA", "N = ((w>>s)·c / 2^52 + 2^8) >> 9 in two bytes, ΣN, ΣN·zero; N < 2^15. zero is read up to a whole step.",
		"func(lo, hi *uint8, w *int64, zero *int8, n int, s uint, c int64) (sum, dot int64)",
		func(r *wide) (func(), func()) {
			lo, hi, w, zero := r.ptr("lo"), r.ptr("hi"), r.ptr("w"), r.ptr("zero")
			s, mul, half := r.q("s"), r.q("c"), r.constQ(1<<8)
			low, ones, order := r.const16(0x7f7f7f7f), r.const16(0x01010101), r.ZMM()
			r.VMOVDQU8(table, order)
			sums := [4]reg.VecVirtual{r.zero(), r.zero(), r.zero(), r.zero()}
			return func() {
					var q [4]reg.VecVirtual
					for i := range q {
						var p [2]reg.VecVirtual
						for j := range p {
							v := r.ZMM()
							p[j] = r.ZMM()
							r.VMOVDQU64(r.half(w, 8, 2*i+j), v)
							r.VPSRLVQ(s, v, v)
							r.VMOVDQA64(half, p[j])
							r.VPMADD52HUQ(mul, v, p[j])
						}
						q[i] = p[0]
						r.VPERMT2B(p[1], order, q[i])
					}
					r.VINSERTI64X4(Imm(1), q[1].AsY(), q[0], q[0])
					r.VINSERTI64X4(Imm(1), q[3].AsY(), q[2], q[2])
					l, h, z := r.ZMM(), r.ZMM(), r.ZMM()
					r.VSHUFI64X2(Imm(0x88), q[2], q[0], l)
					r.VSHUFI64X2(Imm(0xdd), q[2], q[0], h)
					r.VPSRLW(Imm(1), l, l)
					r.VPANDD(low, l, l)
					r.VMOVDQU8(r.at(zero, 1), z)
					r.VPDPBUSD(ones, l, sums[0])
					r.VPDPBUSD(ones, h, sums[1])
					r.VPDPBUSD(z, l, sums[2])
					r.VPDPBUSD(z, h, sums[3])
					r.store(r.VMOVDQU8, l, r.at(lo, 1))
					r.store(r.VMOVDQU8, h, r.at(hi, 1))
				}, func() {
					for i, name := range []string{"sum", "dot"} {
						a, b := r.sum32(sums[2*i]), r.sum32(sums[2*i+1])
						r.SHLQ(Imm(7), b)
						r.ADDQ(a, b)
						r.Store(b, r.Return(name))
					}
				}
		})
}
