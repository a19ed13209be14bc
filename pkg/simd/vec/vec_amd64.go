//go:build !purego

package vec

import (
	"math/bits"

	"github.com/illm-go/illm/pkg/simd/cpu"
)

var useIFMA, useAVX512, useAVX2 bool

func init() {
	cpu.Register("vec", cpu.AVX512IFMA, &useIFMA)
	cpu.Register("vec", cpu.AVX512, &useAVX512)
	cpu.Register("vec", cpu.AVX2, &useAVX2)
}

func minMax(t []int64) (lo, hi int64) {
	if useAVX512 && len(t) > 0 {
		return minMaxAVX512(&t[0], len(t))
	}
	if useAVX2 {
		return minMaxY(t)
	}
	return minMaxGeneric(t)
}

func accumulate(t []int64, acc, sum, m []int32, zero []uint8, z, c, off int32) (lo, hi int64) {
	if n := len(t); useAVX512 && n > 0 {
		acc, sum, m, zero = acc[:n], sum[:n], m[:n], zero[:n]
		if n >= 16 {
			return accumulateWideAVX512(&t[0], &acc[0], &sum[0], &m[0], &zero[0], n, z, c, off)
		}
		return accumulateAVX512(&t[0], &acc[0], &sum[0], &m[0], &zero[0], n, z, c, off)
	}
	if useAVX2 {
		return accumulateY(t, acc, sum, m, zero, z, c, off)
	}
	return accumulateGeneric(t, acc, sum, m, zero, z, c, off)
}

func addBias(t []int64, bias []int32, r int64, l, s uint) (lo, hi int64) {
	if n := len(t); useAVX512 && n > 0 {
		bias = bias[:n]
		return addBiasAVX512(&t[0], &bias[0], n, r, l&63, s&63)
	}
	if useAVX2 {
		return addBiasY(t, bias, r, l, s)
	}
	return addBiasGeneric(t, bias, r, l, s)
}

func relu(t []int64) {
	if useAVX512 && len(t) > 0 {
		reluAVX512(&t[0], len(t))
		return
	}
	if useAVX2 {
		reluY(t)
		return
	}
	reluGeneric(t)
}

// untied says that no product of g with a 32-bit number lies halfway between two multiples of 2^h, and that h takes at
// least 32 bits off: such a number has at most 31 factors of 2. Halves need no sign then.
func untied(g int64, h uint) bool { return h >= 33 && bits.TrailingZeros64(uint64(g))+31 < int(h)-1 }

func requant(dst []uint8, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	if n := len(dst); useAVX512 && n > 0 {
		t = t[:n]
		if n >= 16 && untied(g, h) && bits.Len64(uint64(z))+int(h) <= 61 {
			return requantWideAVX512(&dst[0], &t[0], n, s&63, g, int32((z<<h+half(h))>>32), int32(h-32), int32(top)) // a multiple of 2^32
		}
		return requantAVX512(&dst[0], &t[0], n, s&63, g, h&63, z, top)
	}
	if useAVX2 {
		return requantY(dst, t, s, g, h, z, top)
	}
	return requantGeneric(dst, t, s, g, h, z, top)
}

func requant16(dst []uint16, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	if n := len(dst); useAVX512 && n > 0 {
		t = t[:n]
		return requant16AVX512(&dst[0], &t[0], n, s&63, g, h&63, z, top)
	}
	if useAVX2 {
		return requant16Y(dst, t, s, g, h, z, top)
	}
	return requant16Generic(dst, t, s, g, h, z, top)
}

func rotate(t []int64, cos, sin []int16, s uint) (lo, hi int64) {
	if d := len(t) / 2; useAVX512 && d > 0 {
		cos, sin = cos[:d], sin[:d]
		return rotateAVX512(&t[0], &t[d], &cos[0], &sin[0], d, s&63)
	}
	if useAVX2 {
		return rotateY(t, cos, sin, s)
	}
	return rotateGeneric(t, cos, sin, s)
}

func scores(s []int64, acc, sum, zero, k []int32, m []uint32, zq, c, kmin int32) (lo, hi int64) {
	if n := len(s); useAVX512 && n > 0 {
		acc, sum, zero, k, m = acc[:n], sum[:n], zero[:n], k[:n], m[:n]
		if n >= 16 {
			// Nothing is rounded while no k passes kmin by more than 16, and that is known behind the pass.
			if lo, hi, least := scoresWideAVX512(&s[0], &acc[0], &sum[0], &zero[0], &k[0], &m[0], n, zq, c, kmin+16); least >= 0 {
				return lo, hi
			}
		}
		return scoresAVX512(&s[0], &acc[0], &sum[0], &zero[0], &k[0], &m[0], n, zq, c, kmin)
	}
	if useAVX2 {
		return scoresY(s, acc, sum, zero, k, m, zq, c, kmin)
	}
	return scoresGeneric(s, acc, sum, zero, k, m, zq, c, kmin)
}

func exp(e []int32, s []int64, hi, r int64, s1 uint, g int64, h uint, top, mf int64, k int32, quad bool) {
	n := len(e)
	if !useAVX512 || n == 0 {
		if useAVX2 {
			expY(e, s, hi, r, s1, g, h, top, mf, k, quad)
			return
		}
		expGeneric(e, s, hi, r, s1, g, h, top, mf, k, quad)
		return
	}
	s = s[:n]
	s1, h = s1&63, h&63
	if top > 255 {
		limit, left, right := octaves64(k)
		if quad {
			exp16QuadAVX512(&e[0], &s[0], n, hi, r, s1, g, h, top, mf, limit, left, right)
		} else {
			exp16AVX512(&e[0], &s[0], n, hi, r, s1, g, h, top, mf, limit, left, right)
		}
		return
	}
	limit, left, right := octaves32(k)
	if h >= 33 && n >= 16 {
		if quad {
			expWideQuadAVX512(&e[0], &s[0], n, hi, r, s1, g, half(h), int32(h-32), int32(top), int32(mf), limit, left, right)
		} else {
			expWideAVX512(&e[0], &s[0], n, hi, r, s1, g, half(h), int32(h-32), int32(top), int32(mf), limit, left, right)
		}
		return
	}
	if quad {
		exp8QuadAVX512(&e[0], &s[0], n, hi, r, s1, g, h, top, int32(mf), limit, left, right)
	} else {
		exp8AVX512(&e[0], &s[0], n, hi, r, s1, g, h, top, int32(mf), limit, left, right)
	}
}

func fold(w []int64, e []int32, m []uint32, k []int32, kmin int32) (top, sumW, sumE int64) {
	if n := len(w); useAVX512 && n > 0 {
		e, m, k = e[:n], m[:n], k[:n]
		return foldAVX512(&w[0], &e[0], &m[0], &k[0], n, kmin)
	}
	if useAVX2 {
		return foldY(w, e, m, k, kmin)
	}
	return foldGeneric(w, e, m, k, kmin)
}

func sumShift(w []int64, s uint) (sum int64) {
	if useAVX512 && len(w) > 0 {
		return sumShiftAVX512(&w[0], len(w), s&63)
	}
	if useAVX2 {
		return sumShiftY(w, s)
	}
	return sumShiftGeneric(w, s)
}

func split(lo, hi []uint8, w []int64, s uint, c int64, n uint, zero []int32) (sum, dot int64) {
	if k := len(w); useAVX512 && k > 0 {
		lo, hi, zero = lo[:k], hi[:k], zero[:k]
		if k >= 16 && k <= 1<<20 && n >= 32 { // ΣN of a lane stays in 32 bits
			return splitWideAVX512(&lo[0], &hi[0], &w[0], &zero[0], k, s&63, c, half(n), int32(n-32))
		}
		return splitAVX512(&lo[0], &hi[0], &w[0], &zero[0], k, s&63, c, n&63)
	}
	if useAVX2 {
		return splitY(lo, hi, w, s, c, n, zero)
	}
	return splitGeneric(lo, hi, w, s, c, n, zero)
}

func merge(u []int64, acc []int32, dot int32, m int64, n uint) (least, most int64) {
	if k := len(u); useAVX512 && k > 0 {
		acc = acc[:k]
		return mergeAVX512(&u[0], &acc[0], k, dot, m, min(n, 62))
	}
	if useAVX2 {
		return mergeY(u, acc, dot, m, n)
	}
	return mergeGeneric(u, acc, dot, m, n)
}

func join(u, hi, lo []int32) {
	n := len(u)
	if !useAVX512 || n == 0 {
		if useAVX2 {
			joinY(u, hi, lo)
			return
		}
		joinGeneric(u, hi, lo)
		return
	}
	hi, lo = hi[:n], lo[:n]
	joinAVX512(&u[0], &hi[0], &lo[0], n)
}

func gateTable(table *[256]uint16, zg, mf int64, k int32, quad bool, sigma []uint16) {
	if !useAVX512 {
		if useAVX2 {
			gateTableY(table, zg, mf, k, quad, sigma)
			return
		}
		gateTableGeneric(table, zg, mf, k, quad, sigma)
		return
	}
	limit, left, right := octaves32(k)
	if quad {
		gatesQuadAVX512(&table[0], len(table), int32(zg), int32(mf), limit, left, right)
	} else {
		gatesAVX512(&table[0], len(table), int32(zg), int32(mf), limit, left, right)
	}
}

func swiGLUAlpha(y []int64, g, u []uint8, zg, zu, mf int64, alpha []int32, k int32, quad bool, sigma []uint16) (lo, hi int64) {
	n := len(y)
	if !useAVX512 || n == 0 {
		if useAVX2 {
			return swiGLUAlphaY(y, g, u, zg, zu, mf, alpha, k, quad, sigma)
		}
		return swiGLUCodes(y, g, u, zg, zu, mf, alpha, k, quad, sigma)
	}
	g, u, alpha = g[:n], u[:n], alpha[:n]
	limit, left, right := octaves64(k)
	if quad {
		return swigluAlphaQuadAVX512(&y[0], &g[0], &u[0], &alpha[0], n, int32(zg), int32(zu), int32(mf), limit, left, right)
	}
	return swigluAlphaAVX512(&y[0], &g[0], &u[0], &alpha[0], n, int32(zg), int32(zu), int32(mf), limit, left, right)
}

func swiGLU(y []int64, g, u []uint8, table *[256]uint16, zg, zu int32) (lo, hi int64) {
	if n := len(y); useAVX512 && n > 0 {
		g, u = g[:n], u[:n]
		return swigluAVX512(&y[0], &g[0], &u[0], &table[0], n, zg, zu)
	}
	if useAVX2 {
		return swiGLUY(y, g, u, table, zg, zu)
	}
	return swiGLUGeneric(y, g, u, table, zg, zu)
}

func maxAbs(h []int32) uint32 {
	if useAVX512 && len(h) > 0 {
		lo, hi := maxAbsAVX512(&h[0], len(h))
		return uint32(max(hi, -lo))
	}
	if useAVX2 {
		return maxAbsY(h)
	}
	return maxAbsGeneric(h)
}

func sumSquares(h []int32, s uint) (sum int64) {
	if useAVX512 && len(h) > 0 {
		return sumSquaresAVX512(&h[0], len(h), s&63)
	}
	if useAVX2 {
		return sumSquaresY(h, s)
	}
	return sumSquaresGeneric(h, s)
}

func norm(v []int64, h, gamma []int32, s uint, rho int64, n uint) (lo, hi int64) {
	if k := len(v); useAVX512 && k > 0 {
		h, gamma = h[:k], gamma[:k]
		return normAVX512(&v[0], &h[0], &gamma[0], k, s&63, rho, n&63)
	}
	if useAVX2 {
		return normY(v, h, gamma, s, rho, n)
	}
	return normGeneric(v, h, gamma, s, rho, n)
}

func sumRound(h []int32, l, s uint) (sum int64) {
	if useAVX512 && len(h) > 0 {
		return sumRoundAVX512(&h[0], len(h), l&63, s&63)
	}
	if useAVX2 {
		return sumRoundY(h, l, s)
	}
	return sumRoundGeneric(h, l, s)
}

func centredSquares(h []int32, l, s uint, mean int64) (sum int64) {
	if useAVX512 && len(h) > 0 {
		if s == 0 {
			return centredPairsAVX512(&h[0], len(h), int32(l), int32(mean))
		}
		return centredSquaresAVX512(&h[0], len(h), l&63, s&63, mean)
	}
	if useAVX2 {
		return centredSquaresY(h, l, s, mean)
	}
	return centredSquaresGeneric(h, l, s, mean)
}

func layerNorm(v []int64, h, gamma []int32, beta []int64, l, s uint, mean, rho int64, n uint) (lo, hi int64) {
	k := len(v)
	if !useAVX512 || k == 0 {
		if useAVX2 {
			return layerNormY(v, h, gamma, beta, l, s, mean, rho, n)
		}
		return layerNormGeneric(v, h, gamma, beta, l, s, mean, rho, n)
	}
	h, gamma = h[:k], gamma[:k]
	if beta == nil {
		return layerNormAVX512(&v[0], &h[0], &gamma[0], k, l&63, s&63, mean, rho, n&63)
	}
	return layerNormBetaAVX512(&v[0], &h[0], &gamma[0], &beta[0], k, l&63, s&63, mean, rho, n&63)
}

func addResidual(h []int32, t []int64, m int64, n uint) (saturated int) {
	if k := len(h); useAVX512 && k > 0 {
		t = t[:k]
		if k >= 16 {
			return int(addResidualWideAVX512(&h[0], &t[0], k, m, min(n, 62)))
		}
		return int(addResidualAVX512(&h[0], &t[0], k, m, min(n, 62)))
	}
	if useAVX2 {
		return addResidualY(h, t, m, n)
	}
	return addResidualGeneric(h, t, m, n)
}
