package ablation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/illm-go/illm/pkg/record"
)

// Evaluator computes records. Its methods are called by one goroutine.
type Evaluator interface {
	// Stands reports whether a record made under the settings of c still answers
	// it: the code's semantics version and the model's weights are the record's.
	// It must be quick.
	Stands(ctx context.Context, c Config, r *record.Record) bool

	// Evaluate computes the configurations, which differ in the model's variant
	// alone, and calls done once for each as it is finished, with its place in
	// configs. It stops at the first error, its own or done's.
	Evaluate(ctx context.Context, configs []Config, done func(i int, r record.Record) error) error
}

// Each is an Evaluator made of a function that computes one configuration. It
// takes every record for valid.
type Each func(ctx context.Context, c Config) (record.Record, error)

// Stands returns true.
func (f Each) Stands(context.Context, Config, *record.Record) bool { return true }

// Evaluate calls f for each configuration.
func (f Each) Evaluate(ctx context.Context, configs []Config, done func(int, record.Record) error) error {
	for i, c := range configs {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := f(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		if err := done(i, r); err != nil {
			return err
		}
	}
	return nil
}

// Progress is one finished configuration of a run.
type Progress struct {
	Done, Total int           // configurations to compute
	Config      Config        // the one that was finished
	Left        time.Duration // estimate of the time left
}

// ErrMissing marks a row that has no record and was not computed.
var ErrMissing = errors.New("no record, and nothing computed it")

// batchKeys are the settings in which the configurations of a batch agree.
var batchKeys = []string{"model", "corpus", "window", "windows", "first"}

// Run answers the study: records where there are some, else ev's results, which
// are appended to the store. A nil ev computes nothing. The error is about the
// question itself (an unknown axis, a level that is not allowed) or the context;
// rows that could not be computed are in Runs with their reason.
func (s Study) Run(ctx context.Context, store *record.Store, ev Evaluator, options ...Option) (*Runs, error) {
	p := plan{study: s, only: map[string][]string{}, fixed: map[string]string{}}
	for _, o := range options {
		if err := o(&p); err != nil {
			return nil, err
		}
	}
	configs, err := p.configs()
	if err != nil {
		return nil, err
	}
	settleWindows(ctx, store, ev, configs)
	cells := make([]cell, len(configs))
	var missing []int
	stale := 0
	for i, c := range configs {
		cells[i] = cell{config: c}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		cells[i].err = fmt.Errorf("%s: %w", c, ErrMissing)
		if !p.fresh {
			known, old := find(ctx, store, ev, c)
			stale += old
			if known != nil {
				cells[i].record, cells[i].origin, cells[i].err = known, origin(known), nil
				continue
			}
		}
		if !p.stored && ev != nil {
			missing = append(missing, i)
		}
	}
	err = compute(ctx, p, store, ev, cells, missing)
	runs := newRuns(s, cells, stale)
	if ctxErr := ctx.Err(); ctxErr != nil {
		return runs, ctxErr
	}
	return runs, err
}

// compute evaluates the missing cells batch by batch. An evaluator's failure is
// the failure of the cells it left open, not of the run.
func compute(ctx context.Context, p plan, store *record.Store, ev Evaluator, cells []cell, missing []int) error {
	var mu sync.Mutex
	finished, start := 0, time.Now()
	var storeErr error
	for _, batch := range batches(cells, missing) {
		configs := make([]Config, len(batch))
		for j, i := range batch {
			configs[j] = cells[i].config
		}
		open := make(map[int]bool, len(batch))
		for j := range batch {
			open[j] = true
		}
		err := ev.Evaluate(ctx, configs, func(j int, r record.Record) error {
			mu.Lock()
			defer mu.Unlock()
			if j < 0 || j >= len(batch) || !open[j] {
				return fmt.Errorf("ablation: the evaluator handed over configuration %d of %d twice or out of range", j, len(batch))
			}
			c := &cells[batch[j]]
			if r.Axes == nil {
				r.Axes = axesOf(p.study, c.config)
			}
			if !p.fresh {
				if err := keep(store, &r); err != nil {
					storeErr = err
					return err
				}
			}
			delete(open, j)
			c.record, c.origin, c.err = &r, Computed, nil
			finished++
			if p.progress != nil {
				left := time.Since(start) / time.Duration(finished) * time.Duration(len(missing)-finished)
				p.progress(Progress{Done: finished, Total: len(missing), Config: c.config, Left: left})
			}
			return nil
		})
		if storeErr != nil {
			return storeErr
		}
		if err == nil && len(open) > 0 {
			err = fmt.Errorf("ablation: the evaluator left %d of %d configurations without a result", len(open), len(batch))
		}
		for j := range open {
			cells[batch[j]].err = err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// keep appends the result unless a record of the same key says the same.
func keep(store *record.Store, r *record.Record) error {
	key, err := r.ComputeKey()
	if err != nil {
		return err
	}
	if old, ok := store.Find(key); ok && sameMetrics(old, r) {
		r.Key = key
		return nil
	}
	return store.Append(r)
}

func sameMetrics(a, b *record.Record) bool {
	if len(a.Metrics) != len(b.Metrics) {
		return false
	}
	for i := range a.Metrics {
		if a.Metrics[i] != b.Metrics[i] {
			return false
		}
	}
	return true
}

// batches groups cells whose configurations agree in batchKeys, in order.
func batches(cells []cell, missing []int) [][]int {
	at := map[string]int{}
	var out [][]int
	for _, i := range missing {
		key := ""
		for _, k := range batchKeys {
			key += cells[i].config[k] + "\x00"
		}
		j, ok := at[key]
		if !ok {
			j = len(out)
			at[key] = j
			out = append(out, nil)
		}
		out[j] = append(out[j], i)
	}
	return out
}

// find looks a configuration up by its settings. Of several records that stand it
// takes the one with most metrics, then the newest; stale counts those that do
// not stand.
func find(ctx context.Context, store *record.Store, ev Evaluator, c Config) (best *record.Record, stale int) {
	for _, r := range store.Latest(func(r *record.Record) bool { return r.Kind == record.Quality && matches(r, c) }) {
		switch {
		case ev != nil && !ev.Stands(ctx, c, r):
			stale++
		case best == nil || better(r, best):
			best = r
		}
	}
	return best, stale
}

func better(r, best *record.Record) bool {
	if r.Semantics != best.Semantics { // without an evaluator the latest semantics stands
		return r.Semantics > best.Semantics
	}
	if len(r.Metrics) != len(best.Metrics) { // with the divergence from the base model
		return len(r.Metrics) > len(best.Metrics)
	}
	return r.Time.After(best.Time)
}

// Most, as the setting "windows", leaves the number of windows to the records:
// for each text the number that most configurations have a record for, of equals
// the largest, so that the rows of a table stand on the same windows; without any
// record DefaultWindows.
const Most = "most"

// settleWindows puts a number in place of Most.
func settleWindows(ctx context.Context, store *record.Store, ev Evaluator, configs []Config) {
	group := func(c Config) string {
		key := ""
		for _, k := range batchKeys {
			key += c[k] + "\x00"
		}
		return key
	}
	counts := map[string]map[string]int{}
	for _, c := range configs {
		if c["windows"] != Most {
			continue
		}
		have := map[string]bool{}
		for _, r := range store.Filter(func(r *record.Record) bool { return r.Kind == record.Quality && matches(r, c) }) {
			if n := setting(r, "windows"); n != "" && (ev == nil || ev.Stands(ctx, c, r)) {
				have[n] = true
			}
		}
		g := group(c)
		if counts[g] == nil {
			counts[g] = map[string]int{}
		}
		for n := range have {
			counts[g][n]++
		}
	}
	size := func(s string) int { n, _ := strconv.Atoi(s); return n }
	for _, c := range configs {
		if c["windows"] != Most {
			continue
		}
		best, votes := strconv.Itoa(DefaultWindows), 0
		for n, v := range counts[group(c)] {
			if v > votes || v == votes && size(n) > size(best) {
				best, votes = n, v
			}
		}
		c["windows"] = best
	}
}

// setting is the record's value of a setting, which it holds as an axis or in its
// configuration; "" if neither.
func setting(r *record.Record, name string) string {
	if v := r.Axes[name]; v != "" {
		return v
	}
	if v, ok := r.Config[name]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// matches reports whether the record was made under the settings of c, which it
// holds as axes or in its configuration.
func matches(r *record.Record, c Config) bool {
	for k, v := range c {
		if k == "windows" && v == Most {
			continue
		}
		if got := setting(r, k); got != v && !(k == "first" && v == "0" && got == "") {
			return false
		}
	}
	return true
}

func origin(r *record.Record) string {
	if r.Shipped {
		return Shipped
	}
	return Found
}

func axesOf(s Study, c Config) map[string]string {
	axes := map[string]string{"study": s.Name}
	for _, a := range s.Axes {
		if v := c[a.Name]; v != "" {
			axes[a.Name] = v
		}
	}
	return axes
}
