package fsbr

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/tape"
)

// train does the epochs of block n and returns the parameters of the best one.
func (r *run) train(ctx context.Context, n int, p []float32, targets []*table, first float64) (best []float32, bestEpoch int, err error) {
	o := r.o
	power := math.Pow(float64(o.Batch), o.RatePower)
	put := func(v []float32) backends.Buffer {
		b, e := r.dev.Put(v, tape.F32, len(v))
		if e != nil {
			err = e
		}
		return b
	}
	zero := make([]float32, r.l.size)
	vectors := []backends.Buffer{put(p), put(zero), put(zero)}
	rates := put(r.l.rates(o.Rate*power, o.ClipRate*power))
	defer func() { r.dev.Free(append(vectors, rates)...) }()
	if err != nil {
		return nil, 0, err
	}
	lowest := math.Inf(1)
	batches := len(o.Windows) / o.Batch
	total := o.Epochs * batches
	for epoch := 1; epoch <= o.Epochs; epoch++ {
		at := time.Now()
		perm := order(len(o.Windows), o.Seed, n, epoch)
		var losses []backends.Buffer
		for i := range batches {
			if ctx.Err() != nil {
				r.dev.Free(losses...)
				return nil, 0, ctx.Err()
			}
			step := (epoch-1)*batches + i
			loss, err := r.one(perm[i*o.Batch:(i+1)*o.Batch], targets, &vectors, rates, r.scalars(step, total))
			if err != nil {
				return nil, 0, fmt.Errorf("epoch %d, step %d: %w", epoch, i+1, err)
			}
			losses = append(losses, loss)
		}
		mean := 0.0
		for i, b := range losses {
			var v [1]float32
			if err := r.dev.Get(b, v[:]); err != nil {
				return nil, 0, err
			}
			if x := float64(v[0]); math.IsNaN(x) || math.IsInf(x, 0) || x > 100*first && x > 1e-6 {
				r.dev.Free(losses...)
				return nil, 0, fmt.Errorf("epoch %d, step %d: expected a finite loss of the size of the initial one, %.4g, found %v: lower the learning rates (%g, %g)", epoch, i+1, first, x, o.Rate, o.ClipRate)
			}
			mean += float64(v[0]) / float64(batches)
		}
		r.dev.Free(losses...)
		if mean < lowest {
			lowest, bestEpoch = mean, epoch
			best = make([]float32, r.l.size)
			if err := r.dev.Get(vectors[0], best); err != nil {
				return nil, 0, err
			}
		}
		l := Line{Block: n, Epoch: epoch, Loss: mean, Rate: o.Rate * power * r.cosine((epoch-1)*batches, total), Seconds: time.Since(at).Seconds()}
		if err := r.line(l); err != nil {
			return nil, 0, err
		}
	}
	return best, bestEpoch, nil
}

// cosine is the share of the learning rate at a step counted from 0.
func (r *run) cosine(step, total int) float64 {
	if !r.o.Cosine {
		return 1
	}
	return 0.5 * (1 + math.Cos(math.Pi*float64(step)/float64(total)))
}

func (r *run) scalars(step, total int) []float32 {
	t := float64(step + 1)
	s := make([]float32, numScalars)
	s[scalarRate] = float32(r.cosine(step, total))
	s[scalarFirst] = float32(1 / (1 - math.Pow(0.9, t)))
	s[scalarSecond] = float32(1 / (1 - math.Pow(0.999, t)))
	return s
}

// one does a step on the given windows.
func (r *run) one(windows []int, targets []*table, vectors *[]backends.Buffer, rates backends.Buffer, scalars []float32) (loss backends.Buffer, err error) {
	in := append([]backends.Buffer{}, r.weights...)
	in = append(in, *vectors...)
	in = append(in, rates)
	sc, err := r.dev.Put(scalars, tape.F32, numScalars)
	if err != nil {
		return nil, err
	}
	defer r.dev.Free(sc)
	batch, err := r.pick(windows, append([]*table{r.quantised}, targets...)...)
	if err != nil {
		return nil, err
	}
	defer r.dev.Free(batch...)
	outs, err := r.dev.Run(r.p.step, append(append(in, sc), batch...)...)
	if err != nil {
		return nil, err
	}
	r.dev.Free(*vectors...)
	*vectors = outs[:3:3]
	return outs[3], nil
}
