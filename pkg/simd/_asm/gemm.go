package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemmFile writes the u8×s8→s32 tiles of package gemm.
func gemmFile(c *build.Context) {
	for rows := 1; rows <= 6; rows++ {
		gemmVNNI(c, rows)
	}
}

// rowAddr gives the addresses of up to 6 rows ld bytes apart, from two base
// registers and the stride as index.
func rowAddr(c *build.Context, base, ld reg.GPVirtual, rows int) []Mem {
	out := []Mem{{Base: base}, {Base: base, Index: ld, Scale: 1}, {Base: base, Index: ld, Scale: 2}}
	if rows > 3 {
		b3 := c.GP64()
		c.LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, b3)
		c.ADDQ(base, b3)
		out = append(out, Mem{Base: b3}, Mem{Base: b3, Index: ld, Scale: 1}, Mem{Base: b3, Index: ld, Scale: 2})
	}
	return out[:rows]
}

// advance adds n to every distinct base register of rows.
func advance(c *build.Context, rows []Mem, n int) {
	var last reg.Register
	for _, m := range rows {
		if m.Base != last {
			c.ADDQ(U32(n), m.Base)
			last = m.Base
		}
	}
}

// gemmVNNI writes a tile of rows × 64 channels: 4 accumulators a row, one
// 512-bit load for 16 channels × 4 depth steps, one 32-bit broadcast a row.
// Of one or two rows two depth blocks run in separate accumulators, since four
// chains do not cover the latency of the dot product.
func gemmVNNI(c *build.Context, rows int) {
	c.Function(fmt.Sprintf("gemmU8S8_%dx64c4_AVX512VNNI", rows))
	c.Attributes(attr.NOSPLIT)
	c.Doc(fmt.Sprintf("gemmU8S8_%dx64c4_AVX512VNNI: acc[t*%d+i][j] (+)= Σ x·panel over tiles of %d rows.", rows, rows, rows))
	c.SignatureExpr("func(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, blocks int, tiles int, accumulate int)")
	sets := 1
	if rows <= 2 {
		sets = 2
	}
	acc := c.Load(c.Param("acc"), c.GP64()).(reg.GPVirtual)
	ldacc := c.Load(c.Param("ldacc"), c.GP64()).(reg.GPVirtual)
	x := c.Load(c.Param("x"), c.GP64()).(reg.GPVirtual)
	ldx := c.Load(c.Param("ldx"), c.GP64()).(reg.GPVirtual)
	tiles := c.Load(c.Param("tiles"), c.GP64()).(reg.GPVirtual)
	c.SHLQ(Imm(2), ldacc)

	c.Label("tile")
	panel := c.Load(c.Param("panel"), c.GP64()).(reg.GPVirtual)
	blocks := c.Load(c.Param("blocks"), c.GP64()).(reg.GPVirtual)
	xs := c.GP64()
	c.MOVQ(x, xs)
	xrow := rowAddr(c, xs, ldx, rows)
	out := c.GP64()
	c.MOVQ(acc, out)
	orow := rowAddr(c, out, ldacc, rows)

	var a [2][6][4]reg.VecVirtual
	for s := range sets {
		for i := range rows {
			for j := range 4 {
				a[s][i][j] = c.ZMM()
			}
		}
	}
	acm := c.GP64()
	c.Load(c.Param("accumulate"), acm)
	c.TESTQ(acm, acm)
	c.JZ(LabelRef("zero"))
	for i := range rows {
		for j := range 4 {
			c.VMOVDQU32(orow[i].Offset(64*j), a[0][i][j])
		}
	}
	c.JMP(LabelRef("start"))
	c.Label("zero")
	for i := range rows {
		for j := range 4 {
			c.VPXORD(a[0][i][j], a[0][i][j], a[0][i][j])
		}
	}
	c.Label("start")
	if sets == 2 {
		for i := range rows {
			for j := range 4 {
				c.VPXORD(a[1][i][j], a[1][i][j], a[1][i][j])
			}
		}
	}

	var b [4]reg.VecVirtual
	for j := range b {
		b[j] = c.ZMM()
	}
	bc := []reg.VecVirtual{c.ZMM(), c.ZMM(), c.ZMM(), c.ZMM()}
	step := func(u int) {
		s := u % sets
		if rows == 1 {
			c.VPBROADCASTD(xrow[0].Offset(4*u), bc[u%4])
			for j := range 4 {
				c.VPDPBUSD(Mem{Base: panel, Disp: 256*u + 64*j}, bc[u%4], a[s][0][j])
			}
			return
		}
		for j := range 4 {
			c.VMOVDQU32(Mem{Base: panel, Disp: 256*u + 64*j}, b[j])
		}
		for i := range rows {
			v := bc[i%len(bc)]
			c.VPBROADCASTD(xrow[i].Offset(4*u), v)
			for j := range 4 {
				c.VPDPBUSD(b[j], v, a[s][i][j])
			}
		}
	}
	const unroll = 4
	c.SUBQ(U32(unroll), blocks)
	c.JL(LabelRef("rest"))
	c.Label("loop")
	for u := range unroll {
		step(u)
	}
	advance(c, xrow, 4*unroll)
	c.ADDQ(U32(256*unroll), panel)
	c.SUBQ(U32(unroll), blocks)
	c.JGE(LabelRef("loop"))
	c.Label("rest")
	c.ADDQ(U32(unroll), blocks)
	c.JZ(LabelRef("store"))
	c.Label("single")
	step(0)
	advance(c, xrow, 4)
	c.ADDQ(U32(256), panel)
	c.DECQ(blocks)
	c.JNZ(LabelRef("single"))

	c.Label("store")
	for i := range rows {
		for j := range 4 {
			if sets == 2 {
				c.VPADDD(a[1][i][j], a[0][i][j], a[0][i][j])
			}
			c.VMOVDQU32(a[0][i][j], orow[i].Offset(64*j))
		}
	}
	for range rows {
		c.ADDQ(ldx, x)
		c.ADDQ(ldacc, acc)
	}
	c.DECQ(tiles)
	c.JNZ(LabelRef("tile"))
	c.VZEROUPPER()
	c.RET()
}
