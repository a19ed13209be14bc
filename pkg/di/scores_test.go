package di

import (
	"math/big"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// TestScoresKnownAnswer: Q [200,3,255,0], z 17; K [255,0,128,7], z 130.
func TestScoresKnownAnswer(t *testing.T) {
	q, k := []int32{200, 3, 255, 0}, []int32{255, 0, 128, 7}
	raw, sumQ, sumK := int32(0), int32(0), int32(0)
	for i := range q {
		raw += q[i] * (k[i] - 128)
		sumQ += q[i]
		sumK += k[i]
	}
	keys := NewKeys(1)
	keys.Set(0, quant.RowParams{M: 1 << 15, K: 3, Zero: 130, Sum: sumK}, 8, 4)
	if raw != 25016 || keys.Sum[0] != -122 || sumQ != 458 {
		t.Errorf("ΣQK' %d, ΣK' %d, ΣQ %d, want 25016, −122, 458", raw, keys.Sum[0], sumQ)
	}
	s := make([]int64, 1)
	lo, hi, row := Scores(s, []int32{raw}, quant.RowParams{M: 1 << 15, K: 5, Zero: 17, Sum: sumQ}, keys, 1, 4)
	if want := int64(26310) << 31; s[0] != want || lo != want || hi != want || row != 5+3+16 {
		t.Errorf("S = %d, range (%d, %d), k %d, want %d and k 24", s[0], lo, hi, row, want)
	}
}

// cache draws n keys of a width with scales up to spread octaves apart.
func cache(t *testing.T, seed uint64, n, d, bits, spread int) (*Keys, [][]int32) {
	t.Helper()
	rng := newRand(seed)
	keys, codes := NewKeys(n), make([][]int32, n)
	for j := range n {
		codes[j] = make([]int32, d)
		p := quant.RowParams{M: uint32(1<<15 + rng.IntN(1<<15)), K: int32(18 + rng.IntN(spread+1)), Zero: int32(rng.IntN(1 << bits))}
		for i := range codes[j] {
			codes[j][i] = int32(rng.IntN(1 << bits))
			p.Sum += codes[j][i]
		}
		keys.Set(j, p, bits, d)
	}
	return keys, codes
}

// TestScores: with key scales less than 2^16 apart S is exact; beyond, it is the product rounded once.
func TestScores(t *testing.T) {
	const d, n = 64, 40
	for _, spread := range []int{0, 5, 15, 40, 70} {
		for _, bits := range []int{2, 4, 6, 8} {
			keys, codes := cache(t, uint64(spread+100*bits), n, d, bits, spread)
			rng := newRand(9)
			q := make([]int64, d)
			p := quant.RowParams{M: 1 << 15, K: 21, Zero: int32(rng.IntN(256))}
			for i := range q {
				q[i] = int64(rng.IntN(256))
				p.Sum += int32(q[i])
			}
			acc, exact := make([]int32, n), make([]int64, n)
			for j := range n {
				z := int64(keys.Zero[j] + Offset(bits))
				for i, c := range codes[j] {
					acc[j] += int32(q[i]) * (c - Offset(bits))
					exact[j] += (q[i] - int64(p.Zero)) * (int64(c) - z)
				}
			}
			for _, visible := range []int{1, 7, n} {
				s := make([]int64, visible)
				const guard = 16
				lo, hi, k := Scores(s, acc, p, keys, visible, d)
				kmin := keys.K[0]
				for _, v := range keys.K[:visible] {
					kmin = min(kmin, v)
				}
				if k != p.K+kmin+guard {
					t.Fatalf("row exponent %d, want %d", k, p.K+kmin+guard)
				}
				least, most := s[0], s[0]
				for j := range s {
					num := new(big.Int).Lsh(big.NewInt(exact[j]*int64(keys.M[j])), guard)
					den := new(big.Int).Lsh(big.NewInt(1), uint(keys.K[j]-kmin))
					if want := halfAway(num, den); want.Cmp(big.NewInt(s[j])) != 0 {
						t.Fatalf("%d bits, spread %d: S_%d = %d, want %v", bits, spread, j, s[j], want)
					}
					least, most = min(least, s[j]), max(most, s[j])
				}
				if lo != least || hi != most {
					t.Fatalf("range (%d, %d), want (%d, %d)", lo, hi, least, most)
				}
			}
		}
	}
}

// halfAway is num/den to nearest, halves away from zero.
func halfAway(num, den *big.Int) *big.Int {
	twice := new(big.Int).Lsh(new(big.Int).Abs(num), 1)
	twice.Add(twice, den)
	q := twice.Quo(twice, new(big.Int).Lsh(den, 1))
	if num.Sign() < 0 {
		q.Neg(q)
	}
	return q
}

// TestKeysPrefix: what a token sees does not change when the cache grows by a key of a much smaller exponent.
func TestKeysPrefix(t *testing.T) {
	keys, _ := cache(t, 3, 10, 8, 8, 4)
	before := keys.KMin[8]
	keys.Set(9, quant.RowParams{M: 40000, K: -20, Zero: 3}, 8, 8)
	if keys.KMin[8] != before || keys.KMin[9] != -20 {
		t.Errorf("KMin = %v", keys.KMin)
	}
}
