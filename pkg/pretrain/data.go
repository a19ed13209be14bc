package pretrain

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
)

// Tokens is a stream of token ids, texts one behind the other with whatever token the tokenizer's user put between.
type Tokens struct {
	IDs []uint16
}

// ReadTokens reads a file of little-endian uint16, every id below vocab.
func ReadTokens(path string, vocab int) (Tokens, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Tokens{}, fmt.Errorf("pretrain: read tokens: %w", err)
	}
	if len(raw)%2 != 0 {
		return Tokens{}, fmt.Errorf("pretrain: read tokens %s: expected an even number of bytes (uint16), found %d: the file is cut or of another type", path, len(raw))
	}
	ids := make([]uint16, len(raw)/2)
	for i := range ids {
		ids[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	t := Tokens{ids}
	if err := t.check(vocab); err != nil {
		return Tokens{}, fmt.Errorf("pretrain: read tokens %s: %w", path, err)
	}
	return t, nil
}

func (t Tokens) check(vocab int) error {
	for i, id := range t.IDs {
		if int(id) >= vocab {
			return fmt.Errorf("token %d: expected an id below the vocabulary of %d, found %d: the file was made with another tokenizer", i, vocab, id)
		}
	}
	return nil
}

// order is the windows of one epoch: starts in a random order.
//
// An epoch begins at a random offset below the window's length, so that tokens meet other neighbours at the edges of
// windows each time, and visits every whole window from there exactly once.
type order struct {
	starts []int
}

func epochOrder(tokens, window int, seed uint64, epoch int) order {
	r := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15*uint64(epoch+1)))
	offset := r.IntN(window)
	// A window needs one token more than its length: the last target.
	n := (tokens - 1 - offset) / window
	if n == 0 { // fewer tokens than two windows
		offset, n = 0, (tokens-1)/window
	}
	starts := make([]int, n)
	for i := range starts {
		starts[i] = offset + i*window
	}
	r.Shuffle(n, func(i, j int) { starts[i], starts[j] = starts[j], starts[i] })
	return order{starts}
}

// cursor walks over the windows of all epochs; its position is (epoch, next).
type cursor struct {
	data   Tokens
	window int
	seed   uint64
	Epoch  int `json:"epoch"`
	Next   int `json:"next"` // windows of this epoch that were used
	order  order
	loaded bool
}

// fill writes the next len(dst)/(window+1) windows to dst.
func (c *cursor) fill(dst []int32) {
	for len(dst) > 0 {
		if !c.loaded {
			c.order, c.loaded = epochOrder(len(c.data.IDs), c.window, c.seed, c.Epoch), true
		}
		if c.Next >= len(c.order.starts) {
			c.Epoch, c.Next, c.loaded = c.Epoch+1, 0, false
			continue
		}
		at := c.order.starts[c.Next]
		for i := range c.window + 1 {
			dst[i] = int32(c.data.IDs[at+i])
		}
		dst = dst[c.window+1:]
		c.Next++
	}
}
