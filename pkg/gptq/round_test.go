package gptq

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// correlated draws rows whose channels depend on one another, as activations do.
func correlated(rng *rand.Rand, rows, n int) []float32 {
	mix := make([]float64, n*n)
	for i := range mix {
		mix[i] = rng.NormFloat64() * math.Exp(rng.NormFloat64())
	}
	x := make([]float32, rows*n)
	for r := range rows {
		for range 5 {
			k, a := rng.IntN(n), rng.NormFloat64()
			for i := range n {
				x[r*n+i] += float32(a * mix[k*n+i])
			}
		}
		for i := range n {
			x[r*n+i] += float32(0.3 * rng.NormFloat64())
		}
	}
	return x
}

// gram is H of rows x, one ascending chain an element. Products of float32 are exact in float64.
func gram(x []float32, n int) [][]float64 {
	h := make([][]float64, n)
	for i := range h {
		h[i] = make([]float64, n)
		for j := range h[i] {
			for r := 0; r < len(x); r += n {
				h[i][j] += float64(x[r+i]) * float64(x[r+j])
			}
		}
	}
	return h
}

func damped(h [][]float64, share float64) {
	mean := 0.0
	for i := range h {
		mean += h[i][i]
	}
	mean /= float64(len(h))
	for i := range h {
		h[i][i] += share * mean
	}
}

func TestHessian(t *testing.T) {
	simdtest.Each(t, "ordered", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		for _, n := range []int{1, 31, 32, 70} {
			x := correlated(rng, 150, n)
			g := newHessian(96).reset(n)
			g.add(2, x[:83*n], 83)
			g.add(3, x[83*n:], 67)
			for i, row := range gram(x, n) {
				for j := i; j < n; j++ {
					if got := g.h[i*g.ld+j]; got != row[j] {
						t.Fatalf("n=%d: H[%d][%d] = %x, want %x", n, i, j, got, row[j])
					}
				}
			}
		}
	})
}

// inverse is H⁻¹ by Gauss–Jordan elimination.
func inverse(h [][]float64) [][]float64 {
	n := len(h)
	a := make([][]float64, n)
	for i := range a {
		a[i] = append(append([]float64(nil), h[i]...), make([]float64, n)...)
		a[i][n+i] = 1
	}
	for k := range n {
		p := k
		for i := k; i < n; i++ {
			if math.Abs(a[i][k]) > math.Abs(a[p][k]) {
				p = i
			}
		}
		a[k], a[p] = a[p], a[k]
		d := a[k][k]
		for j := range a[k] {
			a[k][j] /= d
		}
		for i := range n {
			if f := a[i][k]; i != k && f != 0 {
				for j := range a[i] {
					a[i][j] -= f * a[k][j]
				}
			}
		}
	}
	for i := range a {
		a[i] = a[i][n:]
	}
	return a
}

func TestFactor(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 5, 32, 33, 100} {
		x := correlated(rng, 3*n+5, n)
		g := newHessian(n)
		g.add(1, x, len(x)/n)
		f, err := g.factorize(0.01, 2)
		if err != nil {
			t.Fatal(err)
		}
		h := gram(x, n)
		damped(h, 0.01)
		want := inverse(h)
		for i := range n {
			for j := range n {
				got := 0.0
				for k := range min(i, j) + 1 {
					got += f.at(k, i) * f.at(k, j)
				}
				if d := math.Abs(got - want[i][j]); d > 1e-9*math.Sqrt(want[i][i]*want[j][j]) {
					t.Fatalf("n=%d: (UᵀU)[%d][%d] = %v, want %v", n, i, j, got, want[i][j])
				}
				if j < i && f.at(i, j) != 0 {
					t.Fatalf("n=%d: U[%d][%d] = %v below the diagonal", n, i, j, f.at(i, j))
				}
			}
		}
	}
}

// textbook is GPTQ (Frantar et al. 2022, equations 2 and 3) without any factorisation: after each column the inverse
// Hessian loses that column by one step of elimination.
func textbook(w []float64, h [][]float64, bits int, scale, zero float64) []uint8 {
	hinv := inverse(h)
	w = append([]float64(nil), w...)
	codes := make([]uint8, len(w))
	top := float64(int(1)<<bits - 1)
	for i := range w {
		c := min(max(math.Round(w[i]/scale)+zero, 0), top)
		codes[i] = uint8(c)
		e := (w[i] - (c-zero)*scale) / hinv[i][i]
		for j := i; j < len(w); j++ {
			w[j] -= e * hinv[i][j]
		}
		d := hinv[i][i]
		for a := i + 1; a < len(w); a++ {
			f := hinv[a][i] / d
			for b := i + 1; b < len(w); b++ {
				hinv[a][b] -= f * hinv[i][b]
			}
		}
	}
	return codes
}

func testLinear(rng *rand.Rand, out, in int) *linear {
	l := &linear{name: "w", out: out, in: in, w: make([]float32, out*in)}
	for i := range l.w {
		l.w[i] = float32(rng.NormFloat64())
	}
	return l
}

func TestRoundIsTextbookGPTQ(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, s := range [][3]int{{3, 5, 4}, {35, 33, 3}, {7, 70, 4}, {4, 64, 8}} {
		out, in, bits := s[0], s[1], s[2]
		x := correlated(rng, 4*in, in)
		g := newHessian(in)
		g.add(1, x, 4*in)
		f, err := g.factorize(0.01, 1)
		if err != nil {
			t.Fatal(err)
		}
		h := gram(x, in)
		damped(h, 0.01)
		l := testLinear(rng, out, in)
		w := append([]float32(nil), l.w...)
		r := &rounding{l: l, bits: bits, f: f}
		r.run(2)
		for j := range out {
			row := make([]float64, in)
			for i := range row {
				row[i] = float64(w[j*in+i])
			}
			scale, zero := weightGrid(w[j*in:][:in], 1, 1, bits)
			want := textbook(row, h, bits, scale, zero)
			loss, err := 0.0, make([]float64, in)
			for i := range want {
				if got := r.codes[j*in+i]; got != want[i] {
					t.Fatalf("[%d, %d] at %d bits: code %d of row %d is %d, want %d", out, in, bits, i, j, got, want[i])
				}
				err[i] = row[i] - (float64(want[i])-zero)*scale
			}
			for a := range in {
				for b := range in {
					loss += err[a] * h[a][b] * err[b]
				}
			}
			if math.Abs(r.loss[j]-loss) > 1e-8*loss {
				t.Errorf("[%d, %d]: loss of row %d is %v, want (w−ŵ)ᵀH(w−ŵ) = %v", out, in, j, r.loss[j], loss)
			}
		}
	}
}

// On correlated inputs GPTQ is better than rounding to nearest in the norm of H, and clipping by loss never worse.
func TestBetterThanNearest(t *testing.T) {
	const out, in, bits = 40, 48, 4
	rng := rand.New(rand.NewPCG(7, 8))
	for range 5 {
		x := correlated(rng, 300, in)
		h := gram(x, in)
		damped(h, 0.01)
		l := testLinear(rng, out, in)
		run := func(clip ClipMode, nearest bool) (total float64, rows []float64) {
			g := newHessian(in)
			g.add(1, x, 300)
			f, err := g.factorize(0.01, 1)
			if err != nil {
				t.Fatal(err)
			}
			if nearest {
				f = nil
			}
			c := *l
			c.w = append([]float32(nil), l.w...)
			r := &rounding{l: &c, bits: bits, f: f, clip: clip}
			r.run(1)
			for j := range out {
				loss := 0.0
				for a := range in {
					for b := range in {
						loss += float64(l.w[j*in+a]-c.w[j*in+a]) * h[a][b] * float64(l.w[j*in+b]-c.w[j*in+b])
					}
				}
				total += loss
				rows = append(rows, loss)
			}
			return total, rows
		}
		plain, _ := run(ClipNone, true)
		solved, a := run(ClipNone, false)
		clipped, b := run(ClipLoss, false)
		if solved > 0.7*plain {
			t.Errorf("GPTQ %v, nearest %v", solved, plain)
		}
		if clipped > solved {
			t.Errorf("with clipping %v, without %v", clipped, solved)
		}
		for j := range a {
			if b[j] > a[j]*(1+1e-5) {
				t.Errorf("row %d: with clipping %v, without %v", j, b[j], a[j])
			}
		}
	}
}

// Channels that are always 0 are rounded to nearest and disturb no other.
func TestDeadChannels(t *testing.T) {
	const n = 40
	rng := rand.New(rand.NewPCG(9, 10))
	l := testLinear(rng, 3, n)
	for _, all := range []bool{false, true} {
		x := correlated(rng, 200, n)
		for i := range x {
			if all || i%n == 7 || i%n == 39 {
				x[i] = 0
			}
		}
		g := newHessian(n)
		g.add(1, x, 200)
		f, err := g.factorize(0.01, 1)
		if err != nil {
			t.Fatal(err)
		}
		c := *l
		c.w = append([]float32(nil), l.w...)
		r := &rounding{l: &c, bits: 4, f: f}
		r.run(1)
		for j := range 3 {
			for i := range n {
				if code, _ := nearest(float64(l.w[j*n+i]), r.scale[j], r.zero[j], 15); (all || i == 7 || i == 39) && code != r.codes[j*n+i] {
					t.Errorf("all %v: dead channel %d has code %d, nearest is %d", all, i, r.codes[j*n+i], code)
				}
			}
		}
	}
}

// A ratio of 1 gives the quantiser of the simulation; any other that of the scaled range.
func TestRow(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 2000 {
		x := make([]float32, 1+rng.IntN(40))
		for i := range x {
			x[i] = float32(rng.IntN(64)) / 8 * float32(rng.IntN(3)-1)
		}
		bits := 2 + rng.IntN(7)
		got, want := append([]float32(nil), x...), append([]float32(nil), x...)
		row(got, bits, One)
		fakequant.Row(want, bits)
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%v at %d bits: %v, want %v", x, bits, got, want)
			}
		}
		const ratio = 3 << 13 // 3/4
		lo, hi := 0.0, 0.0
		for _, v := range x {
			lo, hi = min(lo, float64(v)), max(hi, float64(v))
		}
		got = append(got[:0], x...)
		row(got, bits, ratio)
		step := (hi - lo) * 0.75 / float64(int(1)<<bits-1)
		for i, v := range x {
			in := float64(v) > lo*0.75+step && float64(v) < hi*0.75-step
			if d := math.Abs(float64(got[i] - v)); in && d > step*0.5001 || d > 0.25*(hi-lo)+step {
				t.Fatalf("%v at %d bits, ratio 3/4: value %d became %v", x, bits, i, got[i])
			}
		}
	}
}
