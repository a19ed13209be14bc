package accel

import (
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/tape"
)

// program returns a compiled program, from earlier models of the same architecture where it can.
func (m *Model) program(name string, batch, length, rows int, build func(g *tape.Graph) []tape.Val) (backends.Executable, error) {
	cfg := m.s.cfg
	cfg.Layers, cfg.TiedHead = 1, false
	key := fmt.Sprintf("%s %d %d %d %v %v %v %+v", name, batch, length, rows, m.s.rounded, m.s.sites, m.s.wide, cfg)
	if e := m.b.programs[key]; e != nil {
		return e, nil
	}
	e, err := tape.Build(m.b.dev.Backend, name, build)
	if err != nil {
		return nil, fmt.Errorf("accel: %w", err)
	}
	m.b.programs[key] = e
	return e, nil
}

func (m *Model) tape(g *tape.Graph) *tape.Tape {
	t := tape.New(g, tape.F32)
	t.Precise = m.s.split
	return t
}

// buildEmbed sums the rows of the tables.
func (m *Model) buildEmbed(batch, length int) func(g *tape.Graph) []tape.Val {
	c := m.s.cfg
	return func(g *tape.Graph) []tape.Val {
		table := g.Input("embed", tape.F32, c.Vocab, c.Hidden)
		var places tape.Val
		if !c.Rotary() {
			places = g.Input("places", tape.F32, c.MaxContext, c.Hidden)
		}
		x := g.Rows(table, g.Input("tokens", tape.I32, batch*length))
		if places.OK() {
			rows := g.Reshape(g.Slice(places, 0, 0, length), 1, length, c.Hidden)
			x = g.Reshape(g.Add(g.Reshape(x, batch, length, c.Hidden), rows), batch*length, c.Hidden)
		}
		return []tape.Val{x}
	}
}

// buildBlock is one decoder block.
func (m *Model) buildBlock(batch, length int) func(g *tape.Graph) []tape.Val {
	c := m.s.cfg
	return func(g *tape.Graph) []tape.Val {
		b := network{shape: m.s, t: m.tape(g), w: map[string]tape.Val{}}
		b.heads = tape.Heads{Batch: batch, Window: length, KV: c.KVHeads, Group: c.Heads / c.KVHeads, D: c.HeadDim, Chunks: max(1, length/m.b.chunk)}
		for _, in := range c.BlockTensors() {
			b.w[in.Name] = g.Input("w_"+strings.ReplaceAll(in.Name, ".", "_"), tape.F32, in.Dims...)
		}
		if m.s.rounded {
			b.numbers = g.Input("numbers", tape.F32, numNumbers)
			if c.Gated() {
				b.alpha = g.Input("alpha", tape.F32, c.FFN)
			}
		}
		return []tape.Val{b.forward(&tape.Node{Val: g.Input("x", tape.F32, batch*length, c.Hidden)}).Val}
	}
}

// logits declares norm, head and x [n, C] and returns the logits of the given rows of x [rows, V], with them all for 0 rows.
func (m *Model) logits(g *tape.Graph, n, rows int) tape.Val {
	c, t := m.s.cfg, m.tape(g)
	gamma := g.Input("gamma", tape.F32, c.Hidden)
	var beta, numbers tape.Val
	if c.LayerNorm() {
		beta = g.Input("beta", tape.F32, c.Hidden)
	}
	head := g.Input("head", tape.F32, c.Vocab, c.Hidden)
	if m.s.rounded {
		numbers = g.Input("numbers", tape.F32, numNumbers)
	}
	x := g.Input("x", tape.F32, n, c.Hidden)
	if rows > 0 {
		x = g.Rows(x, g.Input("rows", tape.I32, rows))
	}
	y := m.s.round(t, numbers, norm(t, &tape.Node{Val: x}, gamma, beta, c.NormEps), floatref.HeadIn)
	return t.Linear(y, tape.Weight{W: &tape.Node{Val: head}}).Val
}

// buildHead gives the logits of every row.
func (m *Model) buildHead(n int) func(g *tape.Graph) []tape.Val {
	return func(g *tape.Graph) []tape.Val { return []tape.Val{m.logits(g, n, 0)} }
}

// buildScore gives ln p of one token a row.
func (m *Model) buildScore(n, rows int) func(g *tape.Graph) []tape.Val {
	return func(g *tape.Graph) []tape.Val {
		y := m.logits(g, n, rows)
		target := g.Input("targets", tape.I32, rows)
		y = g.Sub(y, g.MaxOf(y, 1))
		hit := g.Equal(g.Iota(tape.I32, 1, rows, m.s.cfg.Vocab), g.Broadcast(target, []int{rows, m.s.cfg.Vocab}, 0))
		picked := g.Sum(g.Where(hit, y, g.Scalar(0, tape.F32)), 1)
		return []tape.Val{g.Reshape(g.Sub(picked, g.Log(g.Sum(g.Exp(y), 1))), rows)}
	}
}
