package engine

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/simd/gemm"
)

// A cache of 16-bit codes, to measure what the 8 bits of keys and values cost: no instruction set multiplies bytes by words,
// so that Q·K and P·V are loops over codes, many times slower than the panels of narrower caches. Everything else, the order
// of the phases and what may run in parallel, is as there.

// wide reports that keys and values have codes of more than 8 bits.
func (m *Model) wide() bool { return m.widths.KV > 8 }

// mergeGuard is the number of guard bits of the merged heads: 8, but none where a rotation adds 16-bit values up.
func (m *Model) mergeGuard() int32 {
	if m.wide() && m.rotateOut != nil {
		return 0
	}
	return 8
}

// storeWide caches key and value of KV head g for row i of the products k and v, the token at pos.
func (s *Session) storeWide(w *worker, blk *block, c *kvCache, g, i, pos int, k, v product) {
	m, p := s.m, w.x.Params[i]
	t, lo, hi := s.accumulated(w, 1, k, i, p, g*m.d, m.d)
	mant, exp, lo, hi := s.turned(t, lo, hi, p, blk.k, blk.kNorm, pos)
	c.setHeader(c.keys, pos, blk.site.key[g].Requant16(c.k16[pos*m.d:][:m.d], t, lo, hi, mant, exp, m.widths.KV, m.spec.MantissaBits))
	t, lo, hi = s.accumulated(w, 2, v, i, p, g*m.d, m.d)
	c.setHeader(c.values, pos, blk.site.value[g].Requant16(c.v16[pos*m.d:][:m.d], t, lo, hi, p.M, p.K+blk.v.KW, m.widths.KV, m.spec.MantissaBits))
}

// attendWide is attend for 16-bit codes, a head and a row at a time.
func (s *Session) attendWide(w *worker, b span, h0, h1 int) {
	m := s.m
	n := gemm.Pad(s.pos + b.to)
	if w.reserve(1, n, 0); len(w.acc64) < n {
		w.acc64, w.n32 = make([]int64, n), make([]int32, n)
	}
	for h := h0; h < h1; h++ {
		c := s.cache[s.layer][h/(m.heads/m.kv)]
		for row := b.from; row < b.to; row++ {
			at, visible := h*s.rows+row, s.pos+row+1
			q, score, acc, n32 := s.qp[at], w.score[:visible], w.acc64[:visible], w.n32[:visible]
			code := s.q[at*s.dstride:][:m.d]
			for j := range acc {
				acc[j] = dotWide(code, c.k16[j*m.d:])
			}
			lo, hi, k := di.Scores64(score, acc, q, c.keys, visible, m.d)
			if fixed := m.blocks[s.layer].scores; fixed != nil {
				lo = fixed[h].Floor(score, lo, hi, q.M, k)
			}
			w.soft[s.layer].Softmax(w.e[:visible], score, lo, hi, q.M, k)
			s.pv[row*m.heads+h] = di.Weights16(n32, score, w.e[:visible], c.values, visible)
			out := s.mix64[(row*m.heads+h)*m.d:][:m.d]
			clear(out)
			for j, n := range n32 {
				if n != 0 {
					addWide(out, c.v16[j*m.d:], int64(n))
				}
			}
		}
	}
}

// dotWide is ΣQ·K: at most 256·255·65535 < 2^32, exact in a word of 32 bits.
func dotWide(q []uint8, k []uint16) int64 {
	k = k[:len(q)]
	sum := uint32(0)
	for i, x := range q {
		sum += uint32(x) * uint32(k[i])
	}
	return int64(sum)
}

// addWide adds n·V to out.
func addWide(out []int64, v []uint16, n int64) {
	v = v[:len(out)]
	for i, x := range v {
		out[i] += n * int64(x)
	}
}

// spare is the scratch of attendWide.
type spare struct {
	acc64 []int64
	n32   []int32
}
