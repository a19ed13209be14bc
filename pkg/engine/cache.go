package engine

import (
	"encoding/binary"

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
// blocks 2i and 2i+1. Codes of 16 bits lie in plain rows (wide.go).
type kvCache struct {
	bits, dim, capacity int
	keys, values        *di.Keys
	k, v                []byte
	ldk, ldv            int      // bytes of one panel
	k16, v16            []uint16 // [token, dim], in place of the panels at widths above 8
}

func newKVCache(bits, dim, capacity int) *kvCache {
	c := &kvCache{bits: bits, dim: dim, capacity: capacity}
	if bits > 8 {
		c.k16, c.v16 = make([]uint16, capacity*dim), make([]uint16, capacity*dim)
	} else if bits <= 4 {
		c.ldk, c.ldv = gemm4.Stride(dim), gemm4.Stride(capacity)
		c.k, c.v = make([]byte, gemm4.PanelBytes(capacity, dim)), make([]byte, gemm4.PanelBytes(dim, capacity))
	} else {
		c.ldk, c.ldv = gemm.Stride(dim), gemm.Stride(capacity)
		c.k, c.v = make([]byte, gemm.PanelBytes(capacity, dim)), make([]byte, gemm.PanelBytes(dim, capacity))
	}
	c.keys, c.values = di.NewKeys(capacity), di.NewValues(capacity)
	return c
}

// bytes is the memory of codes and parameters for n tokens; a zero point of 16 bits takes a byte more.
func (c *kvCache) bytes(n int) int {
	code := c.dim
	switch {
	case c.bits <= 4:
		code = (c.dim + 1) / 2
	case c.bits > 8:
		code = 2*c.dim + 1
	}
	return 2 * n * (code + 4)
}

// setKey stores the key of token t. Tokens may be stored from several
// goroutines at once: no two share a byte.
func (c *kvCache) setKey(t int, codes []uint8, p quant.RowParams) {
	base := c.k[t/64*c.ldk+t%64*4:]
	codes = codes[:c.dim]
	i := 0
	if c.bits <= 4 {
		for ; i+8 <= len(codes); i += 8 {
			binary.LittleEndian.PutUint32(base[i/8*256:], binary.LittleEndian.Uint32(codes[i:])|binary.LittleEndian.Uint32(codes[i+4:])<<4)
		}
		if rest := len(codes) - i; rest > 0 {
			var last [8]uint8
			copy(last[:], codes[i:])
			for b := range min(rest, 4) {
				base[i/8*256+b] = last[b] | last[b+4]<<4
			}
		}
	} else {
		flip := c.flip()
		for ; i+4 <= len(codes); i += 4 {
			binary.LittleEndian.PutUint32(base[i/4*256:], binary.LittleEndian.Uint32(codes[i:])^flip)
		}
		for ; i < len(codes); i++ {
			base[i/4*256+i%4] = codes[i] ^ uint8(flip)
		}
	}
	c.setHeader(c.keys, t, p)
}

// setValues stores the codes of the tokens [from, to), at most four in one group of four, whose rows, ld bytes apart, are
// at their places in the group; the headers are stored apart. Goroutines must keep to disjoint groups of 8 tokens: at
// 4 bits, two tokens share a byte.
func (c *kvCache) setValues(from, to int, codes []uint8, ld int) {
	group := from &^ 3
	var keep, mask, flip uint32 // bits that stay of the word, bytes that are set, and what turns a code into its signed byte
	for t := from; t < to; t++ {
		mask |= 0xff << (8 * (t & 3))
	}
	shift, block := 0, group/4*256
	if c.bits <= 4 {
		shift, block = group&4, group/8*256
		keep = 0xf0f0f0f0 >> shift
	} else {
		flip = c.flip()
	}
	keep |= ^mask
	r0, r1, r2, r3 := codes[:c.dim], codes[ld:][:c.dim], codes[2*ld:][:c.dim], codes[3*ld:][:c.dim]
	for first := 0; first < c.dim; first += 64 {
		out := c.v[first/64*c.ldv+block:][:256]
		for i := range min(64, c.dim-first) {
			j := first + i
			q := (uint32(r0[j])|uint32(r1[j])<<8|uint32(r2[j])<<16|uint32(r3[j])<<24)<<shift ^ flip
			w := out[4*i : 4*i+4 : 4*i+4]
			binary.LittleEndian.PutUint32(w, binary.LittleEndian.Uint32(w)&keep|q&^keep)
		}
	}
}

// flip turns four unsigned 8-bit codes into code − 128 as signed bytes.
func (c *kvCache) flip() uint32 { return 0x01010101 * uint32(di.Offset(c.bits)) }

// setHeader stores the parameters of token t, moved along with its codes. The
// running minimum of the exponents waits for extend: tokens arrive in any order.
func (c *kvCache) setHeader(h *di.Keys, t int, p quant.RowParams) {
	off := di.Offset(c.bits)
	h.M[t], h.K[t], h.Zero[t], h.Sum[t] = p.M, p.K, p.Zero-off, p.Sum-off*int32(c.dim)
}

// extend brings the running extremes of the exponents up to the tokens [from, to).
func (c *kvCache) extend(from, to int) {
	c.keys.Extend(from, to)
	c.values.Extend(from, to)
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
