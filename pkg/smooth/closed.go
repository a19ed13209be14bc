package smooth

import (
	"fmt"
	"math"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
)

// least and most bound factors in closed form: the official clamp, and what half precision holds.
const (
	least = 1e-5
	most  = 65504
)

// SmoothQuant returns the factors s_c = max|x_c|^α / max|W_c|^(1−α) of the kinds qkv and mlp, α = sixteenths/16, clamped
// below at 10⁻⁵: x_c is channel c of the norm's output over calibration (attnIn, mlpIn of a block, [hidden]), W_c column
// c of all linears behind the norm. Nothing else is smoothed.
//
// Only + − × ÷ √ are used, so that every machine gets the same bits: α goes in steps of 1/16, x^(1/16) is four roots.
//
// Source: SmoothQuant (arXiv:2211.10438), with the maximum over all linears of a group. Departure: none.
func SmoothQuant(cfg model.Config, src floatref.Source, maxima func(layer int) (attnIn, mlpIn []float32), sixteenths int) (*Factors, error) {
	if sixteenths < 0 || sixteenths > 16 {
		return nil, fmt.Errorf("smooth: SmoothQuant: α: expected 0 to 16 sixteenths, found %d", sixteenths)
	}
	f := &Factors{Blocks: make([]Block, cfg.Layers), Meta: map[string]string{MetaMethod: "smoothquant"}}
	for i := range f.Blocks {
		attn, mlp := maxima(i)
		for _, k := range Table(cfg) {
			acts := map[string][]float32{"qkv": attn, "mlp": mlp}[k.Name]
			if acts == nil {
				continue
			}
			columns := make([]float64, k.Length)
			for _, u := range k.Uses {
				if u.Cols {
					if err := columnMaxima(columns, src, layerName(i, u.Linear, ".weight")); err != nil {
						return nil, err
					}
				}
			}
			if len(acts) != k.Length {
				return nil, fmt.Errorf("smooth: SmoothQuant: block %d, %s: expected %d maxima, found %d", i, k.Name, k.Length, len(acts))
			}
			s := make([]float32, k.Length)
			for c, a := range acts {
				v := power(math.Max(float64(a), least), sixteenths) / power(math.Max(columns[c], least), 16-sixteenths)
				s[c] = float32(math.Min(math.Max(v, least), most))
			}
			f.Blocks[i].SetVector(k.Name, s)
		}
	}
	return f.Rounded(), nil
}

// columnMaxima raises top to the largest magnitudes of the columns of a weight.
func columnMaxima(top []float64, src floatref.Source, name string) error {
	w, err := src.Float32(name, nil)
	if err != nil {
		return err
	}
	if len(w)%len(top) != 0 {
		return fmt.Errorf("smooth: %s: expected rows of %d values, found %d values", name, len(top), len(w))
	}
	for i, v := range w {
		a := math.Abs(float64(v))
		if !(a <= math.MaxFloat32) {
			return fmt.Errorf("smooth: %s: row %d, value %d is %v: expected a finite number", name, i/len(top), i%len(top), v)
		}
		if c := i % len(top); a > top[c] {
			top[c] = a
		}
	}
	return nil
}

// power is x^(n/16), 0 ≤ n ≤ 16, x > 0, by roots and products.
func power(x float64, n int) float64 {
	if n == 16 {
		return x
	}
	p := 1.0
	for bit := 8; bit > 0; bit /= 2 {
		x = math.Sqrt(x)
		if n&bit != 0 {
			p *= x
		}
	}
	return p
}

// Rotations returns the Hadamard sites that a model can have, all but out_proj, which stands instead of value_out.
func Rotations(cfg model.Config, seed uint64) Rotation {
	r := Rotation{Residual: true, ValueOut: true, QueryKey: true, Down: true, Seed: seed}
	for _, on := range r.flags() {
		if !*on {
			continue
		}
		one := Rotation{}
		*on = false
		for i, f := range r.flags() {
			if f == on {
				*one.flags()[i] = true
			}
		}
		*on = one.Check(cfg) == nil
	}
	return r
}
