package tasks

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Choose picks n of the set's items, in the order of the file; n = 0 or more than there are: all.
//
// The items are those with the smallest SHA-256 of seed (8 bytes), row (8 bytes, both little-endian) and the task's
// name: the same on every platform and for every model, and a smaller choice is part of a larger one.
func (s *Set) Choose(n int, seed uint64) []Item {
	if n <= 0 || n >= len(s.Items) {
		return s.Items
	}
	type ranked struct {
		key [sha256.Size]byte
		at  int
	}
	order := make([]ranked, len(s.Items))
	for i, it := range s.Items {
		b := binary.LittleEndian.AppendUint64(nil, seed)
		b = binary.LittleEndian.AppendUint64(b, uint64(it.Row))
		order[i] = ranked{sha256.Sum256(append(b, s.Task.Name...)), i}
	}
	slices.SortFunc(order, func(a, b ranked) int {
		return cmp.Or(bytes.Compare(a.key[:], b.key[:]), cmp.Compare(a.at, b.at))
	})
	order = order[:n]
	slices.SortFunc(order, func(a, b ranked) int { return cmp.Compare(a.at, b.at) })
	out := make([]Item, n)
	for i, r := range order {
		out[i] = s.Items[r.at]
	}
	return out
}
