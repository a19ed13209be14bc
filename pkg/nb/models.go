package nb

import (
	"errors"
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/hub"
)

// Part is a model and how many windows of a text to compute on it; 0: all.
type Part struct {
	Model   string
	Windows int
}

// Models computes each model's perplexity on a text now, in integers, and shows it
// beside the shipped record of the same windows. A model that would have to be
// downloaded first is named with the reason instead: nothing here waits for a network.
func (s *Session) Models(text, recipe string, parts ...Part) error {
	if s.err != nil {
		return s.err
	}
	g := chart.Grid{Head: []string{"model", "windows", "PPL per token", "PPL per word", "bits per byte", "seconds", "against the record"}}
	for _, p := range parts {
		row, err := s.part(text, recipe, p)
		if err != nil {
			return err
		}
		g.Rows = append(g.Rows, row)
	}
	Show(g)
	return nil
}

// part is the row of one model.
func (s *Session) part(text, recipe string, p Part) ([]string, error) {
	if err := catalog.Here(p.Model); err != nil {
		if !errors.Is(err, hub.ErrUnavailable) {
			return nil, err
		}
		h := absent(p.Model)
		h.What, h.Beside = p.Model+", computed here", true
		note(h)
		return []string{p.Model, "–", "–", "–", "–", "–", strings.TrimSuffix(fmt.Sprintf("missing: %s (%s)", h.Why, h.Cure), " ()")}, nil
	}
	options := []ablation.Option{ablation.Set("model", p.Model), ablation.Set("recipe", recipe), ablation.Set("corpus", text), ablation.Set("windows", p.Windows)}
	now, err := s.Live(ablation.Models, options...)
	if err != nil {
		return nil, err
	}
	then, err := s.Shipped(ablation.Models, options...)
	if err != nil {
		return nil, err
	}
	records := now.Records()
	if len(records) != 1 {
		return nil, fmt.Errorf("nb: models: %d results for %s, want one", len(records), p.Model)
	}
	window, _ := now.Text(0, "window")
	row := []string{p.Model, fmt.Sprintf("%d × %s", len(records[0].Windows), window)}
	for _, name := range []string{"ppl", "ppl_word", "bits_per_byte"} {
		v, ok := now.At(name)
		if !ok {
			row = append(row, "–")
			continue
		}
		row = append(row, v.String())
	}
	verdict := ablation.Compare(now, then)
	last := verdict.Table().Rows[0]
	return append(row, fmt.Sprintf("%.1f", records[0].WallS), strings.TrimSpace(last[len(last)-1])), nil
}
