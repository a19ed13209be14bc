//go:build !purego

package gemm4

import "github.com/illm-go/illm/pkg/simd/cpu"

var useVNNI, useAVXVNNI, useAVX2 bool

func init() {
	cpu.Register("gemm4", cpu.AVX512VNNI, &useVNNI)
	cpu.Register("gemm4", cpu.AVXVNNI, &useAVXVNNI)
	cpu.Register("gemm4", cpu.AVX2, &useAVX2)
}

func matMul(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, panels, blocks int) {
	switch {
	case blocks == 0:
		matMulGeneric(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks)
	case useVNNI:
		if m >= unpackRows {
			matMulTiles(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks, tilesUnpacked)
			return
		}
		matMulTiles(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks, tilesVNNI)
	case useAVXVNNI:
		matMulTiles(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks, tilesAVXVNNI)
	case useAVX2:
		matMulTiles(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks, tilesAVX2)
	default:
		matMulGeneric(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks)
	}
}

// tilesVNNI runs tiles of 6 rows, then one of the rest. A rest of 1 or 2 rows
// would wait for the panel, not for the multiplier, so it shares the rows of the
// last full tile: 7 = 4 + 3, 8 = 4 + 4.
func tilesVNNI(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, ni, nb, accumulate int) {
	full, rest := ni/6, ni%6
	share := full > 0 && (rest == 1 || rest == 2)
	if share {
		full, rest = full-1, rest+2
	}
	if full > 0 {
		gemmU8U4_6x64c8_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, full, accumulate)
		if rest == 0 {
			return // a pointer past the last row would point outside its slice
		}
		acc, x = skip(acc, 6*full*ldacc), skip(x, 6*full*ldx)
	}
	if share {
		gemmU8U4_4x64c8_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
		acc, x = skip(acc, 4*ldacc), skip(x, 4*ldx)
	}
	switch rest {
	case 1:
		gemmU8U4_1x64c8_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
	case 2:
		gemmU8U4_2x64c8_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
	case 3:
		gemmU8U4_3x64c8_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
	case 4:
		gemmU8U4_4x64c8_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
	case 5:
		gemmU8U4_5x64c8_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
	}
}
