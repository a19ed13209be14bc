package floatref_test

import (
	"fmt"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
)

// Greedy generation: each call adds tokens to the cache and returns the logits of the next one.
func ExampleSession_Append() {
	w, err := model.OpenWeights("testdata/tiny_tied")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	m, err := floatref.New(w, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := m.NewSession(64)
	if err != nil {
		fmt.Println(err)
		return
	}
	next := []int32{17, 4, 200}
	for range 5 {
		logits, err := s.Append(next)
		if err != nil {
			fmt.Println(err)
			return
		}
		best := 0
		for i, v := range logits {
			if v > logits[best] {
				best = i
			}
		}
		next = []int32{int32(best)}
		fmt.Print(best, " ")
	}
	// The same as greedy search in transformers.
	// Output: 151 95 161 161 161
}
