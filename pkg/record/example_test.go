package record_test

import (
	"fmt"
	"os"

	"github.com/illm-go/illm/pkg/record"
)

// A result is computed only if no record answers the same question.
func Example() {
	dir, err := os.MkdirTemp("", "records")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for range 2 {
		store, err := record.Open(record.Options{Dir: dir})
		if err != nil {
			fmt.Println(err)
			return
		}
		r := &record.Record{
			Kind:   record.Quality,
			Config: map[string]any{"model": "tiny", "recipe": "w8a8", "window": 2048, "windows": 4},
			Axes:   map[string]string{"recipe": "w8a8"},
		}
		key, err := r.ComputeKey()
		if err != nil {
			fmt.Println(err)
			return
		}
		if old, ok := store.Find(key); ok {
			m, _ := old.Metric("ppl")
			fmt.Println("found:", m.Value)
			continue
		}
		r.Metrics = []record.Metric{{Name: "ppl", Value: 22.25, Better: record.Lower}}
		if err := store.Append(r); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("computed:", r.Metrics[0].Value)
	}
	// Output:
	// computed: 22.25
	// found: 22.25
}
