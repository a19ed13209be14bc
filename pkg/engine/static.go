package engine

import (
	"fmt"
	"sync/atomic"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// static is what a model with constant grids counts.
type static struct {
	sites     []string
	saturated []atomic.Int64 // by site
	perToken  []int64        // codes of a token, by site; the scores' are counted by visible keys
	tokens    atomic.Int64
	scores    atomic.Int64
	perKey    int64 // score codes of a token and visible key
}

// StaticCount is the number of codes made on the constant grids of a site, and how many of them were cut to its range.
type StaticCount struct {
	Site             string
	Saturated, Codes int64
}

// StaticCounts returns what the model's sessions have counted so far, by site; nil without constant grids.
func (m *Model) StaticCounts() []StaticCount {
	s := m.static
	if s == nil {
		return nil
	}
	out := make([]StaticCount, len(s.sites))
	for i, site := range s.sites {
		out[i] = StaticCount{Site: site, Saturated: s.saturated[i].Load(), Codes: s.perToken[i] * s.tokens.Load()}
		if site == artifact.SiteScores {
			out[i].Codes = s.scores.Load()
		}
	}
	return out
}

// chunk counts the codes of n tokens behind pos others.
func (s *static) chunk(pos, n int) {
	s.tokens.Add(int64(n))
	s.scores.Add(s.perKey * (int64(n)*int64(pos) + int64(n)*int64(n+1)/2))
}

// loadStatic checks the grids of Options.Static and hands every block its own. A site has one *di.Static for each head, which
// may all be the same one.
func (m *Model) loadStatic(grids artifact.Static, ownOperators bool) error {
	if m.spec.Mode == quant.Published && grids[artifact.SiteValue] == nil {
		return fmt.Errorf("mode %s: its probabilities of 7 bits need values on a constant grid: give Options.Static one for %s, as package catalog does", quant.Published, artifact.SiteValue)
	}
	if len(grids) == 0 {
		return nil
	}
	h := &m.art.Header
	if err := grids.Check(h, m.widths); err != nil {
		return err
	}
	st := &static{}
	for _, site := range h.StaticSites() {
		if grids[site] != nil {
			st.sites = append(st.sites, site)
		}
	}
	st.saturated, st.perToken = make([]atomic.Int64, len(st.sites)), make([]int64, len(st.sites))
	for at, site := range st.sites {
		switch site {
		case artifact.SiteAttnIn, artifact.SiteMLPIn, artifact.SiteProduct:
			if !ownOperators {
				return fmt.Errorf("static grids of %s: the operators of %s make their codes themselves: leave the site dynamic or the operators integer", site, m.ops.Name())
			}
		}
		heads, bits, count := h.StaticHeads(site), artifact.StaticBits(site, m.widths), &st.saturated[at]
		for i := range m.blocks {
			b, list := &m.blocks[i], grids[site][i]
			if site == artifact.SiteScores {
				b.scores = make([]*di.StaticScores, heads)
				clip, clipped := m.clips.Of(m.spec, i).Scale()
				for j := range b.scores {
					var err error
					if b.scores[j], err = di.NewStaticScores(list[j%len(list)], clip, clipped, count); err != nil {
						return fmt.Errorf("layer %d: %w", i, err)
					}
				}
				continue
			}
			made := make([]*di.Static, heads)
			for j := range made {
				var err error
				if made[j], err = di.NewStatic(list[j%len(list)], bits, count); err != nil {
					return fmt.Errorf("%s, layer %d: %w", site, i, err)
				}
			}
			b.setStatic(site, made)
		}
		if site == artifact.SiteScores {
			st.perKey = int64(m.layers * m.heads)
		}
		st.perToken[at] = int64(m.layers * m.codesOf(site))
	}
	m.static = st
	return nil
}

// setStatic puts the grids of a site where its rows are requantised.
func (b *block) setStatic(site string, g []*di.Static) {
	switch site {
	case artifact.SiteAttnIn:
		b.attnNorm.Static = g[0]
	case artifact.SiteMLPIn:
		b.mlpNorm.Static = g[0]
	case artifact.SiteAttnOut:
		b.out.Static = g[0]
	case artifact.SiteProduct:
		b.product.Static = g[0]
		if b.glu != nil {
			b.glu.Static = g[0]
		}
	case artifact.SiteGate:
		b.site.gate.Static = g[0]
	case artifact.SiteUp:
		b.site.up.Static = g[0]
	case artifact.SiteQuery:
		setHeads(b.site.query, g)
	case artifact.SiteKey:
		setHeads(b.site.key, g)
	case artifact.SiteValue:
		setHeads(b.site.value, g)
	}
}

func setHeads(sites []di.Site, g []*di.Static) {
	for j := range sites {
		sites[j].Static = g[j]
	}
}

// codesOf is the number of codes that one token has at a site of one layer.
func (m *Model) codesOf(site string) int {
	switch site {
	case artifact.SiteAttnIn, artifact.SiteMLPIn:
		return m.hidden
	case artifact.SiteQuery, artifact.SiteAttnOut:
		return m.heads * m.d
	case artifact.SiteKey, artifact.SiteValue:
		return m.kv * m.d
	case artifact.SiteGate, artifact.SiteUp, artifact.SiteProduct:
		return m.ffn
	}
	return 0
}
