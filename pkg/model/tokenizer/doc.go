// Package tokenizer implements byte-level byte-pair encoding (BPE): text to token
// ids and back, equal to the reference `tokenizers` library.
//
// # From text to ids
//
//	text ──(NFC, where the model asks)──▶ split into words ──▶ bytes of a word ──▶ merges ──▶ ids
//
// A word is what the model's splitting rule isolates; merges never cross words.
// Each byte becomes its token; then the adjacent pair of lowest rank is joined,
// the leftmost of equals first, until no adjacent pair has a rank. Ranks are the
// order in which training found the pairs.
//
// # Splitting
//
// The rules are regular expressions with a negative lookahead, which Go's regexp
// lacks; split.go holds a hand-written scanner for each, with the expression beside
// it. \p{L}, \p{N} and \s are those of Unicode 16.0 (classes_table.go), pinned so
// that ids do not change with the Go release.
//
//	stepDigits   every number character on its own (SmolLM, StarCoder …, before stepGPT2)
//	stepGPT2     GPT-2, OPT and descendants
//	stepLlama3   LLaMA 3: case-insensitive contractions, numbers in groups of three
//	stepQwen2    the same with single numbers
//
// # Sources of a tokenizer
//
//	FromGGUF   metadata tokenizer.ggml.{model, pre, tokens, token_type, merges}
//	FromJSON   tokenizer.json of the Hugging Face hub
//	Unmarshal  what Marshal wrote, for a model file of this project
//
// Vocabularies write bytes in a printable alphabet (a blank is Ġ); tokens are kept
// here as the bytes themselves.
//
// # Proof
//
// testdata/reference.py encodes whole corpora with the reference library and writes
// counts and hashes; the tests compare. Fixtures hold ids and hashes, no text.
//
// Sources: Sennrich et al., arXiv:1508.07909 (BPE); Radford et al., "Language Models
// are Unsupervised Multitask Learners" (bytes, GPT-2's expression); the behaviour of
// the tokenizers library 0.23.3. Departures: see [Tokenizer.Encode] (invalid UTF-8),
// [Tokenizer.EncodeSpecial] (stripping); the library isolates 13 digits of Unicode
// 17.0 in its digit step while its expressions follow 16.0, here both follow 16.0.
package tokenizer
