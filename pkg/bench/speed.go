package bench

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// SpeedRequest asks for prefill and decode times of several recipes, measured in turn.
type SpeedRequest struct {
	Model   string
	Recipes []string
	Clip    string
	Mode    string

	Variants []Variant // instead of the three above

	Prefill int // tokens of the prompt; 0: 512
	Decode  int // tokens after it, one by one; 0: 128
	Runs    int // counted runs of each recipe; 0: 10
	Warmup  int // runs not counted, first; 0: 1
}

type speedConfig struct {
	Task    string      `json:"task"`
	Model   string      `json:"model"`
	Source  string      `json:"source_sha256"`
	Recipe  string      `json:"recipe"`
	Spec    *quant.Spec `json:"spec,omitempty"`
	Prefill int         `json:"prefill"`
	Decode  int         `json:"decode"`
	Runs    int         `json:"runs"`
	Warmup  int         `json:"warmup"`
	Threads int         `json:"threads"`

	Operators string `json:"operators,omitempty"` // a rival set of non-linear operators
	Clips     string `json:"clips,omitempty"`     // of the softmax by layer, in place of the spec's; none: the spec's
}

// subject is one recipe under the clock.
type subject struct {
	cfg      speedConfig
	artefact string
	bytes    int64 // of the weights as they are held
	session  int64 // live bytes of a session: cache for all tokens of a run, activations, buffers

	floats *baseline.Operators // those of ablation D, which count what passes between integers and floats; nil: none
	in     float64             // numbers that became floats, a token of the prompt
	out    float64             // and integers again
	append func(ctx context.Context, ids []int32) error
	all    func(ctx context.Context, ids []int32) error // from an empty cache, the head for every token
	reset  func()
	kv     func() int
	cache  int // bytes after the last decoded token
	close  func()

	prefill, decode, score []float64 // seconds
}

// Speed measures the recipes: each run is a prompt of Prefill tokens (the head for
// its last token only), Decode single tokens, and the prompt once more with the
// head for every token, as an evaluation has it. The recipes take turns, so that a
// change of the machine's speed meets all of them.
//
// Memory: weight_bytes are the weights as they are held, session_bytes what the program's heap gains by a session that has
// run a prompt (its cache has room for all tokens), running_bytes both. to_float_token and to_integer_token count numbers that
// pass between integers and floats, a token of the prompt.
func (r *Runner) Speed(ctx context.Context, req SpeedRequest) ([]*record.Record, error) {
	if r.Backend != nil {
		return nil, fmt.Errorf("bench: speed of %s: times are of this program's own code, and the runner has the backend %s: leave it out", req.Model, r.Backend.Name())
	}
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&req.Prefill, 512)
	def(&req.Decode, 128)
	def(&req.Runs, 10)
	def(&req.Warmup, 1)
	if req.Prefill < 1 || req.Decode < 1 || req.Runs < 1 || req.Warmup < 0 {
		return nil, fmt.Errorf("bench: speed: prefill %d, decode %d, runs %d, warm-up %d: expected positive numbers", req.Prefill, req.Decode, req.Runs, req.Warmup)
	}
	entry, err := r.open(ctx, req.Model)
	if err != nil {
		return nil, err
	}
	if need := req.Prefill + req.Decode; need > entry.MaxContext() {
		return nil, fmt.Errorf("bench: speed: prompt and decoded tokens are %d: expected at most %d, the context of %s", need, entry.MaxContext(), entry.Name)
	}
	text, err := r.text(ctx, "opticks")
	if err != nil {
		return nil, err
	}
	ids, err := r.encode(entry, text)
	if err != nil {
		return nil, err
	}
	if len(ids) < req.Prefill+req.Decode {
		return nil, fmt.Errorf("bench: speed: the text %s has %d tokens, expected %d", text.Name, len(ids), req.Prefill+req.Decode)
	}
	release, err := r.claimClock(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer release()
	var list []*subject
	defer func() {
		for _, s := range list {
			s.close()
		}
	}()
	if len(req.Variants) == 0 {
		for _, recipe := range req.Recipes {
			req.Variants = append(req.Variants, Variant{Recipe: recipe, Clip: req.Clip, Mode: req.Mode})
		}
	}
	for _, v := range req.Variants {
		if err := v.shipsAsIs("speed"); err != nil {
			return nil, err
		}
		s, err := r.subject(ctx, entry, v, ids, req)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	for run := range req.Warmup + req.Runs {
		for _, s := range list {
			if err := s.once(ctx, ids, req, run >= req.Warmup); err != nil {
				return nil, err
			}
			if r.Progress != nil {
				r.Progress(Progress{What: "bench " + s.cfg.Recipe, Done: run + 1, Total: req.Warmup + req.Runs})
			}
		}
	}
	return r.fileSpeed(list, req)
}

// subject loads one recipe.
func (r *Runner) subject(ctx context.Context, entry *catalog.Entry, v Variant, ids []int32, req SpeedRequest) (*subject, error) {
	source, err := entry.Source()
	if err != nil {
		return nil, err
	}
	s := &subject{artefact: source, cfg: speedConfig{Task: "speed", Model: entry.Name, Source: source, Recipe: v.Recipe,
		Prefill: req.Prefill, Decode: req.Decode, Runs: req.Runs, Warmup: req.Warmup, Threads: r.threads()}}
	capacity := req.Prefill + req.Decode
	if quant.IsFloat(v.Recipe) {
		m, err := entry.Float()
		if err != nil {
			return nil, err
		}
		before := liveBytes()
		session, err := m.NewSession(capacity)
		if err != nil {
			return nil, err
		}
		s.float(m, session, entry.Parameters())
		return s, s.weigh(ctx, before, ids, req)
	}
	spec, err := quant.NewSpec(v.Recipe, v.Clip, v.Mode)
	if err != nil {
		return nil, err
	}
	ops, err := Operators(spec, v.Operators)
	if err != nil {
		return nil, err
	}
	m, err := entry.IntegerWith(ctx, spec, ops)
	if err != nil {
		return nil, err
	}
	before := liveBytes()
	session, err := m.NewSession(capacity)
	if err != nil {
		return nil, err
	}
	s.cfg.Spec, s.cfg.Recipe, s.cfg.Operators, s.artefact = &spec, spec.Recipe.Name, v.Operators, m.Artifact().ID
	s.cfg.Clips = m.Clips().String()
	s.integer(m, session)
	s.floats, _ = ops.(*baseline.Operators)
	return s, s.weigh(ctx, before, ids, req)
}

// weigh runs a prompt and a token and notes what the session holds then, and what passed between integers and floats.
func (s *subject) weigh(ctx context.Context, before int64, ids []int32, req SpeedRequest) error {
	for i, part := range [][]int32{ids[:req.Prefill], ids[req.Prefill:][:1]} {
		if err := s.append(ctx, part); err != nil {
			s.close()
			return err
		}
		if i == 0 && s.floats != nil {
			c := s.floats.Conversions()
			s.in, s.out = float64(c.ToFloat)/float64(req.Prefill), float64(c.ToInteger)/float64(req.Prefill)
		}
	}
	s.session = max(0, liveBytes()-before)
	return nil
}

// liveBytes is what the program's heap and stacks hold, garbage collected first. Weights that are mapped from a file are not
// in it.
func liveBytes() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func (s *subject) float(m *floatref.Model, session *floatref.Session, parameters int64) {
	c := m.Config()
	s.bytes = 4 * parameters
	s.append = func(_ context.Context, ids []int32) error { _, err := session.Append(ids); return err }
	s.all = func(ctx context.Context, ids []int32) error {
		return m.Logits(ctx, ids, func(int, []float32) error { return nil })
	}
	s.reset, s.close = session.Reset, func() {}
	s.kv = func() int { return 8 * c.Layers * c.KVHeads * c.HeadDim * session.Len() }
}

func (s *subject) integer(m *engine.Model, session *engine.Session) {
	s.bytes = m.WeightBytes()
	s.append = func(ctx context.Context, ids []int32) error { _, err := session.AppendLast(ctx, ids); return err }
	s.all = func(ctx context.Context, ids []int32) error {
		session.Reset()
		return session.AppendAll(ctx, ids, func(int, engine.Logits) error { return nil })
	}
	s.reset, s.close, s.kv = session.Reset, session.Close, session.CacheBytes
}

// once is one run: the prompt, then single tokens.
func (s *subject) once(ctx context.Context, ids []int32, req SpeedRequest, count bool) error {
	s.reset()
	start := time.Now()
	if err := s.append(ctx, ids[:req.Prefill]); err != nil {
		return err
	}
	prompt := time.Since(start).Seconds()
	start = time.Now()
	for i := range req.Decode {
		if err := s.append(ctx, ids[req.Prefill+i:][:1]); err != nil {
			return err
		}
	}
	decode := time.Since(start).Seconds()
	s.cache = s.kv()
	start = time.Now()
	if err := s.all(ctx, ids[:req.Prefill]); err != nil {
		return err
	}
	if count {
		s.prefill, s.decode, s.score = append(s.prefill, prompt), append(s.decode, decode), append(s.score, time.Since(start).Seconds())
	}
	return nil
}

func (r *Runner) fileSpeed(list []*subject, req SpeedRequest) ([]*record.Record, error) {
	var out []*record.Record
	for _, s := range list {
		cfg, err := record.ConfigOf(s.cfg)
		if err != nil {
			return nil, err
		}
		rec := &record.Record{Kind: record.Timing, Config: cfg, Artefact: s.artefact,
			Axes: map[string]string{"model": s.cfg.Model, "recipe": s.cfg.Recipe, "prefill": strconv.Itoa(req.Prefill), "decode": strconv.Itoa(req.Decode)}}
		if s.cfg.Operators != "" {
			rec.Axes["operators"] = s.cfg.Operators
		}
		rec.Metrics = append(rate("prefill", req.Prefill, s.prefill), rate("decode", req.Decode, s.decode)...)
		rec.Metrics = append(rec.Metrics, rate("eval", req.Prefill, s.score)...)
		rec.Metrics = append(rec.Metrics,
			record.Metric{Name: "weight_bytes", Value: float64(s.bytes), Unit: "bytes", Better: record.Lower},
			record.Metric{Name: "kv_bytes", Value: float64(s.cache), Unit: "bytes", Better: record.Lower},
			record.Metric{Name: "session_bytes", Value: float64(s.session), Unit: "bytes", Better: record.Lower},
			record.Metric{Name: "running_bytes", Value: float64(s.bytes + s.session), Unit: "bytes", Better: record.Lower})
		if s.cfg.Spec != nil {
			rec.Metrics = append(rec.Metrics, record.Metric{Name: "to_float_token", Value: s.in, Better: record.Lower}, record.Metric{Name: "to_integer_token", Value: s.out, Better: record.Lower})
		}
		if peak := peakRSS(); peak > 0 && len(list) == 1 { // of this process: means nothing where recipes share it
			rec.Metrics = append(rec.Metrics, record.Metric{Name: "peak_rss_bytes", Value: float64(peak), Unit: "bytes", Better: record.Lower})
		}
		r.provenance(rec)
		if err := r.Store.Append(rec); err != nil {
			return nil, err
		}
		out = append(out, rec)
	}
	return out, nil
}

// rate gives the median speed with its quartiles and the median time.
func rate(name string, tokens int, seconds []float64) []record.Metric {
	v := append([]float64(nil), seconds...)
	sort.Float64s(v)
	at := func(q float64) float64 {
		x := q * float64(len(v)-1)
		i := int(x)
		j := min(i+1, len(v)-1)
		return v[i] + (x-float64(i))*(v[j]-v[i])
	}
	n := float64(tokens)
	return []record.Metric{
		{Name: name + "_tok_s", Value: n / at(0.5), N: len(v), Unit: "tokens/s", Better: record.Higher},
		{Name: name + "_tok_s_q1", Value: n / at(0.75), N: len(v), Unit: "tokens/s", Better: record.Higher},
		{Name: name + "_tok_s_q3", Value: n / at(0.25), N: len(v), Unit: "tokens/s", Better: record.Higher},
		{Name: name + "_ms", Value: 1000 * at(0.5), N: len(v), Unit: "ms", Better: record.Lower},
	}
}

// peakRSS is the process's largest resident set so far, 0 where the system does not tell.
func peakRSS() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if v, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}
