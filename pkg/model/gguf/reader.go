package gguf

import (
	"encoding/binary"
	"fmt"
)

// cursor walks the header. The first failure sticks; later reads return zero
// values, so that a caller may read a few fields and look at err once.
type cursor struct {
	data []byte
	off  uint64
	err  error
}

func (c *cursor) left() uint64 { return uint64(len(c.data)) - c.off }

func (c *cursor) failf(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes, a view of the file.
func (c *cursor) take(n uint64, what string) []byte {
	if c.err != nil {
		return nil
	}
	if n > c.left() {
		c.failf("at byte %d: %s needs %d bytes, the file ends after %d: it is truncated or damaged, fetch it again", c.off, what, n, c.left())
		return nil
	}
	b := c.data[c.off : c.off+n : c.off+n]
	c.off += n
	return b
}

func (c *cursor) u32(what string) uint32 {
	if b := c.take(4, what); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64(what string) uint64 {
	if b := c.take(8, what); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// str returns the bytes of a string, a view of the file.
func (c *cursor) str(what string) []byte {
	n := c.u64(what)
	return c.take(n, what)
}

// count reads a number of entries of at least min bytes each and refuses one
// that cannot fit in the rest of the file.
func (c *cursor) count(what string, min uint64) uint64 {
	at := c.off
	n := c.u64(what)
	if c.err == nil && n > c.left()/min {
		c.failf("at byte %d: %s is %d, but the %d bytes left hold at most %d: the file is truncated or damaged, fetch it again",
			at, what, n, c.left(), c.left()/min)
		return 0
	}
	return n
}
