package peers

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/illm-go/illm/pkg/record"
)

// noisy is the share of others' work above which a table warns.
const noisy = 0.1

// Text writes the comparison for reading: every case with every subject, the
// median with its quartiles, and behind a rival how many times faster ours are.
func (t *Table) Text(w io.Writer) error {
	fmt.Fprintf(w, "%d threads each, %d interleaved rounds after %d of warm-up; median (quartiles); × is how many times faster ours is than\n", t.Threads, t.Rounds, t.Warmup)
	fmt.Fprintf(w, "the rival in its better form, with the 95 %% interval of the paired rounds\n")
	if t.Busy > noisy {
		fmt.Fprintf(w, "THE MACHINE WAS BUSY: others used %.0f %% of its processors before the start; rivals that spin between threads suffer most\n", 100*t.Busy)
	}
	ratios, best := t.Ratios(), t.Best()
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, r := range t.Results {
		if i == 0 || t.Results[i-1].Case != r.Case {
			fmt.Fprintf(tw, "\n%s\n", strings.TrimSpace(r.Case.Name()))
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s", r.Name, r.Form, r.number())
		isBest := slices.ContainsFunc(best, func(b Result) bool { return b.Case == r.Case && b.Name == r.Name && b.Form == r.Form })
		if isBest && r.Rival != "" {
			for _, x := range ratios {
				if x.Case == r.Case && x.Theirs == r.Name {
					fmt.Fprintf(tw, "\t%s %s", x.Ours, x)
				}
			}
		}
		fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for i, m := range t.Missing {
		if i == 0 {
			fmt.Fprintln(w, "\nmissing")
		}
		if _, err := fmt.Fprintf(w, "  %s\n", firstLine(m.String())); err != nil {
			return err
		}
	}
	return nil
}

// String is "6.20× [5.9, 6.4]".
func (r Ratio) String() string {
	if r.N < 2 {
		return fmt.Sprintf("%.3g×", r.Value)
	}
	return fmt.Sprintf("%.3g× [%.3g, %.3g]", r.Value, r.Low, r.High)
}

// number is the result in the case's unit.
func (r Result) number() string {
	if r.Missing != "" {
		return "– " + r.Missing
	}
	s := r.Spread()
	if s.N == 0 {
		return "– not measured"
	}
	if r.Case.Op == Memory {
		if r.Base > 0 {
			return fmt.Sprintf("%.1f MB (beside %.1f of Python's)", float64(r.memory())/1e6, float64(r.Base)/1e6)
		}
		return fmt.Sprintf("%.1f MB", float64(r.memory())/1e6)
	}
	v, unit, ok := r.Case.Rate(s.Median)
	if !ok {
		return fmt.Sprintf("%.4g ms (%.4g–%.4g)", 1e3*s.Median, 1e3*s.Q1, 1e3*s.Q3)
	}
	low, _, _ := r.Case.Rate(s.Q3)
	high, _, _ := r.Case.Rate(s.Q1)
	return fmt.Sprintf("%.4g %s (%.4g–%.4g)", v, unit, low, high)
}

// recordConfig is what was chosen for one record.
type recordConfig struct {
	Task    string `json:"task"`
	Case    Case   `json:"case"`
	Name    string `json:"name"`
	Form    string `json:"form,omitempty"`
	Version string `json:"version,omitempty"`
	Model   string `json:"model,omitempty"`
	Threads int    `json:"threads"`
	Rounds  int    `json:"rounds"`
	Warmup  int    `json:"warmup"`
}

// Records returns a timing record for every result with numbers, without
// provenance (Env, Commit, Artefact), which the caller fills in. model names the
// language model of the model cases; versions are those of Fleet. A record carries
// the ratios against ours: ratio_NAME with ratio_NAME_low and _high says how many
// times faster (of memory: smaller) NAME, one of ours, is than the record's subject.
func (t *Table) Records(model string, versions map[string]string) ([]*record.Record, error) {
	var out []*record.Record
	ratios := t.ratios(true)
	for _, r := range t.Results {
		if r.Missing != "" || len(r.Seconds) == 0 {
			continue
		}
		rc := recordConfig{Task: "peers", Case: r.Case, Name: r.Name, Form: r.Form, Version: versions[r.Rival], Threads: t.Threads, Rounds: t.Rounds, Warmup: t.Warmup}
		axes := map[string]string{"op": string(r.Case.Op), "case": strings.TrimSpace(r.Case.Name()), "subject": r.Name}
		if r.Form != "" {
			axes["form"] = r.Form
		}
		if r.Case.Op != GEMM && r.Case.Op != SGEMM {
			rc.Model, axes["model"] = model, model
		}
		cfg, err := record.ConfigOf(rc)
		if err != nil {
			return nil, err
		}
		rec := &record.Record{Kind: record.Timing, Config: cfg, Axes: axes, Seed: t.Seed, Metrics: r.metrics()}
		for _, x := range ratios {
			if x.Case == r.Case && x.Theirs == r.Name && x.Form == r.Form {
				name := "ratio_" + x.Ours
				rec.Metrics = append(rec.Metrics,
					record.Metric{Name: name, Value: x.Value, N: x.N, Unit: "x", Better: record.Higher},
					record.Metric{Name: name + "_low", Value: x.Low, N: x.N, Unit: "x", Better: record.Higher},
					record.Metric{Name: name + "_high", Value: x.High, N: x.N, Unit: "x", Better: record.Higher})
			}
		}
		if t.Busy >= 0 {
			rec.Metrics = append(rec.Metrics, record.Metric{Name: "busy_others", Value: t.Busy, Better: record.Lower})
		}
		out = append(out, rec)
	}
	return out, nil
}

// metrics are the seconds, and the rate where the case has one.
func (r Result) metrics() []record.Metric {
	s := r.Spread()
	if r.Case.Op == Memory {
		return []record.Metric{{Name: "peak_rss_bytes", Value: float64(r.memory()), N: 1, Unit: "bytes", Better: record.Lower},
			{Name: "base_rss_bytes", Value: float64(r.Base), N: 1, Unit: "bytes", Better: record.Lower}}
	}
	var out []record.Metric
	for _, m := range []struct {
		suffix string
		sec    float64
	}{{"", s.Median}, {"_q1", s.Q1}, {"_q3", s.Q3}} {
		out = append(out, record.Metric{Name: "seconds" + m.suffix, Value: m.sec, N: s.N, Unit: "s", Better: record.Lower})
	}
	if _, unit, ok := r.Case.Rate(1); ok {
		for _, m := range []struct {
			suffix string
			sec    float64
		}{{"", s.Median}, {"_q1", s.Q3}, {"_q3", s.Q1}} { // a low time is a high rate
			v, _, _ := r.Case.Rate(m.sec)
			out = append(out, record.Metric{Name: "rate" + m.suffix, Value: v, N: s.N, Unit: unit, Better: record.Higher})
		}
	}
	return out
}
