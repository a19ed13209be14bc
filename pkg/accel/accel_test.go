package accel

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/backends"
	_ "github.com/gomlx/gomlx/backends/simplego" // registers itself

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// onBackends runs fn on the pure-Go backend and, where its plugin is found, on xla:cpu.
func onBackends(t *testing.T, fn func(t *testing.T, b *Backend)) {
	for _, name := range []string{"go:ops_sequential", "xla:cpu"} {
		t.Run(name, func(t *testing.T) {
			if name == "xla:cpu" && (testing.Short() || os.Getenv("PJRT_PLUGIN_LIBRARY_PATH") == "") {
				t.Skipf("backend %s: compiles for minutes, and needs a plugin that PJRT_PLUGIN_LIBRARY_PATH names", name)
			}
			raw, err := backends.NewWithConfig(name)
			if err != nil {
				t.Skipf("backend %s: %v", name, err)
			}
			t.Cleanup(raw.Finalize)
			b, err := New(raw, Options{Split: true, Tokens: 128, Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			b.chunk, b.rows = 8, 16 // several of each in what a test has time for
			fn(t, b)
		})
	}
}

// fixtures are small models of random weights, of every family that package floatref has proved against transformers.
func fixtures(t *testing.T, fn func(t *testing.T, m *model.Model)) {
	list := []string{"tiny_tied", "opt", "qwen3", "llama_bias"}
	if testing.Short() {
		list = list[:1]
	}
	for _, name := range list {
		t.Run(name, func(t *testing.T) {
			m, err := model.OpenWeights("../floatref/testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			fn(t, m)
		})
	}
}

// someTokens are ids without a pattern.
func someTokens(c model.Config, n int) []int32 {
	if testing.Short() {
		n /= 2
	}
	ids := make([]int32, min(n, c.MaxContext))
	state := uint32(7)
	for i := range ids {
		state = state*1664525 + 1013904223
		ids[i] = int32(state>>8) % int32(c.Vocab)
	}
	return ids
}

// both are the float model here and on the backend.
func both(t *testing.T, b *Backend, w *model.Model) (*floatref.Model, *Model) {
	t.Helper()
	ref, err := floatref.New(w, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.Float(w.Config, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return ref, m
}

// logits of every position, less their mean.
func logits(t *testing.T, lm eval.LM, tokens []int32) []float32 {
	t.Helper()
	out := make([]float32, len(tokens)*lm.Vocab())
	err := lm.Logits(context.Background(), tokens, func(pos int, x []float32) error {
		mean := 0.0
		for _, v := range x {
			mean += float64(v) / float64(len(x))
		}
		for i, v := range x {
			out[pos*len(x)+i] = v - float32(mean)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apart is the largest and the mean difference by the largest value.
func apart(want, got []float32) (most, mean float64) {
	var top float64
	for i, w := range want {
		d := math.Abs(float64(w - got[i]))
		most, mean, top = max(most, d), mean+d/float64(len(want)), max(top, math.Abs(float64(w)))
	}
	return most / top, mean / top
}

// The float model has the logits of package floatref, which transformers' are the oracle of.
func TestFloat(t *testing.T) {
	onBackends(t, func(t *testing.T, b *Backend) {
		fixtures(t, func(t *testing.T, w *model.Model) {
			ref, m := both(t, b, w)
			tokens := someTokens(w.Config, 24)
			if d, _ := apart(logits(t, ref, tokens), logits(t, m, tokens)); !(d < 2e-5) {
				t.Errorf("logits differ by %.2g of the largest", d)
			}
		})
	})
}

// A simulation has the logits of package fakequant's, its clipping, gains and range ratios among them.
func TestSimulation(t *testing.T) {
	onBackends(t, func(t *testing.T, b *Backend) {
		fixtures(t, func(t *testing.T, w *model.Model) {
			for _, recipe := range []string{"w4a4", "w8a8"} {
				if testing.Short() && recipe != "w4a4" {
					continue
				}
				spec, err := quant.NewSpec(recipe, "3", "")
				if err != nil {
					t.Fatal(err)
				}
				c := w.Config
				gains := make([]float32, c.FFN)
				for i := range gains {
					gains[i] = 0.5 + float32(i%7)/5
				}
				opt := fakequant.Options{Threads: 1, Alpha: func(int) []float32 { return gains },
					Ratio: func(site floatref.Site, layer int) float64 { return 1 - float64(site)/40 - float64(layer)/20 },
					Clip: func(name string) (lo, hi []float32) {
						n := c.Hidden
						switch {
						case strings.HasSuffix(name, "q_proj"):
							n = c.Heads * c.HeadDim
						case strings.HasSuffix(name, "k_proj"), strings.HasSuffix(name, "v_proj"):
							n = c.KVHeads * c.HeadDim
						case strings.HasSuffix(name, "gate_proj"), strings.HasSuffix(name, "up_proj"):
							n = c.FFN
						case !strings.HasSuffix(name, "_proj"):
							return nil, nil
						}
						lo, hi = make([]float32, n), make([]float32, n)
						for i := range n {
							lo[i], hi[i] = 0.9, 0.8
						}
						return lo, hi
					}}
				ref, err := fakequant.NewFrom(c, w, spec, opt)
				if err != nil {
					t.Fatal(err)
				}
				plan, err := fakequant.NewPlan(c, w, spec, opt)
				if err != nil {
					t.Fatal(err)
				}
				m, err := b.Simulation(plan)
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				tokens := someTokens(c, 24)
				// One code in a hundred thousand may fall on the other side of a tie; a wrong grid moves everything by a tenth.
				if most, mean := apart(logits(t, ref, tokens), logits(t, m, tokens)); !(most < 5e-3) || !(mean < 1e-4) {
					t.Errorf("%s: logits differ by %.2g of the largest, %.2g in the mean", recipe, most, mean)
				}
			}
		})
	})
}

// Questions in padded batches get the sums of log probabilities that package eval takes of package floatref's logits, and a
// batch that is not full, a choice that reads another's beginning and several batches are among them.
func TestChoose(t *testing.T) {
	onBackends(t, func(t *testing.T, b *Backend) {
		fixtures(t, func(t *testing.T, w *model.Model) {
			ref, m := both(t, b, w)
			ids := someTokens(w.Config, 1000)
			var questions []tasks.Question
			for i := range 7 {
				q := tasks.Question{Row: i}
				for j := range 2 + i%2 {
					n := min(3+2*i+j+20*(i/4), len(ids)-i)
					if i > 4 { // padded to the next length, and as long as the context
						n = min(len(ids)-i, 66+j+1000*(i/6))
					}
					in := ids[i : i+n]
					q.Choices = append(q.Choices, tasks.Scored{Input: in, Target: append(append([]int32{}, in[n-1-j:]...), ids[j])[1:]})
				}
				questions = append(questions, q)
			}
			want, err := eval.Choose(context.Background(), ref, questions, eval.ChoiceOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := eval.Choose(context.Background(), m, questions, eval.ChoiceOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				for j, v := range want[i].LL {
					if d := math.Abs(v - got[i].LL[j]); !(d < 2e-4) {
						t.Errorf("question %d, choice %d: %.6f, want %.6f", i, j, got[i].LL[j], v)
					}
				}
			}
		})
	})
}
