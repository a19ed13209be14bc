package artifact

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/di"
)

// Rotations says at which sites the engine multiplies a row by H/√n before it is requantised, H the Hadamard matrix of
// di.NewHadamard. The counterpart is in the weights already: W_o·Hᵀ/√n, W_d·Hᵀ/√n; queries and keys need none.
type Rotations struct {
	QK   bool `json:"qk,omitempty"`   // queries and keys behind RoPE, n = head_dim
	Out  bool `json:"out,omitempty"`  // input of o_proj over all heads, n = heads·head_dim
	Down bool `json:"down,omitempty"` // input of down_proj, n = ffn
}

// The sites of a range ratio: what is requantised there.
const (
	SiteAttnIn  = "attn_in"  // input of q, k, v, behind the norm
	SiteQuery   = "query"    // every head of q
	SiteKey     = "key"      // every head of k
	SiteValue   = "value"    // every head of v
	SiteAttnOut = "attn_out" // input of o_proj
	SiteMLPIn   = "mlp_in"   // input of gate and up, behind the norm
	SiteGate    = "gate"     // gate operand of SwiGLU
	SiteUp      = "up"       // up operand of SwiGLU
	SiteProduct = "product"  // input of down_proj
)

// RatioOne is a range ratio of 1, which changes nothing; MinRatio is the least, one half.
const (
	RatioOne = di.RatioOne
	MinRatio = di.MinRatio
)

// RangeRatios holds, by site, one ratio a layer in Q15: the dynamic range of a row is multiplied by it before the row is
// requantised, and values beyond it saturate. A site that is absent has RatioOne everywhere.
type RangeRatios map[string][]int32

// Sites lists the sites that a model has: gate and up are requantised only where SwiGLU takes them.
func (h *Header) Sites() []string {
	sites := []string{SiteAttnIn, SiteQuery, SiteKey, SiteValue, SiteAttnOut, SiteMLPIn}
	if h.Architecture != opt {
		sites = append(sites, SiteGate, SiteUp)
	}
	return append(sites, SiteProduct)
}

// SetRangeRatio sets the ratio of one site in one layer, rounded to Q15 by the caller: RatioOne is 1. Header fields that
// give its size (layers, architecture) are set before. A header whose ratios are all 1 should hold none: see DropUnitRatios.
func (h *Header) SetRangeRatio(site string, layer int, ratio int32) error {
	if layer < 0 || layer >= h.Layers {
		return fmt.Errorf("artifact: range ratio of %s: expected a layer from 0 to %d, found %d", site, h.Layers-1, layer)
	}
	if err := h.checkRatio(site, layer, ratio); err != nil {
		return fmt.Errorf("artifact: %w", err)
	}
	if h.RangeRatios == nil {
		h.RangeRatios = RangeRatios{}
	}
	list := h.RangeRatios[site]
	if list == nil {
		list = make([]int32, h.Layers)
		for i := range list {
			list[i] = RatioOne
		}
		h.RangeRatios[site] = list
	}
	list[layer] = ratio
	return nil
}

// DropUnitRatios removes the sites whose ratios are all 1, so that an artefact that needs none keeps its bytes.
func (h *Header) DropUnitRatios() {
	maps.DeleteFunc(h.RangeRatios, func(_ string, list []int32) bool {
		return !slices.ContainsFunc(list, func(r int32) bool { return r != RatioOne })
	})
	if len(h.RangeRatios) == 0 {
		h.RangeRatios = nil
	}
}

// RangeRatio is the ratio of one site in one layer.
func (h *Header) RangeRatio(site string, layer int) di.Ratio {
	if list := h.RangeRatios[site]; layer < len(list) {
		return di.Ratio(list[layer])
	}
	return RatioOne
}

func (h *Header) checkRatio(site string, layer int, ratio int32) error {
	if sites := h.Sites(); !slices.Contains(sites, site) {
		return fmt.Errorf("header field range_ratios: expected sites of %s, found %q", strings.Join(sites, ", "), site)
	}
	if ratio < MinRatio || ratio > RatioOne {
		return fmt.Errorf("header field range_ratios: %s of layer %d: expected %d to %d (one half to 1 in Q15), found %d", site, layer, MinRatio, RatioOne, ratio)
	}
	return nil
}

// checkSites refuses rotations without a matrix, ratios outside their bounds and a hash that is none.
func (h *Header) checkSites() error {
	for _, site := range slices.Sorted(maps.Keys(h.RangeRatios)) {
		list := h.RangeRatios[site]
		if len(list) == 0 { // an unknown site without ratios is reported, too
			list = []int32{RatioOne}
		}
		for layer, r := range list {
			if err := h.checkRatio(site, layer, r); err != nil {
				return err
			}
		}
		if n := len(h.RangeRatios[site]); n != h.Layers {
			return fmt.Errorf("header field range_ratios: %s: expected %d ratios, one a layer, found %d", site, h.Layers, n)
		}
	}
	if h.Rotations.QK && h.Architecture == opt {
		return fmt.Errorf("header field rotations: qk: the rotation behind RoPE needs rotary positions, architecture is %q: rotate the weights instead", opt)
	}
	for _, r := range []struct {
		site         string
		on           bool
		order, below int
	}{
		{"qk", h.Rotations.QK, h.HeadDim, di.RotaryBits},
		{"out", h.Rotations.Out, h.Heads * h.HeadDim, di.MergedBits},
		{"down", h.Rotations.Down, h.FFN, h.productBits()},
	} {
		if r.on {
			if _, err := di.NewHadamard(r.order, r.below); err != nil {
				return fmt.Errorf("header field rotations: %s: %w", r.site, err)
			}
		}
	}
	if f := h.Factors; f != "" && (len(f) != 64 || strings.Trim(f, "0123456789abcdef") != "") {
		return fmt.Errorf("header field factors_sha256: expected 64 hexadecimal digits, found %q", f)
	}
	return nil
}

func (h *Header) productBits() int {
	if h.Architecture == opt {
		return di.ReLUBits
	}
	return di.ProductBits(h.Spec.Effective().GLU)
}
