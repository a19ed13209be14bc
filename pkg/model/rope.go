package model

import (
	"fmt"
	"math"
	"math/big"
)

// RopeScaling says how a model stretches rotary frequencies beyond its first
// training length. The zero value changes nothing.
type RopeScaling struct {
	Type   string  // "", "linear", "ntk", "llama3" or "factors"
	Factor float64 // stretch, for linear, ntk and llama3

	// llama3: wavelengths above Original/LowFreq are stretched by Factor, those below
	// Original/HighFreq stay, between them the two are blended linearly.
	LowFreq, HighFreq float64
	Original          int

	// factors: θ_i is divided by Factors[i], i < d/2 (rope_freqs.weight of GGUF).
	Factors []float64
}

func (s *RopeScaling) validate(headDim int) error {
	switch s.Type {
	case "":
		return nil
	case "factors":
		if len(s.Factors) != headDim/2 {
			return fmt.Errorf("RoPE factors: expected %d (half the head size), found %d", headDim/2, len(s.Factors))
		}
		for i, f := range s.Factors {
			if !(f > 0 && f < math.MaxFloat32) {
				return fmt.Errorf("RoPE factor %d: expected a positive number, found %v", i, f)
			}
		}
		return nil
	case "linear", "ntk", "llama3":
	default:
		return fmt.Errorf("RoPE scaling: expected none, \"linear\", \"ntk\" or \"llama3\", found %q", s.Type)
	}
	if !(s.Factor >= 1 && s.Factor < math.MaxFloat32) {
		return fmt.Errorf("RoPE scaling factor: expected at least 1, found %v", s.Factor)
	}
	if s.Type == "llama3" {
		if s.Original < 1 {
			return fmt.Errorf("RoPE original context: expected at least 1, found %d", s.Original)
		}
		if !(s.LowFreq > 0 && s.HighFreq > s.LowFreq && s.HighFreq < math.MaxFloat32) {
			return fmt.Errorf("RoPE frequency factors: expected 0 < low < high, found low %v, high %v", s.LowFreq, s.HighFreq)
		}
	}
	return nil
}

// RopeFrequencies returns θ_i, i < HeadDim/2, in radians per position: position p
// turns the pair (i, i + HeadDim/2) by p·θ_i.
//
//	unscaled   θ_i = base^(−2i/d)
//	linear     θ_i / f
//	ntk        base' = base · f^(d/(d−2))
//	llama3     w = 2π/θ_i; w > o/l: θ_i/f; w < o/h: θ_i; else (1−s)·θ_i/f + s·θ_i, s = (o/w − l)/(h − l)
//	factors    θ_i / Factors[i]
//
// The unscaled form is computed with 200 bits and rounded once, so that it does
// not depend on a platform's pow; the scaled ones add a few correctly rounded
// float64 steps (ntk: a second root, also at 200 bits).
//
// Sources: RoFormer (arXiv:2104.09864); position interpolation (arXiv:2306.15595);
// NTK-aware base change (public discussion, as in the transformers library);
// llama3: model card and transformers' rope utilities. Departure: none.
func (c *Config) RopeFrequencies() []float64 {
	half := c.HeadDim / 2
	base := new(big.Float).SetPrec(200).SetFloat64(c.RopeTheta)
	s := c.RopeScaling
	if s.Type == "ntk" && half > 1 {
		f := new(big.Float).SetPrec(200).SetFloat64(s.Factor) // f^(d/(d−2)) = f · f^(1/(half−1))
		base.Mul(base, f)
		base.Mul(base, root(f, half-1))
	}
	theta := make([]float64, half)
	step := new(big.Float).SetPrec(200).Quo(big.NewFloat(1).SetPrec(200), root(base, half))
	x := big.NewFloat(1).SetPrec(200)
	for i := range theta {
		theta[i], _ = x.Float64()
		x.Mul(x, step)
	}
	for i, t := range theta {
		switch s.Type {
		case "linear":
			theta[i] = t / s.Factor
		case "llama3":
			theta[i] = s.llama3(t)
		case "factors":
			theta[i] = t / s.Factors[i]
		}
	}
	return theta
}

func (s *RopeScaling) llama3(t float64) float64 {
	wave, o := 2*math.Pi/t, float64(s.Original)
	switch {
	case wave < o/s.HighFreq:
		return t
	case wave > o/s.LowFreq:
		return t / s.Factor
	}
	blend := (o/wave - s.LowFreq) / (s.HighFreq - s.LowFreq)
	return float64((1-blend)*t/s.Factor) + float64(blend*t)
}

// root returns x^(1/n), x ≥ 1, to about 190 bits, by Newton's iteration from the
// float64 value. An error e becomes about n·e²/2, so that a start good to 40 bits is
// exact after four steps for any n in use.
func root(x *big.Float, n int) *big.Float {
	f := func() *big.Float { return new(big.Float).SetPrec(x.Prec()) }
	if n == 1 {
		return f().Set(x)
	}
	x64, _ := x.Float64()
	r := f().SetFloat64(math.Pow(x64, 1/float64(n)))
	for range 6 {
		// r ← ((n−1)·r + x/r^(n−1)) / n
		q := f().Quo(x, power(r, n-1))
		r.Mul(r, f().SetInt64(int64(n-1)))
		r.Add(r, q)
		r.Quo(r, f().SetInt64(int64(n)))
	}
	return r
}

// power returns r^n by squaring.
func power(r *big.Float, n int) *big.Float {
	p := new(big.Float).SetPrec(r.Prec()).SetInt64(1)
	s := new(big.Float).Copy(r)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			p.Mul(p, s)
		}
		s.Mul(s, s)
	}
	return p
}
