package engine_test

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

// grid is the constant grid of the row at hand, of the head that project works on at sites with heads.
func (p *plain) grid(site string, layer int) (di.StaticGrid, bool) {
	if p.grids[site] == nil {
		return di.StaticGrid{}, false
	}
	list := p.grids[site][layer]
	return list[p.head%len(list)], true
}

// rounded is a/b, b > 0, halves away from zero.
func rounded(a, b *big.Int) *big.Int {
	x := new(big.Int).Abs(a)
	x.Add(x, new(big.Int).Rsh(b, 1)).Div(x, b)
	if a.Sign() < 0 {
		x.Neg(x)
	}
	return x
}

func power(n int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(n)) }

// static is the requantisation on a constant grid, in math/big: sat(z + round((T>>s)·g/2^h)) with g/2^(h+s) = m·2^(K−k)/M.
func (p *plain) static(row []int64, site string, grid di.StaticGrid, m uint32, k int32, bits int) ([]uint16, quant.RowParams) {
	l := 16 - big.NewInt(int64(m)).BitLen()
	inverse := rounded(power(61), big.NewInt(int64(grid.M)))
	g := rounded(new(big.Int).Mul(inverse, new(big.Int).Lsh(big.NewInt(int64(m)), uint(l))), power(31))
	e := 30 + int(k) + l - int(grid.K)
	s := min(max(0, bits+e-57), 62)
	h := min(max(e-s, 1), 62)
	q := quant.RowParams{M: grid.M, K: grid.K, Zero: grid.Zero}
	codes, top := make([]uint16, len(row)), int64(1)<<bits-1
	for j, v := range row {
		x := big.NewInt(v)
		x = rounded(x.Mul(x.Rsh(x, uint(s)), g), power(h))
		x.Add(x, big.NewInt(int64(grid.Zero)))
		if x.Sign() < 0 || x.Cmp(big.NewInt(top)) > 0 {
			p.beyond[site]++
		}
		if x.Sign() < 0 {
			x.SetInt64(0)
		}
		if x.Cmp(big.NewInt(top)) > 0 {
			x.SetInt64(top)
		}
		codes[j] = uint16(x.Int64())
		q.Sum += int32(codes[j])
	}
	return codes, q
}

// floor is the maximum less R = M/2^K in steps of m/2^k.
func (p *plain) floor(layer int, s []int64, g di.StaticGrid, hi int64, m uint32, k int32) int64 {
	num, den := big.NewInt(int64(g.M)), big.NewInt(int64(m))
	if k >= g.K {
		num.Lsh(num, uint(k-g.K))
	} else {
		den.Lsh(den, uint(g.K-k))
	}
	r := rounded(num, den).Int64()
	clip, clipped := p.spec(layer).Clip.Scale()
	within := !clipped || new(big.Rat).SetFrac(new(big.Int).Lsh(big.NewInt(int64(g.M)), uint(max(clip.K-g.K, 0))), new(big.Int).Lsh(big.NewInt(int64(clip.M)), uint(max(g.K-clip.K, 0)))).Cmp(big.NewRat(1, 1)) < 0
	for _, v := range s {
		if hi-v > r && within {
			p.beyond[artifact.SiteScores]++
		}
	}
	return hi - r
}

// grids calibrates a drawn model on ids.
func (d drawn) grids(t testing.TB, recipe, mode string, ids []int32) artifact.Static {
	t.Helper()
	spec, err := quant.NewSpec(recipe, "15", mode)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ptq.StaticCalibrate(ctx, d.Config, d, floatref.Options{Threads: 1}, "test", [][]int32{ids}, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := r.Grids(d.Config, spec.Effective())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func loadStatic(t testing.TB, a *artifact.File, g artifact.Static, threads int) *engine.Model {
	t.Helper()
	m, err := engine.New(a, engine.Options{Threads: threads, Static: g})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// On constant grids the engine gives the bits of the plain forward pass and counts its saturated codes exactly. The grids
// come from fewer tokens than are run, so that there are some.
func TestStaticAgainstPlain(t *testing.T) {
	for _, c := range []struct {
		recipe, mode string
		rotations    artifact.Rotations
		alpha        bool
	}{
		{"w8a8-static", "illm", artifact.Rotations{}, false},
		{"w8a8-static999", "illm", artifact.Rotations{}, true},
		{"w6a6-statichead", "illm", artifact.Rotations{}, false},
		{"w4a4-static", "illm", artifact.Rotations{}, false},
		{"w8a8-statichead", "precise", artifact.Rotations{}, false},
		{"w4a4kv8-static", "illm", allRotations, false},
		{"w8a8-mixed", "illm", artifact.Rotations{}, false},
		{"w8a8-static:scores", "illm", artifact.Rotations{}, false},
		{"w8a8-static:query", "illm", artifact.Rotations{}, false},
		{"w8a8-static:product", "illm", artifact.Rotations{}, false},
	} {
		t.Run(c.recipe+" "+c.mode, func(t *testing.T) {
			d := shaped("64")
			var alpha [][]int32
			if c.alpha {
				_, alpha = d.alphas()
			}
			base, _, _ := strings.Cut(c.recipe, "-")
			a := d.artefact(t, base, c.mode, alpha, func(h *artifact.Header) { h.Rotations = c.rotations })
			ids := d.ids(24)
			g := d.grids(t, c.recipe, c.mode, ids[:8])
			p := newPlain(t, a, len(ids))
			p.grids, p.beyond = g, map[string]int64{}
			want := p.logits(ids)
			m := loadStatic(t, a, g, 2)
			for i, l := range rows(t, m, ids, 24) {
				if l.M != want[i].M || l.K != want[i].K || !slices.Equal(l.T, want[i].T) {
					t.Fatalf("token %d: scale %d/2^%d, logits %v …, plain %d/2^%d, %v …", i, l.M, l.K, l.T[:4], want[i].M, want[i].K, want[i].T[:4])
				}
			}
			some := int64(0)
			for _, n := range m.StaticCounts() {
				if n.Saturated != p.beyond[n.Site] || n.Saturated > n.Codes || n.Codes == 0 {
					t.Errorf("site %s: %d of %d codes saturated, want %d", n.Site, n.Saturated, n.Codes, p.beyond[n.Site])
				}
				some += n.Saturated
			}
			if some == 0 && engineSite(c.recipe) == "" {
				t.Error("no code saturated: the test shows nothing")
			}
			if got := len(m.StaticCounts()); got != len(g) {
				t.Errorf("%d sites counted, want %d", got, len(g))
			}
		})
	}
}

func engineSite(recipe string) string {
	_, static, _ := strings.Cut(recipe, "-")
	return quant.OneStaticSite(static)
}

// One prompt gives one hash and one count over splits, threads and instruction sets on constant grids, too.
func TestStaticSameBits(t *testing.T) {
	for _, shape := range []string{"64", "opt"} {
		for _, recipe := range []string{"w8a8-statichead", "w4a4kv8-static999"} {
			t.Run(shape+" "+recipe, func(t *testing.T) {
				d := shaped(shape)
				base, _, _ := strings.Cut(recipe, "-")
				a := d.artefact(t, base, "illm", nil, nil)
				ids := d.ids(75)
				g := d.grids(t, recipe, "illm", ids[:16])
				first := loadStatic(t, a, g, 1)
				want := hash(t, rows(t, first, ids, 75))
				counts := first.StaticCounts()
				check := func(what string, threads int, pieces ...int) {
					t.Helper()
					m := loadStatic(t, a, g, threads)
					if got := hash(t, rows(t, m, ids, pieces...)); got != want {
						t.Errorf("%s: hash %s, want %s", what, got[:12], want[:12])
					}
					if got := m.StaticCounts(); !slices.Equal(got, counts) {
						t.Errorf("%s: counts %v, want %v", what, got, counts)
					}
				}
				check("one by one", 1, 1)
				check("pieces", 3, 2, 3, 17, 9)
				check("halves", 3, 41, 34)
				limit := cpu.Limit()
				defer cpu.SetLimit(limit)
				for _, set := range []cpu.Set{cpu.Generic, cpu.AVX2, cpu.AVX512, cpu.AVX512VNNI} {
					cpu.SetLimit(set)
					check(set.String(), 3, 32, 1)
				}
				cpu.SetLimit(limit)
				if hash(t, rows(t, load(t, a, 2), ids, 75)) == want {
					t.Error("the dynamic model has the same hash")
				}
			})
		}
	}
}

// Grids that are not this model's are refused by name.
func TestStaticRefuses(t *testing.T) {
	d := shaped("64")
	a := d.artefact(t, "w8a8", "illm", nil, nil)
	for _, c := range []struct {
		want   string
		change func(g artifact.Static)
	}{
		{"sites of", func(g artifact.Static) { g["residual"] = g["key"] }},
		{"layers", func(g artifact.Static) { g["key"] = g["key"][:1] }},
		{"one or", func(g artifact.Static) { g["key"][0] = nil }},
		{"one or", func(g artifact.Static) { g["gate"][0] = append(g["gate"][0], g["gate"][0]...) }},
		{"mantissa", func(g artifact.Static) { g["up"][0][0].M = 0 }},
		{"exponent", func(g artifact.Static) { g["up"][0][0].K = 1 << 30 }},
		{"zero point", func(g artifact.Static) { g["up"][0][0].Zero = 256 }},
		{"zero point", func(g artifact.Static) { g["scores"][0][0].Zero = 1 }},
	} {
		g := d.grids(t, "w8a8-static", "illm", d.ids(8))
		c.change(g)
		if _, err := engine.New(a, engine.Options{Static: g}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	g := d.grids(t, "w8a8-static", "illm", d.ids(8))
	if _, err := engine.New(a, engine.Options{Static: g, Operators: di.Integer(a.Header.Spec)}); err == nil || !strings.Contains(err.Error(), "operators") {
		t.Errorf("operators of another's making: %v", err)
	}
	if m, err := engine.New(a, engine.Options{Static: artifact.Static{"query": g["query"]}, Operators: di.Integer(a.Header.Spec)}); err != nil || len(m.StaticCounts()) != 1 {
		t.Errorf("static queries beside other operators: %v", err)
	}
}
