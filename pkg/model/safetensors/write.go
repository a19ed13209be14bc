package safetensors

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/illm-go/illm/pkg/half"
)

// NamedTensor is one tensor to write. Its values, in row-major order, come from
// Values or, so that a large model need not lie in memory at once, from Load, which
// is called once, in the order of the list, and may use dst for its result.
type NamedTensor struct {
	Name   string
	Type   string // "F32", "F16" or "BF16"
	Shape  []int
	Values []float32
	Load   func(dst []float32) ([]float32, error) // used if it is not nil
}

// encoders narrow values to nearest, ties to even, and append them little-endian.
var encoders = map[string]func(b []byte, v float32) []byte{
	"F32":  func(b []byte, v float32) []byte { return binary.LittleEndian.AppendUint32(b, math.Float32bits(v)) },
	"F16":  func(b []byte, v float32) []byte { return binary.LittleEndian.AppendUint16(b, half.ToF16(v)) },
	"BF16": func(b []byte, v float32) []byte { return binary.LittleEndian.AppendUint16(b, half.ToBF16(v)) },
}

// overflow holds the first magnitude that no longer rounds to a finite value of the type.
var overflow = map[string]float64{"F32": math.Inf(1), "F16": 65520, "BF16": 0x1.ffp127}

// Write writes a file with the tensors in the given order and the metadata
// {"format": "pt"} that the Python libraries ask for. The bytes depend on the
// arguments alone. A value that is infinite, no number, or beyond the range of its
// type is an error that names tensor, place and value. The file appears under its
// name when it is complete; on an error nothing is left behind.
//
// Source: the format description in the safetensors repository.
func Write(path string, tensors []NamedTensor) error { return WriteMeta(path, nil, tensors) }

// Encode writes the bytes of Write, with metadata meta beside the format, to w.
func Encode(w io.Writer, meta map[string]string, tensors []NamedTensor) error {
	header, _, err := writeHeader(meta, tensors)
	if err == nil {
		err = writeAll(w, header, tensors)
	}
	if err != nil {
		return fmt.Errorf("safetensors: encode: %w", err)
	}
	return nil
}

// WriteMeta is Write with metadata meta beside {"format": "pt"}, in order of its keys.
func WriteMeta(path string, meta map[string]string, tensors []NamedTensor) error {
	fail := func(err error) error { return fmt.Errorf("safetensors: write %s: %w", path, err) }
	header, size, err := writeHeader(meta, tensors)
	if err != nil {
		return fail(err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fail(err)
	}
	done := false
	defer func() {
		if !done { // an error, or a panic in a Load
			f.Close() // a second Close does no harm
			os.Remove(f.Name())
		}
	}()
	buf := bufio.NewWriterSize(f, 1<<20)
	err = writeAll(buf, header, tensors)
	if err == nil {
		err = buf.Flush()
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fail(advise(err, size))
	}
	done = true
	return nil
}

// advise adds what to do where the disk is full.
func advise(err error, size uint64) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: the file takes %d bytes, make room or name another folder", err, size)
	}
	return err
}

// writeHeader returns length and JSON of the header, and the size of the file.
func writeHeader(meta map[string]string, tensors []NamedTensor) (header []byte, size uint64, err error) {
	var j strings.Builder
	all := map[string]string{}
	maps.Copy(all, meta)
	all["format"] = "pt"
	text, err := json.Marshal(all) // in order of the keys
	if err != nil {
		return nil, 0, fmt.Errorf("metadata: %w", err)
	}
	fmt.Fprintf(&j, `{"__metadata__":%s`, text)
	seen := map[string]bool{"__metadata__": true}
	begin := uint64(0)
	for _, t := range tensors {
		if t.Name == "" || seen[t.Name] {
			return nil, 0, fmt.Errorf("tensor %q: expected a name of its own", t.Name)
		}
		seen[t.Name] = true
		if encoders[t.Type] == nil {
			return nil, 0, fmt.Errorf("tensor %q: expected type F32, F16 or BF16, found %q", t.Name, t.Type)
		}
		end := begin
		if n, err := elems(t.Shape); err != nil {
			return nil, 0, fmt.Errorf("tensor %q: %w", t.Name, err)
		} else if end += n * typeSizes[t.Type]; end > 1<<62 {
			return nil, 0, fmt.Errorf("tensor %q: the file would end at byte %d", t.Name, end)
		}
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		entry, err := json.Marshal(struct {
			Type    string    `json:"dtype"`
			Shape   []int     `json:"shape"`
			Offsets [2]uint64 `json:"data_offsets"`
		}{t.Type, shape, [2]uint64{begin, end}})
		if err != nil {
			return nil, 0, err
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, 0, err
		}
		fmt.Fprintf(&j, ",%s:%s", name, entry)
		begin = end
	}
	j.WriteByte('}')
	for j.Len()%8 != 0 {
		j.WriteByte(' ') // data start at a multiple of 8
	}
	if j.Len() > maxHeader {
		return nil, 0, fmt.Errorf("header of %d bytes, the format allows %d", j.Len(), maxHeader)
	}
	header = append(binary.LittleEndian.AppendUint64(nil, uint64(j.Len())), j.String()...)
	return header, uint64(len(header)) + begin, nil
}

// elems is the product of a shape that nobody has checked yet; at most 2^59.
func elems(shape []int) (uint64, error) {
	if len(shape) > maxRank {
		return 0, fmt.Errorf("expected at most %d dimensions, found %d", maxRank, len(shape))
	}
	n := uint64(1)
	for _, d := range shape {
		hi, lo := bits.Mul64(n, uint64(d))
		if d < 0 || hi != 0 || lo > 1<<59 {
			return 0, fmt.Errorf("shape %v: expected dimensions of 0 or more and a product of at most 2^59", shape)
		}
		n = lo
	}
	return n, nil
}

func writeAll(w io.Writer, header []byte, tensors []NamedTensor) error {
	if _, err := w.Write(header); err != nil {
		return err
	}
	var values []float32
	var bytes []byte
	for _, t := range tensors {
		v := t.Values
		if t.Load != nil {
			var err error
			if values, err = t.Load(values); err != nil {
				return fmt.Errorf("tensor %q: %w", t.Name, err)
			}
			v = values
		}
		if want, _ := elems(t.Shape); uint64(len(v)) != want {
			return fmt.Errorf("tensor %q: shape %v needs %d values, found %d", t.Name, t.Shape, want, len(v))
		}
		encode, limit := encoders[t.Type], overflow[t.Type]
		for at := 0; at < len(v); {
			n := min(len(v)-at, 1<<16)
			bytes = bytes[:0]
			for i, x := range v[at : at+n] {
				if a := math.Abs(float64(x)); !(a < limit) {
					return fmt.Errorf("tensor %q: value %d is %v, expected a number below %v in magnitude (type %s)", t.Name, at+i, x, limit, t.Type)
				}
				bytes = encode(bytes, x)
			}
			if _, err := w.Write(bytes); err != nil {
				return err
			}
			at += n
		}
	}
	return nil
}
