package model_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

// families are the tiny models of every kind of network.
var families = []struct {
	name string
	dir  func(testing.TB) string
}{
	{"llama", modeltest.Tiny}, {"opt", modeltest.TinyOPT}, {"qwen2", modeltest.TinyQwen2}, {"qwen3", modeltest.TinyQwen3},
}

func openTiny(t testing.TB, dir func(testing.TB) string) *model.Model {
	t.Helper()
	m, err := model.Open(dir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func inject(t testing.TB, m *model.Model, seed uint64, strength float64) *model.Model {
	t.Helper()
	v, err := m.InjectOutliers(seed, strength)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// logits runs the float reference over 40 tokens.
func logits(t testing.TB, m *model.Model) []float32 {
	t.Helper()
	f, err := floatref.New(m, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.NewSession(64)
	if err != nil {
		t.Fatal(err)
	}
	var all []float32
	for i := range 40 {
		l, err := s.Append([]int32{int32(i * 37 % 256)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l...)
	}
	return all
}

// TestOutliersLogits: the float function stays what it was. The promise is 1e-3;
// factors that are powers of two give equal bits, which is asserted too.
func TestOutliersLogits(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			m := openTiny(t, f.dir)
			want := logits(t, m)
			seeds := uint64(3)
			if testing.Short() {
				seeds = 1
			}
			for strength := 2.0; strength <= 256; strength *= 2 {
				for seed := range seeds {
					got := logits(t, inject(t, m, seed, strength))
					worst, changed := 0.0, 0
					for i, v := range got {
						worst = max(worst, math.Abs(float64(v)-float64(want[i])))
						if v != want[i] {
							changed++
						}
					}
					if !(worst <= 1e-3) || changed > 0 {
						t.Errorf("strength %v, seed %d: logits differ by up to %g, %d of %d changed", strength, seed, worst, changed, len(got))
					}
				}
			}
			last := logits(t, inject(t, inject(t, m, 7, 33), 8, 1000))
			if !slices.Equal(last, want) {
				t.Error("a view of a view changes logits")
			}
		})
	}
}

// ratio is the largest over the median magnitude of the rows of a tensor, a row
// being measured by its largest entry.
func ratio(t testing.TB, m *model.Model, name string) float64 {
	t.Helper()
	v, err := m.Float32(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]float64, m.Shape(name)[0])
	for i, x := range v {
		r := i / (len(v) / len(rows))
		rows[r] = max(rows[r], math.Abs(float64(x)))
	}
	slices.Sort(rows)
	return rows[len(rows)-1] / rows[len(rows)/2]
}

// TestOutliersAreThere: every tensor that is to carry outliers does, and few channels do.
func TestOutliersAreThere(t *testing.T) {
	for _, f := range families {
		m := openTiny(t, f.dir)
		v := inject(t, m, 1, 64)
		large := []string{"input_layernorm.weight", "post_attention_layernorm.weight", "self_attn.v_proj.weight", "mlp.up_proj.weight"}
		if m.Config.HeadNorm {
			large = append(large, "self_attn.k_norm.weight")
		} else {
			large = append(large, "self_attn.k_proj.weight")
		}
		for n := range m.Config.Layers {
			for _, name := range large {
				name = model.LayerName(n, name)
				if before, after := ratio(t, m, name), ratio(t, v, name); before > 8 || after < 16 || after > 64*2*8 {
					t.Errorf("%s: %s: largest over median is %.1f, was %.1f", f.name, name, after, before)
				}
			}
		}
		if got := ratio(t, v, model.FinalNorm) > 16; got == m.Config.TiedHead {
			t.Errorf("%s: outliers in the final norm %v, tied head %v", f.name, got, m.Config.TiedHead)
		}
		if !slices.Equal(read(t, m, model.Embedding), read(t, v, model.Embedding)) {
			t.Errorf("%s: the embedding changed", f.name)
		}
		for _, name := range m.Names() {
			if got, want := v.Shape(name), m.Shape(name); !slices.Equal(got, want) {
				t.Errorf("%s: %s has shape %v, want %v", f.name, name, got, want)
			}
		}
	}
}

func read(t testing.TB, m *model.Model, name string) []float32 {
	t.Helper()
	v, err := m.Float32(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// scaled lists the entries of a norm that the view changes.
func scaled(t testing.TB, m, v *model.Model, name string) (list []int, by []float64) {
	a, b := read(t, m, name), read(t, v, name)
	for i := range a {
		if a[i] != b[i] {
			list, by = append(list, i), append(by, float64(b[i])/float64(a[i]))
		}
	}
	return list, by
}

// TestOutliersShape: the norms share their channels over layers, with factors that are
// powers of two and differ; other seeds and strengths give others; equal ones the same.
func TestOutliersShape(t *testing.T) {
	m := openTiny(t, modeltest.TinyOPT)
	factors := map[float64]bool{}
	chosen := map[int]bool{}
	for seed := range uint64(40) {
		v := inject(t, m, seed, 32)
		var want []int
		for n := range m.Config.Layers {
			for _, name := range []string{"input_layernorm.weight", "post_attention_layernorm.weight", "input_layernorm.bias"} {
				list, by := scaled(t, m, v, model.LayerName(n, name))
				if want == nil {
					want = list
				}
				if len(list) != 1 || !slices.Equal(list, want) {
					t.Fatalf("seed %d, layer %d: channels %v of %s, want %v", seed, n, list, name, want)
				}
				factors[by[0]] = true
				chosen[list[0]] = true
			}
		}
	}
	if len(factors) != 3 || !factors[16] || !factors[32] || !factors[64] {
		t.Errorf("factors %v, want 16, 32 and 64", factors)
	}
	if len(chosen) < 25 {
		t.Errorf("40 seeds choose %d of 64 channels", len(chosen))
	}
	for _, strength := range []float64{1.5, 3, 48} { // the mean factor without jitter is the strength, with it 1.125 of it
		sum, n := 0.0, 0.0
		for seed := range uint64(400) {
			_, by := scaled(t, m, inject(t, m, seed, strength), model.LayerName(0, "input_layernorm.weight"))
			sum, n = sum+by[0], n+1
		}
		if mean := sum / n; strength > 4 && math.Abs(mean/(1.125*strength)-1) > 0.1 || mean < 2 {
			t.Errorf("strength %v: mean factor %.2f", strength, mean)
		}
	}
}

func TestOutliersHash(t *testing.T) {
	m := openTiny(t, modeltest.TinyQwen2)
	hash := func(m *model.Model) string {
		h, err := m.Hash()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	seen := map[string]string{hash(m): "the base"}
	for name, v := range map[string]*model.Model{
		"seed 1": inject(t, m, 1, 32), "seed 2": inject(t, m, 2, 32), "strength 33": inject(t, m, 1, 33), "twice": inject(t, inject(t, m, 1, 32), 1, 32),
	} {
		h := hash(v)
		if len(h) != 64 || seen[h] != "" {
			t.Errorf("%s has the hash of %s, %s", name, seen[h], h)
		}
		seen[h] = name
	}
	if again := hash(inject(t, m, 1, 32)); seen[again] != "seed 1" {
		t.Error("equal views differ in hash")
	}
	same := inject(t, m, 5, 1)
	if hash(same) != hash(m) {
		t.Error("strength 1 changes the hash")
	}
	for _, name := range m.Names() {
		if !slices.Equal(read(t, m, name), read(t, same, name)) {
			t.Errorf("strength 1 changes %s", name)
		}
	}
	v := inject(t, m, 1, 32)
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if v.Path != m.Path || v.Tokenizer != m.Tokenizer || len(read(t, m, model.Head)) == 0 {
		t.Error("closing the view closed the model")
	}
}

func TestOutliersConcurrent(t *testing.T) {
	m := openTiny(t, modeltest.TinyQwen3)
	v := inject(t, m, 1, 32)
	want := map[string][]float32{}
	for _, name := range v.Names() {
		want[name] = read(t, v, name)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var buf []float32
			for _, name := range v.Names() {
				got, err := v.Float32(name, buf)
				if err != nil || !slices.Equal(got, want[name]) {
					t.Errorf("%s differs (%v)", name, err)
				}
				buf = got
			}
		})
	}
	wg.Wait()
}

func TestOutliersRefuse(t *testing.T) {
	m := openTiny(t, modeltest.Tiny)
	for _, strength := range []float64{0, 0.5, -1, 1025, math.Inf(1), math.NaN()} {
		want := fmt.Sprintf("strength: expected 1–1024, found %v", strength)
		if _, err := m.InjectOutliers(1, strength); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", strength, err, want)
		}
	}
	v := inject(t, m, 1, 2)
	m.Close()
	if _, err := v.Float32(model.Embedding, nil); err == nil || !strings.Contains(err.Error(), "after Close") {
		t.Errorf("read through a closed model: %v", err)
	}
	if _, err := m.InjectOutliers(1, 2); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("view of a closed model: %v", err)
	}
}

func ExampleModel_InjectOutliers() {
	m, err := model.OpenWeights("../floatref/testdata/tiny_tied")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	v, err := m.InjectOutliers(1, 64)
	if err != nil {
		fmt.Println(err)
		return
	}
	const name = "model.layers.0.input_layernorm.weight"
	before, _ := m.Float32(name, nil)
	after, _ := v.Float32(name, nil)
	for i := range before {
		if before[i] != after[i] {
			fmt.Printf("γ of channel %d is %v times larger\n", i, after[i]/before[i])
		}
	}
	// Output: γ of channel 36 is 128 times larger
}
