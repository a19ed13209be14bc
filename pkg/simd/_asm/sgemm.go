package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sgemmFile writes the float32 tiles of package sgemm.
func sgemmFile(c *build.Context) {
	for rows := 1; rows <= 6; rows++ {
		sgemmAVX512(c, rows)
	}
	for rows := 1; rows <= 6; rows++ {
		sgemmAVX2(c, rows)
	}
	peak(c, "peakAVX512", 24, c.ZMM, func(a, b, sum reg.VecVirtual) { c.VFMADD231PS(a, b, sum) })
	peak(c, "peakAVX2", 12, c.YMM, func(a, b, sum reg.VecVirtual) { c.VFMADD231PS(a, b, sum) })
}

const floatTileSignature = "func(out *float32, ldout int, a *float32, lda int, panel *float32, blocks int, tiles int, accumulate int)"

// sgemmAVX512 writes the float tile: per depth step one row of 64 channels of
// the panel and one broadcast a row. One set of accumulators, so that each sum
// is one chain over the depth whatever the number of rows.
func sgemmAVX512(c *build.Context, rows int) {
	var b, bc [4]reg.VecVirtual
	name := fmt.Sprintf("sgemm_%dx64_AVX512", rows)
	writeTile(c, tile{
		name: name, rows: rows, vecs: 4, blockBytes: 256, rowBytes: 4,
		doc:       fmt.Sprintf("%s: out[%d·t+i][j] (+)= Σ a·w, i < %d, j < 64, t < tiles; lda in bytes.", name, rows, rows),
		signature: floatTileSignature,
		zero:      func(r reg.VecVirtual) { c.VPXORD(r, r, r) },
		load:      func(src, dst Op) { c.VMOVUPS(src, dst) },
		store:     func(src, dst Op) { c.VMOVUPS(src, dst) },
		prologue: func() {
			for j := range b {
				b[j], bc[j] = c.ZMM(), c.ZMM()
			}
		},
		step: func(s *tileStep) {
			if rows > 1 {
				for j := range 4 {
					c.VMOVUPS(Mem{Base: s.panel, Disp: 256*s.u + 64*j}, b[j])
				}
			}
			for i := range rows {
				v := bc[(i+s.u)%4]
				c.VBROADCASTSS(s.row[i].Offset(4*s.u), v)
				for j := range 4 {
					var w Op = b[j]
					if rows == 1 {
						w = Mem{Base: s.panel, Disp: 256*s.u + 64*j}
					}
					c.VFMADD231PS(w, v, s.acc[i][j])
				}
			}
		},
	}, 1)
}

// sgemmAVX2 writes the float tile of rows × 16 channels, a quarter of a panel,
// with the same chain over the depth.
func sgemmAVX2(c *build.Context, rows int) {
	var b, bc [2]reg.VecVirtual
	name := fmt.Sprintf("sgemm_%dx16_AVX2", rows)
	writeTile(c, tile{
		name: name, rows: rows, vecs: 2, ymm: true, blockBytes: 256, rowBytes: 4,
		doc:       fmt.Sprintf("%s: out[%d·t+i][j] (+)= Σ a·w, i < %d, j < 16, t < tiles; lda in bytes.", name, rows, rows),
		signature: floatTileSignature,
		zero:      func(r reg.VecVirtual) { c.VXORPS(r, r, r) },
		load:      func(src, dst Op) { c.VMOVUPS(src, dst) },
		store:     func(src, dst Op) { c.VMOVUPS(src, dst) },
		prologue: func() {
			for j := range b {
				b[j], bc[j] = c.YMM(), c.YMM()
			}
		},
		step: func(s *tileStep) {
			for j := range 2 {
				c.VMOVUPS(Mem{Base: s.panel, Disp: 256*s.u + 32*j}, b[j])
			}
			for i := range rows {
				v := bc[i%2]
				c.VBROADCASTSS(s.row[i].Offset(4*s.u), v)
				for j := range 2 {
					c.VFMADD231PS(b[j], v, s.acc[i][j])
				}
			}
		},
	}, 1)
}
