package ablation

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
)

// Massive says where the activations are that are far larger than all others ("massive activations"): in which block they
// come up, at which tokens and channels, and what that does to grids. Float; nothing is quantised in the passes.
//
// Source of the name: Sun et al., arXiv:2402.17762.
type Massive struct {
	Tokens int
	Layers []MassiveLayer // layer l: entering block l; the last one entering the final norm
	Block  int            // behind which the largest |x| grows most against the median token's
	Tops   []MassiveToken // of the residual behind that block, largest first
	Grids  []MassiveGrid  // what grids do to the input of its last linear
}

// MassiveLayer is the residual stream [tokens, channels] in one place.
type MassiveLayer struct {
	Top     float64 // largest |x|
	Token   int     // where it is
	Channel int
	Typical float64 // median over tokens of the largest |x| of a token
	Share   float64 // part of Σx² over everything that this one token has
}

// over is how far the largest value stands out.
func (l MassiveLayer) over() float64 { return l.Top / l.Typical }

// MassiveToken is a token of the residual stream.
type MassiveToken struct {
	Position, Channel int
	X                 float64 // the largest value, with its sign
	Over              float64 // over the median token's
}

// maxMassive bounds the values of a layer that are kept.
const maxMassive = 1 << 26

// FindMassive runs the float model over ids twice: for the residual stream, and for the input of down_proj in the block
// behind which the largest activation grows most against the median token's.
func FindMassive(ctx context.Context, cfg model.Config, src floatref.Source, ids []int32, threads int, bits ...int) (*Massive, error) {
	if limit := maxMassive / max(cfg.Hidden*(cfg.Layers+1), cfg.FFN); len(ids) < 2 || len(ids) > limit {
		return nil, fmt.Errorf("ablation: massive activations over %d tokens: expected 2 to %d", len(ids), limit)
	}
	seen := &keepRows{site: floatref.Residual, layers: make([]Magnitudes, cfg.Layers+1)}
	if err := seen.run(ctx, cfg, src, ids, cfg.Hidden, threads); err != nil {
		return nil, err
	}
	m := &Massive{Tokens: len(ids)}
	for _, x := range seen.layers {
		m.Layers = append(m.Layers, x.massive())
	}
	grew := 0.0
	for l := range cfg.Layers {
		if g := m.Layers[l+1].over() / m.Layers[l].over(); g > grew {
			m.Block, grew = l, g
		}
	}
	m.Tops = seen.layers[m.Block+1].tops(m.Layers[m.Block+1].Typical)
	if len(bits) == 0 {
		return m, nil
	}
	product := &keepRows{site: floatref.Product, layers: make([]Magnitudes, cfg.Layers), only: m.Block + 1}
	if err := product.run(ctx, cfg, src, ids, cfg.FFN, threads); err != nil {
		return nil, err
	}
	w, err := src.Float32(model.LayerName(m.Block, "mlp.down_proj.weight"), nil)
	if err != nil {
		return nil, err
	}
	m.Grids, err = gridErrors(cfg, product.layers[m.Block], w, m.Layers[m.Block+1].Token, bits)
	return m, err
}

// keepRows is a tap that keeps the values of a site, with their signs; Magnitudes holds them all the same.
type keepRows struct {
	mu     sync.Mutex
	site   floatref.Site
	layers []Magnitudes
	only   int // layer + 1; 0: all
}

// Tap implements floatref.Tap. Rows never share an element.
func (k *keepRows) Tap(b *floatref.Block) {
	if b.Site != k.site || b.Layer >= len(k.layers) || k.only > 0 && b.Layer != k.only-1 {
		return
	}
	k.mu.Lock()
	m := &k.layers[b.Layer]
	if m.X == nil {
		m.X = make([]float32, m.Rows*m.Cols)
	}
	k.mu.Unlock()
	for r := range b.Rows {
		copy(m.X[(b.Pos+r)*m.Cols:][:m.Cols], b.Row(r))
	}
}

func (k *keepRows) run(ctx context.Context, cfg model.Config, src floatref.Source, ids []int32, cols, threads int) error {
	for l := range k.layers {
		k.layers[l].Rows, k.layers[l].Cols = len(ids), cols
	}
	m, err := floatref.NewFrom(cfg, src, floatref.Options{Threads: threads, Tap: k})
	if err != nil {
		return err
	}
	return m.Logits(ctx, ids, func(int, []float32) error { return nil })
}

// largest returns the largest |x| of a row and its channel.
func (m Magnitudes) largest(r int) (top float64, channel int) {
	for c, v := range m.X[r*m.Cols:][:m.Cols] {
		if a := math.Abs(float64(v)); a > top {
			top, channel = a, c
		}
	}
	return top, channel
}

func (m Magnitudes) massive() MassiveLayer {
	var l MassiveLayer
	tops := make([]float64, m.Rows)
	for r := range m.Rows {
		top, channel := m.largest(r)
		tops[r] = top
		if top > l.Top {
			l.Top, l.Token, l.Channel = top, r, channel
		}
	}
	slices.Sort(tops)
	l.Typical = tops[len(tops)/2]
	total, own := 0.0, 0.0
	for i, v := range m.X {
		s := float64(v) * float64(v)
		total += s
		if i/m.Cols == l.Token {
			own += s
		}
	}
	l.Share = own / total
	return l
}

// shownTokens is how many tokens Tops has.
const shownTokens = 6

func (m Magnitudes) tops(typical float64) (list []MassiveToken) {
	for r := range m.Rows {
		top, c := m.largest(r)
		list = append(list, MassiveToken{Position: r, Channel: c, X: float64(m.X[r*m.Cols+c]), Over: top / typical})
	}
	slices.SortStableFunc(list, func(a, b MassiveToken) int { return cmp.Compare(math.Abs(b.X), math.Abs(a.X)) })
	return list[:min(shownTokens, len(list))]
}

// Chart draws the largest activation and the median token's by block.
func (m *Massive) Chart() *chart.Chart {
	c := &chart.Chart{Kind: chart.KindLine, Title: "Residual stream: the largest |x|", Subtitle: fmt.Sprintf("float model, %d tokens", m.Tokens),
		X: chart.Axis{Name: "block it enters"}, Y: chart.Axis{Name: "|x|", Log: true}, Height: 320}
	top, typical := chart.Series{Name: "of all tokens"}, chart.Series{Name: "of the median token"}
	for l, x := range m.Layers {
		top.Points = append(top.Points, chart.Point{X: float64(l), Y: x.Top})
		typical.Points = append(typical.Points, chart.Point{X: float64(l), Y: x.Typical})
	}
	c.Series = []chart.Series{top, typical}
	return c
}

// Table has a row for each place of the residual stream.
func (m *Massive) Table() chart.Grid {
	g := chart.Grid{Head: []string{"entering block", "largest |x|", "at token", "channel", "median token", "over the median", "part of Σx² in that token"}}
	for l, x := range m.Layers {
		name := fmt.Sprint(l)
		if l == len(m.Layers)-1 {
			name = "final norm"
		}
		g.Rows = append(g.Rows, []string{name, short(x.Top), fmt.Sprint(x.Token), fmt.Sprint(x.Channel), short(x.Typical), short(x.over()), fmt.Sprintf("%.1f %%", 100*x.Share)})
	}
	return g
}

// TokenTable lists the largest tokens behind the block where they come up.
func (m *Massive) TokenTable() chart.Grid {
	g := chart.Grid{Head: []string{"position", "channel", "x", "over the median token"}}
	for _, t := range m.Tops {
		g.Rows = append(g.Rows, []string{fmt.Sprint(t.Position), fmt.Sprint(t.Channel), fmt.Sprintf("%.4g", t.X), short(t.Over)})
	}
	return g
}
