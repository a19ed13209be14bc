package ablation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/illm-go/illm/pkg/hub"
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
	// configs. It stops at the first error, its own or done's. A *ConfigError is
	// about one of them: the others are asked for again without it.
	Evaluate(ctx context.Context, configs []Config, done func(i int, r record.Record) error) error
}

// ConfigError says that one configuration of a batch cannot be computed: a model has no such site, a factor file is missing.
type ConfigError struct {
	I   int // its place in the batch
	Err error
}

func (e *ConfigError) Error() string { return e.Err.Error() }

func (e *ConfigError) Unwrap() error { return e.Err }

// Windower is an Evaluator that knows how long the windows of a model are when
// nothing says so.
type Windower interface {
	Window(ctx context.Context, model string) int
}

// Chooser is an Evaluator that knows what a model can be asked. Configurations that are not possible are no rows.
type Chooser interface {
	Possible(ctx context.Context, c Config) bool
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
var ErrMissing = errors.New("no record")

// batchKeys are the settings in which the configurations of a batch agree.
var batchKeys = []string{"model", "corpus", "window", "windows", "first"}

// Run answers the study: records where there are some, else ev's results, which
// are appended to the store. A nil ev computes nothing. The error is about the
// question itself (an unknown axis, a level that is not allowed) or the context;
// rows that could not be computed are in Runs with their reason.
func (s Study) Run(ctx context.Context, store *record.Store, ev Evaluator, options ...Option) (*Runs, error) {
	p, configs, err := s.settled(ctx, store, ev, options)
	if err != nil {
		return nil, err
	}
	cells := make([]cell, len(configs))
	var missing []int
	stale := 0
	for i, c := range configs {
		cells[i] = cell{config: c}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		cells[i].err = fmt.Errorf("%s: %w", s.name(c), ErrMissing)
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
	missing = together(cells, missing)
	err = compute(ctx, p, store, ev, cells, missing)
	runs := newRuns(s, cells, stale)
	if ctxErr := ctx.Err(); ctxErr != nil {
		return runs, ctxErr
	}
	return runs, err
}

// settled expands the options into a plan and its configurations.
func (s Study) settled(ctx context.Context, store *record.Store, ev Evaluator, options []Option) (plan, []Config, error) {
	p := plan{study: s, only: map[string][]string{}, fixed: map[string]string{}}
	for _, o := range options {
		if err := o(&p); err != nil {
			return p, nil, err
		}
	}
	configs, err := p.configs()
	if err != nil {
		return p, nil, err
	}
	if e, ok := ev.(Knower); ok {
		if err := checkNames(e, store, s, configs); err != nil {
			return p, nil, err
		}
	}
	if e, ok := ev.(Chooser); ok {
		configs = slices.DeleteFunc(configs, func(c Config) bool { return !e.Possible(ctx, c) })
	}
	settleWindow(ctx, ev, configs)
	settleCounts(ctx, cmp.Or(p.counts, store), ev, configs, p.own)
	return p, configs, nil
}

// Configs lists the configurations of a run, with numbers in place of Longest and Most.
func (s Study) Configs(ctx context.Context, store *record.Store, ev Evaluator, options ...Option) ([]Config, error) {
	_, configs, err := s.settled(ctx, store, ev, options)
	return configs, err
}

// Missing lists, batch by batch, the configurations that no record answers: what Run would compute.
func (s Study) Missing(ctx context.Context, store *record.Store, ev Evaluator, options ...Option) ([][]Config, error) {
	_, configs, err := s.settled(ctx, store, ev, options)
	if err != nil {
		return nil, err
	}
	cells := make([]cell, len(configs))
	var missing []int
	for i, c := range configs {
		cells[i].config = c
		if known, _ := find(ctx, store, ev, c); known == nil {
			missing = append(missing, i)
		}
	}
	var out [][]Config
	for _, batch := range batches(cells, missing) {
		var list []Config
		for _, i := range batch {
			list = append(list, cells[i].config)
		}
		out = append(out, list)
	}
	return out, ctx.Err()
}

// together adds to the missing cells those that have times already where a row beside them has none: times are compared with
// each other, so they are taken in one run, on one machine, in turn.
func together(cells []cell, missing []int) []int {
	key := func(c Config) string { return c["model"] + "\x00" + c["corpus"] }
	open := map[string]bool{}
	for _, i := range missing {
		if c := cells[i].config; c["corpus"] == Speed {
			open[key(c)] = true
		}
	}
	for i := range cells {
		if c := cells[i].config; open[key(c)] && !slices.Contains(missing, i) {
			missing = append(missing, i)
		}
	}
	slices.Sort(missing)
	return missing
}

// compute evaluates the missing cells batch by batch. An evaluator's failure is
// the failure of the cells it left open, not of the run.
func compute(ctx context.Context, p plan, store *record.Store, ev Evaluator, cells []cell, missing []int) error {
	var mu sync.Mutex
	finished, start := 0, time.Now()
	var storeErr error
	queue := batches(cells, missing)
	for len(queue) > 0 {
		batch := queue[0]
		queue = queue[1:]
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
		if one := (*ConfigError)(nil); errors.As(err, &one) && open[one.I] && ctx.Err() == nil {
			cells[batch[one.I]].err = err
			delete(open, one.I)
			if rest := still(batch, open); len(rest) > 0 {
				queue = append([][]int{rest}, queue...)
			}
			continue
		}
		if errors.Is(err, hub.ErrUnavailable) {
			err = fmt.Errorf("%s: %w", p.study.names(cells, still(batch, open)), err)
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

// names lists rows in words, so that an error says what is missing for want of a model or a text.
func (s Study) names(cells []cell, rows []int) string {
	const most = 4
	var list []string
	for _, i := range rows[:min(most, len(rows))] {
		list = append(list, s.name(cells[i].config))
	}
	if n := len(rows) - most; n > 0 {
		list = append(list, fmt.Sprintf("%d more", n))
	}
	return strings.Join(list, "; ")
}

// still lists what is open of a batch, in order.
func still(batch []int, open map[int]bool) []int {
	var rest []int
	for j, i := range batch {
		if open[j] {
			rest = append(rest, i)
		}
	}
	return rest
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
