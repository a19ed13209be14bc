package ptq

import (
	"fmt"
	"math"

	"github.com/illm-go/illm/pkg/artifact"
)

// maxAlphaLog bounds α_c: beside a·m_f in DI-SwiGLU, 20 bits stay below 2^54.
const maxAlphaLog = 20

// maxKAlpha keeps the exponent where the format has it; only gains below 2^-480 ask for more.
const maxKAlpha = 500

// gateGains returns α_c = round(2^k·α) with the largest k for which every α_c stays below 2^20 after rounding. A gain so
// small beside the largest that its code would be 0 gets 1.
//
// Error: half a unit in 2^19 … 2^20 for the largest; relative 2^-20·(largest/α) for the others.
func gateGains(alpha []float32) (codes []int32, k int32, err error) {
	var top float64
	for c, a := range alpha {
		if !(a > 0) || math.IsInf(float64(a), 0) {
			return nil, 0, fmt.Errorf("gain of channel %d: expected a finite number above 0, found %v", c, a)
		}
		top = max(top, float64(a))
	}
	_, e := math.Frexp(top)
	k = int32(min(maxAlphaLog-e, maxKAlpha))
	if math.Round(math.Ldexp(top, int(k))) >= 1<<maxAlphaLog {
		k--
	}
	codes = make([]int32, len(alpha))
	for c, a := range alpha {
		codes[c] = max(1, int32(math.Round(math.Ldexp(float64(a), int(k)))))
	}
	return codes, k, nil
}

// writeGLUs writes the gains of act-smooth where there are any.
func writeGLUs(w *artifact.Writer, h *artifact.Header, in *Input) error {
	if in.Alpha == nil || !in.Config.Gated() {
		return nil
	}
	for i := range in.Config.Layers {
		alpha := in.Alpha(i)
		if alpha == nil {
			continue
		}
		name := fmt.Sprintf("model.layers.%d.mlp", i)
		if len(alpha) != in.Config.FFN {
			return fmt.Errorf("%s: expected %d gains of the gate, found %d", name, in.Config.FFN, len(alpha))
		}
		codes, k, err := gateGains(alpha)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		h.GLUs = append(h.GLUs, artifact.GLU{Name: name, N: len(codes), KAlpha: k, Alpha: w.Int32s(codes)})
	}
	return nil
}
