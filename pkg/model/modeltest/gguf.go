// Package modeltest writes small model files for tests: GGUF and safetensors, valid
// or, where a field says so, broken on purpose. It knows the formats by itself and
// imports no reader, so that a reader is tested against a second opinion.
package modeltest

import (
	"encoding/binary"
	"fmt"
	"math"
)

// GGUF describes a file; the zero Version means 3.
type GGUF struct {
	Version uint32
	Pairs   []Pair
	Tensors []Tensor

	// Claims replace what the header announces when not zero.
	ClaimPairs, ClaimTensors uint64
}

// Pair is one metadata entry: Value is a string, bool, int (written as uint32),
// int64, uint64, float32, float64, []string, []int32 or []float32.
type Pair struct {
	Key   string
	Value any
}

// KV is a Pair.
func KV(key string, value any) Pair { return Pair{key, value} }

// Tensor is one tensor. Shape is row-major; the file has it reversed.
type Tensor struct {
	Name  string
	Type  uint32
	Shape []uint64
	Data  []byte
	// ClaimOffset replaces the offset when not zero.
	ClaimOffset uint64
}

// F32 is a float32 tensor.
func F32(name string, v []float32, shape ...uint64) Tensor {
	return Tensor{Name: name, Shape: shape, Data: Float32Bytes(v)}
}

// Float32Bytes is v little-endian.
func Float32Bytes(v []float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

const align = 32

// Bytes returns the file. It panics on a value of another type: a broken test.
func (g GGUF) Bytes() []byte {
	le := binary.LittleEndian
	version := g.Version
	if version == 0 {
		version = 3
	}
	claim := func(n int, c uint64) uint64 {
		if c != 0 {
			return c
		}
		return uint64(n)
	}
	b := le.AppendUint32([]byte("GGUF"), version)
	b = le.AppendUint64(b, claim(len(g.Tensors), g.ClaimTensors))
	b = le.AppendUint64(b, claim(len(g.Pairs), g.ClaimPairs))
	for _, p := range g.Pairs {
		b = appendValue(appendString(b, p.Key), p.Value)
	}
	offset := uint64(0)
	for _, t := range g.Tensors {
		b = appendString(b, t.Name)
		b = le.AppendUint32(b, uint32(len(t.Shape)))
		for i := len(t.Shape) - 1; i >= 0; i-- {
			b = le.AppendUint64(b, t.Shape[i])
		}
		b = le.AppendUint32(b, t.Type)
		at := offset
		if t.ClaimOffset != 0 {
			at = t.ClaimOffset
		}
		b = le.AppendUint64(b, at)
		offset += (uint64(len(t.Data)) + align - 1) &^ (align - 1)
	}
	for _, t := range g.Tensors {
		b = pad(b)
		b = append(b, t.Data...)
	}
	return b
}

func pad(b []byte) []byte {
	for len(b)%align != 0 {
		b = append(b, 0)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func appendValue(b []byte, v any) []byte {
	le := binary.LittleEndian
	array := func(elem uint32, n int) {
		b = le.AppendUint64(le.AppendUint32(le.AppendUint32(b, 9), elem), uint64(n))
	}
	switch v := v.(type) {
	case string:
		return appendString(le.AppendUint32(b, 8), v)
	case bool:
		x := byte(0)
		if v {
			x = 1
		}
		return append(le.AppendUint32(b, 7), x)
	case int:
		return le.AppendUint32(le.AppendUint32(b, 4), uint32(v))
	case int64:
		return le.AppendUint64(le.AppendUint32(b, 11), uint64(v))
	case uint64:
		return le.AppendUint64(le.AppendUint32(b, 10), v)
	case float32:
		return le.AppendUint32(le.AppendUint32(b, 6), math.Float32bits(v))
	case float64:
		return le.AppendUint64(le.AppendUint32(b, 12), math.Float64bits(v))
	case []string:
		array(8, len(v))
		for _, s := range v {
			b = appendString(b, s)
		}
		return b
	case []int32:
		array(5, len(v))
		for _, x := range v {
			b = le.AppendUint32(b, uint32(x))
		}
		return b
	case []float32:
		array(6, len(v))
		return append(b, Float32Bytes(v)...)
	}
	panic(fmt.Sprintf("modeltest: no GGUF kind for %T", v))
}
