package artifact

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// SiteScores is where softmax takes its codes: a static grid there is a range R, not a step. It has no range ratio.
const SiteScores = "scores"

// Static holds constant grids by site, one list a layer: one grid for the site, or at sites with heads one for each of its
// heads (query heads at query and scores, KV heads at key and value). Sites that are absent stay dynamic.
//
// It is no part of an artefact, whose weights serve dynamic and static runs alike: the engine takes it beside the file.
type Static map[string][][]di.StaticGrid

// StaticSites lists the sites that can have a constant grid: those of range ratios, and the scores.
func (h *Header) StaticSites() []string { return append(h.Sites(), SiteScores) }

// StaticHeads is the number of heads at a site, 1 where it has none.
func (h *Header) StaticHeads(site string) int {
	switch site {
	case SiteQuery, SiteScores:
		return h.Heads
	case SiteKey, SiteValue:
		return h.KVHeads
	}
	return 1
}

// StaticBits is the width of the codes at a site under a recipe as its mode has it (quant.Spec.Effective), 0 at the scores.
func StaticBits(site string, r quant.Recipe) int {
	switch site {
	case SiteScores:
		return 0
	case SiteQuery:
		return r.Query
	case SiteKey, SiteValue:
		return r.KV
	case SiteGate, SiteUp:
		return r.GLU
	}
	return r.Act
}

// Check compares grids with the model they are for, and each with its bounds.
func (s Static) Check(h *Header, r quant.Recipe) error {
	sites := h.StaticSites()
	for _, site := range slices.Sorted(maps.Keys(s)) {
		if !slices.Contains(sites, site) {
			return fmt.Errorf("static grids: expected sites of %s, found %q", strings.Join(sites, ", "), site)
		}
		layers, heads, bits := s[site], h.StaticHeads(site), StaticBits(site, r)
		if len(layers) != h.Layers {
			return fmt.Errorf("static grids of %s: expected %d layers, found %d", site, h.Layers, len(layers))
		}
		for i, list := range layers {
			if n := len(list); n != 1 && n != heads {
				return fmt.Errorf("static grids of %s, layer %d: expected one or %d, a head each, found %d", site, i, heads, n)
			}
			for j, g := range list {
				if err := g.Check(bits); err != nil {
					return fmt.Errorf("static grid of %s, layer %d, head %d: %w: calibrate again", site, i, j, err)
				}
				if (site == SiteScores || site == SiteProduct && h.Architecture == opt) && g.Zero != 0 {
					return fmt.Errorf("static grid of %s, layer %d, head %d: expected the zero point 0, found %d: calibrate again", site, i, j, g.Zero)
				}
			}
		}
	}
	return nil
}
