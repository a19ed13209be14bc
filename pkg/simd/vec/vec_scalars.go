//go:build !purego && (amd64 || arm64)

package vec

// join2 joins two ranges.
func join2(a, b, c, d int64) (lo, hi int64) { return min(a, c), max(b, d) }

// signed31 makes the factor of a product that is rounded by n a signed number of 32 bits, if it can: x·2^31 is even, so
// that with n > 1 its half rounds by n − 1 to the same.
func signed31(rho int64, n uint) (int64, uint, bool) {
	if rho == 1<<31 && n > 1 {
		return rho / 2, n - 1, true
	}
	return rho, n, rho < 1<<31
}

// octaves32 is Octaves as (min(w, limit)<<left)>>right for w < 2^25, in 32 bits: shifted right where k ≥ 15, else left,
// cut off first where the shift would pass 2^20, the cap that the kernels end with.
func octaves32(k int32) (limit, left, right int32) {
	if k >= 15 {
		return -1, 0, min(k-15, 31)
	}
	left = min(15-k, 20)
	return 1 << 20 >> left, left, 0
}

// octaves64 is the same for w < 2^62.
func octaves64(k int32) (limit, left, right int64) {
	if k >= 15 {
		return 1 << 62, 0, int64(min(k-15, 63))
	}
	return 1 << 22, int64(min(15-k, 40)), 0
}
