package bench

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

const fp32 = "fp32" // see quant.IsFloat

// form is a row of the efficiency table: the model in one arithmetic.
type form struct {
	recipe    string // fp32 or an integer one
	operators string // "integer", or "float32": conventional inference, integer products between float operators; "" of fp32
}

func (f form) String() string {
	if f.operators == "float32" {
		return f.recipe + " + floats"
	}
	return f.recipe
}

// efficiencyWidths are the integer recipes of the table.
var efficiencyWidths = []string{"w8a8", "w6a6", "w4a8", "w4a4"}

// efficiencyForms lists the rows: float, then each width with float32 operators and in integers alone.
func efficiencyForms() []form {
	list := []form{{recipe: fp32}}
	for _, w := range efficiencyWidths {
		list = append(list, form{w, "float32"}, form{w, "integer"})
	}
	return list
}

// efficiencySteps is the number of tokens decoded in a round: twice what a model runs before its weights settle.
const efficiencySteps = 32

// running is a form under the clock.
type running struct {
	form
	*line
	spec            *quant.Spec
	parts           []bytesOf
	prefill, decode *contender
}

// bytesOf is a part of the weights.
type bytesOf struct {
	part  string
	bytes int64
}

// efficiency measures weight memory part by part, running memory, prefill and decode of every form in turn, and what each
// component takes of prefill. Prompts and steps are those of one round; a speed-up is over paired rounds against fp32, and
// "slower" is float operators by integer ones of the same width.
func (s *study) efficiency(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	s.q.Prefill = min(s.q.Prefill, s.entry.MaxContext()-efficiencySteps, len(s.ids)-efficiencySteps)
	if s.q.Prefill < 1 {
		return fmt.Errorf("bench: study efficiency: %s has a context of %d: expected more than %d", s.entry.Name, s.entry.MaxContext(), efficiencySteps)
	}
	var list []*running
	defer func() {
		for _, r := range list {
			r.end()
		}
	}()
	for _, f := range efficiencyForms() {
		if f.recipe == fp32 && s.entry.Parameters() == 0 {
			continue // an artefact has no float model
		}
		s.q.Say("  loading " + f.String())
		r, err := s.running(ctx, f)
		if err != nil {
			return err
		}
		list = append(list, r)
	}
	if err := s.efficiencyRounds(ctx, list); err != nil {
		return err
	}
	for _, r := range list {
		if err := s.fileForm(ctx, r, list); err != nil {
			return err
		}
	}
	return nil
}

// running loads a form and weighs its session.
func (s *study) running(ctx context.Context, f form) (*running, error) {
	l := Loaded{Recipe: f.recipe, Clip: s.q.Clip, Mode: s.q.Mode, Operators: f.operators, Threads: s.threads()}
	r := &running{form: f, prefill: &contender{name: f.String()}, decode: &contender{name: f.String()}}
	if f.recipe != fp32 {
		spec, err := quant.NewSpec(f.recipe, s.q.Clip, s.q.Mode)
		if err != nil {
			return nil, err
		}
		r.spec = &spec
	}
	var err error
	if r.line, err = l.startOn(ctx, s.entry, s.q.Prefill+efficiencySteps); err != nil {
		return nil, err
	}
	if r.integer != nil {
		r.parts = integerParts(r.integer.Weights())
	} else {
		r.parts = floatParts(r.float.Config(), s.entry.Parameters())
	}
	return r, nil
}

// efficiencyRounds lets the forms take turns, two rounds of warm-up first.
func (s *study) efficiencyRounds(ctx context.Context, list []*running) error {
	const warmup = 2
	for round := range warmup + s.q.Runs {
		for i := range list {
			r := list[(i+round)%len(list)]
			if err := ctx.Err(); err != nil {
				return err
			}
			r.reset()
			prompt, err := timed(func() error { return r.append(ctx, s.ids[:s.q.Prefill]) })
			if err != nil {
				return err
			}
			step, err := timed(func() error {
				for k := range efficiencySteps {
					if err := r.append(ctx, s.ids[s.q.Prefill+k:][:1]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			if round >= warmup {
				r.prefill.seconds, r.decode.seconds = append(r.prefill.seconds, prompt), append(r.decode.seconds, step/efficiencySteps)
			}
		}
	}
	return nil
}

// fileForm adds the records of one form: its row, and a row for each component of prefill.
func (s *study) fileForm(ctx context.Context, r *running, all []*running) error {
	axes := func(more ...string) map[string]string {
		m := map[string]string{"form": r.String(), "recipe": r.recipe, "prefill": strconv.Itoa(s.q.Prefill)}
		if r.operators != "" {
			m["operators"] = r.operators
		}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	bytes := func(name string, n int64) record.Metric {
		return record.Metric{Name: name, Value: float64(n), Unit: "bytes", Better: record.Lower}
	}
	metrics := []record.Metric{r.prefill.timing("prefill_ms", "ms", 1e3), r.decode.timing("decode_ms", "ms", 1e3)}
	find := func(recipe, operators string) *running {
		if i := slices.IndexFunc(all, func(x *running) bool { return x.form == form{recipe, operators} }); i >= 0 {
			return all[i]
		}
		return r
	}
	float, own := find(fp32, ""), find(r.recipe, "integer")
	metrics = append(metrics, share("prefill_speedup", float.prefill, r.prefill, record.Higher)...)
	metrics = append(metrics, share("decode_speedup", float.decode, r.decode, record.Higher)...)
	if r.operators == "float32" {
		metrics = append(metrics, share("slower", r.prefill, own.prefill, record.Higher)...)
	}
	var total int64
	for _, p := range r.parts {
		metrics = append(metrics, bytes("bytes "+p.part, p.bytes))
		total += p.bytes
	}
	metrics = append(metrics, bytes("weight_bytes", total), bytes("kv_bytes", int64(r.kv())))
	s.q.Say("  memory of " + r.String())
	session, err := s.sessionBytes(ctx, r)
	if err != nil {
		return err
	}
	metrics = append(metrics, bytes("session_bytes", session))
	if s.q.Memory != nil {
		peak, err := s.q.Memory(ctx, Loaded{Path: r.path, Recipe: r.recipe, Clip: s.q.Clip, Mode: s.q.Mode, Operators: r.operators, Threads: s.threads()},
			s.ids[:s.q.Prefill+efficiencySteps])
		if err != nil {
			return err
		}
		metrics = append(metrics, bytes("resident_bytes", peak))
	}
	s.addForm(r, axes(), metrics...)
	s.q.Say("  profile of " + r.String())
	p := &contender{name: r.String(), run: func(n int) error {
		for range n {
			r.reset()
			if err := r.append(ctx, s.ids[:s.q.Prefill]); err != nil {
				return err
			}
		}
		return nil
	}}
	of := enginePart
	if r.float != nil {
		of = floatPart
	}
	c, err := s.profileOf(ctx, p, len(efficiencyParts), of)
	if err != nil {
		return err
	}
	for i, n := range c.samples {
		part := float64(n) / float64(c.total)
		s.addForm(r, axes("component", efficiencyParts[i]),
			record.Metric{Name: "share", Value: 100 * part, Stderr: 100 * deviation(part, c.total), N: int(c.total), Unit: "%", Better: record.Lower},
			record.Metric{Name: "prefill_ms", Value: 1e3 * part * r.prefill.median(), N: len(r.prefill.seconds), Unit: "ms", Better: record.Lower})
	}
	return nil
}

// sessionBytes is what the heap gains by a second session of the form that has run the same tokens.
func (s *study) sessionBytes(ctx context.Context, r *running) (int64, error) {
	before, n := liveBytes(), *r.line
	if err := n.session(s.q.Prefill + efficiencySteps); err != nil {
		return 0, err
	}
	defer n.end()
	if err := n.append(ctx, s.ids[:s.q.Prefill]); err != nil {
		return 0, err
	}
	if err := n.append(ctx, s.ids[s.q.Prefill:][:1]); err != nil {
		return 0, err
	}
	after := liveBytes()
	n.reset() // the session is there until now
	return max(0, after-before), nil
}

func (s *study) addForm(r *running, axes map[string]string, metrics ...record.Metric) {
	s.points = append(s.points, point{axes: axes, metrics: metrics, spec: r.spec, artefact: r.artefact, of: s.entry.Name})
}

// integerParts names the parts of an artefact's weights.
func integerParts(w engine.Weights) []bytesOf {
	return []bytesOf{{"codes", w.Codes}, {"zero points", w.Zeros}, {"multipliers", w.Multipliers}, {"channel sums", w.Sums}, {"biases", w.Biases},
		{"norms", w.Norms}, {"embedding", w.Embedding}, {"head", w.Head}, {"positions", w.Positions}}
}

// floatParts are those of a float model of 4 bytes a number; whatever is no matrix is in norms.
func floatParts(c model.Config, parameters int64) []bytesOf {
	attention := c.Hidden * (2*c.Heads + 2*c.KVHeads) * c.HeadDim
	matrices := 3
	if !c.Gated() {
		matrices = 2
	}
	codes := int64(c.Layers) * int64(attention+matrices*c.Hidden*c.FFN)
	var biases, positions int64
	if c.QKVBias {
		biases += int64((c.Heads + 2*c.KVHeads) * c.HeadDim)
	}
	if c.OutBias {
		biases += int64(c.Hidden)
	}
	if c.MLPBias {
		biases += int64((matrices-1)*c.FFN + c.Hidden)
	}
	biases *= int64(c.Layers)
	table := int64(c.Vocab) * int64(c.Hidden)
	head := table
	if c.TiedHead {
		head = 0
	}
	if !c.Rotary() {
		positions = int64(c.MaxContext) * int64(c.Hidden)
	}
	norms := max(0, parameters-codes-biases-table-head-positions)
	list := []bytesOf{{"codes", codes}, {"biases", biases}, {"norms", norms}, {"embedding", table}, {"head", head}, {"positions", positions}}
	for i := range list {
		list[i].bytes *= 4
	}
	return list
}

// efficiencyParts are the components of the efficiency table's chart.
var efficiencyParts = []string{"linear", "requantisation", "RoPE", "scores", "softmax", "P×V", "norm", "SwiGLU, ReLU", "add", "head", "rest"}

// engineParts sorts the components of the engine's profile into them; what is missing is rest.
var engineParts = map[string]string{"linear products": "linear", "accumulate": "linear", requantisation: "requantisation", "RoPE": "RoPE",
	"Q·K product": "scores", "scores aligned": "scores", "softmax": "softmax", "P·V product": "P×V", "heads merged": "P×V",
	"norm": "norm", "SwiGLU, ReLU": "SwiGLU, ReLU", "residual": "add", "head": "head"}

func partIndex(name string) int {
	if i := slices.Index(efficiencyParts, name); i >= 0 {
		return i
	}
	return len(efficiencyParts) - 1
}

// enginePart is the part of a stack of the integer engine.
func enginePart(stack []string) int {
	switch i := componentOf(stack); {
	case i < 0:
		return -1
	case i == len(components):
		return partIndex("rest")
	default:
		return partIndex(engineParts[components[i].name])
	}
}

// floatFunctions are functions of package floatref by part; the first that occurs takes the sample.
var floatFunctions = []struct{ part, function string }{
	{"head", "floatref.(*pass).finish"}, {"scores", "floatref.(*scratch).products"}, {"P×V", "floatref.(*scratch).mix"},
	{"softmax", "floatref.softmaxRow"}, {"linear", "floatref.(*matrix).mul"}, {"RoPE", "floatref.rotate"}, {"norm", "floatref.norm.apply"},
	{"SwiGLU, ReLU", "floatref.(*pass).activate"}, {"add", "floatref.(*pass).add"}, {"rest", "floatref.("},
}

// floatPart is the part of a stack of the float model.
func floatPart(stack []string) int {
	for _, f := range floatFunctions {
		if slices.ContainsFunc(stack, func(name string) bool { return strings.Contains(name, f.function) }) {
			return partIndex(f.part)
		}
	}
	return -1
}

// timed is how many seconds f took.
func timed(f func() error) (float64, error) {
	start := time.Now()
	err := f()
	return time.Since(start).Seconds(), err
}
