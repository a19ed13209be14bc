package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/kernels/illm/internal/readme"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/record"
)

// The README's tables and the cards of the models that are here are what the shipped records give.
func TestReadmeMatchesRecords(t *testing.T) {
	if testing.Short() {
		t.Skip("draws the charts")
	}
	root := filepath.Join("..", "..")
	files, err := written(root)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		raw, err := os.ReadFile(path)
		if err != nil || want != string(raw) {
			t.Errorf(`%s differs from the shipped records (%v): run "go run ./kernels/illm readme"`, path, err)
		}
	}
	for _, name := range readme.ChartNames() {
		path := filepath.Join("data", "charts", name+".svg")
		svg, ok := files[filepath.Join(root, path)]
		if !ok || !strings.HasPrefix(svg, "<svg") || strings.Contains(svg, "<script") || len(svg) > 200_000 {
			t.Errorf("%s: expected a picture without scripts of at most 200 kB, found %d bytes", path, len(svg))
		}
		if !strings.Contains(files[filepath.Join(root, "README.md")], "]("+filepath.ToSlash(path)+")") {
			t.Errorf("README.md does not show %s", path)
		}
	}
	const slider = "data/charts/slider.gif" // TestSliderGIF of pkg/nb makes it
	if st, err := os.Stat(filepath.Join(root, slider)); err != nil || st.Size() > 600_000 || !strings.Contains(files[filepath.Join(root, "README.md")], "]("+slider+")") {
		t.Errorf("%s: expected an animation of at most 600 kB that README.md shows (%v)", slider, err)
	}
	for _, name := range readme.Tables() {
		if !strings.Contains(files[filepath.Join(root, "README.md")], "<!-- table:"+name+" -->") {
			t.Errorf("README.md has no table %q", name)
		}
	}
}

const training = `{"model": "tiny", "recipe": {"train_sha256": "` + "abc" + `", "precision": "bf16", "batch": 64, "window": 1024, "seed": 7,
	"learning_rate": 0.001, "learning_rate_floor": 0.1, "warmup_steps": 200, "weight_decay": 0.1, "clip": 1, "steps": 0},
	"device": "a GPU", "steps": 12000, "tokens": 786432000, "loss": 3.21, "valid": 3.3, "seconds": 5400, "tokens_per_second": 145635, "curve": "curve.jsonl"}`

// A card says what the run, the files and the records of these very weights say.
func TestCard(t *testing.T) {
	dir := modeltest.Tiny(t)
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	if err := card(dir, "tiny", store, files); err != nil || len(files) != 0 {
		t.Fatalf("without a training record: %d files, %v; want none", len(files), err)
	}
	w, err := weightsOf(dir, "tiny")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		model, source string
		ppl           float64
	}{{"tiny", w.Source, 41.25}, {"tiny", "other weights", 99.75}, {"tiny+outliers", w.Uneven, 57.5}} {
		r := &record.Record{Kind: record.Quality, Axes: map[string]string{"model": c.model, "recipe": "w8a8", "corpus": "wikitext2", "windows": "3", "clip": "15", "mode": "illm"},
			Config:  map[string]any{"model": c.model, "source_sha256": c.source, "first": 0, "window": 1024},
			Metrics: []record.Metric{{Name: "ppl", Value: c.ppl}, {Name: "ppl_word", Value: 2 * c.ppl}}, Windows: make([]record.WindowStat, 3)}
		if err := store.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	put("training.json", training)
	put("curve.jsonl", `{"tokens": 1000000, "loss": 9, "valid": null}
{"tokens": 2000000, "loss": 7, "valid": 7.5}
{"tokens": 3000000, "loss": 6, "valid": 6.5}
`)
	if err := card(dir, "tiny", store, files); err != nil {
		t.Fatal(err)
	}
	text, svg := files[filepath.Join(dir, "README.md")], files[filepath.Join(dir, "training.svg")]
	for _, want := range []string{"LLaMA's type with 0.08 million", "CC BY-SA 3.0", "WikiText-2 (3 windows)", "| w8a8 | 41.25 | 82.5 |", "| w8a8 | 57.50 |", "12000 steps, 786 million tokens",
		"1.50 hours", "146 thousand tokens a second", "a GPU", "3.3000 nats", "| seed | 7 |", "training.svg", "learning rate 0.001 after 200 steps"} {
		if !strings.Contains(text, want) {
			t.Errorf("the card does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "99.75") {
		t.Error("the card shows a record of other weights")
	}
	if !strings.Contains(svg, "<svg") || !strings.Contains(svg, "validation") {
		t.Errorf("the loss curve is no picture of both losses: %.200s", svg)
	}
	// The trainer's own files give such a record.
	header := `{"recipe": {"train_sha256": "abc", "precision": "bf16", "batch": 64, "window": 1024, "learning_rate": 0.003, "steps": 0}}`
	state := "illm pretrain 1\n" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header + "values"
	var curve strings.Builder
	for i := range 1001 {
		valid := "null"
		if i%250 == 0 {
			valid = "5.5"
		}
		fmt.Fprintf(&curve, "{\"tokens\": %d, \"loss\": %d, \"valid\": %s}\n", i, 3+i%2, valid)
	}
	run := readme.Run{Model: "tiny", State: []byte(state), Summary: []byte(`{"steps": 100, "tokens": 6553600, "loss": 3.2, "valid": 3.25, "seconds": 64}`), Curve: []byte(curve.String()), Device: "a GPU", Share: 0.4}
	raw, err := readme.Assemble(run)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readme.ParseTraining(raw)
	if err != nil || got.Rate != 0.003 || got.Steps != 100 || got.Speed != 102400 || *got.Valid != 3.25 || got.Share != 0.4 {
		t.Errorf("record %+v, %v", got, err)
	}
	valids := 0
	for _, p := range got.Curve {
		if p.Valid != nil {
			valids++
		}
	}
	if len(got.Curve) > 410 || valids != 5 || got.Curve[len(got.Curve)-1].Tokens != 1000 {
		t.Errorf("%d points, %d validations; want about 400 with all 5, to the last", len(got.Curve), valids)
	}
	for _, bad := range []readme.Run{{}, {State: []byte(state)[:30]}, {State: []byte(state), Summary: []byte("done")}, {State: []byte(state), Summary: run.Summary, Curve: []byte("x")}} {
		if _, err := readme.Assemble(bad); err == nil {
			t.Errorf("%q was accepted", bad.State)
		}
	}
	// Points within the record do as well, and no curve is no picture.
	put("training.json", strings.Replace(training, `"curve.jsonl"`, `[{"tokens": 1, "loss": 3}]`, 1))
	files = map[string]string{}
	if err := card(dir, "tiny", store, files); err != nil || len(files) != 1 {
		t.Errorf("one point: %d files, %v; want the card alone", len(files), err)
	}
	for what, damaged := range map[string]string{
		"tokens":  strings.Replace(training, `"tokens": 786432000`, `"tokens": 0`, 1),
		"nothere": strings.Replace(training, "curve.jsonl", "nothere.jsonl", 1),
		"JSON":    training[:100],
		"is of":   strings.Replace(training, `"tiny"`, `"other"`, 1),
	} {
		put("training.json", damaged)
		err := card(dir, "tiny", store, map[string]string{})
		if err == nil || !json.Valid([]byte(damaged)) != (what == "JSON") || !strings.Contains(err.Error(), what) && what != "JSON" {
			t.Errorf("%s: error %v", what, err)
		}
	}
}
