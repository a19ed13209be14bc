package safetensors_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/half"
	"github.com/illm-go/illm/pkg/model/safetensors"
)

type named = safetensors.NamedTensor

// TestWrite: bytes of a small file, written out by hand.
func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	calls := 0
	err := safetensors.Write(path, []named{
		{Name: "w", Type: "F16", Shape: []int{2, 1}, Values: []float32{1, -2}},
		{Name: "s", Type: "BF16", Load: func(dst []float32) ([]float32, error) { calls++; return append(dst[:0], 1), nil }},
		{Name: "é\"", Type: "F32", Shape: []int{1}, Values: []float32{-0.5}},
		{Name: "none", Type: "F32", Shape: []int{0, 3}},
	})
	if err != nil || calls != 1 {
		t.Fatal(err, calls)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := `{"__metadata__":{"format":"pt"},"w":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},"s":{"dtype":"BF16","shape":[],"data_offsets":[4,6]},` +
		`"é\"":{"dtype":"F32","shape":[1],"data_offsets":[6,10]},"none":{"dtype":"F32","shape":[0,3],"data_offsets":[10,10]}}`
	for len(header)%8 != 0 {
		header += " "
	}
	want := append([]byte{byte(len(header)), byte(len(header) >> 8), 0, 0, 0, 0, 0, 0}, header...)
	want = append(want, 0x00, 0x3c, 0x00, 0xc0, 0x80, 0x3f, 0, 0, 0, 0xbf)
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	if !json.Valid([]byte(header)) {
		t.Error("the header is no JSON")
	}
}

// TestWriteOpen: what is written is read back, rounded to nearest, ties to even, up to
// the last value of each type; blocks of the writer leave no seam.
func TestWriteOpen(t *testing.T) {
	values := []float32{0, float32(math.Copysign(0, -1)), 1, 1 + 0x1p-11, 1 + 3*0x1p-11, 65504, math.Nextafter32(65520, 0), 0x1p-24, 0x1p-25, 0x1.8p-25, 1e-30, -1.0 / 3}
	long := make([]float32, 1<<16+5)
	for i := range long {
		long[i] = float32(i) / 3
	}
	for kind, round := range map[string]func(float32) float32{
		"F32":  func(v float32) float32 { return v },
		"F16":  func(v float32) float32 { return half.F16(half.ToF16(v)) },
		"BF16": func(v float32) float32 { return half.BF16(half.ToBF16(v)) },
	} {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := safetensors.Write(path, []named{{Name: "a", Type: kind, Shape: []int{3, 4}, Values: values}, {Name: "long", Type: kind, Shape: []int{len(long)}, Values: long}}); err != nil {
			t.Fatal(err)
		}
		f, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for name, want := range map[string][]float32{"a": values, "long": long} {
			tensor, _ := f.Tensor(name)
			got, err := f.Float32(tensor, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range want {
				if math.Float32bits(got[i]) != math.Float32bits(round(v)) {
					t.Fatalf("%s: %s[%d] = %v, want %v", kind, name, i, got[i], round(v))
				}
			}
		}
		if f.Metadata["format"] != "pt" {
			t.Errorf("metadata %v", f.Metadata)
		}
	}
}

// TestWriteRefuses: errors name tensor and defect, and leave the folder as it was.
func TestWriteRefuses(t *testing.T) {
	one := func(kind string, v float32) []named {
		return []named{{Name: "a", Type: kind, Shape: []int{2}, Values: []float32{1, v}}}
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for name, c := range map[string]struct {
		tensors []named
		want    string
	}{
		"F16 overflow":   {one("F16", -65520), `tensor "a": value 1 is -65520, expected a number below 65520 in magnitude (type F16)`},
		"BF16 overflow":  {one("BF16", math.MaxFloat32), `tensor "a": value 1 is 3.4028235e+38, expected a number below 3.39617752923046e+38`},
		"no number":      {one("F32", nan), `tensor "a": value 1 is NaN`},
		"infinite":       {one("F32", inf), `tensor "a": value 1 is -Inf`},
		"type":           {one("I8", 1), `tensor "a": expected type F32, F16 or BF16, found "I8"`},
		"twice":          {append(one("F32", 1), one("F32", 1)...), `tensor "a": expected a name of its own`},
		"reserved name":  {[]named{{Name: "__metadata__", Type: "F32"}}, `tensor "__metadata__"`},
		"no name":        {[]named{{Type: "F32"}}, `tensor ""`},
		"length":         {[]named{{Name: "a", Type: "F32", Shape: []int{3}, Values: []float32{1}}}, "shape [3] needs 3 values, found 1"},
		"negative":       {[]named{{Name: "a", Type: "F32", Shape: []int{-1, -3}}}, "shape [-1 -3]: expected dimensions of 0 or more"},
		"absurd":         {[]named{{Name: "a", Type: "F32", Shape: []int{1 << 30, 1 << 30}}}, "product of at most 2^59"},
		"too many sizes": {[]named{{Name: "a", Type: "F32", Shape: make([]int, 17)}}, "expected at most 16 dimensions, found 17"},
		"source fails":   {[]named{{Name: "a", Type: "F32", Load: func([]float32) ([]float32, error) { return nil, errors.New("gone") }}}, `tensor "a": gone`},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x.safetensors")
		write(t, dir, "x.safetensors", []byte("old"))
		err := safetensors.Write(path, c.tensors)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "safetensors: write "+path) {
			t.Errorf("%s: %v, want … %s …", name, err, c.want)
		}
		entries, _ := os.ReadDir(dir)
		if old, _ := os.ReadFile(path); len(entries) != 1 || string(old) != "old" {
			t.Errorf("%s: the folder holds %v", name, entries)
		}
	}
	if err := safetensors.Write(filepath.Join(t.TempDir(), "none", "x"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// TestWritePanic: a source that panics leaves no file either.
func TestWritePanic(t *testing.T) {
	dir := t.TempDir()
	func() {
		defer func() { _ = recover() }()
		_ = safetensors.Write(filepath.Join(dir, "x"), []named{{Name: "a", Type: "F32", Load: func([]float32) ([]float32, error) { panic("x") }}})
	}()
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
}

// FuzzWrite: any two values come back as the nearest of the type, or are refused.
func FuzzWrite(f *testing.F) {
	f.Add(float32(1), float32(65519), uint8(1))
	f.Add(float32(0x1p-25), float32(math.Inf(1)), uint8(2))
	f.Fuzz(func(t *testing.T, a, b float32, kind uint8) {
		name := []string{"F32", "F16", "BF16"}[kind%3]
		path := filepath.Join(t.TempDir(), "x")
		err := safetensors.Write(path, []named{{Name: "t", Type: name, Shape: []int{2}, Values: []float32{a, b}}})
		if err != nil {
			return
		}
		file, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		tensor, _ := file.Tensor("t")
		got, err := file.Float32(tensor, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range []float32{a, b} {
			step := math.Max(math.Abs(float64(v))*map[string]float64{"F32": 0, "F16": 0x1p-11, "BF16": 0x1p-8}[name], map[string]float64{"F16": 0x1p-25, "BF16": 0x1p-134}[name])
			if d := math.Abs(float64(got[i]) - float64(v)); !(d <= step) {
				t.Errorf("%s: %v became %v", name, v, got[i])
			}
		}
		if !slices.Equal(tensor.Shape, []int{2}) {
			t.Errorf("shape %v", tensor.Shape)
		}
	})
}
