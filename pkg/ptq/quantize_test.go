package ptq

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

var ctx = context.Background()

func fixture(t *testing.T, name string) *model.Model {
	t.Helper()
	m, err := model.OpenWeights(filepath.Join("..", "floatref", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func spec(t *testing.T, recipe string) quant.Spec {
	t.Helper()
	s, err := quant.NewSpec(recipe, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The artefact is a function of model, recipe and calibration: not of threads, not of time.
func TestQuantizeReproduces(t *testing.T) {
	m := fixture(t, "tiny_untied")
	cal := Calibration{MaxAbs: 700, Hash: strings.Repeat("ab", 32)}
	for _, recipe := range []string{"w8a8", "w4a4", "w6a6emb16"} {
		var ids []string
		for _, threads := range []int{1, 2, 5} {
			id, err := Quantize(ctx, m, spec(t, recipe), cal, filepath.Join(t.TempDir(), "m"), Options{Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if ids[0] != ids[1] || ids[0] != ids[2] {
			t.Errorf("%s: identities %v for 1, 2 and 5 threads", recipe, ids)
		}
	}
}

// Every weight of the artefact, read back through panel and scales, is the float weight within a step of its channel;
// the query's carry 1/√d besides.
func TestQuantizedWeights(t *testing.T) {
	m := fixture(t, "tiny_untied")
	for _, recipe := range []string{"w8a8", "w6a6", "w4a4"} {
		path := filepath.Join(t.TempDir(), "m")
		s := spec(t, recipe)
		if _, err := Quantize(ctx, m, s, Calibration{MaxAbs: 700}, path, Options{}); err != nil {
			t.Fatal(err)
		}
		f, err := artifact.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range jobs(m.Config, s.Recipe) {
			want, err := m.Float32(j.name+".weight", nil)
			if err != nil {
				t.Fatal(err)
			}
			l, err := f.Linear(j.name, j.out, j.in)
			if err != nil {
				t.Fatal(err)
			}
			for c := range j.out {
				step := math.Ldexp(float64(l.M[c]), -int(l.KW))
				for k := range j.in {
					got := float64(l.Code(c, k)-int(l.Zero[c])) * step
					if d := math.Abs(got - float64(want[c*j.in+k])*j.extra); d > step*1.001 {
						t.Fatalf("%s %s [%d, %d]: %v for %v, step %v", recipe, j.name, c, k, got, want[c*j.in+k], step)
					}
				}
			}
		}
		f.Close()
	}
}

func TestQuantizeRefuses(t *testing.T) {
	m := fixture(t, "tiny_tied")
	dir := t.TempDir()
	out := filepath.Join(dir, "m")
	bad := spec(t, "w8a8")
	bad.Recipe.Head = 4
	if _, err := Quantize(ctx, m, bad, Calibration{MaxAbs: 1}, out, Options{}); err == nil || !strings.Contains(err.Error(), "head") {
		t.Errorf("tied head at another width: error %v", err)
	}
	if _, err := Quantize(ctx, m, spec(t, "w8a8"), Calibration{MaxAbs: math.NaN()}, out, Options{}); err == nil || !strings.Contains(err.Error(), "max|h|") {
		t.Errorf("NaN calibration: error %v", err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Quantize(stopped, m, spec(t, "w8a8"), Calibration{MaxAbs: 1}, out, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	if _, err := Quantize(ctx, m, spec(t, "w8a8"), Calibration{MaxAbs: 1}, filepath.Join(dir, "no", "m"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: error %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("refused runs left %v, %v", left, err)
	}
}

func TestCalibrate(t *testing.T) {
	m := fixture(t, "tiny_tied")
	ids := []int32{1, 2, 3, 4, 5, 6, 7, 8}
	a, err := Calibrate(ctx, m, "ids", [][]int32{ids}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Calibrate(ctx, m, "ids", [][]int32{ids[:4], ids[4:]}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	// sha256 of the ids as little-endian uint32, from another program
	const want = "8b4b2444e57aed8c2d05a1293255da1b048c63224317d4666230760935fa4a18"
	if a.Hash != want || b.Hash != want {
		t.Errorf("hashes %s and %s, want %s whatever the cut", a.Hash, b.Hash, want)
	}
	if !(a.MaxAbs > 0) || a.Windows != 1 || b.Windows != 2 {
		t.Errorf("calibration %+v", a)
	}
	if _, err := Calibrate(ctx, m, "ids", nil, 1, nil); err == nil {
		t.Error("no text passed")
	}
	if w := Windows(make([]int32, 10), 3, 4); len(w) != 2 || len(w[1]) != 4 {
		t.Errorf("10 tokens in windows of 4: %v", w)
	}
	if w := Windows(make([]int32, 3), 3, 4); len(w) != 1 || len(w[0]) != 3 {
		t.Errorf("a short text: %v", w)
	}
}

// unread fails the test when a tensor is asked for.
type unread struct{ t *testing.T }

func (u unread) Float32(name string, _ []float32) ([]float32, error) {
	u.t.Errorf("%s was read", name)
	return nil, errors.New("not to be read")
}

// A model that the engine cannot hold is refused before any work, by the field's name, and leaves nothing.
func TestTooLarge(t *testing.T) {
	for want, change := range map[string]func(c *model.Config){
		"head_dim: expected 2 to 256, found 512":   func(c *model.Config) { c.HeadDim = 512 },
		"ffn: expected 1 to 33025, found 53248":    func(c *model.Config) { c.FFN = 53248 },
		"hidden: expected 1 to 16384, found 16448": func(c *model.Config) { c.Hidden = 16448 },
		"256 heads of 256 channels":                func(c *model.Config) { c.Heads, c.KVHeads, c.HeadDim = 256, 256, 256 },
		"layers: expected 1–4096, found 0":         func(c *model.Config) { c.Layers = 0 },
	} {
		c := fixture(t, "tiny_tied").Config
		change(&c)
		dir := t.TempDir()
		_, err := QuantizeFrom(ctx, Input{Config: c, Weights: unread{t}, Hash: "00"}, spec(t, "w8a8"), Calibration{MaxAbs: 30}, filepath.Join(dir, "m"), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
