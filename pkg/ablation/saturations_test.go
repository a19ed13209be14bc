package ablation

import (
	"context"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/record"
)

func TestSaturations(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	runs, err := Static.Run(context.Background(), store, Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		r.Windows = []record.WindowStat{{Index: 0, N: 10, NLL: 30}}
		r.Metrics = []record.Metric{{Name: "ppl", Value: 20}}
		if c["width"] == "fp32" {
			return r, nil
		}
		r.Metrics = append(r.Metrics, record.Metric{Name: "saturated", Value: 3})
		if c["setting"] != Dynamic { // 5 of 1000 codes
			r.Metrics = append(r.Metrics, record.Metric{Name: "saturated_codes", Value: 5}, record.Metric{Name: "saturated_share", Value: 0.5})
		}
		return r, nil
	}), Set("setting", "dynamic", "static"), Set("method", "rtn"), Set("width", "w8a8", "w4a4"), Set("corpus", "c4"))
	if err != nil {
		t.Fatal(err)
	}
	g := Saturations(runs, runs) // twice the same records count once
	if row := strings.Join(g.Rows[0], "|"); len(g.Rows) != 1 || row != "tiny-llama|w8a8, w4a4|4|12|10 (0.5 %)" {
		t.Errorf("%d rows, %s", len(g.Rows), row)
	}
}
