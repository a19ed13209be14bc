package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/illm-go/illm/pkg/model/safetensors"
	"github.com/illm-go/illm/pkg/model/tokenizer"
)

// openDir opens a directory in the layout of the Hugging Face hub. The first error
// is the tokenizer's.
func (m *Model) openDir(dir string) (tokErr, err error) {
	cfg, err := readHFConfig(dir)
	if err != nil {
		return nil, err
	}
	set, err := safetensors.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	m.src = setSource{dir, set}
	shapeOf := func(name string) ([]int, bool) {
		t, ok := set.Tensor(name)
		if !ok {
			return nil, false
		}
		return t.Shape, true
	}
	if m.Config, err = cfg.config(); err != nil {
		return nil, err
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "tokenizer.json")); err == nil {
		m.Tokenizer, tokErr = tokenizer.FromJSON(raw)
		err = m.Config.special(dir, raw)
		if err != nil {
			return nil, err
		}
	} else if errors.Is(err, os.ErrNotExist) {
		tokErr = fmt.Errorf("no tokenizer.json in the directory: fetch it beside the weights")
		if err := m.Config.special(dir, nil); err != nil {
			return nil, err
		}
	} else {
		return nil, err
	}
	if err := m.Config.Validate(); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return tokErr, m.find(m.Config.hfName(shapeOf), false, shapeOf)
}

// setSource reads from safetensors files.
type setSource struct {
	dir string
	set *safetensors.Set
}

func (s setSource) float32(name string, dst []float32) ([]float32, error) {
	return s.set.Float32(name, dst)
}

func (s setSource) close() error { return s.set.Close() }

func (s setSource) hash() (string, error) {
	var list strings.Builder
	line := func(name string, b []byte) { fmt.Fprintf(&list, "%s  %s\n", sha256Hex(b), name) }
	for _, name := range []string{"config.json", "tokenizer.json"} {
		b, err := os.ReadFile(filepath.Join(s.dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("model: hash: %w", err)
		}
		line(name, b)
	}
	for _, f := range s.set.Files() {
		line(filepath.Base(f.Path()), f.Bytes())
	}
	return sha256Hex([]byte(list.String())), nil
}

// hfConfig is what config.json says. Pointers tell absent from zero.
type hfConfig struct {
	ModelType     string      `json:"model_type"`
	Architectures []string    `json:"architectures"`
	Hidden        int         `json:"hidden_size"`
	FFN           int         `json:"intermediate_size"`
	Layers        int         `json:"num_hidden_layers"`
	Heads         int         `json:"num_attention_heads"`
	KVHeads       *int        `json:"num_key_value_heads"`
	HeadDim       *int        `json:"head_dim"`
	Vocab         int         `json:"vocab_size"`
	MaxContext    int         `json:"max_position_embeddings"`
	NormEps       json.Number `json:"rms_norm_eps"`
	Theta         *float64    `json:"rope_theta"`
	Scaling       *hfRope     `json:"rope_scaling"`
	Parameters    *hfRope     `json:"rope_parameters"` // newer files: theta and scaling in one
	Tied          bool        `json:"tie_word_embeddings"`
	Activation    string      `json:"hidden_act"`
	AttentionBias bool        `json:"attention_bias"`
	MLPBias       bool        `json:"mlp_bias"`
	Window        *int        `json:"sliding_window"`
	BOS           *int        `json:"bos_token_id"`
	EOS           intOrList   `json:"eos_token_id"`
}

type hfRope struct {
	Type     string   `json:"rope_type"`
	OldType  string   `json:"type"`
	Theta    *float64 `json:"rope_theta"`
	Factor   float64  `json:"factor"`
	LowFreq  float64  `json:"low_freq_factor"`
	HighFreq float64  `json:"high_freq_factor"`
	Original int      `json:"original_max_position_embeddings"`
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
	return c, nil
}

// config translates; values are checked by Validate.
func (h *hfConfig) config() (Config, error) {
	c := Config{
		Architecture: h.ModelType, Layers: h.Layers, Hidden: h.Hidden, Heads: h.Heads, KVHeads: h.Heads, FFN: h.FFN,
		Vocab: h.Vocab, MaxContext: h.MaxContext, TiedHead: h.Tied, BOS: -1, EOS: -1, EOSAll: h.EOS, NormEpsText: h.NormEps.String(),
	}
	if h.ModelType != "llama" {
		return c, fmt.Errorf("config.json: model_type %q is unknown, this build runs \"llama\"", h.ModelType)
	}
	for _, refuse := range []struct {
		field string
		bad   bool
		found any
	}{
		{"hidden_act: expected \"silu\"", h.Activation != "silu" && h.Activation != "", h.Activation},
		{"attention_bias: biases are not supported", h.AttentionBias, true},
		{"mlp_bias: biases are not supported", h.MLPBias, true},
		{"sliding_window: expected none", h.Window != nil, h.Window},
	} {
		if refuse.bad {
			return c, fmt.Errorf("config.json: %s, found %v", refuse.field, refuse.found)
		}
	}
	if h.NormEps == "" {
		c.NormEpsText = "1e-06" // the library's default
	}
	var err error
	if c.NormEpsText, c.NormEps, err = parseDecimal("config.json: rms_norm_eps", c.NormEpsText); err != nil {
		return c, err
	}
	if h.KVHeads != nil {
		c.KVHeads = *h.KVHeads
	}
	if h.HeadDim != nil {
		c.HeadDim = *h.HeadDim
	} else if h.Heads > 0 {
		c.HeadDim = h.Hidden / h.Heads
	}
	if len(h.EOS) > 0 {
		c.EOS = h.EOS[0]
	}
	if h.BOS != nil {
		c.BOS = *h.BOS // special decides whether it is used
	}
	return c, h.rope(&c)
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
		return fmt.Errorf("config.json: rope type %q is not supported, expected \"default\", \"linear\" or \"llama3\"", kind)
	}
	return nil
}

// special settles BOS and EOS from the files beside config.json, all optional.
// tokJSON is tokenizer.json.
func (c *Config) special(dir string, tokJSON []byte) error {
	var tc struct {
		AddBOS   *bool           `json:"add_bos_token"`
		Template json.RawMessage `json:"chat_template"`
	}
	if err := readOptional(dir, "tokenizer_config.json", &tc); err != nil {
		return err
	}
	_ = json.Unmarshal(tc.Template, &c.ChatTemplate) // a list of templates is left out
	bos := c.BOS
	c.BOS = -1
	if first, ok := tokenizer.Leading(tokJSON); ok {
		c.BOS = int(first)
	}
	if tc.AddBOS != nil {
		if !*tc.AddBOS {
			c.BOS = -1
		} else if c.BOS < 0 {
			c.BOS = bos
		}
	}
	var gen struct {
		EOS intOrList `json:"eos_token_id"`
	}
	if err := readOptional(dir, "generation_config.json", &gen); err != nil {
		return err
	}
	for _, id := range gen.EOS {
		if !c.IsEOS(id) {
			c.EOSAll = append(c.EOSAll, id)
		}
	}
	if c.EOS < 0 && len(c.EOSAll) > 0 {
		c.EOS = c.EOSAll[0]
	}
	return nil
}

func readOptional(dir, name string, v any) error {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
