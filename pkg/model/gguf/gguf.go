package gguf

import (
	"bytes"
	"fmt"
	"math/bits"
	"sort"

	"github.com/illm-go/illm/pkg/mmap"
)

// Tensor describes one tensor; its bytes stay in the file.
type Tensor struct {
	Name   string
	Type   Type
	Shape  []int // row-major: [out, in] for a weight matrix
	Offset int64 // of the first byte, from the start of the file
	Size   int64 // bytes
}

// Elems is the product of the shape; Open has checked that it does not overflow.
func (t *Tensor) Elems() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// File is an open GGUF file.
type File struct {
	Version int
	path    string
	data    []byte
	file    *mmap.File
	keys    []string
	meta    map[string]value
	tensors []Tensor
	index   map[string]int
}

// Open maps the file at path and parses its header. Cost is that of walking the
// header; tensor data are not touched. Close the File when done.
func Open(path string) (*File, error) {
	m, err := mmap.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	f, err := Parse(path, m.Bytes())
	if err != nil {
		m.Close()
		return nil, err
	}
	f.file = m
	return f, nil
}

// Close unmaps the file; tensors cannot be read afterwards.
func (f *File) Close() error {
	f.data = nil
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// Path is the name the file was opened under.
func (f *File) Path() string { return f.path }

// Bytes is the whole file, read-only, valid until Close.
func (f *File) Bytes() []byte { return f.data }

const (
	minPair       = 8 + 4 + 1     // empty key, type, one byte
	minTensor     = 8 + 4 + 4 + 8 // empty name, no dimensions, type, offset
	maxDims       = 4             // GGML_MAX_DIMS
	maxAlignment  = 1 << 20       // far above any in use; keeps sums small
	maxNameLength = 1 << 10       // 64 in the specification
	magic         = "GGUF"        //
	regenerate    = "convert it again with a current converter"
)

// Parse reads the header of the GGUF file held in data, which must stay unchanged
// while the File is in use; name appears in errors.
func Parse(name string, data []byte) (*File, error) {
	f := &File{path: name, data: data}
	if err := f.parse(); err != nil {
		return nil, fmt.Errorf("gguf: open %s: %w", name, err)
	}
	return f, nil
}

func (f *File) parse() error {
	c := &cursor{data: f.data}
	if head := c.take(4, "the magic"); head != nil && !bytes.Equal(head, []byte(magic)) {
		return fmt.Errorf("not a GGUF file: expected magic %q, found %q", magic, head)
	}
	version := c.u32("the version")
	switch {
	case c.err != nil:
		return c.err
	case version == 2 || version == 3:
	case bits.ReverseBytes32(version) <= 3 && version != 0:
		return fmt.Errorf("big-endian file (version %#x): this build reads little-endian only: %s", version, regenerate)
	default:
		return fmt.Errorf("format version %d, this build reads 2–3: %s", version, regenerate)
	}
	f.Version = int(version)
	tensors := c.count("the number of tensors", minTensor)
	pairs := c.count("the number of metadata pairs", minPair)
	f.meta = make(map[string]value)
	for i := uint64(0); i < pairs && c.err == nil; i++ {
		key := string(c.str(fmt.Sprintf("key %d of %d", i, pairs)))
		v := c.value(key)
		if _, dup := f.meta[key]; dup && c.err == nil {
			return fmt.Errorf("metadata %q stands twice: the file is damaged", key)
		}
		f.keys = append(f.keys, key)
		f.meta[key] = v
	}
	if c.err != nil {
		return c.err
	}
	return f.parseTensors(c, tensors)
}

func (f *File) parseTensors(c *cursor, n uint64) error {
	align := uint64(32)
	if f.Has("general.alignment") {
		a, err := f.Int("general.alignment")
		if err != nil {
			return err
		}
		if a <= 0 || a > maxAlignment || a&(a-1) != 0 {
			return fmt.Errorf("metadata \"general.alignment\": expected a power of two up to %d, found %d", maxAlignment, a)
		}
		align = uint64(a)
	}
	f.index = make(map[string]int)
	for i := uint64(0); i < n; i++ {
		t, err := f.tensor(c, fmt.Sprintf("tensor %d of %d", i, n))
		if err != nil {
			return err
		}
		if _, dup := f.index[t.Name]; dup {
			return fmt.Errorf("tensor %q stands twice: the file is damaged", t.Name)
		}
		if uint64(t.Offset)%align != 0 {
			return fmt.Errorf("tensor %q: offset %d is no multiple of the alignment %d", t.Name, t.Offset, align)
		}
		f.index[t.Name] = len(f.tensors)
		f.tensors = append(f.tensors, t)
	}
	base := (c.off + align - 1) &^ (align - 1)
	have := uint64(len(f.data)) - min(base, uint64(len(f.data)))
	for i := range f.tensors {
		t := &f.tensors[i]
		// Offset and Size are below 2^63 each, so the sum is below 2^64.
		if end := uint64(t.Offset) + uint64(t.Size); end > have {
			return fmt.Errorf("tensor %q: its data end at byte %d of %d: the file is truncated (%d bytes are missing), fetch it again",
				t.Name, end, have, end-have)
		}
		t.Offset += int64(base)
	}
	return nil
}

// tensor reads one description; Offset is still relative to the data section.
func (f *File) tensor(c *cursor, what string) (Tensor, error) {
	name := c.str("the name of " + what)
	if len(name) > maxNameLength {
		return Tensor{}, fmt.Errorf("%s: name of %d bytes, expected at most %d", what, len(name), maxNameLength)
	}
	t := Tensor{Name: string(name)}
	dims := c.u32("the dimensions of " + what)
	if c.err == nil && (dims == 0 || dims > maxDims) {
		return t, fmt.Errorf("tensor %q: expected 1–%d dimensions, found %d", t.Name, maxDims, dims)
	}
	elems := uint64(1)
	t.Shape = make([]int, min(dims, maxDims))
	for i := len(t.Shape) - 1; i >= 0; i-- {
		d := c.u64("the shape of " + what)
		hi, lo := bits.Mul64(elems, d)
		if c.err == nil && (hi != 0 || lo > 1<<62 || d == 0 || d != uint64(int(d))) {
			return t, fmt.Errorf("tensor %q: dimension %d is %d: the shape is empty or its product exceeds 2^62", t.Name, len(t.Shape)-1-i, d)
		}
		elems, t.Shape[i] = lo, int(d)
	}
	t.Type = Type(c.u32("the type of " + what))
	offset := c.u64("the offset of " + what)
	if c.err != nil {
		return t, c.err
	}
	fm, ok := formats[t.Type]
	if !ok {
		return t, fmt.Errorf("tensor %q: storage type %d is unknown to this build", t.Name, uint32(t.Type))
	}
	if row := uint64(t.Shape[len(t.Shape)-1]); row%fm.block != 0 {
		return t, fmt.Errorf("tensor %q: rows of %d elements are no whole number of %s blocks (%d)", t.Name, row, fm.name, fm.block)
	}
	hi, size := bits.Mul64(elems/fm.block, fm.bytes)
	if hi != 0 || size > 1<<62 || offset > 1<<62 {
		return t, fmt.Errorf("tensor %q: %d elements at offset %d exceed any file", t.Name, elems, offset)
	}
	t.Offset, t.Size = int64(offset), int64(size)
	return t, nil
}

// Tensors returns the descriptions in file order; do not modify them.
func (f *File) Tensors() []Tensor { return f.tensors }

// Names returns the tensor names, sorted.
func (f *File) Names() []string {
	names := make([]string, len(f.tensors))
	for i := range f.tensors {
		names[i] = f.tensors[i].Name
	}
	sort.Strings(names)
	return names
}

// Tensor finds a tensor by name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	i, ok := f.index[name]
	if !ok {
		return nil, false
	}
	return &f.tensors[i], true
}

// Raw returns the stored bytes of t, read-only, valid until Close.
func (f *File) Raw(t *Tensor) []byte {
	return f.data[t.Offset : t.Offset+t.Size : t.Offset+t.Size]
}

// Float32 dequantises t into dst, which is grown if it is too short, and returns
// the t.Elems() values in row-major order.
func (f *File) Float32(t *Tensor, dst []float32) ([]float32, error) {
	decode, ok := decoders[t.Type]
	if !ok {
		return nil, fmt.Errorf("gguf: %s: tensor %q is stored as %s, which this build cannot read: convert the model to one of F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K",
			f.path, t.Name, t.Type)
	}
	if f.data == nil {
		return nil, fmt.Errorf("gguf: %s: tensor %q read after Close", f.path, t.Name)
	}
	n := t.Elems()
	if cap(dst) < n {
		dst = make([]float32, n)
	}
	dst = dst[:n]
	decode(dst, f.Raw(t))
	return dst, nil
}
