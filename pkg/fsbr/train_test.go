package fsbr

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// options are those of a short run on random weights.
func options(t *testing.T, b backends.Backend, config string) Options {
	t.Helper()
	c := configs[config]
	r, err := quant.ParseRecipe("w4a4")
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int32, 200)
	for i := range ids {
		ids[i] = int32(splitmix(uint64(i)) % uint64(c.Vocab))
	}
	ws, err := DrawWindows(ids, 8, 8, 2)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Backend: b, Config: c, Source: randomModel(c, 7), Hash: "h", Windows: ws, Text: "numbers", Recipe: r, Epochs: 5, Batch: 2, Seed: 3}
}

func train(t *testing.T, o Options) *smooth.Factors {
	t.Helper()
	f, err := Train(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Check(o.Config); err != nil {
		t.Fatal(err)
	}
	return f
}

func hashOf(t *testing.T, f *smooth.Factors) string {
	t.Helper()
	h, err := f.Hash()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestTrain: no block becomes worse and most become better, the same seed gives the same bits, another one does not, for all options of
// the loss.
func TestTrain(t *testing.T) {
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for config := range configs {
			if slow(b) && config != "llama" {
				continue
			}
			t.Run(config, func(t *testing.T) {
				o := options(t, b, config)
				o.Curve = filepath.Join(t.TempDir(), "curve.jsonl")
				f := train(t, o)
				lines, err := ReadCurve(o.Curve)
				if err != nil {
					t.Fatal(err)
				}
				if want := o.Config.Layers * (o.Epochs + 1); len(lines) != want {
					t.Errorf("%d lines in the curve, want %d", len(lines), want)
				}
				fell := false
				for _, l := range lines {
					// A block may keep its initial factors, where a few steps found nothing better.
					if l.Epoch == 0 && (!(l.Loss <= l.Initial) || (l.Best == 0) != (l.Loss == l.Initial)) {
						t.Errorf("block %d: loss %g → %g, epoch %d", l.Block, l.Initial, l.Loss, l.Best)
					}
					fell = fell || l.Epoch == 0 && l.Loss < l.Initial
				}
				if !fell && config != "llama, head norms and biases" {
					t.Errorf("no block became better: %+v", lines)
				}
				if got := hashOf(t, train(t, o)); got != hashOf(t, f) {
					t.Errorf("a second run has other factors")
				}
				o.Seed++
				if got := hashOf(t, train(t, o)); got == hashOf(t, f) {
					t.Errorf("another seed has the same factors")
				}
			})
		}
		t.Run("losses", func(t *testing.T) {
			if slow(b) {
				t.Skip("the same programs but for the last lines")
			}
			for _, loss := range []Loss{{Plain: true}, {Aug: true}, {Std: true}, {Plain: true, Aug: true, Std: true}} {
				o := options(t, b, "llama")
				o.Loss, o.Cosine, o.Epochs = loss, true, 2
				train(t, o)
			}
		})
	})
}

// TestMethods: OmniQuant and SmoothQuant leave out what they do not have; SmoothQuant is the closed form.
func TestMethods(t *testing.T) {
	b := openBackend(t, "go:ops_sequential")
	for _, test := range []struct {
		config, method, kinds string
		on, off               []string
		clip                  bool
	}{
		{"llama", FSBR, "", []string{"qkv", "mlp", "vo", "qk", "gate_up", "up_down"}, nil, true},
		{"llama", OmniQuant, "", []string{"qkv", "mlp", "vo", "qk"}, []string{"gate_up", "up_down"}, true},
		{"opt", OmniQuant, "", []string{"qkv", "shift_qkv", "shift_mlp", "shift_vo", "vo", "qk"}, []string{"up_down"}, true},
		{"llama", SmoothQuant, "", []string{"qkv", "mlp"}, []string{"vo", "qk", "gate_up", "up_down"}, false},
		{"llama", FSBR, "all,-qk,-clip", []string{"qkv", "up_down"}, []string{"qk"}, false},
		{"llama", FSBR, "clip", nil, []string{"qkv", "mlp", "vo", "qk", "gate_up", "up_down"}, true},
	} {
		t.Run(test.config+" "+test.method+" "+test.kinds, func(t *testing.T) {
			o := options(t, b, test.config)
			o.Method, o.Kinds, o.Epochs = test.method, test.kinds, 1
			f := train(t, o)
			for n := range f.Blocks {
				for _, k := range test.on {
					if f.Blocks[n].Vector(k) == nil {
						t.Errorf("block %d: no factors of %s", n, k)
					}
				}
				for _, k := range test.off {
					if f.Blocks[n].Vector(k) != nil {
						t.Errorf("block %d: factors of %s", n, k)
					}
				}
				if (f.Blocks[n].Clip != nil) != test.clip {
					t.Errorf("block %d: clipping ratios: %v", n, f.Blocks[n].Clip != nil)
				}
			}
			if f.Meta[smooth.MetaMethod] != test.method || f.Meta[smooth.MetaSource] != "h" || len(f.Meta[smooth.MetaCalibration]) != 64 {
				t.Errorf("meta %v", f.Meta)
			}
		})
	}
}

// TestInitial: the closed form of SmoothQuant from statistics put in by hand.
func TestInitial(t *testing.T) {
	c := configs["llama"]
	l := newLayout(c, func(k string) bool { return k == "qkv" || k == "vo" || k == "qk" })
	st := newStats()
	for _, site := range sites {
		wide := c.Hidden
		if site == siteAttnOut {
			wide = c.Heads * c.HeadDim
		}
		top, low := make([]float32, 2*wide), make([]float32, 2*wide)
		for i := range top {
			top[i], low[i] = float32(i%wide), -2*float32(i%wide)
		}
		st.add(site, top, low, 2)
	}
	w := map[string][]float32{}
	for i, s := range blockTensors(c) {
		w[s.name] = tensors(c, 1)[i].flat.([]float32)
	}
	p := l.values(initial(l, st, w, 0.5, false))
	column := func(name string, cols, at int) float64 {
		top := 0.0
		for i, x := range w[name+".weight"] {
			if i%cols == at {
				top = max(top, math.Abs(float64(x)))
			}
		}
		return top
	}
	near := func(what string, got float32, want float64) {
		t.Helper()
		if math.Abs(float64(got)/want-1) > 1e-3 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	q := max(column("self_attn.q_proj", 12, 5), column("self_attn.k_proj", 12, 5), column("self_attn.v_proj", 12, 5))
	near("qkv", p[l.entries[0].at+5], math.Sqrt(10/q))
	// Channel 4 of KV head 1 is read by query heads 2 and 3: channels 16 and 22 of 24.
	near("vo", p[l.entries[1].at+10], math.Sqrt(44/max(column("self_attn.o_proj", 24, 16), column("self_attn.o_proj", 24, 22))))
	near("qk", p[l.entries[2].at], 1)
}

// TestAlpha: of several exponents a block takes the one with the lowest loss.
func TestAlpha(t *testing.T) {
	o := options(t, openBackend(t, "go:ops_sequential"), "llama")
	o.Method, o.Curve = SmoothQuant, filepath.Join(t.TempDir(), "curve")
	first := map[float64]float64{}
	for _, alphas := range [][]float64{{0.2}, {0.5}, {0.9}, {-1}, {0.2, 0.5, 0.9, -1}} {
		o.Alpha = alphas
		train(t, o)
		lines, err := ReadCurve(o.Curve)
		if err != nil {
			t.Fatal(err)
		}
		if len(alphas) == 1 {
			first[alphas[0]] = lines[0].Loss
			continue
		}
		for a, loss := range first {
			if loss < lines[0].Loss {
				t.Errorf("block 0 has loss %g with α %g; %g alone gives %g", lines[0].Loss, lines[0].Alpha, a, loss)
			}
		}
		if first[lines[0].Alpha] != lines[0].Loss {
			t.Errorf("block 0: α %g gives %g, not %g", lines[0].Alpha, first[lines[0].Alpha], lines[0].Loss)
		}
	}
}

// stopAfter ends a run once its state holds a number of blocks.
func stopAfter(t *testing.T, o Options, blocks int) error {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	o.Log = func(format string, args ...any) {
		if strings.HasPrefix(format, "block %d") && args[0].(int) == blocks-1 {
			cancel(errors.New("enough"))
		}
	}
	_, err := Train(ctx, o)
	return err
}

// TestResume: a run that was interrupted ends in the same bits, and its curve has no line twice.
func TestResume(t *testing.T) {
	onBackends(t, func(t *testing.T, b backends.Backend) {
		if slow(b) {
			t.Skip("compiles the programs four times")
		}
		o := options(t, b, "llama, rotatable")
		o.Epochs, o.Kinds = 2, "all,range"
		o.Rotation = smooth.Rotation{Residual: true, ValueOut: true, QueryKey: true, Down: true, Seed: 1}
		want := hashOf(t, train(t, o))
		dir := t.TempDir()
		o.State, o.Curve = filepath.Join(dir, "state"), filepath.Join(dir, "curve")
		if err := stopAfter(t, o, 1); !errors.Is(err, ErrPaused) || !strings.Contains(err.Error(), "1 blocks are saved") {
			t.Fatalf("error %v, want that one block is saved", err)
		}
		other := o
		other.Rate = 0.02
		if _, err := Train(t.Context(), other); err == nil || !strings.Contains(err.Error(), `lr is "0.005" in the file, "0.02" is asked for`) {
			t.Errorf("other settings: error %v", err)
		}
		if got := hashOf(t, train(t, o)); got != want {
			t.Errorf("a resumed run has other factors")
		}
		lines, err := ReadCurve(o.Curve)
		if err != nil || len(lines) != o.Config.Layers*(o.Epochs+1) {
			t.Errorf("%d lines in the curve, %v", len(lines), err)
		}
		if err := os.WriteFile(o.State, []byte("{"), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Train(t.Context(), o); err == nil || !strings.Contains(err.Error(), "not a state file") {
			t.Errorf("cut state file: error %v", err)
		}
	})
}

// TestGates: damaged weights and diverging rates are errors that name the place.
func TestGates(t *testing.T) {
	b := openBackend(t, "go:ops_sequential")
	for _, test := range []struct {
		name, want string
		change     func(o *Options)
	}{
		{"NaN weight", "block 1: model.layers.1.mlp.up_proj.weight: expected finite weights, found NaN at 5", func(o *Options) {
			o.Source.(source)["model.layers.1.mlp.up_proj.weight"][5] = float32(math.NaN())
		}},
		{"overflow", "block 0: quantised block, window 0: expected a finite loss", func(o *Options) {
			w := o.Source.(source)["model.layers.0.mlp.down_proj.weight"]
			for i := range w {
				w[i] = 3e38
			}
		}},
		{"divergence", "block 0: epoch 1, step 2: expected a finite loss", func(o *Options) { o.Rate = 1e4 }},
		{"no window", "Windows: expected at least one window", func(o *Options) { o.Windows = nil }},
		{"unequal windows", "7 tokens in window 1", func(o *Options) { o.Windows[1] = o.Windows[1][1:] }},
		{"foreign tokens", "another tokenizer", func(o *Options) { o.Windows[0] = []int32{1, 2, 3, 4, 5, 6, 7, 19} }},
		{"alpha", "Alpha: expected 0–1, or −1, found -0.5", func(o *Options) { o.Alpha = []float64{-0.5} }},
		{"rotation", "rotation down: no Hadamard matrix of order 21", func(o *Options) { o.Config.FFN, o.Rotation.Down = 21, true }},
		{"batch", "Batch: expected a divisor of the 8 windows, found 3", func(o *Options) { o.Batch = 3 }},
		{"method", "Method: expected fsbr, omniquant, smoothquant, found gptq", func(o *Options) { o.Method = "gptq" }},
		{"kinds", `Kinds: "sofmax": expected all or names of qkv`, func(o *Options) { o.Kinds = "sofmax" }},
		{"missing tensor", `no tensor "model.layers.0.mlp.up_proj.weight"`, func(o *Options) { delete(o.Source.(source), "model.layers.0.mlp.up_proj.weight") }},
		{"other configuration", "block 0: model.layers.0.mlp.gate_proj.weight: expected 252 values, found 240", func(o *Options) { o.Config.FFN++ }},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := options(t, b, "llama")
			test.change(&o)
			if _, err := Train(t.Context(), o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// TestWindows: files of windows come back, and bad ones are refused.
func TestWindows(t *testing.T) {
	ids := make([]int32, 50)
	for i := range ids {
		ids[i] = int32(i)
	}
	ws, err := DrawWindows(ids, 20, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	starts := map[int32]bool{}
	for _, w := range ws {
		starts[w[0]] = true
		for i, id := range w {
			if id != w[0]+int32(i) {
				t.Fatalf("window %v is no piece of the text", w)
			}
		}
	}
	if len(starts) < 10 {
		t.Errorf("20 windows start at %d places", len(starts))
	}
	path := filepath.Join(t.TempDir(), "w.u32")
	if err := os.WriteFile(path, Encode(ws), 0o666); err != nil {
		t.Fatal(err)
	}
	got, err := ReadWindows(path, 10)
	if err != nil || len(got) != len(ws) || string(Encode(got)) != string(Encode(ws)) {
		t.Errorf("%d windows, %v", len(got), err)
	}
	if _, err := ReadWindows(path, 11); err == nil || !strings.Contains(err.Error(), "expected windows of 11 tokens of 4 bytes, found 800 bytes") {
		t.Errorf("other length: %v", err)
	}
	for _, n := range []int{-1, 0, MaxWindows + 1} {
		if _, err := DrawWindows(ids, n, 10, 1); err == nil || !strings.Contains(err.Error(), "expected 1 to 65536, found") {
			t.Errorf("%d windows: %v", n, err)
		}
	}
	if _, err := DrawWindows(ids, 1, 51, 1); err == nil || !strings.Contains(err.Error(), "at least one window of 51 tokens, found 50") {
		t.Errorf("short text: %v", err)
	}
}

// A full disk ends a run with an error that says how to go on, and the state file of the blocks before stays.
func TestFullDisk(t *testing.T) {
	const full = "/dev/full" // every write to it fails as on a full disk
	f, err := os.OpenFile(full, os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	path := filepath.Join(t.TempDir(), "f.state")
	if err := os.WriteFile(path, []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(full, path+".tmp"); err != nil {
		t.Fatal(err)
	}
	r := &run{o: Options{State: path}, curve: f}
	for what, err := range map[string]error{"state": r.save(), "curve": r.line(Line{})} {
		if err == nil || !strings.Contains(err.Error(), "make room") || !strings.Contains(err.Error(), "--resume goes on") {
			t.Errorf("%s: error %v", what, err)
		}
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "{}" {
		t.Errorf("state before is %q, %v", raw, err)
	}
}

// TestUntouched: a recipe file may have the cache at 16 bits, which stays in float.
func TestUntouched(t *testing.T) {
	o := options(t, openBackend(t, "go:ops_sequential"), "llama")
	o.Recipe.KV, o.Recipe.GLU, o.Epochs = 16, 16, 1
	train(t, o)
}
