package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// reduce45426 returns z = x div 45426 and the rest, both as 64-bit lanes:
// ⌈2^37/45426⌉ leaves an error of less than one for x < 2^21.
func (r *rival) reduce45426() func(x reg.VecVirtual) (z, rest [2]reg.VecVirtual) {
	const ln2, inverse = 45426, (1<<37 + 45425) / 45426
	r.low = r.constQ(1<<32 - 1)
	mul, period := r.constQ(inverse), r.constQ(ln2)
	return func(x reg.VecVirtual) (z, rest [2]reg.VecVirtual) {
		p := r.clean(x)
		z = r.each(p, func(v, dst reg.VecVirtual) {
			r.VPMULUDQ(mul, v, dst)
			r.VPSRLQ(Imm(37), dst, dst)
		})
		for i := range p {
			rest[i] = r.ZMM()
			r.VPMULUDQ(period, z[i], rest[i])
			r.VPSUBQ(rest[i], p[i], rest[i])
		}
		return z, rest
	}
}

// divRound sets v to round(v/n), n ≤ 5, for 0 ≤ v < 2^31.
func (r *rival) divRound(v reg.VecVirtual, n int, consts map[int]reg.VecVirtual) {
	switch n {
	case 2, 4:
		r.VPADDQ(consts[n], v, v)
		r.VPSRLQ(Imm(uint64(n/2)), v, v)
	case 3, 5:
		r.VPADDQ(consts[n], v, v)
		r.VPMULUDQ(consts[-n], v, v)
		r.VPSRLQ(Imm(uint64(33+n/5)), v, v)
	}
}

func rivalTaylor(c *build.Context, n int) {
	writeRival(c, fmt.Sprintf("expTaylor%d", n), "the polynomial of that order of the rest modulo ln 2, x = d·m>>right.", "m int32, right int64",
		func(r *rival) func(d reg.VecVirtual) reg.VecVirtual {
			natural, reduce := r.natural(), r.reduce45426()
			one, consts := r.constQ(1<<30), map[int]reg.VecVirtual{}
			for i := 2; i <= n; i++ {
				consts[i] = r.constQ(int64(i / 2))
			}
			if n >= 3 {
				consts[-3] = r.constQ(0xaaaaaaab)
			}
			if n >= 5 {
				consts[-5] = r.constQ(0xcccccccd)
			}
			return func(d reg.VecVirtual) reg.VecVirtual {
				z, p := reduce(natural(d))
				var acc [2]reg.VecVirtual
				for h := range p {
					r.VPSLLQ(Imm(14), p[h], p[h])
					a := r.ZMM()
					r.VMOVDQA64(p[h], a)
					r.divRound(a, n, consts)
					r.VPSUBQ(a, one, a)
					for i := n - 1; i >= 1; i-- {
						r.VPMULUDQ(p[h], a, a)
						r.VPSRLQ(Imm(30), a, a)
						r.divRound(a, i, consts)
						r.VPSUBQ(a, one, a)
					}
					r.VPSRLVQ(z[h], a, a)
					acc[h] = a
				}
				return r.merge(acc)
			}
		})
}

func rivalBERT(c *build.Context) {
	writeRival(c, "expBERT", "the parabola of I-BERT of the rest modulo ln 2, x = d·m>>right.", "m int32, right int64",
		func(r *rival) func(d reg.VecVirtual) reg.VecVirtual {
			natural, reduce := r.natural(), r.reduce45426()
			one, b, a, up := r.constQ(1<<30), r.constQ(1016733), r.constQ(375549), r.constQ(63)
			return func(d reg.VecVirtual) reg.VecVirtual {
				z, p := reduce(natural(d))
				for h := range p {
					lin := r.ZMM()
					r.VPMULUDQ(b, p[h], lin)
					r.VPADDQ(up, lin, lin) // the definition's product is negative and rounds down
					r.VPSRLQ(Imm(6), lin, lin)
					r.VPMULUDQ(p[h], p[h], p[h])
					r.VPSRLQ(Imm(16), p[h], p[h])
					r.VPMULUDQ(a, p[h], p[h])
					r.VPSRLQ(Imm(6), p[h], p[h])
					r.VPSUBQ(lin, p[h], p[h])
					r.VPADDQ(one, p[h], p[h])
					r.VPSRLVQ(z[h], p[h], p[h])
				}
				return r.merge(p)
			}
		})
}

func rivalLines(c *build.Context) {
	writeRival(c, "expLines", "max(0, (slope·x>>10) + intercept) of the segment of x = d·m>>right.", "m int32, right int64, start, slope, icept *int32",
		func(r *rival) func(d reg.VecVirtual) reg.VecVirtual {
			natural, zero := r.natural(), r.zero()
			r.low = r.constQ(1<<32 - 1)
			start, slope, icept := r.table("start", 1), r.table("slope", 1), r.table("icept", 1)
			steps := []reg.VecVirtual{r.const16(8), r.const16(4), r.const16(2), r.const16(1)}
			return func(d reg.VecVirtual) reg.VecVirtual {
				x, i := natural(d), r.ZMM()
				r.VPXORD(i, i, i)
				for _, s := range steps { // the last segment that does not start beyond x
					t, k := r.ZMM(), r.K()
					r.VPORD(s, i, t)
					b := r.lookup(start, t, nil)
					r.VPCMPUD(Imm(5), b, x, k)
					r.VMOVDQA32(t, k, i)
				}
				a, b := r.split(r.lookup(slope, i, nil)), r.clean(r.lookup(icept, i, nil))
				p := r.split(x)
				for h := range p {
					r.VPMULDQ(p[h], a[h], a[h])
					r.VPSRAQ(Imm(10), a[h], a[h])
					r.VPADDQ(b[h], a[h], a[h])
					r.VPMAXSQ(zero, a[h], a[h])
				}
				return r.merge(a)
			}
		})
}

// quotient returns v div t in 32-bit lanes: v·inverse >> shift, for factors that make it exact.
func (r *rival) quotient(v, inverse reg.VecVirtual, shift uint64) reg.VecVirtual {
	return r.merge(r.each(r.split(v), func(v, dst reg.VecVirtual) {
		r.VPMULUDQ(inverse, v, dst)
		r.VPSRLQ(Imm(shift), dst, dst)
	}))
}

// scaleUnit returns round(a·c / 2^31) of 64-bit lanes whose upper halves do not count.
func (r *rival) scaleUnit(a [2]reg.VecVirtual, c, half reg.VecVirtual) reg.VecVirtual {
	return r.merge(r.each(a, func(v, dst reg.VecVirtual) {
		r.VPMULUDQ(c, v, dst)
		r.VPADDQ(half, dst, dst)
		r.VPSRLQ(Imm(31), dst, dst)
	}))
}

func rivalPublished(c *build.Context) {
	writeRival(c, "expPublished", "(t − ⌈r/2⌉)>>q of q = d·inverse>>32, r = d − q·t, times 2^left·c/2^31.", "t, inverse, left int32, c int64",
		func(r *rival) func(d reg.VecVirtual) reg.VecVirtual {
			t, inverse, left, unit := r.d16("t"), r.d16("inverse"), r.d16("left"), r.q("c")
			one, half := r.const16(1), r.constQ(1<<30)
			return func(d reg.VecVirtual) reg.VecVirtual {
				q, a := r.quotient(d, inverse, 32), r.ZMM()
				r.VPMULLD(t, q, a)
				r.VPSUBD(a, d, a)
				r.VPADDD(one, a, a)
				r.VPSRLD(Imm(1), a, a)
				r.VPSUBD(a, t, a)
				r.VPSRLVD(q, a, a)
				r.VPSLLVD(left, a, a)
				return r.scaleUnit(r.split(a), unit, half)
			}
		})
}

func rivalShiftmax(c *build.Context) {
	writeRival(c, "expShiftmax", "(2·t − r)·2^14>>q of x = min(d + ⌈d/2⌉ − ⌈d/16⌉, top), q = x·inverse>>34, r = x − q·t, shifted left or right, times c/2^31.", "t, inverse, top int32, left, right, c int64",
		func(r *rival) func(d reg.VecVirtual) reg.VecVirtual {
			t, inverse, top, left, right, unit := r.d16("t"), r.d16("inverse"), r.d16("top"), r.q("left"), r.q("right"), r.q("c")
			one, fifteen, half := r.const16(1), r.const16(15), r.constQ(1<<30)
			r.low = r.constQ(1<<32 - 1)
			return func(d reg.VecVirtual) reg.VecVirtual {
				x, y := r.ZMM(), r.ZMM()
				r.VPADDD(one, d, x)
				r.VPSRLD(Imm(1), x, x)
				r.VPADDD(d, x, x)
				r.VPADDD(fifteen, d, y)
				r.VPSRLD(Imm(4), y, y)
				r.VPSUBD(y, x, x)
				r.VPMINUD(top, x, x)
				q := r.quotient(x, inverse, 34)
				r.VPMULLD(t, q, y)
				r.VPSUBD(y, x, x)
				r.VPSUBD(x, t, x)
				r.VPADDD(t, x, x)
				a, n := r.clean(x), r.clean(q)
				for h := range a {
					v := r.ZMM()
					r.VPSLLQ(Imm(14), a[h], v)
					r.VPSRLVQ(n[h], v, v)
					r.VPSLLVQ(left, v, v)
					r.VPSRLVQ(right, v, v)
					a[h] = v
				}
				return r.scaleUnit(a, unit, half)
			}
		})
}
