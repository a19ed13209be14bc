package intmath

import "math/bits"

// Asr returns ⌊x / 2^n⌋ for n ≥ 0; n ≥ 63 gives 0 or −1.
//
// A negative n is treated as 0, so that a caller's off-by-one cannot turn into a run-time panic of
// the shift.
func Asr(x int64, n int) int64 {
	if n <= 0 {
		return x
	}
	return x >> min(uint(n), 63)
}

// RoundShift returns x / 2^n rounded to nearest, halves away from zero: rsh(x, n).
//
// n = 0 returns x, n ≥ 63 returns 0, n < 0 returns x·2^−n (the caller answers for the range; −n ≥ 64
// gives 0). Domain: |x| < 2^62. The added sign bit makes it odd: RoundShift(−x, n) = −RoundShift(x, n).
//
// Source: equals gemmlowp's RoundingDivideByPOT, written without a branch on the sign.
func RoundShift(x int64, n int) int64 {
	if n <= 0 {
		return x << uint(-n)
	}
	if n >= 63 {
		return 0
	}
	return (x + 1<<(uint(n-1)&63) + x>>63) >> (uint(n) & 63)
}

// DivRound returns a / b rounded to nearest, halves away from zero: rdiv(a, b).
//
// Domain: b > 0, |a| < 2^62. Panics if b = 0, as Go's division does.
func DivRound(a, b int64) int64 {
	if a < 0 {
		return -((-a + b>>1) / b)
	}
	return (a + b>>1) / b
}

// FloorDiv returns ⌊a / b⌋ for b > 0.
func FloorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// ILog2 returns the position of the top bit of a, and 0 for a = 0 (a row of zeros).
func ILog2(a uint64) int {
	return 63 - bits.LeadingZeros64(a|1)
}

// Sat clamps x to [lo, hi].
func Sat(x, lo, hi int64) int64 {
	return max(lo, min(x, hi))
}

// SatShift returns x·2^−n clamped to ±2^b, rounded as RoundShift does: ssh(x, n, b).
//
// For n < 0 the clamp comes before the left shift, so nothing is shifted out: with c = min(−n, b) the
// result is Sat(x, ±2^(b−c))·2^c. Domain: |x| < 2^62, 0 ≤ b ≤ 61, any n.
func SatShift(x int64, n, b int) int64 {
	if n >= 0 {
		top := int64(1) << (uint(b) & 63)
		return Sat(RoundShift(x, n), -top, top)
	}
	c := uint(b)
	if n > -b { // compared without negating n, which may be the least int
		c = uint(-n)
	}
	top := int64(1) << (uint(b) - c)
	return Sat(x, -top, top) << c
}
