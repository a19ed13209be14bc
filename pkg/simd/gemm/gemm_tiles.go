//go:build !purego && (amd64 || arm64)

package gemm

import "unsafe"

// depthBlocks bounds the depth of one pass so that a panel's part (256 KiB)
// stays in the second-level cache while the rows stream past it.
const depthBlocks = 1024

// rowBytes bounds the rows of one pass for the same reason.
const rowBytes = 384 << 10

// tiles computes ni rows of one panel over nb blocks of its depth, adding to
// acc if accumulate is not 0.
type tiles func(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, ni, nb, accumulate int)

func matMulTiles(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, panels, blocks int, f tiles) {
	for b := 0; b < blocks; b += depthBlocks {
		nb := min(depthBlocks, blocks-b)
		rows := max(rowBytes/(4*nb)/12*12, 12)
		for i := 0; i < m; i += rows {
			ni := min(rows, m-i)
			for p := range panels {
				f(&acc[i*ldacc+p*Channels], ldacc, &x[i*ldx+4*b], ldx, &panel[p*ldp+b*blockBytes], ni, nb, min(b, 1))
			}
		}
	}
}

// skip moves a pointer by n elements.
func skip[T any](p *T, n int) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(p), n*int(unsafe.Sizeof(*p))))
}
