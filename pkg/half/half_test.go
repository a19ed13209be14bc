package half

import (
	"math"
	"testing"
)

// value16 is the definition of binary16 in float64, independent of the bit tricks.
func value16(h uint16) float64 {
	e, m := int(h>>10&0x1f), float64(h&0x3ff)
	v := math.Ldexp(1+m/1024, e-15)
	if e == 0 {
		v = math.Ldexp(m/1024, -14)
	} else if e == 31 {
		v = math.Inf(1)
		if m != 0 {
			return math.NaN()
		}
	}
	if h>>15 == 1 {
		v = -v
	}
	return v
}

func TestF16AllPatterns(t *testing.T) {
	for h := range 1 << 16 {
		got, want := float64(F16(uint16(h))), value16(uint16(h))
		if math.IsNaN(want) {
			if !math.IsNaN(got) {
				t.Fatalf("F16(%#04x) = %v, want NaN", h, got)
			}
			continue
		}
		if math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("F16(%#04x) = %v, want %v", h, got, want)
		}
		if back := ToF16(float32(want)); back != uint16(h) {
			t.Fatalf("ToF16(%v) = %#04x, want %#04x", want, back, h)
		}
	}
}

// TestToF16Nearest checks midpoints between neighbours and one float32 step to
// either side of them: the tie goes to the even pattern, the rest to the nearer.
func TestToF16Nearest(t *testing.T) {
	for h := uint16(0); h < 0x7bff; h++ {
		mid := float32((value16(h) + value16(h+1)) / 2) // exact: one more bit of mantissa
		even := h + h&1
		for _, c := range []struct {
			v    float32
			want uint16
		}{{mid, even}, {math.Nextafter32(mid, 0), h}, {math.Nextafter32(mid, 1e9), h + 1}} {
			if got := ToF16(c.v); got != c.want {
				t.Fatalf("ToF16(%v) = %#04x, want %#04x", c.v, got, c.want)
			}
			if got := ToF16(-c.v); got != c.want|0x8000 {
				t.Fatalf("ToF16(%v) = %#04x, want %#04x", -c.v, got, c.want|0x8000)
			}
		}
	}
	for _, c := range []struct {
		v    float32
		want uint16
	}{{65519.996, 0x7bff}, {65520, 0x7c00}, {math.MaxFloat32, 0x7c00}, {float32(math.Inf(1)), 0x7c00}, {math.SmallestNonzeroFloat32, 0}} {
		if got := ToF16(c.v); got != c.want {
			t.Errorf("ToF16(%v) = %#04x, want %#04x", c.v, got, c.want)
		}
	}
}

func TestBF16(t *testing.T) {
	for h := range 1 << 16 {
		v := BF16(uint16(h))
		if v != v {
			if got := BF16(ToBF16(v)); got == got {
				t.Fatalf("NaN %#04x became %v", h, got)
			}
			continue
		}
		if got := ToBF16(v); got != uint16(h) {
			t.Fatalf("ToBF16(BF16(%#04x)) = %#04x", h, got)
		}
		if e := h >> 7 & 0xff; e == 255 {
			continue
		}
		lo := math.Float32bits(v)
		tie := math.Float32frombits(lo | 0x8000)
		if got, want := ToBF16(tie), uint16(h)+uint16(h)&1; got != want {
			t.Fatalf("tie above %#04x went to %#04x, want %#04x", h, got, want)
		}
		if got := ToBF16(math.Float32frombits(lo | 0x7fff)); got != uint16(h) {
			t.Fatalf("below the tie above %#04x went to %#04x", h, got)
		}
		if got := ToBF16(math.Float32frombits(lo | 0x8001)); got != uint16(h)+1 {
			t.Fatalf("above the tie above %#04x went to %#04x", h, got)
		}
	}
}
