package ptq

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// everything keeps all values of every site: the oracle of ranges and percentiles.
type everything struct {
	mu  sync.Mutex
	all map[seenKey][]float64
}

func (e *everything) Tap(b *floatref.Block) {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := seenKey{b.Site, b.Layer, b.Head}
	for r := range b.Rows {
		top := 0.0
		if b.Site == floatref.Scores {
			top = float64(slices.Max(b.Row(r)))
		}
		for _, v := range b.Row(r) {
			e.all[k] = append(e.all[k], float64(v)-top)
		}
	}
}

func staticFixture(t *testing.T, name string) (*model.Model, [][]int32) {
	t.Helper()
	m, err := model.OpenWeights(filepath.Join("..", "floatref", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	windows := make([][]int32, 3)
	for i := range windows {
		for j := range 20 {
			windows[i] = append(windows[i], int32((i*131+j*37+7)%m.Config.Vocab))
		}
	}
	return m, windows
}

// Ranges are those of a pass that keeps every value, percentiles within a bin above the exact one, and queries carry 1/√d.
func TestStaticCalibrate(t *testing.T) {
	for _, name := range []string{"tiny_untied", "opt"} {
		t.Run(name, func(t *testing.T) {
			m, windows := staticFixture(t, name)
			c := m.Config
			oracle := &everything{all: map[seenKey][]float64{}}
			r, err := StaticCalibrate(context.Background(), c, m, floatref.Options{Threads: 2, Tap: oracle}, "test", windows, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Check(c); err != nil {
				t.Fatal(err)
			}
			if r.Hash != Hash(windows) || r.Windows != 3 || r.Window != 20 {
				t.Errorf("found %s, %d windows of %d", r.Hash, r.Windows, r.Window)
			}
			most := make([]float64, c.Hidden) // of each channel of the residual stream
			for k, values := range oracle.all {
				if k.site == floatref.Residual || k.site == floatref.ResidualMid {
					for i, v := range values {
						most[i%c.Hidden] = math.Max(most[i%c.Hidden], math.Abs(v))
					}
				}
			}
			if !slices.Equal(r.Residual, most) {
				t.Errorf("residual stream %v, want %v", r.Residual[:4], most[:4])
			}
			for i, step := range r.ResidualSteps(18) {
				if exact := most[i] * (1 << 18) / 32767; float64(step) < exact || float64(step) >= math.Max(exact, 1)+1 {
					t.Errorf("step of channel %d: %d for %g", i, step, exact)
				}
			}
			checked := 0
			for k, values := range oracle.all {
				site, ok := staticSites[k.site]
				if !ok || r.Sites[site] == nil {
					continue
				}
				scale := 1.0
				if k.site == floatref.Query {
					scale = 1 / math.Sqrt(float64(c.HeadDim))
				}
				lo, hi := 0.0, 0.0
				for i, v := range values {
					v = math.Abs(v) * scale
					lo, hi = math.Min(lo, values[i]*scale), math.Max(hi, values[i]*scale)
					values[i] = v
				}
				if k.site == floatref.Scores {
					lo, hi = 0, -lo
				}
				slices.Sort(values)
				exact := values[int(math.Ceil(0.999*float64(len(values))))-1]
				got := r.Sites[site][k.layer][k.head]
				near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) } // float32 distances at the scores
				if !near(got.Min, lo) || !near(got.Max, hi) || got.P999 < exact*(1-1e-6) || got.P999 > exact*(1+1.0/100)+1e-12 {
					t.Errorf("%s, layer %d, head %d: %+v, want min %g, max %g, percentile %g", site, k.layer, k.head, got, lo, hi, exact)
				}
				checked++
			}
			if want := len(StaticSites(c)); len(r.Sites) != want || checked < want*c.Layers {
				t.Errorf("%d sites, %d checked, want %d", len(r.Sites), checked, want)
			}
			again, err := StaticCalibrate(context.Background(), c, m, floatref.Options{Threads: 1}, "test", windows, nil)
			if err != nil {
				t.Fatal(err)
			}
			for site, layers := range r.Sites {
				for i := range layers {
					if !slices.Equal(layers[i], again.Sites[site][i]) {
						t.Errorf("%s, layer %d depends on threads", site, i)
					}
				}
			}
		})
	}
}

// Grids hold their range: lo and hi get the first and last code within half a step and 0 its zero point, for every setting.
func TestStaticGrids(t *testing.T) {
	m, windows := staticFixture(t, "tiny_untied")
	c := m.Config
	r, err := StaticCalibrate(context.Background(), c, m, floatref.Options{}, "test", windows, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"w8a8-static", "w4a4-static999", "w6a6-statichead", "w8a8-mixed", "w8a8-static:key", "w8a8-static:scores"} {
		recipe, err := quant.ParseRecipe(name)
		if err != nil {
			t.Fatal(err)
		}
		grids, err := r.Grids(c, recipe)
		if err != nil {
			t.Fatal(err)
		}
		want := len(quant.StaticSites())
		switch {
		case recipe.Static == quant.StaticMixed:
			want -= len(MixedDynamic())
		case quant.OneStaticSite(recipe.Static) != "":
			want = 1
		}
		if len(grids) != want {
			t.Errorf("%s: %d sites, want %d", name, len(grids), want)
		}
		for site, layers := range grids {
			bits := artifact.StaticBits(site, recipe)
			for i, list := range layers {
				seen := r.Sites[site][i]
				if recipe.Static == quant.StaticHead != (len(list) == len(seen) && len(seen) > 1) && len(seen) > 1 {
					t.Errorf("%s: %s has %d grids for %d heads", name, site, len(list), len(seen))
				}
				for j, g := range list {
					lo, hi, p := 0.0, 0.0, 0.0
					for h, s := range seen {
						if len(list) == 1 || h == j {
							lo, hi, p = math.Min(lo, s.Min), math.Max(hi, s.Max), math.Max(p, s.P999)
						}
					}
					if recipe.Static == quant.StaticPercentile {
						lo, hi = math.Max(lo, -p), math.Min(hi, p)
					}
					step := math.Ldexp(float64(g.M), -int(g.K))
					top := math.Max(1, math.Ldexp(1, bits)-1)
					if math.Abs(step*top-(hi-lo)) > (hi-lo)*math.Ldexp(1, -15) {
						t.Errorf("%s: %s: range %g, want %g", name, site, step*top, hi-lo)
					}
					if bits > 0 && (math.Abs(lo/step+float64(g.Zero)) > 0.51 || math.Abs(hi/step+float64(g.Zero)-top) > 0.51) {
						t.Errorf("%s: %s: %g … %g lies at %g … %g", name, site, lo, hi, lo/step+float64(g.Zero), hi/step+float64(g.Zero))
					}
				}
			}
		}
	}
	if g, err := staticGrid(0, 0, 8); err != nil || g.M != 1<<15 || g.Zero != 0 {
		t.Errorf("a site of zeros: %+v, %v", g, err)
	}
}

// Ranges of a file are not believed.
func TestStaticRefuses(t *testing.T) {
	m, windows := staticFixture(t, "tiny_untied")
	recipe, err := quant.ParseRecipe("w8a8-static")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want   string
		change func(r *StaticRanges)
	}{
		{"layers", func(r *StaticRanges) { delete(r.Sites, "up") }},
		{"layers", func(r *StaticRanges) { r.Sites["up"] = r.Sites["up"][:1] }},
		{"heads", func(r *StaticRanges) { r.Sites["key"][1] = nil }},
		{"finite", func(r *StaticRanges) { r.Sites["key"][1][0].Max = math.NaN() }},
		{"finite", func(r *StaticRanges) { r.Sites["key"][1][0].Max = math.Inf(1) }},
		{"finite", func(r *StaticRanges) { r.Sites["key"][1][0].Min = 1 }},
		{"finite", func(r *StaticRanges) { r.Sites["key"][1][0].P999 = -1 }},
		{"exponent", func(r *StaticRanges) { r.Sites["up"][1][0].Max = 1e30 }},
		{"exponent", func(r *StaticRanges) { r.Sites["up"][1][0] = SiteRange{0, 1e-30, 1e-30} }},
	} {
		r, err := StaticCalibrate(context.Background(), m.Config, m, floatref.Options{}, "test", windows[:1], nil)
		if err != nil {
			t.Fatal(err)
		}
		c.change(&r)
		if _, err := r.Grids(m.Config, recipe); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}
