package engine

import (
	"fmt"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// loadSites makes the rotations and hands every block its range ratios. The widths may be those of another Spec than the
// artefact's, so that the bounds of a rotation are checked once more.
func (m *Model) loadSites() error {
	h := &m.art.Header
	bits := di.ReLUBits
	if m.blocks[0].gate != nil {
		bits = di.ProductBits(m.widths.GLU)
	}
	for _, r := range []struct {
		to           **di.Hadamard
		on           bool
		order, below int
		site         string
	}{
		{&m.rotateQK, h.Rotations.QK, m.d, di.RotaryBits, "qk"},
		{&m.rotateOut, h.Rotations.Out, m.heads * m.d, di.MergedBits, "out"},
		{&m.rotateDown, h.Rotations.Down, m.ffn, bits, "down"},
	} {
		if !r.on {
			continue
		}
		var err error
		if *r.to, err = di.NewHadamard(r.order, r.below); err != nil {
			return fmt.Errorf("rotation %s: %w", r.site, err)
		}
	}
	for i := range m.blocks {
		b := &m.blocks[i]
		b.attnNorm.Ratio, b.mlpNorm.Ratio = h.RangeRatio(artifact.SiteAttnIn, i), h.RangeRatio(artifact.SiteMLPIn, i)
		heads := func(site string, n int) []di.Site {
			list := make([]di.Site, n)
			for j := range list {
				list[j].Ratio = h.RangeRatio(site, i)
			}
			return list
		}
		b.site.query, b.site.key = heads(artifact.SiteQuery, m.heads), heads(artifact.SiteKey, m.kv)
		b.site.value = heads(artifact.SiteValue, m.kv)
		b.out = di.Product{Rotate: m.rotateOut, Ratio: h.RangeRatio(artifact.SiteAttnOut, i)}
		b.site.gate.Ratio, b.site.up.Ratio = h.RangeRatio(artifact.SiteGate, i), h.RangeRatio(artifact.SiteUp, i)
		b.product = di.Product{Rotate: m.rotateDown, Ratio: h.RangeRatio(artifact.SiteProduct, i)}
		if m.spec.Mode == quant.Published {
			b.roundTwice()
			m.final.Twice = true
		}
		if b.glu != nil {
			b.glu.Product = b.product
		}
	}
	return nil
}

// roundTwice makes the dynamic sites of a block those of mode published.
func (b *block) roundTwice() {
	b.attnNorm.Twice, b.mlpNorm.Twice = true, true
	b.out.Twice, b.product.Twice = true, true
	b.site.gate.Twice, b.site.up.Twice = true, true
	for _, heads := range [][]di.Site{b.site.query, b.site.key, b.site.value} {
		for j := range heads {
			heads[j].Twice = true
		}
	}
}
