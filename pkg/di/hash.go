package di

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// LogitHash is the chained SHA-256 of integer logits, one number for "same bits":
// h_0 = 32 zero bytes, h_t = SHA256(h_{t−1} ‖ T as little-endian int64 ‖ m as uint16 ‖ k as int8), a step per position.
// The zero value is ready.
type LogitHash struct {
	sum [sha256.Size]byte
	buf []byte
}

// Add chains the logits of the next position, with their row scale m/2^k.
func (h *LogitHash) Add(t []int64, m uint32, k int32) error {
	if m > math.MaxUint16 || k < math.MinInt8 || k > math.MaxInt8 {
		return fmt.Errorf("di: logit hash: row scale (%d, %d): expected a mantissa of at most 16 bits and an exponent in -128…127: the model's scales are out of range", m, k)
	}
	h.buf = append(h.buf[:0], h.sum[:]...)
	for _, v := range t {
		h.buf = binary.LittleEndian.AppendUint64(h.buf, uint64(v))
	}
	h.buf = binary.LittleEndian.AppendUint16(h.buf, uint16(m))
	h.buf = append(h.buf, uint8(k))
	h.sum = sha256.Sum256(h.buf)
	return nil
}

// Sum returns the hash of the positions added so far.
func (h *LogitHash) Sum() [32]byte { return h.sum }
