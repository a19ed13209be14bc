package claims

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/nb"
	"github.com/illm-go/illm/pkg/record"
)

// Verdicts.
const (
	Holds   = "holds"
	Differs = "differs"
	None    = "no record yet"
	Stale   = "stale" // there are records, of other weights or of another version of the arithmetic
)

// Result is a claim with what the records say of it.
type Result struct {
	Claim   Claim
	Verdict string
	Found   float64 // NaN without a record
	Off     float64 // found less expected; of a bound what is beyond it
	Why     string  // there is no number
	Records []*record.Record
}

// Sources are where numbers come from.
type Sources struct {
	Store     *record.Store
	Evaluator ablation.Evaluator              // says which records still stand; nil: all do
	Models    func(name string) (fs.FS, bool) // folders with a training record; nil: none
}

// Shipped holds the claims of the repository against a store; models says that the training
// records of the shipped models count.
func Shipped(ctx context.Context, store *record.Store, models bool) ([]Result, error) {
	list, err := Parse(data.Claims())
	if err != nil {
		return nil, err
	}
	r := &bench.Runner{Store: store}
	defer r.Close()
	from := Sources{Store: store, Evaluator: nb.Evaluator(r)}
	if models {
		from.Models = data.Model
	}
	return Verify(ctx, from, list)
}

// Verify looks every claim's number up.
func Verify(ctx context.Context, from Sources, list []Claim) ([]Result, error) {
	var out []Result
	for _, c := range list {
		r := Result{Claim: c, Verdict: None, Found: math.NaN()}
		f := finder{ctx: ctx, Sources: from}
		v, ok := f.found(&c)
		r.Records, r.Why = f.used, f.why
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case ok:
			r.Found, r.Verdict, r.Why = v, Differs, ""
			if r.Claim.holdsAt(&r, v) {
				r.Verdict = Holds
			}
		case f.stale > 0:
			r.Verdict = Stale
			r.Why = fmt.Sprintf("%d records are of other weights or of another version of the arithmetic", f.stale)
		}
		out = append(out, r)
	}
	return out, nil
}

// holdsAt is holds, which notes the difference.
func (c *Claim) holdsAt(r *Result, v float64) (ok bool) {
	ok, r.Off = c.holds(v)
	return ok
}

// finder looks numbers up for one claim.
type finder struct {
	Sources
	ctx   context.Context
	used  []*record.Record
	stale int
	why   string
}

// found is the claim's number: a value, or the ratio of two.
func (f *finder) found(c *Claim) (float64, bool) {
	if c.By == nil {
		return f.find(c.Value)
	}
	if c.Kind == Timing && len(c.Value.Record) > 0 && len(c.By.Record) > 0 {
		return f.ratioOfTimes(c.Value, *c.By)
	}
	v, ok := f.find(c.Value)
	if !ok {
		return 0, false
	}
	by, ok := f.find(*c.By)
	if !ok {
		return 0, false
	}
	if !f.alike() {
		f.why = "the two records are of different numbers of tokens"
		return 0, false
	}
	return v / by, true
}

func (f *finder) find(w Where) (float64, bool) {
	switch {
	case w.Training != "":
		return f.training(w)
	case w.Study == "":
		return f.newest(w)
	}
	study, ok := ablation.ByName(w.Study)
	if !ok {
		f.why = "there is no study " + w.Study + " in this version"
		return 0, false
	}
	runs, err := study.Run(f.ctx, f.Store, f.Evaluator, w.options(study)...)
	if err != nil {
		f.why = err.Error()
		return 0, false
	}
	var pairs []string
	for axis, level := range w.Row {
		if axis != study.Spread {
			pairs = append(pairs, axis, level)
		}
	}
	v, ok := runs.At(w.Column, pairs...)
	if !ok {
		f.stale += runs.Stale
		f.why = study.Name + ": no record of " + describe(w.Row)
		return 0, false
	}
	for _, r := range runs.Records() {
		if strings.HasPrefix(r.Key, v.ID) {
			f.used = append(f.used, r)
			break
		}
	}
	return v.Y, true
}

// options restricts the study to the row. Levels of the base model need no option: its rows are always there.
func (w Where) options(study ablation.Study) []ablation.Option {
	options := []ablation.Option{ablation.Stored()}
	for _, axis := range sorted(w.Row) {
		if level, own := study.Base[axis]; !own || level != w.Row[axis] {
			options = append(options, ablation.Set(axis, w.Row[axis]))
		}
	}
	for _, name := range sorted(w.Set) {
		options = append(options, ablation.Set(name, w.Set[name]))
	}
	return options
}

// newest finds the metric of the newest record with the given settings.
func (f *finder) newest(w Where) (float64, bool) {
	all := f.standing(w)
	if len(all) == 0 {
		f.why = "no record of " + describe(w.Record)
		return 0, false
	}
	f.used = append(f.used, all[0])
	m, _ := all[0].Metric(w.Metric)
	return m.Value, true
}

// standing lists the records with the given settings and the metric that still stand, the newest first.
func (f *finder) standing(w Where) []*record.Record {
	var all []*record.Record
	for _, r := range f.Store.Filter(func(r *record.Record) bool { return has(r, w.Record) }) {
		if f.Evaluator != nil && !f.Evaluator.Stands(f.ctx, ablation.Config(r.Axes), r) {
			f.stale++
		} else if _, ok := r.Metric(w.Metric); ok {
			all = append(all, r)
		}
	}
	slices.Reverse(all) // of two at the same time the later line
	slices.SortStableFunc(all, func(a, b *record.Record) int { return b.Time.Compare(a.Time) })
	return all
}

// ratioOfTimes divides two times of one build on one kind of machine, the newest there are:
// the newest of each alone may come from different days, and the machine with them.
func (f *finder) ratioOfTimes(value, by Where) (float64, bool) {
	below := f.standing(by)
	for _, a := range f.standing(value) {
		for _, b := range below {
			if a.Commit == b.Commit && a.Env.CPU == b.Env.CPU {
				f.used = append(f.used, a, b)
				x, _ := a.Metric(value.Metric)
				y, _ := b.Metric(by.Metric)
				return x.Value / y.Value, true
			}
		}
	}
	f.why = "no records of " + describe(value.Record) + " and of " + describe(by.Record) + " that one build measured on one machine"
	return 0, false
}

// alike says that the records found were measured on equally many tokens: otherwise a ratio compares texts.
func (f *finder) alike() bool {
	tokens := func(r *record.Record) int {
		if length, err := strconv.Atoi(fmt.Sprint(r.Config["window"])); err == nil {
			return len(r.Windows) * length
		}
		return len(r.Windows)
	}
	for _, r := range f.used {
		if tokens(r) != tokens(f.used[0]) {
			return false
		}
	}
	return true
}

// training reads a number of a model's training record.
func (f *finder) training(w Where) (float64, bool) {
	f.why = "no training record of " + w.Training
	if f.Models == nil {
		return 0, false
	}
	dir, ok := f.Models(w.Training)
	if !ok {
		return 0, false
	}
	raw, err := fs.ReadFile(dir, "training.json")
	if err != nil {
		return 0, false
	}
	var t map[string]any
	if err := json.Unmarshal(raw, &t); err != nil {
		f.why = "training record of " + w.Training + ": " + err.Error()
		return 0, false
	}
	v, ok := t[w.Metric].(float64)
	return v, ok
}

// rivals put something else in the engine's place: a claim that names none means none.
var rivals = []string{"operators", "arithmetic"}

// has says that a record's axes or configuration are as wanted.
func has(r *record.Record, want map[string]string) bool {
	for _, name := range rivals {
		own := r.Axes[name]
		if own == "" {
			own, _ = r.Config[name].(string)
		}
		if want[name] == "" && own != "" && own != ablation.Integer {
			return false
		}
	}
	for name, v := range want {
		if r.Axes[name] == v {
			continue
		}
		if c, ok := r.Config[name]; !ok || fmt.Sprint(c) != v {
			return false
		}
	}
	return true
}

func sorted(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func describe(m map[string]string) string {
	s := ""
	for _, k := range sorted(m) {
		s += " " + k + "=" + m[k]
	}
	if s == "" {
		return "it"
	}
	return s[1:]
}

// Count is the number of claims of a kind ("": of any) with a verdict.
func Count(results []Result, kind, verdict string) (n int) {
	for _, r := range results {
		if (kind == "" || r.Claim.Kind == kind) && r.Verdict == verdict {
			n++
		}
	}
	return n
}

// FoundText is the number found, "–" without one.
func (r *Result) FoundText() string {
	if math.IsNaN(r.Found) {
		return "–"
	}
	return r.Claim.number(r.Found)
}

// Grid is the table of the claims of one kind.
func Grid(results []Result, kind string) chart.Grid {
	g := chart.Grid{Head: []string{"claim", "expected", "found", "difference", "verdict"}}
	for _, r := range results {
		if r.Claim.Kind != kind {
			continue
		}
		off := "–"
		if !math.IsNaN(r.Found) {
			off = short(r.Off)
		}
		g.Rows = append(g.Rows, []string{r.Claim.ID, r.Claim.Expectation(), r.FoundText(), off, r.Verdict})
	}
	return g
}
