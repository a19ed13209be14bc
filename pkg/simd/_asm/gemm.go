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
	peak(c, "peakVNNI", 24, c.ZMM, func(a, b, sum reg.VecVirtual) { c.VPDPBUSD(a, b, sum) })
	peakRead(c, "peakReadAVX512")
	even := c.StaticGlobal("even")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for range 4 {
		c.AppendDatum(U64(0x00ff00ff00ff00ff))
	}
	for rows := 1; rows <= 4; rows++ {
		gemmAVX2(c, even, rows)
	}
	for _, set := range []string{"AVXVNNI", "AVX512VL"} {
		for rows := 1; rows <= 6; rows++ {
			gemmYMM(c, set, rows)
		}
	}
	peak(c, "peakAVXVNNI", 12, c.YMM, func(a, b, sum reg.VecVirtual) { c.VPDPBUSD(a, b, sum) })
}

const intTileSignature = "func(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, blocks int, tiles int, accumulate int)"

// intTile fills in what the integer tiles share.
func intTile(c *build.Context, t tile) tile {
	t.signature = intTileSignature
	t.zero = func(r reg.VecVirtual) { c.VPXORD(r, r, r) }
	t.load = func(src, dst Op) { c.VMOVDQU32(src, dst) }
	if t.ymm {
		t.zero = func(r reg.VecVirtual) { c.VPXOR(r, r, r) }
		t.load = func(src, dst Op) { c.VMOVDQU(src, dst) }
	}
	t.store = t.load
	t.add = func(src, dst reg.VecVirtual) { c.VPADDD(src, dst, dst) }
	return t
}

// ahead asks for a line of the panel that one row, which waits for memory, needs
// some blocks later. On a Xeon a line at 8 KiB brought one row of nibbles from 66 to
// 100 % of the bandwidth of reading, at 2 KiB to 87 %; one row of bytes had 68 to
// 73 % there without. On a Zen 4, whose own prefetcher is enough, one row of bytes
// has 90 to 97 % with it and 95 to 101 % without, at any distance or hint.
func ahead(c *build.Context, rows int, line Mem) {
	if rows == 1 {
		c.PREFETCHT0(line.Offset(8192))
	}
}

// gemmVNNI writes the byte tile: one 512-bit load for 16 channels × 4 depth
// steps, one 32-bit broadcast a row, VPDPBUSD (operands: signed, unsigned, sum).
func gemmVNNI(c *build.Context, rows int) {
	var b, bc [4]reg.VecVirtual
	name := fmt.Sprintf("gemmU8S8_%dx64c4_AVX512VNNI", rows)
	writeTile(c, intTile(c, tile{
		name: name, rows: rows, vecs: 4, blockBytes: 256, rowBytes: 4,
		doc: fmt.Sprintf("%s: acc[%d·t+i][j] (+)= Σ x·w, i < %d, j < 64, t < tiles.", name, rows, rows),
		prologue: func() {
			for j := range b {
				b[j], bc[j] = c.ZMM(), c.ZMM()
			}
		},
		step: func(s *tileStep) {
			if rows > 1 {
				for j := range 4 {
					c.VMOVDQU32(Mem{Base: s.panel, Disp: 256*s.u + 64*j}, b[j])
				}
			}
			for j := range 4 {
				ahead(c, rows, Mem{Base: s.panel, Disp: 256*s.u + 64*j})
			}
			for i := range rows {
				v := bc[(i+s.u)%4]
				c.VPBROADCASTD(s.row[i].Offset(4*s.u), v)
				for j := range 4 {
					var w Op = b[j]
					if rows == 1 {
						w = Mem{Base: s.panel, Disp: 256*s.u + 64*j}
					}
					c.VPDPBUSD(w, v, s.acc[i][j])
				}
			}
		},
	}), sets(rows))
}

// sets is the number of accumulator sets of an integer tile.
func sets(rows int) int {
	if rows <= 2 {
		return 2
	}
	return 1
}

// gemmYMM writes the byte tile of 32-byte registers: as gemmVNNI, with the
// channels that 16 registers hold. One row takes the whole panel, since it waits
// for memory and a panel is contiguous. Set is AVXVNNI, whose VPDPBUSD vexDot
// re-encodes, or its twin AVX512VL, which is the same but for that encoding.
func gemmYMM(c *build.Context, set string, rows int) {
	vecs := ymmVecs(rows)
	var b [4]reg.VecVirtual
	var bc [2]reg.VecVirtual
	name := fmt.Sprintf("gemmU8S8_%dx%dc4_%s", rows, 8*vecs, set)
	writeTile(c, intTile(c, tile{
		name: name, rows: rows, vecs: vecs, ymm: true, blockBytes: 256, rowBytes: 4,
		doc: fmt.Sprintf("%s: acc[%d·t+i][j] (+)= Σ x·w, i < %d, j < %d, t < tiles.", name, rows, rows, 8*vecs),
		prologue: func() {
			for j := range min(vecs, len(b)) {
				b[j] = c.YMM()
			}
			bc[0], bc[1] = c.YMM(), c.YMM()
		},
		step: func(s *tileStep) {
			load := func(j int) {
				src := Mem{Base: s.panel, Disp: 256*s.u + 32*j}
				if j%2 == 0 {
					ahead(c, rows, src)
				}
				c.VMOVDQU(src, b[j%len(b)])
			}
			for j := range vecs {
				if rows > 1 {
					load(j)
				}
			}
			for i := range rows {
				v := bc[(i+s.u)%2]
				c.VPBROADCASTD(s.row[i].Offset(4*s.u), v)
				for j := range vecs {
					if rows == 1 {
						load(j)
					}
					c.VPDPBUSD(b[j%len(b)], v, s.acc[i][j])
				}
			}
		},
	}), ymmSets(rows))
}

// ymmVecs is the number of 8-channel vectors a row of a 32-byte tile.
func ymmVecs(rows int) int {
	switch rows {
	case 1:
		return 8
	case 2:
		return 4
	}
	return 2
}

// ymmSets is the number of its accumulator sets: 6 to 12 chains in all.
func ymmSets(rows int) int {
	if rows == 3 {
		return 2
	}
	return 1
}

// gemmAVX2 writes the byte tile of rows × 16 channels, a quarter of a panel, or of one row × 64.
// Even and odd bytes are widened to words (the weights once for all rows), so
// that VPMADDWD adds two exact products; a channel keeps its 32-bit lane.
func gemmAVX2(c *build.Context, even Mem, rows int) {
	var we, wo [2]reg.VecVirtual
	var xe, xo, p reg.VecVirtual
	vecs := avx2Vecs(rows)
	name := fmt.Sprintf("gemmU8S8_%dx%dc4_AVX2", rows, 8*vecs)
	writeTile(c, intTile(c, tile{
		name: name, rows: rows, vecs: vecs, ymm: true, blockBytes: 256, rowBytes: 4,
		doc: fmt.Sprintf("%s: acc[%d·t+i][j] (+)= Σ x·w, i < %d, j < %d, t < tiles.", name, rows, rows, 8*vecs),
		prologue: func() {
			for j := range we {
				we[j], wo[j] = c.YMM(), c.YMM()
			}
			xe, xo, p = c.YMM(), c.YMM(), c.YMM()
		},
		step: func(s *tileStep) {
			widen := func(j int) {
				w, v := wo[j%2], we[j%2]
				c.VMOVDQU(Mem{Base: s.panel, Disp: 256*s.u + 32*j}, w)
				c.VPSLLW(Imm(8), w, v)
				c.VPSRAW(Imm(8), v, v)
				c.VPSRAW(Imm(8), w, w)
			}
			if rows > 1 {
				widen(0)
				widen(1)
			}
			for i := range rows {
				c.VPBROADCASTD(s.row[i].Offset(4*s.u), xo)
				c.VPAND(even, xo, xe)
				c.VPSRLW(Imm(8), xo, xo)
				for j := range vecs {
					if rows == 1 {
						widen(j)
					}
					c.VPMADDWD(we[j%2], xe, p)
					c.VPADDD(p, s.acc[i][j], s.acc[i][j])
					c.VPMADDWD(wo[j%2], xo, p)
					c.VPADDD(p, s.acc[i][j], s.acc[i][j])
				}
			}
		},
	}), 1)
}

// avx2Vecs is the number of 8-channel vectors a row of an AVX2 tile.
func avx2Vecs(rows int) int {
	if rows == 1 {
		return 8
	}
	return 2
}
