//go:build !purego

package gemm4

import "github.com/illm-go/illm/pkg/simd/cpu"

var useDotProd bool

func init() {
	cpu.Register("gemm4", cpu.NEONDotProd, &useDotProd)
}

func matMul(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, panels, blocks int) {
	if blocks > 0 && useDotProd {
		matMulTiles(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks, tilesDotProd)
		return
	}
	matMulGeneric(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks)
}

// tilesDotProd runs tiles of 4 rows, then of the rest, on each quarter of the panel, a single row on the whole; a rest of 1
// behind full tiles takes a row of the last: 5 = 3 + 2.
func tilesDotProd(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, ni, nb, accumulate int) {
	if ni == 1 {
		gemmU8U4_1x64c8_NEONDotProd(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
		return
	}
	parts := [3][2]int{{4, ni / 4}, {ni % 4, 1}}
	if ni%4 == 1 {
		parts = [3][2]int{{4, ni/4 - 1}, {3, 1}, {2, 1}}
	}
	at := 0
	for _, p := range parts {
		rows, n := p[0], p[1]
		if rows*n == 0 {
			continue
		}
		a, xr := skip(acc, at*ldacc), skip(x, at*ldx)
		for q := 0; q < Channels; q += 16 {
			tileDotProd(rows, skip(a, q), ldacc, xr, ldx, skip(panel, 4*q), nb, n, accumulate)
		}
		at += rows * n
	}
}

func tileDotProd(rows int, acc *int32, ldacc int, x *uint8, ldx int, panel *byte, nb, n, accumulate int) {
	switch rows {
	case 2:
		gemmU8U4_2x16c8_NEONDotProd(acc, ldacc, x, ldx, panel, nb, n, accumulate)
	case 3:
		gemmU8U4_3x16c8_NEONDotProd(acc, ldacc, x, ldx, panel, nb, n, accumulate)
	case 4:
		gemmU8U4_4x16c8_NEONDotProd(acc, ldacc, x, ldx, panel, nb, n, accumulate)
	}
}
