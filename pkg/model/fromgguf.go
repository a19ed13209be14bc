package model

import (
	"fmt"

	"github.com/illm-go/illm/pkg/model/gguf"
	"github.com/illm-go/illm/pkg/model/tokenizer"
)

// openGGUF opens a GGUF file. The first error is the tokenizer's: a caller that
// wants only weights may do without one.
func (m *Model) openGGUF(path string) (tokErr, err error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	m.src = ggufSource{f}
	if m.Config, err = ggufConfig(f); err != nil {
		return nil, err
	}
	if err := m.Config.Validate(); err != nil {
		return nil, err
	}
	arch, _ := f.String("general.architecture")
	permuted := arch == "llama" // conversion leaves the rows of other architectures alone
	err = m.find(func(s spec) string { return s.gguf }, permuted, func(name string) ([]int, bool) {
		t, ok := f.Tensor(name)
		if !ok {
			return nil, false
		}
		return t.Shape, true
	})
	if err != nil {
		return nil, err
	}
	m.Tokenizer, tokErr = tokenizer.FromGGUF(f)
	return tokErr, nil
}

// metaReader reads keys until the first error.
type metaReader struct {
	f   *gguf.File
	err error
}

// num reads an integer; a missing key gives def unless def is required.
const required = -1 << 62

func (r *metaReader) num(key string, def int64) int {
	if r.err != nil || def != required && !r.f.Has(key) {
		return int(def)
	}
	v, err := r.f.Int(key)
	if err != nil {
		r.err = err
		return 0
	}
	if v != int64(int(v)) {
		r.err = fmt.Errorf("metadata %q: %d is too large for this platform", key, v)
	}
	return int(v)
}

func (r *metaReader) decimal(key, def string) (text string, value float64) {
	if r.err != nil {
		return
	}
	if def != "" && !r.f.Has(key) {
		text = def
	} else if text, r.err = r.f.Decimal(key); r.err != nil {
		return
	}
	text, value, r.err = parseDecimal(key, text)
	return text, value
}

func ggufConfig(f *gguf.File) (Config, error) {
	r := &metaReader{f: f}
	arch, err := f.String("general.architecture")
	if err != nil {
		return Config{}, err
	}
	if arch != "llama" && arch != "qwen2" && arch != "qwen3" {
		return Config{}, fmt.Errorf("architecture %q is unknown, this build runs \"llama\", \"qwen2\" and \"qwen3\"", arch)
	}
	c := Config{
		Architecture: LLaMA,
		QKVBias:      arch == "qwen2",
		HeadNorm:     arch == "qwen3",
		Layers:       r.num(arch+".block_count", required),
		Hidden:       r.num(arch+".embedding_length", required),
		Heads:        r.num(arch+".attention.head_count", required),
		FFN:          r.num(arch+".feed_forward_length", required),
		MaxContext:   r.num(arch+".context_length", required),
	}
	c.KVHeads = r.num(arch+".attention.head_count_kv", int64(c.Heads))
	c.NormEpsText, c.NormEps = r.decimal(arch+".attention.layer_norm_rms_epsilon", "")
	_, c.RopeTheta = r.decimal(arch+".rope.freq_base", "10000")
	if r.err != nil {
		return c, r.err
	}
	if n := r.num(arch+".expert_count", 0); n > 0 {
		return c, fmt.Errorf("metadata \"%s.expert_count\": mixtures of experts are not supported, found %d experts", arch, n)
	}
	if n := r.num(arch+".attention.sliding_window", 0); n > 0 && n < c.MaxContext {
		return c, fmt.Errorf("metadata \"%s.attention.sliding_window\": expected none or at least the context length %d, found %d", arch, c.MaxContext, n)
	}
	if c.Heads < 1 || c.Hidden < 1 {
		return c, c.Validate()
	}
	c.HeadDim = r.num(arch+".attention.key_length", int64(c.Hidden/c.Heads))
	if v := r.num(arch+".attention.value_length", int64(c.HeadDim)); v != c.HeadDim {
		return c, fmt.Errorf("metadata \"%s.attention.value_length\": expected the key length %d, found %d", arch, c.HeadDim, v)
	}
	if d := r.num(arch+".rope.dimension_count", int64(c.HeadDim)); d != c.HeadDim {
		return c, fmt.Errorf("metadata \"%s.rope.dimension_count\": expected the head size %d (partial rotation is not supported), found %d", arch, c.HeadDim, d)
	}
	if err := ggufRope(f, r, &c, arch); err != nil {
		return c, err
	}
	t, ok := f.Tensor("token_embd.weight")
	if !ok || len(t.Shape) != 2 {
		return c, fmt.Errorf("tensor \"token_embd.weight\" is missing or no matrix: the file is incomplete")
	}
	c.Vocab = t.Shape[0] // vocab_size may differ by padding; the rows are what exists
	_, separate := f.Tensor("output.weight")
	c.TiedHead = !separate
	ggufSpecial(f, r, &c)
	return c, r.err
}

// ggufRope reads the scaling; rope_freqs.weight (LLaMA 3.1 and later) wins.
func ggufRope(f *gguf.File, r *metaReader, c *Config, arch string) error {
	key := arch + ".rope.scaling.type"
	if f.Has(key) {
		kind, err := f.String(key)
		if err != nil {
			return err
		}
		switch kind {
		case "none", "":
		case "linear":
			c.RopeScaling.Type = kind
			_, c.RopeScaling.Factor = r.decimal(arch+".rope.scaling.factor", "1")
		default:
			return fmt.Errorf("metadata %q: this build knows \"none\" and \"linear\", found %q", key, kind)
		}
	} else if f.Has(arch + ".rope.scale_linear") {
		c.RopeScaling.Type = "linear"
		_, c.RopeScaling.Factor = r.decimal(arch+".rope.scale_linear", "1")
	}
	t, ok := f.Tensor("rope_freqs.weight")
	if !ok {
		return r.err
	}
	v, err := f.Float32(t, nil)
	if err != nil {
		return err
	}
	c.RopeScaling = RopeScaling{Type: "factors", Factors: make([]float64, len(v))}
	for i, x := range v {
		c.RopeScaling.Factors[i] = float64(x)
	}
	return r.err
}

func ggufSpecial(f *gguf.File, r *metaReader, c *Config) {
	const addBOS = "tokenizer.ggml.add_bos_token"
	c.BOS, c.EOS = -1, r.num("tokenizer.ggml.eos_token_id", -1)
	bos := r.num("tokenizer.ggml.bos_token_id", -1)
	add := false
	if f.Has(addBOS) {
		v, err := f.Bool(addBOS)
		if err != nil && r.err == nil {
			r.err = err
		}
		add = v
	} else if f.Has("tokenizer.ggml.pre") {
		pre, _ := f.String("tokenizer.ggml.pre")
		add = pre == "llama-bpe" || pre == "llama3" || pre == "llama-v3"
	}
	if add {
		c.BOS = bos
	}
	for _, key := range []string{"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"} {
		if id := r.num(key, -1); id >= 0 {
			c.EOSAll = append(c.EOSAll, id)
		}
	}
	if f.Has("tokenizer.chat_template") {
		c.ChatTemplate, _ = f.String("tokenizer.chat_template")
	}
}
