package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// made writes factors under a recipe's name into the cache.
func made(t *testing.T, e *catalog.Entry, recipe string, f *smooth.Factors) {
	t.Helper()
	path, err := e.FactorsPath(newSpec(t, recipe).Recipe)
	if err == nil {
		err = f.Write(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A list of clips changes the artefact's identity and not one of its codes, takes the codes that are there, acts in the
// engine and in the simulation, and is the artefact that is written from nothing.
func TestClipsOfFactors(t *testing.T) {
	e, text := workshop(t, modeltest.TinyQwen2(t), 2)
	s := newSpec(t, "w4a4-best@clips")
	f, err := e.MakeFactors(ctx, s, catalog.Calibrating{Text: text, Windows: 3, Window: 100})
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := e.Weights()
	if err != nil {
		t.Fatal(err)
	}
	list := slices.Repeat(quant.Clips{15000}, cfg.Layers)
	same := f.WithClips(list, nil)
	other := slices.Clone(list)
	other[0] = 200
	made(t, e, "w4a4-best", f)
	made(t, e, "w4a4-best@same", same)
	made(t, e, "w4a4-best@clips", f.WithClips(other, map[string]string{"text": "t"}))
	run := func(recipe string) (*engine.Model, []float64) {
		t.Helper()
		m, err := e.Integer(ctx, newSpec(t, recipe))
		if err != nil {
			t.Fatal(err)
		}
		lm := &engine.Scored{M: m}
		defer lm.Close()
		return m, rowsOf(t, lm)
	}
	// With the list first: the codes are chosen for the plain artefact on the way.
	clipped, moved := run("w4a4-best@clips")
	if list, err := os.ReadDir(filepath.Dir(clipped.Artifact().Path)); err != nil || len(list) != 2 {
		t.Errorf("artefacts %v, %v: want the plain one and that with clips", list, err)
	}
	stamp := func(m *engine.Model) int64 {
		st, err := os.Stat(m.Artifact().Path)
		if err != nil {
			t.Fatal(err)
		}
		return st.ModTime().UnixNano()
	}
	plain, want := run("w4a4-best")
	before := stamp(plain)
	repeated, rows := run("w4a4-best@same")
	if stamp(plain) != before {
		t.Error("the plain artefact was written again")
	}
	if !slices.Equal(rows, want) {
		t.Error("a list that repeats the default changes the logits")
	}
	if slices.Equal(moved, want) {
		t.Error("a list with another clip leaves the logits alone")
	}
	if a, b, c := plain.Artifact(), repeated.Artifact(), clipped.Artifact(); a.ID == b.ID || b.ID == c.ID || a.ID == c.ID || a.Header.Clips != nil || !slices.Equal(c.Header.Clips, other) {
		t.Errorf("identities %.8s, %.8s, %.8s; clips %v, %v", a.ID, b.ID, c.ID, a.Header.Clips, c.Header.Clips)
	}
	if a, b := plain.Artifact().Header, clipped.Artifact().Header; a.Spec.Recipe.Name != "w4a4-best" || b.Spec.Recipe.Name != "w4a4-best@clips" {
		t.Errorf("recipes %s and %s in the headers", a.Spec.Recipe.Name, b.Spec.Recipe.Name)
	}
	// The copy is what Quantize writes in full, but for the name of the recipe.
	cal, err := e.Calibration(ctx)
	if err != nil {
		t.Fatal(err)
	}
	direct := filepath.Join(t.TempDir(), "direct.illm")
	if _, err := e.Quantize(ctx, s, cal, direct); err != nil {
		t.Fatal(err)
	}
	a, err := artifact.Open(direct)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if x, y := a.Header, clipped.Artifact().Header; !slices.Equal(x.Clips, y.Clips) || x.Factors != y.Factors || !slices.Equal(x.Linears, y.Linears) {
		t.Error("Quantize and the copy differ in their headers")
	}
	if p, q := payload(t, direct), payload(t, clipped.Artifact().Path); !bytes.Equal(p, q) {
		t.Error("Quantize and the copy differ in their codes")
	}
	sim := func(recipe string) []float64 {
		m, err := e.Simulation(ctx, newSpec(t, recipe), fakequant.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return rowsOf(t, m)
	}
	base := sim("w4a4-best")
	if !slices.Equal(sim("w4a4-best@same"), base) || slices.Equal(sim("w4a4-best@clips"), base) {
		t.Error("the simulation does not follow the list")
	}
	twelve, err := quant.NewSpec("w4a4-best@clips", "12", "")
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"engine": second(e.Integer(ctx, twelve)), "simulation": second(e.Simulation(ctx, twelve, fakequant.Options{}))} {
		if err == nil || !strings.Contains(err.Error(), "clip 12 beside clips by layer") {
			t.Errorf("%s: clip 12 beside a list: %v", what, err)
		}
	}
	if g, err := e.MakeFactors(ctx, newSpec(t, "w4a4-best"), catalog.Calibrating{Text: text, Windows: 3, Window: 100, From: same}); err != nil || g.Meta[smooth.MetaClips] != "" {
		t.Errorf("codes chosen anew keep the clips of others: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// payload is what stands between prologue and header.
func payload(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw[96:bytes.LastIndex(raw, []byte(`{"architecture"`))]
}

// divergence is the mean KL of a list from the float model, by an engine that was loaded with it.
func divergence(t *testing.T, e *catalog.Entry, recipe string, windows [][]int32, clips quant.Clips) float64 {
	t.Helper()
	path, err := e.Artifact(ctx, newSpec(t, recipe))
	if err != nil {
		t.Fatal(err)
	}
	a, err := artifact.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	s := newSpec(t, recipe)
	m, err := engine.New(a, engine.Options{Spec: &s, Clips: clips, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	lm := &engine.Scored{M: m}
	defer lm.Close()
	base, err := e.Float()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, w := range windows {
		rep, err := eval.Run(ctx, base, []eval.Variant{{Name: "x", LM: lm}}, w, eval.Options{Window: len(w)})
		if err != nil {
			t.Fatal(err)
		}
		sum += rep.Results[0].Summary.KL
	}
	return sum / float64(len(windows))
}

// The search is what its definition says, done with whole models: the same list whatever the threads, better than the
// default on its own windows, and the default where nothing else is tried.
func TestSearchClips(t *testing.T) {
	folder, text := modeltest.TinyQwen2(t), textFile(t, 700)
	const recipe = "w4a4-smoothquant"
	s := newSpec(t, recipe)
	candidates := []quant.Clip{0, 6000, 5000, 4500, 4000, 5000, 3500}
	how := catalog.ClipSearch{Text: text, Windows: 4, Window: 60, Passes: 2, Candidates: candidates}
	var found []*smooth.Factors
	for _, threads := range []int{1, 3} {
		t.Setenv("ILLM_CACHE", t.TempDir())
		t.Setenv("ILLM_DATA", t.TempDir())
		t.Setenv(catalog.FactorsVariable, "")
		e := entryOf(t, folder, threads)
		f, err := e.MakeFactors(ctx, s, catalog.Calibrating{Text: text, Windows: 2, Window: 100})
		if err != nil {
			t.Fatal(err)
		}
		made(t, e, recipe, f)
		g, err := e.SearchClips(ctx, s, f.WithClips(quant.Clips{1}, nil), "here", how) // a list that is there is left out, whatever it is
		if err == nil || !strings.Contains(err.Error(), "one a layer") {
			t.Errorf("factors that do not fit: %v, %v", g, err)
		}
		if g, err = e.SearchClips(ctx, s, f, "here", how); err != nil {
			t.Fatal(err)
		}
		found = append(found, g)
		if threads > 1 {
			continue
		}
		ids, err := e.Encode(string(mustLoad(t, text)))
		if err != nil {
			t.Fatal(err)
		}
		var windows [][]int32
		for i := range how.Windows {
			windows = append(windows, ids[i*e.MaxContext():][:how.Window])
		}
		clips, err := g.Clips()
		if err != nil {
			t.Fatal(err)
		}
		want := searched(t, e, recipe, windows, len(clips), candidates, how.Passes)
		if !slices.Equal(clips, want) {
			t.Errorf("found %v, by the definition %v", clips, want)
		}
		first := divergence(t, e, recipe, windows, nil)
		t.Logf("found %v", clips)
		if last := divergence(t, e, recipe, windows, clips); !(last < first) {
			t.Errorf("divergence %v with %v, %v with the default everywhere: the test shows nothing", last, clips, first)
		}
		only, err := e.SearchClips(ctx, s, g, "here", catalog.ClipSearch{Text: text, Windows: 1, Window: 30, Candidates: []quant.Clip{quant.DefaultClip}})
		if err != nil || only.Meta["clips"] != slices.Repeat(quant.Clips{15000}, len(clips)).String() || only.Meta["clips_passes"] != "1" {
			t.Errorf("with nothing to try: %v, %v", only, err)
		}
		if _, err := only.WithoutClips().Hash(); err != nil || only.WithoutClips().Meta[smooth.MetaMethod] != "smoothquant" {
			t.Errorf("meta %v", only.Meta)
		}
	}
	a, err1 := found[0].Hash()
	b, err2 := found[1].Hash()
	if err := errors.Join(err1, err2); err != nil || a != b {
		t.Errorf("one and three threads: %s and %s, %v", a, b, err)
	}
}

func mustLoad(t *testing.T, name string) []byte {
	t.Helper()
	x, err := corpus.Load(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return x.Bytes
}

// searched is the search by its definition: coordinate after coordinate, every list in a model of its own.
func searched(t *testing.T, e *catalog.Entry, recipe string, windows [][]int32, layers int, candidates []quant.Clip, passes int) quant.Clips {
	t.Helper()
	score := func(c quant.Clips) (halves [2]float64) {
		n := len(windows) / 2
		return [2]float64{divergence(t, e, recipe, windows[:n], c), divergence(t, e, recipe, windows[n:], c)}
	}
	clips := slices.Repeat(quant.Clips{15000}, layers)
	best := score(clips)
	for range passes {
		for l := range layers {
			start, keep, least := best, clips[l], math.Inf(1)
			for _, c := range candidates {
				try := slices.Clone(clips)
				try[l] = c
				if s := score(try); c != clips[l] && s[0] < start[0] && s[1] < start[1] && s[0]+s[1] < least {
					keep, best, least = c, s, s[0]+s[1]
				}
			}
			clips[l] = keep
		}
	}
	return clips
}

func TestSearchClipsRefuses(t *testing.T) {
	e, text := workshop(t, modeltest.TinyQwen2(t), 1)
	f, err := e.MakeFactors(ctx, newSpec(t, "w4a4-smoothquant"), catalog.Calibrating{Text: text, Windows: 2, Window: 100})
	if err != nil {
		t.Fatal(err)
	}
	twelve, err := quant.NewSpec("w4a4-smoothquant", "12", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		spec quant.Spec
		how  catalog.ClipSearch
		want string
	}{
		{newSpec(t, "w4a4-smoothquant-static"), catalog.ClipSearch{Text: text}, "constant grids"},
		{twelve, catalog.ClipSearch{Text: text}, "clip 12: expected the default"},
		{newSpec(t, "w4a4-fsbr"), catalog.ClipSearch{Text: text}, `expected the method "fsbr"`},
		{newSpec(t, "w4a4-smoothquant"), catalog.ClipSearch{Text: text, Window: 1}, "found 8 of 1"},
		{newSpec(t, "w4a4-smoothquant"), catalog.ClipSearch{Text: text, Window: engine.MaxTrial + 1}, "windows of 2 to"},
		{newSpec(t, "w4a4-smoothquant"), catalog.ClipSearch{Text: text, Windows: -1}, "found -1"},
		{newSpec(t, "w4a4-smoothquant"), catalog.ClipSearch{Text: text, Passes: 9}, "1 to 8 passes"},
		{newSpec(t, "w4a4-smoothquant"), catalog.ClipSearch{Text: text, Candidates: []quant.Clip{-5}}, "thousandths"},
		{newSpec(t, "w4a4-smoothquant"), catalog.ClipSearch{Text: "nowhere.txt"}, "nowhere.txt"},
	} {
		if _, err := e.SearchClips(ctx, c.spec, f, "here", c.how); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.how, err, c.want)
		}
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.SearchClips(done, newSpec(t, "w4a4-smoothquant"), f, "here", catalog.ClipSearch{Text: text, Windows: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
