package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A wide row walks over sixteen elements a step: 32-bit lanes fill a register,
// and 64-bit ones come in pairs of registers. Products whose shift takes at
// least 32 bits are put together again by their upper halves.
type wide struct {
	*row
	tails [2]reg.OpmaskVirtual // of the pair's registers, in the masked step
	upper reg.VecVirtual       // indices of the upper halves of a pair, for VPERMT2D
}

// writeWide is writeRow for sixteen elements a step.
func writeWide(c *build.Context, name, doc, signature string, setup func(r *wide) (step func(), finish func())) {
	r := &wide{row: &row{Context: c}}
	r.write(16, name, doc, signature, func() (func(), func()) { return setup(r) }, func(ones reg.GPVirtual) {
		r.tail, r.tails[0], r.tails[1] = c.K(), c.K(), c.K()
		c.KMOVW(ones.As32(), r.tail)
		c.KMOVB(ones.As32(), r.tails[0])
		c.KSHIFTRW(Imm(8), r.tail, r.tails[1])
	})
}

// upperHalves makes join possible.
func (r *wide) upperHalves(table Mem) {
	r.upper = r.ZMM()
	r.VMOVDQU32(table, r.upper)
}

// join returns the upper halves of the pair's sixteen lanes in order; a is spent.
func (r *wide) join(a, b reg.VecVirtual) reg.VecVirtual {
	r.VPERMT2D(b, r.upper, a)
	return a
}

// d16 broadcasts a 32-bit parameter to sixteen lanes, const16 a constant.
func (r *wide) d16(name string) reg.VecVirtual {
	g, z := r.GP32(), r.ZMM()
	r.Load(r.Param(name), g)
	r.VPBROADCASTD(g, z)
	return z
}

func (r *wide) const16(v int32) reg.VecVirtual {
	g, z := r.GP32(), r.ZMM()
	r.MOVL(I32(v), g)
	r.VPBROADCASTD(g, z)
	return z
}

// half is the i-th part of a pair's step, elements of size bytes.
func (r *wide) half(p reg.GPVirtual, size uint8, i int) Mem {
	return r.at(p, size).Offset(8 * i * int(size))
}

// part reads the i-th half of the step with a plain or a zero-masking move.
func (r *wide) part(plain func(...Op), mask func(a, b, c Op), m Mem, i int) reg.VecVirtual {
	z := r.ZMM()
	if r.masked {
		mask(m, r.tails[i], z)
	} else {
		plain(m, z)
	}
	return z
}

func (r *wide) int64s(p reg.GPVirtual, i int) reg.VecVirtual {
	return r.part(r.VMOVDQU64, r.VMOVDQU64_Z, r.half(p, 8, i), i)
}
func (r *wide) int32sTo64(p reg.GPVirtual, i int) reg.VecVirtual {
	return r.part(r.VPMOVSXDQ, r.VPMOVSXDQ_Z, r.half(p, 4, i), i)
}
func (r *wide) uint32sTo64(p reg.GPVirtual, i int) reg.VecVirtual {
	return r.part(r.VPMOVZXDQ, r.VPMOVZXDQ_Z, r.half(p, 4, i), i)
}

// int32s and uint8s read all sixteen.
func (r *wide) int32s(p reg.GPVirtual) reg.VecVirtual {
	return r.load(r.VMOVDQU32, r.VMOVDQU32_Z, r.at(p, 4), r.ZMM())
}
func (r *wide) uint8s(p reg.GPVirtual) reg.VecVirtual {
	return r.load(r.VPMOVZXBD, r.VPMOVZXBD_Z, r.at(p, 1), r.ZMM())
}

// widen sign-extends sixteen 32-bit lanes to a pair.
func (r *wide) widen(v reg.VecVirtual) (a, b reg.VecVirtual) {
	a, b = r.ZMM(), r.ZMM()
	y := r.YMM()
	r.VEXTRACTI64X4(Imm(1), v, y)
	r.VPMOVSXDQ(v.AsY(), a)
	r.VPMOVSXDQ(y, b)
	return a, b
}

func (r *wide) storeInt64s(v reg.VecVirtual, p reg.GPVirtual, i int) {
	m := r.half(p, 8, i)
	if r.masked {
		r.VMOVDQU64(v, r.tails[i], m)
	} else {
		r.VMOVDQU64(v, m)
	}
}
func (r *wide) storeInt32s(v reg.VecVirtual, p reg.GPVirtual) { r.store(r.VMOVDQU32, v, r.at(p, 4)) }

// storeBytes writes the low bytes of sixteen lanes.
func (r *wide) storeBytes(v reg.VecVirtual, p reg.GPVirtual) {
	x := r.XMM()
	r.VPMOVDB(v, x)
	r.store(r.VMOVDQU8, x, r.at(p, 1))
}

// foldHalf is fold for the i-th register of a pair.
func (r *wide) foldHalf(op func(...Op), v, acc reg.VecVirtual, i int) {
	if r.masked {
		op(v, acc, r.tails[i], acc)
	} else {
		op(v, acc, acc)
	}
}

func (r *wide) foldRangeHalf(v reg.VecVirtual, m minMax, i int) {
	r.foldHalf(r.VPMINSQ, v, m.lo, i)
	r.foldHalf(r.VPMAXSQ, v, m.hi, i)
}

// sum32 adds up sixteen 32-bit lanes in 64 bits.
func (r *wide) sum32(v reg.VecVirtual) reg.GPVirtual {
	a, b := r.widen(v)
	r.VPADDQ(b, a, a)
	return r.reduce(r.VPADDQ, a)
}

// upperTable is the data of upperHalves.
func upperTable(c *build.Context) Mem {
	m := c.StaticGlobal("upper")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		c.AppendDatum(U64(uint64(4*i+1) | uint64(4*i+3)<<32))
	}
	return m
}

// vecWide: the kernels of the longest rows again, where their numbers allow sixteen lanes.
func vecWide(c *build.Context, upper Mem) {
	writeWide(c, "accumulateWideAVX512", "t = (acc − z·sum − (zero−off)·c)·m and its range.",
		"func(t *int64, acc, sum, m *int32, zero *uint8, n int, z, c, off int32) (lo, hi int64)",
		func(r *wide) (func(), func()) {
			t, acc, sum, m, zero := r.ptr("t"), r.ptr("acc"), r.ptr("sum"), r.ptr("m"), r.ptr("zero")
			z, cc, off := r.d16("z"), r.d16("c"), r.d16("off")
			lim := r.zeroRange()
			return func() {
				v, s, o := r.int32s(acc), r.int32s(sum), r.uint8s(zero)
				r.VPMULLD(z, s, s)
				r.VPSUBD(off, o, o)
				r.VPMULLD(cc, o, o)
				r.VPSUBD(s, v, v)
				r.VPSUBD(o, v, v)
				a, b := r.widen(v)
				for i, w := range []reg.VecVirtual{a, b} {
					r.VPMULDQ(r.int32sTo64(m, i), w, w)
					r.storeInt64s(w, t, i)
					r.foldRangeHalf(w, lim, i)
				}
			}, func() { r.returnRange(lim, "lo", "hi") }
		})

	writeWide(c, "scoresWideAVX512", "s = ((acc − zq·sum − zero·c)·m)<<(left − k), its plain range, and the least of 16 and left − k.",
		"func(s *int64, acc, sum, zero, k *int32, m *uint32, n int, zq, c, left int32) (lo, hi int64, least int32)",
		func(r *wide) (func(), func()) {
			s, acc, sum, zero, k, m := r.ptr("s"), r.ptr("acc"), r.ptr("sum"), r.ptr("zero"), r.ptr("k"), r.ptr("m")
			zq, cc, left := r.d16("zq"), r.d16("c"), r.d16("left")
			lim, least := minMax{r.constQ(1<<63 - 1), r.constQ(-1 << 63)}, r.const16(16)
			return func() {
					v, a, o, n := r.int32s(acc), r.int32s(sum), r.int32s(zero), r.int32s(k)
					r.VPMULLD(zq, a, a)
					r.VPMULLD(cc, o, o)
					r.VPSUBD(a, v, v)
					r.VPSUBD(o, v, v)
					r.VPSUBD(n, left, n)
					r.fold(r.VPMINSD, n, least)
					w, x := r.widen(v)
					p, q := r.widen(n)
					for i, w := range []reg.VecVirtual{w, x} {
						r.VPMULDQ(r.uint32sTo64(m, i), w, w)
						r.VPSLLVQ([]reg.VecVirtual{p, q}[i], w, w)
						r.storeInt64s(w, s, i)
						r.foldRangeHalf(w, lim, i)
					}
				}, func() {
					r.returnRange(lim, "lo", "hi")
					y, x, t, g := r.YMM(), r.XMM(), r.XMM(), r.GP32()
					r.VEXTRACTI64X4(Imm(1), least, y)
					r.VPMINSD(y, least.AsY(), y)
					r.VEXTRACTI32X4(Imm(1), y, x)
					r.VPMINSD(x, y.AsX(), x)
					r.VPSHUFD(Imm(0x4e), x, t)
					r.VPMINSD(x, t, x)
					r.VPSHUFD(Imm(0xb1), x, t)
					r.VPMINSD(x, t, x)
					r.VMOVD(x, g)
					r.Store(g, r.Return("least"))
				}
		})

	for _, quad := range []bool{false, true} {
		vecExpWide(c, upper, quad)
	}

	writeWide(c, "splitWideAVX512", "N = min(32767, ((w>>s)·c + half)>>(32 + n32)) in two bytes, ΣN, ΣN·zero.",
		"func(lo, hi *uint8, w *int64, zero *int32, n int, s uint, c, half int64, n32 int32) (sum, dot int64)",
		func(r *wide) (func(), func()) {
			lo, hi, w, zero := r.ptr("lo"), r.ptr("hi"), r.ptr("w"), r.ptr("zero")
			s, cc, half, sh := r.q("s"), r.q("c"), r.q("half"), r.d16("n32")
			most, low := r.const16(32767), r.const16(127)
			sum, dot := r.zero(), r.zero()
			r.upperHalves(upper)
			return func() {
					var p [2]reg.VecVirtual
					for i := range p {
						p[i] = r.int64s(w, i)
						r.VPSRLVQ(s, p[i], p[i])
						r.VPMULUDQ(cc, p[i], p[i])
						r.VPADDQ(half, p[i], p[i])
					}
					v := r.join(p[0], p[1])
					r.VPSRLVD(sh, v, v)
					r.VPMINUD(most, v, v)
					r.fold(r.VPADDD, v, sum)
					d := r.int32s(zero)
					r.VPMULLD(v, d, d)
					a, b := r.widen(d)
					r.foldHalf(r.VPADDQ, a, dot, 0)
					r.foldHalf(r.VPADDQ, b, dot, 1)
					l := r.ZMM()
					r.VPANDD(low, v, l)
					r.storeBytes(l, lo)
					r.VPSRLD(Imm(7), v, v)
					r.storeBytes(v, hi)
				}, func() {
					r.Store(r.sum32(sum), r.Return("sum"))
					r.Store(r.reduce(r.VPADDQ, dot), r.Return("dot"))
				}
		})

	writeWide(c, "joinAVX512", "u = 128·hi + lo.",
		"func(u, hi, lo *int32, n int)",
		func(r *wide) (func(), func()) {
			u, hi, lo := r.ptr("u"), r.ptr("hi"), r.ptr("lo")
			return func() {
				v := r.int32s(hi)
				r.VPSLLD(Imm(7), v, v)
				r.VPADDD(r.int32s(lo), v, v)
				r.storeInt32s(v, u)
			}, func() {}
		})

	vecSwiGLU(c)
	for _, quad := range []bool{false, true} {
		vecGates(c, quad)
		vecGatesAlpha(c, quad)
	}
}

// base16 returns (Pow2 or Pow2Quad of v) in 32-bit lanes and leaves the whole octaves in v.
func (r *wide) base16(v reg.VecVirtual, quad bool, one, frac, eleven reg.VecVirtual) reg.VecVirtual {
	f, b, t := r.ZMM(), r.ZMM(), r.ZMM()
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
	return b
}

// octaves16 turns w < 2^25 into (min(w, cap)<<left)>>right below 32 octaves.
func (r *wide) octaves16(v, limit, left, right, octaves reg.VecVirtual) {
	r.VPMINUD(limit, v, v)
	r.VPSLLVD(left, v, v)
	r.VPSRLVD(right, v, v)
	r.VPMINUD(octaves, v, v)
}

func suffix(quad bool) (name, doc string) {
	if quad {
		return "Quad", ", with the parabola"
	}
	return "", ""
}

func vecExpWide(c *build.Context, upper Mem, quad bool) {
	q, doc := suffix(quad)
	writeWide(c, "expWide"+q+"AVX512", "exp8"+q+"AVX512 for a shift of 32 + h32"+doc+".",
		"func(e *int32, s *int64, n int, hi, r int64, s1 uint, mul, half int64, h32, top, mf, cap, left, right int32)",
		func(r *wide) (func(), func()) {
			e, s := r.ptr("e"), r.ptr("s")
			hi, lim, s1, mul, half := r.q("hi"), r.q("r"), r.q("s1"), r.q("mul"), r.q("half")
			h, top, mf, limit, left, right := r.d16("h32"), r.d16("top"), r.d16("mf"), r.d16("cap"), r.d16("left"), r.d16("right")
			octaves, one, frac, eleven := r.const16(1<<20-1), r.const16(32768), r.const16(32767), r.const16(11)
			r.upperHalves(upper)
			return func() {
				var p [2]reg.VecVirtual
				for i := range p {
					p[i] = r.ZMM()
					r.VPSUBQ(r.int64s(s, i), hi, p[i])
					r.VPMINSQ(lim, p[i], p[i])
					r.VPSRAVQ(s1, p[i], p[i])
					r.VPMULDQ(mul, p[i], p[i])
					r.VPADDQ(half, p[i], p[i])
				}
				v := r.join(p[0], p[1])
				r.VPSRAVD(h, v, v)
				r.VPMINSD(top, v, v)
				r.VPMULLD(mf, v, v)
				r.octaves16(v, limit, left, right, octaves)
				b := r.base16(v, quad, one, frac, eleven)
				r.VPSLLD(Imm(15), b, b)
				r.VPSRLVD(v, b, b)
				r.storeInt32s(b, e)
			}, func() {}
		})
}
