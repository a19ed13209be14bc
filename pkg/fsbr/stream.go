package fsbr

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/tape"
)

// teach runs the float block over a table; st, if not nil, gets its statistics.
func (r *run) teach(ctx context.Context, inputs *table, st *stats) (*table, error) {
	return r.collect(ctx, func(windows []int) (backends.Buffer, error) {
		x, err := r.pick(windows, inputs)
		if err != nil {
			return nil, err
		}
		defer r.dev.Free(x...)
		outs, err := r.dev.Run(r.p.teacher, append(slices.Clone(r.weights), x...)...)
		if err != nil {
			return nil, err
		}
		defer r.dev.Free(outs[1:]...)
		if st == nil {
			return outs[0], nil
		}
		shapes := r.p.teacher.Outputs()
		for i, site := range sites {
			var v [2][]float32
			for j := range v {
				v[j] = make([]float32, shapes[1+2*i+j].Size())
				if err := r.dev.Get(outs[1+2*i+j], v[j]); err != nil {
					return nil, err
				}
				for c, x := range v[j] {
					if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
						return nil, fmt.Errorf("%s, channel %d: expected finite values, found %v: the weights or the input are damaged", site, c%(len(v[j])/len(windows)), x)
					}
				}
			}
			st.add(site, v[0], v[1], len(windows))
		}
		return outs[0], nil
	})
}

// advance runs the quantised block with the given values over its inputs and returns the mean loss; with keep its
// outputs become the inputs of the next block.
func (r *run) advance(ctx context.Context, values []float32, targets []*table, keep bool) (loss float64, err error) {
	in := append([]backends.Buffer{}, r.weights...)
	if len(values) > 0 {
		v, err := r.dev.Put(values, tape.F32, len(values))
		if err != nil {
			return 0, err
		}
		defer r.dev.Free(v)
		in = append(in, v)
	}
	one := func(windows []int) (backends.Buffer, error) {
		x, err := r.pick(windows, append([]*table{r.quantised}, targets...)...)
		if err != nil {
			return nil, err
		}
		defer r.dev.Free(x...)
		outs, err := r.dev.Run(r.p.student, append(slices.Clone(in), x...)...)
		if err != nil {
			return nil, err
		}
		defer r.dev.Free(outs[1])
		rows := make([]float32, len(windows))
		if err := r.dev.Get(outs[1], rows); err != nil {
			return nil, err
		}
		for i, l := range rows {
			if math.IsNaN(float64(l)) || math.IsInf(float64(l), 0) {
				return nil, fmt.Errorf("quantised block, window %d: expected a finite loss, found %v", windows[i], l)
			}
			loss += float64(l) / float64(len(r.o.Windows))
		}
		return outs[0], nil
	}
	if keep {
		next, err := r.collect(ctx, one)
		if err != nil {
			return 0, err
		}
		r.drop(r.quantised)
		r.quantised = next
		return loss, nil
	}
	err = r.each(ctx, func(windows []int) error {
		y, err := one(windows)
		r.dev.Free(y)
		return err
	})
	return loss, err
}

// loadBlock puts the weights of block n on the device in place of those of the block before.
func (r *run) loadBlock(n int) error {
	r.dev.Free(r.weights...)
	r.weights = nil
	if r.host == nil {
		r.host = map[string][]float32{}
	}
	for _, t := range blockTensors(r.o.Config) {
		size := 1
		for _, d := range t.dims {
			size *= d
		}
		w, err := r.read(model.LayerName(n, t.name), size, r.host[t.name])
		if err != nil {
			return err
		}
		b, err := r.dev.Put(w, tape.F32, t.dims...)
		if err != nil {
			return err
		}
		r.weights = append(r.weights, b)
		r.host[t.name] = w
	}
	return nil
}

// read fetches a tensor of n finite values, into the memory of an earlier one if there is.
func (r *run) read(name string, n int, into []float32) ([]float32, error) {
	w, err := r.o.Source.Float32(name, into)
	if err != nil {
		return nil, err
	}
	if len(w) != n {
		return nil, fmt.Errorf("%s: expected %d values, found %d: the weights do not belong to this configuration", name, n, len(w))
	}
	for i, x := range w {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("%s: expected finite weights, found %v at %d: the file is damaged", name, x, i)
		}
	}
	return w, nil
}

// embed fills both tables with the inputs of block 0.
func (r *run) embed(ctx context.Context) error {
	c := r.o.Config
	rows, err := r.read(model.Embedding, c.Vocab*c.Hidden, nil)
	if err != nil {
		return fmt.Errorf("fsbr: %w", err)
	}
	var places []float32
	if !c.Rotary() {
		if places, err = r.read(model.Positions, c.MaxContext*c.Hidden, nil); err != nil {
			return fmt.Errorf("fsbr: %w", err)
		}
	}
	fill := func() (*table, error) {
		return r.collect(ctx, func(windows []int) (backends.Buffer, error) {
			wide := r.s.window * c.Hidden
			x := make([]float32, len(windows)*wide)
			for i, w := range windows {
				for p, id := range r.o.Windows[w] {
					row := x[i*wide+p*c.Hidden:][:c.Hidden]
					copy(row, rows[int(id)*c.Hidden:])
					for j := range row {
						if places != nil {
							row[j] += places[p*c.Hidden+j]
						}
					}
				}
			}
			return r.dev.Put(x, tape.F32, len(windows), wide)
		})
	}
	if r.float, err = fill(); err == nil {
		if !r.o.FloatInput {
			roundRows(rows, c.Hidden, r.o.Recipe.Emb)
			roundRows(places, c.Hidden, r.o.Recipe.Emb)
		}
		r.quantised, err = fill()
	}
	if err != nil {
		return fmt.Errorf("fsbr: embedding: %w", err)
	}
	return nil
}

// roundRows rounds the rows of an embedding table as the integer model stores them.
func roundRows(table []float32, wide, bits int) {
	for ; len(table) > 0; table = table[wide:] {
		if bits == untouched {
			fakequant.Symmetric(table[:wide], bits)
		} else {
			fakequant.Row(table[:wide], bits)
		}
	}
}
