package artifact

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"unsafe"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/mmap"
	"github.com/illm-go/illm/pkg/quant"
)

// Limits of the payload's integers, below which no operator of package di overflows.
const (
	maxBias  = 1 << 23
	maxGamma = 1 << 23
	maxBeta  = 1 << 59
)

// File is an open artefact. Its slices are views of the mapped file and die
// with Close.
type File struct {
	Header Header
	Path   string
	ID     string // sha256 of prologue and header, in hex

	file    *mmap.File
	data    []byte
	pro     prologue
	linears map[string]*Linear
	norms   map[string]*Norm
	heads   map[string]*HeadNorm
	glus    map[string]*GLU
}

// Open maps the artefact at path and checks all but the payload's checksum.
func Open(path string) (*File, error) {
	m, err := mmap.Open(path)
	if err != nil {
		return nil, fmt.Errorf("artifact: %w", err)
	}
	f, err := parse(m.Bytes())
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("artifact: open %s: %w", path, err)
	}
	f.Path, f.file = path, m
	return f, nil
}

func parse(data []byte) (*File, error) {
	p, err := decodePrologue(data)
	if err != nil {
		return nil, err
	}
	size := uint64(len(data))
	if p.headerLen > maxHeaderBytes || p.headerOffset < prologueBytes || p.headerOffset > size || uint64(p.headerLen) != size-p.headerOffset {
		return nil, fmt.Errorf("expected a header of %d bytes at %d, found a file of %d bytes: %w (truncated?): run \"illm quantize\" again",
			p.headerLen, p.headerOffset, size, ErrCorrupt)
	}
	head := data[p.headerOffset:]
	if sha256.Sum256(head) != p.headerHash {
		return nil, fmt.Errorf("the header's sha256 differs from the prologue's: %w: run \"illm quantize\" again", ErrCorrupt)
	}
	f := &File{pro: p, ID: identity(&p)}
	dec := json.NewDecoder(bytes.NewReader(head))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f.Header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := f.Header.check(int64(p.headerOffset)); err != nil {
		return nil, err
	}
	f.data = data
	f.index()
	return f, nil
}

func (f *File) index() {
	f.linears, f.norms, f.glus = map[string]*Linear{}, map[string]*Norm{}, map[string]*GLU{}
	f.heads = map[string]*HeadNorm{}
	for i := range f.Header.HeadNorms {
		f.heads[f.Header.HeadNorms[i].Name] = &f.Header.HeadNorms[i]
	}
	for i := range f.Header.Linears {
		f.linears[f.Header.Linears[i].Name] = &f.Header.Linears[i]
	}
	for i := range f.Header.Norms {
		f.norms[f.Header.Norms[i].Name] = &f.Header.Norms[i]
	}
	for i := range f.Header.GLUs {
		f.glus[f.Header.GLUs[i].Name] = &f.Header.GLUs[i]
	}
}

func identity(p *prologue) string {
	h := sha256.New()
	h.Write(p.encode())
	return hex.EncodeToString(h.Sum(nil))
}

// Close unmaps the file.
func (f *File) Close() error {
	f.data = nil
	return f.file.Close()
}

// Settle moves the content to memory of huge pages, at the same addresses, and reports whether it is there (see
// mmap.File.Settle): decoding reads every weight once a token.
func (f *File) Settle() bool { return f.file.Settle() }

// Size is the length of the file in bytes.
func (f *File) Size() int64 { return int64(len(f.data)) }

// Verify reads the whole payload and compares its sha256 with the prologue's.
func (f *File) Verify() error {
	if sha256.Sum256(f.data[prologueBytes:f.pro.headerOffset]) != f.pro.payloadHash {
		return fmt.Errorf("artifact: verify %s: the payload's sha256 differs from the one recorded: %w: run \"illm quantize\" again", f.Path, ErrCorrupt)
	}
	return nil
}

// Linear returns the matrix of that name, panel and parameters as views; SumW
// is nil for widths below 8 (the engine sums the panel when it loads).
func (f *File) Linear(name string, out, in int) (*quant.Linear, error) {
	e := f.linears[name]
	if e == nil {
		return nil, fmt.Errorf("artifact: %s: no linear %q in this file", f.Path, name)
	}
	if e.Out != out || e.In != in {
		return nil, fmt.Errorf("artifact: %s: linear %q: expected shape [%d, %d], found [%d, %d]", f.Path, name, out, in, e.Out, e.In)
	}
	l := &quant.Linear{In: e.In, Out: e.Out, Bits: e.Bits, KW: e.KW, KB: e.KB,
		Panel: f.bytes(e.Panel), Zero: f.bytes(e.Zero), M: view[int32](f.bytes(e.M))}
	if e.Bits == 8 {
		l.SumW = view[int32](f.bytes(e.SumW))
	}
	if e.Bias.Bytes > 0 {
		l.Bias = view[int32](f.bytes(e.Bias))
		for j, b := range l.Bias {
			if b <= -maxBias || b >= maxBias {
				return nil, fmt.Errorf("artifact: %s: linear %q: bias of channel %d is %d: expected below 2^23 in magnitude: %w", f.Path, name, j, b, ErrCorrupt)
			}
		}
	}
	return l, nil
}

// Norm returns the normalisation of that name.
func (f *File) Norm(name string, n int) (*di.Norm, error) {
	e := f.norms[name]
	if e == nil {
		return nil, fmt.Errorf("artifact: %s: no norm %q in this file", f.Path, name)
	}
	if e.N != n {
		return nil, fmt.Errorf("artifact: %s: norm %q: expected %d channels, found %d", f.Path, name, n, e.N)
	}
	d := &di.Norm{Gamma: view[int32](f.bytes(e.Gamma)), KGamma: e.KGamma, E: e.E, Layer: e.Layer, KR: f.Header.KR}
	if err := f.checkGamma(name, d.Gamma); err != nil {
		return nil, err
	}
	if e.Beta.Bytes > 0 {
		d.Beta = view[int64](f.bytes(e.Beta))
		for c, b := range d.Beta {
			if b <= -maxBeta || b >= maxBeta {
				return nil, fmt.Errorf("artifact: %s: norm %q: beta of channel %d is %d: expected below 2^59 in magnitude: %w", f.Path, name, c, b, ErrCorrupt)
			}
		}
	}
	return d, nil
}

func (f *File) checkGamma(name string, gamma []int32) error {
	for c, g := range gamma {
		if g < -maxGamma || g > maxGamma {
			return fmt.Errorf("artifact: %s: norm %q: gamma of channel %d is %d: expected at most 2^23 in magnitude: %w", f.Path, name, c, g, ErrCorrupt)
		}
	}
	return nil
}

// HeadNorm returns the head norm of that name, nil where the model has none.
func (f *File) HeadNorm(name string) (*di.HeadNorm, error) {
	e := f.heads[name]
	if e == nil {
		return nil, nil
	}
	d := &di.HeadNorm{Gamma: view[int32](f.bytes(e.Gamma)), KGamma: e.KGamma, Eps: dyadic.Scale{M: e.EpsM, K: e.EpsK}}
	return d, f.checkGamma(name, d.Gamma)
}

// GLU returns the act-smooth factors of that name; without any, α = 1.
func (f *File) GLU(name string, n int) (*di.GLU, error) {
	e := f.glus[name]
	if e == nil {
		return &di.GLU{}, nil
	}
	if e.N != n {
		return nil, fmt.Errorf("artifact: %s: glu %q: expected %d channels, found %d", f.Path, name, n, e.N)
	}
	return &di.GLU{Alpha: view[int32](f.bytes(e.Alpha)), KAlpha: e.KAlpha}, nil
}

// Embed16 returns the second embedding table, nil where the artefact has none.
func (f *File) Embed16() *di.Table16 { return f.table16(f.Header.Embed16) }

// Positions16 returns the table of learned positions of emb16, nil where the artefact has none.
func (f *File) Positions16() *di.Table16 { return f.table16(f.Header.Positions16) }

func (f *File) table16(e *Table16) *di.Table16 {
	if e == nil {
		return nil
	}
	return &di.Table16{Rows: e.Rows, Cols: e.Cols, Codes: view[int16](f.bytes(e.Codes)), M: view[uint16](f.bytes(e.M)), K: view[int8](f.bytes(e.K))}
}

// Phi returns the RoPE phases per position, in turns of 2^-64; none for learned positions.
func (f *File) Phi() []uint64 { return view[uint64](f.bytes(f.Header.Phi)) }

// Tokenizer returns the marshalled tokenizer, empty where the model has none.
func (f *File) Tokenizer() []byte { return f.bytes(f.Header.Tokenizer) }

func (f *File) bytes(s Section) []byte {
	return f.data[s.Offset : s.Offset+s.Bytes : s.Offset+s.Bytes]
}

// view reinterprets little-endian bytes as integers: without a copy where the
// machine is little-endian and the bytes are aligned, else by decoding.
func view[T int8 | int16 | uint16 | int32 | int64 | uint64](b []byte) []T {
	var zero T
	n := len(b) / int(unsafe.Sizeof(zero))
	if n == 0 {
		return nil
	}
	p := unsafe.Pointer(&b[0])
	if littleEndian() && uintptr(p)%unsafe.Alignof(zero) == 0 {
		return unsafe.Slice((*T)(p), n)
	}
	out := make([]T, n)
	if _, err := binary.Decode(b, binary.LittleEndian, out); err != nil {
		panic("artifact: view: " + err.Error()) // lengths were checked at open
	}
	return out
}

func littleEndian() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}

// HasMagic reports whether r begins as an artefact does.
func HasMagic(r io.Reader) bool {
	var b [len(magic)]byte
	_, err := io.ReadFull(r, b[:])
	return err == nil && string(b[:]) == magic
}
