package gptq

import (
	"math"

	"github.com/illm-go/illm/pkg/half"
	"github.com/illm-go/illm/pkg/simd/ordered"
)

// clipGrid is what a clipping ratio is chosen from, largest first: ties keep the wider range.
var clipGrid = func() (g []float64) {
	for _, r := range []float32{1, 0.975, 0.95, 0.925, 0.9, 0.875, 0.85, 0.825, 0.8, 0.75, 0.7, 0.65, 0.6} {
		g = append(g, float64(half.F16(half.ToF16(r))))
	}
	return g
}()

// rounding is the task of one linear.
type rounding struct {
	l     *linear
	bits  int
	f     *factor // nil: to nearest
	clip  ClipMode
	fixed bool // ratios lo, hi are given

	codes       []uint8
	scale, zero []float64
	lo, hi      []float32
	loss        []float64 // of each row: (w − ŵ)ᵀH(w − ŵ), or Σ(w − ŵ)² to nearest
}

// group is the number of rows that are rounded together.
const group = panel

// rows is the memory of a group: weights [32][ld], errors [32 columns][32 rows], codes.
type rows struct {
	w, err []float64
	codes  []uint8
}

// run chooses the codes of all rows and writes their values into l.w.
func (t *rounding) run(threads int) {
	out, in := t.l.out, t.l.in
	t.codes, t.scale, t.zero = make([]uint8, out*in), make([]float64, out), make([]float64, out)
	t.loss = make([]float64, out)
	if !t.fixed {
		t.lo, t.hi = make([]float32, out), make([]float32, out)
	}
	work := make([]rows, threads)
	parallel(threads, (out+group-1)/group, func(wi, i int) { t.group(&work[wi], i*group, min(out, (i+1)*group)) })
}

// group rounds rows r0 ≤ r < r1.
func (t *rounding) group(m *rows, r0, r1 int) {
	in := t.l.in
	var scale, zero, loss, best [group]float64
	grid := clipGrid
	if t.fixed || t.clip == ClipNone {
		grid = grid[:1]
	}
	levels := float64(int(1)<<t.bits - 1)
	for n, ratio := range grid {
		for r := r0; r < r1; r++ {
			lo, hi := ratio, ratio
			if t.fixed {
				lo, hi = float64(t.lo[r]), float64(t.hi[r])
			}
			scale[r-r0], zero[r-r0] = weightGrid(t.l.w[r*in:][:in], lo, hi, t.bits)
		}
		t.try(m, r0, r1, t.f != nil && (t.clip == ClipLoss || len(grid) == 1), &scale, &zero, &loss, levels)
		for r := r0; r < r1; r++ {
			i := r - r0
			if n > 0 && !(loss[i] < best[i]) {
				continue
			}
			best[i] = loss[i]
			t.scale[r], t.zero[r], t.loss[r] = scale[i], zero[i], loss[i]
			copy(t.codes[r*in:][:in], m.codes[i*in:])
			if !t.fixed {
				t.lo[r], t.hi[r] = float32(ratio), float32(ratio)
			}
		}
	}
	if t.f != nil && len(grid) > 1 && t.clip == ClipPlain { // the ratios were judged by rounding to nearest
		copy(scale[:], t.scale[r0:r1])
		copy(zero[:], t.zero[r0:r1])
		t.try(m, r0, r1, true, &scale, &zero, &loss, levels)
		copy(t.codes[r0*in:r1*in], m.codes)
		copy(t.loss[r0:r1], loss[:])
	}
	for r := r0; r < r1; r++ {
		for i, c := range t.codes[r*in:][:in] {
			t.l.w[r*in+i] = float32(float64((float64(c) - t.zero[r]) * t.scale[r]))
		}
	}
}

// try rounds the rows on given grids: codes into m.codes, the loss of each row.
func (t *rounding) try(m *rows, r0, r1 int, solve bool, scale, zero, loss *[group]float64, levels float64) {
	in := t.l.in
	if m.codes == nil {
		m.codes = make([]uint8, group*in)
	}
	*loss = [group]float64{}
	if !solve {
		for r := r0; r < r1; r++ {
			for i, w := range t.l.w[r*in:][:in] {
				c, v := nearest(float64(w), scale[r-r0], zero[r-r0], levels)
				m.codes[(r-r0)*in+i] = c
				d := float64(w) - v
				loss[r-r0] += float64(d * d)
			}
		}
		return
	}
	f := t.f
	if m.w == nil {
		m.w, m.err = make([]float64, group*f.ld), make([]float64, panel*group)
	}
	clear(m.w)
	for r := r0; r < r1; r++ {
		for i, w := range t.l.w[r*in:][:in] {
			m.w[(r-r0)*f.ld+i] = float64(w)
		}
	}
	for i0 := 0; i0 < in; i0 += panel {
		i1 := min(in, i0+panel)
		clear(m.err)
		own := f.u[i0*f.ld:] // the panel of these columns
		for r := range r1 - r0 {
			w := m.w[r*f.ld:][:f.ld]
			for i := i0; i < i1; i++ {
				c, v := nearest(w[i], scale[r], zero[r], levels)
				m.codes[r*in+i] = c
				u := own[i*panel:][:panel]
				e := (w[i] - v) / u[i-i0]
				loss[r] += float64(e * e)
				e = -e
				m.err[(i-i0)*group+r] = e
				for j := i + 1; j < i1; j++ {
					w[j] += float64(e * u[j-i0])
				}
			}
		}
		for j := i0 + panel; j < f.ld; j += panel {
			ordered.Rank(m.w[j:], f.ld, m.err, group, f.u[j*f.ld+i0*panel:], panel, group, panel, panel)
		}
	}
}

// nearest returns the code of w and its value (code − zero)·scale; a row without a range has code 0 and value 0.
func nearest(w, scale, zero, levels float64) (code uint8, value float64) {
	if scale == 0 {
		return 0, 0
	}
	c := math.Round(w/scale) + zero
	if c < 0 {
		c = 0
	}
	if c > levels {
		c = levels
	}
	return uint8(c), float64((c - zero) * scale)
}
