package gptq

import (
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/simd/ordered"
)

// chunk is the number of rows of a task. It changes no bit.
const chunk = 32

// Sites that have a range ratio, in the order of the forward pass.
var Sites = [...]string{"attn_in", "query", "key", "value", "attn_out", "mlp_in", "gate", "up", "product"}

const (
	attnIn = iota
	query
	key
	value
	attnOut
	mlpIn
	gate
	up
	product
	siteCount
)

// settings are the quantisers of one block: bits (0: leave alone) and ratios by site, and those of the scores.
type settings struct {
	bits  [siteCount]int
	ratio [siteCount]int32
	score int     // bits; 0: leave alone
	clip  float32 // natural units; 0: none
}

// newSettings reads the widths of the recipe. Where there is no gate, up has no codes: the ReLU comes before them.
func newSettings(in *Input, opt Options) settings {
	var s settings
	for i := range s.ratio {
		s.ratio[i] = One
	}
	r := in.Spec.Effective()
	if !opt.FloatActivations {
		s.bits = [siteCount]int{r.Act, r.Query, r.KV, r.KV, r.Act, r.Act, r.GLU, r.GLU, r.Act}
		if !in.Config.Gated() {
			s.bits[gate], s.bits[up] = 0, 0
		}
	}
	if !opt.FloatScores && !opt.FloatActivations {
		s.score = r.Score
	}
	s.clip = float32(in.Spec.Clip) / 1000
	return s
}

// round rounds a row of a site.
func (s *settings) round(site int, x []float32) {
	if s.bits[site] > 0 {
		row(x, s.bits[site], s.ratio[site])
	}
}

// pass computes one block for one window. Every row, and every head, is a task of its own right: results do not depend
// on chunk, nor on threads.
type pass struct {
	cfg     *model.Config
	threads int
	rope    *rope
	online  floatref.Tap
	set     settings
	layer   int
	*block

	qkv, vt []float32 // [T][ldQKV]; V transposed [KV heads·d][T]
	glu     []float32 // [T][2·FFN]
	workers []scratch
}

// scratch is the memory of one worker.
type scratch struct {
	x, q, s, o []float32
}

func (p *pass) ldQKV() int { return (p.cfg.Heads + 2*p.cfg.KVHeads) * p.cfg.HeadDim }

// rows runs f over chunks of n rows.
func (p *pass) rows(n int, f func(w *scratch, r0, r1 int)) {
	parallel(p.threads, (n+chunk-1)/chunk, func(wi, i int) {
		f(&p.workers[wi], i*chunk, min(n, (i+1)*chunk))
	})
}

// grow returns x with length n, reallocated if needed; old values are not kept.
func grow(x []float32, n int) []float32 {
	if cap(x) < n {
		return make([]float32, n)
	}
	return x[:n]
}

// mul sets rows of y to x·Wᵀ + b.
func (l *linear) mul(y []float32, ldy int, x []float32, ldx, rows int) {
	ordered.MatMul(y, ldy, x, ldx, l.w, l.in, rows, l.out, l.in)
	if l.bias != nil {
		for r := range rows {
			add(y[r*ldy:][:l.out], l.bias)
		}
	}
}

// normed sets x, [n][hidden], to the quantised norms of h: the input of q, k, v (site attnIn) or of the MLP (mlpIn).
func (p *pass) normed(x, h []float32, n, site int) {
	c, m := p.cfg, p.norm1
	if site == mlpIn {
		m = p.norm2
	}
	p.rows(n, func(_ *scratch, r0, r1 int) {
		for r := r0; r < r1; r++ {
			y := x[r*c.Hidden:][:c.Hidden]
			m.apply(y, h[r*c.Hidden:][:c.Hidden], c.NormEps)
			p.set.round(site, y)
		}
	})
}

// see shows rows to the online rotations.
func (p *pass) see(site floatref.Site, head, pos, rows, cols int, x []float32, stride int) {
	if p.online != nil {
		p.online.Tap(&floatref.Block{Site: site, Layer: p.layer, Head: head, Pos: pos, Rows: rows, Cols: cols, X: x, Stride: stride})
	}
}

// project sets p.qkv to q, k, v of the rows x, with head norms, RoPE and online rotations, not yet quantised.
func (p *pass) project(x []float32, n int) {
	c, ld := p.cfg, p.ldQKV()
	d := c.HeadDim
	p.qkv = grow(p.qkv, n*ld)
	p.rows(n, func(_ *scratch, r0, r1 int) {
		y, in := p.qkv[r0*ld:], x[r0*c.Hidden:]
		p.q.mul(y, ld, in, c.Hidden, r1-r0)
		p.k.mul(y[p.q.out:], ld, in, c.Hidden, r1-r0)
		p.v.mul(y[p.q.out+p.k.out:], ld, in, c.Hidden, r1-r0)
		for h := range c.Heads + c.KVHeads {
			isKey := h >= c.Heads
			for r := r0; r < r1; r++ {
				t := p.qkv[r*ld+h*d:][:d]
				if c.HeadNorm && isKey {
					p.kNorm.apply(t, t, c.NormEps)
				} else if c.HeadNorm {
					p.qNorm.apply(t, t, c.NormEps)
				}
				if p.rope != nil {
					p.rope.turn(t, r)
				}
			}
			if isKey {
				p.see(floatref.Key, h-c.Heads, r0, r1-r0, d, p.qkv[r0*ld+h*d:], ld)
			} else {
				p.see(floatref.Query, h, r0, r1-r0, d, p.qkv[r0*ld+h*d:], ld)
			}
		}
	})
}

// wide sets p.glu to gate and up side by side, or to up alone.
func (p *pass) wide(x []float32, n int) {
	c, f := p.cfg, p.cfg.FFN
	p.glu = grow(p.glu, n*2*f)
	p.rows(n, func(_ *scratch, r0, r1 int) {
		if p.gate != nil {
			p.gate.mul(p.glu[r0*2*f:], 2*f, x[r0*c.Hidden:], c.Hidden, r1-r0)
		}
		p.up.mul(p.glu[r0*2*f+f:], 2*f, x[r0*c.Hidden:], c.Hidden, r1-r0)
	})
}

// combine sets y, [n][ffn], to the product of the MLP from p.glu, which it leaves alone, after the online rotation, not
// yet quantised.
func (p *pass) combine(y []float32, n int) {
	f := p.cfg.FFN
	p.rows(n, func(w *scratch, r0, r1 int) {
		w.x = grow(w.x, 2*f)
		for r := r0; r < r1; r++ {
			t := y[r*f:][:f]
			if p.gate == nil {
				relu(t, p.glu[r*2*f+f:][:f])
				continue
			}
			copy(w.x, p.glu[r*2*f:][:2*f])
			p.set.round(gate, w.x[:f])
			p.set.round(up, w.x[f:])
			swiGLU(t, w.x[:f], w.x[f:], p.alpha)
		}
		p.see(floatref.Product, 0, r0, r1-r0, f, y[r0*f:], f)
	})
}

// roundRows rounds rows of a site in place.
func (p *pass) roundRows(site int, x []float32, n, cols int) {
	if p.set.bits[site] == 0 {
		return
	}
	p.rows(n, func(_ *scratch, r0, r1 int) {
		for r := r0; r < r1; r++ {
			p.set.round(site, x[r*cols:][:cols])
		}
	})
}

// addTo adds l·x to the residual rows h.
func (p *pass) addTo(h []float32, l *linear, x []float32, n int) {
	p.rows(n, func(w *scratch, r0, r1 int) {
		w.o = grow(w.o, chunk*l.out)
		l.mul(w.o, l.out, x[r0*l.in:], l.in, r1-r0)
		add(h[r0*l.out:r1*l.out], w.o[:(r1-r0)*l.out])
	})
}
