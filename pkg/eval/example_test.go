package eval_test

import (
	"context"
	"fmt"
	"math"

	"github.com/illm-go/illm/pkg/eval"
)

// coin is a model of a language with two tokens: it gives token 1 the same
// probability wherever it stands.
type coin float64

func (coin) Vocab() int { return 2 }

func (c coin) Logits(_ context.Context, tokens []int32, fn func(int, []float32) error) error {
	logits := []float32{0, float32(math.Log(float64(c) / (1 - float64(c))))}
	for pos := range tokens {
		if err := fn(pos, logits); err != nil {
			return err
		}
	}
	return nil
}

// A fair coin is scored as a variant of one that shows 1 three times in four.
func ExampleRun() {
	tokens := []int32{1, 1, 0, 1, 1, 0, 1, 1, 1, 1}
	report, err := eval.Run(context.Background(), coin(0.75), []eval.Variant{{Name: "fair", LM: coin(0.5)}}, tokens, eval.Options{Window: 5})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := report.Results[0].Summary
	fmt.Printf("%d windows of %d tokens\n", report.Windows, report.Window)
	fmt.Printf("PPL %.3f ± %.3f, base %.3f\n", s.PPL, s.PPLErr, report.Base.Summary.PPL)
	fmt.Printf("ln ratio %.3f ± %.3f, KL %.4f\n", s.LnRatio, s.LnErr, s.KL)
	// Output:
	// 2 windows of 5 tokens
	// PPL 2.000 ± 0.000, base 1.530
	// ln ratio 0.268 ± 0.137, KL 0.1308
}
