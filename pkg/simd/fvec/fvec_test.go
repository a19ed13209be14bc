package fvec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// lengths go past two turns of every kernel.
func lengths() []int {
	var n []int
	for i := 1; i <= 140; i++ {
		n = append(n, i)
	}
	return append(n, 576, 1000, 4096)
}

func normal(rng *rand.Rand, x []float32, sigma float64) {
	for i := range x {
		x[i] = float32(rng.NormFloat64() * sigma)
	}
}

// both runs f with rows that end at and rows that start behind a forbidden page.
func both(t *testing.T, n int, f func(row func(sigma float64) []float32)) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	for _, get := range []func(int) []float32{
		func(n int) []float32 { return simdtest.End[float32](t, n) },
		func(n int) []float32 { return simdtest.Start[float32](t, n) },
	} {
		f(func(sigma float64) []float32 {
			x := get(n)
			normal(rng, x, sigma)
			return x
		})
	}
}

// near fails unless got is within rel·|want| + abs of want, elementwise, and says by how much it missed.
func near(t *testing.T, what string, got []float32, want []float64, rel, abs float64) {
	t.Helper()
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= rel*math.Abs(w)+abs) {
			t.Fatalf("%s, n=%d: element %d is %v, want %v ± %.2g", what, len(got), i, got[i], w, rel*math.Abs(w)+abs)
		}
	}
}

// eps is half an ulp relative to the value.
func eps(p Precision) float64 {
	if p == Half {
		return 0x1p-11
	}
	return 0x1p-24
}

func each(t *testing.T, f func(t *testing.T, p Precision)) {
	simdtest.Each(t, "fvec", func(t *testing.T) {
		for _, p := range []Precision{Single, Half} {
			t.Run(p.String(), func(t *testing.T) { f(t, p) })
		}
	})
}

// exactSoftmax is the softmax in float64.
func exactSoftmax(x []float32) []float64 {
	top, sum := float64(slices.Max(x)), 0.0
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Exp(float64(v) - top)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

func TestSoftmax(t *testing.T) {
	each(t, func(t *testing.T, p Precision) {
		rel, abs := 1e-6+14*eps(p), 1e-37 // |x − max x| below 14 for σ = 2; float32's subnormals begin at 1e-38
		if p == Half {
			rel, abs = 2.5e-3+14*eps(p), 6e-8 // binary16 has nothing below 6e-8
		}
		for _, n := range lengths() {
			both(t, n, func(row func(float64) []float32) {
				x, dst := row(2), row(1)
				for i, v := range x {
					x[i] = p.Round(v)
				}
				before, want := slices.Clone(x), exactSoftmax(x)
				Softmax(dst, x, p)
				near(t, "softmax", dst, want, rel, abs)
				if !slices.Equal(before, x) {
					t.Fatalf("n=%d: the input was changed", n)
				}
				Softmax(x, x, p)
				if !slices.Equal(x, dst) {
					t.Fatalf("n=%d: in place differs", n)
				}
				q := simdtest.End[int32](t, n)
				SoftmaxQ30(q, before, slices.Max(before), p)
				for i, v := range q {
					if d := math.Abs(float64(v)/(1<<30) - want[i]); !(d <= rel*want[i]+abs+0x1p-31) {
						t.Fatalf("n=%d: Q30 element %d is %d, want %v", n, i, v, want[i]*(1<<30))
					}
				}
			})
		}
	})
}

// The exponential alone, over its whole domain: at most 2.3·10^−7; below it a constant.
func TestExponential(t *testing.T) {
	simdtest.Each(t, "fvec", func(t *testing.T) {
		const n = 1 << 15
		x, y := make([]float32, n), make([]float32, n)
		worst := 0.0
		for i := range x {
			x[i] = -86 * float32(i) / (n - 1)
		}
		expSum(y, x, 0, Single)
		for i, v := range x {
			want := math.Exp(float64(v))
			worst = max(worst, math.Abs(float64(y[i])-want)/want)
		}
		if worst > 2.3e-7 {
			t.Errorf("relative error %g, want at most 2.3e-7", worst)
		}
		if y[0] != 1 {
			t.Errorf("e^0 = %v", y[0])
		}
		low := []float32{-86, -90, -1e30, float32(math.Inf(-1))}
		expSum(low, low, 0, Single)
		for _, v := range low {
			if v != low[0] || !(v > 0 && v < 1e-37) {
				t.Errorf("far below the maximum: %v", low)
			}
		}
	})
}

// A row keeps its softmax when a constant is added that loses no bits.
func TestSoftmaxShift(t *testing.T) {
	each(t, func(t *testing.T, p Precision) {
		x := []float32{0, 1, 2.5, -3, 4, 0.25, -8}
		a, b := make([]float32, len(x)), make([]float32, len(x))
		Softmax(a, x, p)
		for i := range x {
			x[i] += 16
		}
		Softmax(b, x, p)
		if !slices.Equal(a, b) {
			t.Errorf("%v, shifted %v", a, b)
		}
	})
}

func TestNorms(t *testing.T) {
	const epsilon = 1e-5
	each(t, func(t *testing.T, p Precision) {
		tol := 1e-6
		if p == Half {
			tol = 4e-3
		}
		for _, n := range lengths() {
			both(t, n, func(row func(float64) []float32) {
				x, gamma, beta, dst := row(3), row(1), row(1), row(1)
				mean, square := 0.0, 0.0
				for i := range x {
					x[i], gamma[i], beta[i] = p.Round(x[i]), p.Round(gamma[i]), p.Round(beta[i])
					mean += float64(x[i]) / float64(n)
					square += float64(x[i]) * float64(x[i]) / float64(n)
				}
				want := make([]float64, n)
				for i, v := range x {
					want[i] = float64(v) / math.Sqrt(square+epsilon) * float64(gamma[i])
				}
				RMSNorm(dst, x, gamma, epsilon, p)
				near(t, "RMSNorm", dst, want, tol, tol)

				variance := 0.0
				for _, v := range x {
					variance += (float64(v) - mean) * (float64(v) - mean) / float64(n)
				}
				for i, v := range x {
					want[i] = (float64(v)-mean)/math.Sqrt(variance+epsilon)*float64(gamma[i]) + float64(beta[i])
				}
				LayerNorm(dst, x, gamma, beta, epsilon, p)
				if n == 1 {
					near(t, "LayerNorm", dst, []float64{float64(beta[0])}, tol, tol)
					return
				}
				// the mean's error counts in units of the standard deviation, which few elements may make small
				slack := tol + 4*eps(p)*9/math.Sqrt(variance+epsilon)
				near(t, "LayerNorm", dst, want, tol, 4*slack)
				for i := range want {
					want[i] -= float64(beta[i])
				}
				LayerNorm(dst, x, gamma, nil, epsilon, p)
				near(t, "LayerNorm without beta", dst, want, tol, 4*slack)
			})
		}
	})
}

// Σx² beyond binary16's 65504 does not overflow as long as the mean square is below.
func TestHalfNormWithOutlier(t *testing.T) {
	simdtest.Each(t, "fvec", func(t *testing.T) {
		x, gamma, dst := make([]float32, 576), make([]float32, 576), make([]float32, 576)
		for i := range x {
			x[i], gamma[i] = 1, 1
		}
		x[100] = 2000
		RMSNorm(dst, x, gamma, 1e-5, Half)
		if want := 2000 / math.Sqrt((4e6+575)/576); math.Abs(float64(dst[100])-want) > 4e-3*want {
			t.Errorf("outlier: %v, want %v", dst[100], want)
		}
		x[100] = 60000 // mean square 6·10^6
		if f := RMSNorm(dst, x, gamma, 1e-5, Half); f != 0 {
			t.Errorf("overflow: factor %v, want 0", f)
		}
		if f := RMSNorm(dst, x, gamma, 1e-5, Single); math.Abs(float64(f)*2500-1) > 1e-5 {
			t.Errorf("float32: factor %v, want 1/2500", f)
		}
		x[100] = float32(math.Inf(1))
		if f := LayerNorm(dst, x, gamma, nil, 1e-5, Half); f != 0 {
			t.Errorf("infinity: factor %v, want 0", f)
		}
	})
}

func TestSwiGLU(t *testing.T) {
	each(t, func(t *testing.T, p Precision) {
		for _, n := range lengths() {
			both(t, n, func(row func(float64) []float32) {
				gate, up, alpha, dst := row(4), row(2), row(1), row(1)
				for i := range gate {
					gate[i], up[i], alpha[i] = p.Round(gate[i]), p.Round(up[i]), p.Round(alpha[i])
				}
				want, abs := make([]float64, n), 1e-6
				if p == Half {
					abs = 0.02 // e^(αg) of a rounded αg up to 30: 2^−11·30 of a value up to 40·σ'
				}
				for i, g := range gate {
					want[i] = float64(g) * float64(up[i]) / (1 + math.Exp(-float64(g)))
				}
				SwiGLU(dst, gate, up, nil, p)
				near(t, "SwiGLU", dst, want, 8*eps(p), abs/4)
				for i, g := range gate {
					want[i] = float64(g) * float64(up[i]) / (1 + math.Exp(-float64(alpha[i])*float64(g)))
				}
				SwiGLU(dst, gate, up, alpha, p)
				near(t, "SwiGLU with alpha", dst, want, 8*eps(p), abs)
			})
		}
		far := []float32{-200, 200}
		SwiGLU(far, far, []float32{1, 1}, nil, p)
		if !(math.Abs(float64(far[0])) < 1e-30 && far[1] == p.Round(200)) {
			t.Errorf("far gates: %v", far)
		}
	})
}

func TestConversions(t *testing.T) {
	each(t, func(t *testing.T, p Precision) {
		rng := rand.New(rand.NewPCG(3, 3))
		for _, n := range lengths() {
			dst, wide, narrow, bytes, words := simdtest.End[float32](t, n), simdtest.End[int64](t, n), simdtest.End[int32](t, n), simdtest.End[uint8](t, n), simdtest.End[uint16](t, n)
			want := [4][]float64{}
			for i := range n {
				wide[i], narrow[i] = rng.Int64()>>rng.IntN(60)-1<<40, int32(rng.Uint32())>>rng.IntN(30)
				bytes[i], words[i] = uint8(rng.Uint32()), uint16(rng.Uint32())
				want[0] = append(want[0], float64(wide[i])*0x1p-50)
				want[1] = append(want[1], float64(narrow[i])*0x1.8p-18)
				want[2] = append(want[2], float64(int(bytes[i])-77)*0.01)
				want[3] = append(want[3], float64(int(words[i])-777)*0.001)
			}
			rel := 2.5 * eps(p)
			FromInt64(dst, wide, 0x1p-50, p)
			near(t, "FromInt64", dst, want[0], rel, 3e-8)
			FromInt32(dst, narrow, 0x1.8p-18, p)
			near(t, "FromInt32", dst, want[1], rel, 3e-8)
			FromCodes(dst, bytes, 77, 0.01, p)
			near(t, "FromCodes", dst, want[2], rel, 3e-8)
			FromCodes16(dst, words, 777, 0.001, p)
			near(t, "FromCodes16", dst, want[3], rel, 3e-8)
		}
	})
}

func TestCodes(t *testing.T) {
	simdtest.Each(t, "fvec", func(t *testing.T) {
		for _, n := range lengths() {
			both(t, n, func(row func(float64) []float32) {
				x := row(1)
				if n > 2 {
					x[0], x[1], x[2] = 0.5, 1.5, -0.5 // ties, at c = 1
				}
				lo, hi := Extremes(x)
				if lo != min(0, slices.Min(x)) || hi != max(0, slices.Max(x)) {
					t.Fatalf("n=%d: extremes %v, %v", n, lo, hi)
				}
				if m := maximum(x); m != slices.Max(x) {
					t.Fatalf("n=%d: maximum %v", n, m)
				}
				for _, c := range []float32{1, 40, 1000} {
					dst := simdtest.End[uint8](t, n)
					sum, want := Codes(dst, x, c, 100, 255), int32(0)
					for i, v := range x {
						q := int32(min(max(100+math.RoundToEven(float64(v*c)), 0), 255))
						if int32(dst[i]) != q {
							t.Fatalf("n=%d: code %d is %d, want %d", n, i, dst[i], q)
						}
						want += q
					}
					if sum != want {
						t.Fatalf("n=%d: sum %d, want %d", n, sum, want)
					}
				}
			})
		}
	})
}

func TestMisuse(t *testing.T) {
	for want, f := range map[string]func(){
		badEmpty:  func() { Softmax(nil, nil, Single) },
		badLength: func() { SwiGLU(make([]float32, 2), make([]float32, 3), make([]float32, 3), nil, Single) },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic %v, want %q", got, want)
				}
			}()
			f()
		}()
	}
}

// The form of half precision is said, whatever the path.
func TestHalfForm(t *testing.T) {
	forms := map[string]bool{}
	simdtest.Each(t, "fvec", func(t *testing.T) {
		t.Log(HalfForm())
		forms[HalfForm()] = true
	})
	if forms[""] || len(forms) == 0 {
		t.Error("a path has no form")
	}
}
