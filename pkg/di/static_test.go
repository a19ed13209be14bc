package di

import (
	"math"
	"math/big"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/quant"
)

func newStatic(t testing.TB, g StaticGrid, bits int) *Static {
	t.Helper()
	s, err := NewStatic(g, bits, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStaticError: against float64 no code is off by more than half a step and the floor of T>>s, none beyond the grid's
// ends is anything but the end, and the count of those beyond is exact. Units and grids go to their limits, so that a step
// of T is anything from 2^−100 to 2^100 codes.
func TestStaticError(t *testing.T) {
	rng := newRand(11)
	for range 4000 {
		bits := 2 + rng.IntN(15)
		top := math.Ldexp(1, bits) - 1
		g := StaticGrid{M: uint32(1<<15 + rng.IntN(1<<15)), K: int32(15 - 48 + rng.IntN(97)), Zero: int32(rng.IntN(1 << bits))}
		m, k := uint32(1+rng.IntN(1<<16-1)), g.K+int32(rng.IntN(121)-40)
		if rng.IntN(2) == 0 { // a row about as large as the grid
			k = g.K
		}
		row := normRow(rng, 1+rng.IntN(40), math.Exp2(2+53*rng.Float64()))
		if k > g.K && rng.IntN(2) == 0 {
			row = normRow(rng, len(row), math.Ldexp(top, int(min(k-g.K, 44))))
		}
		row = append(row, 0, 1, -1, 1<<59, -1<<59)[:len(row)+rng.IntN(6)]
		unit := value(m, k) / value(g.M, g.K)
		want, beyond := make([]float64, len(row)), int64(0)
		sure := true // no value so near an end that its rounding decides
		for j, v := range row {
			want[j] = float64(g.Zero) + float64(v)*unit
			if x := math.Round(want[j]); x < 0 || x > top {
				beyond++
			}
			for _, end := range []float64{-0.5, top + 0.5} {
				sure = sure && math.Abs(want[j]-end) > 0.01
			}
		}
		lo, hi := MinMax(row)
		s := newStatic(t, g, bits)
		dst := make([]uint16, len(row))
		p := s.Requant16(dst, slices.Clone(row), lo, hi, m, k)
		sum := int32(0)
		for j, c := range dst {
			sum += int32(c)
			slack := 0.5 + math.Ldexp(2, bits-28) + 1e-9*math.Abs(want[j])
			if d := math.Abs(float64(c) - math.Max(0, math.Min(want[j], top))); d > slack {
				t.Fatalf("grid %+v, %d bits, row in %d/2^%d: code of %d is %d, value %g: off by %g", g, bits, m, k, row[j], c, want[j], d)
			}
		}
		if want := (quant.RowParams{M: g.M, K: g.K, Zero: g.Zero, Sum: sum}); p != want {
			t.Fatalf("header %+v, want %+v", p, want)
		}
		if n := s.saturated.Load(); sure && n != beyond {
			t.Fatalf("grid %+v, %d bits, row %v in %d/2^%d: %d codes counted as saturated, want %d", g, bits, row, m, k, n, beyond)
		}
		if bits <= 8 {
			dst8 := make([]uint8, len(row))
			before := s.saturated.Load()
			if p8 := s.Requant(dst8, row, lo, hi, m, k); p8 != p {
				t.Fatalf("Requant %+v, Requant16 %+v", p8, p)
			}
			if n := s.saturated.Load() - before; n != before {
				t.Fatalf("Requant counts %d saturated codes, Requant16 %d", n, before)
			}
			for j := range dst {
				if uint16(dst8[j]) != dst[j] {
					t.Fatalf("code %d: Requant %d, Requant16 %d", j, dst8[j], dst[j])
				}
			}
		}
	}
}

// TestStaticOfOwnRange: on the grid that the dynamic requantisation gave a row, static codes are the dynamic ones but where
// the value lies within 1 % of a step of a tie: the grid's scale is rounded to 16 bits, 255 codes times 2^−16.
func TestStaticOfOwnRange(t *testing.T) {
	rng := newRand(12)
	differ, total := 0, 0
	for range 500 {
		bits := 2 + rng.IntN(7)
		row := normRow(rng, 64, math.Exp2(8+40*rng.Float64()))
		lo, hi := MinMax(row)
		m, k := uint32(1<<15+rng.IntN(1<<15)), int32(40)
		want, got := make([]uint8, len(row)), make([]uint8, len(row))
		p := Requant(want, row, lo, hi, m, k, bits, 16)
		f := dyadic.Scale{M: p.M, K: p.K}
		if f.K > 15+48 || f.K < 15-48 {
			continue
		}
		newStatic(t, StaticGrid{M: f.M, K: f.K, Zero: p.Zero}, bits).Requant(got, row, lo, hi, m, k)
		for j := range got {
			total++
			if got[j] == want[j] {
				continue
			}
			differ++
			x := float64(row[j]) * value(m, k) / value(p.M, p.K)
			if tie := math.Abs(x - math.Floor(x) - 0.5); tie > 0.01 || max(got[j], want[j])-min(got[j], want[j]) > 1 {
				t.Fatalf("%d bits: static code %d, dynamic %d of %g", bits, got[j], want[j], x)
			}
		}
	}
	if total == 0 || differ*200 > total {
		t.Errorf("%d of %d codes differ, expected below 0.5 %%", differ, total)
	}
}

// TestStaticOrder: with log-normal token amplitudes (σ 0.7) one grid for all tokens has about ten times the median error of
// one a token, and about fifty times with one outlier token in the calibration (algorithm reference, section 13: 0.0068,
// 0.0684, 0.333 at 8 bits).
func TestStaticOrder(t *testing.T) {
	const tokens, n, k = 512, 128, 30
	rng := newRand(13)
	rows := make([][]int64, tokens)
	top := 0.0
	for i := range rows {
		rows[i] = normRow(rng, n, math.Exp(0.7*rng.NormFloat64())*(1<<k))
		for _, v := range rows[i] {
			top = math.Max(top, math.Abs(float64(v))/(1<<k))
		}
	}
	grid := func(limit float64) StaticGrid {
		f := dyadic.Fit(uint64(2*limit*(1<<30)), 255<<30, 16)
		return StaticGrid{M: f.M, K: f.K, Zero: 128}
	}
	median := func(quantise func(dst []uint8, row []int64, lo, hi int64) quant.RowParams) float64 {
		var errs []float64
		dst := make([]uint8, n)
		for _, row := range rows {
			lo, hi := MinMax(row)
			p := quantise(dst, row, lo, hi)
			d2, x2 := 0.0, 0.0
			for j, v := range row {
				x := float64(v) / (1 << k)
				d := float64(int32(dst[j])-p.Zero)*value(p.M, p.K) - x
				d2, x2 = d2+d*d, x2+x*x
			}
			errs = append(errs, math.Sqrt(d2/x2))
		}
		slices.Sort(errs)
		return errs[len(errs)/2]
	}
	on := func(limit float64) float64 {
		s := newStatic(t, grid(limit), 8)
		return median(func(dst []uint8, row []int64, lo, hi int64) quant.RowParams {
			return s.Requant(dst, row, lo, hi, 1<<15, k+15)
		})
	}
	dynamic := median(func(dst []uint8, row []int64, lo, hi int64) quant.RowParams {
		return Requant(dst, row, lo, hi, 1<<15, k+15, 8, 16)
	})
	static, outlier := on(top), on(5*top)
	t.Logf("median relative error: dynamic %.4f, static %.4f, with one outlier token %.3f", dynamic, static, outlier)
	if dynamic < 0.004 || dynamic > 0.010 || static < 4*dynamic || static > 20*dynamic || outlier < 4*static || outlier > 6*static {
		t.Errorf("dynamic %.4f, static %.4f, with an outlier %.4f: expected about 0.0068, ten and fifty times that", dynamic, static, outlier)
	}
}

// TestStaticScores: the floor lies R below the maximum in the row's own units, at least 1, and keys beyond it count where
// the clip value does not lie nearer.
func TestStaticScores(t *testing.T) {
	rng := newRand(14)
	clip := dyadic.Fit(15000, 1000, 16)
	for range 3000 {
		g := StaticGrid{M: uint32(1<<15 + rng.IntN(1<<15)), K: int32(15 - 48 + rng.IntN(97))}
		m, k := uint32(1<<15+rng.IntN(1<<15)), int32(rng.IntN(140)-40)
		clipped := rng.IntN(2) == 0
		var count atomic.Int64
		s, err := NewStaticScores(g, clip, clipped, &count)
		if err != nil {
			t.Fatal(err)
		}
		row := normRow(rng, 30, math.Exp2(2+50*rng.Float64()))
		lo, hi := slices.Min(row), slices.Max(row)
		// R in steps, as a rational
		want := new(big.Rat).SetFrac(big.NewInt(int64(g.M)), big.NewInt(int64(m)))
		shift := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(max(k-g.K, g.K-k))))
		if k >= g.K {
			want.Mul(want, shift)
		} else {
			want.Quo(want, shift)
		}
		r, _ := want.Float64()
		r = math.Max(1, math.Min(r, 1<<57))
		got := hi - s.Floor(row, lo, hi, m, k)
		if d := math.Abs(float64(got) - r); d > 1+r*math.Ldexp(1, -44) {
			t.Fatalf("R = %d/2^%d on a row in %d/2^%d: %d steps, want %g", g.M, g.K, m, k, got, r)
		}
		beyond := int64(0)
		for _, v := range row {
			if hi-v > got {
				beyond++
			}
		}
		if clipped && value(g.M, g.K) >= 15 {
			beyond = 0
		}
		if count.Load() != beyond {
			t.Fatalf("%d scores counted beyond R, want %d", count.Load(), beyond)
		}
	}
}

// TestStaticRefuses: grids that no calibration gives.
func TestStaticRefuses(t *testing.T) {
	good := StaticGrid{M: 1 << 15, K: 15, Zero: 3}
	for _, c := range []struct {
		g    StaticGrid
		bits int
	}{
		{StaticGrid{}, 8},
		{StaticGrid{M: 1<<15 - 1, K: 15}, 8},
		{StaticGrid{M: 1 << 16, K: 15}, 8},
		{StaticGrid{M: 1 << 15, K: 64}, 8},
		{StaticGrid{M: 1 << 15, K: -34}, 8},
		{StaticGrid{M: 1 << 15, K: math.MinInt32}, 8},
		{StaticGrid{M: 1 << 15, K: 15, Zero: -1}, 8},
		{StaticGrid{M: 1 << 15, K: 15, Zero: 16}, 4},
		{good, 1},
		{good, 17},
	} {
		if _, err := NewStatic(c.g, c.bits, nil); err == nil {
			t.Errorf("grid %+v of %d bits: expected an error", c.g, c.bits)
		}
	}
	if _, err := NewStaticScores(good, dyadic.Scale{}, false, nil); err == nil {
		t.Error("scores with a zero point: expected an error")
	}
	if _, err := NewStatic(good, 8, nil); err != nil {
		t.Error(err)
	}
}
