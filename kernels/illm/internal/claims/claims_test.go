package claims

import (
	"context"
	"encoding/json"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/record"
)

func TestParse(t *testing.T) {
	list, err := Parse(data.Claims())
	if err != nil || len(list) < 20 {
		t.Fatalf("%d claims, %v", len(list), err)
	}
	for _, c := range list {
		for _, w := range []*Where{&c.Value, c.By} {
			if w == nil || w.Study == "" {
				continue
			}
			if _, ok := ablation.ByName(w.Study); !ok {
				t.Errorf("%s: no study %q", c.ID, w.Study)
			}
		}
	}
	const good = `{"id": "a", "sentence": "s", "kind": "quality", "notebook": "n", "command": "illm c", "value": {"record": {"x": "1"}, "metric": "m"}, "expected": 1, "tolerance": 0.1, "minutes": 1, "memory_mb": 1}`
	if _, err := Parse([]byte("[" + good + "]")); err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string]string{
		"a list":    good,
		"the end":   "[" + good + "] 1",
		"taken":     "[" + good + "," + good + "]",
		"unknown":   strings.Replace(good, `"kind"`, `"kin"`, 1),
		"kind":      strings.Replace(good, `"quality"`, `"other"`, 1),
		"sentence":  strings.Replace(good, `"s"`, `"a | b"`, 1),
		"tolerance": strings.Replace(good, `"tolerance": 0.1`, `"tolerance": 0`, 1),
		"one of":    strings.Replace(good, `"expected": 1`, `"expected": 1, "at_most": 2`, 1),
		"minutes":   strings.Replace(good, `"minutes": 1`, `"minutes": -1`, 1),
		"value":     strings.Replace(good, `"metric": "m"`, `"metric": ""`, 1),
	} {
		if !strings.HasPrefix(bad, "[") && what != "a list" {
			bad = "[" + bad + "]"
		}
		if _, err := Parse([]byte(bad)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

// old takes records of the first semantics for stale.
type old struct{ ablation.Each }

func (old) Stands(_ context.Context, _ ablation.Config, r *record.Record) bool {
	return r.Semantics != 1
}

// The numbers are found, divided and judged as by hand: 30/20 = 1.5.
func TestVerify(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1e9, 0).UTC()
	add := func(model, recipe, windows, operators string, semantics int, ppl float64) {
		r := &record.Record{Kind: record.Quality, Semantics: semantics, Axes: map[string]string{"model": model, "recipe": recipe, "corpus": "wikitext2", "windows": windows},
			Config: map[string]any{"first": 0, "window": 1024, "task": "ppl", "model": model, "recipe": recipe, "windows": windows}, Metrics: []record.Metric{{Name: "ppl", Value: ppl}}, Time: at}
		at = at.Add(time.Second)
		if recipe != "fp32" {
			r.Axes["clip"], r.Axes["mode"] = "15", "illm"
		}
		if operators != "" {
			r.Axes["operators"], r.Config["operators"] = operators, operators
		}
		if err := store.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	add("tiny-llama", "fp32", "4", "", 0, 20)
	add("tiny-llama", "w8a8", "4", "", 2, 99) // superseded: the same key
	add("tiny-llama", "w8a8", "4", "", 2, 30)
	add("tiny-llama", "w8a8", "4", "half", 2, 7)
	add("tiny-llama", "w8a8", "8", "", 2, 1000)
	add("tiny-llama", "w6a6", "4", "", 1, 40)
	row := func(recipe string) Where {
		return Where{Study: "models", Row: map[string]string{"model": "tiny-llama", "recipe": recipe, "corpus": "wikitext2"}, Set: map[string]string{"windows": "4", "window": "1024"}, Column: "ppl_wikitext2"}
	}
	num := func(v float64) *float64 { return &v }
	fp := row("fp32")
	direct := Where{Record: map[string]string{"task": "ppl", "recipe": "w8a8", "windows": "4"}, Metric: "ppl"}
	models := func(name string) (fs.FS, bool) {
		return fstest.MapFS{"training.json": {Data: []byte(`{"valid": 3.25}`)}}, name == "m"
	}
	for _, c := range []struct {
		claim   Claim
		verdict string
		found   float64
		off     float64
	}{
		{Claim{Value: row("w8a8"), By: &fp, Expected: num(1.49), Tolerance: 0.02}, Holds, 1.5, 0.01},
		{Claim{Value: row("w8a8"), By: &fp, Expected: num(1.49), Tolerance: 0.005}, Differs, 1.5, 0.01},
		{Claim{Value: row("w8a8"), AtMost: num(30)}, Holds, 30, 0},
		{Claim{Value: row("w8a8"), AtMost: num(28)}, Differs, 30, 2},
		{Claim{Value: row("w8a8"), AtLeast: num(31)}, Differs, 30, -1},
		{Claim{Value: fp, AtLeast: num(20)}, Holds, 20, 0},
		{Claim{Value: row("w4a4"), AtMost: num(1)}, None, math.NaN(), 0},
		{Claim{Value: row("w6a6"), AtMost: num(1)}, Stale, math.NaN(), 0},
		{Claim{Value: row("w6a6"), By: &fp, AtMost: num(1)}, Stale, math.NaN(), 0},
		{Claim{Value: direct, AtMost: num(30)}, Holds, 30, 0},
		{Claim{Value: Where{Record: map[string]string{"recipe": "w6a6"}, Metric: "ppl"}, AtMost: num(30)}, Stale, math.NaN(), 0},
		{Claim{Value: Where{Record: map[string]string{"recipe": "w8a8", "operators": "half"}, Metric: "ppl"}, AtMost: num(7)}, Holds, 7, 0},
		{Claim{Value: Where{Training: "m", Metric: "valid"}, Expected: num(3.25), Tolerance: 0.1}, Holds, 3.25, 0},
		{Claim{Value: Where{Training: "n", Metric: "valid"}, Expected: num(3.25), Tolerance: 0.1}, None, math.NaN(), 0},
		{Claim{Value: Where{Study: "nonsense", Row: map[string]string{"a": "b"}, Column: "c"}, AtMost: num(1)}, None, math.NaN(), 0},
		{Claim{Value: Where{Study: "models", Row: map[string]string{"no such axis": "b"}, Column: "c"}, AtMost: num(1)}, None, math.NaN(), 0},
	} {
		got, err := Verify(t.Context(), Sources{Store: store, Evaluator: old{}, Models: models}, []Claim{c.claim})
		if err != nil || len(got) != 1 {
			t.Fatalf("%d results, %v", len(got), err)
		}
		r := got[0]
		if r.Verdict != c.verdict || !(r.Found == c.found || math.IsNaN(r.Found) && math.IsNaN(c.found)) || math.Abs(r.Off-c.off) > 1e-9 {
			text, _ := json.Marshal(c.claim)
			t.Errorf("%s: %s, %g, %g off; want %s, %g, %g", text, r.Verdict, r.Found, r.Off, c.verdict, c.found, c.off)
		}
		if known := !math.IsNaN(c.found); known == (r.Why != "") {
			t.Errorf("%s %v: reason %q", r.Verdict, c.claim.Value, r.Why)
		}
	}
}

// A ratio of times takes both from one build: 60/20 of the older one, not 90/20 nor 60/30.
func TestVerifyRatioOfTimes(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1e9, 0).UTC()
	add := func(commit, cpu, recipe string, rate float64) {
		t.Helper()
		at = at.Add(time.Second)
		r := &record.Record{Kind: record.Timing, Axes: map[string]string{"model": "m", "recipe": recipe}, Config: map[string]any{"task": "speed", "model": "m", "recipe": recipe},
			Metrics: []record.Metric{{Name: "rate", Value: rate}}, Commit: commit, Env: record.Env{CPU: cpu}, Time: at}
		if err := store.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	where := func(recipe string) Where {
		return Where{Record: map[string]string{"task": "speed", "model": "m", "recipe": recipe}, Metric: "rate"}
	}
	fp, atLeast := where("fp32"), 1.0
	claim := Claim{Kind: Timing, Value: where("w8a8"), By: &fp, AtLeast: &atLeast}
	verdict := func() Result {
		t.Helper()
		got, err := Verify(t.Context(), Sources{Store: store}, []Claim{claim})
		if err != nil || len(got) != 1 {
			t.Fatalf("%d results, %v", len(got), err)
		}
		return got[0]
	}
	add("a", "cpu 1", "w8a8", 60)
	add("b", "cpu 1", "fp32", 30)
	if r := verdict(); r.Verdict != None || r.Why == "" {
		t.Errorf("two builds: %s, %g, reason %q", r.Verdict, r.Found, r.Why)
	}
	add("a", "cpu 1", "fp32", 20)
	add("a", "cpu 2", "w8a8", 90)
	add("c", "cpu 1", "w8a8", 90)
	if r := verdict(); r.Verdict != Holds || r.Found != 3 || len(r.Records) != 2 {
		t.Errorf("one build of three: %s, %g of %d records, want 3 of 2", r.Verdict, r.Found, len(r.Records))
	}
	add("c", "cpu 1", "fp32", 45)
	if r := verdict(); r.Found != 2 {
		t.Errorf("the newest build with both: %g, want 2", r.Found)
	}
}
