package baseline

import (
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
)

// Exponential is one exponential of ablation B.
type Exponential struct {
	Name       string
	Doc        string // what it is, in a line
	TableBytes int    // constants that it looks up
	Vector     bool   // has a row kernel; the others are a Go loop
	Direct     bool   // its row kernel is quicker than a look-up in a table of the row, so that 8-bit codes need none
	Float      bool   // computes in floating point
	Clips      bool   // chooses its own clip value for each row

	build func(clip quant.Clip) evaluator
}

// evaluator computes an exponential under the contract of the algorithm reference, section 5: distances d ≥ 0 below the
// row's maximum in steps of m/2^k, results in Q30.
type evaluator struct {
	// at returns e(d) for 0 ≤ d < 2^36, m < 2^16. It may leave [0, 2^30] where the form itself does (Taylor without range
	// reduction, lines).
	at func(d int64, m uint32, k int32) int64
	// row sets e[j] = sat(at(d[j]), 0, 2^31 − 1) for codes below 2^16; nil: by at.
	row func(e, d []int32, m uint32, k int32)
}

// fill is row, by at where there is none.
func (v evaluator) fill(e, d []int32, m uint32, k int32) {
	if v.row != nil {
		v.row(e, d, m, k)
		return
	}
	for j, c := range d[:len(e)] {
		e[j] = int32(intmath.Sat(v.at(int64(c), m, k), 0, 1<<31-1))
	}
}

// exponentials is the list of ablation B, in the order of its table.
var exponentials = []Exponential{
	{Name: "di-exp", Doc: "DI-Exp: shifts and adds, log2 e as 1.4375", Vector: true, Direct: true, build: buildDI(false, false)},
	{Name: "di-exp-log2e", Doc: "DI-Exp with log2 e as 94548/2^16", Vector: true, Direct: true, build: buildDI(true, false)},
	{Name: "di-exp+", Doc: "DI-Exp with 94548/2^16 and a parabola on the chord", Vector: true, Direct: true, build: buildDI(true, true)},
	{Name: "di-exp-published", Doc: "Algorithm 1 as printed: the period rounded to t steps, no guard bits", Vector: true, build: buildPublished},
	{Name: "lut256", Doc: "256 entries over [0, c], nearest", TableBytes: 256 * 4, Vector: true, build: buildDirect},
	{Name: "lut8", Doc: "8 entries an octave, nearest", TableBytes: 9 * 4, Vector: true, Direct: true, build: buildFraction(3, false, false)},
	{Name: "lut8i", Doc: "8 entries an octave, interpolated", TableBytes: 9 * 4, Vector: true, Direct: true, build: buildFraction(3, true, false)},
	{Name: "lut32", Doc: "32 entries an octave, nearest", TableBytes: 33 * 4, Vector: true, Direct: true, build: buildFraction(5, false, false)},
	{Name: "lut32i", Doc: "32 entries an octave, interpolated", TableBytes: 33 * 4, Vector: true, Direct: true, build: buildFraction(5, true, false)},
	{Name: "lut64", Doc: "64 entries an octave, nearest", TableBytes: 65 * 4, Vector: true, Direct: true, build: buildFraction(6, false, false)},
	{Name: "lut64i", Doc: "64 entries an octave, interpolated", TableBytes: 65 * 4, Vector: true, Direct: true, build: buildFraction(6, true, false)},
	{Name: "pwl16", Doc: "16 lines over [0, c], fitted (NN-LUT)", TableBytes: 3 * 16 * 4, Vector: true, build: buildLines},
	{Name: "taylor2", Doc: "Taylor of order 2 after reduction by ln 2", Vector: true, build: buildTaylor(2)},
	{Name: "taylor3", Doc: "Taylor of order 3 after reduction by ln 2", Vector: true, build: buildTaylor(3)},
	{Name: "taylor4", Doc: "Taylor of order 4 after reduction by ln 2", Vector: true, build: buildTaylor(4)},
	{Name: "taylor5", Doc: "Taylor of order 5 after reduction by ln 2", Vector: true, build: buildTaylor(5)},
	{Name: "taylor3-raw", Doc: "Taylor of order 3 without range reduction: diverges", build: buildRawTaylor(3)},
	{Name: "i-bert", Doc: "i-exp of I-BERT: a parabola after reduction by ln 2", Vector: true, build: buildBERT},
	{Name: "shiftmax", Doc: "Shiftmax of I-ViT, n = 15", Vector: true, build: buildShiftmax},
	{Name: "softermax", Doc: "base 2 with four lines an octave and 15 bits (Softermax)", TableBytes: 5 * 4, Vector: true, Direct: true, build: buildFraction(2, true, true)},
	{Name: "exaq", Doc: "DI-Exp+ under a clip from the row's deviation (EXAQ)", Vector: true, Direct: true, Clips: true, build: buildDI(true, true)},
	{Name: "float64", Doc: "exp of the same distance in float64: the reference", Float: true, build: buildFloat64},
	{Name: "float32", Doc: "exp of the same distance in float32", Float: true, build: buildFloat32},
	{Name: "half", Doc: "exp of the same distance, argument and result in half precision", Float: true, build: buildHalf},
}

// Exponentials lists the exponentials that WithExp knows.
func Exponentials() []Exponential { return append([]Exponential(nil), exponentials...) }

// findExp returns the exponential of that name.
func findExp(name string) (Exponential, error) {
	names := make([]string, len(exponentials))
	for i, x := range exponentials {
		if x.Name == name {
			return x, nil
		}
		names[i] = x.Name
	}
	return Exponential{}, fmt.Errorf("baseline: exponential %q: unknown: use %s", name, strings.Join(names, ", "))
}
