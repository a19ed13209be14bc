package ablation

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// rivalRuns has three exponentials on four windows: b is worse than a by 1/1000 nats of divergence in each
// window, but for a millionth of chance, and by ln 1.02 of likelihood; c differs from a by chance alone.
func rivalRuns(t *testing.T) *Runs {
	t.Helper()
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ev := Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		r.Metrics = []record.Metric{{Name: "ppl", Value: 10}}
		if c["recipe"] == "fp32" {
			return r, nil
		}
		r.Metrics = append(r.Metrics, record.Metric{Name: "kld_mean", Value: 0.002})
		for w := range 4 {
			const n = 1000
			nll, kl := 3+float64(w), 0.002+float64(w)/1000
			chance := float64(1-2*(w%2)) / 100
			switch c["exp"] {
			case "lut8":
				nll, kl = nll+math.Log(1.02)+1e-6*chance, kl+0.001+1e-6*chance
			case "lut32":
				nll, kl = nll+chance, kl+chance/100
			}
			r.Windows = append(r.Windows, record.WindowStat{Index: w, N: n, NLL: n * nll, KL: n * kl})
		}
		return r, nil
	})
	runs, err := Exp.Run(context.Background(), store, ev, Set("corpus", "c4"), Set("exp", "float64", "lut8", "lut32"))
	if err != nil || runs.Err() != nil {
		t.Fatal(err, runs.Err())
	}
	return runs
}

func TestExcess(t *testing.T) {
	x := rivalRuns(t).Against("exp", "float64").Excess()
	for i := range x.Len() {
		v, ok := x.Number(i, "excess_c4")
		name, _ := x.Text(i, "exp")
		switch name {
		case "": // the float model
			if ok {
				t.Errorf("the base model has an excess: %v", v)
			}
		case "float64":
			if !ok || v.Y != 0 || v.Err != 0 {
				t.Errorf("reference: %v, %v", v, ok)
			}
		case "lut8":
			if !ok || math.Abs(v.Y-1) > 1e-9 || v.Err > 1e-5 {
				t.Errorf("lut8: %v, want 1/1000 nats", v)
			}
		case "lut32": // mean 0; sd of ±10⁻⁴ over four is 1.1547·10⁻⁴, its error half of it
			if !ok || math.Abs(v.Y) > 1e-9 || math.Abs(v.Err-0.057735) > 1e-5 {
				t.Errorf("lut32: %v", v)
			}
		}
	}
	c := x.Chart("exp", "c4", "lut8")
	if len(c.Series) != 1 || len(c.Series[0].Points) != 1 || c.Series[0].Points[0].Label != "lut32" || !strings.Contains(c.Subtitle, "not drawn: lut8") {
		t.Errorf("chart: %+v", c)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestResolved(t *testing.T) {
	d := rivalRuns(t).Against("exp", "float64")
	got := d.Resolved("c4")
	for _, want := range []string{"C4 (4 windows), perplexity 10.00 with exp = float64.", "tells a change with lut8 (+2.00", "; with the one other, lut32, none (+0.00 %)."} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if before, _, _ := strings.Cut(got, "; "); strings.Contains(before, "lut32") {
		t.Errorf("%q names what is not resolved", got)
	}
	for where, want := range map[*Relative]string{
		d.Where("exp", "float64", "lut8"):  "a change with lut8 (+2.00",
		d.Where("exp", "float64", "lut32"): "tells no change with lut32 (+0.00 %).",
	} {
		if got := where.Resolved("c4"); !strings.Contains(got, want) || strings.Contains(got, "other") {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	got = d.Divergences("c4", []string{"lut8", "lut32", "taylor2"})
	if !strings.Contains(got, "lut8 adds 1") || strings.Contains(got, "taylor2") || strings.Count(got, "not resolved") != 1 {
		t.Errorf("%q", got)
	}
	for _, none := range []string{d.Resolved("wikitext2"), d.Divergences("c4", nil, "recipe", "w4a4")} {
		if !strings.Contains(none, "no records yet") {
			t.Errorf("without records: %q", none)
		}
	}
}

// The ends are rounded before they are compared, and nothing is written as a negative nothing.
func TestBetween(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want string
	}{{[]float64{-0.004}, "+0.00 %"}, {[]float64{-0.004, 0.004}, "+0.00 %"}, {[]float64{0.5, -0.004, -1.25}, "-1.25 to +0.50 %"}, {[]float64{0.126, 0.134}, "+0.13 %"}} {
		var list []rival
		for _, y := range c.of {
			list = append(list, rival{ppl: chart.Value{Y: y}})
		}
		if got := between(list); got != c.want {
			t.Errorf("%v: %q, want %q", c.of, got, c.want)
		}
	}
}
