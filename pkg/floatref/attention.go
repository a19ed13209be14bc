package floatref

import (
	"math"

	"github.com/illm-go/illm/pkg/simd/sgemm"
)

// attention sets, for the query heads of KV head j and rows r0 ≤ r < r1 of the call,
// dst[r−r0][h·d …] = Σ_t softmax_t(q·k_t/√d) v_t over the positions t up to that of the row.
//
// The query heads of a group share their keys: their rows are taken together, attnRows positions at a time.
// Scores of later keys are computed where the block holds any visible key, and overwritten with 0.
func (p *pass) attention(w *scratch, l, j, r0, r1 int, dst []float32, ld int) {
	c := &p.cfg
	d, group := c.HeadDim, c.Heads/c.KVHeads
	blocks := p.blocks[l*c.KVHeads+j]
	scale := float32(1 / math.Sqrt(float64(d)))
	for a := r0; a < r1; a += attnRows {
		rows := min(attnRows, r1-a)
		m := rows * group
		for i := range m {
			q := p.qkv[(a+i/group)*p.ldQKV+(j*group+i%group)*d:][:d]
			for t, v := range q {
				w.q[i*d+t] = v * scale
			}
		}
		end := p.n + a + rows // keys seen by the last of these rows
		keys := blocks[:(end+rowBlock-1)/rowBlock]
		lds := len(keys) * rowBlock
		w.products(keys, lds, d, m)
		for i := range m {
			row := w.scores[i*lds:][:lds]
			visible := p.n + a + i/group + 1
			x := row[:visible]
			p.see(w, Scores, l, j*group+i%group, a+i/group, 1, visible, x, visible)
			w.inv[i] = 1 / softmaxRow(x)
			clear(row[visible:])
		}
		acc := w.mix(keys, lds, d, m)
		for i := range m {
			y := dst[(a-r0+i/group)*ld+(j*group+i%group)*d:][:d]
			for t, v := range acc[i*d:][:d] {
				y[t] = v * w.inv[i]
			}
		}
	}
}

// products sets the scores of m rows of queries with all keys. It and mix have names of their own for the profile's sake.
func (w *scratch) products(keys []kvBlock, lds, d, m int) {
	for b := range keys {
		sgemm.MatMul(w.scores[b*rowBlock:], lds, w.q, d, keys[b].k, m)
	}
}

// mix returns the sums of the values, weighted by m rows of scores: [m][d].
func (w *scratch) mix(keys []kvBlock, lds, d, m int) []float32 {
	acc := w.acc[:m*d]
	clear(acc)
	for b := range keys {
		sgemm.MatMul(w.part, d, w.scores[b*rowBlock:], lds, keys[b].v, m)
		for t, v := range w.part[:len(acc)] {
			acc[t] += v
		}
	}
	return acc
}
