package vec

import (
	"math/bits"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// requantBoth quantises a row as di does, held and in its order, on a grid of its own range.
func requantBoth(s *source, p *Pending, lo, hi int64, b int) []any {
	r := max(1, hi-lo)
	shift := uint(max(0, bits.Len64(uint64(r))-31))
	rr := r >> shift
	h := uint(bits.Len64(uint64(rr)) + 30 - b)
	g := ((1<<b-1)<<h + rr/2) / rr
	z := ((-lo>>shift)*g + 1<<(h-1)) >> h
	dst := slab[uint8](s, s.n)
	sum := p.Requant(dst, shift, g, h, z, 1<<b-1)
	return []any{lo, hi, sum, dst, slices.Clone(p.Natural())}
}

// held gives a row of the largest capacity that a length needs, full of what an earlier row left.
func held(s *source) Pending {
	p := NewPending(s.n)
	for i := range p.wide {
		p.wide[i], p.narrow[i] = s.Int64(), s.Int32()
	}
	return p
}

func TestPendingNorm(t *testing.T) {
	walk(t, func(s *source) []any {
		b := 1 + s.IntN(24)
		h := ints[int32](s, s.n, -1<<b, 1<<b)
		gamma := ints[int32](s, s.n, -1<<23, 1<<23)
		rho, n := s.between(0, 1<<31), uint(s.between(25, 31))
		p := held(s)
		lo, hi := p.Norm(h, gamma, MaxAbs(h), rho, n)
		got := requantBoth(s, &p, lo, hi, 2+s.IntN(7))
		v := make([]int64, s.n)
		a, c := normGeneric(v, h, gamma, 0, rho, n)
		if lo != a || hi != c || !slices.Equal(v, p.Natural()) {
			t.Errorf("Norm of %d elements: another row than the definition's", s.n)
		}
		return append(got, h, gamma)
	})
}

func TestPendingLayerNorm(t *testing.T) {
	walk(t, func(s *source) []any {
		b := 1 + s.IntN(23)
		h := ints[int32](s, s.n, -1<<b+1, 1<<b-1)
		l := uint(s.IntN(1 + min(8, 23-b)))
		gamma := ints[int32](s, s.n, -1<<23, 1<<23)
		beta := ints[int64](s, s.n, -1<<54, 1<<54)
		if s.IntN(2) == 0 {
			beta = nil
		}
		mean, rho, n := s.between(-1<<23, 1<<23), s.between(0, 1<<31), uint(s.between(25, 31))
		p := held(s)
		lo, hi := p.LayerNorm(h, gamma, beta, l, mean, rho, n)
		got := requantBoth(s, &p, lo, hi, 2+s.IntN(7))
		v := make([]int64, s.n)
		a, c := layerNormGeneric(v, h, gamma, beta, l, 0, mean, rho, n)
		if lo != a || hi != c || !slices.Equal(v, p.Natural()) {
			t.Errorf("LayerNorm of %d elements: another row than the definition's", s.n)
		}
		return append(got, CentredSquares(h, l, 0, mean), h, gamma, beta)
	})
}

func TestPendingSwiGLU(t *testing.T) {
	walk(t, func(s *source) []any {
		g, u := ints[uint8](s, s.n, 0, 255), ints[uint8](s, s.n, 0, 255)
		table := (*[256]uint16)(ints[uint16](s, 256, 0, 1<<15))
		zg, zu := int32(s.between(0, 255)), int32(s.between(0, 255))
		p := held(s)
		lo, hi := p.SwiGLU(g, u, table, zg, zu)
		got := requantBoth(s, &p, lo, hi, 2+s.IntN(7))
		y := make([]int64, s.n)
		a, c := swiGLUGeneric(y, g, u, table, zg, zu)
		if lo != a || hi != c || !slices.Equal(y, p.Natural()) {
			t.Errorf("SwiGLU of %d elements: another row than the definition's", s.n)
		}
		return append(got, g, u, *table)
	})
}

// Every pair of codes, whose products are all that SwiGLU can be asked for.
func TestPendingSwiGLUAllCodes(t *testing.T) {
	var g, u []uint8
	for i := range 1 << 16 {
		g, u = append(g, uint8(i)), append(u, uint8(i>>8))
	}
	var table [256]uint16
	for i := range table {
		table[i] = uint16(i * 32768 / 255)
	}
	p, y := NewPending(len(g)), make([]int64, len(g))
	for _, z := range [][2]int32{{0, 0}, {255, 255}, {128, 0}, {0, 255}, {120, 131}} {
		lo, hi := p.SwiGLU(g, u, &table, z[0], z[1])
		a, b := swiGLUGeneric(y, g, u, &table, z[0], z[1])
		if lo != a || hi != b || !slices.Equal(p.Natural(), y) {
			t.Errorf("zero points %v: another row than the definition's", z)
		}
	}
}

func TestSquaresPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		h := ints[int32](s, s.n, -1<<24, 1<<24)
		top, squares := Squares(h)
		x := ints[int32](s, s.n, -1<<23, 1<<23)
		most, sum := AbsSum(x)
		edge := ints[int32](s, s.n, -1<<31, 1<<31-1)
		a, _ := Squares(edge)
		b, _ := AbsSum(edge)
		if a != maxAbsGeneric(edge) || b != a {
			t.Errorf("max |h| of %d elements: %d and %d, want %d", s.n, a, b, maxAbsGeneric(edge))
		}
		return []any{top, squares, most, sum, h, x, edge}
	})
}

// Where nothing is rounded up to a block's end, nothing behind it is read: rows of no elements at all.
func TestPendingEmpty(t *testing.T) {
	var p Pending
	lo, hi := p.Norm(nil, nil, 0, 1, 1)
	a, b := p.SwiGLU(nil, nil, new([256]uint16), 0, 0)
	c, d := p.LayerNorm(nil, nil, nil, 0, 0, 1, 1)
	if sum := p.Requant(nil, 0, 1, 33, 0, 255); sum|lo|hi|a|b|c|d != 0 {
		t.Error("an empty row has a range")
	}
}

// Every E there is, each on every path: σ is the quotient of the table.
func TestSigmaDivision(t *testing.T) {
	sigma := make([]uint16, 32769)
	for e := range sigma {
		d := 1<<15 + e
		sigma[e] = uint16((1<<30 + d/2) / d)
	}
	met := make([]bool, len(sigma))
	simdtest.Each(t, "vec", func(t *testing.T) {
		var got [256]uint16
		for mf := int64(1); mf < 1<<17; mf += 1 + mf/20000 {
			GateTable(&got, 0, mf, 15, false, sigma)
			for x, s := range got {
				e := pow2Q15(int64(x)*mf, 15, false)
				met[e] = true
				if s != sigma[e] {
					t.Fatalf("mf = %d, code %d: σ = %d, want %d, that of E = %d", mf, x, s, sigma[e], e)
				}
			}
		}
	})
	if i := slices.Index(met, false); i >= 0 {
		t.Errorf("E = %d was not met", i)
	}
}
