package bench

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/record"
)

// The parts of a float model are counted from its tensors, one by one.
func TestFloatParts(t *testing.T) {
	for _, path := range []string{modeltest.Tiny(t), modeltest.TinyOPT(t)} {
		m, err := model.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		want, total := map[string]int64{}, int64(0)
		for _, name := range m.Names() {
			if name == model.Head && m.Config.TiedHead {
				continue
			}
			n := int64(4)
			for _, d := range m.Shape(name) {
				n *= int64(d)
			}
			part := "codes"
			switch {
			case name == model.Embedding:
				part = "embedding"
			case name == model.Head:
				part = "head"
			case name == model.Positions:
				part = "positions"
			case strings.Contains(name, "norm"):
				part = "norms"
			case strings.HasSuffix(name, ".bias"):
				part = "biases"
			}
			want[part] += n
			total += n / 4
		}
		for _, p := range floatParts(m.Config, total) {
			if p.bytes != want[p.part] {
				t.Errorf("%s: %s: %d bytes, expected %d", path, p.part, p.bytes, want[p.part])
			}
		}
	}
}

func TestFloatPart(t *testing.T) {
	const pkg = "github.com/illm-go/illm/pkg/"
	for _, c := range []struct {
		want  string
		stack []string
	}{
		{"linear", []string{pkg + "simd/sgemm.MatMul", pkg + "floatref.(*matrix).mulPart", pkg + "floatref.(*pass).project", pkg + "floatref.(*pass).wide"}},
		{"head", []string{pkg + "simd/sgemm.MatMul", pkg + "floatref.(*matrix).mulPart", pkg + "floatref.(*pass).finish"}},
		{"scores", []string{pkg + "simd/sgemm.MatMul", pkg + "floatref.(*scratch).products", pkg + "floatref.(*pass).attention"}},
		{"softmax", []string{pkg + "floatref.softmaxRow", pkg + "floatref.(*pass).attention"}},
		{"rest", []string{"runtime.memmove", pkg + "floatref.(*pass).store"}},
	} {
		if i := floatPart(c.stack); i < 0 || efficiencyParts[i] != c.want {
			t.Errorf("%v: part %d, want %s", c.stack, i, c.want)
		}
	}
	if i := floatPart([]string{"runtime.mallocgc", "main.main"}); i != -1 {
		t.Errorf("a stack without the model: part %d", i)
	}
}

// Synthetic weights have the shapes that a forward pass asks for, mean 0 and variance 1/in, and are the same every time.
func TestSynthetic(t *testing.T) {
	for _, x := range shapes() {
		c := x.config(16)
		if err := c.Validate(); err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		if _, err := floatref.NewFrom(c, synthetic{c}, floatref.Options{Threads: 1}); err != nil {
			t.Errorf("%s: %v", x.name, err)
		}
		const name = "model.layers.0.mlp.down_proj.weight"
		w, err := synthetic{c}.Float32(name, nil)
		if err != nil || len(w) != c.Hidden*c.FFN {
			t.Fatalf("%s: %d weights, %v", x.name, len(w), err)
		}
		var sum, squares float64
		for _, v := range w {
			sum, squares = sum+float64(v), squares+float64(v)*float64(v)
		}
		n := float64(len(w))
		if mean := sum / n * math.Sqrt(float64(c.FFN)); math.Abs(mean) > 5/math.Sqrt(n) {
			t.Errorf("%s: mean %v of a standard deviation", x.name, mean)
		}
		if v := squares / n * float64(c.FFN); math.Abs(v-1) > 0.02 {
			t.Errorf("%s: variance %v of 1/in", x.name, v)
		}
		again, _ := synthetic{c}.Float32(name, make([]float32, 0, len(w)))
		for i := range w {
			if w[i] != again[i] {
				t.Fatalf("%s: weight %d differs when drawn again", x.name, i)
			}
		}
	}
	if _, err := (synthetic{}).Float32("model.layers.0.nonsense", nil); err == nil {
		t.Error("an unknown tensor has weights")
	}
}

// The bytes of the parts add up to the weights, a fp32 model has four a number, and shares of prefill add up to all of it.
func TestEfficiency(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{Store: store, Threads: 2}
	defer r.Close()
	path := modeltest.Tiny(t)
	m, err := r.Study(context.Background(), StudyRequest{Studies: []string{StudyEfficient}, Model: path, Runs: 2, Prefill: 48, Samples: 2, Least: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	entry, err := r.open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	shares := map[string]float64{}
	for _, rec := range m {
		if rec.Axes["component"] != "" {
			shares[rec.Axes["form"]] += number(rec, "share")
			continue
		}
		var sum float64
		for _, v := range rec.Metrics {
			if strings.HasPrefix(v.Name, "bytes ") {
				sum += v.Value
			}
		}
		all := number(rec, "weight_bytes")
		if sum != all || all == 0 {
			t.Errorf("%s: parts of %v bytes, together %v", rec.Axes["form"], sum, all)
		}
		if rec.Axes["recipe"] == fp32 && all != float64(4*entry.Parameters()) {
			t.Errorf("fp32: %v bytes of %d numbers", all, entry.Parameters())
		}
		if kv, session := number(rec, "kv_bytes"), number(rec, "session_bytes"); kv == 0 || session < kv {
			t.Errorf("%s: a session of %v bytes with a cache of %v", rec.Axes["form"], session, kv)
		}
		if _, ok := rec.Metric("resident_bytes"); ok {
			t.Errorf("%s: a resident set that nobody measured", rec.Axes["form"])
		}
	}
	if len(shares) != len(efficiencyForms()) {
		t.Errorf("components of %d forms", len(shares))
	}
	for form, sum := range shares {
		if math.Abs(sum-100) > 1e-9 {
			t.Errorf("%s: the shares add up to %v %%", form, sum)
		}
	}
	for _, g := range []interface{ String() string }{m.Grid(), m.WeightGrid(), m.PartsGrid()} {
		if text := g.String(); !strings.Contains(text, "w4a4") {
			t.Errorf("a table without w4a4:\n%s", text)
		}
	}
	if g := m.Grid(); !slices.Contains(g.Head, "prefill of 48 (ms)") {
		t.Errorf("a table that does not say how long its prompt is: %q", g.Head)
	}
}

// The answer has the least and the largest ratio over the widths and counts what is beyond its interval.
func TestEfficiencyAnswer(t *testing.T) {
	form := func(recipe, operators string, values ...float64) *record.Record {
		r := &record.Record{Axes: map[string]string{"study": StudyEfficient, "model": "small", "recipe": recipe, "operators": operators, "prefill": "64"}}
		for i, name := range []string{"weight_bytes", "prefill_speedup", "decode_speedup", "slower", "slower_low", "slower_high"} {
			if i < len(values) {
				r.Metrics = append(r.Metrics, record.Metric{Name: name, Value: values[i]})
			}
		}
		return r
	}
	m := Measured{form(fp32, "", 800), form("w8a8", "float32", 200, 2, 2, 1.1, 1.05, 1.2), form("w8a8", "integer", 200, 2.5, 3),
		form("w4a4", "float32", 100, 2, 2, 0.98, 0.9, 1.1), form("w4a4", "integer", 100, 2.25, 6)}
	want := "small, integers alone against float32, over 2 widths: weights 4.00 to 8.00 times smaller, a prompt of 64 tokens 2.25 to 2.50 times as fast, decoding behind it 3.00 to 6.00 times as fast.\n" +
		"Float operators between the same integer products: the prompt takes 0.98 to 1.10 times the time of integers alone; beyond the interval slower at 1 of 2 widths, faster at 0."
	if got := m.EfficiencyAnswer(); got != want {
		t.Errorf("found\n%s\nexpected\n%s", got, want)
	}
	if got := (Measured{}).EfficiencyAnswer(); !strings.HasPrefix(got, "no record") {
		t.Errorf("without records: %q", got)
	}
	m[4].Axes["prefill"] = "32"
	if got := m.prompt(); got != "–" {
		t.Errorf("prompts of two lengths: %q", got)
	}
}
