//go:build !purego

package vec

import "math/bits"

// The kernels of AVX2 take whole steps of eight and the Go loops the rest of a row, and any row that does not meet the
// condition which stands in for an instruction that AVX2 lacks.

const step = 8

func minMaxY(t []int64) (lo, hi int64) {
	k := len(t) &^ (step - 1)
	lo, hi = minMaxGeneric(t[k:])
	if k > 0 {
		a, b := minMaxAVX2(&t[0], k)
		return join2(lo, hi, a, b)
	}
	return lo, hi
}

func accumulateY(t []int64, acc, sum, m []int32, zero []uint8, z, c, off int32) (lo, hi int64) {
	n := len(t)
	acc, sum, m, zero = acc[:n], sum[:n], m[:n], zero[:n]
	k := n &^ (step - 1)
	lo, hi = accumulateGeneric(t[k:], acc[k:], sum[k:], m[k:], zero[k:], z, c, off)
	if k > 0 {
		a, b := accumulateAVX2(&t[0], &acc[0], &sum[0], &m[0], &zero[0], k, z, c, off)
		return join2(lo, hi, a, b)
	}
	return lo, hi
}

func addBiasY(t []int64, bias []int32, r int64, l, s uint) (lo, hi int64) {
	bias = bias[:len(t)]
	k := len(t) &^ (step - 1)
	lo, hi = addBiasGeneric(t[k:], bias[k:], r, l, s)
	if k > 0 {
		a, b := addBiasAVX2(&t[0], &bias[0], k, r, l&63, s&63)
		return join2(lo, hi, a, b)
	}
	return lo, hi
}

func reluY(t []int64) {
	k := len(t) &^ (step - 1)
	reluGeneric(t[k:])
	if k > 0 {
		reluAVX2(&t[0], k)
	}
}

// fixed says that requantisation by these numbers is ((t>>s)·g + z·2^h + 2^(h−1)) >> h, the lower half of t>>s telling all.
func fixed(s uint, g int64, h uint, z int64) bool {
	return s <= 32 && untied(g, h) && bits.Len64(uint64(z))+int(h) <= 61
}

func requantY(dst []uint8, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	t = t[:len(dst)]
	k := len(dst) &^ (step - 1)
	if !fixed(s, g, h, z) {
		k = 0
	}
	sum = requantGeneric(dst[k:], t[k:], s, g, h, z, top)
	if k > 0 {
		sum += requantAVX2(&dst[0], &t[0], k, s, g, z<<h+half(h), int32(h-32), int32(top))
	}
	return sum
}

func requant16Y(dst []uint16, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	t = t[:len(dst)]
	k := len(dst) &^ (step - 1)
	if !fixed(s, g, h, z) || k > 1<<18 { // Σ of a lane stays in 32 bits
		k = 0
	}
	sum = requant16Generic(dst[k:], t[k:], s, g, h, z, top)
	if k > 0 {
		sum += requant16AVX2(&dst[0], &t[0], k, s, g, z<<h+half(h), int32(h-32), int32(top))
	}
	return sum
}

func rotateY(t []int64, cos, sin []int16, s uint) (lo, hi int64) {
	d := len(t) / 2
	if d == 0 || d%step != 0 {
		return rotateGeneric(t, cos, sin, s)
	}
	cos, sin = cos[:d], sin[:d]
	return rotateAVX2(&t[0], &t[d], &cos[0], &sin[0], d, s&63)
}

func scoresY(s []int64, acc, sum, zero, k []int32, m []uint32, zq, c, kmin int32) (lo, hi int64) {
	n := len(s)
	acc, sum, zero, k, m = acc[:n], sum[:n], zero[:n], k[:n], m[:n]
	e := n &^ (step - 1)
	if e > 0 { // as in scores
		a, b, least := scoresAVX2(&s[0], &acc[0], &sum[0], &zero[0], &k[0], &m[0], e, zq, c, kmin+16)
		if least >= 0 {
			lo, hi = scoresGeneric(s[e:], acc[e:], sum[e:], zero[e:], k[e:], m[e:], zq, c, kmin)
			return join2(lo, hi, a, b)
		}
	}
	return scoresGeneric(s, acc, sum, zero, k, m, zq, c, kmin)
}

func expY(e []int32, s []int64, hi, r int64, s1 uint, g int64, h uint, top, mf int64, k int32, quad bool) {
	n := len(e) &^ (step - 1)
	if h < 33 || h > 62 || n == 0 {
		expGeneric(e, s, hi, r, s1, g, h, top, mf, k, quad)
		return
	}
	s = s[:len(e)]
	s1 &= 63
	expGeneric(e[n:], s[n:], hi, r, s1, g, h, top, mf, k, quad)
	if top > 255 {
		limit, left, right := octaves64(k)
		if quad {
			exp16QuadAVX2(&e[0], &s[0], n, hi, r, s1, g, half(h), int32(h-32), int32(top), mf, limit, left, right)
		} else {
			exp16AVX2(&e[0], &s[0], n, hi, r, s1, g, half(h), int32(h-32), int32(top), mf, limit, left, right)
		}
		return
	}
	limit, left, right := octaves32(k)
	if quad {
		exp8QuadAVX2(&e[0], &s[0], n, hi, r, s1, g, half(h), int32(h-32), int32(top), int32(mf), limit, left, right)
	} else {
		exp8AVX2(&e[0], &s[0], n, hi, r, s1, g, half(h), int32(h-32), int32(top), int32(mf), limit, left, right)
	}
}

func foldY(w []int64, e []int32, m []uint32, k []int32, kmin int32) (top, sumW, sumE int64) {
	n := len(w)
	e, m, k = e[:n], m[:n], k[:n]
	j := n &^ (step - 1)
	top, sumW, sumE = foldGeneric(w[j:], e[j:], m[j:], k[j:], kmin)
	if j > 0 {
		a, b, c := foldAVX2(&w[0], &e[0], &m[0], &k[0], j, kmin)
		return max(top, a), sumW + b, sumE + c
	}
	return top, sumW, sumE
}

func sumShiftY(w []int64, s uint) (sum int64) {
	k := len(w) &^ (step - 1)
	sum = sumShiftGeneric(w[k:], s)
	if k > 0 {
		sum += sumShiftAVX2(&w[0], k, s&63)
	}
	return sum
}

func splitY(lo, hi []uint8, w []int64, s uint, c int64, n uint, zero []int32) (sum, dot int64) {
	e := len(w)
	lo, hi, zero = lo[:e], hi[:e], zero[:e]
	k := e &^ (step - 1)
	if n < 32 || n > 62 || e > 1<<19 { // ΣN of a lane stays in 32 bits
		k = 0
	}
	sum, dot = splitGeneric(lo[k:], hi[k:], w[k:], s, c, n, zero[k:])
	if k > 0 {
		a, b := splitAVX2(&lo[0], &hi[0], &w[0], &zero[0], k, s&63, c, half(n), int32(n-32))
		return sum + a, dot + b
	}
	return sum, dot
}

func mergeY(u []int64, acc []int32, dot int32, m int64, n uint) (least, most int64) {
	acc = acc[:len(u)]
	k := len(u) &^ (step - 1)
	least, most = mergeGeneric(u[k:], acc[k:], dot, m, n)
	if k > 0 {
		a, b := mergeAVX2(&u[0], &acc[0], k, dot, m, min(n, 62))
		return join2(least, most, a, b)
	}
	return least, most
}

func joinY(u, hi, lo []int32) {
	hi, lo = hi[:len(u)], lo[:len(u)]
	k := len(u) &^ (step - 1)
	joinGeneric(u[k:], hi[k:], lo[k:])
	if k > 0 {
		joinAVX2(&u[0], &hi[0], &lo[0], k)
	}
}

func gateTableY(table *[256]uint16, zg, mf int64, k int32, quad bool, sigma []uint16) {
	sigma = sigma[:32769]
	limit, left, right := octaves32(k)
	if quad {
		gatesQuadAVX2(&table[0], len(table), int32(zg), int32(mf), limit, left, right, &sigma[0])
	} else {
		gatesAVX2(&table[0], len(table), int32(zg), int32(mf), limit, left, right, &sigma[0])
	}
}

func swiGLUAlphaY(y []int64, g, u []uint8, zg, zu, mf int64, alpha []int32, k int32, quad bool, sigma []uint16) (lo, hi int64) {
	n := len(y)
	g, u, alpha, sigma = g[:n], u[:n], alpha[:n], sigma[:32769]
	e := n &^ (step - 1)
	lo, hi = swiGLUCodes(y[e:], g[e:], u[e:], zg, zu, mf, alpha[e:], k, quad, sigma)
	if e == 0 {
		return lo, hi
	}
	limit, left, right := octaves64(k)
	f := swigluAlphaAVX2
	if quad {
		f = swigluAlphaQuadAVX2
	}
	a, b := f(&y[0], &g[0], &u[0], &alpha[0], e, int32(zg), int32(zu), int32(mf), limit, left, right, &sigma[0])
	return join2(lo, hi, a, b)
}

func swiGLUY(y []int64, g, u []uint8, table *[256]uint16, zg, zu int32) (lo, hi int64) {
	n := len(y)
	g, u = g[:n], u[:n]
	k := n &^ (step - 1)
	lo, hi = swiGLUGeneric(y[k:], g[k:], u[k:], table, zg, zu)
	if k > 0 {
		var words [257]uint16 // the gather of the last reads one more
		copy(words[:], table[:])
		a, b := swigluAVX2(&y[0], &g[0], &u[0], &words[0], k, zg, zu)
		return join2(lo, hi, a, b)
	}
	return lo, hi
}
