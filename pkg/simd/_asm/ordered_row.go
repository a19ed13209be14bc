package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// orderedRows writes the elementwise kernels of package ordered: each lane does the steps of the Go loop.
func orderedRows(c *build.Context) {
	expRow(c)
	distanceRow(c)
	gridRow(c)
	extremesRow(c)
}

// An orderedStep is a loop over n > 0 elements of 4 bytes, width a step, the last step under a mask.
type orderedStep struct {
	*build.Context
	index  reg.GPVirtual
	mask   reg.OpmaskVirtual
	masked bool
}

// orderedLoop writes one kernel: setup loads parameters and constants.
func orderedLoop(c *build.Context, name, doc, signature string, width int, setup func(l *orderedStep) (step, finish func())) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(name + ": " + doc)
	c.SignatureExpr(signature)
	l := &orderedStep{Context: c, index: c.GP64(), mask: c.K()}
	n := c.Load(c.Param("n"), c.GP64()).(reg.GPVirtual)
	step, finish := setup(l)
	c.XORQ(l.index, l.index)
	c.SUBQ(U32(uint32(width)), n)
	c.JL(LabelRef("tail"))
	c.Label("loop")
	step()
	c.ADDQ(U32(uint32(width)), l.index)
	c.SUBQ(U32(uint32(width)), n)
	c.JGE(LabelRef("loop"))
	c.Label("tail")
	c.ADDQ(U32(uint32(width)), n)
	c.JZ(LabelRef("done"))
	ones := c.GP64()
	c.MOVQ(I32(-1), ones)
	c.BZHIQ(n, ones, ones)
	c.KMOVW(ones.As32(), l.mask)
	l.masked = true
	step()
	c.Label("done")
	if finish != nil {
		finish()
	}
	c.VZEROUPPER()
	c.RET()
}

func (l *orderedStep) ptr(name string) reg.GPVirtual {
	return l.Load(l.Param(name), l.GP64()).(reg.GPVirtual)
}

func (l *orderedStep) at(p reg.GPVirtual) Mem { return Mem{Base: p, Index: l.index, Scale: 4} }

// load reads the step's elements, zeros beyond the end.
func (l *orderedStep) load(m Mem, v reg.VecVirtual) reg.VecVirtual {
	if l.masked {
		l.VMOVUPS_Z(m, l.mask, v)
	} else {
		l.VMOVUPS(m, v)
	}
	return v
}

func (l *orderedStep) store(v reg.VecVirtual, m Mem) {
	if l.masked {
		l.VMOVUPS(v, l.mask, m)
	} else {
		l.VMOVUPS(v, m)
	}
}

// float32 and float64 broadcast a parameter.
func (l *orderedStep) float32(name string) reg.VecVirtual {
	x, z := l.XMM(), l.ZMM()
	l.Load(l.Param(name), x)
	l.VBROADCASTSS(x, z)
	return z
}

func (l *orderedStep) float64(name string) reg.VecVirtual {
	x, z := l.XMM(), l.ZMM()
	l.Load(l.Param(name), x)
	l.VBROADCASTSD(x, z)
	return z
}

// words broadcasts 32 bits, quads 64.
func (l *orderedStep) words(v uint32) reg.VecVirtual {
	g, z := l.GP32(), l.ZMM()
	l.MOVL(U32(v), g)
	l.VPBROADCASTD(g, z)
	return z
}

func (l *orderedStep) quads(v uint64) reg.VecVirtual {
	g, z := l.GP64(), l.ZMM()
	l.MOVQ(U64(v), g)
	l.VPBROADCASTQ(g, z)
	return z
}

func (l *orderedStep) constant(v float32) reg.VecVirtual { return l.words(math.Float32bits(v)) }

func expRow(c *build.Context) {
	orderedLoop(c, "exp_AVX512", "dst[i] = e^(x[i] − shift); table: the bits of 2^(i/32), i < 32.",
		"func(dst *float32, x *float32, n int, shift float32, table *uint32)", 16, func(l *orderedStep) (step, finish func()) {
			dst, x, table := l.ptr("dst"), l.ptr("x"), l.ptr("table")
			shift := l.float32("shift")
			low, high := l.ZMM(), l.ZMM()
			l.VMOVUPS(Mem{Base: table}, low)
			l.VMOVUPS(Mem{Base: table, Disp: 64}, high)
			least, most := l.constant(-87), l.constant(88)
			steps, round := l.constant(32/math.Ln2), l.constant(3<<22)
			upper, lower := l.constant(0x1.62e00p-6), l.constant(math.Ln2/32-0x1.62e00p-6)
			sixth, half, one := l.constant(1.0/6), l.constant(0.5), l.constant(1)
			return func() {
				y, t, n, p, q := l.ZMM(), l.ZMM(), l.ZMM(), l.ZMM(), l.ZMM()
				l.load(l.at(x), y)
				l.VSUBPS(shift, y, y)
				l.VMAXPS(y, least, y) // a NaN stays: the second source
				l.VMINPS(y, most, y)
				l.VMULPS(steps, y, t)
				l.VADDPS(round, t, t)
				l.VPSUBD(round, t, n)
				l.VSUBPS(round, t, t)
				l.VMULPS(upper, t, p)
				l.VSUBPS(p, y, y)
				l.VMULPS(lower, t, p)
				l.VSUBPS(p, y, y) // r
				l.VMULPS(sixth, y, p)
				l.VADDPS(half, p, p)
				l.VMULPS(y, p, p)
				l.VADDPS(one, p, p)
				l.VMULPS(y, p, p)
				l.VMOVDQA32(n, q)
				l.VPERMI2D(high, low, q) // by the low five bits
				l.VPSRAD(Imm(5), n, n)
				l.VPSLLD(Imm(23), n, n)
				l.VPADDD(n, q, q)
				l.VMULPS(q, p, p)
				l.VADDPS(p, q, q)
				l.store(q, l.at(dst))
			}, nil
		})
}

func distanceRow(c *build.Context) {
	orderedLoop(c, "distances_AVX512", "x[i] = trunc(min(hi − x[i], r)·inv + ½)·−step.",
		"func(x *float32, n int, hi float32, r float32, inv float32, step float32)", 16, func(l *orderedStep) (step, finish func()) {
			x := l.ptr("x")
			hi, r, inv, size := l.float32("hi"), l.float32("r"), l.float32("inv"), l.float32("step")
			half, sign := l.constant(0.5), l.words(1<<31)
			l.VPXORD(sign, size, size)
			return func() {
				d := l.load(l.at(x), l.ZMM())
				l.VSUBPS(d, hi, d)
				l.VMINPS(d, r, d)
				l.VMULPS(inv, d, d)
				l.VADDPS(half, d, d)
				l.VCVTTPS2DQ(d, d)
				l.VCVTDQ2PS(d, d)
				l.VMULPS(size, d, d)
				l.store(d, l.at(x))
			}, nil
		})
}

func gridRow(c *build.Context) {
	orderedLoop(c, "grid_AVX512", "x[i] = (sat(zero + away(x[i]·levels/span), 0, levels) − zero)·step in float64, away: to the nearest integer, halves away from 0.",
		"func(x *float32, n int, levels float64, span float64, zero float64, step float64)", 8, func(l *orderedStep) (step, finish func()) {
			x := l.ptr("x")
			levels, span, zero, size := l.float64("levels"), l.float64("span"), l.float64("zero"), l.float64("step")
			half, sign, none := l.quads(math.Float64bits(0.5)), l.quads(1<<63), l.quads(0)
			return func() {
				y := l.YMM()
				l.load(l.at(x), y)
				v, h := l.ZMM(), l.ZMM()
				l.VCVTPS2PD(y, v)
				l.VMULPD(levels, v, v)
				l.VDIVPD(span, v, v)
				l.VPANDQ(sign, v, h)
				l.VPORQ(half, h, h)
				l.VADDPD(h, v, v)
				l.VRNDSCALEPD(Imm(0x0b), v, v) // towards 0
				l.VADDPD(v, zero, v)
				l.VMAXPD(v, none, v)
				l.VMINPD(v, levels, v)
				l.VSUBPD(zero, v, v)
				l.VMULPD(size, v, v)
				l.VCVTPD2PS(v, y)
				l.store(y, l.at(x))
			}, nil
		})
}

func extremesRow(c *build.Context) {
	orderedLoop(c, "extremes_AVX512", "the least and the largest of x; NaN only where the first element of its lane is.",
		"func(x *float32, n int) (lo float32, hi float32)", 16, func(l *orderedStep) (step, finish func()) {
			x := l.ptr("x")
			lo, hi := l.ZMM(), l.ZMM()
			l.VBROADCASTSS(Mem{Base: x}, lo)
			l.VMOVDQA32(lo, hi)
			fold := func(op func(...Op), v, acc reg.VecVirtual) {
				if l.masked {
					op(acc, v, l.mask, acc)
				} else {
					op(acc, v, acc)
				}
			}
			return func() {
					v := l.load(l.at(x), l.ZMM())
					fold(l.VMINPS, v, lo)
					fold(l.VMAXPS, v, hi)
				}, func() {
					for _, f := range []struct {
						op   func(...Op)
						v    reg.VecVirtual
						name string
					}{{l.VMINPS, lo, "lo"}, {l.VMAXPS, hi, "hi"}} {
						y, t := l.YMM(), l.XMM()
						l.VEXTRACTF64X4(Imm(1), f.v, y)
						f.op(y, f.v.AsY(), y)
						l.VEXTRACTF128(Imm(1), y, t)
						f.op(t, y.AsX(), t)
						u := l.XMM()
						l.VPERMILPS(Imm(0x4e), t, u)
						f.op(u, t, t)
						l.VPERMILPS(Imm(0xb1), t, u)
						f.op(u, t, t)
						l.Store(t, l.Return(f.name))
					}
				}
		})
}
