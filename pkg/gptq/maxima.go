package gptq

import "context"

// Maxima are the statistics of SmoothQuant for one block: max|x| of every channel of the inputs of its linears.
type Maxima struct {
	AttnIn, AttnOut, MLPIn, Product []float32
}

// take adds rows of the inputs of group i.
func (m *Maxima) take(i int, x []float32, cols int) {
	at := []*[]float32{&m.AttnIn, &m.AttnOut, &m.MLPIn, &m.Product}[i]
	if *at == nil {
		*at = make([]float32, cols)
	}
	top := *at
	for len(x) > 0 {
		for i, v := range x[:cols] {
			if v < 0 {
				v = -v
			}
			if v > top[i] {
				top[i] = v
			}
		}
		x = x[cols:]
	}
}

// Measure runs the float model, no weight and no activation rounded, and returns the maxima of each block and the
// calibration hash of the windows. The same bits everywhere, as Calibrate.
func Measure(ctx context.Context, in Input, opt Options) ([]Maxima, string, error) {
	r, err := measure(ctx, in, opt)
	if err != nil {
		return nil, "", err
	}
	return r.maxima, r.result.Hash, nil
}

func measure(ctx context.Context, in Input, opt Options) (*run, error) {
	opt.FloatActivations, opt.FloatScores, opt.Ratios = true, true, false
	r, err := newRun(ctx, &in, opt)
	if err != nil {
		return nil, err
	}
	r.quiet, r.maxima = true, make([]Maxima, in.Config.Layers)
	return r, r.blocks()
}
