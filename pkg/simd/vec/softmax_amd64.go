//go:build !purego

package vec

func foldExp(buf, s []int64, m []uint32, kv []int32, kmin int32, hi, r int64, clipped bool, s1 uint, g int64, h uint, mf int64, k int32) (f Folded, ok bool) {
	if !useAVX512 {
		return f, false
	}
	n, whole := len(s), (len(s)+pairBlock-1)&^(pairBlock-1)
	half32, h32 := int32(1)<<(h-33), int32(h-32)
	var all, odd, top int64
	if clipped {
		all, odd, top = foldExpClippedAVX512(&buf[0], &s[0], &m[0], &kv[0], n, hi, r, s1, g, half32, h32, int32(mf), k, 29-k, kmin+16)
	} else {
		all, odd, top = foldExpAVX512(&buf[0], &s[0], &m[0], &kv[0], n, hi, s1, g, half32, h32, int32(mf), k, 29-k, kmin+16)
	}
	clear(buf[whole : (n+FoldedBlock-1)&^(FoldedBlock-1)])
	// all is Σ even + 2^32·Σ odd modulo 2^64, and what is left without the odd ones fits.
	return Folded{w: buf, n: n, Top: top >> 16, Sum: all - odd<<32 + odd}, true
}

func (f *Folded) sumShift(s uint) int64 {
	return sumPairsAVX512(&f.w[0], (f.n+pairBlock-1)&^(pairBlock-1), s)
}

func (f *Folded) split(lo, hi []uint8, s uint, c int64, n uint, zero []int32) (sum, dot int64) {
	return splitPairsAVX512(&lo[0], &hi[0], &f.w[0], &zero[0], f.n, s, c, int32(1)<<(n-33), int32(n-32))
}
