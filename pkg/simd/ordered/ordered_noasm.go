//go:build purego || !amd64

package ordered

func matMul(c []float32, ldc int, a []float32, lda int, w []float32, ldw int, m, n, k int) {
	matMulGeneric(c, ldc, a, lda, w, ldw, m, n, k)
}

func rank(c []float64, ldc int, a []float64, lda int, b []float64, ldb int, m, n, steps int) {
	rankGeneric(c, ldc, a, lda, b, ldb, m, n, steps)
}
