package main

import (
	"fmt"
	"strings"
)

// The row kernels of package vec for arm64: eight elements a step, 32-bit lanes
// in a pair of registers and 64-bit ones in four. There is no mask and no tail: Go
// does the rest of a row. Registers are taken in turn, and those of a step given
// back at its end; R19 counts, R20 and above are scratch.

// threeOps are instructions with three registers, their arrangements behind the
// dots: one for all, two for result and operands, or three.
var threeOps = map[string]uint32{
	"add.2d": 0x4ee08400, "sub.2d": 0x6ee08400, "add.4s": 0x4ea08400, "sub.4s": 0x6ea08400, "sqadd.4s": 0x4ea00c00,
	"mul.4s": 0x4ea09c00, "mls.4s": 0x6ea09400, "smin.4s": 0x4ea06c00, "smax.4s": 0x4ea06400, "umin.4s": 0x6ea06c00,
	"sshl.2d": 0x4ee04400, "ushl.2d": 0x6ee04400, "ushl.4s": 0x6ea04400, "srshl.2d": 0x4ee05400, "urshl.2d": 0x6ee05400,
	"cmgt.2d": 0x4ee03400, "cmeq.2d": 0x6ee08c00,
	"and.16b": 0x4e201c00, "bic.16b": 0x4e601c00, "bit.16b": 0x6ea01c00,
	"smull.2d.2s": 0x0ea0c000, "smull2.2d.4s": 0x4ea0c000, "umull.2d.2s": 0x2ea0c000, "umull2.2d.4s": 0x6ea0c000,
	"smlal.2d.2s": 0x0ea08000, "smlal2.2d.4s": 0x4ea08000, "smlsl.2d.2s": 0x0ea0a000, "smlsl2.2d.4s": 0x4ea0a000,
	"saddw.2d.2d.2s": 0x0ea01000, "saddw2.2d.2d.4s": 0x4ea01000, "uaddw.2d.2d.2s": 0x2ea01000, "uaddw2.2d.2d.4s": 0x6ea01000,
}

// twoOps are those with two.
var twoOps = map[string]uint32{
	"xtn.2s.2d": 0x0ea12800, "xtn2.4s.2d": 0x4ea12800, "xtn.4h.4s": 0x0e612800, "xtn2.8h.4s": 0x4e612800, "xtn.8b.8h": 0x0e212800,
	"sqxtn.2s.2d": 0x0ea14800, "sqxtn2.4s.2d": 0x4ea14800, "uqxtn.2s.2d": 0x2ea14800, "uqxtn2.4s.2d": 0x6ea14800,
	"sxtl.2d.2s": 0x0f20a400, "sxtl2.2d.4s": 0x4f20a400, "sxtl.4s.4h": 0x0f10a400, "sxtl2.4s.8h": 0x4f10a400,
	"uxtl.8h.8b": 0x2f08a400, "uxtl.4s.4h": 0x2f10a400, "uxtl2.4s.8h": 0x6f10a400,
	"neg.2d": 0x6ee0b800, "neg.4s": 0x6ea0b800, "abs.4s": 0x4ea0b800,
}

// shiftOps are shifts by a constant: the number is added to the width, or taken from twice the width.
var shiftOps = map[string]struct {
	code  uint32
	width int
	right bool
}{
	"sshr.2d": {0x4f000400, 64, true}, "srshr.2d": {0x4f002400, 64, true}, "shl.2d": {0x4f005400, 64, false},
	"ushr.4s": {0x6f000400, 32, true}, "sshr.4s": {0x4f000400, 32, true}, "shl.4s": {0x4f005400, 32, false},
	"shrn.2s.2d": {0x0f008400, 32, true}, "shrn2.4s.2d": {0x4f008400, 32, true},
}

func lookup[T any](m map[string]T, op string) (T, string, []string) {
	code, ok := m[op]
	if !ok {
		panic("no instruction " + op)
	}
	f := strings.Split(op, ".")
	return code, f[0], f[1:]
}

func (a *arm) v3(op string, d, n, m int) {
	code, name, s := lookup(threeOps, op)
	s = append(s, s[len(s)-1], s[len(s)-1])
	a.word(three(code, d, n, m), "%s v%d.%s, v%d.%s, v%d.%s", name, d, s[0], n, s[1], m, s[2])
}

func (a *arm) v2(op string, d, n int) {
	code, name, s := lookup(twoOps, op)
	s = append(s, s[0])
	a.word(three(code, d, n, 0), "%s v%d.%s, v%d.%s", name, d, s[0], n, s[1])
}

func (a *arm) shift(op string, d, n, by int) {
	o, name, s := lookup(shiftOps, op)
	s = append(s, s[0])
	field := o.width + by
	if o.right {
		field = 2*o.width - by
	}
	a.word(three(o.code, d, n, 0)|uint32(field)<<16, "%s v%d.%s, v%d.%s, #%d", name, d, s[0], n, s[1], by)
}

// pointer is a parameter that moves by eight elements of size bytes a step.
type pointer struct{ x, size int }

// row writes one kernel; n > 0 is a multiple of 8, and every parameter takes 8 bytes.
func (a *arm) row(name, doc string, params, results []string, setup func() (step, finish func())) {
	a.function(name, doc, params, results)
	a.nextV, a.nextX, a.pointers = 0, 0, nil
	a.param("n", 19)
	step, finish := setup()
	a.label("loop")
	a.scope(step)
	for _, p := range a.pointers {
		a.op("ADD $%d, R%d", 8*p.size, p.x)
	}
	a.op("SUBS $8, R19")
	a.op("BNE loop")
	finish()
	a.op("RET")
}

// fresh takes a vector register; scope gives back what f took.
func (a *arm) fresh() int {
	if a.nextV > 31 {
		panic(a.name + ": no register left")
	}
	a.nextV++
	return a.nextV - 1
}
func (a *arm) scope(f func()) {
	mark := a.nextV
	f()
	a.nextV = mark
}

// ptr loads a pointer that moves, base one that stays.
func (a *arm) ptr(name string, size int) pointer {
	p := pointer{a.base(name), size}
	a.pointers = append(a.pointers, p)
	return p
}
func (a *arm) base(name string) int {
	x := a.nextX
	if x > 9 {
		panic(a.name + ": too many pointers")
	}
	a.nextX++
	a.param(name, x)
	return x
}

// q and d broadcast a parameter, right a shift count turned around for a shift to the right.
func (a *arm) q(name string) int { a.param(name, 20); return a.dupQ() }
func (a *arm) d(name string) int { a.param(name, 20); return a.dupD() }
func (a *arm) right(name string) int {
	a.param(name, 20)
	a.op("NEG R20, R20")
	return a.dupQ()
}
func (a *arm) constQ(v int64) int { a.op("MOVD $%d, R20", v); return a.dupQ() }
func (a *arm) constD(v int) int   { a.op("MOVD $%d, R20", v); return a.dupD() }
func (a *arm) dupQ() int {
	v := a.fresh()
	a.word(0x4e080c00|20<<5|uint32(v), "dup v%d.2d, x20", v)
	return v
}
func (a *arm) dupD() int {
	v := a.fresh()
	a.word(0x4e040c00|20<<5|uint32(v), "dup v%d.4s, w20", v)
	return v
}
func (a *arm) zero() int {
	v := a.fresh()
	a.movi(v, 0)
	return v
}
func (a *arm) copy(d, n int) {
	a.word(three(0x4ea01c00, d, n, n), "mov v%d.16b, v%d.16b", d, n)
}

// int64s reads part i of four, int32s part i of two.
func (a *arm) int64s(p pointer, i int) int { return a.load(p, 16*i) }
func (a *arm) int32s(p pointer, i int) int { return a.load(p, 16*i) }
func (a *arm) load(p pointer, offset int) int {
	v := a.fresh()
	a.ldr(v, p.x, offset)
	return v
}
func (a *arm) load8(p pointer) int {
	v := a.fresh()
	a.word(0xfd400000|uint32(p.x)<<5|uint32(v), "ldr d%d, [x%d]", v, p.x)
	return v
}

// uint8s and int16s read eight elements into two registers of 32-bit lanes.
func (a *arm) uint8s(p pointer) [2]int {
	v, w := a.load8(p), a.fresh()
	a.v2("uxtl.8h.8b", v, v)
	a.v2("uxtl2.4s.8h", w, v)
	a.v2("uxtl.4s.4h", v, v)
	return [2]int{v, w}
}
func (a *arm) int16s(p pointer) [2]int {
	v, w := a.load(p, 0), a.fresh()
	a.v2("sxtl2.4s.8h", w, v)
	a.v2("sxtl.4s.4h", v, v)
	return [2]int{v, w}
}

func (a *arm) store(v int, p pointer, i int) { a.str(v, p.x, 16*i) }

// storeWords and storeBytes write the low parts of eight 32-bit lanes.
func (a *arm) storeWords(v [2]int, p pointer) { a.str(a.words(v), p.x, 0) }
func (a *arm) storeBytes(v [2]int, p pointer) {
	w := a.words(v)
	a.v2("xtn.8b.8h", w, w)
	a.word(0xfd000000|uint32(p.x)<<5|uint32(w), "str d%d, [x%d]", w, p.x)
}
func (a *arm) words(v [2]int) int {
	w := a.fresh()
	a.v2("xtn.4h.4s", w, v[0])
	a.v2("xtn2.8h.4s", w, v[1])
	return w
}

// high is the instruction on the upper halves of its operands for odd parts.
func high(op string, i int) string {
	if i&1 == 0 {
		return op
	}
	name, rest, _ := strings.Cut(op, ".")
	switch op[len(op)-2:] {
	case "2s":
		return name + "2." + strings.TrimSuffix(rest, "2s") + "4s"
	case "2d":
		return name + "2." + strings.Replace(rest, "2s", "4s", 1)
	}
	panic(op)
}

// mull multiplies part i of four: 32-bit lanes of n and m to 64 bits.
func (a *arm) mull(op string, n, m [2]int, i int) int {
	v := a.fresh()
	a.v3(high(op+".2d.2s", i), v, n[i/2], m[i/2])
	return v
}

// extend sign-extends part i of four.
func (a *arm) extend(n [2]int, i int) int {
	v := a.fresh()
	a.v2(high("sxtl.2d.2s", i), v, n[i/2])
	return v
}

// narrow puts part i of four into 32-bit lanes, with the op xtn, sqxtn or uqxtn.
func (a *arm) narrow(op string, d [2]int, n, i int) {
	a.v2(high(op+".2s.2d", i), d[i/2], n)
}

func (a *arm) pairOf() [2]int { return [2]int{a.fresh(), a.fresh()} }
func both(v int) [2]int       { return [2]int{v, v} }

// minQ and maxQ set acc to the smaller or larger of acc and v in 64-bit lanes.
func (a *arm) minQ(v, acc int) {
	a.scope(func() {
		t := a.fresh()
		a.v3("cmgt.2d", t, acc, v)
		a.v3("bit.16b", acc, v, t)
	})
}
func (a *arm) maxQ(v, acc int) {
	a.scope(func() {
		t := a.fresh()
		a.v3("cmgt.2d", t, v, acc)
		a.v3("bit.16b", acc, v, t)
	})
}

type limits struct{ lo, hi int }

func (a *arm) zeroLimits() limits { return limits{a.zero(), a.zero()} }
func (a *arm) plainLimits() limits {
	return limits{a.constQ(1<<63 - 1), a.constQ(-1 << 63)}
}
func (a *arm) foldLimits(v int, m limits) {
	a.minQ(v, m.lo)
	a.maxQ(v, m.hi)
}
func (a *arm) returnLimits(m limits, lo, hi string) {
	a.returnBest(m.lo, "LT", lo)
	a.returnBest(m.hi, "GT", hi)
}

// returnBest stores the lane that compares so with the other, returnSum their sum.
func (a *arm) returnBest(v int, condition, name string) {
	a.lane(20, v, 0)
	a.lane(21, v, 1)
	a.op("CMP R21, R20")
	a.op("CSEL %s, R20, R21, R20", condition)
	a.result(20, name)
}
func (a *arm) returnSum(v int, name string) {
	a.lane(20, v, 0)
	a.lane(21, v, 1)
	a.op("ADD R21, R20")
	a.result(20, name)
}
func (a *arm) lane(x, v, i int) {
	a.word(0x4e083c00|uint32(i)<<20|uint32(v)<<5|uint32(x), "mov x%d, v%d.d[%d]", x, v, i)
}

// A nround is a shift right to nearest, halves away from zero: SRSHL rounds
// halves up, so negative numbers give 1 away first; neg as in rounding.
type nround struct{ count, neg int }

const noMask = -1

// rounding builds the constants for a parameter; zero says whether it may be 0.
func (a *arm) rounding(name string, zero bool) nround {
	s := nround{a.right(name), noMask}
	if zero {
		s.neg = a.fresh()
		a.shift("sshr.2d", s.neg, s.count, 63)
	}
	return s
}

func (a *arm) round(v int, s nround) {
	a.scope(func() {
		t := a.fresh()
		a.shift("sshr.2d", t, v, 63)
		if s.neg != noMask {
			a.v3("and.16b", t, t, s.neg)
		}
		a.v3("add.2d", v, v, t)
		a.v3("srshl.2d", v, v, s.count)
	})
}

// roundBy is round by a constant count above 0.
func (a *arm) roundBy(v, n int) {
	a.scope(func() {
		t := a.fresh()
		a.shift("sshr.2d", t, v, 63)
		a.v3("add.2d", v, v, t)
		a.shift("srshr.2d", v, v, n)
	})
}

// gather looks the eight 32-bit lanes of index up in a table of words.
func (a *arm) gather(table int, index [2]int) [2]int {
	w := a.fresh()
	for i := range 8 {
		lane := fmt.Sprintf("mov w20, v%d.s[%d]", index[i/4], i%4)
		a.word(0x0e043c00|uint32(i%4)<<19|uint32(index[i/4])<<5|20, "%s", lane)
		a.op("MOVHU (R%d)(R20<<1), R20", table)
		a.word(0x4e021c00|uint32(i)<<18|20<<5|uint32(w), "mov v%d.h[%d], w20", w, i)
	}
	v := a.fresh()
	a.v2("uxtl2.4s.8h", v, w)
	a.v2("uxtl.4s.4h", w, w)
	return [2]int{w, v}
}
