package vec

// Folded is what a FoldExp leaves of a row of scores: W of Fold, each as 2^16·W and a fraction, in an order of the path's own.
type Folded struct {
	w   []int64
	n   int
	Top int64 // has the top bit of max W, and others
	Sum int64 // Σe
}

// FoldedBlock is the number of elements that a buffer for FoldExp has to be a multiple of.
const FoldedBlock = 64

// FoldExp is Exp of 8-bit codes without the parabola and Fold of its numerators in one pass, for the rows that most are:
// ok says that this is one, on a path which has the pass, and only then buf is changed. It may be the buffer of s.
//
// A row has len(s) > 0 elements, buf that many and up to a whole FoldedBlock. Scores, r, s1, g, h, mf and k as Exp takes
// them, of a grid whose range is r: the code of r is 255, those of smaller distances no larger. clipped says that distances
// pass r. Scales m, exponents kv and their least kmin as Fold takes them; kmax is the largest exponent.
//
// Conditions: h ≥ 33, 15 ≤ k ≤ 29, so that a fraction of the octave is shifted into place to the left, and kmax ≤ kmin + 16,
// so that e·m·2^(16−kv+kmin) is a whole number, below 2^62; rounding it is adding 2^15.
func FoldExp(buf, s []int64, m []uint32, kv []int32, kmin, kmax int32, hi, r int64, clipped bool, s1 uint, g int64, h uint, mf int64, k int32) (f Folded, ok bool) {
	n := len(s)
	if n == 0 || h < 33 || h > 63 || k < 15 || k > 29 || kmax-kmin > 16 || kmax < kmin || len(buf) < (n+FoldedBlock-1)&^(FoldedBlock-1) {
		return f, false
	}
	return foldExp(buf, s, m[:n], kv[:n], kmin, hi, r, clipped, s1&63, g, h, mf, k)
}

// SumShift returns Σ W[j]>>s.
func (f *Folded) SumShift(s uint) int64 { return f.sumShift(min(s+16, 63)) }

// Split is the function Split of W[j]>>s, for n ≥ 33 and |zero| < 2^15.
func (f *Folded) Split(lo, hi []uint8, s uint, c int64, n uint, zero []int32) (sum, dot int64) {
	return f.split(lo[:f.n], hi[:f.n], min(s+16, 63), c, n, zero[:f.n])
}
