package gguf_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/model/gguf"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

type (
	file   = modeltest.GGUF
	pair   = modeltest.Pair
	tensor = modeltest.Tensor
)

var kv = modeltest.KV

func small() file {
	return file{
		Pairs:   []pair{kv("a", 1), kv("b", "text"), kv("c", []string{"x", "y"})},
		Tensors: []tensor{modeltest.F32("t", make([]float32, 64), 2, 32), {Name: "q", Type: 8, Shape: []uint64{1, 32}, Data: make([]byte, 34)}},
	}
}

// TestHostile: each broken file gives an error that names what is wrong.
func TestHostile(t *testing.T) {
	le := binary.LittleEndian
	edit := func(b []byte, at int, x byte) []byte { b[at] = x; return b }
	oneKind := func(kind uint32, rest ...byte) []byte { // a file with the pair "k" of a raw kind
		b := le.AppendUint32([]byte("GGUF"), 3)
		b = le.AppendUint64(le.AppendUint64(b, 0), 1)
		b = append(le.AppendUint64(b, 1), 'k')
		return append(le.AppendUint32(b, kind), rest...)
	}
	u64 := func(n uint64) []byte { return le.AppendUint64(nil, n) }
	nested := func(depth int) []byte {
		var b []byte
		for range depth {
			b = append(le.AppendUint32(b, 9), u64(1)...)
		}
		return append(append(le.AppendUint32(b, 4), u64(1)...), 1, 0, 0, 0)
	}
	one := func(x tensor) []byte { return file{Tensors: []tensor{x}}.Bytes() }
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "truncated"},
		{"wrong magic", edit(small().Bytes(), 0, 'X'), `expected magic "GGUF", found "XGUF"`},
		{"safetensors file", append(u64(100), `{"a":`...), "not a GGUF file"},
		{"version 1", file{Version: 1}.Bytes(), "format version 1, this build reads 2–3"},
		{"version 4", file{Version: 4}.Bytes(), "format version 4"},
		{"big-endian", file{Version: 3 << 24}.Bytes(), "big-endian"},
		{"2^60 tensors", file{ClaimTensors: 1 << 60}.Bytes(), "number of tensors is 1152921504606846976"},
		{"2^60 pairs", file{ClaimPairs: 1 << 60}.Bytes(), "number of metadata pairs is 1152921504606846976"},
		{"2^64−1 pairs", file{ClaimPairs: 1<<64 - 1}.Bytes(), "number of metadata pairs"},
		{"2^60 strings", oneKind(9, append(le.AppendUint32(nil, 8), u64(1<<60)...)...), "length of k is 1152921504606846976"},
		{"2^61 uint64, size overflows", oneKind(9, append(le.AppendUint32(nil, 10), u64(1<<61)...)...), "length of k"},
		{"string past the end", oneKind(8, u64(1<<63)...), "k needs 9223372036854775808 bytes"},
		{"unknown kind", oneKind(13, 0, 0, 0, 0), `metadata "k": expected a value type 0–12, found 13`},
		{"unknown element kind", oneKind(9, append(le.AppendUint32(nil, 99), append(u64(1), 0)...)...), "found 99"},
		{"nested too deep", oneKind(9, nested(6)...), "nested deeper"},
		{"same key twice", file{Pairs: []pair{kv("a", 1), kv("a", 2)}}.Bytes(), `metadata "a" stands twice`},
		{"same tensor twice", file{Tensors: []tensor{modeltest.F32("t", make([]float32, 8), 8), modeltest.F32("t", make([]float32, 8), 8)}}.Bytes(), `tensor "t" stands twice`},
		{"alignment zero", file{Pairs: []pair{kv("general.alignment", 0)}}.Bytes(), "power of two"},
		{"alignment 48", file{Pairs: []pair{kv("general.alignment", 48)}}.Bytes(), "found 48"},
		{"alignment 2^31", file{Pairs: []pair{kv("general.alignment", int64(1)<<31)}}.Bytes(), "power of two up to"},
		{"alignment a string", file{Pairs: []pair{kv("general.alignment", "32")}}.Bytes(), "expected an integer, found string"},
		{"past the end", one(tensor{Name: "t", Shape: []uint64{1 << 20}, Data: make([]byte, 64)}), `tensor "t": its data end at byte 4194304 of 64`},
		{"offset past the end", one(tensor{Name: "t", Shape: []uint64{16}, Data: make([]byte, 64), ClaimOffset: 1 << 40}), "truncated"},
		{"offset wraps", one(tensor{Name: "t", Shape: []uint64{16}, Data: make([]byte, 64), ClaimOffset: 1<<64 - 32}), "exceed any file"},
		{"offset unaligned", one(tensor{Name: "t", Shape: []uint64{4}, Data: make([]byte, 64), ClaimOffset: 4}), "no multiple of the alignment 32"},
		{"shape product overflows", one(tensor{Name: "t", Shape: []uint64{1 << 32, 1 << 32}}), "product exceeds 2^62"},
		{"shape product wraps to a small number", one(tensor{Name: "t", Shape: []uint64{1 << 62, 4, 16}}), "product exceeds 2^62"},
		{"bytes overflow", one(tensor{Name: "t", Shape: []uint64{1 << 61}}), "exceed any file"},
		{"dimension zero", one(tensor{Name: "t", Shape: []uint64{0, 4}}), "empty"},
		{"no dimensions", one(tensor{Name: "t"}), "expected 1–4 dimensions, found 0"},
		{"five dimensions", one(tensor{Name: "t", Shape: []uint64{1, 1, 1, 1, 1}}), "found 5"},
		{"unknown type", one(tensor{Name: "t", Type: 77, Shape: []uint64{32}}), "storage type 77"},
		{"broken block", one(tensor{Name: "t", Type: 8, Shape: []uint64{40}, Data: make([]byte, 68)}), "no whole number of Q8_0 blocks (32)"},
		{"long name", one(tensor{Name: strings.Repeat("n", 2000), Shape: []uint64{1}, Data: make([]byte, 4)}), "name of 2000 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := gguf.Parse("bad.gguf", c.data)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "gguf: open bad.gguf") {
				t.Errorf("got %v, want … %s …", err, c.want)
			}
		})
	}
}

// TestTruncated cuts a good file at every length.
func TestTruncated(t *testing.T) {
	data := small().Bytes()
	if _, err := gguf.Parse("whole", data); err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if _, err := gguf.Parse("cut", data[:n:n]); err == nil {
			t.Errorf("a file cut at byte %d of %d opened", n, len(data))
		}
	}
}

// TestUnreadableType: a type without decoder opens, and reading it says so.
func TestUnreadableType(t *testing.T) {
	f, err := gguf.Parse("x", file{Tensors: []tensor{{Name: "t", Type: 10, Shape: []uint64{256}, Data: make([]byte, 84)}}}.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	x, _ := f.Tensor("t")
	if _, err := f.Float32(x, nil); err == nil || !strings.Contains(err.Error(), "stored as Q2_K") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(small().Bytes())
	f.Add(file{Version: 2, Pairs: []pair{kv("general.alignment", 64), kv("f", float32(1)), kv("n", []int32{1, 2})}}.Bytes())
	if b, err := os.ReadFile(filepath.Join("testdata", "quants.gguf")); err == nil {
		f.Add(b[:2048])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		g, err := gguf.Parse("fuzz", data)
		if err != nil {
			return
		}
		var buf []float32
		for _, x := range g.Tensors() {
			if v, err := g.Float32(&x, buf); err == nil {
				if len(v) != x.Elems() {
					t.Errorf("tensor %q: %d values for shape %v", x.Name, len(v), x.Shape)
				}
				buf = v
			}
		}
		for _, k := range g.Keys() {
			// Each getter may refuse; none may panic.
			_, _ = g.String(k)
			_, _ = g.Strings(k)
			_, _ = g.Ints(k)
			_, _ = g.Int(k)
			_, _ = g.Float(k)
			_, _ = g.Bool(k)
		}
		if !bytes.Equal(before, data) {
			t.Error("the file's bytes were changed")
		}
	})
}
