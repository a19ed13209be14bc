package ptq

import (
	"math"
	"testing"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/smooth"
)

// The expected values are the known answers of the algorithm reference.
func TestRoPEPhaseKnownAnswer(t *testing.T) {
	c := model.Config{HeadDim: 64, RopeTheta: 1e4}
	if got := phases(c.RopeFrequencies())[3]; got != 1238054759683200512 {
		t.Errorf("φ_3 = %d, want 1238054759683200512", got)
	}
}

func TestCommonScaleKnownAnswers(t *testing.T) {
	m, k := commonScale([]float64{0.01, 0.0003})
	if m[0] != 10737418 || m[1] != 322123 || k != 30 {
		t.Errorf("got %v, k_w %d; want [10737418 322123], 30", m, k)
	}
	m, k = commonScale([]float64{(float64(1<<24) - 0.4) / (1 << 30)})
	if m[0] != 8388608 || k != 29 {
		t.Errorf("got %v, k_w %d; want [8388608], 29", m, k)
	}
	if m, k = commonScale([]float64{0, 0}); m[0] != 0 || k != 0 {
		t.Errorf("zero matrix: got %v, k_w %d; want zeros, 0", m, k)
	}
}

func TestNormConstantsKnownAnswers(t *testing.T) {
	g, k, err := normGamma([]float32{1, 1, 1, 1}, nil)
	if err != nil || k != 22 || g[0] != 1<<23 {
		t.Errorf("Γ = %v, k_Γ = %d, %v; want 2^23, 22", g, k, err)
	}
	if e, err := normEpsilon("1e-05", 4, 18); err != nil || e != 2748779 {
		t.Errorf("E = %d, %v; want 2748779", e, err)
	}
	if _, _, err := normGamma([]float32{float32(math.NaN())}, nil); err == nil {
		t.Error("a NaN gain passed")
	}
}

func TestResidualGrid(t *testing.T) {
	for _, c := range []struct {
		maxAbs float64
		kr     int32
	}{{900, 18}, {1024, 18}, {1025, 17}, {2048, 17}, {65536, 12}, {0.01, 18}} {
		if kr, err := residualGrid(c.maxAbs); err != nil || kr != c.kr {
			t.Errorf("max|h| %v: k_r %d, %v; want %d", c.maxAbs, kr, err, c.kr)
		}
	}
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := residualGrid(bad); err == nil {
			t.Errorf("max|h| %v passed", bad)
		}
	}
}

// Every weight of a row must come back within half a step, the end points too.
func TestQuantizeRowsError(t *testing.T) {
	w := make([]float32, 5*37)
	for i := range w {
		w[i] = float32(math.Sin(float64(i*i))) * float32(1+i%37)
	}
	copy(w[37:74], make([]float32, 37)) // a zero channel
	for i := 74; i < 111; i++ {         // an all-negative one
		w[i] = -1 - float32(i)
	}
	for bits := 2; bits <= 8; bits++ {
		q, err := quantizeRows("w", w, 5, 37, bits, 1, smooth.Range{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 5 {
			for i := range 37 {
				got := (float64(q.codes[j*37+i]) - float64(q.zero[j])) * q.scale[j]
				// the zero point is rounded too: an end point can be off by one step
				if d := math.Abs(got - float64(w[j*37+i])); d > q.scale[j]*1.0001 {
					t.Errorf("%d bits, [%d, %d]: %v for %v, off by more than a step %v", bits, j, i, got, w[j*37+i], q.scale[j])
				}
			}
		}
		if q.m[1] != 0 || q.zero[1] != 0 {
			t.Errorf("zero channel: M %d, z %d, want 0, 0", q.m[1], q.zero[1])
		}
	}
	w[40] = float32(math.Inf(1))
	if _, err := quantizeRows("w", w, 5, 37, 8, 1, smooth.Range{}, nil); err == nil {
		t.Error("an infinite weight passed")
	}
}
