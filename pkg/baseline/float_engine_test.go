package baseline_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/ptq"
)

// floatLogits runs ids and returns the logits less their row's maximum.
func floatLogits(t *testing.T, lm eval.LM, ids []int32) [][]float64 {
	t.Helper()
	out := make([][]float64, len(ids))
	if err := lm.Logits(context.Background(), ids, func(pos int, l []float32) error {
		top := math.Inf(-1)
		for _, v := range l {
			top = max(top, float64(v))
		}
		for _, v := range l {
			out[pos] = append(out[pos], float64(v)-top)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// apart is the RMS difference of all logits, relative to the RMS of b.
func apart(a, b [][]float64) float64 {
	var d, n float64
	for i := range a {
		for j := range a[i] {
			d += (a[i][j] - b[i][j]) * (a[i][j] - b[i][j])
			n += b[i][j] * b[i][j]
		}
	}
	return math.Sqrt(d / n)
}

// The engine with float operators is the float simulation of its quantisers, with the true e^x; the integer operators
// are further away, by DI-Exp. What is left are codes that fall to the other side of a half.
func TestFloatOperatorsInTheEngine(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{"tiny_untied", "opt"} {
		m, err := model.OpenWeights(filepath.Join("..", "floatref", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		spec := floatSpec(t, "w8a8", "")
		ids := make([]int32, 60)
		for i := range ids {
			ids[i] = int32((i*i*31 + i*7 + 3) % m.Config.Vocab)
		}
		cal, err := ptq.Calibrate(ctx, m, "test", [][]int32{ids}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "m.illm")
		if _, err := ptq.Quantize(ctx, m, spec, cal, path, ptq.Options{}); err != nil {
			t.Fatal(err)
		}
		a, err := artifact.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		run := func(ops di.Operators) [][]float64 {
			e, err := engine.New(a, engine.Options{Threads: 2, Operators: ops})
			if err != nil {
				t.Fatal(err)
			}
			s := &engine.Scored{M: e}
			defer s.Close()
			return floatLogits(t, s, ids)
		}
		opt := fakequant.Options{Threads: 1}
		opt.Skip[floatref.Scores] = true // float softmaxes take the scores as they are
		sim, err := fakequant.New(m, spec, opt)
		if err != nil {
			t.Fatal(err)
		}
		want := floatLogits(t, sim, ids)
		single, half := baseline.Float32(spec, baseline.OpAll), baseline.Half(spec, baseline.OpAll)
		df, dh, dn := apart(run(single), want), apart(run(half), want), apart(run(nil), want)
		t.Logf("%s: distance from the simulation: float32 %.4f, half %.4f, integer %.4f", name, df, dh, dn)
		if !(df < 0.02 && df < 0.8*dn) {
			t.Errorf("%s: float32 operators are %.4f from the simulation, the integer ones %.4f: want below 0.02 and well below those", name, df, dn)
		}
		if !(dh < 0.03) {
			t.Errorf("%s: half operators are %.4f from the simulation, want below 0.03", name, dh)
		}
		// prefill in chunks of row blocks: every operator ran for every token
		layers, heads := int64(m.Config.Layers), int64(m.Config.Heads)
		if c := single.Conversions(); c.Rows != 60*(layers*(heads+3)+1) || c.Overflows != 0 {
			t.Errorf("%s: %d rows of float operators, want %d", name, c.Rows, 60*(layers*(heads+3)+1))
		}
	}
}
