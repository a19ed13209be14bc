//go:build !purego

package gemm4

import (
	"unsafe"

	"github.com/illm-go/illm/pkg/simd/cpu"
)

var useVNNI bool

func init() {
	cpu.Register("gemm4", cpu.AVX512VNNI, &useVNNI)
}

func matMul(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, panels, blocks int) {
	switch {
	case blocks == 0:
		matMulGeneric(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks)
	case useVNNI:
		matMulVNNI(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks)
	default:
		matMulGeneric(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks)
	}
}

// depthBlocks bounds the depth of one pass so that a panel's part (256 KiB)
// stays in the second-level cache while the rows stream past it.
const depthBlocks = 1024

// rowBytes bounds the rows of one pass for the same reason.
const rowBytes = 384 << 10

func matMulVNNI(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, panels, blocks int) {
	for b := 0; b < blocks; b += depthBlocks {
		nb := min(depthBlocks, blocks-b)
		rows := max(rowBytes/(8*nb)/6*6, 6)
		for i := 0; i < m; i += rows {
			ni := min(rows, m-i)
			for p := range panels {
				tilesVNNI(&acc[i*ldacc+p*Channels], ldacc, &x[i*ldx+8*b], ldx, &panel[p*ldp+b*blockBytes], ni, nb, min(b, 1))
			}
		}
	}
}

// tilesVNNI covers ni rows of one panel: tiles of 6 rows, then one of the rest.
func tilesVNNI(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, ni, nb, accumulate int) {
	if full := ni / 6; full > 0 {
		gemmU8U4_6x64c8_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, full, accumulate)
		if ni -= 6 * full; ni == 0 {
			return
		}
		acc = (*int32)(unsafe.Add(unsafe.Pointer(acc), 4*6*full*ldacc))
		x = (*uint8)(unsafe.Add(unsafe.Pointer(x), 6*full*ldx))
	}
	switch ni {
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
