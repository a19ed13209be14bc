package floatref

import (
	"context"
	"sync"
)

// pass is one run of the model over the rows of a call.
type pass struct {
	*Session
	*Model
	rows     int       // tokens of the call
	all      bool      // every row of the last block is wanted
	ldQKV    int       // row length of qkv
	ldWide   int       // row length of scratch.wide
	cos, sin []float32 // nil with learned positions
}

// see shows a block to the tap; X is [rows][stride].
func (p *pass) see(w *scratch, site Site, layer, head, row, rows, cols int, x []float32, stride int) {
	if p.tap == nil {
		return
	}
	w.block = Block{Site: site, Layer: layer, Head: head, Pos: p.n + row, Rows: rows, Cols: cols, X: x, Stride: stride}
	p.tap.Tap(&w.block)
}

// wide runs row blocks on the workers, with one barrier a layer.
func (p *pass) wide(ctx context.Context, fn func(int, []float32) error) error {
	layers := p.cfg.Layers
	first := p.n / rowBlock
	blocks := (p.n+p.rows-1)/rowBlock - first + 1
	// span gives the rows of task i: from the last row block, which has most keys, to the first.
	span := func(i int) (r0, r1 int) {
		b := first + blocks - 1 - i
		return max(0, b*rowBlock-p.n), min(p.rows, (b+1)*rowBlock-p.n)
	}
	var fail failure
	for l := range layers + 1 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l == layers && !p.all {
			blocks, first = 1, first+blocks-1
		}
		parallel(p.threads, blocks, func(wi, i int) {
			w := p.worker(wi)
			r0, r1 := span(i)
			if l > 0 {
				p.attend(w, l-1, r0, r1)
				p.mlp(w, l-1, r0, r1)
			}
			p.see(w, Residual, l, 0, r0, r1-r0, p.cfg.Hidden, p.h[r0*p.cfg.Hidden:], p.cfg.Hidden)
			if l < layers {
				p.project(w, l, r0, r1)
				return
			}
			fail.set(p.finish(w, r0, r1, fn, &fail))
		})
	}
	return fail.err
}

// project computes q, k and v of layer l for rows r0 ≤ r < r1 and stores k and v in the cache.
func (p *pass) project(w *scratch, l, r0, r1 int) {
	c, n := &p.cfg, r1-r0
	p.Model.layers[l].norm1.apply(w.x, p.h[r0*c.Hidden:], c.NormEps, n)
	p.see(w, AttnIn, l, 0, r0, n, c.Hidden, w.x, c.Hidden)
	p.Model.layers[l].qkv.mul(p.qkv[r0*p.ldQKV:], p.ldQKV, w.x, c.Hidden, n)
	for j := range c.KVHeads {
		p.turn(w, l, j, r0, r1)
	}
}

// turn applies head norms and RoPE, as far as the model has them, to KV head j and its query heads and stores k and v.
func (p *pass) turn(w *scratch, l, j, r0, r1 int) {
	c := &p.cfg
	d, half, group := c.HeadDim, c.HeadDim/2, c.Heads/c.KVHeads
	if c.HeadNorm {
		ly := &p.Model.layers[l]
		for r := r0; r < r1; r++ {
			q := p.qkv[r*p.ldQKV+j*group*d:] // the heads of a group stand side by side
			ly.qNorm.apply(q, q, c.NormEps, group)
			k := p.qkv[r*p.ldQKV+(c.Heads+j)*d:]
			ly.kNorm.apply(k, k, c.NormEps, 1)
		}
	}
	for r := r0; r < r1 && p.cos != nil; r++ {
		row := p.qkv[r*p.ldQKV:]
		cos, sin := p.cos[(p.n+r)*half:][:half], p.sin[(p.n+r)*half:][:half]
		for h := j * group; h < (j+1)*group; h++ {
			rotate(row[h*d:][:d], cos, sin)
		}
		rotate(row[(c.Heads+j)*d:][:d], cos, sin)
	}
	if p.tap != nil {
		at := func(site Site, head, slot int) {
			p.see(w, site, l, head, r0, r1-r0, d, p.qkv[r0*p.ldQKV+slot*d:], p.ldQKV)
		}
		for h := j * group; h < (j+1)*group; h++ {
			at(Query, h, h)
		}
		at(Key, j, c.Heads+j)
		at(Value, j, c.Heads+c.KVHeads+j)
	}
	p.store(l, j, r0, r1)
}

// attend adds W_o·attention of layer l to rows r0 ≤ r < r1 of the residual.
func (p *pass) attend(w *scratch, l, r0, r1 int) {
	c, n := &p.cfg, r1-r0
	ld := c.Heads * c.HeadDim
	for j := range c.KVHeads {
		p.attention(w, l, j, r0, r1, w.x, ld)
	}
	p.see(w, AttnOut, l, 0, r0, n, ld, w.x, ld)
	p.Model.layers[l].o.mul(w.out, c.Hidden, w.x, ld, n)
	p.add(w, ResidualMid, l, r0, n, w.out)
}

// mlp adds the feed-forward block of layer l to rows r0 ≤ r < r1 of the residual.
func (p *pass) mlp(w *scratch, l, r0, r1 int) {
	c, n := &p.cfg, r1-r0
	p.Model.layers[l].norm2.apply(w.x, p.h[r0*c.Hidden:], c.NormEps, n)
	p.see(w, MLPIn, l, 0, r0, n, c.Hidden, w.x, c.Hidden)
	p.Model.layers[l].gateUp.mul(w.wide, p.ldWide, w.x, c.Hidden, n)
	p.activate(w, l, r0, n)
	// The product has been consumed when the residual is added, so x can take the result.
	p.Model.layers[l].down.mul(w.x, c.Hidden, w.out, c.FFN, n)
	p.add(w, siteCount, l, r0, n, w.x)
}

// activate sets w.out to g·σ(α·g)·u, or to max(u, 0) where there is no gate, for the rows of w.wide.
func (p *pass) activate(w *scratch, l, r0, n int) {
	f := p.cfg.FFN
	if !p.cfg.Gated() {
		p.see(w, Up, l, 0, r0, n, f, w.wide, f)
		relu(w.out[:n*f], w.wide)
		p.see(w, Product, l, 0, r0, n, f, w.out, f)
		return
	}
	p.see(w, Gate, l, 0, r0, n, f, w.wide, 2*f)
	p.see(w, Up, l, 0, r0, n, f, w.wide[f:], 2*f)
	for r := range n {
		g, u, y := w.wide[2*r*f:][:f], w.wide[(2*r+1)*f:][:f], w.out[r*f:][:f]
		alpha := p.alpha[l]
		switch f := p.silu; {
		case f != nil && alpha != nil:
			for i, v := range g {
				y[i] = f(alpha[i]*v) / alpha[i] * u[i]
			}
		case f != nil:
			for i, v := range g {
				y[i] = f(v) * u[i]
			}
		default:
			swiGLURow(y, g, u, alpha)
		}
	}
	p.see(w, Product, l, 0, r0, n, f, w.out, f)
}

// add adds y, [n][hidden], to the residual rows from r0 on and shows them at site (none: siteCount).
func (p *pass) add(w *scratch, site Site, l, r0, n int, y []float32) {
	h := p.h[r0*p.cfg.Hidden:][:n*p.cfg.Hidden]
	for i, v := range y[:len(h)] {
		h[i] += v
	}
	if site < siteCount {
		p.see(w, site, l, 0, r0, n, p.cfg.Hidden, h, p.cfg.Hidden)
	}
}

// finish computes the logits of rows r0 ≤ r < r1: all of them for fn, or those of the last row of the call.
func (p *pass) finish(w *scratch, r0, r1 int, fn func(int, []float32) error, fail *failure) error {
	c := &p.cfg
	if fn == nil && p.tap == nil {
		r0 = max(r0, p.rows-1)
	}
	n := r1 - r0
	p.norm.apply(w.x, p.h[r0*c.Hidden:], c.NormEps, n)
	p.see(w, HeadIn, c.Layers, 0, r0, n, c.Hidden, w.x, c.Hidden)
	if fn == nil {
		if r1 == p.rows {
			p.head.mul(p.logits, c.Vocab, w.x[(n-1)*c.Hidden:], c.Hidden, 1)
		}
		return nil
	}
	w.logits = grow(w.logits, rowBlock*c.Vocab)
	p.head.mul(w.logits, c.Vocab, w.x, c.Hidden, n)
	for r := range n {
		if fail.stop() {
			return nil
		}
		if err := fn(p.n+r0+r, w.logits[r*c.Vocab:][:c.Vocab]); err != nil {
			return err
		}
	}
	return nil
}

// failure keeps the first error of several workers.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) set(err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *failure) stop() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err != nil
}
