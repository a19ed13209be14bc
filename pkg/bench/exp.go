package bench

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/record"
)

// ExpRequest asks for the time an element of the exponentials of ablation B, on one core.
type ExpRequest struct {
	Names   []string // of baseline.Exponentials; nil: all but float64, which has no honest form
	Lengths []int    // of rows; nil: 64, 256, 1024, 4096, 16384
	Runs    int      // counted samples of each; 0: 15
	Warmup  int      // samples not counted, first; 0: 3
	Sample  time.Duration
}

// expForms are the forms with the bits of a score that make each the one in use.
var expForms = []struct {
	form string
	bits int
}{{baseline.FormDirect, 16}, {baseline.FormTable, 8}, {baseline.FormSoftmax, 16}, {baseline.FormSoftmax, 8}}

type expConfig struct {
	Task   string `json:"task"`
	Exp    string `json:"exp"`
	Form   string `json:"form"`
	Score  int    `json:"score"`
	Row    int    `json:"row"`
	Vector bool   `json:"vector"`
	Runs   int    `json:"runs"`
	Warmup int    `json:"warmup"`
}

// ExpSpeed times every exponential on rows of each length: codes to numerators one by one (16-bit scores), through a
// table of the row (8-bit scores), and the whole of the softmax up to the numerators, where 8-bit scores take the quicker
// of the two; float32 and half are whole float softmaxes there. A sample is as many repetitions as
// fill req.Sample (200 µs if 0); the exponentials take turns, sample by sample, so that a change of the machine's speed
// meets all of them.
func (r *Runner) ExpSpeed(ctx context.Context, req ExpRequest) ([]*record.Record, error) {
	known, all := map[string]baseline.Exponential{}, []string(nil)
	for _, x := range baseline.Exponentials() {
		known[x.Name] = x
		if x.Name != "float64" {
			all = append(all, x.Name)
		}
	}
	names := req.Names
	if names == nil {
		names = all
	}
	if req.Lengths == nil {
		req.Lengths = []int{64, 256, 1024, 4096, 16384}
	}
	if req.Runs == 0 {
		req.Runs = 15
	}
	if req.Warmup == 0 {
		req.Warmup = 3
	}
	if req.Sample == 0 {
		req.Sample = 200 * time.Microsecond
	}
	if req.Runs < 1 || req.Warmup < 0 || req.Sample < 0 {
		return nil, fmt.Errorf("bench: exponentials: runs %d, warm-up %d, sample %v: expected positive numbers", req.Runs, req.Warmup, req.Sample)
	}
	release, err := r.claimClock(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer release()
	var out []*record.Record
	for i, n := range req.Lengths {
		for j, f := range expForms {
			var rows []*baseline.ExpRow
			var timed []string
			for _, name := range names {
				if name != "float64" && known[name].Float && f.form != baseline.FormSoftmax { // NewExpRow refuses float64
					continue
				}
				timed = append(timed, name)
				row, err := baseline.NewExpRow(name, f.form, n, f.bits)
				if err != nil {
					return out, err
				}
				rows = append(rows, row)
			}
			samples, err := expTurns(ctx, rows, req)
			if err != nil {
				return out, err
			}
			for at, name := range timed {
				rec, err := r.fileExp(expConfig{"exp", name, f.form, f.bits, n, known[name].Vector || known[name].Float, req.Runs, req.Warmup}, samples[at])
				if err != nil {
					return out, err
				}
				out = append(out, rec)
			}
			if r.Progress != nil {
				r.Progress(Progress{What: fmt.Sprintf("bench exponentials, rows of %d, %s", n, f.form), Done: i*len(expForms) + j + 1, Total: len(req.Lengths) * len(expForms)})
			}
		}
	}
	return out, nil
}

// expTurns times the rows in turn and returns seconds a repetition, by row and counted sample.
func expTurns(ctx context.Context, rows []*baseline.ExpRow, req ExpRequest) ([][]float64, error) {
	repeat := make([]int, len(rows))
	for i, row := range rows {
		row.Run()
		start := time.Now()
		row.Run()
		repeat[i] = max(1, int(req.Sample/max(time.Since(start), time.Nanosecond)))
	}
	out := make([][]float64, len(rows))
	for run := range req.Warmup + req.Runs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i, row := range rows {
			start := time.Now()
			for range repeat[i] {
				row.Run()
			}
			if took := time.Since(start).Seconds(); run >= req.Warmup {
				out[i] = append(out[i], took/float64(repeat[i]))
			}
		}
	}
	return out, nil
}

func (r *Runner) fileExp(cfg expConfig, seconds []float64) (*record.Record, error) {
	config, err := record.ConfigOf(cfg)
	if err != nil {
		return nil, err
	}
	sort.Float64s(seconds)
	at := func(q float64) float64 {
		return 1e9 * seconds[int(q*float64(len(seconds)-1)+0.5)] / float64(cfg.Row)
	}
	rec := &record.Record{Kind: record.Timing, Config: config,
		Axes: map[string]string{"study": "exp", "exp": cfg.Exp, "form": cfg.Form, "score": strconv.Itoa(cfg.Score), "row": strconv.Itoa(cfg.Row)},
		Metrics: []record.Metric{
			{Name: "ns_elem", Value: at(0.5), N: len(seconds), Unit: "ns/element", Better: record.Lower},
			{Name: "ns_elem_q1", Value: at(0.25), N: len(seconds), Unit: "ns/element", Better: record.Lower},
			{Name: "ns_elem_q3", Value: at(0.75), N: len(seconds), Unit: "ns/element", Better: record.Lower},
		}}
	r.provenance(rec)
	rec.Env.Threads = 1
	if err := r.Store.Append(rec); err != nil {
		return nil, err
	}
	return rec, nil
}
