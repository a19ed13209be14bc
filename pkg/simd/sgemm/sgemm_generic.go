package sgemm

// matMulGeneric is the definition up to the rounding of each step.
func matMulGeneric(c []float32, ldc int, a []float32, lda int, w *Panel, m int) {
	var acc [Channels]float32
	for p := 0; p < w.N; p += Channels {
		panel := w.data[p*w.K:][:w.K*Channels]
		for i := range m {
			acc = [Channels]float32{}
			for k, x := range a[i*lda:][:w.K] {
				for j, v := range panel[k*Channels:][:Channels] {
					acc[j] += x * v
				}
			}
			copy(c[i*ldc+p:][:min(Channels, w.N-p)], acc[:])
		}
	}
}
