package catalog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

// A static recipe runs on the artefact of the dynamic one, on ranges that are calibrated once, kept and checked; factors of
// a method have ranges of their own.
func TestStaticRecipes(t *testing.T) {
	folder := modeltest.TinyQwen2(t)
	e, text := workshop(t, folder, 1)
	rows := func(e *catalog.Entry, recipe string) ([]float64, string, []engine.StaticCount) {
		t.Helper()
		m, err := e.Integer(ctx, newSpec(t, recipe))
		if err != nil {
			t.Fatalf("%s: %v", recipe, err)
		}
		s := &engine.Scored{M: m}
		defer s.Close()
		return rowsOf(t, s), m.Artifact().ID, m.StaticCounts()
	}
	ranges := func() []string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(os.Getenv("ILLM_CACHE"), "calibrations", "static-*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	plain, id, counts := rows(e, "w6a6")
	if counts != nil || len(ranges()) != 0 {
		t.Errorf("a dynamic recipe has counts %v and ranges %v", counts, ranges())
	}
	static, other, counts := rows(e, "w6a6-static")
	if other != id {
		t.Errorf("the static recipe has the artefact %s, the dynamic one %s", other, id)
	}
	if d := relative(static, plain); d == 0 || d > 1 {
		t.Errorf("static and dynamic logits differ by %g", d)
	}
	if len(counts) != 10 || len(ranges()) != 1 {
		t.Errorf("%d sites counted, ranges %v", len(counts), ranges())
	}
	path := ranges()[0]
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Damaged or hostile files are made again.
	for _, bad := range []string{"", "{", strings.Replace(string(good), `"max": `, `"max": 1e200`, 1), strings.Replace(string(good), `"sha256": "`, `"sha256": "0`, 1)} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		again, _, _ := rows(entryOf(t, folder, 3), "w6a6-static")
		if d := relative(again, static); d != 0 {
			t.Errorf("after a damaged file: logits differ by %g", d)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != string(good) {
			t.Errorf("after a damaged file: the file is another one, %v", err)
		}
	}
	// A method has ranges of its own, of its smoothed weights.
	s := newSpec(t, "w6a6-smoothquant-static")
	if _, err := e.Integer(ctx, s); err == nil || !strings.Contains(err.Error(), "--recipe w6a6 --method smoothquant") {
		t.Errorf("without factors: %v", err)
	}
	f, err := e.MakeFactors(ctx, newSpec(t, "w6a6-smoothquant"), catalog.Calibrating{Text: text, Windows: 4, Window: 100})
	if err != nil {
		t.Fatal(err)
	}
	if path, err = e.FactorsPath(s.Recipe.Dynamic()); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(path); err != nil {
		t.Fatal(err)
	}
	smooth, _, _ := rows(e, "w6a6-smoothquant")
	smoothStatic, _, _ := rows(e, "w6a6-smoothquant-static")
	if d := relative(smoothStatic, smooth); d == 0 || d > 1 || len(ranges()) != 2 {
		t.Errorf("smoothed static and dynamic logits differ by %g, ranges %v", d, ranges())
	}
	if _, err := catalog.Open(ctx, folder, catalog.Options{}); err != nil {
		t.Fatal(err)
	}
	many, err := catalog.Open(ctx, folder, catalog.Options{StaticWindows: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer many.Close()
	if _, err := many.Integer(ctx, newSpec(t, "w6a6-static")); err == nil || !strings.Contains(err.Error(), "calibration windows") {
		t.Errorf("2^20 windows: %v", err)
	}
}
