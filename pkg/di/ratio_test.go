package di

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// cutRequant is the requantisation over a part of the range as its definition reads, element by element in math/big.
func cutRequant(t []int64, ratio int64, m uint32, k int32, bits, mantissa int) ([]uint16, quant.RowParams) {
	lo, hi := int64(0), int64(0)
	for _, v := range t {
		lo, hi = min(lo, v), max(hi, v)
	}
	s := max(0, big.NewInt(hi-lo).BitLen()-31) // ⌊log₂⌋ − 30
	part := func(x int64) *big.Int {           // towards zero
		v := new(big.Int).Mul(big.NewInt(x), big.NewInt(ratio))
		return v.Quo(v, big.NewInt(1<<15))
	}
	l, h := part(lo), part(hi)
	span := new(big.Int).Sub(h, l)
	codes := make([]uint16, len(t))
	if span.Sign() == 0 {
		one := dyadic.One(mantissa)
		return codes, quant.RowParams{M: one.M, K: one.K}
	}
	top := int64(1)<<bits - 1
	rr := new(big.Int).Rsh(span, uint(s))
	shift := uint(rr.BitLen() - 1 + 31 - bits)
	half := func(v *big.Int, n uint) *big.Int { // halves away from zero
		r := new(big.Int).Abs(v)
		r.Add(r, new(big.Int).Lsh(big.NewInt(1), n-1)).Rsh(r, n)
		if v.Sign() < 0 {
			r.Neg(r)
		}
		return r
	}
	g := new(big.Int).Lsh(big.NewInt(top), shift)
	g.Add(g, new(big.Int).Rsh(rr, 1)).Div(g, rr)
	z := new(big.Int).Rsh(new(big.Int).Neg(l), uint(s))
	zero := half(z.Mul(z, g), shift).Int64()
	p := quant.RowParams{Zero: int32(zero)}
	for j, v := range t {
		x := new(big.Int).Rsh(big.NewInt(v), uint(s)) // floor
		y := half(x.Mul(x, g), shift)
		c := max(0, min(y.Add(y, big.NewInt(zero)).Int64(), top))
		codes[j] = uint16(c)
		p.Sum += int32(c)
	}
	f := dyadic.Fit(rr.Uint64()*uint64(m), uint64(top), mantissa)
	p.M, p.K = f.M, f.K+k-int32(s)
	return codes, p
}

// TestRatio: every path and width gives the bits of the definition; a ratio of 1, written either way, those of Requant.
func TestRatio(t *testing.T) {
	simdtest.Each(t, "vec", func(t *testing.T) {
		rng := newRand(11)
		rows := [][]int64{{1}, {-1}, {2, -3}, {3}, {1, -1}, {0, 0}, {1 << 59, -(1 << 59), 5}, {1<<60 - 1, -(1<<60 - 1)}, {-(1<<60 - 1), 1 << 40},
			{1<<31 - 1, 7}, {1 << 31, -1 << 30}, {1<<32 - 1, 1 << 31, -1 << 31}}
		for range 150 {
			row := normRow(rng, 1+rng.IntN(90), math.Exp2(1+56*rng.Float64()))
			row[rng.IntN(len(row))] *= int64(1 + rng.IntN(3)) // an outlier, so that something saturates
			rows = append(rows, row)
		}
		for _, row := range rows {
			lo, hi := MinMax(row)
			for _, bits := range []int{2, 3, 4, 6, 8, 11, 16} {
				for _, ratio := range []int64{MinRatio, MinRatio + 1, 20000, 29491, RatioOne - 1, RatioOne} {
					m, k := uint32(1<<15+rng.IntN(1<<15)), int32(rng.IntN(60)-10)
					want, params := cutRequant(row, ratio, m, k, bits, 16)
					dst := make([]uint16, len(row))
					if p := Ratio(ratio).Requant16(dst, row, lo, hi, m, k, bits, 16); p != params || !slices.Equal(dst, want) {
						t.Fatalf("row %v, %d bits, ratio %d: %v %+v, want %v %+v", row, bits, ratio, dst, p, want, params)
					}
					if bits > 8 {
						continue
					}
					dst8 := make([]uint8, len(row))
					p := Ratio(ratio).Requant(dst8, row, lo, hi, m, k, bits, 16)
					for j := range dst {
						if p != params || uint16(dst8[j]) != want[j] {
							t.Fatalf("row %v, %d bits, ratio %d: %v %+v, want %v %+v", row, bits, ratio, dst8, p, want, params)
						}
					}
					if ratio < RatioOne {
						continue
					}
					for _, f := range []func([]uint8, []int64, int64, int64, uint32, int32, int, int) quant.RowParams{Requant, Ratio(0).Requant, Product{}.Requant} {
						same := make([]uint8, len(row))
						if q := f(same, row, lo, hi, m, k, bits, 16); q != p || !slices.Equal(same, dst8) {
							t.Fatalf("row %v, %d bits: %v %+v without a ratio, %v %+v with 1", row, bits, same, q, dst8, p)
						}
					}
				}
			}
		}
	})
}

// TestRatioMeans: in real numbers a value inside ρ·range is off by half a step of ρ·range/(2^n−1), one outside is at the
// end of its side.
func TestRatioMeans(t *testing.T) {
	rng := newRand(12)
	for range 100 {
		row := normRow(rng, 50, 1e9)
		lo, hi := MinMax(row)
		const ratio, bits, m, k = 24576, 4, 50000, 40 // three quarters
		dst := make([]uint8, len(row))
		p := Ratio(ratio).Requant(dst, row, lo, hi, m, k, bits, 16)
		step := 0.75 * float64(hi-lo) * value(m, k) / 15
		for j, v := range row {
			x := math.Max(0.75*float64(lo), math.Min(float64(v), 0.75*float64(hi))) * value(m, k)
			got := float64(int32(dst[j])-p.Zero) * value(p.M, p.K)
			bound := 0.501
			if float64(v) >= 0.72*float64(hi) || float64(v) <= 0.72*float64(lo) {
				bound = 1.001 // the end codes carry the zero point's rounding, too
			}
			if math.Abs(got-x) > bound*step {
				t.Fatalf("element %d is %g, want %g within %g steps of %g", j, got, x, bound, step)
			}
		}
	}
}

func TestRatioMisuse(t *testing.T) {
	for _, r := range []Ratio{-1, 1, MinRatio - 1, RatioOne + 1, 40000} {
		wantPanic(t, "ratio", errRatio, func() { r.Requant(make([]uint8, 1), []int64{5}, 0, 5, 1<<15, 15, 8, 16) })
	}
}

// TestRatioReaches: the ratios of Norm and GLU, and a GLU's rotation, are those of the requantisation behind the row.
func TestRatioReaches(t *testing.T) {
	const n = 48
	rng := newRand(13)
	w := newWorker(t, "15", "illm", n)
	h := make([]int32, n)
	p := Norm{Gamma: make([]int32, n), KGamma: 20, E: 100}
	for c := range h {
		h[c], p.Gamma[c] = rng.Int32N(1<<22)-1<<21, 1<<20+rng.Int32N(1<<20)
	}
	v := make([]int64, n)
	NormRow(v, h, &p)
	p.Ratio = 20000
	want, params := cutRequant(v, 20000, 1<<15, 30+20+15, 6, 16)
	dst := make([]uint8, n)
	check := func(what string, got quant.RowParams) {
		t.Helper()
		if got != params {
			t.Errorf("%s: %+v, want %+v", what, got, params)
		}
		for j := range dst {
			if uint16(dst[j]) != want[j] {
				t.Fatalf("%s: code %d is %d, want %d", what, j, dst[j], want[j])
			}
		}
	}
	check("Norm", w.Norm(dst, h, &p, 6))

	row := normRow(rng, n, 1e12)
	cut := make([]int64, n)
	for j, x := range row {
		cut[j] = max(x, 0)
	}
	want, params = cutRequant(cut, 23000, 40000, 30, 8, 16)
	lo, hi := MinMax(row)
	check("ReLU", w.ReLU(dst, row, lo, hi, 40000, 30, Product{Ratio: 23000}, 8))

	rotation, err := NewHadamard(n, ProductBits(8))
	if err != nil {
		t.Fatal(err)
	}
	gate, up := gluRow(1, n, 8), gluRow(2, n, 8)
	for _, rotate := range []*Hadamard{nil, rotation} {
		glu := GLU{Product: Product{Rotate: rotate, Ratio: 25000}}
		w.SwiGLURow(v, gate, up, &glu)
		s := dyadic.Scale{M: gate.M, K: gate.K + 15}.Mul(dyadic.Scale{M: up.M, K: up.K}, 16)
		if rotate != nil {
			s.M, s.K, _, _ = rotate.Apply(v, s.M, s.K)
		}
		want, params = cutRequant(v, 25000, s.M, s.K, 4, 16)
		check("SwiGLU", w.SwiGLU(dst, gate, up, &glu, 4))
	}
}
