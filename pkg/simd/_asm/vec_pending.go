package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vecPending: rows that one kernel measures and another quantises, in an order of their own between the two. A block of
// sixteen 64-bit values is its eight even elements, then its eight odd ones: a 32-bit multiplication takes the even lanes
// of what was read, a shift brings the odd ones there, and nothing has to be widened.
func vecPending(c *build.Context, upper, order Mem) {
	writeWide(c, "squaresAVX512", "max |h| and, where that is at most 2^24, Σh².",
		"func(h *int32, n int) (top uint32, sum int64)",
		func(r *wide) (func(), func()) {
			h, top, even, odd := r.ptr("h"), r.zero(), r.zero(), r.zero()
			return func() {
					v, o := r.int32s(h), r.ZMM()
					r.VPABSD(v, v)
					r.VPMAXUD(v, top, top)
					r.VPSRLQ(Imm(32), v, o)
					r.VPMULUDQ(v, v, v)
					r.VPMULUDQ(o, o, o)
					r.VPADDQ(v, even, even)
					r.VPADDQ(o, odd, odd)
				}, func() {
					r.VPADDQ(odd, even, even)
					r.Store(r.reduce(r.VPADDQ, even), r.Return("sum"))
					r.Store(r.reduce32(r.VPMAXUD, top), r.Return("top"))
				}
		})

	writeWide(c, "absSumAVX512", "max |h| and, where that is at most 2^23, Σh of at most 4096 elements.",
		"func(h *int32, n int) (top uint32, sum int64)",
		func(r *wide) (func(), func()) {
			h, top, sum := r.ptr("h"), r.zero(), r.zero()
			return func() {
					v := r.int32s(h)
					r.VPADDD(v, sum, sum)
					r.VPABSD(v, v)
					r.VPMAXUD(v, top, top)
				}, func() {
					r.Store(r.sum32(sum), r.Return("sum"))
					r.Store(r.reduce32(r.VPMAXUD, top), r.Return("top"))
				}
		})

	writeWide(c, "centredPairsAVX512", "Σ(h·2^l − mean)².",
		"func(h *int32, n int, l, mean int32) (sum int64)",
		func(r *wide) (func(), func()) {
			h, l, mean, even, odd := r.ptr("h"), r.d16("l"), r.d16("mean"), r.zero(), r.zero()
			return func() {
					v, o := r.int32s(h), r.ZMM()
					r.VPSLLVD(l, v, v)
					if r.masked {
						r.VPSUBD_Z(mean, v, r.tail, v)
					} else {
						r.VPSUBD(mean, v, v)
					}
					r.VPSRLQ(Imm(32), v, o)
					r.VPMULDQ(v, v, v)
					r.VPMULDQ(o, o, o)
					r.VPADDQ(v, even, even)
					r.VPADDQ(o, odd, odd)
				}, func() {
					r.VPADDQ(odd, even, even)
					r.Store(r.reduce(r.VPADDQ, even), r.Return("sum"))
				}
		})

	evens := c.StaticGlobal("evens")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		c.AppendDatum(U64(uint64(2 * i)))
	}
	vecNormPairs(c, "normPairsAVX512", false, false, false, evens)
	vecNormPairs(c, "normUntiedAVX512", false, false, true, evens)
	vecNormPairs(c, "layerPairsAVX512", true, false, false, evens)
	vecNormPairs(c, "layerBetaPairsAVX512", true, true, false, evens)

	vecRequantBlocks(c, "requantPairsAVX512", true, upper, order)
	vecRequantBlocks(c, "requantWideAVX512", false, upper, order)
	vecGLUNarrow(c)
}

// vecNormPairs works on magnitudes: rounding halves away from zero is odd, so the sign goes to gamma. Where no product is a
// half the sign may stay.
func vecNormPairs(c *build.Context, name string, layer, shifted, untied bool, evens Mem) {
	doc, extra, offset := "v = round(h·rho / 2^shift)·gamma", "", ""
	if layer {
		doc, extra = "v = round((h·2^l − mean)·rho / 2^shift)·gamma", ", l, mean int32"
	}
	if shifted {
		doc, offset = doc+" + beta", ", beta *int64"
	}
	writeWide(c, name, doc+" in pairs, and its range; half is 2^(shift−1).",
		"func(v *int64, h, gamma *int32"+offset+", n int"+extra+", rho, half int64, shift uint) (lo, hi int64)",
		func(r *wide) (func(), func()) {
			v, h, gamma := r.ptr("v"), r.ptr("h"), r.ptr("gamma")
			var l, mean, even, odd reg.VecVirtual
			var beta reg.GPVirtual
			if layer {
				l, mean = r.d16("l"), r.d16("mean")
			}
			if shifted {
				beta, even, odd = r.ptr("beta"), r.ZMM(), r.ZMM()
				r.VMOVDQU64(evens, even)
				r.VPADDQ(r.constQ(1), even, odd)
			}
			rho, half, shift := r.q("rho"), r.q("half"), r.q("shift")
			zero, lim := r.zero(), r.zeroRange()
			return func() {
				x, g, mul := r.int32s(h), r.int32s(gamma), r.VPMULDQ
				if layer {
					r.VPSLLVD(l, x, x)
					r.VPSUBD(mean, x, x)
				}
				if !untied {
					k := r.K()
					r.VPMOVD2M(x, k)
					r.VPABSD(x, x)
					r.VPSUBD(g, zero, k, g)
					mul = r.VPMULUDQ
				}
				x2, g2 := r.ZMM(), r.ZMM()
				r.VPSRLQ(Imm(32), x, x2)
				r.VPSRLQ(Imm(32), g, g2)
				var b [2]reg.VecVirtual
				if shifted {
					p, q := r.int64s(beta, 0), r.int64s(beta, 1)
					for i, order := range []reg.VecVirtual{even, odd} {
						b[i] = r.ZMM()
						r.VMOVDQA64(order, b[i])
						r.VPERMI2Q(q, p, b[i])
					}
				}
				for i, f := range [][2]reg.VecVirtual{{x, g}, {x2, g2}} {
					y := f[0]
					mul(rho, y, y)
					r.VPADDQ(half, y, y)
					r.VPSRLVQ(shift, y, y)
					r.VPMULDQ(f[1], y, y)
					if shifted {
						r.VPADDQ(b[i], y, y)
					}
					r.VMOVDQU64(y, r.half(v, 8, i))
					r.VPMINSQ(y, lim.lo, lim.lo)
					r.VPMAXSQ(y, lim.hi, lim.hi)
				}
			}, func() { r.returnRange(lim, "lo", "hi") }
		})
}

// evenLanes selects them.
func (r *wide) evenLanes() reg.OpmaskVirtual {
	g, k := r.GP32(), r.K()
	r.MOVL(U32(0x5555), g)
	r.KMOVW(g, k)
	return k
}

// interleave puts the upper halves of the even elements' products before those of the odd ones', in b.
func (r *wide) interleave(a, b reg.VecVirtual, low reg.OpmaskVirtual) { r.VMOVSHDUP(a, low, b) }

// reduce32 returns op over the sixteen lanes of z, which is spent.
func (r *wide) reduce32(op func(...Op), z reg.VecVirtual) reg.GPVirtual {
	y, x, t, g := r.YMM(), r.XMM(), r.XMM(), r.GP32()
	r.VEXTRACTI64X4(Imm(1), z, y)
	op(y, z.AsY(), y)
	r.VEXTRACTI32X4(Imm(1), y, x)
	op(x, y.AsX(), x)
	for _, order := range []uint64{0x4e, 0xb1} {
		r.VPSHUFD(Imm(order), x, t)
		op(t, x, x)
	}
	r.VMOVD(x, g)
	return g
}
