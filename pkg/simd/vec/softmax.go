package vec

// Folded is what FoldExp leaves of a row of scores and FoldPairs of one of numerators: W of Fold, each with some bits of a
// fraction below it, in an order of the path's own.
type Folded struct {
	w     []int64
	n     int
	shift uint
	Top   int64 // has the top bit of max W, and perhaps others below it
	Sum   int64 // Σe
}

// FoldedBlock is the number of elements that buffers for Folded rows have to be a multiple of.
const FoldedBlock = 64

// FoldExp is Exp of 8-bit codes without the parabola and Fold of its numerators, W = round(e·scale / 2^shift), in one pass for
// the rows that most are: ok says that this is one, on a path which has the pass, and only then buf is changed. It may be
// the buffer of s.
//
// A row has len(s) > 0 elements; buf has that many and up to a whole FoldedBlock, scale that many, up to a multiple of 16,
// and one more, whatever they hold. Scores, r, s1, g, h, mf and k as Exp takes them, of a grid whose range is r: the code of
// r is 255, those of smaller distances no larger. far is the largest distance.
//
// Conditions: h ≥ 33, 15 ≤ k ≤ 29, so that a fraction of the octave is shifted into place to the left, shift ≤ 16. The
// product is below 2^62; rounding it is adding 2^(shift−1).
func FoldExp(buf, s []int64, scale []uint32, shift uint, hi, r, far int64, s1 uint, g int64, h uint, mf int64, k int32) (f Folded, ok bool) {
	n := len(s)
	if h < 33 || h > 62 || k < 15 || k > 29 || !foldable(n, buf, scale, shift) {
		return f, false
	}
	return foldExp(buf, s, scale, shift, hi, r, far, s1&63, g, h, mf, k)
}

// FoldPairs is Fold, W = round(e·scale / 2^shift), of numerators 0 ≤ e ≤ 2^30 where a path has it for Folded: ok says so, and
// only then buf is changed. buf, scale and shift are FoldExp's.
func FoldPairs(buf []int64, e []int32, scale []uint32, shift uint) (f Folded, ok bool) {
	if !foldable(len(e), buf, scale, shift) {
		return f, false
	}
	return foldPairs(buf, e, scale, shift)
}

// foldable reports that buf and scale have room for what a row of n elements reads and writes.
func foldable(n int, buf []int64, scale []uint32, shift uint) bool {
	return n > 0 && shift <= 16 && len(buf) >= blocks(n, FoldedBlock) && len(scale) > blocks(n, pairBlock)
}

// blocks is n up to a multiple of size, a power of two.
func blocks(n, size int) int { return (n + size - 1) &^ (size - 1) }

// SumShift returns Σ W[j]>>s.
func (f *Folded) SumShift(s uint) int64 { return f.sumShift(min(s+f.shift, 63)) }

// Split is the function Split of W[j]>>s, for n ≥ 33 and |zero| < 2^15. zero8, if it is not nil, holds the same numbers in
// bytes, up to a whole FoldedBlock, whatever is there.
func (f *Folded) Split(lo, hi []uint8, s uint, c int64, n uint, zero []int32, zero8 []int8) (sum, dot int64) {
	if zero8 != nil {
		zero8 = zero8[:blocks(f.n, FoldedBlock)]
	}
	return f.split(lo[:f.n], hi[:f.n], s, c, n, zero[:f.n], zero8)
}
