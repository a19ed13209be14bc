package readme

import (
	"context"
	"fmt"
	"strconv"

	"github.com/illm-go/illm/kernels/illm/internal/claims"
	"github.com/illm-go/illm/pkg/record"
)

// claimed is the table of what the repository claims, with the records' verdicts.
func claimed(store *record.Store) (string, error) {
	results, err := claims.Shipped(context.Background(), store, true)
	if err != nil {
		return "", err
	}
	head := "| claim | expected | found | verdict | notebook | command | minutes | MB |\n| --- | --: | --: | --- | --- | --- | --: | --: |\n"
	for _, kind := range []string{claims.Quality, claims.Timing} {
		for _, r := range results {
			if r.Claim.Kind != kind {
				continue
			}
			verdict := r.Verdict
			if verdict == claims.Differs {
				verdict = "**" + verdict + "**"
			}
			memory := "–"
			if r.Claim.Memory > 0 {
				memory = strconv.Itoa(r.Claim.Memory)
			}
			head += fmt.Sprintf("| %s | %s | %s | %s | `%s` | `%s` | %s | %s |\n", r.Claim.Sentence, r.Claim.Expectation(), r.FoundText(), verdict,
				r.Claim.Notebook, r.Claim.Command, strconv.FormatFloat(r.Claim.Minutes, 'f', -1, 64), memory)
		}
	}
	return head, nil
}
