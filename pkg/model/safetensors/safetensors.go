package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sort"

	"github.com/illm-go/illm/pkg/half"
	"github.com/illm-go/illm/pkg/mmap"
)

// Tensor describes one tensor; its bytes stay in the file.
type Tensor struct {
	Name   string
	Type   string // as in the file: "F32", "F16", "BF16" …
	Shape  []int
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

// typeSizes holds the bytes of an element of the types that the format names.
var typeSizes = map[string]uint64{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1,
	"U16": 2, "I16": 2, "F16": 2, "BF16": 2,
	"U32": 4, "I32": 4, "F32": 4,
	"U64": 8, "I64": 8, "F64": 8, "C64": 8,
}

var decoders = map[string]func(dst []float32, src []byte){
	"F32": half.DecodeF32, "F16": half.DecodeF16, "BF16": half.DecodeBF16,
}

// File is one open safetensors file.
type File struct {
	Metadata map[string]string
	path     string
	data     []byte
	file     *mmap.File
	tensors  map[string]*Tensor
}

// Open maps the file at path and checks its header. Close the File when done.
func Open(path string) (*File, error) {
	m, err := mmap.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	f, err := Parse(path, m.Bytes())
	if err != nil {
		m.Close()
		return nil, err
	}
	f.file = m
	return f, nil
}

// Parse reads the header of the safetensors file held in data, which must stay
// unchanged while the File is in use; name appears in errors.
func Parse(name string, data []byte) (*File, error) {
	f := &File{path: name, data: data, tensors: make(map[string]*Tensor)}
	if err := f.parse(); err != nil {
		return nil, fmt.Errorf("safetensors: open %s: %w", name, err)
	}
	return f, nil
}

// maxHeader is the format's own limit.
const maxHeader = 100_000_000

// maxRank is far above any tensor in use.
const maxRank = 16

func (f *File) parse() error {
	if len(f.data) < 8 {
		return fmt.Errorf("expected 8 bytes of header length, the file has %d: it is truncated, fetch it again", len(f.data))
	}
	n := binary.LittleEndian.Uint64(f.data)
	rest := f.data[8:]
	if n > maxHeader {
		return fmt.Errorf("not a safetensors file: header of %d bytes, the format allows %d", n, maxHeader)
	}
	if n > uint64(len(rest)) {
		return fmt.Errorf("header of %d bytes, the file ends after %d: it is truncated, fetch it again", n, len(rest))
	}
	var header map[string]json.RawMessage
	if err := decodeOne(rest[:n], &header); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	base := 8 + n
	for name, raw := range header {
		if name == "__metadata__" {
			if err := json.Unmarshal(raw, &f.Metadata); err != nil {
				return fmt.Errorf("header entry %q: %w", name, err)
			}
			continue
		}
		t, err := tensor(name, raw, uint64(len(rest))-n)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		t.Offset += int64(base)
		f.tensors[name] = t
	}
	return f.overlaps()
}

// decodeOne decodes exactly one JSON value; blanks may follow it (files are padded so).
func decodeOne(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

// tensor checks one entry against the number of data bytes.
func tensor(name string, raw json.RawMessage, have uint64) (*Tensor, error) {
	var e struct {
		Type    string   `json:"dtype"`
		Shape   []uint64 `json:"shape"`
		Offsets []uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	size, ok := typeSizes[e.Type]
	if !ok {
		return nil, fmt.Errorf("type %q is unknown to this build", e.Type)
	}
	if len(e.Shape) > maxRank {
		return nil, fmt.Errorf("expected at most %d dimensions, found %d", maxRank, len(e.Shape))
	}
	if len(e.Offsets) != 2 || e.Offsets[0] > e.Offsets[1] {
		return nil, fmt.Errorf("data_offsets: expected [begin, end], found %v", e.Offsets)
	}
	begin, end := e.Offsets[0], e.Offsets[1]
	if end > have {
		return nil, fmt.Errorf("its data end at byte %d of %d: the file is truncated (%d bytes are missing), fetch it again", end, have, end-have)
	}
	t := &Tensor{Name: name, Type: e.Type, Shape: make([]int, len(e.Shape)), Offset: int64(begin), Size: int64(end - begin)}
	need := size
	for i, d := range e.Shape {
		hi, lo := bits.Mul64(need, d)
		if hi != 0 || lo > 1<<62 || d != uint64(int(d)) {
			return nil, fmt.Errorf("shape %v: its product overflows", e.Shape)
		}
		need, t.Shape[i] = lo, int(d)
	}
	if need != end-begin {
		return nil, fmt.Errorf("shape %v of %s takes %d bytes, data_offsets give %d", e.Shape, e.Type, need, end-begin)
	}
	return t, nil
}

// overlaps refuses two tensors on the same bytes.
func (f *File) overlaps() error {
	list := make([]*Tensor, 0, len(f.tensors))
	for _, t := range f.tensors {
		if t.Size > 0 {
			list = append(list, t)
		}
	}
	sort.Slice(list, func(i, j int) bool {
		return list[i].Offset < list[j].Offset || list[i].Offset == list[j].Offset && list[i].Name < list[j].Name
	})
	for i := 1; i < len(list); i++ {
		if a, b := list[i-1], list[i]; a.Offset+a.Size > b.Offset {
			return fmt.Errorf("tensors %q and %q overlap: the file is damaged", a.Name, b.Name)
		}
	}
	return nil
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

// Names returns the tensor names, sorted.
func (f *File) Names() []string {
	names := make([]string, 0, len(f.tensors))
	for n := range f.tensors {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Tensor finds a tensor by name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	t, ok := f.tensors[name]
	return t, ok
}

// Raw returns the stored bytes of t, read-only, valid until Close.
func (f *File) Raw(t *Tensor) []byte {
	return f.data[t.Offset : t.Offset+t.Size : t.Offset+t.Size]
}

// Float32 converts t into dst, which is grown if it is too short, and returns the
// t.Elems() values in row-major order. Widening is exact.
func (f *File) Float32(t *Tensor, dst []float32) ([]float32, error) {
	decode, ok := decoders[t.Type]
	if !ok {
		return nil, fmt.Errorf("safetensors: %s: tensor %q is stored as %s, this build reads F32, F16 and BF16", f.path, t.Name, t.Type)
	}
	if f.data == nil {
		return nil, fmt.Errorf("safetensors: %s: tensor %q read after Close", f.path, t.Name)
	}
	n := t.Elems()
	if cap(dst) < n {
		dst = make([]float32, n)
	}
	dst = dst[:n]
	decode(dst, f.Raw(t))
	return dst, nil
}
