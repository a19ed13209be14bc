//go:build !purego

package ordered

import "github.com/illm-go/illm/pkg/simd/cpu"

var useAVX512, useAVX2 bool

func init() {
	cpu.Register("ordered", cpu.AVX512, &useAVX512)
	cpu.Register("ordered", cpu.AVX2, &useAVX2)
}

// blockBytes bounds the outputs of one pass over the rows: they stay in the second-level cache.
const blockBytes = 256 << 10

func matMul(c []float32, ldc int, a []float32, lda int, w []float32, ldw int, m, n, k int) {
	if !useAVX512 && !useAVX2 {
		matMulGeneric(c, ldc, a, lda, w, ldw, m, n, k)
		return
	}
	step := max(blockBytes/(4*k)&^3, 4)
	for j := 0; j < n; j += step {
		nj := min(step, n-j)
		if useAVX512 {
			dotsAVX512(c[j:], ldc, a, lda, w[j*ldw:], ldw, m, nj, k)
		} else {
			dotsAVX2(c[j:], ldc, a, lda, w[j*ldw:], ldw, m, nj, k)
		}
	}
}

func dotsAVX512(c []float32, ldc int, a []float32, lda int, w []float32, ldw int, m, n, k int) {
	blocks, tail := k/Lanes, 1<<(k%Lanes)-1
	whole := n &^ 3
	i := 0
	for ; i+4 <= m; i += 4 {
		if whole > 0 {
			dot_4x4_AVX512(&c[i*ldc], ldc, &a[i*lda], 4*lda, &w[0], 4*ldw, blocks, tail, whole/4)
		}
		if whole < n {
			dot_4x1_AVX512(&c[i*ldc+whole], ldc, &a[i*lda], 4*lda, &w[whole*ldw], 4*ldw, blocks, tail, n-whole)
		}
	}
	for ; i < m; i++ {
		if whole > 0 {
			dot_1x4_AVX512(&c[i*ldc], ldc, &a[i*lda], 4*lda, &w[0], 4*ldw, blocks, tail, whole/4)
		}
		if whole < n {
			dot_1x1_AVX512(&c[i*ldc+whole], ldc, &a[i*lda], 4*lda, &w[whole*ldw], 4*ldw, blocks, tail, n-whole)
		}
	}
}

// masks holds, from 15−r on, 16 words of which the first r are set.
var masks = func() (t [2*Lanes - 1]uint32) {
	for i := range Lanes - 1 {
		t[i] = 1<<32 - 1
	}
	return t
}()

func dotsAVX2(c []float32, ldc int, a []float32, lda int, w []float32, ldw int, m, n, k int) {
	blocks := k / Lanes
	var tail *uint32
	if r := k % Lanes; r > 0 {
		tail = &masks[Lanes-1-r]
	}
	whole := n &^ 1
	i := 0
	for ; i+2 <= m; i += 2 {
		if whole > 0 {
			dot_2x2_AVX2(&c[i*ldc], ldc, &a[i*lda], 4*lda, &w[0], 4*ldw, blocks, tail, whole/2)
		}
		if whole < n {
			dot_2x1_AVX2(&c[i*ldc+whole], ldc, &a[i*lda], 4*lda, &w[whole*ldw], 4*ldw, blocks, tail, 1)
		}
	}
	if i < m {
		if whole > 0 {
			dot_1x2_AVX2(&c[i*ldc], ldc, &a[i*lda], 4*lda, &w[0], 4*ldw, blocks, tail, whole/2)
		}
		if whole < n {
			dot_1x1_AVX2(&c[i*ldc+whole], ldc, &a[i*lda], 4*lda, &w[whole*ldw], 4*ldw, blocks, tail, 1)
		}
	}
}

func rank(c []float64, ldc int, a []float64, lda int, b []float64, ldb int, m, n, steps int) {
	if !useAVX512 && !useAVX2 {
		rankGeneric(c, ldc, a, lda, b, ldb, m, n, steps)
		return
	}
	cols := RankCols
	if !useAVX512 {
		cols = 8
	}
	wide, high := n/cols*cols, m&^3
	for j := 0; j < wide; j += cols {
		for i := 0; i < high; i += 4 {
			if useAVX512 {
				rank_4x32_AVX512(&c[i*ldc+j], 8*ldc, &a[i], 8*lda, &b[j], 8*ldb, steps)
			} else {
				rank_4x8_AVX2(&c[i*ldc+j], 8*ldc, &a[i], 8*lda, &b[j], 8*ldb, steps)
			}
		}
	}
	if wide < n && high > 0 {
		rankGeneric(c[wide:], ldc, a, lda, b[wide:], ldb, high, n-wide, steps)
	}
	if high < m {
		rankGeneric(c[high*ldc:], ldc, a[high:], lda, b, ldb, m-high, n, steps)
	}
}

func expRow(dst, x []float32, shift float32) {
	if useAVX512 {
		exp_AVX512(&dst[0], &x[0], len(x), shift, &exp32[0])
	} else {
		expRowGeneric(dst, x, shift)
	}
}

func distances(x []float32, hi, r, inv, step float32) {
	if useAVX512 {
		distances_AVX512(&x[0], len(x), hi, r, inv, step)
	} else {
		distancesGeneric(x, hi, r, inv, step)
	}
}

func grid(x []float32, levels, span, zero, step float64) {
	if useAVX512 {
		grid_AVX512(&x[0], len(x), levels, span, zero, step)
	} else {
		gridGeneric(x, levels, span, zero, step)
	}
}

func extremes(x []float32) (lo, hi float32) {
	if useAVX512 {
		return extremes_AVX512(&x[0], len(x))
	}
	return extremesGeneric(x)
}
