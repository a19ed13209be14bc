package floatref

import "github.com/illm-go/illm/pkg/simd/sgemm"

// matrix is a linear y = x·Wᵀ + b with W [n, k] packed, cut by output channels into parts
// so that several workers can share one product of few rows.
type matrix struct {
	step  int // every part but the last has step channels
	parts []*sgemm.Panel
	bias  []float32 // [n], or nil
}

// partGoal is the number of parts a matrix is cut into where it is large enough.
const partGoal = 8

// newMatrix packs w, row-major [n][k], and keeps bias, [n] or nil.
func newMatrix(w, bias []float32, n, k int) *matrix {
	whole := sgemm.Pack(w, n, k)
	const c = sgemm.Channels
	step := max(c, ((n+partGoal-1)/partGoal+c-1)/c*c)
	m := &matrix{step: step, parts: make([]*sgemm.Panel, (n+step-1)/step), bias: bias}
	for i := range m.parts {
		m.parts[i] = whole.Columns(i*step, min(n, (i+1)*step))
	}
	return m
}

// mul sets y[i][j] = Σ_k x[i][k]·W[j][k] + b[j] for rows i < m.
func (w *matrix) mul(y []float32, ldy int, x []float32, ldx, m int) {
	for i := range w.parts {
		w.mulPart(i, y, ldy, x, ldx, m)
	}
}

// mulPart is mul for the channels of part i alone. The bias is added to the part while it is in the cache.
func (w *matrix) mulPart(i int, y []float32, ldy int, x []float32, ldx, m int) {
	y = y[i*w.step:]
	sgemm.MatMul(y, ldy, x, ldx, w.parts[i], m)
	if w.bias == nil {
		return
	}
	b := w.bias[i*w.step : min(len(w.bias), (i+1)*w.step)]
	for r := range m {
		row := y[r*ldy:][:len(b)]
		for j, v := range b {
			row[j] += v
		}
	}
}
