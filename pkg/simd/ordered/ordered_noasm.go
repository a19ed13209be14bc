//go:build purego || !amd64

package ordered

func matMul(c []float32, ldc int, a []float32, lda int, w []float32, ldw int, m, n, k int) {
	matMulGeneric(c, ldc, a, lda, w, ldw, m, n, k)
}

func rank(c []float64, ldc int, a []float64, lda int, b []float64, ldb int, m, n, steps int) {
	rankGeneric(c, ldc, a, lda, b, ldb, m, n, steps)
}

func expRow(dst, x []float32, shift float32) { expRowGeneric(dst, x, shift) }

func distances(x []float32, hi, r, inv, step float32) { distancesGeneric(x, hi, r, inv, step) }

func grid(x []float32, levels, span, zero, step float64) { gridGeneric(x, levels, span, zero, step) }

func extremes(x []float32) (lo, hi float32) { return extremesGeneric(x) }
