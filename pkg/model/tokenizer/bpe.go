package tokenizer

import (
	"math"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// encoder holds the state of one Encode.
type encoder struct {
	t     *Tokenizer
	ids   []int32
	cache map[string]span // words met before → where their ids stand in ids or known
	known []int32

	sym  []int32 // scratch of short
	rank []int32
}

type span struct{ at, n int32 }

const (
	maxCached = 64      // bytes of a word worth remembering
	maxWords  = 1 << 17 // words remembered by one Encode
	maxShort  = 96      // symbols up to which scanning beats a heap
)

func (e *encoder) text(s string) {
	if s == "" {
		return
	}
	s = toValid(s)
	if e.t.nfc {
		s = norm.NFC.String(s)
	}
	e.split(s, e.t.steps)
}

// split hands s through the remaining steps.
func (e *encoder) split(s string, steps []step) {
	if len(steps) == 0 {
		e.word(s)
		return
	}
	if e.t.prefixSpace && len(steps) == 1 && !strings.HasPrefix(s, " ") {
		s = " " + s
	}
	for len(s) > 0 {
		n := steps[0].next(s)
		e.split(s[:n], steps[1:])
		s = s[n:]
	}
}

func (e *encoder) word(w string) {
	if at, ok := e.cache[w]; ok {
		e.ids = append(e.ids, e.known[at.at:at.at+at.n]...)
		return
	}
	from := len(e.ids)
	e.merge(w)
	if len(w) > maxCached || len(e.cache) >= maxWords {
		return
	}
	if e.cache == nil {
		e.cache = make(map[string]span)
	}
	e.cache[w] = span{int32(len(e.known)), int32(len(e.ids) - from)}
	e.known = append(e.known, e.ids[from:]...)
}

// merge appends the ids of one word: start from bytes, join the adjacent pair of
// lowest rank (the leftmost of equals) until none has a rank.
func (e *encoder) merge(w string) {
	t := e.t
	if t.wholeFirst {
		t.lookups()
		if id, ok := t.id[w]; ok {
			e.ids = append(e.ids, id)
			return
		}
	}
	e.sym = e.sym[:0]
	for i := range len(w) {
		if id := t.byteID[w[i]]; id >= 0 {
			e.sym = append(e.sym, id)
		}
	}
	if len(e.sym) <= maxShort {
		e.short()
	} else {
		e.long()
	}
	e.ids = append(e.ids, e.sym...)
	if cap(e.sym) > 1<<16 {
		e.sym, e.rank = nil, nil // a monster of a word; do not keep its scratch
	}
}

const never = math.MaxInt32

func (t *Tokenizer) rankOf(left, right int32) int32 {
	if rank, ok := t.merges[key(left, right)]; ok {
		return rank
	}
	return never
}

// short merges e.sym in place: rank[i] is the rank of the pair (i, i+1).
// Time n² at worst, for n ≤ maxShort.
func (e *encoder) short() {
	sym, t := e.sym, e.t
	rank := e.rank[:0]
	for i := 1; i < len(sym); i++ {
		rank = append(rank, t.rankOf(sym[i-1], sym[i]))
	}
	e.rank = rank
	for {
		best, at := int32(never), -1
		for i, r := range rank {
			if r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			break
		}
		sym[at] = t.pairs[best].result
		sym = append(sym[:at+1], sym[at+2:]...)
		rank = append(rank[:at], rank[at+1:]...)
		if at > 0 {
			rank[at-1] = t.rankOf(sym[at-1], sym[at])
		}
		if at < len(rank) {
			rank[at] = t.rankOf(sym[at], sym[at+1])
		}
	}
	e.sym = sym
}

// long does the same in n·log n: symbols in a doubly linked list, candidate pairs
// in a heap by (rank, position); a candidate whose pair has changed is skipped.
func (e *encoder) long() {
	sym, t := e.sym, e.t
	n := len(sym)
	prev, next := make([]int32, n), make([]int32, n)
	for i := range sym {
		prev[i], next[i] = int32(i-1), int32(i+1)
	}
	next[n-1] = -1
	var q candidates
	push := func(i, j int32) {
		if i >= 0 && j >= 0 {
			if r := t.rankOf(sym[i], sym[j]); r != never {
				q.push(r, i)
			}
		}
	}
	for i := 1; i < n; i++ {
		push(int32(i-1), int32(i))
	}
	for len(q) > 0 {
		c := q.pop()
		i := c.at()
		if sym[i] < 0 || next[i] < 0 || t.rankOf(sym[i], sym[next[i]]) != c.rank() {
			continue
		}
		j := next[i]
		sym[i], sym[j] = t.pairs[c.rank()].result, -1
		next[i] = next[j]
		if next[j] >= 0 {
			prev[next[j]] = i
		}
		push(prev[i], i)
		push(i, next[i])
	}
	out := sym[:0]
	for _, s := range sym {
		if s >= 0 {
			out = append(out, s)
		}
	}
	e.sym = out
}

// candidate is a pair to join, packed so that plain comparison orders by rank, then
// position: rank in the upper, position of the left symbol in the lower half.
type candidate uint64

func (c candidate) rank() int32 { return int32(c >> 32) }
func (c candidate) at() int32   { return int32(uint32(c)) }

// candidates is a binary heap, least first. container/heap would box every element.
type candidates []candidate

func (q *candidates) push(rank, at int32) {
	h := append(*q, candidate(rank)<<32|candidate(at))
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if h[up] <= h[i] {
			break
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
	*q = h
}

func (q *candidates) pop() candidate {
	h := *q
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && h[down+1] < h[down] {
			down++
		}
		if h[i] <= h[down] {
			break
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
	*q = h
	return top
}
