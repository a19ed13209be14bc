package bench

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/record"
)

// targetStore holds records of a comparison whose answers are known.
func targetStore(t *testing.T) *record.Store {
	t.Helper()
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	add := func(at time.Time, axes map[string]string, config any, metrics ...record.Metric) {
		cfg, err := record.ConfigOf(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Append(&record.Record{Kind: record.Timing, Time: at, Axes: axes, Config: cfg, Metrics: metrics}); err != nil {
			t.Fatal(err)
		}
	}
	ratio := func(ours string, v float64) []record.Metric {
		return []record.Metric{{Name: "ratio_" + ours, Value: v}, {Name: "ratio_" + ours + "_low", Value: v - 0.1}, {Name: "ratio_" + ours + "_high", Value: v + 0.1}}
	}
	type config struct {
		Case peers.Case `json:"case"`
		At   int        `json:"at"` // keys must differ
	}
	product := func(n, m int, subject, ours string, v float64) {
		c := peers.Case{Op: peers.GEMM, M: m, N: n, K: 64}
		add(day, map[string]string{"op": string(c.Op), "case": c.Name(), "subject": subject}, config{Case: c, At: n}, ratio(ours, v)...)
	}
	model := func(at int, subject string, v float64) {
		axes := map[string]string{"op": "prefill", "case": "prefill 512", "subject": subject, "model": "m"}
		add(day.Add(time.Duration(at)*time.Hour), axes, config{At: at}, ratio("illm w8a8", v)...)
	}
	model(1, "llama.cpp Q8_0", 9) // older: does not count
	model(2, "llama.cpp Q8_0", 5)
	model(3, "llama.cpp Q4_0", 3.55)
	product(64, 512, namePeak, nameInt8, 0.95)
	product(128, 512, namePeak, nameInt8, 0.5) // the worst
	product(128, 16, namePeak, nameInt8, 0.1)  // too few rows
	product(192, 512, peers.MKL, nameInt8, 2)
	product(192, 512, peers.OneDNN, nameInt8, 1.5) // the better library
	study := map[string]string{"study": StudyOperators, "operator": "softmax", "n": "256"}
	add(day, study, map[string]any{"task": "speed-study"}, record.Metric{Name: "share", Value: 0.7}, record.Metric{Name: "share_low", Value: 0.65}, record.Metric{Name: "share_high", Value: 0.75})
	return store
}

func TestTargets(t *testing.T) {
	list := TargetsOf(targetStore(t), "m")
	type answer struct {
		value          float64
		reached, cases int
		verdict        string
	}
	want := map[string]answer{
		"prefill: illm w8a8 by llama.cpp Q8_0":                                          {5, 0, 1, "missed"},
		"prefill: illm w8a8 by llama.cpp Q4_0":                                          {3.55, 0, 1, "open"},
		"decode: illm w8a8 by llama.cpp Q8_0":                                           {0, 0, 0, "no record"},
		"gemm_u8s8, 128 rows and more: illm int8 by the best of mkl and onednn":         {1.5, 1, 1, "reached"},
		"softmax, aligned scores to weights: time by an equally vectorised float32 one": {0.7, 1, 1, "reached"},
		"gemm_u8s8, 128 rows and more: illm int8 by arithmetic peak":                    {0.5, 1, 2, "missed"},
		"allocations of a decoded token, in steady state":                               {0, 0, 0, "tested"},
	}
	beyond := map[string]answer{"integer products": {0.5, 1, 2, "missed"}, "operators": {0.7, 0, 1, "missed"}}
	for _, x := range list {
		if x.What == "the same, the goal beyond" {
			if w := beyond[x.Part]; x.Value != w.value || x.Reached != w.reached || x.Cases != w.cases || x.Verdict() != w.verdict {
				t.Errorf("%+v", x)
			}
			delete(beyond, x.Part)
			continue
		}
		w, ok := want[x.What]
		if !ok {
			continue
		}
		delete(want, x.What)
		if x.Value != w.value || x.Reached != w.reached || x.Cases != w.cases || x.Verdict() != w.verdict {
			t.Errorf("%s: %v, %d of %d, %s; want %+v", x.What, x.Value, x.Reached, x.Cases, x.Verdict(), w)
		}
	}
	if len(beyond) > 0 {
		t.Errorf("no goal beyond of %v", beyond)
	}
	for what := range want {
		t.Errorf("no target %q", what)
	}
	if g := TargetGrid(list); len(g.Rows) != len(list) {
		t.Errorf("%d rows of %d targets", len(g.Rows), len(list))
	}
	for _, g := range []chart.Grid{TargetGrid(list), IdeaGrid(list)} {
		for _, row := range g.Rows {
			if len(row) != len(g.Head) {
				t.Errorf("%d cells under %d heads: %q", len(row), len(g.Head), row)
			}
		}
	}
}

// A product's share of the peak is the peak's time by its own, and the better record of a library says who is faster.
func TestProductGrid(t *testing.T) {
	b := Beside(newestPeers(targetStore(t), ""))
	if n := len(b.ProductGrid(peers.SGEMM).Rows); n != 0 {
		t.Errorf("%d rows of float products, want none", n)
	}
	g := b.ProductGrid(peers.GEMM)
	at := func(row []string, head string) string {
		for i, h := range g.Head {
			if h == head {
				return row[i]
			}
		}
		t.Fatalf("no column %q in %q", head, g.Head)
		return ""
	}
	var shares, faster []string
	for _, row := range g.Rows {
		if len(row) != len(g.Head) {
			t.Fatalf("%d cells under %d heads", len(row), len(g.Head))
		}
		shares, faster = append(shares, at(row, "of the peak (%)")), append(faster, row[len(row)-1])
	}
	if got := strings.Join(shares, " "); got != "95 50 10 –" {
		t.Errorf("shares %s", got)
	}
	if got := faster[len(faster)-1]; got != "1.50 (1.40–1.60)" {
		t.Errorf("onednn: %s", got)
	}
	if c := b.ProductChart(peers.GEMM, 512); c.Validate() != nil && !errors.Is(c.Validate(), chart.ErrEmpty) {
		t.Error(c.Validate())
	}
}

// A prompt whose products take half of the time would be twice as fast without the rest.
func TestTargetLimit(t *testing.T) {
	store := targetStore(t)
	cfg := map[string]any{"task": "speed-study", "at": 1}
	axes := map[string]string{"study": StudyParts, "model": "m", "recipe": "w8a8", "component": "linear products"}
	if err := store.Append(&record.Record{Kind: record.Timing, Axes: axes, Config: cfg, Metrics: []record.Metric{{Name: "share", Value: 50}}}); err != nil {
		t.Fatal(err)
	}
	for _, x := range TargetsOf(store, "m") {
		if x.What == "prefill: illm w8a8 by llama.cpp Q8_0" && !strings.HasSuffix(x.Idea, "would be at 10.00") {
			t.Errorf("idea %q, want the limit 10", x.Idea)
		}
	}
}
