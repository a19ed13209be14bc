package pretrain

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/tape"
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
	d := tape.Device{Backend: b}
	var in []backends.Buffer
	put := func(x backends.Buffer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, x)
	}
	for i, p := range Tensors(c) {
		put(d.Put(ws[i], tape.F32, p.Dims...))
	}
	put(d.Put(tokens, tape.I32, batch, len(tokens)/batch))
	if len(seed) > 0 {
		put(d.Put(seed, tape.U32, 1))
	}
	outs, err := e.Execute(in, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.Free(in...)
	var res [][]float32
	for i, s := range e.Outputs() {
		v := make([]float32, s.Size())
		if err := d.Get(outs[i], v); err != nil {
			t.Fatal(err)
		}
		res = append(res, v)
	}
	d.Free(outs...)
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
				sh := shape{batch: batch, window: window, chunks: test.chunks, compute: tape.F32, dropout: test.dropout}
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

// TestGradientsTorch compares loss and gradients with those of transformers and torch in float64 (testdata/gradients.py).
func TestGradientsTorch(t *testing.T) {
	const batch, window = 2, 8
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for _, family := range []string{model.LLaMA, model.OPT} {
			t.Run(family, func(t *testing.T) {
				raw, err := os.ReadFile(filepath.Join("testdata", family+".grad"))
				if err != nil {
					t.Fatal(err)
				}
				next := func(n int) []float64 {
					v := make([]float64, n)
					for i := range v {
						v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
					}
					raw = raw[4*n:]
					return v
				}
				c := small(family)
				e, err := buildGradients(b, c, shape{batch: batch, window: window, chunks: 2, compute: tape.F32})
				if err != nil {
					t.Fatal(err)
				}
				got := execute(t, b, e, c, testWeights(c), testTokens(c, batch, window), batch)
				worst := 0.0
				check := func(name string, got []float32) {
					var diff, norm float64
					for i, w := range next(len(got)) {
						diff += (float64(got[i]) - w) * (float64(got[i]) - w)
						norm += w * w
					}
					// The gradient by a bias of k is 0 but for rounding: adding the same to all keys changes no softmax.
					rel := math.Sqrt(diff) / max(math.Sqrt(norm), 1e-2)
					worst = max(worst, rel)
					if !(rel < 2e-5) {
						t.Errorf("%s: relative difference %.2g", name, rel)
					}
				}
				check("loss", got[0])
				for i, p := range Tensors(c) {
					check(p.Name, got[1+i])
				}
				if len(raw) != 0 {
					t.Errorf("%d bytes left in the fixture", len(raw))
				}
				t.Logf("largest relative difference %.2g", worst)
			})
		}
	})
}

// TestHalf: with bfloat16 products the gradients stay close to those in float32: each of the products rounds by up to
// 2⁻⁹, and a dozen of them in a row by a few per cent (measured: 1–2 % with xla:cpu, 3.4 % with go).
func TestHalf(t *testing.T) {
	const batch, window = 2, 8
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for _, family := range []string{model.LLaMA, model.OPT} {
			t.Run(family, func(t *testing.T) {
				c := small(family)
				var got [2][][]float32
				for i, sh := range []shape{{batch: batch, window: window, chunks: 2, compute: tape.F32}, {batch: batch, window: window, chunks: 2, compute: tape.BF16}} {
					e, err := buildGradients(b, c, sh)
					if err != nil {
						t.Fatal(err)
					}
					got[i] = execute(t, b, e, c, testWeights(c), testTokens(c, batch, window), batch)
				}
				var diff, norm float64
				for i := 1; i < len(got[0]); i++ {
					for j, w := range got[0][i] {
						d := float64(got[1][i][j] - w)
						diff += d * d
						norm += float64(w) * float64(w)
					}
				}
				loss := math.Abs(float64(got[1][0][0]/got[0][0][0]) - 1)
				t.Logf("loss differs by %.2g, gradients by %.2g", loss, math.Sqrt(diff/norm))
				if !(math.Sqrt(diff/norm) < 0.06 && loss < 0.01) || diff == 0 {
					t.Errorf("loss differs by %.2g, gradients by %.2g", loss, math.Sqrt(diff/norm))
				}
			})
		}
	})
}
