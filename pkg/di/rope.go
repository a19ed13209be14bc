package di

import (
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// RoPE holds the rotary tables of positions 0 … Positions−1: cos and sin in Q14, made without floats.
type RoPE struct {
	half, positions int
	cos, sin        []int16 // [position][d/2]
}

const (
	cordicSteps = 32
	cordicBits  = 40              // x, y of the CORDIC in Q40
	cordicGain  = 667_681_663_043 // round(2^40·∏(1+4^−i)^−½), i = 0…31
	ropeBits    = 14
)

// cordicAngle[i] = round(2^64·atan(2^−i)/2π): a turn is 2^64.
var cordicAngle = [cordicSteps]int64{
	0x2000000000000000, 0x12e4051d9df30866, 0x9fb385b5ee39e8e, 0x51111d41ddd9a1b,
	0x28b0d430e589aed, 0x145d7e159046278, 0xa2f61e5c28262a, 0x517c5511d442af,
	0x28be5346d0c337, 0x145f2ebb30ab38, 0xa2f980091ba7b, 0x517cc14a80cb7,
	0x28be60cdfec62, 0x145f306c172f2, 0xa2f9836ae911, 0x517cc1b6ba7c,
	0x28be60db85fc, 0x145f306dc816, 0xa2f9836e4ae, 0x517cc1b726b,
	0x28be60db938, 0x145f306dc9c, 0xa2f9836e4e, 0x517cc1b727,
	0x28be60db94, 0x145f306dca, 0xa2f9836e5, 0x517cc1b72,
	0x28be60db9, 0x145f306dd, 0xa2f9836e, 0x517cc1b7,
}

// NewRoPE builds the tables of positions × len(phi) angles: position p turns pair i by p·phi[i]/2^64 turns,
// the product wrapping around as angles do.
//
// phi[i] = round(2^64·θ_i/2π) comes with the model; every RoPE scaling only changes θ_i. Error of an entry: 0.5 LSB
// of Q14, equal to the rounded float64 value wherever that was compared (positions to 131 071).
func NewRoPE(phi []uint64, positions int) *RoPE {
	r := &RoPE{half: len(phi), positions: max(positions, 0)}
	r.cos = make([]int16, r.positions*r.half)
	r.sin = make([]int16, r.positions*r.half)
	for i, f := range phi {
		phase := uint64(0)
		for p := range r.positions {
			c, s := CosSin(phase)
			r.cos[p*r.half+i], r.sin[p*r.half+i] = c, s
			phase += f
		}
	}
	return r
}

// Positions returns the number of positions in the tables.
func (r *RoPE) Positions() int { return r.positions }

// Dim returns the head dimension d, twice the number of pairs.
func (r *RoPE) Dim() int { return 2 * r.half }

// CosSin returns the cosine and sine of phase/2^64 turns in Q14 by 32 CORDIC steps around the nearest quarter turn.
func CosSin(phase uint64) (cos, sin int16) {
	q := (phase + 1<<61) >> 62
	z := int64(phase - q<<62)
	x, y := int64(cordicGain), int64(0)
	for i, a := range cordicAngle {
		dx, dy := intmath.Asr(y, i), intmath.Asr(x, i)
		if z >= 0 {
			x, y, z = x-dx, y+dy, z-a
		} else {
			x, y, z = x+dx, y-dy, z+a
		}
	}
	switch q & 3 {
	case 1:
		x, y = -y, x
	case 2:
		x, y = -x, -y
	case 3:
		x, y = y, -x
	}
	return int16(intmath.RoundShift(x, cordicBits-ropeBits)), int16(intmath.RoundShift(y, cordicBits-ropeBits))
}

// Rotate applies the rotary embedding of position pos to one head, in place: T is brought to 16 bits and each pair
// (i, i+d/2) turned. It returns the scale's new exponent (the mantissa stays) and the range for Requant.
//
// In: T int64 [d], |T| < 2^60, in steps of m/2^k, with its range lo, hi (including 0). Out: |T| < 2^15·√2 in steps of
// m/2^k2. Error: at most 2.4 steps of 32767 full scale. Panics if pos is outside the tables or len(t) is not d.
//
// Source: ours; the paper does not treat RoPE.
func (r *RoPE) Rotate(t []int64, lo, hi int64, k int32, pos int) (k2 int32, lo2, hi2 int64) {
	if len(t) != 2*r.half {
		panic(errRoPEDim)
	}
	if uint(pos) >= uint(r.positions) {
		panic(errRoPEPos)
	}
	s := max(0, intmath.ILog2(uint64(max(-lo, hi)))-14)
	row := pos * r.half
	lo2, hi2 = vec.Rotate(t, r.cos[row:row+r.half], r.sin[row:row+r.half], uint(s))
	return k - int32(s), lo2, hi2
}
