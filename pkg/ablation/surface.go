package ablation

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/smooth"
)

// Surface is the magnitudes of one activation by token and channel, and of the weights that read it by output and input
// channel, before and after the factors of a method: the paper's smoothness figures as heat maps. In float; nothing is
// quantised, and the function is the same.
type Surface struct {
	Method  string
	Site    floatref.Site
	Layer   int
	Readers []string // linears behind the site, stacked in this order; none: no weights

	Before, After               Magnitudes // [tokens, channels]
	WeightsBefore, WeightsAfter Magnitudes // [outputs of all readers, channels]
}

// Magnitudes is |x| of a matrix, row-major.
type Magnitudes struct {
	Rows, Cols int
	X          []float32
}

// maxSurface bounds what is kept: tokens times channels, and outputs times channels.
const maxSurface = 1 << 26

// MeasureSurface runs the float model over ids, without and with factors f, and keeps the magnitudes at one site of one
// layer. It holds one model's weights in float32 at a time.
func MeasureSurface(ctx context.Context, cfg model.Config, src floatref.Source, f *smooth.Factors, ids []int32, threads int, site floatref.Site, layer int) (*Surface, error) {
	at := slices.IndexFunc(SmoothSites, func(s SmoothSite) bool { return s.Site == site })
	switch {
	case f == nil:
		return nil, fmt.Errorf("ablation: surface: expected the factors of a method, found none: rounding to nearest changes no channel")
	case at < 0:
		return nil, fmt.Errorf("ablation: surface of %s: expected a site that factors move: one of SmoothSites", site)
	case layer < 0 || layer >= cfg.Layers:
		return nil, fmt.Errorf("ablation: surface of block %d: expected 0 to %d", layer, cfg.Layers-1)
	case len(ids) == 0 || len(ids)*max(cfg.Hidden, cfg.FFN, cfg.Heads*cfg.HeadDim) > maxSurface:
		return nil, fmt.Errorf("ablation: surface over %d tokens: expected 1 to %d", len(ids), maxSurface/max(cfg.Hidden, cfg.FFN, cfg.Heads*cfg.HeadDim))
	}
	a, err := smooth.Apply(cfg, src, f)
	if err != nil {
		return nil, err
	}
	s := &Surface{Method: f.Meta[smooth.MetaMethod], Site: site, Layer: layer}
	for _, name := range SmoothSites[at].Readers {
		if slices.Contains(smooth.Linears(cfg), name) {
			s.Readers = append(s.Readers, name)
		}
	}
	if s.Before, s.WeightsBefore, err = s.side(ctx, cfg, src, floatref.Options{Threads: threads}, ids); err != nil {
		return nil, err
	}
	s.After, s.WeightsAfter, err = s.side(ctx, a.Config(), a, floatref.Options{Threads: threads, Alpha: a.Alpha, Tap: a.Tap()}, ids)
	return s, err
}

// watch keeps the magnitudes of a site's rows; heads stand beside one another. Rows and heads never share an element, so
// that calls may come at once.
type watch struct {
	site  floatref.Site
	layer int
	out   Magnitudes
}

// Tap implements floatref.Tap.
func (w *watch) Tap(b *floatref.Block) {
	if b.Site != w.site || b.Layer != w.layer {
		return
	}
	for r := range b.Rows {
		at, from := b.Pos+r, b.Head*b.Cols
		if at >= w.out.Rows || from+b.Cols > w.out.Cols {
			continue
		}
		dst := w.out.X[at*w.out.Cols+from:][:b.Cols]
		for i, v := range b.Row(r) {
			dst[i] = max(v, -v)
		}
	}
}

// side is one half of MeasureSurface.
func (s *Surface) side(ctx context.Context, cfg model.Config, src floatref.Source, opt floatref.Options, ids []int32) (x, w Magnitudes, err error) {
	width := map[floatref.Site]int{floatref.Query: cfg.Heads * cfg.HeadDim, floatref.Key: cfg.KVHeads * cfg.HeadDim, floatref.AttnOut: cfg.Heads * cfg.HeadDim,
		floatref.Gate: cfg.FFN, floatref.Up: cfg.FFN, floatref.Product: cfg.FFN}[s.Site]
	if width == 0 {
		width = cfg.Hidden
	}
	seen := &watch{site: s.Site, layer: s.Layer, out: Magnitudes{Rows: len(ids), Cols: width, X: make([]float32, len(ids)*width)}}
	taps := floatref.Taps{}
	if opt.Tap != nil { // rotations first: what is quantised is looked at
		taps = append(taps, opt.Tap)
	}
	opt.Tap = append(taps, seen)
	m, err := floatref.NewFrom(cfg, src, opt)
	if err != nil {
		return x, w, err
	}
	if err := m.Logits(ctx, ids, func(int, []float32) error { return nil }); err != nil {
		return x, w, err
	}
	w.Cols = width
	for _, name := range s.Readers {
		v, err := src.Float32(model.LayerName(s.Layer, name)+".weight", nil)
		if err != nil {
			return x, w, err
		}
		if len(v)%width != 0 || len(w.X)+len(v) > maxSurface {
			return x, w, fmt.Errorf("ablation: surface: %s: expected rows of %d, found %d values", name, width, len(v))
		}
		for _, v := range v {
			w.X = append(w.X, max(v, -v))
		}
	}
	w.Rows = len(w.X) / width
	return seen.out, w, nil
}

// At is an element.
func (m Magnitudes) At(r, c int) float64 { return float64(m.X[r*m.Cols+c]) }

// Ratio is the largest element over the median of the channels' largest: how far the loudest channel stands out.
func (m Magnitudes) Ratio() float64 {
	if m.Rows == 0 {
		return math.NaN()
	}
	top := make([]float32, m.Cols)
	for i, v := range m.X {
		top[i%m.Cols] = max(top[i%m.Cols], v)
	}
	return Uneven(top)
}

// Cells of a heat map, at most.
const surfaceRows, surfaceColumns = 48, 72

// Activations is the heat map of |x| by token and channel, before and after, under one logarithmic scale of colours.
func (s *Surface) Activations() *chart.HeatMap {
	return s.heat(fmt.Sprintf("%s, block %d: |x| by channel and token", s.Site, s.Layer), "token", "|x|", s.Before, s.After)
}

// Weights is the heat map of |W| by input and output channel of the linears behind the site; without any it has no cells
// (chart.ErrEmpty).
func (s *Surface) Weights() *chart.HeatMap {
	return s.heat(fmt.Sprintf("%s, block %d: |W| behind it by input and output channel", s.Site, s.Layer), "output channel", "|W|", s.WeightsBefore, s.WeightsAfter)
}

func (s *Surface) heat(title, rows, what string, before, after Magnitudes) *chart.HeatMap {
	h := &chart.HeatMap{Title: title, Subtitle: fmt.Sprintf("float model, %d tokens; a cell is the largest of its block", s.Before.Rows),
		X: chart.Axis{Name: "channel"}, Y: chart.Axis{Name: rows}, Z: chart.Axis{Name: "largest " + what, Log: true}}
	for _, side := range []struct {
		name string
		m    Magnitudes
	}{{"before", before}, {"after " + s.Method, after}} {
		if side.m.Rows > 0 {
			h.Panels = append(h.Panels, chart.Pool(fmt.Sprintf("%s: max / median channel %s", side.name, short(side.m.Ratio())), side.m.Rows, side.m.Cols, surfaceRows, surfaceColumns, side.m.At))
		}
	}
	// Colours span three decades below the largest: smaller values look like zero and would take the scale's room.
	top := 0.0
	for _, p := range h.Panels {
		for _, row := range p.Cells {
			top = max(top, slices.Max(row))
		}
	}
	for _, p := range h.Panels {
		for _, row := range p.Cells {
			for i, v := range row {
				if v > 0 {
					row[i] = max(v, top/1000)
				}
			}
		}
	}
	return h
}
