package floatref

import (
	"math"
	"sync"
)

// Stats is a Tap that keeps the range of every site: what calibration needs. It changes nothing.
// The zero value is ready for use and may be shared by several models and calls.
type Stats struct {
	mu    sync.Mutex
	sites map[siteKey]*Range
}

type siteKey struct {
	site  Site
	layer int
}

// Range describes all values seen at one site of one layer, all heads together.
type Range struct {
	Min, Max float32 // over the values seen; ±Inf and NaN are counted in Bad alone
	Rows     int     // rows seen; at sites with heads one for each (head, token)
	Values   int     // values seen, the bad ones too
	Bad      int     // values that are not finite
	SumSq    float64 // Σx², in no fixed order: the last digits vary from run to run

	// Channel is max|x| of each channel, Head·Cols + column. Nil at Scores, whose columns are positions.
	Channel []float32
}

// AbsMax is max|x|.
func (r Range) AbsMax() float32 { return max(r.Max, -r.Min) }

// RMS is √(Σx²/n) over the finite values; 0 without any.
func (r Range) RMS() float64 {
	if r.Values == r.Bad {
		return 0
	}
	return math.Sqrt(r.SumSq / float64(r.Values-r.Bad))
}

// Tap implements Tap.
func (s *Stats) Tap(b *Block) {
	var channel []float32
	if b.Site != Scores {
		channel = make([]float32, b.Cols)
	}
	lo, hi, bad, sum := float32(math.Inf(1)), float32(math.Inf(-1)), 0, 0.0
	for r := range b.Rows {
		for i, v := range b.Row(r) {
			a := max(v, -v)
			if !(a <= math.MaxFloat32) {
				bad++
				continue
			}
			lo, hi = min(lo, v), max(hi, v)
			sum += float64(v) * float64(v)
			if channel != nil {
				channel[i] = max(channel[i], a)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sites == nil {
		s.sites = map[siteKey]*Range{}
	}
	k := siteKey{b.Site, b.Layer}
	r := s.sites[k]
	if r == nil {
		r = &Range{Min: float32(math.Inf(1)), Max: float32(math.Inf(-1))}
		s.sites[k] = r
	}
	r.Min, r.Max = min(r.Min, lo), max(r.Max, hi)
	r.Rows += b.Rows
	r.Values += b.Rows * b.Cols
	r.Bad += bad
	r.SumSq += sum
	if channel != nil {
		at := b.Head * b.Cols
		for len(r.Channel) < at+b.Cols {
			r.Channel = append(r.Channel, 0)
		}
		for i, v := range channel {
			r.Channel[at+i] = max(r.Channel[at+i], v)
		}
	}
}

// At returns what was seen at a site of a layer; ok is false if nothing was.
func (s *Stats) At(site Site, layer int) (r Range, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.sites[siteKey{site, layer}]
	if p == nil {
		return Range{}, false
	}
	r = *p
	r.Channel = append([]float32(nil), p.Channel...)
	return r, true
}

// ResidualMax is max|h| over the residual stream, before, between and after the blocks: the number that
// places the integer residual grid. A value that is not finite makes it +Inf.
func (s *Stats) ResidualMax() float32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	top := float32(0)
	for k, r := range s.sites {
		if k.site != Residual && k.site != ResidualMid {
			continue
		}
		if r.Bad > 0 {
			return float32(math.Inf(1))
		}
		top = max(top, r.AbsMax())
	}
	return top
}
