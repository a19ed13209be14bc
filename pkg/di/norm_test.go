package di

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
)

// unitNorm is γ = 1 over n channels on a residual grid, ε = 10^−5.
func unitNorm(n int, kr int32, layer bool) *Norm {
	p := &Norm{Gamma: make([]int32, n), KGamma: 22, Layer: layer, KR: kr}
	// |Γ| ≤ 2^23 bounds γ√n·2^k_Γ
	for ; math.Round(math.Sqrt(float64(n))*math.Exp2(float64(p.KGamma))) > 1<<23; p.KGamma-- {
	}
	for c := range p.Gamma {
		p.Gamma[c] = int32(math.Round(math.Sqrt(float64(n)) * math.Exp2(float64(p.KGamma))))
	}
	p.E = int64(math.Round(1e-5 * float64(n) * math.Exp2(2*float64(kr))))
	return p
}

func TestNormKnownAnswers(t *testing.T) {
	h := []int32{1000, -2000, 3000, 0}
	for _, c := range []struct {
		layer bool
		want  []int64
	}{
		{false, []int64{2200889276235776, -4401778552471552, 6602667828707328, 0}},
		{true, []int64{1134844427894784, -5674222147862528, 5674222147862528, -1134844427894784}},
	} {
		p := unitNorm(4, 18, c.layer)
		if p.E != 2748779 || p.Gamma[0] != 1<<23 || p.KGamma != 22 {
			t.Fatalf("constants E %d, Γ %d, k_Γ %d", p.E, p.Gamma[0], p.KGamma)
		}
		v := make([]int64, 4)
		lo, hi := NormRow(v, h, p)
		wantEqual(t, "v", v, c.want)
		if a, b := MinMax(v); a != lo || b != hi {
			t.Errorf("range (%d, %d), want (%d, %d)", lo, hi, a, b)
		}
	}
	p := HeadNorm{Gamma: unitNorm(4, 0, false).Gamma, KGamma: 22, Eps: dyadic.Fit(4, 1000000, 16)}
	if p.Eps != (dyadic.Scale{M: 34360, K: 33}) {
		t.Errorf("εn = %v, want (34360, 33)", p.Eps)
	}
	for _, c := range []struct{ t, want []int64 }{
		{[]int64{1000, -2000, 3000, 0}, []int64{2407027523452928, -4814055038517248, 7221082561970176, 0}},
		{[]int64{1, -2, 3, 0}, []int64{167374959411200, -334749927211008, 502124886622208, 0}},
	} {
		lo, hi := MinMax(c.t)
		m, k, lo2, hi2 := p.Apply(c.t, lo, hi, 40000, 30)
		wantEqual(t, "head norm", c.t, c.want)
		if a, b := MinMax(c.t); m != 1<<15 || k != 30+22+15 || a != lo2 || b != hi2 {
			t.Errorf("scale (%d, %d), range (%d, %d), want (%d, %d)", m, k, lo2, hi2, a, b)
		}
	}
}

// normFloat is the float64 reference on the residual grid.
func normFloat(h []int32, kr int32, layer bool) []float64 {
	x := make([]float64, len(h))
	mean, square := 0.0, 0.0
	for j, v := range h {
		x[j] = math.Ldexp(float64(v), -int(kr))
		mean += x[j] / float64(len(h))
	}
	for j := range x {
		if layer {
			x[j] -= mean
		}
		square += x[j] * x[j]
	}
	for j := range x {
		x[j] /= math.Sqrt(square/float64(len(h)) + 1e-5)
	}
	return x
}

// The short root is the bit-wise one: at squares, beside them, at the ends, and on a million draws.
func TestRoot(t *testing.T) {
	rng := newRand(17)
	check := func(a uint64) {
		if got, want := root(a), intmath.Isqrt(a); got != want {
			t.Fatalf("root(%d) = %d, want %d", a, got, want)
		}
	}
	check(1 << 60)
	check(1 << 62)
	check(1<<62 - 1)
	for range 1_000_000 {
		x := 1<<30 + rng.Uint64N(1<<30)
		check(x * x)
		check(x*x + 2*x) // (x+1)² − 1
		check(1<<60 + rng.Uint64N(3<<60))
	}
}

// TestNormError bounds the error in units of the row's rms: ordinary rows, embeddings of rms 0.01 (where ε counts), one
// channel of 2000 and the ends of int32.
func TestNormError(t *testing.T) {
	rng := newRand(31)
	const kr = 18
	for _, c := range []struct {
		name       string
		rms, spike float64
		rmsBound   float64
		layerBound float64
	}{{"rms 1", 1, 0, 1.5e-6, 5e-6}, {"rms 0.01", 0.01, 0, 3e-6, 6e-6}, {"spike", 1, 2000, 6e-6, 2e-5}, {"wide", 1500, 0, 2e-6, 6e-6}} {
		for _, layer := range []bool{false, true} {
			worst := 0.0
			for _, n := range []int{1, 2, 63, 576, 4096} {
				p := unitNorm(n, kr, layer)
				h := residualRow(rng, n, c.rms, kr)
				if c.spike != 0 {
					h[n/2] = int32(c.spike * (1 << kr))
				}
				v := make([]int64, n)
				NormRow(v, h, p)
				want := normFloat(h, kr, layer)
				for j := range v {
					worst = max(worst, math.Abs(math.Ldexp(float64(v[j]), -int(30+p.KGamma))-want[j]))
				}
			}
			bound := c.rmsBound
			if layer {
				bound = c.layerBound
			}
			if worst > bound {
				t.Errorf("%s, layer %v: largest error %.3g of the rms, want at most %g", c.name, layer, worst, bound)
			}
		}
	}
}

func residualRow(rng *rand.Rand, n int, rms float64, kr int32) []int32 {
	h := make([]int32, n)
	for j := range h {
		h[j] = int32(rng.NormFloat64() * rms * math.Exp2(float64(kr)))
	}
	return h
}

func TestNormEdges(t *testing.T) {
	for _, layer := range []bool{false, true} {
		for _, h := range [][]int32{{0, 0, 0}, {math.MinInt32, math.MaxInt32, math.MinInt32}, {math.MaxInt32}, {-5}, {9, 9, 9, 9}, {math.MinInt32}, {1, 0, 0}} {
			p := unitNorm(len(h), 18, layer)
			v := make([]int64, len(h))
			lo, hi := NormRow(v, h, p)
			want := normFloat(h, 18, layer)
			for j := range v {
				if got := math.Ldexp(float64(v[j]), -int(30+p.KGamma)); math.Abs(got-want[j]) > 2e-6*math.Max(1, math.Abs(want[j])) {
					t.Errorf("layer %v, h %v: %g, want %g", layer, h, got, want[j])
				}
			}
			if a, b := MinMax(v); a != lo || b != hi {
				t.Errorf("range (%d, %d), want (%d, %d)", lo, hi, a, b)
			}
		}
		// the longest row at the largest values: no overflow in the sum of squares
		p := unitNorm(MaxNorm, 18, layer)
		h := make([]int32, MaxNorm)
		for j := range h {
			h[j] = math.MaxInt32
			if j%2 == 1 {
				h[j] = math.MinInt32
			}
		}
		v := make([]int64, MaxNorm)
		NormRow(v, h, p)
		if got := math.Ldexp(float64(v[0]), -int(30+p.KGamma)); math.Abs(got-1) > 1e-6 {
			t.Errorf("layer %v: longest row gives %g, want 1", layer, got)
		}
		// and saturated ones, whose squares of 2^48 are 2^62 together, beside the largest ε
		for j := range h {
			h[j] = math.MaxInt32 * int32(1-j%2*2)
		}
		for _, e := range []int64{p.E, 1<<45 - 1} {
			p.E = e
			NormRow(v, h, p)
			for j, sign := range []float64{1, -1} {
				if got := math.Ldexp(float64(v[j]), -int(30+p.KGamma)); math.Abs(got-sign) > 1e-6 {
					t.Errorf("layer %v: longest saturated row gives %g, want %g", layer, got, sign)
				}
			}
		}
		// β comes back exactly where the row vanishes
		p = unitNorm(3, 18, layer)
		p.Beta = []int64{5, -1 << 58, 0}
		v = make([]int64, 3)
		lo, hi := NormRow(v, make([]int32, 3), p)
		wantEqual(t, "β", v, p.Beta)
		if lo != -1<<58 || hi != 5 {
			t.Errorf("range (%d, %d) of β", lo, hi)
		}
	}
	wantPanic(t, "lengths", errLengths, func() { NormRow(make([]int64, 2), make([]int32, 2), unitNorm(3, 18, false)) })
	wantPanic(t, "maxRow", errRow, func() {
		newWorker(t, "15", "illm", 2).Norm(make([]uint8, 3), make([]int32, 3), unitNorm(3, 18, false), 8)
	})
}

// TestNormScaling: doubling a row leaves its result where ε is negligible, and negating it negates it.
func TestNormScaling(t *testing.T) {
	rng := newRand(32)
	const n = 300
	p := unitNorm(n, 18, false)
	p.E = 0
	h, twice, neg := residualRow(rng, n, 100, 18), make([]int32, n), make([]int32, n)
	h[0] = 1 << 24 // already at 24 bits, so the shift drops what doubling added
	for j, v := range h {
		v = max(-1<<24, min(v, 1<<24))
		h[j], twice[j], neg[j] = v, 2*v, -v
	}
	a, b, c := make([]int64, n), make([]int64, n), make([]int64, n)
	NormRow(a, h, p)
	NormRow(b, twice, p)
	NormRow(c, neg, p)
	for j := range a {
		if a[j] != -c[j] {
			t.Fatalf("channel %d: %d, negated %d", j, a[j], c[j])
		}
		if d := math.Abs(float64(a[j] - b[j])); d > math.Ldexp(2e-7, int(30+p.KGamma)) {
			t.Fatalf("channel %d: %d, doubled %d", j, a[j], b[j])
		}
	}
}

// TestWorkerNorm: the worker's codes are those of NormRow and Requant.
func TestWorkerNorm(t *testing.T) {
	rng := newRand(33)
	w := newWorker(t, "15", "illm", 600)
	for _, n := range []int{1, 65, 576} {
		p := unitNorm(n, 18, false)
		h := residualRow(rng, n, 1, 18)
		got, want, v := make([]uint8, n), make([]uint8, n), make([]int64, n)
		params := w.Norm(got, h, p, 6)
		lo, hi := NormRow(v, h, p)
		if q := Requant(want, v, lo, hi, 1<<15, 30+p.KGamma+15, 6, 16); q != params {
			t.Errorf("params %+v, want %+v", params, q)
		}
		wantEqual(t, "codes", got, want)
		ref := normFloat(h, 18, false)
		for j := range got {
			if d := math.Abs(float64(int32(got[j])-params.Zero)*value(params.M, params.K) - ref[j]); d > 1.01*value(params.M, params.K) {
				t.Fatalf("channel %d is off by %g", j, d)
			}
		}
	}
}
