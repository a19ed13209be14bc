package floatref

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// spoiled is a source that keeps a list of what was read and spoils one tensor.
type spoiled struct {
	Source
	mu    *sync.Mutex
	read  *[]string
	name  string
	spoil func(w []float32) ([]float32, error)
}

func (s spoiled) Float32(name string, dst []float32) ([]float32, error) {
	s.mu.Lock()
	*s.read = append(*s.read, name)
	s.mu.Unlock()
	w, err := s.Source.Float32(name, dst)
	if err == nil && name == s.name {
		return s.spoil(w)
	}
	return w, err
}

// Every tensor that the configuration names is read once, is missed if it is not there or is of another size, and
// changes the logits if a value changes: no bias and no norm is ignored.
func TestEveryTensorCounts(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			cfg.Layers = 1
			src := spoiled{Source: randomSource{cfg}, mu: new(sync.Mutex), read: new([]string)}
			m, err := NewFrom(cfg, src, Options{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			names := slices.Clone(*src.read)
			slices.Sort(names)
			if len(slices.Compact(slices.Clone(names))) != len(names) {
				t.Errorf("a tensor was read twice: %v", names)
			}
			want := []string{"model.embed_tokens.weight", "model.norm.weight"}
			layer := func(parts ...string) {
				for _, p := range parts {
					want = append(want, "model.layers.0."+p)
				}
			}
			layer("input_layernorm.weight", "post_attention_layernorm.weight", "self_attn.q_proj.weight", "self_attn.k_proj.weight",
				"self_attn.v_proj.weight", "self_attn.o_proj.weight", "mlp.up_proj.weight", "mlp.down_proj.weight")
			if strings.HasPrefix(name, "opt") {
				want = append(want, "model.embed_positions.weight", "model.norm.bias")
				layer("input_layernorm.bias", "post_attention_layernorm.bias")
			} else {
				layer("mlp.gate_proj.weight")
			}
			switch name {
			case "biases":
				layer("mlp.gate_proj.bias")
				fallthrough
			case "opt", "opt untied":
				layer("self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias", "self_attn.o_proj.bias", "mlp.up_proj.bias", "mlp.down_proj.bias")
			case "head norms":
				layer("self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias", "self_attn.q_norm.weight", "self_attn.k_norm.weight")
			}
			if !cfg.TiedHead {
				want = append(want, "lm_head.weight")
			}
			if slices.Sort(want); !slices.Equal(names, want) {
				t.Fatalf("read %v,\nwant %v", names, want)
			}

			ids := tokens(70, cfg.Vocab)
			right := allLogits(t, m, ids)
			missing := errors.New("no such tensor")
			for _, n := range names {
				src.name = n
				src.spoil = func([]float32) ([]float32, error) { return nil, missing }
				if _, err := NewFrom(cfg, src, Options{}); !errors.Is(err, missing) || !strings.Contains(err.Error(), n) {
					t.Errorf("without %s: error %v, want one with its name", n, err)
				}
				src.spoil = func(w []float32) ([]float32, error) { return w[1:], nil }
				if _, err := NewFrom(cfg, src, Options{}); err == nil || !strings.Contains(err.Error(), n+": expected ") {
					t.Errorf("%s too short: error %v, want one with its name", n, err)
				}
				src.spoil = func(w []float32) ([]float32, error) {
					for i := range w[:min(len(w), 3*cfg.Hidden+5)] {
						w[i] += 0.1 * float32(i%5-1)
					}
					return w, nil
				}
				bad, err := NewFrom(cfg, src, Options{})
				if err != nil {
					t.Fatal(err)
				}
				d := 0.0
				for i, l := range allLogits(t, bad, ids) {
					d = max(d, maxDiff(l, right[i]))
				}
				// Without RoPE a bias of the keys moves all scores of a row alike: the softmax does not see it.
				if strings.HasPrefix(name, "opt") && strings.HasSuffix(n, "k_proj.bias") {
					if d > 1e-5 {
						t.Errorf("%s changed: logits differ by %g, want 0: it cancels", n, d)
					}
					continue
				}
				if !(d > 1e-3) {
					t.Errorf("%s changed: logits differ by no more than %g", n, d)
				}
			}
		})
	}
}

// The bias of the keys of an OPT model, invisible in the logits, is in the keys that a tap sees.
func TestKeyBias(t *testing.T) {
	cfg := variants()["opt"]
	keys := func(cleared bool) map[string][]float32 {
		src := spoiled{Source: randomSource{cfg}, mu: new(sync.Mutex), read: new([]string)}
		if cleared {
			src.name = "model.layers.0.self_attn.k_proj.bias"
			src.spoil = func(w []float32) ([]float32, error) { clear(w); return w, nil }
		}
		seen := keyRows{}
		m, err := NewFrom(cfg, src, Options{Threads: 1, Tap: seen})
		if err != nil {
			t.Fatal(err)
		}
		allLogits(t, m, tokens(3, cfg.Vocab))
		return seen
	}
	with, without := keys(false), keys(true)
	bias, err := randomSource{cfg}.Float32("model.layers.0.self_attn.k_proj.bias", nil)
	if err != nil {
		t.Fatal(err)
	}
	for h := range cfg.KVHeads {
		for p := range 3 {
			at := fmt.Sprint(h, " ", p)
			for i, v := range with[at] {
				if d := v - without[at][i] - bias[h*cfg.HeadDim+i]; !(max(d, -d) < 1e-6) {
					t.Fatalf("head %d, position %d, value %d: %v with the bias %v, %v without", h, p, i, v, bias[h*cfg.HeadDim+i], without[at][i])
				}
			}
		}
	}
	if len(with) != 3*cfg.KVHeads {
		t.Errorf("%d rows of keys", len(with))
	}
}

// keyRows keeps the keys of layer 0; one worker only.
type keyRows map[string][]float32

func (k keyRows) Tap(b *Block) {
	for r := 0; b.Site == Key && b.Layer == 0 && r < b.Rows; r++ {
		k[fmt.Sprint(b.Head, " ", b.Pos+r)] = slices.Clone(b.Row(r))
	}
}
