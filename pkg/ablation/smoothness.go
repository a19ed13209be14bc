package ablation

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"sync"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/smooth"
)

// SmoothSites lists the activations whose channels a calibration method moves, in the order of the forward pass, with the
// linears that read them. Sites without a linear are read by the attention or by the gated MLP itself.
var SmoothSites = []SmoothSite{
	{floatref.AttnIn, []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}},
	{floatref.Query, nil},
	{floatref.Key, nil},
	{floatref.AttnOut, []string{"self_attn.o_proj"}},
	{floatref.MLPIn, []string{"mlp.gate_proj", "mlp.up_proj"}},
	{floatref.Gate, nil},
	{floatref.Up, nil},
	{floatref.Product, []string{"mlp.down_proj"}},
}

// SmoothSite is an activation and the linears it feeds, by their names in a block.
type SmoothSite struct {
	Site    floatref.Site
	Readers []string
}

// Maxima holds what decides how hard a tensor is to quantise: the largest magnitude of each channel.
type Maxima struct {
	Layer       int
	Site        floatref.Site
	Activations []float32 // max over the tokens seen of |x_c|
	Weights     []float32 // max over the rows of all readers of |W_jc|; nil for a site without one
}

// Smoothness is the channels of a model before and after the factors of a method, in float: nothing is quantised, the
// function is the same.
type Smoothness struct {
	Method        string
	Tokens        int
	Before, After []Maxima // in the same order: layer by layer, site by site
}

// MeasureSmoothness runs the float model, as it is and with factors f, over ids and keeps the maxima of every channel of
// SmoothSites. It holds one model's weights in float32 at a time.
func MeasureSmoothness(ctx context.Context, cfg model.Config, src floatref.Source, f *smooth.Factors, ids []int32, threads int) (*Smoothness, error) {
	if f == nil {
		return nil, fmt.Errorf("ablation: smoothness: expected the factors of a method, found none: rounding to nearest changes no channel")
	}
	a, err := smooth.Apply(cfg, src, f)
	if err != nil {
		return nil, err
	}
	s := &Smoothness{Method: f.Meta[smooth.MetaMethod], Tokens: len(ids)}
	if s.Before, err = maximaOf(ctx, cfg, src, floatref.Options{Threads: threads}, ids); err != nil {
		return nil, err
	}
	opt := floatref.Options{Threads: threads, Alpha: a.Alpha, Tap: a.Tap()}
	s.After, err = maximaOf(ctx, a.Config(), a, opt, ids)
	return s, err
}

// maximaOf is one half of MeasureSmoothness.
func maximaOf(ctx context.Context, cfg model.Config, src floatref.Source, opt floatref.Options, ids []int32) ([]Maxima, error) {
	stats := new(floatref.Stats)
	taps := floatref.Taps{}
	if opt.Tap != nil { // rotations first: the statistics are of what is quantised
		taps = append(taps, opt.Tap)
	}
	opt.Tap = append(taps, stats)
	m, err := floatref.NewFrom(cfg, src, opt)
	if err != nil {
		return nil, err
	}
	if err := m.Logits(ctx, ids, func(int, []float32) error { return nil }); err != nil {
		return nil, err
	}
	out := make([][]Maxima, cfg.Layers)
	errs := make([]error, cfg.Layers)
	var wg sync.WaitGroup
	for layer := range cfg.Layers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for _, site := range SmoothSites {
				r, ok := stats.At(site.Site, layer)
				if !ok { // a model without a gate
					continue
				}
				m := Maxima{Layer: layer, Site: site.Site, Activations: r.Channel}
				if m.Weights, errs[layer] = columns(src, layer, smooth.Linears(cfg), site.Readers, len(r.Channel)); errs[layer] != nil {
					return
				}
				out[layer] = append(out[layer], m)
			}
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(out...), nil
}

// columns is max |W_jc| over the rows j of the named linears, for each of their in columns c; linears that are not among has,
// those of the model, are left out.
func columns(src floatref.Source, layer int, has, linears []string, in int) (top []float32, err error) {
	var buf []float32
	for _, name := range linears {
		if !slices.Contains(has, name) {
			continue
		}
		w, err := src.Float32(model.LayerName(layer, name)+".weight", buf)
		if err != nil {
			return nil, err
		}
		buf = w
		if top == nil {
			top = make([]float32, in)
		}
		for i, v := range w {
			top[i%in] = max(top[i%in], v, -v)
		}
	}
	return top, nil
}

// Uneven is the largest channel over the median one: 1 where all are alike. It is how many times coarser the grid of a
// token becomes for a typical channel because of the largest; log2 of it is the bits lost. +Inf if more than half of
// the channels are 0, NaN without channels.
func Uneven(channels []float32) float64 {
	if len(channels) == 0 {
		return math.NaN()
	}
	sorted := slices.Clone(channels)
	slices.Sort(sorted)
	return float64(sorted[len(sorted)-1]) / float64(sorted[len(sorted)/2])
}

// at returns the layers of a site, before and after.
func (s *Smoothness) at(site floatref.Site) (before, after []Maxima) {
	keep := func(list []Maxima) (out []Maxima) {
		for _, m := range list {
			if m.Site == site {
				out = append(out, m)
			}
		}
		return out
	}
	return keep(s.Before), keep(s.After)
}

// Curve draws the channels of a site in one layer, largest first, before and after; of the weights that read them where
// weights is set.
func (s *Smoothness) Curve(site floatref.Site, layer int, weights bool) *chart.Chart {
	what, name := "Largest |x|", "activations"
	if weights {
		what, name = "Largest |W|", "weights behind"
	}
	c := &chart.Chart{Kind: chart.KindLine, Title: fmt.Sprintf("%s: channels of %s, block %d", name, site, layer), Subtitle: s.caption(),
		X: chart.Axis{Name: "channel, largest first", Log: true}, Y: chart.Axis{Name: what, Log: true}, Height: 320}
	before, after := s.at(site)
	for i, list := range [][]Maxima{before, after} {
		series := chart.Series{Name: "before", Method: "fp32"}
		if i == 1 {
			series = chart.Series{Name: "after", Method: s.Method}
		}
		for _, m := range list {
			if m.Layer != layer {
				continue
			}
			channels := slices.Clone(m.Activations)
			if weights {
				channels = slices.Clone(m.Weights)
			}
			sort.Slice(channels, func(a, b int) bool { return channels[a] > channels[b] })
			for n := 1; n <= len(channels); n = max(n+1, min(n*6/5, len(channels))) { // sorted, on a logarithmic axis: even steps
				if v := channels[n-1]; v > 0 {
					series.Points = append(series.Points, chart.Point{X: float64(n), Y: float64(v)})
				}
				if n == len(channels) {
					break
				}
			}
		}
		if series.Points != nil {
			c.Series = append(c.Series, series)
		}
	}
	return c
}

// ByLayer draws Uneven of a site against the layer, before and after.
func (s *Smoothness) ByLayer(site floatref.Site) *chart.Chart {
	c := &chart.Chart{Kind: chart.KindLine, Title: fmt.Sprintf("%s: largest channel over the median one", site), Subtitle: s.caption(),
		X: chart.Axis{Name: "block"}, Y: chart.Axis{Name: "max / median", Log: true, Better: chart.Lower}, Height: 320}
	before, after := s.at(site)
	for i, list := range [][]Maxima{before, after} {
		series := chart.Series{Name: "before", Method: "fp32"}
		if i == 1 {
			series = chart.Series{Name: "after", Method: s.Method}
		}
		for _, m := range list {
			series.Points = append(series.Points, chart.Point{X: float64(m.Layer), Y: Uneven(m.Activations)})
		}
		c.Series = append(c.Series, series)
	}
	return c
}

func (s *Smoothness) caption() string {
	return fmt.Sprintf("float model, %d tokens, factors of %s", s.Tokens, s.Method)
}

// Table has a row for each site: the geometric mean over the layers of Uneven, and the worst layer, before and after, of
// activations and of the weights behind them.
func (s *Smoothness) Table() chart.Grid {
	g := chart.Grid{Head: []string{"site", "activations, mean", "after", "worst block", "after", "weights behind, mean", "after"}}
	for _, site := range SmoothSites {
		before, after := s.at(site.Site)
		if len(before) == 0 {
			continue
		}
		mean0, worst0 := summary(before, func(m Maxima) []float32 { return m.Activations })
		mean1, worst1 := summary(after, func(m Maxima) []float32 { return m.Activations })
		row := []string{site.Site.String(), short(mean0), short(mean1), short(worst0), short(worst1), "–", "–"}
		if before[0].Weights != nil {
			w0, _ := summary(before, func(m Maxima) []float32 { return m.Weights })
			w1, _ := summary(after, func(m Maxima) []float32 { return m.Weights })
			row[5], row[6] = short(w0), short(w1)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// summary is the geometric mean of Uneven over the layers, and the largest.
func summary(list []Maxima, of func(Maxima) []float32) (mean, worst float64) {
	for _, m := range list {
		u := Uneven(of(m))
		mean += math.Log(u) / float64(len(list))
		worst = max(worst, u)
	}
	return math.Exp(mean), worst
}
