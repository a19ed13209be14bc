package di

import (
	"math"

	"github.com/illm-go/illm/pkg/simd/vec"
)

// Keys holds the headers of one KV head's cached tokens, an array a field, index = position.
type Keys struct {
	M    []uint32
	K    []int32
	Zero []int32 // z' = z − Offset(bits): zero point of what the product sees
	Sum  []int32 // ΣK' over head_dim
	KMin []int32 // KMin[j] = min K[0…j]
	KMax []int32 // KMax[j] = max K[0…j]

	// Of values (NewValues): what weighing a row needs of M, K and Zero, as the vectors take it.
	scale []uint32 // M·2^(16−K+base), 0 where K passes base by more than 16
	zero8 []int8   // Zero
	base  int32    // at most the least K so far
	done  int      // tokens that have them: [0, done)
}

// Values is Keys for the value cache; Sum is unused there.
type Values = Keys

// NewKeys returns headers for up to n cached tokens.
func NewKeys(n int) *Keys {
	buf := make([]int32, 5*n)
	return &Keys{M: make([]uint32, n), K: buf[:n:n], Zero: buf[n : 2*n : 2*n], Sum: buf[2*n : 3*n : 3*n], KMin: buf[3*n : 4*n : 4*n], KMax: buf[4*n:]}
}

// NewValues is NewKeys for values: 5 bytes a token more make their weights cheaper.
func NewValues(n int) *Values {
	c, block := NewKeys(n), vec.FoldedBlock
	whole := (n + block - 1) / block * block
	c.scale, c.zero8 = make([]uint32, whole+1), make([]int8, whole)
	return c
}

// Extend brings what depends on earlier tokens up to [from, to), whose headers are set; those before are.
func (c *Keys) Extend(from, to int) {
	for t := from; t < to; t++ {
		c.KMin[t], c.KMax[t] = c.K[t], c.K[t]
		if t > 0 {
			c.KMin[t], c.KMax[t] = min(c.K[t], c.KMin[t-1]), max(c.K[t], c.KMax[t-1])
		}
	}
	if c.scale == nil || from >= to || from > c.done {
		return
	}
	if least := c.KMin[to-1]; from == 0 || least < c.base { // a larger scale than any before
		c.base, from = least, 0
	}
	c.done = from
	for t := from; t < to; t++ {
		c.scale[t] = 0
		if d := c.K[t] - c.base; d <= 16 {
			c.scale[t] = c.M[t] << uint(16-d)
		}
		if z := c.Zero[t]; z < math.MinInt8 || z > math.MaxInt8 {
			return
		}
		c.zero8[t] = int8(c.Zero[t])
		c.done++
	}
}

// folded returns scale of the first n tokens and the shift that takes it to M·2^(KMin−K); ok says that no token's K passes
// the least by more than scale can hold.
func (c *Keys) folded(n int) (scale []uint32, shift uint, ok bool) {
	if n > c.done || c.KMax[n-1]-c.base > 16 {
		return nil, 0, false
	}
	return c.scale, uint(16 - (c.KMin[n-1] - c.base)), true
}
