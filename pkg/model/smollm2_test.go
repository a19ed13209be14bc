package model

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/model/tokenizer"
)

// smolPath finds the GGUF file of SmolLM2-135M-Instruct (Q4_1): ILLM_TEST_GGUF
// names it, or it lies in the user's cache. The tests here skip without it.
func smolPath(t testing.TB) string {
	if p := os.Getenv("ILLM_TEST_GGUF"); p != "" {
		return p
	}
	dir := os.Getenv("ILLM_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			t.Skip(err)
		}
		dir = filepath.Join(base, "illm")
	}
	found := ""
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "SmolLM2-135M-Instruct.Q4_1.gguf" {
			found = path
			return fs.SkipAll
		}
		return nil
	})
	if found == "" {
		t.Skip("no SmolLM2-135M-Instruct.Q4_1.gguf: set ILLM_TEST_GGUF or fetch smollm2")
	}
	return found
}

func openSmol(t testing.TB) *Model {
	m, err := Open(smolPath(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestSmolLM2(t *testing.T) {
	start := time.Now()
	m := openSmol(t)
	t.Logf("Open took %v", time.Since(start))
	c := m.Config
	c.ChatTemplate, c.EOSAll = "", nil
	want := Config{Architecture: "llama", Layers: 30, Hidden: 576, Heads: 9, KVHeads: 3, HeadDim: 64, FFN: 1536, Vocab: 49152, MaxContext: 8192,
		NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 1e5, TiedHead: true, BOS: -1, EOS: 2}
	if got, want := jsonText(t, c), jsonText(t, want); got != want {
		t.Errorf("config %s, want %s", got, want)
	}
	if h, err := m.Hash(); h != "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53" {
		t.Errorf("hash %s, %v", h, err)
	}
	if n := len(m.Names()); n != 30*9+3 {
		t.Errorf("%d tensors", n)
	}
}

func jsonText(t testing.TB, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type smolDigest struct {
	Tokens     int
	SHA256     string
	TextSHA256 string `json:"text_sha256"`
}

func digest(lists ...[]int32) smolDigest {
	h, n := sha256.New(), 0
	for _, ids := range lists {
		for _, id := range ids {
			h.Write(binary.LittleEndian.AppendUint32(nil, uint32(id)))
		}
		n += len(ids)
	}
	return smolDigest{Tokens: n, SHA256: hex.EncodeToString(h.Sum(nil))}
}

// TestSmolLM2Tokens compares every id of whole corpora with the reference library:
// hashes in the tokenizer's fixtures, texts from ILLM_DATA.
func TestSmolLM2Tokens(t *testing.T) {
	m := openSmol(t)
	raw, err := os.ReadFile(filepath.Join("tokenizer", "testdata", "smollm2.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Awkward, Special []struct {
			Hex string
			IDs []int32
		}
		Opticks, Wikitext2, Calibration, C4 smolDigest
		C4Documents                         smolDigest `json:"c4_documents"`
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	stored, err := tokenizer.Unmarshal(m.Tokenizer.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	for _, tok := range []*tokenizer.Tokenizer{m.Tokenizer, stored} {
		for _, a := range want.Awkward {
			text, _ := hex.DecodeString(a.Hex)
			if got := tok.Encode(string(text)); !slices.Equal(got, a.IDs) {
				t.Errorf("Encode(%q) =\n%v, reference\n%v", text, got, a.IDs)
			}
		}
		for _, a := range want.Special {
			text, _ := hex.DecodeString(a.Hex)
			if got := tok.EncodeSpecial(string(text)); !slices.Equal(got, a.IDs) {
				t.Errorf("EncodeSpecial(%q) =\n%v, reference\n%v", text, got, a.IDs)
			}
		}
	}
	if root, err := exec.Command("go", "env", "GOROOT").Output(); err == nil {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src", "testdata", "Isaac.Newton-Opticks.txt"))
		if got := digest(m.Tokenizer.Encode(string(text))); err == nil && got != want.Opticks {
			t.Errorf("opticks: %+v, reference %+v", got, want.Opticks)
		}
	}
	data := os.Getenv("ILLM_DATA")
	if data == "" {
		t.Skip("ILLM_DATA is not set: corpora not compared")
	}
	docs := c4Documents(t, filepath.Join(data, "c4", "validation.jsonl.gz"))
	for name, c := range map[string]struct {
		text string
		want smolDigest
	}{
		"wikitext2":   {rows(t, filepath.Join(data, "wikitext2", "test.txt.gz")), want.Wikitext2},
		"calibration": {rows(t, filepath.Join(data, "wikitext2", "train_raw_prefix.txt.gz")), want.Calibration},
		"c4":          {strings.Join(docs[:1100], " "), want.C4},
	} {
		if sum := sha256.Sum256([]byte(c.text)); hex.EncodeToString(sum[:]) != c.want.TextSHA256 {
			t.Errorf("%s: the text is not the reference's", name)
			continue
		}
		start := time.Now()
		ids := m.Tokenizer.Encode(c.text)
		t.Logf("%s: %d bytes, %d tokens, %v", name, len(c.text), len(ids), time.Since(start))
		got := digest(ids)
		got.TextSHA256 = c.want.TextSHA256
		if got != c.want {
			t.Errorf("%s: %+v, reference %+v", name, got, c.want)
		}
		if !bytes.Equal(m.Tokenizer.Decode(ids), []byte(c.text)) {
			t.Errorf("%s: Decode(Encode(text)) differs from text", name)
		}
	}
	var lists [][]int32
	for _, d := range docs {
		lists = append(lists, m.Tokenizer.Encode(d))
	}
	if got := digest(lists...); got != want.C4Documents {
		t.Errorf("C4 documents: %+v, reference %+v", got, want.C4Documents)
	}
}

func unzip(t testing.TB, path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rows joins the rows of a raw WikiText file by two newlines; a blank row is empty.
func rows(t testing.TB, path string) string {
	lines := strings.Split(string(unzip(t, path)), "\n")
	lines = lines[:len(lines)-1]
	for i, s := range lines {
		if strings.TrimSpace(s) == "" {
			lines[i] = ""
		} else {
			lines[i] = s + "\n"
		}
	}
	return strings.Join(lines, "\n\n")
}

func c4Documents(t testing.TB, path string) []string {
	var docs []string
	for d := json.NewDecoder(bytes.NewReader(unzip(t, path))); ; {
		var line struct{ Text string }
		if err := d.Decode(&line); err == io.EOF {
			return docs
		} else if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, line.Text)
	}
}

func BenchmarkOpenSmolLM2(b *testing.B) {
	path := smolPath(b)
	for b.Loop() {
		m, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		m.Close()
	}
}

func BenchmarkEncodeSmolLM2(b *testing.B) {
	m := openSmol(b)
	data := os.Getenv("ILLM_DATA")
	if data == "" {
		b.Skip("ILLM_DATA is not set")
	}
	text := rows(b, filepath.Join(data, "wikitext2", "test.txt.gz"))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		m.Tokenizer.Encode(text)
	}
}

func BenchmarkUnmarshalSmolLM2(b *testing.B) {
	raw := openSmol(b).Tokenizer.Marshal()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := tokenizer.Unmarshal(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDequantiseSmolLM2(b *testing.B) {
	m := openSmol(b)
	var buf []float32
	for b.Loop() {
		for _, name := range m.Names() {
			var err error
			if buf, err = m.Float32(name, buf); err != nil {
				b.Fatal(err)
			}
		}
	}
}
