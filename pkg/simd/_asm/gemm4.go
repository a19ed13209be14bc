package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemm4File writes the u8×u4→s32 tiles of package gemm4.
func gemm4File(c *build.Context) {
	nibble := c.StaticGlobal("nibble")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for range 4 {
		c.AppendDatum(U64(0x0f0f0f0f0f0f0f0f))
	}
	ones := c.StaticGlobal("ones")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for range 4 {
		c.AppendDatum(U64(0x0001000100010001))
	}
	for rows := 1; rows <= 6; rows++ {
		gemm4VNNI(c, nibble, rows)
	}
	for rows := 3; rows <= 6; rows++ {
		gemmVNNI(c, rows) // for panels that unpackAVX512 has written out
	}
	unpack(c, nibble)
	for rows := 1; rows <= 4; rows++ {
		gemm4AVX2(c, nibble, ones, rows)
	}
	for _, set := range []string{"AVXVNNI", "AVX512VL"} {
		for rows := 1; rows <= 6; rows++ {
			gemm4YMM(c, nibble, set, rows)
		}
	}
}

// gemm4VNNI writes the nibble tile: as gemmVNNI, with one load for two depth
// blocks and a mask, or a shift and a mask, in between. The second load of the
// same bytes is cheaper than the four registers that would keep them.
func gemm4VNNI(c *build.Context, nibble Mem, rows int) {
	var b, bc [4]reg.VecVirtual
	var mask reg.VecVirtual
	name := fmt.Sprintf("gemmU8U4_%dx64c8_AVX512VNNI", rows)
	t := intTile(c, tile{
		name: name, rows: rows, vecs: 4, blockBytes: 256, rowBytes: 8,
		doc: fmt.Sprintf("%s: acc[%d·t+i][j] (+)= Σ x·code, i < %d, j < 64, t < tiles.", name, rows, rows),
		step: func(s *tileStep) {
			for half := range 2 {
				for j := range 4 {
					src := Mem{Base: s.panel, Disp: 256*s.u + 64*j}
					if half == 0 {
						ahead(c, rows, src)
						c.VPANDD(src, mask, b[j])
						continue
					}
					c.VMOVDQU32(src, b[j])
					c.VPSRLW(Imm(4), b[j], b[j])
					c.VPANDD(b[j], mask, b[j])
				}
				for i := range rows {
					v := bc[(i+half)%3]
					c.VPBROADCASTD(s.row[i].Offset(8*s.u+4*half), v)
					for j := range 4 {
						c.VPDPBUSD(b[j], v, s.acc[i][j])
					}
				}
			}
		},
	})
	t.prologue = func() {
		for j := range b {
			b[j], bc[j] = c.ZMM(), c.ZMM()
		}
		mask = c.ZMM()
		c.VPBROADCASTD(nibble, mask)
	}
	writeTile(c, t, sets(rows))
}

// unpack writes nibbles out as the bytes of package gemm: a block becomes two.
func unpack(c *build.Context, nibble Mem) {
	c.Function("unpackAVX512")
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc("unpackAVX512: blocks of 8 depth steps, a nibble each, to two blocks of 4 depth steps, a byte each.")
	c.SignatureExpr("func(dst, panel *byte, blocks int)")
	dst := c.Load(c.Param("dst"), c.GP64()).(reg.GPVirtual)
	panel := c.Load(c.Param("panel"), c.GP64()).(reg.GPVirtual)
	blocks := c.Load(c.Param("blocks"), c.GP64())
	mask := c.ZMM()
	c.VPBROADCASTD(nibble, mask)
	c.Label("loop")
	for j := range 4 {
		v, lo := c.ZMM(), c.ZMM()
		c.VMOVDQU32(Mem{Base: panel, Disp: 64 * j}, v)
		c.VPANDD(v, mask, lo)
		c.VPSRLW(Imm(4), v, v)
		c.VPANDD(v, mask, v)
		c.VMOVDQU32(lo, Mem{Base: dst, Disp: 64 * j})
		c.VMOVDQU32(v, Mem{Base: dst, Disp: 256 + 64*j})
	}
	c.ADDQ(U32(256), panel)
	c.ADDQ(U32(512), dst)
	c.DECQ(blocks)
	c.JNZ(LabelRef("loop"))
	c.VZEROUPPER()
	c.RET()
}

// gemm4YMM writes the nibble tile of 32-byte registers: gemm4VNNI as gemmYMM is
// gemmVNNI. The mask stays in memory where rows leave no register for it.
func gemm4YMM(c *build.Context, nibble Mem, set string, rows int) {
	vecs := ymmVecs(rows)
	var b [4]reg.VecVirtual
	var bc [2]reg.VecVirtual
	var mask Op = nibble
	name := fmt.Sprintf("gemmU8U4_%dx%dc8_%s", rows, 8*vecs, set)
	writeTile(c, intTile(c, tile{
		name: name, rows: rows, vecs: vecs, ymm: true, blockBytes: 256, rowBytes: 8,
		doc: fmt.Sprintf("%s: acc[%d·t+i][j] (+)= Σ x·code, i < %d, j < %d, t < tiles.", name, rows, rows, 8*vecs),
		prologue: func() {
			for j := range min(vecs, len(b)) {
				b[j] = c.YMM()
			}
			bc[0], bc[1] = c.YMM(), c.YMM()
			if rows == 1 {
				m := c.YMM()
				c.VMOVDQU(nibble, m)
				mask = m
			}
		},
		step: func(s *tileStep) {
			load := func(j, half int) {
				v, src := b[j%len(b)], Mem{Base: s.panel, Disp: 256*s.u + 32*j}
				if half == 0 && j%2 == 0 {
					ahead(c, rows, src)
				}
				c.VMOVDQU(src, v)
				if half == 1 {
					c.VPSRLW(Imm(4), v, v)
				}
				c.VPAND(mask, v, v)
			}
			for half := range 2 {
				for j := range vecs {
					if rows > 1 {
						load(j, half)
					}
				}
				for i := range rows {
					v := bc[(i+half)%2]
					c.VPBROADCASTD(s.row[i].Offset(8*s.u+4*half), v)
					for j := range vecs {
						if rows == 1 {
							load(j, half)
						}
						c.VPDPBUSD(b[j%len(b)], v, s.acc[i][j])
					}
				}
			}
		},
	}), ymmSets(rows))
}

// gemm4AVX2 writes the nibble tile of rows × 16 channels, a quarter of a panel, or of one row × 64.
// VPMADDUBSW cannot saturate here: two depth blocks together reach
// 4·255·15 = 15 300 before VPMADDWD widens them.
func gemm4AVX2(c *build.Context, nibble, ones Mem, rows int) {
	var lo, hi [2]reg.VecVirtual
	var x0, x1, p, q reg.VecVirtual
	vecs := avx2Vecs(rows)
	name := fmt.Sprintf("gemmU8U4_%dx%dc8_AVX2", rows, 8*vecs)
	writeTile(c, intTile(c, tile{
		name: name, rows: rows, vecs: vecs, ymm: true, blockBytes: 256, rowBytes: 8,
		doc: fmt.Sprintf("%s: acc[%d·t+i][j] (+)= Σ x·code, i < %d, j < %d, t < tiles.", name, rows, rows, 8*vecs),
		prologue: func() {
			lo[0], hi[0] = c.YMM(), c.YMM()
			lo[1], hi[1] = lo[0], hi[0]
			if rows > 1 {
				lo[1], hi[1] = c.YMM(), c.YMM()
			}
			x0, x1, p, q = c.YMM(), c.YMM(), c.YMM(), c.YMM()
		},
		step: func(s *tileStep) {
			split := func(j int) {
				l, h := lo[j%2], hi[j%2]
				c.VMOVDQU(Mem{Base: s.panel, Disp: 256*s.u + 32*j}, h)
				c.VPAND(nibble, h, l)
				c.VPSRLW(Imm(4), h, h)
				c.VPAND(nibble, h, h)
			}
			if rows > 1 {
				split(0)
				split(1)
			}
			for i := range rows {
				c.VPBROADCASTD(s.row[i].Offset(8*s.u), x0)
				c.VPBROADCASTD(s.row[i].Offset(8*s.u+4), x1)
				for j := range vecs {
					if rows == 1 {
						split(j)
					}
					c.VPMADDUBSW(lo[j%2], x0, p)
					c.VPMADDUBSW(hi[j%2], x1, q)
					c.VPADDW(p, q, p)
					c.VPMADDWD(ones, p, p)
					c.VPADDD(p, s.acc[i][j], s.acc[i][j])
				}
			}
		},
	}), 1)
}
