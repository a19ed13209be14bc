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
func vecPending(c *build.Context) {
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
	vecNormPairs(c, "normPairsAVX512", false, false, evens)
	vecNormPairs(c, "layerPairsAVX512", true, false, evens)
	vecNormPairs(c, "layerBetaPairsAVX512", true, true, evens)

	writeWide(c, "requantPairsAVX512", "dst = clamp(((v>>s)·g>>32 + base)>>h32, 0, top) of a row in pairs, and its sum.",
		"func(dst *uint8, v *int64, n int, s uint, mul int64, base, h32, top int32) (sum int64)",
		func(r *wide) (func(), func()) {
			dst, v := r.ptr("dst"), r.ptr("v")
			s, g, base, h, top := r.q("s"), r.q("mul"), r.d16("base"), r.d16("h32"), r.d16("top")
			zero, sum, low := r.zero(), r.zero(), r.evenLanes()
			return func() {
				var p [2]reg.VecVirtual
				for i := range p {
					p[i] = r.ZMM()
					r.VMOVDQU64(r.half(v, 8, i), p[i])
					r.VPSRAVQ(s, p[i], p[i])
					r.VPMULDQ(g, p[i], p[i])
				}
				r.interleave(p[0], p[1], low)
				r.VPADDD(base, p[1], p[1])
				r.VPSRAVD(h, p[1], p[1])
				r.VPMAXSD(zero, p[1], p[1])
				r.VPMINSD(top, p[1], p[1])
				r.fold(r.VPADDD, p[1], sum)
				r.storeBytes(p[1], dst)
			}, func() { r.Store(r.sum32(sum), r.Return("sum")) }
		})
	vecGLUNarrow(c)
}

// vecNormPairs works on magnitudes: rounding halves away from zero is odd, so the sign goes to gamma.
func vecNormPairs(c *build.Context, name string, layer, shifted bool, evens Mem) {
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
				x, g, k := r.int32s(h), r.int32s(gamma), r.K()
				if layer {
					r.VPSLLVD(l, x, x)
					r.VPSUBD(mean, x, x)
				}
				r.VPMOVD2M(x, k)
				r.VPABSD(x, x)
				r.VPSUBD(g, zero, k, g)
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
					r.VPMULUDQ(rho, y, y)
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

// A block is a kernel over thirty-two or sixty-four elements a step, the last step under a mask.
func writeBlocks(c *build.Context, size uint32, name, doc, signature string, setup func(r *wide) (step func(), finish func())) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(name + ": " + doc)
	c.SignatureExpr(signature)
	r := &wide{row: &row{Context: c, index: c.GP64()}}
	n := c.Load(c.Param("n"), c.GP64()).(reg.GPVirtual)
	step, finish := setup(r)
	c.XORQ(r.index, r.index)
	c.SUBQ(U32(size), n)
	c.JL(LabelRef("tail"))
	c.Label("loop")
	step()
	c.ADDQ(U32(size), r.index)
	c.SUBQ(U32(size), n)
	c.JGE(LabelRef("loop"))
	c.Label("tail")
	c.ADDQ(U32(size), n)
	c.JZ(LabelRef("done"))
	ones := c.GP64()
	c.MOVQ(I32(-1), ones)
	c.BZHIQ(n, ones, ones)
	r.tail = c.K()
	c.KMOVQ(ones, r.tail)
	r.masked = true
	step()
	r.masked = false
	c.Label("done")
	finish()
	c.VZEROUPPER()
	c.RET()
}

// words reads thirty-two bytes as words.
func (r *wide) words(p reg.GPVirtual) reg.VecVirtual {
	return r.load(r.VPMOVZXBW, r.VPMOVZXBW_Z, r.at(p, 1), r.ZMM())
}

func (r *wide) constW(v uint32) reg.VecVirtual {
	g, z := r.GP32(), r.ZMM()
	r.MOVL(U32(v), g)
	r.VPBROADCASTW(g, z)
	return z
}

// vecGLUNarrow: products of 8-bit operands fit 32 bits. They lie as unpacking words leaves them, four of the first half of
// a block of thirty-two and four of the second by turns, and packing them brings them back.
func vecGLUNarrow(c *build.Context) {
	writeBlocks(c, 32, "swigluNarrowAVX512", "y = (g − zg)·table[g]·(u − zu), unpacked, and its range.",
		"func(y *int32, gate, u *uint8, table *uint16, n int, zg, zu int32) (lo, hi int64)",
		func(r *wide) (func(), func()) {
			y, g, u, table := r.ptr("y"), r.ptr("gate"), r.ptr("u"), r.ptr("table")
			lo, hi, zero := r.zero(), r.zero(), r.zero()
			var z [2]reg.VecVirtual
			for i, name := range []string{"zg", "zu"} {
				g := r.GP32()
				z[i] = r.ZMM()
				r.Load(r.Param(name), g)
				r.VPBROADCASTW(g, z[i])
			}
			var words [8]reg.VecVirtual
			for i := range words {
				words[i] = r.ZMM()
				r.VMOVDQU16(Mem{Base: table, Disp: 64 * i}, words[i])
			}
			b6, b7 := r.constW(64), r.constW(128)
			return func() {
					index, t, k6, k7 := r.words(g), r.words(u), r.K(), r.K()
					r.VPTESTMW(b6, index, k6)
					r.VPTESTMW(b7, index, k7)
					var q [4]reg.VecVirtual
					for i := range q {
						q[i] = r.ZMM()
						r.VMOVDQA32(index, q[i])
						r.VPERMI2W(words[2*i+1], words[2*i], q[i])
					}
					r.VMOVDQU16(q[1], k6, q[0])
					r.VMOVDQU16(q[3], k6, q[2])
					r.VMOVDQU16(q[2], k7, q[0])
					if r.masked {
						r.VPSUBW_Z(z[0], index, r.tail, index)
					} else {
						r.VPSUBW(z[0], index, index)
					}
					r.VPSUBW(z[1], t, t)
					least, most := r.ZMM(), r.ZMM() // the 17 bits of the product of both
					r.VPMULLW(index, t, least)
					r.VPMULHW(index, t, most)
					for i, unpack := range []func(...Op){r.VPUNPCKLWD, r.VPUNPCKHWD} {
						p, s := r.ZMM(), r.ZMM()
						unpack(most, least, p)
						unpack(zero, q[0], s)
						r.VPMULLD(s, p, p)
						r.VPMINSD(p, lo, lo)
						r.VPMAXSD(p, hi, hi)
						r.VMOVDQU32(p, r.at(y, 4).Offset(64*i))
					}
				}, func() {
					for _, m := range []struct {
						name string
						op   func(...Op)
						v    reg.VecVirtual
					}{{"lo", r.VPMINSD, lo}, {"hi", r.VPMAXSD, hi}} {
						g := r.GP64()
						r.MOVLQSX(r.reduce32(m.op, m.v).As32(), g)
						r.Store(g, r.Return(m.name))
					}
				}
		})

	writeBlocks(c, 32, "requantNarrowAVX512", "dst = clamp(((y>>s)·g>>32 + base)>>h32, 0, top) of a row unpacked, and its sum.",
		"func(dst *uint8, y *int32, n int, s int32, mul int64, base, h32, top int32) (sum int64)",
		func(r *wide) (func(), func()) {
			dst, y := r.ptr("dst"), r.ptr("y")
			s, g, base, h := r.d16("s"), r.q("mul"), r.d16("base"), r.d16("h32")
			w := r.GP32()
			top := r.ZMM()
			r.Load(r.Param("top"), w)
			r.VPBROADCASTW(w, top)
			zero, sum, low := r.zero(), r.YMM(), r.evenLanes()
			r.VPXOR(sum, sum, sum)
			return func() {
					var p [2]reg.VecVirtual
					for i := range p {
						a := r.ZMM()
						p[i] = r.ZMM()
						r.VMOVDQU32(r.at(y, 4).Offset(64*i), a)
						r.VPSRAVD(s, a, a)
						r.VPSRLQ(Imm(32), a, p[i])
						r.VPMULDQ(g, a, a)
						r.VPMULDQ(g, p[i], p[i])
						r.interleave(a, p[i], low)
						r.VPADDD(base, p[i], p[i])
						r.VPSRAVD(h, p[i], p[i])
					}
					v := p[0]
					r.VPACKSSDW(p[1], p[0], v)
					r.VPMAXSW(zero, v, v)
					if r.masked {
						r.VPMINSW_Z(top, v, r.tail, v)
					} else {
						r.VPMINSW(top, v, v)
					}
					b, t := r.YMM(), r.YMM()
					r.VPMOVWB(v, b)
					r.VPSADBW(zero.AsY(), b, t)
					r.VPADDQ(t, sum, sum)
					m := r.at(dst, 1)
					if r.masked {
						r.VMOVDQU8(b, r.tail, m)
					} else {
						r.VMOVDQU8(b, m)
					}
				}, func() {
					x, t, g := r.XMM(), r.XMM(), r.GP64()
					r.VEXTRACTI128(Imm(1), sum, x)
					r.VPADDQ(x, sum.AsX(), x)
					r.VPSHUFD(Imm(0x4e), x, t)
					r.VPADDQ(t, x, x)
					r.VMOVQ(x, g)
					r.Store(g, r.Return("sum"))
				}
		})
}
