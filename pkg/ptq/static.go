package ptq

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
)

// SiteRange is what a pass of the float model saw at one site of one layer, of one head where it has heads. At the scores
// it is of the distance of each visible key to the maximum of its row, so that Min is 0 and Max the widest row.
type SiteRange struct {
	Min  float64 `json:"min"`  // ≤ 0
	Max  float64 `json:"max"`  // ≥ 0
	P999 float64 `json:"p999"` // |x| that 99.9 % of the values do not exceed
}

// StaticRanges is the calibration of the static recipes.
type StaticRanges struct {
	Hash    string `json:"sha256"` // of the token ids, as Calibration has it
	Windows int    `json:"windows"`
	Window  int    `json:"window"`
	Text    string `json:"text"`
	// Sites holds, by site, layer and head, what was seen before quantisation, queries and scores with their factor 1/√d.
	Sites map[string][][]SiteRange `json:"sites"`
	// Residual holds the largest |h| of each channel of the residual stream over all layers, before and behind attention.
	Residual []float64 `json:"residual"`
}

// staticSites gives the taps of the float forward pass the names of the integer one's sites.
var staticSites = map[floatref.Site]string{
	floatref.AttnIn: artifact.SiteAttnIn, floatref.MLPIn: artifact.SiteMLPIn, floatref.AttnOut: artifact.SiteAttnOut,
	floatref.Product: artifact.SiteProduct, floatref.Query: artifact.SiteQuery, floatref.Key: artifact.SiteKey,
	floatref.Value: artifact.SiteValue, floatref.Gate: artifact.SiteGate, floatref.Up: artifact.SiteUp, floatref.Scores: artifact.SiteScores,
}

const (
	amplitudeLow  = -40                                               // magnitudes below 2^−40 count as 0
	amplitudeHigh = 40                                                // and above 2^40 as 2^40
	amplitudeStep = 128                                               // bins an octave: a percentile is at most 0.8 % too large
	amplitudeBins = (amplitudeHigh - amplitudeLow) * amplitudeStep    // of |x|
	amplitudeBase = uint32(127+amplitudeLow) << 7                     // of the upper bits of a float32
	amplitudeTop  = uint32(amplitudeBins) - 1 + uint32(amplitudeBase) // the last bin
)

// seen counts the values of one head.
type seen struct {
	min, max float32
	n        uint64
	bins     []uint64 // of |x|, by exponent and the first seven bits behind it
}

type seenKey struct {
	site        floatref.Site
	layer, head int
}

// staticTap keeps ranges and a histogram of magnitudes for every site, layer and head. It changes nothing.
type staticTap struct {
	mu       sync.Mutex
	all      map[seenKey]*seen
	residual []float32 // largest magnitude by channel
	bad      string
}

func (t *staticTap) at(k seenKey) *seen {
	s := t.all[k]
	if s == nil {
		if t.all == nil {
			t.all = map[seenKey]*seen{}
		}
		s = &seen{bins: make([]uint64, amplitudeBins)}
		t.all[k] = s
	}
	return s
}

// Tap implements floatref.Tap.
func (t *staticTap) Tap(b *floatref.Block) {
	if b.Site == floatref.Residual || b.Site == floatref.ResidualMid {
		t.stream(b)
		return
	}
	site, ok := staticSites[b.Site]
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.at(seenKey{b.Site, b.Layer, b.Head})
	for r := range b.Rows {
		row := b.Row(r)
		top := float32(0)
		if b.Site == floatref.Scores { // the distance to the row's maximum
			top = row[0]
			for _, v := range row {
				top = max(top, v)
			}
		}
		for _, v := range row {
			v -= top
			a := max(v, -v)
			if !(a <= math.MaxFloat32) {
				t.bad = fmt.Sprintf("%s of layer %d", site, b.Layer)
				return
			}
			s.min, s.max = min(s.min, v), max(s.max, v)
			s.bins[amplitudeBin(a)]++
		}
		s.n += uint64(len(row))
	}
}

// stream keeps the largest magnitude of each channel of the residual stream. What is not finite there stops the pass
// itself.
func (t *staticTap) stream(b *floatref.Block) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.residual == nil {
		t.residual = make([]float32, b.Cols)
	}
	for r := range b.Rows {
		for c, v := range b.Row(r) {
			t.residual[c] = max(t.residual[c], v, -v)
		}
	}
}

func amplitudeBin(a float32) uint32 {
	u := math.Float32bits(a) >> 16
	return min(max(u, amplitudeBase), amplitudeTop) - amplitudeBase
}

// quantile is the upper edge of the bin below which a share q of the magnitudes lies.
func (s *seen) quantile(q float64) float64 {
	need, sum := q*float64(s.n), 0.0
	for i, n := range s.bins {
		if sum += float64(n); sum >= need {
			return float64(math.Float32frombits((uint32(i) + 1 + amplitudeBase) << 16))
		}
	}
	return 0
}

func (s *seen) result(scale float64) SiteRange {
	r := SiteRange{Min: float64(s.min) * scale, Max: float64(s.max) * scale, P999: s.quantile(0.999) * scale}
	r.P999 = math.Min(r.P999, math.Max(-r.Min, r.Max)) // a bin's edge may lie beyond all values
	return r
}

// StaticCalibrate runs the float model over the windows and returns the ranges that static grids are made of. opt says
// what acts at run time, rotations by its tap. The ranges are exact but for float32 sums; they do not depend on threads.
//
// Departure from the algorithm reference, 3.4: it asks for 128 windows of 2048 tokens, more than the calibration text has for
// some models; package catalog takes 16 unless told otherwise, which keeps a first run to a minute or two. More windows can
// only widen a grid of minimum and maximum.
func StaticCalibrate(ctx context.Context, cfg model.Config, src floatref.Source, opt floatref.Options, text string, windows [][]int32, progress func(done, total int)) (StaticRanges, error) {
	tap := &staticTap{}
	if opt.Tap == nil {
		opt.Tap = tap
	} else {
		opt.Tap = floatref.Taps{opt.Tap, tap}
	}
	cal, err := CalibrateFrom(ctx, cfg, src, opt, text, windows, progress)
	if err != nil {
		return StaticRanges{}, err
	}
	if tap.bad != "" {
		return StaticRanges{}, fmt.Errorf("ptq: calibrate static ranges: %s is not finite in the float model: the weights are damaged", tap.bad)
	}
	out := StaticRanges{Hash: cal.Hash, Windows: cal.Windows, Window: cal.Window, Text: text, Sites: map[string][][]SiteRange{}}
	for _, v := range tap.residual {
		out.Residual = append(out.Residual, float64(v))
	}
	for k, s := range tap.all {
		site, scale := staticSites[k.site], 1.0
		switch {
		case k.site == floatref.Query:
			scale = 1 / math.Sqrt(float64(cfg.HeadDim)) // folded into the weights that the integer model has
		case !cfg.Gated() && k.site == floatref.Up: // ReLU comes before the requantisation: codes exist at the product alone
			continue
		}
		layers := out.Sites[site]
		if layers == nil {
			layers = make([][]SiteRange, cfg.Layers)
			out.Sites[site] = layers
		}
		for len(layers[k.layer]) <= k.head {
			layers[k.layer] = append(layers[k.layer], SiteRange{})
		}
		layers[k.layer][k.head] = s.result(scale)
		if k.site == floatref.Scores { // Tap keeps minus the distance
			r := &layers[k.layer][k.head]
			r.Min, r.Max = 0, -r.Min
		}
	}
	return out, nil
}
