package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

// Mode published needs a grid for the values and steps for the residual stream, and gives one prompt one hash over splits, threads and instruction sets.
func TestPublished(t *testing.T) {
	for _, shape := range []string{"64", "opt"} {
		t.Run(shape, func(t *testing.T) {
			d := shaped(shape)
			a := d.artefact(t, "w8a8", "illm", nil, nil)
			spec, err := quant.NewSpec("w8a8", "15", "published")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := engine.New(a, engine.Options{Spec: &spec}); err == nil || !strings.Contains(err.Error(), "value") {
				t.Errorf("without a grid for the values: %v", err)
			}
			ids := d.ids(70)
			g := d.grids(t, "w8a8-static:value", "illm", ids[:16])
			if _, err := engine.New(a, engine.Options{Spec: &spec, Static: g}); err == nil || !strings.Contains(err.Error(), "16 bits a channel") {
				t.Errorf("without steps of the residual stream: %v", err)
			}
			steps := make([]int32, a.Header.Hidden)
			for c := range steps {
				steps[c] = int32(200 + c%5)
			}
			if _, err := engine.New(a, engine.Options{Spec: &spec, Static: g, Residual: steps[1:]}); err == nil || !strings.Contains(err.Error(), "channels") {
				t.Errorf("with a step too few: %v", err)
			}
			if _, err := engine.New(a, engine.Options{Residual: steps}); err == nil || !strings.Contains(err.Error(), "int32") {
				t.Errorf("mode illm with steps: %v", err)
			}
			run := func(threads int, pieces ...int) string {
				t.Helper()
				m, err := engine.New(a, engine.Options{Spec: &spec, Threads: threads, Static: g, Residual: steps})
				if err != nil {
					t.Fatal(err)
				}
				return hash(t, rows(t, m, ids, pieces...))
			}
			want := run(1, 70)
			got := []string{run(1, 1), run(3, 2, 3, 17, 9), run(2, 35)}
			limit := cpu.Limit()
			defer cpu.SetLimit(limit)
			for _, set := range []cpu.Set{cpu.Generic, cpu.AVX2, cpu.AVX512} {
				cpu.SetLimit(set)
				got = append(got, run(3, 32, 1))
			}
			cpu.SetLimit(limit)
			if slices.ContainsFunc(got, func(h string) bool { return h != want }) {
				t.Errorf("hashes %v, want %s", got, want)
			}
			if hash(t, rows(t, loadStatic(t, a, g, 2), ids, 70)) == want {
				t.Error("mode illm has the same hash")
			}
			for c := range steps {
				steps[c] = 900
			}
			if run(2, 70) == want {
				t.Error("coarser steps of the residual stream change nothing")
			}
		})
	}
}
