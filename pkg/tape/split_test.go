package tape

import (
	"math"
	"os"
	"testing"

	"github.com/gomlx/gomlx/backends"
	_ "github.com/gomlx/gomlx/backends/simplego" // registers itself
)

// onBackends runs fn on the pure-Go backend and, where its plugin is found, on xla:cpu.
func onBackends(t *testing.T, fn func(t *testing.T, b backends.Backend)) {
	for _, name := range []string{"go:ops_sequential", "xla:cpu"} {
		t.Run(name, func(t *testing.T) {
			if name == "xla:cpu" && os.Getenv("PJRT_PLUGIN_LIBRARY_PATH") == "" {
				t.Skipf("backend %s: PJRT_PLUGIN_LIBRARY_PATH names no folder with a plugin", name)
			}
			b, err := backends.NewWithConfig(name)
			if err != nil {
				t.Skipf("backend %s: %v", name, err)
			}
			defer b.Finalize()
			fn(t, b)
		})
	}
}

// run compiles fn and runs it without inputs.
func run(t *testing.T, b backends.Backend, fn func(g *Graph) []Val) [][]float32 {
	t.Helper()
	e, err := Build(b, "test", fn)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Finalize()
	outs, err := e.Execute(nil, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := Device{Backend: b}
	defer d.Free(outs...)
	var res [][]float32
	for i, s := range e.Outputs() {
		v := make([]float32, s.Size())
		if err := d.Get(outs[i], v); err != nil {
			t.Fatal(err)
		}
		res = append(res, v)
	}
	return res
}

// values are numbers of several magnitudes, without a pattern.
func values(n int, seed float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		x := math.Sin(float64(i*i)*0.7 + seed)
		v[i] = float32(x * math.Exp2(10*math.Sin(float64(i)*1.3)))
	}
	return v
}

// tf32 rounds to 11 bits of significand, halves away from zero, as tensor cores may.
func tf32(x float32) float64 {
	b := math.Float32bits(x) + 1<<12
	return float64(math.Float32frombits(b &^ (1<<13 - 1)))
}

// TestSplit: a product in three parts is as good as one in float32, and stays so when every operand is rounded to TF32:
// the parts are computed here once more with rounded operands.
func TestSplit(t *testing.T) {
	const n, m, k = 5, 4, 33
	a, w := values(n*k, 1), values(m*k, 2)
	onBackends(t, func(t *testing.T, b backends.Backend) {
		out := run(t, b, func(g *Graph) []Val {
			av, wv := g.Constant(a, n, k), g.Constant(w, m, k)
			ca, ra, sa := g.split(av, 1)
			cw, rw, sw := g.split(wv, 1)
			three := g.DotSplit(g.Reshape(av, 1, n, k), g.Reshape(wv, 1, m, k))
			return []Val{g.DotSplit(av, wv), ca, ra, sa, cw, rw, sw, g.Reshape(three, n, m)}
		})
		ca, ra, sa, cw, rw, sw := out[1], out[2], out[3], out[4], out[5], out[6]
		for i := range n {
			for j := range m {
				var want, rounded, size, top, wide float64
				for c := range k {
					x, y := a[i*k+c], w[j*k+c]
					want += float64(x) * float64(y)
					size += math.Abs(float64(x) * float64(y))
					top, wide = max(top, math.Abs(float64(x))), max(wide, math.Abs(float64(y)))
					p, q := i*k+c, j*k+c
					if tf32(ca[p]) != float64(ca[p]) || tf32(cw[q]) != float64(cw[q]) {
						t.Fatalf("codes %v, %v are not exact", ca[p], cw[q])
					}
					rounded += tf32(ca[p])*tf32(cw[q]) + tf32(ca[p])*tf32(rw[q]) + tf32(ra[p])*tf32(cw[q])
				}
				rounded *= float64(sa[i]) * float64(sw[j])
				bound := 3.0/(1<<23)*k*top*wide + 4e-7*size
				for _, got := range []float64{float64(out[0][i*m+j]), float64(out[7][i*m+j]), rounded} {
					if math.Abs(got-want) > bound {
						t.Errorf("%d, %d: %v, want %v ± %v", i, j, got, want, bound)
					}
				}
			}
		}
	})
}

// TestFactored: products of codes equal products of values.
func TestFactored(t *testing.T) {
	const n, in, out = 3, 7, 5
	h := Heads{Batch: 1, Window: 4, KV: 2, Group: 2, D: 6, Chunks: 2}
	codes := func(g *Graph, seed float64, dims ...int) *Node {
		size, rows := 1, 1
		for i, d := range dims {
			size *= d
			if i < len(dims)-1 {
				rows *= d
			}
		}
		c, s := make([]float32, size), make([]float32, rows)
		for i := range c {
			c[i] = float32(math.Round(100 * math.Sin(float64(i*i)+seed)))
		}
		for i := range s {
			s[i] = float32(0.01 + 0.001*float64(i))
		}
		code, step := g.Constant(c, dims...), g.Constant(s, append(append([]int{}, dims[:len(dims)-1]...), 1)...)
		return &Node{Val: g.Mul(code, step), Code: code, Step: step}
	}
	plain := func(n *Node) *Node { return &Node{Val: n.Val} }
	onBackends(t, func(t *testing.T, b backends.Backend) {
		res := run(t, b, func(g *Graph) []Val {
			tp := New(g, F32)
			x, w1, w2 := codes(g, 1, n, in), codes(g, 2, out, in), codes(g, 3, 2, in)
			q := tp.Scaled(codes(g, 4, 4, 4, 6), 0.3)
			k, v := codes(g, 5, 2, 4, 6), codes(g, 6, 2, 4, 6)
			split := New(g, F32)
			split.Precise = true
			return []Val{
				tp.Linear(x, Weight{W: w1}, Weight{W: w2}).Val, tp.Linear(plain(x), Weight{W: plain(w1)}, Weight{W: plain(w2)}).Val,
				tp.Attend(q, k, v, h, nil).Val, split.Attend(plain(q), plain(k), plain(v), h, nil).Val,
			}
		})
		for i := 0; i < len(res); i += 2 {
			for j := range res[i] {
				if math.Abs(float64(res[i][j]-res[i+1][j])) > 2e-5 {
					t.Errorf("pair %d, element %d: %v with codes, %v without", i/2, j, res[i][j], res[i+1][j])
				}
			}
		}
	})
}
