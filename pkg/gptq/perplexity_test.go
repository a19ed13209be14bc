package gptq

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// overlay hands out the calibrated values of the linears and everything else as it is.
type overlay struct {
	floatref.Source
	r *Result
}

func (o overlay) Float32(name string, dst []float32) ([]float32, error) {
	if v, ok := o.r.Values(name, dst); ok && strings.HasSuffix(name, ".weight") {
		return v, nil
	}
	return o.Source.Float32(name, dst)
}

// ratioTap rounds activations with range ratios.
type ratioTap struct {
	set []settings // by layer
}

var tapSites = map[floatref.Site]int{floatref.AttnIn: attnIn, floatref.Query: query, floatref.Key: key, floatref.Value: value,
	floatref.AttnOut: attnOut, floatref.MLPIn: mlpIn, floatref.Gate: gate, floatref.Up: up, floatref.Product: product}

func (t ratioTap) Tap(b *floatref.Block) {
	site, ok := tapSites[b.Site]
	if !ok {
		return
	}
	for r := range b.Rows {
		t.set[b.Layer].round(site, b.Row(r))
	}
}

// simulate is the float simulation of a calibrated model.
func simulate(t testing.TB, in Input, r *Result) *floatref.Model {
	var opt fakequant.Options
	opt.FloatWeights = true
	tap := ratioTap{}
	for l := range in.Config.Layers {
		s := newSettings(&in, Options{})
		for i, name := range Sites {
			if list := r.Ratios[name]; list != nil {
				s.ratio[i] = list[l]
			}
		}
		tap.set = append(tap.set, s)
	}
	for site := range tapSites {
		opt.Skip[site] = true
	}
	opt.Tap = tap
	lm, err := fakequant.NewFrom(in.Config, overlay{in.Weights, r}, in.Spec, opt)
	if err != nil {
		t.Fatal(err)
	}
	return lm
}

// windows cuts n windows of the calibration text.
func windows(t testing.TB, m *model.Model, n, length int) [][]int32 {
	text, err := corpus.Load(context.Background(), "calibration")
	if err != nil {
		t.Skip(err)
	}
	ids := m.Tokenizer.Encode(string(text.Bytes[:min(len(text.Bytes), n*length*8)]))
	var out [][]int32
	for i := range n {
		if (i+1)*length <= len(ids) {
			out = append(out, ids[i*length:(i+1)*length])
		}
	}
	return out
}

// What GPTQ, clipping and range ratios are worth on tiny-llama: prints, and checks the order. ILLM_TEST_LONG = number
// of windows of WikiText-2.
func TestPerplexity(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("ILLM_TEST_LONG"))
	if n == 0 {
		t.Skip("some minutes: set ILLM_TEST_LONG to a number of windows")
	}
	text, err := corpus.Load(context.Background(), "wikitext2")
	if err != nil {
		t.Skip(err)
	}
	path := os.Getenv("ILLM_TEST_MODEL")
	if path == "" {
		path = "../../data/models/tiny-llama"
	}
	m, err := model.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	base, err := floatref.New(m, 0)
	if err != nil {
		t.Fatal(err)
	}
	const length = 1024
	count, err := strconv.Atoi(env("ILLM_TEST_WINDOWS", "32"))
	if err != nil {
		t.Fatal(err)
	}
	calibration := windows(t, m, count, length)
	var variants []eval.Variant
	for _, recipe := range strings.Fields(env("ILLM_TEST_RECIPES", "w4a4 w4a8")) {
		spec, err := quant.NewSpec(recipe, "15", "illm")
		if err != nil {
			t.Fatal(err)
		}
		in := Input{Config: m.Config, Weights: m, Spec: spec, Windows: calibration}
		rtn, err := fakequant.New(m, spec, fakequant.Options{})
		if err != nil {
			t.Fatal(err)
		}
		variants = append(variants, eval.Variant{Name: recipe + " rtn", LM: rtn})
		for _, v := range []struct {
			name string
			opt  Options
		}{
			{"rtn clip-plain", Options{Nearest: true, Clip: ClipPlain}},
			{"gptq", Options{}},
			{"gptq clip-plain", Options{Clip: ClipPlain}},
			{"gptq clip-loss", Options{Clip: ClipLoss}},
			{"gptq clip-loss ratios", Options{Clip: ClipLoss, Ratios: true}},
			{"gptq ratios", Options{Ratios: true}},
		} {
			if only := os.Getenv("ILLM_TEST_ONLY"); only != "" && !slices.Contains(strings.Split(only, ","), v.name) {
				continue
			}
			start := time.Now()
			r, err := Calibrate(t.Context(), in, v.opt)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s %s: calibrated in %v wall, digest %.16s, ratios %v", recipe, v.name, time.Since(start).Round(time.Millisecond), r.Digest(), r.Ratios)
			variants = append(variants, eval.Variant{Name: recipe + " " + v.name, LM: simulate(t, in, r)})
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

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
