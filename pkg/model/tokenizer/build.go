package tokenizer

import (
	"fmt"
	"strings"
)

// maxVocab bounds ids; the largest vocabularies in use have 2^18.
const maxVocab = 1 << 22

// build fills the tables from a vocabulary in the printable alphabet. merges holds
// "left right" by rank; written in the same alphabet. roles may be nil.
func (t *Tokenizer) build(tokens []string, roles []Role, merges [][2]string) error {
	if len(tokens) == 0 || len(tokens) > maxVocab {
		return fmt.Errorf("expected 1–%d tokens, found %d", maxVocab, len(tokens))
	}
	if len(merges) > maxVocab {
		return fmt.Errorf("expected at most %d merges, found %d", maxVocab, len(merges))
	}
	if roles == nil {
		roles = make([]Role, len(tokens))
	}
	id := make(map[string]int32, len(tokens))
	raw := make([]string, len(tokens))
	for i, s := range tokens {
		if roles[i] == Unused {
			continue
		}
		raw[i] = fromAlphabet(s)
		if _, dup := id[s]; dup && s != "" {
			return fmt.Errorf("token %q has two ids, %d and %d", s, id[s], i)
		}
		id[s] = int32(i)
	}
	t.role = roles
	t.text, t.start = joinTokens(raw)
	t.pairs = make([]pair, 0, len(merges))
	for rank, m := range merges {
		l, okL := id[m[0]]
		r, okR := id[m[1]]
		j, okJ := id[m[0]+m[1]]
		if !okL || !okR || !okJ {
			return fmt.Errorf("merge %d joins %q and %q: not all of the two and their join are in the vocabulary", rank, m[0], m[1])
		}
		t.pairs = append(t.pairs, pair{l, r, j})
	}
	t.index()
	return nil
}

// index derives byteID and merges. Of a pair that is listed twice the later rank
// counts, as in the reference library.
func (t *Tokenizer) index() {
	for i := range t.byteID {
		t.byteID[i] = -1
	}
	for i, r := range t.role {
		if s := t.Token(int32(i)); len(s) == 1 && r == Normal {
			t.byteID[s[0]] = int32(i)
		}
	}
	t.merges = make(map[uint64]int32, len(t.pairs))
	for rank, p := range t.pairs {
		t.merges[key(p.left, p.right)] = int32(rank)
	}
}

// splitMerge cuts "left right" at its only blank (blanks inside tokens are written Ġ).
func splitMerge(s string) ([2]string, error) {
	l, r, ok := strings.Cut(s, " ")
	if !ok || l == "" || r == "" || strings.Contains(r, " ") {
		return [2]string{}, fmt.Errorf("expected two tokens and a blank between them, found %q", s)
	}
	return [2]string{l, r}, nil
}
