package baseline_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/simdtest"
)

func floatSpec(t testing.TB, recipe, mode string) quant.Spec {
	t.Helper()
	s, err := quant.NewSpec(recipe, "15", mode)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// precisions are both operator sets with the error of one elementary step.
func precisions(t testing.TB, ops baseline.Ops) map[string]struct {
	*baseline.Operators
	eps float64
} {
	s := floatSpec(t, "w8a8", "")
	return map[string]struct {
		*baseline.Operators
		eps float64
	}{"float32": {baseline.Float32(s, ops), 0x1p-24}, "half": {baseline.Half(s, ops), 0x1p-11}}
}

func eachFloat(t *testing.T, ops baseline.Ops, f func(t *testing.T, o *baseline.Operators, eps float64)) {
	simdtest.Each(t, "fvec", func(t *testing.T) {
		for name, o := range precisions(t, ops) {
			t.Run(name, func(t *testing.T) { f(t, o.Operators, o.eps) })
		}
	})
}

// checkCodes compares codes with real values: within a step (a rounding of the value, and half a step of the grid) and tol.
func checkCodes(t *testing.T, codes []uint8, p quant.RowParams, want []float64, bits int, tol float64) {
	t.Helper()
	lo, hi, sum := 0.0, 0.0, int32(0)
	for _, v := range want {
		lo, hi = min(lo, v), max(hi, v)
	}
	s := math.Ldexp(float64(p.M), -int(p.K))
	if grid := (hi - lo) / float64(int(1)<<bits-1); !(math.Abs(s-grid) <= grid*0.01+tol) {
		t.Fatalf("step %v, want %v", s, grid)
	}
	if p.M < 1<<15 || p.M >= 1<<16 {
		t.Fatalf("mantissa %d is not of 16 bits", p.M)
	}
	for i, c := range codes {
		got := float64(int32(c)-p.Zero) * s
		if math.Abs(got-want[i]) > 1.01*s+tol*math.Abs(want[i])+tol {
			t.Fatalf("element %d: %v, want %v, step %v", i, got, want[i], s)
		}
		sum += int32(c)
	}
	if sum != p.Sum {
		t.Fatalf("sum %d, header says %d", sum, p.Sum)
	}
}

func TestFloatSoftmax(t *testing.T) {
	eachFloat(t, baseline.OpSoftmax, func(t *testing.T, o *baseline.Operators, eps float64) {
		rng := rand.New(rand.NewPCG(1, 1))
		const m, k = 40000, 61 // a step of 2^−45.7
		for _, n := range []int{1, 2, 17, 300, 2048} {
			s, e, want := make([]int64, n), make([]int32, n), make([]float64, n)
			lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
			for i := range s {
				s[i] = int64(rng.NormFloat64() * 2 * math.Ldexp(1, k) / m)
				lo, hi = min(lo, s[i]), max(hi, s[i])
			}
			sum := 0.0
			for i := range s {
				want[i] = math.Exp(float64(s[i]-hi) * m / (1 << k))
				sum += want[i]
			}
			o.NewWorker(n).Softmax(e, s, lo, hi, m, k)
			for i := range e {
				// scores up to 8 and differences up to 16 are rounded before e^x
				w := want[i] / sum * (1 << 30)
				if d := math.Abs(float64(e[i]) - w); !(d <= 28*eps*w+1e-6*w+64*max(1, eps*(1<<11))) {
					t.Fatalf("n=%d: numerator %d is %d, want %v", n, i, e[i], w)
				}
			}
			c := o.Conversions()
			if c.ToFloat != c.ToInteger || c.Overflows != 0 {
				t.Fatalf("conversions %+v", c)
			}
		}
		if c := o.Conversions(); c.Rows != 5 || c.ToFloat != 1+2+17+300+2048 {
			t.Errorf("conversions %+v", c)
		}
	})
}

// TestWeightsOfOperators: with a float softmax a row's weights are Weights of its numerators; without one they are the integer
// worker's, made by the very passes that it has for them, which may leave no numerators.
func TestWeightsOfOperators(t *testing.T) {
	const m, k, unset = 40000, 61, -7
	spec := floatSpec(t, "w8a8", "")
	simdtest.Each(t, "vec", func(t *testing.T) {
		for _, n := range []int{1, 17, 64, 300} {
			rng := rand.New(rand.NewPCG(2, uint64(n)))
			s, vals := make([]int64, n), di.NewValues(n)
			lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
			for j := range s {
				s[j] = int64(rng.NormFloat64() * 2 * math.Ldexp(1, k) / m)
				lo, hi = min(lo, s[j]), max(hi, s[j])
				vals.M[j], vals.K[j], vals.Zero[j] = 1<<15+rng.Uint32N(1<<15), 18+rng.Int32N(2), rng.Int32N(256)-128
			}
			vals.Extend(0, n)
			type result struct {
				row    di.PVRow
				lo, hi []uint8
				e      []int32
			}
			run := func(ops di.Operators) result {
				r := result{lo: make([]uint8, n), hi: make([]uint8, n), e: make([]int32, n)}
				for j := range r.e {
					r.e[j] = unset
				}
				r.row = di.SoftmaxWeights(ops.NewWorker(n), r.lo, r.hi, r.e, make([]int64, (n+63)&^63), s, lo, lo, hi, m, k, vals)
				return r
			}
			integer := run(di.Integer(spec))
			if got := run(baseline.Half(spec, baseline.OpActivation|baseline.OpNorm)); !reflect.DeepEqual(got, integer) {
				t.Errorf("%d keys, an integer softmax among float operators: %+v, want %+v", n, got.row, integer.row)
			}
			w := baseline.Float32(spec, baseline.OpSoftmax).NewWorker(n)
			want := result{lo: make([]uint8, n), hi: make([]uint8, n), e: make([]int32, n)}
			w.Softmax(want.e, s, lo, hi, m, k)
			want.row = di.Weights(want.lo, want.hi, make([]int64, n), want.e, vals, n)
			if got := run(baseline.Float32(spec, baseline.OpSoftmax)); !reflect.DeepEqual(got, want) {
				t.Errorf("%d keys, a float softmax: %+v, want %+v", n, got.row, want.row)
			}
		}
	})
}

// normOf is a norm of n channels with its float constants.
func normOf(rng *rand.Rand, n int, layer bool) (p *di.Norm, gamma, beta []float64) {
	const kg, kr = 12, 18
	p = &di.Norm{KGamma: kg, Layer: layer, KR: kr, E: int64(math.Round(1e-5 * float64(n) * math.Ldexp(1, 2*kr)))}
	for range n {
		g := 1 + rng.NormFloat64()/4
		p.Gamma = append(p.Gamma, int32(math.Round(g*math.Sqrt(float64(n))*(1<<kg))))
		gamma = append(gamma, g)
		b := 0.0
		if layer {
			b = rng.NormFloat64()
			p.Beta = append(p.Beta, int64(math.Round(math.Ldexp(b, 30+kg))))
		}
		beta = append(beta, b)
	}
	return p, gamma, beta
}

func TestFloatNorm(t *testing.T) {
	eachFloat(t, baseline.OpNorm, func(t *testing.T, o *baseline.Operators, eps float64) {
		rng := rand.New(rand.NewPCG(2, 2))
		for _, n := range []int{16, 100, 576} {
			for _, layer := range []bool{false, true} {
				p, gamma, beta := normOf(rng, n, layer)
				h, want := make([]int32, n), make([]float64, n)
				mean, square := 0.0, 0.0
				for i := range h {
					h[i] = int32(rng.NormFloat64() * 3 * (1 << 18))
					mean += float64(h[i]) / (1 << 18) / float64(n)
				}
				if !layer {
					mean = 0
				}
				for i := range h {
					d := float64(h[i])/(1<<18) - mean
					square += d * d / float64(n)
				}
				for i := range h {
					want[i] = (float64(h[i])/(1<<18)-mean)/math.Sqrt(square+1e-5)*gamma[i] + beta[i]
				}
				w := o.NewWorker(n)
				dst := make([]uint8, n)
				for range 2 { // the second time with constants that are there
					got := w.Norm(dst, h, p, 8)
					checkCodes(t, dst, got, want, 8, 8*eps+1e-3) // 1e-3: Γ has 12 fraction bits here
				}
				if got := w.Norm(dst, make([]int32, n), p, 4); !layer && (got.Sum != 0 || got.M == 0) {
					t.Errorf("a row of zeros has the header %+v", got)
				}
			}
		}
	})
}

func TestFloatSwiGLU(t *testing.T) {
	eachFloat(t, baseline.OpActivation, func(t *testing.T, o *baseline.Operators, eps float64) {
		rng := rand.New(rand.NewPCG(3, 3))
		const n = 333
		for _, wide := range []bool{false, true} {
			operand := func() (r di.Row, v []float64) {
				r.M, r.K, r.Zero = 50000, 20, 120
				if wide {
					r.K, r.Zero = 28, 30000
				}
				for range n {
					var c int32
					if wide {
						c = rng.Int32N(1 << 16)
						r.Codes16 = append(r.Codes16, uint16(c))
					} else {
						c = rng.Int32N(1 << 8)
						r.Codes = append(r.Codes, uint8(c))
					}
					v = append(v, float64(c-r.Zero)*math.Ldexp(float64(r.M), -int(r.K)))
				}
				return r, v
			}
			gate, g := operand()
			up, u := operand()
			smooth := &di.GLU{KAlpha: 10}
			for range n {
				smooth.Alpha = append(smooth.Alpha, 512+rng.Int32N(1024))
			}
			w := o.NewWorker(n)
			for _, p := range []*di.GLU{nil, {}, smooth} {
				want := make([]float64, n)
				for i := range want {
					a := 1.0
					if p != nil && p.Alpha != nil {
						a = float64(p.Alpha[i]) / 1024
					}
					want[i] = g[i] * u[i] / (1 + math.Exp(-a*g[i]))
				}
				dst := make([]uint8, n)
				checkCodes(t, dst, w.SwiGLU(dst, gate, up, p, 8), want, 8, 16*eps+1e-6)
			}
		}
	})
}

func TestFloatReLU(t *testing.T) {
	eachFloat(t, baseline.OpActivation, func(t *testing.T, o *baseline.Operators, eps float64) {
		rng := rand.New(rand.NewPCG(4, 4))
		const n = 200
		x, want := make([]int64, n), make([]float64, n)
		var lo, hi int64
		for i := range x {
			x[i] = int64(rng.NormFloat64() * (1 << 40))
			want[i] = max(float64(x[i])*50000/(1<<55), 0)
			lo, hi = min(lo, x[i]), max(hi, x[i])
		}
		dst := make([]uint8, n)
		p := o.NewWorker(n).ReLU(dst, x, lo, hi, 50000, 55, di.Product{}, 8)
		if p.Zero != 0 {
			t.Errorf("zero point %d, want 0", p.Zero)
		}
		checkCodes(t, dst, p, want, 8, 2*eps)
	})
}

// A rotated product has the values of H·x/√n.
func TestFloatRotatedProduct(t *testing.T) {
	const n = 64
	rotate, err := di.NewHadamard(n, di.ReLUBits)
	if err != nil {
		t.Fatal(err)
	}
	eachFloat(t, baseline.OpActivation, func(t *testing.T, o *baseline.Operators, eps float64) {
		x, want := make([]int64, n), make([]float64, n)
		x[5], x[9], x[20] = 1<<40, -1<<41, 1<<39
		for i, v := range x {
			for j := range want { // Walsh: the sign is the parity of i&j
				s := 1.0
				for b := i & j; b > 0; b &= b - 1 {
					s = -s
				}
				want[j] += s * max(float64(v), 0) / (1 << 40) / 8
			}
		}
		dst := make([]uint8, n)
		p := o.NewWorker(n).ReLU(dst, x, -1<<41, 1<<40, 1<<15, 55, di.Product{Rotate: rotate}, 8)
		checkCodes(t, dst, p, want, 8, 1e-4+4*eps)
	})
}

// Rows that binary16 cannot hold are computed in float32, and counted.
func TestHalfOverflow(t *testing.T) {
	o := baseline.Half(floatSpec(t, "w8a8", ""), baseline.OpAll)
	w := o.NewWorker(64)
	e := make([]int32, 2)
	w.Softmax(e, []int64{1 << 50, 1<<50 - 1<<32}, 1<<50-1<<32, 1<<50, 1<<15, 15+32) // 2^18 and 2^18 − 1
	if want := 1 / (1 + math.Exp(-1)); math.Abs(float64(e[0])/(1<<30)-want) > 1e-6 {
		t.Errorf("softmax of 2^18 and 2^18 − 1: %v", float64(e[0])/(1<<30))
	}
	p, _, _ := normOf(rand.New(rand.NewPCG(5, 5)), 64, false)
	h := make([]int32, 64)
	for i := range h {
		h[i] = 1 << 30 // 4096, mean square 2^24
	}
	dst := make([]uint8, 64)
	if r := w.Norm(dst, h, p, 8); r.Sum == 0 {
		t.Error("the norm of a large row is 0")
	}
	if c := o.Conversions(); c.Overflows != 2 || c.Rows != 2 {
		t.Errorf("conversions %+v, want 2 overflows of 2 rows", c)
	}
}

// What is not asked for stays integer, to the bit.
func TestFloatSubsets(t *testing.T) {
	s := floatSpec(t, "w8a8", "")
	h := make([]int32, 64)
	for i := range h {
		h[i] = int32(i*i) << 10
	}
	p, _, _ := normOf(rand.New(rand.NewPCG(6, 6)), 64, false)
	a, b := make([]uint8, 64), make([]uint8, 64)
	o := baseline.Half(s, baseline.OpSoftmax)
	got, want := o.NewWorker(64).Norm(a, h, p, 8), di.Integer(s).NewWorker(64).Norm(b, h, p, 8)
	if got != want || string(a) != string(b) {
		t.Errorf("the integer norm changed: %+v, %+v", got, want)
	}
	if c := o.Conversions(); c.Rows != 0 {
		t.Errorf("conversions %+v of an integer operator", c)
	}
	for ops, name := range map[baseline.Ops]string{baseline.OpAll: "half", baseline.OpSoftmax | baseline.OpNorm: "half:softmax+norm", 0: "illm"} {
		if got := baseline.Half(s, ops).Name(); got != name {
			t.Errorf("name %q, want %q", got, name)
		}
		if back, err := baseline.ParseOps(ops.String()); ops != 0 && (err != nil || back != ops) {
			t.Errorf("%q is read as %v, %v", ops, back, err)
		}
	}
	if _, err := baseline.ParseOps("softmax+gelu"); err == nil {
		t.Error("an unknown operator is taken")
	}
}

func TestFloatNoAllocation(t *testing.T) {
	const n = 600
	for name, o := range precisions(t, baseline.OpAll) {
		w := o.NewWorker(n)
		p, _, _ := normOf(rand.New(rand.NewPCG(7, 7)), n, false)
		h, dst, e, s := make([]int32, n), make([]uint8, n), make([]int32, n), make([]int64, n)
		r := di.Row{Codes: make([]uint8, n), RowParams: quant.RowParams{M: 40000, K: 20, Zero: 3}}
		h[3] = 1 << 20
		run := func() {
			w.Norm(dst, h, p, 8)
			w.Softmax(e, s, 0, 0, 1<<15, 40)
			w.SwiGLU(dst, r, r, nil, 8)
			w.ReLU(dst, s, 0, 0, 1<<15, 40, di.Product{}, 8)
		}
		run()
		if got := testing.AllocsPerRun(10, run); got != 0 {
			t.Errorf("%s: %g allocations a run, want 0", name, got)
		}
	}
}
