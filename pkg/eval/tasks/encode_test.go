package tasks

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// words is a tokenizer made for the tests: a token is a run of blanks with the letters behind it, its id the number of its bytes;
// a text that ends in blanks ends in a token of them.
type words struct{}

func (words) Encode(text string) []int32 {
	var ids []int32
	for text != "" {
		n := 0
		for n < len(text) && text[n] == ' ' {
			n++
		}
		for n < len(text) && text[n] != ' ' {
			n++
		}
		ids = append(ids, int32(n))
		text = text[n:]
	}
	return ids
}

// TestEncode checks by hand where the context ends: blanks at its end count as the continuation's, and both are cut as one text.
func TestEncode(t *testing.T) {
	for _, c := range []struct {
		context, continuation string
		window                int
		input, target         []int32
	}{
		{"a bb", " ccc", 10, []int32{1, 3}, []int32{4}},
		{"a bb", " ccc dddd", 10, []int32{1, 3, 4}, []int32{4, 5}},
		{"a bb  ", "ccc", 10, []int32{1, 3}, []int32{5}},       // "  ccc" is one token of the continuation
		{"a bb", "ccc dddd", 10, []int32{1, 6}, []int32{5}},    // merged across the border: the first token counts as context
		{"a bb ccc", " dddd", 3, []int32{1, 3, 4}, []int32{5}}, // fits: the window holds what is read
		{"a bb ccc", " dddd", 2, []int32{3, 4}, []int32{5}},    // cut on the left
		{"a bb ccc", " dddd eeeee", 2, []int32{4, 5}, []int32{5, 6}},
	} {
		items := []Item{{Row: 7, Gold: 1, Choices: []Choice{{c.context, c.continuation, 9}}}}
		got, err := Encode(items, words{}, c.window)
		if err != nil {
			t.Errorf("%q + %q: %v", c.context, c.continuation, err)
			continue
		}
		want := []Question{{Row: 7, Gold: 1, Choices: []Scored{{c.input, c.target, 9}}}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q + %q in %d tokens: %v, expected %v", c.context, c.continuation, c.window, got, want)
		}
	}
}

// TestEncodeErrors: nothing to score, or no room for a context.
func TestEncodeErrors(t *testing.T) {
	for _, c := range []struct {
		context, continuation string
		window                int
		want                  string
	}{
		{"a bb", "ccc", 10, "to add tokens"}, // the continuation vanishes in the context's last token
		{"a", " bb ccc", 1, "room for 0 in a window of 1"},
		{"", "a bb", 10, "expected a context"},
	} {
		_, err := Encode([]Item{{Row: 3, Choices: []Choice{{c.context, c.continuation, 1}}}}, words{}, c.window)
		mustSay(t, err, "item 3, choice 0", c.want)
	}
}

// TestSpace: the characters that Python's str.isspace knows, listed by Python 3.11.
func TestSpace(t *testing.T) {
	python := "\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
	for r := range rune(0x110000) {
		if got, want := space(r), strings.ContainsRune(python, r); got != want && (r < 0xd800 || r > 0xdfff) && r != 0xfffd {
			t.Errorf("%U: %v, expected %v", r, got, want)
		}
	}
}

// TestChoose: by the definition, sorted by hash; in the order of the file, the smaller choice within the larger.
func TestChoose(t *testing.T) {
	s := &Set{Task: Task{Name: "x"}}
	for i := range 200 {
		s.Items = append(s.Items, Item{Row: 3 * i})
	}
	type key struct {
		hash string
		row  int
	}
	var keys []key
	for _, it := range s.Items {
		var b [16]byte
		binary.LittleEndian.PutUint64(b[:], 5)
		binary.LittleEndian.PutUint64(b[8:], uint64(it.Row))
		keys = append(keys, key{fmt.Sprintf("%x", sha256.Sum256(append(b[:], 'x'))), it.Row})
	}
	slices.SortFunc(keys, func(a, b key) int { return strings.Compare(a.hash, b.hash) })
	var want []int
	for _, k := range keys[:50] {
		want = append(want, k.row)
	}
	slices.Sort(want)
	rows := func(items []Item) (out []int) {
		for _, it := range items {
			out = append(out, it.Row)
		}
		return out
	}
	got := rows(s.Choose(50, 5))
	if !slices.Equal(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
	for _, r := range rows(s.Choose(20, 5)) {
		if !slices.Contains(got, r) {
			t.Errorf("row %d of 20 is not among the 50", r)
		}
	}
	if slices.Equal(rows(s.Choose(50, 6)), got) {
		t.Error("another seed, the same items")
	}
	for _, n := range []int{0, 200, 1000} {
		if len(s.Choose(n, 5)) != 200 {
			t.Errorf("%d items: expected all", n)
		}
	}
}

// TestFind: names in any order, each once.
func TestFind(t *testing.T) {
	for list, want := range map[string]string{
		"all":                  "piqa arc_easy arc_challenge boolq hellaswag winogrande",
		"winogrande, piqa":     "piqa winogrande",
		"boolq,all,":           "piqa arc_easy arc_challenge boolq hellaswag winogrande",
		" arc_easy ,arc_easy ": "arc_easy",
	} {
		got, err := Find(list)
		if err != nil {
			t.Error(err)
		}
		var names []string
		for _, task := range got {
			names = append(names, task.Name)
		}
		if strings.Join(names, " ") != want {
			t.Errorf("%q: %v, expected %s", list, names, want)
		}
	}
	for _, list := range []string{"", ",", "piqa,mmlu", "PIQA"} {
		_, err := Find(list)
		mustSay(t, err, "unknown task", "hellaswag")
	}
}
