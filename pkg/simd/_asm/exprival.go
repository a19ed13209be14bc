package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// expRivalFile writes the exponentials of distance codes that an ablation
// compares, all with the same frame: sixteen codes a step, 32-bit lanes wherever
// the definition allows them, tables in registers.
func expRivalFile(c *build.Context) {
	writeRow(c, "distanceCodesAVX512", "d = min(round((min(hi−s, r)>>s1)·g / 2^h), top).",
		"func(d *int32, s *int64, n int, hi, r int64, s1 uint, mul int64, h uint, top int64)",
		func(r *row) (func(), func()) {
			dst, s := r.ptr("d"), r.ptr("s")
			hi, lim, s1, mul, h, top := r.q("hi"), r.q("r"), r.q("s1"), r.q("mul"), r.rounding("h", false), r.q("top")
			return func() {
				d, y := r.ZMM(), r.YMM()
				r.VPSUBQ(r.int64s(s), hi, d)
				r.VPMINSQ(lim, d, d)
				r.VPSRAVQ(s1, d, d)
				r.VPMULDQ(mul, d, d)
				r.VPADDQ(h.half, d, d)
				r.VPSRAVQ(h.count, d, d)
				r.VPMINSQ(top, d, d)
				r.VPMOVQD(d, y)
				r.storeInt32s(y, dst)
			}, func() {}
		})
	writeRow(c, "momentsAVX512", "Σx and Σx² of x = (hi − s)>>shift below 2^31.",
		"func(s *int64, n int, hi int64, shift uint) (sum, squares int64)",
		func(r *row) (func(), func()) {
			s, hi, shift := r.ptr("s"), r.q("hi"), r.q("shift")
			sum, squares := r.zero(), r.zero()
			return func() {
					x := r.ZMM()
					r.VPSUBQ(r.int64s(s), hi, x)
					r.VPSRAVQ(shift, x, x)
					r.fold(r.VPADDQ, x, sum)
					r.VPMULUDQ(x, x, x)
					r.fold(r.VPADDQ, x, squares)
				}, func() {
					r.Store(r.reduce(r.VPADDQ, sum), r.Return("sum"))
					r.Store(r.reduce(r.VPADDQ, squares), r.Return("squares"))
				}
		})
	for _, quad := range []bool{false, true} {
		rivalChord(c, quad)
	}
	for _, j := range []int{3, 5, 6} {
		rivalFraction(c, j, true, false)
		rivalFraction(c, j, false, false)
	}
	rivalFraction(c, 2, true, true)
	rivalDirect(c)
	rivalLookup(c)
	for n := 2; n <= 5; n++ {
		rivalTaylor(c, n)
	}
	rivalBERT(c)
	rivalLines(c)
	rivalPublished(c)
	rivalShiftmax(c)
}

// rival is a wide row whose 64-bit intermediates are kept as the even and the
// odd lanes of a register of 32-bit ones.
type rival struct {
	*wide
	odd reg.OpmaskVirtual // lanes 1, 3, … of sixteen
	low reg.VecVirtual    // 2^32 − 1 in eight lanes
}

func writeRival(c *build.Context, name, doc, parameters string, setup func(r *rival) (step func(d reg.VecVirtual) reg.VecVirtual)) {
	writeWide(c, name+"AVX512", doc, "func(e, d *int32, n int, "+parameters+")", func(w *wide) (func(), func()) {
		r := &rival{wide: w, odd: w.K()}
		e, d := r.ptr("e"), r.ptr("d")
		g := r.GP32()
		r.MOVL(U32(0xaaaa), g)
		r.KMOVW(g, r.odd)
		step := setup(r)
		return func() { r.storeInt32s(step(r.int32s(d)), e) }, func() {}
	})
}

// split returns the even and the odd lanes of v as 64-bit ones; the upper half of
// the even ones is not cleared, which a 32-bit product does not see.
func (r *rival) split(v reg.VecVirtual) [2]reg.VecVirtual {
	o := r.ZMM()
	r.VPSRLQ(Imm(32), v, o)
	return [2]reg.VecVirtual{v, o}
}

// clean is split with cleared upper halves.
func (r *rival) clean(v reg.VecVirtual) [2]reg.VecVirtual {
	if r.low == nil {
		panic("exprival: low was not set up")
	}
	p := r.split(v)
	p[0] = r.ZMM()
	r.VPANDQ(r.low, v, p[0])
	return p
}

// merge puts the lower halves of two registers of 64-bit lanes together again.
func (r *rival) merge(p [2]reg.VecVirtual) reg.VecVirtual {
	r.VPSHUFD(Imm(0xa0), p[1], r.odd, p[0])
	return p[0]
}

// each applies f to both halves.
func (r *rival) each(p [2]reg.VecVirtual, f func(v, dst reg.VecVirtual)) (out [2]reg.VecVirtual) {
	for i, v := range p {
		out[i] = r.ZMM()
		f(v, out[i])
	}
	return out
}

// scaled returns min((d·mul)>>right, top) for products below 2^33 and right ≥ 1.
func (r *rival) scaled(d, mul, right, top reg.VecVirtual) reg.VecVirtual {
	p := r.each(r.split(d), func(v, dst reg.VecVirtual) {
		r.VPMULUDQ(mul, v, dst)
		r.VPSRLVQ(right, dst, dst)
	})
	x := r.merge(p)
	r.VPMINUD(top, x, x)
	return x
}

// natural sets up the exponent in natural units, 16 fraction bits.
func (r *rival) natural() func(d reg.VecVirtual) reg.VecVirtual {
	m, right, top := r.d16("m"), r.q("right"), r.const16(1<<21-1)
	return func(d reg.VecVirtual) reg.VecVirtual { return r.scaled(d, m, right, top) }
}

// octaves sets up the exponent in octaves, 15 fraction bits.
func (r *rival) octaves() func(d reg.VecVirtual) reg.VecVirtual {
	mf, right, top := r.d16("mf"), r.q("right"), r.const16(1<<20-1)
	return func(d reg.VecVirtual) reg.VecVirtual { return r.scaled(d, mf, right, top) }
}

func rivalChord(c *build.Context, quad bool) {
	q, doc := suffix(quad)
	writeRival(c, "expChord"+q, "DI-Exp of d·mf>>right octaves"+doc+".", "mf int32, right int64",
		func(r *rival) func(d reg.VecVirtual) reg.VecVirtual {
			octaves := r.octaves()
			one, frac, eleven := r.const16(32768), r.const16(32767), r.const16(11)
			return func(d reg.VecVirtual) reg.VecVirtual {
				v := octaves(d)
				b := r.base16(v, quad, one, frac, eleven)
				r.VPSLLD(Imm(15), b, b)
				r.VPSRLVD(v, b, b)
				return b
			}
		})
}

// table loads n registers of sixteen 32-bit entries; of a table of sixteen
// registers every other one stays in memory.
func (r *rival) table(name string, n int) []Op {
	p, t := r.ptr(name), make([]Op, n)
	for i := range t {
		t[i] = Mem{Base: p, Disp: 64 * i}
		if n < 16 || i%2 == 0 {
			z := r.ZMM()
			r.VMOVDQU32(t[i], z)
			t[i] = z
		}
	}
	return t
}

// lookup returns entry i of a table of 16, 32, 64 or 256 entries; higher bits of i
// are ignored. bits are the bits of i above the five that one permutation takes.
func (r *rival) lookup(t []Op, i reg.VecVirtual, bits []reg.VecVirtual) reg.VecVirtual {
	v := r.ZMM()
	switch len(t) {
	case 1:
		r.VPERMD(t[0], i, v)
	case 2:
		r.VMOVDQA32(i, v)
		r.VPERMI2D(t[1], t[0], v)
	default:
		upper, k := len(bits)-1, r.K()
		v = r.lookup(t[:len(t)/2], i, bits[:upper])
		w := r.lookup(t[len(t)/2:], i, bits[:upper])
		r.VPTESTMD(bits[upper], i, k)
		r.VMOVDQA32(w, k, v)
	}
	return v
}

func rivalFraction(c *build.Context, j int, lerp, short bool) {
	name, doc, tables := fmt.Sprintf("expFraction%d", 1<<j), "the nearest of the fraction's entries", "table *int32"
	if lerp {
		name, doc, tables = name+"Lerp", "lines between the fraction's entries", "table, diff *int32"
	}
	if short {
		name, doc = name+"Short", doc+", cut to 15 bits"
	}
	w := uint64(15 - j)
	writeRival(c, name, doc+".", "mf int32, right int64, "+tables,
		func(r *rival) func(d reg.VecVirtual) reg.VecVirtual {
			octaves, n := r.octaves(), max(1, 1<<j/16)
			t := r.table("table", n)
			var diff []Op
			var bits []reg.VecVirtual
			var mask, half, keep reg.VecVirtual
			if j == 6 {
				bits = []reg.VecVirtual{r.const16(32)}
			}
			if lerp {
				diff, mask = r.table("diff", n), r.const16(1<<w-1)
			} else {
				half = r.const16(1 << (w - 1))
			}
			if short {
				keep = r.const16(-1 << 15)
			}
			return func(d reg.VecVirtual) reg.VecVirtual {
				v, i, g := octaves(d), r.ZMM(), r.ZMM()
				if !lerp {
					r.VPADDD(half, v, v)
				}
				r.VPSRLD(Imm(w), v, i)
				e := r.lookup(t, i, bits)
				if lerp {
					r.VPANDD(mask, v, g)
					a, b := r.split(r.lookup(diff, i, bits)), r.split(g)
					for h := range a {
						r.VPMULUDQ(b[h], a[h], a[h])
						r.VPSRLQ(Imm(w), a[h], a[h])
					}
					r.VPSUBD(r.merge(a), e, e)
				}
				r.VPSRLD(Imm(15), v, v)
				r.VPSRLVD(v, e, e)
				if short {
					r.VPANDD(keep, e, e)
				}
				return e
			}
		})
}

// bits256 are the index bits above the five that one permutation takes.
func (r *rival) bits256() []reg.VecVirtual {
	return []reg.VecVirtual{r.const16(32), r.const16(64), r.const16(128)}
}

func rivalDirect(c *build.Context) {
	writeRival(c, "expDirect", "entry round(x·step / 2^32) of 256, x = d·m>>right; 0 beyond.", "m int32, right int64, step int32, table *int32",
		func(r *rival) func(d reg.VecVirtual) reg.VecVirtual {
			natural, step, half, end := r.natural(), r.d16("step"), r.constQ(1<<31), r.const16(256)
			t, bits := r.table("table", 16), r.bits256()
			return func(d reg.VecVirtual) reg.VecVirtual {
				p := r.each(r.split(natural(d)), func(v, dst reg.VecVirtual) {
					r.VPMULUDQ(step, v, dst)
					r.VPADDQ(half, dst, dst)
				})
				i, k := p[0], r.K()
				r.VPSHUFD(Imm(0xf5), i, i)
				r.VMOVDQA32(p[1], r.odd, i)
				r.VPCMPUD(Imm(1), end, i, k)
				e := r.lookup(t, i, bits)
				r.VMOVDQA32_Z(e, k, e)
				return e
			}
		})
}

func rivalLookup(c *build.Context) {
	writeRival(c, "expLookup", "entry d of 256.", "table *int32",
		func(r *rival) func(d reg.VecVirtual) reg.VecVirtual {
			t, bits := r.table("table", 16), r.bits256()
			return func(d reg.VecVirtual) reg.VecVirtual { return r.lookup(t, d, bits) }
		})
}
