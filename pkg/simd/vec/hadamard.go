package vec

import "errors"

var errHadamard = errors.New("vec: Hadamard: length is not order·2^j, or no matrix of that order")

// Hadamard sets t to H·t for H = H_o ⊗ H_{2^j}, len(t) = o·2^j, o = 1, 12, 28 or 36. Index a·2^j + b: butterflies
// (u, v) → (u+v, u−v) at distances 1, 2, … 2^(j−1) inside each block of 2^j, then the ±1 matrix H_o over the blocks.
// Sums and differences alone, so that every order of evaluation gives the same bits.
//
// With χ the Legendre symbol, Q_ab = χ(a − b) mod q and S = [[0, 1ᵀ], [±1, Q]]:
//
//	H_12 = I + S                                     q = 11, lower sign (Paley I)
//	H_28 = S ⊗ [[1,1],[1,−1]] + I ⊗ [[1,−1],[−1,−1]]   q = 13, upper sign (Paley II)
//	H_36 = the same                                  q = 17
//
// H·Hᵀ = len(t)·I. H_12 is not symmetric. Range: |result| ≤ len(t)·max|t|, which must stay below 2^63.
func Hadamard(t []int64, order int) {
	n := len(t)
	if order != 1 && coreOf(order) == nil || n < order || n%order != 0 || n/order&(n/order-1) != 0 {
		panic(errHadamard)
	}
	walsh(t, n/order)
	if order > 1 {
		across(t, order)
	}
}

// core is S of a Paley matrix, and whether the matrix is Paley's second form, twice as large.
type core struct {
	size   int
	double bool
	plus   [][]uint8 // [size]: the columns of +1; those of −1 are the others but the diagonal
}

var core12, core28, core36 = newCore(11, false), newCore(13, true), newCore(17, true)

// coreOf returns S of H_order, nil where there is none.
func coreOf(order int) *core {
	switch order {
	case 12:
		return core12
	case 28:
		return core28
	case 36:
		return core36
	}
	return nil
}

// newCore builds S over the residues of the prime q: antisymmetric for q ≡ 3 mod 4, symmetric for q ≡ 1.
func newCore(q int, double bool) *core {
	square := make([]bool, q)
	for x := 1; x < q; x++ {
		square[x*x%q] = true
	}
	s := &core{size: q + 1, double: double, plus: make([][]uint8, q+1)}
	for a := range s.plus {
		for b := range s.plus {
			if a != b && (a == 0 || b == 0 && double || b > 0 && square[(a-b+q)%q]) {
				s.plus[a] = append(s.plus[a], uint8(b))
			}
		}
	}
	return s
}
