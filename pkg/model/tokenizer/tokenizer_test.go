package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// TestClasses compares the pinned tables with Go's wherever Go knows the character:
// general categories never change once assigned.
func TestClasses(t *testing.T) {
	counts := map[class]int{}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if 0xd800 <= r && r < 0xe000 {
			continue
		}
		got := classOf(r)
		counts[got]++
		want := other
		switch {
		case unicode.IsLetter(r):
			want = letter
		case unicode.IsNumber(r):
			want = number
		case unicode.IsSpace(r):
			want = space
		case !unicode.In(r, unicode.M, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co):
			continue // unassigned in this Go release
		}
		if got != want && unicode.Version <= "16.0.0" {
			t.Fatalf("%U: class %d, Go says %d", r, got, want)
		}
	}
	// Counts of Unicode 16.0.
	if counts[letter] != 141028 || counts[number] != 1911 || counts[space] != 25 {
		t.Errorf("%d letters, %d numbers, %d spaces", counts[letter], counts[number], counts[space])
	}
}

func TestAlphabet(t *testing.T) {
	if len(byteOf) != 256 {
		t.Fatalf("%d characters", len(byteOf))
	}
	for s, want := range map[string]string{"Ġhello": " hello", "ĊĊ": "\n\n", "Ã©": "é", "Ń": "\xad", "a b": "a b", "": ""} {
		if got := fromAlphabet(s); got != want {
			t.Errorf("fromAlphabet(%q) = %q, want %q", s, got, want)
		}
	}
}

// words returns the pieces that a rule cuts text into.
func words(st step, text string) []string {
	var out []string
	for len(text) > 0 {
		n := st.next(text)
		out = append(out, text[:n])
		text = text[n:]
	}
	return out
}

// TestSplit shows the rules on readable cases, worked out by hand from the expressions.
func TestSplit(t *testing.T) {
	for _, c := range []struct {
		st   step
		text string
		want string // pieces joined by |
	}{
		{stepGPT2, "it's 12 o'clock!", "it|'s| 12| o|'|clock|!"},
		{stepGPT2, "a   b", "a|  | b"},
		{stepGPT2, "a \n\n b", "a| \n\n| b"},
		{stepGPT2, "a\n\n\nb", "a|\n\n|\n|b"},
		{stepGPT2, "end  ", "end|  "},
		{stepGPT2, "'S 's", "'|S| '|s"},
		{stepGPT2, " \u00a0x", " |\u00a0|x"},
		{stepLlama3, "IT'S 12345 (ok)\n\nNext", "IT|'S| |123|45| (|ok|)\n\n|Next"},
		{stepLlama3, "a \n \n b", "a| \n \n| b"},
		{stepLlama3, "tab\tx  y", "tab|\tx| | y"},
		{stepLlama3, "it'ſx IT'Sx", "it|'ſ|x| IT|'S|x"},
		{stepQwen2, "v12", "v|1|2"},
		{stepDigits, "ab12 3", "ab|1|2| |3"},
		{stepDigitRuns, "ab12 3", "ab|12| |3"},
	} {
		if got := strings.Join(words(c.st, c.text), "|"); got != c.want {
			t.Errorf("rule %d, %q: got %q, want %q", c.st, c.text, got, c.want)
		}
	}
}

// TestLongWords: the heap and the scan join the same pairs in the same order.
func TestLongWords(t *testing.T) {
	tok := tinyTokenizer(t, "smollm")
	text := strings.ReplaceAll(opticks(t)[:20000], " ", "")
	for _, n := range []int{2, 3, 17, maxShort, maxShort + 1, 1000, 5000} {
		a, b := encoder{t: tok}, encoder{t: tok}
		for i := range n {
			if id := tok.byteID[text[i]]; id >= 0 {
				a.sym, b.sym = append(a.sym, id), append(b.sym, id)
			}
		}
		a.short()
		b.long()
		if !slices.Equal(a.sym, b.sym) {
			t.Errorf("%d bytes: scan gives %d ids, heap %d others", n, len(a.sym), len(b.sym))
		}
	}
}

// TestMonsterWord: one word of a megabyte takes n·log n steps, not n² (a quarter of
// a second, not minutes), whatever it repeats.
func TestMonsterWord(t *testing.T) {
	tok := tinyTokenizer(t, "smollm")
	for unit, size := range map[string]int{"the": 1 << 20, "a": 1 << 15, " ": 1 << 15, "\n": 1 << 15, "!": 1 << 15, "中": 1 << 15} {
		text := strings.Repeat(unit, size/len(unit))
		start := time.Now()
		if got := tok.Decode(tok.Encode(text)); string(got) != text {
			t.Errorf("%q repeated: Decode(Encode) differs", unit)
		}
		if d := time.Since(start); d > time.Minute {
			t.Errorf("a word of %d bytes took %v", size, d)
		}
	}
}

func TestEmpty(t *testing.T) {
	tok := tinyTokenizer(t, "smollm")
	if ids := tok.Encode(""); len(ids) != 0 {
		t.Errorf("Encode(\"\") = %v", ids)
	}
	if b := tok.Decode(nil); len(b) != 0 {
		t.Errorf("Decode(nil) = %q", b)
	}
	if b := tok.Decode([]int32{-1, 1 << 30}); len(b) != 0 {
		t.Errorf("ids outside the vocabulary decode to %q", b)
	}
}

func TestRolesAndIDs(t *testing.T) {
	tok := tinyTokenizer(t, "smollm")
	id, ok := tok.ID("<|im_end|>")
	if !ok || tok.Role(id) != Control || tok.Token(id) != "<|im_end|>" {
		t.Errorf("<|im_end|>: id %d, %v, role %d", id, ok, tok.Role(id))
	}
	the, ok := tok.ID(" the")
	if !ok || tok.Role(the) != Normal {
		t.Errorf(" the: id %d, %v", the, ok)
	}
	if _, ok := tok.ID("no such token"); ok {
		t.Error("found a token that is not there")
	}
	if got := tok.Decode([]int32{the, id, the}); string(got) != " the the" {
		t.Errorf("Decode shows a control token: %q", got)
	}
	if slices.Contains(tok.Encode("a<|im_end|>b"), id) {
		t.Error("Encode parsed a control token")
	}
	if tok.Role(int32(tok.Vocab())) != Unused {
		t.Error("an id past the vocabulary has a role")
	}
}

func TestStream(t *testing.T) {
	tok := tinyTokenizer(t, "smollm")
	for _, text := range []string{"plain", "é 中 🙂👍🏽", "a🙂", strings.Repeat("漢字🙂", 10)} {
		s := tok.NewStream()
		var got strings.Builder
		for _, id := range tok.Encode(text) {
			piece := s.Next(id)
			if !utf8.ValidString(piece) || strings.Contains(piece, replacement) {
				t.Errorf("%q: piece %q is not whole", text, piece)
			}
			got.WriteString(piece)
		}
		got.WriteString(s.Flush())
		if got.String() != text {
			t.Errorf("streamed %q as %q", text, got.String())
		}
	}
	s := tok.NewStream()
	if got := s.Next(tok.byteID[0x9f]); got != replacement { // a continuation on its own
		t.Errorf("stray byte: %q", got)
	}
	if got := s.Next(tok.byteID[0xe4]); got != "" {
		t.Errorf("lead byte: %q", got)
	}
	if got := s.Flush(); got != replacement {
		t.Errorf("flush of half a character: %q", got)
	}
	if got := s.Flush(); got != "" {
		t.Errorf("second flush: %q", got)
	}
}

func TestMarshal(t *testing.T) {
	for _, pre := range []string{"smollm", "llama-bpe", "qwen2"} {
		tok := tinyTokenizer(t, pre)
		b := tok.Marshal()
		back, err := Unmarshal(bytes.Clone(b))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.Marshal(), b) {
			t.Errorf("%s: Marshal(Unmarshal(b)) differs from b", pre)
		}
		text := "It's 1234 Ünï\u0041\u030a 中文\n\n  x"
		if !slices.Equal(back.Encode(text), tok.Encode(text)) {
			t.Errorf("%s: ids differ after Unmarshal", pre)
		}
	}
}

// TestMergesAsLists: newer files write merges as pairs, and added tokens may lie
// beyond the vocabulary with ids between left out.
func TestMergesAsLists(t *testing.T) {
	tok, err := FromJSON([]byte(`{"added_tokens":[{"id":9,"content":"<x y>","special":true}],
		"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":` + quote(patternLlama3) + `},"behavior":"Removed","invert":true},{"type":"ByteLevel","use_regex":false}]},
		"model":{"vocab":{"a":0,"Ġ":1,"b":2,"Ġa":3},"merges":[["Ġ","a"]],"ignore_merges":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tok.EncodeSpecial("a a<x y>b"), []int32{0, 3, 9, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if tok.Vocab() != 10 || tok.Role(7) != Unused {
		t.Errorf("vocabulary of %d, role of 7: %d", tok.Vocab(), tok.Role(7))
	}
}

// TestReferenceCorners: ids that the reference library (0.23.3) gives.
func TestReferenceCorners(t *testing.T) {
	const bl = `"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}`
	vocab := `"vocab":{"a":0,"b":1,"c":2,"ab":3,"abc":4,"Ġ":5},"merges":["a b"]`
	for _, c := range []struct {
		name, json, text string
		want             []int32
	}{
		{"merges", `{` + bl + `,"model":{` + vocab + `}}`, "abc abcc", []int32{3, 2, 5, 3, 2, 2}},
		{"a word that is a token", `{` + bl + `,"model":{` + vocab + `,"ignore_merges":true}}`, "abc", []int32{4}},
		{"a word with a blank is another", `{` + bl + `,"model":{` + vocab + `,"ignore_merges":true}}`, "abcc abc", []int32{3, 2, 2, 5, 3, 2}},
		{"of a pair listed twice the later rank counts", `{` + bl + `,"model":{"vocab":{"a":0,"b":1,"ab":2,"ba":3},"merges":["a b","b a","a b"]}}`, "bab", []int32{3, 1}},
		{"leftmost, then longest; bytes without a token dropped", `{"added_tokens":[{"id":2,"content":"<a>","special":true},{"id":3,"content":"<a>b","special":true},{"id":4,"content":">b","special":true}],` +
			bl + `,"model":{"vocab":{"a":0,"b":1},"merges":[]}}`, "<a>b<a>a<<a>>bb", []int32{3, 2, 0, 2, 4, 1}},
	} {
		tok, err := FromJSON([]byte(c.json))
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.EncodeSpecial(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q gives %v, want %v", c.name, c.text, got, c.want)
		}
	}
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestLeading(t *testing.T) {
	const single = `"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{"<s>":{"ids":[7]}}`
	for json, want := range map[string]int32{
		`{"post_processor":{` + single + `}}`: 7,
		`{"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{` + single + `}]}}`:             7,
		`{"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}}],"special_tokens":{}}}`: -1,
		`{"post_processor":null}`: -1, `{}`: -1, `x`: -1,
	} {
		got, ok := Leading([]byte(json))
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("Leading(%s) = %d, %v; want %d", json, got, ok, want)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	text := opticks(b)
	for _, pre := range []string{"smollm", "llama-bpe"} {
		b.Run(pre, func(b *testing.B) {
			tok := tinyTokenizer(b, pre)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tok.Encode(text)
			}
		})
	}
}

func ExampleTokenizer_Encode() {
	tok, err := FromJSON([]byte(`{
		"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
		"model": {"type": "BPE", "vocab": {"l": 0, "o": 1, "w": 2, "Ġ": 3, "lo": 4, "low": 5, "Ġlow": 6}, "merges": ["l o", "lo w", "Ġ low"]}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := tok.Encode("low low lo")
	fmt.Println(ids)
	fmt.Printf("%s\n", tok.Decode(ids))
	// Output:
	// [5 6 3 4]
	// low low lo
}

func ExampleStream() {
	tok, err := FromJSON([]byte(`{
		"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
		"model": {"type": "BPE", "vocab": {"H": 0, "Ã": 1, "©": 2}, "merges": []}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	s := tok.NewStream()
	for _, id := range []int32{0, 1, 2} { // é arrives in two tokens
		fmt.Printf("%q ", s.Next(id))
	}
	fmt.Printf("%q\n", s.Flush())
	// Output: "H" "" "é" ""
}
