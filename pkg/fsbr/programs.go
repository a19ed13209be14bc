package fsbr

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/smooth"
	"github.com/illm-go/illm/pkg/tape"
)

// Scalars of a step, in one input.
const (
	scalarRate   = iota // multiplies the rate of every element
	scalarFirst         // 1/(1 − β₁ᵗ)
	scalarSecond        // 1/(1 − β₂ᵗ)
	numScalars
)

// shape says what the programs are built for.
type shape struct {
	c                     model.Config
	n                     widths
	l                     layout
	loss                  Loss
	batch, window, chunks int
	split                 bool // tape.Tape.Precise for the float blocks
	online                smooth.Rotation
}

// programs are the executables of a run, the same for all blocks.
type programs struct {
	teacher backends.Executable // w, x → y, then maxima and minima of every site by window
	student backends.Executable // w, values, x, targets → y, loss of every window
	step    backends.Executable // w, p, m, v, rates, scalars, x, targets → p, m, v, loss
	gather  backends.Executable // table, indices → rows
	concat  backends.Executable // batches → table
}

// inputs declares the tensors of a block.
func (s shape) inputs(g *tape.Graph) map[string]tape.Val {
	w := map[string]tape.Val{}
	for _, t := range blockTensors(s.c) {
		w[t.name] = g.Input("w_"+strings.ReplaceAll(t.name, ".", "_"), tape.F32, t.dims...)
	}
	return w
}

// activations declares a batch [B, T·C] and returns it as [N, C].
func (s shape) activations(g *tape.Graph, name string) tape.Val {
	v := g.Input(name, tape.F32, s.batch, s.window*s.c.Hidden)
	return g.Reshape(v, s.batch*s.window, s.c.Hidden)
}

// targets declares the targets of a batch: the second one only with Loss.Aug.
func (s shape) targets(g *tape.Graph) []tape.Val {
	ts := []tape.Val{s.activations(g, "target")}
	if s.loss.Aug {
		ts = append(ts, s.activations(g, "target2"))
	}
	return ts
}

func (s shape) network(t *tape.Tape, w map[string]tape.Val, p leaves, n widths) *network {
	b := newNetwork(t, s.c, w, p, n, s.batch, s.window, s.chunks)
	if n != unrounded {
		b.online, b.split = s.online, s.split
	}
	return b
}

// compile builds the programs of a block.
func (s shape) compile(b backends.Backend, train bool) (p programs, err error) {
	build := func(dst *backends.Executable, name string, fn func(g *tape.Graph) []tape.Val) {
		e, buildErr := tape.Build(b, name, fn)
		*dst, err = e, errors.Join(err, buildErr)
	}
	build(&p.teacher, "teacher", s.buildTeacher)
	build(&p.student, "student", s.buildStudent)
	if train {
		build(&p.step, "step", s.buildStep)
	}
	return p, err
}

// compileTables adds the programs for tables of the given number of rows on the device.
func (s shape) compileTables(p *programs, b backends.Backend, windows int) (err error) {
	wide := s.window * s.c.Hidden
	p.gather, err = tape.Build(b, "gather", func(g *tape.Graph) []tape.Val {
		table := g.Input("table", tape.F32, windows, wide)
		return []tape.Val{g.Rows(table, g.Input("index", tape.I32, s.batch))}
	})
	if err != nil || windows == s.batch {
		return err // one batch is the table
	}
	p.concat, err = tape.Build(b, "concat", func(g *tape.Graph) []tape.Val {
		var parts []tape.Val
		for i := range windows / s.batch {
			parts = append(parts, g.Input(fmt.Sprintf("part%d", i), tape.F32, s.batch, wide))
		}
		return []tape.Val{g.Concat(0, parts...)}
	})
	return err
}

// passes are the forward programs.
func (p programs) passes() []backends.Executable { return []backends.Executable{p.teacher, p.student} }

func (p programs) close() {
	for _, e := range []backends.Executable{p.teacher, p.student, p.step, p.gather, p.concat} {
		if e != nil {
			e.Finalize()
		}
	}
}

func (s shape) buildTeacher(g *tape.Graph) []tape.Val {
	t := tape.New(g, tape.F32)
	t.Precise = s.split
	w := s.inputs(g)
	n := s.network(t, w, leaves{}, unrounded)
	y := n.forward(&tape.Node{Val: s.activations(g, "x")})
	outs := []tape.Val{g.Reshape(y.Val, s.batch, s.window*s.c.Hidden)}
	for _, site := range sites {
		v := n.sites[site]
		c := v.Dims[1]
		v = g.Reshape(v, s.batch, s.window, c)
		outs = append(outs, g.Reshape(g.MaxOf(v, 1), s.batch, c), g.Reshape(g.MinOf(v, 1), s.batch, c))
	}
	return outs
}

func (s shape) buildStudent(g *tape.Graph) []tape.Val {
	t := tape.New(g, tape.F32)
	w := s.inputs(g)
	var p leaves
	if s.l.size > 0 {
		p = s.l.nodes(t, g.Input("values", tape.F32, s.l.size), false)
	}
	x := s.activations(g, "x")
	y := s.network(t, w, p, s.n).forward(&tape.Node{Val: x})
	loss := g.Scalar(0, tape.F32)
	for _, target := range s.targets(g) {
		loss = g.Add(loss, s.loss.rows(g, y.Val, target, nil))
	}
	loss = g.Scale(g.Sum(g.Reshape(loss, s.batch, s.window), 1), 1/float64(s.window))
	return []tape.Val{g.Reshape(y.Val, s.batch, s.window*s.c.Hidden), g.Reshape(loss, s.batch)}
}

func (s shape) buildStep(g *tape.Graph) []tape.Val {
	t := tape.New(g, tape.F32)
	w := s.inputs(g)
	vector := func(name string) tape.Val { return g.Input(name, tape.F32, s.l.size) }
	p, m, v, rates := vector("p"), vector("m"), vector("v"), vector("rates")
	scalars := g.Input("scalars", tape.F32, numScalars)
	scalar := func(i int) tape.Val { return g.Reshape(g.Slice(scalars, 0, i, i+1)) }
	x := s.activations(g, "x")
	leaf := s.l.nodes(t, p, true)
	y := s.network(t, w, leaf, s.n).forward(&tape.Node{Val: x})
	loss := g.Scalar(0, tape.F32)
	for _, target := range s.targets(g) {
		rows := s.loss.rows(g, y.Val, target, func(dy tape.Val) { t.Give(y, dy) })
		loss = g.Add(loss, g.Scale(g.Total(rows), 1/float64(s.batch*s.window)))
	}
	t.Backward()
	o := tape.AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}
	p1, m1, v1 := o.Update(g, p, tape.Moments{
		M: m, V: v, First: scalar(scalarFirst), Second: scalar(scalarSecond), Rate: g.Mul(rates, scalar(scalarRate)),
	}, leaf.gradient(t))
	return []tape.Val{p1, m1, v1, g.Reshape(loss, 1)}
}
