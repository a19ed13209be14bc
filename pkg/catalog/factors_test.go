package catalog_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/smooth"
)

// workshop opens a small random model with a cache of its own and a calibration text.
func workshop(t *testing.T, folder string, threads int) (e *catalog.Entry, text string) {
	t.Helper()
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir()) // opticks stands in for the residual's range
	t.Setenv(catalog.FactorsVariable, "")
	return entryOf(t, folder, threads), textFile(t, 700)
}

func entryOf(t *testing.T, folder string, threads int) *catalog.Entry {
	t.Helper()
	e, err := catalog.Open(ctx, folder, catalog.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func textFile(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + (i*i*7+i)%26)
	}
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rowsOf are the logits of a model over fixed tokens, without their row means.
func rowsOf(t *testing.T, lm eval.LM) []float64 {
	t.Helper()
	ids := make([]int32, 80)
	for i := range ids {
		ids[i] = int32('a' + (i*i*3+i)%26)
	}
	out := make([]float64, len(ids)*lm.Vocab())
	var mu sync.Mutex
	if err := lm.Logits(ctx, ids, func(pos int, l []float32) error {
		mean := 0.0
		for _, v := range l {
			mean += float64(v) / float64(len(l))
		}
		mu.Lock()
		defer mu.Unlock()
		for i, v := range l {
			out[pos*len(l)+i] = float64(v) - mean
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func relative(a, b []float64) float64 {
	var d, n float64
	for i := range a {
		d += (a[i] - b[i]) * (a[i] - b[i])
		n += b[i] * b[i]
	}
	return math.Sqrt(d / n)
}

// Every closed-form method gives a file that does not depend on threads; under its recipe's name the integer engine and
// the float simulation find it, and agree as well as they do without a method.
func TestMethods(t *testing.T) {
	for _, fam := range []struct {
		name string
		make func(testing.TB) string
	}{{"qwen2", modeltest.TinyQwen2}, {"opt", modeltest.TinyOPT}} {
		t.Run(fam.name, func(t *testing.T) {
			folder := fam.make(t)
			e, text := workshop(t, folder, 1)
			other := entryOf(t, folder, 3)
			plain := 0.0
			for _, name := range []string{"w6a6", "w6a6-smoothquant", "w6a6-rotate", "w6a6-gptq", "w6a6-best"} {
				s := newSpec(t, name)
				if s.Recipe.Method != "" {
					if _, err := e.Integer(ctx, s); !errors.Is(err, catalog.ErrNoFactors) || !strings.Contains(err.Error(), "illm calibrate --model "+folder+" --recipe w6a6 --method "+s.Recipe.Method) {
						t.Fatalf("%s without factors: %v", name, err)
					}
					how := catalog.Calibrating{Text: text, Windows: 4, Window: 100, Seed: 5}
					f, err := e.MakeFactors(ctx, s, how)
					if err != nil {
						t.Fatal(err)
					}
					g, err := other.MakeFactors(ctx, s, how)
					if err != nil {
						t.Fatal(err)
					}
					a, _ := f.Hash()
					if b, _ := g.Hash(); a != b {
						t.Errorf("%s: another file with more threads", name)
					}
					path, err := e.FactorsPath(s.Recipe)
					if err != nil {
						t.Fatal(err)
					}
					if err := f.Write(path); err != nil {
						t.Fatal(err)
					}
				}
				m, err := e.Integer(ctx, s)
				if err != nil {
					t.Fatal(name, err)
				}
				h := m.Artifact().Header
				rotated := s.Recipe.Method == "rotate" || s.Recipe.Method == "best"
				if h.Method != s.Recipe.MethodName() || (h.Factors == "") != (s.Recipe.Method == "") || h.Rotations.Down != rotated {
					t.Errorf("%s: header has method %q, factors %q, rotations %+v", name, h.Method, h.Factors, h.Rotations)
				}
				scored := &engine.Scored{M: m}
				sim, err := e.Simulation(ctx, s, fakequant.Options{Shapes: true})
				if err != nil {
					t.Fatal(err)
				}
				d := relative(rowsOf(t, scored), rowsOf(t, sim))
				scored.Close()
				t.Logf("%s: engine and simulation differ by %.4f", name, d)
				if plain == 0 {
					plain = d
				}
				if !(plain < 0.2) || !(d < 1.7*plain+0.02) {
					t.Errorf("%s: engine and simulation differ by %.4f, without a method by %.4f", name, d, plain)
				}
			}
		})
	}
}

// The artefact of a method is another file of the cache, made once; the plain one stays.
func TestArtifactsOfMethods(t *testing.T) {
	e, text := workshop(t, modeltest.TinyQwen2(t), 1)
	s := newSpec(t, "w4a4-gptq")
	f, err := e.MakeFactors(ctx, s, catalog.Calibrating{Text: text, Windows: 2, Window: 100})
	if err != nil {
		t.Fatal(err)
	}
	path, _ := e.FactorsPath(s.Recipe)
	if err := f.Write(path); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range []string{"w4a4", "w4a4-gptq", "w4a4kv8-gptq", "w4a4-gptq"} {
		p, err := e.Artifact(ctx, newSpec(t, name))
		if err != nil {
			t.Fatal(err)
		}
		seen[p] = true
	}
	if len(seen) != 3 { // codes of GPTQ depend on the keys' width
		t.Errorf("%d artefacts, want 3: %v", len(seen), seen)
	}
}

// From weights, factors and pinned tokens the artefact comes out the same whatever the number of threads.
func TestArtifactOfMethodReproduces(t *testing.T) {
	folder := modeltest.TinyQwen2(t)
	text := textFile(t, 700)
	s := newSpec(t, "w4a4-best")
	ids := map[string]bool{}
	for _, threads := range []int{1, 3} {
		t.Setenv("ILLM_CACHE", t.TempDir())
		t.Setenv("ILLM_DATA", t.TempDir())
		t.Setenv(catalog.FactorsVariable, "")
		e := entryOf(t, folder, threads)
		f, err := e.MakeFactors(ctx, s, catalog.Calibrating{Text: text, Windows: 4, Window: 100, Seed: 5})
		if err != nil {
			t.Fatal(err)
		}
		path, _ := e.FactorsPath(s.Recipe)
		if err := f.Write(path); err != nil {
			t.Fatal(err)
		}
		m, err := e.Integer(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		ids[m.Artifact().ID] = true
		if m.Artifact().Header.RangeRatios == nil {
			t.Error("no range ratios at 4 bits")
		}
	}
	if len(ids) != 1 {
		t.Errorf("artefacts %v, want one", ids)
	}
}

// Files of other weights, methods, tokens or contents are refused with what to do.
func TestBadFactors(t *testing.T) {
	folder := modeltest.TinyQwen2(t)
	e, text := workshop(t, folder, 1)
	dir := t.TempDir()
	t.Setenv(catalog.FactorsVariable, dir)
	s := newSpec(t, "w4a4-gptq")
	good, err := e.MakeFactors(ctx, s, catalog.Calibrating{Text: text, Windows: 2, Window: 100})
	if err != nil {
		t.Fatal(err)
	}
	name, err := e.FactorsName(s.Recipe)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		change func(f *smooth.Factors)
		want   string
	}{
		{"another model", func(f *smooth.Factors) { f.Meta[smooth.MetaSource] = strings.Repeat("0", 64) }, "illm calibrate"},
		{"no model", func(f *smooth.Factors) { delete(f.Meta, smooth.MetaSource) }, "found none"},
		{"another method", func(f *smooth.Factors) { f.Meta[smooth.MetaMethod] = "fsbr" }, `expected the method "gptq", found "fsbr"`},
		{"other widths", func(f *smooth.Factors) { f.Meta[smooth.MetaRecipe] = "w8a8" }, "found those made for w8a8"},
		{"another rounding", func(f *smooth.Factors) { f.Meta[smooth.MetaRound] = "dice" }, `rounding: expected gptq`},
		{"wrong length", func(f *smooth.Factors) { f.Blocks = make([]smooth.Block, 2); f.Blocks[1].QKV = []float32{1} }, "block 1: qkv: expected 64"},
		{"windows", func(f *smooth.Factors) { f.Meta["rounding_windows"] = "many" }, "rounding_windows"},
		{"tokens", func(f *smooth.Factors) { f.Meta["rounding_sha256"] = "12" }, "calibrate again"},
		{"clip mode", func(f *smooth.Factors) { f.Meta["rounding_clip"] = "hard" }, "none, plain or loss"},
		{"range mode", func(f *smooth.Factors) { f.Meta["rounding_range"] = "serach" }, "expected search or nothing"},
	} {
		f := good.Rounded()
		c.change(f)
		if err := f.Write(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Integer(ctx, s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.what, err, c.want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Integer(ctx, s); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a damaged file: %v", err)
	}
	if _, err := e.MakeFactors(ctx, s, catalog.Calibrating{Text: textFile(t, 60), Windows: 2, Window: 100}); err == nil || !strings.Contains(err.Error(), "at least one window of 100") {
		t.Errorf("a short text: %v", err)
	}
	if _, err := e.MakeFactors(ctx, newSpec(t, "w4a4-fsbr"), catalog.Calibrating{Text: text, Window: 100}); err == nil || !strings.Contains(err.Error(), "expected one of smoothquant") {
		t.Errorf("a trained method: %v", err)
	}
}

// A file of another recipe's widths serves where the name says so, no further.
func TestFactorsOfTheBase(t *testing.T) {
	e, text := workshop(t, modeltest.TinyQwen2(t), 1)
	s := newSpec(t, "w4a4-smoothquant")
	f, err := e.MakeFactors(ctx, s, catalog.Calibrating{Text: text, Windows: 2, Window: 100, Grid: true})
	if err != nil {
		t.Fatal(err)
	}
	if f.Meta["alpha_grid_nll"] == "" {
		t.Errorf("the grid left no trace: %v", f.Meta)
	}
	path, _ := e.FactorsPath(s.Recipe)
	if err := f.Write(path); err != nil {
		t.Fatal(err)
	}
	for name, found := range map[string]bool{"w4a4-smoothquant": true, "w4a4kv8-smoothquant": true, "w4a4kv8emb16-smoothquant": true, "w4a8-smoothquant": false} {
		_, _, err := e.Factors(newSpec(t, name).Recipe)
		if (err == nil) != found {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A static recipe takes the factors of the dynamic one, under their name.
	static := newSpec(t, "w4a4-smoothquant-static")
	if g, err := e.MakeFactors(ctx, static, catalog.Calibrating{Text: text, Windows: 2, Window: 100}); err != nil || g.Meta[smooth.MetaRecipe] != "w4a4" {
		t.Errorf("factors of a static recipe: %v", err)
	}
	if p, err := e.FactorsPath(static.Recipe); err != nil || p != path {
		t.Errorf("factors of a static recipe at %s, want %s: %v", p, path, err)
	}
	art, err := e.Artifact(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	made := entryOf(t, art, 1)
	if _, err := made.Integer(ctx, newSpec(t, "w4a4-fsbr")); err == nil || !strings.Contains(err.Error(), "was made by smoothquant") {
		t.Errorf("another method of an artefact: %v", err)
	}
	if _, err := made.Integer(ctx, newSpec(t, "w4a4")); err != nil {
		t.Error(err)
	}
}
