package vec

// MaxAbs returns max |h[j]|, 0 for an empty row; −2^31 counts as 2^31.
func MaxAbs(h []int32) uint32 {
	return maxAbs(h)
}

// SumSquares returns Σ round(h[j]/2^s)², |round(h/2^s)| ≤ 2^24, at most 16384 elements.
func SumSquares(h []int32, s uint) (sum int64) {
	return sumSquares(h, s)
}

// Norm sets v[j] = round(round(h[j]/2^s)·rho / 2^n)·gamma[j] and returns min(0, min v), max(0, max v).
//
// |round(h/2^s)| ≤ 2^24, 0 ≤ rho ≤ 2^31 (unsigned 32 bits), 1 ≤ n; the quotient is below 2^31; |gamma| ≤ 2^23, |v| < 2^54.
func Norm(v []int64, h, gamma []int32, s uint, rho int64, n uint) (lo, hi int64) {
	return norm(v, h, gamma, s, rho, n)
}

// SumRound returns Σ x[j] of x[j] = round(h[j]·2^l / 2^s), one of l and s being 0: |x| ≤ 2^23, at most 16384 elements.
func SumRound(h []int32, l, s uint) (sum int64) {
	return sumRound(h, l, s)
}

// CentredSquares returns Σ (x[j] − mean)² with x of SumRound; |x − mean| ≤ 2^24, at most 16384 elements.
func CentredSquares(h []int32, l, s uint, mean int64) (sum int64) {
	return centredSquares(h, l, s, mean)
}

// LayerNorm sets v[j] = round((x[j] − mean)·rho / 2^n)·gamma[j] + beta[j] with x of SumRound and returns min(0, min v),
// max(0, max v). beta may be nil: 0.
//
// |x − mean| ≤ 2^24, 0 ≤ rho ≤ 2^31 (unsigned 32 bits), 1 ≤ n; the quotient is below 2^31; |gamma| ≤ 2^23, |beta| < 2^59.
func LayerNorm(v []int64, h, gamma []int32, beta []int64, l, s uint, mean, rho int64, n uint) (lo, hi int64) {
	if beta != nil {
		beta = beta[:len(v)]
	}
	return layerNorm(v, h, gamma, beta, l, s, mean, rho, n)
}

// AddResidual adds d = round(round(t[j]/2^16)·m / 2^n), clamped to ±2^31, to h[j], saturating to ±(2^31−1), and
// returns how many elements either clamp changed.
//
// |t| < 2^60, m < 2^16.
func AddResidual(h []int32, t []int64, m int64, n uint) (saturated int) {
	return addResidual(h, t, m, n)
}
