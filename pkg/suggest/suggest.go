// Package suggest finds the names a user may have meant.
package suggest

import (
	"slices"
	"strings"
)

// Near returns the candidates within edit distance 2 of name (1 for names of
// up to three letters), or that begin with it, nearest first. Case is ignored.
func Near(name string, candidates []string) []string {
	limit := 2
	if len([]rune(name)) <= 3 {
		limit = 1
	}
	type hit struct {
		name     string
		distance int
	}
	var hits []hit
	low := strings.ToLower(name)
	for _, c := range candidates {
		d := Distance(low, strings.ToLower(c))
		if d <= limit || (low != "" && strings.HasPrefix(strings.ToLower(c), low)) {
			hits = append(hits, hit{c, d})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return a.distance - b.distance })
	names := make([]string, len(hits))
	for i, h := range hits {
		names[i] = h.name
	}
	return names
}

// Hint returns `did you mean "a" or "b"?` or "" when nothing is near.
func Hint(name string, candidates []string) string {
	near := Near(name, candidates)
	if len(near) == 0 {
		return ""
	}
	for i := range near {
		near[i] = `"` + near[i] + `"`
	}
	return "did you mean " + strings.Join(near, " or ") + "?"
}

// longest is the number of letters above which a name is not compared: it is far from every name that we have, and time and
// memory would grow with what a user hands us.
const longest = 64

// Distance is the least number of letters inserted, deleted, replaced or
// swapped with a neighbour that turns a into b (optimal string alignment);
// of names longer than 64 letters the length of the longer one, if they differ.
func Distance(a, b string) int {
	if a == b {
		return 0
	}
	s, t := []rune(a), []rune(b)
	if n := max(len(s), len(t)); n > longest {
		return n
	}
	var before []int // row i−2
	prev := make([]int, len(t)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row := make([]int, len(t)+1)
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(t)]
}
