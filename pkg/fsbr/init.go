package fsbr

import (
	"math"
	"slices"

	"github.com/illm-go/illm/pkg/smooth"
)

// stats are what the float block saw on calibration text, by site and channel.
type stats struct {
	hi, lo map[string][]float32 // largest and smallest x
	middle map[string][]float32 // running mean (0.99) over windows of (max + min)/2
}

func newStats() *stats {
	return &stats{hi: map[string][]float32{}, lo: map[string][]float32{}, middle: map[string][]float32{}}
}

// add takes the largest and smallest values of each of n windows [n, C].
func (s *stats) add(site string, top, low []float32, n int) {
	c := len(top) / n
	for w := range n {
		top, low := top[w*c:][:c], low[w*c:][:c]
		if s.hi[site] == nil {
			mid := make([]float32, c)
			for i := range mid {
				mid[i] = (top[i] + low[i]) / 2
			}
			s.hi[site], s.lo[site], s.middle[site] = slices.Clone(top), slices.Clone(low), mid
			continue
		}
		hi, lo, mid := s.hi[site], s.lo[site], s.middle[site]
		for i := range c {
			hi[i], lo[i] = max(hi[i], top[i]), min(lo[i], low[i])
			mid[i] = 0.99*mid[i] + 0.01*(top[i]+low[i])/2
		}
	}
}

// siteOf names the site whose channels a kind smooths, "" for kinds that start at 1 (q/k and act-smooth).
func siteOf(kind string) string {
	switch kind {
	case "qkv", "shift_qkv":
		return siteAttnIn
	case "mlp", "shift_mlp":
		return siteMLPIn
	case "vo", "shift_vo":
		return siteAttnOut
	case "up_down":
		return siteProduct
	}
	return ""
}

// initial returns the starting values of the trained parameters:
//
//	s = max|x − δ|^α / max|W|^(1−α)   for each channel of a site, with W's column over all linears that read it
//	δ = running mean of (max + min)/2
//	1 for q/k and act-smooth; logit 4 for clipping and range ratios
//
// With α = −1 every s starts at 1: rotated channels have nothing to smooth.
//
// A factor that several channels share takes the maximum over them, a shift the mean.
//
// Source: SmoothQuant (arXiv:2211.10438), equation 4; the public code of I-LLM for δ. Departure: with asPublished the
// maximum is that of |x| and of one linear of the group, as there; it takes the first query head of a group where this
// takes the maximum.
func initial(l layout, s *stats, w map[string][]float32, alpha float64, asPublished bool) []float32 {
	p := make([]float32, l.size)
	shifts := map[string][]float32{} // by site
	for _, e := range l.entries {    // first, for the factors of the same site
		v := p[e.at : e.at+e.n]
		switch e.what {
		case 'l', 'h', 'r':
			for i := range v {
				v[i] = 4
			}
		case 'd':
			u, site := readers(e)[0], siteOf(e.name)
			counts := make([]float32, e.n)
			for i, x := range s.middle[site] {
				v[u.Index(i)] += x
				counts[u.Index(i)]++
			}
			shift := make([]float32, len(s.middle[site]))
			for i := range v {
				v[i] /= counts[i]
			}
			for i := range shift {
				shift[i] = v[u.Index(i)]
			}
			shifts[site] = shift
		}
	}
	for _, e := range l.entries {
		site := siteOf(e.name)
		if e.what != 's' || site == "" || alpha < 0 {
			continue // ln 1
		}
		act, weight := make([]float64, e.n), make([]float64, e.n)
		for _, u := range readers(e) {
			hi, lo := s.hi[site], s.lo[site]
			for i := range hi {
				var d float32
				if shifts[site] != nil && !asPublished {
					d = shifts[site][i]
				}
				at := u.Index(i)
				act[at] = max(act[at], float64(hi[i]-d), float64(d-lo[i]))
			}
			if asPublished && u.Linear != published[e.name] {
				continue
			}
			for i, x := range w[u.Linear+".weight"] {
				at := u.Index(i % len(hi))
				weight[at] = max(weight[at], math.Abs(float64(x)))
			}
		}
		for i := range e.n {
			f := math.Pow(max(act[i], 1e-5), alpha) / math.Pow(max(weight[i], 1e-5), 1-alpha)
			p[e.at+i] = float32(math.Log(min(max(f, minFactor), maxFactor)))
		}
	}
	return p
}

// published names the linear whose weights the public code takes the column maxima of.
var published = map[string]string{
	"qkv": "self_attn.q_proj", "mlp": "mlp.up_proj", "vo": "self_attn.o_proj", "up_down": "mlp.down_proj",
}

// readers are the uses of an entry on inputs of linears: at least one for kinds that have a site.
func readers(e entry) []smooth.Use {
	var us []smooth.Use
	for _, u := range e.kind.Uses {
		if u.Cols {
			us = append(us, u)
		}
	}
	return us
}
