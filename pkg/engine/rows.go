package engine

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/gemm"
)

// worker is the scratch of one goroutine.
type worker struct {
	ops    di.Worker
	soft   []di.Worker // by layer: ops, or the one of clipped with the layer's clip
	x      *quant.Acts // inputs of the linears behind a norm and of o
	y      *quant.Acts // input of down
	gate   *quant.Acts // one row each; nil without a gate
	up     *quant.Acts
	acc    []int32 // [rows, widest set of products]
	t      []int64 // one row of T
	key    []uint8 // one head's codes
	values []uint8 // [kv head, 4, padded d] codes of a group of four tokens

	clipped map[quant.Clip]di.Worker // ops under other clips; share its scratch

	// attention
	scoreAcc []int32
	score    []int64
	e        []int32
	n        []uint8 // [2·rows, keys]: low and high bytes of the weights
	mixAcc   []int32
	spare    // of 16-bit caches

	logits []int64

	warmStep, warmed int // which product of the session's order is being loaded ahead, and how far
}

func newWorker(m *Model, rows, capacity int) *worker {
	w := &worker{
		ops: m.ops.NewWorker(max(m.hidden, m.ffn, capacity)),
		x:   quant.NewActs(rows, max(m.hidden, m.heads*m.d), m.widths.Act), y: quant.NewActs(rows, m.ffn, m.widths.Act),
		t: make([]int64, max(m.hidden, m.heads*m.d, m.ffn)), key: make([]uint8, (m.d+7)&^7),
		values: make([]uint8, 4*m.kv*((m.d+7)&^7)),
	}
	w.soft = make([]di.Worker, m.layers)
	for i := range w.soft {
		w.setClip(i, m.clips.Of(m.spec, i), m.spec.Clip)
	}
	wide := gemm.Pad(m.ffn)
	if m.blocks[0].gate != nil {
		w.gate, w.up = quant.NewActs(1, m.ffn, m.widths.GLU), quant.NewActs(1, m.ffn, m.widths.GLU)
		wide *= 2
	}
	qkv := gemm.Pad(m.heads*m.d) + 2*gemm.Pad(m.kv*m.d)
	w.acc = make([]int32, rows*max(qkv, wide, gemm.Pad(m.hidden)))
	return w
}

// setClip gives the softmax of a layer the clip value c, where own is that of w.ops. Layers of one value share a worker.
func (w *worker) setClip(layer int, c, own quant.Clip) {
	w.soft[layer] = w.ops
	if c == own {
		return
	}
	if w.clipped == nil {
		w.clipped = map[quant.Clip]di.Worker{}
	}
	if w.clipped[c] == nil {
		w.clipped[c] = w.ops.(di.Clipper).Clipped(c)
	}
	w.soft[layer] = w.clipped[c]
}

// rowsPhase takes row blocks through the second half of block layer−1 (output
// projection and MLP) and the first half of block layer (norm, q, k, v). The
// first phase starts from the embedding, the last ends with the residual rows.
func (s *Session) rowsPhase(id int) {
	w := s.workers[id]
	for {
		b, ok := s.take()
		if !ok {
			return
		}
		if s.first {
			s.embedRows(b)
		} else {
			s.outputRows(w, b, &s.m.blocks[s.layer-1])
			s.mlpRows(w, b, &s.m.blocks[s.layer-1])
		}
		if !s.last {
			s.qkvRows(w, b, &s.m.blocks[s.layer], s.cache[s.layer])
		}
	}
}

func (s *Session) residual(i int) []int32 {
	return s.h[i*s.m.hidden : (i+1)*s.m.hidden]
}

// embedRows starts the residual rows of b: the token's row, and the position's where positions are learned.
func (s *Session) embedRows(b span) {
	for i := b.from; i < b.to; i++ {
		var n int
		if t := s.m.embed16; t != nil {
			n = di.Embed16(s.residual(i), t, int(s.ids[i]), s.m.kr)
		} else {
			n = di.Embed(s.residual(i), s.m.embed, int(s.ids[i]), s.m.kr)
		}
		switch {
		case s.m.place16 != nil:
			n += di.AddEmbed16(s.residual(i), s.m.place16, s.pos+i, s.m.kr)
		case s.m.place != nil:
			n += di.AddEmbed(s.residual(i), s.m.place, s.pos+i, s.m.kr)
		}
		if n += s.inSteps(i); n > 0 {
			s.saturated.Add(int64(n))
		}
	}
}

// normRows fills x with the normalised, requantised residual rows of b.
func (s *Session) normRows(w *worker, b span, p *di.Norm, bits int) {
	for i := b.from; i < b.to; i++ {
		w.x.Params[i-b.from] = w.ops.Norm(w.x.Row(i - b.from)[:s.m.hidden], s.residual(i), p, bits)
	}
}

// qkvRows projects the rows of b, rotates queries and keys and stores keys and
// values in the cache.
func (s *Session) qkvRows(w *worker, b span, blk *block, cache []*kvCache) {
	m, rows := s.m, b.to-b.from
	s.normRows(w, b, blk.attnNorm, m.widths.Act)
	ldq, ldk := gemm.Pad(m.heads*m.d), gemm.Pad(m.kv*m.d)
	q := product{l: blk.q, acc: w.acc[:rows*ldq], ld: ldq}
	k := product{l: blk.k, acc: w.acc[rows*ldq : rows*(ldq+ldk)], ld: ldk}
	v := product{l: blk.v, acc: w.acc[rows*(ldq+ldk) : rows*(ldq+2*ldk)], ld: ldk}
	s.multiplyAll(w.x, rows, q, k, v)
	for i := range rows {
		p, pos := w.x.Params[i], s.pos+b.from+i
		for h := range m.heads {
			at := h*s.rows + b.from + i
			code := s.q[at*s.dstride:][:m.d]
			t, lo, hi := s.accumulated(w, 0, q, i, p, h*m.d, m.d)
			s.qp[at] = s.placed(code, t, lo, hi, p, blk.q, blk.qNorm, pos, blk.site.query[h], m.widths.Query)
		}
		for g := range m.kv {
			if m.wide() {
				s.storeWide(w, blk, cache[g], g, i, pos, k, v)
				continue
			}
			code := w.key[:m.d]
			t, lo, hi := s.accumulated(w, 1, k, i, p, g*m.d, m.d)
			cache[g].setKey(pos, code, s.placed(code, t, lo, hi, p, blk.k, blk.kNorm, pos, blk.site.key[g], m.widths.KV))
			t, lo, hi = s.accumulated(w, 2, v, i, p, g*m.d, m.d)
			code = w.values[(4*g+pos%4)*s.dstride:][:m.d]
			cache[g].setHeader(cache[g].values, pos, blk.site.value[g].Requant(code, t, lo, hi, p.M, p.K+blk.v.KW, m.widths.KV, m.spec.MantissaBits))
		}
		if !m.wide() && (pos%4 == 3 || i == rows-1) {
			for g := range m.kv {
				cache[g].setValues(max(pos&^3, s.pos+b.from), pos+1, w.values[4*g*s.dstride:], s.dstride)
			}
		}
	}
}

// placed turns one head of q or k into requantised codes: normed, turned to its position and rotated where the model does
// so; t is spent.
func (s *Session) placed(code []uint8, t []int64, lo, hi int64, p quant.RowParams, l *quant.Linear, norm *di.HeadNorm, pos int, site di.Site, bits int) quant.RowParams {
	m, k, lo, hi := s.turned(t, lo, hi, p, l, norm, pos)
	return site.Requant(code, t, lo, hi, m, k, bits, s.m.spec.MantissaBits)
}

// turned is placed before the requantisation: t in units of m/2^k, with its range.
func (s *Session) turned(t []int64, lo, hi int64, p quant.RowParams, l *quant.Linear, norm *di.HeadNorm, pos int) (m uint32, k int32, _, _ int64) {
	m, k = p.M, p.K+l.KW
	if norm != nil {
		m, k, lo, hi = norm.Apply(t, lo, hi, m, k)
	}
	if s.rope != nil {
		k, lo, hi = s.rope.Rotate(t, lo, hi, k, pos)
	}
	if s.m.rotateQK != nil {
		m, k, lo, hi = s.m.rotateQK.Apply(t, m, k)
	}
	return m, k, lo, hi
}

// outputRows merges the heads, rotates the row where the model does so, requantises it and adds the output projection to
// the residual.
func (s *Session) outputRows(w *worker, b span, blk *block) {
	m, rows := s.m, b.to-b.from
	width := m.heads * m.d
	for i := range rows {
		at := b.from + i
		u := w.t[:width]
		pv := s.pv[at*m.heads:][:m.heads]
		kmin, guard := di.MergeScale(pv), m.mergeGuard()
		var lo, hi int64
		for h := range pv {
			from := h * m.d
			var l, r int64
			if m.wide() {
				l, r = di.Merge64(u[from:from+m.d], s.mix64[at*width+from:][:m.d], pv[h], kmin, uint(guard))
			} else {
				l, r = di.Merge(u[from:from+m.d], s.mix[at*width+from:][:m.d], pv[h], kmin)
			}
			lo, hi = min(lo, l), max(hi, r)
		}
		w.x.Params[i] = blk.out.Requant(w.x.Row(i)[:width], u, lo, hi, 1<<15, kmin+guard+15, m.widths.Act, m.spec.MantissaBits)
	}
	s.addProduct(w, b, w.x, blk.o)
}

// addProduct adds x·Wᵀ to the residual rows of b.
func (s *Session) addProduct(w *worker, b span, x *quant.Acts, l *quant.Linear) {
	rows, ld := b.to-b.from, gemm.Pad(s.m.hidden)
	j := product{l: l, acc: w.acc[:rows*ld], ld: ld}
	s.multiplyAll(x, rows, j)
	for i := range rows {
		p := x.Params[i]
		t, _, _ := s.accumulated(w, 0, j, i, p, 0, s.m.hidden)
		if n := di.AddResidual(s.residual(b.from+i), t, p.M, p.K+l.KW, s.m.kr) + s.inSteps(b.from+i); n > 0 {
			s.saturated.Add(int64(n))
		}
	}
}

// mlpRows runs the MLP of a block over the rows of b.
func (s *Session) mlpRows(w *worker, b span, blk *block) {
	m, rows := s.m, b.to-b.from
	s.normRows(w, b, blk.mlpNorm, m.widths.Act)
	ld := gemm.Pad(m.ffn)
	if blk.gate == nil {
		j := product{l: blk.up, acc: w.acc[:rows*ld], ld: ld}
		s.multiplyAll(w.x, rows, j)
		for i := range rows {
			p := w.x.Params[i]
			t, lo, hi := s.accumulated(w, 0, j, i, p, 0, m.ffn)
			w.y.Params[i] = w.ops.ReLU(w.y.Row(i)[:m.ffn], t, lo, hi, p.M, p.K+blk.up.KW, blk.product, m.widths.Act)
		}
		s.addProduct(w, b, w.y, blk.down)
		return
	}
	jg := product{l: blk.gate, acc: w.acc[:rows*ld], ld: ld}
	ju := product{l: blk.up, acc: w.acc[rows*ld : 2*rows*ld], ld: ld}
	s.multiplyAll(w.x, rows, jg, ju)
	for i := range rows {
		gate := s.operand(w, w.gate, 0, jg, i, blk.site.gate)
		up := s.operand(w, w.up, 1, ju, i, blk.site.up)
		w.y.Params[i] = w.ops.SwiGLU(w.y.Row(i)[:m.ffn], gate, up, blk.glu, m.widths.Act)
	}
	s.addProduct(w, b, w.y, blk.down)
}

// operand requantises one row of gate or up, job k, to n_glu bits.
func (s *Session) operand(w *worker, dst *quant.Acts, k int, j product, i int, site di.Site) di.Row {
	p, bits, b := w.x.Params[i], s.m.widths.GLU, s.m.spec.MantissaBits
	t, lo, hi := s.accumulated(w, k, j, i, p, 0, s.m.ffn)
	if bits > 8 {
		code := dst.Row16(0)[:len(t)]
		return di.Row{Codes16: code, RowParams: site.Requant16(code, t, lo, hi, p.M, p.K+j.l.KW, bits, b)}
	}
	code := dst.Row(0)[:len(t)]
	return di.Row{Codes: code, RowParams: site.Requant(code, t, lo, hi, p.M, p.K+j.l.KW, bits, b)}
}
