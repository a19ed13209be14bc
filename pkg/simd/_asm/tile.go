package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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

// A tile describes a kernel of rows × (vecs vectors of channels) that walks tiles
// of rows over one panel or a part of it: vecs accumulators a row, kept over the
// whole depth.
type tile struct {
	prologue    func() // allocates and loads what the steps share
	name, doc   string
	signature   string
	rows        int
	vecs        int                           // vectors a row
	ymm         bool                          // of 32 bytes instead of 64
	zero        func(r reg.VecVirtual)        // r = 0
	load, store func(src, dst Op)             // a vector from or to the result
	add         func(src, dst reg.VecVirtual) // dst += src
	blockBytes  int                           // of the panel per step
	rowBytes    int                           // of a row per step
	step        func(s *tileStep)             // one step of the depth
}

// tileStep is what a step works on: the u-th of an unrolled group.
type tileStep struct {
	u     int
	row   []Mem                 // addresses of the rows, before the u-th offset
	panel reg.GPVirtual         // address of the panel, before the u-th offset
	acc   *[6][8]reg.VecVirtual // accumulators of this step
}

// writeTile writes the loops around a tile's steps. The parameters are
// (out, ldout, x, ldx, panel, blocks, tiles, accumulate), strides in elements
// of 4 bytes for out and of bytes for x. Of one or two rows alternate steps run
// in separate accumulators where sets is 2, since four chains do not cover the
// latency of a multiply-add.
func writeTile(c *build.Context, t tile, sets int) {
	c.Function(t.name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(t.doc)
	c.SignatureExpr(t.signature)
	acc := c.Load(c.ParamIndex(0), c.GP64()).(reg.GPVirtual)
	ldacc := c.Load(c.ParamIndex(1), c.GP64()).(reg.GPVirtual)
	x := c.Load(c.ParamIndex(2), c.GP64()).(reg.GPVirtual)
	ldx := c.Load(c.ParamIndex(3), c.GP64()).(reg.GPVirtual)
	tiles := c.Load(c.Param("tiles"), c.GP64()).(reg.GPVirtual)
	c.SHLQ(Imm(2), ldacc)
	t.prologue()

	c.Label("tile")
	panel := c.Load(c.Param("panel"), c.GP64()).(reg.GPVirtual)
	blocks := c.Load(c.Param("blocks"), c.GP64()).(reg.GPVirtual)
	xs := c.GP64()
	c.MOVQ(x, xs)
	xrow := rowAddr(c, xs, ldx, t.rows)
	out := c.GP64()
	c.MOVQ(acc, out)
	orow := rowAddr(c, out, ldacc, t.rows)

	vector, width := c.ZMM, 64
	if t.ymm {
		vector, width = c.YMM, 32
	}
	var a [2][6][8]reg.VecVirtual
	each := func(f func(i, j int)) {
		for i := range t.rows {
			for j := range t.vecs {
				f(i, j)
			}
		}
	}
	for s := range sets {
		each(func(i, j int) { a[s][i][j] = vector() })
	}
	acm := c.GP64()
	c.Load(c.Param("accumulate"), acm)
	c.TESTQ(acm, acm)
	c.JZ(LabelRef("zero"))
	each(func(i, j int) { t.load(orow[i].Offset(width*j), a[0][i][j]) })
	c.JMP(LabelRef("start"))
	c.Label("zero")
	each(func(i, j int) { t.zero(a[0][i][j]) })
	c.Label("start")
	if sets == 2 {
		each(func(i, j int) { t.zero(a[1][i][j]) })
	}

	const unroll = 4
	c.SUBQ(U32(unroll), blocks)
	c.JL(LabelRef("rest"))
	c.Label("loop")
	for u := range unroll {
		t.step(&tileStep{u, xrow, panel, &a[u%sets]})
	}
	advance(c, xrow, t.rowBytes*unroll)
	c.ADDQ(U32(t.blockBytes*unroll), panel)
	c.SUBQ(U32(unroll), blocks)
	c.JGE(LabelRef("loop"))
	c.Label("rest")
	c.ADDQ(U32(unroll), blocks)
	c.JZ(LabelRef("store"))
	c.Label("single")
	t.step(&tileStep{0, xrow, panel, &a[0]})
	advance(c, xrow, t.rowBytes)
	c.ADDQ(U32(t.blockBytes), panel)
	c.DECQ(blocks)
	c.JNZ(LabelRef("single"))

	c.Label("store")
	each(func(i, j int) {
		if sets == 2 {
			t.add(a[1][i][j], a[0][i][j])
		}
		t.store(a[0][i][j], orow[i].Offset(width*j))
	})
	for range t.rows {
		c.ADDQ(ldx, x)
		c.ADDQ(ldacc, acc)
	}
	c.DECQ(tiles)
	c.JNZ(LabelRef("tile"))
	c.VZEROUPPER()
	c.RET()
}
