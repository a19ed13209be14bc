package model

import (
	"math"
	"math/big"
	"testing"
)

func ropeConfig(dim int, theta float64, s RopeScaling) Config {
	return Config{HeadDim: dim, RopeTheta: theta, RopeScaling: s}
}

// TestRopeExact: θ_i^(d/2) · base^i = 1 holds to a hair more than one rounding of
// θ_i allows, checked in exact arithmetic.
func TestRopeExact(t *testing.T) {
	for _, c := range []struct {
		dim  int
		base float64
	}{{64, 1e4}, {64, 1e5}, {128, 5e5}, {6, 50000}, {2, 1e4}, {256, 1e6}, {96, 1}} {
		half := c.dim / 2
		cfg := ropeConfig(c.dim, c.base, RopeScaling{})
		theta := cfg.RopeFrequencies()
		if len(theta) != half || theta[0] != 1 {
			t.Fatalf("%v: %d values, first %v", c, len(theta), theta[0])
		}
		for i, x := range theta {
			prec := uint(2000)
			p := new(big.Float).SetPrec(prec).SetInt64(1)
			for range half {
				p.Mul(p, new(big.Float).SetPrec(prec).SetFloat64(x))
			}
			for range i {
				p.Mul(p, new(big.Float).SetPrec(prec).SetFloat64(c.base))
			}
			e, _ := p.Sub(p, big.NewFloat(1)).Float64()
			// A relative error of 2^−53 in θ_i grows by the factor d/2.
			if math.Abs(e) > float64(half)*0x1.0001p-53 {
				t.Errorf("%v: θ_%d = %v is off by %.3g units of half an ulp", c, i, x, e/float64(half)*0x1p53)
			}
			// math.Pow is off by several ulps itself.
			if pow := math.Pow(c.base, -2*float64(i)/float64(c.dim)); math.Abs(x-pow) > 4e-15*pow {
				t.Errorf("%v: θ_%d = %v, pow gives %v", c, i, x, pow)
			}
		}
	}
}

// TestRopeScaling checks each variant against its formula in plain float64.
func TestRopeScaling(t *testing.T) {
	const dim, base, f = 64, 1e4, 8.0
	factors := make([]float64, dim/2)
	for i := range factors {
		factors[i] = 1 + float64(i)/4
	}
	llama3 := RopeScaling{Type: "llama3", Factor: f, LowFreq: 1, HighFreq: 4, Original: 512}
	seen := map[string]int{}
	for _, s := range []RopeScaling{{Type: "linear", Factor: f}, {Type: "ntk", Factor: f}, llama3, {Type: "factors", Factors: factors}} {
		cfg := ropeConfig(dim, base, s)
		if err := s.validate(dim); err != nil {
			t.Errorf("%s: %v", s.Type, err)
		}
		for i, got := range cfg.RopeFrequencies() {
			plain := math.Pow(base, -2*float64(i)/dim)
			want := plain
			switch s.Type {
			case "linear":
				want = plain / f
			case "ntk":
				want = math.Pow(base*math.Pow(f, dim/(dim-2.0)), -2*float64(i)/dim)
			case "factors":
				want = plain / factors[i]
			case "llama3":
				turns := 512 * plain / (2 * math.Pi) // turns within the original context
				switch {
				case turns > 4:
					seen["kept"]++
				case turns < 1:
					seen["stretched"]++
					want = plain / f
				default:
					seen["blended"]++
					s := (turns - 1) / 3
					want = plain * ((1-s)/f + s)
				}
			}
			if math.Abs(got-want) > 1e-14*want {
				t.Errorf("%s: θ_%d = %v, want %v", s.Type, i, got, want)
			}
		}
	}
	if seen["kept"] == 0 || seen["stretched"] == 0 || seen["blended"] == 0 {
		t.Errorf("the llama3 case does not reach all branches: %v", seen)
	}
}
