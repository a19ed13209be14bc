package vec

import "math/bits"

// Exponentials of rows of distance codes that package baseline compares with DI-Exp: d → e, codes below 2^16 to
// numerators in Q30. The scalar forms here are the definitions; the rows of exprival_amd64.s equal them bit for bit.
//
// A scale m/2^k turns a code d into w = d·m and then into x = Natural(w, k), or with log2 e into octaves,
// Octaves(d·mf, k).

// DistanceCodes sets d[j] = min(round((min(hi−s[j], r)>>s1)·g / 2^h), top): the codes of Exp, under the same conditions.
func DistanceCodes(d []int32, s []int64, hi, r int64, s1 uint, g int64, h uint, top int64) {
	distanceCodes(d, s[:len(d)], hi, r, s1&63, g, h&63, top)
}

func distanceCodesGeneric(d []int32, s []int64, hi, r int64, s1 uint, g int64, h uint, top int64) {
	c := half(h)
	for j, v := range s[:len(d)] {
		d[j] = int32(min((min(hi-v, r)>>s1*g+c)>>h, top))
	}
}

// Moments returns Σx and Σx² of x = (hi − s[j])>>shift. 0 ≤ x < 2^31 and Σx² < 2^63.
func Moments(s []int64, hi int64, shift uint) (sum, squares int64) {
	return moments(s, hi, shift&63)
}

func momentsGeneric(s []int64, hi int64, shift uint) (sum, squares int64) {
	for _, v := range s {
		x := (hi - v) >> shift
		sum += x
		squares += x * x
	}
	return sum, squares
}

// Natural returns min(2^21 − 1, w·2^(16−k)): the exponent w/2^k in natural units with 16 fraction bits, rounded down and
// capped at 32, beyond which e^−x is below 2^−46. 0 ≤ w < 2^62.
func Natural(w int64, k int32) int64 {
	if k >= 16 {
		w >>= uint(min(k-16, 63))
	} else {
		w = min(w, 1<<21) << uint(min(16-k, 40))
	}
	return min(w, 1<<21-1)
}

// ExpChord sets e[j] to the exponential of Octaves(d[j]·mf, k) by DI-Exp (Pow2) or, with quad, DI-Exp+ (Pow2Quad).
//
// 0 ≤ d < 2^16, 0 ≤ mf < 2^17.
func ExpChord(e, d []int32, mf int64, k int32, quad bool) {
	expChord(e, d[:len(e)], mf, k, quad)
}

func expChordGeneric(e, d []int32, mf int64, k int32, quad bool) {
	for j, c := range d[:len(e)] {
		e[j] = pow2Q30(Octaves(int64(c)*mf, k), quad)
	}
}

// Fractions is a table of 2^−f over the fraction of an octave.
type Fractions struct {
	Bits  int  // 2^Bits steps an octave: 2 (with Lerp and Short alone), 3, 5 or 6
	Lerp  bool // lines between the entries instead of the nearest one
	Short bool // the result is cut to 15 bits

	table, diff [64]int32 // entry i mod 2^Bits, and what it is above the next
}

// NewFractions takes the 2^bits + 1 entries, Q30, falling from 2^30 to 2^29.
func NewFractions(entries []int32, lerp, short bool) *Fractions {
	f := &Fractions{Lerp: lerp, Short: short}
	for 1<<f.Bits < len(entries)-1 {
		f.Bits++
	}
	for i := range f.table {
		j := i & (1<<f.Bits - 1)
		f.table[i], f.diff[i] = entries[j], entries[j]-entries[j+1]
	}
	return f
}

// Q30 returns the exponential of v octaves, 15 fraction bits, 0 ≤ v < 2^20.
func (f *Fractions) Q30(v int64) int64 {
	w := uint(15-f.Bits) & 63
	if !f.Lerp { // entry 2^Bits is entry 0 of the next octave
		v += 1 << (w - 1)
		return int64(f.table[v>>w&(1<<f.Bits-1)]) >> uint(v>>15&63)
	}
	i := v >> w & (1<<f.Bits - 1)
	e := (int64(f.table[i]) - int64(f.diff[i])*(v&(1<<w-1))>>w) >> uint(v>>15&63)
	if f.Short {
		e &= -1 << 15
	}
	return e
}

// ExpFraction sets e[j] = f.Q30(Octaves(d[j]·mf, k)). 0 ≤ d < 2^16, 0 ≤ mf < 2^17.
func ExpFraction(e, d []int32, mf int64, k int32, f *Fractions) {
	expFraction(e, d[:len(e)], mf, k, f)
}

func expFractionGeneric(e, d []int32, mf int64, k int32, f *Fractions) {
	for j, c := range d[:len(e)] {
		e[j] = int32(f.Q30(Octaves(int64(c)*mf, k)))
	}
}

// DirectQ30 returns table[round(x·step / 2^32)], 0 beyond the table, for x of Natural and 0 ≤ step < 2^40.
func DirectQ30(x, step int64, table *[256]int32) int64 {
	if i := (x*step + 1<<31) >> 32; i < 256 {
		return int64(table[i])
	}
	return 0
}

// ExpDirect sets e[j] = DirectQ30(Natural(d[j]·m, k), step, table). 0 ≤ d < 2^16, 0 ≤ m < 2^16.
func ExpDirect(e, d []int32, m int64, k int32, step int64, table *[256]int32) {
	expDirect(e, d[:len(e)], m, k, step, table)
}

func expDirectGeneric(e, d []int32, m int64, k int32, step int64, table *[256]int32) {
	for j, c := range d[:len(e)] {
		e[j] = int32(DirectQ30(Natural(int64(c)*m, k), step, table))
	}
}

// ExpLookup sets e[j] = table[d[j]], 0 ≤ d < 256: what every exponential of 8-bit codes comes to once a row has its table.
func ExpLookup(e, d []int32, table *[256]int32) {
	expLookup(e, d[:len(e)], table)
}

func expLookupGeneric(e, d []int32, table *[256]int32) {
	for j, c := range d[:len(e)] {
		e[j] = table[uint8(c)]
	}
}

// ln2Q16 is ln 2 in 16 fraction bits, the period of the range reductions.
const ln2Q16 = 45426

// TaylorQ30 returns the Taylor polynomial of order 2 … 5 of e^−p, p the rest of x modulo ln 2, shifted by the quotient:
// Horner's acc = 2^30 − round(p·acc/i), i = order … 1. x of Natural; every product is below 2^60.
func TaylorQ30(x int64, order int) int64 {
	z := x / ln2Q16
	p := (x - z*ln2Q16) << 14
	acc := int64(1) << 30
	for i := int64(order); i >= 1; i-- {
		acc = 1<<30 - (p*acc>>30+i>>1)/i
	}
	return acc >> uint(z)
}

// ExpTaylor sets e[j] = TaylorQ30(Natural(d[j]·m, k), order). 0 ≤ d < 2^16, 0 ≤ m < 2^16, 2 ≤ order ≤ 5.
func ExpTaylor(e, d []int32, m int64, k int32, order int) {
	expTaylor(e, d[:len(e)], m, k, order)
}

func expTaylorGeneric(e, d []int32, m int64, k int32, order int) {
	for j, c := range d[:len(e)] {
		e[j] = int32(TaylorQ30(Natural(int64(c)*m, k), order))
	}
}

// BERTQ30 returns I-BERT's i-exp, (0.35815147·p² + 0.96963238·p + 1)·2^−z, for p = −(x mod ln 2) and the quotient z;
// x of Natural.
func BERTQ30(x int64) int64 {
	z := x / ln2Q16
	p := z*ln2Q16 - x
	return (1<<30 + 1016733*p>>6 + p*p>>16*375549>>6) >> uint(z)
}

// ExpBERT sets e[j] = BERTQ30(Natural(d[j]·m, k)). 0 ≤ d < 2^16, 0 ≤ m < 2^16.
func ExpBERT(e, d []int32, m int64, k int32) {
	expBERT(e, d[:len(e)], m, k)
}

func expBERTGeneric(e, d []int32, m int64, k int32) {
	for j, c := range d[:len(e)] {
		e[j] = int32(BERTQ30(Natural(int64(c)*m, k)))
	}
}

// Lines is a piecewise linear exponential.
type Lines struct {
	Start     [16]int32 // x of Natural at which each segment starts, rising from 0
	Slope     [16]int32 // Q24
	Intercept [16]int32 // Q30, not negative
}

// Q30 returns max(0, (slope·x>>10) + intercept) of the segment of x.
func (l *Lines) Q30(x int64) int64 {
	i := 0
	for i < 15 && x >= int64(l.Start[i+1]) {
		i++
	}
	return max(0, int64(l.Slope[i])*x>>10+int64(l.Intercept[i]))
}

// ExpLines sets e[j] = l.Q30(Natural(d[j]·m, k)). 0 ≤ d < 2^16, 0 ≤ m < 2^16.
func ExpLines(e, d []int32, m int64, k int32, l *Lines) {
	expLines(e, d[:len(e)], m, k, l)
}

func expLinesGeneric(e, d []int32, m int64, k int32, l *Lines) {
	for j, c := range d[:len(e)] {
		e[j] = int32(l.Q30(Natural(int64(c)*m, k)))
	}
}

// unit brings fractions a/t, 0 ≤ a ≤ t < 2^62, to Q30 without a division each: round((a<<left>>right)·c / 2^31), with
// t<<left>>right in 2^30 … 2^31 − 1 and c = 2^61 over it. t/t is exactly 2^30.
func unit(t int64) (left, right uint, c int64) {
	l := 30 - bits.Len64(uint64(t)) + 1
	left, right = uint(max(l, 0)), uint(max(-l, 0))
	t = t << left >> right
	return left, right, (1<<61 + t>>1) / t
}

// PublishedQ30 returns (t − ⌈r/2⌉)>>q in steps of 1/t, for q = d div t and r = d mod t: DI-Exp as printed, in Q30.
// 0 ≤ d < 2^36, 1 ≤ t < 2^62.
func PublishedQ30(d, t int64) int64 {
	q := d / t
	left, right, c := unit(t)
	a := (t - (d-q*t+1)>>1) >> uint(min(q, 63))
	return (a<<left>>right*c + 1<<30) >> 31
}

// ExpPublished sets e[j] = PublishedQ30(d[j], t). 0 ≤ d < 2^16.
func ExpPublished(e, d []int32, t int64) {
	expPublished(e, d[:len(e)], t)
}

func expPublishedGeneric(e, d []int32, t int64) {
	for j, c := range d[:len(e)] {
		e[j] = int32(PublishedQ30(int64(c), t))
	}
}

// ShiftmaxQ30 returns ⌊(r/2 + t)·2^(15−q)⌋ in steps of 1/(t·2^15), for x' = max(x + ⌊x/2⌋ − ⌊x/16⌋, −15·t) of x = −d,
// q = x' div −t and r = x' + q·t ≤ 0: the exponential of I-ViT's Shiftmax, in Q30. 0 ≤ d < 2^36, 1 ≤ t < 2^46.
func ShiftmaxQ30(d, t int64) int64 {
	x := min(d+(d+1)>>1-(d+15)>>4, 15*t) // −x'
	q := x / t
	left, right, c := unit(t << 15)
	return ((2*t-x+q*t)<<14>>uint(q)<<left>>right*c + 1<<30) >> 31
}

// ExpShiftmax sets e[j] = ShiftmaxQ30(d[j], t). 0 ≤ d < 2^16.
func ExpShiftmax(e, d []int32, t int64) {
	expShiftmax(e, d[:len(e)], t)
}

func expShiftmaxGeneric(e, d []int32, t int64) {
	for j, c := range d[:len(e)] {
		e[j] = int32(ShiftmaxQ30(int64(c), t))
	}
}
