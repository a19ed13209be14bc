package di

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// randomLinear packs random codes; bias adds B_j up to 2^23.
func randomLinear(rng *rand.Rand, out, in, bits int, bias bool) (*quant.Linear, []uint8) {
	l := &quant.Linear{Out: out, In: in, Bits: bits, Zero: make([]uint8, out), M: make([]int32, out), KW: 30}
	codes := make([]uint8, out*in)
	for i := range codes {
		codes[i] = uint8(rng.IntN(1 << bits))
	}
	for j := range out {
		l.Zero[j] = uint8(rng.IntN(1 << bits))
		l.M[j] = int32(rng.IntN(1 << 24))
	}
	l.Pack(codes)
	if bias {
		l.Bias, l.KB = make([]int32, out), 18
		for j := range l.Bias {
			l.Bias[j] = int32(rng.IntN(1<<24) - 1<<23)
		}
	}
	return l, codes
}

// TestAccumulate takes Σ(X−z)(code−z_w) apart and together again at every width, ends of the code range included.
func TestAccumulate(t *testing.T) {
	rng := newRand(1)
	for bits := 2; bits <= 8; bits++ {
		for _, in := range []int{1, 7, 64, 300} {
			const out = 67
			l, codes := randomLinear(rng, out, in, bits, bits%2 == 0)
			x := make([]uint8, in)
			p := quant.RowParams{M: uint32(1<<15 + rng.IntN(1<<15)), K: 20, Zero: int32(rng.IntN(256))}
			for k := range x {
				x[k] = uint8(rng.IntN(256))
				if in == 300 {
					x[k] = 255
				}
				p.Sum += int32(x[k])
			}
			acc, exact := make([]int32, out), make([]int64, out)
			for j := range out {
				for k := range x {
					c := int64(codes[j*in+k])
					acc[j] += int32(x[k]) * int32(c-int64(l.Seen(j)))
					exact[j] += (int64(x[k]) - int64(p.Zero)) * (c - int64(l.Zero[j]))
				}
			}
			for _, j0 := range []int{0, 5, 64} { // a window of channels
				got := make([]int64, out-j0)
				lo, hi := Accumulate(got, acc[j0:], p, l, j0)
				wantLo, wantHi := int64(0), int64(0)
				for j := range got {
					want := exact[j0+j] * int64(l.M[j0+j])
					if l.Bias != nil {
						b := float64(l.Bias[j0+j]) / math.Exp2(18) / (value(p.M, p.K) / math.Exp2(30))
						if d := math.Abs(float64(got[j]-want) - b); d > 2e-7*math.Abs(b)+1 {
							t.Fatalf("bias of channel %d: %d, want %g", j0+j, got[j]-want, b)
						}
					} else if got[j] != want {
						t.Fatalf("%d bits, K = %d, channel %d: T = %d, want %d", bits, in, j0+j, got[j], want)
					}
					wantLo, wantHi = min(wantLo, got[j]), max(wantHi, got[j])
				}
				if lo != wantLo || hi != wantHi {
					t.Fatalf("range (%d, %d), want (%d, %d)", lo, hi, wantLo, wantHi)
				}
			}
		}
	}
}

// TestAccumulateDepth: at the largest depth and the largest codes the accumulator and its correction stay exact.
func TestAccumulateDepth(t *testing.T) {
	const in = MaxDepth
	l := &quant.Linear{Out: 2, In: in, Bits: 8, Zero: []uint8{0, 255}, M: []int32{1<<24 - 1, 1<<24 - 1}}
	codes := make([]uint8, 2*in)
	for k := range in {
		codes[k] = 255
	}
	l.Pack(codes)
	x := quant.RowParams{M: 1 << 15, K: 15, Sum: 255 * in}
	acc := []int32{255 * 127 * in, -255 * 128 * in}
	got := make([]int64, 2)
	Accumulate(got, acc, x, l, 0)
	top := int64(255*255) * in * (1<<24 - 1)
	wantEqual(t, "T", got, []int64{top, -top})
	if top >= 1<<55 {
		t.Errorf("T = %d reaches 2^55", top)
	}
}
