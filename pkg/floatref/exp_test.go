package floatref

import (
	"math"
	"testing"
)

func TestExp32(t *testing.T) {
	worst, at := 0.0, float32(0)
	for i := -87 * 8192; i <= 88*8192; i++ {
		x := float32(i) / 8192
		want := math.Exp(float64(x))
		if d := math.Abs(float64(exp32(x))-want) / want; d > worst {
			worst, at = d, x
		}
	}
	t.Logf("largest relative error %.3g at %v", worst, at)
	if worst > 2e-7 {
		t.Errorf("relative error %.3g at %v, want ≤ 2e-7", worst, at)
	}
	for _, c := range []struct{ x, want float32 }{
		{0, 1}, {-88, 0}, {-1e30, 0}, {float32(math.Inf(-1)), 0}, {1e30, exp32(88)}, {float32(math.Inf(1)), exp32(88)},
	} {
		if got := exp32(c.x); got != c.want {
			t.Errorf("exp32(%v) = %v, want %v", c.x, got, c.want)
		}
	}
	if got := exp32(float32(math.NaN())); got == got {
		t.Errorf("exp32(NaN) = %v, want NaN", got)
	}
}

func TestSoftmaxRow(t *testing.T) {
	for n := 1; n < 40; n++ {
		x := make([]float32, n)
		want, sum := make([]float64, n), 0.0
		for i := range x {
			x[i] = float32((i*37)%23) - 11.5
		}
		top := float64(-100)
		for _, v := range x {
			top = math.Max(top, float64(v))
		}
		for i, v := range x {
			want[i] = math.Exp(float64(v) - top)
			sum += want[i]
		}
		got := float64(softmaxRow(x))
		if math.Abs(got-sum) > 1e-6*sum {
			t.Errorf("n=%d: sum %v, want %v", n, got, sum)
		}
		for i := range x {
			if math.Abs(float64(x[i])-want[i]) > 1e-6*want[i] {
				t.Errorf("n=%d: x[%d] = %v, want %v", n, i, x[i], want[i])
			}
		}
	}
}

func BenchmarkSoftmaxRow(b *testing.B) {
	x := make([]float32, 1024)
	for b.Loop() {
		for i := range x {
			x[i] = float32(i&63) / 4
		}
		softmaxRow(x)
	}
}
