package smooth

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/model"
)

// Rotation says at which sites Hadamard matrices stand. They come before the factors of Block: those act on what the
// offline rotations leave, so that both may be used at one site. The zero value has none.
type Rotation struct {
	Residual bool   // residual stream, offline; the norms' γ and β go into the linears behind them, a tied head is untied
	ValueOut bool   // v → o, per head, offline
	QueryKey bool   // q and k per head: behind RoPE, online; without RoPE offline
	OutProj  bool   // input of o over all heads, online
	Down     bool   // input of down, online
	Seed     uint64 // of the random signs of Residual; 0: none
}

var rotationNames = []string{"residual", "value_out", "query_key", "out_proj", "down"}

func (r *Rotation) flags() []*bool {
	return []*bool{&r.Residual, &r.ValueOut, &r.QueryKey, &r.OutProj, &r.Down}
}

// Any reports whether a site is on.
func (r Rotation) Any() bool { return len(r.names()) > 0 }

// Sites lists the sites that are on by their names in files.
func (r Rotation) Sites() []string { return r.names() }

// Online reports at which sites something is left at run time.
func (r Rotation) Online(cfg model.Config) (qk, out, down bool) {
	return r.QueryKey && cfg.Rotary(), r.OutProj, r.Down
}

func (r Rotation) names() (names []string) {
	for i, f := range r.flags() {
		if *f {
			names = append(names, rotationNames[i])
		}
	}
	return names
}

func parseRotation(text string) (r Rotation, err error) {
	for _, name := range strings.Split(text, ",") {
		i := slices.Index(rotationNames, name)
		if i < 0 {
			return r, fmt.Errorf("rotation %q: expected one of %s", name, strings.Join(rotationNames, ", "))
		}
		*r.flags()[i] = true
	}
	return r, nil
}

// Check says whether a Hadamard matrix of every order exists that the sites need; of the online sites it must be one
// that the integer engine has.
func (r Rotation) Check(cfg model.Config) error {
	qk, out, down := r.Online(cfg)
	for _, s := range []struct {
		on     bool
		name   string
		n      int
		online bool
	}{
		{r.Residual, "residual", cfg.Hidden, false}, {r.ValueOut, "value_out", cfg.HeadDim, false}, {r.QueryKey, "query_key", cfg.HeadDim, qk},
		{r.OutProj, "out_proj", cfg.Heads * cfg.HeadDim, out}, {r.Down, "down", cfg.FFN, down},
	} {
		if !s.on {
			continue
		}
		if _, _, ok := Order(s.n); !ok {
			return fmt.Errorf("smooth: rotation %s: no Hadamard matrix of order %d: expected o·2^j with o 1, 12, 20, 28, 36 …: leave this site unrotated", s.name, s.n)
		}
		if s.online {
			if _, err := di.NewHadamard(s.n, 0); err != nil {
				return fmt.Errorf("smooth: rotation %s: %w", s.name, err)
			}
		}
	}
	if r.Residual && cfg.LayerNorm() && (!cfg.QKVBias || !cfg.MLPBias) {
		return fmt.Errorf("smooth: rotation residual: the norms' β need biases of q, k, v and of the MLP to go to, this model has none")
	}
	return nil
}

// rotor is the orthogonal map of one site: x ↦ F·H·D·x/√n.
type rotor struct {
	h     *hadamard
	scale float64
	signs []float64 // D; nil: 1
	v     []float64 // F = I − 2vvᵀ/(vᵀv); nil: F = 1
	vv    float64   // 2/(vᵀv)
	pool  sync.Pool // *[]float64
}

// newRotor returns the rotor of order n. With keepMean it maps the vector of ones to itself, so that a LayerNorm, which
// removes the mean, commutes with it: F is the Householder reflection that takes H·D·1/√n to 1. n was checked.
func newRotor(n int, seed uint64, keepMean bool) *rotor {
	h, ok := newHadamard(n)
	if !ok {
		panic("smooth: order without a Hadamard matrix")
	}
	r := &rotor{h: h, scale: 1 / math.Sqrt(float64(n))}
	r.pool.New = func() any { b := make([]float64, h.o); return &b }
	if seed != 0 {
		r.signs = make([]float64, n)
		for i := range r.signs {
			r.signs[i] = 1 - 2*float64(intmath.SplitMix64(&seed)>>63)
		}
	}
	if !keepMean {
		return r
	}
	ones := make([]float64, n)
	for i := range ones {
		ones[i] = 1
	}
	r.apply(ones)
	sum := 0.0
	for i := range ones {
		ones[i]--
		sum += float64(ones[i] * ones[i])
	}
	if sum > 1e-9 { // else ones are kept as it is
		r.v, r.vv = ones, 2/sum
	}
	return r
}

// apply rotates x in place. Sums run in ascending order.
func (r *rotor) apply(x []float64) {
	for i, s := range r.signs {
		x[i] *= s
	}
	tmp := r.pool.Get().(*[]float64)
	r.h.apply(x, *tmp)
	r.pool.Put(tmp)
	for i := range x {
		x[i] *= r.scale
	}
	if r.v == nil {
		return
	}
	dot := 0.0
	for i, v := range r.v {
		dot += float64(v * x[i])
	}
	dot *= r.vv
	for i, v := range r.v {
		x[i] -= float64(v * dot)
	}
}

// pieces rotates consecutive pieces of x, of the rotor's order each.
func (r *rotor) pieces(x []float64) {
	for ; len(x) > 0; x = x[r.h.n:] {
		r.apply(x[:r.h.n])
	}
}

// columns rotates groups of n rows of w, [rows][cols], column by column: (I ⊗ R)·W.
func (r *rotor) columns(w []float64, cols int) {
	const wide = 8
	n := r.h.n
	x := make([]float64, wide*n)
	for ; len(w) > 0; w = w[n*cols:] {
		for c := 0; c < cols; c += wide {
			k := min(wide, cols-c)
			for i := range n {
				for t, v := range w[i*cols+c:][:k] {
					x[t*n+i] = v
				}
			}
			for t := range k {
				r.apply(x[t*n:][:n])
			}
			for i := range n {
				row := w[i*cols+c:][:k]
				for t := range row {
					row[t] = x[t*n+i]
				}
			}
		}
	}
}

// tap applies the online transforms in the float model.
type tap struct{ qk, o, down *rotor }

// Tap returns the online Hadamard transforms as a tap of the float model, nil if there are none. It must stand before
// any tap that quantises.
func (r Rotation) Tap(cfg model.Config) (floatref.Tap, error) {
	if err := r.Check(cfg); err != nil {
		return nil, err
	}
	t := &tap{}
	if r.QueryKey && cfg.Rotary() {
		t.qk = newRotor(cfg.HeadDim, 0, false)
	}
	if r.OutProj {
		t.o = newRotor(cfg.Heads*cfg.HeadDim, 0, false)
	}
	if r.Down {
		t.down = newRotor(cfg.FFN, 0, false)
	}
	if *t == (tap{}) {
		return nil, nil
	}
	return t, nil
}

// Tap implements floatref.Tap. The sums are float64.
func (t *tap) Tap(b *floatref.Block) {
	var r *rotor
	switch b.Site {
	case floatref.Query, floatref.Key:
		r = t.qk
	case floatref.AttnOut:
		r = t.o
	case floatref.Product:
		r = t.down
	}
	if r == nil {
		return
	}
	x := make([]float64, b.Cols)
	for i := range b.Rows {
		row := b.Row(i)
		for c, v := range row {
			x[c] = float64(v)
		}
		r.apply(x)
		for c, v := range x {
			row[c] = float32(v)
		}
	}
}
