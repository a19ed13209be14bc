package pretrain

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/model"
)

// small returns a configuration of the family that is small enough to differentiate numerically and has no two equal
// dimensions where they could be mixed up.
func small(family string) model.Config {
	if family == model.OPT {
		return model.Config{
			Architecture: model.OPT, Layers: 2, Hidden: 12, Heads: 3, KVHeads: 3, HeadDim: 4, FFN: 20, Vocab: 19, MaxContext: 11,
			NormEps: 1e-5, NormEpsText: "1e-05", TiedHead: true, QKVBias: true, OutBias: true, MLPBias: true, BOS: -1, EOS: 0, EOSAll: []int{0},
		}
	}
	return model.Config{
		Architecture: model.LLaMA, Layers: 2, Hidden: 12, Heads: 4, KVHeads: 2, HeadDim: 6, FFN: 20, Vocab: 19, MaxContext: 11,
		NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 100, TiedHead: true, BOS: -1, EOS: 0, EOSAll: []int{0},
	}
}

// noise returns n numbers of the given size, for weights that are not at any special point.
func noise(n int, size float64, seed uint64) []float32 {
	v := make([]float32, n)
	for i := range v {
		seed = splitmix(seed)
		v[i] = float32(size * (float64(seed>>11)/(1<<52) - 1))
	}
	return v
}

// testWeights are weights of c far from their initial values, so that every gradient counts.
func testWeights(c model.Config) [][]float32 {
	var ws [][]float32
	for i, p := range Tensors(c) {
		size := 0.5
		w := noise(p.Size(), size, uint64(i+1))
		if len(p.Dims) == 1 && p.Name[len(p.Name)-6:] == "weight" {
			for j := range w {
				w[j]++
			}
		}
		ws = append(ws, w)
	}
	return ws
}

func testTokens(c model.Config, batch, window int) []int32 {
	v := make([]int32, batch*(window+1))
	seed := uint64(7)
	for i := range v {
		seed = splitmix(seed)
		v[i] = int32(seed % uint64(c.Vocab))
	}
	return v
}

// execute runs a program on weights, tokens and, if given, a seed, and returns its outputs.
func execute(t *testing.T, b backends.Backend, e backends.Executable, c model.Config, ws [][]float32, tokens []int32, batch int, seed ...uint32) [][]float32 {
	t.Helper()
	d := device{b}
	var in []backends.Buffer
	put := func(x backends.Buffer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, x)
	}
	for i, p := range Tensors(c) {
		put(d.put(ws[i], f32, p.Dims...))
	}
	put(d.put(tokens, i32, batch, len(tokens)/batch))
	if len(seed) > 0 {
		put(d.put(seed, u32, 1))
	}
	outs, err := e.Execute(in, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.free(in...)
	var res [][]float32
	for i, s := range e.Outputs() {
		v := make([]float32, s.Size())
		if err := d.get(outs[i], v); err != nil {
			t.Fatal(err)
		}
		res = append(res, v)
	}
	d.free(outs...)
	return res
}

// TestGradients compares every gradient with the central difference of the loss along a random direction of each tensor.
func TestGradients(t *testing.T) {
	const batch, window = 2, 8
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for _, test := range []struct {
			name    string
			family  string
			chunks  int
			untied  bool
			dropout float64
		}{
			{"llama", model.LLaMA, 1, false, 0},
			{"llama, 4 chunks, own head", model.LLaMA, 4, true, 0},
			{"llama, dropout", model.LLaMA, 1, false, 0.3},
			{"opt", model.OPT, 1, false, 0},
			{"opt, 2 chunks", model.OPT, 2, false, 0},
		} {
			t.Run(test.name, func(t *testing.T) {
				c := small(test.family)
				c.TiedHead = !test.untied
				sh := shape{batch: batch, window: window, chunks: test.chunks, compute: f32, dropout: test.dropout}
				e, err := buildGradients(b, c, sh)
				if err != nil {
					t.Fatal(err)
				}
				var seed []uint32
				if test.dropout > 0 {
					seed = []uint32{12345}
				}
				tokens, ws := testTokens(c, batch, window), testWeights(c)
				base := execute(t, b, e, c, ws, tokens, batch, seed...)
				for i, p := range Tensors(c) {
					dir := noise(p.Size(), 1, uint64(1000+i))
					want := 0.0
					for j, g := range base[1+i] {
						want += float64(g) * float64(dir[j])
					}
					h := 2e-3
					if !c.Gated() {
						h = 3e-4 // few units of a ReLU change sides within it
					}
					keep := ws[i]
					var loss [2]float64
					for k, sign := range []float32{1, -1} {
						ws[i] = make([]float32, len(keep))
						for j := range keep {
							ws[i][j] = keep[j] + sign*float32(h)*dir[j]
						}
						loss[k] = float64(execute(t, b, e, c, ws, tokens, batch, seed...)[0][0])
					}
					ws[i] = keep
					got := (loss[0] - loss[1]) / (2 * h)
					// A loss near 10 has 1e-6 of rounding: 5e-4 of the difference; the third derivative adds h².
					if math.Abs(got-want) > 2e-3+2e-2*math.Abs(want) {
						t.Errorf("%s: gradient along a direction %.5f, central difference %.5f", p.Name, want, got)
					}
				}
			})
		}
	})
}
