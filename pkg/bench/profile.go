package bench

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// requantisation is the component that has a goal.
const requantisation = "requantisation"

// components sorts samples of a processor profile by what a function of theirs is called: the first line whose names all
// occur in the stack takes the sample. part is "attention" for what grows with the square of the prompt, else "linear".
var components = []struct {
	name, part string
	among      []string
}{
	{"Q·K product", "attention", []string{"kvCache).scores"}},
	{"P·V product", "attention", []string{"kvCache).mix"}},
	{"head", "head", []string{"Session).headPhase"}},
	{"head", "head", []string{"Session).lastLogits"}},
	{"linear products", "linear", []string{"engine.multiply"}},
	{"accumulate", "linear", []string{"di.Accumulate"}},
	{"rotation", "linear", []string{"Hadamard).Apply"}},
	{requantisation, "linear", nil}, // see requantises
	{"RoPE", "linear", []string{"RoPE).Rotate"}},
	{"norm", "linear", []string{"orker).Norm"}},
	{"SwiGLU, ReLU", "linear", []string{"orker).SwiGLU"}},
	{"SwiGLU, ReLU", "linear", []string{"orker).ReLU"}},
	{"residual", "linear", []string{"di.AddResidual"}},
	{"scores aligned", "attention", []string{"di.Scores"}},
	{"softmax", "attention", []string{"orker).Softmax"}},
	{"softmax", "attention", []string{"di.Weights"}},
	{"heads merged", "linear", []string{"di.Merge"}},
	{"KV cache", "linear", []string{"kvCache).set"}},
	{"attention, rest", "attention", []string{"Session).attend"}},
	{"rest", "linear", []string{"Session).rowsPhase"}},
}

// componentOf is the index of a stack's component, −1 if it has nothing of the engine; len(components) is what is left
// of a run.
func componentOf(stack []string) int {
	has := func(part string) bool {
		for _, f := range stack {
			if strings.Contains(f, part) {
				return true
			}
		}
		return false
	}
next:
	for i, c := range components {
		for _, part := range c.among {
			if !has(part) {
				continue next
			}
		}
		if c.name == requantisation && !requantises(stack) {
			continue
		}
		return i
	}
	if has("Session).run") || has("Session).AppendLast") {
		return len(components)
	}
	return -1
}

// requantises tells whether the stack passes through one of di's requantisations, functions or methods.
func requantises(stack []string) bool {
	for _, f := range stack {
		if at := strings.Index(f, "pkg/di."); at >= 0 && strings.Contains(f[at:], "Requant") {
			return true
		}
	}
	return false
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
	if err := protoFields(raw, func(tag int, v uint64, b []byte) {
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
	}); err != nil {
		return err
	}
	names := map[uint64]string{}
	for _, b := range functions {
		var id, name uint64
		err = errors.Join(err, protoFields(b, func(tag int, v uint64, _ []byte) {
			switch tag {
			case 1:
				id = v
			case 2:
				name = v
			}
		}))
		if name < uint64(len(table)) {
			names[id] = table[name]
		}
	}
	lines := map[uint64][]string{}
	for _, b := range locations {
		var id uint64
		var of []string
		err = errors.Join(err, protoFields(b, func(tag int, v uint64, line []byte) {
			switch tag {
			case 1:
				id = v
			case 4:
				err = errors.Join(err, protoFields(line, func(tag int, v uint64, _ []byte) {
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
		err = errors.Join(err, protoFields(b, func(tag int, v uint64, packed []byte) {
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

// protoFields walks the fields of one message: v of a number, b of bytes.
func protoFields(m []byte, f func(tag int, v uint64, b []byte)) error {
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
			return errors.New("bench: profile: a field of fixed width")
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
