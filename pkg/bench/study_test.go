package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/record"
)

// contextRecords are those of StudyContext for given costs, in milliseconds.
func contextRecords(lengths []int, total, attention func(n float64) float64) (out Measured) {
	for _, n := range lengths {
		x := float64(n)
		out = append(out, &record.Record{Axes: map[string]string{"study": StudyContext, "tokens": strconv.Itoa(n)}, Metrics: []record.Metric{
			{Name: "prefill_ms", Value: total(x)}, {Name: "attention_ms", Value: attention(x), Stderr: 0.01 * attention(x)},
			{Name: "linear_ms", Value: total(x) - attention(x)}, {Name: "pairs", Value: x * (x + 1) / 2}}})
	}
	return out
}

// Costs made of known parts are taken apart again.
func TestFit(t *testing.T) {
	lengths := []int{128, 256, 512, 1024, 2048}
	pairs := func(n float64) float64 { return 2e-5 * n * (n + 1) / 2 }
	f := contextRecords(lengths, func(n float64) float64 { return 3 + 0.4*n + pairs(n) }, pairs).Fit()
	for what, v := range map[string][2]float64{"fixed": {f.Fixed, 3}, "token": {f.Token, 0.4}, "whole": {f.Whole, 2e-5}, "pair": {f.Pair, 2e-5}, "row": {1 + f.Row, 1}, "R²": {f.R2, 1}} {
		if math.Abs(v[0]-v[1]) > 1e-8*v[1] {
			t.Errorf("%s: %v, want %v", what, v[0], v[1])
		}
	}
	for _, p := range f.Points {
		if math.Abs(p.Fitted/p.Total-1) > 1e-9 || math.Abs(p.AttentionOff) > 1e-9 {
			t.Errorf("%d tokens: fitted %v of %v, attention off by %v", p.Tokens, p.Fitted, p.Total, p.AttentionOff)
		}
	}
	for _, g := range f.goals() {
		if g.State() != "reached" {
			t.Error(g)
		}
	}
	// attention with a part that grows faster than its pairs misses the goal
	steep := func(n float64) float64 { return 1e-8 * n * n * n }
	f = contextRecords(lengths, func(n float64) float64 { return 0.4*n + steep(n) }, steep).Fit()
	for _, g := range f.goals()[1:] {
		if g.State() != "missed" {
			t.Error(g)
		}
	}
	// a cost a row is told from the cost a pair
	rows := func(n float64) float64 { return 0.05*n + pairs(n) }
	if f = contextRecords(lengths, func(n float64) float64 { return 0.4*n + rows(n) }, rows).Fit(); math.Abs(f.Row-0.05) > 1e-9 || math.Abs(f.Pair-2e-5) > 1e-12 {
		t.Errorf("row %v, pair %v", f.Row, f.Pair)
	}
	if got, want := f.RowShare(1024), 51.2/(51.2+pairs(1024)); math.Abs(got-want) > 1e-9 {
		t.Errorf("share of the rows %v, want %v", got, want)
	}
	if g := (Measured{}).Fit().goals(); g != nil {
		t.Errorf("goals without a record: %v", g)
	}
	two := contextRecords([]int{256, 512}, func(n float64) float64 { return 0.4*n + pairs(n) }, pairs).Fit()
	if math.Abs(two.Token-0.4) > 1e-9 || two.Fixed != 0 {
		t.Errorf("two lengths: %+v", two)
	}
}

func TestGoalState(t *testing.T) {
	for _, c := range []struct {
		g    Goal
		want string
	}{
		{Goal{Low: 1.3, High: 1.4, Goal: 1.2}, "reached"}, {Goal{Low: 1, High: 1.1, Goal: 1.2}, "missed"}, {Goal{Low: 1.1, High: 1.3, Goal: 1.2}, "open"},
		{Goal{Low: 4, High: 5, Goal: 8, AtMost: true}, "reached"}, {Goal{Low: 9, High: 10, Goal: 8, AtMost: true}, "missed"}, {Goal{Low: 7, High: 9, Goal: 8, AtMost: true}, "open"},
	} {
		if got := c.g.State(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.g, got, c.want)
		}
	}
}

func TestComponentOf(t *testing.T) {
	const pkg = "github.com/illm-go/illm/pkg/"
	for _, c := range []struct {
		want  string
		stack []string
	}{
		{"requantisation", []string{pkg + "simd/vec.requantAVX512", pkg + "simd/vec.Requant", pkg + "di.Ratio.Requant", pkg + "di.(*worker).Norm", pkg + "engine.(*Session).rowsPhase"}},
		{"requantisation", []string{pkg + "simd/vec.requantAVX512", pkg + "di.Requant", pkg + "engine.(*Session).qkvRows"}},
		{"rotation", []string{pkg + "simd/vec.walsh64AVX512", pkg + "simd/vec.Hadamard", pkg + "di.(*Hadamard).Apply", pkg + "engine.(*Session).placed"}},
		{"norm", []string{pkg + "simd/vec.normAVX512", pkg + "di.NormRow", pkg + "di.(*worker).Norm", pkg + "engine.(*Session).rowsPhase"}},
		{"norm", []string{pkg + "baseline.(*floatWorker).Norm", pkg + "engine.(*Session).rowsPhase"}},
		{"softmax", []string{pkg + "simd/vec.split", pkg + "di.Weights", pkg + "engine.(*Session).attend"}},
		{"Q·K product", []string{pkg + "simd/gemm.MatMul", pkg + "engine.(*kvCache).scores", pkg + "engine.(*Session).attend"}},
		{"linear products", []string{pkg + "simd/gemm.MatMul", pkg + "engine.multiply", pkg + "engine.(*Session).rowsPhase"}},
	} {
		i := componentOf(c.stack)
		if i < 0 || i >= len(components) || components[i].name != c.want {
			t.Errorf("%v: component %d, want %s", c.stack, i, c.want)
		}
	}
	if i := componentOf([]string{"runtime.mallocgc", "main.main"}); i != -1 {
		t.Errorf("a stack without the engine: component %d", i)
	}
}

// A real profile is read to the last sample, and a damaged one gives an error.
func TestReadProfile(t *testing.T) {
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		t.Skip(err)
	}
	x := 1.0
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		x = math.Sqrt(x + 1)
	}
	pprof.StopCPUProfile()
	var total uint64
	if err := readProfile(b.Bytes(), func(stack []string, n uint64) { total += n }); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d samples, %g", total, x)
	if err := readProfile(b.Bytes()[:b.Len()/2], func([]string, uint64) {}); err == nil {
		t.Error("half a profile is read without an error")
	}
	if err := readProfile([]byte("no gzip"), nil); err == nil {
		t.Error("no profile at all is read without an error")
	}
}

// Every study of a tiny model files records, and their tables, goals and sentences hold what was measured.
func TestStudies(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{Store: store, Threads: 2}
	defer r.Close()
	lines := 0
	m, err := r.Study(context.Background(), StudyRequest{Model: modeltest.Tiny(t), Runs: 2, Prefill: 48, Lengths: []int{16, 32, 64}, Rows: []int{64},
		Samples: 2, Shrink: 32, Least: time.Microsecond, Memory: func(context.Context, Loaded, []int32) (int64, error) { return 1 << 20, nil }, Say: func(string) { lines++ }})
	if err != nil {
		t.Fatal(err)
	}
	if lines == 0 {
		t.Error("nothing was said")
	}
	rows := map[string]int{StudyOperators: 7, StudyDynamic: 9, StudyFloats: 3, StudyScaling: 2, StudyContext: 3, StudyEfficient: 9 * (1 + len(efficiencyParts)), StudyShapes: 4 * 9}
	for _, name := range StudyNames() {
		of := m.Of(name, "")
		g := of.Grid()
		if len(of) == 0 || len(g.Rows) == 0 || rows[name] > 0 && len(of) != rows[name] {
			t.Errorf("%s: %d records, table\n%s", name, len(of), g)
			continue
		}
		for _, row := range g.Rows {
			if len(row) != len(g.Head) {
				t.Errorf("%s: %d cells under %d heads: %q", name, len(row), len(g.Head), row)
			}
		}
		if err := of.Chart().Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, rec := range of {
			for _, v := range rec.Metrics {
				if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) || v.Value < 0 && !strings.HasPrefix(v.Name, "extra") {
					t.Errorf("%s %v: %s = %v", name, rec.Axes, v.Name, v.Value)
				}
			}
			if rec.Kind != record.Timing || rec.Key == "" {
				t.Errorf("%s: record of kind %q, key %q", name, rec.Kind, rec.Key)
			}
		}
		if name != StudyRoofline && name != StudyContext && name != StudyFloatPart && name != StudyDynamic && name != StudyShapes && len(of.Goals()) == 0 { // prompts this short have no goal
			t.Errorf("%s: no goal", name)
		}
		if !strings.Contains(of.Sentences(), "threads") {
			t.Errorf("%s: %s", name, of.Sentences())
		}
	}
	// conversions of a token are countable: in and out of every norm, softmax and SwiGLU, two operands in
	for _, rec := range m.Of(StudyFloats, "") {
		c := number(rec, "conversions_token")
		if integer := rec.Axes["operators"] == "integer"; integer != (c == 0) {
			t.Errorf("%s: %v conversions a token", rec.Axes["operators"], c)
		}
	}
	var sum float64
	for _, rec := range m.Of(StudyParts, "") {
		sum += number(rec, "share")
	}
	if math.Abs(sum-100) > 1e-9 {
		t.Errorf("the shares add up to %v %%", sum)
	}
	sums := map[string]float64{}
	for _, rec := range m.Of(StudyFloatPart, "") {
		sums[rec.Axes["operators"]] += number(rec, "share")
	}
	for _, set := range operatorSets {
		if math.Abs(sums[set]-100) > 1e-9 {
			t.Errorf("%s: the shares add up to %v %%", set, sums[set])
		}
	}
}

func TestStudyRequests(t *testing.T) {
	for want, q := range map[string]StudyRequest{
		"expected all, operators": {Studies: []string{"operatorz"}},
		"positive numbers":        {Runs: -1},
		"expected 1 to":           {Lengths: []int{0}},
	} {
		if err := q.defaults(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", q, err, want)
		}
	}
	q := StudyRequest{Studies: []string{"x"}}
	if err := q.defaults(); !errors.As(err, new(ErrStudy)) {
		t.Error("an unknown study is not told apart")
	}
}

// The newest run of a study answers for it, and runs do not mix.
func TestMeasuredOf(t *testing.T) {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rec := func(study, model string, at time.Time) *record.Record {
		return &record.Record{Axes: map[string]string{"study": study, "model": model}, Time: at}
	}
	m := Measured{rec("a", "x", day), rec("a", "x", day.Add(time.Hour)), rec("a", "x", day.Add(time.Hour)), rec("a", "y", day.Add(2*time.Hour)), rec("b", "x", day)}
	if got := m.Of("a", "x"); fmt.Sprint(len(got)) != "2" || !got[0].Time.After(day) {
		t.Errorf("%d records", len(got))
	}
	if got := m.Of("c", ""); len(got) != 0 || len(got.Grid().Head) != 1 {
		t.Errorf("a study without records: %v", got.Grid())
	} else if err := got.Chart().Validate(); !errors.Is(err, chart.ErrEmpty) || !strings.Contains(got.Sentences(), "no record") {
		t.Errorf("a study without records: chart %v, %q", err, got.Sentences())
	}
}

// The shipped comparison with llama.cpp has charts, and a ratio for every rival.
func TestPeered(t *testing.T) {
	t.Setenv("ILLM_RECORDS", t.TempDir())
	b, err := Peered("smollm2")
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range []peers.Op{peers.Prefill, peers.Decode} {
		if err := b.Chart(op).Validate(); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
	g := b.Grid("illm w8a8")
	for _, row := range g.Rows {
		if len(row) != len(g.Head) || !strings.HasPrefix(row[1], "llama.cpp") || !strings.Contains(row[3], "–") || row[3] == "–" {
			t.Errorf("row %q under %q", row, g.Head)
		}
	}
	// a record says how many times faster: the quotient of the medians is near the median of the quotients
	ours := map[string]float64{}
	for _, r := range b {
		if r.Axes["subject"] == "illm w8a8" {
			ours[r.Axes["case"]] = number(r, "seconds")
		}
	}
	for _, r := range b.best(peers.Prefill, peers.Decode) {
		if v, ok := r.Metric("ratio_illm w8a8"); ok {
			if q := number(r, "seconds") / ours[r.Axes["case"]]; math.Abs(q/v.Value-1) > 0.35 {
				t.Errorf("%v: ratio %v, medians give %v", r.Axes, v.Value, q)
			}
		}
	}
	none, err := Peered("no such model")
	if err != nil || len(none.Grid().Rows) != 1 || none.Chart(peers.Prefill).Title == "" {
		t.Errorf("a model without records: %v, %v", none.Grid(), err)
	}
}
