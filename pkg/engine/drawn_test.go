package engine_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
)

// drawn is a random model of a shape: weights by name, drawn when they are asked for.
type drawn struct {
	model.Config
	edit func(name string, w []float32, in int) // nil: none
}

// shaped returns models whose widths have Hadamard matrices: of every kind, and of both families.
func shaped(name string) drawn {
	c := model.Config{Architecture: model.LLaMA, Layers: 2, Hidden: 64, Heads: 4, KVHeads: 2, HeadDim: 16, FFN: 96, Vocab: 160, MaxContext: 256,
		NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 10000, BOS: -1, EOS: -1}
	switch name {
	case "36": // heads of H_12, merged and product of H_36
		c.Hidden, c.Heads, c.KVHeads, c.HeadDim, c.FFN = 56, 3, 1, 12, 288
	case "28":
		c.Hidden, c.Heads, c.KVHeads, c.HeadDim, c.FFN, c.TiedHead = 48, 4, 4, 28, 224, true
	case "opt":
		c.Architecture, c.KVHeads, c.FFN, c.QKVBias, c.OutBias, c.MLPBias = model.OPT, 4, 192, true, true, true
	}
	return drawn{Config: c}
}

func (d drawn) shape(name string) (out, in int) {
	q, kv := d.Heads*d.HeadDim, d.KVHeads*d.HeadDim
	for part, s := range map[string][2]int{"embed_tokens": {d.Vocab, d.Hidden}, "lm_head": {d.Vocab, d.Hidden}, "embed_positions": {d.MaxContext, d.Hidden},
		"q_proj": {q, d.Hidden}, "k_proj": {kv, d.Hidden}, "v_proj": {kv, d.Hidden}, "o_proj": {d.Hidden, q},
		"gate_proj": {d.FFN, d.Hidden}, "up_proj": {d.FFN, d.Hidden}, "down_proj": {d.Hidden, d.FFN}, "norm": {1, d.Hidden}} {
		if strings.Contains(name, part) {
			if strings.HasSuffix(name, ".bias") && part != "norm" {
				return 1, s[0]
			}
			return s[0], s[1]
		}
	}
	panic(name)
}

// Float32 draws the tensor: a few channels of every matrix are larger than the others.
func (d drawn) Float32(name string, dst []float32) ([]float32, error) {
	out, in := d.shape(name)
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(h.Sum64(), 1))
	w := slices.Grow(dst[:0], out*in)[:out*in]
	for i := range w {
		v := rng.NormFloat64()
		switch {
		case strings.HasSuffix(name, "norm.weight"):
			v = 1 + 0.25*v
		case strings.HasSuffix(name, ".bias"):
			v *= 0.1
		case strings.Contains(name, "embed_tokens"):
			v *= 0.2
		default:
			v *= 0.8 / math.Sqrt(float64(in))
		}
		if strings.Contains(name, "layers") && i/in%17 == 3 {
			v *= 3
		}
		w[i] = float32(v)
	}
	if d.edit != nil {
		d.edit(name, w, in)
	}
	return w, nil
}

// rotated has the counterparts of rotations in its weights: W_o·Hᵀ/√n and W_d·Hᵀ/√n.
// transposed makes the mistake of W·H instead, which only an H that is not symmetric shows.
func (d drawn) rotated(r artifact.Rotations, transposed bool) drawn {
	turn := func(w []float32, in int) {
		h := hadamard(in)
		row := make([]float64, in)
		for from := 0; from < len(w); from += in {
			for a := range row {
				row[a] = 0
				for b, v := range w[from : from+in] {
					s := h[a][b]
					if transposed {
						s = h[b][a]
					}
					row[a] += float64(s) * float64(v)
				}
			}
			for a, v := range row {
				w[from+a] = float32(v / math.Sqrt(float64(in)))
			}
		}
	}
	d.edit = func(name string, w []float32, in int) {
		switch {
		case r.Out && strings.HasSuffix(name, "o_proj.weight"), r.Down && strings.HasSuffix(name, "down_proj.weight"):
			turn(w, in)
		}
	}
	return d
}

// artefact quantises d and writes change into the header; alpha, where there is one, goes into the payload.
func (d drawn) artefact(t testing.TB, recipe, mode string, alpha [][]int32, change func(h *artifact.Header)) *artifact.File {
	t.Helper()
	spec, err := quant.NewSpec(recipe, "15", mode)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.illm")
	in := ptq.Input{Config: d.Config, Weights: d, Hash: strings.Repeat("0", 64)}
	if _, err := ptq.QuantizeFrom(ctx, in, spec, ptq.Calibration{MaxAbs: 200}, path, ptq.Options{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var h artifact.Header
	at := binary.LittleEndian.Uint64(file[16:])
	if err := json.Unmarshal(file[at:], &h); err != nil {
		t.Fatal(err)
	}
	body := bytes.Clone(file[:at])
	for layer, a := range alpha {
		body = append(body, make([]byte, -len(body)&63)...)
		h.GLUs = append(h.GLUs, artifact.GLU{Name: fmt.Sprintf("model.layers.%d.mlp", layer), N: len(a), KAlpha: alphaBits,
			Alpha: artifact.Section{Offset: int64(len(body)), Bytes: int64(4 * len(a))}})
		for _, v := range a {
			body = binary.LittleEndian.AppendUint32(body, uint32(v))
		}
	}
	if change != nil {
		change(&h)
	}
	head, err := json.Marshal(&h)
	if err != nil {
		t.Fatal(err)
	}
	headSum, bodySum := sha256.Sum256(head), sha256.Sum256(body[96:])
	binary.LittleEndian.PutUint32(body[12:], uint32(len(head)))
	binary.LittleEndian.PutUint64(body[16:], uint64(len(body)))
	copy(body[24:], headSum[:])
	copy(body[56:], bodySum[:])
	if err := os.WriteFile(path, append(body, head...), 0o666); err != nil {
		t.Fatal(err)
	}
	a, err := artifact.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if err := a.Verify(); err != nil {
		t.Fatal(err)
	}
	return a
}

const alphaBits = 15

func load(t testing.TB, a *artifact.File, threads int) *engine.Model {
	t.Helper()
	m, err := engine.New(a, engine.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (d drawn) ids(n int) []int32 { return tokens(&model.Model{Config: d.Config}, n) }

// ratios sets a different ratio at every site and layer of h.
func ratios(t testing.TB, h *artifact.Header) {
	for i, site := range h.Sites() {
		for layer := range h.Layers {
			if err := h.SetRangeRatio(site, layer, int32(artifact.RatioOne-(1000+1100*i+300*layer))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// alphas draws act-smooth factors s and α = 1/s.
func (d drawn) alphas() (s [][]float64, alpha [][]int32) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range d.Layers {
		a, f := make([]int32, d.FFN), make([]float64, d.FFN)
		for c := range a {
			a[c] = int32(math.Round(math.Exp2(alphaBits + 6*rng.Float64() - 3)))
			f[c] = math.Exp2(alphaBits) / float64(a[c])
		}
		s, alpha = append(s, f), append(alpha, a)
	}
	return s, alpha
}
