//go:build !purego

package sgemm

import (
	"unsafe"

	"github.com/illm-go/illm/pkg/simd/cpu"
)

var useAVX512, useAVX2 bool

func init() {
	cpu.Register("sgemm", cpu.AVX512, &useAVX512)
	cpu.Register("sgemm", cpu.AVX2, &useAVX2)
}

func matMul(c []float32, ldc int, a []float32, lda int, w *Panel, m int) {
	switch {
	case useAVX512:
		matMulTiles(c, ldc, a, lda, w, m, true)
	case useAVX2:
		matMulTiles(c, ldc, a, lda, w, m, false)
	default:
		matMulGeneric(c, ldc, a, lda, w, m)
	}
}

// depthSteps bounds the depth of one pass: 96 KiB of a panel, which stay in the
// second-level cache while the rows stream past.
const depthSteps = 384

// rowBytes bounds the rows of one pass for the same reason.
const rowBytes = 128 << 10

// tiles computes ni rows of one panel over nb depth steps, adding to c if
// accumulate is not 0. (A function value would let the arguments escape.)
func tiles(avx512 bool, c *float32, ldc int, a *float32, lda int, panel *float32, ni, nb, accumulate int) {
	if avx512 {
		tilesAVX512(c, ldc, a, lda, panel, ni, nb, accumulate)
	} else {
		tilesAVX2(c, ldc, a, lda, panel, ni, nb, accumulate)
	}
}

func matMulTiles(c []float32, ldc int, a []float32, lda int, w *Panel, m int, avx512 bool) {
	whole := w.N &^ (Channels - 1)
	for k := 0; k < w.K; k += depthSteps {
		nk := min(depthSteps, w.K-k)
		rows := rowBytes / (4 * nk) / 6 * 6
		for i := 0; i < m; i += rows {
			ni := min(rows, m-i)
			for p := 0; p < whole; p += Channels {
				tiles(avx512, &c[i*ldc+p], ldc, &a[i*lda+k], lda, &w.data[p*w.K+k*Channels], ni, nk, min(k, 1))
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
		tiles(avx512, &tail[0], Channels, &a[i*lda], lda, &w.data[whole*w.K], ni, w.K, 0)
		for r := range ni {
			copy(c[(i+r)*ldc+whole:(i+r)*ldc+w.N], tail[r*Channels:])
		}
	}
}

// skip moves a pointer by n elements.
func skip(p *float32, n int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*n))
}

// tilesAVX512 runs tiles of 6 rows, then one of the rest. A rest of 1 or 2 rows
// would wait for the panel, not for the multiplier, so it shares the rows of the
// last full tile: 7 = 4 + 3, 8 = 4 + 4.
func tilesAVX512(c *float32, ldc int, a *float32, lda int, panel *float32, ni, nb, accumulate int) {
	full, rest := ni/6, ni%6
	share := full > 0 && (rest == 1 || rest == 2)
	if share {
		full, rest = full-1, rest+2
	}
	if full > 0 {
		sgemm_6x64_AVX512(c, ldc, a, 4*lda, panel, nb, full, accumulate)
		if rest == 0 {
			return // a pointer past the last row would point outside its slice
		}
		c, a = skip(c, 6*full*ldc), skip(a, 6*full*lda)
	}
	if share {
		sgemm_4x64_AVX512(c, ldc, a, 4*lda, panel, nb, 1, accumulate)
		c, a = skip(c, 4*ldc), skip(a, 4*lda)
	}
	switch rest {
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

// tilesAVX2 runs tiles of 6 rows, then one of the rest, on each quarter of the
// panel: 16 channels are what 16 registers hold.
func tilesAVX2(c *float32, ldc int, a *float32, lda int, panel *float32, ni, nb, accumulate int) {
	full, rest := ni/6, ni%6
	for q := 0; q < Channels; q += 16 {
		cq, aq, w := skip(c, q), a, skip(panel, q)
		if full > 0 {
			sgemm_6x16_AVX2(cq, ldc, aq, 4*lda, w, nb, full, accumulate)
			if rest == 0 {
				continue
			}
			cq, aq = skip(cq, 6*full*ldc), skip(aq, 6*full*lda)
		}
		switch rest {
		case 1:
			sgemm_1x16_AVX2(cq, ldc, aq, 4*lda, w, nb, 1, accumulate)
		case 2:
			sgemm_2x16_AVX2(cq, ldc, aq, 4*lda, w, nb, 1, accumulate)
		case 3:
			sgemm_3x16_AVX2(cq, ldc, aq, 4*lda, w, nb, 1, accumulate)
		case 4:
			sgemm_4x16_AVX2(cq, ldc, aq, 4*lda, w, nb, 1, accumulate)
		case 5:
			sgemm_5x16_AVX2(cq, ldc, aq, 4*lda, w, nb, 1, accumulate)
		}
	}
}

func peakWork(rounds int) int64 {
	switch { // instructions a round, lanes each
	case useAVX512:
		peakAVX512(rounds)
		return 24 * 16 * 2 * int64(rounds)
	case useAVX2:
		peakAVX2(rounds)
		return 12 * 8 * 2 * int64(rounds)
	}
	return 0
}
