package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// hfConfig is what config.json says. Pointers tell absent from zero.
type hfConfig struct {
	ModelType  string    `json:"model_type"`
	Hidden     int       `json:"hidden_size"`
	Layers     int       `json:"num_hidden_layers"`
	Heads      int       `json:"num_attention_heads"`
	Vocab      int       `json:"vocab_size"`
	MaxContext int       `json:"max_position_embeddings"`
	Tied       *bool     `json:"tie_word_embeddings"`
	BOS        *int      `json:"bos_token_id"`
	EOS        intOrList `json:"eos_token_id"`

	// LLaMA and its relatives.
	FFN           int         `json:"intermediate_size"`
	KVHeads       *int        `json:"num_key_value_heads"`
	HeadDim       *int        `json:"head_dim"`
	NormEps       json.Number `json:"rms_norm_eps"`
	Theta         *float64    `json:"rope_theta"`
	Scaling       *hfRope     `json:"rope_scaling"`
	Parameters    *hfRope     `json:"rope_parameters"` // newer files: theta and scaling in one
	PartialRotary *float64    `json:"partial_rotary_factor"`
	Activation    string      `json:"hidden_act"`
	AttentionBias bool        `json:"attention_bias"`
	MLPBias       bool        `json:"mlp_bias"`
	Window        *int        `json:"sliding_window"`
	windowSaid    bool        // sliding_window is in the file, if only as null
	UseWindow     bool        `json:"use_sliding_window"`
	LayerTypes    []string    `json:"layer_types"`
	Experts       int         `json:"num_experts"`
	LocalExperts  int         `json:"num_local_experts"`
	Quantised     *struct {
		Method string `json:"quant_method"`
	} `json:"quantization_config"`

	// OPT.
	OPTFFN          int    `json:"ffn_dim"`
	OPTActivation   string `json:"activation_function"`
	NormBefore      *bool  `json:"do_layer_norm_before"`
	Projection      *int   `json:"word_embed_proj_dim"`
	Bias            *bool  `json:"enable_bias"`
	Affine          *bool  `json:"layer_norm_elementwise_affine"`
	RemoveFinalNorm bool   `json:"_remove_final_layer_norm"`
}

type hfRope struct {
	Type          string   `json:"rope_type"`
	OldType       string   `json:"type"`
	Theta         *float64 `json:"rope_theta"`
	PartialRotary *float64 `json:"partial_rotary_factor"`
	Factor        float64  `json:"factor"`
	LowFreq       float64  `json:"low_freq_factor"`
	HighFreq      float64  `json:"high_freq_factor"`
	Original      int      `json:"original_max_position_embeddings"`
}

// intOrList reads 2, [2, 3] and null.
type intOrList []int

func (l *intOrList) UnmarshalJSON(b []byte) error {
	*l = nil
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]int)(l))
	}
	var one *int
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	if one != nil {
		*l = intOrList{*one}
	}
	return nil
}

func readHFConfig(dir string) (*hfConfig, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no config.json in the directory: expected a model as on the Hugging Face hub, or the path of a GGUF file")
	}
	if err != nil {
		return nil, err
	}
	c := &hfConfig{}
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	_, c.windowSaid = keys["sliding_window"]
	return c, nil
}

// refusal is a field with a value that no forward pass here computes.
type refusal struct {
	bad      bool
	field    string
	expected string
	found    any
}

func refuse(list []refusal) error {
	for _, r := range list {
		if r.bad {
			return fmt.Errorf("config.json: %s: expected %s, found %v", r.field, r.expected, r.found)
		}
	}
	return nil
}

// or is *p, def if the file does not say.
func or[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

// config translates; numbers are checked by Validate. Defaults are those of the
// transformers library.
func (h *hfConfig) config() (Config, error) {
	c := Config{
		Layers: h.Layers, Hidden: h.Hidden, Heads: h.Heads, KVHeads: h.Heads, Vocab: h.Vocab, MaxContext: h.MaxContext,
		BOS: or(h.BOS, -1), EOS: -1, EOSAll: h.EOS, // special decides whether BOS is used
	}
	if len(h.EOS) > 0 {
		c.EOS = h.EOS[0]
	}
	if h.Heads > 0 {
		c.HeadDim = h.Hidden / h.Heads
	}
	if h.Quantised != nil {
		return c, fmt.Errorf("config.json: quantization_config: expected none, found quant_method %q: fetch the model in F16, BF16 or F32", h.Quantised.Method)
	}
	switch h.ModelType {
	case "opt":
		return c, h.opt(&c)
	case "llama", "mistral", "qwen2", "qwen3":
		return c, h.llama(&c)
	}
	return c, fmt.Errorf("config.json: model_type %q is unknown, this build runs \"llama\", \"mistral\", \"qwen2\", \"qwen3\" and \"opt\"", h.ModelType)
}

// llama fills in what the relatives of LLaMA have.
//
//	llama    attention_bias: q, k, v and o; mlp_bias: the MLP
//	mistral  no biases; its sliding window must not be shorter than the context
//	qwen2    biases of q, k and v, always
//	qwen3    norms of the heads of q and k, no biases
func (h *hfConfig) llama(c *Config) error {
	c.Architecture, c.FFN, c.TiedHead = LLaMA, h.FFN, or(h.Tied, false)
	c.KVHeads, c.HeadDim = or(h.KVHeads, c.KVHeads), or(h.HeadDim, c.HeadDim)
	window := or(h.Window, h.MaxContext)
	if h.ModelType == "mistral" && !h.windowSaid {
		window = 4096
	}
	qwen := h.ModelType == "qwen2" || h.ModelType == "qwen3"
	if qwen {
		window = h.MaxContext // the field counts with use_sliding_window alone
	}
	kind := "full_attention"
	for _, k := range h.LayerTypes {
		if k != kind {
			kind = k
			break
		}
	}
	partial := or(h.PartialRotary, 1)
	for _, r := range []*hfRope{h.Scaling, h.Parameters} {
		if r != nil && r.PartialRotary != nil {
			partial = *r.PartialRotary
		}
	}
	err := refuse([]refusal{
		{h.Activation != "silu" && h.Activation != "", "hidden_act", `"silu"`, h.Activation},
		{window < h.MaxContext, "sliding_window", fmt.Sprintf("none or at least max_position_embeddings (%d)", h.MaxContext), window},
		{qwen && h.UseWindow, "use_sliding_window", "false", h.UseWindow},
		{kind != "full_attention", "layer_types", `"full_attention" in all layers`, kind},
		{partial != 1, "partial_rotary_factor", "1 (all of a head turns)", partial},
		{h.Experts > 0, "num_experts", "none (mixtures of experts are not supported)", h.Experts},
		{h.LocalExperts > 0, "num_local_experts", "none (mixtures of experts are not supported)", h.LocalExperts},
		{h.ModelType == "qwen3" && h.AttentionBias, "attention_bias", "false beside head norms", h.AttentionBias},
		{h.ModelType == "qwen3" && h.HeadDim == nil, "head_dim", "a number for qwen3", "none"},
	})
	if err != nil {
		return err
	}
	switch h.ModelType {
	case "llama":
		c.QKVBias, c.OutBias, c.MLPBias = h.AttentionBias, h.AttentionBias, h.MLPBias
	case "qwen2":
		c.QKVBias = true
	case "qwen3":
		c.HeadNorm = true
	}
	eps := h.NormEps.String()
	if eps == "" {
		eps = "1e-06"
	}
	if c.NormEpsText, c.NormEps, err = parseDecimal("config.json: rms_norm_eps", eps); err != nil {
		return err
	}
	return h.rope(c)
}

// opt fills in what OPT has. The post-norm variant (350m), whose embedding is
// narrower than its blocks, is another network.
func (h *hfConfig) opt(c *Config) error {
	c.Architecture, c.FFN, c.TiedHead = OPT, h.OPTFFN, or(h.Tied, true)
	c.NormEps, c.NormEpsText = optEps, "1e-05"
	c.QKVBias = or(h.Bias, true)
	c.OutBias, c.MLPBias = c.QKVBias, c.QKVBias
	return refuse([]refusal{
		{h.OPTActivation != "relu" && h.OPTActivation != "", "activation_function", `"relu"`, h.OPTActivation},
		{!or(h.NormBefore, true), "do_layer_norm_before", "true (norms behind the blocks are not supported)", false},
		{or(h.Projection, h.Hidden) != h.Hidden, "word_embed_proj_dim", fmt.Sprintf("hidden_size (%d)", h.Hidden), or(h.Projection, 0)},
		{!or(h.Affine, true), "layer_norm_elementwise_affine", "true", false},
		{h.RemoveFinalNorm, "_remove_final_layer_norm", "false", true},
		{h.Hidden > 0 && h.Heads > 0 && h.Hidden%h.Heads != 0, "num_attention_heads", fmt.Sprintf("a divisor of hidden_size (%d)", h.Hidden), h.Heads},
	})
}

func (h *hfConfig) rope(c *Config) error {
	c.RopeTheta = 10000
	if h.Theta != nil {
		c.RopeTheta = *h.Theta
	}
	r := h.Scaling
	if h.Parameters != nil {
		r = h.Parameters
	}
	if r == nil {
		return nil
	}
	if r.Theta != nil {
		c.RopeTheta = *r.Theta
	}
	kind := r.Type
	if kind == "" {
		kind = r.OldType
	}
	switch kind {
	case "default", "":
	case "linear":
		c.RopeScaling = RopeScaling{Type: kind, Factor: r.Factor}
	case "llama3":
		c.RopeScaling = RopeScaling{Type: kind, Factor: r.Factor, LowFreq: r.LowFreq, HighFreq: r.HighFreq, Original: r.Original}
	default:
		// "dynamic" and "yarn" depend on the length of the text or scale the scores.
		return fmt.Errorf("config.json: rope_scaling: rope type %q is not supported, expected \"default\", \"linear\" or \"llama3\"", kind)
	}
	return nil
}
