package vec

// The functions of this file are the definitions; a path for an instruction set equals them bit for bit.
// Slices after the first have at least its length unless the comment says otherwise, and a shift named s,
// n or h lies in 0…62. "round" is to nearest, halves away from zero: with n > 0,
// round(x/2^n) = (x + 2^(n−1) + (x>>63)) >> n.

// half returns 2^(n−1), the rounding term of a shift by n, and 0 for n = 0.
func half(n uint) int64 { return 1 << (n & 63) >> 1 }

// MinMax returns min(0, min t) and max(0, max t).
func MinMax(t []int64) (lo, hi int64) {
	return minMax(t)
}

// Accumulate sets t[j] = (acc[j] − z·sum[j] − (zero[j]−off)·c)·m[j] and returns min(0, min t), max(0, max t).
//
// The bracket is computed in wrapping int32; its true value fits. 0 ≤ m < 2^24, so |t| < 2^55.
func Accumulate(t []int64, acc, sum, m []int32, zero []uint8, z, c, off int32) (lo, hi int64) {
	return accumulate(t, acc, sum, m, zero, z, c, off)
}

// AddBias adds round(bias[j]·r·2^l / 2^s) to t[j], one of l and s being 0, and returns min(0, min t), max(0, max t).
//
// |bias| < 2^23, 0 ≤ r < 2^24, l ≤ 12, so that the product is below 2^59; |t| < 2^55.
func AddBias(t []int64, bias []int32, r int64, l, s uint) (lo, hi int64) {
	return addBias(t, bias, r, l, s)
}

// ReLU sets t[j] = max(0, t[j]).
func ReLU(t []int64) {
	relu(t)
}

// Requant sets dst[j] = clamp(z + round((t[j]>>s)·g / 2^h), 0, top) and returns Σ dst.
//
// −2^31 ≤ t[j]>>s < 2^31, 0 ≤ g < 2^31, 1 ≤ h, 0 ≤ z ≤ top ≤ 255.
func Requant(dst []uint8, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	return requant(dst, t, s, g, h, z, top)
}

// Requant16 is Requant for top ≤ 65535.
func Requant16(dst []uint16, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	return requant16(dst, t, s, g, h, z, top)
}

// Rotate brings t to 16 bits and turns the pairs (i, i + len(t)/2) by the angles of cos and sin, in place:
// a = clamp(round(t/2^s), ±32767); (a, b) → round((a·c − b·s)/2^14), round((a·s + b·c)/2^14).
//
// It returns min(0, min t), max(0, max t) of the result. len(cos) = len(sin) = len(t)/2, Q14.
func Rotate(t []int64, cos, sin []int16, s uint) (lo, hi int64) {
	return rotate(t, cos, sin, s)
}

// Scores sets s[j] = round((acc'·m[j])·2^16 / 2^(k[j]−kmin)) with
// acc' = acc[j] − zq·sum[j] − zero[j]·c, and returns the plain minimum and maximum of s (s is not empty).
//
// |acc'| < 2^24, m < 2^16, k[j] ≥ kmin; a shift of 63 or more gives 0.
func Scores(s []int64, acc, sum, zero, k []int32, m []uint32, zq, c, kmin int32) (lo, hi int64) {
	return scores(s, acc, sum, zero, k, m, zq, c, kmin)
}

// roundShift rounds v/2^n without a branch; |v| < 2^61, and n ≥ 62 gives 0 as it must.
func roundShift(v int64, n uint32) int64 {
	n = min(n, 62)
	r := int64(1) << (n & 63) >> 1
	return (v + r + v>>63&(-r>>63)) >> (n & 63)
}

// Exp sets e[j] to the exponential, in Q30, of the distance code
// d = min(round((min(hi−s[j], r)>>s1)·g / 2^h), top): with w = d·mf and v = Octaves(w, k), the base of v
// (Pow2 or, with quad, Pow2Quad) times 2^15, shifted right by v>>15.
//
// 0 ≤ hi − s[j] < 2^58, r ≥ 0, r>>s1 < 2^31, g < 2^31, h ≥ 1, top ≤ 65535, mf < 2^17.
func Exp(e []int32, s []int64, hi, r int64, s1 uint, g int64, h uint, top, mf int64, k int32, quad bool) {
	exp(e, s, hi, r, s1, g, h, top, mf, k, quad)
}

func pow2Q30(v int64, quad bool) int32 {
	b := Pow2(v)
	if quad {
		b = Pow2Quad(v)
	}
	return int32(b << 15 >> (uint(v>>15) & 63))
}

// Octaves returns min(2^20 − 1, w·2^(15−k)): the exponent w/2^k of one half, in octaves with 15 fraction bits,
// rounded down and capped just below 32 octaves. 0 ≤ w < 2^62.
func Octaves(w int64, k int32) int64 {
	if k >= 15 {
		w >>= uint(min(k-15, 63))
	} else {
		w = min(w, 1<<22) << uint(min(15-k, 40))
	}
	return min(w, 1<<20-1)
}

// Pow2 returns the base b of 2^(−v/2^15) = b/2^15 · 2^−(v>>15): the chord 1 − f/2 of the fraction f.
func Pow2(v int64) int64 {
	return 32768 - v&32767>>1
}

// Pow2Quad is Pow2 with the parabola 11/64·f(1−f) taken off.
func Pow2Quad(v int64) int64 {
	f := v & 32767
	return 32768 - f>>1 - f*(32768-f)>>15*11>>6
}

// Fold sets w[j] = round(e[j]·m[j] / 2^(k[j]−kmin)) and returns max(0, max w), Σ w and Σ e.
//
// 0 ≤ e ≤ 2^30, m < 2^16, k[j] ≥ kmin, so 0 ≤ w < 2^46.
func Fold(w []int64, e []int32, m []uint32, k []int32, kmin int32) (top, sumW, sumE int64) {
	return fold(w, e, m, k, kmin)
}

// SumShift returns Σ w[j]>>s.
func SumShift(w []int64, s uint) (sum int64) {
	return sumShift(w, s)
}

// Split sets N = min(32767, round((w[j]>>s)·c / 2^n)) in two bytes, N = 128·hi[j] + lo[j] with lo[j] < 128,
// and returns Σ N and Σ N·zero[j].
//
// 0 ≤ w>>s < 2^31, 0 ≤ c ≤ 2^31 (a product of unsigned 32-bit factors), n ≥ 1, |zero| ≤ 2^16.
func Split(lo, hi []uint8, w []int64, s uint, c int64, n uint, zero []int32) (sum, dot int64) {
	return split(lo, hi, w, s, c, n, zero)
}

// Join sets u[j] = 128·hi[j] + lo[j] in wrapping int32.
func Join(u, hi, lo []int32) {
	join(u, hi, lo)
}

// Merge sets u[j] = round(((acc[j] − dot)·m)·2^8 / 2^n) and returns min(0, min u), max(0, max u).
//
// The bracket is computed in wrapping int32; its true value is below 2^24. m < 2^16.
func Merge(u []int64, acc []int32, dot int32, m int64, n uint) (least, most int64) {
	return merge(u, acc, dot, m, n)
}
