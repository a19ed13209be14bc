package ablation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/quant"
)

// TokenModel is a synthetic site: tokens of normal channels, whose amplitudes are log-normal. The zero value is that of the
// algorithm reference, section 13, with 2000 tokens.
type TokenModel struct {
	Tokens, Channels int     // 0: 2000, 256
	Spread           float64 // σ of ln(amplitude); 0: 0.7
	Outlier          float64 // amplitude of the one outlier token over the largest other; 0: 5
	Seed             uint64
}

// TokenErrors is the median over tokens of |x̂ − x|/|x| at one width.
type TokenErrors struct {
	Bits                     int
	Dynamic, Static, Outlier float64 // own grid; one grid; one grid whose calibration met an outlier token besides
}

// Errors quantises the tokens by the integer operators themselves: dynamically, on the static grid of minimum and maximum,
// and on that of the same tokens and one outlier. Widths are 2…8.
func (m TokenModel) Errors(widths ...int) ([]TokenErrors, error) {
	if m.Tokens == 0 {
		m.Tokens = 2000
	}
	if m.Channels == 0 {
		m.Channels = 256
	}
	if m.Spread == 0 {
		m.Spread = 0.7
	}
	if m.Outlier == 0 {
		m.Outlier = 5
	}
	if m.Tokens < 1 || m.Channels < 1 || m.Tokens > 1<<24/m.Channels || !(m.Spread > 0 && m.Spread <= 3) || !(m.Outlier >= 1 && m.Outlier <= 1e4) {
		return nil, fmt.Errorf("ablation: token model: expected up to 2^24 values, a spread above 0 up to 3 and an outlier of 1 to 10000 times, found %d tokens of %d channels, %g, %g",
			m.Tokens, m.Channels, m.Spread, m.Outlier)
	}
	const k = 24 // fraction bits of the rows
	rng := rand.New(rand.NewPCG(m.Seed, 13))
	rows, top := make([][]int64, m.Tokens), 0.0
	for i := range rows {
		rows[i] = make([]int64, m.Channels)
		a := math.Exp(m.Spread*rng.NormFloat64()) * (1 << k)
		for j := range rows[i] {
			x := math.Round(rng.NormFloat64() * a)
			rows[i][j], top = int64(x), math.Max(top, math.Abs(x)/(1<<k))
		}
	}
	var out []TokenErrors
	for _, bits := range widths {
		if bits < 2 || bits > 8 {
			return nil, fmt.Errorf("ablation: token model: expected widths of 2 to 8 bits, found %d", bits)
		}
		fixed := func(limit float64) (func(dst []uint8, t []int64, lo, hi int64) quant.RowParams, error) {
			codes := uint64(1)<<bits - 1
			step := dyadic.Fit(uint64(2*limit*(1<<k)), codes<<k, dyadic.Bits)
			g, err := di.NewStatic(di.StaticGrid{M: step.M, K: step.K, Zero: int32(codes+1) / 2}, bits, nil)
			return func(dst []uint8, t []int64, lo, hi int64) quant.RowParams {
				return g.Requant(dst, t, lo, hi, 1<<15, k+15)
			}, err
		}
		e := TokenErrors{Bits: bits}
		e.Dynamic = medianError(rows, k, func(dst []uint8, t []int64, lo, hi int64) quant.RowParams {
			return di.Requant(dst, t, lo, hi, 1<<15, k+15, bits, dyadic.Bits)
		})
		for _, c := range []struct {
			to    *float64
			limit float64
		}{{&e.Static, top}, {&e.Outlier, top * m.Outlier}} {
			on, err := fixed(c.limit)
			if err != nil {
				return nil, fmt.Errorf("ablation: token model: %w", err)
			}
			*c.to = medianError(rows, k, on)
		}
		out = append(out, e)
	}
	return out, nil
}

// medianError is the median over rows in steps of 2^−k of the relative error that a quantiser leaves.
func medianError(rows [][]int64, k int, quantise func(dst []uint8, t []int64, lo, hi int64) quant.RowParams) float64 {
	errs := make([]float64, 0, len(rows))
	dst := make([]uint8, len(rows[0]))
	for _, row := range rows {
		lo, hi := di.MinMax(row)
		p := quantise(dst, slices.Clone(row), lo, hi)
		s, d2, x2 := math.Ldexp(float64(p.M), -int(p.K)), 0.0, 0.0
		for j, v := range row {
			x := math.Ldexp(float64(v), -k)
			d := float64(int32(dst[j])-p.Zero)*s - x
			d2, x2 = d2+d*d, x2+x*x
		}
		if x2 > 0 {
			errs = append(errs, math.Sqrt(d2/x2))
		}
	}
	if len(errs) == 0 {
		return 0
	}
	slices.Sort(errs)
	return errs[len(errs)/2]
}

// TokenErrorTable prints errors by width.
func TokenErrorTable(list []TokenErrors) chart.Grid {
	g := chart.Grid{Head: []string{"bits", "dynamic", "static", "static, one outlier token"}}
	for _, e := range list {
		g.Rows = append(g.Rows, []string{fmt.Sprint(e.Bits), fmt.Sprintf("%.4f", e.Dynamic), fmt.Sprintf("%.4f", e.Static), fmt.Sprintf("%.4f", e.Outlier)})
	}
	return g
}
