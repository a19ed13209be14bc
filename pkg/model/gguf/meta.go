package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// Kind is the type of a metadata value, numbered as in the file.
type Kind uint32

// The kinds of metadata values.
const (
	Uint8 Kind = iota
	Int8
	Uint16
	Int16
	Uint32
	Int32
	Float32
	Bool
	String
	Array
	Uint64
	Int64
	Float64
	kinds
)

var kindNames = [kinds]string{"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array", "uint64", "int64", "float64"}

// kindSizes holds the bytes of one element; 0: variable.
var kindSizes = [kinds]uint64{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint32(k))
}

// value is a metadata value as it stands in the file, checked to lie within it.
// A scalar has n = 1 and elem = kind; strings include their length prefix.
type value struct {
	kind, elem Kind
	n          uint64
	raw        []byte
}

// maxDepth bounds arrays of arrays; real files have none.
const maxDepth = 4

func (c *cursor) value(key string) value {
	v := value{kind: Kind(c.u32("type of " + key)), n: 1}
	start := c.off
	v.elem = v.kind
	if v.kind == Array {
		v.elem = Kind(c.u32("element type of " + key))
		v.n = c.count("length of "+key, minBytes(v.elem))
		start = c.off
	}
	c.skip(v.elem, v.n, key, 1)
	if c.err == nil {
		v.raw = c.data[start:c.off:c.off]
	}
	return v
}

// minBytes is the least room that one element takes.
func minBytes(k Kind) uint64 {
	switch {
	case k == String:
		return 8
	case k == Array:
		return 12
	case k < kinds:
		return kindSizes[k]
	}
	return 1 // unknown kinds are refused by skip
}

// skip passes over n elements of kind k; n has been checked against the bytes left.
func (c *cursor) skip(k Kind, n uint64, key string, depth int) {
	switch {
	case c.err != nil:
	case k >= kinds:
		c.failf("metadata %q: expected a value type 0–%d, found %d", key, kinds-1, uint32(k))
	case k == String:
		for ; n > 0 && c.err == nil; n-- {
			c.str(key)
		}
	case k == Array:
		if depth >= maxDepth {
			c.failf("metadata %q: arrays nested deeper than %d", key, maxDepth)
			return
		}
		for ; n > 0 && c.err == nil; n-- {
			elem := Kind(c.u32("element type of " + key))
			m := c.count("length of "+key, minBytes(elem))
			c.skip(elem, m, key, depth+1)
		}
	default:
		c.take(n*kindSizes[k], key)
	}
}

// MissingError reports a metadata key that the file does not have.
type MissingError struct{ Path, Key string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("gguf: %s: no metadata %q: the file is incomplete, convert the model again", e.Path, e.Key)
}

// Has reports whether the file has metadata under key.
func (f *File) Has(key string) bool { _, ok := f.meta[key]; return ok }

// Keys returns the metadata keys in file order.
func (f *File) Keys() []string { return append([]string(nil), f.keys...) }

// Kind returns the kind of the value under key, and of its elements if it is an array.
func (f *File) Kind(key string) (kind, elem Kind, ok bool) {
	v, ok := f.meta[key]
	return v.kind, v.elem, ok
}

func (f *File) lookup(key, want string, ok func(value) bool) (value, error) {
	v, found := f.meta[key]
	if !found {
		return v, &MissingError{f.path, key}
	}
	if !ok(v) {
		have := v.kind.String()
		if v.kind == Array {
			have = "array of " + v.elem.String()
		}
		return v, fmt.Errorf("gguf: %s: metadata %q: expected %s, found %s", f.path, key, want, have)
	}
	return v, nil
}

// String returns the string under key (a copy, valid after Close).
func (f *File) String(key string) (string, error) {
	v, err := f.lookup(key, "a string", func(v value) bool { return v.kind == String })
	if err != nil {
		return "", err
	}
	return string(v.raw[8:]), nil
}

// Bool returns the truth value under key.
func (f *File) Bool(key string) (bool, error) {
	v, err := f.lookup(key, "a bool", func(v value) bool { return v.kind == Bool })
	if err != nil {
		return false, err
	}
	return v.raw[0] != 0, nil
}

// Int returns the integer under key, of whatever width and sign.
func (f *File) Int(key string) (int64, error) {
	v, err := f.lookup(key, "an integer", func(v value) bool { return v.kind != Array && isInt(v.kind) })
	if err != nil {
		return 0, err
	}
	n, ok := intAt(v, 0)
	if !ok {
		return 0, fmt.Errorf("gguf: %s: metadata %q: the unsigned value does not fit 63 bits", f.path, key)
	}
	return n, nil
}

// Decimal returns the float under key in the shortest decimal form that denotes
// it at its own width: the float32 nearest to 1e-5 gives "1e-05", as its author
// wrote it, and not 9.999999747378752e-06.
func (f *File) Decimal(key string) (string, error) {
	v, err := f.lookup(key, "a float", func(v value) bool { return v.kind == Float32 || v.kind == Float64 })
	if err != nil {
		return "", err
	}
	if v.kind == Float32 {
		x := math.Float32frombits(binary.LittleEndian.Uint32(v.raw))
		return strconv.FormatFloat(float64(x), 'g', -1, 32), nil
	}
	return strconv.FormatFloat(math.Float64frombits(binary.LittleEndian.Uint64(v.raw)), 'g', -1, 64), nil
}

// Float returns the value of [File.Decimal] as float64.
func (f *File) Float(key string) (float64, error) {
	s, err := f.Decimal(key)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(s, 64)
}

// Strings returns the array of strings under key. The strings share one copied
// buffer, valid after Close.
func (f *File) Strings(key string) ([]string, error) {
	v, err := f.lookup(key, "an array of strings", func(v value) bool { return v.kind == Array && v.elem == String })
	if err != nil {
		return nil, err
	}
	all := string(v.raw)
	out := make([]string, 0, v.n) // n ≤ bytes in the file / 8, checked by value
	for off := uint64(0); off < uint64(len(all)); {
		n := binary.LittleEndian.Uint64(v.raw[off:])
		out = append(out, all[off+8:off+8+n])
		off += 8 + n
	}
	return out, nil
}

// Ints returns the array of integers under key.
func (f *File) Ints(key string) ([]int64, error) {
	v, err := f.lookup(key, "an array of integers", func(v value) bool { return v.kind == Array && isInt(v.elem) })
	if err != nil {
		return nil, err
	}
	out := make([]int64, v.n)
	for i := range out {
		n, ok := intAt(v, uint64(i))
		if !ok {
			return nil, fmt.Errorf("gguf: %s: metadata %q: element %d does not fit 63 bits", f.path, key, i)
		}
		out[i] = n
	}
	return out, nil
}

func isInt(k Kind) bool {
	return k <= Int32 || k == Uint64 || k == Int64
}

// intAt reads element i of an integer value.
func intAt(v value, i uint64) (int64, bool) {
	size := kindSizes[v.elem]
	var u uint64
	for b, x := range v.raw[i*size : (i+1)*size] {
		u |= uint64(x) << (8 * b)
	}
	switch v.elem {
	case Int8:
		return int64(int8(u)), true
	case Int16:
		return int64(int16(u)), true
	case Int32:
		return int64(int32(u)), true
	case Int64:
		return int64(u), true
	}
	return int64(u), u <= math.MaxInt64
}
