package gguf_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/model/gguf"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

// TestReference reads a file that the reference package wrote, and compares every
// dequantised value with that package's.
func TestReference(t *testing.T) {
	f, err := gguf.Open(filepath.Join("testdata", "quants.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var want map[string]struct {
		Shape  []int
		SHA256 string
		First  []float64
	}
	raw, err := os.ReadFile(filepath.Join("testdata", "quants.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if len(f.Names()) != len(want) || len(want) != 11 {
		t.Errorf("%d tensors, expected %d (11 formats)", len(f.Names()), len(want))
	}
	for name, w := range want {
		tensor, ok := f.Tensor(name)
		if !ok {
			t.Errorf("no tensor %q", name)
			continue
		}
		if tensor.Type.String() != name || !slices.Equal(tensor.Shape, w.Shape) {
			t.Errorf("%s: type %v, shape %v, want %v", name, tensor.Type, tensor.Shape, w.Shape)
		}
		v, err := f.Float32(tensor, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, x := range w.First {
			if float64(v[i]) != x {
				t.Errorf("%s: value %d is %v, reference %v", name, i, v[i], x)
			}
		}
		sum := sha256.Sum256(modeltest.Float32Bytes(v))
		if hex.EncodeToString(sum[:]) != w.SHA256 {
			t.Errorf("%s: values differ from the reference", name)
		}
	}
}

func TestMetadata(t *testing.T) {
	f, err := gguf.Open(filepath.Join("testdata", "quants.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s, err := f.String("text"); s != "grüße" || err != nil {
		t.Errorf("text = %q, %v", s, err)
	}
	if s, err := f.Decimal("eps"); s != "1e-05" || err != nil {
		t.Errorf("Decimal(eps) = %q, %v", s, err)
	}
	if x, err := f.Float("eps"); x != 1e-5 || err != nil {
		t.Errorf("Float(eps) = %v, %v", x, err)
	}
	if x, err := f.Float("wide"); x != 0.1 || err != nil {
		t.Errorf("Float(wide) = %v, %v", x, err)
	}
	if n, err := f.Int("minus"); n != -5 || err != nil {
		t.Errorf("Int(minus) = %d, %v", n, err)
	}
	if n, err := f.Int("large"); n != math.MaxInt64 || err != nil {
		t.Errorf("Int(large) = %d, %v", n, err)
	}
	if b, err := f.Bool("yes"); !b || err != nil {
		t.Errorf("Bool(yes) = %v, %v", b, err)
	}
	if s, err := f.Strings("words"); !slices.Equal(s, []string{"a", "", "longer word"}) || err != nil {
		t.Errorf("Strings(words) = %q, %v", s, err)
	}
	if n, err := f.Ints("numbers"); !slices.Equal(n, []int64{1, -2, 3}) || err != nil {
		t.Errorf("Ints(numbers) = %v, %v", n, err)
	}
	var missing *gguf.MissingError
	if _, err := f.Int("none"); !errors.As(err, &missing) || missing.Key != "none" {
		t.Errorf("Int(none): %v", err)
	}
	for key, get := range map[string]func(string) error{
		"text":  func(k string) error { _, err := f.Int(k); return err },
		"eps":   func(k string) error { _, err := f.Int(k); return err },
		"words": func(k string) error { _, err := f.Ints(k); return err },
		"yes":   func(k string) error { _, err := f.String(k); return err },
		"minus": func(k string) error { _, err := f.Float(k); return err },
		"large": func(k string) error { _, err := f.Strings(k); return err },
	} {
		if get(key) == nil {
			t.Errorf("%s was read as a value of another kind", key)
		}
	}
}

// TestKeepsAfterClose: strings are copies, tensors are refused.
func TestKeepsAfterClose(t *testing.T) {
	f, err := gguf.Open(filepath.Join("testdata", "quants.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	words, err := f.Strings("words")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if words[2] != "longer word" {
		t.Errorf("words changed: %q", words)
	}
	tensor, _ := f.Tensor("F32")
	if _, err := f.Float32(tensor, nil); err == nil {
		t.Error("a tensor was read after Close")
	}
}

func TestFloat32ReusesDst(t *testing.T) {
	f, err := gguf.Parse("x", modeltest.GGUF{Tensors: []modeltest.Tensor{modeltest.F32("a", []float32{1, 2, 3, 4}, 2, 2)}}.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	tensor, _ := f.Tensor("a")
	buf := make([]float32, 1, 8)
	v, err := f.Float32(tensor, buf)
	if err != nil || len(v) != 4 || &v[0] != &buf[0] || v[3] != 4 {
		t.Errorf("got %v (same buffer: %v), %v", v, &v[0] == &buf[0], err)
	}
}
