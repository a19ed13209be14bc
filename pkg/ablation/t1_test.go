package ablation

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/record"
)

// Made-up records: each method costs its own share of the float model's loss; the table shows it, names the rows of the
// paper that are missing, and shows rows beside the paper's where there are some.
func TestT1(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	measured := func(c Config) bool {
		return c["corpus"] != "enwiki" && c["method"] != "omniquant" && (c["method"] != "best" || c["arithmetic"] == Integer)
	}
	_, err = Methods.Run(context.Background(), store, Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		cost := map[string]float64{"": 0, "rtn": 0.1, "smoothquant": 0.08, "fsbr": 0.01, "best": 10}[c["method"]]
		for i := range 4 {
			r.Windows = append(r.Windows, record.WindowStat{Index: i, N: 100, NLL: 100 * (3 + float64(i) + cost)})
		}
		r.Metrics = []record.Metric{{Name: "ppl", Value: 20 * math.Exp(cost)}, {Name: "bits_per_byte", Value: 1 + cost}}
		if c["method"] != "" {
			r.Metrics = append(r.Metrics, record.Metric{Name: "kld_mean", Value: cost / 2, Stderr: 0.001})
		}
		return r, nil
	}), Set("width", "w4a4"), Only(measured))
	if err != nil {
		t.Fatal(err)
	}
	runs, err := Methods.Run(context.Background(), store, nil, Set("width", "w4a4"), Stored())
	if err != nil {
		t.Fatal(err)
	}
	g, missing := runs.T1()
	if want := []string{"w4a4 OmniQuant-like, simulated"}; !slices.Equal(missing, want) {
		t.Errorf("missing %v, want %v", missing, want)
	}
	text := g.String()
	if strings.Contains(text, "enwiki") || len(g.Head) != 2+2*4 {
		t.Errorf("a text without a record has columns: %v", g.Head)
	}
	find := func(name string) []string {
		for _, row := range g.Rows {
			if row[1] == name {
				return row
			}
		}
		t.Fatalf("no row %q in\n%s", name, text)
		return nil
	}
	if row := find("RTN"); !strings.HasPrefix(row[3], "+10.5") || row[4] != "1.1000" || !strings.HasPrefix(row[5], "0.0500") {
		t.Errorf("row %v", row)
	}
	if row := find("best combined"); row[3] != "× 2.2e+04" || row[2] != "4.4e+05" {
		t.Errorf("row %v", row)
	}
	find("SmoothQuant")         // in integers: beside the paper's rows, but measured
	block := runs.KLBlock("c4") // SmoothQuant simulated among them, the float model and missing rows not
	if len(block.Rows) != 7 || block.Rows[0][1] != "RTN, simulated" || !strings.HasPrefix(block.Rows[0][2], "0.0500 ±") || block.Rows[0][5] != "–" {
		t.Errorf("block\n%s", block)
	}
	c := runs.T1Chart("wikitext2")
	if err := c.Validate(); err != nil || len(c.Series) != 6 || !strings.Contains(c.Title, "tiny-llama") {
		t.Errorf("%d series: %v", len(c.Series), err)
	}
}

// With OwnWindows a row on fewer windows than the float model stands in the table with their number, its change paired on them
// alone; without it the rows with one number of windows are all there is.
func TestT1OwnWindows(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	compute := func(windows int, methods ...string) {
		_, err := Methods.Run(context.Background(), store, Each(func(_ context.Context, c Config) (record.Record, error) {
			r := c.Record()
			for i := range windows {
				w := record.WindowStat{Index: i, N: 100, NLL: 100 * (3 + float64(i))}
				if c["method"] != "" {
					w.NLL += 10
				}
				r.Windows = append(r.Windows, w)
			}
			r.Metrics = []record.Metric{{Name: "ppl", Value: 20}}
			return r, nil
		}), Set("width", "w4a4"), Set("corpus", "c4"), Set("windows", windows), Only(func(c Config) bool {
			return c["arithmetic"] != "simulated" && (c["method"] == "" || slices.Contains(methods, c["method"]))
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	compute(8, "rtn", "best")
	compute(2, "fsbr", "rtn")
	rows := func(options ...Option) string {
		runs, err := Methods.Run(context.Background(), store, nil, append(options, Set("width", "w4a4"), Set("corpus", "c4"), Set("arithmetic", Integer), Stored())...)
		if err != nil {
			t.Fatal(err)
		}
		g, _ := runs.T1()
		return g.String()
	}
	own, common := rows(OwnWindows()), rows()
	for _, want := range []string{"PPL, C4 (8)", "20.00 (2)"} {
		if !strings.Contains(own, want) {
			t.Errorf("no %q in\n%s", want, own)
		}
	}
	if n := strings.Count(own, "+10.5"); n != 3 {
		t.Errorf("%d rows with their change, want 3:\n%s", n, own)
	}
	if strings.Contains(common, "FSBR") || strings.Contains(common, "(2)") {
		t.Errorf("a row on other windows without OwnWindows:\n%s", common)
	}
}
