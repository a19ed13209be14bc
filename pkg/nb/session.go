package nb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/record"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

// Session is what a cell works with: the records, and the engine once it is
// needed.
type Session struct {
	all    *record.Store // shipped and the user's
	store  *record.Store // those that answer a Run: all, or the user's alone when everything is to be computed
	runner *bench.Runner
	err    error
}

// FullEnv, set to anything but 0, makes Run compute what only a shipped record
// answers; the user's own records still count, so an interrupted run goes on.
// QuickEnv makes Live compute one window instead of more.
const (
	FullEnv  = "ILLM_FULL"
	QuickEnv = "ILLM_QUICK"
)

func isSet(name string) bool {
	v := os.Getenv(name)
	return v != "" && v != "0"
}

// Open reads the shipped and the user's records. A failure is reported by the
// first use of the session.
func Open() *Session {
	s := new(Session)
	if s.all, s.err = record.Open(record.Options{Shipped: data.Records()}); s.err != nil {
		return s
	}
	if s.store = s.all; isSet(FullEnv) {
		if s.store, s.err = record.Open(record.Options{}); s.err != nil {
			return s
		}
	}
	s.runner = &bench.Runner{Store: s.store, Progress: progressLine}
	return s
}

// Describe shows the machine, the code paths, the model and the records, and
// brings the chart library into the notebook. It is the third cell of a
// notebook.
func (s *Session) Describe(model string) {
	Check(s.err)
	env := record.Environment()
	shipped := len(s.all.Filter(func(r *record.Record) bool { return r.Shipped }))
	own := len(s.all.Filter(func(r *record.Record) bool { return !r.Shipped }))
	commit, dirty := record.Revision(".")
	if commit == "" {
		commit = "unknown"
	} else if commit = commit[:min(len(commit), 12)]; dirty {
		commit += ", changed since"
	}
	g := chart.Grid{Left: 2, Head: []string{"what", "found"}, Rows: [][]string{
		{"processor", fmt.Sprintf("%s, %d cores", env.CPU, env.Cores)},
		{"instruction sets in use", cpu.Active()},
		{"Go", fmt.Sprintf("%s %s/%s", env.Go, env.OS, env.Arch)},
		{"code", commit + fmt.Sprintf(", integer semantics %d", ptq.Semantics)},
		{"records", fmt.Sprintf("%d shipped, %d of your own", shipped, own)},
		{"model", s.modelLine(model)},
	}}
	for _, w := range s.all.Warnings() {
		g.Rows = append(g.Rows, []string{"warning", w})
	}
	b := bundle{html: gridHTML(g), text: g.String()}
	session.take()
	b.library = gonbui.IsNotebook
	display(b, "")
}

// modelLine opens the model, fetching it where it must, and names it.
func (s *Session) modelLine(model string) string {
	ctx, stop := interruptible()
	defer stop()
	entry, err := s.runner.Entry(ctx, model)
	if err != nil {
		return model + ": not available: " + err.Error() + " (tables show the shipped records)"
	}
	source, err := entry.Source()
	if err != nil {
		return model + ": " + err.Error()
	}
	return fmt.Sprintf("%s, context %d, weights sha256 %s…", entry.Name, entry.MaxContext(), source[:min(12, len(source))])
}

// Run answers a study: records where there are some, computed results for the
// rest, which become records. Rows that cannot be computed stay in the table, and
// the reason is shown. A headless run computes missing rows only when FullEnv asks
// for it: a study takes hours, and a run that was to show records should not. FullEnv
// also undoes Stored, and takes as many windows as the shipped records have.
func (s *Session) Run(study ablation.Study, options ...ablation.Option) (*ablation.Runs, error) {
	if s.err != nil {
		return nil, s.err
	}
	if gonbui.IsNotebook && !Interactive() {
		options = append(options, ablation.Stored())
	}
	ctx, stop := interruptible()
	defer stop()
	defer clearProgress()
	runs, err := study.Run(ctx, s.store, stored{s.runner}, s.full(options)...)
	if err != nil {
		return nil, err
	}
	note(holesOf(runs)...)
	if n := runs.Count()[ablation.Missing]; n > 0 {
		why := strings.SplitN(runs.Err().Error(), "\n", 4)
		if len(why) > 3 {
			why[3] = "…"
		}
		Show(fmt.Sprintf("%d values are missing (illm reproduce --full computes them):\n%s", n, strings.Join(why, "\n")))
	}
	if runs.Stale > 0 {
		Show(fmt.Sprintf("%d records of another version of the arithmetic or of other weights were left out.", runs.Stale))
	}
	return runs, nil
}

// full makes options compute what they leave to the records where FullEnv is set, on as many windows as the shipped
// records have, which do not count then.
func (s *Session) full(options []ablation.Option) []ablation.Option {
	if isSet(FullEnv) {
		options = append(options, ablation.Computing(), ablation.CountsOf(s.all))
	}
	return options
}

// Live computes the configurations now, whatever the records say, and keeps
// nothing. It runs the models alone: perplexities, no divergences from fp32.
func (s *Session) Live(study ablation.Study, options ...ablation.Option) (*ablation.Runs, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	defer clearProgress()
	options = append(options, ablation.Fresh(), ablation.WithoutBase())
	if isSet(QuickEnv) {
		options = append(options, ablation.Set("windows", 1))
	}
	runs, err := study.Run(ctx, s.store, &live{s.runner}, options...)
	if err != nil {
		return nil, err
	}
	return runs, runs.Err()
}

// Shipped answers a study from the shipped records alone, over the most windows
// that there are.
func (s *Session) Shipped(study ablation.Study, options ...ablation.Option) (*ablation.Runs, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	options = append(options, ablation.Set("windows", ablation.Most), ablation.Stored(), ablation.WithoutBase())
	return study.Run(ctx, s.all, shippedOnly{stored{s.runner}}, options...)
}

// Check computes the configurations now and compares each window with the
// shipped records, bit by bit.
func (s *Session) Check(study ablation.Study, options ...ablation.Option) (ablation.Comparison, error) {
	now, err := s.Live(study, options...)
	if err != nil {
		return nil, err
	}
	then, err := s.Shipped(study, options...)
	if err != nil {
		return nil, err
	}
	return ablation.Compare(now, then), nil
}

// Text returns the first of the named texts that can be had, so that a notebook
// runs on a machine that reaches no hub: Text("wikitext2", "c4", "opticks").
func (s *Session) Text(names ...string) (string, error) {
	ctx, stop := interruptible()
	defer stop()
	var failed []error
	for _, name := range names {
		_, err := corpus.Load(ctx, name)
		if err == nil {
			return name, nil
		}
		failed = append(failed, fmt.Errorf("%s: %w", name, err))
		if !errors.Is(err, hub.ErrUnavailable) {
			break
		}
	}
	return "", fmt.Errorf("nb: no text of %s: %w", strings.Join(names, ", "), errors.Join(failed...))
}

// Close gives the models back; a cell that ends needs no call.
func (s *Session) Close() {
	if s.runner != nil {
		s.runner.Close()
	}
}

// interruptible is a context that the kernel's interrupt button cancels.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt)
}

// progress is the line that long work overwrites.
var progress struct {
	shown bool
	last  time.Time
	start time.Time
}

func progressLine(p bench.Progress) {
	now := time.Now()
	if progress.start.IsZero() || p.Done <= 1 {
		progress.start = now
	}
	every := 300 * time.Millisecond
	if !Interactive() {
		every = 10 * time.Second
	}
	if now.Sub(progress.last) < every {
		return
	}
	progress.last = now
	line := fmt.Sprintf("%s: %d of %d", p.What, p.Done, p.Total)
	if p.Done > 1 && p.Total > p.Done {
		left := now.Sub(progress.start) / time.Duration(p.Done) * time.Duration(p.Total-p.Done)
		line += ", about " + left.Round(time.Second).String() + " left"
	}
	switch {
	case Interactive():
		progress.shown = true
		gonbui.UpdateHTML(fmt.Sprintf("illm-%d-progress", os.Getpid()), "<div style=\"opacity:.7\">"+line+"</div>")
	case !gonbui.IsNotebook || isSet(FullEnv): // hours of work: the runner passes the lines on
		fmt.Fprintln(os.Stderr, line)
	}
}

func clearProgress() {
	if progress.shown {
		gonbui.UpdateHTML(fmt.Sprintf("illm-%d-progress", os.Getpid()), "")
	}
	progress.shown = false
}

// threads is the number of workers of a session.
func threads() int { return runtime.GOMAXPROCS(0) }
