package model

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/illm-go/illm/pkg/model/gguf"
	"github.com/illm-go/illm/pkg/model/tokenizer"
)

// Model is an open model: its configuration, its tokenizer and its weights, which
// stay in the memory-mapped source file(s) until they are read.
// Methods are safe for concurrent use, Close apart.
type Model struct {
	Config    Config
	Tokenizer *tokenizer.Tokenizer // nil after OpenWeights of a model without one
	Path      string

	src     source
	tensors map[string]tensor
	names   []string

	hashOnce sync.Once
	hash     string
	hashErr  error
}

// tensor says where a canonical tensor comes from.
type tensor struct {
	name  string // in the source
	shape []int
	heads int // > 0: rows are stored in interleaved rotary order for so many heads
	skip  int // rows of the stored tensor that come before the first of ours
}

// source is a kind of model file.
type source interface {
	float32(name string, dst []float32) ([]float32, error)
	hash() (string, error)
	close() error
}

// Open opens a GGUF file, or a directory with config.json, tokenizer.json and
// *.safetensors. Weights are mapped, not read: the cost is that of the header and
// the vocabulary.
func Open(path string) (*Model, error) {
	return open(path, true)
}

// OpenWeights is Open for a model that may lack a tokenizer; Tokenizer is nil then.
func OpenWeights(path string) (*Model, error) {
	return open(path, false)
}

func open(path string, needTokenizer bool) (*Model, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("model: open: %w", err)
	}
	m := &Model{Path: path, tensors: make(map[string]tensor)}
	var tokErr error
	if st.IsDir() {
		tokErr, err = m.openDir(path)
	} else if ext := filepath.Ext(path); strings.EqualFold(ext, ".safetensors") {
		err = fmt.Errorf("expected a GGUF file or a directory, found a single %s file: name the directory that holds it with its config.json", ext)
	} else {
		tokErr, err = m.openGGUF(path)
	}
	if err == nil && tokErr != nil && needTokenizer {
		err = tokErr
	}
	if err == nil && m.Tokenizer != nil {
		err = sameVocabulary(m.Tokenizer, &m.Config)
	}
	if err == nil {
		err = m.check()
	}
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("model: open %s: %w", path, err)
	}
	return m, nil
}

// Names returns the canonical names of the tensors, in network order.
func (m *Model) Names() []string { return append([]string(nil), m.names...) }

// Shape returns the shape of a tensor, [out, in] for weights, nil if there is none.
func (m *Model) Shape(name string) []int {
	t, ok := m.tensors[name]
	if !ok {
		return nil
	}
	return append([]int(nil), t.shape...)
}

// Float32 reads a tensor as float32 in row-major order, dequantised if need be,
// into dst, which is grown if it is too short. Rows of q and k come in the order
// of the safetensors files: rotary pairs are (i, i + HeadDim/2) within a head.
// With a tied head "lm_head.weight" is the embedding.
func (m *Model) Float32(name string, dst []float32) ([]float32, error) {
	t, ok := m.tensors[name]
	if !ok {
		return nil, fmt.Errorf("model: %s: no tensor %q", m.Path, name)
	}
	if m.src == nil {
		return nil, fmt.Errorf("model: %s: tensor %q read after Close", m.Path, name)
	}
	if t.skip > 0 {
		v, err := m.src.float32(t.name, dst)
		if err != nil {
			return nil, err
		}
		from := t.skip * t.shape[1]
		return v[:copy(v, v[from:])], nil
	}
	if t.heads == 0 {
		return m.src.float32(t.name, dst)
	}
	raw, err := m.src.float32(t.name, nil)
	if err != nil {
		return nil, err
	}
	if cap(dst) < len(raw) {
		dst = make([]float32, len(raw))
	}
	dst = dst[:len(raw)]
	unpermute(dst, raw, t.heads, t.shape[0])
	return dst, nil
}

// unpermute restores the row order that conversion to GGUF changes. Within a head
// of d rows the file has row 2i+s where the original has row s·(d/2)+i (s = 0, 1):
// rotary pairs became neighbours. The inverse is a plain transpose of [d/2, 2].
func unpermute(dst, src []float32, heads, rows int) {
	width := len(src) / rows // 1 for a bias
	d := rows / heads
	for r := range rows {
		h, in := r/d, r%d
		s, i := in/(d/2), in%(d/2)
		from := h*d + 2*i + s
		copy(dst[r*width:(r+1)*width], src[from*width:(from+1)*width])
	}
}

// Hash identifies the model by content, in hex: the SHA-256 of a GGUF file; for a
// directory the SHA-256 of the listing "<sha256>  <file name>\n" of config.json,
// tokenizer.json if there is one, and the weight files, in order of name. It reads
// all of the weights the first time.
func (m *Model) Hash() (string, error) {
	m.hashOnce.Do(func() {
		if m.src == nil {
			m.hashErr = errors.New("model: hash after Close")
			return
		}
		m.hash, m.hashErr = m.src.hash()
	})
	return m.hash, m.hashErr
}

// Close unmaps the weights.
func (m *Model) Close() error {
	if m.src == nil {
		return nil
	}
	err := m.src.close()
	m.src = nil
	return err
}

// ggufSource reads from one GGUF file.
type ggufSource struct{ f *gguf.File }

func (s ggufSource) float32(name string, dst []float32) ([]float32, error) {
	t, ok := s.f.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("model: no tensor %q", name)
	}
	return s.f.Float32(t, dst)
}

func (s ggufSource) hash() (string, error) { return sha256Hex(s.f.Bytes()), nil }
func (s ggufSource) close() error          { return s.f.Close() }
