package ablation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// shippedRecord is a record as a measuring package files it: the axes as text,
// the rest in its configuration.
func shippedRecord(t *testing.T, recipe, clip, corpus string, windows int, ppl float64, semantics int) *record.Record {
	t.Helper()
	r := &record.Record{
		V: record.Version, Kind: record.Quality, Semantics: semantics,
		Config:  map[string]any{"task": "ppl", "model": "tiny-llama", "window": 2048, "recipe": recipe, "clip": clip, "corpus": corpus, "windows": windows},
		Axes:    map[string]string{"model": "tiny-llama", "recipe": recipe, "corpus": corpus, "windows": fmt.Sprint(windows)},
		Metrics: []record.Metric{{Name: "ppl", Value: ppl, Stderr: 0.1, N: windows, Unit: "per token", Better: record.Lower}},
	}
	if recipe != "fp32" {
		r.Axes["clip"], r.Axes["mode"] = clip, "illm"
	}
	for i := range windows {
		r.Windows = append(r.Windows, record.WindowStat{Index: i, N: 2047, NLL: 2047 * math.Log(ppl)})
	}
	key, err := r.ComputeKey()
	if err != nil {
		t.Fatal(err)
	}
	r.Key = key
	return r
}

func storeOf(t *testing.T, shipped ...*record.Record) *record.Store {
	t.Helper()
	var lines []byte
	for _, r := range shipped {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(append(lines, line...), '\n')
	}
	s, err := record.Open(record.Options{Shipped: fstest.MapFS{"a.jsonl": {Data: lines}}, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if w := s.Warnings(); len(w) > 0 {
		t.Fatal(w)
	}
	return s
}

// counting evaluates by a formula and counts.
type counting struct {
	calls   [][]string // configurations of each batch
	failAt  string     // recipe that cannot be computed
	refuses func(*record.Record) bool
}

func (e *counting) Stands(_ context.Context, _ Config, r *record.Record) bool {
	return e.refuses == nil || !e.refuses(r)
}

func (e *counting) Evaluate(_ context.Context, configs []Config, done func(int, record.Record) error) error {
	var names []string
	defer func() { e.calls = append(e.calls, names) }()
	for i, c := range configs {
		if c["recipe"] == e.failAt {
			return errors.New("the model is not here")
		}
		names = append(names, c["recipe"]+"/"+c["clip"])
		r := c.Record()
		r.Metrics = []record.Metric{{Name: "ppl", Value: 20 + float64(len(c["clip"])), Better: record.Lower}}
		if err := done(i, r); err != nil {
			return err
		}
	}
	return nil
}

func (e *counting) total() int {
	n := 0
	for _, c := range e.calls {
		n += len(c)
	}
	return n
}

func TestRunComputesOnlyWhatIsMissing(t *testing.T) {
	store := storeOf(t, shippedRecord(t, "w8a8", "15", "c4", DefaultWindows, 22, 1))
	ev := new(counting)
	two := []Option{Set("recipe", "w8a8"), Set("clip", "none", 15.0)}
	runs, err := Clip.Run(context.Background(), store, ev, two...)
	if err != nil || runs.Err() != nil {
		t.Fatal(err, runs.Err())
	}
	if ev.total() != 5 { // fp32 and two clips on two texts, less the shipped one
		t.Errorf("%d configurations computed, want 5: %v", ev.total(), ev.calls)
	}
	if len(ev.calls) != 2 {
		t.Errorf("%d batches, want one a text: %v", len(ev.calls), ev.calls)
	}
	if v, ok := runs.At("ppl_c4", "recipe", "w8a8", "clip", "15"); !ok || v.Y != 22 || v.Err != 0.1 || v.Better != chart.Lower {
		t.Errorf("the shipped value came back as %+v", v)
	}
	if n := runs.Count(); n[Shipped] != 1 || n[Computed] != 5 {
		t.Errorf("origins %v", n)
	}
	again := new(counting)
	runs, err = Clip.Run(context.Background(), store, again, two...)
	if err != nil || again.total() != 0 {
		t.Errorf("the second run computed %d configurations (%v), want none", again.total(), err)
	}
	if n := runs.Count(); n[Found] != 5 {
		t.Errorf("origins of the second run %v", n)
	}
	// Another window is another question.
	if _, err := Clip.Run(context.Background(), store, again, append(two, Set("window", 512))...); err != nil || again.total() != 6 {
		t.Errorf("a changed window computed %d configurations (%v), want all 6", again.total(), err)
	}
}

func TestFreshStoresNothing(t *testing.T) {
	store := storeOf(t, shippedRecord(t, "w8a8", "15", "c4", DefaultWindows, 22, 1))
	ev := new(counting)
	before := len(store.Filter(func(*record.Record) bool { return true }))
	runs, err := Clip.Run(context.Background(), store, ev, Set("recipe", "w8a8"), Set("clip", 15), Set("corpus", "c4"), Fresh(), WithoutBase())
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := runs.At("ppl_c4"); ev.total() != 1 || v.Y != 22 { // 20 + len("15")
		t.Errorf("computed %d, value %v, want the computed one", ev.total(), v)
	}
	if after := len(store.Filter(func(*record.Record) bool { return true })); after != before {
		t.Errorf("%d records after, %d before", after, before)
	}
}

func TestRowsThatCannotBeComputedStay(t *testing.T) {
	store := storeOf(t, shippedRecord(t, "w8a8", "15", "c4", DefaultWindows, 22, 1))
	runs, err := Clip.Run(context.Background(), store, &counting{failAt: "w4a4"}, Set("recipe", "w8a8", "w4a4"), Set("clip", 15), Set("corpus", "c4"), WithoutBase())
	if err != nil {
		t.Fatal(err)
	}
	if runs.Len() != 2 || runs.Err() == nil || !strings.Contains(runs.Err().Error(), "model is not here") {
		t.Errorf("%d rows, reason %v; want both rows and the reason", runs.Len(), runs.Err())
	}
	if _, ok := runs.At("ppl_c4", "recipe", "w4a4"); ok {
		t.Error("a value for the row that failed")
	}
	if s, _ := runs.Text(1, "source"); s != Missing {
		t.Errorf("source of the failed row: %q", s)
	}
	runs, err = Clip.Run(context.Background(), store, nil, Set("recipe", "w8a8"), Set("clip", 15, 8), Set("corpus", "c4"), WithoutBase())
	if err != nil || !errors.Is(runs.Err(), ErrMissing) || !strings.Contains(runs.Err().Error(), "clip=8") {
		t.Errorf("without an evaluator: %v, %v; want the missing configuration named", err, runs.Err())
	}
}

// refusing computes nothing of a batch in which a configuration is impossible, and says which.
type refusing struct{ counting }

func (e *refusing) Evaluate(ctx context.Context, configs []Config, done func(int, record.Record) error) error {
	for i, c := range configs {
		if c["clip"] == e.failAt {
			return fmt.Errorf("open: %w", &ConfigError{I: i, Err: errors.New("no such clip in this model")})
		}
	}
	return e.counting.Evaluate(ctx, configs, done)
}

// A row that cannot be does not take the others with it.
func TestOneImpossibleRow(t *testing.T) {
	for _, at := range []string{"none", "12", "6"} { // first, middle and last of a batch
		ev := &refusing{counting{failAt: at}}
		runs, err := Clip.Run(context.Background(), storeOf(t), ev, Set("recipe", "w8a8"), Set("clip", "none", 15, 12, 6), Set("corpus", "c4"), WithoutBase())
		if err != nil {
			t.Fatal(err)
		}
		if ev.total() != 3 {
			t.Errorf("clip %s refused: %d rows computed, want the 3 others", at, ev.total())
		}
		if _, ok := runs.At("ppl_c4", "clip", at); ok {
			t.Errorf("clip %s has a value", at)
		}
		if runs.Err() == nil || !strings.Contains(runs.Err().Error(), "no such clip") {
			t.Errorf("clip %s refused: %v, want the reason", at, runs.Err())
		}
	}
	all := &refusing{counting{failAt: "6"}}
	if runs, err := Clip.Run(context.Background(), storeOf(t), all, Set("recipe", "w8a8"), Set("clip", 6), Set("corpus", "c4"), WithoutBase()); err != nil || runs.Err() == nil || len(all.calls) != 0 {
		t.Errorf("a batch of one impossible row: %v, %v", err, all.calls)
	}
}

// choosing knows that the model has no such clip.
type choosing struct{ counting }

func (e *choosing) Possible(_ context.Context, c Config) bool { return c["clip"] != e.failAt }

// What a model cannot be asked is no row, and nothing that is missing.
func TestImpossibleRowsAreNoRows(t *testing.T) {
	ev := &choosing{counting{failAt: "12"}}
	asked := []Option{Set("recipe", "w8a8"), Set("clip", 15, 12, 6), Set("corpus", "c4"), WithoutBase()}
	runs, err := Clip.Run(context.Background(), storeOf(t), ev, asked...)
	if err != nil || runs.Err() != nil || runs.Len() != 2 || ev.total() != 2 {
		t.Errorf("%d rows, %d computed (%v, %v), want 2 and 2", runs.Len(), ev.total(), err, runs.Err())
	}
	missing, err := Clip.Missing(context.Background(), storeOf(t), ev, asked...)
	if err != nil || len(missing) != 1 || len(missing[0]) != 2 {
		t.Errorf("missing: %v (%v), want the 2 possible rows", missing, err)
	}
}

func TestStaleRecordsAreLeftOut(t *testing.T) {
	old := shippedRecord(t, "w8a8", "15", "c4", DefaultWindows, 99, 1)
	fresh := shippedRecord(t, "w8a8", "15", "c4", DefaultWindows, 22, 2)
	ev := &counting{refuses: func(r *record.Record) bool { return r.Semantics != 2 }}
	options := []Option{Set("recipe", "w8a8"), Set("clip", 15), Set("corpus", "c4"), WithoutBase()}
	runs, err := Clip.Run(context.Background(), storeOf(t, old, fresh), ev, options...)
	if v, _ := runs.At("ppl_c4"); err != nil || v.Y != 22 || runs.Stale != 1 || ev.total() != 0 {
		t.Errorf("value %v, %d stale, %d computed (%v); want the present semantics alone", v, runs.Stale, ev.total(), err)
	}
	runs, err = Clip.Run(context.Background(), storeOf(t, old), ev, append(options, Stored())...)
	if _, ok := runs.At("ppl_c4"); err != nil || ok || runs.Stale != 1 {
		t.Errorf("a stale record alone: found %v, %d stale (%v)", ok, runs.Stale, err)
	}
}

func TestMostWindows(t *testing.T) {
	store := storeOf(t, shippedRecord(t, "w8a8", "15", "opticks", 2, 31, 1), shippedRecord(t, "w8a8", "15", "opticks", 8, 30, 1), shippedRecord(t, "w8a8", "15", "opticks", 4, 32, 1))
	runs, err := Clip.Run(context.Background(), store, nil, Set("corpus", "opticks"), Set("recipe", "w8a8"), Set("clip", 15), Set("windows", Most), WithoutBase())
	if v, _ := runs.At("ppl_opticks"); err != nil || v.Y != 30 {
		t.Errorf("%v, %v; want the record over 8 windows", v, err)
	}
	// Two recipes have 4 windows in common: the one over 8 would compare unlike things.
	store = storeOf(t, shippedRecord(t, "w8a8", "15", "c4", 8, 30, 1), shippedRecord(t, "w8a8", "15", "c4", 4, 31, 1), shippedRecord(t, "w6a6", "15", "c4", 4, 35, 1))
	runs, err = Clip.Run(context.Background(), store, nil, Set("corpus", "c4"), Set("recipe", "w8a8", "w6a6"), Set("clip", 15), WithoutBase())
	if v, _ := runs.At("ppl_c4", "recipe", "w8a8"); err != nil || v.Y != 31 || runs.Err() != nil {
		t.Errorf("%v, %v, %v; want both over 4 windows", v, err, runs.Err())
	}
}

func TestSetRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		option Option
		says   []string
	}{
		"axis":     {Set("clop", 15), []string{`"clop"`, "recipe, clip, corpus", "windows"}},
		"zero":     {Set("clip", 0), []string{`"0"`, "none, 20", "from 1 on"}},
		"negative": {Set("clip", -3), []string{"from 1 on"}},
		"small":    {Set("clip", 0.999), []string{"expected 1 or more", "37 %"}},
		"NaN":      {Set("clip", math.NaN()), []string{`"NaN"`}},
		"digits":   {Set("clip", "15.12345"), []string{"three fraction digits"}},
		"recipe":   {Set("recipe", "w8a9"), []string{`"w8a9"`, "w8a8"}},
		"empty":    {Set("clip"), []string{"at least one value"}},
		"two":      {Set("window", 512, 1024), []string{"one value"}},
	} {
		_, err := Clip.Run(context.Background(), storeOf(t), nil, c.option)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %v: does not say %q", name, err, s)
			}
		}
	}
	var many []int
	for i := range 10_000 {
		many = append(many, i+1)
	}
	if _, err := Clip.Run(context.Background(), storeOf(t), nil, Set("clip", many)); err == nil || !strings.Contains(err.Error(), "fewer levels") {
		t.Errorf("60,000 configurations: %v", err)
	}
}

// TestSpelling: one clip value is one level, whatever it was written as.
func TestSpelling(t *testing.T) {
	for _, clip := range []any{15, 15.0, "15", "15.0", "15.000", float32(15)} {
		p := plan{study: Clip, only: map[string][]string{}, fixed: map[string]string{}}
		if err := Set("clip", clip)(&p); err != nil || !slices.Equal(p.only["clip"], []string{"15"}) {
			t.Errorf("%v (%T) became %v (%v)", clip, clip, p.only["clip"], err)
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	store := storeOf(t)
	ev := Each(func(_ context.Context, c Config) (record.Record, error) {
		if c["clip"] == "17" {
			cancel()
		}
		r := c.Record()
		r.Metrics = []record.Metric{{Name: "ppl", Value: 1}}
		return r, nil
	})
	_, err := Clip.Run(ctx, store, ev, Set("recipe", "w8a8"), Set("corpus", "c4"), WithoutBase())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the interruption", err)
	}
	if n := len(store.Filter(func(*record.Record) bool { return true })); n != 3 { // none, 20, 17
		t.Errorf("%d finished configurations kept, want 3", n)
	}
}

func TestCompare(t *testing.T) {
	run := func(r ...*record.Record) *Runs {
		runs, err := Clip.Run(context.Background(), storeOf(t, r...), nil, Set("recipe", "w8a8", "w6a6", "w4a4"), Set("clip", 15), Set("corpus", "c4"), Set("windows", Most), WithoutBase())
		if err != nil {
			t.Fatal(err)
		}
		return runs
	}
	a, b := shippedRecord(t, "w8a8", "15", "c4", 2, 22, 1), shippedRecord(t, "w6a6", "15", "c4", 2, 28, 1)
	then := run(shippedRecord(t, "w8a8", "15", "c4", 32, 22, 1), shippedRecord(t, "w6a6", "15", "c4", 32, 28.5, 1))
	list := Compare(run(a, b, shippedRecord(t, "w4a4", "15", "c4", 2, 2000, 1)), then)
	if len(list) != 3 {
		t.Fatalf("%d comparisons, want 3", len(list))
	}
	if !list[0].Same() || list[0].Windows != 2 {
		t.Errorf("equal windows: %+v", list[0])
	}
	if list[1].Same() || math.Abs(list[1].MaxDiff-math.Log(28.5/28)) > 1e-12 {
		t.Errorf("different windows: %+v", list[1])
	}
	if list[2].Found || math.Abs(list[2].Now-2000) > 1e-6 {
		t.Errorf("no such record: %+v", list[2])
	}
	text := list.Table().String()
	for _, want := range []string{"equal bits", "equal bits in 0 of 2", "no record to compare with"} {
		if !strings.Contains(text, want) {
			t.Errorf("the table does not say %q:\n%s", want, text)
		}
	}
}

func TestChartOfRuns(t *testing.T) {
	var all []*record.Record
	for _, corpus := range []string{"wikitext2", "c4"} {
		all = append(all, shippedRecord(t, "fp32", "", corpus, DefaultWindows, 21.63, 0))
		for i, clip := range []string{"none", "15", "8"} {
			all = append(all, shippedRecord(t, "w8a8", clip, corpus, DefaultWindows, 22+float64(i), 1))
		}
	}
	runs, err := Clip.Run(context.Background(), storeOf(t, all...), nil, Set("recipe", "w8a8"), Set("clip", "none", 15, 8))
	if err != nil || runs.Err() != nil {
		t.Fatal(err, runs.Err())
	}
	c := chart.Line(runs, "clip", "ppl_c4", "recipe")
	if len(c.Baselines) != 1 || c.Baselines[0].Name != "fp32" || len(c.Series) != 1 || len(c.Series[0].Points) != 3 {
		t.Errorf("baselines %v, series %v", c.Baselines, c.Series)
	}
	if row, ok := runs.Best("ppl_c4", "recipe", "w8a8"); !ok {
		t.Error("no best row")
	} else if clip, _ := runs.Text(row, "clip"); clip != "none" {
		t.Errorf("best clip %q", clip)
	}
	if n := runs.Where("clip", 15).Len(); n != 2 { // and the base
		t.Errorf("%d rows where clip = 15, want 2", n)
	}
}

// windowed knows a model with a short context.
type windowed struct{ counting }

func (windowed) Window(_ context.Context, model string) int {
	if model == "short" {
		return 512
	}
	return 1024
}

// TestModels: a base row for every model, rows of a model together, and the window of each model's own.
func TestModels(t *testing.T) {
	ev := new(windowed)
	runs, err := Models.Run(context.Background(), storeOf(t), ev, Set("model", "short", "long"), Set("recipe", "w8a8", "w4a4"))
	if err != nil || runs.Err() != nil {
		t.Fatal(err, runs.Err())
	}
	var rows []string
	for i := range runs.Len() {
		model, _ := runs.Text(i, "model")
		recipe, _ := runs.Text(i, "recipe")
		window, _ := runs.Text(i, "window")
		rows = append(rows, model+" "+recipe+" "+window)
	}
	want := []string{"short fp32 512", "short w8a8 512", "short w4a4 512", "long fp32 1024", "long w8a8 1024", "long w4a4 1024"}
	if !slices.Equal(rows, want) {
		t.Errorf("rows %q, want %q", rows, want)
	}
	if !strings.Contains(runs.Caption(), "windows of 512 or 1024 tokens") {
		t.Errorf("caption %q does not name both windows", runs.Caption())
	}
	if len(ev.calls) != 2 {
		t.Errorf("%d batches, want one a model: %v", len(ev.calls), ev.calls)
	}
}

// TestDerivedRecipe: axes that spell the recipe find records by it, and settings that a record leaves out mean their default.
func TestDerivedRecipe(t *testing.T) {
	a := shippedRecord(t, "w4a4-fsbr", "15", "wikitext2", 4, 40, 1)
	b := shippedRecord(t, "w4a4", "15", "wikitext2", 4, 90, 1)
	c := shippedRecord(t, "w4a4", "15", "wikitext2", 4, 30, 1)
	c.Axes["operators"] = "half"
	c.Config["operators"] = "half"
	store := storeOf(t, a, b, c)
	runs, err := Methods.Run(context.Background(), store, nil, Stored(), WithoutBase(), Set("width", "w4a4"), Set("method", "rtn", "fsbr"),
		Set("arithmetic", Integer), Set("corpus", "wikitext2"), Set("window", 2048))
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]float64{"rtn": 90, "fsbr": 40} {
		if v, ok := runs.At("ppl", "method", method); !ok || v.Y != want {
			t.Errorf("method %s: %v, want %v", method, v.Y, want)
		}
	}
	runs, err = NonLinear.Run(context.Background(), store, nil, Stored(), WithoutBase(), Set("recipe", "w4a4"), Set("operators", Integer, "half"),
		Set("corpus", "wikitext2"), Set("window", 2048))
	if err != nil {
		t.Fatal(err)
	}
	for ops, want := range map[string]float64{Integer: 90, "half": 30} {
		if v, ok := runs.At("ppl", "operators", ops); !ok || v.Y != want {
			t.Errorf("operators %s: %v, want %v", ops, v.Y, want)
		}
	}
	if _, err := NonLinear.Run(context.Background(), store, nil, Set("operators", "half:soft")); err == nil || !strings.Contains(err.Error(), "softmax, activation or norm") {
		t.Errorf("an unknown operator: %v", err)
	}
}
