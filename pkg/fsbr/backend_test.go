package fsbr

import (
	"os"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/backends"
	_ "github.com/gomlx/gomlx/backends/simplego" // registers itself

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/tape"
)

// onBackends runs fn on the pure-Go backend and, where its plugin is found, on xla:cpu.
func onBackends(t *testing.T, fn func(t *testing.T, b backends.Backend)) {
	for _, name := range []string{"go:ops_sequential", "xla:cpu"} {
		t.Run(name, func(t *testing.T) { fn(t, openBackend(t, name)) })
	}
}

// slow backends compile a block for seconds: they run one case of each kind.
func slow(b backends.Backend) bool { return strings.HasPrefix(b.Name(), "xla") }

func openBackend(t *testing.T, name string) backends.Backend {
	t.Helper()
	if name == "xla:cpu" && testing.Short() {
		t.Skipf("backend %s: compiles for minutes", name)
	}
	if name == "xla:cpu" && os.Getenv("PJRT_PLUGIN_LIBRARY_PATH") == "" {
		t.Skipf("backend %s: PJRT_PLUGIN_LIBRARY_PATH names no folder with a plugin", name)
	}
	b, err := backends.NewWithConfig(name)
	if err != nil {
		t.Skipf("backend %s: %v", name, err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// input is a value for a program: float32 or int32.
type input struct {
	flat any
	dims []int
}

// evaluate compiles and runs a program over inputs, in the order in which fn gets them.
func evaluate(t *testing.T, b backends.Backend, inputs []input, fn func(g *tape.Graph, in []tape.Val) []tape.Val) [][]float32 {
	t.Helper()
	e, err := tape.Build(b, "test", func(g *tape.Graph) []tape.Val {
		var vs []tape.Val
		for i, in := range inputs {
			vs = append(vs, g.Input("in"+string(rune('a'+i/26))+string(rune('a'+i%26)), tape.F32, in.dims...))
		}
		return fn(g, vs)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Finalize()
	return execute(t, b, e, inputs)
}

func execute(t *testing.T, b backends.Backend, e backends.Executable, inputs []input) [][]float32 {
	t.Helper()
	d := tape.Device{Backend: b}
	var in []backends.Buffer
	for _, x := range inputs {
		buf, err := d.Put(x.flat, tape.F32, x.dims...)
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, buf)
	}
	outs, err := e.Execute(in, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.Free(in...)
	var res [][]float32
	for i, s := range e.Outputs() {
		v := make([]float32, s.Size())
		if err := d.Get(outs[i], v); err != nil {
			t.Fatal(err)
		}
		res = append(res, v)
	}
	d.Free(outs...)
	return res
}

// splitmix is a bijection of 64 bits that mixes them well.
func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// noise returns n numbers spread over ±size.
func noise(n int, size float64, seed uint64) []float32 {
	v := make([]float32, n)
	for i := range v {
		seed = splitmix(seed)
		v[i] = float32(size * (float64(seed>>11)/(1<<52) - 1))
	}
	return v
}

// The configurations of the tests: no two dimensions are equal where they could be mixed up.
var configs = map[string]model.Config{
	"llama": {
		Architecture: model.LLaMA, Layers: 2, Hidden: 12, Heads: 4, KVHeads: 2, HeadDim: 6, FFN: 20, Vocab: 19, MaxContext: 11,
		NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 100, TiedHead: true, BOS: -1, EOS: 0, EOSAll: []int{0},
	},
	"llama, head norms and biases": {
		Architecture: model.LLaMA, Layers: 2, Hidden: 12, Heads: 4, KVHeads: 2, HeadDim: 6, FFN: 20, Vocab: 19, MaxContext: 11,
		NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 100, TiedHead: true, BOS: -1, EOS: 0, EOSAll: []int{0},
		HeadNorm: true, QKVBias: true, MLPBias: true,
	},
	"llama, biases": {
		Architecture: model.LLaMA, Layers: 2, Hidden: 12, Heads: 4, KVHeads: 2, HeadDim: 6, FFN: 20, Vocab: 19, MaxContext: 11,
		NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 100, TiedHead: true, BOS: -1, EOS: 0, EOSAll: []int{0},
		QKVBias: true, OutBias: true,
	},
	// Hadamard matrices of all its orders exist.
	"llama, rotatable": {
		Architecture: model.LLaMA, Layers: 2, Hidden: 12, Heads: 4, KVHeads: 2, HeadDim: 4, FFN: 24, Vocab: 19, MaxContext: 11,
		NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 100, TiedHead: true, BOS: -1, EOS: 0, EOSAll: []int{0},
	},
	"opt": {
		Architecture: model.OPT, Layers: 2, Hidden: 12, Heads: 3, KVHeads: 3, HeadDim: 4, FFN: 24, Vocab: 19, MaxContext: 11,
		NormEps: 1e-5, NormEpsText: "1e-05", TiedHead: true, QKVBias: true, OutBias: true, MLPBias: true, BOS: -1, EOS: 0, EOSAll: []int{0},
	},
}

// tensors are random weights of one block, norms around 1.
func tensors(c model.Config, seed uint64) []input {
	var in []input
	for i, s := range blockTensors(c) {
		n := 1
		for _, d := range s.dims {
			n *= d
		}
		w := noise(n, 0.5, seed+uint64(i))
		if len(s.dims) == 1 && s.name[len(s.name)-11:] == "norm.weight" {
			for j := range w {
				w[j]++
			}
		}
		in = append(in, input{w, s.dims})
	}
	return in
}

// named puts the first inputs of a program under their names.
func named(c model.Config, in []tape.Val) map[string]tape.Val {
	w := map[string]tape.Val{}
	for i, s := range blockTensors(c) {
		w[s.name] = in[i]
	}
	return w
}

// everything switches all kinds on.
func everything(c model.Config) layout { return newLayout(c, func(string) bool { return true }) }

// someValues are factors between 1/2 and 2, shifts of ±0.3, ratios between 0.6 and 1, in half precision.
func someValues(l layout, seed uint64) []float32 {
	p := noise(l.size, 0.7, seed)
	for _, e := range l.entries {
		for i := e.at; i < e.at+e.n; i++ {
			switch e.what {
			case 'd':
				p[i] *= 0.4
			case 'l', 'h', 'r':
				p[i] = 3*p[i] + 2.5
			}
		}
	}
	return l.values(p)
}
