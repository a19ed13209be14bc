package bench

import (
	"fmt"
	"math"

	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/record"
)

// binned returns the divergence from the float model by position in the window: prediction i of n = W − 1 is in bin
// ⌊i·bins/n⌋, the metric kld_binI, I from 1, is the mean over the bin, with the standard error of the windows' means.
func binned(res *eval.Result, bins int) (out []record.Metric) {
	n := res.Window - 1
	if bins < 1 || n < bins || len(res.KL) == 0 || len(res.KL)%n != 0 {
		return nil
	}
	windows := len(res.KL) / n
	for b := range bins {
		from, to := (b*n+bins-1)/bins, ((b+1)*n+bins-1)/bins
		sum, squares := 0.0, 0.0
		for w := range windows {
			mean := 0.0
			for _, v := range res.KL[w*n+from : w*n+to] {
				mean += float64(v)
			}
			mean /= float64(to - from)
			sum += mean
			squares += float64(mean * mean)
		}
		mean, se := sum/float64(windows), 0.0
		if windows > 1 {
			se = math.Sqrt(max(0, squares-float64(windows)*mean*mean) / float64(windows-1) / float64(windows))
		}
		out = append(out, record.Metric{Name: fmt.Sprintf("kld_bin%d", b+1), Value: mean, Stderr: se, N: windows, Unit: "nats", Better: record.Lower})
	}
	return out
}
