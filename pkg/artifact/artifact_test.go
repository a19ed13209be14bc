package artifact

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// write makes a small artefact: one 8-bit linear, one 4-bit one, a norm, α, phases.
func write(t testing.TB) (path, id string) { return writeFamily(t, llama) }

// writeFamily is write for either family: "opt" has a LayerNorm and a table of positions, "llama" phases and a head norm.
func writeFamily(t testing.TB, family string) (path, id string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "m.illm")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := quant.NewSpec("w8a8", "", "")
	if err != nil {
		t.Fatal(err)
	}
	h := &Header{Architecture: family, Name: "test", Layers: 1, Hidden: 12, Heads: 2, KVHeads: 1, HeadDim: 6, FFN: 8, Vocab: 5, MaxContext: 32,
		BOS: -1, EOS: 2, Spec: spec, KR: 13, Method: "rtn", Semantics: 1}
	fill := func(n int64) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i*7 + 1)
		}
		return b
	}
	for _, l := range []Linear{{Name: "a", Out: 70, In: 12, Bits: 8, KW: 30}, {Name: "b", Out: 3, In: 9, Bits: 4, KW: -2, KB: 5}} {
		l.Panel, l.Zero, l.M = w.Bytes(fill(panelBytes(l.Out, l.In, l.Bits))), w.Bytes(fill(int64(l.Out))), w.Int32s(make([]int32, l.Out))
		if l.Bits == 8 {
			l.SumW = w.Int32s(slices.Repeat([]int32{-5}, l.Out))
		} else {
			l.Bias = w.Int32s([]int32{1, -2, 1 << 22})
		}
		h.Linears = append(h.Linears, l)
	}
	h.Norms = []Norm{{Name: "n", N: 12, KGamma: 20, E: 99, Layer: family == opt, Gamma: w.Int32s(slices.Repeat([]int32{7}, 12)), Beta: w.Int64s(slices.Repeat([]int64{-1 << 40}, 12))}}
	h.GLUs = []GLU{{Name: "g", N: 8, KAlpha: 3, Alpha: w.Int32s(slices.Repeat([]int32{8}, 8))}}
	if family == opt {
		h.Positions16 = &Table16{Rows: 32, Cols: 12, Codes: w.Int16s(slices.Repeat([]int16{-3}, 32*12)), M: w.Bytes(fill(64)), K: w.Bytes(fill(32))}
	} else {
		h.HeadNorms = []HeadNorm{{Name: "q", N: 6, KGamma: 21, EpsM: 40000, EpsK: 33, Gamma: w.Int32s(slices.Repeat([]int32{-9}, 6))}}
		h.Phi = w.Uint64s([]uint64{1 << 63, 5, 1})
	}
	h.Tokenizer = w.Bytes([]byte("tokens"))
	if id, err = w.Finish(h); err != nil {
		t.Fatal(err)
	}
	return path, id
}

func TestRoundTrip(t *testing.T) {
	path, id := write(t)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.ID != id {
		t.Errorf("identity %s, Finish said %s", f.ID, id)
	}
	if err := f.Verify(); err != nil {
		t.Error(err)
	}
	a, err := f.Linear("a", 70, 12)
	if err != nil {
		t.Fatal(err)
	}
	if a.Panel[3] != 22 || len(a.M) != 70 || a.SumW[69] != -5 || a.KW != 30 {
		t.Errorf("linear a came back as %v …, %d scales, ΣW' %v, k_w %d", a.Panel[:4], len(a.M), a.SumW[69], a.KW)
	}
	b, err := f.Linear("b", 3, 9)
	if err != nil {
		t.Fatal(err)
	}
	if b.SumW != nil || b.Bias[2] != 1<<22 || b.KB != 5 {
		t.Errorf("linear b: ΣW %v, bias %v, k_b %d", b.SumW, b.Bias, b.KB)
	}
	n, err := f.Norm("n", 12)
	if err != nil || n.Beta[11] != -1<<40 || n.E != 99 || n.Layer || n.KR != 13 {
		t.Errorf("norm: %+v, %v", n, err)
	}
	if n, err := f.HeadNorm("q"); err != nil || len(n.Gamma) != 6 || n.Gamma[5] != -9 || n.KGamma != 21 || n.Eps.M != 40000 || n.Eps.K != 33 {
		t.Errorf("head norm: %+v, %v", n, err)
	}
	if n, err := f.HeadNorm("k"); n != nil || err != nil {
		t.Errorf("missing head norm: %+v, %v; want none", n, err)
	}
	if g, err := f.GLU("g", 8); err != nil || g.Alpha[7] != 8 || g.KAlpha != 3 {
		t.Errorf("glu: %+v, %v", g, err)
	}
	if g, err := f.GLU("none", 8); err != nil || g.Alpha != nil {
		t.Errorf("missing glu: %+v, %v; want α = 1", g, err)
	}
	if p := f.Phi(); p[0] != 1<<63 || p[2] != 1 || string(f.Tokenizer()) != "tokens" {
		t.Errorf("phases %v, tokenizer %q", p, f.Tokenizer())
	}
	for _, bad := range []struct{ err error }{{second(f.Linear("c", 1, 1))}, {second(f.Linear("a", 12, 70))}, {second(f.Norm("n", 3))}, {second(f.Norm("x", 3))}, {second(f.GLU("g", 9))}} {
		if bad.err == nil || !strings.Contains(bad.err.Error(), path) {
			t.Errorf("wrong name or shape: error %v, want one that names the file", bad.err)
		}
	}
}

// The other family: LayerNorm, positions, no phases.
func TestRoundTripOPT(t *testing.T) {
	path, _ := writeFamily(t, opt)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Verify(); err != nil {
		t.Error(err)
	}
	if n, err := f.Norm("n", 12); err != nil || !n.Layer || n.Beta[3] != -1<<40 {
		t.Errorf("norm: %+v, %v", n, err)
	}
	p := f.Positions16()
	if p == nil || p.Rows != 32 || p.Cols != 12 || p.Codes[383] != -3 || len(p.M) != 32 || len(p.K) != 32 || f.Embed16() != nil {
		t.Errorf("positions %+v, embedding %v", p, f.Embed16())
	}
	if phi := f.Phi(); len(phi) != 0 {
		t.Errorf("phases %v, want none", phi)
	}
}

// Integers of the payload that could overflow an operator are refused with their channel.
func TestHostilePayload(t *testing.T) {
	path, _ := write(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		at   func(h *Header) int64
		set  []byte
		read func(f *File) error
	}{
		{"bias of channel 1", func(h *Header) int64 { return h.Linears[1].Bias.Offset + 4 }, []byte{0, 0, 0x80, 0},
			func(f *File) error { return second(f.Linear("b", 3, 9)) }},
		{"beta of channel 2", func(h *Header) int64 { return h.Norms[0].Beta.Offset + 16 }, []byte{0, 0, 0, 0, 0, 0, 0, 8},
			func(f *File) error { return second(f.Norm("n", 12)) }},
		{"gamma of channel 0", func(h *Header) int64 { return h.Norms[0].Gamma.Offset }, []byte{1, 0, 0x80, 0},
			func(f *File) error { return second(f.Norm("n", 12)) }},
		{"gamma of channel 5", func(h *Header) int64 { return h.HeadNorms[0].Gamma.Offset + 20 }, []byte{0, 0, 0, 0x80},
			func(f *File) error { return second(f.HeadNorm("q")) }},
	} {
		f, err := parse(bytes.Clone(good))
		if err != nil {
			t.Fatal(err)
		}
		copy(f.data[c.at(&f.Header):], c.set)
		if err := c.read(f); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.name) {
			t.Errorf("%s: error %v, want one that names it", c.name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// The same content gives the same bytes.
func TestReproducible(t *testing.T) {
	p, idP := write(t)
	q, idQ := write(t)
	a, _ := os.ReadFile(p)
	b, _ := os.ReadFile(q)
	if idP != idQ || !bytes.Equal(a, b) {
		t.Error("two artefacts of the same content differ")
	}
}

// Every single flipped byte is noticed: by Open in prologue and header, by Verify in the payload.
func TestFlippedBytes(t *testing.T) {
	path, _ := write(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		if at >= 88 && at < prologueBytes {
			continue // reserved
		}
		bad := bytes.Clone(good)
		bad[at] ^= 0x10
		f, err := parse(bad)
		if err == nil {
			err = f.Verify()
		}
		if err == nil {
			t.Fatalf("byte %d of %d flipped: nothing noticed", at, len(good))
		}
	}
}

func TestTruncated(t *testing.T) {
	path, _ := write(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 8, 95, 96, 97, len(good) / 2, len(good) - 1} {
		if _, err := parse(good[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("first %d of %d bytes: error %v, want ErrCorrupt", n, len(good), err)
		}
	}
	if _, err := parse(append(bytes.Clone(good), 0)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("one byte more: error %v, want ErrCorrupt", err)
	}
}

// reheader returns the file with its header changed and all checksums right.
func reheader(t testing.TB, file []byte, change func(h *Header)) []byte {
	t.Helper()
	p, err := decodePrologue(file)
	if err != nil {
		t.Fatal(err)
	}
	var h Header
	if err := json.Unmarshal(file[p.headerOffset:], &h); err != nil {
		t.Fatal(err)
	}
	change(&h)
	head, err := json.Marshal(&h)
	if err != nil {
		t.Fatal(err)
	}
	p.headerLen, p.headerHash = uint32(len(head)), sha256.Sum256(head)
	out := append(bytes.Clone(file[:p.headerOffset]), head...)
	copy(out, p.encode())
	return out
}

// A header that lies, with right checksums, is refused with the field's name.
func TestHostileHeader(t *testing.T) {
	path, _ := write(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(h *Header){
		"layers":       func(h *Header) { h.Layers = math.MaxInt },
		"vocab":        func(h *Header) { h.Vocab = 0 },
		"head_dim":     func(h *Header) { h.HeadDim = 1 << 20 },
		"multiple":     func(h *Header) { h.Heads, h.KVHeads = 3, 2 },
		"architecture": func(h *Header) { h.Architecture = "mamba" },
		"k_r":          func(h *Header) { h.KR = 99 },
		"spec":         func(h *Header) { h.Spec.Recipe.Weight = 99 },
		`"a"`:          func(h *Header) { h.Linears[0].Out = math.MaxInt },
		"a panel":      func(h *Header) { h.Linears[0].In++; h.Linears[0].In += 3 },
		"a m":          func(h *Header) { h.Linears[0].M.Offset = 1 << 62 },
		"a zero":       func(h *Header) { h.Linears[0].Zero.Offset = -64 },
		"a sum_w":      func(h *Header) { h.Linears[0].SumW = Section{} },
		"b bias":       func(h *Header) { h.Linears[1].Bias.Bytes = 1 << 50 },
		"n gamma":      func(h *Header) { h.Norms[0].N = 13 },
		"negative e":   func(h *Header) { h.Norms[0].E = -1 },
		"below 2^61":   func(h *Header) { h.Norms[0].E = 1 << 61 },
		"g\": 3602":    func(h *Header) { h.GLUs[0].N = math.MaxInt / 256 },
		"g alpha":      func(h *Header) { h.GLUs[0].N = 9 },
		"k_alpha":      func(h *Header) { h.GLUs[0].KAlpha = math.MaxInt32 },
		"phi":          func(h *Header) { h.Phi.Bytes = 8 },
		"tokenizer":    func(h *Header) { h.Tokenizer.Bytes = 1 << 60 },
		"rotary":       func(h *Header) { h.HeadDim = 5 },
		"k_w":          func(h *Header) { h.Linears[0].KW = math.MinInt32 },
		"k_b":          func(h *Header) { h.Linears[1].KB = math.MaxInt32 },
		"layer is":     func(h *Header) { h.Norms[0].Layer = true },
		"n\": k_gamma": func(h *Header) { h.Norms[0].KGamma = math.MaxInt32 },
		"q\": k_gamma": func(h *Header) { h.HeadNorms[0].KGamma = math.MinInt32 },
		"q\": eps":     func(h *Header) { h.HeadNorms[0].EpsM = 0 },
		"q\": expect":  func(h *Header) { h.HeadNorms[0].N = 12 },
		"positions16":  func(h *Header) { h.Positions16 = &Table16{Rows: 31, Cols: 12} },
		"embed16":      func(h *Header) { h.Embed16 = &Table16{Rows: math.MaxInt, Cols: math.MaxInt} },
	} {
		if _, err := parse(reheader(t, good, change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that names it", want, err)
		}
	}
}

func TestHostileHeaderOPT(t *testing.T) {
	path, _ := writeFamily(t, opt)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(h *Header){
		"below 2^45":        func(h *Header) { h.Norms[0].E = 1 << 45 },
		"layer is":          func(h *Header) { h.Norms[0].Layer = false },
		"phi":               func(h *Header) { h.Phi = h.Linears[0].M },
		"positions16":       func(h *Header) { h.Positions16.Cols = math.MaxInt },
		"positions16 m":     func(h *Header) { h.Positions16.M.Bytes-- },
		"positions16 codes": func(h *Header) { h.Positions16.Codes.Offset = 1 << 40 },
		"n beta":            func(h *Header) { h.Norms[0].Beta.Bytes = 8 },
	} {
		if _, err := parse(reheader(t, good, change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that names it", want, err)
		}
	}
}

func TestOtherFiles(t *testing.T) {
	path, _ := write(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Clone(good)
	binary.LittleEndian.PutUint32(newer[8:], Version+1)
	if _, err := parse(newer); err == nil || !strings.Contains(err.Error(), "quantize") {
		t.Errorf("newer version: error %v, want the cure", err)
	}
	if _, err := parse(bytes.Repeat([]byte("GGUF"), 100)); err == nil || !strings.Contains(err.Error(), "magic") {
		t.Errorf("another format: error %v, want one that names the magic", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: error %v", err)
	}
	if !HasMagic(bytes.NewReader(good)) || HasMagic(strings.NewReader("illm")) {
		t.Error("HasMagic is wrong")
	}
}

// What is aborted leaves nothing behind, and nothing appears before Finish.
func TestAbort(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.illm")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w.Bytes(make([]byte, 1<<21))
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there before Finish: %v", err)
	}
	if _, err := w.Finish(&Header{}); err == nil {
		t.Error("an empty header passed")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := Create(filepath.Join(dir, "no", "folder")); err == nil {
		t.Error("a missing folder passed")
	}
}

// parse never panics, whatever the bytes; an accepted file can be read whole.
func FuzzParse(f *testing.F) {
	path, _ := write(f)
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte{})
	other, _ := writeFamily(f, opt)
	if b, err := os.ReadFile(other); err == nil {
		f.Add(b)
	}
	f.Add(reheader(f, good, func(h *Header) { h.Linears[1].Panel.Offset = 64 }))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := parse(data)
		if err != nil {
			return
		}
		for _, l := range a.Header.Linears {
			if _, err := a.Linear(l.Name, l.Out, l.In); err != nil {
				t.Error(err)
			}
		}
		for _, n := range a.Header.Norms {
			_, _ = a.Norm(n.Name, n.N) // any answer but a panic
		}
		for _, n := range a.Header.HeadNorms {
			_, _ = a.HeadNorm(n.Name)
		}
		a.Embed16()
		a.Positions16()
		a.Phi()
		a.Tokenizer()
	})
}
