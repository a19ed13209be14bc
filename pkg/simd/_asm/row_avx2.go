package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A yrow is a row kernel of AVX2: eight elements a step, 32-bit lanes in a
// register of 32 bytes and 64-bit ones in a pair of them. There is no mask and no
// tail: Go does the rest of a row.
//
// AVX2 has neither arithmetic shifts nor minima of 64-bit lanes. A shift goes
// through the unsigned one, x>>n = ((x + 2^63) >>> n) − 2^(63−n), a minimum
// through a comparison and a blend.
type yrow struct {
	*build.Context
	index  reg.GPVirtual
	consts map[string]Mem // of the whole file
}

type pair [2]reg.VecVirtual

// ykit writes the kernels of one file.
type ykit struct {
	*build.Context
	consts map[string]Mem
}

// write writes one kernel; n > 0 is a multiple of 8.
func (k *ykit) write(name, doc, signature string, setup func(r *yrow) (step func(), finish func())) {
	c := k.Context
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(name + ": " + doc)
	c.SignatureExpr(signature)
	r := &yrow{c, c.GP64(), k.consts}
	n := c.Load(c.Param("n"), c.GP64()).(reg.GPVirtual)
	step, finish := setup(r)
	c.XORQ(r.index, r.index)
	c.Label("loop")
	step()
	c.ADDQ(U32(8), r.index)
	c.CMPQ(r.index, n)
	c.JL(LabelRef("loop"))
	finish()
	c.VZEROUPPER()
	c.RET()
}

func (r *yrow) ptr(name string) reg.GPVirtual {
	return r.Load(r.Param(name), r.GP64()).(reg.GPVirtual)
}

func (r *yrow) addr(name string) Mem {
	b, err := r.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// q and d broadcast a 64- or 32-bit parameter.
func (r *yrow) q(name string) reg.VecVirtual {
	y := r.YMM()
	r.VPBROADCASTQ(r.addr(name), y)
	return y
}
func (r *yrow) d(name string) reg.VecVirtual {
	g, x, y := r.GP32(), r.XMM(), r.YMM()
	r.Load(r.Param(name), g)
	r.VMOVD(g, x)
	r.VPBROADCASTD(x, y)
	return y
}

// count is a shift count for all lanes.
func (r *yrow) count(name string) reg.VecVirtual {
	g, x := r.GP64(), r.XMM()
	r.Load(r.Param(name), g)
	r.VMOVQ(g, x)
	return x
}

// count32 is the same from a 32-bit parameter.
func (r *yrow) count32(name string) reg.VecVirtual {
	g, x := r.GP32(), r.XMM()
	r.Load(r.Param(name), g)
	r.VMOVD(g, x)
	return x
}

// k64 and k32 are constants in memory, the same in every lane.
func (r *yrow) k64(v int64) Mem { return r.constant(fmt.Sprintf("q%x", uint64(v)), uint64(v)) }
func (r *yrow) k32(v int32) Mem {
	u := uint64(uint32(v))
	return r.constant(fmt.Sprintf("d%x", u), u|u<<32)
}
func (r *yrow) constant(name string, word uint64) Mem {
	m, ok := r.consts[name]
	if !ok {
		m = r.StaticGlobal(name)
		r.DataAttributes(attr.RODATA | attr.NOPTR)
		for range 4 {
			r.AppendDatum(U64(word))
		}
		r.consts[name] = m
	}
	return m
}

func (r *yrow) zero() reg.VecVirtual {
	y := r.YMM()
	r.VPXOR(y, y, y)
	return y
}

// at is the address of element i of the step.
func (r *yrow) at(p reg.GPVirtual, size uint8, i int) Mem {
	return Mem{Base: p, Index: r.index, Scale: size, Disp: i * int(size)}
}

func (r *yrow) int64s(p reg.GPVirtual, i int) reg.VecVirtual {
	y := r.YMM()
	r.VMOVDQU(r.at(p, 8, 4*i), y)
	return y
}
func (r *yrow) int32s(p reg.GPVirtual) reg.VecVirtual {
	y := r.YMM()
	r.VMOVDQU(r.at(p, 4, 0), y)
	return y
}
func (r *yrow) int32sTo64(p reg.GPVirtual, i int) reg.VecVirtual {
	y := r.YMM()
	r.VPMOVSXDQ(r.at(p, 4, 4*i), y)
	return y
}
func (r *yrow) uint32sTo64(p reg.GPVirtual, i int) reg.VecVirtual {
	y := r.YMM()
	r.VPMOVZXDQ(r.at(p, 4, 4*i), y)
	return y
}
func (r *yrow) int16sTo64(p reg.GPVirtual, i int) reg.VecVirtual {
	y := r.YMM()
	r.VPMOVSXWQ(r.at(p, 2, 4*i), y)
	return y
}
func (r *yrow) uint8sTo32(p reg.GPVirtual) reg.VecVirtual {
	y := r.YMM()
	r.VPMOVZXBD(r.at(p, 1, 0), y)
	return y
}

func (r *yrow) storeInt64s(v reg.VecVirtual, p reg.GPVirtual, i int) { r.VMOVDQU(v, r.at(p, 8, 4*i)) }
func (r *yrow) storeInt32s(v reg.VecVirtual, p reg.GPVirtual)        { r.VMOVDQU(v, r.at(p, 4, 0)) }

// storeWords writes eight lanes 0 … 65535 as words, storeBytes lanes 0 … 255 as bytes; v is spent.
func (r *yrow) storeWords(v reg.VecVirtual, p reg.GPVirtual) { r.VMOVDQU(r.words(v), r.at(p, 2, 0)) }
func (r *yrow) storeBytes(v reg.VecVirtual, p reg.GPVirtual) {
	x := r.words(v)
	r.VPACKUSWB(x, x, x)
	r.VMOVQ(x, r.at(p, 1, 0))
}
func (r *yrow) words(v reg.VecVirtual) reg.VecVirtual {
	x := r.XMM()
	r.VEXTRACTI128(Imm(1), v, x)
	r.VPACKUSDW(x, v.AsX(), x)
	return x
}

// widen sign-extends eight 32-bit lanes.
func (r *yrow) widen(v reg.VecVirtual) pair {
	a, b, x := r.YMM(), r.YMM(), r.XMM()
	r.VEXTRACTI128(Imm(1), v, x)
	r.VPMOVSXDQ(v.AsX(), a)
	r.VPMOVSXDQ(x, b)
	return pair{a, b}
}

// lower and upper join the halves of a pair's lanes to eight 32-bit lanes.
func (r *yrow) lower(p pair) reg.VecVirtual { return r.join(p, 0x88) }
func (r *yrow) upper(p pair) reg.VecVirtual { return r.join(p, 0xdd) }
func (r *yrow) join(p pair, order int) reg.VecVirtual {
	v := r.YMM()
	r.VSHUFPS(Imm(uint64(order)), p[1], p[0], v)
	r.VPERMQ(Imm(0xd8), v, v)
	return v
}

// minQ and maxQ set acc to the smaller or larger of acc and v in signed 64-bit lanes.
func (r *yrow) minQ(v, acc reg.VecVirtual) {
	t := r.YMM()
	r.VPCMPGTQ(v, acc, t)
	r.VPBLENDVB(t, v, acc, acc)
}
func (r *yrow) maxQ(v, acc reg.VecVirtual) {
	t := r.YMM()
	r.VPCMPGTQ(acc, v, t)
	r.VPBLENDVB(t, v, acc, acc)
}

// capQ and floorQ bound v by a constant in memory.
func (r *yrow) capQ(v reg.VecVirtual, m Mem) {
	t, k := r.YMM(), r.YMM()
	r.VMOVDQU(m, k)
	r.VPCMPGTQ(k, v, t)
	r.VPBLENDVB(t, k, v, v)
}
func (r *yrow) floorQ(v reg.VecVirtual, m Mem) {
	t, k := r.YMM(), r.YMM()
	r.VMOVDQU(m, k)
	r.VPCMPGTQ(v, k, t)
	r.VPBLENDVB(t, k, v, v)
}

func (r *yrow) zeroRange() minMax { return minMax{r.zero(), r.zero()} }
func (r *yrow) plainRange() minMax {
	m := minMax{r.YMM(), r.YMM()}
	r.VMOVDQU(r.k64(1<<63-1), m.lo)
	r.VMOVDQU(r.k64(-1<<63), m.hi)
	return m
}
func (r *yrow) foldRange(v reg.VecVirtual, m minMax) {
	r.minQ(v, m.lo)
	r.maxQ(v, m.hi)
}
func (r *yrow) returnRange(m minMax, lo, hi string) {
	r.result(func(v, acc reg.VecVirtual) { r.minQ(v, acc) }, m.lo, lo)
	r.result(func(v, acc reg.VecVirtual) { r.maxQ(v, acc) }, m.hi, hi)
}

// result stores op over the four lanes of acc; returnSum their sum, returnSum32 that of eight 32-bit lanes.
func (r *yrow) result(op func(v, acc reg.VecVirtual), acc reg.VecVirtual, name string) {
	v := r.YMM()
	r.VPERMQ(Imm(0x4e), acc, v)
	op(v, acc)
	r.VPSHUFD(Imm(0x4e), acc, v)
	op(v, acc)
	g := r.GP64()
	r.VMOVQ(acc.AsX(), g)
	r.Store(g, r.Return(name))
}
func (r *yrow) returnSum(acc reg.VecVirtual, name string) {
	r.result(func(v, acc reg.VecVirtual) { r.VPADDQ(v, acc, acc) }, acc, name)
}
func (r *yrow) returnSum32(acc reg.VecVirtual, name string) {
	p := r.widen(acc)
	r.VPADDQ(p[1], p[0], p[0])
	r.returnSum(p[0], name)
}

// returnRange32 is returnRange for running extremes of 32 bits.
func (r *yrow) returnRange32(lo, hi reg.VecVirtual) {
	p, q := r.widen(lo), r.widen(hi)
	r.minQ(p[1], p[0])
	r.maxQ(q[1], q[0])
	r.returnRange(minMax{p[0], q[0]}, "lo", "hi")
}

// A yround is a shift right by one count, to nearest, halves away from zero:
// bias is 2^63 + 2^(n−1), back 2^(63−n), neg as in rounding.
type yround struct{ count, bias, back, neg reg.VecVirtual }

// rounding builds the constants for a parameter; zero says whether it may be 0.
func (r *yrow) rounding(name string, zero bool) yround {
	s := yround{count: r.count(name), bias: r.YMM(), back: r.YMM()}
	r.VMOVDQU(r.k64(1), s.bias)
	r.VPSLLQ(s.count, s.bias, s.bias)
	r.VPSRLQ(Imm(1), s.bias, s.bias)
	if zero {
		s.neg = r.YMM()
		z := r.zero()
		r.VPCMPGTQ(z, s.bias, s.neg)
	}
	r.VMOVDQU(r.k64(-1<<63), s.back)
	r.VPXOR(s.back, s.bias, s.bias)
	r.VPSRLQ(s.count, s.back, s.back)
	return s
}

// sign is −1 in the negative lanes of v.
func (r *yrow) sign(v reg.VecVirtual) reg.VecVirtual {
	t := r.YMM()
	r.VPXOR(t, t, t)
	r.VPCMPGTQ(v, t, t)
	return t
}

// round applies it in place; sign is that of v.
func (r *yrow) round(v, sign reg.VecVirtual, s yround) {
	r.VPADDQ(s.bias, v, v)
	if s.neg != nil {
		t := r.YMM()
		r.VPAND(s.neg, sign, t)
		sign = t
	}
	r.VPADDQ(sign, v, v)
	r.VPSRLQ(s.count, v, v)
	r.VPSUBQ(s.back, v, v)
}

// roundBy is round by a constant count n > 0.
func (r *yrow) roundBy(v reg.VecVirtual, n int) {
	s := r.sign(v)
	r.VPADDQ(r.k64(-1<<63|1<<n>>1), v, v)
	r.VPADDQ(s, v, v)
	r.VPSRLQ(Imm(uint64(n)), v, v)
	r.VPSUBQ(r.k64(1<<(63-n)), v, v)
}
