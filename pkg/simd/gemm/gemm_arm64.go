//go:build !purego

package gemm

import "github.com/illm-go/illm/pkg/simd/cpu"

var useI8MM, useDotProd bool

func init() {
	cpu.Register("gemm", cpu.NEONI8MM, &useI8MM)
	cpu.Register("gemm", cpu.NEONDotProd, &useDotProd)
}

func matMul(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, panels, blocks int) {
	switch {
	case blocks == 0:
		matMulGeneric(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks)
	case useI8MM:
		matMulTiles(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks, tilesI8MM)
	case useDotProd:
		matMulTiles(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks, tilesDotProd)
	default:
		matMulGeneric(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks)
	}
}

// parts splits ni rows into full tiles of 4 and one of the rest; a rest of 1 behind them takes a row of the last: 5 = 3 + 2.
// A part is {rows, tiles}; the empty ones are {0, 0}.
func parts(ni int) [3][2]int {
	full, rest := ni/4, ni%4
	switch {
	case rest == 1 && full > 0:
		return [3][2]int{{4, full - 1}, {3, 1}, {2, 1}}
	case rest == 0:
		return [3][2]int{{4, full}}
	}
	return [3][2]int{{4, full}, {rest, 1}}
}

// tilesI8MM runs each part on each quarter of the panel, a single row on the whole.
func tilesI8MM(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, ni, nb, accumulate int) {
	if ni == 1 {
		gemmU8S8_1x64c4_NEONI8MM(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
		return
	}
	at := 0
	for _, p := range parts(ni) {
		rows, n := p[0], p[1]
		if n == 0 {
			continue
		}
		a, xr := skip(acc, at*ldacc), skip(x, at*ldx)
		for q := 0; q < Channels; q += 16 {
			tileI8MM(rows, skip(a, q), ldacc, xr, ldx, skip(panel, 4*q), nb, n, accumulate)
		}
		at += rows * n
	}
}

func tileI8MM(rows int, acc *int32, ldacc int, x *uint8, ldx int, panel *byte, nb, n, accumulate int) {
	switch rows {
	case 2:
		gemmU8S8_2x16c4_NEONI8MM(acc, ldacc, x, ldx, panel, nb, n, accumulate)
	case 3:
		gemmU8S8_3x16c4_NEONI8MM(acc, ldacc, x, ldx, panel, nb, n, accumulate)
	case 4:
		gemmU8S8_4x16c4_NEONI8MM(acc, ldacc, x, ldx, panel, nb, n, accumulate)
	}
}

// tilesDotProd is tilesI8MM without a product of unequal signs: x − 128 is signed, and the sums of the panel make up for it.
func tilesDotProd(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, ni, nb, accumulate int) {
	if ni == 1 {
		gemmU8S8_1x64c4_NEONDotProd(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
		return
	}
	var sums [Channels]int32
	gemmSums_64c4_NEONDotProd(&sums[0], panel, nb)
	at := 0
	for _, p := range parts(ni) {
		rows, n := p[0], p[1]
		if n == 0 {
			continue
		}
		a, xr := skip(acc, at*ldacc), skip(x, at*ldx)
		for q := 0; q < Channels; q += 16 {
			tileDotProd(rows, skip(a, q), ldacc, xr, ldx, skip(panel, 4*q), nb, n, accumulate, &sums[q])
		}
		at += rows * n
	}
}

func tileDotProd(rows int, acc *int32, ldacc int, x *uint8, ldx int, panel *byte, nb, n, accumulate int, sums *int32) {
	switch rows {
	case 2:
		gemmU8S8_2x16c4_NEONDotProd(acc, ldacc, x, ldx, panel, nb, n, accumulate, sums)
	case 3:
		gemmU8S8_3x16c4_NEONDotProd(acc, ldacc, x, ldx, panel, nb, n, accumulate, sums)
	case 4:
		gemmU8S8_4x16c4_NEONDotProd(acc, ldacc, x, ldx, panel, nb, n, accumulate, sums)
	}
}

func peakWork(int) int64 { return 0 }

func peakRead(p []byte, blocks int) uint32 { return peakReadGeneric(p, blocks) }
