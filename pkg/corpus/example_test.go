package corpus_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/illm-go/illm/pkg/corpus"
)

// The text that comes with Go needs neither a data folder nor a network.
func ExampleLoad() {
	text, err := corpus.Load(context.Background(), corpus.Opticks)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(text.Bytes), text.SHA256[:8])
	fmt.Println(bytes.Count(text.Bytes, []byte("Prism")) > 100)
	// Output:
	// 567198 d4a9ac22
	// true
}
