package gptq

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"math"
	"slices"
	"strings"
)

// Ratios are the clipping ratios of one linear, [out], rounded to half precision:
// min' = Lo·min(0, min W_j), max' = Hi·max(0, max W_j).
type Ratios struct{ Lo, Hi []float32 }

// Linear is what was chosen for one linear.
type Linear struct {
	Clip Ratios
	Loss float64 // Σ over the rows of (w − ŵ)ᵀH(w − ŵ), H damped; to nearest: Σ(w − ŵ)²

	out, in, bits int
	codes         []uint8
	scale, zero   []float64
	source        [sha256.Size]byte // of the weights
}

// Result is a calibration: codes of every linear of the blocks, and what goes with them.
type Result struct {
	Hash     string             // sha256 of the token ids as little-endian uint32, windows in order
	Linears  map[string]*Linear // by name without ".weight"
	Ratios   map[string][]int32 // range ratios, by site one Q15 integer a layer; nil: all 1
	Residual float64            // largest |h| of the quantised model's residual stream, between the blocks and within them
}

// Round gives the codes of a linear on the grids on which they were chosen: a ptq.Rounder. A trailing ".weight" of the
// name is ignored.
//
// It refuses weights that are not those that were calibrated, and grids other than those of the ratios in Clip
// (step within 10⁻⁹, zero point exactly): codes are worth nothing there.
func (r *Result) Round(name string, w []float32, out, in, bits int, scale, zero []float64) ([]uint8, error) {
	name = strings.TrimSuffix(name, ".weight")
	l, ok := r.Linears[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("gptq: round %s: expected a linear of the calibrated blocks, found none of this name", name)
	case out != l.out || in != l.in || bits != l.bits:
		return nil, fmt.Errorf("gptq: round %s: expected [%d, %d] at %d bits as calibrated, found [%d, %d] at %d bits: calibrate for this recipe", name, l.out, l.in, l.bits, out, in, bits)
	case len(w) != out*in || len(scale) != out || len(zero) != out:
		return nil, fmt.Errorf("gptq: round %s: expected %d weights and %d steps and zero points, found %d, %d and %d", name, out*in, out, len(w), len(scale), len(zero))
	case digest(w) != l.source:
		return nil, fmt.Errorf("gptq: round %s: these are not the weights that were calibrated: apply the same smoothing before", name)
	}
	for j, s := range scale {
		if !(math.Abs(s-l.scale[j]) <= 1e-9*l.scale[j]) || zero[j] != l.zero[j] {
			return nil, fmt.Errorf("gptq: round %s: channel %d: expected step %g and zero point %g as calibrated, found %g and %g: use the clipping ratios of the calibration", name, j, l.scale[j], l.zero[j], s, zero[j])
		}
	}
	return slices.Clone(l.codes), nil
}

// Values returns the values (code − zero)·scale of a linear, [out][in], and whether it was calibrated.
func (r *Result) Values(name string, dst []float32) ([]float32, bool) {
	l, ok := r.Linears[strings.TrimSuffix(name, ".weight")]
	if !ok {
		return nil, false
	}
	dst = grow(dst, len(l.codes))
	for i, c := range l.codes {
		j := i / l.in
		dst[i] = float32(float64((float64(c) - l.zero[j]) * l.scale[j]))
	}
	return dst, true
}

// Digest is the sha256 of all that Calibrate decides: equal digests, equal artefacts.
func (r *Result) Digest() string {
	h := sha256.New()
	fmt.Fprintln(h, r.Hash)
	for _, name := range slices.Sorted(maps.Keys(r.Linears)) {
		l := r.Linears[name]
		fmt.Fprintln(h, name, l.out, l.in, l.bits)
		h.Write(l.codes)
		put(h, l.scale)
		put(h, l.zero)
		put(h, l.Clip.Lo)
		put(h, l.Clip.Hi)
	}
	for _, site := range slices.Sorted(maps.Keys(r.Ratios)) {
		fmt.Fprintln(h, site, r.Ratios[site])
	}
	fmt.Fprintln(h, math.Float64bits(r.Residual))
	return hex.EncodeToString(h.Sum(nil))
}

func put(h hash.Hash, v any) { _ = binary.Write(h, binary.LittleEndian, v) } // a hash never fails

// digest identifies weights.
func digest(w []float32) (sum [sha256.Size]byte) {
	h := sha256.New()
	var buf [4096]byte
	for len(w) > 0 {
		n := min(len(w), len(buf)/4)
		for i, v := range w[:n] {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
		h.Write(buf[:4*n])
		w = w[n:]
	}
	h.Sum(sum[:0])
	return sum
}

// tokenHash is the calibration hash of token windows.
func tokenHash(windows [][]int32) string {
	h := sha256.New()
	for _, w := range windows {
		put(h, w) // ids are not negative: the same bytes as uint32
	}
	return hex.EncodeToString(h.Sum(nil))
}
