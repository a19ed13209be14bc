package di

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
)

// Argmax returns the index of the largest t, the lowest on ties; −1 for an empty row.
func Argmax(t []int64) int {
	best := -1
	for j, v := range t {
		if best < 0 || v > t[best] {
			best = j
		}
	}
	return best
}

// Sampling configures a Sampler; the zero value is greedy decoding.
type Sampling struct {
	Temperature string // τ, a positive decimal of at most 6 fraction digits; "" or "0": greedy
	TopK        int    // keep the k largest logits, ties by id; 0: all
	TopP        string // keep the shortest prefix of mass p, 0 < p ≤ 1; "": all
	Seed        uint64
}

// Sampler draws tokens from integer logits without a float: e_j by DI-Exp+ of the distance to the maximum over τ,
// SplitMix64 for the draw. Same seed and logits, same tokens on every platform. Not for concurrent use.
type Sampler struct {
	inv    dyadic.Scale // 1/τ
	greedy bool
	topK   int
	topP   uint64 // ⌈2^16·p⌉; 1<<16: all
	state  uint64
	e      []uint32
	ids    []int32
}

// NewSampler checks the settings.
func NewSampler(c Sampling) (*Sampler, error) {
	s := &Sampler{topK: c.TopK, topP: 1 << 16, state: c.Seed, inv: dyadic.One(dyadic.Bits)}
	if c.TopK < 0 {
		return nil, fmt.Errorf("di: sampler: top-k %d: expected a count ≥ 1, or 0 for all tokens", c.TopK)
	}
	tau, ok := parseMillionths(c.Temperature)
	switch {
	case c.Temperature == "" || ok && tau == 0:
		s.greedy = true
	case !ok || tau > 1000e6:
		return nil, fmt.Errorf("di: sampler: temperature %q: expected a decimal in 0…1000 with at most 6 fraction digits, such as 0.8", c.Temperature)
	default:
		s.inv = dyadic.Fit(million, tau, dyadic.Bits)
	}
	if c.TopP != "" {
		p, ok := parseMillionths(c.TopP)
		if !ok || p == 0 || p > million {
			return nil, fmt.Errorf("di: sampler: top-p %q: expected a decimal in 0…1, not 0, with at most 6 fraction digits, such as 0.95", c.TopP)
		}
		s.topP = (p<<16 + million - 1) / million
	}
	return s, nil
}

const million = 1000000

// parseMillionths reads an unsigned decimal of at most 9 and 6 digits.
func parseMillionths(s string) (uint64, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	if len(whole) > 9 || len(frac) > 6 || len(whole)+len(frac) == 0 {
		return 0, false
	}
	v := uint64(0)
	for _, c := range []byte(whole + (frac + "000000")[:6]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, true
}

// Sample returns the next token for logits t in steps of m/2^k, m < 2^16; −1 for an empty row.
//
// Candidates keep the order of their ids, so a truncation that cuts nothing changes no draw. Distance to the float
// softmax of the same logits: total variation 0.0006.
func (s *Sampler) Sample(t []int64, m uint32, k int32) int {
	top := Argmax(t)
	if s.greedy || top < 0 || m == 0 {
		return top
	}
	ids := s.candidates(t)
	sum := s.exponentials(t, ids, t[top], m, k)
	if s.topP < 1<<16 {
		ids, sum = s.nucleus(t, ids, sum)
	}
	u, _ := bits.Mul64(s.next(), sum)
	for _, id := range ids {
		if e := uint64(s.e[id]); u < e {
			return int(id)
		} else {
			u -= e
		}
	}
	return top // not reached: u < sum
}

// candidates returns the ids of the top-k logits, ascending.
func (s *Sampler) candidates(t []int64) []int32 {
	s.ids = s.ids[:0]
	for j := range t {
		s.ids = append(s.ids, int32(j))
	}
	if s.topK > 0 && s.topK < len(t) {
		s.ids, _ = prefix(t, s.ids, nil, uint64(s.topK))
	}
	return s.ids
}

// prefix returns the shortest prefix of ids, in the order (falling logit, id), whose weights reach need, or all; the
// result is in ascending order of ids. weights nil counts 1 each. Quickselect by weight: the whole vocabulary is never sorted.
func prefix(t []int64, ids []int32, weights []uint32, need uint64) ([]int32, uint64) {
	before := func(a, b int32) int {
		if c := cmp.Compare(t[b], t[a]); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	}
	weight := func(id int32) uint64 {
		if weights == nil {
			return 1
		}
		return uint64(weights[id])
	}
	lo, hi, mass := 0, len(ids), uint64(0) // the cut lies in lo … hi, mass is that of ids[:lo]
	for hi-lo > 16 {
		three := []int32{ids[lo], ids[(lo+hi)/2], ids[hi-1]}
		slices.SortFunc(three, before)
		pivot := three[1] // ids differ, so at least one of them follows it
		mid, sum := lo, uint64(0)
		for j := lo; j < hi; j++ {
			if before(ids[j], pivot) <= 0 {
				sum += weight(ids[j])
				ids[mid], ids[j] = ids[j], ids[mid]
				mid++
			}
		}
		if mass+sum >= need {
			hi = mid
		} else {
			lo, mass = mid, mass+sum
		}
	}
	slices.SortFunc(ids[lo:hi], before)
	for lo < hi && mass < need {
		mass += weight(ids[lo])
		lo++
	}
	slices.Sort(ids[:lo])
	return ids[:lo], mass
}

// exponentials fills s.e for the candidates and returns their sum, below 2^47.
func (s *Sampler) exponentials(t []int64, ids []int32, top int64, m uint32, k int32) (sum uint64) {
	if len(s.e) < len(t) {
		s.e = make([]uint32, len(t))
	}
	widest := int64(0)
	for _, id := range ids {
		widest = max(widest, top-t[id])
	}
	shift := max(0, intmath.ILog2(uint64(widest))-30)
	f := dyadic.Scale{M: m, K: k}.Mul(s.inv, dyadic.Bits)
	for _, id := range ids {
		e := ExpPlus(intmath.Asr(top-t[id], shift), f.M, f.K-int32(shift))
		s.e[id] = uint32(e)
		sum += uint64(e)
	}
	return sum
}

// nucleus keeps the shortest prefix, by falling logit, with 2^16·Σe ≥ ⌈2^16·p⌉·Σ.
func (s *Sampler) nucleus(t []int64, ids []int32, sum uint64) ([]int32, uint64) {
	return prefix(t, ids, s.e, (s.topP*sum+1<<16-1)>>16)
}

func (s *Sampler) next() uint64 { return intmath.SplitMix64(&s.state) }
