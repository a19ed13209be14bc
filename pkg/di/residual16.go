package di

import (
	"fmt"
	"math"

	"github.com/illm-go/illm/pkg/intmath"
)

// MaxResidualStep bounds the step of a channel of the published residual stream: 2^15 codes of it stay in int32.
const MaxResidualStep = 1 << 16

// CheckResidualSteps refuses steps that NarrowResidual cannot take.
func CheckResidualSteps(steps []int32, channels int) error {
	if len(steps) != channels {
		return fmt.Errorf("di: steps of the residual stream: expected one for each of %d channels, found %d", channels, len(steps))
	}
	for c, r := range steps {
		if r < 1 || r > MaxResidualStep {
			return fmt.Errorf("di: step of channel %d of the residual stream: expected 1 to %d of its grid, found %d", c, MaxResidualStep, r)
		}
	}
	return nil
}

// NarrowResidual brings a residual row to the codes of 16 bits that mode published keeps it in: each channel has a constant
// step of r_c units of the residual grid, and
//
//	X_c = sat(round(h_c/r_c), ±32767)     h_c = X_c·r_c
//
// It returns how many channels were cut. The row stays in units of the grid, so that the norm behind it sees the integer
// ratios r_c in its sum of squares, as the paper's norm aligns the scales of its input (algorithm reference, section 6).
//
// Shapes: h, steps [C]. Range: 1 ≤ r_c ≤ MaxResidualStep. Error: half a step an add, for channels within the calibrated
// range. Ties away from zero.
//
// Source: I-LLM, residual connections of 16 bits a channel. Departure: the ratios are to the grid 2^−k_r of the model, not
// to the least of the channels' own scales, which rounds them more finely.
func NarrowResidual(h, steps []int32) (cut int) {
	steps = steps[:len(h)]
	for c, v := range h {
		r := int64(steps[c])
		x := intmath.DivRound(int64(v), r)
		code := intmath.Sat(x, -math.MaxInt16, math.MaxInt16)
		if code != x {
			cut++
		}
		h[c] = int32(code * r)
	}
	return cut
}
