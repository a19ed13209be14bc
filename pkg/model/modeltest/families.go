package modeltest

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/illm-go/illm/pkg/intmath"
)

// The size of the drawn models: two blocks, and numbers that all differ, so that a
// mixed-up dimension does not pass.
const (
	drawnLayers, drawnHidden, drawnHeads, drawnKV, drawnDim, drawnFFN = 2, 64, 4, 2, 16, 96
	drawnVocab, drawnContext                                          = 256, 128
)

// TinyOPT returns a folder with a random two-block OPT: LayerNorm, biases, ReLU,
// learned positions, tied head. Content and tokenizer (that of [Tiny]) never change.
func TinyOPT(t testing.TB) string {
	t.Helper()
	d := draw{state: 0x0071}
	const pre = "model.decoder."
	d.table(pre+"embed_tokens.weight", drawnVocab)
	d.table(pre+"embed_positions.weight", drawnContext+2)
	for n := range drawnLayers {
		at := fmt.Sprintf("%slayers.%d.", pre, n)
		d.norm(at+"self_attn_layer_norm", drawnHidden, true)
		for _, name := range []string{"q_proj", "k_proj", "v_proj", "out_proj"} {
			d.linear(at+"self_attn."+name, drawnHidden, drawnHidden, true)
		}
		d.norm(at+"final_layer_norm", drawnHidden, true)
		d.linear(at+"fc1", drawnFFN, drawnHidden, true)
		d.linear(at+"fc2", drawnHidden, drawnFFN, true)
	}
	d.norm(pre+"final_layer_norm", drawnHidden, true)
	return d.folder(t, map[string]any{
		"model_type": "opt", "architectures": []string{"OPTForCausalLM"}, "ffn_dim": drawnFFN, "activation_function": "relu",
		"do_layer_norm_before": true, "word_embed_proj_dim": drawnHidden, "enable_bias": true, "layer_norm_elementwise_affine": true,
		"_remove_final_layer_norm": false, "tie_word_embeddings": true, "dropout": 0.0, "layerdrop": 0.0,
	})
}

// TinyQwen2 returns a folder with a random two-block Qwen2: a LLaMA with biases of
// q, k and v, here with two key/value heads and a head of its own.
func TinyQwen2(t testing.TB) string {
	t.Helper()
	d := draw{state: 0x0e02}
	d.llama(true, false)
	d.table("lm_head.weight", drawnVocab)
	return d.folder(t, qwen("qwen2", "Qwen2ForCausalLM", false))
}

// TinyQwen3 returns a folder with a random two-block Qwen3: a LLaMA whose heads of q
// and k are normalised before RoPE, here with two key/value heads and a tied head.
func TinyQwen3(t testing.TB) string {
	t.Helper()
	d := draw{state: 0x0e03}
	d.llama(false, true)
	cfg := qwen("qwen3", "Qwen3ForCausalLM", true)
	cfg["attention_bias"] = false
	return d.folder(t, cfg)
}

func qwen(kind, class string, tied bool) map[string]any {
	return map[string]any{
		"model_type": kind, "architectures": []string{class}, "intermediate_size": drawnFFN, "hidden_act": "silu",
		"num_key_value_heads": drawnKV, "head_dim": drawnDim, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
		"use_sliding_window": false, "tie_word_embeddings": tied,
	}
}

// draw makes the tensors of a model, one after the other from one stream.
type draw struct {
	state   uint64
	tensors []Safe
}

// normal is nearly normal with standard deviation 1: the sum of four uniform
// numbers of 16 bits. Integers and one product only, so equal on every platform.
func (d *draw) normal() float64 {
	z := intmath.SplitMix64(&d.state)
	sum := int64(z&0xffff+z>>16&0xffff+z>>32&0xffff+z>>48) - 2*0xffff
	return float64(sum) * (1.0 / 37837) // 37837 = √(4/12)·2^16
}

func (d *draw) add(name string, mean, std float64, shape ...uint64) {
	n := uint64(1)
	for _, s := range shape {
		n *= s
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(mean + float64(std*d.normal())) // the conversion forbids a fused multiply-add
	}
	d.tensors = append(d.tensors, SafeF32(name, v, shape...))
}

func (d *draw) table(name string, rows uint64) { d.add(name, 0, 0.3, rows, drawnHidden) }

func (d *draw) norm(name string, n uint64, bias bool) {
	d.add(name+".weight", 1, 0.25, n)
	if bias {
		d.add(name+".bias", 0, 0.2, n)
	}
}

func (d *draw) linear(name string, out, in uint64, bias bool) {
	d.add(name+".weight", 0, 0.15, out, in)
	if bias {
		d.add(name+".bias", 0, 0.2, out)
	}
}

// llama draws everything but the head.
func (d *draw) llama(bias, headNorm bool) {
	d.table("model.embed_tokens.weight", drawnVocab)
	for n := range drawnLayers {
		at := fmt.Sprintf("model.layers.%d.", n)
		d.norm(at+"input_layernorm", drawnHidden, false)
		d.linear(at+"self_attn.q_proj", drawnHeads*drawnDim, drawnHidden, bias)
		d.linear(at+"self_attn.k_proj", drawnKV*drawnDim, drawnHidden, bias)
		d.linear(at+"self_attn.v_proj", drawnKV*drawnDim, drawnHidden, bias)
		if headNorm {
			d.norm(at+"self_attn.q_norm", drawnDim, false)
			d.norm(at+"self_attn.k_norm", drawnDim, false)
		}
		d.linear(at+"self_attn.o_proj", drawnHidden, drawnHeads*drawnDim, false)
		d.norm(at+"post_attention_layernorm", drawnHidden, false)
		d.linear(at+"mlp.gate_proj", drawnFFN, drawnHidden, false)
		d.linear(at+"mlp.up_proj", drawnFFN, drawnHidden, false)
		d.linear(at+"mlp.down_proj", drawnHidden, drawnFFN, false)
	}
	d.norm("model.norm", drawnHidden, false)
}

// folder writes the model; cfg adds to the fields that all of them share.
func (d *draw) folder(t testing.TB, cfg map[string]any) string {
	t.Helper()
	all := map[string]any{
		"hidden_size": drawnHidden, "num_hidden_layers": drawnLayers, "num_attention_heads": drawnHeads, "vocab_size": drawnVocab,
		"max_position_embeddings": drawnContext, "attention_dropout": 0.0, "torch_dtype": "float32",
		"bos_token_id": nil, "eos_token_id": nil, "pad_token_id": nil,
	}
	maps.Copy(all, cfg)
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.json"), raw)
	write(t, filepath.Join(dir, "model.safetensors"), safetensors(d.tensors, `"__metadata__":{"format":"pt"}`))
	write(t, filepath.Join(dir, "tokenizer.json"), byteTokenizer(t))
	return dir
}
