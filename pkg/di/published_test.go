package di

import (
	"math"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// TestRequantTwice: the printed requantisation is off by up to one step, a third of one in the mean, and its scale by 2^−8
// (algorithm reference, 3.2).
func TestRequantTwice(t *testing.T) {
	rng := newRand(21)
	sum, n, worst := 0.0, 0, 0.0
	for range 400 {
		row := normRow(rng, 64, math.Exp2(10+40*rng.Float64()))
		lo, hi := MinMax(row)
		for _, bits := range []int{4, 8} {
			dst, dst16 := make([]uint8, len(row)), make([]uint16, len(row))
			s := Site{Twice: true}
			p := s.Requant(dst, slices.Clone(row), lo, hi, 40000, 30, bits, 8)
			if q := s.Requant16(dst16, slices.Clone(row), lo, hi, 40000, 30, bits, 8); q != p {
				t.Fatalf("Requant %+v, Requant16 %+v", p, q)
			}
			step := float64(hi-lo) / (math.Ldexp(1, bits) - 1)
			if gain := value(p.M, p.K) / (step * value(40000, 30)); p.M >= 256 || math.Abs(gain-1) > 1.0/256 {
				t.Fatalf("scale %d/2^%d is off by %g", p.M, p.K, gain-1)
			}
			for j, c := range dst {
				if uint16(c) != dst16[j] {
					t.Fatalf("codes %d and %d", c, dst16[j])
				}
				d := math.Abs(float64(int32(c)-p.Zero) - float64(row[j])/step)
				sum, n, worst = sum+d, n+1, math.Max(worst, d)
			}
		}
	}
	if mean := sum / float64(n); worst > 1.01 || worst < 0.9 || mean < 0.25 || mean > 0.40 {
		t.Errorf("error up to %.3f, mean %.3f steps: want about 1 and 0.33", worst, mean)
	}
}

// TestSoftmaxPublished: numerators are those of Algorithm 1 in float64, on the codes of the default, and vanish from 2.65
// below the maximum on; probabilities are rounded to 2^−7.
func TestSoftmaxPublished(t *testing.T) {
	rng := newRand(22)
	w := Integer(spec(t, "w8a8", "15", "published")).NewWorker(1 << 10).(*worker)
	const m, k = 40000, 45 // steps of 2^−29.7
	row := make([]int64, 300)
	for j := range row {
		row[j] = int64(rng.NormFloat64() * 4 / value(m, k))
	}
	lo, hi := slices.Min(row), slices.Max(row)
	e := make([]int32, len(row))
	w.Softmax(e, row, lo, hi, m, k)
	r := math.Min(float64(hi-lo)*value(m, k), 15)
	step := r / 255
	period := math.Round(1 / (step * 1.4375))
	sum, probs := 0.0, make([]float64, len(row))
	for j, v := range row {
		d := math.Round(math.Min(float64(hi-v)*value(m, k), r) / step)
		q, rest := math.Floor(d/period), math.Mod(d, period)
		want := math.Floor((period-math.Ceil(rest/2))/math.Exp2(q)) / period * (1 << 30)
		if math.Abs(float64(e[j])-want) > 8 {
			t.Fatalf("distance code %g: numerator %d, want %g", d, e[j], want)
		}
		if x := float64(hi-v) * value(m, k); x > 4*math.Ln2*(period*step/math.Ln2)+0.1 && e[j] != 0 {
			t.Fatalf("numerator %d at %g", e[j], x)
		}
		probs[j] = float64(e[j])
		sum += probs[j]
	}
	vals := NewKeys(len(row))
	dot, total := int64(0), int64(0)
	for j := range row {
		vals.Set(j, quant.RowParams{M: 50000, K: 20, Zero: int32(100 + j%7)}, 8, 64)
	}
	nlo, nhi := make([]uint8, len(row)), make([]uint8, len(row))
	p := WeightsPublished(nlo, nhi, e, vals, len(row))
	for j := range row {
		got := int64(nhi[j])*128 + int64(nlo[j])
		if want := math.Round(128 * probs[j] / sum); nlo[j] > 127 || float64(got) != want {
			t.Fatalf("probability %d/128, want %g", got, want)
		}
		dot, total = dot+got*int64(100+j%7-128), total+got
	}
	if p.M != 50000 || p.K != 27 || p.ZeroDot != dot || p.SumN != total {
		t.Errorf("row %+v, want scale 50000/2^27, sum %d, dot %d", p, total, dot)
	}
	one := []int32{1 << 30}
	if WeightsPublished(nlo, nhi, one, vals, 1); nlo[0] != 0 || nhi[0] != 1 {
		t.Errorf("one key: %d, %d, want all the mass", nlo[0], nhi[0])
	}
}

// TestSigmoidPublished: with a row maximum of 2, σ(2) is 0.88; with one of 6 both exponentials have lost their resolution
// and it is 0 (algorithm reference, section 13).
func TestSigmoidPublished(t *testing.T) {
	w := Integer(spec(t, "w8a8", "15", "published")).NewWorker(1 << 10).(*worker)
	for _, c := range []struct{ max, want float64 }{{2, 0.88}, {6, 0}} {
		step := c.max / 127
		k := int32(0)
		for step*math.Exp2(float64(k)) < 1<<7 {
			k++
		}
		gate := Row{RowParams: quant.RowParams{M: uint32(math.Round(step * math.Exp2(float64(k)))), K: k, Zero: 128}}
		for _, x := range []float64{2, c.max} {
			gate.Codes = append(gate.Codes, uint8(128+math.Round(x/step)))
		}
		up := Row{Codes: []uint8{129, 129}, RowParams: quant.RowParams{M: 1 << 15, K: 15, Zero: 128}}
		y := make([]int64, 2)
		w.SwiGLURow(y, gate, up, nil)
		if got := float64(y[0]) / float64(gate.at(0)) / (1 << 15); math.Abs(got-c.want) > 0.02 {
			t.Errorf("row maximum %g: σ(2) = %.3f, want %.2f", c.max, got, c.want)
		}
	}
}
