package ablation

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/smooth"
)

// SiteErrors is what rounding the input of each linear alone does to its output, |W(x̂ − x)| / |Wx|: the median over the
// tokens, the geometric mean over the blocks. Weights are float, and inputs those of the float model, so that a method is
// judged by one thing: what its factors and rotations make of a grid for each token.
type SiteErrors struct {
	Method string
	Bits   int
	Errors map[string]float64 // by the name of the site
}

// siteReaders are the sites that linears read, each with the linear whose output is looked at.
var siteReaders = []struct {
	site   floatref.Site
	linear string
}{{floatref.AttnIn, "self_attn.v_proj"}, {floatref.AttnOut, "self_attn.o_proj"}, {floatref.MLPIn, "mlp.up_proj"}, {floatref.Product, "mlp.down_proj"}}

// MeasureSiteErrors runs the float model with the factors of a method (nil: as it is) once for every site and rounds the
// rows there.
func MeasureSiteErrors(ctx context.Context, cfg model.Config, src floatref.Source, method string, f *smooth.Factors, bits int, ids []int32, threads int) (SiteErrors, error) {
	e := SiteErrors{Method: method, Bits: bits, Errors: map[string]float64{}}
	if limit := maxMassive / max(cfg.Layers*max(cfg.Hidden, cfg.FFN, cfg.Heads*cfg.HeadDim), 1); len(ids) < 2 || len(ids) > limit {
		return e, fmt.Errorf("ablation: errors of sites over %d tokens: expected 2 to %d", len(ids), limit)
	}
	opt := floatref.Options{Threads: threads}
	if f != nil {
		a, err := smooth.Apply(cfg, src, f)
		if err != nil {
			return e, err
		}
		cfg, src, opt.Alpha, opt.Tap = a.Config(), a, a.Alpha, a.Tap()
	}
	for _, r := range siteReaders {
		cols := map[floatref.Site]int{floatref.AttnOut: cfg.Heads * cfg.HeadDim, floatref.Product: cfg.FFN}[r.site]
		if cols == 0 {
			cols = cfg.Hidden
		}
		at := &keepRows{site: r.site, layers: make([]Magnitudes, cfg.Layers)}
		for l := range at.layers {
			at.layers[l].Rows, at.layers[l].Cols = len(ids), cols
		}
		own := opt
		if own.Tap = floatref.Tap(at); opt.Tap != nil {
			own.Tap = floatref.Taps{opt.Tap, at} // rotations first: what is rounded is what they leave
		}
		m, err := floatref.NewFrom(cfg, src, own)
		if err != nil {
			return e, err
		}
		if err := m.Logits(ctx, ids, func(int, []float32) error { return nil }); err != nil {
			return e, err
		}
		sum := 0.0
		var w []float32
		for l := range cfg.Layers {
			if w, err = src.Float32(model.LayerName(l, r.linear+".weight"), w); err != nil {
				return e, err
			}
			// No row is the massive one: the median is over all.
			g := gridError("", bits, at.layers[l], w, len(w)/cols, -1, func(v []float32) { fakequant.Row(v, bits) })
			sum += math.Log(g.OutOthers)
		}
		e.Errors[r.site.String()] = math.Exp(sum / float64(cfg.Layers))
	}
	return e, nil
}

// SiteErrorTable has a row for each method.
func SiteErrorTable(list []SiteErrors) chart.Grid {
	g := chart.Grid{Left: 1, Head: []string{"factors"}}
	for _, r := range siteReaders {
		g.Head = append(g.Head, fmt.Sprintf("%s → %s", r.site, r.linear[strings.LastIndexByte(r.linear, '.')+1:]))
	}
	for _, e := range list {
		row := []string{e.Method}
		for _, r := range siteReaders {
			row = append(row, fmt.Sprintf("%.3g %%", 100*e.Errors[r.site.String()]))
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}
