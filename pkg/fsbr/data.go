package fsbr

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
)

// MaxWindows bounds the windows of a calibration; the paper has 128.
const MaxWindows = 1 << 16

// DrawWindows cuts n windows of the given length from ids at random offsets: the generator is PCG seeded with
// (seed, "fsbr"), an offset is uniform over all that leave a whole window. Windows may overlap.
func DrawWindows(ids []int32, n, length int, seed uint64) ([][]int32, error) {
	if length < 1 || len(ids) < length {
		return nil, fmt.Errorf("fsbr: calibration windows: expected at least one window of %d tokens, found %d tokens: take a longer text or a shorter window", length, len(ids))
	}
	if n < 1 || n > MaxWindows {
		return nil, fmt.Errorf("fsbr: calibration windows: expected 1 to %d, found %d", MaxWindows, n)
	}
	r := rand.New(rand.NewPCG(seed, 0x66736272))
	ws := make([][]int32, n)
	for i := range ws {
		at := r.IntN(len(ids) - length + 1)
		ws[i] = ids[at : at+length]
	}
	return ws, nil
}

// Encode is the form of windows in files: ids as little-endian uint32, one window after the other. The sha256 of these
// bytes identifies a calibration.
func Encode(windows [][]int32) []byte {
	var b []byte
	for _, w := range windows {
		for _, id := range w {
			b = binary.LittleEndian.AppendUint32(b, uint32(id))
		}
	}
	return b
}

// ReadWindows reads a file of Encode's form.
func ReadWindows(path string, length int) ([][]int32, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("fsbr: calibration tokens: %w", err)
	}
	if length < 1 || len(raw) < 4*length || len(raw)%(4*length) != 0 {
		return nil, fmt.Errorf("fsbr: calibration tokens %s: expected windows of %d tokens of 4 bytes, found %d bytes: fewer than one window, or made for another length", path, length, len(raw))
	}
	ws := make([][]int32, len(raw)/4/length)
	for i := range ws {
		ws[i] = make([]int32, length)
		for j := range ws[i] {
			ws[i][j] = int32(binary.LittleEndian.Uint32(raw[4*(i*length+j):]))
		}
	}
	return ws, nil
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// order is the order of n windows in an epoch of a block.
func order(n int, seed uint64, block, epoch int) []int {
	r := rand.New(rand.NewPCG(seed, uint64(block)<<32|uint64(epoch)))
	return r.Perm(n)
}
