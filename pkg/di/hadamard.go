package di

import "math/bits"

// MaxMerged is the longest rotated row of merged heads, whose entries are below 2^48.
const MaxMerged = 4096

// MaxProduct is the longest rotated row of products of SwiGLU for operands of the given width: |y| < 2^31 up to 8 bits,
// where no artefact holds a row too long, and < 2^47 above.
func MaxProduct(bits int) int {
	if bits > 8 {
		return 8192
	}
	return 1 << 16
}

// HasHadamard reports whether n = o·2^j with o of 1, 12, 28 or 36.
func HasHadamard(n int) bool {
	_, _, ok := hadamardOrder(n)
	return ok
}

// hadamardOrder splits n = o·2^j: the largest o that divides n.
func hadamardOrder(n int) (o, j int, ok bool) {
	for _, o := range []int{36, 28, 12, 1} {
		if n >= o && n%o == 0 && bits.OnesCount(uint(n/o)) == 1 {
			return o, bits.TrailingZeros(uint(n / o)), true
		}
	}
	return 0, 0, false
}
