package ablation

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

// TestFindMassive: the largest values are those of the statistics that floatref keeps itself.
func TestFindMassive(t *testing.T) {
	m, err := model.Open(modeltest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ids := []int32{1, 5, 9, 2, 7, 3, 3, 8}
	got, err := FindMassive(context.Background(), m.Config, m, ids, 2, 8, 4)
	if err != nil {
		t.Fatal(err)
	}
	stats := new(floatref.Stats)
	f, err := floatref.NewFrom(m.Config, m, floatref.Options{Tap: stats})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Logits(context.Background(), ids, func(int, []float32) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for l, x := range got.Layers {
		r, ok := stats.At(floatref.Residual, l)
		if !ok {
			t.Fatalf("layer %d was not seen", l)
		}
		top, at := float32(0), 0
		for c, v := range r.Channel {
			if v > top {
				top, at = v, c
			}
		}
		if x.Top != float64(top) || x.Channel != at || x.Typical > x.Top || !(x.Share > 0 && x.Share < 1) {
			t.Errorf("layer %d: %+v, want %v in channel %d", l, x, top, at)
		}
	}
	if len(got.Layers) != m.Config.Layers+1 || len(got.Grids) != 2*2 || math.Abs(got.Tops[0].X) != got.Layers[got.Block+1].Top {
		t.Errorf("%d layers, %d grids, top %+v", len(got.Layers), len(got.Grids), got.Tops)
	}
	// The tiny model's FFN has no Hadamard matrix: two ways.
	if words := got.GridSentence(); words != "" {
		t.Errorf("a sentence on matrices that are not there: %q", words)
	}
	made := &Massive{Grids: []MassiveGrid{{Name: gridOwn, Bits: 4, Out: 0.01, OutOthers: 0.3}, {Name: gridHadamard, Bits: 4, Out: 0.05, OutOthers: 0.1}}}
	if words := made.GridSentence(); words != "Behind a Hadamard matrix, at 4 bits the massive token's output error goes from 1 to 5 %, the others' from 30 to 10 %." {
		t.Errorf("sentence %q", words)
	}
	if err := got.Chart().Validate(); err != nil {
		t.Error(err)
	}
	for _, g := range got.Grids {
		if !(g.In > 0 && g.In < 1 && g.InOthers < 1 && g.Share >= 0 && g.Share <= 1) {
			t.Errorf("%+v", g)
		}
	}
	if _, err := FindMassive(context.Background(), m.Config, m, ids[:1], 1); err == nil || !strings.Contains(err.Error(), "expected 2 to") {
		t.Errorf("one token: %v", err)
	}
}

// TestMassiveGrids: errors by hand. Three tokens of four channels, W the identity: with one grid of 4 bits from 0 to 150 the
// step is 10, so that rows of at most 5 vanish and 150 stays; with their own, 0…15/k have the step 1/k and stay.
func TestMassiveGrids(t *testing.T) {
	x := Magnitudes{Rows: 3, Cols: 4, X: []float32{150, 0, 0, 0, 1.5, 1, 0.5, 0, 3, 2, 1, 0}}
	layer := x.massive()
	if layer.Top != 150 || layer.Token != 0 || layer.Channel != 0 || layer.Typical != 3 || math.Abs(layer.Share-22500/(22500+3.5+14)) > 1e-12 {
		t.Errorf("%+v", layer)
	}
	if tops := x.tops(3); tops[0].Over != 50 || tops[1].Position != 2 {
		t.Errorf("%+v", tops)
	}
	w := make([]float32, 16)
	for i := range 4 {
		w[5*i] = 1
	}
	cfg := model.Config{Architecture: model.LLaMA, Layers: 1, Hidden: 4, Heads: 1, KVHeads: 1, HeadDim: 4, FFN: 4, Vocab: 8, MaxContext: 8}
	grids, err := gridErrors(cfg, x, w, 0, []int{4})
	if err != nil {
		t.Fatal(err)
	}
	if len(grids) != 3 {
		t.Fatalf("%d grids", len(grids))
	}
	one, own, turned := grids[0], grids[1], grids[2]
	if one.In != 0 || one.InOthers != 1 || one.OutOthers != 1 || one.LostChannels != 1 || one.Share != 0 {
		t.Errorf("one grid: %+v", one)
	}
	if own.In > 1e-6 || own.InOthers > 1e-6 || own.LostChannels != 0 {
		t.Errorf("own grids: %+v", own)
	}
	// H·(150, 0, 0, 0)/2 = (75, 75, 75, 75): exact on its own grid; W is the identity, so that errors are the same behind it.
	if turned.In > 1e-6 || math.Abs(turned.InOthers-turned.OutOthers) > 1e-9 || turned.InOthers > 0.1 {
		t.Errorf("behind a Hadamard matrix: %+v", turned)
	}
	if _, err := gridErrors(cfg, x, w[:15], 0, []int{4}); err == nil {
		t.Error("a linear of another width was taken")
	}
}
