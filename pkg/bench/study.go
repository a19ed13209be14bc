package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// The speed studies: questions about our own time, each answered in one run.
const (
	StudyOperators = "operators"       // integer softmax, norms and SwiGLU beside float ones, a row at a time
	StudyParts     = "parts"           // share of each component in prefill, dynamic requantisation among them
	StudyFloats    = "float-operators" // the engine with integer and with float non-linear operators
	StudyFloatPart = "float-parts"     // share of each component in prefill with each of those operators
	StudyDynamic   = "dynamic"         // operators on a grid of the row's own and on a constant one, a row at a time
	StudyScaling   = "scaling"         // one thread and more
	StudyContext   = "context"         // cost against the length of the prompt
	StudyRoofline  = "roofline"        // against the arithmetic peak and the read bandwidth of this machine
	StudyEfficient = "efficiency"      // memory and time of a model in float, in integers between float operators, and in integers alone
	StudyShapes    = "shapes"          // the same of blocks of large models' shapes, with synthetic weights
)

// StudyNames lists the studies in the order of their running.
func StudyNames() []string {
	return []string{StudyOperators, StudyDynamic, StudyParts, StudyFloats, StudyFloatPart, StudyScaling, StudyContext, StudyRoofline, StudyEfficient, StudyShapes}
}

// StudyRequest asks for speed studies; the zero value of a field is the default that stands beside it.
type StudyRequest struct {
	Studies []string // all
	Model   string
	Recipe  string // w8a8
	Clip    string // 15
	Mode    string // illm
	Runs    int    // counted rounds: 10
	Prefill int    // tokens of a prompt: 512, or the model's context less 32
	Lengths []int  // of StudyContext: 128, 256, … 2048, as far as the model's context goes
	Rows    []int  // row lengths of the softmax: 256, 512, … 4096

	// Samples of the processor profile that StudyParts (and each length of StudyContext) waits for: 2000, one a 100th
	// second.
	Samples int
	// Least is how long an operator is repeated to be timed once: 2 ms.
	Least time.Duration
	// Shrink divides the widths of StudyShapes, for a test: 1.
	Shrink int
	// Memory runs Loaded.PeakOf in a fresh process, for StudyEfficient; nil leaves it out.
	Memory func(ctx context.Context, l Loaded, ids []int32) (int64, error)
	// Say is told of what goes on, a line at a time; nil: silent.
	Say func(line string)
}

// ErrStudy marks a name that is no study.
type ErrStudy struct{ Name string }

func (e ErrStudy) Error() string {
	return fmt.Sprintf("bench: study %q: expected all, %s", e.Name, strings.Join(StudyNames(), ", "))
}

func (q *StudyRequest) defaults() error {
	if len(q.Studies) == 0 || slices.Contains(q.Studies, "all") {
		q.Studies = StudyNames()
	}
	for _, s := range q.Studies {
		if !slices.Contains(StudyNames(), s) {
			return ErrStudy{s}
		}
	}
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&q.Runs, 10)
	def(&q.Prefill, 512)
	def(&q.Samples, 2000)
	def(&q.Shrink, 1)
	if q.Recipe == "" {
		q.Recipe = "w8a8"
	}
	if q.Least == 0 {
		q.Least = 2 * time.Millisecond
	}
	if len(q.Lengths) == 0 {
		q.Lengths = []int{128, 256, 512, 1024, 1536, 2048}
	}
	if len(q.Rows) == 0 {
		q.Rows = []int{256, 512, 1024, 2048, 4096}
	}
	if q.Say == nil {
		q.Say = func(string) {}
	}
	if q.Runs < 1 || q.Prefill < 1 || q.Samples < 1 {
		return fmt.Errorf("bench: study: %d runs, prompt of %d tokens, %d samples: expected positive numbers", q.Runs, q.Prefill, q.Samples)
	}
	for _, n := range slices.Concat(q.Lengths, q.Rows) {
		if n < 1 || n > maxStudyRow {
			return fmt.Errorf("bench: study: length %d: expected 1 to %d", n, maxStudyRow)
		}
	}
	return nil
}

// maxStudyRow bounds prompts and rows: softmax weights end there.
const maxStudyRow = 65535

// Study runs the studies one after the other and files their records. What was finished before ctx ended is filed and
// returned with ctx's error.
func (r *Runner) Study(ctx context.Context, q StudyRequest) (Measured, error) {
	if err := q.defaults(); err != nil {
		return nil, err
	}
	release, err := r.claimClock(ctx, q.Say)
	if err != nil {
		return nil, err
	}
	defer release()
	s := &study{Runner: r, q: q}
	defer s.close()
	run := map[string]func(context.Context) error{StudyOperators: s.operators, StudyDynamic: s.dynamic, StudyParts: s.parts, StudyFloats: s.floats, StudyFloatPart: s.floatParts,
		StudyScaling: s.scaling, StudyContext: s.context, StudyRoofline: s.roofline,
		StudyEfficient: s.efficiency, StudyShapes: s.shapes}
	var out Measured
	for i, name := range q.Studies {
		s.now, s.points = name, nil
		if l := load(); i == 0 && l > 0.5 {
			s.note = fmt.Sprintf("the machine was busy: %.1f tasks wanted its processors before the start", l)
			q.Say(s.note)
		}
		q.Say("study " + name)
		start := time.Now()
		if err := run[name](ctx); err != nil {
			return out, err
		}
		recs, err := s.file(time.Since(start).Seconds())
		out = append(out, recs...)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// StudyNow runs studies and keeps no record: what a notebook measures beside the records it shows.
func StudyNow(ctx context.Context, q StudyRequest) (Measured, error) {
	dir, err := os.MkdirTemp("", "illm-study-")
	if err != nil {
		return nil, fmt.Errorf("bench: study: %w", err)
	}
	defer os.RemoveAll(dir)
	store, err := record.Open(record.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	r := &Runner{Store: store}
	defer r.Close()
	return r.Study(ctx, q)
}

// study is a run of studies.
type study struct {
	*Runner
	q      StudyRequest
	now    string
	note   string
	points []point

	entry *catalog.Entry // of the studies that have a model
	spec  quant.Spec
	ids   []int32
	open  []*engine.Session
}

// point is a record to be.
type point struct {
	axes    map[string]string
	metrics []record.Metric

	// what was measured, if it was a model of the catalogue
	of       string      // its name; "": none
	spec     *quant.Spec // nil: float, or none
	artefact string
}

func (s *study) add(m *engine.Model, axes map[string]string, metrics ...record.Metric) {
	p := point{axes: axes, metrics: metrics}
	if m != nil {
		p.of, p.spec, p.artefact = s.entry.Name, &s.spec, m.Artifact().ID
	}
	s.points = append(s.points, p)
}

// load opens the model and cuts the text, once.
func (s *study) load(ctx context.Context) error {
	if s.entry != nil {
		return nil
	}
	entry, err := s.Runner.open(ctx, s.q.Model)
	if err != nil {
		return err
	}
	if s.spec, err = quant.NewSpec(s.q.Recipe, s.q.Clip, s.q.Mode); err != nil {
		return err
	}
	text, err := s.text(ctx, "opticks")
	if err != nil {
		return err
	}
	if s.ids, err = s.encode(entry, text); err != nil {
		return err
	}
	s.entry = entry
	most := min(entry.MaxContext(), len(s.ids))
	s.q.Prefill = min(s.q.Prefill, most-32)
	if s.q.Prefill < 16 {
		return fmt.Errorf("bench: study: %s has a context of %d: expected at least 48 tokens", entry.Name, entry.MaxContext())
	}
	s.q.Lengths = slices.DeleteFunc(slices.Clone(s.q.Lengths), func(n int) bool { return n > most })
	return nil
}

// session opens a session that lives as long as the run.
func (s *study) session(m *engine.Model, capacity int) (*engine.Session, error) {
	session, err := m.NewSession(capacity)
	if err == nil {
		s.open = append(s.open, session)
	}
	return session, err
}

func (s *study) close() {
	for _, x := range s.open {
		x.Close()
	}
	s.open = nil
}

// studyConfig is what the key of a study's record covers, beside commit and processor.
type studyConfig struct {
	Task    string            `json:"task"`
	Study   string            `json:"study"`
	Axes    map[string]string `json:"case"`
	Source  string            `json:"source_sha256,omitempty"`
	Spec    *quant.Spec       `json:"spec,omitempty"`
	Runs    int               `json:"runs"`
	Threads int               `json:"threads"`
	Half    string            `json:"half,omitempty"` // how half precision was computed
}

// file appends the records of the study that has just ended; all carry the same time.
func (s *study) file(wall float64) (out Measured, err error) {
	now := time.Now().UTC().Truncate(time.Second)
	for _, p := range s.points {
		cfg := studyConfig{Task: "speed-study", Study: s.now, Axes: p.axes, Runs: s.q.Runs, Threads: s.threads()}
		if s.now == StudyOperators || s.now == StudyFloats {
			cfg.Half = baseline.HalfForm()
		}
		rec := &record.Record{Kind: record.Timing, Axes: map[string]string{"study": s.now}, Metrics: p.metrics, Time: now, WallS: wall, Note: s.note}
		for k, v := range p.axes {
			rec.Axes[k] = v
		}
		cfg.Spec, rec.Artefact = p.spec, p.artefact
		if p.of != "" {
			rec.Axes["model"] = p.of
			if p.spec != nil {
				rec.Axes["recipe"] = p.spec.Recipe.Name
			}
			if cfg.Source, err = s.entry.Source(); err != nil {
				return out, err
			}
		}
		if rec.Config, err = record.ConfigOf(cfg); err != nil {
			return out, err
		}
		s.provenance(rec)
		if err := s.Store.Append(rec); err != nil {
			return out, err
		}
		out = append(out, rec)
	}
	return out, nil
}
