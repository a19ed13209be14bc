package nb

import (
	"cmp"
	"context"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/mmap"
	"github.com/illm-go/illm/pkg/quant"
)

// availableMemory is a variable for the tests.
var availableMemory = mmap.Available

// parts cuts a batch so that the models of one part, which are all open while a window goes from one to the next, fit half of
// the memory that is free; a part has at least one. It gives the end of each part. Times are taken in turn and never cut;
// where the system says nothing of its memory the batch stays whole.
//
// Fewer parts are faster: each one runs the float model over all windows again.
func (e stored) parts(ctx context.Context, configs []ablation.Config) []int {
	whole := []int{len(configs)}
	free, known := availableMemory()
	if !known || len(configs) == 0 || configs[0]["corpus"] == ablation.Speed {
		return whole
	}
	entry, err := e.runner.Entry(ctx, configs[0]["model"])
	if err != nil {
		return whole // the run says it better
	}
	window := e.Window(ctx, configs[0]["model"])
	if n, err := configs[0].Int("window"); err == nil {
		window = n
	}
	sizes := make([]int64, len(configs))
	for i, c := range configs {
		sizes[i] = footprint(c, entry.Parameters(), window)
	}
	return fit(sizes, free/2-footprint(ablation.Config{"recipe": "fp32"}, entry.Parameters(), window))
}

// footprint estimates the bytes that an open model takes from above: its weights, 4 bytes a parameter in float and 1.25 as
// codes of at most 8 bits with their scales and sums, and for each token of the window 64 KiB of cache and activations, the
// most of the models here. Codes of 4 bits take half of that; what they leave is not worth a second rule.
func footprint(c ablation.Config, parameters int64, window int) int64 {
	weights := parameters + parameters/4
	if quant.IsFloat(c["recipe"]) || cmp.Or(c["arithmetic"], ablation.Integer) != ablation.Integer {
		weights = 4 * parameters
	}
	return weights + int64(window)<<16
}

// fit gives the ends of the longest runs of sizes whose sum is within the budget, each of at least one.
func fit(sizes []int64, budget int64) []int {
	var ends []int
	sum := int64(0)
	for i, n := range sizes {
		if sum+n > budget && sum > 0 {
			ends, sum = append(ends, i), 0
		}
		sum += n
	}
	return append(ends, len(sizes))
}

// variants are the configurations as package bench takes them.
func variants(configs []ablation.Config) (list []bench.Variant, float bool) {
	for _, c := range configs {
		list = append(list, variant(c))
		float = float || quant.IsFloat(c["recipe"])
	}
	return list, float
}
