package suggest

import (
	"slices"
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"clip", "clip", 0}, {"clp", "clip", 1},
		{"cilp", "clip", 1}, {"kitten", "sitting", 3}, {"é", "e", 1},
		{strings.Repeat("a", 65), "aaaa", 65}, {strings.Repeat("a", 70), strings.Repeat("a", 70), 0},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Distance(c.b, c.a); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestNear(t *testing.T) {
	names := []string{"start", "clip", "clip-long", "A", "T1"}
	for _, c := range []struct {
		name string
		want []string
	}{
		{"cilp", []string{"clip"}},
		{"clip", []string{"clip", "clip-long"}},
		{"STRAT", []string{"start"}},
		{"t2", []string{"T1"}},
		{"perplexity", nil},
	} {
		if got := Near(c.name, names); !slices.Equal(got, c.want) {
			t.Errorf("Near(%q) = %q, want %q", c.name, got, c.want)
		}
	}
	if got := Hint("cilp", names); got != `did you mean "clip"?` {
		t.Errorf("Hint = %q", got)
	}
	if got := Hint("perplexity", names); got != "" {
		t.Errorf("Hint of a far name = %q", got)
	}
}
