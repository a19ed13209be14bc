package record

import (
	"slices"
	"strconv"
	"testing"
	"testing/fstest"
)

// Reload finds what another store of the same folder has filed, behind what is shipped, and nothing twice.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	shipped := fstest.MapFS{"a.jsonl": {Data: []byte(`{"v":1,"kind":"quality","key":"0000000000000000","config":{"at":"shipped"},"axes":{},"metrics":[{"name":"ppl","value":1}],"env":{},"time":"2026-01-01T00:00:00Z"}` + "\n")}}
	one, two := open(t, Options{Shipped: shipped, Dir: dir}), open(t, Options{Shipped: shipped, Dir: dir})
	add := func(s *Store, at int) *Record {
		t.Helper()
		r := &Record{Kind: Quality, Config: map[string]any{"at": strconv.Itoa(at)}, Metrics: []Metric{{Name: "ppl", Value: float64(at)}}}
		if err := s.Append(r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	mine, theirs := add(one, 1), add(two, 2)
	if _, ok := one.Find(theirs.Key); ok {
		t.Fatal("a store sees what was filed behind it")
	}
	for range 2 {
		if err := one.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	for _, r := range one.Filter(func(*Record) bool { return true }) {
		keys = append(keys, r.Key)
	}
	if want := []string{"0000000000000000", mine.Key, theirs.Key}; !slices.Equal(keys, want) {
		t.Errorf("keys %.8s, want %.8s", keys, want)
	}
	if r, ok := one.FindShipped("0000000000000000"); !ok || !r.Shipped {
		t.Error("the shipped record is gone, or is no longer known as one")
	}
	if err := open(t, Options{Dir: t.TempDir() + "/nothere"}).Reload(); err != nil {
		t.Errorf("a folder that is not there yet: %v", err)
	}
}
