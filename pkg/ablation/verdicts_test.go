package ablation

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// invented answers a study on a model with four windows; change gives, for a configuration, what its likelihood and divergence
// have above those of the reference in nats, and false where there is to be no record.
func invented(t *testing.T, s Study, model string, change func(Config) (nll, kl float64, ok bool), options ...Option) *Runs {
	t.Helper()
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ev := Each(func(_ context.Context, c Config) (record.Record, error) {
		nll, kl, ok := change(c)
		if !ok {
			return record.Record{}, ErrMissing
		}
		r := c.Record()
		r.Metrics = []record.Metric{{Name: "ppl", Value: 10}, {Name: "saturated_share", Value: 0.04}}
		if c["recipe"] != "fp32" {
			r.Metrics = append(r.Metrics, record.Metric{Name: "kld_mean", Value: 0.002})
		}
		for w := range 4 {
			const n = 1000
			chance := float64(1-2*(w%2)) * 1e-5 // an error of about 6·10⁻⁶
			if nll == 0 && kl == 0 {
				chance = 0
			}
			r.Windows = append(r.Windows, record.WindowStat{Index: w, N: n, NLL: n * (3 + nll + chance), KL: n * (0.002 + kl + chance)})
		}
		return r, nil
	})
	runs, err := s.Run(context.Background(), store, ev, append(options, Set("model", model))...)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func expect(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("expected %q in\n%s", p, text)
		}
	}
}

// What is worse by a known amount is counted as worse, whatever the order, and the claim is confirmed or contradicted in the
// first sentence.
func TestVerdicts(t *testing.T) {
	static := func(odd float64) ByModel {
		return ByModel{invented(t, Static, "tiny-opt", func(c Config) (float64, float64, bool) {
			switch c["setting"] {
			case "static":
				return math.Log(1.05), 0.01, true
			case "mixed":
				return odd, odd, true
			}
			return 0, 0, true
		}, Set("corpus", "c4"), Set("width", "w8a8"), Set("method", "rtn"))}
	}
	expect(t, static(1e-9).StaticVerdict("c4"), "As the paper claims", "static: worse than dynamic in 1 of 1", "mixed: worse than dynamic in 0 of 1 comparisons, better in 0, not told apart in 1")
	expect(t, static(-0.01).StaticVerdict("c4"), "Against the paper's claim", "tiny-opt, w8a8 mixed rtn, C4: -0.99")
	if s := static(0).StaticVerdict("wikitext2"); s != "No records yet." {
		t.Error(s)
	}
	g := static(-0.01).Table(StaticChanges("c4"))
	if len(g.Rows) != 1 || strings.Join(g.Head, "|") != "model|widths|method|dynamic PPL|static (%)|static999 (%)|statichead (%)|mixed (%)" || !strings.HasPrefix(g.Rows[0][4], "5.0") {
		t.Errorf("changes\n%s", g)
	}
	expect(t, static(0)[0].Saturated("c4"), "static 400 of a million", "C4")

	exps := ByModel{invented(t, Exp, "tiny-llama", func(c Config) (float64, float64, bool) {
		switch c["exp"] {
		case "di-exp":
			return 0.0001, 0.0003, true
		case "shiftmax":
			return 0.001, 0.002, true
		case "lut32":
			return 1e-9, 1e-9, true
		}
		return 0, 0, true
	}, Set("corpus", "c4"), Set("exp", "float64", "di-exp", "lut32", "shiftmax"))}
	expect(t, exps.ExpVerdict("c4"), "Against the claim", "4 windows each", "in 1 of 1 comparisons, below it in 0 (it adds 0.3 nats/1000)", "nowhere told to be above the exact one's: lut32.", "worse than DI-Exp at its worst: shiftmax", "upwards in 1, downwards in 0, not told in 0 of 1")
	expect(t, exps.ExpChanges("c4"), "tiny-llama, C4", "di-exp adds 0.3")

	floats := ByModel{invented(t, NonLinear, "tiny-llama", func(c Config) (float64, float64, bool) {
		if c["operators"] == "half" {
			return 0.001, -0.0005, true
		}
		return 0, 0, true
	}, Set("corpus", "c4"), Set("recipe", "w8a8"), Set("operators", Integer, "half"))}
	expect(t, floats.NonLinearVerdict("c4"), "Against integer operators, w8a8, by divergence", "half closer 1, farther 0 of 1")
	if g := floats.NonLinearChanges("c4"); len(g.Rows) != 1 || strings.Join(g.Rows[0], "|") != "w8a8|half|0.1|0|1|-0.5|1|0|1" {
		t.Errorf("changes\n%s", g)
	}
	if s := floats.NonLinearVerdict("wikitext2"); s != "No records yet." {
		t.Error(s)
	}

	sites := invented(t, StaticSites, "tiny-llama", func(c Config) (float64, float64, bool) {
		if c["setting"] == "static:product" {
			return math.Log(1.02), 0, true
		}
		return 0, 0, true
	}, Set("corpus", "c4"), Set("width", "w8a8"))
	expect(t, sites.Against("setting", Dynamic).WorstSites("c4", "w8a8"), "product +2.00 ± 0.00 %", "the other 9 are not told")
}

// Rows without a record are named by what tells them apart, models without any by all of their rows.
func TestGaps(t *testing.T) {
	some := func(model string, ok func(Config) bool) *Runs {
		return invented(t, Static, model, func(c Config) (float64, float64, bool) { return 0, 0, ok(c) }, Set("corpus", "c4"), Set("method", "rtn"), Set("width", "w8a8", "w4a4"))
	}
	m := ByModel{some("tiny-opt", func(c Config) bool { return c["recipe"] != "w4a4-mixed" }), some("smollm2", func(Config) bool { return false }),
		some("tiny-llama", func(Config) bool { return true })}
	expect(t, m.Gaps(), "illm study run static", "tiny-opt: C4: 1 of 11 rows (w4a4 mixed)", "smollm2: C4: all 11 rows")
	if strings.Contains(m.Gaps(), "tiny-llama:") {
		t.Error("a whole model has gaps:", m.Gaps())
	}
	if s := m[2:].Gaps(); s != "Every row has its records." {
		t.Error(s)
	}
	for name, layout := range map[string]func(*Runs) chart.Grid{"static": StaticTable} {
		g := m.Table(layout)
		for _, row := range g.Rows {
			if len(row) != len(g.Head) || row[0] == "smollm2" {
				t.Errorf("%s: row %q under %q", name, row, g.Head)
			}
		}
		if len(g.Rows) != 22 {
			t.Errorf("%s: %d rows, want those of two models", name, len(g.Rows))
		}
	}
}

// Times are those of a token, with the quartiles turned round: the most tokens a second are the least time.
func TestCosts(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ev := Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		r.Kind = record.Timing
		r.Axes = map[string]string{"corpus": Speed}
		for name, v := range map[string]float64{"prefill_tok_s": 5120, "prefill_tok_s_q1": 2560, "prefill_tok_s_q3": 10240, "weight_bytes": 2e6, "running_bytes": 3e6} {
			r.Metrics = append(r.Metrics, record.Metric{Name: name, Value: v})
		}
		return r, nil
	})
	runs, err := NonLinear.Run(context.Background(), store, ev, Set("corpus", Speed), Set("recipe", "w8a8"), Set("operators", "half"), WithoutBase())
	if err != nil {
		t.Fatal(err)
	}
	g := NonLinearTable(runs)
	row := strings.Join(g.Rows[0], "|")
	expect(t, row, "w8a8|half|", "|100 (50–200)|–|2|3|")
	// the dash is named, with the command where there is one
	if s, want := (ByModel{runs}).Gaps(), "Every row has its records.\ntiny-llama: speed: no time of a decoded token in 1 of 1 records (w8a8 half)."; s != want {
		t.Errorf("gaps %q, want %q", s, want)
	}
	if runs, err = Static.Run(context.Background(), store, ev, Set("corpus", Speed), Set("width", "w8a8"), Set("method", "rtn"), Set("setting", "static")); err != nil {
		t.Fatal(err)
	}
	expect(t, ByModel{runs}.Gaps(), "in 2 of 2 records (fp32, w8a8-static): illm bench -m tiny-llama -r fp32,w8a8-static measures it.")
	if len(ExpTable(invented(t, Exp, "tiny-llama", func(Config) (float64, float64, bool) { return 0, 0, true }, Set("corpus", "c4"))).Rows) != 1+len(expNames()) {
		t.Error("table B has not a row an exponential")
	}
}

// Every exponential belongs to one family.
func TestExpFamilies(t *testing.T) {
	seen := map[string]int{}
	for _, f := range ExpFamilies() {
		for _, n := range f.Names {
			seen[n.(string)]++
		}
	}
	for _, n := range expNames() {
		if seen[n] != 1 {
			t.Errorf("%s: in %d families", n, seen[n])
		}
	}
	if len(seen) != len(expNames()) {
		t.Errorf("%d names in families, %d exponentials", len(seen), len(expNames()))
	}
}

func TestTokenErrorFactors(t *testing.T) {
	expect(t, TokenErrorFactors([]TokenErrors{{8, 0.01, 0.1, 0.5}, {4, 0.1, 0.5, 0.5}}), "by 10.0 at 8 bits, 5.0 at 4 bits", "once more by 5.0 at 8 bits, 1.0 at 4 bits")
	if s := TokenErrorFactors(nil); !strings.Contains(s, "No error") {
		t.Error(s)
	}
}

// Times stand beside times of the same run: a row without a time has all of them taken again, rows of texts stay as they are,
// and what was taken with different builds is told.
func TestTimesAreTakenTogether(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	commit, clock := "one", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var computed []string
	ev := Each(func(_ context.Context, c Config) (record.Record, error) {
		computed = append(computed, c["corpus"]+" "+c["operators"])
		r := c.Record()
		clock = clock.Add(time.Minute)
		r.Time = clock
		if c["corpus"] == Speed {
			r.Kind, r.Commit, r.Axes = record.Timing, commit, map[string]string{"corpus": Speed, "operators": c["operators"]}
			r.Config["task"], r.Config["commit"] = Speed, commit
		}
		r.Metrics = []record.Metric{{Name: "ppl", Value: 1}, {Name: "prefill_tok_s", Value: 1}}
		return r, nil
	})
	run := func(stored bool, operators ...any) *Runs {
		t.Helper()
		computed = nil
		options := []Option{Set("recipe", "w8a8"), Set("corpus", "c4", Speed), Set("operators", operators...), WithoutBase()}
		if stored {
			options = append(options, Stored())
		}
		runs, err := NonLinear.Run(context.Background(), store, ev, options...)
		if err != nil || runs.Err() != nil {
			t.Fatal(err, runs.Err())
		}
		return runs
	}
	run(false, Integer)
	commit = "two"
	runs := run(false, Integer, "half")
	if slices.Sort(computed); strings.Join(computed, ", ") != "c4 half, speed half, speed integer" {
		t.Errorf("computed %s, want both times and the text of the new row", computed)
	}
	if from := runs.clocks(); len(from) != 1 || !strings.Contains(from[0], "two") {
		t.Errorf("times of %q", from)
	}
	if run(false, Integer, "half"); len(computed) != 0 {
		t.Errorf("computed again: %v", computed)
	}
	if m := (ByModel{run(true, Integer, "half")}); strings.Contains(m.Gaps(), "builds") {
		t.Error(m.Gaps())
	}
}
