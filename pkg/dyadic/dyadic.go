package dyadic

import (
	"errors"

	"github.com/illm-go/illm/pkg/intmath"
)

// Bits is the default width B of a mantissa.
const Bits = 16

// Scale is the positive dyadic number M / 2^K. A fitted Scale of B bits has 2^(B−1) ≤ M < 2^B.
type Scale struct {
	M uint32
	K int32
}

var errDomain = errors.New("dyadic: Fit needs 1 ≤ num < 2^62, 1 ≤ den < 2^46 and 2 ≤ bits ≤ 24")

// Fit returns the Scale of the given mantissa width nearest to num / den.
//
// Domain: 1 ≤ num < 2^62, 1 ≤ den < 2^46, 2 ≤ bits ≤ 16 (bits ≤ 24 while den < 2^38): then every
// intermediate stays below 2^62. Error: relative, at most 2^−bits (half a unit of M). Panics outside
// num, den and bits as named, a mistake of the program: both come from operators that know their range.
//
// Source: ours; the paper's shift by the top bit is the unrounded form of it.
func Fit(num, den uint64, bits int) Scale {
	if num-1 >= 1<<62-1 || den-1 >= 1<<46-1 || bits < 2 || bits > 24 {
		panic(errDomain)
	}
	l := intmath.ILog2(num) - intmath.ILog2(den)
	if num<<uint(max(-l, 0)) < den<<uint(max(l, 0)) {
		l--
	}
	e := bits - 1 - l
	var m int64
	if den == 1 { // a product of scales: nothing to divide
		m = intmath.RoundShift(int64(num), -e)
	} else {
		m = intmath.DivRound(int64(num<<uint(max(e, 0))), int64(den<<uint(max(-e, 0))))
	}
	if m == 1<<uint(bits) {
		m >>= 1
		e--
	}
	return Scale{M: uint32(m), K: int32(e)}
}

// Mul returns s·t fitted again: Fit(s.M·t.M, 1) with s.K + t.K added.
//
// Domain: both mantissas ≥ 1 and below 2^31.
func (s Scale) Mul(t Scale, bits int) Scale {
	p := Fit(uint64(s.M)*uint64(t.M), 1, bits)
	p.K += s.K + t.K
	return p
}

// Apply returns round(x·s) = RoundShift(x·M, K). Domain: |x·M| < 2^62 and the result in range.
func (s Scale) Apply(x int64) int64 {
	return intmath.RoundShift(x*int64(s.M), int(s.K))
}

// One returns the Scale of value 1 with a mantissa of the given width: (2^(B−1), B−1).
func One(bits int) Scale {
	return Scale{M: 1 << uint(bits-1), K: int32(bits - 1)}
}
