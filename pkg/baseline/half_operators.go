package baseline

import (
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/fvec"
)

// Half returns the operators of spec with those of ops in half precision: as Float32, but every value on the way, the
// converted integers included, is rounded to binary16 after each elementary step (package fvec says what a step is).
// Constants (γ, β, α) are rounded once. What a row quantises to in the end is computed from its half values in float32.
//
// Where a row leaves binary16's range (|x| > 65504, or a norm's mean square above it) that row is computed in float32 and
// counted (Conversions.Overflows): a real half-precision engine would scale or widen there too.
func Half(spec quant.Spec, ops Ops) *Operators {
	o := Float32(spec, ops)
	o.precision = fvec.Half
	return o
}

// HalfForm says how half precision is computed on this machine.
func HalfForm() string { return fvec.HalfForm() }
