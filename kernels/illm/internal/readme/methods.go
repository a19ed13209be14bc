package readme

import (
	"context"
	"fmt"
	"slices"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/record"
)

// calibratedModel is a model of the table of methods, on the windows for which it has most rows.
type calibratedModel struct{ model, windows, window string }

var (
	calibratedModels  = []calibratedModel{{"tiny-llama", "16", "1024"}, {"tiny-llama+outliers", "16", "1024"}, {"tiny-opt", "32", "1024"}, {"smollm2", "148", "2048"}}
	calibratedWidths  = []string{"w8a8", "w6a6", "w4a8", "w4a4"}
	calibratedMethods = []string{"rtn", "smoothquant", "omniquant", "fsbr", "best"}
	calibratedHeads   = []string{"round to nearest", "SmoothQuant", "OmniQuant", "FSBR", "best"}

	// The table has a column and a width more than the chart and the zero-shot rows.
	tableMethods = append(slices.Clone(calibratedMethods), "best@trained")
	tableHeads   = append(slices.Clone(calibratedHeads), "best, trained")
	tableWidths  = append(slices.Clone(calibratedWidths), "w4a4kv8")
)

// runs are the records of the model's rows, every one by the integer engine.
func (m calibratedModel) runs(store *record.Store) (*ablation.Runs, error) {
	return ablation.Methods.Run(context.Background(), store, nil, ablation.Stored(), ablation.Set("model", m.model), ablation.Set("arithmetic", ablation.Integer),
		ablation.Set("corpus", "wikitext2"), ablation.Set("width", tableWidths), ablation.Set("method", tableMethods), ablation.Set("windows", m.windows), ablation.Set("window", m.window))
}

// calibrated is the table of the calibration methods: perplexity on WikiText-2 and its change from the float model on the
// same windows.
func calibrated(store *record.Store) (string, error) {
	var rows [][]string
	for _, m := range calibratedModels {
		runs, err := m.runs(store)
		if err != nil {
			return "", err
		}
		float, ok := runs.At("ppl", "width", "fp32")
		if !ok {
			continue
		}
		rows = append(rows, append([]string{m.model, m.windows + " × " + m.window, "fp32"}, fmt.Sprintf("%.2f", float.Y), "", "", "", "", ""))
		for _, width := range tableWidths {
			row := []string{m.model, m.windows + " × " + m.window, width}
			known := 0
			for _, method := range tableMethods {
				v, ok := runs.At("ppl", "width", width, "method", method)
				if !ok {
					row = append(row, "–")
					continue
				}
				known++
				row = append(row, against(v.Y, float.Y))
			}
			if known > 1 { // else there is nothing to compare
				rows = append(rows, row)
			}
		}
	}
	if len(rows) == 0 {
		return "No records yet.\n", nil
	}
	return grid(append([]string{"model", "windows × tokens", "widths"}, tableHeads...), rows), nil
}
