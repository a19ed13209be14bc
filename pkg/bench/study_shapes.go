package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// What a block is asked: a prompt of shapeRows tokens, then shapeSteps single ones. The vocabulary is small, so that
// embedding and head are nothing beside the block.
const (
	shapeRows, shapeSteps = 128, 8
	shapeVocab            = 64
)

// shape is a decoder block of a published model.
type shape struct {
	name                      string
	architecture              string
	hidden, heads, ffn, whole int // whole: blocks of the model
}

// shapes are those that the paper's table of efficiency is about.
func shapes() []shape {
	return []shape{
		{"llama-7b", model.LLaMA, 4096, 32, 11008, 32}, {"llama-13b", model.LLaMA, 5120, 40, 13824, 40},
		{"opt-6.7b", model.OPT, 4096, 32, 16384, 32}, {"opt-13b", model.OPT, 5120, 40, 20480, 40},
	}
}

// config is a model of one such block, its widths divided by shrink.
func (x shape) config(shrink int) model.Config {
	heads := max(1, x.heads/shrink)
	c := model.Config{Architecture: x.architecture, Layers: 1, Hidden: 128 * heads, Heads: heads, KVHeads: heads, HeadDim: 128, FFN: max(64, x.ffn/shrink/64*64),
		Vocab: shapeVocab, MaxContext: 2 * shapeRows, NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 10000, TiedHead: true, BOS: -1, EOS: -1}
	if x.architecture == model.OPT {
		c.QKVBias, c.OutBias, c.MLPBias = true, true, true
	}
	return c
}

// synthetic gives weights to a configuration: norms of 1, biases of 0, matrices uniform with variance 1/in, drawn from a
// generator whose seed is the tensor's name. They have the size of real ones and their speed, and nothing else of them.
type synthetic struct{ model.Config }

// Float32 makes a tensor; its size follows from its name.
func (s synthetic) Float32(name string, dst []float32) ([]float32, error) {
	attention, c := s.Heads*s.HeadDim, s.Config
	out, in := 0, 0
	has := func(part string) bool { return strings.Contains(name, part) }
	switch {
	case name == model.Embedding:
		out, in = c.Vocab, c.Hidden
	case name == model.Positions:
		out, in = c.MaxContext, c.Hidden
	case has("norm"):
		out = c.Hidden
	case has("q_proj"), has("k_proj"), has("v_proj"):
		out, in = attention, c.Hidden
	case has("o_proj"):
		out, in = c.Hidden, attention
	case has("gate_proj"), has("up_proj"):
		out, in = c.FFN, c.Hidden
	case has("down_proj"):
		out, in = c.Hidden, c.FFN
	default:
		return nil, fmt.Errorf("bench: synthetic weights: expected the name of a block's tensor, found %q", name)
	}
	n, bias := out*in, strings.HasSuffix(name, ".bias")
	if bias || has("norm") {
		n = out
	}
	if cap(dst) < n {
		dst = make([]float32, n)
	}
	dst = dst[:n]
	switch {
	case bias:
		clear(dst)
	case has("norm"):
		for i := range dst {
			dst[i] = 1
		}
	default:
		draw(dst, name, in)
	}
	return dst, nil
}

// draw fills dst with numbers of a linear congruential generator modulo 2^64, the upper half of each; 24 bits in −√3/√in …
// √3/√in, whose square is 1/in on average.
func draw(dst []float32, name string, in int) {
	h := fnv.New64a()
	h.Write([]byte(name))
	x := h.Sum64()
	scale := float32(math.Sqrt(3/float64(in))) / (1 << 23)
	for i := range dst {
		x = x*6364136223846793005 + 1442695040888963407
		dst[i] = float32(int32(x>>40)-1<<23) * scale
	}
}

// block is a form of a shape under the clock.
type block struct {
	form
	spec            *quant.Spec
	bytes           int64
	prefill, decode *contender
	end             func() error
}

// shapes measures one block of each shape in the forms of the efficiency table, which take turns. Each shape is loaded alone.
func (s *study) shapes(ctx context.Context) error {
	for _, x := range shapes() {
		if err := s.shape(ctx, x); err != nil {
			return fmt.Errorf("bench: study shapes: %s: %w", x.name, err)
		}
	}
	return nil
}

func (s *study) shape(ctx context.Context, x shape) (err error) {
	c := x.config(s.q.Shrink)
	dir, err := os.MkdirTemp("", "illm-shapes-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ids := make([]int32, shapeRows+shapeSteps)
	for i := range ids {
		ids[i] = int32(i * 29 % shapeVocab)
	}
	var list []*block
	defer func() {
		for _, b := range list {
			if e := b.end(); err == nil {
				err = e
			}
		}
	}()
	for _, f := range efficiencyForms() {
		s.q.Say(fmt.Sprintf("  %s, %s: one block of synthetic weights", x.name, f))
		b, err := s.block(ctx, c, f, dir, ids)
		if err != nil {
			return err
		}
		list = append(list, b)
	}
	for _, of := range []func(b *block) *contender{func(b *block) *contender { return b.prefill }, func(b *block) *contender { return b.decode }} {
		var contenders []*contender
		for _, b := range list {
			contenders = append(contenders, of(b))
		}
		if err := compete(ctx, contenders, s.q.Runs, 1, false); err != nil {
			return err
		}
	}
	for _, b := range list {
		metrics := []record.Metric{b.prefill.timing("prefill_ms", "ms", 1e3), b.decode.timing("decode_ms", "ms", 1e3)}
		metrics = append(metrics, share("prefill_speedup", list[0].prefill, b.prefill, record.Higher)...)
		metrics = append(metrics, share("decode_speedup", list[0].decode, b.decode, record.Higher)...)
		metrics = append(metrics, record.Metric{Name: "weight_bytes", Value: float64(b.bytes), Unit: "bytes", Better: record.Lower},
			record.Metric{Name: "blocks", Value: float64(x.whole)})
		metrics = append(metrics, b.slower(list)...)
		axes := map[string]string{"shape": x.name, "recipe": b.recipe, "rows": strconv.Itoa(shapeRows), "weights": "synthetic"}
		if b.operators != "" {
			axes["operators"] = b.operators
		}
		if s.q.Shrink > 1 {
			axes["shrink"] = strconv.Itoa(s.q.Shrink)
		}
		s.points = append(s.points, point{axes: axes, metrics: metrics, spec: b.spec})
	}
	return nil
}

// slower is what a block with float operators takes by the integer one of the same width, over paired rounds.
func (b *block) slower(list []*block) []record.Metric {
	if b.operators != "float32" {
		return nil
	}
	for _, other := range list {
		if other.recipe == b.recipe && other.operators == "integer" {
			return share("prefill_slower", b.prefill, other.prefill, record.Lower)
		}
	}
	return nil
}

// block loads one form of a block; the artefact of an integer one is written to dir, once for each recipe.
func (s *study) block(ctx context.Context, c model.Config, f form, dir string, ids []int32) (*block, error) {
	b := &block{form: f}
	src := synthetic{c}
	var feed func(ids []int32) error
	var reset func()
	if f.recipe == fp32 {
		m, err := floatref.NewFrom(c, src, floatref.Options{Threads: s.threads()})
		if err != nil {
			return nil, err
		}
		session, err := m.NewSession(len(ids))
		if err != nil {
			return nil, err
		}
		for _, p := range floatParts(c, 0) {
			if p.part == "codes" || p.part == "biases" {
				b.bytes += p.bytes
			}
		}
		feed, reset = func(ids []int32) error { _, err := session.Append(ids); return err }, session.Reset
		b.end = func() error { return nil }
	} else {
		spec, err := quant.NewSpec(f.recipe, s.q.Clip, s.q.Mode)
		if err != nil {
			return nil, err
		}
		b.spec = &spec
		path := filepath.Join(dir, f.recipe+".illm")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			sum := sha256.Sum256([]byte(fmt.Sprintf("synthetic %+v", c)))
			in := ptq.Input{Config: c, Weights: src, Hash: hex.EncodeToString(sum[:])}
			const largest = 64 // of the residual stream; it is of the order of 1
			if _, err := ptq.QuantizeFrom(ctx, in, spec, ptq.Calibration{MaxAbs: largest, Hash: in.Hash}, path, ptq.Options{Threads: s.threads(), Name: "synthetic"}); err != nil {
				return nil, err
			}
		}
		ops, err := Operators(spec, f.operators)
		if err != nil {
			return nil, err
		}
		a, err := artifact.Open(path)
		if err != nil {
			return nil, err
		}
		m, err := engine.New(a, engine.Options{Spec: &spec, Threads: s.threads(), Operators: ops, Weights: engine.Settled})
		if err != nil {
			return nil, errors.Join(err, a.Close())
		}
		session, err := m.NewSession(len(ids))
		if err != nil {
			return nil, errors.Join(err, a.Close())
		}
		w := m.Weights()
		b.bytes = w.Codes + w.Zeros + w.Multipliers + w.Sums + w.Biases
		feed, reset = func(ids []int32) error { _, err := session.AppendLast(ctx, ids); return err }, session.Reset
		b.end = func() error { session.Close(); return a.Close() }
	}
	prompt := func() error { reset(); return feed(ids[:shapeRows]) }
	b.prefill = &contender{name: f.String(), n: 1, run: func(n int) error { return prompt() }}
	b.decode = &contender{name: f.String(), n: shapeSteps, before: prompt, run: func(n int) error {
		for i := range n {
			if err := feed(ids[shapeRows+i:][:1]); err != nil {
				return err
			}
		}
		return nil
	}}
	return b, nil
}
