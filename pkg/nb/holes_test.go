package nb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/record"
)

// Rows without a result become one hole a model, and several cells' notes of one hole are one.
func TestHoles(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ev := ablation.Each(func(_ context.Context, c ablation.Config) (record.Record, error) {
		if c["model"] != "tiny-llama" {
			return record.Record{}, errors.New("away")
		}
		return record.Record{Kind: record.Quality, Config: map[string]any{"at": c.String()}, Metrics: []record.Metric{{Name: "ppl", Value: 2}}}, nil
	})
	run := func(options ...ablation.Option) *ablation.Runs {
		t.Helper()
		runs, err := ablation.Models.Run(t.Context(), store, ev, append(options, ablation.Set("recipe", "w8a8", "w6a6"), ablation.Set("corpus", "c4"), ablation.WithoutBase())...)
		if err != nil {
			t.Fatal(err)
		}
		return runs
	}
	if got := holesOf(run(ablation.Set("model", "tiny-llama"))); len(got) != 0 {
		t.Errorf("a computed study has the holes %v", got)
	}
	got := holesOf(run(ablation.Set("model", "tiny-llama", "tiny-opt")))
	if len(got) != 1 || got[0].Model != "tiny-opt" || got[0].Rows != 2 || !strings.Contains(got[0].String(), "tiny-opt: 2 rows: no record (illm study run models --model tiny-opt)") {
		t.Errorf("holes %+v", got)
	}

	note(got...) // nobody asked
	path := filepath.Join(t.TempDir(), "holes")
	if list, err := ReadHoles(path); err != nil || list != nil {
		t.Errorf("no file: %v, %v", list, err)
	}
	t.Setenv(HolesEnv, path)
	fewer := got[0]
	fewer.Rows = 1
	note(fewer)
	note(got[0], Hole{What: "x", Why: "two\nlines", Beside: true})
	note(fewer, Hole{What: "a cell", Why: "away", Cells: 1}, Hole{What: "a cell", Why: "away", Cells: 1}, Hole{What: "a cell", Why: "gone", Cells: 1})
	list, err := ReadHoles(path)
	if err != nil || len(list) != 4 || list[0] != got[0] || list[1].Why != "two\nlines" || list[2].String() != "2 cells: away" || list[3].String() != "a cell: gone" {
		t.Errorf("read %+v, %v", list, err)
	}
	if err := os.WriteFile(path, []byte("{\"what\": \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadHoles(path); err == nil || !strings.Contains(err.Error(), "line") {
		t.Errorf("a cut line: %v", err)
	}
	if err := os.Truncate(path, maxHoles+1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadHoles(path); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a long file: %v", err)
	}
}

func TestAbsent(t *testing.T) {
	for model, want := range map[string]string{"tiny-opt+outliers": "built without its weights", "smollm2": "illm fetch smollm2", "smollm2+outliers": "illm fetch smollm2", "hf:some/model": "illm fetch hf:some/model"} {
		if h := absent(model); h.Model != model || !strings.Contains(h.String(), want) {
			t.Errorf("%s: %s, want %q", model, h, want)
		}
	}
}
