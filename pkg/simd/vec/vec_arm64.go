//go:build !purego

package vec

import "github.com/illm-go/illm/pkg/simd/cpu"

var useNEON bool

func init() {
	cpu.Register("vec", cpu.NEON, &useNEON)
}

// The kernels take whole steps of eight and the Go loops the rest of a row.
const step = 8

// whole is how many of n elements the kernels take.
func whole(n int) int {
	if !useNEON {
		return 0
	}
	return n &^ (step - 1)
}

func minMax(t []int64) (lo, hi int64) {
	k := whole(len(t))
	lo, hi = minMaxGeneric(t[k:])
	if k > 0 {
		a, b := minMaxNEON(&t[0], k)
		return join2(lo, hi, a, b)
	}
	return lo, hi
}

func accumulate(t []int64, acc, sum, m []int32, zero []uint8, z, c, off int32) (lo, hi int64) {
	n := len(t)
	acc, sum, m, zero = acc[:n], sum[:n], m[:n], zero[:n]
	k := whole(n)
	lo, hi = accumulateGeneric(t[k:], acc[k:], sum[k:], m[k:], zero[k:], z, c, off)
	if k > 0 {
		a, b := accumulateNEON(&t[0], &acc[0], &sum[0], &m[0], &zero[0], k, int(z), int(c), int(off))
		return join2(lo, hi, a, b)
	}
	return lo, hi
}

func addBias(t []int64, bias []int32, r int64, l, s uint) (lo, hi int64) {
	bias = bias[:len(t)]
	k := whole(len(t))
	lo, hi = addBiasGeneric(t[k:], bias[k:], r, l, s)
	if k > 0 {
		a, b := addBiasNEON(&t[0], &bias[0], k, int(r), l&63, s&63)
		return join2(lo, hi, a, b)
	}
	return lo, hi
}

func relu(t []int64) {
	k := whole(len(t))
	reluGeneric(t[k:])
	if k > 0 {
		reluNEON(&t[0], k)
	}
}

func requant(dst []uint8, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	t = t[:len(dst)]
	k := whole(len(dst))
	sum = requantGeneric(dst[k:], t[k:], s, g, h, z, top)
	if k > 0 {
		sum += requantNEON(&dst[0], &t[0], k, s&63, int(g), h&63, int(z), int(top))
	}
	return sum
}

func requant16(dst []uint16, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	t = t[:len(dst)]
	k := whole(len(dst))
	sum = requant16Generic(dst[k:], t[k:], s, g, h, z, top)
	if k > 0 {
		sum += requant16NEON(&dst[0], &t[0], k, s&63, int(g), h&63, int(z), int(top))
	}
	return sum
}

func rotate(t []int64, cos, sin []int16, s uint) (lo, hi int64) {
	d := len(t) / 2
	if d == 0 || whole(d) != d {
		return rotateGeneric(t, cos, sin, s)
	}
	cos, sin = cos[:d], sin[:d]
	return rotateNEON(&t[0], &t[d], &cos[0], &sin[0], d, s&63)
}

func scores(s []int64, acc, sum, zero, k []int32, m []uint32, zq, c, kmin int32) (lo, hi int64) {
	n := len(s)
	acc, sum, zero, k, m = acc[:n], sum[:n], zero[:n], k[:n], m[:n]
	e := whole(n)
	lo, hi = scoresGeneric(s[e:], acc[e:], sum[e:], zero[e:], k[e:], m[e:], zq, c, kmin)
	if e > 0 {
		a, b := scoresNEON(&s[0], &acc[0], &sum[0], &zero[0], &k[0], &m[0], e, int(zq), int(c), int(kmin))
		return join2(lo, hi, a, b)
	}
	return lo, hi
}

func exp(e []int32, s []int64, hi, r int64, s1 uint, g int64, h uint, top, mf int64, k int32, quad bool) {
	n := whole(len(e))
	if n == 0 {
		expGeneric(e, s, hi, r, s1, g, h, top, mf, k, quad)
		return
	}
	s = s[:len(e)]
	s1, h = s1&63, h&63
	expGeneric(e[n:], s[n:], hi, r, s1, g, h, top, mf, k, quad)
	c, d := int(g), int(mf)
	if top > 255 {
		limit, left, right := octaves64(k)
		if quad {
			exp16QuadNEON(&e[0], &s[0], n, hi, r, s1, c, h, int(top), d, int(limit), int(left), int(right))
		} else {
			exp16NEON(&e[0], &s[0], n, hi, r, s1, c, h, int(top), d, int(limit), int(left), int(right))
		}
		return
	}
	limit, left, right := octaves32(k)
	if quad {
		exp8QuadNEON(&e[0], &s[0], n, hi, r, s1, c, h, int(top), d, int(limit), int(left), int(right))
	} else {
		exp8NEON(&e[0], &s[0], n, hi, r, s1, c, h, int(top), d, int(limit), int(left), int(right))
	}
}

func fold(w []int64, e []int32, m []uint32, k []int32, kmin int32) (top, sumW, sumE int64) {
	n := len(w)
	e, m, k = e[:n], m[:n], k[:n]
	j := whole(n)
	top, sumW, sumE = foldGeneric(w[j:], e[j:], m[j:], k[j:], kmin)
	if j > 0 {
		a, b, c := foldNEON(&w[0], &e[0], &m[0], &k[0], j, int(kmin))
		return max(top, a), sumW + b, sumE + c
	}
	return top, sumW, sumE
}

func sumShift(w []int64, s uint) (sum int64) {
	k := whole(len(w))
	sum = sumShiftGeneric(w[k:], s)
	if k > 0 {
		sum += sumShiftNEON(&w[0], k, s&63)
	}
	return sum
}

func split(lo, hi []uint8, w []int64, s uint, c int64, n uint, zero []int32) (sum, dot int64) {
	e := len(w)
	lo, hi, zero = lo[:e], hi[:e], zero[:e]
	k := whole(e)
	sum, dot = splitGeneric(lo[k:], hi[k:], w[k:], s, c, n, zero[k:])
	if k > 0 {
		a, b := splitNEON(&lo[0], &hi[0], &w[0], &zero[0], k, s&63, int(c), n&63)
		return sum + a, dot + b
	}
	return sum, dot
}

func merge(u []int64, acc []int32, dot int32, m int64, n uint) (least, most int64) {
	acc = acc[:len(u)]
	k := whole(len(u))
	least, most = mergeGeneric(u[k:], acc[k:], dot, m, n)
	if k > 0 {
		a, b := mergeNEON(&u[0], &acc[0], k, int(dot), int(m), min(n, 62))
		return join2(least, most, a, b)
	}
	return least, most
}

func join(u, hi, lo []int32) {
	hi, lo = hi[:len(u)], lo[:len(u)]
	k := whole(len(u))
	joinGeneric(u[k:], hi[k:], lo[k:])
	if k > 0 {
		joinNEON(&u[0], &hi[0], &lo[0], k)
	}
}

func gateTable(table *[256]uint16, zg, mf int64, k int32, quad bool, sigma []uint16) {
	if !useNEON {
		gateTableGeneric(table, zg, mf, k, quad, sigma)
		return
	}
	sigma = sigma[:32769]
	limit, left, right := octaves32(k)
	if quad {
		gatesQuadNEON(&table[0], len(table), int(zg), int(mf), int(limit), int(left), int(right), &sigma[0])
	} else {
		gatesNEON(&table[0], len(table), int(zg), int(mf), int(limit), int(left), int(right), &sigma[0])
	}
}

func swiGLUAlpha(y []int64, g, u []uint8, zg, zu, mf int64, alpha []int32, k int32, quad bool, sigma []uint16) (lo, hi int64) {
	n := len(y)
	g, u, alpha, sigma = g[:n], u[:n], alpha[:n], sigma[:32769]
	e := whole(n)
	lo, hi = swiGLUCodes(y[e:], g[e:], u[e:], zg, zu, mf, alpha[e:], k, quad, sigma)
	if e == 0 {
		return lo, hi
	}
	limit, left, right := octaves64(k)
	f := swigluAlphaNEON
	if quad {
		f = swigluAlphaQuadNEON
	}
	a, b := f(&y[0], &g[0], &u[0], &alpha[0], e, int(zg), int(zu), int(mf), int(limit), int(left), int(right), &sigma[0])
	return join2(lo, hi, a, b)
}

func swiGLU(y []int64, g, u []uint8, table *[256]uint16, zg, zu int32) (lo, hi int64) {
	n := len(y)
	g, u = g[:n], u[:n]
	k := whole(n)
	lo, hi = swiGLUGeneric(y[k:], g[k:], u[k:], table, zg, zu)
	if k > 0 {
		a, b := swigluNEON(&y[0], &g[0], &u[0], &table[0], k, int(zg), int(zu))
		return join2(lo, hi, a, b)
	}
	return lo, hi
}
