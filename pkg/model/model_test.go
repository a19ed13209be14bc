package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/model/modeltest"
)

// A toy model: 2 blocks, hidden 8, 4 query and 2 key/value heads of 6, FFN 10.
const (
	toyLayers, toyHidden, toyHeads, toyKV, toyDim, toyFFN, toyVocab = 2, 8, 4, 2, 6, 10, 7
)

// toyWeights draws all tensors under their canonical names.
func toyWeights(tied bool) map[string][]float32 {
	r := rand.New(rand.NewPCG(1, 2))
	w := map[string][]float32{}
	for name, shape := range toyShapes(tied) {
		n := 1
		for _, d := range shape {
			n *= int(d)
		}
		v := make([]float32, n)
		w[name] = v
	}
	for _, name := range slices.Sorted(maps.Keys(w)) {
		for i := range w[name] {
			w[name][i] = float32(r.NormFloat64())
		}
	}
	return w
}

func toyShapes(tied bool) map[string][]uint64 {
	s := map[string][]uint64{Embedding: {toyVocab, toyHidden}, FinalNorm: {toyHidden}}
	if !tied {
		s[Head] = []uint64{toyVocab, toyHidden}
	}
	for n := range toyLayers {
		for name, shape := range map[string][]uint64{
			"input_layernorm": {toyHidden}, "post_attention_layernorm": {toyHidden},
			"self_attn.q_proj": {toyHeads * toyDim, toyHidden}, "self_attn.k_proj": {toyKV * toyDim, toyHidden}, "self_attn.v_proj": {toyKV * toyDim, toyHidden},
			"self_attn.o_proj": {toyHidden, toyHeads * toyDim},
			"mlp.gate_proj":    {toyFFN, toyHidden}, "mlp.up_proj": {toyFFN, toyHidden}, "mlp.down_proj": {toyHidden, toyFFN},
		} {
			s[fmt.Sprintf("model.layers.%d.%s.weight", n, name)] = shape
		}
	}
	return s
}

// permute is what conversion to GGUF does to q and k: view the rows of a head as
// [2, D/2] and swap the two axes.
func permute(w []float32, heads, dim int) []float32 {
	width := len(w) / (heads * dim)
	var out []float32
	for h := range heads {
		for i := range dim / 2 {
			for s := range 2 {
				row := h*dim + s*dim/2 + i
				out = append(out, w[row*width:(row+1)*width]...)
			}
		}
	}
	return out
}

func ggufName(hf string) string {
	for _, r := range [][2]string{
		{"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}, {"model.layers.", "blk."},
		{"input_layernorm", "attn_norm"}, {"post_attention_layernorm", "ffn_norm"}, {"self_attn.q_proj", "attn_q"}, {"self_attn.k_proj", "attn_k"},
		{"self_attn.v_proj", "attn_v"}, {"self_attn.o_proj", "attn_output"}, {"mlp.gate_proj", "ffn_gate"}, {"mlp.up_proj", "ffn_up"}, {"mlp.down_proj", "ffn_down"},
	} {
		hf = strings.Replace(hf, r[0], r[1], 1)
	}
	return hf
}

var kv = modeltest.KV

func toyGGUF(tied bool) modeltest.GGUF {
	g := modeltest.GGUF{Pairs: []modeltest.Pair{
		kv("general.architecture", "llama"), kv("llama.block_count", toyLayers), kv("llama.embedding_length", toyHidden),
		kv("llama.attention.head_count", toyHeads), kv("llama.attention.head_count_kv", toyKV), kv("llama.attention.key_length", toyDim),
		kv("llama.attention.value_length", toyDim), kv("llama.rope.dimension_count", toyDim), kv("llama.feed_forward_length", toyFFN), kv("llama.context_length", 64),
		kv("llama.attention.layer_norm_rms_epsilon", float32(1e-5)), kv("llama.rope.freq_base", float32(50000)),
		kv("tokenizer.ggml.model", "gpt2"), kv("tokenizer.ggml.pre", "smollm"), kv("tokenizer.ggml.tokens", []string{"<s>", "a", "b", "ab", "</s>"}),
		kv("tokenizer.ggml.token_type", []int32{3, 1, 1, 1, 3}), kv("tokenizer.ggml.merges", []string{"a b"}),
		kv("tokenizer.ggml.bos_token_id", 0), kv("tokenizer.ggml.eos_token_id", 4), kv("tokenizer.ggml.add_bos_token", true),
	}}
	w := toyWeights(tied)
	shapes := toyShapes(tied)
	for _, name := range slices.Sorted(maps.Keys(w)) {
		v := w[name]
		switch {
		case strings.Contains(name, "q_proj"):
			v = permute(v, toyHeads, toyDim)
		case strings.Contains(name, "k_proj"):
			v = permute(v, toyKV, toyDim)
		}
		g.Tensors = append(g.Tensors, modeltest.F32(ggufName(name), v, shapes[name]...))
	}
	return g
}

const toyTokenizer = `{"added_tokens":[{"id":0,"content":"<s>","special":true},{"id":4,"content":"</s>","special":true}],
"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false}]},
"model":{"type":"BPE","vocab":{"a":1,"b":2,"ab":3},"merges":["a b"]}}`

func toyConfig(tied bool) map[string]any {
	return map[string]any{
		"model_type": "llama", "hidden_act": "silu", "num_hidden_layers": toyLayers, "hidden_size": toyHidden, "num_attention_heads": toyHeads,
		"num_key_value_heads": toyKV, "head_dim": toyDim, "intermediate_size": toyFFN, "vocab_size": toyVocab, "max_position_embeddings": 64,
		"rms_norm_eps": 1e-5, "rope_theta": 50000.0, "tie_word_embeddings": tied, "bos_token_id": 0, "eos_token_id": 4,
	}
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeJSON(t testing.TB, dir, name string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, name, b)
}

// toyDir writes the model as a directory; sharded: two files and an index.
func toyDir(t testing.TB, tied, sharded bool) string {
	dir := t.TempDir()
	writeJSON(t, dir, "config.json", toyConfig(tied))
	write(t, dir, "tokenizer.json", []byte(toyTokenizer))
	writeJSON(t, dir, "tokenizer_config.json", map[string]any{"add_bos_token": true})
	w, shapes := toyWeights(tied), toyShapes(tied)
	var shards [2][]modeltest.Safe
	index := map[string]string{}
	for i, name := range slices.Sorted(maps.Keys(w)) {
		at := 0
		if sharded {
			at = i % 2
		}
		index[name] = fmt.Sprintf("model-%d.safetensors", at)
		shards[at] = append(shards[at], modeltest.SafeF32(name, w[name], shapes[name]...))
	}
	if !sharded {
		write(t, dir, "model.safetensors", modeltest.Safetensors(shards[0]))
		return dir
	}
	for i, s := range shards {
		write(t, dir, fmt.Sprintf("model-%d.safetensors", i), modeltest.Safetensors(s))
	}
	writeJSON(t, dir, "model.safetensors.index.json", map[string]any{"weight_map": index})
	return dir
}

// TestSources: the three forms of one model give equal configurations and weights.
func TestSources(t *testing.T) {
	for _, tied := range []bool{false, true} {
		paths := map[string]string{
			"gguf":    write(t, t.TempDir(), "toy.gguf", toyGGUF(tied).Bytes()),
			"single":  toyDir(t, tied, false),
			"sharded": toyDir(t, tied, true),
		}
		want := toyWeights(tied)
		if tied {
			want[Head] = want[Embedding]
		}
		var configs []string
		for kind, path := range paths {
			m, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			configs = append(configs, fmt.Sprintf("%+v", m.Config))
			if len(m.Names()) != len(want) {
				t.Errorf("%s: %d tensors, want %d", kind, len(m.Names()), len(want))
			}
			for _, name := range m.Names() {
				v, err := m.Float32(name, nil)
				if err != nil || !slices.Equal(v, want[name]) {
					t.Errorf("%s (tied %v): %s differs (%v)", kind, tied, name, err)
				}
				n := 1
				for _, d := range m.Shape(name) {
					n *= d
				}
				if n != len(v) {
					t.Errorf("%s: %s has shape %v and %d values", kind, name, m.Shape(name), len(v))
				}
			}
			if ids := m.Tokenizer.Encode("abba"); !slices.Equal(ids, []int32{3, 2, 1}) {
				t.Errorf("%s: ids %v", kind, ids)
			}
			if m.Config.BOS != 0 || !m.Config.IsEOS(4) || m.Config.IsEOS(-1) || m.Config.TiedHead != tied || m.Config.NormEps != 1e-5 {
				t.Errorf("%s: %+v", kind, m.Config)
			}
		}
		if slices.Sort(configs); len(slices.Compact(configs)) != 1 {
			t.Errorf("configurations differ:\n%s", strings.Join(configs, "\n"))
		}
	}
}

func TestConcurrentReads(t *testing.T) {
	m, err := Open(write(t, t.TempDir(), "toy.gguf", toyGGUF(false).Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	want := toyWeights(false)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var buf []float32
			for _, name := range m.Names() {
				v, err := m.Float32(name, buf)
				if err != nil || !slices.Equal(v, want[name]) {
					t.Errorf("%s differs (%v)", name, err)
				}
				buf = v
			}
			if _, err := m.Hash(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestHash(t *testing.T) {
	data := toyGGUF(true).Bytes()
	m, err := Open(write(t, t.TempDir(), "toy.gguf", data))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if h, err := m.Hash(); h != hex.EncodeToString(sum[:]) || err != nil {
		t.Errorf("hash %s, %v; the file's is %x", h, err, sum)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, err := m.Float32(Embedding, nil); err == nil {
		t.Error("a tensor was read after Close")
	}
	hash := func(dir string) string {
		m, err := OpenWeights(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		h, err := m.Hash()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	a, b := toyDir(t, true, true), toyDir(t, true, true)
	if hash(a) != hash(b) {
		t.Error("equal directories differ in hash")
	}
	c := toyConfig(true)
	c["rope_theta"] = 10000.0
	writeJSON(t, b, "config.json", c)
	if hash(a) == hash(b) {
		t.Error("the hash does not see config.json")
	}
}
