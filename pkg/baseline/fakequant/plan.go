package fakequant

import (
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// Plan is a simulation taken apart, for what runs a model elsewhere than in package floatref: the weights on their grids,
// and what is done to each activation.
type Plan struct {
	Config  model.Config    // where head and embedding have other widths, its head is not tied
	Weights floatref.Source // rounded as they are read

	// Bits is the width of each site's rows, of the distances at Scores; 0: left alone.
	Bits [floatref.Sites]int

	// Clip is the clip of a layer's scores in natural units; 0: none.
	Clip func(layer int) float64

	// Ratio is the part of a row's dynamic range that the quantiser of a site keeps, above 0 and at most 1.
	Ratio func(site floatref.Site, layer int) float64

	// Alpha gives the gains of the gate, as in floatref.Options; may be nil.
	Alpha func(layer int) []float32
}

// NewPlan is the plan of the simulation that NewFrom makes of the same arguments. Threads, Shapes, Tap and Before of the
// options have no part in it.
func NewPlan(cfg model.Config, src floatref.Source, spec quant.Spec, opt Options) (*Plan, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if err := opt.Clips.Check(spec, cfg.Layers); err != nil {
		return nil, err
	}
	r := spec.Effective()
	p := &Plan{Config: cfg, Ratio: opt.Ratio, Alpha: opt.Alpha}
	for site, bits := range map[floatref.Site]int{
		floatref.AttnIn: r.Act, floatref.AttnOut: r.Act, floatref.MLPIn: r.Act, floatref.Product: r.Act,
		floatref.Query: r.Query, floatref.Key: r.KV, floatref.Value: r.KV, floatref.Scores: r.Score,
		floatref.Gate: r.GLU, floatref.Up: r.GLU, floatref.HeadIn: r.Head,
	} {
		p.Bits[site] = bits
	}
	if !cfg.Gated() {
		p.Bits[floatref.Up] = 0 // ReLU comes before the requantisation: codes exist at Product alone
	}
	for site, skip := range opt.Skip {
		if skip {
			p.Bits[site] = 0
		}
	}
	clips := opt.Clips
	p.Clip = func(layer int) float64 { return float64(float32(clips.Of(spec, layer)) / 1000) }
	if p.Ratio == nil {
		p.Ratio = func(floatref.Site, int) float64 { return 1 }
	}
	w := weights{src: src, cfg: cfg, bits: r, clip: opt.Clip, rounder: opt.Rounder}
	if opt.FloatWeights {
		w.bits.Weight = 0
	}
	if opt.FloatHead {
		w.bits.Head, w.bits.Emb = 0, 0
		p.Bits[floatref.HeadIn] = 0
	}
	if w.bits.Emb != w.bits.Head {
		p.Config.TiedHead = false // two tables; weights knows where the head comes from
	}
	p.Weights = w
	return p, nil
}
