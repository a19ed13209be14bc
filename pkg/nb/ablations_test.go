package nb

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/quant"
)

// ablationCharts are the charts of the notebooks 30 to 32, made as their cells make them: from the shipped records, from a
// text, or from a short measurement of a model with random weights.
func ablationCharts(t *testing.T, s *Session) map[string]*chart.Chart {
	t.Helper()
	out := map[string]*chart.Chart{}
	run := func(study ablation.Study, options ...ablation.Option) *ablation.Runs {
		t.Helper()
		runs, err := s.Run(study, append(options, ablation.Stored(), ablation.WithoutBase())...)
		if err != nil {
			t.Fatal(err)
		}
		return runs
	}
	wikitext := ablation.Set("corpus", "wikitext2")
	sites := run(ablation.StaticSites, wikitext).Against("setting", ablation.Dynamic)
	out["A: sites"] = chart.Bar(sites, "setting", "delta_wikitext2", "width").Panels()
	seen, err := s.Amplitudes("tiny-llama", "opticks", 64)
	if err != nil {
		t.Fatal(err)
	}
	out["A: amplitudes"] = seen.Chart(floatref.AttnIn, floatref.Product, floatref.Scores)

	exps := run(ablation.Exp).Against("exp", "float64").Excess()
	out["B: divergence, WikiText-2"] = exps.Chart("exp", "wikitext2", "di-exp-published", "taylor3-raw")
	out["B: divergence, C4"] = exps.Chart("exp", "c4", "di-exp-published", "taylor3-raw")
	sigmoid := run(ablation.Exp, wikitext, ablation.Set("sites", "softmax", "softmax+sigmoid")).Against("exp", "float64").Excess()
	out["B: sigmoid"] = sigmoid.Chart("exp", "wikitext2", "di-exp-published", "taylor3-raw", "shiftmax")
	few := ablation.Set("exp", "di-exp", "di-exp+", "di-exp-published", "lut32", "taylor3", "i-bert")
	out["B: scores"] = chart.Line(run(ablation.Exp, few, wikitext, ablation.Set("score", 4, 6, 8, 16)), "score", "kld_mean_wikitext2", "exp").LogY()
	out["B: probabilities"] = chart.Line(run(ablation.Exp, few, wikitext, ablation.Set("prob", 4, 6, 8, 15)), "prob", "kld_mean_wikitext2", "exp").LogY()
	clips := ablation.Set("clip", 6, 8, 10, 12, 15, 20)
	out["B: clip, divergence"] = chart.Line(run(ablation.Exp, few, wikitext, clips), "clip", "kld_mean_wikitext2", "exp").LogY()
	all := run(ablation.Exp, wikitext, clips)
	for _, f := range ablation.ExpFamilies() {
		out["B: clip, "+f.Name] = chart.Line(all.Where("exp", f.Names...), "clip", "ppl_wikitext2", "exp").LogY()
	}
	times, err := s.ExpTimes(64)
	if err != nil {
		t.Fatal(err)
	}
	if out["B: front"], err = times.Front(quant.DefaultClip); err != nil {
		t.Fatal(err)
	}

	change := run(ablation.NonLinear, ablation.Set("corpus", "wikitext2", "c4")).Against("operators", ablation.Integer)
	out["D: WikiText-2"] = chart.Bar(change, "operators", "delta_wikitext2", "recipe").Panels()
	out["D: C4"] = chart.Bar(change, "operators", "delta_c4", "recipe").Panels()
	out["D: divergence"] = change.Excess().Where("recipe", "w8a8").Chart("operators", "wikitext2")

	m, err := bench.StudyNow(context.Background(), bench.StudyRequest{Studies: []string{bench.StudyOperators, bench.StudyDynamic, bench.StudyFloatPart}, Model: modeltest.Tiny(t),
		Runs: 2, Prefill: 48, Rows: []int{64}, Samples: 2, Least: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, study := range []string{bench.StudyOperators, bench.StudyDynamic, bench.StudyFloatPart} {
		out["measured: "+study] = m.Of(study, "").Chart()
	}
	return out
}

// TestAblationChartsInABrowser: every chart of the notebooks on ablations is drawn by a browser, without an error.
func TestAblationChartsInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("short: the browser is not started")
	}
	browser, err := findBrowser()
	if err != nil {
		t.Skipf("the charts were not seen in a browser: %v", err)
	}
	var outputs []chart.Output
	for name, c := range ablationCharts(t, Open()) {
		o, err := c.Render()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(o.SVG, "<path") || len(strings.Split(strings.TrimSpace(o.Text), "\n")) < 4 {
			t.Errorf("%s: picture of %d bytes, table\n%s", name, len(o.SVG), o.Text)
		}
		outputs = append(outputs, o)
	}
	page := strings.Replace(chart.Page("ablations", outputs...), "<head>",
		`<head><script>window.onerror = function (m) { document.documentElement.setAttribute("data-failed", m) }</script>`, 1)
	if !strings.Contains(page, "data-failed") {
		t.Fatal("the page has no head")
	}
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	dom, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=10000", "--window-size=1100,16000", "--dump-dom", "file://"+filepath.ToSlash(file)).Output()
	if err != nil {
		t.Fatalf("browser: %v", err)
	}
	text := string(dom)
	if at := strings.Index(text, `data-failed="`); at >= 0 {
		t.Errorf("a script of the page failed: %.200s", text[at:])
	}
	if n := strings.Count(text, "data-illm-drawn="); n != len(outputs) {
		t.Errorf("%d of %d charts were drawn", n, len(outputs))
	}
}
