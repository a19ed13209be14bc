package model

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/model/modeltest"
)

// TestBadGGUF: each defect gives an error that names the field or tensor and what was found.
func TestBadGGUF(t *testing.T) {
	set := func(key string, v any) func(*modeltest.GGUF) {
		return func(g *modeltest.GGUF) {
			g.Pairs = slices.DeleteFunc(g.Pairs, func(p modeltest.Pair) bool { return p.Key == key })
			if v != nil {
				g.Pairs = append(g.Pairs, kv(key, v))
			}
		}
	}
	drop := func(name string) func(*modeltest.GGUF) {
		return func(g *modeltest.GGUF) {
			g.Tensors = slices.DeleteFunc(g.Tensors, func(x modeltest.Tensor) bool { return x.Name == name })
		}
	}
	add := func(x modeltest.Tensor) func(*modeltest.GGUF) {
		return func(g *modeltest.GGUF) { drop(x.Name)(g); g.Tensors = append(g.Tensors, x) }
	}
	for name, c := range map[string]struct {
		edit func(*modeltest.GGUF)
		want string
	}{
		"unknown architecture": {set("general.architecture", "mamba"), `architecture "mamba" is unknown`},
		"no architecture":      {set("general.architecture", nil), `no metadata "general.architecture"`},
		"no layers":            {set("llama.block_count", nil), `no metadata "llama.block_count"`},
		"2^31 layers":          {set("llama.block_count", int64(1)<<31), "layers: expected 1–4096, found 2147483648"},
		"zero heads":           {set("llama.attention.head_count", 0), "attention heads: expected 1–1048576, found 0"},
		"3 key/value heads":    {set("llama.attention.head_count_kv", 3), "4 is no multiple of the 3 key/value heads"},
		"odd head size": {func(g *modeltest.GGUF) {
			set("llama.attention.key_length", 5)(g)
			set("llama.attention.value_length", 5)(g)
			set("llama.rope.dimension_count", 5)(g)
		}, "even number, found 5"},
		"value size":           {set("llama.attention.value_length", 8), "expected the key length 6, found 8"},
		"partial rotation":     {set("llama.rope.dimension_count", 4), "partial rotation is not supported), found 4"},
		"context zero":         {set("llama.context_length", 0), "context length: expected 1–1073741824, found 0"},
		"epsilon negative":     {set("llama.attention.layer_norm_rms_epsilon", float32(-1)), "norm epsilon: expected a number between 0 and 1, found -1"},
		"epsilon missing":      {set("llama.attention.layer_norm_rms_epsilon", nil), "llama.attention.layer_norm_rms_epsilon"},
		"epsilon a string":     {set("llama.attention.layer_norm_rms_epsilon", "small"), "expected a float, found string"},
		"RoPE base zero":       {set("llama.rope.freq_base", float32(0)), "RoPE base: expected at least 1, found 0"},
		"yarn":                 {set("llama.rope.scaling.type", "yarn"), `found "yarn"`},
		"experts":              {set("llama.expert_count", 8), "found 8 experts"},
		"missing tensor":       {drop("blk.1.ffn_up.weight"), `tensor "blk.1.ffn_up.weight" is missing (expected [10 8])`},
		"no embedding":         {drop("token_embd.weight"), "token_embd.weight"},
		"other shape":          {add(modeltest.F32("blk.0.attn_v.weight", make([]float32, 96), 8, 12)), `tensor "blk.0.attn_v.weight": expected shape [12 8] from the configuration, found [8 12]`},
		"bias":                 {add(modeltest.F32("blk.0.attn_q.bias", make([]float32, 24), 24)), `tensor "blk.0.attn_q.bias": the configuration announces none`},
		"RoPE factors too few": {add(modeltest.F32("rope_freqs.weight", make([]float32, 2), 2)), "RoPE factors: expected 3 (half the head size), found 2"},
		"RoPE factor zero":     {add(modeltest.F32("rope_freqs.weight", make([]float32, 3), 3)), "RoPE factor 0: expected a positive number, found 0"},
		"end token outside":    {set("tokenizer.ggml.eos_token_id", 99), "special token: id 99 is outside the vocabulary of 7"},
		"missing tokenizer":    {set("tokenizer.ggml.model", nil), "the file has no tokenizer"},
		"tokenizer too large": {func(g *modeltest.GGUF) {
			set("tokenizer.ggml.tokens", strings.Split("a b ab c d e f g h", " "))(g)
			set("tokenizer.ggml.token_type", nil)(g)
		}, "the tokenizer has 9 ids, the embedding only 7 rows"},
		"truncated (see gguf)":  {func(g *modeltest.GGUF) { g.ClaimPairs = 1 << 60 }, "1152921504606846976"},
		"heads that overflow":   {set("llama.attention.key_length", int64(1)<<31), "key length 2147483648, found 6"},
		"hidden size 2^32 − 16": {set("llama.embedding_length", int64(1)<<32-16), "hidden size: expected 1–1048576, found 4294967280"},
	} {
		t.Run(name, func(t *testing.T) {
			g := toyGGUF(false)
			c.edit(&g)
			path := write(t, t.TempDir(), "bad.gguf", g.Bytes())
			m, err := Open(path)
			if err == nil {
				m.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "bad.gguf") {
				t.Errorf("got %v, want … %s …", err, c.want)
			}
		})
	}
}

func TestBadConfigJSON(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		value any
		want  string
	}{
		"unknown architecture": {"model_type", "gpt_neox", `model_type "gpt_neox" is unknown`},
		"activation":           {"hidden_act", "gelu", `hidden_act: expected "silu", found gelu`},
		"biases":               {"attention_bias", true, `tensor "model.layers.0.self_attn.q_proj.bias" is missing (expected [24])`},
		"MLP biases":           {"mlp_bias", true, `tensor "model.layers.0.mlp.gate_proj.bias" is missing (expected [10])`},
		"window":               {"sliding_window", 63, "sliding_window: expected none or at least max_position_embeddings (64), found 63"},
		"head size":            {"head_dim", 5, "head size: rotary pairs need an even number, found 5"},
		"partial rotation":     {"partial_rotary_factor", 0.5, "partial_rotary_factor: expected 1 (all of a head turns), found 0.5"},
		"partial, new place":   {"rope_parameters", map[string]any{"rope_type": "default", "partial_rotary_factor": 0.25}, "partial_rotary_factor: expected 1 (all of a head turns), found 0.25"},
		"layer types":          {"layer_types", []string{"full_attention", "sliding_attention"}, `layer_types: expected "full_attention" in all layers, found sliding_attention`},
		"experts":              {"num_local_experts", 8, "num_local_experts: expected none (mixtures of experts are not supported), found 8"},
		"experts of qwen":      {"model_type", "qwen3_moe", `model_type "qwen3_moe" is unknown`},
		"quantised":            {"quantization_config", map[string]any{"quant_method": "gptq"}, `quantization_config: expected none, found quant_method "gptq"`},
		"yarn":                 {"rope_scaling", map[string]any{"rope_type": "yarn", "factor": 4.0}, `rope_scaling: rope type "yarn" is not supported`},
		"Mistral's window":     {"model_type", "mistral", "sliding_window"},
		"Qwen2's biases":       {"model_type", "qwen2", `tensor "model.layers.0.self_attn.q_proj.bias" is missing (expected [24])`},
		"Qwen3's norms":        {"model_type", "qwen3", `tensor "model.layers.0.self_attn.q_norm.weight" is missing (expected [6])`},
		"OPT":                  {"model_type", "opt", "feed-forward size: expected 1–1048576, found 0"},
		"absurd sizes":         {"vocab_size", 1 << 22, `tensor "model.embed_tokens.weight": expected shape [4194304 8] from the configuration, found [7 8]`},
		"layers negative":      {"num_hidden_layers", -1, "layers: expected 1–4096, found -1"},
		"layers a string":      {"num_hidden_layers", "two", "config.json"},
		"more layers":          {"num_hidden_layers", 3, `tensor "model.layers.2.input_layernorm.weight" is missing`},
		"kv heads zero":        {"num_key_value_heads", 0, "key/value heads: expected 1–1048576, found 0"},
		"vocabulary":           {"vocab_size", 8, `tensor "model.embed_tokens.weight": expected shape [8 8] from the configuration, found [7 8]`},
		"epsilon":              {"rms_norm_eps", 2, "norm epsilon"},
		"epsilon infinite":     {"rms_norm_eps", "1e999", "config.json"},
		"dynamic RoPE":         {"rope_scaling", map[string]any{"type": "dynamic", "factor": 2.0}, `rope type "dynamic" is not supported`},
		"linear factor":        {"rope_scaling", map[string]any{"type": "linear", "factor": 0.0}, "RoPE scaling factor: expected at least 1, found 0"},
		"llama3 factors":       {"rope_scaling", map[string]any{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 1.0, "original_max_position_embeddings": 32}, "expected 0 < low < high, found low 4, high 1"},
		"llama3 original":      {"rope_scaling", map[string]any{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}, "RoPE original context: expected at least 1, found 0"},
		"end tokens":           {"eos_token_id", []int{4, 77}, "id 77 is outside the vocabulary of 7"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := toyDir(t, false, false)
			cfg := toyConfig(false)
			cfg[c.key] = c.value
			if c.value == "mistral" {
				cfg["max_position_embeddings"] = 4097 // the absent window is 4096
			}
			writeJSON(t, dir, "config.json", cfg)
			m, err := Open(dir)
			if err == nil {
				m.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want … %s …", err, c.want)
			}
		})
	}
}

// editConfig changes one field of a saved config.json; nil deletes it.
func editConfig(t *testing.T, dir, key string, value any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := map[string]any{}
	if err := json.Unmarshal(raw, &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg[key] = value; value == nil {
		delete(cfg, key)
	}
	writeJSON(t, dir, "config.json", cfg)
}

// TestBadFamilies: what the relatives can say and no forward pass here computes.
func TestBadFamilies(t *testing.T) {
	for name, c := range map[string]struct {
		base, key string
		value     any
		want      string // "" if the model opens
	}{
		"activation":         {"opt", "activation_function", "gelu", `activation_function: expected "relu", found gelu`},
		"post-norm":          {"opt", "do_layer_norm_before", false, "do_layer_norm_before: expected true (norms behind the blocks are not supported), found false"},
		"projection":         {"opt", "word_embed_proj_dim", 4, "word_embed_proj_dim: expected hidden_size (8), found 4"},
		"no γ and β":         {"opt", "layer_norm_elementwise_affine", false, "layer_norm_elementwise_affine: expected true, found false"},
		"no final norm":      {"opt", "_remove_final_layer_norm", true, "_remove_final_layer_norm: expected false, found true"},
		"heads":              {"opt", "num_attention_heads", 3, "num_attention_heads: expected a divisor of hidden_size (8), found 3"},
		"bias not announced": {"opt", "enable_bias", false, `tensor "model.decoder.layers.0.self_attn.q_proj.bias": the configuration announces none`},
		"bias missing":       {"opt untied, odd heads", "enable_bias", true, `tensor "model.decoder.layers.0.self_attn.q_proj.bias" is missing (expected [12])`},
		"positions":          {"opt", "max_position_embeddings", 66, `tensor "model.decoder.embed_positions.weight": expected shape [68 8] from the configuration, found [66 8]`},
		"vocabulary":         {"opt", "vocab_size", 9, `tensor "model.decoder.embed_tokens.weight": expected shape [9 8] from the configuration, found [7 8]`},
		"head":               {"opt", "tie_word_embeddings", false, `tensor "lm_head.weight" is missing (expected [7 8])`},
		"defaults of OPT":    {"opt", "tie_word_embeddings", nil, ""},
		"more defaults":      {"opt", "enable_bias", nil, ""},
		"LLaMA with biases":  {"qwen2", "model_type", "llama", `tensor "model.layers.0.self_attn.q_proj.bias": the configuration announces none`},
		"LLaMA with q norms": {"qwen3", "model_type", "llama", `tensor "model.layers.0.self_attn.q_norm.weight": the configuration announces none`},
		"window of qwen2":    {"qwen2", "use_sliding_window", true, "use_sliding_window: expected false, found true"},
		"unused window":      {"qwen2", "sliding_window", 4, ""},
		"qwen3 with biases":  {"qwen3", "attention_bias", true, "attention_bias: expected false beside head norms, found true"},
		"qwen3 head size":    {"qwen3", "head_dim", nil, "head_dim: expected a number for qwen3, found none"},
		"qwen2 head size":    {"qwen2", "head_dim", nil, `tensor "model.layers.0.self_attn.q_proj.weight": expected shape [8 8]`},
		"mistral":            {"llama", "model_type", "mistral", ""},
		"window as context":  {"llama", "sliding_window", 64, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, cfg := filepath.Join(t.TempDir(), "m"), saveConfigs()[c.base]
			if err := Save(dir, cfg, drawSource(cfg), []byte(toyTokenizer), "F32"); err != nil {
				t.Fatal(err)
			}
			editConfig(t, dir, c.key, c.value)
			m, err := Open(dir)
			if err == nil {
				m.Close()
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want … %s …", err, c.want)
			}
		})
	}
}

func TestBadDirectory(t *testing.T) {
	remove := func(name string) func(string) {
		return func(dir string) { os.Remove(filepath.Join(dir, name)) }
	}
	for name, c := range map[string]struct {
		edit func(dir string)
		want string
	}{
		"no config":           {remove("config.json"), "no config.json in the directory"},
		"no weights":          {remove("model.safetensors"), "no *.safetensors in this directory"},
		"missing tokenizer":   {remove("tokenizer.json"), "no tokenizer.json in the directory"},
		"config no JSON":      {func(dir string) { write(t, dir, "config.json", []byte("{")) }, "config.json: unexpected end"},
		"tokenizer no JSON":   {func(dir string) { write(t, dir, "tokenizer.json", []byte("{")) }, "tokenizer.json: unexpected end"},
		"settings no JSON":    {func(dir string) { write(t, dir, "tokenizer_config.json", []byte("[")) }, "tokenizer_config.json"},
		"weights are no file": {func(dir string) { write(t, dir, "model.safetensors", []byte("x")) }, "truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := toyDir(t, false, false)
			c.edit(dir)
			m, err := Open(dir)
			if err == nil {
				m.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "model: open ") {
				t.Errorf("got %v, want … %s …", err, c.want)
			}
		})
	}
}

// TestOpenWeights: without a tokenizer the weights can still be had.
func TestOpenWeights(t *testing.T) {
	dir := toyDir(t, false, false)
	if err := os.Remove(filepath.Join(dir, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	m, err := OpenWeights(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Tokenizer != nil {
		t.Error("a tokenizer from nowhere")
	}
	if _, err := m.Float32("model.layers.9.mlp.up_proj.weight", nil); err == nil || !strings.Contains(err.Error(), "model.layers.9.mlp.up_proj.weight") {
		t.Errorf("unknown tensor: %v", err)
	}
	if m.Shape("none") != nil {
		t.Error("a shape from nowhere")
	}
}

func TestOpenNothing(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none.gguf")); !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("missing file: %v", err)
	}
	path := write(t, t.TempDir(), "model.safetensors", nil)
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "name the directory") {
		t.Errorf("single safetensors file: %v", err)
	}
}

func unwrapAll(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || os.IsNotExist(err) {
			return err
		}
		err = u.Unwrap()
	}
}
