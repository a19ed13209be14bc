package floatref

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/model"
)

// The oracle of this file is Hugging Face transformers in float32; testdata/fixtures.py wrote the numbers.

type fixture struct {
	Oracle  string
	Prompts []struct {
		Name    string
		IDs     []int32
		NLL     []float64 // of token i+1 after tokens 0…i
		Samples []struct {
			Pos    int
			Index  []int
			Logit  []float64
			Argmax int
		}
	}
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// nll is −log softmax(logits)[id] in float64.
func nll(logits []float32, id int32) float64 {
	top := float64(logits[0])
	for _, v := range logits {
		top = max(top, float64(v))
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - top)
	}
	return math.Log(sum) + top - float64(logits[id])
}

// compare runs all prompts of a fixture. Tolerance: tol for a logit (absolute), 2·tol for an NLL.
func compare(t *testing.T, m *Model, file string, tol float64) {
	var f fixture
	readJSON(t, file, &f)
	if len(f.Prompts) == 0 {
		t.Fatalf("%s holds no prompts", file)
	}
	for _, p := range f.Prompts {
		t.Run(p.Name, func(t *testing.T) {
			logits := allLogits(t, m, p.IDs)
			worst, worstNLL, n := 0.0, 0.0, 0
			for _, s := range p.Samples {
				l, best := logits[s.Pos], 0
				for i, v := range l {
					if v > l[best] {
						best = i
					}
				}
				if best != s.Argmax {
					t.Errorf("position %d: largest logit %d (%v), want %d (%v)", s.Pos, best, l[best], s.Argmax, l[s.Argmax])
				}
				for i, j := range s.Index {
					n++
					worst = max(worst, math.Abs(float64(l[j])-s.Logit[i]))
				}
			}
			for i, want := range p.NLL {
				worstNLL = max(worstNLL, math.Abs(nll(logits[i], p.IDs[i+1])-want))
			}
			t.Logf("%d tokens: largest difference of %d logits %.2g, of %d NLLs %.2g", len(p.IDs), n, worst, len(p.NLL), worstNLL)
			if !(worst <= tol) || !(worstNLL <= 2*tol) {
				t.Errorf("largest difference from %s: logits %.3g (want ≤ %g), NLL %.3g (want ≤ %g)", f.Oracle, worst, tol, worstNLL, 2*tol)
			}
			s, err := m.NewSession(len(p.IDs))
			if err != nil {
				t.Fatal(err)
			}
			last, err := s.Append(p.IDs)
			if err != nil {
				t.Fatal(err)
			}
			if d := maxDiff(last, logits[len(p.IDs)-1]); d != 0 {
				t.Errorf("Session.Append differs by %g from Logits", d)
			}
		})
	}
}

func TestTinyModels(t *testing.T) {
	for _, name := range []string{"tiny_untied", "tiny_tied"} {
		t.Run(name, func(t *testing.T) {
			w, err := model.OpenWeights(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			m, err := New(w, 2)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, m, name+".json", 2e-5)
		})
	}
}

// openSmol opens the GGUF file of SmolLM2 where one is: the path in ILLM_TEST_GGUF.
func openSmol(t testing.TB) *Model {
	t.Helper()
	path := os.Getenv("ILLM_TEST_GGUF")
	if path == "" {
		t.Skip("ILLM_TEST_GGUF does not name the GGUF file of SmolLM2-135M-Instruct (Q4_1)")
	}
	w, err := model.OpenWeights(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	m, err := New(w, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSmolLM2(t *testing.T) { compare(t, openSmol(t), "smollm2.json", 1e-3) }

var _ = context.Background
var _ sync.Mutex
