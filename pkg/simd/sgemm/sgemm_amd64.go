//go:build !purego

package sgemm

import (
	"unsafe"

	"github.com/illm-go/illm/pkg/simd/cpu"
)

var useAVX512 bool

func init() {
	cpu.Register("sgemm", cpu.AVX512, &useAVX512)
}

func matMul(c []float32, ldc int, a []float32, lda int, w *Panel, m int) {
	switch {
	case useAVX512:
		matMulTiles(c, ldc, a, lda, w, m, tilesAVX512)
	default:
		matMulGeneric(c, ldc, a, lda, w, m)
	}
}

// depthSteps bounds the depth of one pass: 64 KiB of a panel, which stay in the
// second-level cache while the rows stream past.
const depthSteps = 256

// rowBytes bounds the rows of one pass for the same reason.
const rowBytes = 384 << 10

// tiles computes ni ≤ rows rows of one panel over nb depth steps.
type tiles func(c *float32, ldc int, a *float32, lda int, panel *float32, ni, nb, accumulate int)

func matMulTiles(c []float32, ldc int, a []float32, lda int, w *Panel, m int, f tiles) {
	whole := w.N &^ (Channels - 1)
	for k := 0; k < w.K; k += depthSteps {
		nk := min(depthSteps, w.K-k)
		rows := rowBytes / (4 * nk) / 6 * 6
		for i := 0; i < m; i += rows {
			ni := min(rows, m-i)
			for p := 0; p < whole; p += Channels {
				f(&c[i*ldc+p], ldc, &a[i*lda+k], lda, &w.data[p*w.K+k*Channels], ni, nk, min(k, 1))
			}
		}
	}
	if whole == w.N {
		return
	}
	// The last channels go through a tile of their own, since the kernels write
	// 64 channels and c has fewer.
	var tail [6 * Channels]float32
	for i := 0; i < m; i += 6 {
		ni := min(6, m-i)
		f(&tail[0], Channels, &a[i*lda], lda, &w.data[whole*w.K], ni, w.K, 0)
		for r := range ni {
			copy(c[(i+r)*ldc+whole:(i+r)*ldc+w.N], tail[r*Channels:])
		}
	}
}

// tilesAVX512 covers ni rows of one panel: tiles of 6 rows, then one of the rest.
func tilesAVX512(c *float32, ldc int, a *float32, lda int, panel *float32, ni, nb, accumulate int) {
	if full := ni / 6; full > 0 {
		sgemm_6x64_AVX512(c, ldc, a, 4*lda, panel, nb, full, accumulate)
		if ni -= 6 * full; ni == 0 {
			return
		}
		c = (*float32)(unsafe.Add(unsafe.Pointer(c), 4*6*full*ldc))
		a = (*float32)(unsafe.Add(unsafe.Pointer(a), 4*6*full*lda))
	}
	switch ni {
	case 1:
		sgemm_1x64_AVX512(c, ldc, a, 4*lda, panel, nb, 1, accumulate)
	case 2:
		sgemm_2x64_AVX512(c, ldc, a, 4*lda, panel, nb, 1, accumulate)
	case 3:
		sgemm_3x64_AVX512(c, ldc, a, 4*lda, panel, nb, 1, accumulate)
	case 4:
		sgemm_4x64_AVX512(c, ldc, a, 4*lda, panel, nb, 1, accumulate)
	case 5:
		sgemm_5x64_AVX512(c, ldc, a, 4*lda, panel, nb, 1, accumulate)
	}
}
