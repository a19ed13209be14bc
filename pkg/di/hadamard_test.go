package di

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/dyadic"
)

// TestHadamardKnownAnswers: the products of 1, 2, … with H_12 and H_36, and 1/√n, of the algorithm reference.
func TestHadamardKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		n    int
		want []int64
	}{
		{12, []int64{78, 12, 2, 14, 4, -6, -16, -4, 8, 20, 10, 22}},
		{36, []int64{662, -20, 2, -8, -66, -12}},
		{1, []int64{1}},
		{4, []int64{10, -2, -4, 0}},
	} {
		h, err := NewHadamard(c.n, 31)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]int64, c.n)
		for i := range x {
			x[i] = int64(i + 1)
		}
		h.Apply(x, 1<<15, 15)
		wantEqual(t, "H·(1, 2, …)", x[:len(c.want)], c.want)
	}
	for n, want := range map[int]dyadic.Scale{64: {M: 32768, K: 18}, 128: {M: 46341, K: 19}, 576: {M: 43691, K: 20}, 1536: {M: 53510, K: 21}, 3072: {M: 37837, K: 21}} {
		h, err := NewHadamard(n, 31)
		if err != nil {
			t.Fatal(err)
		}
		if h.Scale() != want || h.Len() != n {
			t.Errorf("order %d: 1/√n = %+v, want %+v", h.Len(), h.Scale(), want)
		}
	}
}

// TestHadamardRotates: a row keeps its length in real numbers and the range is its own, for every kind of order and scale.
func TestHadamardRotates(t *testing.T) {
	rng := newRand(3)
	for _, n := range []int{1, 2, 12, 28, 36, 64, 448, 576, 768, 1536, 3072, 4096} {
		h, err := NewHadamard(n, 47)
		if err != nil {
			t.Fatal(err)
		}
		row := normRow(rng, n, math.Exp2(20+20*rng.Float64()))
		m, k := uint32(1<<15+rng.IntN(1<<15)), int32(rng.IntN(80)-40)
		before := 0.0
		for _, v := range row {
			before += float64(v) * value(m, k) * float64(v) * value(m, k)
		}
		m2, k2, lo, hi := h.Apply(row, m, k)
		if m2 < 1<<15 || m2 >= 1<<16 {
			t.Fatalf("order %d: mantissa %d", n, m2)
		}
		after := 0.0
		for _, v := range row {
			after += float64(v) * value(m2, k2) * float64(v) * value(m2, k2)
		}
		if e := math.Abs(math.Sqrt(after/before) - 1); e > 3.1e-5 { // two mantissas of 16 bits
			t.Errorf("order %d: length off by %.2g", n, e)
		}
		if l, r := MinMax(row); l != lo || r != hi {
			t.Errorf("order %d: range %d, %d, want %d, %d", n, lo, hi, l, r)
		}
	}
}

func TestHadamardBounds(t *testing.T) {
	for _, c := range []struct {
		n, below int
		want     string
	}{
		{0, 16, "order 0"}, {-4, 16, "order -4"}, {6, 16, "expected 2^j times"}, {20, 16, "order 20"}, {11008, 31, "expected 2^j"},
		{8192, 48, "at most 4096"}, {16384, ProductBits(16), "at most 8192"}, {2, 60, "at most 1"}, {2, 61, "at most 1"}, {2, -1, "at most"},
	} {
		if _, err := NewHadamard(c.n, c.below); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("order %d of %d bits: error %v, want one that says %q", c.n, c.below, err, c.want)
		}
	}
	for _, c := range []struct{ n, below int }{{4096, MergedBits}, {8192, ProductBits(16)}, {14336, ProductBits(8)}, {256, RotaryBits}, {28672, ReLUBits}} {
		if _, err := NewHadamard(c.n, c.below); err != nil {
			t.Error(err)
		}
	}
	h, err := NewHadamard(64, RotaryBits)
	if err != nil {
		t.Fatal(err)
	}
	wantPanic(t, "a row of another length", errHadamard, func() { h.Apply(make([]int64, 32), 1<<15, 15) })
}

// TestReLURotated: codes of max(T, 0) rotated stand for H·max(T, 0)/√n, also where T needs all of its 60 bits.
func TestReLURotated(t *testing.T) {
	rng := newRand(4)
	const n = 96
	h, err := NewHadamard(n, ReLUBits)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, "15", "illm", n)
	for _, spread := range []float64{1, 1e3, 1e9, 1e12, math.Exp2(57)} {
		row := normRow(rng, n, spread)
		if spread > 1e17 {
			row[0], row[1] = 1<<60-1, -(1<<60 - 1)
		}
		lo, hi := MinMax(row)
		const m, k = 40000, 30
		// the oracle: Hᵀ's rows by unit vectors, in float64
		want := make([]float64, n)
		for j, v := range row {
			unit := make([]int64, n)
			unit[j] = 1
			h.Apply(unit, 1<<15, 15)
			for i, s := range unit {
				want[i] += float64(s) * float64(max(v, 0)) * value(m, k) / math.Sqrt(n)
			}
		}
		least, most := 0.0, 0.0
		for _, v := range want {
			least, most = min(least, v), max(most, v)
		}
		dst := make([]uint8, n)
		p := w.ReLU(dst, row, lo, hi, m, k, Product{Rotate: h}, 8)
		for i, c := range dst {
			got := float64(int32(c)-p.Zero) * value(p.M, p.K)
			if e := math.Abs(got - want[i]); e > 1.01*(most-least)/255 {
				t.Fatalf("spread %g, channel %d: %g, want %g", spread, i, got, want[i])
			}
		}
	}
}

// BenchmarkHadamardRow is a rotation with its range and scale: q or k of a head, the merged heads and the product of SmolLM2.
func BenchmarkHadamardRow(b *testing.B) {
	for _, n := range []int{64, 576, 1536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h, err := NewHadamard(n, 31)
			if err != nil {
				b.Fatal(err)
			}
			row := make([]int64, n)
			for b.Loop() {
				h.Apply(row, 40000, 30)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
		})
	}
}
