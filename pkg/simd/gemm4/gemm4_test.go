package gemm4

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/simd/simdtest"
)

const sentinel = 0x5a5a5a5a

var edges = []uint8{0, 1, 7, 8, 15}

// problem is one product with its expected result, computed from the unpacked
// weights in 64 bits.
type problem struct {
	m, n, k, ldx, ldacc, ldp int
	x                        []uint8
	panel                    []byte
	want                     []int32 // [m][Pad(n)]
}

func newProblem(t *testing.T, rng *rand.Rand, m, n, k, spare int, edge bool) *problem {
	p := &problem{m: m, n: n, k: k, ldx: (k+7)&^7 + 8*spare, ldacc: Pad(n) + spare, ldp: Stride(k) + blockBytes*spare}
	w := make([]uint8, n*k)
	for i := range w {
		w[i] = uint8(rng.UintN(16))
		if edge {
			w[i] = edges[rng.IntN(len(edges))]
		}
	}
	// The rows end at a forbidden page right behind the readable padding, which
	// holds garbage.
	p.x = simdtest.End[uint8](t, (m-1)*p.ldx+(k+7)&^7)
	for i := range p.x {
		p.x[i] = uint8(rng.UintN(256))
		if edge {
			p.x[i] = simdtest.Bytes[rng.IntN(len(simdtest.Bytes))]
		}
	}
	packed := make([]byte, PanelBytes(n, k))
	Pack(packed, w, n, k)
	panels := Pad(n) / Channels
	p.panel = simdtest.End[byte](t, (panels-1)*p.ldp+Stride(k))
	for i := range panels {
		copy(p.panel[i*p.ldp:], packed[i*Stride(k):][:Stride(k)])
	}
	p.want = make([]int32, m*Pad(n))
	for i := range m {
		for j := range n {
			var s int64
			for d := range k {
				s += int64(p.x[i*p.ldx+d]) * int64(w[j*k+d])
			}
			p.want[i*Pad(n)+j] = int32(s)
		}
	}
	return p
}

func (p *problem) check(t *testing.T) {
	t.Helper()
	x, panel := slices.Clone(p.x), slices.Clone(p.panel)
	size := (p.m-1)*p.ldacc + Pad(p.n)
	for where, acc := range map[string][]int32{
		"before a forbidden page": simdtest.End[int32](t, size),
		"behind a forbidden page": simdtest.Start[int32](t, size),
	} {
		for i := range acc {
			acc[i] = sentinel
		}
		MatMul(acc, p.ldacc, p.x, p.ldx, p.panel, p.ldp, p.m, p.n, p.k)
		for i := range p.m {
			row := acc[i*p.ldacc:]
			for j := range Pad(p.n) {
				if row[j] != p.want[i*Pad(p.n)+j] {
					t.Fatalf("m=%d n=%d k=%d ldx=%d, result %s: acc[%d][%d] = %d, want %d",
						p.m, p.n, p.k, p.ldx, where, i, j, row[j], p.want[i*Pad(p.n)+j])
				}
			}
			if i < p.m-1 {
				for j := Pad(p.n); j < p.ldacc; j++ {
					if row[j] != sentinel {
						t.Fatalf("m=%d n=%d k=%d: wrote behind the padded channels of row %d", p.m, p.n, p.k, i)
					}
				}
			}
		}
	}
	if !slices.Equal(x, p.x) || !slices.Equal(panel, p.panel) {
		t.Fatal("an input was modified")
	}
}

func TestMatMulTails(t *testing.T) {
	simdtest.Each(t, "gemm4", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		for m := 1; m <= 13; m++ {
			if testing.Short() && m > 8 {
				break
			}
			for _, n := range []int{1, 65, 128} {
				for _, k := range []int{1, 2, 3, 4, 5, 8, 12, 13, 15, 16, 17, 20, 31, 33, 64, 100} {
					newProblem(t, rng, m, n, k, (m+n+k)%3, false).check(t)
				}
			}
		}
		for k := range 41 {
			if k > 0 {
				newProblem(t, rng, 6, 64, k, 0, true).check(t)
			}
		}
	})
}

// Depths and rows beyond one cache block, and sums near the int32 limits.
func TestMatMulBlocking(t *testing.T) {
	simdtest.Each(t, "gemm4", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, s := range [][3]int{{8, 65, 4095}, {7, 64, 4096}, {3, 64, 4097}, {5, 64, 8195}, {110, 64, 4100}, {700, 70, 577}} {
			if testing.Short() && s[0] > 8 {
				continue
			}
			newProblem(t, rng, s[0], s[1], s[2], 1, true).check(t)
		}
	})
}

// Rows on both sides of unpackRows, of every rest, and depths of one and of several passes over a panel.
func TestMatMulManyRows(t *testing.T) {
	simdtest.Each(t, "gemm4", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(9, 10))
		for m := 47; m <= 54; m++ {
			for _, k := range []int{1, 9, 100, 577} {
				newProblem(t, rng, m, 65, k, k%3, k == 9).check(t)
			}
		}
		if !testing.Short() {
			newProblem(t, rng, 61, 130, 2049, 1, false).check(t)
			newProblem(t, rng, 50, 64, 8200, 1, true).check(t)
		}
	})
}

func TestMatMulExtremes(t *testing.T) {
	simdtest.Each(t, "gemm4", func(t *testing.T) {
		for _, k := range []int{8, 33024, 65792, 561424, 600000} {
			for _, c := range []struct {
				x uint8
				w uint8
			}{{255, 15}, {255, 1}, {128, 15}, {0, 15}, {1, 15}} {
				x := make([]uint8, k)
				w := make([]uint8, k)
				for i := range x {
					x[i], w[i] = c.x, c.w
				}
				panel := make([]byte, PanelBytes(1, k))
				Pack(panel, w, 1, k)
				acc := make([]int32, 64)
				MatMul(acc, 64, x, k, panel, Stride(k), 1, 1, k)
				if want := int32(int64(k) * int64(c.x) * int64(c.w)); acc[0] != want || acc[1] != 0 || acc[63] != 0 {
					t.Errorf("k=%d x=%d w=%d: acc = %d, %d … %d, want %d, 0 … 0", k, c.x, c.w, acc[0], acc[1], acc[63], want)
				}
			}
		}
	})
}

// A shallow product over a panel with room for more depth reads the first
// blocks alone: the V cache before it is full.
func TestMatMulSpareDepth(t *testing.T) {
	simdtest.Each(t, "gemm4", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 6))
		newProblem(t, rng, 9, 128, 30, 7, false).check(t)
	})
}

func TestMatMulEmpty(t *testing.T) {
	simdtest.Each(t, "gemm4", func(t *testing.T) {
		acc := []int32{0: 7, 63: 7}
		MatMul(acc, 64, nil, 0, nil, 0, 0, 64, 8)
		MatMul(acc, 64, make([]uint8, 8), 8, nil, 0, 1, 0, 8)
		if acc[0] != 7 || acc[63] != 7 {
			t.Error("a product without rows or channels wrote its result")
		}
		MatMul(acc, 64, nil, 0, nil, 0, 1, 64, 0)
		if acc[0] != 0 || acc[63] != 0 {
			t.Error("a product of depth 0 is not 0")
		}
	})
}

func TestMisusePanics(t *testing.T) {
	acc, x, panel := make([]int32, 128), make([]uint8, 16), make([]byte, PanelBytes(64, 8))
	for want, f := range map[string]func(){
		badShape: func() { MatMul(acc, 64, x, 8, panel, 256, -1, 64, 8) },
		badAcc:   func() { MatMul(acc, 64, x, 8, panel, 256, 3, 64, 8) },
		badX:     func() { MatMul(acc, 64, x, 9, panel, 256, 2, 64, 8) },
		badPanel: func() { MatMul(acc, 128, x, 8, panel, 256, 1, 65, 8) },
		badCode:  func() { Pack(panel, []uint8{16}, 1, 1) },
		badPack:  func() { Pack(panel, make([]uint8, 64*8), 64, 9) },
	} {
		func() {
			defer func() {
				if r := recover(); r != want {
					t.Errorf("panic %v, want %q", r, want)
				}
			}()
			f()
		}()
	}
}

func TestNoAllocation(t *testing.T) {
	acc, x, panel := make([]int32, 8*64), make([]uint8, 8*64), make([]byte, PanelBytes(64, 64))
	if n := testing.AllocsPerRun(10, func() { MatMul(acc, 64, x, 64, panel, Stride(64), 8, 64, 64) }); n != 0 {
		t.Errorf("%v allocations per product", n)
	}
}

func FuzzMatMul(f *testing.F) {
	f.Add(uint64(1), uint8(5), uint8(70), uint16(37))
	f.Add(uint64(2), uint8(12), uint8(64), uint16(300))
	f.Fuzz(func(t *testing.T, seed uint64, m, n uint8, k uint16) {
		rng := rand.New(rand.NewPCG(seed, 0))
		p := newProblem(t, rng, int(m%20)+1, int(n)+1, int(k%500)+1, int(seed%3), seed%2 == 0)
		simdtest.Each(t, "gemm4", func(t *testing.T) { p.check(t) })
	})
}

func ExampleMatMul() {
	w := []uint8{1, 2, 3, 4, 5, 15} // two channels of depth 3
	x := []uint8{10, 20, 30, 7: 0}  // one row and its padding
	panel := make([]byte, PanelBytes(2, 3))
	Pack(panel, w, 2, 3)
	acc := make([]int32, Pad(2))
	MatMul(acc, Pad(2), x, 8, panel, Stride(3), 1, 2, 3)
	fmt.Println(acc[:2])
	// Output: [140 590]
}
