package gptq_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/gptq"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/simdtest"
	"github.com/illm-go/illm/pkg/smooth"
)

// write calibrates m and writes the artefact.
func write(t testing.TB, m *model.Model, spec quant.Spec, windows [][]int32, opt gptq.Options, path string) (id string) {
	t.Helper()
	r, err := gptq.Calibrate(context.Background(), gptq.Input{Config: m.Config, Weights: m, Spec: spec, Windows: windows}, opt)
	if err != nil {
		t.Fatal(err)
	}
	in := ptq.Input{Config: m.Config, Weights: m, Hash: "x", Rounder: r, Ratios: artifact.RangeRatios(r.Ratios), Clip: func(name string) smooth.Range {
		if l, ok := r.Linears[name]; ok {
			return smooth.Range(l.Clip)
		}
		return smooth.Range{}
	}}
	id, err = ptq.QuantizeFrom(context.Background(), in, spec, ptq.Calibration{MaxAbs: r.Residual, Hash: r.Hash}, path, ptq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// The artefact is the same file for every instruction set and number of threads.
func TestArtefact(t *testing.T) {
	m, err := model.Open(modeltest.TinyQwen3(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	spec, err := quant.NewSpec("w4a4", "", "")
	if err != nil {
		t.Fatal(err)
	}
	windows := [][]int32{{1, 5, 9, 3, 7, 7, 2}, {4, 4, 8, 1}}
	var first []byte
	simdtest.Each(t, "ordered", func(t *testing.T) {
		for threads := 1; threads <= 3; threads++ {
			path := filepath.Join(t.TempDir(), "m.illm")
			write(t, m, spec, windows, gptq.Options{Threads: threads, Clip: gptq.ClipLoss, Ratios: true}, path)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = data
			} else if !bytes.Equal(data, first) {
				t.Errorf("%d threads: another file", threads)
			}
		}
	})
}

// What the integer engine makes of it. ILLM_TEST_ENGINE is a number of windows of WikiText-2, ILLM_TEST_RECIPES (w4a4 w4a8)
// and ILLM_TEST_ONLY (gptq;gptq, clip) choose variants.
func TestEngine(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("ILLM_TEST_ENGINE"))
	if n == 0 {
		t.Skip("some minutes: set ILLM_TEST_ENGINE to a number of windows")
	}
	text, err := corpus.Load(t.Context(), "wikitext2")
	if err != nil {
		t.Skip(err)
	}
	train, err := corpus.Load(t.Context(), "calibration")
	if err != nil {
		t.Skip(err)
	}
	m, err := model.Open("../../data/models/tiny-llama")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const length = 1024
	windows := ptq.Windows(m.Tokenizer.Encode(string(train.Bytes[:min(len(train.Bytes), 400_000)])), 32, length)
	base, err := floatref.New(m, 0)
	if err != nil {
		t.Fatal(err)
	}
	recipes := strings.Fields(os.Getenv("ILLM_TEST_RECIPES"))
	if len(recipes) == 0 {
		recipes = []string{"w4a4", "w4a8"}
	}
	var variants []eval.Variant
	for _, recipe := range recipes {
		spec, err := quant.NewSpec(recipe, "", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []struct {
			name string
			opt  gptq.Options
		}{
			{"rtn", gptq.Options{Nearest: true}},
			{"gptq", gptq.Options{}},
			{"gptq, clip", gptq.Options{Clip: gptq.ClipLoss}},
			{"gptq, clip, ratios", gptq.Options{Clip: gptq.ClipLoss, Ratios: true}},
		} {
			if only := os.Getenv("ILLM_TEST_ONLY"); only != "" && !slices.Contains(strings.Split(only, ";"), v.name) {
				continue
			}
			path := filepath.Join(t.TempDir(), "m.illm")
			id := write(t, m, spec, windows, v.opt, path)
			t.Logf("%s %s: artefact %.16s", recipe, v.name, id)
			f, err := artifact.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			e, err := engine.New(f, engine.Options{Spec: &spec})
			if err != nil {
				t.Fatal(err)
			}
			lm := &engine.Scored{M: e}
			defer lm.Close()
			variants = append(variants, eval.Variant{Name: recipe + " " + v.name, LM: lm})
		}
	}
	report, err := eval.Run(t.Context(), base, variants, m.Tokenizer.Encode(string(text.Bytes)), eval.Options{Window: length, Windows: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("float: PPL %.3f", report.Base.Summary.PPL)
	for _, r := range report.Results {
		t.Logf("%s: PPL %.3f, ln ratio %.4f ± %.4f, KL %.4f", r.Name, r.Summary.PPL, r.Summary.LnRatio, r.Summary.LnErr, r.Summary.KL)
	}
}
