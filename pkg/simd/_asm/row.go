package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A row is a kernel of package vec under construction: it walks over n elements,
// eight 64-bit lanes a step, the last step under a mask. 32-bit intermediates
// are in the lower half (YMM) of the same step.
type row struct {
	*build.Context
	index  reg.GPVirtual
	tail   reg.OpmaskVirtual
	masked bool
}

// writeRow writes one kernel: setup loads parameters and constants, step is one
// group of eight, finish reduces and stores results. The parameter n must be
// positive. A masked step reads zeros into the lanes it does not own; it writes
// nothing there, and folds nothing of them into sums, minima and maxima.
func writeRow(c *build.Context, name, doc, signature string, setup func(r *row) (step func(), finish func())) {
	r := &row{Context: c}
	r.write(8, name, doc, signature, func() (func(), func()) { return setup(r) }, func(ones reg.GPVirtual) {
		r.tail = c.K()
		c.KMOVB(ones.As32(), r.tail)
	})
}

// write writes a kernel of size elements a step; masks makes the masks of the last one from as many low ones as it has elements.
func (r *row) write(size uint32, name, doc, signature string, setup func() (step, finish func()), masks func(ones reg.GPVirtual)) {
	r.Function(name)
	r.Attributes(attr.NOSPLIT)
	r.Pragma("noescape")
	r.Doc(name + ": " + doc)
	r.SignatureExpr(signature)
	r.index = r.GP64()
	n := r.Load(r.Param("n"), r.GP64()).(reg.GPVirtual)
	step, finish := setup()
	r.XORQ(r.index, r.index)
	r.SUBQ(U32(size), n)
	r.JL(LabelRef("tail"))
	r.Label("loop")
	step()
	r.ADDQ(U32(size), r.index)
	r.SUBQ(U32(size), n)
	r.JGE(LabelRef("loop"))
	r.Label("tail")
	r.ADDQ(U32(size), n)
	r.JZ(LabelRef("done"))
	ones := r.GP64()
	r.MOVQ(I32(-1), ones)
	r.BZHIQ(n, ones, ones)
	masks(ones)
	r.masked = true
	step()
	r.masked = false
	r.Label("done")
	finish()
	r.VZEROUPPER()
	r.RET()
}

// ptr loads a pointer parameter.
func (r *row) ptr(name string) reg.GPVirtual {
	return r.Load(r.Param(name), r.GP64()).(reg.GPVirtual)
}

// q broadcasts a 64-bit parameter to eight lanes.
func (r *row) q(name string) reg.VecVirtual {
	z := r.ZMM()
	r.VPBROADCASTQ(r.addr(name), z)
	return z
}

// d broadcasts a 32-bit parameter to eight 32-bit lanes.
func (r *row) d(name string) reg.VecVirtual {
	g, y := r.GP32(), r.YMM()
	r.Load(r.Param(name), g)
	r.VPBROADCASTD(g, y) // from memory, vet takes the D for a float64
	return y
}

func (r *row) addr(name string) Mem {
	b, err := r.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// constQ broadcasts a constant to eight lanes.
func (r *row) constQ(v int64) reg.VecVirtual {
	g, z := r.GP64(), r.ZMM()
	r.MOVQ(U64(uint64(v)), g)
	r.VPBROADCASTQ(g, z)
	return z
}

// constD broadcasts a constant to eight 32-bit lanes.
func (r *row) constD(v int32) reg.VecVirtual {
	g, y := r.GP32(), r.YMM()
	r.MOVL(I32(v), g)
	r.VPBROADCASTD(g, y)
	return y
}

// zero returns eight lanes of 0.
func (r *row) zero() reg.VecVirtual {
	z := r.ZMM()
	r.VPXORQ(z, z, z)
	return z
}

// at is the address of the step's elements of size bytes each.
func (r *row) at(p reg.GPVirtual, size uint8) Mem { return Mem{Base: p, Index: r.index, Scale: size} }

// load reads the step's elements with a plain or a zero-masking move.
func (r *row) load(plain func(...Op), mask func(a, b, c Op), m Mem, dst reg.VecVirtual) reg.VecVirtual {
	if r.masked {
		mask(m, r.tail, dst)
	} else {
		plain(m, dst)
	}
	return dst
}

// int64s, int32s and uint8sTo32 read into lanes of that width; the others widen.
func (r *row) int64s(p reg.GPVirtual) reg.VecVirtual {
	return r.load(r.VMOVDQU64, r.VMOVDQU64_Z, r.at(p, 8), r.ZMM())
}
func (r *row) int32s(p reg.GPVirtual) reg.VecVirtual {
	return r.load(r.VMOVDQU32, r.VMOVDQU32_Z, r.at(p, 4), r.YMM())
}
func (r *row) int32sTo64(p reg.GPVirtual) reg.VecVirtual {
	return r.load(r.VPMOVSXDQ, r.VPMOVSXDQ_Z, r.at(p, 4), r.ZMM())
}
func (r *row) uint32sTo64(p reg.GPVirtual) reg.VecVirtual {
	return r.load(r.VPMOVZXDQ, r.VPMOVZXDQ_Z, r.at(p, 4), r.ZMM())
}
func (r *row) int16sTo64(p reg.GPVirtual) reg.VecVirtual {
	return r.load(r.VPMOVSXWQ, r.VPMOVSXWQ_Z, r.at(p, 2), r.ZMM())
}
func (r *row) uint8sTo32(p reg.GPVirtual) reg.VecVirtual {
	return r.load(r.VPMOVZXBD, r.VPMOVZXBD_Z, r.at(p, 1), r.YMM())
}

// widen sign-extends eight 32-bit lanes.
func (r *row) widen(y reg.VecVirtual) reg.VecVirtual {
	z := r.ZMM()
	r.VPMOVSXDQ(y, z)
	return z
}

// store writes a vector of the step's elements with a plain or a masked move.
func (r *row) store(move func(...Op), v reg.VecVirtual, m Mem) {
	if r.masked {
		move(v, r.tail, m)
	} else {
		move(v, m)
	}
}

func (r *row) storeInt64s(z reg.VecVirtual, p reg.GPVirtual) { r.store(r.VMOVDQU64, z, r.at(p, 8)) }
func (r *row) storeInt32s(y reg.VecVirtual, p reg.GPVirtual) { r.store(r.VMOVDQU32, y, r.at(p, 4)) }

// storeBytes writes the low byte of eight 64-bit lanes. A narrowing store to
// memory is slow on some processors, so it goes through a register.
func (r *row) storeBytes(z reg.VecVirtual, p reg.GPVirtual) {
	x := r.XMM()
	r.VPMOVQB(z, x)
	if r.masked {
		r.VMOVDQU8(x, r.tail, r.at(p, 1))
	} else {
		r.VMOVQ(x, r.at(p, 1))
	}
}

// storeWords writes the low 16 bits of eight 64-bit lanes.
func (r *row) storeWords(z reg.VecVirtual, p reg.GPVirtual) {
	x := r.XMM()
	r.VPMOVQW(z, x)
	r.store(r.VMOVDQU16, x, r.at(p, 2))
}

// fold sets acc = op(acc, v) in the lanes of the step.
func (r *row) fold(op func(...Op), v, acc reg.VecVirtual) {
	if r.masked {
		op(v, acc, r.tail, acc)
	} else {
		op(v, acc, acc)
	}
}

// reduce returns op over the eight lanes of z, which is spent.
func (r *row) reduce(op func(...Op), z reg.VecVirtual) reg.GPVirtual {
	y, x := r.YMM(), r.XMM()
	r.VEXTRACTI64X4(Imm(1), z, y)
	op(y, z.AsY(), y)
	r.VEXTRACTI32X4(Imm(1), y, x)
	op(x, y.AsX(), x)
	t := r.XMM()
	r.VPSHUFD(Imm(0x4e), x, t)
	op(x, t, x)
	g := r.GP64()
	r.VMOVQ(x, g)
	return g
}

// minMax is a pair of running extremes.
type minMax struct{ lo, hi reg.VecVirtual }

// zeroRange starts from min(0, …), max(0, …).
func (r *row) zeroRange() minMax { return minMax{r.zero(), r.zero()} }

func (r *row) foldRange(v reg.VecVirtual, m minMax) {
	r.fold(r.VPMINSQ, v, m.lo)
	r.fold(r.VPMAXSQ, v, m.hi)
}

func (r *row) returnRange(m minMax, lo, hi string) {
	r.Store(r.reduce(r.VPMINSQ, m.lo), r.Return(lo))
	r.Store(r.reduce(r.VPMAXSQ, m.hi), r.Return(hi))
}

// A rounding is a shift right by the same count in every lane, to nearest,
// halves away from zero: (v + 2^(n−1) + (v>>63 & neg)) >> n. neg is absent where
// n is known to be positive, else it is 0 for n = 0 and −1 above.
type rounding struct{ count, half, neg reg.VecVirtual }

// round applies it in place.
func (r *row) round(v reg.VecVirtual, s rounding) {
	t := r.ZMM()
	r.VPSRAQ(Imm(63), v, t)
	if s.neg != nil {
		r.VPANDQ(s.neg, t, t)
	}
	r.VPADDQ(s.half, v, v)
	r.VPADDQ(t, v, v)
	r.VPSRAVQ(s.count, v, v)
}

// rounding builds the constants for a shift in the 64-bit parameter name; zero
// says whether it may be 0.
func (r *row) rounding(name string, zero bool) rounding {
	s := rounding{count: r.q(name), half: r.ZMM()}
	one := r.constQ(1)
	r.VPSLLVQ(s.count, one, s.half)
	r.VPSRLQ(Imm(1), s.half, s.half)
	if zero {
		s.neg = r.ZMM()
		r.VPXORQ(s.neg, s.neg, s.neg)
		r.VPSUBQ(s.half, s.neg, s.neg)
		r.VPSRAQ(Imm(63), s.neg, s.neg)
	}
	return s
}

// roundVar shifts each lane of v right by its own count in n ≤ 62, rounding as
// above; unsigned says that v ≥ 0.
func (r *row) roundVar(v, n, one reg.VecVirtual, unsigned bool) {
	half := r.ZMM()
	r.VPSLLVQ(n, one, half)
	r.VPSRLQ(Imm(1), half, half)
	if !unsigned {
		k, sign := r.K(), r.ZMM()
		r.VPSRAQ(Imm(63), v, sign)
		r.VPTESTMQ(half, half, k)
		r.VPADDQ(sign, v, k, v)
	}
	r.VPADDQ(half, v, v)
	r.VPSRAVQ(n, v, v)
}
