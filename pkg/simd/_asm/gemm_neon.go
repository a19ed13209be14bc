package main

import "fmt"

var neonTileParams = []string{"acc *int32", "ldacc int", "x *uint8", "ldx int", "panel *byte", "blocks int", "tiles int", "accumulate int"}

// gemmNEON writes the u8×s8→s32 tiles of package gemm for arm64: SUDOT where the
// processor has it, else SDOT of x − 128, whose difference 128·Σw is taken off a
// row of sums that is computed once a panel, or for one row UDOT of w + 128,
// whose difference 128·Σx is one number.
func gemmNEON(a *arm) {
	for rows := 1; rows <= 4; rows++ {
		a.neonTile(neonTile{set: "NEONI8MM", types: "U8S8", depth: 4, rows: rows, op: sudot})
	}
	a.neonTile(neonTile{set: "NEONDotProd", types: "U8S8", depth: 4, rows: 1, op: udot, offsetW: true})
	for rows := 2; rows <= 4; rows++ {
		a.neonTile(neonTile{set: "NEONDotProd", types: "U8S8", depth: 4, rows: rows, op: sdot, offsetX: true})
	}
	a.neonSums()
}

// gemm4NEON writes the u8×u4→s32 tiles of package gemm4: UDOT on both halves of
// each byte.
func gemm4NEON(a *arm) {
	for rows := 1; rows <= 4; rows++ {
		a.neonTile(neonTile{set: "NEONDotProd", types: "U8U4", depth: 8, rows: rows, op: udot})
	}
}

type neonTile struct {
	set, types string
	depth      int // steps a block: 4 of bytes, 8 of nibbles
	rows       int
	op         dot
	offsetX    bool // x − 128, and sums of −128·w taken off at the start
	offsetW    bool // w + 128, and 128·Σx taken off at the end
}

// neonTile writes a tile of rows × 16 channels, a quarter of a panel, or of one
// row × 64. Registers: V0 … V15 the sums, V16 … V19 the rows, V20 the sum of x,
// V21 … V28 weights, V29 … V31 constants; R0 acc, R1 its stride, R2 x, R3 its
// stride, R4 panel, R5 blocks, R6 tiles, R7 sums, R8 … R11 rows, R12 … R15 results.
func (a *arm) neonTile(t neonTile) {
	vecs, doc, params := 4, "x·w", neonTileParams
	if t.rows == 1 {
		vecs = 16
	}
	if t.depth == 8 {
		doc = "x·code"
	}
	if t.offsetX {
		doc += " − sums"
		params = append(append([]string{}, params...), "sums *int32")
	}
	const x, sumX, w, ones, mask, flip = 16, 20, 21, 29, 30, 31
	name := fmt.Sprintf("gemm%s_%dx%dc%d_%s", t.types, t.rows, 4*vecs, t.depth, t.set)
	a.function(name, fmt.Sprintf("acc[%d·t+i][j] (+)= Σ %s, i < %d, j < %d, t < tiles.", t.rows, doc, t.rows, 4*vecs), params, nil)
	a.param("acc", 0)
	a.param("ldacc", 1)
	a.op("LSL $2, R1")
	a.param("x", 2)
	a.param("ldx", 3)
	a.param("tiles", 6)
	if t.offsetX || t.offsetW {
		a.movi(flip, 128)
	}
	if t.offsetW {
		a.movi(ones, 1)
	}
	if t.depth == 8 {
		a.movi(mask, 15)
	}
	each := func(f func(i, j int)) {
		for i := range t.rows {
			for j := range vecs {
				f(i, j)
			}
		}
	}
	a.label("tile")
	a.param("panel", 4)
	a.param("blocks", 5)
	for i := range t.rows {
		if i == 0 {
			a.op("MOVD R2, R8")
			a.op("MOVD R0, R12")
			continue
		}
		a.op("ADD R3, R%d, R%d", 7+i, 8+i)
		a.op("ADD R1, R%d, R%d", 11+i, 12+i)
	}
	a.param("accumulate", 7)
	a.op("CBZ R7, zero")
	each(func(i, j int) { a.ldr(vecs*i+j, 12+i, 16*j) })
	a.op("B start")
	a.label("zero")
	each(func(i, j int) { a.movi(vecs*i+j, 0) })
	a.label("start")
	if t.offsetX {
		a.param("sums", 7)
		for j := range vecs {
			a.ldr(w+j, 7, 16*j)
		}
		each(func(i, j int) { a.sub4s(vecs*i+j, vecs*i+j, w+j) })
	}
	if t.offsetW {
		a.movi(sumX, 0)
	}
	rows := func(size int) {
		for i := range t.rows {
			a.ldrPost(x+i, 8+i, size)
			if t.offsetX {
				a.eor(x+i, x+i, flip)
			}
			if t.offsetW {
				a.udots(sumX, x+i, ones)
			}
		}
	}
	// block multiplies the block at the offset with lane and, for nibbles, the next.
	block := func(offset, lane int) {
		for half := range t.depth / 4 {
			for first := 0; first < vecs; first += 4 {
				for j := first; j < first+4; j++ {
					v := w + j%8
					a.ldr(v, 4, offset+16*j)
					switch {
					case t.depth == 8 && half == 0:
						a.and(v, v, mask)
					case t.depth == 8:
						a.ushr4(v, v)
					case t.offsetW:
						a.eor(v, v, flip)
					}
				}
				for i := range t.rows {
					for j := first; j < first+4; j++ {
						a.dot(t.op, vecs*i+j, w+j%8, x+i, lane+half)
					}
				}
			}
		}
	}
	group := 16 / t.depth // blocks in 16 bytes of a row
	a.op("SUBS $%d, R5", group)
	a.op("BLT rest")
	a.label("loop")
	rows(16)
	for u := range group {
		block(256*u, u*t.depth/4)
	}
	a.op("ADD $%d, R4", 256*group)
	a.op("SUBS $%d, R5", group)
	a.op("BGE loop")
	a.label("rest")
	a.op("ADDS $%d, R5", group)
	a.op("BEQ store")
	a.label("single")
	rows(t.depth)
	block(0, 0)
	a.op("ADD $256, R4")
	a.op("SUBS $1, R5")
	a.op("BNE single")
	a.label("store")
	if t.offsetW {
		a.word(three(0x4eb1b800, sumX, sumX, 0), "addv s%d, v%d.4s", sumX, sumX)
		a.word(three(0x4e040400, sumX, sumX, 0), "dup v%d.4s, v%d.s[0]", sumX, sumX)
		a.word(three(0x4f275400, sumX, sumX, 0), "shl v%d.4s, v%d.4s, #7", sumX, sumX)
		each(func(i, j int) { a.sub4s(j, j, sumX) })
	}
	each(func(i, j int) { a.str(vecs*i+j, 12+i, 16*j) })
	for range t.rows {
		a.op("ADD R3, R2")
		a.op("ADD R1, R0")
	}
	a.op("SUBS $1, R6")
	a.op("BNE tile")
	a.op("RET")
}

// neonSums writes sums[j] = Σ_k −128·w[j][k] of a panel's 64 channels.
func (a *arm) neonSums() {
	a.function("gemmSums_64c4_NEONDotProd", "sums[j] = Σ −128·w, j < 64.", []string{"sums *int32", "panel *byte", "blocks int"}, nil)
	a.param("sums", 0)
	a.param("panel", 4)
	a.param("blocks", 5)
	a.movi(31, 128)
	for j := range 16 {
		a.movi(j, 0)
	}
	a.label("loop")
	for j := range 16 {
		a.ldr(16+j%8, 4, 16*j)
		a.sdots(j, 16+j%8, 31)
	}
	a.op("ADD $256, R4")
	a.op("SUBS $1, R5")
	a.op("BNE loop")
	for j := range 16 {
		a.str(j, 0, 16*j)
	}
	a.op("RET")
}
