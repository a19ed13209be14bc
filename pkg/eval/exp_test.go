package eval

import (
	"math"
	"math/rand/v2"
	"slices"
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
		check(-float64(i%28000) * math.Ln2 / 2 / expSteps) // table points and the ties between them
	}
	if worst > 0x1p-46 {
		t.Errorf("relative error %.3g, expected at most 2^-46", worst)
	}
	t.Logf("relative error at most 2^%.2f", math.Log2(worst))
	if got := expNeg(0); got != 1 {
		t.Errorf("expNeg(0) = %v, expected exactly 1", got)
	}
}

// TestFarLogits scores rows whose logits lie hundreds apart.
func TestFarLogits(t *testing.T) {
	for n := 1; n <= 9; n++ { // tails of the loops
		x, p := make([]float32, n), make([]float32, n)
		for i := range x {
			x[i] = -1e30
		}
		x[n-1] = 500
		var base, v position
		if err := scoreBase(&base, p, x, int32(n-1)); err != nil {
			t.Fatal(err)
		}
		if err := scoreVariant(&v, &base, p, x, int32(n-1)); err != nil {
			t.Fatal(err)
		}
		near(t, "H", base.dot, 0, 0)
		if base.nll != 0 || v.nll != 0 || base.target != 1 || int(v.top) != n-1 || v.kl != 0 || p[n-1] != 1 {
			t.Errorf("%d logits, one far above the rest: %+v, %+v, expected certainty", n, base, v)
		}
	}
}

// TestRow compares one row over a large vocabulary with the definitions, by
// math.Exp and compensated sums, on logits of small and large spread.
func TestRow(t *testing.T) {
	for _, spread := range []float64{0.01, 1, 4, 30} {
		rng := rand.New(rand.NewPCG(7, 8))
		n := 49152 + 3
		x, y, p := make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range x {
			x[i] = float32(spread * rng.NormFloat64())
			y[i] = x[i] + float32(0.1*spread*rng.NormFloat64()) + 100
		}
		var base, v position
		if err := scoreBase(&base, p, x, 17); err != nil {
			t.Fatal(err)
		}
		if err := scoreVariant(&v, &base, p, y, 17); err != nil {
			t.Fatal(err)
		}
		lx, ly := logSumExp(x), logSumExp(y)
		var kl, scale float64
		for i := range x {
			lp, lq := float64(x[i])-lx, float64(y[i])-ly
			kl += math.Exp(lp) * (lp - lq)
			scale += math.Exp(lp) * math.Abs(lp-lq)
		}
		near(t, "base NLL", base.nll, lx-float64(x[17]), 1e-12)
		near(t, "NLL", v.nll, ly-float64(y[17]), 1e-12)
		near(t, "Δp", v.target-base.target, math.Exp(float64(y[17])-ly)-math.Exp(float64(x[17])-lx), 1e-15)
		if d := math.Abs(v.kl - kl); d > 0x1p-23*scale {
			t.Errorf("spread %v: KL %v, expected %v within %.2g", spread, v.kl, kl, 0x1p-23*scale)
		}
	}
}

// logSumExp is the definition, with a sum that keeps what additions lose.
func logSumExp(x []float32) float64 {
	m := float64(slices.Max(x))
	var sum, lost float64
	for _, v := range x {
		y := math.Exp(float64(v)-m) - lost
		s := sum + y
		lost = (s - sum) - y
		sum = s
	}
	return m + math.Log(sum)
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
	bench("alone", func() { _ = scoreAlone(&pos, x, 5) })
}
