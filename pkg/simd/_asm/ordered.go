package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// orderedFile writes the kernels of package ordered: no fused multiply-add
// stands in it, every product is rounded before it is added.
func orderedFile(c *build.Context) {
	for _, s := range [][2]int{{4, 4}, {4, 1}, {1, 4}, {1, 1}} {
		dotAVX512(c, s[0], s[1])
	}
	for _, s := range [][2]int{{2, 2}, {2, 1}, {1, 2}, {1, 1}} {
		dotAVX2(c, s[0], s[1])
	}
	rank(c, "rank_4x32_AVX512", c.ZMM, 64)
	rank(c, "rank_4x8_AVX2", c.YMM, 32)
	orderedRows(c)
}

// dotDoc is the comment over a dot-product stub.
func dotDoc(name string, rows, outs int) string {
	return fmt.Sprintf("%s: c[i][%d·t+j] = Σ a[i]·w[%d·t+j], i < %d, j < %d, t < tiles, 16·blocks deep and a tail under the mask; lda, ldw in bytes.", name, outs, outs, rows, outs)
}

// dotLoop is the frame that both instruction sets share: a loop over tiles of
// outputs, in it one over blocks of 16 depth steps, a masked block, a reduction.
// block multiplies what stands at the addresses; masked says: under the mask.
func dotLoop(c *build.Context, rows, outs int, clear func(), block func(a, w []Mem, masked bool), reduce func(dst []Mem)) {
	pc := c.Load(c.Param("c"), c.GP64()).(reg.GPVirtual)
	ldc := c.Load(c.Param("ldc"), c.GP64()).(reg.GPVirtual)
	c.SHLQ(Imm(2), ldc)
	a0 := c.Load(c.Param("a"), c.GP64()).(reg.GPVirtual)
	lda := c.Load(c.Param("lda"), c.GP64()).(reg.GPVirtual)
	w0 := c.Load(c.Param("w"), c.GP64()).(reg.GPVirtual)
	ldw := c.Load(c.Param("ldw"), c.GP64()).(reg.GPVirtual)
	tiles := c.Load(c.Param("tiles"), c.GP64()).(reg.GPVirtual)
	address := func(base, ld reg.GPVirtual, n int) []Mem {
		out := []Mem{{Base: base}, {Base: base, Index: ld, Scale: 1}, {Base: base, Index: ld, Scale: 2}}
		if n > 3 {
			ld3 := c.GP64()
			c.LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
			out = append(out, Mem{Base: base, Index: ld3, Scale: 1})
		}
		return out[:n]
	}
	a, w, blocks := c.GP64(), c.GP64(), c.GP64()
	aRows, wRows, cRows := address(a, lda, rows), address(w, ldw, outs), address(pc, ldc, rows)
	c.Label("tile")
	c.MOVQ(a0, a)
	c.MOVQ(w0, w)
	clear()
	c.MOVQ(c.Load(c.Param("blocks"), c.GP64()), blocks)
	c.TESTQ(blocks, blocks)
	c.JZ(LabelRef("tail"))
	c.Label("depth")
	block(aRows, wRows, false)
	c.ADDQ(U32(64), a)
	c.ADDQ(U32(64), w)
	c.DECQ(blocks)
	c.JNZ(LabelRef("depth"))
	c.Label("tail")
	tail := c.Load(c.Param("tail"), c.GP64()).(reg.GPVirtual)
	c.TESTQ(tail, tail)
	c.JZ(LabelRef("sum"))
	block(aRows, wRows, true)
	c.Label("sum")
	reduce(cRows)
	c.ADDQ(U32(uint32(4*outs)), pc)
	for range outs {
		c.ADDQ(ldw, w0)
	}
	c.DECQ(tiles)
	c.JNZ(LabelRef("tile"))
	c.VZEROUPPER()
	c.RET()
}

const dotSignature = "func(c *float32, ldc int, a *float32, lda int, w *float32, ldw int, blocks int, tail %s, tiles int)"

// dotAVX512 writes a tile of rows × outs dot products: one ZMM holds the 16
// partial sums of one.
func dotAVX512(c *build.Context, rows, outs int) {
	name := fmt.Sprintf("dot_%dx%d_AVX512", rows, outs)
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(dotDoc(name, rows, outs))
	c.SignatureExpr(fmt.Sprintf(dotSignature, "int"))
	acc := make([]reg.VecVirtual, rows*outs) // index: output·rows + row
	for i := range acc {
		acc[i] = c.ZMM()
	}
	x := make([]reg.VecVirtual, rows)
	for i := range x {
		x[i] = c.ZMM()
	}
	v := [2]reg.VecVirtual{c.ZMM(), c.ZMM()}
	t := [4]reg.VecVirtual{c.ZMM(), c.ZMM(), c.ZMM(), c.ZMM()}
	mask := c.K()
	tail := c.Load(c.Param("tail"), c.GP64()).(reg.GPVirtual)
	c.KMOVW(tail.As32(), mask)
	dotLoop(c, rows, outs, func() {
		for _, r := range acc {
			c.VPXORD(r, r, r)
		}
	}, func(a, w []Mem, masked bool) {
		load := func(m Mem, r reg.VecVirtual) {
			if masked {
				c.VMOVUPS_Z(m, mask, r)
			} else {
				c.VMOVUPS(m, r)
			}
		}
		for i := range x {
			load(a[i], x[i])
		}
		n := 0
		for o := range outs {
			load(w[o], v[o%2])
			for i := range rows {
				c.VMULPS(v[o%2], x[i], t[n%4])
				c.VADDPS(t[n%4], acc[o*rows+i], acc[o*rows+i])
				n++
			}
		}
	}, func(dst []Mem) {
		if rows*outs == 16 {
			reduce16(c, acc, t, dst)
			return
		}
		for o := range outs {
			for i := range rows {
				r := acc[o*rows+i]
				y := t[0].AsY()
				c.VEXTRACTF64X4(Imm(1), r, y)
				c.VADDPS(y, r.AsY(), y)
				foldYMM(c, y, t[1], dst[i].Offset(4*o))
			}
		}
	})
}

// reduce16 reduces 16 vectors at once, each by p_i += p_{i+8}, p_{i+4}, p_{i+2},
// p_{i+1}, two vectors sharing one at each level, and stores four rows of four.
func reduce16(c *build.Context, acc []reg.VecVirtual, t [4]reg.VecVirtual, dst []Mem) {
	n := 0
	level := func(v []reg.VecVirtual, shuffle func(m uint8, b, a, d reg.VecVirtual), lo, hi uint8) []reg.VecVirtual {
		out := make([]reg.VecVirtual, len(v)/2)
		for i := range out {
			a, b := v[2*i], v[2*i+1]
			d := t[n%4]
			n++
			shuffle(lo, b, a, d)
			shuffle(hi, b, a, a)
			c.VADDPS(d, a, a)
			out[i] = a
		}
		return out
	}
	lanes := func(m uint8, b, a, d reg.VecVirtual) { c.VSHUFF32X4(Imm(uint64(m)), b, a, d) }
	within := func(m uint8, b, a, d reg.VecVirtual) { c.VSHUFPS(Imm(uint64(m)), b, a, d) }
	v := level(acc, lanes, 0x44, 0xee)
	v = level(v, lanes, 0x88, 0xdd)
	v = level(v, within, 0x44, 0xee)
	v = level(v, within, 0x88, 0xdd)
	for i, m := range dst { // lane i holds outputs 0…3 of row i
		if i == 0 {
			c.VMOVUPS(v[0].AsX(), m)
		} else {
			c.VEXTRACTF32X4(Imm(uint64(i)), v[0], m)
		}
	}
}

// foldYMM reduces p_0…p_7 in y to one value and stores it.
func foldYMM(c *build.Context, y reg.Register, t reg.VecVirtual, dst Mem) {
	v := y.(reg.Vec)
	x := t.AsX()
	c.VEXTRACTF128(Imm(1), v.AsY(), x)
	c.VADDPS(x, v.AsX(), v.AsX())
	c.VMOVHLPS(v.AsX(), v.AsX(), x)
	c.VADDPS(x, v.AsX(), v.AsX())
	c.VMOVSHDUP(v.AsX(), x)
	c.VADDSS(x, v.AsX(), v.AsX())
	c.VMOVSS(v.AsX(), dst)
}

// dotAVX2 is dotAVX512 with two YMM a product: p_0…p_7 and p_8…p_15. Its mask is
// an array of 16 words.
func dotAVX2(c *build.Context, rows, outs int) {
	name := fmt.Sprintf("dot_%dx%d_AVX2", rows, outs)
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(dotDoc(name, rows, outs))
	c.SignatureExpr(fmt.Sprintf(dotSignature, "*uint32"))
	var acc [4][2]reg.VecVirtual
	for i := range rows * outs {
		acc[i] = [2]reg.VecVirtual{c.YMM(), c.YMM()}
	}
	var x [2]reg.VecVirtual
	for i := range rows {
		x[i] = c.YMM()
	}
	v, t, m := c.YMM(), c.YMM(), c.YMM()
	dotLoop(c, rows, outs, func() {
		for i := range rows * outs {
			for _, r := range acc[i] {
				c.VXORPS(r, r, r)
			}
		}
	}, func(a, w []Mem, masked bool) {
		for h := range 2 {
			if masked {
				tail := c.Load(c.Param("tail"), c.GP64()).(reg.GPVirtual)
				c.VMOVUPS(Mem{Base: tail, Disp: 32 * h}, m)
			}
			load := func(at Mem, r reg.VecVirtual) {
				if masked {
					c.VMASKMOVPS(at.Offset(32*h), m, r)
				} else {
					c.VMOVUPS(at.Offset(32*h), r)
				}
			}
			for i := range rows {
				load(a[i], x[i])
			}
			for o := range outs {
				load(w[o], v)
				for i := range rows {
					c.VMULPS(v, x[i], t)
					c.VADDPS(t, acc[o*rows+i][h], acc[o*rows+i][h])
				}
			}
		}
	}, func(dst []Mem) {
		for o := range outs {
			for i := range rows {
				r := acc[o*rows+i]
				c.VADDPS(r[1], r[0], r[0])
				foldYMM(c, r[0], t, dst[i].Offset(4*o))
			}
		}
	})
}

// rank writes c[i][j] += Σ_t a[t][i]·b[t][j] in float64 for 4 rows i and 4
// vectors (AVX2: 2) of columns j, steps t ascending, one accumulator an element.
func rank(c *build.Context, name string, vector func() reg.VecVirtual, size int) {
	vecs := 4
	if size == 32 {
		vecs = 2
	}
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(fmt.Sprintf("%s: c[i][j] += Σ_t a[t][i]·b[t][j], i < 4, j < %d, t < steps (at least 1); strides in bytes.", name, vecs*size/8))
	c.SignatureExpr("func(c *float64, ldc int, a *float64, lda int, b *float64, ldb int, steps int)")
	pc := c.Load(c.Param("c"), c.GP64()).(reg.GPVirtual)
	ldc := c.Load(c.Param("ldc"), c.GP64()).(reg.GPVirtual)
	a := c.Load(c.Param("a"), c.GP64()).(reg.GPVirtual)
	lda := c.Load(c.Param("lda"), c.GP64())
	b := c.Load(c.Param("b"), c.GP64()).(reg.GPVirtual)
	ldb := c.Load(c.Param("ldb"), c.GP64())
	steps := c.Load(c.Param("steps"), c.GP64())
	row := make([]reg.GPVirtual, 4)
	for i := range row {
		row[i] = c.GP64()
		if i == 0 {
			c.MOVQ(pc, row[0])
		} else {
			c.LEAQ(Mem{Base: row[i-1], Index: ldc, Scale: 1}, row[i])
		}
	}
	var acc [4][4]reg.VecVirtual
	for i := range 4 {
		for j := range vecs {
			acc[i][j] = vector()
			c.VMOVUPD(Mem{Base: row[i], Disp: size * j}, acc[i][j])
		}
	}
	v := make([]reg.VecVirtual, vecs)
	for j := range v {
		v[j] = vector()
	}
	x := vector()
	t := []reg.VecVirtual{vector(), vector()}
	c.Label("loop")
	for j := range v {
		c.VMOVUPD(Mem{Base: b, Disp: size * j}, v[j])
	}
	for i := range 4 {
		c.VBROADCASTSD(Mem{Base: a, Disp: 8 * i}, x)
		for j := range v {
			c.VMULPD(v[j], x, t[j%2])
			c.VADDPD(t[j%2], acc[i][j], acc[i][j])
		}
	}
	c.ADDQ(lda, a)
	c.ADDQ(ldb, b)
	c.DECQ(steps)
	c.JNZ(LabelRef("loop"))
	for i := range 4 {
		for j := range vecs {
			c.VMOVUPD(acc[i][j], Mem{Base: row[i], Disp: size * j})
		}
	}
	c.VZEROUPPER()
	c.RET()
}
