package eval

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestExp compares expNeg with the platform's exponential, whose own error is
// below 2^-52, over its whole domain and densely near 0.
func TestExp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	worst := 0.0
	check := func(x float64) {
		want := math.Exp(x)
		worst = max(worst, math.Abs(expNeg(x)-want)/want)
	}
	for i := range 400_000 {
		check(expFloor * rng.Float64())
		check(-math.Exp2(-float64(i % 60)))
		check(-float64(i%14029) * math.Ln2 / 2 / expSteps) // table points and the ties between them
	}
	if worst > 0x1p-49 {
		t.Errorf("relative error %.3g, expected at most 2^-49", worst)
	}
	t.Logf("relative error at most 2^%.2f", math.Log2(worst))

	if got := expNeg(0); got != 1 {
		t.Errorf("expNeg(0) = %v, expected exactly 1", got)
	}
	for _, x := range []float64{math.Nextafter(expFloor, -100), -1e4, -1e308, math.Inf(-1)} {
		if got := expNeg(x); got != 0 {
			t.Errorf("expNeg(%v) = %v, expected 0", x, got)
		}
	}
}

// BenchmarkRow measures one row of 49,152 logits; the second number is what a
// window of 2047 predictions costs.
func BenchmarkRow(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 4))
	x, p := make([]float32, 49152), make([]float32, 49152)
	for i := range x {
		x[i] = float32(4 * rng.NormFloat64())
	}
	var base, pos position
	bench := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*2047, "s/window")
		})
	}
	bench("base", func() { _ = scoreBase(&base, p, x, 5) })
	bench("variant", func() { _ = scoreVariant(&pos, &base, p, x, 5) })
	bench("alone", func() { _, _, _ = scoreRow(&pos, nil, x, 5) })
}
