package fsbr

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
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

// maxTokensFile bounds a file of calibration tokens in bytes: 2^28 tokens, a thousand times
// the paper's 128 windows of 2048.
const maxTokensFile = 1 << 30

// ReadWindows reads a file of Encode's form. Its size is looked at before anything is read.
func ReadWindows(path string, length int) ([][]int32, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("fsbr: calibration tokens: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("fsbr: calibration tokens: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxTokensFile {
		return nil, fmt.Errorf("fsbr: calibration tokens %s: expected a file of at most %d bytes, found %v of %d bytes: draw fewer windows", path, maxTokensFile, info.Mode(), info.Size())
	}
	if size := info.Size(); length < 1 || length > maxTokensFile/4 || size < 4*int64(length) || size%(4*int64(length)) != 0 {
		return nil, fmt.Errorf("fsbr: calibration tokens %s: expected windows of %d tokens of 4 bytes, found %d bytes: fewer than one window, or made for another length", path, length, size)
	}
	raw := make([]byte, info.Size())
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, fmt.Errorf("fsbr: calibration tokens %s: %w: it became shorter while it was read", path, err)
	}
	ws := make([][]int32, len(raw)/4/length)
	for i := range ws {
		ws[i] = make([]int32, length)
		for j := range ws[i] {
			id := binary.LittleEndian.Uint32(raw[4*(i*length+j):])
			if id > math.MaxInt32 {
				return nil, fmt.Errorf("fsbr: calibration tokens %s: token %d of window %d is %d: expected at most %d: is it a file of tokens?", path, j, i, id, math.MaxInt32)
			}
			ws[i][j] = int32(id)
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
