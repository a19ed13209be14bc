package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/quant"
)

// Loaded is what a fresh process needs to run a recipe: an artefact, or the float model for fp32.
type Loaded struct {
	Path      string // of the file, or a model's name
	Recipe    string // fp32 or an integer one
	Clip      string
	Mode      string
	Operators string // a rival set of non-linear operators
	Threads   int
}

// line is an engine with an empty cache.
type line struct {
	entry    *catalog.Entry
	integer  *engine.Model
	float    *floatref.Model // one of the two
	artefact string          // identity
	path     string          // what a fresh engine opens
	append   func(ctx context.Context, ids []int32) error
	reset    func()
	kv       func() int // bytes of the cached tokens
	end      func()
}

// start opens the file and makes a session for capacity tokens.
func (l Loaded) start(ctx context.Context, capacity int) (_ *line, err error) {
	e, err := catalog.Open(ctx, l.Path, catalog.Options{Threads: l.Threads})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	return l.startOn(ctx, e, capacity)
}

// startOn makes a session of an opened model.
func (l Loaded) startOn(ctx context.Context, e *catalog.Entry, capacity int) (_ *line, err error) {
	n := &line{entry: e, path: e.Path}
	if quant.IsFloat(l.Recipe) {
		if e.Injected != nil {
			n.path = e.Name
		}
		if n.float, err = e.Float(); err != nil {
			return nil, err
		}
		return n, n.session(capacity)
	}
	spec, err := quant.NewSpec(l.Recipe, l.Clip, l.Mode)
	if err != nil {
		return nil, err
	}
	ops, err := Operators(spec, l.Operators)
	if err != nil {
		return nil, err
	}
	if n.integer, err = e.IntegerWith(ctx, spec, ops); err != nil {
		return nil, err
	}
	n.artefact, n.path = n.integer.Artifact().ID, n.integer.Artifact().Path
	return n, n.session(capacity)
}

// session gives the line a session of its model for capacity tokens, as far as the model's context goes.
func (n *line) session(capacity int) error {
	capacity = min(capacity, n.entry.MaxContext())
	if n.float != nil {
		s, err := n.float.NewSession(capacity)
		if err != nil {
			return err
		}
		c := n.float.Config()
		n.append = func(ctx context.Context, ids []int32) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			_, err := s.Append(ids)
			return err
		}
		n.reset, n.end = s.Reset, func() {}
		n.kv = func() int { return 8 * c.Layers * c.KVHeads * c.HeadDim * s.Len() }
		return nil
	}
	s, err := n.integer.NewSession(capacity)
	if err != nil {
		return err
	}
	n.append = func(ctx context.Context, ids []int32) error { _, err := s.AppendLast(ctx, ids); return err }
	n.reset, n.end, n.kv = s.Reset, s.Close, s.CacheBytes
	return nil
}

// close ends the session and unmaps the file: for an engine of its own.
func (n *line) close() error {
	n.end()
	return n.entry.Close()
}

// PeakOf loads the model, runs ids through it, the last token's logits included, and returns the process's largest
// resident set. It says something of the model in a process that did nothing else before.
func (l Loaded) PeakOf(ctx context.Context, ids []int32) (int64, error) {
	n, err := l.start(ctx, len(ids))
	if err != nil {
		return 0, err
	}
	err = n.append(ctx, ids)
	peak := peakRSS()
	if err = errors.Join(err, n.close()); err != nil {
		return 0, err
	}
	if peak == 0 {
		return 0, errors.New("bench: this system does not tell a process's largest resident set")
	}
	return peak, nil
}

// warm is a recipe that is measured: an engine that stays, and fresh ones of the same file.
type warm struct {
	Loaded
	*line
	ids    []int32
	memory func(ctx context.Context, l Loaded, ids []int32) (int64, error)
}

// subject lets the recipe run the cases of a language model.
func (w *warm) subject() peers.Subject {
	ops := []peers.Op{peers.Prefill, peers.Decode, peers.First}
	if w.memory != nil {
		ops = append(ops, peers.Memory)
	}
	return peers.Subject{Name: "illm " + w.Recipe, Ops: ops, Run: w.run}
}

func (w *warm) run(ctx context.Context, c peers.Case) (peers.Sample, error) {
	if need := c.Context + c.Tokens; len(w.ids) < need {
		return peers.Sample{}, fmt.Errorf("bench: the text has %d tokens, expected %d", len(w.ids), need)
	}
	switch c.Op {
	case peers.First:
		return w.first(ctx, w.ids[:c.Tokens])
	case peers.Memory:
		start := time.Now()
		peak, err := w.memory(ctx, w.Loaded, w.ids[:c.Tokens])
		return peers.Sample{Seconds: time.Since(start).Seconds(), Bytes: peak}, err
	case peers.Prefill:
		w.reset()
		start := time.Now()
		err := w.append(ctx, w.ids[:c.Tokens])
		return peers.Sample{Seconds: time.Since(start).Seconds()}, err
	}
	w.reset()
	if err := w.append(ctx, w.ids[:c.Context]); err != nil {
		return peers.Sample{}, err
	}
	start := time.Now()
	for i := range c.Tokens {
		if err := w.append(ctx, w.ids[c.Context+i:][:1]); err != nil {
			return peers.Sample{}, err
		}
	}
	return peers.Sample{Seconds: time.Since(start).Seconds() / float64(c.Tokens)}, nil
}

// first opens the file anew; what it cost to close it is not counted, as it is not with the rivals.
func (w *warm) first(ctx context.Context, ids []int32) (peers.Sample, error) {
	start := time.Now()
	n, err := w.start(ctx, modelCapacity)
	if err != nil {
		return peers.Sample{}, err
	}
	err = n.append(ctx, ids)
	took := time.Since(start).Seconds()
	return peers.Sample{Seconds: took}, errors.Join(err, n.close())
}
