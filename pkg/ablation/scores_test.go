package ablation

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// TestScores checks the observer on a row whose distances are known, and that the
// operators below it give the bits that they give alone.
func TestScores(t *testing.T) {
	spec, err := quant.NewSpec("w8a8", "15", "illm")
	if err != nil {
		t.Fatal(err)
	}
	// Steps of 2^−20: distances 0, 1, 4 and 20 natural units.
	const unit = 1 << 20
	s := []int64{0, -unit, -4 * unit, -20 * unit}
	watched, alone := NewScores(di.Integer(spec), 0), di.Integer(spec).NewWorker(8)
	want, got := make([]int32, len(s)), make([]int32, len(s))
	alone.Softmax(want, append([]int64(nil), s...), s[3], 0, 32768, 35)

	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			w, e := watched.NewWorker(8), make([]int32, len(s))
			for range 25 {
				w.Softmax(e, append([]int64(nil), s...), s[3], 0, 32768, 35)
			}
		}()
	}
	wg.Wait()
	watched.NewWorker(8).Softmax(got, append([]int64(nil), s...), s[3], 0, 32768, 35)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("numerator %d: %d watched, %d alone", i, got[i], want[i])
		}
	}
	rows, scores := watched.Count()
	if rows != 101 || scores != 404 {
		t.Errorf("%d rows, %d scores, want 101 and 404", rows, scores)
	}
	sum := 1 + math.Exp(-1) + math.Exp(-4) + math.Exp(-20)
	for _, c := range []struct{ clip, share, weight float64 }{
		{15, 0.25, math.Exp(-20) / sum}, {3, 0.5, (math.Exp(-4) + math.Exp(-20)) / sum}, {0.5, 0.75, 1 - 1/sum}, {30, 0, 0},
	} {
		share, weight := watched.Beyond(c.clip)
		if share != c.share || math.Abs(weight-c.weight) > 1e-12 {
			t.Errorf("beyond %g: %g of the scores, %g of the weight; want %g, %g", c.clip, share, weight, c.share, c.weight)
		}
	}
	if got, want := watched.Added(3), (2*math.Exp(-3)-math.Exp(-4)-math.Exp(-20))/sum; math.Abs(got-want) > math.Exp(-3)*0x1p-33 {
		t.Errorf("a cut at 3 adds %g, want %g", got, want)
	}
	if r := watched.Range(1); r != 20 {
		t.Errorf("widest row %g, want 20", r)
	}
	if r := watched.Range(0.5); r < 20 || r > 20.5 {
		t.Errorf("median range %g, want 20 to a bin", r)
	}
	o, err := watched.Chart().Render()
	if err != nil || o.SVG == "" {
		t.Errorf("the chart: %v", err)
	}
	if g := watched.Table(15, 8); len(g.Rows) != 3 || g.Rows[1][1] != "25.0 %" {
		t.Errorf("table %v", g)
	}
}

// TestScoresAddUpInAnyOrder: rows that come in another order give the same bits.
func TestScoresAddUpInAnyOrder(t *testing.T) {
	spec, err := quant.NewSpec("w8a8", "15", "illm")
	if err != nil {
		t.Fatal(err)
	}
	draw := rand.New(rand.NewPCG(3, 5))
	rows := make([][]int64, 200)
	for i := range rows {
		rows[i] = make([]int64, 2+draw.IntN(60))
		for j := range rows[i][1:] {
			rows[i][1+j] = -draw.Int64N(25 << 20)
		}
	}
	measure := func(rows [][]int64) *Scores {
		w := NewScores(di.Integer(spec), 0)
		worker := w.NewWorker(64)
		for _, s := range rows {
			worker.Softmax(make([]int32, len(s)), slices.Clone(s), slices.Min(s), 0, 32768, 35)
		}
		return w
	}
	a := measure(rows)
	draw.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	b := measure(rows)
	if !slices.Equal(a.mass, b.mass) || !slices.Equal(a.keys, b.keys) || a.sigma != b.sigma {
		t.Error("the sums depend on the order of the rows")
	}
}
