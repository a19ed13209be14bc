package catalog_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

func TestVariant(t *testing.T) {
	odd := filepath.Join(t.TempDir(), "a+b.gguf")
	if err := os.WriteFile(odd, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	none := catalog.Outliers{}
	for _, c := range []struct {
		name, base string
		want       catalog.Outliers
	}{
		{"tiny-llama", "tiny-llama", none},
		{"tiny-llama+outliers", "tiny-llama", catalog.Outliers{Seed: 1, Strength: 64}},
		{"smollm2+outliers=8", "smollm2", catalog.Outliers{Seed: 1, Strength: 8}},
		{"hf:org/name+outliers=2.5:7", "hf:org/name", catalog.Outliers{Seed: 7, Strength: 2.5}},
		{odd, odd, none},
		{odd + "+outliers", odd, catalog.Outliers{Seed: 1, Strength: 64}},
		{"no+such/file", "no+such/file", none},
	} {
		base, o, err := catalog.Variant(c.name)
		if o == nil {
			o = &none
		}
		if err != nil || base != c.base || *o != c.want {
			t.Errorf("%s: %q, %v, %v; want %q, %v", c.name, base, *o, err, c.base, c.want)
		}
		if c.want != none && !strings.HasPrefix(c.name, c.base+c.want.String()) {
			t.Errorf("%s: suffix %q", c.name, c.want)
		}
	}
	for _, name := range []string{"tiny-llama+outlier", "tiny-llama+", "+outliers", "tiny-llama+outliers=", "tiny-llama+outliers=much", "tiny-llama+outliers=2:-1", "tiny-llama+outliers=2:", "tiny-llama+foo=1"} {
		if _, _, err := catalog.Variant(name); !errors.Is(err, catalog.ErrUnknown) || !strings.Contains(err.Error(), "+outliers=STRENGTH:SEED") {
			t.Errorf("%s: error %v, want ErrUnknown and what is allowed", name, err)
		}
	}
}

// A variant is another model with the same float function and the same calibration.
func TestOutliers(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	dir := modeltest.Tiny(t)
	for _, strength := range []string{"0", "-2", "1025", "nan", "inf"} {
		if _, err := catalog.Open(ctx, dir+"+outliers="+strength, catalog.Options{}); !errors.Is(err, catalog.ErrUnknown) || !strings.Contains(err.Error(), "expected 1–1024") {
			t.Errorf("strength %s: error %v, want ErrUnknown and the range", strength, err)
		}
	}
	open := func(name string) *catalog.Entry {
		t.Helper()
		e, err := catalog.Open(ctx, name, catalog.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		return e
	}
	plain, hard := open(dir), open(dir+"+outliers=16:3")
	if plain.Injected != nil || hard.Injected == nil || *hard.Injected != (catalog.Outliers{Seed: 3, Strength: 16}) {
		t.Fatalf("injected %v and %v", plain.Injected, hard.Injected)
	}
	a, _ := plain.Source()
	b, err := hard.Source()
	if err != nil || a == b {
		t.Errorf("both variants have the source %s (%v)", a, err)
	}
	m, err := model.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	view, err := m.InjectOutliers(3, 16)
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := view.Hash(); b != want {
		t.Errorf("source %s, want the view's %s", b, want)
	}
	ca, err := plain.Calibration(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cb, err := hard.Calibration(ctx)
	if err != nil || ca != cb {
		t.Errorf("calibrations %v and %v, %v; want one", ca, cb, err)
	}
	ids, err := hard.Encode("integers all the way down")
	if err != nil {
		t.Fatal(err)
	}
	logits := func(e *catalog.Entry) []float32 {
		f, err := e.Float()
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.NewSession(len(ids))
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.Append(ids)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	x, y := logits(plain), logits(hard)
	for i := range x {
		if x[i] != y[i] {
			t.Fatalf("logit %d: %v without, %v with outliers; want the same", i, x[i], y[i])
		}
	}
	spec := newSpec(t, "w8a8")
	p, err := plain.Integer(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	q, err := hard.Integer(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	if p.Artifact().ID == q.Artifact().ID || !strings.HasSuffix(q.Artifact().Header.Name, "+outliers=16:3") {
		t.Errorf("artefacts %s (%s) and %s (%s): want two, the second named as a variant", p.Artifact().ID[:8], p.Artifact().Header.Name, q.Artifact().ID[:8], q.Artifact().Header.Name)
	}
	for name, want := range map[string]string{dir + "+outliers=0.5": "strength", dir + "+outliers=NaN": "strength"} {
		if _, err := catalog.Open(ctx, name, catalog.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, want)
		}
	}
}
