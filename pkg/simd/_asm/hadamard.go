package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// hadamardFile writes the butterflies of package vec and the ±1 matrices of Paley over blocks. All lengths are powers
// of two of at least eight, so that there are no tails; the matrices are unrolled into sums and differences.
func hadamardFile(c *build.Context) {
	for stages := range 5 {
		walsh(c, stages)
	}
	butterfly(c)
	across(c, 12, 11, false)
	across(c, 28, 13, true)
	across(c, 36, 17, true)
}

func hadamardFunction(c *build.Context, name, doc, signature string) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(name + ": " + doc)
	c.SignatureExpr(signature)
}

// walsh: distances 1, 2, 4 inside a register, then stages more between registers.
func walsh(c *build.Context, stages int) {
	regs := 1 << stages
	name := fmt.Sprintf("walsh%dAVX512", 8*regs)
	hadamardFunction(c, name, fmt.Sprintf("butterflies at distances below %d over n elements, a positive multiple of it.", 8*regs),
		"func(t *int64, n int)")
	t := c.Load(c.Param("t"), c.GP64()).(reg.GPVirtual)
	n := c.Load(c.Param("n"), c.GP64()).(reg.GPVirtual)
	var minus [3]reg.OpmaskVirtual // lanes that hold the v of a pair
	for i, lanes := range []uint32{0xaa, 0xcc, 0xf0} {
		g := c.GP32()
		c.MOVL(U32(lanes), g)
		minus[i] = c.K()
		c.KMOVB(g, minus[i])
	}
	c.Label("loop")
	x := make([]reg.VecVirtual, regs)
	for i := range x {
		x[i] = c.ZMM()
		c.VMOVDQU64(Mem{Base: t, Disp: 64 * i}, x[i])
		for stage, mask := range minus {
			s, y := c.ZMM(), c.ZMM()
			switch stage {
			case 0:
				c.VPSHUFD(Imm(0x4e), x[i], s)
			case 1:
				c.VPERMQ(Imm(0x4e), x[i], s)
			default:
				c.VSHUFI64X2(Imm(0x4e), x[i], x[i], s)
			}
			c.VPADDQ(s, x[i], y)
			c.VPSUBQ(x[i], s, mask, y)
			x[i] = y
		}
	}
	for d := 1; d < regs; d *= 2 {
		for i := range x {
			if i&d == 0 {
				v := c.ZMM()
				c.VPSUBQ(x[i+d], x[i], v)
				c.VPADDQ(x[i+d], x[i], x[i])
				x[i+d] = v
			}
		}
	}
	for i := range x {
		c.VMOVDQU64(x[i], Mem{Base: t, Disp: 64 * i})
	}
	c.ADDQ(U32(64*regs), t)
	c.SUBQ(U32(8*regs), n)
	c.JNZ(LabelRef("loop"))
	c.VZEROUPPER()
	c.RET()
}

// butterfly: one distance of at least eight.
func butterfly(c *build.Context) {
	hadamardFunction(c, "butterflyAVX512", "(t[i], t[i+d]) → (t[i]+t[i+d], t[i]−t[i+d]) over n elements, a positive multiple of 2·d; d a multiple of 8.",
		"func(t *int64, n int, d int)")
	t := c.Load(c.Param("t"), c.GP64()).(reg.GPVirtual)
	n := c.Load(c.Param("n"), c.GP64()).(reg.GPVirtual)
	d := c.Load(c.Param("d"), c.GP64()).(reg.GPVirtual)
	i := c.GP64()
	c.Label("block")
	c.MOVQ(d, i)
	c.Label("loop")
	u, v, x := c.ZMM(), c.ZMM(), c.ZMM()
	c.VMOVDQU64(Mem{Base: t}, u)
	c.VMOVDQU64(Mem{Base: t, Index: d, Scale: 8}, v)
	c.VPADDQ(v, u, x)
	c.VPSUBQ(v, u, u)
	c.VMOVDQU64(x, Mem{Base: t})
	c.VMOVDQU64(u, Mem{Base: t, Index: d, Scale: 8})
	c.ADDQ(U32(64), t)
	c.SUBQ(U32(8), i)
	c.JNZ(LabelRef("loop"))
	c.LEAQ(Mem{Base: t, Index: d, Scale: 8}, t)
	c.SUBQ(d, n)
	c.SUBQ(d, n)
	c.JNZ(LabelRef("block"))
	c.VZEROUPPER()
	c.RET()
}

// across: H_o over o blocks of m elements, eight elements of every block at a time.
func across(c *build.Context, order, q int, double bool) {
	hadamardFunction(c, fmt.Sprintf("across%dAVX512", order), fmt.Sprintf("H_%d over the blocks of m elements, a positive multiple of 8.", order),
		"func(t *int64, m int)")
	a := &acrossing{Context: c, sign: paley(q, double), t: c.Load(c.Param("t"), c.GP64()).(reg.GPVirtual), stride: c.GP64(), p: c.GP64()}
	m := c.Load(c.Param("m"), c.GP64()).(reg.GPVirtual)
	c.MOVQ(m, a.stride)
	c.SHLQ(Imm(3), a.stride)
	for range a.sign {
		a.sum = append(a.sum, c.ZMM())
	}
	c.Label("loop")
	if double {
		a.second()
	} else {
		a.first()
	}
	c.ADDQ(U32(64), a.t)
	c.SUBQ(U32(8), m)
	c.JNZ(LabelRef("loop"))
	c.VZEROUPPER()
	c.RET()
}

type acrossing struct {
	*build.Context
	sign         [][]int
	t, stride, p reg.GPVirtual
	sum          []reg.VecVirtual
}

// blocks calls f for the block at p, and moves p on by step blocks.
func (a *acrossing) blocks(n, step int, f func(i int)) {
	for i := range n {
		f(i)
		if i < n-1 {
			for range step {
				a.ADDQ(a.stride, a.p)
			}
		}
	}
}

// add adds column b of S times x to the sums.
func (a *acrossing) add(x reg.VecVirtual, b int) {
	for i, row := range a.sign {
		switch row[b] {
		case 1:
			a.VPADDQ(x, a.sum[i], a.sum[i])
		case -1:
			a.VPSUBQ(x, a.sum[i], a.sum[i])
		}
	}
}

// first is (I + S)·x.
func (a *acrossing) first() {
	n := len(a.sign)
	a.MOVQ(a.t, a.p)
	a.blocks(n, 1, func(i int) { a.VMOVDQU64(Mem{Base: a.p}, a.sum[i]) })
	a.MOVQ(a.t, a.p)
	a.blocks(n, 1, func(i int) {
		x := a.ZMM()
		a.VMOVDQU64(Mem{Base: a.p}, x)
		a.add(x, i)
	})
	a.MOVQ(a.t, a.p)
	a.blocks(n, 1, func(i int) { a.VMOVDQU64(a.sum[i], Mem{Base: a.p}) })
}

// second is Paley's second form. Blocks (2a, 2a+1) become p = u + v and m = u − v; the even results are S·p + m. They
// replace p when the sums are started anew from −p, to which S·m is added for the odd ones.
func (a *acrossing) second() {
	n := len(a.sign)
	even, odd := Mem{Base: a.p}, Mem{Base: a.p, Index: a.stride, Scale: 1}
	a.MOVQ(a.t, a.p)
	a.blocks(n, 2, func(i int) {
		v, p := a.ZMM(), a.ZMM()
		a.VMOVDQU64(even, a.sum[i])
		a.VMOVDQU64(odd, v)
		a.VPADDQ(v, a.sum[i], p)
		a.VPSUBQ(v, a.sum[i], a.sum[i])
		a.VMOVDQU64(p, even)
		a.VMOVDQU64(a.sum[i], odd)
	})
	column := func(m Mem) {
		a.MOVQ(a.t, a.p)
		a.blocks(n, 2, func(i int) {
			x := a.ZMM()
			a.VMOVDQU64(m, x)
			a.add(x, i)
		})
	}
	column(even)
	a.MOVQ(a.t, a.p)
	zero := a.ZMM()
	a.VPXORQ(zero, zero, zero)
	a.blocks(n, 2, func(i int) {
		p := a.ZMM()
		a.VMOVDQU64(even, p)
		a.VMOVDQU64(a.sum[i], even)
		a.VPSUBQ(p, zero, a.sum[i])
	})
	column(odd)
	a.MOVQ(a.t, a.p)
	a.blocks(n, 2, func(i int) { a.VMOVDQU64(a.sum[i], odd) })
}

// paley returns S over the residues of the prime q, as package vec defines it.
func paley(q int, symmetric bool) [][]int {
	square := make(map[int]bool)
	for x := 1; x < q; x++ {
		square[x*x%q] = true
	}
	s := make([][]int, q+1)
	for a := range s {
		s[a] = make([]int, q+1)
		for b := range s[a] {
			switch {
			case a == b:
			case a == 0 || b == 0 && symmetric:
				s[a][b] = 1
			case b > 0 && square[(a-b+q)%q]:
				s[a][b] = 1
			default:
				s[a][b] = -1
			}
		}
	}
	return s
}
