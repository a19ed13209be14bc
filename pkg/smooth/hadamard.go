package smooth

// Order decomposes n into o·2^j with a ±1 matrix H_o of order o that [Matrix] knows; the Hadamard matrix of order n is
// H_o ⊗ H_{2^j}: index (a, b) = a·2^j + b, butterflies (u, v) → (u + v, u − v) at distances 1, 2, … 2^(j−1) inside each
// block of 2^j, then H_o across blocks. ok is false if there is none.
//
// With t the odd part of n: o = 1 for t = 1, else o = 4t (n a multiple of it): 12, 20, 28, 36, 44, 60, 76, 140 …
func Order(n int) (o, j int, ok bool) {
	if n < 1 || n > maxValues {
		return 0, 0, false
	}
	t, twos := n, 0
	for t%2 == 0 {
		t /= 2
		twos++
	}
	if t == 1 {
		return 1, twos, true
	}
	if twos < 2 || 4*t > maxOrder || !paley1(t) && !paley2(t) {
		return 0, 0, false
	}
	return 4 * t, twos - 2, true
}

// maxOrder bounds H_o: the transform across blocks costs o additions a value.
const maxOrder = 256

func paley1(t int) bool { return prime(4*t - 1) } // 4t − 1 ≡ 3 mod 4
func paley2(t int) bool { return t%2 == 1 && prime(2*t-1) }

func prime(n int) bool {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n > 1
}

// Matrix returns H_o, rows of ±1 with H·Hᵀ = o·I, for an o that Order gives; nil for any other.
//
// With χ the Legendre symbol, Q_ab = χ(a − b) mod q and S = [[0, 1ᵀ], [±1, Q]]:
//
//	o − 1 = q prime, q ≡ 3 mod 4    I + S, lower sign                                             Paley I
//	o/2 − 1 = q prime, q ≡ 1 mod 4  S ⊗ [[1, 1], [1, −1]] + I ⊗ [[1, −1], [−1, −1]], upper sign    Paley II
//
// Paley I goes first where both exist (12). H_12 is not symmetric: H·x is not Hᵀ·x.
//
// Source: Paley 1933.
func Matrix(o int) [][]int8 {
	switch {
	case o == 1:
		return [][]int8{{1}}
	case o%8 != 4 || o == 4 || o > maxOrder:
		return nil
	case paley1(o / 4):
		h := jacobsthal(o-1, -1)
		for i := range h {
			h[i][i] = 1
		}
		return h
	case paley2(o / 4):
		s := jacobsthal(o/2-1, 1)
		h := make([][]int8, o)
		for a := range h {
			h[a] = make([]int8, o)
			for b := range h[a] {
				u, v := int8(1), int8(-1) // of [[1, 1], [1, −1]] and [[1, −1], [−1, −1]]
				if a%2 == 1 && b%2 == 1 {
					u = -1
				} else if a%2 == 0 && b%2 == 0 {
					v = 1
				}
				h[a][b] = s[a/2][b/2] * u
				if a/2 == b/2 {
					h[a][b] += v
				}
			}
		}
		return h
	}
	return nil
}

// jacobsthal is S of order q + 1.
func jacobsthal(q int, sign int8) [][]int8 {
	chi := make([]int8, q)
	for i := 1; i < q; i++ {
		chi[i] = -1
	}
	for i := 1; i < q; i++ {
		chi[i*i%q] = 1
	}
	chi[0] = 0
	s := make([][]int8, q+1)
	for a := range s {
		s[a] = make([]int8, q+1)
		for b := range s[a] {
			switch {
			case a == 0 && b == 0:
			case a == 0:
				s[a][b] = 1
			case b == 0:
				s[a][b] = sign
			default:
				s[a][b] = chi[((a-b)%q+q)%q]
			}
		}
	}
	return s
}

// hadamard is the transform of one order.
type hadamard struct {
	n, o, block int
	outer       [][]int8
}

func newHadamard(n int) (*hadamard, bool) {
	o, j, ok := Order(n)
	if !ok {
		return nil, false
	}
	return &hadamard{n: n, o: o, block: 1 << j, outer: Matrix(o)}, true
}

// apply sets x to H·x; tmp has room for o values. Sums run in the order of the indices, so that the bits are the same
// everywhere.
func (h *hadamard) apply(x, tmp []float64) {
	for d := 1; d < h.block; d *= 2 {
		for i := 0; i < h.n; i += 2 * d {
			for k := i; k < i+d; k++ {
				u, v := x[k], x[k+d]
				x[k], x[k+d] = u+v, u-v
			}
		}
	}
	if h.o == 1 {
		return
	}
	for b := range h.block {
		for a := range h.o {
			sum := 0.0
			for c, s := range h.outer[a] {
				if v := x[c*h.block+b]; s > 0 {
					sum += v
				} else {
					sum -= v
				}
			}
			tmp[a] = sum
		}
		for a := range h.o {
			x[a*h.block+b] = tmp[a]
		}
	}
}
