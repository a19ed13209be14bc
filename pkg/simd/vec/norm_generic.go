package vec

func maxAbsGeneric(h []int32) uint32 {
	var lo, hi int32
	for _, v := range h {
		lo = min(lo, v)
		hi = max(hi, v)
	}
	return max(uint32(hi), -uint32(lo))
}

func sumSquaresGeneric(h []int32, s uint) (sum int64) {
	s &= 63
	r, neg := half(s), -half(s)>>63
	for _, v := range h {
		x := int64(v)
		x = (x + r + x>>63&neg) >> s
		sum += x * x
	}
	return sum
}

func normGeneric(v []int64, h, gamma []int32, s uint, rho int64, n uint) (lo, hi int64) {
	k := len(v)
	h, gamma = h[:k], gamma[:k]
	s, n = s&63, n&63
	r, neg := half(s), -half(s)>>63
	rn := half(n)
	for j := range v {
		x := int64(h[j])
		x = (x + r + x>>63&neg) >> s * rho
		y := (x + rn + x>>63) >> n * int64(gamma[j])
		v[j] = y
		lo = min(lo, y)
		hi = max(hi, y)
	}
	return lo, hi
}

func sumRoundGeneric(h []int32, l, s uint) (sum int64) {
	l, s = l&63, s&63
	r, neg := half(s), -half(s)>>63
	for _, v := range h {
		x := int64(v) << l
		sum += (x + r + x>>63&neg) >> s
	}
	return sum
}

func centredSquaresGeneric(h []int32, l, s uint, mean int64) (sum int64) {
	l, s = l&63, s&63
	r, neg := half(s), -half(s)>>63
	for _, v := range h {
		x := int64(v) << l
		x = (x+r+x>>63&neg)>>s - mean
		sum += x * x
	}
	return sum
}

func layerNormGeneric(v []int64, h, gamma []int32, beta []int64, l, s uint, mean, rho int64, n uint) (lo, hi int64) {
	k := len(v)
	h, gamma = h[:k], gamma[:k]
	l, s, n = l&63, s&63, n&63
	r, neg := half(s), -half(s)>>63
	rn := half(n)
	for j := range v {
		x := int64(h[j]) << l
		x = ((x+r+x>>63&neg)>>s - mean) * rho
		y := (x + rn + x>>63) >> n * int64(gamma[j])
		if beta != nil {
			y += beta[j]
		}
		v[j] = y
		lo = min(lo, y)
		hi = max(hi, y)
	}
	return lo, hi
}

func addResidualGeneric(h []int32, t []int64, m int64, n uint) (saturated int) {
	t = t[:len(h)]
	const top = 1<<31 - 1
	for j, v := range t {
		d := roundShift((v+1<<15+v>>63)>>16*m, uint32(n))
		x := int64(h[j])
		y := max(-top, min(x+max(-1<<31, min(d, 1<<31)), top))
		if x+d != y {
			saturated++
		}
		h[j] = int32(y)
	}
	return saturated
}
