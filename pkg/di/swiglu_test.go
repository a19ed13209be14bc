package di

import (
	"math"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

func TestSigmoidKnownAnswers(t *testing.T) {
	codes := []int64{-127, -50, -1, 0, 1, 50, 127} // 6/127 = (49539, 20)
	for _, c := range []struct {
		exact bool
		want  []int64
	}{
		{false, []int64{88, 2986, 16101, 16384, 16667, 29782, 32680}},
		{true, []int64{81, 2824, 16007, 16384, 16761, 29944, 32687}},
	} {
		got := make([]int64, len(codes))
		for j, x := range codes {
			got[j] = Sigmoid(x, 1, 49539, 20, c.exact)
		}
		wantEqual(t, "σ", got, c.want)
	}
}

// TestSigmoidError: absolute error by exponential, symmetry about one half, monotone.
func TestSigmoidError(t *testing.T) {
	for _, c := range []struct {
		exact bool
		bound float64
	}{{false, 0.0149}, {true, 0.00076}} {
		worst, last := 0.0, int64(0)
		for x := int64(-32768); x <= 32767; x++ {
			got := Sigmoid(x, 1, 49539, 27, c.exact) // ±12
			if got < last {
				t.Fatalf("exact %v: σ falls at %d", c.exact, x)
			}
			last = got
			worst = max(worst, math.Abs(float64(got)/32768-1/(1+math.Exp(-float64(x)*value(49539, 27)))))
			if x > 0 && got+Sigmoid(-x, 1, 49539, 27, c.exact) != 32768 {
				t.Fatalf("exact %v: σ(%d) + σ(−%d) is not 1", c.exact, x, x)
			}
		}
		if worst > c.bound {
			t.Errorf("exact %v: error %.5f, want at most %g", c.exact, worst, c.bound)
		}
	}
	if Sigmoid(65535, 1<<20-1, 65535, -10, false) != 1<<15 || Sigmoid(-65535, 1<<20-1, 65535, -10, true) != 0 {
		t.Error("extreme gates are not 0 and 1")
	}
	// α = 1/2 in Q10 is half the gate
	if a, b := Sigmoid(60, 512, 49539, 30, false), Sigmoid(30, 1, 49539, 20, false); a != b {
		t.Errorf("σ(60/2) = %d, σ(30) = %d", a, b)
	}
}

// gluRow draws n codes of a width with a header.
func gluRow(seed uint64, n, bits int) Row {
	rng := newRand(seed)
	r := Row{RowParams: quant.RowParams{M: uint32(1<<15 + rng.IntN(1<<15)), K: 20 + int32(bits) - 8, Zero: int32(rng.IntN(1 << bits))}}
	if bits > 8 {
		r.Codes16 = make([]uint16, n)
		for j := range r.Codes16 {
			r.Codes16[j] = uint16(rng.IntN(1 << bits))
		}
		return r
	}
	r.Codes = make([]uint8, n)
	for j := range r.Codes {
		r.Codes[j] = uint8(rng.IntN(1 << bits))
	}
	return r
}

func (r Row) code(j int) int64 {
	if r.Codes16 != nil {
		return int64(r.Codes16[j]) - int64(r.Zero)
	}
	return int64(r.Codes[j]) - int64(r.Zero)
}

// TestSwiGLURow: every path (a table of gate codes, direct, with α, 16 bits) is X_g·σ·X_u of the definition.
func TestSwiGLURow(t *testing.T) {
	for _, mode := range []string{"illm", "precise"} {
		w := newWorker(t, "15", mode, 2000)
		for _, n := range []int{1, 255, 256, 1536} {
			for _, bits := range []int{4, 8, 16} {
				for _, alpha := range []bool{false, true} {
					gate, up := gluRow(uint64(n+bits), n, bits), gluRow(uint64(n+bits+1), n, bits)
					p := &GLU{}
					if alpha {
						rng := newRand(3)
						p.KAlpha, p.Alpha = 17, make([]int32, n)
						for j := range p.Alpha {
							p.Alpha[j] = int32(rng.IntN(1 << 20))
						}
					}
					y := make([]int64, n)
					lo, hi := w.SwiGLURow(y, gate, up, p)
					if a, b := MinMax(y); a != lo || b != hi {
						t.Fatalf("range (%d, %d), want (%d, %d)", lo, hi, a, b)
					}
					for j := range y {
						a := int32(1)
						if alpha {
							a = p.Alpha[j]
						}
						x := gate.code(j)
						if want := x * Sigmoid(x, a, gate.M, gate.K+p.KAlpha, mode == "precise") * up.code(j); y[j] != want {
							t.Fatalf("%s, %d bits, α %v, channel %d: %d, want %d", mode, bits, alpha, j, y[j], want)
						}
					}
					dst, want := make([]uint8, n), make([]uint8, n)
					got := w.SwiGLU(dst, gate, up, p, 8)
					s := value(gate.M, gate.K) * value(up.M, up.K) / 32768
					if gain := value(got.M, got.K) * 255 / (float64(hi-lo) * s); hi > lo && math.Abs(gain-1) > 5e-5 {
						t.Fatalf("scale of the product is off by %g", gain-1)
					}
					if q := Requant(want, y, lo, hi, 1<<15, 0, 8, 16); q.Zero != got.Zero || q.Sum != got.Sum {
						t.Fatalf("header %+v, want zero and sum of %+v", got, q)
					}
					wantEqual(t, "codes", dst, want)
				}
			}
		}
	}
}

// TestSwiGLUKnownAnswer: the product scale of (49539,20) and (40000,22) is (60472,42); only gate·up = the full range
// reaches Requant's known answer, which TestRequantKnownAnswers holds.
func TestSwiGLUKnownAnswer(t *testing.T) {
	w := newWorker(t, "15", "illm", 4)
	gate := Row{Codes: []uint8{255, 0, 128, 128}, RowParams: quant.RowParams{M: 49539, K: 20, Zero: 128}}
	up := Row{Codes: []uint8{255, 255, 0, 128}, RowParams: quant.RowParams{M: 40000, K: 22, Zero: 128}}
	dst := make([]uint8, 4)
	p := w.SwiGLU(dst, gate, up, nil, 8)
	y := []int64{127 * 32680 * 127, -128 * (32768 - Sigmoid(128, 1, 49539, 20, false)) * 127, 0, 0}
	lo, hi := MinMax(y)
	want := make([]uint8, 4)
	if q := Requant(want, y, lo, hi, 60472, 42, 8, 16); q != p {
		t.Errorf("header %+v, want %+v", p, q)
	}
	wantEqual(t, "codes", dst, want)
	wantPanic(t, "lengths", errLengths, func() { w.SwiGLU(dst, gate, Row{Codes: up.Codes[:3]}, nil, 8) })
}

// TestSwiGLUError is the relative rms error of the product against floats, with the operands quantised as the engine
// does.
func TestSwiGLUError(t *testing.T) {
	const n = 1536
	for _, c := range []struct {
		mode  string
		bits  int
		bound float64
	}{{"illm", 8, 0.03}, {"illm", 16, 0.0065}, {"precise", 16, 0.0004}} {
		rng := newRand(41)
		w := newWorker(t, "15", c.mode, n)
		operand := func(spread float64) (Row, []float64) {
			x, v := make([]float64, n), make([]int64, n)
			for j := range x {
				v[j] = int64(rng.NormFloat64() * spread * (1 << 40))
				x[j] = math.Ldexp(float64(v[j]), -40)
			}
			lo, hi := MinMax(v)
			r := Row{}
			if c.bits > 8 {
				r.Codes16 = make([]uint16, n)
				r.RowParams = Requant16(r.Codes16, v, lo, hi, 1<<15, 55, c.bits, 16)
			} else {
				r.Codes = make([]uint8, n)
				r.RowParams = Requant(r.Codes, v, lo, hi, 1<<15, 55, c.bits, 16)
			}
			return r, x
		}
		errSum, norm := 0.0, 0.0
		for range 5 {
			gate, g := operand(2)
			up, u := operand(1)
			y := make([]int64, n)
			w.SwiGLURow(y, gate, up, nil)
			for j := range y {
				want := g[j] / (1 + math.Exp(-g[j])) * u[j]
				errSum += math.Pow(float64(y[j])*value(gate.M, gate.K)*value(up.M, up.K)/32768-want, 2)
				norm += want * want
			}
		}
		if rel := math.Sqrt(errSum / norm); rel > c.bound {
			t.Errorf("%s at %d bits: relative error %.5f, want at most %g", c.mode, c.bits, rel, c.bound)
		}
	}
}
