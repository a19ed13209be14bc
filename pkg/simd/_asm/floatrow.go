package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// form is one build of a kernel of package fvec: the instruction set, and whether results are rounded to half precision.
type form struct {
	wide, half bool
	data       map[float32]Mem // constants of the file so far
}

// name adds the form to the name of a kernel.
func (f form) name(s string) string {
	if f.half {
		s += "Half"
	}
	if f.wide {
		return s + "AVX512"
	}
	return s + "AVX2"
}

// A frow is a kernel of package fvec under construction: it walks over n elements, 16 or 8 lanes a step and several steps
// a turn, the last step under a mask.
type frow struct {
	*build.Context
	form
	lanes  int
	index  reg.GPVirtual
	u      int // step of the turn
	tail   reg.OpmaskVirtual
	high   reg.OpmaskVirtual // of the upper eight lanes
	mask   reg.VecVirtual    // AVX2
	masked bool
}

// writeFloatRow writes one kernel: setup loads parameters and constants, step is one vector, finish reduces and stores
// results. A masked step reads zeros into the lanes it does not own, writes nothing there and folds nothing of them into
// sums. whole says that n is a multiple of the lanes.
func writeFloatRow(c *build.Context, f form, base, doc, signature string, unroll int, whole bool, setup func(r *frow) (step func(), finish func())) {
	name := f.name(base)
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(name + ": " + doc)
	c.SignatureExpr(signature)
	r := &frow{Context: c, form: f, lanes: 8, index: c.GP64()}
	if f.wide {
		r.lanes = 16
	}
	n := c.Load(c.Param("n"), c.GP64()).(reg.GPVirtual)
	step, finish := setup(r)
	c.XORQ(r.index, r.index)
	turn := unroll * r.lanes
	if unroll > 1 {
		c.SUBQ(U32(uint32(turn)), n)
		c.JL(LabelRef("few"))
		c.Label("turn")
		for r.u = range unroll {
			step()
		}
		r.u = 0
		c.ADDQ(U32(uint32(turn)), r.index)
		c.SUBQ(U32(uint32(turn)), n)
		c.JGE(LabelRef("turn"))
		c.Label("few")
		c.ADDQ(U32(uint32(turn)), n)
	}
	c.SUBQ(U32(uint32(r.lanes)), n)
	c.JL(LabelRef("tail"))
	c.Label("loop")
	step()
	c.ADDQ(U32(uint32(r.lanes)), r.index)
	c.SUBQ(U32(uint32(r.lanes)), n)
	c.JGE(LabelRef("loop"))
	c.Label("tail")
	if !whole {
		c.ADDQ(U32(uint32(r.lanes)), n)
		c.JZ(LabelRef("done"))
		r.setMask(n)
		r.masked = true
		step()
		r.masked = false
		c.Label("done")
	}
	finish()
	c.RET()
}

// setMask selects the first n lanes.
func (r *frow) setMask(n reg.GPVirtual) {
	if r.wide {
		ones := r.GP64()
		r.MOVQ(I32(-1), ones)
		r.BZHIQ(n, ones, ones)
		r.tail, r.high = r.K(), r.K()
		r.KMOVW(ones.As32(), r.tail)
		r.KSHIFTRW(Imm(8), r.tail, r.high)
		return
	}
	g, x, count := r.GP64(), r.XMM(), r.YMM()
	r.MOVQ(U64(0x0706050403020100), g)
	r.VMOVQ(g, x)
	r.mask = r.YMM()
	r.VPMOVZXBD(x, r.mask)
	y := r.XMM()
	r.VMOVD(n.As32(), y)
	r.VPBROADCASTD(y, count)
	r.VPCMPGTD(r.mask, count, r.mask)
}

func (r *frow) vec() reg.VecVirtual {
	if r.wide {
		return r.ZMM()
	}
	return r.YMM()
}

func (r *frow) ptr(name string) reg.GPVirtual {
	return r.Load(r.Param(name), r.GP64()).(reg.GPVirtual)
}

// f broadcasts a float parameter. All parameters are loaded before the first wide instruction.
func (r *frow) f(name string) reg.VecVirtual {
	x, v := r.XMM(), r.vec()
	r.Load(r.Param(name), x)
	r.VBROADCASTSS(x, v)
	return v
}

// d broadcasts a 32-bit integer parameter.
func (r *frow) d(name string) reg.VecVirtual {
	g := r.GP32()
	r.Load(r.Param(name), g)
	return r.spread(g)
}

func (r *frow) spread(g reg.GPVirtual) reg.VecVirtual {
	v := r.vec()
	if r.wide {
		r.VPBROADCASTD(g, v)
		return v
	}
	x := r.XMM()
	r.VMOVD(g, x)
	r.VPBROADCASTD(x, v)
	return v
}

// constF broadcasts a constant.
func (r *frow) constF(x float32) reg.VecVirtual {
	g := r.GP32()
	r.MOVL(U32(math.Float32bits(x)), g)
	return r.spread(g)
}

func (r *frow) zero() reg.VecVirtual {
	v := r.vec()
	if r.wide {
		r.VPXORD(v, v, v)
	} else {
		r.VXORPS(v, v, v)
	}
	return v
}

// chains returns accumulators, one a step of a turn, all 0.
func (r *frow) chains(n int) []reg.VecVirtual {
	acc := make([]reg.VecVirtual, n)
	for i := range acc {
		acc[i] = r.zero()
	}
	return acc
}

func (r *frow) at(p reg.GPVirtual, size int) Mem {
	return Mem{Base: p, Index: r.index, Scale: uint8(size), Disp: r.u * r.lanes * size}
}

// floats reads the step's elements; they may be any 32-bit values.
func (r *frow) floats(p reg.GPVirtual) reg.VecVirtual {
	v, m := r.vec(), r.at(p, 4)
	switch {
	case !r.masked:
		r.VMOVUPS(m, v)
	case r.wide:
		r.VMOVUPS_Z(m, r.tail, v)
	default:
		r.VMASKMOVPS(m, r.mask, v)
	}
	return v
}

func (r *frow) store(v reg.VecVirtual, p reg.GPVirtual) {
	switch m := r.at(p, 4); {
	case !r.masked:
		r.VMOVUPS(v, m)
	case r.wide:
		r.VMOVUPS(v, r.tail, m)
	default:
		r.VMASKMOVPS(v, r.mask, m)
	}
}

// int64s reads 16 integers of 64 bits as floats, each rounded once.
func (r *frow) int64s(p reg.GPVirtual) reg.VecVirtual {
	var y [2]reg.VecVirtual
	for i := range y {
		z, m := r.ZMM(), r.at(p, 8).Offset(64*i)
		switch {
		case !r.masked:
			r.VMOVDQU64(m, z)
		case i == 0:
			r.VMOVDQU64_Z(m, r.tail, z)
		default:
			r.VMOVDQU64_Z(m, r.high, z)
		}
		y[i] = r.YMM()
		r.VCVTQQ2PS(z, y[i])
	}
	v := r.ZMM()
	r.VINSERTF32X8(Imm(1), y[1], y[0].AsZ(), v)
	return v
}

// round rounds v to half precision in the forms that ask for it.
func (r *frow) round(v reg.VecVirtual) {
	if !r.half {
		return
	}
	if r.wide {
		y := r.YMM()
		r.VCVTPS2PH(Imm(0), v, y)
		r.VCVTPH2PS(y, v)
		return
	}
	x := r.XMM()
	r.VCVTPS2PH(Imm(0), v, x)
	r.VCVTPH2PS(x, v)
}

// own clears the lanes that a masked step does not own.
func (r *frow) own(v reg.VecVirtual) {
	switch {
	case !r.masked:
	case r.wide:
		r.VMOVUPS_Z(v, r.tail, v)
	default:
		r.VANDPS(r.mask, v, v)
	}
}

// reduce folds the accumulators and their lanes with op; the result is in the low lane.
func (r *frow) reduce(op func(...Op), acc []reg.VecVirtual) reg.VecVirtual {
	for i := 1; i < len(acc); i++ {
		op(acc[i], acc[0], acc[0])
	}
	y := acc[0]
	if r.wide {
		y = r.YMM()
		r.VEXTRACTF64X4(Imm(1), acc[0], y)
		op(y, acc[0].AsY(), y)
	}
	x := r.XMM()
	r.VEXTRACTF128(Imm(1), y, x)
	op(x, y.AsX(), x)
	for _, order := range []int{0x4e, 0xb1} {
		t := r.XMM()
		r.VPSHUFD(Imm(uint64(order)), x, t)
		op(t, x, x)
	}
	return x
}

// returns ends the kernel: its results, in order, are in the low lanes.
func (r *frow) returns(x ...reg.VecVirtual) {
	r.VZEROUPPER()
	for i, v := range x {
		r.Store(v, r.ReturnIndex(i))
	}
}

// expo holds the constants of e^y.
type expo struct{ least, log2e, upper, lower, c1, c2, c3, c4, c5, one Op }

// constant is a number in read-only data, written once a file.
func (r *frow) constant(x float32) Mem {
	m, ok := r.data[x]
	if !ok {
		m = r.ConstData(fmt.Sprintf("f%08x", math.Float32bits(x)), U32(math.Float32bits(x)))
		r.data[x] = m
	}
	return m
}

// expo loads them: into registers where there are enough.
func (r *frow) expo() expo {
	get := func(x float32) Op {
		if r.wide {
			return r.constF(x)
		}
		return r.constant(x)
	}
	return expo{get(-86), get(math.Log2E), get(0x1.62e4p-1), get(0x1.7f7d1cp-20), get(0x1.ffffecp-1), get(0x1.fffdb6p-2),
		get(0x1.555e66p-3), get(0x1.573e2ep-5), get(0x1.0e4020p-7), get(1)}
}

// take brings a constant into a register.
func (r *frow) take(c Op) reg.VecVirtual {
	if v, ok := c.(reg.VecVirtual); ok {
		return v
	}
	v := r.vec()
	r.VBROADCASTSS(c, v)
	return v
}

// exp replaces y ≤ 88 by e^y.
func (r *frow) exp(y reg.VecVirtual, k expo) {
	r.VMAXPS(r.take(k.least), y, y)
	n, u, a, b := r.vec(), r.vec(), r.vec(), r.vec()
	r.VMULPS(r.take(k.log2e), y, n)
	if r.wide {
		r.VRNDSCALEPS(Imm(8), n, n)
	} else {
		r.VROUNDPS(Imm(8), n, n)
	}
	r.VFNMADD231PS(r.take(k.upper), n, y)
	r.VFNMADD231PS(r.take(k.lower), n, y)
	r.VMULPS(y, y, u)
	r.move(r.take(k.c5), a)
	r.VFMADD213PS(r.take(k.c4), y, a)
	r.move(r.take(k.c3), b)
	r.VFMADD213PS(r.take(k.c2), y, b)
	r.VFMADD213PS(b, u, a)
	r.move(r.take(k.c1), b)
	r.VFMADD213PS(r.take(k.one), y, b)
	r.VFMADD213PS(b, u, a)
	if r.wide {
		r.VSCALEFPS(n, a, y)
		return
	}
	r.VCVTPS2DQ(n, n)
	r.VPSLLD(Imm(23), n, n)
	r.VPADDD(n, a, y)
}

func (r *frow) move(src, dst reg.VecVirtual) { r.VMOVAPS(src, dst) }
