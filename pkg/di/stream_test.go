package di

import (
	"encoding/hex"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// TestAddResidual compares with δ = ssh(rsh(T,16)·m, k−16−k_r, 31) in big integers, with shifts of every sign.
func TestAddResidual(t *testing.T) {
	rng := newRand(51)
	for shift := -40; shift <= 80; shift++ {
		const n = 40
		h, row := make([]int32, n), normRow(rng, n, math.Exp2(10+44*rng.Float64()))
		for j := range h {
			h[j] = int32(rng.Int64N(1<<32-1) - math.MaxInt32)
		}
		h[0], h[1], h[2], row[3] = math.MaxInt32, -math.MaxInt32, 0, 0
		m, kr := uint32(1<<15+rng.IntN(1<<15)), int32(18)
		want, saturated := make([]int32, n), 0
		for j := range h {
			x := halfAway(big.NewInt(row[j]), big.NewInt(1<<16))
			x.Mul(x, big.NewInt(int64(m)))
			if shift >= 0 {
				x = halfAway(x, new(big.Int).Lsh(big.NewInt(1), uint(shift)))
			} else {
				x.Lsh(x, uint(-shift))
			}
			exact := new(big.Int).Add(x, big.NewInt(int64(h[j])))
			if x.CmpAbs(big.NewInt(1<<31)) > 0 {
				x.SetInt64(int64(x.Sign()) << 31)
			}
			sum := max(-math.MaxInt32, min(x.Int64()+int64(h[j]), math.MaxInt32))
			if want[j] = int32(sum); exact.Cmp(big.NewInt(sum)) != 0 {
				saturated++
			}
		}
		if got := AddResidual(h, row, m, int32(shift)+16+kr, kr); got != saturated {
			t.Errorf("shift %d: %d saturated, want %d", shift, got, saturated)
		}
		wantEqual(t, "h", h, want)
	}
}

// TestAdd: two rows of different scales, each rounded once.
func TestAdd(t *testing.T) {
	rng := newRand(52)
	x1, x2, dst := make([]int32, 50), make([]int32, 50), make([]int32, 50)
	for j := range x1 {
		x1[j], x2[j] = int32(rng.Uint32()), int32(rng.Uint32())
	}
	if n := Add(dst, x1, 40000, 40, x2, 50000, 45, 18); n != 0 {
		t.Errorf("%d saturated", n)
	}
	for j := range dst {
		want := float64(x1[j])*value(40000, 40)*(1<<18) + float64(x2[j])*value(50000, 45)*(1<<18)
		if math.Abs(float64(dst[j])-want) > 1.001 {
			t.Fatalf("element %d: %d, want %g", j, dst[j], want)
		}
	}
	if n := Add(dst[:2], []int32{1 << 30, -1 << 30}, 65535, 0, []int32{0, 0}, 65535, 0, 18); n != 2 || dst[0] != math.MaxInt32 || dst[1] != -math.MaxInt32 {
		t.Errorf("%d saturated: %v", n, dst[:2])
	}
}

// TestEmbed: row id of the head's table is (code − z)·M/2^KW on the residual grid.
func TestEmbed(t *testing.T) {
	rng := newRand(53)
	for _, bits := range []int{4, 6, 8} {
		l, codes := randomLinear(rng, 70, 37, bits, false)
		h := make([]int32, 37)
		for _, kr := range []int32{18, 5, 25} {
			for id := range 70 {
				if n := Embed(h, l, id, kr); n != 0 {
					t.Fatalf("%d saturated", n)
				}
				for c := range h {
					exact := float64(int(codes[id*37+c])-int(l.Zero[id])) * float64(l.M[id]) * math.Exp2(float64(kr-l.KW))
					if math.Abs(float64(h[c])-exact) > 0.5 {
						t.Fatalf("%d bits, token %d, channel %d: %d, want %g", bits, id, c, h[c], exact)
					}
				}
			}
		}
		wantPanic(t, "id", errEmbed, func() { Embed(h, l, 70, 18) })
		wantPanic(t, "length", errEmbed, func() { Embed(h[:36], l, 0, 18) })
	}
	table := &Table16{Rows: 2, Cols: 3, Codes: []int16{1, -2, 3, 32767, -32768, 0}, M: []uint16{40000, 65535}, K: []int8{20, 3}}
	h := make([]int32, 3)
	if n := Embed16(h, table, 0, 18); n != 0 {
		t.Errorf("%d saturated", n)
	}
	wantEqual(t, "row 0", h, []int32{10000, -20000, 30000}) // 40000·2^−2
	if n := Embed16(h, table, 1, 18); n != 2 {
		t.Errorf("%d saturated, want 2", n)
	}
	wantEqual(t, "row 1", h, []int32{math.MaxInt32, -math.MaxInt32, 0})
	wantPanic(t, "id", errEmbed, func() { Embed16(h, table, -1, 18) })
}

func TestLogitHash(t *testing.T) {
	var h LogitHash
	if err := h.Add([]int64{1, -2, 3}, 40000, 20); err != nil {
		t.Fatal(err)
	}
	first := h.Sum()
	if got := hex.EncodeToString(first[:]); got != "749a8e91ebbb34e9b04ad85c88ca8934ff84206bc2ceeee6d9750495b23ff239" {
		t.Errorf("hash of one step = %s", got)
	}
	for _, c := range []struct {
		m uint32
		k int32
	}{{1 << 16, 0}, {1, 128}, {1, -129}} {
		err := h.Add([]int64{1}, c.m, c.k)
		if err == nil || !strings.Contains(err.Error(), "row scale") {
			t.Errorf("scale (%d, %d): error %v", c.m, c.k, err)
		}
	}
	if h.Sum() != first {
		t.Error("a refused step changed the hash")
	}
	if err := h.Add([]int64{1}, 65535, -128); err != nil {
		t.Error(err)
	}
	if h.Sum() == first {
		t.Error("a second step left the hash as it was")
	}
}

func TestOperators(t *testing.T) {
	for _, mode := range []string{"illm", "precise"} {
		if got := Integer(spec(t, "w4a4", "none", mode)).Name(); got != mode {
			t.Errorf("Name = %q, want %q", got, mode)
		}
	}
	defer func() {
		if r, ok := recover().(error); !ok || !strings.Contains(r.Error(), "invalid Spec") {
			t.Errorf("an invalid Spec: recovered %v", r)
		}
	}()
	Integer(quant.Spec{})
}

func TestRowOf(t *testing.T) {
	a, b := quant.NewActs(2, 5, 8), quant.NewActs(2, 5, 16)
	a.Params[1].Zero, b.Params[0].Zero = 3, 4
	a.Row(1)[4], b.Row16(0)[4] = 9, 10
	if r := RowOf(a, 1); len(r.Codes) != 5 || r.Codes[4] != 9 || r.Zero != 3 || r.Codes16 != nil {
		t.Errorf("RowOf 8 bits = %+v", r)
	}
	if r := RowOf(b, 0); len(r.Codes16) != 5 || r.Codes16[4] != 10 || r.Zero != 4 || r.Codes != nil {
		t.Errorf("RowOf 16 bits = %+v", r)
	}
}
