package vec

// AccumulateResidual is Accumulate followed by AddResidual without the row between them: with
// t = (acc[j] − z·sum[j] − (zero[j]−off)·c)·w[j], it adds d = round(round(t/2^16)·m / 2^n), clamped to ±2^31, to h[j],
// saturating to ±(2^31−1), and returns how many elements either clamp changed.
//
// The bracket is computed in wrapping int32; its true value fits. 0 ≤ w < 2^24, m < 2^16.
func AccumulateResidual(h, acc, sum, w []int32, zero []uint8, z, c, off int32, m int64, n uint) (saturated int) {
	k := len(h)
	return accumulateResidual(h, acc[:k], sum[:k], w[:k], zero[:k], z, c, off, m, n)
}

// accumulateResidualGeneric goes through a row of its own, a piece at a time.
func accumulateResidualGeneric(h, acc, sum, w []int32, zero []uint8, z, c, off int32, m int64, n uint) (saturated int) {
	var t [64]int64
	for i := 0; i < len(h); i += len(t) {
		j := min(i+len(t), len(h))
		accumulateGeneric(t[:j-i], acc[i:j], sum[i:j], w[i:j], zero[i:j], z, c, off)
		saturated += addResidualGeneric(h[i:j], t[:j-i], m, n)
	}
	return saturated
}
