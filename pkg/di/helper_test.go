package di

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// value is m/2^k in float64, the oracle's side of a scale.
func value(m uint32, k int32) float64 { return math.Ldexp(float64(m), -int(k)) }

// spec returns a valid Spec of the given names.
func spec(t testing.TB, recipe, clip, mode string) quant.Spec {
	t.Helper()
	s, err := quant.NewSpec(recipe, clip, mode)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newWorker returns the worker of a mode as its concrete type.
func newWorker(t testing.TB, clip, mode string, maxRow int) *worker {
	t.Helper()
	return Integer(spec(t, "w8a8", clip, mode)).NewWorker(maxRow).(*worker)
}

func wantEqual[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// wantPanic checks that f panics with err.
func wantPanic(t *testing.T, what string, err error, f func()) {
	t.Helper()
	defer func() {
		if r := recover(); r != err {
			t.Errorf("%s: recovered %v, want %v", what, r, err)
		}
	}()
	f()
}

// normRow draws n values of the given spread, as integers.
func normRow(rng *rand.Rand, n int, spread float64) []int64 {
	t := make([]int64, n)
	for j := range t {
		t[j] = int64(rng.NormFloat64() * spread)
	}
	return t
}

// Set stores the header of position j, whose predecessors are set, for codes of the given width and head dimension.
func (c *Keys) Set(j int, p quant.RowParams, bits, dim int) {
	off := Offset(bits)
	c.M[j], c.K[j], c.Zero[j], c.Sum[j] = p.M, p.K, p.Zero-off, p.Sum-off*int32(dim)
	c.Extend(j, j+1)
}
