package tokenizer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The fixtures of testdata/reference.py.
type digest struct {
	Tokens int
	SHA256 string
}

type cases struct {
	Awkward, Special []struct {
		Hex string
		IDs []int32
	}
	Random, Opticks digest
}

func readJSON(t testing.TB, name string, v any) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

type idHash struct {
	h hash.Hash
	n int
}

func newIDHash() *idHash { return &idHash{h: sha256.New()} }

func (d *idHash) add(ids []int32) {
	b := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	d.h.Write(b)
	d.n += len(ids)
}

func (d *idHash) digest() digest { return digest{d.n, hex.EncodeToString(d.h.Sum(nil))} }

func digestOf(ids []int32) digest {
	d := newIDHash()
	d.add(ids)
	return d.digest()
}

func opticks(t testing.TB) string {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("no go command: ", err)
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src", "testdata", "Isaac.Newton-Opticks.txt"))
	if err != nil {
		t.Skip(err)
	}
	return string(b)
}

// randomTexts repeats the generator of reference.py.
func randomTexts(pieces []string, yield func(string)) {
	x := uint64(1)
	draw := func(k int) int {
		x = x*6364136223846793005 + 1442695040888963407
		return int(x >> 33 % uint64(k))
	}
	for range 20000 {
		var b strings.Builder
		for range 1 + draw(24) {
			b.WriteString(pieces[draw(len(pieces))])
		}
		yield(b.String())
	}
}

func checkCases(t *testing.T, tok *Tokenizer, c cases, pieces []string) {
	t.Helper()
	for _, a := range c.Awkward {
		raw, err := hex.DecodeString(a.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Encode(string(raw)); !slices.Equal(got, a.IDs) {
			t.Errorf("Encode(%q) =\n%v, reference\n%v", raw, got, a.IDs)
		}
	}
	for _, a := range c.Special {
		raw, _ := hex.DecodeString(a.Hex)
		if got := tok.EncodeSpecial(string(raw)); !slices.Equal(got, a.IDs) {
			t.Errorf("EncodeSpecial(%q) =\n%v, reference\n%v", raw, got, a.IDs)
		}
	}
	all := newIDHash()
	randomTexts(pieces, func(s string) { all.add(tok.Encode(s)) })
	if got := all.digest(); got != c.Random {
		t.Errorf("random texts: %v, reference %v", got, c.Random)
	}
	text := opticks(t)
	ids := tok.Encode(text)
	if got := digestOf(ids); got != c.Opticks {
		t.Errorf("opticks: %v, reference %v", got, c.Opticks)
	}
	if got := tok.Decode(ids); !tok.prefixSpace && string(got) != text {
		t.Error("opticks: Decode(Encode(text)) differs from text")
	}
}

// fakeMeta is a GGUF file's metadata in memory.
type fakeMeta map[string]any

func (m fakeMeta) Has(key string) bool { _, ok := m[key]; return ok }
func (m fakeMeta) String(key string) (string, error) {
	if s, ok := m[key].(string); ok {
		return s, nil
	}
	return "", fmt.Errorf("no string %q", key)
}
func (m fakeMeta) Strings(key string) ([]string, error) {
	if s, ok := m[key].([]string); ok {
		return s, nil
	}
	return nil, fmt.Errorf("no strings %q", key)
}
func (m fakeMeta) Ints(key string) ([]int64, error) {
	if s, ok := m[key].([]int64); ok {
		return s, nil
	}
	return nil, fmt.Errorf("no integers %q", key)
}

// tinyMeta writes the vocabulary of tiny.tokenizer.json as a GGUF file has it.
func tinyMeta(t testing.TB, pre string) fakeMeta {
	var f jsonFile
	readJSON(t, "tiny.tokenizer.json", &f)
	tokens := make([]string, len(f.Model.Vocab))
	types := make([]int64, len(tokens))
	for s, id := range f.Model.Vocab {
		tokens[id], types[id] = s, 1
	}
	for _, a := range f.AddedTokens {
		types[a.ID] = 3
	}
	var merges []string
	for _, m := range f.Model.Merges {
		merges = append(merges, m[0]+" "+m[1])
	}
	return fakeMeta{keyModel: "gpt2", keyPre: pre, keyTokens: tokens, keyTypes: types, keyMerges: merges}
}

func tinyTokenizer(t testing.TB, pre string) *Tokenizer {
	tok, err := FromGGUF(tinyMeta(t, pre))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestReference compares with the reference library on a 900-token vocabulary in
// every splitting rule: awkward strings, 20000 random mixtures, one book.
func TestReference(t *testing.T) {
	var fixture struct {
		Pieces   []string
		Variants map[string]cases
	}
	readJSON(t, "tiny.json", &fixture)
	for _, pre := range []string{"smollm", "gpt-2", "llama-bpe", "qwen2", "prefix-space"} {
		t.Run(pre, func(t *testing.T) {
			var tok *Tokenizer
			if pre == "prefix-space" {
				tok = tinyTokenizer(t, "gpt-2")
				tok.prefixSpace = true
			} else {
				tok = tinyTokenizer(t, pre)
			}
			checkCases(t, tok, fixture.Variants[pre], fixture.Pieces)
		})
	}
}

// TestJSON: the file that the reference library saved gives the same tokenizer as
// the GGUF form of the same vocabulary.
func TestJSON(t *testing.T) {
	data := readJSON(t, "tiny.tokenizer.json", &jsonFile{})
	tok, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	if want := tinyTokenizer(t, "smollm"); !slices.Equal(tok.Marshal(), want.Marshal()) {
		t.Error("FromJSON and FromGGUF differ on the same vocabulary")
	}
}
