package intmath

import "math/bits"

// Isqrt returns ⌊√a⌋ for a < 2^62, one result bit a step and without a division (I-SQRT).
//
// Domain: a < 2^62; above it the result is that of a saturated to 2^62 − 1.
//
// Source: I-LLM, Algorithm 4. Departure: none.
func Isqrt(a uint64) uint64 {
	rem := min(a, 1<<62-1)
	var res uint64
	// Steps above the top bit of a change nothing, so start at the highest even bit position.
	for bit := uint64(1) << (uint(ILog2(rem)) &^ 1); bit != 0; bit >>= 2 {
		t := res + bit
		res >>= 1
		if rem >= t {
			rem -= t
			res += bit
		}
	}
	return res
}

// IsqrtNewton returns ⌊√a⌋ for a < 2^62 by Newton's iteration: the same bits as Isqrt by another road.
//
// It starts above the root, at 2^⌈bits/2⌉, and stops when a step no longer falls, so it is exact after
// at most 7 divisions. A fixed number of steps from a fixed start is not (10 steps from 2^16 are wrong
// by a factor of 5 at a = 100 and of 16 at a = 2^60).
//
// Domain: a < 2^62; above it the result is that of a saturated to 2^62 − 1.
func IsqrtNewton(a uint64) uint64 {
	a = min(a, 1<<62-1)
	if a == 0 {
		return 0
	}
	x := uint64(1) << (uint(bits.Len64(a)+1) / 2)
	for {
		y := (x + a/x) >> 1
		if y >= x {
			return x
		}
		x = y
	}
}
