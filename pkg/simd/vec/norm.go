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

// AddResidual adds d = round(round(t[j]/2^16)·m / 2^n), clamped to ±2^31, to h[j], saturating to ±(2^31−1), and
// returns how many elements either clamp changed.
//
// |t| < 2^60, m < 2^16.
func AddResidual(h []int32, t []int64, m int64, n uint) (saturated int) {
	return addResidual(h, t, m, n)
}
