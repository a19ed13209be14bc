package tokenizer

import (
	"strings"
	"sync"
)

// Role says what a token is for.
type Role uint8

// The roles of tokens.
const (
	Normal  Role = iota // made by merges, stands for its bytes
	Control             // end of text, chat turns …: never produced by Encode
	Added               // added by the model's authors, stands for its bytes
	Unused              // an id without a token
)

// Tokenizer turns text into token ids and back. It is immutable and safe for
// concurrent use.
type Tokenizer struct {
	text   string   // the bytes of all tokens, one after the other
	start  []uint32 // token i is text[start[i]:start[i+1]]
	role   []Role
	byteID [256]int32       // id of the token of one byte, −1 if the vocabulary lacks it
	pairs  []pair           // the merges by rank
	merges map[uint64]int32 // key of a pair → its rank

	steps       []step
	nfc         bool // normalise text to NFC first
	wholeFirst  bool // a word that is a token is not merged up to (ignore_merges)
	prefixSpace bool // put a space before a piece that has none

	once sync.Once
	id   map[string]int32 // bytes of normal tokens → id
	tree *trie            // control and added tokens
}

type pair struct{ left, right, result int32 }

func key(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// Vocab is one more than the largest id.
func (t *Tokenizer) Vocab() int { return len(t.role) }

// Token returns the bytes that id stands for; for a control token its name.
// It is empty for an id outside the vocabulary.
func (t *Tokenizer) Token(id int32) string {
	if id < 0 || int(id) >= len(t.role) {
		return ""
	}
	return t.text[t.start[id]:t.start[id+1]]
}

// Role returns the role of id; Unused if it is outside the vocabulary.
func (t *Tokenizer) Role(id int32) Role {
	if id < 0 || int(id) >= len(t.role) {
		return Unused
	}
	return t.role[id]
}

// ID finds the token, of any role, that stands for exactly these bytes.
func (t *Tokenizer) ID(token string) (int32, bool) {
	t.lookups()
	if id, n := t.tree.longest(token); n == len(token) && n > 0 {
		return id, true
	}
	id, ok := t.id[token]
	return id, ok
}

// lookups builds the indices that most runs never need.
func (t *Tokenizer) lookups() {
	t.once.Do(func() {
		t.id = make(map[string]int32, len(t.role))
		t.tree = &trie{}
		for i, r := range t.role {
			switch id := int32(i); r {
			case Normal:
				t.id[t.Token(id)] = id
			case Control, Added:
				t.tree.add(t.Token(id), id)
			}
		}
	})
}

// Encode returns the ids of text. No token is added at either end, and text that
// looks like a control token is text. Invalid UTF-8 is read as U+FFFD, one for
// each maximal ill-formed part, as Python's errors="replace" and the reference
// library's callers do.
//
// Bytes whose token the vocabulary lacks are dropped, as in the reference library.
// SmolLM2 lacks six control codes (04, 06, 13, 14, 16, 1D), the leads F1 and F2 of
// planes without assigned characters, and bytes that UTF-8 never contains.
func (t *Tokenizer) Encode(text string) []int32 {
	ids := make([]int32, 0, len(text)/4+8)
	return t.AppendEncode(ids, text)
}

// AppendEncode appends the ids of text to dst.
func (t *Tokenizer) AppendEncode(dst []int32, text string) []int32 {
	e := encoder{t: t, ids: dst}
	e.text(text)
	return e.ids
}

// EncodeSpecial is Encode, but control and added tokens that are spelt out in the
// text become those tokens (leftmost, longest first). Departure from the reference
// library: white space around such a token is kept even where tokenizer.json asks
// to strip it.
func (t *Tokenizer) EncodeSpecial(text string) []int32 {
	t.lookups()
	e := encoder{t: t, ids: make([]int32, 0, len(text)/4+8)}
	from := 0
	for i := 0; i < len(text); {
		id, n := t.tree.longest(text[i:])
		if n == 0 {
			i++
			continue
		}
		e.text(text[from:i])
		e.ids = append(e.ids, id)
		i += n
		from = i
	}
	e.text(text[from:])
	return e.ids
}

// Decode returns the bytes that ids stand for, control tokens left out. Bytes of
// one character may be spread over tokens; see [Stream] for text in pieces.
func (t *Tokenizer) Decode(ids []int32) []byte {
	var out []byte
	for _, id := range ids {
		if t.Role(id) != Control {
			out = append(out, t.Token(id)...)
		}
	}
	return out
}

// trie finds the longest of a few strings at the start of a text.
type trie struct {
	next map[byte]*trie
	id   int32
	end  bool
}

func (n *trie) add(s string, id int32) {
	if s == "" {
		return
	}
	for i := range len(s) {
		if n.next == nil {
			n.next = make(map[byte]*trie)
		}
		c := n.next[s[i]]
		if c == nil {
			c = &trie{}
			n.next[s[i]] = c
		}
		n = c
	}
	n.id, n.end = id, true
}

func (n *trie) longest(s string) (id int32, length int) {
	for i := range len(s) {
		if n = n.next[s[i]]; n == nil {
			break
		}
		if n.end {
			id, length = n.id, i+1
		}
	}
	return id, length
}

// Stream turns ids that arrive one by one into valid UTF-8 text.
type Stream struct {
	t    *Tokenizer
	rest []byte // the start of a character whose other bytes are still to come
}

// NewStream returns an empty stream.
func (t *Tokenizer) NewStream() *Stream { return &Stream{t: t} }

// Next returns the text that id completes; it is empty while a character is
// incomplete. Bytes that cannot become valid UTF-8 come out as U+FFFD.
func (s *Stream) Next(id int32) string {
	if s.t.Role(id) != Control {
		s.rest = append(s.rest, s.t.Token(id)...)
	}
	n := len(s.rest) - incomplete(s.rest)
	out := toValid(string(s.rest[:n]))
	s.rest = append(s.rest[:0], s.rest[n:]...)
	return out
}

// Flush returns what is left as text and empties the stream.
func (s *Stream) Flush() string {
	out := toValid(string(s.rest))
	s.rest = s.rest[:0]
	return out
}

// joinTokens lays the tokens out as Tokenizer stores them.
func joinTokens(tokens []string) (text string, start []uint32) {
	var b strings.Builder
	start = make([]uint32, 1, len(tokens)+1)
	for _, s := range tokens {
		b.WriteString(s)
		start = append(start, uint32(b.Len()))
	}
	return b.String(), start
}
