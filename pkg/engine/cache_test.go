package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// Every code is where the panels say, whatever the groups in which values come, and a second writing leaves nothing of
// the first.
func TestCachePanels(t *testing.T) {
	const tokens = 29
	for _, bits := range []int{4, 6, 8} {
		for _, dim := range []int{1, 3, 5, 8, 10, 64, 70} {
			t.Run(fmt.Sprintf("bits=%d/dim=%d", bits, dim), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(uint64(bits), uint64(dim)))
				c := newKVCache(bits, dim, tokens)
				codes := make([][]uint8, tokens)
				for range 2 {
					ld := (dim + 7) &^ 7
					group := make([]uint8, 4*ld)
					first := 0
					for i := range codes {
						codes[i] = make([]uint8, dim)
						for j := range codes[i] {
							codes[i][j] = uint8(rng.IntN(1 << bits))
						}
						c.setKey(i, codes[i], quant.RowParams{})
						copy(group[i%4*ld:], codes[i])
						if i%4 == 3 || i == tokens-1 || rng.IntN(3) == 0 {
							c.setValues(first, i+1, group, ld)
							first = i + 1
						}
					}
				}
				for i, row := range codes {
					for j, q := range row {
						var key, value uint8
						if bits == 4 {
							key = c.k[i/64*c.ldk+j/8*256+i%64*4+j%4] >> (j & 4) & 15
							value = c.v[j/64*c.ldv+i/8*256+j%64*4+i%4] >> (i & 4) & 15
						} else {
							key, value = c.k[i/64*c.ldk+j/4*256+i%64*4+j%4], c.v[j/64*c.ldv+i/4*256+j%64*4+i%4]
						}
						if want := q ^ uint8(c.flip()); key != want || value != want {
							t.Fatalf("token %d channel %d: key %d, value %d, want %d", i, j, key, value, want)
						}
					}
				}
			})
		}
	}
}
