//go:build !purego

package vec

func accumulateResidual(h, acc, sum, w []int32, zero []uint8, z, c, off int32, m int64, n uint) (saturated int) {
	e := whole(len(h))
	if e > 0 {
		saturated = e - int(accumulateResidualNEON(&h[0], &acc[0], &sum[0], &w[0], &zero[0], e, int(z), int(c), int(off), int(m), min(n, 62)))
	}
	return saturated + accumulateResidualGeneric(h[e:], acc[e:], sum[e:], w[e:], zero[e:], z, c, off, m, n)
}
