package pretrain

import "math"

// rateAt returns the learning rate of a step counted from 0: linear from 0 to peak over warmup steps, then half a cosine
// down to floor·peak at the last of total steps.
func rateAt(step, warmup, total int, peak, floor float64) float64 {
	if step < warmup {
		return peak * float64(step+1) / float64(warmup)
	}
	if total <= warmup+1 {
		return peak
	}
	x := min(1, float64(step-warmup)/float64(total-1-warmup))
	return peak * (floor + (1-floor)*0.5*(1+math.Cos(math.Pi*x)))
}
