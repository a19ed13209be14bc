package ablation

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// σ is that of rows counted by hand, weighted by their keys; the rule is the published line at 8 bits: 2.15·σ + 3.11, from
// 1.66, 1.75, 1.83 and 1.85, 2.06, 2.27 at 2, 3 and 4 bits continued by 0.08 and 0.21 a bit.
func TestRule(t *testing.T) {
	spec, err := quant.NewSpec("w8a8", "none", "illm")
	if err != nil {
		t.Fatal(err)
	}
	const unit = 1 << 20
	watched := NewScores(di.Integer(spec), 0)
	if r := watched.Rule("w8a8"); r.Rows != 0 || r.Sigma != 0 {
		t.Errorf("a rule without rows: %+v", r)
	}
	w := watched.NewWorker(8)
	w.Softmax(make([]int32, 4), []int64{0, -2 * unit, -4 * unit, -6 * unit}, -6*unit, 0, 32768, 35) // deviation √5
	w.Softmax(make([]int32, 2), []int64{-10 * unit, 0}, -10*unit, 0, 32768, 35)                     // deviation 5
	want := (4*math.Sqrt(5) + 2*5) / 6
	r := watched.Rule("w8a8")
	if math.Abs(r.Sigma-want) > 1e-6 || math.Abs(r.Clip-(2.15*want+3.11)) > 1e-6 || r.Rows != 2 {
		t.Errorf("%+v, want σ %v", r, want)
	}
}

// A made-up curve: 12 is best, 10 costs nothing that is resolved, 8 costs 2 %, 6 ruins. Above the limit a cost is left out, a
// gain as large is drawn.
func TestClipChart(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cost := map[string]float64{"none": 0, "20": 0.001, "17": 0, "15": 0.0005, "12": -0.002, "10": 0.0001, "8": 0.02, "6": 1}
	runs, err := Clip.Run(context.Background(), store, Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		for i := range 4 {
			noise := 0.0003 * float64(i%2*2-1)
			if c["clip"] == "none" {
				noise = 0
			}
			r.Windows = append(r.Windows, record.WindowStat{Index: i, N: 100, NLL: 100 * (3 + cost[c["clip"]] + noise)})
		}
		r.Metrics = []record.Metric{{Name: "ppl", Value: 20}}
		return r, nil
	}), Set("recipe", "w8a8"), Set("corpus", "c4"), WithoutBase())
	if err != nil {
		t.Fatal(err)
	}
	d := runs.Against("clip", "none")
	rule := Rule{Recipe: "w8a8", Sigma: 3, Clip: 9.56, Rows: 10}
	c := d.ClipChart("c4", 50, rule)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(c.Series) != 1 || len(c.Series[0].Points) != 6 || len(c.Marks) != 1 || c.Marks[0].Value != 9.56 || !strings.Contains(c.Subtitle, "one point above +50 %") {
		t.Errorf("%d series, marks %v, %q", len(c.Series), c.Marks, c.Subtitle)
	}
	tight := d.ClipChart("c4", 0.15, rule) // 8 and 6 cost more, 12 gains 0.2 %
	drawn := map[float64]float64{}
	for _, p := range tight.Series[0].Points {
		drawn[p.X] = p.Y
	}
	if v, ok := drawn[12]; !ok || math.Abs(v-100*math.Expm1(-0.002)) > 1e-9 || len(drawn) != 5 || !strings.Contains(tight.Subtitle, "2 points above +0.15 %") {
		t.Errorf("drawn %v, %q: want the gain at 12 and no cost above 0.15 %%", drawn, tight.Subtitle)
	}
	row := d.RuleGrid("c4", rule, Rule{Recipe: "w4a4"}).Rows
	if row[0][3] != "12" || row[0][5] != "10" || !strings.HasPrefix(row[0][6], "+0.05") || row[1][3] != "–" {
		t.Errorf("rows %v", row)
	}
}
