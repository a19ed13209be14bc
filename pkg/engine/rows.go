package engine

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/gemm"
)

// worker is the scratch of one goroutine.
type worker struct {
	ops    di.Worker
	x      *quant.Acts // inputs of the linears behind a norm and of o
	y      *quant.Acts // input of down
	gate   *quant.Acts // one row each; nil without a gate
	up     *quant.Acts
	acc    []int32 // [rows, widest set of products]
	t      []int64 // one row of T
	kvCode []uint8 // one key or value

	// attention
	scoreAcc []int32
	score    []int64
	e        []int32
	n        []uint8 // [2·rows, keys]: low and high bytes of the weights
	mixAcc   []int32

	logits []int64

	warmStep, warmed int // which product of the session's order is being loaded ahead, and how far
}

func newWorker(m *Model, rows, capacity int) *worker {
	w := &worker{
		ops: m.ops.NewWorker(max(m.hidden, m.ffn, capacity)),
		x:   quant.NewActs(rows, max(m.hidden, m.heads*m.d), m.widths.Act), y: quant.NewActs(rows, m.ffn, m.widths.Act),
		t: make([]int64, max(m.hidden, m.heads*m.d, m.ffn)), kvCode: make([]uint8, (m.d+7)&^7),
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
		if n > 0 {
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
	accQ := w.acc[:rows*ldq]
	accK := w.acc[rows*ldq : rows*(ldq+ldk)]
	accV := w.acc[rows*(ldq+ldk) : rows*(ldq+2*ldk)]
	s.multiplyAll(w.x.Codes, w.x.Stride, rows, product{blk.q, accQ, ldq}, product{blk.k, accK, ldk}, product{blk.v, accV, ldk})
	t := w.t[:m.d]
	for i := range rows {
		p, pos := w.x.Params[i], s.pos+b.from+i
		for h := range m.heads {
			at := h*s.rows + b.from + i
			code := s.q[at*s.dstride:][:m.d]
			s.qp[at] = s.placed(t, code, accQ[i*ldq+h*m.d:][:m.d], p, blk.q, blk.qNorm, h, pos, m.widths.Query)
		}
		for g := range m.kv {
			code := w.kvCode[:m.d]
			kp := s.placed(t, code, accK[i*ldk+g*m.d:][:m.d], p, blk.k, blk.kNorm, g, pos, m.widths.KV)
			cache[g].setKey(pos, code, kp)
			lo, hi := di.Accumulate(t, accV[i*ldk+g*m.d:][:m.d], p, blk.v, g*m.d)
			vp := di.Requant(code, t, lo, hi, p.M, p.K+blk.v.KW, m.widths.KV, m.spec.MantissaBits)
			cache[g].setValue(pos, code, vp)
		}
	}
}

// placed turns one head's accumulators of q or k into requantised codes, normed and rotated where the model does so.
func (s *Session) placed(t []int64, code []uint8, acc []int32, p quant.RowParams, l *quant.Linear, norm *di.HeadNorm, head, pos, bits int) quant.RowParams {
	lo, hi := di.Accumulate(t, acc, p, l, head*s.m.d)
	m, k := p.M, p.K+l.KW
	if norm != nil {
		m, k, lo, hi = norm.Apply(t, lo, hi, m, k)
	}
	if s.rope != nil {
		k, lo, hi = s.rope.Rotate(t, lo, hi, k, pos)
	}
	return di.Requant(code, t, lo, hi, m, k, bits, s.m.spec.MantissaBits)
}

// outputRows merges the heads, requantises and adds the output projection to
// the residual.
func (s *Session) outputRows(w *worker, b span, blk *block) {
	m, rows := s.m, b.to-b.from
	width := m.heads * m.d
	for i := range rows {
		at := b.from + i
		u := w.t[:width]
		pv := s.pv[at*m.heads:][:m.heads]
		kmin := di.MergeScale(pv)
		var lo, hi int64
		for h := range pv {
			from := h * m.d
			l, r := di.Merge(u[from:from+m.d], s.mixHi[at*width+from:][:m.d], s.mixLo[at*width+from:][:m.d], pv[h], kmin)
			lo, hi = min(lo, l), max(hi, r)
		}
		w.x.Params[i] = di.Requant(w.x.Row(i)[:width], u, lo, hi, 1<<15, kmin+8+15, m.widths.Act, m.spec.MantissaBits)
	}
	s.addProduct(w, b, w.x, blk.o)
}

// addProduct adds x·Wᵀ to the residual rows of b.
func (s *Session) addProduct(w *worker, b span, x *quant.Acts, l *quant.Linear) {
	rows, ld := b.to-b.from, gemm.Pad(s.m.hidden)
	acc := w.acc[:rows*ld]
	s.multiplyAll(x.Codes, x.Stride, rows, product{l, acc, ld})
	t := w.t[:s.m.hidden]
	for i := range rows {
		p := x.Params[i]
		di.Accumulate(t, acc[i*ld:][:s.m.hidden], p, l, 0)
		if n := di.AddResidual(s.residual(b.from+i), t, p.M, p.K+l.KW, s.m.kr); n > 0 {
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
		acc, t := w.acc[:rows*ld], w.t[:m.ffn]
		s.multiplyAll(w.x.Codes, w.x.Stride, rows, product{blk.up, acc, ld})
		for i := range rows {
			p := w.x.Params[i]
			lo, hi := di.Accumulate(t, acc[i*ld:][:m.ffn], p, blk.up, 0)
			w.y.Params[i] = w.ops.ReLU(w.y.Row(i)[:m.ffn], t, lo, hi, p.M, p.K+blk.up.KW, m.widths.Act)
		}
		s.addProduct(w, b, w.y, blk.down)
		return
	}
	accG, accU := w.acc[:rows*ld], w.acc[rows*ld:2*rows*ld]
	s.multiplyAll(w.x.Codes, w.x.Stride, rows, product{blk.gate, accG, ld}, product{blk.up, accU, ld})
	for i := range rows {
		p := w.x.Params[i]
		gate := s.operand(w, w.gate, accG[i*ld:][:m.ffn], p, blk.gate)
		up := s.operand(w, w.up, accU[i*ld:][:m.ffn], p, blk.up)
		w.y.Params[i] = w.ops.SwiGLU(w.y.Row(i)[:m.ffn], gate, up, blk.glu, m.widths.Act)
	}
	s.addProduct(w, b, w.y, blk.down)
}

// operand requantises one row of gate or up to n_glu bits.
func (s *Session) operand(w *worker, dst *quant.Acts, acc []int32, p quant.RowParams, l *quant.Linear) di.Row {
	t := w.t[:len(acc)]
	lo, hi := di.Accumulate(t, acc, p, l, 0)
	bits, b := s.m.widths.GLU, s.m.spec.MantissaBits
	if bits > 8 {
		code := dst.Row16(0)[:len(acc)]
		return di.Row{Codes16: code, RowParams: di.Requant16(code, t, lo, hi, p.M, p.K+l.KW, bits, b)}
	}
	code := dst.Row(0)[:len(acc)]
	return di.Row{Codes: code, RowParams: di.Requant(code, t, lo, hi, p.M, p.K+l.KW, bits, b)}
}
