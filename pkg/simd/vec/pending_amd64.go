//go:build !purego

package vec

import "math/bits"

func (p *Pending) normPairs(h, gamma []int32, top uint32, rho int64, n uint) (lo, hi int64, ok bool) {
	if !useAVX512 || len(h) == 0 {
		return 0, 0, false
	}
	p.form = pairs
	// A half of 2^n has n − 1 factors of 2; a product has those of rho and at most the bits of |h| less one.
	if rho < 1<<31 && n <= 32 && bits.TrailingZeros64(uint64(rho))+bits.Len32(top)-1 < int(n)-1 {
		lo, hi = normUntiedAVX512(&p.wide[0], &h[0], &gamma[0], len(h), rho, half(n), n&63)
		return lo, hi, true
	}
	lo, hi = normPairsAVX512(&p.wide[0], &h[0], &gamma[0], len(h), rho, half(n), n&63)
	return lo, hi, true
}

func (p *Pending) layerPairs(h, gamma []int32, beta []int64, l uint, mean, rho int64, n uint) (lo, hi int64, ok bool) {
	if !useAVX512 || len(h) == 0 {
		return 0, 0, false
	}
	p.form = pairs
	if beta == nil {
		lo, hi = layerPairsAVX512(&p.wide[0], &h[0], &gamma[0], len(h), int32(l), int32(mean), rho, half(n), n&63)
	} else {
		lo, hi = layerBetaPairsAVX512(&p.wide[0], &h[0], &gamma[0], &beta[0], len(h), int32(l), int32(mean), rho, half(n), n&63)
	}
	return lo, hi, true
}

func (p *Pending) swiGLUNarrow(g, u []uint8, table *[256]uint16, zg, zu int32) (lo, hi int64, ok bool) {
	if !useAVX512 || len(g) == 0 {
		return 0, 0, false
	}
	p.form = unpacked
	lo, hi = swigluNarrowAVX512(&p.narrow[0], &g[0], &u[0], &table[0], len(g), zg, zu)
	return lo, hi, true
}

func (p *Pending) requantHeld(dst []uint8, s uint, g int64, h uint, z, top int64) (sum int64, ok bool) {
	if p.form == natural || !untied(g, h) || bits.Len64(uint64(z))+int(h) > 61 {
		return 0, false
	}
	base, h32 := int32((z<<h+half(h))>>32), int32(h-32) // a multiple of 2^32
	if p.form == pairs {
		return requantPairsAVX512(&dst[0], &p.wide[0], len(dst), s&63, g, base, h32, int32(top)), true
	}
	return requantNarrowAVX512(&dst[0], &p.narrow[0], len(dst), int32(s&63), g, base, h32, int32(top)), true
}

func squares(h []int32) (top uint32, sum int64) {
	if useAVX512 && len(h) > 0 {
		return squaresAVX512(&h[0], len(h))
	}
	return squaresPlain(h)
}

func absSum(h []int32) (top uint32, sum int64) {
	if useAVX512 && len(h) > 0 {
		return absSumAVX512(&h[0], len(h))
	}
	return absSumPlain(h)
}
