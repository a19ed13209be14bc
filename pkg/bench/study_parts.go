package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/di"
)

// operatorSets are the sets of non-linear operators of ablation D, by name as Operators reads them.
var operatorSets = []string{"integer", "half:softmax", "half:activation", "half:norm", "half", "float32"}

// floatParts shares one thread's prefill out to its components, once for each set of non-linear operators. The prompts of
// all sets take turns; the profiles follow.
func (s *study) floatParts(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	ids := s.ids[:s.q.Prefill]
	var list []*contender
	var profiles []func() error
	for _, name := range operatorSets {
		var ops di.Operators
		if name != "integer" {
			var err error
			if ops, err = Operators(s.spec, name); err != nil {
				return err
			}
		}
		m, err := s.model(ctx, 1, ops)
		if err != nil {
			return err
		}
		session, err := s.session(m, len(ids))
		if err != nil {
			return err
		}
		timed := prompt(ctx, name, session, ids)
		list = append(list, timed)
		profiles = append(profiles, func() error {
			s.q.Say("  profile of " + name)
			c, err := s.profiled(ctx, session, ids)
			if err == nil {
				s.share(m, c, timed, map[string]string{"operators": name})
			}
			return err
		})
	}
	if err := compete(ctx, list, s.q.Runs, 1, true); err != nil {
		return err
	}
	for _, profile := range profiles {
		if err := profile(); err != nil {
			return err
		}
	}
	return nil
}

// nonLinear are the components that an operator set changes.
var nonLinear = []string{"softmax", "SwiGLU, ReLU", "norm"}

// split gives, for each operator set, nanoseconds a token in each of nonLinear and in all the rest.
func (m Measured) split() (sets []string, ns map[string][]float64) {
	ns = map[string][]float64{}
	for _, r := range m {
		set := r.Axes["operators"]
		if ns[set] == nil {
			sets, ns[set] = append(sets, set), make([]float64, len(nonLinear)+1)
		}
		at := slices.Index(nonLinear, r.Axes["component"])
		if at < 0 {
			at = len(nonLinear)
		}
		ns[set][at] += number(r, "ns_token")
	}
	return sets, ns
}

func (m Measured) floatPartsGrid() chart.Grid {
	g := chart.Grid{Head: []string{"operators"}}
	for _, c := range append(slices.Clone(nonLinear), "all the rest", "together") {
		g.Head = append(g.Head, c+" (µs a token)")
	}
	if n := m.prompt(); n != "–" {
		g.Head[len(g.Head)-1] = "together (µs a token of " + n + ")"
	}
	g.Head = append(g.Head, "of that non-linear (%)")
	sets, ns := m.split()
	for _, set := range sets {
		row, sum, own := []string{set}, 0.0, 0.0
		for i, v := range ns[set] {
			row = append(row, fmt.Sprintf("%.2f", v/1e3))
			if sum += v; i < len(nonLinear) {
				own += v
			}
		}
		g.Rows = append(g.Rows, append(row, fmt.Sprintf("%.1f", sum/1e3), fmt.Sprintf("%.0f", 100*own/max(sum, 1e-9))))
	}
	return g
}

// floatPartsChart draws the components that differ, one colour a component.
func (m Measured) floatPartsChart(c *chart.Chart) {
	c.Titled("A token of the prompt, by component and set of operators", m.Where()+"; one thread")
	c.Y = chart.Axis{Name: "Time of one thread", Unit: "µs a token", Better: chart.Lower}
	sets, ns := m.split()
	for i, name := range nonLinear {
		s := chart.Series{Name: name}
		for _, set := range sets {
			s.Points = append(s.Points, chart.Point{Label: set, Y: ns[set][i] / 1e3})
		}
		c.Series = append(c.Series, s)
	}
	c.Size(1000, 420)
}

// NonLinearShare says in a sentence which part of a token's time the non-linear operators take, set by set.
func (m Measured) NonLinearShare() string {
	sets, ns := m.split()
	var parts []string
	for _, set := range sets {
		sum, own := 0.0, 0.0
		for i, v := range ns[set] {
			if sum += v; i < len(nonLinear) {
				own += v
			}
		}
		if sum > 0 {
			parts = append(parts, fmt.Sprintf("%s %.0f %%", set, 100*own/sum))
		}
	}
	if len(parts) == 0 {
		return "No profile by component yet: illm bench --study " + StudyFloatPart + " makes one."
	}
	return "Softmax, activation and norm together, of a token's time: " + strings.Join(parts, ", ") + "."
}
