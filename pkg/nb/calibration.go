package nb

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// Smoothness runs the float model over the first n tokens of a text, without and with the factors of a recipe, and
// returns the largest magnitude of every channel.
func (s *Session) Smoothness(model, recipe, text string, n int) (*ablation.Smoothness, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, ids, err := tokens(ctx, s.runner, model, text)
	if err != nil {
		return nil, err
	}
	if n < 1 || n > min(len(ids), entry.MaxContext()) {
		return nil, fmt.Errorf("nb: smoothness over %d tokens of %s: expected 1 to %d", n, text, min(len(ids), entry.MaxContext()))
	}
	spec, err := quant.NewSpec(recipe, "", "")
	if err != nil {
		return nil, err
	}
	f, _, err := entry.Factors(spec.Recipe)
	if err != nil {
		return nil, err
	}
	cfg, src, err := entry.Weights()
	if err != nil {
		return nil, err
	}
	return ablation.MeasureSmoothness(ctx, cfg, src, f, ids[:n], threads())
}

// Training returns the shipped training curve of a recipe.
func (s *Session) Training(model, recipe string) (*ablation.Training, error) {
	if s.err != nil {
		return nil, s.err
	}
	curves, err := fs.Sub(data.Factors(), "curves")
	if err != nil {
		return nil, fmt.Errorf("nb: training curves: %w", err)
	}
	return ablation.ReadTraining(curves, model+"-"+recipe)
}

// Costs is the table of what the shipped trainings took, block by block and window by window, on each backend.
func (s *Session) Costs() (chart.Grid, error) {
	if s.err != nil {
		return chart.Grid{}, s.err
	}
	curves, err := fs.Sub(data.Factors(), "curves")
	if err != nil {
		return chart.Grid{}, fmt.Errorf("nb: training curves: %w", err)
	}
	costs, err := ablation.ReadCosts(curves, shippedHeader)
	return ablation.CostTable(costs), err
}

// shippedHeader is what a shipped factor file says of how it was made; nil without the file.
func shippedHeader(name string) map[string]string {
	raw, err := fs.ReadFile(data.Factors(), name+".safetensors")
	if err != nil {
		return nil
	}
	f, err := smooth.Parse(name, raw)
	if err != nil {
		return nil
	}
	if f.Rotation.Any() {
		f.Meta["rotation"] = strings.Join(f.Rotation.Sites(), ",")
	}
	return f.Meta
}

// Header is what the factor file of a model's recipe says of how it was made; nil where none is shipped, as for rounding
// to nearest.
func (s *Session) Header(model string) func(recipe string) map[string]string {
	return func(recipe string) map[string]string { return shippedHeader(model + "-" + recipe) }
}

// Clips are the clip values of the softmax by layer in the shipped factor files of a model's recipes ("w4a4-best@clips"), by
// recipe, for ablation.ClipsChart; a recipe without a file or a list is left out.
func (s *Session) Clips(model string, recipes ...string) (map[string]quant.Clips, error) {
	lists := map[string]quant.Clips{}
	for _, recipe := range recipes {
		list, err := quant.ParseClips(s.Header(model)(recipe)[smooth.MetaClips])
		if err != nil {
			return nil, fmt.Errorf("nb: clips of %s, %s: %w", model, recipe, err)
		}
		if list != nil {
			lists[recipe] = list
		}
	}
	return lists, nil
}

// Factors returns the factors of a recipe, shipped or the user's own, and where they were found.
func (s *Session) Factors(model, recipe string) (*smooth.Factors, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, err := s.runner.Entry(ctx, model)
	if err != nil {
		return nil, err
	}
	spec, err := quant.NewSpec(recipe, "", "")
	if err != nil {
		return nil, err
	}
	f, _, err := entry.Factors(spec.Recipe)
	return f, err
}

// Kinds is the table of the model's smoothing pairs: what is divided and multiplied by the factors of each kind.
func (s *Session) Kinds(name string) (chart.Grid, error) {
	if s.err != nil {
		return chart.Grid{}, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, err := s.runner.Entry(ctx, name)
	if err != nil {
		return chart.Grid{}, err
	}
	cfg, _, err := entry.Weights()
	if err != nil {
		return chart.Grid{}, err
	}
	return kinds(cfg), nil
}

func kinds(cfg model.Config) chart.Grid {
	g := chart.Grid{Left: 5, Head: []string{"kind", "divided by s", "multiplied by s", "condition", "left at run time", "factors in a block"}}
	for _, k := range smooth.Table(cfg) {
		if k.Shift {
			continue
		}
		row := []string{k.Name, "", "", k.Condition, k.Remains, fmt.Sprint(k.Length)}
		for _, u := range k.Uses {
			i, part := 2, "rows of "
			if strings.HasSuffix(u.Linear, "norm") {
				part = "γ of "
			}
			if u.Divide {
				i = 1
			}
			if u.Cols {
				part = "columns of "
			}
			if row[i] != "" {
				row[i] += ", "
			}
			row[i] += part + u.Linear
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// Recalibrate makes the factors of a closed-form method (catalog.InProcess) on the first windows of the calibration text
// and compares them with the shipped file. They are kept nowhere.
func (s *Session) Recalibrate(model, recipe string, windows int) (chart.Grid, error) {
	g := chart.Grid{Left: 2, Head: []string{"what", "found"}}
	if s.err != nil {
		return g, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	defer clearProgress()
	entry, err := s.runner.Entry(ctx, model)
	if err != nil {
		return g, err
	}
	spec, err := quant.NewSpec(recipe, "", "")
	if err != nil {
		return g, err
	}
	now, err := entry.MakeFactors(ctx, spec, catalog.Calibrating{Windows: windows})
	if err != nil {
		return g, err
	}
	hash, err := now.Rounded().Hash()
	if err != nil {
		return g, err
	}
	g.Rows = [][]string{{"method", now.Meta[smooth.MetaMethod]}, {"text", fmt.Sprintf("%s, %s windows of %s tokens", now.Meta["text"], now.Meta["windows"], now.Meta["window"])},
		{"exponent α", now.Meta["alpha"]}, {"SHA-256 of the factors", hash}}
	then, where, err := entry.Factors(spec.Recipe)
	if err != nil {
		g.Rows = append(g.Rows, []string{"compared with", "nothing: " + err.Error()})
		return g, nil
	}
	old, err := then.Hash()
	if err != nil {
		return g, err
	}
	verdict := "equal, byte for byte"
	if old != hash {
		verdict = fmt.Sprintf("another file: factors differ by %.1f %% at most", 100*widest(now.Rounded(), then))
	}
	g.Rows = append(g.Rows, []string{"compared with", where}, []string{"verdict", verdict})
	return g, nil
}

// widest is the largest relative difference of two factors in the same place; +Inf where only one has a vector.
func widest(a, b *smooth.Factors) (d float64) {
	if len(a.Blocks) != len(b.Blocks) {
		return math.Inf(1)
	}
	for i := range a.Blocks {
		for _, kind := range smooth.KindNames() {
			x, y := a.Blocks[i].Vector(kind), b.Blocks[i].Vector(kind)
			if len(x) != len(y) {
				return math.Inf(1)
			}
			for c := range x {
				d = max(d, math.Abs(float64(x[c])/float64(y[c])-1))
			}
		}
	}
	return d
}

// Methods answers the study of calibration methods for a model: every method that is calibrated for it, at the widths that
// it is calibrated for.
func (s *Session) Methods(model string, options ...ablation.Option) (*ablation.Runs, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, err := s.runner.Entry(ctx, model)
	if err != nil {
		return nil, err
	}
	keep := func(c ablation.Config) bool { // the float model, and what has factors
		spec, err := quant.NewSpec(c["recipe"], "", "")
		if err != nil {
			return true
		}
		_, _, err = entry.Factors(spec.Recipe)
		return !errors.Is(err, catalog.ErrNoFactors)
	}
	return s.Run(ablation.Methods, append([]ablation.Option{ablation.Set("model", model), ablation.Only(keep)}, options...)...)
}
