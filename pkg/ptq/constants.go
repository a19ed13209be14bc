package ptq

import (
	"fmt"
	"math"
	"math/big"
)

// normGamma returns Γ_c = round(γ_c·√n/f_c·2^k) with the largest k ≤ 62 for
// which |Γ_c| ≤ 2^23 throughout; f nil means 1.
func normGamma(gamma []float32, factor []float64) (g []int32, k int32, err error) {
	n := len(gamma)
	v := make([]float64, n)
	root := math.Sqrt(float64(n))
	var top float64
	for c, x := range gamma {
		v[c] = float64(x) * root
		if factor != nil {
			v[c] /= factor[c]
		}
		if math.IsNaN(v[c]) || math.IsInf(v[c], 0) {
			return nil, 0, fmt.Errorf("channel %d: %v is no finite number", c, v[c])
		}
		top = max(top, math.Abs(v[c]))
	}
	g = make([]int32, n)
	if top == 0 {
		return g, 0, nil
	}
	_, e := math.Frexp(top)
	k = int32(min(24-e, 62))
	if math.Round(math.Ldexp(top, int(k))) > 1<<23 {
		k--
	}
	for c := range v {
		g[c] = int32(math.Round(math.Ldexp(v[c], int(k))))
	}
	return g, k, nil
}

// normEpsilon returns E = round(ε·n·4^k_r), ε as a decimal so that no binary
// fraction enters.
func normEpsilon(epsilon string, n int, kr int32) (int64, error) {
	eps, ok := new(big.Rat).SetString(epsilon)
	if !ok || eps.Sign() < 0 {
		return 0, fmt.Errorf("norm epsilon: expected a number ≥ 0, found %q", epsilon)
	}
	e := eps.Mul(eps, big.NewRat(int64(n), 1))
	shift := new(big.Int).Lsh(big.NewInt(1), uint(2*max(kr, -kr)))
	if kr >= 0 {
		e.Mul(e, new(big.Rat).SetInt(shift))
	} else {
		e.Quo(e, new(big.Rat).SetInt(shift))
	}
	e.Add(e, big.NewRat(1, 2))
	q := new(big.Int).Quo(e.Num(), e.Denom())
	if !q.IsInt64() || q.BitLen() > 61 {
		return 0, fmt.Errorf("norm epsilon %s at k_r %d: %v needs more than 61 bits", epsilon, kr, q)
	}
	return q.Int64(), nil
}

// phases returns φ_i = round(2^64·θ_i/2π): turns a position in units of 2^-64.
func phases(theta []float64) []uint64 {
	phi := make([]uint64, len(theta))
	for i, t := range theta {
		phi[i] = turns(t)
	}
	return phi
}

// inverseRoot is 1/√d, which the query's scales take.
func inverseRoot(d int) float64 { return 1 / math.Sqrt(float64(d)) }

// turns returns round(2^64·θ/2π) for 0 < θ ≤ 1.
func turns(theta float64) uint64 {
	return uint64(math.Round(math.Ldexp(theta, 64) / (2 * math.Pi)))
}

// residualGrid returns k_r = min(18, 28 − ⌈log2 maxAbs⌉): three bits of
// headroom above the largest value of the residual stream in calibration.
func residualGrid(maxAbs float64) (int32, error) {
	if !(maxAbs > 0) || math.IsInf(maxAbs, 0) {
		return 0, fmt.Errorf("residual grid: expected a positive finite max|h|, found %v", maxAbs)
	}
	f, e := math.Frexp(maxAbs) // ⌈log2⌉ = e, or e − 1 for a power of two
	if f == 0.5 {
		e--
	}
	return int32(min(18, 28-e)), nil
}
