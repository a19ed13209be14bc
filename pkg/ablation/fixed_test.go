package ablation

import (
	"strings"
	"testing"
)

// TestFixedSettings: values of fixed settings are checked when they are set, in one spelling, with what is allowed.
func TestFixedSettings(t *testing.T) {
	for _, c := range []struct{ name, value, want, err string }{
		{"windows", "008", "8", ""}, {"windows", Most, Most, ""}, {"windows", "0", "0", ""}, {"windows", "-3", "", `or "most"`}, {"windows", "many", "", "found \"many\""},
		{"windows", "99999999999", "", "whole number"}, {"items", "0", "0", ""}, {"items", "-1", "", "from 0 on"}, {"window", Longest, Longest, ""}, {"window", "1", "", "from 2 on"},
		{"first", "-1", "", "first window"}, {"mode", "publish", "", "did you mean"}, {"mode", "", "illm", ""}, {"clip", "15.0", "15", ""}, {"clip", "0", "", "clip"},
	} {
		p := plan{study: Static, only: map[string][]string{}, fixed: map[string]string{}}
		err := Set(c.name, c.value)(&p)
		switch {
		case c.err == "" && (err != nil || p.fixed[c.name] != c.want):
			t.Errorf("%s %q: %q, %v; want %q", c.name, c.value, p.fixed[c.name], err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s %q: error %v, want %q in it", c.name, c.value, err, c.err)
		}
	}
}
