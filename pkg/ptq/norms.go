package ptq

import (
	"fmt"
	"math"
	"math/big"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/dyadic"
)

// maxBetaLog bounds β: |round(β·2^(30+k_Γ))| < 2^59, beside |u·Γ| < 2^54.
const maxBetaLog = 59

// maxLayerE bounds ε·n·4^k_r of a LayerNorm, whose row may be shifted left by 8 bits.
const maxLayerE = 1 << 45

// layerConstants returns Γ and β = round(β_c·2^(30+k_Γ)) of a LayerNorm with the largest k_Γ for which both fit: Γ as in
// normGamma, |β| < 2^59.
//
// Where β asks for the smaller k_Γ, some |β| is at least 2^58 − 1, and an error of half a unit in Γ (2^29 of v, since
// |u| ≤ 2^30) is 2^−29 of the row's range: far below a step of any requantisation.
func layerConstants(gamma, beta []float32) (g []int32, b []int64, k int32, err error) {
	if g, k, err = normGamma(gamma, nil); err != nil {
		return nil, nil, 0, err
	}
	var top, topGamma float64
	for c, x := range beta {
		v := math.Abs(float64(x))
		if !(v <= math.MaxFloat32) {
			return nil, nil, 0, fmt.Errorf("bias of channel %d: %v is no finite number", c, x)
		}
		top = max(top, v)
	}
	for _, x := range gamma {
		topGamma = max(topGamma, math.Abs(float64(x)))
	}
	b = make([]int64, len(beta))
	if top == 0 {
		return g, b, k, nil
	}
	_, e := math.Frexp(top) // top < 2^e
	kb := int32(maxBetaLog - e - 30)
	if math.Round(math.Ldexp(top, int(30+kb))) >= 1<<maxBetaLog {
		kb--
	}
	if topGamma == 0 {
		k = min(62, kb)
	}
	if kb < k {
		k = kb
		root := math.Sqrt(float64(len(gamma)))
		for c, x := range gamma {
			g[c] = int32(math.Round(math.Ldexp(float64(x)*root, int(k))))
		}
	}
	for c, x := range beta {
		b[c] = int64(math.Round(math.Ldexp(float64(x), int(30+k))))
	}
	return g, b, k, nil
}

// headEpsilon returns (m_ε, k_ε) = fit(ε·n): ε as a decimal, so that no binary fraction enters.
func headEpsilon(epsilon string, n int) (dyadic.Scale, error) {
	eps, ok := new(big.Rat).SetString(epsilon)
	if !ok || eps.Sign() <= 0 {
		return dyadic.Scale{}, fmt.Errorf("norm epsilon of q and k: expected a number > 0, found %q", epsilon)
	}
	eps.Mul(eps, big.NewRat(int64(n), 1))
	if eps.Num().BitLen() > 62 || eps.Denom().BitLen() > 46 {
		return dyadic.Scale{}, fmt.Errorf("norm epsilon of q and k: %s · %d needs more than 62 and 46 bits as a fraction", epsilon, n)
	}
	return dyadic.Fit(eps.Num().Uint64(), eps.Denom().Uint64(), dyadic.Bits), nil
}

// vector reads a tensor of n values.
func vector(in *Input, name string, n int) ([]float32, error) {
	v, err := in.Weights.Float32(name, nil)
	if err != nil {
		return nil, err
	}
	if len(v) != n {
		return nil, fmt.Errorf("%s: expected %d values, found %d", name, n, len(v))
	}
	return v, nil
}

// writeNorms writes Γ, and β of a LayerNorm, of every norm: the smoothing factors of the linears behind it belong here.
func writeNorms(w *artifact.Writer, h *artifact.Header, in *Input) error {
	c := in.Config
	e, err := normEpsilon(c.NormEpsText, c.Hidden, h.KR)
	if err != nil {
		return err
	}
	layer := c.LayerNorm()
	if layer && e >= maxLayerE {
		return fmt.Errorf("norm epsilon %s at k_r %d: %d needs more than 45 bits", c.NormEpsText, h.KR, e)
	}
	var names []string
	for i := range c.Layers {
		p := fmt.Sprintf("model.layers.%d.", i)
		names = append(names, p+"input_layernorm", p+"post_attention_layernorm")
	}
	for _, name := range append(names, "model.norm") {
		gamma, err := vector(in, name+".weight", c.Hidden)
		if err != nil {
			return err
		}
		n := artifact.Norm{Name: name, N: c.Hidden, E: e, Layer: layer}
		var g []int32
		var b []int64
		if layer {
			beta, errBeta := vector(in, name+".bias", c.Hidden)
			if errBeta != nil {
				return errBeta
			}
			g, b, n.KGamma, err = layerConstants(gamma, beta)
		} else {
			g, n.KGamma, err = normGamma(gamma, nil)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		n.Gamma = w.Int32s(g)
		if layer {
			n.Beta = w.Int64s(b)
		}
		h.Norms = append(h.Norms, n)
	}
	return nil
}

// writeHeadNorms writes Γ of the norms over the heads of q and k; the query's takes the 1/√d of attention, which the
// norm would undo in W_q.
func writeHeadNorms(w *artifact.Writer, h *artifact.Header, in *Input) error {
	c := in.Config
	if !c.HeadNorm {
		return nil
	}
	eps, err := headEpsilon(c.NormEpsText, c.HeadDim)
	if err != nil {
		return err
	}
	root := make([]float64, c.HeadDim)
	for i := range root {
		root[i] = math.Sqrt(float64(c.HeadDim))
	}
	for i := range c.Layers {
		for _, part := range []struct {
			name   string
			factor []float64
		}{{"q_norm", root}, {"k_norm", nil}} {
			name := fmt.Sprintf("model.layers.%d.self_attn.%s", i, part.name)
			gamma, err := vector(in, name+".weight", c.HeadDim)
			if err != nil {
				return err
			}
			g, k, err := normGamma(gamma, part.factor)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			h.HeadNorms = append(h.HeadNorms, artifact.HeadNorm{Name: name, N: c.HeadDim, KGamma: k, EpsM: eps.M, EpsK: eps.K, Gamma: w.Int32s(g)})
		}
	}
	return nil
}
