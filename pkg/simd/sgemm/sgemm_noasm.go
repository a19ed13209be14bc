//go:build purego || !amd64

package sgemm

func matMul(c []float32, ldc int, a []float32, lda int, w *Panel, m int) {
	matMulGeneric(c, ldc, a, lda, w, m)
}

func peakWork(int) int64 { return 0 }
