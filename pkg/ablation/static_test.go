package ablation

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/quant"
)

// Every level of both studies spells a recipe that has its width, method and setting, and slips are refused by name.
func TestStaticStudies(t *testing.T) {
	for _, s := range []Study{Static, StaticSites} {
		configs, err := plan{study: s}.configs()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range configs {
			if c["width"] == "fp32" {
				if c["recipe"] != "fp32" {
					t.Errorf("base %v", c)
				}
				continue
			}
			r, err := quant.ParseRecipe(c["recipe"])
			if err != nil {
				t.Errorf("%v: %v", c, err)
				continue
			}
			static := r.Static
			if static == "" {
				static = Dynamic
			}
			if static != c["setting"] || r.MethodName() != c["method"] || !strings.HasPrefix(r.Name, c["width"]) || r.Name != c["recipe"] {
				t.Errorf("%v spells %+v", c, r)
			}
		}
		if found, ok := ByName(s.Name); !ok || found.Name != s.Name {
			t.Errorf("study %s is not registered", s.Name)
		}
		if _, err := s.Run(context.Background(), storeOf(t), nil, Stored(), Set("setting", "static:residual")); err == nil || !strings.Contains(err.Error(), "attn_in") {
			t.Errorf("study %s: a site that is none: %v", s.Name, err)
		}
	}
	if n := len(StaticSites.Axes[1].Levels); n != 12 {
		t.Errorf("%d levels of setting, want ten sites, none and all", n)
	}
}

// The tap counts a row by its largest magnitude, scores by their range; a spread of rows of 2^0 … 2^7 loses seven bits at
// the small end.
func TestAmplitudes(t *testing.T) {
	var a Amplitudes
	x := make([]float32, 0, 64)
	for i := range 8 {
		x = append(x, float32(math.Ldexp(0.5, i)), -float32(math.Ldexp(1, i)), 0, 0)
	}
	a.Tap(&floatref.Block{Site: floatref.MLPIn, Layer: 1, Rows: 8, Cols: 4, X: x, Stride: 4})
	a.Tap(&floatref.Block{Site: floatref.Scores, Layer: 1, Rows: 1, Cols: 2, X: []float32{100, 104}, Stride: 2})
	a.Tap(&floatref.Block{Site: floatref.Residual, Layer: 1, Rows: 1, Cols: 2, X: []float32{1, 2}, Stride: 2})
	a.Tap(&floatref.Block{Site: floatref.Gate, Layer: 0, Rows: 1, Cols: 2, X: []float32{0, 0}, Stride: 2})
	median, low, ok := a.Lost(floatref.MLPIn)
	if !ok || low != 7 || median != 4 {
		t.Errorf("lost %g, %g bits, want 4, 7", median, low)
	}
	if _, _, ok := a.Lost(floatref.Residual); ok {
		t.Error("the residual is no site")
	}
	c := a.Chart()
	names := map[string]float64{}
	for _, s := range c.Series {
		for _, p := range s.Points {
			names[s.Name] += p.Y
		}
	}
	if len(names) != 2 || math.Abs(names["mlp_in"]-100) > 1e-9 || math.Abs(names["scores"]-100) > 1e-9 {
		t.Errorf("shares %v, want 100 %% of mlp_in and of scores", names)
	}
	if got := len(a.Table().Rows); got < 2 {
		t.Errorf("%d rows, want mlp_in and scores", got)
	}
}

// The synthetic tokens give the numbers of the algorithm reference, section 13, within their own spread.
func TestTokenErrors(t *testing.T) {
	list, err := TokenModel{}.Errors(8, 6, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(TokenErrorTable(list))
	for i, want := range []TokenErrors{{8, 0.0068, 0.0684, 0.333}, {6, 0.0276, 0.274, 1.59}, {4, 0.116, 1.1, 8.39}} {
		e := list[i]
		if e.Bits != want.Bits || math.Abs(math.Log2(e.Dynamic/want.Dynamic)) > 0.5 || math.Abs(math.Log2(e.Static/want.Static)) > 1.2 {
			t.Errorf("%+v, want about %+v", e, want)
		}
		if !(e.Dynamic < e.Static && e.Static <= e.Outlier) {
			t.Errorf("%+v: expected dynamic < static < static with an outlier", e)
		}
	}
	for _, m := range []TokenModel{{Tokens: -1}, {Tokens: 1 << 30}, {Spread: math.NaN()}, {Outlier: 0.5}} {
		if _, err := m.Errors(8); err == nil {
			t.Errorf("%+v: expected an error", m)
		}
	}
	if _, err := (TokenModel{}).Errors(16); err == nil {
		t.Error("16 bits: expected an error")
	}
}
