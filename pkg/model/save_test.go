package model

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/half"
)

// mapSource is a Source held in memory.
type mapSource map[string][]float32

func (m mapSource) Float32(name string, dst []float32) ([]float32, error) {
	v, ok := m[name]
	if !ok {
		return nil, fmt.Errorf("no tensor %q", name)
	}
	return append(dst[:0], v...), nil
}

// drawSource draws every tensor of a configuration.
func drawSource(c Config) mapSource {
	src, seed := mapSource{}, uint64(1)
	for s := range c.layout() {
		if s.absent {
			continue
		}
		n := 1
		for _, d := range s.shape {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			seed = seed*6364136223846793005 + 1442695040888963407
			v[i] = float32(int32(seed>>32)) / (1 << 31)
		}
		src[s.name] = v
	}
	if c.TiedHead {
		src[Head] = src[Embedding]
	}
	return src
}

// saveConfigs has one configuration of every kind that Save can express.
func saveConfigs() map[string]Config {
	base := Config{Architecture: LLaMA, Layers: 2, Hidden: 8, Heads: 4, KVHeads: 2, HeadDim: 6, FFN: 10, Vocab: 7, MaxContext: 64,
		NormEps: 1e-6, NormEpsText: "1e-06", RopeTheta: 10000, BOS: -1, EOS: 4, EOSAll: []int{4}}
	with := func(edit func(c *Config)) Config {
		c := base
		edit(&c)
		return c
	}
	return map[string]Config{
		"llama":      base,
		"llama tied": with(func(c *Config) { c.TiedHead = true; c.BOS = 0; c.EOSAll = []int{4, 0}; c.ChatTemplate = "{{ x }} <b>" }),
		"llama bias": with(func(c *Config) { c.QKVBias, c.OutBias, c.MLPBias = true, true, true }),
		"llama3": with(func(c *Config) {
			c.RopeScaling = RopeScaling{Type: "llama3", Factor: 8, LowFreq: 1, HighFreq: 4, Original: 32}
		}),
		"linear": with(func(c *Config) { c.RopeScaling = RopeScaling{Type: "linear", Factor: 2.5} }),
		"qwen2":  with(func(c *Config) { c.QKVBias = true }),
		"qwen3":  with(func(c *Config) { c.HeadNorm = true; c.RopeTheta = 1e6 }),
		"opt": with(func(c *Config) {
			c.Architecture, c.KVHeads, c.HeadDim, c.RopeTheta, c.NormEps, c.NormEpsText = OPT, 4, 2, 0, 1e-5, "1e-05"
			c.QKVBias, c.OutBias, c.MLPBias, c.TiedHead = true, true, true, true
		}),
		"opt untied, odd heads": with(func(c *Config) {
			c.Architecture, c.KVHeads, c.Hidden, c.HeadDim, c.RopeTheta, c.NormEps, c.NormEpsText = OPT, 4, 12, 3, 0, 1e-5, "1e-05"
		}),
	}
}

// TestSaveOpen: what Save writes Open reads: configuration, names, shapes, values.
func TestSaveOpen(t *testing.T) {
	round := map[string]func(float32) float32{
		"F32":  func(v float32) float32 { return v },
		"F16":  func(v float32) float32 { return half.F16(half.ToF16(v)) },
		"BF16": func(v float32) float32 { return half.BF16(half.ToBF16(v)) },
	}
	for name, c := range saveConfigs() {
		for dtype, to := range round {
			dir := filepath.Join(t.TempDir(), "sub", "m")
			src := drawSource(c)
			if err := Save(dir, c, src, []byte(toyTokenizer), dtype); err != nil {
				t.Fatalf("%s %s: %v", name, dtype, err)
			}
			m, err := Open(dir)
			if err != nil {
				t.Fatalf("%s %s: %v", name, dtype, err)
			}
			defer m.Close()
			if got, want := fmt.Sprintf("%+v", m.Config), fmt.Sprintf("%+v", c); got != want {
				t.Errorf("%s: config\n%s, want\n%s", name, got, want)
			}
			names := m.Names()
			if got, want := slices.Sorted(slices.Values(names)), slices.Sorted(maps.Keys(src)); !slices.Equal(got, want) {
				t.Errorf("%s: names %q, want %q", name, got, want)
			}
			for _, tensor := range names {
				v, err := m.Float32(tensor, nil)
				if err != nil || len(v) != len(src[tensor]) {
					t.Fatalf("%s: %s: %d values (%v)", name, tensor, len(v), err)
				}
				for i, x := range src[tensor] {
					if v[i] != to(x) {
						t.Fatalf("%s %s: %s[%d] = %v, want %v", name, dtype, tensor, i, v[i], to(x))
					}
				}
			}
		}
	}
}

// TestSaveAgain: equal arguments give equal files; a saved model is replaced, other
// folders are left alone, and an error leaves the old model and nothing else.
func TestSaveAgain(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "m")
	c := saveConfigs()["llama tied"]
	read := func() string {
		all := ""
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all += fmt.Sprintf("%s %q\n", e.Name(), b)
		}
		return all
	}
	save := func(src Source) error { return Save(dir, c, src, []byte(toyTokenizer), "F16") }
	src := drawSource(c)
	if err := save(src); err != nil {
		t.Fatal(err)
	}
	first := read()
	if err := save(src); err != nil {
		t.Fatal(err)
	}
	if read() != first {
		t.Error("a second save gives other bytes")
	}
	bad := maps.Clone(src)
	bad[FinalNorm] = slices.Clone(src[FinalNorm])
	bad[FinalNorm][3] = 65520
	if err := save(bad); err == nil || !strings.Contains(err.Error(), `tensor "model.norm.weight": value 3 is 65520, expected a number below 65520 in magnitude (type F16)`) {
		t.Errorf("overflow: %v", err)
	}
	delete(bad, FinalNorm)
	if err := save(bad); err == nil || !strings.Contains(err.Error(), `no tensor "model.norm.weight"`) {
		t.Errorf("missing tensor: %v", err)
	}
	if read() != first {
		t.Error("a save that failed changed the model")
	}
	if entries, _ := os.ReadDir(parent); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if err := CheckSave(dir, c, nil, "F16"); err != nil {
		t.Errorf("a folder that can be replaced: %v", err)
	}
	write(t, dir, "diary.txt", []byte("x"))
	if err := save(src); err == nil || !strings.Contains(err.Error(), `found "diary.txt"`) {
		t.Errorf("foreign folder: %v", err)
	}
	blocked := Save(filepath.Join(dir, "diary.txt", "m"), c, src, nil, "F32")
	if blocked == nil || !strings.Contains(blocked.Error(), "not a directory") {
		t.Errorf("a file where a folder is needed: %v", blocked)
	}
}

// TestSaveUnwritable: the error names the folder that cannot be written.
func TestSaveUnwritable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	parent := t.TempDir()
	if err := os.Chmod(parent, 0o500); err != nil {
		t.Fatal(err)
	}
	c := saveConfigs()["llama"]
	err := Save(filepath.Join(parent, "m"), c, drawSource(c), nil, "F32")
	if err == nil || !strings.Contains(err.Error(), "permission denied") || !strings.Contains(err.Error(), parent) {
		t.Errorf("%v", err)
	}
}

func TestSaveRefuses(t *testing.T) {
	tok := func(name string) string {
		if name == "beginning" {
			return strings.Replace(toyTokenizer, "{", `{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}],"special_tokens":{"<s>":{"ids":[0]}}},`, 1)
		}
		return toyTokenizer
	}
	for name, x := range map[string]struct {
		base string
		edit func(c *Config)
		want string
	}{
		"tokenizer":  {"llama", func(c *Config) { c.Vocab, c.EOS, c.EOSAll = 4, -1, nil }, "the tokenizer has 5 ids, the embedding only 4 rows"},
		"beginning":  {"llama", func(c *Config) { c.BOS = 1 }, "the configuration says 1, the tokenizer puts 0 before a text"},
		"layers":     {"llama", func(c *Config) { c.Layers = 0 }, "layers: expected 1–4096, found 0"},
		"RoPE":       {"llama", func(c *Config) { c.RopeScaling = RopeScaling{Type: "ntk", Factor: 2} }, `found "ntk"`},
		"o alone":    {"llama", func(c *Config) { c.OutBias = true }, "q, k, v false, o true"},
		"qwen3 bias": {"qwen3", func(c *Config) { c.QKVBias = true }, "with head norms true"},
		"opt biases": {"opt", func(c *Config) { c.MLPBias = false }, "MLP false"},
		"opt eps":    {"opt", func(c *Config) { c.NormEps = 1e-6 }, "norm epsilon: OPT has 1e-05"},
		"opt heads":  {"opt", func(c *Config) { c.KVHeads = 2 }, "key/value heads: OPT has as many as attention heads, expected 4, found 2"},
		"opt width":  {"opt", func(c *Config) { c.HeadDim = 3 }, "OPT needs the hidden size 8, found 4 × 3"},
	} {
		c := saveConfigs()[x.base]
		x.edit(&c)
		dir := filepath.Join(t.TempDir(), "m")
		if err := Save(dir, c, mapSource{}, []byte(tok(name)), "F32"); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want … %s …", name, err, x.want)
		}
		if err := CheckSave(dir, c, []byte(tok(name)), "F32"); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: CheckSave: %v, want … %s …", name, err, x.want)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: a folder was left", name)
		}
	}
	if err := Save(t.TempDir(), saveConfigs()["llama"], mapSource{}, nil, "F8"); err == nil || !strings.Contains(err.Error(), `found "F8"`) {
		t.Errorf("type: %v", err)
	}
	if err := Save(t.TempDir(), saveConfigs()["llama"], mapSource{Embedding: {float32(math.NaN())}}, nil, "F32"); err == nil || !strings.Contains(err.Error(), "shape [7 8] needs 56 values, found 1") {
		t.Errorf("length: %v", err)
	}
}
