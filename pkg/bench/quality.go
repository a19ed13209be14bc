package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// Runner runs measurements over one store of records.
type Runner struct {
	Store   *record.Store
	Threads int
	// Progress is told of long steps, from one goroutine at a time; nil: silent.
	Progress func(Progress)
	// Force runs what has a record too; finished windows are still reused.
	Force bool
	// Backend computes the float models and their simulations; nil: this program's own code.
	Backend Backend

	entries map[string]*catalog.Entry
	texts   map[string]*corpus.Text
	tokens  map[[2]string][]int32
}

// Progress is one finished step.
type Progress struct {
	What        string // "calibrate", "quantise", or the variant that was scored
	Done, Total int
	Window      int           // number of the window scored
	Took        time.Duration // of the step; 0: reused
	MeanNLL     float64
	Left        time.Duration // estimate of the time left of Total, from the steps that were run; 0: not known
}

// Variant is one configuration of a quality run. The recipe "fp32" is the float model.
type Variant struct {
	Recipe    string
	Clip      string // "": 15
	Mode      string // "": illm
	Operators string // "": the mode's integer ones; else a rival set, see Operators
	// Arithmetic is "" or "integer", the engine, or "simulated": the recipe's quantisers in float (catalog.Entry.Simulation).
	Arithmetic string
	// Kinds keeps some kinds of the method's factors, not trained again (smooth.Factors.Select); "", "all": every kind.
	Kinds string
	// Mantissa is B, the bits of the mantissa of a row's scale, 4 … 16; "": 16.
	Mantissa string
	// Multiplier is B_w, the bits of a weight channel's multiplier, 2 … 24; "": 24.
	Multiplier string
	// Layers is a digit a layer, the bits of its weights, where they are not those of the recipe; "": all of them.
	Layers string
}

// QualityRequest asks for the variants' scores on the same windows.
type QualityRequest struct {
	Model    string
	Corpus   string
	Window   int // tokens; 0: 2048, or the model's context where that is shorter
	First    int
	Windows  int // 0: all
	NoKL     bool
	Bins     int  // of positions in the window, each with its divergence as a metric kld_binI; 0: none
	NoRecord bool // only finish the windows, in the journal: a shard
	Variants []Variant
}

// qualityConfig is the configuration that a record's key covers. Base tells whether
// the divergence from the float model was measured.
type qualityConfig struct {
	Task     string      `json:"task"`
	Protocol string      `json:"protocol"`
	Model    string      `json:"model"`
	Source   string      `json:"source_sha256"`
	Spec     *quant.Spec `json:"spec,omitempty"`
	Recipe   string      `json:"recipe"`
	Corpus   string      `json:"corpus"`
	Window   int         `json:"window"`
	First    int         `json:"first"`
	Windows  int         `json:"windows"`
	Base     bool        `json:"base"`

	Injected *catalog.Outliers `json:"injected,omitempty"` // into the weights; the model's name says so too

	Operators  string `json:"operators,omitempty"`      // a rival set of non-linear operators
	Arithmetic string `json:"arithmetic,omitempty"`     // Simulated, or none for the engine
	Kinds      string `json:"kinds,omitempty"`          // of factors that were kept; none: all
	Factors    string `json:"factors_sha256,omitempty"` // of a simulation; an artefact holds them otherwise
	Multiplier int    `json:"multiplier,omitempty"`     // B_w; none: 24
	Layers     string `json:"layers,omitempty"`         // bits of each layer's weights
	Bins       int    `json:"bins,omitempty"`           // of positions
	Clips      string `json:"clips,omitempty"`          // of the softmax by layer, in place of the spec's; none: the spec's
}

// prepared is a variant on its way to a record.
type prepared struct {
	name   string
	lm     eval.LM        // nil for the float model, which is loaded when it is needed
	int    *engine.Scored // nil for what is computed in float
	done   func()         // gives a model in float back
	record *record.Record
	key    string
	found  *record.Record
	bins   int             // of positions
	extra  []record.Metric // known before anything is scored
}

// VariantError says which variant of a request could not be made.
type VariantError struct {
	I   int // its place in the request
	Err error
}

func (e *VariantError) Error() string { return e.Err.Error() }

func (e *VariantError) Unwrap() error { return e.Err }

// Close gives the models back.
func (r *Runner) Close() {
	for _, e := range r.entries {
		e.Close()
	}
	r.entries = nil
}

// Quality returns one record a variant, in their order, running those that have none. A variant that this model cannot have
// is a *VariantError.
func (r *Runner) Quality(ctx context.Context, req QualityRequest) ([]*record.Record, error) {
	if len(req.Variants) == 0 {
		return nil, fmt.Errorf("bench: quality: expected at least one variant")
	}
	entry, err := r.open(ctx, req.Model)
	if err != nil {
		return nil, err
	}
	text, err := r.text(ctx, req.Corpus)
	if err != nil {
		return nil, err
	}
	ids, err := r.encode(entry, text)
	if err != nil {
		return nil, err
	}
	if err := clampWindows(&req, entry, text, len(ids)); err != nil {
		return nil, err
	}
	for i, v := range req.Variants { // before anything is loaded
		if err := r.elsewhere(v); err != nil {
			return nil, &VariantError{i, err}
		}
	}
	list, err := r.prepare(ctx, entry, text, req)
	defer func() { giveBack(list) }()
	if err != nil {
		return nil, err
	}
	if req.Bins < 0 || req.Bins >= req.Window || req.Bins > 0 && req.NoKL {
		return nil, fmt.Errorf("bench: quality: %d bins of positions: expected 0 to %d, and the divergence from the float model", req.Bins, req.Window-1)
	}
	release, err := r.claimMissing(ctx, req, list)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := r.score(ctx, entry, ids, req, list); err != nil {
		return nil, err
	}
	out := make([]*record.Record, len(list))
	for i, p := range list {
		out[i] = p.found
	}
	return out, nil
}

// giveBack ends what variants were loaded.
func giveBack(list []*prepared) {
	for _, p := range list {
		switch {
		case p.int != nil:
			p.int.Close()
		case p.done != nil:
			p.done()
		}
	}
}

// clampWindows fills in the defaults and refuses a text shorter than a window.
func clampWindows(req *QualityRequest, e *catalog.Entry, text *corpus.Text, tokens int) error {
	if req.Window == 0 {
		req.Window = min(eval.DefaultWindow, e.MaxContext())
	}
	if req.Window < 2 || req.Window > e.MaxContext() {
		return fmt.Errorf("bench: window of %d tokens: expected 2 to %d, the context of %s", req.Window, e.MaxContext(), e.Name)
	}
	have := tokens / req.Window
	if text.Name == "c4" {
		have = min(have, 256) // the protocol's number of windows
	}
	if have == 0 {
		return fmt.Errorf("bench: text %s has %d tokens: expected at least one window of %d: use --window %d or less", text.Name, tokens, req.Window, tokens)
	}
	if req.Windows == 0 {
		req.Windows = have - req.First
	}
	if req.First < 0 || req.Windows < 1 || req.First+req.Windows > have {
		return fmt.Errorf("bench: windows %d to %d of %s: expected within 0 to %d", req.First, req.First+req.Windows-1, text.Name, have-1)
	}
	return nil
}

// prepare loads the variants and looks their records up. With an error it returns those that were loaded before it.
func (r *Runner) prepare(ctx context.Context, entry *catalog.Entry, text *corpus.Text, req QualityRequest) ([]*prepared, error) {
	source, err := entry.Source()
	if err != nil {
		return nil, err
	}
	var list []*prepared
	for i, v := range req.Variants {
		cfg := qualityConfig{Task: "ppl", Protocol: "gptq", Model: entry.Name, Source: source, Recipe: v.Recipe, Corpus: text.Name,
			Window: req.Window, First: req.First, Windows: req.Windows, Base: !req.NoKL && !quant.IsFloat(v.Recipe), Injected: entry.Injected}
		p := &prepared{name: v.Recipe, record: &record.Record{Kind: record.Quality, Corpus: text.SHA256, Artefact: source}}
		list = append(list, p)
		p.record.Axes = map[string]string{"model": entry.Name, "recipe": v.Recipe, "corpus": text.Name, "windows": fmt.Sprint(req.Windows)}
		if !quant.IsFloat(v.Recipe) {
			if cfg.Base {
				cfg.Bins, p.bins = req.Bins, req.Bins
			}
			spec, err := v.Spec()
			if err != nil {
				return list, &VariantError{i, err}
			}
			if err := r.load(ctx, entry, spec, v, &cfg, p); err != nil {
				return list, &VariantError{i, err}
			}
			p.record.Axes["recipe"], p.record.Axes["clip"], p.record.Axes["mode"] = spec.Recipe.Name, spec.Clip.String(), string(spec.Mode)
		}
		if p.record.Config, err = record.ConfigOf(cfg); err != nil {
			return list, err
		}
		if p.key, err = p.record.ComputeKey(); err != nil {
			return list, err
		}
		if old, ok := r.Store.Find(p.key); ok && !r.Force && !req.NoRecord {
			p.found = old
		}
	}
	return list, nil
}

// journalKey identifies a variant for the journal of finished windows: its record's key without the choice of windows.
func journalKey(p *prepared) (string, error) {
	c := *p.record
	c.Config = map[string]any{}
	for k, v := range p.record.Config {
		if k != "first" && k != "windows" && k != "base" && k != "bins" {
			c.Config[k] = v
		}
	}
	return c.ComputeKey()
}

// score runs the variants without a record and files what they give.
func (r *Runner) score(ctx context.Context, entry *catalog.Entry, ids []int32, req QualityRequest, list []*prepared) error {
	var todo []*prepared
	var variants []eval.Variant
	var float *prepared
	for _, p := range list {
		if p.found != nil {
			continue
		}
		if p.lm == nil {
			float = p
			continue
		}
		key, err := journalKey(p)
		if err != nil {
			return err
		}
		todo = append(todo, p)
		variants = append(variants, eval.Variant{Name: p.name, LM: p.lm, Key: key})
	}
	if len(todo) == 0 && float == nil {
		return nil
	}
	var base eval.LM
	source, err := entry.Source()
	if err != nil {
		return err
	}
	if float != nil || !req.NoKL {
		var done func()
		if base, done, err = r.float(entry); err != nil {
			return err
		}
		defer done()
	}
	if float != nil && req.NoKL { // the float model is a variant like the others
		todo, variants = append(todo, float), append(variants, eval.Variant{Name: "fp32", LM: base, Key: source})
		base, float = nil, nil
	}
	rep, err := eval.Run(ctx, base, variants, ids, eval.Options{Window: req.Window, First: req.First, Windows: req.Windows,
		KeepPositions: req.Bins > 0,
		Journal:       filepath.Join(r.Store.Dir(), "journal"), BaseKey: source, By: r.backend(), Progress: r.windowDone()})
	if err != nil {
		return err
	}
	if req.NoRecord {
		return nil
	}
	tok, err := entry.Tokenizer()
	if err != nil {
		return err
	}
	cover := eval.Cover(ids, req.Window, req.First, req.Windows, tok.Decode)
	for i, p := range todo {
		if err := r.file(p, &rep.Results[i], cover); err != nil {
			return err
		}
	}
	if float != nil {
		return r.file(float, rep.Base, cover)
	}
	return nil
}

// file appends the record of one result.
func (r *Runner) file(p *prepared, res *eval.Result, cover eval.Coverage) error {
	p.record.Metrics = append(res.Summary.Metrics(cover), p.extra...)
	p.record.Metrics = append(p.record.Metrics, binned(res, p.bins)...)
	if p.int != nil {
		p.record.Metrics = append(p.record.Metrics, tallied{p.int}.metrics(res.Counts)...)
	}
	p.record.Windows = res.Stats
	p.record.WallS = res.Wall.Seconds()
	p.record.Note = computed(p.record.Note, "windows computed", res.By)
	r.provenance(p.record)
	r.computedBy(p.record, res.By)
	if err := r.Store.Append(p.record); err != nil {
		return err
	}
	p.found = p.record
	return nil
}

// windowDone passes a finished window on. A step's time is the mean of those that were run, of all models, since every window
// has a step of each.
func (r *Runner) windowDone() func(p eval.Progress) {
	spent, ran := time.Duration(0), 0
	return func(p eval.Progress) {
		if r.Progress == nil {
			return
		}
		took := p.Took
		if p.Reused {
			took = 0
		} else {
			spent, ran = spent+took, ran+1
		}
		left := spent / time.Duration(max(ran, 1)) * time.Duration(p.Total-p.Done)
		r.Progress(Progress{What: p.Model, Done: p.Done, Total: p.Total, Window: p.Window, Took: took, MeanNLL: p.MeanNLL, Left: left})
	}
}
