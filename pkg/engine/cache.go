package engine

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/gemm"
	"github.com/illm-go/illm/pkg/simd/gemm4"
)

// kvCache holds the quantised keys and values of one KV head of one layer, in
// the panels that the matrix kernels read: a key is a channel of the key panel
// (depth d), a value is a depth step of the value panel (channels d).
//
//	keys    [token div 64][depth block][64 tokens][4]
//	values  [channel div 64][token block][64 channels][4]
//
// Widths of 5 to 8 bits take a byte a code (minus 128 at 8 bits, so that it
// fits the signed operand); widths up to 4 share a byte between the depth
// blocks 2i and 2i+1.
type kvCache struct {
	bits, dim, capacity int
	keys, values        *di.Keys
	k, v                []byte
	ldk, ldv            int // bytes of one panel
}

func newKVCache(bits, dim, capacity int) *kvCache {
	c := &kvCache{bits: bits, dim: dim, capacity: capacity}
	if bits <= 4 {
		c.ldk, c.ldv = gemm4.Stride(dim), gemm4.Stride(capacity)
		c.k, c.v = make([]byte, gemm4.PanelBytes(capacity, dim)), make([]byte, gemm4.PanelBytes(dim, capacity))
	} else {
		c.ldk, c.ldv = gemm.Stride(dim), gemm.Stride(capacity)
		c.k, c.v = make([]byte, gemm.PanelBytes(capacity, dim)), make([]byte, gemm.PanelBytes(dim, capacity))
	}
	c.keys, c.values = di.NewKeys(capacity), di.NewKeys(capacity)
	return c
}

// bytes is the memory of codes and parameters for n tokens.
func (c *kvCache) bytes(n int) int {
	code := c.dim
	if c.bits <= 4 {
		code = (c.dim + 1) / 2
	}
	return 2 * n * (code + 4)
}

// setKey stores the key of token t. Tokens may be stored from several
// goroutines at once: no two share a byte.
func (c *kvCache) setKey(t int, codes []uint8, p quant.RowParams) {
	base := c.k[t/64*c.ldk+t%64*4:]
	codes = codes[:c.dim]
	switch {
	case c.bits <= 4:
		for i := 0; i < len(codes); i += 8 {
			block := base[i/8*256:]
			for b := 0; b < 4; b++ {
				var lo, hi uint8
				if i+b < len(codes) {
					lo = codes[i+b]
				}
				if i+4+b < len(codes) {
					hi = codes[i+4+b]
				}
				block[b] = lo | hi<<4
			}
		}
	default:
		flip := c.flip()
		for i, q := range codes {
			base[i/4*256+i%4] = q ^ flip
		}
	}
	c.setHeader(c.keys, t, p)
}

// setValue stores the value of token t. Goroutines must keep to disjoint
// groups of 8 tokens: at 4 bits, two tokens share a byte.
func (c *kvCache) setValue(t int, codes []uint8, p quant.RowParams) {
	codes = codes[:c.dim]
	if c.bits <= 4 {
		shift, keep := uint(0), byte(0xf0)
		if t/4%2 == 1 {
			shift, keep = 4, 0x0f
		}
		for i, q := range codes {
			b := &c.v[i/64*c.ldv+t/8*256+i%64*4+t%4]
			*b = *b&keep | q<<shift
		}
	} else {
		flip := c.flip()
		for i, q := range codes {
			c.v[i/64*c.ldv+t/4*256+i%64*4+t%4] = q ^ flip
		}
	}
	c.setHeader(c.values, t, p)
}

// flip turns an unsigned 8-bit code into code − 128 as a signed byte.
func (c *kvCache) flip() uint8 { return uint8(di.Offset(c.bits)) }

// setHeader stores the parameters of token t, moved along with its codes. The
// running minimum of the exponents waits for extend: tokens arrive in any order.
func (c *kvCache) setHeader(h *di.Keys, t int, p quant.RowParams) {
	off := di.Offset(c.bits)
	h.M[t], h.K[t], h.Zero[t], h.Sum[t] = p.M, p.K, p.Zero-off, p.Sum-off*int32(c.dim)
}

// extend brings the running minima of the exponents up to the tokens [from, to).
func (c *kvCache) extend(from, to int) {
	for _, h := range [2]*di.Keys{c.keys, c.values} {
		for t := from; t < to; t++ {
			h.KMin[t] = h.K[t]
			if t > 0 {
				h.KMin[t] = min(h.K[t], h.KMin[t-1])
			}
		}
	}
}

// scores sets acc[i*ld+j] = Σ Q_i·K'_j for rows of query codes and the first n keys.
func (c *kvCache) scores(acc []int32, ld int, q []uint8, ldq, rows, n int) {
	if c.bits <= 4 {
		gemm4.MatMul(acc, ld, q, ldq, c.k, c.ldk, rows, n, c.dim)
		return
	}
	gemm.MatMul(acc, ld, q, ldq, c.k, c.ldk, rows, n, c.dim)
}

// mix sets acc[i*ld+c] = Σ_j x_ij·V'_jc over the first n tokens; the padding of
// a row of x, up to a multiple of 8, must be 0.
func (c *kvCache) mix(acc []int32, ld int, x []uint8, ldx, rows, n int) {
	if c.bits <= 4 {
		gemm4.MatMul(acc, ld, x, ldx, c.v, c.ldv, rows, c.dim, n)
		return
	}
	gemm.MatMul(acc, ld, x, ldx, c.v, c.ldv, rows, c.dim, n)
}
