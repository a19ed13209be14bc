package engine_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// components sorts samples of a processor profile by what a function of theirs is called: the first line whose names all
// occur in the stack takes the sample.
var components = []struct {
	name  string
	among []string
}{
	{"scores product", []string{"kvCache).scores"}},
	{"values product", []string{"kvCache).mix"}},
	{"head product", []string{"engine.multiply", "Session).headPhase"}},
	{"head product", []string{"simd/gemm", "Session).lastLogits"}},
	{"head accumulate", []string{"di.Accumulate", "Session).headPhase"}},
	{"linear products", []string{"engine.multiply"}},
	{"accumulate", []string{"di.Accumulate"}},
	{"hadamard", []string{"Hadamard).Apply"}},
	{"requant", []string{"di.Ratio.Requant"}},
	{"rope", []string{"RoPE).Rotate"}},
	{"norm", []string{"worker).Norm"}},
	{"swiglu", []string{"worker).SwiGLU"}},
	{"residual", []string{"di.AddResidual"}},
	{"scores", []string{"di.Scores"}},
	{"softmax", []string{"worker).Softmax"}},
	{"weights", []string{"di.Weights"}},
	{"merge", []string{"di.Merge"}},
	{"cache", []string{"kvCache).set"}},
	{"attention, rest", []string{"Session).attend"}},
	{"rows, rest", []string{"Session).rowsPhase"}},
	{"head, rest", []string{"Session).headPhase"}},
}

// componentOf names the component of one stack, "" if it has nothing of the engine.
func componentOf(stack []string) string {
	has := func(part string) bool {
		for _, f := range stack {
			if strings.Contains(f, part) {
				return true
			}
		}
		return false
	}
next:
	for _, c := range components {
		for _, part := range c.among {
			if !has(part) {
				continue next
			}
		}
		return c.name
	}
	if has("Session).run") {
		return "rest"
	}
	return ""
}

// readProfile calls f with the stack, leaf first, and the sample count of each sample of a gzipped pprof profile. Of
// that format (github.com/google/pprof/proto/profile.proto) it needs five messages.
func readProfile(data []byte, f func(stack []string, count uint64)) error {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	var samples, locations, functions [][]byte
	var table []string
	err = fields(raw, func(tag int, v uint64, b []byte) {
		switch tag {
		case 2:
			samples = append(samples, b)
		case 4:
			locations = append(locations, b)
		case 5:
			functions = append(functions, b)
		case 6:
			table = append(table, string(b))
		}
	})
	names := map[uint64]string{}
	for _, b := range functions {
		var id, name uint64
		err = errors.Join(err, fields(b, func(tag int, v uint64, _ []byte) {
			switch tag {
			case 1:
				id = v
			case 2:
				name = v
			}
		}))
		names[id] = table[name]
	}
	lines := map[uint64][]string{}
	for _, b := range locations {
		var id uint64
		var of []string
		err = errors.Join(err, fields(b, func(tag int, v uint64, line []byte) {
			switch tag {
			case 1:
				id = v
			case 4:
				err = errors.Join(err, fields(line, func(tag int, v uint64, _ []byte) {
					if tag == 1 {
						of = append(of, names[v])
					}
				}))
			}
		}))
		lines[id] = of
	}
	for _, b := range samples {
		var stack []string
		var values []uint64
		err = errors.Join(err, fields(b, func(tag int, v uint64, packed []byte) {
			list := []uint64{v}
			if packed != nil {
				list = varints(packed)
			}
			switch tag {
			case 1:
				for _, id := range list {
					stack = append(stack, lines[id]...)
				}
			case 2:
				values = append(values, list...)
			}
		}))
		if len(values) > 0 {
			f(stack, values[0])
		}
	}
	return err
}

// fields walks the fields of one message: v of a number, b of bytes.
func fields(m []byte, f func(tag int, v uint64, b []byte)) error {
	for len(m) > 0 {
		key, n := binary.Uvarint(m)
		if n <= 0 {
			return io.ErrUnexpectedEOF
		}
		m = m[n:]
		v, n := binary.Uvarint(m)
		if n <= 0 {
			return io.ErrUnexpectedEOF
		}
		m = m[n:]
		switch key & 7 {
		case 0:
			f(int(key>>3), v, nil)
		case 2:
			if v > uint64(len(m)) {
				return io.ErrUnexpectedEOF
			}
			f(int(key>>3), 0, m[:v:v])
			m = m[v:]
		default:
			return errors.New("a field of fixed width")
		}
	}
	return nil
}

func varints(b []byte) (list []uint64) {
	for len(b) > 0 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return list
		}
		list, b = append(list, v), b[n:]
	}
	return list
}
