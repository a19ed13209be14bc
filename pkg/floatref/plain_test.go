package floatref

import (
	"fmt"
	"math"
	"testing"

	"github.com/illm-go/illm/pkg/model"
)

// The pass against a second, plain one in float64: no cache, no blocks, no packing.
func TestAgainstPlain(t *testing.T) {
	for name, cfg := range variants() {
		m := newRandom(t, cfg, Options{Threads: 2})
		ids := tokens(90, cfg.Vocab)
		want := plain(t, cfg, randomSource{cfg}, ids)
		for i, l := range allLogits(t, m, ids) {
			for j := range l {
				if d := math.Abs(float64(l[j]) - want[i][j]); !(d < 2e-5) {
					t.Fatalf("%s: logit %d of position %d: %v, want %v", name, j, i, l[j], want[i][j])
				}
			}
		}
	}
}

func plain(t *testing.T, c model.Config, src Source, ids []int32) [][]float64 {
	weights := map[string][]float32{}
	read := func(name string) []float32 {
		if weights[name] == nil {
			w, err := src.Float32(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			weights[name] = w
		}
		return weights[name]
	}
	get := func(name string) []float32 { return read(name + ".weight") }
	opt := c.Architecture == "opt"
	linear := func(name string, x []float64, n int, bias bool) []float64 {
		w, y := get(name), make([]float64, n)
		if bias {
			for j, b := range read(name + ".bias") {
				y[j] = float64(b)
			}
		}
		for j := range y {
			for k, v := range x {
				y[j] += v * float64(w[j*len(x)+k])
			}
		}
		return y
	}
	norm := func(name string, x []float64) []float64 {
		g, y, mean, s := get(name), make([]float64, len(x)), 0.0, 0.0
		if opt {
			for _, v := range x {
				mean += v / float64(len(x))
			}
		}
		for _, v := range x {
			s += (v - mean) * (v - mean)
		}
		for i, v := range x {
			y[i] = (v - mean) / math.Sqrt(s/float64(len(x))+c.NormEps) * float64(g[i])
		}
		if opt {
			for i, b := range read(name + ".bias") {
				y[i] += float64(b)
			}
		}
		return y
	}
	headNorm := func(name string, x []float64) {
		for o := 0; c.HeadNorm && o < len(x); o += c.HeadDim {
			copy(x[o:], norm(name, x[o:o+c.HeadDim]))
		}
	}
	turn := func(x []float64, pos int) {
		d := c.HeadDim
		for o := 0; !opt && o < len(x); o += d {
			for i := range d / 2 {
				a := float64(pos) * math.Pow(c.RopeTheta, -2*float64(i)/float64(d))
				u, v := x[o+i], x[o+i+d/2]
				x[o+i], x[o+i+d/2] = u*math.Cos(a)-v*math.Sin(a), v*math.Cos(a)+u*math.Sin(a)
			}
		}
	}
	h := make([][]float64, len(ids))
	e := get("model.embed_tokens")
	for p, id := range ids {
		for _, v := range e[int(id)*c.Hidden:][:c.Hidden] {
			h[p] = append(h[p], float64(v))
		}
		for i := 0; opt && i < c.Hidden; i++ {
			h[p][i] += float64(read("model.embed_positions.weight")[p*c.Hidden+i])
		}
	}
	for l := range c.Layers {
		pre := fmt.Sprintf("model.layers.%d.", l)
		var q, k, v [][]float64
		for p := range ids {
			x := norm(pre+"input_layernorm", h[p])
			q = append(q, linear(pre+"self_attn.q_proj", x, c.Heads*c.HeadDim, c.QKVBias))
			k = append(k, linear(pre+"self_attn.k_proj", x, c.KVHeads*c.HeadDim, c.QKVBias))
			v = append(v, linear(pre+"self_attn.v_proj", x, c.KVHeads*c.HeadDim, c.QKVBias))
			headNorm(pre+"self_attn.q_norm", q[p])
			headNorm(pre+"self_attn.k_norm", k[p])
			turn(q[p], p)
			turn(k[p], p)
		}
		for p := range ids {
			o := make([]float64, c.Heads*c.HeadDim)
			for hd := range c.Heads {
				at := hd / (c.Heads / c.KVHeads) * c.HeadDim
				e, sum := make([]float64, p+1), 0.0
				for j := range e {
					s := 0.0
					for i := range c.HeadDim {
						s += q[p][hd*c.HeadDim+i] * k[j][at+i]
					}
					e[j] = math.Exp(s / math.Sqrt(float64(c.HeadDim)))
					sum += e[j]
				}
				for j := range e {
					for i := range c.HeadDim {
						o[hd*c.HeadDim+i] += e[j] / sum * v[j][at+i]
					}
				}
			}
			for i, x := range linear(pre+"self_attn.o_proj", o, c.Hidden, c.OutBias) {
				h[p][i] += x
			}
			x := norm(pre+"post_attention_layernorm", h[p])
			u := linear(pre+"mlp.up_proj", x, c.FFN, c.MLPBias)
			if opt {
				for i := range u {
					u[i] = max(u[i], 0)
				}
			} else {
				for i, g := range linear(pre+"mlp.gate_proj", x, c.FFN, c.MLPBias) {
					u[i] *= g / (1 + math.Exp(-g))
				}
			}
			for i, x := range linear(pre+"mlp.down_proj", u, c.Hidden, c.MLPBias) {
				h[p][i] += x
			}
		}
	}
	head := "lm_head"
	if c.TiedHead {
		head = "model.embed_tokens"
	}
	for p := range h {
		h[p] = linear(head, norm("model.norm", h[p]), c.Vocab, false)
	}
	return h
}
