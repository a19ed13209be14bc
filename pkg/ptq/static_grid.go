package ptq

import (
	"fmt"
	"math"
	"slices"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// MixedDynamic lists the sites that the setting "mixed" leaves dynamic.
func MixedDynamic() []string { return slices.Clone(mixedDynamic[:]) }

// mixedDynamic are the sites whose constant grids cost most, one site at a time, each the worst of those that are left: on
// tiny-llama and WikiText-2 the divergence from the float model grows from 0.0025 to 0.0299, 0.0033 and 0.0031 nats at W8A8
// and from 0.315 to 2.41, 0.554 and 0.509 at W4A4 (8 windows); no other site reaches 0.0029 and 0.434 (study static-sites).
var mixedDynamic = [...]string{artifact.SiteProduct, artifact.SiteMLPIn, artifact.SiteAttnIn}

// ResidualSteps are the steps of the residual stream of mode published on the grid 2^−kr: a channel's largest magnitude in
// calibration has the code 32767,
//
//	r_c = sat(⌈max|h_c|·2^kr/32767⌉, 1, 2^16)
func (s *StaticRanges) ResidualSteps(kr int32) []int32 {
	out := make([]int32, len(s.Residual))
	for c, v := range s.Residual {
		out[c] = int32(max(1, min(math.Ceil(math.Ldexp(v, int(kr))/math.MaxInt16), di.MaxResidualStep)))
	}
	return out
}

// Check compares ranges, which may come from a file, with the model they are for.
func (s *StaticRanges) Check(cfg model.Config) error {
	if len(s.Residual) != cfg.Hidden {
		return fmt.Errorf("static ranges of the residual stream: expected %d channels, found %d", cfg.Hidden, len(s.Residual))
	}
	for c, v := range s.Residual {
		if !(v >= 0 && v <= math.MaxFloat32) {
			return fmt.Errorf("static range of channel %d of the residual stream: expected a finite number from 0 on, found %v", c, v)
		}
	}
	for _, site := range StaticSites(cfg) {
		heads := 1
		switch site {
		case artifact.SiteQuery, artifact.SiteScores:
			heads = cfg.Heads
		case artifact.SiteKey, artifact.SiteValue:
			heads = cfg.KVHeads
		}
		layers := s.Sites[site]
		if len(layers) != cfg.Layers {
			return fmt.Errorf("static ranges of %s: expected %d layers, found %d", site, cfg.Layers, len(layers))
		}
		for i, list := range layers {
			if len(list) != heads {
				return fmt.Errorf("static ranges of %s, layer %d: expected %d heads, found %d", site, i, heads, len(list))
			}
			for j, r := range list {
				if !(r.Min <= 0 && r.Max >= 0 && r.P999 >= 0 && r.Max-r.Min <= math.MaxFloat32 && r.P999 <= math.MaxFloat32) {
					return fmt.Errorf("static range of %s, layer %d, head %d: expected finite min ≤ 0 ≤ max and percentile ≥ 0, found %v", site, i, j, r)
				}
			}
		}
	}
	return nil
}

// StaticSites lists the sites of a model that can be static.
func StaticSites(cfg model.Config) []string {
	return slices.DeleteFunc(quant.StaticSites(), func(site string) bool {
		return !cfg.Gated() && (site == artifact.SiteGate || site == artifact.SiteUp)
	})
}

// Grids turns ranges into the constant grids of a recipe's static setting:
//
//	s = (hi − lo)/(2^n − 1), z = round(−lo/s), code = sat(z + round(x/s), 0, 2^n − 1)
//
// with lo, hi = min, max of all heads (statichead: of each), or ±P999 within them (static999; all heads: the largest of
// them). s becomes the dyadic number next to it, 2^−16 relative. A site that saw nothing but 0 has a step of 2^−15. Scores:
// R = max, or P999, of the distance to the row's maximum.
//
// widths are those in effect (quant.Spec.Effective) with their Static. Errors: a range that is not this model's, a step
// beyond what the engine takes.
func (s *StaticRanges) Grids(cfg model.Config, widths quant.Recipe) (artifact.Static, error) {
	if err := quant.CheckStatic(widths.Static); err != nil {
		return nil, fmt.Errorf("ptq: %w", err)
	}
	if err := s.Check(cfg); err != nil {
		return nil, fmt.Errorf("ptq: %w: calibrate again", err)
	}
	sites := StaticSites(cfg)
	if one := quant.OneStaticSite(widths.Static); one != "" {
		if !slices.Contains(sites, one) {
			return nil, fmt.Errorf("ptq: recipe %s: this model has no site %q", widths.Name, one)
		}
		sites = []string{one}
	}
	if widths.Static == quant.StaticMixed {
		sites = slices.DeleteFunc(sites, func(site string) bool { return slices.Contains(mixedDynamic[:], site) })
	}
	out := artifact.Static{}
	for _, site := range sites {
		bits := artifact.StaticBits(site, widths)
		out[site] = make([][]di.StaticGrid, cfg.Layers)
		for i, list := range s.Sites[site] {
			if widths.Static != quant.StaticHead {
				list = []SiteRange{joined(list)}
			}
			for j, r := range list {
				lo, hi := r.Min, r.Max
				if widths.Static == quant.StaticPercentile {
					lo, hi = math.Max(lo, -r.P999), math.Min(hi, r.P999)
				}
				g, err := staticGrid(lo, hi, bits)
				if err != nil {
					return nil, fmt.Errorf("ptq: static grid of %s, layer %d, head %d: range %g to %g: %w", site, i, j, lo, hi, err)
				}
				out[site][i] = append(out[site][i], g)
			}
		}
	}
	return out, nil
}

// joined is the range of all heads together; its percentile is the largest of theirs.
func joined(list []SiteRange) SiteRange {
	all := list[0]
	for _, r := range list[1:] {
		all = SiteRange{math.Min(all.Min, r.Min), math.Max(all.Max, r.Max), math.Max(all.P999, r.P999)}
	}
	return all
}

// staticGrid is the grid of one range; bits 0: the range itself, of scores.
func staticGrid(lo, hi float64, bits int) (di.StaticGrid, error) {
	top := math.Ldexp(1, bits) - 1
	if bits == 0 {
		top = 1
	}
	step := (hi - lo) / top
	if step == 0 {
		return di.StaticGrid{M: 1 << 15, K: 30}, nil
	}
	frac, exp := math.Frexp(step) // in [½, 1)
	m := math.Round(math.Ldexp(frac, 16))
	k := 16 - exp
	if m == 1<<16 {
		m, k = 1<<15, k-1
	}
	g := di.StaticGrid{M: uint32(m), K: int32(k)}
	if bits > 0 {
		g.Zero = int32(math.Min(top, math.Round(-lo/step)))
	}
	return g, g.Check(bits)
}
