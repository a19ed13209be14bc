package fsbr

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
	"github.com/illm-go/illm/pkg/tape"
)

// source is a model of random weights.
type source map[string][]float32

func (s source) Float32(name string, dst []float32) ([]float32, error) {
	v, ok := s[name]
	if !ok {
		return nil, fmt.Errorf("no tensor %q", name)
	}
	return append(dst[:0], v...), nil
}

// randomModel has the weights of tensors in every block.
func randomModel(c model.Config, seed uint64) source {
	s := source{model.Embedding: noise(c.Vocab*c.Hidden, 1, seed+1), model.FinalNorm: noise(c.Hidden, 1, seed+2)}
	s[model.Head] = s[model.Embedding]
	if c.LayerNorm() {
		s["model.norm.bias"] = noise(c.Hidden, 1, seed+3)
		s[model.Positions] = noise(c.MaxContext*c.Hidden, 1, seed+4)
	}
	for n := range c.Layers {
		for i, in := range tensors(c, seed+100*uint64(n+1)) {
			s[model.LayerName(n, blockTensors(c)[i].name)] = in.flat.([]float32)
		}
	}
	return s
}

// residuals keeps the residual stream in front of every block, [T, C].
type residuals struct {
	mu   sync.Mutex
	rows map[int][]float32
	T, C int
}

func (r *residuals) Tap(b *floatref.Block) {
	if b.Site != floatref.Residual {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rows[b.Layer] == nil {
		r.rows[b.Layer] = make([]float32, r.T*r.C)
	}
	for i := range b.Rows {
		copy(r.rows[b.Layer][(b.Pos+i)*r.C:], b.Row(i))
	}
}

// TestSimulation compares a quantised block with the float simulation of the integer engine (package fakequant) on the
// weights that package smooth makes of the same factors: same codes, so that outputs differ by float32 rounding alone,
// far below half a step of anything.
func TestSimulation(t *testing.T) {
	const window = 8
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for name, c := range configs {
			for _, recipe := range []string{"w8a8", "w6a6", "w4a8", "w4a4", "w4a4kv8"} {
				for _, rotation := range []smooth.Rotation{{}, {Residual: true, ValueOut: true, QueryKey: true, Down: true, Seed: 3}, {OutProj: true}} {
					scores := recipe != "w6a6"
					if rotation.Check(c) != nil {
						continue // no Hadamard matrix of these orders
					}
					if slow(b) && (name != "llama" || recipe != "w4a4") {
						continue
					}
					t.Run(fmt.Sprintf("%s, %s, %+v", name, recipe, rotation), func(t *testing.T) {
						spec, err := quant.NewSpec(recipe, "", "")
						if err != nil {
							t.Fatal(err)
						}
						l := everything(c)
						values := someValues(l, 8)
						f := &smooth.Factors{Blocks: make([]smooth.Block, c.Layers), Rotation: rotation}
						for i := range f.Blocks {
							f.Blocks[i] = l.block(values)
						}
						src := randomModel(c, 7)
						ranges := l.ranges(values)
						a, err := smooth.Apply(c, src, f)
						if err != nil {
							t.Fatal(err)
						}
						seen := &residuals{rows: map[int][]float32{}, T: window, C: c.Hidden}
						opt := fakequant.Options{Threads: 1, Tap: seen, Before: a.Tap(), Ratio: func(site floatref.Site, _ int) float64 {
							if x, ok := ranges[site.String()]; ok {
								return float64(x) / (1 << 15)
							}
							return 1
						}, Alpha: a.Alpha, Clip: func(name string) (lo, hi []float32) {
							r := a.Clip(name)
							return r.Lo, r.Hi
						}}
						opt.Skip[floatref.Scores] = !scores
						m, err := fakequant.NewFrom(a.Config(), a, spec, opt)
						if err != nil {
							t.Fatal(err)
						}
						tokens := []int32{3, 1, 4, 1, 5, 9, 2, 6}
						if err := m.Logits(context.Background(), tokens, func(int, []float32) error { return nil }); err != nil {
							t.Fatal(err)
						}
						var base floatref.Source = src
						if offline := (Options{Rotation: rotation, Config: c}).offline(); offline.Any() {
							if base, err = smooth.Apply(c, src, &smooth.Factors{Rotation: offline}); err != nil {
								t.Fatal(err)
							}
						}
						n := widthsOf(spec.Recipe)
						if scores {
							n.score, n.clip = spec.Recipe.Score, float64(spec.Clip)/1000
						}
						for block := range c.Layers {
							var in []input
							for _, ts := range blockTensors(c) {
								w, err := base.Float32(model.LayerName(block, ts.name), nil)
								if err != nil {
									t.Fatal(err)
								}
								in = append(in, input{w, ts.dims})
							}
							in = append(in, input{seen.rows[block], []int{window, c.Hidden}}, input{values, []int{l.size}})
							out := evaluate(t, b, in, func(g *tape.Graph, in []tape.Val) []tape.Val {
								tp := tape.New(g, tape.F32)
								at := len(blockTensors(c))
								b := newNetwork(tp, c, named(c, in), l.nodes(tp, in[at+1], false), n, 1, window, 2)
								b.online, b.split = rotation, scores
								return []tape.Val{b.forward(&tape.Node{Val: in[at]}).Val}
							})
							if d := largest(seen.rows[block+1], out[0]); !(d < 2e-5) {
								t.Errorf("block %d: outputs differ by %.2g of the largest", block, d)
							}
						}
					})
				}
			}
		}
	})
}
