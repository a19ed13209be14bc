package smooth

import (
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

func TestPower(t *testing.T) {
	for n := 0; n <= 16; n++ {
		for _, x := range []float64{1e-5, 0.3, 1, 7, 6e4} {
			if got, want := power(x, n), math.Pow(x, float64(n)/16); math.Abs(got-want) > 1e-14*want {
				t.Errorf("%v^(%d/16) = %v, want %v", x, n, got, want)
			}
		}
	}
}

// The formula, recomputed with math.Pow; the function stays what it is.
func TestSmoothQuant(t *testing.T) {
	for _, fam := range families {
		m := open(t, fam.make(t))
		maxima := func(layer int) (a, b []float32) {
			for c := range m.Config.Hidden {
				a = append(a, 0.5+float32((c*7+layer)%13))
				b = append(b, 0.1+float32((c*5+layer)%11))
			}
			a[3] = 0
			return a, b
		}
		f, err := SmoothQuant(m.Config, m, maxima, 10)
		if err != nil {
			t.Fatal(err)
		}
		attn, _ := maxima(1)
		for c, s := range f.Blocks[1].QKV {
			top := 0.0
			for _, name := range []string{"q", "k", "v"} {
				w, err := m.Float32("model.layers.1.self_attn."+name+"_proj.weight", nil)
				if err != nil {
					t.Fatal(err)
				}
				for i := c; i < len(w); i += m.Config.Hidden {
					top = math.Max(top, math.Abs(float64(w[i])))
				}
			}
			want := math.Pow(math.Max(float64(attn[c]), 1e-5), 0.625) / math.Pow(top, 0.375)
			if math.Abs(float64(s)-want) > want/2000+1e-7 {
				t.Fatalf("%s: channel %d: %v, want %v", fam.name, c, s, want)
			}
		}
		want := logits(t, m.Config, m, floatref.Options{})
		if d := distance(applied(t, m, f), want); d > 1e-4 {
			t.Errorf("%s: logits differ by %g", fam.name, d)
		}
	}
	m := open(t, modeltest.Tiny(t))
	if _, err := SmoothQuant(m.Config, m, nil, 17); err == nil || !strings.Contains(err.Error(), "sixteenths") {
		t.Error(err)
	}
}

// The default sites are those whose order exists.
func TestDefaultRotations(t *testing.T) {
	cfg := open(t, modeltest.Tiny(t)).Config // ffn 80 is no order of the engine
	if got := strings.Join(Rotations(cfg, 1).names(), " "); got != "residual value_out query_key" {
		t.Error(got)
	}
	cfg.FFN, cfg.Hidden = 96, 52
	if got := strings.Join(Rotations(cfg, 1).names(), " "); got != "value_out query_key down" {
		t.Error(got)
	}
}
