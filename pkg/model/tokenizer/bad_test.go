package tokenizer

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

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
