//go:build !purego

package vec

func accumulateResidual(h, acc, sum, w []int32, zero []uint8, z, c, off int32, m int64, n uint) (saturated int) {
	switch k := len(h); {
	case useAVX512 && k > 0:
		return int(accumulateResidualAVX512(&h[0], &acc[0], &sum[0], &w[0], &zero[0], k, z, c, off, m, min(n, 62)))
	case useAVX2 && k >= step:
		e := k &^ (step - 1)
		saturated = e - int(accumulateResidualAVX2(&h[0], &acc[0], &sum[0], &w[0], &zero[0], e, z, c, off, m, min(n, 62)))
		return saturated + accumulateResidualGeneric(h[e:], acc[e:], sum[e:], w[e:], zero[e:], z, c, off, m, n)
	}
	return accumulateResidualGeneric(h, acc, sum, w, zero, z, c, off, m, n)
}
