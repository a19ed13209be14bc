package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/model/safetensors"
	"github.com/illm-go/illm/pkg/model/tokenizer"
)

// Source gives tensors by canonical name, as [Model.Float32] does.
type Source interface {
	Float32(name string, dst []float32) ([]float32, error)
}

// The files that Save writes.
const (
	configFile     = "config.json"
	weightsFile    = "model.safetensors"
	tokenizerFile  = "tokenizer.json"
	tokConfigFile  = "tokenizer_config.json"
	generationFile = "generation_config.json"
)

// Save writes a model as a directory in the layout of the Hugging Face hub, which
// the transformers library loads and [Open] reads back: config.json,
// model.safetensors and, as needed, tokenizer.json (tokenizerJSON unchanged),
// tokenizer_config.json and generation_config.json. dtype is "F32", "F16" or
// "BF16"; values are rounded to nearest, ties to even, and a value that the type
// cannot hold is an error. src is asked for every tensor of cfg once, one after the
// other; the head only if it is not tied.
//
// The directory is made beside its place under another name and renamed when it is
// complete: nothing half-written stays. An earlier one is replaced if it holds
// nothing but files of these names; anything else is left alone and an error.
// Equal arguments give equal bytes.
func Save(dir string, cfg Config, src Source, tokenizerJSON []byte, dtype string) error {
	if err := save(dir, cfg, src, tokenizerJSON, dtype); err != nil {
		return fmt.Errorf("model: save %s: %w", dir, err)
	}
	return nil
}

// CheckSave reports what Save would refuse before it asks for a tensor: a configuration, tokenizer or dtype that do not
// fit, a folder that holds other files. For callers that have long work to do before they save.
func CheckSave(dir string, cfg Config, tokenizerJSON []byte, dtype string) error {
	if _, _, err := prepareSave(dir, &cfg, tokenizerJSON, dtype); err != nil {
		return fmt.Errorf("model: save %s: %w", dir, err)
	}
	return nil
}

// prepareSave returns the place behind dir and the small files.
func prepareSave(dir string, cfg *Config, tokenizerJSON []byte, dtype string) (place string, files map[string][]byte, err error) {
	if files, err = saveTexts(cfg, tokenizerJSON, dtype); err != nil {
		return "", nil, err
	}
	if place, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	if target, err := filepath.EvalSymlinks(place); err == nil {
		place = target
	}
	return place, files, replaceable(place)
}

func save(dir string, cfg Config, src Source, tokenizerJSON []byte, dtype string) (err error) {
	dir, files, err := prepareSave(dir, &cfg, tokenizerJSON, dtype)
	if err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+"-new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // after the rename there is nothing under this name
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := safetensors.Write(filepath.Join(tmp, weightsFile), saveTensors(&cfg, src, dtype)); err != nil {
		return err
	}
	for name, text := range files {
		if err := writeSynced(filepath.Join(tmp, name), text); err != nil {
			return err
		}
	}
	return swap(tmp, dir)
}

// saveTexts checks what can be checked before anything is written and returns the small files.
func saveTexts(cfg *Config, tokenizerJSON []byte, dtype string) (map[string][]byte, error) {
	if !slices.Contains([]string{"F32", "F16", "BF16"}, dtype) {
		return nil, fmt.Errorf("type: expected F32, F16 or BF16, found %q", dtype)
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	hf, err := hfFromConfig(cfg, dtype)
	if err != nil {
		return nil, err
	}
	var tok *tokenizer.Tokenizer
	if tokenizerJSON != nil {
		if tok, err = tokenizer.FromJSON(tokenizerJSON); err != nil {
			return nil, err
		}
		if err := sameVocabulary(tok, cfg); err != nil {
			return nil, err
		}
		if first, ok := tokenizer.Leading(tokenizerJSON); ok && cfg.BOS >= 0 && cfg.BOS != int(first) {
			return nil, fmt.Errorf("beginning of text: the configuration says %d, the tokenizer puts %d before a text", cfg.BOS, first)
		}
	}
	files := map[string][]byte{}
	for name, content := range map[string]map[string]any{
		configFile: hf, tokConfigFile: hfTokenizer(cfg, tok), generationFile: hfGeneration(cfg),
	} {
		if content == nil {
			continue
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b) // sorts keys
		enc.SetEscapeHTML(false)   // "<|endoftext|>" stays readable
		enc.SetIndent("", "  ")
		if err := enc.Encode(content); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = b.Bytes()
	}
	if tokenizerJSON != nil {
		files[tokenizerFile] = tokenizerJSON
	}
	return files, nil
}

// saveTensors lists the tensors under the names of the layout.
func saveTensors(cfg *Config, src Source, dtype string) []safetensors.NamedTensor {
	var list []safetensors.NamedTensor
	for s := range cfg.layout() {
		if s.absent {
			continue
		}
		t := safetensors.NamedTensor{Name: s.hf, Type: dtype, Shape: slices.Clone(s.shape)}
		t.Load = func(dst []float32) ([]float32, error) { return src.Float32(s.name, dst) }
		if s.skip > 0 {
			t.Shape[0] += s.skip
			t.Load = func([]float32) ([]float32, error) {
				v, err := src.Float32(s.name, nil)
				return append(make([]float32, s.skip*s.shape[1]), v...), err
			}
		}
		list = append(list, t)
	}
	return list
}

// hfFromConfig writes config.json: the inverse of hfConfig.config.
func hfFromConfig(c *Config, dtype string) (map[string]any, error) {
	h := map[string]any{
		"hidden_size": c.Hidden, "num_hidden_layers": c.Layers, "num_attention_heads": c.Heads, "vocab_size": c.Vocab,
		"max_position_embeddings": c.MaxContext, "tie_word_embeddings": c.TiedHead, "use_cache": true,
		"bos_token_id": idOrNull(c.BOS), "eos_token_id": eosValue(c), "pad_token_id": nil,
		"torch_dtype": map[string]string{"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[dtype],
	}
	family := func(kind, class string) { h["model_type"], h["architectures"] = kind, []string{class} }
	if c.Architecture == OPT {
		if c.QKVBias != c.OutBias || c.OutBias != c.MLPBias {
			return nil, fmt.Errorf("biases: OPT has them in all linears or in none, found q, k, v %v, o %v, MLP %v", c.QKVBias, c.OutBias, c.MLPBias)
		}
		if c.NormEps != optEps {
			return nil, fmt.Errorf("norm epsilon: OPT has %v, which its config.json cannot change, found %v", optEps, c.NormEps)
		}
		family("opt", "OPTForCausalLM")
		for k, v := range map[string]any{
			"ffn_dim": c.FFN, "activation_function": "relu", "do_layer_norm_before": true, "word_embed_proj_dim": c.Hidden,
			"enable_bias": c.QKVBias, "layer_norm_elementwise_affine": true, "_remove_final_layer_norm": false,
			"dropout": 0.0, "attention_dropout": 0.0, "layerdrop": 0.0,
		} {
			h[k] = v
		}
		return h, nil
	}
	eps := json.Number(c.NormEpsText)
	if eps == "" {
		eps = json.Number(fmt.Sprint(c.NormEps))
	}
	for k, v := range map[string]any{
		"intermediate_size": c.FFN, "num_key_value_heads": c.KVHeads, "head_dim": c.HeadDim, "hidden_act": "silu",
		"rms_norm_eps": eps, "rope_theta": c.RopeTheta, "attention_dropout": 0.0,
	} {
		h[k] = v
	}
	switch {
	case c.HeadNorm && !c.QKVBias && !c.OutBias && !c.MLPBias:
		family("qwen3", "Qwen3ForCausalLM")
		h["attention_bias"], h["use_sliding_window"] = false, false
	case !c.HeadNorm && c.QKVBias && !c.OutBias && !c.MLPBias:
		family("qwen2", "Qwen2ForCausalLM")
		h["use_sliding_window"] = false
	case !c.HeadNorm && c.QKVBias == c.OutBias:
		family("llama", "LlamaForCausalLM")
		h["attention_bias"], h["mlp_bias"] = c.QKVBias, c.MLPBias
	default:
		return nil, fmt.Errorf("biases: no model type of the library has q, k, v %v, o %v, MLP %v with head norms %v", c.QKVBias, c.OutBias, c.MLPBias, c.HeadNorm)
	}
	switch s := c.RopeScaling; s.Type {
	case "":
	case "linear":
		h["rope_scaling"] = map[string]any{"rope_type": s.Type, "factor": s.Factor}
	case "llama3":
		h["rope_scaling"] = map[string]any{"rope_type": s.Type, "factor": s.Factor, "low_freq_factor": s.LowFreq,
			"high_freq_factor": s.HighFreq, "original_max_position_embeddings": s.Original}
	default:
		return nil, fmt.Errorf("RoPE scaling: config.json can say \"linear\" and \"llama3\", found %q", s.Type)
	}
	return h, nil
}

func idOrNull(id int) any {
	if id < 0 {
		return nil
	}
	return id
}

// eosValue lists the ends of text, the chief one first: null, one id, or a list.
func eosValue(c *Config) any {
	var ids []int
	for _, id := range append([]int{c.EOS}, c.EOSAll...) {
		if id >= 0 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	switch len(ids) {
	case 0:
		return nil
	case 1:
		return ids[0]
	}
	return ids
}

func hfGeneration(c *Config) map[string]any {
	if c.BOS < 0 && eosValue(c) == nil {
		return nil
	}
	return map[string]any{"bos_token_id": idOrNull(c.BOS), "eos_token_id": eosValue(c)}
}

func hfTokenizer(c *Config, tok *tokenizer.Tokenizer) map[string]any {
	if tok == nil && c.BOS < 0 {
		return nil
	}
	h := map[string]any{"add_bos_token": c.BOS >= 0}
	if tok == nil {
		return h
	}
	h["tokenizer_class"], h["model_max_length"], h["clean_up_tokenization_spaces"] = "PreTrainedTokenizerFast", c.MaxContext, false
	if c.BOS >= 0 {
		h["bos_token"] = tok.Token(int32(c.BOS))
	}
	if c.EOS >= 0 {
		h["eos_token"] = tok.Token(int32(c.EOS))
	}
	if c.ChatTemplate != "" {
		h["chat_template"] = c.ChatTemplate
	}
	return h
}

// sameVocabulary refuses a tokenizer with ids that the embedding has no row for.
func sameVocabulary(tok *tokenizer.Tokenizer, c *Config) error {
	if tok.Vocab() > c.Vocab {
		return fmt.Errorf("the tokenizer has %d ids, the embedding only %d rows: they belong to different models", tok.Vocab(), c.Vocab)
	}
	return nil
}

// replaceable refuses a folder with files that Save did not write.
func replaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !slices.Contains([]string{configFile, weightsFile, tokenizerFile, tokConfigFile, generationFile}, e.Name()) {
			return fmt.Errorf("expected a new or empty folder, or one with nothing but a saved model, found %q in it: name another folder", e.Name())
		}
	}
	return nil
}

// swap puts the folder tmp in the place of dir, which may exist; if that fails, dir
// is as it was.
func swap(tmp, dir string) error {
	old := strings.Replace(tmp, "-new-", "-old-", 1)
	had := os.Rename(dir, old)
	if had != nil && !errors.Is(had, os.ErrNotExist) {
		return had
	}
	if err := os.Rename(tmp, dir); err != nil {
		if had == nil {
			err = errors.Join(err, os.Rename(old, dir))
		}
		return err
	}
	if had == nil {
		return os.RemoveAll(old)
	}
	return nil
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
