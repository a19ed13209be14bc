package ablation_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/smooth"
)

// Factors that are powers of two move each channel by exactly that power, as the table of pairs says; what is in between
// differs by float32 rounding.
func TestSmoothness(t *testing.T) {
	m, err := model.Open(modeltest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cfg := m.Config
	power := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(math.Ldexp(1, i%7-3))
		}
		return v
	}
	b := smooth.Block{QKV: power(cfg.Hidden), MLP: power(cfg.Hidden), UpDown: power(cfg.FFN)}
	if cfg.Gated() {
		b.GateUp = power(cfg.FFN)
	}
	f := &smooth.Factors{Meta: map[string]string{smooth.MetaMethod: "fsbr"}}
	for range cfg.Layers {
		f.Blocks = append(f.Blocks, b)
	}
	s, err := ablation.MeasureSmoothness(context.Background(), cfg, m, f, []int32{1, 5, 9, 2, 7, 3}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Before) != len(s.After) || len(s.Before) != cfg.Layers*len(ablation.SmoothSites) {
		t.Fatalf("%d and %d entries for %d layers", len(s.Before), len(s.After), cfg.Layers)
	}
	one := func(int) float64 { return 1 }
	by := func(v []float32, sign int) func(int) float64 {
		return func(c int) float64 { return math.Pow(float64(v[c]), float64(sign)) }
	}
	gain := map[floatref.Site][2]func(int) float64{ // of the activations, of the weights behind them
		floatref.AttnIn: {by(b.QKV, -1), by(b.QKV, 1)}, floatref.Query: {one}, floatref.Key: {one}, floatref.AttnOut: {one, one},
		floatref.MLPIn: {by(b.MLP, -1), nil}, floatref.Gate: {by(b.GateUp, 1)}, floatref.Product: {by(b.UpDown, -1), by(b.UpDown, 1)},
		floatref.Up: {func(c int) float64 { return 1 / float64(b.GateUp[c]) / float64(b.UpDown[c]) }},
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-4*math.Abs(b)+1e-6 }
	for i, before := range s.Before {
		after := s.After[i]
		if after.Site != before.Site || after.Layer != before.Layer {
			t.Fatalf("entry %d: %v and %v", i, before.Site, after.Site)
		}
		for c := range before.Activations {
			if want := float64(before.Activations[c]) * gain[before.Site][0](c); !near(float64(after.Activations[c]), want) {
				t.Fatalf("%v, layer %d, channel %d: activations %v, want %v", before.Site, before.Layer, c, after.Activations[c], want)
			}
		}
		if g := gain[before.Site][1]; g != nil {
			for c := range before.Weights {
				if want := float64(before.Weights[c]) * g(c); !near(float64(after.Weights[c]), want) {
					t.Fatalf("%v, layer %d, channel %d: weights %v, want %v", before.Site, before.Layer, c, after.Weights[c], want)
				}
			}
		}
	}
	for _, c := range []*chart.Chart{s.Curve(floatref.AttnIn, 0, false), s.Curve(floatref.AttnIn, 0, true), s.ByLayer(floatref.Product)} {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
	if _, err := ablation.MeasureSmoothness(context.Background(), cfg, m, nil, []int32{1}, 1); err == nil {
		t.Error("no factors: want an error")
	}
}

func TestUneven(t *testing.T) {
	for _, c := range []struct {
		channels []float32
		want     float64
	}{{[]float32{3}, 1}, {[]float32{2, 2, 2}, 1}, {[]float32{1, 8, 2}, 4}, {[]float32{0, 0, 5}, math.Inf(1)}} {
		if have := ablation.Uneven(c.channels); have != c.want {
			t.Errorf("Uneven(%v) = %v, want %v", c.channels, have, c.want)
		}
	}
	if have := ablation.Uneven(nil); !math.IsNaN(have) {
		t.Errorf("without channels %v, want NaN", have)
	}
}

func TestReadTraining(t *testing.T) {
	files := fstest.MapFS{
		"good.jsonl": {Data: []byte(`{"block":0,"epoch":1,"loss":3,"lr":0.1,"seconds":1}
{"block":0,"epoch":2,"loss":2,"seconds":1}
{"block":0,"epoch":0,"loss":1.5,"initial":6,"best":2,"seconds":2}
{"block":1,"epoch":1,"loss":5}
{"block":1,"epoch":0,"loss":4,"initial":4}
`)},
		"gap.jsonl":   {Data: []byte(`{"block":1,"epoch":1,"loss":3}`)},
		"neg.jsonl":   {Data: []byte(`{"block":-1,"epoch":1,"loss":3}`)},
		"cut.jsonl":   {Data: []byte(`{"block":0,"ep`)},
		"empty.jsonl": {},
	}
	tr, err := ablation.ReadTraining(files, "good")
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.Blocks) != 2 || len(tr.Blocks[0].Losses) != 2 || tr.Blocks[0].Final != 1.5 || tr.Blocks[0].Best != 2 || tr.Blocks[1].Initial != 4 {
		t.Errorf("read %+v", tr.Blocks)
	}
	if rows := tr.Table().Rows; rows[0][3] != "25 %" || rows[1][3] != "100 %" {
		t.Errorf("rows %v, want 25 %% and 100 %% left", rows)
	}
	if err := tr.Chart().Validate(); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"gap": "expected block 0 to 0, found 1", "neg": "found -1", "cut": "line 1", "empty": "empty", "none": "illm calibrate"} {
		if _, err := ablation.ReadTraining(files, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that says %q", name, err, want)
		}
	}
	if _, err := ablation.ReadTraining(files, "none"); errors.Is(err, fs.ErrNotExist) {
		t.Error("the error of a missing curve is an answer, not that of a file")
	}
}
