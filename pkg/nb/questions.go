package nb

import (
	"fmt"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
)

// Storage accounts for the artefacts of some recipes, byte by byte.
func (s *Session) Storage(model string, recipes ...string) ([]ablation.Storage, error) {
	var out []ablation.Storage
	for _, recipe := range recipes {
		m, err := s.integer(model, recipe)
		if err != nil {
			return nil, err
		}
		st := ablation.StorageOf(&m.Artifact().Header)
		out = append(out, st)
	}
	return out, nil
}

// integer opens the engine of a recipe.
func (s *Session) integer(model, recipe string) (*engine.Model, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, err := s.runner.Entry(ctx, model)
	if err != nil {
		return nil, err
	}
	return bench.Variant{Recipe: recipe}.Engine(ctx, entry)
}

// Headers shows what the headers m, k, z of a token's rows add to their codes, with m of b bits.
func (s *Session) Headers(model, recipe string, b int) (chart.Grid, error) {
	m, err := s.integer(model, recipe)
	if err != nil {
		return chart.Grid{}, err
	}
	return ablation.HeaderGrid(&m.Artifact().Header, m.Spec().Effective(), b), nil
}

// Scales shows what mantissas of so many bits cost in storage: headers of a token's rows, of its part of the cache, and
// multipliers of the weights.
func (s *Session) Scales(model, recipe string, mantissas ...int) (chart.Grid, error) {
	g := chart.Grid{Head: []string{recipe, "header of a row", "headers a token", "cache a token", "of it headers", "B bits a weight channel"}}
	m, err := s.integer(model, recipe)
	if err != nil {
		return g, err
	}
	h, r := &m.Artifact().Header, m.Spec().Effective()
	storage := ablation.StorageOf(h)
	for _, b := range mantissas {
		rows := 0
		for _, k := range ablation.RowKinds(h, r) {
			rows += k.Rows * h.Layers
		}
		all, headers := ablation.CacheBytes(h, r, b)
		g.Rows = append(g.Rows, []string{fmt.Sprintf("B = %d", b), fmt.Sprintf("%d bits", b+16), fmt.Sprintf("%.1f bytes", float64(rows*(b+16))/8),
			fmt.Sprintf("%.1f bytes", all), fmt.Sprintf("%.1f %%", 100*headers/all), fmt.Sprintf("%.4f bits/weight", storage.MultiplierBits(b))})
	}
	return g, nil
}

// CacheTable fills a cache with n tokens at each recipe and shows its bytes as the engine counts them; a recipe that the
// engine refuses stays in the table with its reason.
func (s *Session) CacheTable(model, text string, n int, recipes ...string) (chart.Grid, error) {
	g := chart.Grid{Head: []string{"widths", "bytes a token", "of it headers", "against 16-bit floats"}}
	if s.err != nil {
		return g, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, ids, err := tokens(ctx, s.runner, model, text)
	if err != nil {
		return g, err
	}
	if n < 1 || n > min(len(ids), entry.MaxContext()) {
		return g, fmt.Errorf("nb: cache of %d tokens of %s: expected 1 to %d", n, text, min(len(ids), entry.MaxContext()))
	}
	for _, recipe := range recipes {
		m, err := bench.Variant{Recipe: recipe}.Engine(ctx, entry)
		if err != nil {
			g.Rows = append(g.Rows, []string{recipe, "refused: " + err.Error(), "–", "–"})
			continue
		}
		run, err := m.NewSession(n)
		if err != nil {
			return g, err
		}
		err = run.Append(ctx, ids[:n])
		bytes := run.CacheBytes()
		run.Close()
		if err != nil {
			return g, err
		}
		h := &m.Artifact().Header
		_, headers := ablation.CacheBytes(h, m.Spec().Effective(), 16)
		half := 2 * 2 * h.Layers * h.KVHeads * h.HeadDim
		g.Rows = append(g.Rows, []string{recipe, fmt.Sprintf("%.0f", float64(bytes)/float64(n)), fmt.Sprintf("%.0f", headers), fmt.Sprintf("%.2f×", float64(bytes)/float64(n*half))})
	}
	return g, nil
}

// Exponents runs n tokens of a text and shows the exponents k of the scales that occur.
func (s *Session) Exponents(model, recipe, text string, n int) (chart.Grid, error) {
	if s.err != nil {
		return chart.Grid{}, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, ids, err := tokens(ctx, s.runner, model, text)
	if err != nil {
		return chart.Grid{}, err
	}
	if n < 1 || n > min(len(ids), entry.MaxContext()) {
		return chart.Grid{}, fmt.Errorf("nb: exponents over %d tokens of %s: expected 1 to %d", n, text, min(len(ids), entry.MaxContext()))
	}
	m, err := bench.Variant{Recipe: recipe}.Engine(ctx, entry)
	if err != nil {
		return chart.Grid{}, err
	}
	spec := m.Spec()
	seen := ablation.NewExponents(di.Integer(spec))
	watched, err := engine.New(m.Artifact(), engine.Options{Spec: &spec, Operators: seen, Threads: threads()})
	if err != nil {
		return chart.Grid{}, err
	}
	run, err := watched.NewSession(n)
	if err != nil {
		return chart.Grid{}, err
	}
	defer run.Close()
	if err := run.Append(ctx, ids[:n]); err != nil {
		return chart.Grid{}, err
	}
	return seen.Grid(&m.Artifact().Header), nil
}
