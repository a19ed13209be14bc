package floatref

import (
	"math"
	"testing"
)

func exp1(x float32) float32 {
	row := []float32{x}
	if sum := expRow(row, 0); sum != row[0] && sum == sum {
		panic("sum of one value is another value")
	}
	return row[0]
}

func TestExpRow(t *testing.T) {
	worst, at := 0.0, float32(0)
	for i := -87 * 8192; i <= 88*8192; i++ {
		x := float32(i) / 8192
		want := math.Exp(float64(x))
		if d := math.Abs(float64(exp1(x))-want) / want; d > worst {
			worst, at = d, x
		}
	}
	t.Logf("largest relative error %.3g at %v", worst, at)
	if worst > 2e-7 {
		t.Errorf("relative error %.3g at %v, want ≤ 2e-7", worst, at)
	}
	low, high, inf := exp1(-87), exp1(88), float32(math.Inf(1))
	for _, c := range []struct{ x, want float32 }{
		{0, 1}, {-88, low}, {-1e30, low}, {-inf, low}, {1e30, high}, {inf, high}, {math.MaxFloat32, high},
	} {
		if got := exp1(c.x); got != c.want {
			t.Errorf("e^%v = %v, want %v", c.x, got, c.want)
		}
	}
	if got := exp1(float32(math.NaN())); got == got {
		t.Errorf("e^NaN = %v, want NaN", got)
	}
	if row := []float32{3, 5}; expRow(row, 5) != row[0]+1 || row[1] != 1 {
		t.Errorf("e^(x − 5) of 3 and 5: %v", row)
	}
}

func TestSwiGLURow(t *testing.T) {
	var g, u []float32
	for i := -400; i <= 400; i++ {
		g, u = append(g, float32(i)/3), append(u, float32(i%7)-2.5)
	}
	y := make([]float32, len(g))
	swiGLURow(y, g, u, nil)
	for i := range y {
		x := float64(g[i])
		want := x / (1 + math.Exp(-x)) * float64(u[i])
		if math.Abs(float64(y[i])-want) > 4e-7*math.Abs(want)+1e-35 {
			t.Errorf("g = %v, u = %v: %v, want %v", g[i], u[i], y[i], want)
		}
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
