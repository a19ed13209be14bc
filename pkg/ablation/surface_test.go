package ablation_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/smooth"
)

// At every site the magnitudes' channel maxima are those that MeasureSmoothness gathers by other means, and factors move
// each element of a channel by the same power of two.
func TestSurface(t *testing.T) {
	m, err := model.Open(modeltest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cfg := m.Config
	f := &smooth.Factors{Meta: map[string]string{smooth.MetaMethod: "fsbr"}}
	v := make([]float32, cfg.Hidden)
	for i := range v {
		v[i] = float32(math.Ldexp(1, i%5-2))
	}
	for range cfg.Layers {
		f.Blocks = append(f.Blocks, smooth.Block{QKV: v, MLP: v})
	}
	ids := []int32{1, 5, 9, 2, 7, 3}
	all, err := ablation.MeasureSmoothness(context.Background(), cfg, m, f, ids, 2)
	if err != nil {
		t.Fatal(err)
	}
	const layer = 1
	for _, site := range ablation.SmoothSites {
		s, err := ablation.MeasureSurface(context.Background(), cfg, m, f, ids, 2, site.Site, layer)
		if err != nil {
			t.Fatal(err)
		}
		if s.Before.Rows != len(ids) || len(s.Readers) != len(site.Readers) {
			t.Fatalf("%s: %d rows, readers %v", site.Site, s.Before.Rows, s.Readers)
		}
		for i, list := range [][]ablation.Maxima{all.Before, all.After} {
			x, w := s.Before, s.WeightsBefore
			if i == 1 {
				x, w = s.After, s.WeightsAfter
			}
			for _, want := range list {
				if want.Layer != layer || want.Site != site.Site {
					continue
				}
				heads := x.Cols / len(want.Activations) // channels of all heads share an entry there
				for c, top := range want.Activations {
					got := 0.0
					for r := range x.Rows {
						for h := range heads {
							got = max(got, x.At(r, h*len(want.Activations)+c))
						}
					}
					if got != float64(top) {
						t.Fatalf("%s, channel %d: largest %v, want %v", site.Site, c, got, top)
					}
				}
				for c, top := range want.Weights {
					got := 0.0
					for r := range w.Rows {
						got = max(got, w.At(r, c))
					}
					if got != float64(top) {
						t.Fatalf("%s, weights of channel %d: largest %v, want %v", site.Site, c, got, top)
					}
				}
			}
		}
		if site.Site == floatref.AttnIn {
			for r := range s.Before.Rows {
				for c := range s.Before.Cols {
					a, b := s.Before.At(r, c), s.After.At(r, c)*float64(v[c])
					if math.Abs(a-b) > 1e-4*a+1e-5 {
						t.Fatalf("row %d, channel %d: %v before, %v after times its factor", r, c, a, b)
					}
				}
			}
		}
		h := s.Activations()
		if err := h.Validate(); err != nil {
			t.Error(err)
		}
		if err := s.Weights().Validate(); (err == nil) != (len(site.Readers) > 0) || err != nil && !errors.Is(err, chart.ErrEmpty) {
			t.Errorf("%s: weights: %v", site.Site, err)
		}
		if !strings.Contains(h.Panels[1].Name, "after fsbr") {
			t.Errorf("panel %q", h.Panels[1].Name)
		}
	}
	for name, c := range map[string]struct {
		f     *smooth.Factors
		site  floatref.Site
		layer int
		ids   []int32
		want  string
	}{
		"no factors": {nil, floatref.AttnIn, 0, ids, "found none"},
		"site":       {f, floatref.Scores, 0, ids, "SmoothSites"},
		"layer":      {f, floatref.AttnIn, 99, ids, "block 99"},
		"no tokens":  {f, floatref.AttnIn, 0, nil, "0 tokens"},
	} {
		if _, err := ablation.MeasureSurface(context.Background(), cfg, m, c.f, c.ids, 1, c.site, c.layer); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
