package di

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/illm-go/illm/pkg/dyadic"
)

func TestExpKnownAnswers(t *testing.T) {
	const m, k = 61681, 20 // 15/255
	for _, c := range []struct{ d, exp, plus int64 }{
		{0, 1073741824, 1073741824}, {1, 1028358144, 1013874688}, {10, 619773952, 594444288}, {100, 3238400, 2994432}, {255, 368, 327},
	} {
		if got := Exp(c.d, m, k); got != c.exp {
			t.Errorf("Exp(%d) = %d, want %d", c.d, got, c.exp)
		}
		if got := ExpPlus(c.d, m, k); got != c.plus {
			t.Errorf("ExpPlus(%d) = %d, want %d", c.d, got, c.plus)
		}
	}
	e := []int32{1073741824, 1028358144, 619773952, 3238400, 368}
	p := make([]int32, len(e))
	Normalise(p, e, make([]int64, len(e)))
	wantEqual(t, "probabilities", p, []int32{12911, 12365, 7452, 39, 0})
}

// TestClipKnownAnswer: S = [0, −2^18, −2^21, −2^26] in steps of 2^−20, c = 15.
func TestClipKnownAnswer(t *testing.T) {
	w := newWorker(t, "15", "illm", 8)
	s := []int64{0, -1 << 18, -1 << 21, -1 << 26}
	d := w.newDistance(-1<<26, 0, 32768, 35)
	if d.m != 61681 || d.k != 20 {
		t.Errorf("scale (%d, %d), want (61681, 20)", d.m, d.k)
	}
	e := make([]int32, 4)
	w.Softmax(e, s, -1<<26, 0, 32768, 35)
	for j, code := range []int64{0, 4, 34, 255} {
		if got, want := int64(e[j]), Exp(code, 61681, 20); got != want {
			t.Errorf("e_%d = %d, want %d, that of code %d", j, got, want, code)
		}
	}
}

func TestClipRange(t *testing.T) {
	clip := dyadic.Fit(15000, 1000, 16)
	for k := int32(-70); k <= 75; k++ {
		for _, m := range []uint32{32768, 40000, 65535} {
			c, ok := ClipRange(clip, m, k)
			exact := 15 / value(m, k)
			switch x := k - clip.K; {
			case x > 60:
				if ok {
					t.Errorf("k = %d: clip %d, want none", k, c)
				}
			case !ok || c < 1 || math.Abs(float64(c)-max(exact, 1)) > 0.5+exact*1e-12*math.Exp2(max(0, float64(x-44))):
				t.Errorf("(%d, %d): clip %d, %v, want %g", m, k, c, ok, exact)
			}
		}
	}
}

// TestExpError freezes the errors of both exponentials over the whole domain of 16-bit codes, and their order.
func TestExpError(t *testing.T) {
	for _, c := range []struct {
		name     string
		f        func(int64, uint32, int32) int64
		rel, abs float64
	}{{"DI-Exp", Exp, 0.1205, 0.0440}, {"DI-Exp+", ExpPlus, 0.0050, 0.0021}} {
		const m, k = 61440, 28 // 15/65536
		rel, abs, last := 0.0, 0.0, int64(1<<30)
		for d := range int64(65536) {
			e := c.f(d, m, k)
			if e > last || e < 0 {
				t.Fatalf("%s rises at d = %d", c.name, d)
			}
			last = e
			got, want := float64(e)/(1<<30), math.Exp(-float64(d)*value(m, k))
			rel, abs = max(rel, math.Abs(got/want-1)), max(abs, math.Abs(got-want))
		}
		if rel > c.rel || abs > c.abs {
			t.Errorf("%s: relative error %.5f, absolute %.5f, want at most %g, %g", c.name, rel, abs, c.rel, c.abs)
		}
		if c.f(1<<31-1, 65535, 0) != 0 || c.f(0, 65535, -100) != 1<<30 {
			t.Errorf("%s: far end %d, e(0) = %d", c.name, c.f(1<<31-1, 65535, 0), c.f(0, 65535, -100))
		}
		if c.f(1<<31-1, 65535, 100) != 1<<30 { // a scale that vanishes
			t.Errorf("%s of nearly 0 = %d", c.name, c.f(1<<31-1, 65535, 100))
		}
	}
}

// scoreRow draws scores of a standard deviation, in steps of 32768/2^k.
func scoreRow(rng *rand.Rand, n int, std float64, k int32) (s []int64, lo, hi int64) {
	s = make([]int64, n)
	lo, hi = math.MaxInt64, math.MinInt64
	for j := range s {
		s[j] = int64(rng.NormFloat64() * std / value(32768, k))
		lo, hi = min(lo, s[j]), max(hi, s[j])
	}
	return s, lo, hi
}

// TestSoftmaxError: mean L1 distance to the float softmax, by mode.
func TestSoftmaxError(t *testing.T) {
	for _, c := range []struct {
		mode  string
		std   float64
		bound float64
	}{{"illm", 1, 0.035}, {"illm", 2, 0.035}, {"illm", 3, 0.045}, {"precise", 1, 0.005}, {"precise", 2, 0.005}, {"precise", 3, 0.005}} {
		rng := newRand(11)
		w := newWorker(t, "15", c.mode, 512)
		total := 0.0
		for range 30 {
			s, lo, hi := scoreRow(rng, 512, c.std, 45)
			e := make([]int32, len(s))
			w.Softmax(e, s, lo, hi, 32768, 45)
			sum, exact := 0.0, 0.0
			for j := range s {
				sum += float64(e[j])
				exact += math.Exp(float64(s[j]-hi) * value(32768, 45))
			}
			for j := range s {
				total += math.Abs(float64(e[j])/sum - math.Exp(float64(s[j]-hi)*value(32768, 45))/exact)
			}
		}
		if total/30 > c.bound {
			t.Errorf("%s, std %g: mean L1 distance %.4f, want at most %g", c.mode, c.std, total/30, c.bound)
		}
	}
}

// TestSoftmaxMatchesDefinition: every numerator is the exponential of its code, on rows shorter and longer than a
// table of codes, for every clip of the sweep and both modes.
func TestSoftmaxMatchesDefinition(t *testing.T) {
	rng := newRand(12)
	for _, mode := range []string{"illm", "precise"} {
		for _, clip := range []string{"none", "20", "15", "12.5", "6"} {
			w := newWorker(t, clip, mode, 1000)
			for _, n := range []int{2, 3, 255, 256, 257, 1000} {
				for _, k := range []int32{20, 45, 58} {
					s, lo, hi := scoreRow(rng, n, 6, k)
					e := make([]int32, n)
					w.Softmax(e, s, lo, hi, 32768, k)
					d := w.newDistance(lo, hi, 32768, k)
					exp := Exp
					if mode == "precise" {
						exp = ExpPlus
					}
					top := int64(1)<<w.score - 1
					for j, v := range s {
						gap := min(hi-v, d.r) >> d.s
						code := min((gap*d.g+1<<(d.h-1))>>d.h, top)
						if want := exp(code, d.m, d.k); int64(e[j]) != want {
							t.Fatalf("%s, c = %s, n = %d: e_%d = %d, want %d", mode, clip, n, j, e[j], want)
						}
						// the code is the distance on a grid of R/top steps
						if exact := float64(min(hi-v, d.r)) / float64(d.r) * float64(top); math.Abs(exact-float64(code)) > 0.501 {
							t.Fatalf("code %d of a distance of %.3f steps", code, exact)
						}
					}
				}
			}
		}
	}
}

func TestSoftmaxEdges(t *testing.T) {
	for _, mode := range []string{"illm", "precise"} {
		w := newWorker(t, "15", mode, 16)
		e := make([]int32, 5)
		w.Softmax(e, []int64{7, 7, 7, 7, 7}, 7, 7, 40000, 50)
		p := make([]int32, 5)
		Normalise(p, e, make([]int64, 5))
		for _, v := range p {
			if math.Abs(float64(v)/32768-0.2) > 1.3e-5 {
				t.Errorf("%s: five equal scores give %v", mode, p)
			}
		}
		w.Softmax(e[:1], []int64{-3}, -3, -3, 40000, 50)
		Normalise(p[:1], e[:1], make([]int64, 1))
		if p[0] != 1<<15 {
			t.Errorf("%s: one key has mass %d, want 2^15", mode, p[0])
		}
		gap := int64(1e6 / value(32768, 30))
		w.Softmax(e[:2], []int64{0, -gap}, -gap, 0, 32768, 30)
		Normalise(p[:2], e[:2], make([]int64, 2))
		if p[0] != 1<<15 || p[1] != 0 {
			t.Errorf("%s: a gap of 10^6 gives %v", mode, p[:2])
		}
		w.Softmax(e[:2], []int64{1<<56 - 1, -1<<56 + 1}, -1<<56+1, 1<<56-1, 65535, 60)
		if e[0] != 1<<30 || e[1] < 0 || e[1] >= 1<<30 {
			t.Errorf("%s: scores at the ends of their range give %v", mode, e[:2])
		}
	}
}

// TestSoftmaxShift: adding a constant to every score changes nothing; equal scores share a numerator; a larger score
// never has a smaller one.
func TestSoftmaxShift(t *testing.T) {
	rng := newRand(13)
	for _, mode := range []string{"illm", "precise"} {
		w := newWorker(t, "15", mode, 300)
		s, lo, hi := scoreRow(rng, 300, 5, 45)
		a, b := make([]int32, 300), make([]int32, 300)
		w.Softmax(a, s, lo, hi, 32768, 45)
		for j, v := range s {
			for i, u := range s {
				if u > v && a[i] < a[j] {
					t.Fatalf("%s: score %d has e %d, the larger %d has %d", mode, v, a[j], u, a[i])
				}
			}
		}
		const c = 123456789012
		for j := range s {
			s[j] += c
		}
		w.Softmax(b, s, lo+c, hi+c, 32768, 45)
		wantEqual(t, mode, b, a)
	}
}
