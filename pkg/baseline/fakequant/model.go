package fakequant

import (
	"math"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// Options of New; the zero value simulates the quantisers alone, all of them.
type Options struct {
	Threads int // as in floatref.Options

	// Shapes computes e^x in the softmax and in the sigmoid by the piecewise formula of the spec's mode
	// (DI-Exp; DI-Exp+ in mode precise) instead of the true function. OPT has no sigmoid.
	Shapes bool

	// Skip leaves single activation sites in float, to see what each costs.
	Skip [floatref.Sites]bool

	// FloatWeights leaves the weights of the block linears in float, FloatHead head and embedding.
	FloatWeights, FloatHead bool

	// Tap, if not nil, sees every site after the quantiser.
	Tap floatref.Tap
}

// New returns the float simulation of spec on the weights of m: a language model for package eval.
// m may be closed afterwards.
func New(m *model.Model, spec quant.Spec, opt Options) (*floatref.Model, error) {
	return NewFrom(m.Config, m, spec, opt)
}

// NewFrom is New for weights of any source.
func NewFrom(cfg model.Config, src floatref.Source, spec quant.Spec, opt Options) (*floatref.Model, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	r := spec.Effective()
	t := &tap{clip: float32(spec.Clip) / 1000, score: r.Score}
	for site, bits := range map[floatref.Site]int{
		floatref.AttnIn: r.Act, floatref.AttnOut: r.Act, floatref.MLPIn: r.Act, floatref.Product: r.Act,
		floatref.Query: r.Query, floatref.Key: r.KV, floatref.Value: r.KV,
		floatref.Gate: r.GLU, floatref.Up: r.GLU, floatref.HeadIn: r.Head,
	} {
		t.bits[site] = bits
	}
	if !cfg.Gated() {
		t.bits[floatref.Up] = 0 // ReLU comes before the requantisation: codes exist at Product alone
	}
	fo := floatref.Options{Threads: opt.Threads, Tap: t}
	if opt.Shapes {
		exp := Exp
		if spec.Mode == quant.Precise {
			exp = ExpPlus
		}
		t.exp = exp
		fo.SiLU = func(x float32) float32 { return x * sigmoid(exp, x) }
	}
	for site, skip := range opt.Skip {
		if skip {
			t.bits[site] = 0
			if floatref.Site(site) == floatref.Scores {
				t.score = 0
			}
		}
	}
	if opt.Tap != nil {
		fo.Tap = floatref.Taps{t, opt.Tap}
	}
	w := weights{src: src, cfg: cfg, bits: r}
	if opt.FloatWeights {
		w.bits.Weight = 0
	}
	if opt.FloatHead {
		w.bits.Head, w.bits.Emb = 0, 0
		t.bits[floatref.HeadIn] = 0
	}
	if w.bits.Emb != w.bits.Head {
		cfg.TiedHead = false // two tables; weights knows where the head comes from
	}
	return floatref.NewFrom(cfg, w, fo)
}

// tap rounds activations.
type tap struct {
	bits  [floatref.Sites]int // 0: leave alone
	score int
	clip  float32 // natural units, 0: none
	exp   func(float32) float32
}

// Tap implements floatref.Tap.
func (t *tap) Tap(b *floatref.Block) {
	if b.Site == floatref.Scores {
		if t.score > 0 {
			for r := range b.Rows {
				t.scores(b.Row(r))
			}
		}
		return
	}
	if n := t.bits[b.Site]; n > 0 {
		for r := range b.Rows {
			Row(b.Row(r), n)
		}
	}
}

// scores rounds one row of visible scores. With a formula for e^x the row becomes the logarithm of its values,
// so that the softmax of the reference returns them.
func (t *tap) scores(x []float32) {
	step := Distances(x, t.score, t.clip)
	if t.exp == nil || !(step > 0) {
		return
	}
	if t.score > 8 {
		for i, v := range x {
			x[i] = float32(math.Log(float64(t.exp(v))))
		}
		return
	}
	var logs [256]float32
	for d := range 1 << t.score {
		logs[d] = float32(math.Log(float64(t.exp(-float32(d) * step))))
	}
	for i, v := range x {
		x[i] = logs[int32(0.5-v/step)]
	}
}
