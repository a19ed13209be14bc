package readme

import (
	"context"
	"fmt"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/record"
)

// questions is the final table of zero-shot accuracy, on every question of the six tasks: the mean of each model, and the
// paired difference of a row from its float model.
func questions(store *record.Store) (string, error) {
	type column struct{ width, arithmetic string }
	columns := []column{{"w8a8", "simulated"}, {"w8a8", ablation.Integer}, {"w4a4", "simulated"}, {"w4a4", ablation.Integer}}
	head := []string{"model", "questions", "fp32"}
	for _, c := range columns {
		head = append(head, c.width+", "+c.arithmetic)
	}
	var rows [][]string
	for _, model := range ablation.Models4 {
		options := append(ablation.EveryQuestion(), ablation.Stored(), ablation.Set("model", model))
		runs, err := ablation.ZeroShots.Run(context.Background(), store, nil, options...)
		if err != nil {
			return "", err
		}
		at := []string{"width", "fp32"}
		if _, ok := runs.At("zero_shot_mean", at...); !ok {
			continue
		}
		row := []string{model, runs.Records()[0].Axes["questions"], accuracy(runs, at, nil)}
		for _, c := range columns {
			at := []string{"width", c.width, "arithmetic", c.arithmetic}
			cell := accuracy(runs, at, nil)
			if d, ok := runs.At("zero_shot_diff", at...); ok {
				cell += fmt.Sprintf(" (%+.1f ± %.1f)", 100*d.Y, 100*d.Err)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	if rows == nil {
		return "No records yet.\n", nil
	}
	return grid(head, rows), nil
}
