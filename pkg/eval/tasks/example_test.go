package tasks_test

import (
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/eval/tasks"
)

// byWord is a tokenizer that numbers words by their length.
type byWord struct{}

func (byWord) Encode(text string) (ids []int32) {
	for _, w := range strings.Fields(text) {
		ids = append(ids, int32(len(w)))
	}
	return ids
}

// A question is read up to its last token but one, and scored on the continuation.
func ExampleEncode() {
	item := tasks.Item{Gold: 1, Choices: []tasks.Choice{
		{Context: "Question: What floats?\nAnswer:", Continuation: " a stone", Chars: 7},
		{Context: "Question: What floats?\nAnswer:", Continuation: " ice", Chars: 3},
	}}
	questions, err := tasks.Encode([]tasks.Item{item}, byWord{}, 1024)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range questions[0].Choices {
		fmt.Println(c.Input, "→", c.Target)
	}
	// Output:
	// [9 4 7 7 1] → [1 5]
	// [9 4 7 7] → [3]
}
