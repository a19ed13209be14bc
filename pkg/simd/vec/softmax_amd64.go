//go:build !purego

package vec

func foldExp(buf, s []int64, scale []uint32, shift uint, hi, r, far int64, s1 uint, g int64, h uint, mf int64, k int32) (f Folded, ok bool) {
	if !useAVX512 {
		return f, false
	}
	n, round, clipped := len(s), half(shift), far > r
	var all, odd, top int64
	if useIFMA && h >= 47 && far>>s1 < 1<<(h-16) { // the factor moved to its product's word is below 2^52, a code below 2^16
		c := g << (68 - h)
		if clipped {
			all, odd, top = foldExpClippedAVX512IFMA(&buf[0], &s[0], &scale[0], n, round, hi, s1, c, int32(mf), k, 29-k)
		} else {
			all, odd, top = foldExpAVX512IFMA(&buf[0], &s[0], &scale[0], n, round, hi, s1, c, int32(mf), k, 29-k)
		}
	} else {
		half32, h32 := int32(1)<<(h-33), int32(h-32)
		if clipped {
			all, odd, top = foldExpClippedAVX512(&buf[0], &s[0], &scale[0], n, round, hi, r, s1, g, half32, h32, int32(mf), k, 29-k)
		} else {
			all, odd, top = foldExpAVX512(&buf[0], &s[0], &scale[0], n, round, hi, s1, g, half32, h32, int32(mf), k, 29-k)
		}
	}
	return folded(buf, n, shift, all, odd, top), true
}

func foldPairs(buf []int64, e []int32, scale []uint32, shift uint) (f Folded, ok bool) {
	if !useAVX512 {
		return f, false
	}
	all, odd, top := foldPairsAVX512(&buf[0], &e[0], &scale[0], len(e), half(shift))
	return folded(buf, len(e), shift, all, odd, top), true
}

// folded is what a kernel's sums say of n elements: all is Σ even + 2^32·Σ odd modulo 2^64, and what is left without the odd
// ones fits.
func folded(buf []int64, n int, shift uint, all, odd, top int64) Folded {
	clear(buf[blocks(n, pairBlock):blocks(n, FoldedBlock)])
	return Folded{w: buf, n: n, shift: shift, Top: top >> shift, Sum: all - odd<<32 + odd}
}

func (f *Folded) sumShift(s uint) int64 {
	return sumPairsAVX512(&f.w[0], blocks(f.n, pairBlock), s)
}

func (f *Folded) split(lo, hi []uint8, s uint, c int64, n uint, zero []int32, zero8 []int8) (sum, dot int64) {
	by := min(s+f.shift, 63)
	small := (f.Top>>s*c+half(n))>>n <= 32767 // then nothing is cut
	if useIFMA && zero8 != nil && small && 41 <= n && n <= 61 {
		return splitBytesAVX512IFMA(&lo[0], &hi[0], &f.w[0], &zero8[0], f.n, by, c<<(61-n))
	}
	return splitPairsAVX512(&lo[0], &hi[0], &f.w[0], &zero[0], f.n, by, c, int32(1)<<(n-33), int32(n-32))
}
