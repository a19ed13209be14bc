package floatref

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/safetensors"
)

// The oracle of this file is Hugging Face transformers in float32; testdata/fixtures.py wrote the numbers.

type fixture struct {
	Oracle  string
	Prompts []struct {
		Name    string
		IDs     []int32
		NLL     []float64 // of token i+1 after tokens 0…i
		Samples []struct {
			Pos    int
			Index  []int
			Logit  []float64
			Argmax int
		}
	}
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// nll is −log softmax(logits)[id] in float64.
func nll(logits []float32, id int32) float64 {
	top := float64(logits[0])
	for _, v := range logits {
		top = max(top, float64(v))
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - top)
	}
	return math.Log(sum) + top - float64(logits[id])
}

// compare runs all prompts of a fixture. Tolerance: tol for a logit (absolute), 2·tol for an NLL.
func compare(t *testing.T, m *Model, file string, tol float64) {
	var f fixture
	readJSON(t, file, &f)
	if len(f.Prompts) == 0 {
		t.Fatalf("%s holds no prompts", file)
	}
	for _, p := range f.Prompts {
		t.Run(p.Name, func(t *testing.T) {
			logits := allLogits(t, m, p.IDs)
			worst, worstNLL, n := 0.0, 0.0, 0
			for _, s := range p.Samples {
				l, best := logits[s.Pos], 0
				for i, v := range l {
					if v > l[best] {
						best = i
					}
				}
				if best != s.Argmax {
					t.Errorf("position %d: largest logit %d (%v), want %d (%v)", s.Pos, best, l[best], s.Argmax, l[s.Argmax])
				}
				for i, j := range s.Index {
					n++
					worst = max(worst, math.Abs(float64(l[j])-s.Logit[i]))
				}
			}
			for i, want := range p.NLL {
				worstNLL = max(worstNLL, math.Abs(nll(logits[i], p.IDs[i+1])-want))
			}
			t.Logf("%d tokens: largest difference of %d logits %.2g, of %d NLLs %.2g", len(p.IDs), n, worst, len(p.NLL), worstNLL)
			if !(worst <= tol) || !(worstNLL <= 2*tol) {
				t.Errorf("largest difference from %s: logits %.3g (want ≤ %g), NLL %.3g (want ≤ %g)", f.Oracle, worst, tol, worstNLL, 2*tol)
			}
			s, err := m.NewSession(len(p.IDs))
			if err != nil {
				t.Fatal(err)
			}
			last, err := s.Append(p.IDs)
			if err != nil {
				t.Fatal(err)
			}
			if d := maxDiff(last, logits[len(p.IDs)-1]); d != 0 {
				t.Errorf("Session.Append differs by %g from Logits", d)
			}
		})
	}
}

// randomModels are the configurations of the random-weight models in testdata, written by hand.
var randomModels = map[string]model.Config{
	"llama_bias": {Architecture: "llama", Layers: 2, Hidden: 64, Heads: 4, KVHeads: 4, HeadDim: 16, FFN: 96, Vocab: 256, MaxContext: 512,
		NormEps: 1e-5, RopeTheta: 10000, TiedHead: true, QKVBias: true, OutBias: true, MLPBias: true, BOS: -1, EOS: -1},
	"mistral": {Architecture: "llama", Layers: 2, Hidden: 64, Heads: 4, KVHeads: 2, HeadDim: 16, FFN: 80, Vocab: 256, MaxContext: 512,
		NormEps: 1e-5, RopeTheta: 10000, BOS: -1, EOS: -1},
	"qwen2": {Architecture: "llama", Layers: 2, Hidden: 64, Heads: 4, KVHeads: 2, HeadDim: 16, FFN: 96, Vocab: 256, MaxContext: 512,
		NormEps: 1e-6, RopeTheta: 1e6, TiedHead: true, QKVBias: true, BOS: -1, EOS: -1},
	"qwen3": {Architecture: "llama", Layers: 2, Hidden: 64, Heads: 6, KVHeads: 2, HeadDim: 16, FFN: 80, Vocab: 256, MaxContext: 512,
		NormEps: 1e-6, RopeTheta: 1e6, TiedHead: true, HeadNorm: true, BOS: -1, EOS: -1},
	"opt": {Architecture: "opt", Layers: 2, Hidden: 64, Heads: 4, KVHeads: 4, HeadDim: 16, FFN: 96, Vocab: 256, MaxContext: 200,
		NormEps: 1e-5, TiedHead: true, QKVBias: true, OutBias: true, MLPBias: true, BOS: -1, EOS: -1},
}

// folder reads a Hugging Face folder without package model: the names of OPT translated, nothing checked.
type folder struct {
	*safetensors.Set
	opt bool
}

var optNames = strings.NewReplacer("model.norm", "model.decoder.final_layer_norm", "model.", "model.decoder.", "input_layernorm", "self_attn_layer_norm",
	"post_attention_layernorm", "final_layer_norm", "mlp.up_proj", "fc1", "mlp.down_proj", "fc2", "o_proj", "out_proj")

func (f folder) Float32(name string, dst []float32) ([]float32, error) {
	if !f.opt {
		return f.Set.Float32(name, dst)
	}
	w, err := f.Set.Float32(optNames.Replace(name), dst)
	if err == nil && name == model.Positions {
		w = w[2*64:] // position p is row p + 2
	}
	return w, err
}

func openFolder(t *testing.T, name string) folder {
	t.Helper()
	set, err := safetensors.OpenDir(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return folder{set, name == "opt"}
}

// The models of the other architectures, configured and read by this file and by package model: both ways give the
// logits of transformers, and the same bits.
func TestRandomModels(t *testing.T) {
	for name, cfg := range randomModels {
		t.Run(name, func(t *testing.T) {
			m, err := NewFrom(cfg, openFolder(t, name), Options{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, m, name+".json", 2e-5)
			w, err := model.OpenWeights(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			opened, err := New(w, 2)
			if err != nil {
				t.Fatal(err)
			}
			ids := lastPrompt(t, name+".json")
			want := allLogits(t, m, ids)
			for i, l := range allLogits(t, opened, ids) {
				if d := maxDiff(l, want[i]); d != 0 {
					t.Fatalf("position %d: through package model the logits differ by %g", i, d)
				}
			}
		})
	}
}

// lastPrompt is the longest prompt of a fixture.
func lastPrompt(t *testing.T, file string) []int32 {
	var f fixture
	readJSON(t, file, &f)
	return f.Prompts[len(f.Prompts)-1].IDs
}

func TestTinyModels(t *testing.T) {
	for _, name := range []string{"tiny_untied", "tiny_tied"} {
		t.Run(name, func(t *testing.T) {
			w, err := model.OpenWeights(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			m, err := New(w, 2)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, m, name+".json", 2e-5)
		})
	}
}

// The models of data/models: token ids of a whole book as the tokenizers library gives them, logits as transformers does.
func TestShippedModels(t *testing.T) {
	book, err := corpus.Load(t.Context(), corpus.Opticks)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tiny-llama", "tiny-opt"} {
		t.Run(name, func(t *testing.T) {
			w, err := model.Open(filepath.Join("..", "..", "data", "models", name))
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			var f struct {
				Source struct {
					SHA256  string
					Opticks struct {
						Tokens int
						SHA256 string
					}
				}
			}
			readJSON(t, name+".json", &f)
			raw, err := os.ReadFile(filepath.Join(w.Path, "model.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			if got := sha256.Sum256(raw); hex.EncodeToString(got[:]) != f.Source.SHA256 {
				t.Fatalf("weights %x, the fixture is of %s: run \"illm fixtures floatref\"", got, f.Source.SHA256)
			}
			ids := w.Tokenizer.Encode(string(book.Bytes))
			var b []byte
			for _, id := range ids {
				b = binary.LittleEndian.AppendUint32(b, uint32(id))
			}
			if got := sha256.Sum256(b); len(ids) != f.Source.Opticks.Tokens || hex.EncodeToString(got[:]) != f.Source.Opticks.SHA256 {
				t.Errorf("%d tokens with sha256 %x, the tokenizers library has %d with %s", len(ids), got, f.Source.Opticks.Tokens, f.Source.Opticks.SHA256)
			}
			m, err := New(w, 2)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, m, name+".json", 1e-4)
		})
	}
}

// openSmol opens the GGUF file of SmolLM2: the path in ILLM_TEST_GGUF, else the one in the user's cache.
func openSmol(t testing.TB) (*model.Model, *Model) {
	t.Helper()
	path := os.Getenv("ILLM_TEST_GGUF")
	if path == "" {
		var ok bool
		if path, ok = new(hub.Client).Cached("smollm2"); !ok {
			t.Skip("SmolLM2 is not in the cache (illm fetch smollm2) and ILLM_TEST_GGUF does not name its GGUF file")
		}
	}
	w, err := model.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	m, err := New(w, 0)
	if err != nil {
		t.Fatal(err)
	}
	return w, m
}

func TestSmolLM2(t *testing.T) {
	if testing.Short() {
		t.Skip("a model of 135 million weights")
	}
	_, m := openSmol(t)
	compare(t, m, "smollm2.json", 1e-3)
}

// The mean NLL of whole windows of WikiText-2 equals that of transformers so closely that perplexities agree to
// more than four digits.
func TestWikiText2(t *testing.T) {
	if testing.Short() {
		t.Skip("a model of 135 million weights")
	}
	text, err := corpus.Load(context.Background(), "wikitext2")
	if err != nil {
		t.Skip(err)
	}
	w, m := openSmol(t)
	var f struct {
		Oracle     string
		TextSHA256 string `json:"text_sha256"`
		Tokens     int
		Window     int
		Windows    []struct {
			MeanNLL   float64 `json:"mean_nll"`
			IDsSHA256 string  `json:"ids_sha256"`
		}
	}
	readJSON(t, "smollm2_wikitext2.json", &f)
	ids := w.Tokenizer.Encode(string(text.Bytes))
	if text.SHA256 != f.TextSHA256 || len(ids) != f.Tokens {
		t.Fatalf("text %s of %d tokens, want %s of %d", text.SHA256, len(ids), f.TextSHA256, f.Tokens)
	}
	count := 2
	if n, _ := strconv.Atoi(os.Getenv("ILLM_TEST_LONG")); n > count {
		count = min(n, len(f.Windows))
	}
	var got, want float64
	for i, fw := range f.Windows[:count] {
		part := ids[i*f.Window:][:f.Window]
		h := sha256.New()
		binary.Write(h, binary.LittleEndian, part)
		if sum := hex.EncodeToString(h.Sum(nil)); sum != fw.IDsSHA256 {
			t.Fatalf("window %d: token ids with sha256 %s, want %s", i, sum, fw.IDsSHA256)
		}
		each := make([]float64, f.Window-1)
		err := m.Logits(t.Context(), part, func(pos int, l []float32) error {
			if pos < len(each) {
				each[pos] = nll(l, part[pos+1])
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		mean := 0.0
		for _, v := range each {
			mean += v / float64(len(each))
		}
		t.Logf("window %d: mean NLL %.7f, transformers %.7f", i, mean, fw.MeanNLL)
		got += mean / float64(count)
		want += fw.MeanNLL / float64(count)
	}
	t.Logf("PPL of %d windows %.5f, %s %.5f", count, math.Exp(got), f.Oracle, math.Exp(want))
	if d := math.Abs(got - want); !(d < 1e-5) {
		t.Errorf("mean NLL %.7f, want %.7f ± 1e-5", got, want)
	}
}
