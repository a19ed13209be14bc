package fsbr

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/smooth"
	"github.com/illm-go/illm/pkg/tape"
)

// TestExact: without quantisers the factors of all kinds together, and of each alone, leave a block's output as it is.
func TestExact(t *testing.T) {
	const batch, window = 2, 8
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for name, c := range configs {
			if slow(b) && name != "llama" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				all := everything(c)
				run := func(l layout) [][]float32 {
					in := append(tensors(c, 1), input{noise(batch*window*c.Hidden, 2, 99), []int{batch * window, c.Hidden}},
						input{someValues(l, 5), []int{l.size}})
					return evaluate(t, b, in, func(g *tape.Graph, in []tape.Val) []tape.Val {
						tp := tape.New(g, tape.F32)
						at := len(blockTensors(c))
						x := &tape.Node{Val: in[at]}
						plain := newNetwork(tp, c, named(c, in), leaves{}, unrounded, batch, window, 2).forward(x)
						n := newNetwork(tp, c, named(c, in), l.nodes(tp, in[at+1], false), unrounded, batch, window, 1)
						return []tape.Val{plain.Val, n.forward(x).Val}
					})
				}
				check := func(kind string, l layout) {
					out := run(l)
					if d := largest(out[0], out[1]); !(d <= 1e-5) {
						t.Errorf("%s: outputs differ by %.2g of the largest", kind, d)
					}
				}
				check("all", all)
				for _, e := range all.entries {
					if slow(b) {
						break
					}
					if e.what == 's' || e.what == 'd' {
						check(e.name, newLayout(c, func(k string) bool { return k == e.name }))
					}
				}
			})
		}
	})
}

// largest is the largest difference relative to the largest value of a.
func largest(a, b []float32) float64 {
	var d, top float64
	for i := range a {
		d = max(d, math.Abs(float64(a[i])-float64(b[i])))
		top = max(top, math.Abs(float64(a[i])))
	}
	if d != d {
		return math.NaN()
	}
	return d / top
}

// bend is a smooth stand-in for the quantiser, with which a block depends on every factor: y = x + r·(σ(x) − ½) with r
// the mean of the row's ratios, unequal parts (1 without).
func bend(t *tape.Tape, x *tape.Node, _ int, r *ratio) *tape.Node {
	s := t.Sigmoid(x.Val)
	slope := t.Mul(s, t.Sub(t.Scalar(1, tape.F32), s))
	part := t.AddC(s, -0.5)
	share := t.Scalar(1, tape.F32)
	if r != nil {
		rows := append(slices.Clone(x.Dims[:len(x.Dims)-1]), 1)
		share = t.Scale(t.Add(spread(t, r.lo, rows), t.Scale(spread(t, r.hi, rows), 3)), 0.25)
	}
	out := &tape.Node{Val: t.Add(x.Val, t.Mul(part, share))}
	t.Then(func() {
		t.Give(x, t.Mul(out.Grad, t.AddC(t.Mul(slope, share), 1)))
		if r != nil {
			d := t.Sum(t.Mul(out.Grad, part), len(x.Dims)-1)
			giveRatio(t, r.lo, t.Scale(d, 0.25))
			giveRatio(t, r.hi, t.Scale(d, 0.75))
		}
	})
	return out
}

// TestGradients compares the gradient by every vector of factors with central differences, the quantisers replaced by a
// smooth function, for all losses.
func TestGradients(t *testing.T) {
	const batch, window = 2, 8
	turns := smooth.Rotation{QueryKey: true, Down: true}
	losses := []Loss{{}, {Plain: true}, {Std: true}}
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for name, c := range configs {
			for _, loss := range losses {
				if slow(b) && (name != "llama" || loss != Loss{}) {
					continue
				}
				t.Run(fmt.Sprintf("%s, %+v", name, loss), func(t *testing.T) {
					l := everything(c)
					at := len(blockTensors(c))
					p := noise(l.size, 0.5, 3)
					wide := []int{batch * window, c.Hidden}
					in := append(tensors(c, 1), input{noise(batch*window*c.Hidden, 1, 99), wide},
						input{noise(batch*window*c.Hidden, 1, 77), wide}, input{p, []int{l.size}})
					e, err := tape.Build(b, "gradient", func(g *tape.Graph) []tape.Val {
						var vs []tape.Val
						for i, x := range in {
							vs = append(vs, g.Input(fmt.Sprint("in", i), tape.F32, x.dims...))
						}
						tp := tape.New(g, tape.F32)
						leaf := l.nodes(tp, vs[at+2], true)
						n := newNetwork(tp, c, named(c, vs), leaf, unrounded, batch, window, 2)
						n.round = bend
						if turns.Check(c) == nil {
							n.online, n.split = turns, loss.Std
						}
						y := n.forward(&tape.Node{Val: vs[at]})
						rows := loss.rows(g, y.Val, vs[at+1], func(dy tape.Val) { tp.Give(y, dy) })
						tp.Backward()
						return []tape.Val{g.Reshape(g.Scale(g.Total(rows), 1/float64(batch*window)), 1), leaf.gradient(tp)}
					})
					if err != nil {
						t.Fatal(err)
					}
					defer e.Finalize()
					grad := execute(t, b, e, in)[1]
					for i, entry := range l.entries {
						dir := noise(entry.n, 1, uint64(1000+i))
						want := 0.0
						for j, d := range dir {
							want += float64(grad[entry.at+j]) * float64(d)
						}
						const h = 2e-3
						var values [2]float64
						for k, sign := range []float32{1, -1} {
							moved := append([]float32(nil), p...)
							for j, d := range dir {
								moved[entry.at+j] += sign * h * d
							}
							in[at+2].flat = moved
							values[k] = float64(execute(t, b, e, in)[0][0])
						}
						got := (values[0] - values[1]) / (2 * h)
						// Rounding of the two losses, and the third derivative.
						if math.Abs(got-want) > 1e-6*values[0]/h+1e-2*math.Abs(want) || grad[entry.at] == 0 {
							t.Errorf("%s (%c): gradient along a direction %.5f, central difference %.5f", entry.name, entry.what, want, got)
						}
					}
				})
			}
		}
	})
}
