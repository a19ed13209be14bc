package nb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// Evaluator computes what a study asks for with a runner, and files it: every result is a record with its divergence
// from the float model.
func Evaluator(runner *bench.Runner) ablation.Evaluator { return stored{runner} }

// Finish computes the windows, or the answers to a zero-shot task, of a batch that a shard holds and leaves them in the
// runner's journal.
func Finish(ctx context.Context, runner *bench.Runner, batch []ablation.Config) error {
	if len(batch) == 0 {
		return nil
	}
	if batch[0]["corpus"] == ablation.ZeroShot {
		return answer(ctx, runner, batch)
	}
	req, err := requestOf(batch)
	if err != nil {
		return err
	}
	for _, c := range batch {
		req.Variants = append(req.Variants, variant(c))
	}
	req.NoRecord = true
	_, err = runner.Quality(ctx, req)
	return err
}

// answer puts the questions of one zero-shot task, or of all, to the configurations.
func answer(ctx context.Context, runner *bench.Runner, batch []ablation.Config) error {
	req := bench.ZeroShotRequest{Model: batch[0]["model"], NoRecord: true}
	for _, t := range tasks.All() {
		if name := batch[0]["task"]; name == "" || name == t.Name {
			req.Tasks = append(req.Tasks, t)
		}
	}
	for _, c := range batch {
		req.Variants = append(req.Variants, variant(c))
	}
	var err error
	if req.Items, err = itemsOf(batch[0]); err == nil {
		_, err = runner.ZeroShot(ctx, req)
	}
	return err
}

// itemsOf is how many questions a configuration has of each task.
func itemsOf(c ablation.Config) (int, error) {
	if c["items"] == "" {
		return eval.GridItems, nil
	}
	return c.Int("items")
}

// stored answers a study through package bench: every result is a record with
// its divergence from the float model.
type stored struct{ runner *bench.Runner }

// Window is the protocol's window, or the context of a model that has a shorter one.
// A model that is not here is not fetched to be asked.
func (e stored) Window(ctx context.Context, model string) int {
	return window(ctx, e.runner, model)
}

// Possible leaves out the static grid of a site that the model does not have: OPT has no gate.
func (e stored) Possible(ctx context.Context, c ablation.Config) bool {
	return possible(ctx, e.runner, c)
}

// Possible is as for stored results.
func (e *live) Possible(ctx context.Context, c ablation.Config) bool {
	return possible(ctx, e.runner, c)
}

func possible(ctx context.Context, runner *bench.Runner, c ablation.Config) bool {
	recipe, err := quant.ParseRecipe(c["recipe"])
	if err != nil {
		return true // an error with its reason, not a row that is missing
	}
	site := quant.OneStaticSite(recipe.Static)
	if site == "" || catalog.Pinned(c["model"]) || catalog.Here(c["model"]) != nil {
		return true
	}
	entry, err := runner.Entry(ctx, c["model"])
	return err != nil || slices.Contains(entry.StaticSites(), site)
}

func window(ctx context.Context, runner *bench.Runner, model string) int {
	if catalog.Pinned(model) {
		return eval.DefaultWindow
	}
	if catalog.Here(model) != nil {
		return recordedWindow(runner.Store, model)
	}
	entry, err := runner.Entry(ctx, model)
	if err != nil {
		return eval.DefaultWindow
	}
	return min(eval.DefaultWindow, entry.MaxContext())
}

// recordedWindow is the longest window that the records of a model without its files were measured with by the protocol:
// its context, or the protocol's window.
func recordedWindow(store *record.Store, model string) int {
	longest := 0
	for _, r := range store.Filter(func(r *record.Record) bool { return r.Kind == record.Quality && r.Axes["model"] == model }) {
		var n int
		if _, err := fmt.Sscan(fmt.Sprint(r.Config["window"]), &n); err == nil && n <= eval.DefaultWindow {
			longest = max(longest, n)
		}
	}
	if longest == 0 {
		return eval.DefaultWindow
	}
	return longest
}

// Stands accepts a record of the present integer semantics. A name may have come to
// stand for other weights (a path, a model that was trained again), so these are
// compared too, but for a model whose weights are pinned.
func (e stored) Stands(ctx context.Context, c ablation.Config, r *record.Record) bool {
	if r.Kind != record.Timing && !quant.IsFloat(c["recipe"]) && r.Semantics != ptq.Semantics {
		return false
	}
	if catalog.Pinned(c["model"]) || catalog.Here(c["model"]) != nil {
		return true // nothing to compare with: the record is all there is
	}
	entry, err := e.runner.Entry(ctx, c["model"])
	if err != nil {
		return true
	}
	source, err := entry.Source()
	return err != nil || fmt.Sprint(r.Config["source_sha256"]) == source
}

// Evaluate runs the batch, in parts that fit the memory, each against one pass of the float model.
func (e stored) Evaluate(ctx context.Context, configs []ablation.Config, done func(int, record.Record) error) error {
	from := 0
	for _, to := range e.parts(ctx, configs) {
		if from == to {
			continue
		}
		records, err := e.measure(ctx, configs[from:to])
		if one := (*bench.VariantError)(nil); errors.As(err, &one) && one.I < to-from {
			return &ablation.ConfigError{I: from + one.I, Err: err}
		}
		if err != nil {
			return err
		}
		for i, r := range records {
			if err := done(from+i, *r); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// measure scores a text, asks the zero-shot tasks or takes times, whatever the batch's level of "corpus" is.
func (e stored) measure(ctx context.Context, configs []ablation.Config) ([]*record.Record, error) {
	list, float := variants(configs)
	switch configs[0]["corpus"] {
	case ablation.ZeroShot:
		items, err := itemsOf(configs[0])
		if err != nil {
			return nil, err
		}
		if !float { // every row has its difference from the float model
			list = append(list, bench.Variant{Recipe: "fp32"})
		}
		records, err := e.runner.ZeroShot(ctx, bench.ZeroShotRequest{Model: configs[0]["model"], Tasks: tasks.All(), Items: items, Variants: list})
		return records[:min(len(configs), len(records))], err
	case ablation.Speed:
		return e.runner.Speed(ctx, bench.SpeedRequest{Model: configs[0]["model"], Variants: list})
	}
	req, err := requestOf(configs)
	if err != nil {
		return nil, err
	}
	req.Variants = list
	return e.runner.Quality(ctx, req)
}

// shippedOnly takes shipped records and no others.
type shippedOnly struct{ stored }

func (e shippedOnly) Stands(ctx context.Context, c ablation.Config, r *record.Record) bool {
	return r.Shipped && e.stored.Stands(ctx, c, r)
}

func variant(c ablation.Config) bench.Variant {
	return bench.Variant{Recipe: c["recipe"], Clip: c["clip"], Mode: c["mode"], Operators: c["operators"], Arithmetic: c["arithmetic"], Kinds: c["kinds"],
		Mantissa: c["mantissa"], Multiplier: c["multiplier"], Layers: c["layers"]}
}

// requestOf turns what a batch shares into bench's form. The float model of a study has no bins of positions, the rows
// beside it may.
func requestOf(batch []ablation.Config) (bench.QualityRequest, error) {
	req, err := request(batch[0])
	for _, c := range batch {
		other, err := request(c)
		if err != nil {
			return req, err
		}
		req.Bins = max(req.Bins, other.Bins)
	}
	return req, err
}

// request turns one configuration into bench's form.
func request(c ablation.Config) (bench.QualityRequest, error) {
	req := bench.QualityRequest{Model: c["model"], Corpus: c["corpus"]}
	for name, at := range map[string]*int{"window": &req.Window, "windows": &req.Windows, "first": &req.First, "bins": &req.Bins} {
		if c[name] == "" {
			continue
		}
		n, err := c.Int(name)
		if err != nil {
			return req, err
		}
		*at = n
	}
	return req, nil
}

// live scores the integer engine alone on windows of a text: no float model, no
// journal, no record.
type live struct{ runner *bench.Runner }

// Stands is not asked: live results are compared with records, not replaced by them.
func (e *live) Stands(context.Context, ablation.Config, *record.Record) bool { return false }

// Window is as for stored results.
func (e *live) Window(ctx context.Context, model string) int { return window(ctx, e.runner, model) }

// Evaluate runs one configuration after the other.
func (e *live) Evaluate(ctx context.Context, configs []ablation.Config, done func(int, record.Record) error) error {
	for i, c := range configs {
		req, err := request(c)
		if err != nil {
			return err
		}
		entry, ids, err := tokens(ctx, e.runner, req.Model, req.Corpus)
		if err != nil {
			return err
		}
		if v := c["arithmetic"]; v != "" && v != ablation.Integer {
			return fmt.Errorf("nb: live: expected integer arithmetic, found %q: Run computes the others", v)
		}
		m, err := variant(c).Engine(ctx, entry)
		if err != nil {
			return err
		}
		scored := &engine.Scored{M: m}
		if err := clampText(&req, entry, len(ids)); err != nil {
			return err
		}
		rep, err := eval.Run(ctx, nil, []eval.Variant{{Name: c["recipe"] + " clip " + c["clip"], LM: scored}}, ids,
			eval.Options{Window: req.Window, First: req.First, Windows: req.Windows, Progress: func(p eval.Progress) {
				progressLine(bench.Progress{What: p.Model, Done: i*req.Windows + p.Done, Total: len(configs) * req.Windows})
			}})
		scored.Close()
		if err != nil {
			return err
		}
		r := c.Record()
		r.Artefact, r.Semantics = m.Artifact().ID, ptq.Semantics
		tok, err := entry.Tokenizer()
		if err != nil {
			return err
		}
		r.Metrics = rep.Results[0].Summary.Metrics(eval.Cover(ids, req.Window, req.First, req.Windows, tok.Decode))
		r.Windows = rep.Results[0].Stats
		r.WallS = rep.Results[0].Wall.Seconds()
		if err := done(i, r); err != nil {
			return err
		}
	}
	return nil
}

// clampText puts the number of windows that the text has in place of 0, all of them.
func clampText(req *bench.QualityRequest, entry *catalog.Entry, tokens int) error {
	if req.Window < 2 || req.Window > entry.MaxContext() {
		return fmt.Errorf("nb: window of %d tokens: expected 2 to %d, the context of %s", req.Window, entry.MaxContext(), entry.Name)
	}
	if req.Windows == 0 {
		req.Windows = tokens/req.Window - req.First
	}
	if req.Windows < 1 {
		return fmt.Errorf("nb: text %s: expected at least one window of %d tokens from window %d on, found %d tokens", req.Corpus, req.Window, req.First, tokens)
	}
	return nil
}

// tokens opens the model and cuts a text with its tokenizer.
func tokens(ctx context.Context, runner *bench.Runner, model, text string) (*catalog.Entry, []int32, error) {
	entry, err := runner.Entry(ctx, model)
	if err != nil {
		return nil, nil, err
	}
	t, err := corpus.Load(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	ids, err := entry.Encode(string(t.Bytes))
	return entry, ids, err
}
