package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A block is a kernel over thirty-two or sixty-four elements a step, the last step under a mask.
func writeBlocks(c *build.Context, size uint32, name, doc, signature string, setup func(r *wide) (step func(), finish func())) {
	r := &wide{row: &row{Context: c}}
	r.write(size, name, doc, signature, func() (func(), func()) { return setup(r) }, func(ones reg.GPVirtual) {
		r.tail = c.K()
		c.KMOVQ(ones, r.tail)
	})
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

// lookup256 reads a table of 256 words, in eight registers, at an index a word; b6 and b7 are its upper bits, k6 and k7 are
// overwritten.
func (r *wide) lookup256(index reg.VecVirtual, words [8]reg.VecVirtual, b6, b7 reg.VecVirtual, k6, k7 reg.OpmaskVirtual) reg.VecVirtual {
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
	return q[0]
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
					sigma := r.lookup256(index, words, b6, b7, k6, k7)
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
						unpack(zero, sigma, s)
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

// vecRequantBlocks packs four registers of codes to one of bytes, which cuts them to 0 … 255 on the way.
func vecRequantBlocks(c *build.Context, name string, paired bool, upper, order Mem) {
	doc := "dst = clamp(((v>>s)·g>>32 + base)>>h32, 0, top) and its sum."
	if paired {
		doc = "dst = clamp(((v>>s)·g>>32 + base)>>h32, 0, top) of a row in pairs, and its sum."
	}
	writeBlocks(c, 64, name, doc, "func(dst *uint8, v *int64, n int, s uint, mul int64, base, h32, top int32) (sum int64)",
		func(r *wide) (func(), func()) {
			dst, v := r.ptr("dst"), r.ptr("v")
			s, g, base, h := r.q("s"), r.q("mul"), r.d16("base"), r.d16("h32")
			w, top, perm := r.GP32(), r.ZMM(), r.ZMM()
			r.Load(r.Param("top"), w)
			r.VPBROADCASTB(w, top)
			r.VMOVDQU32(order, perm)
			zero, sum := r.zero(), r.zero()
			var low reg.OpmaskVirtual
			if paired {
				low = r.evenLanes()
			} else {
				r.upperHalves(upper)
			}
			return func() {
				var q [4]reg.VecVirtual
				for i := range q {
					var p [2]reg.VecVirtual
					for j := range p {
						p[j] = r.ZMM()
						m := r.half(v, 8, 2*i+j)
						if r.masked && !paired {
							k := r.K()
							r.KSHIFTRQ(Imm(uint64(8*(2*i+j))), r.tail, k)
							r.VMOVDQU64_Z(m, k, p[j])
						} else {
							r.VMOVDQU64(m, p[j])
						}
						r.VPSRAVQ(s, p[j], p[j])
						r.VPMULDQ(g, p[j], p[j])
					}
					q[i] = p[1]
					if paired {
						r.interleave(p[0], p[1], low)
					} else {
						q[i] = r.join(p[0], p[1])
					}
					r.VPADDD(base, q[i], q[i])
					r.VPSRAVD(h, q[i], q[i])
				}
				r.VPACKSSDW(q[1], q[0], q[0])
				r.VPACKSSDW(q[3], q[2], q[2])
				x, t := q[0], r.ZMM()
				r.VPACKUSWB(q[2], q[0], x)
				r.VPERMD(x, perm, x)
				if r.masked {
					r.VPMINUB_Z(top, x, r.tail, x)
				} else {
					r.VPMINUB(top, x, x)
				}
				r.VPSADBW(zero, x, t)
				r.VPADDQ(t, sum, sum)
				r.store(r.VMOVDQU8, x, r.at(dst, 1))
			}, func() { r.Store(r.reduce(r.VPADDQ, sum), r.Return("sum")) }
		})
}
