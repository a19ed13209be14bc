package di

import (
	"fmt"
	"math/bits"

	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// The widths of what is rotated, as NewHadamard takes them.
const (
	RotaryBits = 16 // queries and keys behind RoPE: |T| < 2^15·√2
	MergedBits = 48 // U of Merge
	ReLUBits   = 31 // max(T, 0) after a shift to 31 bits
)

// ProductBits is the width of a product of SwiGLU whose operands have n_glu bits.
func ProductBits(glu int) int {
	if glu > 8 {
		return 47
	}
	return 31
}

// Hadamard multiplies rows of n channels by H/√n, which spreads one large channel over all and changes no length: the
// entries of H are ±1, so that the row takes sums and differences alone and 1/√n goes into its scale.
//
// H = H_o ⊗ H_{2^j} with n = o·2^j, o = 1, 12, 28 or 36; its entries are those of vec.Hadamard.
//
// Source: QuaRot (arXiv 2404.00456) and QuIP# for online Hadamard transforms and their orders, in half precision there;
// Paley (1933) for H_12, H_28, H_36. I-LLM has none.
type Hadamard struct {
	n, order int
	root     dyadic.Scale // 1/√n
}

// NewHadamard returns the rotation of n channels for entries |T| ≤ 2^below. It refuses orders without a matrix, and rows
// that could pass the 2^60 of Requant: n·2^below > 2^60.
func NewHadamard(n, below int) (*Hadamard, error) {
	o, ok := hadamardOrder(n)
	if !ok {
		return nil, fmt.Errorf("di: Hadamard matrix of order %d: expected 2^j times 1, 12, 28 or 36: leave this site unrotated", n)
	}
	if below < 0 || below > 60 || n > 1<<(60-below) {
		return nil, fmt.Errorf("di: Hadamard matrix of order %d over entries of %d bits: expected an order of at most %d, so that sums stay below 2^60: leave this site unrotated",
			n, below, int64(1)<<min(max(60-below, 0), 60))
	}
	return &Hadamard{n: n, order: o, root: dyadic.Fit(intmath.Isqrt(1<<60/uint64(n)), 1<<30, dyadic.Bits)}, nil
}

// hadamardOrder returns o of n = o·2^j: the odd part of n tells it.
func hadamardOrder(n int) (o int, ok bool) {
	for _, o := range []int{36, 28, 12, 1} {
		if n >= o && n%o == 0 && bits.OnesCount(uint(n/o)) == 1 {
			return o, true
		}
	}
	return 0, false
}

// Len is n.
func (h *Hadamard) Len() int { return h.n }

// Scale is 1/√n, by which a row's scale is multiplied: fit(⌊√(2^60 div n)⌋, 2^30).
func (h *Hadamard) Scale() dyadic.Scale { return h.root }

// Apply sets t to H·t in place and returns the scale m2/2^k2 = m/2^k·1/√n and the range for Requant.
//
// In: T int64 [n], |T| ≤ 2^below of NewHadamard, m < 2^16. Out: |T| ≤ 2^60, m2 of 16 bits. Error: none of the row, 2^−15
// of its scale.
func (h *Hadamard) Apply(t []int64, m uint32, k int32) (m2 uint32, k2 int32, lo, hi int64) {
	if len(t) != h.n {
		panic(errHadamard)
	}
	vec.Hadamard(t, h.order)
	lo, hi = vec.MinMax(t)
	s := h.root.Mul(dyadic.Scale{M: m, K: k}, dyadic.Bits)
	return s.M, s.K, lo, hi
}
