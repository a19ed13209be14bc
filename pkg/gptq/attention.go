package gptq

import (
	"math"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/simd/ordered"
)

// quantizeHeads rounds q, k and v of p.qkv per head and row in place.
func (p *pass) quantizeHeads(n int) {
	c, ld, d := p.cfg, p.ldQKV(), p.cfg.HeadDim
	p.rows(n, func(_ *scratch, r0, r1 int) {
		for r := r0; r < r1; r++ {
			for h := range c.Heads + 2*c.KVHeads {
				site := query
				if h >= c.Heads+c.KVHeads {
					site = value
				} else if h >= c.Heads {
					site = key
				}
				p.set.round(site, p.qkv[r*ld+h*d:][:d])
			}
		}
	})
}

// attend sets y, [n][heads·d], to softmax(q·kᵀ/√d)·v of the rows of p.qkv, after the online rotation, not yet quantised.
//
// A row's sums run over the keys that it sees. Keys of its chunk that it does not see have weight +0: a product of +0
// leaves a partial sum as it is, since none is ever −0.
func (p *pass) attend(y []float32, n int) {
	c, ld, d := p.cfg, p.ldQKV(), p.cfg.HeadDim
	width := c.Heads * d
	p.transposeValues(n)
	tasks := (n + chunk - 1) / chunk
	scale := float32(1 / math.Sqrt(float64(d)))
	parallel(p.threads, c.Heads*tasks, func(wi, i int) {
		w := &p.workers[wi]
		h := i % c.Heads
		block := tasks - 1 - i/c.Heads // the longest rows first
		r0, r1 := block*chunk, min(n, (block+1)*chunk)
		m, kv := r1-r0, h/(c.Heads/c.KVHeads)
		w.q, w.s = grow(w.q, chunk*d), grow(w.s, chunk*n)
		for r := range m {
			for t, v := range p.qkv[(r0+r)*ld+h*d:][:d] {
				w.q[r*d+t] = v * scale
			}
		}
		ordered.MatMul(w.s, r1, w.q, d, p.qkv[(c.Heads+kv)*d:], ld, m, r1, d)
		w.o = grow(w.o, chunk*d)
		var inv [chunk]float32
		for r := range m {
			s := w.s[r*r1:][:r1]
			seen := s[:r0+r+1]
			p.softmax(seen)
			clear(s[len(seen):])
			inv[r] = 1 / ordered.Sum(seen)
		}
		ordered.MatMul(w.o, d, w.s, r1, p.vt[kv*d*n:], n, m, d, r1)
		for r := range m {
			for t, v := range w.o[r*d:][:d] {
				y[(r0+r)*width+h*d+t] = v * inv[r]
			}
		}
	})
	p.rows(n, func(_ *scratch, r0, r1 int) {
		p.see(floatref.AttnOut, 0, r0, r1-r0, width, y[r0*width:], width)
	})
}

// transposeValues sets p.vt to the values, one row a channel.
func (p *pass) transposeValues(n int) {
	c, ld := p.cfg, p.ldQKV()
	kv := c.KVHeads * c.HeadDim
	p.vt = grow(p.vt, kv*n)
	const side = 16
	parallel(p.threads, (kv+side-1)/side, func(_, i int) {
		for r0 := 0; r0 < n; r0 += side {
			for j := i * side; j < min(kv, (i+1)*side); j++ {
				for r := r0; r < min(n, r0+side); r++ {
					p.vt[j*n+r] = p.qkv[r*ld+c.Heads*c.HeadDim+kv+j]
				}
			}
		}
	})
}

// softmax replaces scores by e^(s − max s), from codes of their distance to the maximum where the settings say so.
func (p *pass) softmax(s []float32) {
	lo, hi := ordered.Extremes(s)
	bits := p.set.score
	if bits == 0 {
		ordered.ExpRow(s, s, hi)
		return
	}
	r := hi - lo
	if p.set.clip > 0 && r > p.set.clip {
		r = p.set.clip
	}
	if r == 0 {
		for i := range s {
			s[i] = 1
		}
		return
	}
	levels := float64(int(1)<<bits - 1)
	ordered.Distances(s, hi, r, float32(levels/float64(r)), float32(float64(r)/levels))
	ordered.ExpRow(s, s, 0)
}
