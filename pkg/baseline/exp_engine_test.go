package baseline_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
)

// TestExpInTheEngine: the mode's own exponential through WithExp gives the engine's logits to the bit; another one does
// not; a token's logits do not depend on the chunk it came in.
func TestExpInTheEngine(t *testing.T) {
	ctx := context.Background()
	m, err := model.OpenWeights(filepath.Join("..", "floatref", "testdata", "tiny_untied"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ids := make([]int32, 60)
	for i := range ids {
		ids[i] = int32((i*i*31 + i*7 + 3) % m.Config.Vocab)
	}
	cal, err := ptq.Calibrate(ctx, m, "test", [][]int32{ids}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for mode, own := range map[string]string{"illm": "di-exp", "precise": "di-exp+"} {
		spec := floatSpec(t, "w8a8", mode)
		path := filepath.Join(t.TempDir(), "m.illm")
		if _, err := ptq.Quantize(ctx, m, spec, cal, path, ptq.Options{}); err != nil {
			t.Fatal(err)
		}
		a, err := artifact.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		hash := func(name string, chunk int) string {
			var ops di.Operators
			if name != "" {
				if ops, err = baseline.WithExp(spec, name); err != nil {
					t.Fatal(err)
				}
			}
			e, err := engine.New(a, engine.Options{Threads: 2, Operators: ops})
			if err != nil {
				t.Fatal(err)
			}
			s, err := e.NewSession(len(ids))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			rows := make([]engine.Logits, len(ids)) // they arrive in any order
			for at := 0; at < len(ids); at += chunk {
				if err := s.AppendAll(ctx, ids[at:min(at+chunk, len(ids))], func(i int, l engine.Logits) error {
					l.T = slices.Clone(l.T)
					rows[at+i] = l
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			var h di.LogitHash
			for _, l := range rows {
				if err := h.Add(l.T, l.M, l.K); err != nil {
					t.Fatal(err)
				}
			}
			return fmt.Sprint(h.Sum())
		}
		want := hash("", len(ids))
		for _, name := range []string{own, own + "/sigmoid"} {
			if got := hash(name, len(ids)); got != want {
				t.Errorf("%s, %s: logits differ from the engine's own", mode, name)
			}
		}
		for _, name := range []string{"taylor2", "exaq", "shiftmax/sigmoid", "lut256/s4/p7"} {
			got := hash(name, len(ids))
			if got == want {
				t.Errorf("%s, %s: the engine's own logits", mode, name)
			}
			if got != hash(name, 7) {
				t.Errorf("%s, %s: chunks change logits", mode, name)
			}
		}
	}
}

func ExampleWithExp() {
	spec, _ := quant.NewSpec("w8a8", "15", "")
	ops, _ := baseline.WithExp(spec, "lut32i")
	scores := []int64{0, -1 << 20, -3 << 20} // 0, −1, −3 in steps of 2^−20
	e := make([]int32, 3)
	ops.NewWorker(3).Softmax(e, scores, -3<<20, 0, 1<<15, 35)
	for _, v := range e {
		fmt.Printf("%.4f ", float64(v)/(1<<30))
	}
	// Output: 1.0000 0.3679 0.0498
}
