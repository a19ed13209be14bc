package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// smallJSON is a seed that the fuzzer can turn over quickly.
const smallJSON = `{"added_tokens":[{"id":4,"content":"<x>","special":true}],
"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":true}]},
"model":{"type":"BPE","vocab":{"I":0,"t":1,"It":2,"\u0120":3},"merges":["I t"]}}`

func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "it's 12 o'clock", "a \n\n b", "\xff\xc3(", "中文🙂\u0301", "   x\r\n", "<|im_end|>'ſ"} {
		f.Add(s)
	}
	var toks []*Tokenizer
	for _, pre := range []string{"smollm", "llama-bpe", "qwen2"} {
		toks = append(toks, tinyTokenizer(f, pre))
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, tok := range toks {
			ids := tok.Encode(s)
			for _, id := range ids {
				if tok.Role(id) != Normal {
					t.Fatalf("Encode(%q) yields %d, role %d", s, id, tok.Role(id))
				}
			}
			// Encoding what was decoded changes nothing further.
			text := string(tok.Decode(ids))
			if again := string(tok.Decode(tok.Encode(text))); utf8.ValidString(text) && again != text {
				t.Fatalf("%q decodes to %q, again to %q", s, text, again)
			}
			// A stream of the ids shows the same text.
			st := tok.NewStream()
			var b strings.Builder
			for _, id := range ids {
				b.WriteString(st.Next(id))
			}
			b.WriteString(st.Flush())
			if b.String() != toValid(text) {
				t.Fatalf("streamed %q, decoded %q", b.String(), text)
			}
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	small, err := FromJSON([]byte(smallJSON))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small.Marshal())
	f.Add([]byte(marshalMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if tok, err := Unmarshal(b); err == nil {
			tok.Decode(tok.EncodeSpecial("It's 12 \xff<|im_end|>"))
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	shipped, err := os.ReadFile(filepath.Join("..", "..", "..", "data", "models", "tiny-llama", "tokenizer.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shipped)
	f.Add([]byte(smallJSON))
	f.Add([]byte(`{"normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"ByteLevel"},"model":{"vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]],"ignore_merges":true}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if tok, err := FromJSON(b); err == nil {
			tok.Decode(tok.EncodeSpecial("It's 12 \xff<|im_end|>"))
		}
	})
}
