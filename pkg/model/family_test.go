package model

import (
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/model/modeltest"
)

func uints(shape []int) (out []uint64) {
	for _, d := range shape {
		out = append(out, uint64(d))
	}
	return out
}

// equalTensors: the model has exactly the tensors of src.
func equalTensors(t *testing.T, m *Model, src mapSource) {
	t.Helper()
	if len(m.Names()) != len(src) {
		t.Errorf("%d tensors, want %d", len(m.Names()), len(src))
	}
	buf := make([]float32, 3)
	for _, name := range m.Names() {
		v, err := m.Float32(name, buf)
		if err != nil || !slices.Equal(v, src[name]) {
			t.Errorf("%s differs (%v)", name, err)
		}
		buf = v
	}
}

// qwenGGUF lays a configuration out as conversion to GGUF does: rows stay in place.
func qwenGGUF(arch string, c Config, src mapSource) modeltest.GGUF {
	g := toyGGUF(true)
	for i, p := range g.Pairs {
		g.Pairs[i].Key = strings.Replace(p.Key, "llama.", arch+".", 1)
		switch p.Key {
		case "general.architecture":
			g.Pairs[i].Value = arch
		case "llama.attention.layer_norm_rms_epsilon":
			g.Pairs[i].Value = float32(c.NormEps)
		case "llama.rope.freq_base":
			g.Pairs[i].Value = float32(c.RopeTheta)
		}
	}
	g.Tensors = nil
	names := map[string]string{"q_norm": "attn_q_norm", "k_norm": "attn_k_norm"}
	for s := range c.layout() {
		if s.absent {
			continue
		}
		name := ggufName(s.name)
		for hf, gg := range names {
			name = strings.Replace(name, "self_attn."+hf, gg, 1)
		}
		g.Tensors = append(g.Tensors, modeltest.F32(name, src[s.name], uints(s.shape)...))
	}
	return g
}

// TestQwenGGUF: biases and head norms are found, and no row is moved.
func TestQwenGGUF(t *testing.T) {
	for arch, bias := range map[string]bool{"qwen2": true, "qwen3": false} {
		c := saveConfigs()[arch]
		src := drawSource(c)
		m, err := Open(write(t, t.TempDir(), "q.gguf", qwenGGUF(arch, c, src).Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if m.Config.QKVBias != bias || m.Config.HeadNorm == bias || m.Config.Architecture != LLaMA || m.Config.NormEpsText != c.NormEpsText {
			t.Errorf("%s: %+v", arch, m.Config)
		}
		equalTensors(t, m, src)
	}
	c := saveConfigs()["qwen2"]
	g := qwenGGUF("qwen2", c, drawSource(c))
	g.Pairs = append(g.Pairs, kv("qwen2.attention.sliding_window", 63))
	_, err := Open(write(t, t.TempDir(), "q.gguf", g.Bytes()))
	if err == nil || !strings.Contains(err.Error(), `"qwen2.attention.sliding_window": expected none or at least the context length 64, found 63`) {
		t.Errorf("window: %v", err)
	}
}

// TestOPTNames: both prefixes of OPT's files, and the beginning of text.
func TestOPTNames(t *testing.T) {
	c := saveConfigs()["opt"]
	src := drawSource(c)
	for _, prefix := range []string{"model.", ""} {
		dir := t.TempDir()
		var list []modeltest.Safe
		for s := range c.layout() {
			if s.absent {
				continue
			}
			v, shape := src[s.name], uints(s.shape)
			if s.name == Positions {
				v = append(slices.Repeat([]float32{9}, 2*c.Hidden), v...)
				shape[0] += 2
			}
			list = append(list, modeltest.SafeF32(prefix+strings.TrimPrefix(s.hf, "model."), v, shape...))
		}
		// Published files carry the head though it is tied.
		list = append(list, modeltest.SafeF32("lm_head.weight", make([]float32, len(src[Head])), uint64(c.Vocab), uint64(c.Hidden)))
		write(t, dir, "model.safetensors", modeltest.Safetensors(list))
		write(t, dir, "tokenizer.json", []byte(toyTokenizer))
		writeJSON(t, dir, "config.json", map[string]any{
			"model_type": "opt", "hidden_size": c.Hidden, "ffn_dim": c.FFN, "num_hidden_layers": c.Layers, "num_attention_heads": c.Heads,
			"vocab_size": c.Vocab, "max_position_embeddings": c.MaxContext, "bos_token_id": 2, "eos_token_id": 2, "word_embed_proj_dim": c.Hidden,
		})
		for add, want := range map[any]int{true: 2, false: -1, nil: -1} {
			writeJSON(t, dir, "tokenizer_config.json", map[string]any{"add_bos_token": add})
			m, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if m.Config.BOS != want || m.Config.EOS != 2 || !m.Config.QKVBias || !m.Config.TiedHead || m.Config.HeadDim != 2 {
				t.Errorf("add_bos_token %v: %+v", add, m.Config)
			}
			equalTensors(t, m, src)
			if got, want := m.Names()[:3], []string{Embedding, Positions, LayerName(0, "input_layernorm.weight")}; !slices.Equal(got, want) {
				t.Errorf("order %q, want %q", got, want)
			}
			m.Close()
		}
	}
}

// TestOrder freezes the order of names: a bias behind its weight, head norms behind v.
func TestOrder(t *testing.T) {
	for name, want := range map[string]string{
		"opt":   "ln1 ln1' q q' k k' v v' o o' ln2 ln2' up up' down down'",
		"qwen2": "ln1 q q' k k' v v' o ln2 gate up down",
		"qwen3": "ln1 q k v qn kn o ln2 gate up down",
	} {
		short := strings.NewReplacer("input_layernorm", "ln1", "post_attention_layernorm", "ln2", "self_attn.q_norm", "qn", "self_attn.k_norm", "kn",
			"self_attn.", "", "mlp.", "", "_proj", "", ".weight", "", ".bias", "'")
		var got []string
		c := saveConfigs()[name]
		for s := range c.block(0) {
			if !s.absent {
				got = append(got, short.Replace(strings.TrimPrefix(s.name, "model.layers.0.")))
			}
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: %s, want %s", name, g, want)
		}
	}
}
