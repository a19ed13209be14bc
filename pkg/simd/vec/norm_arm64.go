//go:build !purego

package vec

func maxAbs(h []int32) uint32 {
	k := whole(len(h))
	most := maxAbsGeneric(h[k:])
	if k > 0 {
		lo, hi := maxAbsNEON(&h[0], k)
		return max(most, uint32(max(hi, -lo)))
	}
	return most
}

func sumSquares(h []int32, s uint) (sum int64) {
	k := whole(len(h))
	sum = sumSquaresGeneric(h[k:], s)
	if k > 0 {
		sum += sumSquaresNEON(&h[0], k, s&63)
	}
	return sum
}

func norm(v []int64, h, gamma []int32, s uint, rho int64, n uint) (lo, hi int64) {
	h, gamma = h[:len(v)], gamma[:len(v)]
	n &= 63
	k := whole(len(v))
	r, by, ok := signed31(rho, n)
	if !ok {
		k = 0
	}
	lo, hi = normGeneric(v[k:], h[k:], gamma[k:], s, rho, n)
	if k > 0 {
		a, b := normNEON(&v[0], &h[0], &gamma[0], k, s&63, int(r), by)
		return join2(lo, hi, a, b)
	}
	return lo, hi
}

func sumRound(h []int32, l, s uint) (sum int64) {
	k := whole(len(h))
	sum = sumRoundGeneric(h[k:], l, s)
	if k > 0 {
		sum += sumRoundNEON(&h[0], k, l&63, s&63)
	}
	return sum
}

func centredSquares(h []int32, l, s uint, mean int64) (sum int64) {
	k := whole(len(h))
	sum = centredSquaresGeneric(h[k:], l, s, mean)
	if k > 0 {
		sum += centredSquaresNEON(&h[0], k, l&63, s&63, int(mean))
	}
	return sum
}

func layerNorm(v []int64, h, gamma []int32, beta []int64, l, s uint, mean, rho int64, n uint) (lo, hi int64) {
	h, gamma = h[:len(v)], gamma[:len(v)]
	n &= 63
	k := whole(len(v))
	r, by, ok := signed31(rho, n)
	if !ok {
		k = 0
	}
	rest := beta
	if beta != nil {
		rest = beta[k:]
	}
	lo, hi = layerNormGeneric(v[k:], h[k:], gamma[k:], rest, l, s, mean, rho, n)
	if k == 0 {
		return lo, hi
	}
	var a, b int64
	if beta == nil {
		a, b = layerNormNEON(&v[0], &h[0], &gamma[0], k, l&63, s&63, int(mean), int(r), by)
	} else {
		a, b = layerNormBetaNEON(&v[0], &h[0], &gamma[0], &beta[0], k, l&63, s&63, int(mean), int(r), by)
	}
	return join2(lo, hi, a, b)
}

func addResidual(h []int32, t []int64, m int64, n uint) (saturated int) {
	t = t[:len(h)]
	k := whole(len(h))
	saturated = addResidualGeneric(h[k:], t[k:], m, n)
	if k > 0 {
		saturated += k - int(addResidualNEON(&h[0], &t[0], k, int(m), min(n, 62)))
	}
	return saturated
}
