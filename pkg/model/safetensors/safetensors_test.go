package safetensors_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/half"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/model/safetensors"
)

type safe = modeltest.Safe

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTypes(t *testing.T) {
	values := []float32{0, 1, -2.5, 65504, 0x1p-24, 0.333251953125}
	var f16, bf16 []byte
	for _, v := range values {
		f16 = binary.LittleEndian.AppendUint16(f16, half.ToF16(v))
		bf16 = binary.LittleEndian.AppendUint16(bf16, uint16(math.Float32bits(v)>>16))
	}
	data := modeltest.Safetensors([]safe{
		modeltest.SafeF32("f32", values, 2, 3),
		{Name: "f16", Type: "F16", Shape: []uint64{3, 2}, Data: f16},
		{Name: "bf16", Type: "BF16", Shape: []uint64{6}, Data: bf16},
		{Name: "scalar", Type: "F32", Shape: []uint64{}, Data: []byte{0, 0, 0x80, 0x3f}},
		{Name: "none", Type: "F32", Shape: []uint64{0, 5}},
		{Name: "ints", Type: "I64", Shape: []uint64{1}, Data: make([]byte, 8)},
	})
	f, err := safetensors.Parse("x", data)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Names(); !slices.Equal(got, []string{"bf16", "f16", "f32", "ints", "none", "scalar"}) {
		t.Errorf("names %q", got)
	}
	truncated := slices.Clone(values)
	for i, v := range truncated {
		truncated[i] = math.Float32frombits(math.Float32bits(v) &^ 0xffff)
	}
	for name, want := range map[string][]float32{"f32": values, "f16": values, "bf16": truncated, "scalar": {1}, "none": {}} {
		tensor, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("no tensor %q", name)
		}
		if v, err := f.Float32(tensor, nil); err != nil || !slices.Equal(v, want) {
			t.Errorf("%s: %v, %v; want %v", name, v, err, want)
		}
	}
	if tensor, _ := f.Tensor("f16"); !slices.Equal(tensor.Shape, []int{3, 2}) {
		t.Errorf("shape %v", tensor.Shape)
	}
	tensor, _ := f.Tensor("ints")
	if _, err := f.Float32(tensor, nil); err == nil || !strings.Contains(err.Error(), "stored as I64") {
		t.Errorf("ints: %v", err)
	}
}

// TestHostile: each broken file gives an error that names what is wrong.
func TestHostile(t *testing.T) {
	h := func(header string, data int) []byte {
		return append(modeltest.SafetensorsHeader(header), make([]byte, data)...)
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "truncated"},
		{"seven bytes", make([]byte, 7), "truncated"},
		{"header of 2^60 bytes", binary.LittleEndian.AppendUint64(nil, 1<<60), "header of 1152921504606846976 bytes, the format allows 100000000"},
		{"GGUF file", append([]byte("GGUF"), make([]byte, 20)...), "header"},
		{"header cut", h(`{"a":`, 0)[:10], "truncated"},
		{"no JSON", h(`hello`, 0), "header"},
		{"JSON list", h(`[]`, 0), "header"},
		{"two values", h(`{}{}`, 0), "more than one JSON value"},
		{"entry no object", h(`{"t":3}`, 0), `tensor "t"`},
		{"unknown type", h(`{"t":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}`, 1), `type "F4"`},
		{"past the end", h(`{"t":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}`, 16), `tensor "t": its data end at byte 4000 of 16`},
		{"offsets reversed", h(`{"t":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}`, 16), "expected [begin, end]"},
		{"one offset", h(`{"t":{"dtype":"F32","shape":[1],"data_offsets":[8]}}`, 16), "expected [begin, end]"},
		{"negative offset", h(`{"t":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 16), `tensor "t"`},
		{"negative dimension", h(`{"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 16), `tensor "t"`},
		{"size differs", h(`{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 16), "takes 8 bytes, data_offsets give 4"},
		{"product overflows", h(`{"t":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 16), "its product overflows"},
		{"product wraps to zero", h(`{"t":{"dtype":"F32","shape":[4611686018427387904,4,4],"data_offsets":[0,0]}}`, 16), "its product overflows"},
		{"too many dimensions", h(`{"t":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}`, 16), "17"},
		{"overlap", h(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 16), `"a" and "b" overlap`},
		{"metadata no strings", h(`{"__metadata__":[1]}`, 0), "__metadata__"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := safetensors.Parse("bad", c.data)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "safetensors: open bad") {
				t.Errorf("got %v, want … %s …", err, c.want)
			}
		})
	}
}

func TestTruncated(t *testing.T) {
	data := modeltest.Safetensors([]safe{modeltest.SafeF32("a", make([]float32, 6), 2, 3), modeltest.SafeF32("b", make([]float32, 2), 2)})
	if _, err := safetensors.Parse("whole", data); err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if _, err := safetensors.Parse("cut", data[:n:n]); err == nil {
			t.Errorf("a file cut at byte %d of %d opened", n, len(data))
		}
	}
}

func TestSharded(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "model-00001-of-00002.safetensors", modeltest.Safetensors([]safe{modeltest.SafeF32("a", []float32{1, 2}, 2)}))
	write(t, dir, "model-00002-of-00002.safetensors", modeltest.Safetensors([]safe{modeltest.SafeF32("b", []float32{3}, 1)}))
	write(t, dir, "model.safetensors.index.json", []byte(`{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}`))
	s, err := safetensors.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Names(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("names %q", got)
	}
	for name, want := range map[string][]float32{"a": {1, 2}, "b": {3}} {
		if v, err := s.Float32(name, nil); err != nil || !slices.Equal(v, want) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	if _, err := s.Float32("c", nil); err == nil {
		t.Error("a tensor that is not there was read")
	}
}

func TestBadDirectories(t *testing.T) {
	const shard = "one.safetensors"
	good := modeltest.Safetensors([]safe{modeltest.SafeF32("a", []float32{1}, 1)})
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing", nil, "no *.safetensors"},
		{"shard missing", map[string]string{"model.safetensors.index.json": `{"weight_map":{"a":"` + shard + `"}}`}, "the index names this shard, fetch it"},
		{"outside", map[string]string{"model.safetensors.index.json": `{"weight_map":{"a":"../` + shard + `"}}`}, "expected the name of a file beside the index"},
		{"absolute", map[string]string{"model.safetensors.index.json": `{"weight_map":{"a":"/etc/passwd"}}`}, "expected the name of a file beside the index"},
		{"parent", map[string]string{"model.safetensors.index.json": `{"weight_map":{"a":".."}}`}, "expected the name of a file beside the index"},
		{"tensor not in shard", map[string]string{shard: string(good), "model.safetensors.index.json": `{"weight_map":{"b":"` + shard + `"}}`}, `tensor "b" is not in`},
		{"index no JSON", map[string]string{"model.safetensors.index.json": `{`}, "model.safetensors.index.json"},
		{"index empty", map[string]string{"model.safetensors.index.json": `{}`}, `no "weight_map"`},
		{"same tensor twice", map[string]string{shard: string(good), "two.safetensors": string(good)}, `tensor "a" is in`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, data := range c.files {
				write(t, dir, name, []byte(data))
			}
			if _, err := safetensors.OpenDir(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want … %s …", err, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(modeltest.Safetensors([]safe{modeltest.SafeF32("a", make([]float32, 6), 2, 3), {Name: "h", Type: "F16", Shape: []uint64{2}, Data: make([]byte, 4)}}))
	f.Add(modeltest.SafetensorsHeader(`{"__metadata__":{"format":"pt"},"t":{"dtype":"BF16","shape":[0],"data_offsets":[0,0]}}  `))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := safetensors.Parse("fuzz", data)
		if err != nil {
			return
		}
		for _, name := range g.Names() {
			x, _ := g.Tensor(name)
			if v, err := g.Float32(x, nil); err == nil && len(v) != x.Elems() {
				t.Errorf("tensor %q: %d values for shape %v", name, len(v), x.Shape)
			}
		}
	})
}
