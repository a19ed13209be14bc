package floatref

import (
	"math"
	"testing"
)

func TestStats(t *testing.T) {
	var s Stats
	if _, ok := s.At(Query, 0); ok || s.ResidualMax() != 0 {
		t.Error("empty statistics are not empty")
	}
	x := []float32{1, -2, 99, 3, 0.5, 99}
	s.Tap(&Block{Site: Query, Layer: 1, Head: 1, Rows: 2, Cols: 2, Stride: 3, X: x})
	s.Tap(&Block{Site: Query, Layer: 1, Head: 0, Rows: 1, Cols: 2, Stride: 2, X: []float32{float32(math.NaN()), -7}})
	r, ok := s.At(Query, 1)
	if !ok || r.Min != -7 || r.Max != 3 || r.AbsMax() != 7 || r.Rows != 3 || r.Values != 6 || r.Bad != 1 {
		t.Errorf("range %+v", r)
	}
	if want := math.Sqrt((1 + 4 + 9 + 0.25 + 49) / 5); math.Abs(r.RMS()-want) > 1e-12 {
		t.Errorf("RMS %v, want %v", r.RMS(), want)
	}
	for i, want := range []float32{0, 7, 3, 2} {
		if r.Channel[i] != want {
			t.Errorf("channel %d: %v, want %v", i, r.Channel[i], want)
		}
	}
	if s.Tap(&Block{Site: ResidualMid, Rows: 1, Cols: 1, X: []float32{-4}}); s.ResidualMax() != 4 {
		t.Errorf("residual maximum %v, want 4", s.ResidualMax())
	}
	if s.Tap(&Block{Site: Residual, Rows: 1, Cols: 1, X: []float32{float32(math.Inf(-1))}}); !math.IsInf(float64(s.ResidualMax()), 1) {
		t.Errorf("residual maximum %v, want +Inf", s.ResidualMax())
	}
}

// In a model: each site of each layer is there, and the first residual is the embedding.
func TestStatsOfAModel(t *testing.T) {
	var s Stats
	m := newTiny(t, Options{Threads: 2, Tap: &s})
	ids := tokens(100, tiny.Vocab)
	allLogits(t, m, ids)
	top := float32(0)
	for _, id := range ids {
		for _, v := range m.embed[int(id)*tiny.Hidden:][:tiny.Hidden] {
			top = max(top, v, -v)
		}
	}
	if r, _ := s.At(Residual, 0); r.AbsMax() != top {
		t.Errorf("largest residual of block 0: %v, want that of the embedding, %v", r.AbsMax(), top)
	}
	if s.ResidualMax() < top {
		t.Errorf("largest residual %v is below that of block 0, %v", s.ResidualMax(), top)
	}
	width := map[Site]int{Residual: 48, ResidualMid: 48, AttnIn: 48, Query: 60, Key: 20, Value: 20, Scores: 0,
		AttnOut: 60, MLPIn: 48, Gate: 100, Up: 100, Product: 100, HeadIn: 48}
	for site := Site(0); site < siteCount; site++ {
		layers := tiny.Layers
		switch site {
		case Residual:
			layers++
		case HeadIn:
			continue
		}
		for l := range layers {
			if r, ok := s.At(site, l); !ok || len(r.Channel) != width[site] || r.Bad != 0 || !(r.RMS() > 0) {
				t.Errorf("%v of layer %d: %d channels, want %d; %d bad values, RMS %v", site, l, len(r.Channel), width[site], r.Bad, r.RMS())
			}
		}
	}
	if r, ok := s.At(HeadIn, tiny.Layers); !ok || r.Rows != 100 {
		t.Errorf("head input: %d rows, want 100", r.Rows)
	}
}
