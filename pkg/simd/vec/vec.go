package vec

// The functions of this file are the definitions; a path for an instruction set equals them bit for bit.
// Slices after the first have at least its length unless the comment says otherwise, and a shift named s,
// n or h lies in 0…62. "round" is to nearest, halves away from zero: with n > 0,
// round(x/2^n) = (x + 2^(n−1) + (x>>63)) >> n.

// half returns 2^(n−1), the rounding term of a shift by n, and 0 for n = 0.
func half(n uint) int64 { return 1 << (n & 63) >> 1 }

// MinMax returns min(0, min t) and max(0, max t).
func MinMax(t []int64) (lo, hi int64) {
	for _, v := range t {
		lo = min(lo, v)
		hi = max(hi, v)
	}
	return lo, hi
}

// Accumulate sets t[j] = (acc[j] − z·sum[j] − (zero[j]−off)·c)·m[j] and returns min(0, min t), max(0, max t).
//
// The bracket is computed in wrapping int32; its true value fits. 0 ≤ m < 2^24, so |t| < 2^55.
func Accumulate(t []int64, acc, sum, m []int32, zero []uint8, z, c, off int32) (lo, hi int64) {
	n := len(t)
	acc, sum, m, zero = acc[:n], sum[:n], m[:n], zero[:n]
	for j := range t {
		v := int64(acc[j]-z*sum[j]-(int32(zero[j])-off)*c) * int64(m[j])
		t[j] = v
		lo = min(lo, v)
		hi = max(hi, v)
	}
	return lo, hi
}

// Requant sets dst[j] = clamp(z + round((t[j]>>s)·g / 2^h), 0, top) and returns Σ dst.
//
// |t[j]>>s| ≤ 2^31, 0 ≤ g < 2^31, 1 ≤ h, 0 ≤ z ≤ top ≤ 255.
func Requant(dst []uint8, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	t = t[:len(dst)]
	s, h = s&63, h&63
	r := half(h)
	for j, v := range t {
		p := (v >> s) * g
		y := max(0, min(z+(p+r+p>>63)>>h, top))
		dst[j] = uint8(y)
		sum += y
	}
	return sum
}

// Requant16 is Requant for top ≤ 65535.
func Requant16(dst []uint16, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	t = t[:len(dst)]
	s, h = s&63, h&63
	r := half(h)
	for j, v := range t {
		p := (v >> s) * g
		y := max(0, min(z+(p+r+p>>63)>>h, top))
		dst[j] = uint16(y)
		sum += y
	}
	return sum
}

// Rotate brings t to 16 bits and turns the pairs (i, i + len(t)/2) by the angles of cos and sin, in place:
// a = clamp(round(t/2^s), ±32767); (a, b) → round((a·c − b·s)/2^14), round((a·s + b·c)/2^14).
//
// It returns min(0, min t), max(0, max t) of the result. len(cos) = len(sin) = len(t)/2, Q14.
func Rotate(t []int64, cos, sin []int16, s uint) (lo, hi int64) {
	d := len(t) / 2
	ta, tb := t[:d], t[d:2*d]
	cos, sin = cos[:d], sin[:d]
	s &= 63
	r, neg := half(s), -half(s)>>63
	for i, a := range ta {
		b := tb[i]
		a = max(-32767, min((a+r+a>>63&neg)>>s, 32767))
		b = max(-32767, min((b+r+b>>63&neg)>>s, 32767))
		c, n := int64(cos[i]), int64(sin[i])
		x, y := a*c-b*n, a*n+b*c
		x = (x + 1<<13 + x>>63) >> 14
		y = (y + 1<<13 + y>>63) >> 14
		ta[i], tb[i] = x, y
		lo = min(lo, x, y)
		hi = max(hi, x, y)
	}
	return lo, hi
}

// Scores sets s[j] = round((acc'·m[j])·2^16 / 2^(k[j]−kmin)) with
// acc' = acc[j] − zq·sum[j] − zero[j]·c, and returns the plain minimum and maximum of s (s is not empty).
//
// |acc'| < 2^24, m < 2^16, k[j] ≥ kmin; a shift of 63 or more gives 0.
func Scores(s []int64, acc, sum, zero, k []int32, m []uint32, zq, c, kmin int32) (lo, hi int64) {
	n := len(s)
	acc, sum, zero, k, m = acc[:n], sum[:n], zero[:n], k[:n], m[:n]
	lo, hi = 1<<63-1, -1<<63
	for j := range s {
		v := int64(acc[j]-zq*sum[j]-zero[j]*c) * int64(m[j]) << 16
		v = roundShift(v, uint32(k[j]-kmin))
		s[j] = v
		lo = min(lo, v)
		hi = max(hi, v)
	}
	return lo, hi
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
	s = s[:len(e)]
	s1, h = s1&63, h&63
	c := half(h)
	if top > 255 || len(e) < 256 {
		for j, v := range s {
			d := min((min(hi-v, r)>>s1*g+c)>>h, top)
			e[j] = pow2Q30(Octaves(d*mf, k), quad)
		}
		return
	}
	var table [256]int32 // a long row meets each code many times
	for d := range top + 1 {
		table[d] = pow2Q30(Octaves(d*mf, k), quad)
	}
	for j, v := range s {
		d := min((min(hi-v, r)>>s1*g+c)>>h, top)
		e[j] = table[uint8(d)]
	}
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
	n := len(w)
	e, m, k = e[:n], m[:n], k[:n]
	for j := range w {
		v := int64(e[j])
		sumE += v
		v = roundShift(v*int64(m[j]), uint32(k[j]-kmin))
		w[j] = v
		sumW += v
		top = max(top, v)
	}
	return top, sumW, sumE
}

// SumShift returns Σ w[j]>>s.
func SumShift(w []int64, s uint) (sum int64) {
	s &= 63
	for _, v := range w {
		sum += v >> s
	}
	return sum
}

// Split sets N = min(32767, round((w[j]>>s)·c / 2^n)) in two bytes, N = 128·hi[j] + lo[j] with lo[j] < 128,
// and returns Σ N and Σ N·zero[j].
//
// 0 ≤ w>>s < 2^31, 0 ≤ c ≤ 2^31 (a product of unsigned 32-bit factors), n ≥ 1, |zero| ≤ 2^16.
func Split(lo, hi []uint8, w []int64, s uint, c int64, n uint, zero []int32) (sum, dot int64) {
	k := len(w)
	lo, hi, zero = lo[:k], hi[:k], zero[:k]
	s, n = s&63, n&63
	r := half(n)
	for j, v := range w {
		p := min((v>>s*c+r)>>n, 32767)
		lo[j] = uint8(p & 127)
		hi[j] = uint8(p >> 7)
		sum += p
		dot += p * int64(zero[j])
	}
	return sum, dot
}

// Merge sets u[j] = round(((128·hi[j] + lo[j] − dot)·m)·2^8 / 2^n) and returns min(0, min u), max(0, max u).
//
// The bracket is computed in wrapping int32; its true value is below 2^24. m < 2^16.
func Merge(u []int64, hi, lo []int32, dot int32, m int64, n uint) (least, most int64) {
	k := len(u)
	hi, lo = hi[:k], lo[:k]
	for j := range u {
		v := roundShift(int64(hi[j]<<7+lo[j]-dot)*m<<8, uint32(n))
		u[j] = v
		least = min(least, v)
		most = max(most, v)
	}
	return least, most
}
