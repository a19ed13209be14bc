//go:build purego || !amd64

package vec

func (p *Pending) normPairs(h, gamma []int32, top uint32, rho int64, n uint) (lo, hi int64, ok bool) {
	return 0, 0, false
}

func (p *Pending) layerPairs(h, gamma []int32, beta []int64, l uint, mean, rho int64, n uint) (lo, hi int64, ok bool) {
	return 0, 0, false
}

func (p *Pending) swiGLUNarrow(g, u []uint8, table *[256]uint16, zg, zu int32) (lo, hi int64, ok bool) {
	return 0, 0, false
}

func (p *Pending) requantHeld(dst []uint8, s uint, g int64, h uint, z, top int64) (sum int64, ok bool) {
	return 0, false
}

func squares(h []int32) (top uint32, sum int64) { return squaresPlain(h) }

func absSum(h []int32) (top uint32, sum int64) { return absSumPlain(h) }

func foldExp(buf, s []int64, scale []uint32, shift uint, hi, r, far int64, s1 uint, g int64, h uint, mf int64, k int32) (f Folded, ok bool) {
	return f, false
}

func foldPairs(buf []int64, e []int32, scale []uint32, shift uint) (f Folded, ok bool) {
	return f, false
}

func (f *Folded) sumShift(s uint) int64 { return 0 }

func (f *Folded) split(lo, hi []uint8, s uint, c int64, n uint, zero []int32, zero8 []int8) (sum, dot int64) {
	return 0, 0
}
