package floatref

import "math"

// norm is one of the model's norms: an RMSNorm, or with a beta a LayerNorm.
type norm struct {
	gamma, beta []float32
}

// apply normalises rows of len(gamma) values, contiguous in x and in y. y may be x.
func (n norm) apply(y, x []float32, eps float64, rows int) {
	if n.beta != nil {
		layerNorm(y, x, n.gamma, n.beta, eps, rows)
	} else {
		rmsNorm(y, x, n.gamma, eps, rows, len(n.gamma))
	}
}

// rmsNorm sets row r of y to x_r/√(mean(x_r²) + ε)·γ; rows are contiguous. The mean is taken in float64.
// Aliasing: y may be x.
func rmsNorm(y, x, gamma []float32, eps float64, rows, n int) {
	for r := range rows {
		a, b := x[r*n:][:n], y[r*n:][:n]
		var s0, s1 float64
		i := 0
		for ; i+2 <= n; i += 2 {
			s0 += float64(a[i]) * float64(a[i])
			s1 += float64(a[i+1]) * float64(a[i+1])
		}
		for ; i < n; i++ {
			s0 += float64(a[i]) * float64(a[i])
		}
		f := float32(1 / math.Sqrt((s0+s1)/float64(n)+eps))
		for i, v := range a {
			b[i] = v * f * gamma[i]
		}
	}
}

// layerNorm sets row r of y to (x_r − μ)/√(mean((x_r − μ)²) + ε)·γ + β with μ = mean(x_r); rows are contiguous.
// Mean, variance and the difference are float64: with μ far above the deviation float32 would lose its digits.
// Aliasing: y may be x.
//
// Source: Ba, Kiros, Hinton 2016, with the biased variance.
func layerNorm(y, x, gamma, beta []float32, eps float64, rows int) {
	n := len(gamma)
	for r := range rows {
		a, b := x[r*n:][:n], y[r*n:][:n]
		sum := 0.0
		for _, v := range a {
			sum += float64(v)
		}
		mean, sq := sum/float64(n), 0.0
		for _, v := range a {
			d := float64(v) - mean
			sq += d * d
		}
		f := 1 / math.Sqrt(sq/float64(n)+eps)
		for i, v := range a {
			b[i] = float32((float64(v)-mean)*f)*gamma[i] + beta[i]
		}
	}
}
