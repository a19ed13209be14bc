//go:build !purego

package vec

func maxAbsY(h []int32) uint32 {
	k := len(h) &^ (step - 1)
	most := maxAbsGeneric(h[k:])
	if k > 0 {
		lo, hi := maxAbsAVX2(&h[0], k)
		return max(most, uint32(max(hi, -lo)))
	}
	return most
}

func sumSquaresY(h []int32, s uint) (sum int64) {
	k := len(h) &^ (step - 1)
	sum = sumSquaresGeneric(h[k:], s)
	if k > 0 {
		sum += sumSquaresAVX2(&h[0], k, s&63)
	}
	return sum
}

func normY(v []int64, h, gamma []int32, s uint, rho int64, n uint) (lo, hi int64) {
	h, gamma = h[:len(v)], gamma[:len(v)]
	n &= 63
	k := len(v) &^ (step - 1)
	r, by, ok := signed31(rho, n)
	if !ok {
		k = 0
	}
	lo, hi = normGeneric(v[k:], h[k:], gamma[k:], s, rho, n)
	if k > 0 {
		a, b := normAVX2(&v[0], &h[0], &gamma[0], k, s&63, r, by)
		return join2(lo, hi, a, b)
	}
	return lo, hi
}

func sumRoundY(h []int32, l, s uint) (sum int64) {
	k := len(h) &^ (step - 1)
	sum = sumRoundGeneric(h[k:], l, s)
	if k > 0 {
		sum += sumRoundAVX2(&h[0], k, l&63, s&63)
	}
	return sum
}

func centredSquaresY(h []int32, l, s uint, mean int64) (sum int64) {
	k := len(h) &^ (step - 1)
	sum = centredSquaresGeneric(h[k:], l, s, mean)
	if k > 0 {
		sum += centredSquaresAVX2(&h[0], k, l&63, s&63, mean)
	}
	return sum
}

func layerNormY(v []int64, h, gamma []int32, beta []int64, l, s uint, mean, rho int64, n uint) (lo, hi int64) {
	h, gamma = h[:len(v)], gamma[:len(v)]
	n &= 63
	k := len(v) &^ (step - 1)
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
		a, b = layerNormAVX2(&v[0], &h[0], &gamma[0], k, l&63, s&63, mean, r, by)
	} else {
		a, b = layerNormBetaAVX2(&v[0], &h[0], &gamma[0], &beta[0], k, l&63, s&63, mean, r, by)
	}
	return join2(lo, hi, a, b)
}

func addResidualY(h []int32, t []int64, m int64, n uint) (saturated int) {
	t = t[:len(h)]
	k := len(h) &^ (step - 1)
	saturated = addResidualGeneric(h[k:], t[k:], m, n)
	if k > 0 {
		saturated += k - int(addResidualAVX2(&h[0], &t[0], k, m, min(n, 62)))
	}
	return saturated
}
