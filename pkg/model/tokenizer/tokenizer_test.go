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

func TestUnmarshalBad(t *testing.T) {
	good := tinyTokenizer(t, "smollm").Marshal()
	for n := 0; n < len(good); n += 1 + n/50 {
		if _, err := Unmarshal(good[:n]); err == nil {
			t.Fatalf("data cut at byte %d of %d were accepted", n, len(good))
		}
	}
	edit := func(at int, x byte) []byte { b := bytes.Clone(good); b[at] = x; return b }
	for name, b := range map[string][]byte{
		"magic":              edit(0, 'x'),
		"flags":              edit(11, 1),
		"rule":               edit(16, 99),
		"2^31 rules":         edit(15, 0x80),
		"2^31 tokens":        edit(21, 0x80),
		"role":               edit(22, 7),
		"tail":               append(bytes.Clone(good), 0),
		"merge out of range": edit(len(good)-1, 0x80),
		"merge of others":    edit(len(good)-12, good[len(good)-12]^1),
	} {
		if _, err := Unmarshal(b); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: unmarshal: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFromGGUFBad(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(m fakeMeta)
		want string
	}{
		"missing tokenizer": {func(m fakeMeta) { delete(m, keyModel) }, "the file has no tokenizer"},
		"SentencePiece":     {func(m fakeMeta) { m[keyModel] = "llama" }, `is "llama", this build reads byte-level BPE`},
		"no rule":           {func(m fakeMeta) { delete(m, keyPre) }, "is missing"},
		"unknown rule":      {func(m fakeMeta) { m[keyPre] = "novel" }, `is "novel", this build knows codeshell`},
		"no tokens":         {func(m fakeMeta) { m[keyTokens] = []string{} }, "for 0 tokens"},
		"no merges":         {func(m fakeMeta) { delete(m, keyMerges) }, keyMerges},
		"types cut":         {func(m fakeMeta) { m[keyTypes] = []int64{1} }, "has 1 entries for"},
		"merge of unknown":  {func(m fakeMeta) { m[keyMerges] = []string{"t h", "qq zz"} }, `merge 1 joins "qq" and "zz"`},
		"merge of one":      {func(m fakeMeta) { m[keyMerges] = []string{"th"} }, `entry 0: expected two tokens`},
		"same token twice":  {func(m fakeMeta) { tok := slices.Clone(m[keyTokens].([]string)); tok[10] = tok[11]; m[keyTokens] = tok }, "has two ids, 10 and 11"},
	} {
		m := tinyMeta(t, "smollm")
		c.edit(m)
		if _, err := FromGGUF(m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want … %s …", name, err, c.want)
		}
	}
}

func TestFromJSONBad(t *testing.T) {
	const model = `"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}`
	const bl = `"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}`
	if _, err := FromJSON([]byte(`{` + bl + `,` + model + `}`)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ json, want string }{
		"no JSON":             {`{`, "unexpected end"},
		"no pre_tokenizer":    {`{` + model + `}`, "pre_tokenizer: expected one with ByteLevel"},
		"no bytes":            {`{"pre_tokenizer":{"type":"Digits"},` + model + `}`, "no ByteLevel part"},
		"Metaspace":           {`{"pre_tokenizer":{"type":"Metaspace"},` + model + `}`, `found "Metaspace"`},
		"bytes too early":     {`{"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Digits"}]},` + model + `}`, "not the last"},
		"unknown expression":  {`{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"x+"},"behavior":"Isolated"},` + model + `}`, `the expression "x+" is unknown`},
		"split on a string":   {`{"pre_tokenizer":{"type":"Split","pattern":{"String":" "},"behavior":"Isolated"},` + model + `}`, `expected a pattern "Regex"`},
		"merging split":       {`{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\p{N}"},"behavior":"MergedWithNext"},` + model + `}`, `behavior "MergedWithNext"`},
		"normalizer":          {`{"normalizer":{"type":"Lowercase"},` + bl + `,` + model + `}`, `found "Lowercase"`},
		"WordPiece":           {`{` + bl + `,"model":{"type":"WordPiece","vocab":{"a":0}}}`, `found "WordPiece"`},
		"byte_fallback":       {`{` + bl + `,"model":{"type":"BPE","byte_fallback":true,"vocab":{"a":0}}}`, "byte_fallback"},
		"dropout":             {`{` + bl + `,"model":{"type":"BPE","dropout":0.1,"vocab":{"a":0}}}`, "dropout 0.1"},
		"suffix":              {`{` + bl + `,"model":{"type":"BPE","end_of_word_suffix":"</w>","vocab":{"a":0}}}`, "</w>"},
		"prefix":              {`{` + bl + `,"model":{"type":"BPE","continuing_subword_prefix":"##","vocab":{"a":0}}}`, "##"},
		"no vocabulary":       {`{` + bl + `,"model":{"type":"BPE"}}`, "no vocabulary"},
		"unk with a gap":      {`{` + bl + `,"model":{"type":"BPE","unk_token":"a","vocab":{"a":0}}}`, `unk_token "a"`},
		"id of 2^60":          {`{` + bl + `,"model":{"type":"BPE","vocab":{"a":1152921504606846976}}}`, "found 1152921504606846976"},
		"negative id":         {`{` + bl + `,"model":{"type":"BPE","vocab":{"a":-1}}}`, "found -1"},
		"shared id":           {`{` + bl + `,"model":{"type":"BPE","vocab":{"a":0,"b":0}}}`, `"a" and "b" share the id 0`},
		"merge of unknown":    {`{` + bl + `,"model":{"type":"BPE","vocab":{"a":0},"merges":["a c"]}}`, `"a" and "c"`},
		"merge of three":      {`{` + bl + `,"model":{"type":"BPE","vocab":{"a":0},"merges":["a b c"]}}`, "expected two tokens"},
		"merge list of three": {`{` + bl + `,"model":{"type":"BPE","vocab":{"a":0},"merges":[["a","b","c"]]}}`, "expected two tokens"},
		"added takes an id":   {`{"added_tokens":[{"id":0,"content":"x"}],` + bl + `,` + model + `}`, `has the id 0 of "a"`},
		"added id of 2^60":    {`{"added_tokens":[{"id":1152921504606846976,"content":"x"}],` + bl + `,` + model + `}`, "found 1152921504606846976"},
		"added empty":         {`{"added_tokens":[{"id":5,"content":""}],` + bl + `,` + model + `}`, "added token 5 is empty"},
	} {
		if _, err := FromJSON([]byte(c.json)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want … %s …", name, err, c.want)
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
