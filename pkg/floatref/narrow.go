package floatref

import "context"

// narrow runs a call of few rows: every product is split by output channels, the attention by KV head.
// Norms and sums are done by one worker; they are small beside the reading of the weights.
func (p *pass) narrow(ctx context.Context, fn func(int, []float32) error) error {
	c, w := &p.cfg, p.worker(0)
	rows, hidden := p.rows, p.cfg.Hidden
	mul := func(m *matrix, y []float32, ldy int, x []float32, ldx, rows int) {
		parallel(p.threads, len(m.parts), func(_, i int) { m.mulPart(i, y, ldy, x, ldx, rows) })
	}
	for l := range c.Layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		ly := &p.Model.layers[l]
		p.see(w, Residual, l, 0, 0, rows, hidden, p.h, hidden)
		ly.norm1.apply(w.x, p.h, c.NormEps, rows)
		p.see(w, AttnIn, l, 0, 0, rows, hidden, w.x, hidden)
		mul(ly.qkv, p.qkv, p.ldQKV, w.x, hidden, rows)
		ld := c.Heads * c.HeadDim
		merged := w.x
		parallel(p.threads, c.KVHeads, func(wi, j int) {
			w := p.worker(wi)
			// A call of few rows still may cross a block of the cache.
			for r := 0; r < rows; {
				r1 := min(rows, r+rowBlock-(p.n+r)%rowBlock)
				p.turn(w, l, j, r, r1)
				r = r1
			}
			p.attention(w, l, j, 0, rows, merged, ld)
		})
		p.see(w, AttnOut, l, 0, 0, rows, ld, merged, ld)
		mul(ly.o, w.out, hidden, merged, ld, rows)
		p.add(w, ResidualMid, l, 0, rows, w.out)
		ly.norm2.apply(w.x, p.h, c.NormEps, rows)
		p.see(w, MLPIn, l, 0, 0, rows, hidden, w.x, hidden)
		mul(ly.gateUp, w.wide, p.ldWide, w.x, hidden, rows)
		p.activate(w, l, 0, rows)
		mul(ly.down, w.x, hidden, w.out, c.FFN, rows)
		p.add(w, siteCount, l, 0, rows, w.x)
	}
	p.see(w, Residual, c.Layers, 0, 0, rows, hidden, p.h, hidden)
	p.norm.apply(w.x, p.h, c.NormEps, rows)
	p.see(w, HeadIn, c.Layers, 0, 0, rows, hidden, w.x, hidden)
	if fn == nil {
		mul(p.head, p.logits, c.Vocab, w.x[(rows-1)*hidden:], hidden, 1)
		return nil
	}
	w.logits = grow(w.logits, rowBlock*c.Vocab)
	mul(p.head, w.logits, c.Vocab, w.x, hidden, rows)
	for r := range rows {
		if err := fn(p.n+r, w.logits[r*c.Vocab:][:c.Vocab]); err != nil {
			return err
		}
	}
	return nil
}
