package peers

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Sample is one measurement of a case.
type Sample struct {
	Seconds float64 // of what the case's Op says
	Bytes   int64   // Memory: the largest resident set
	Base    int64   // of it, what was there before the model: an interpreter's; does not count
	Check   string  // GEMM: see Check; "": not checked
}

// Subject is one who runs cases: our engine, or a rival in one of its forms.
type Subject struct {
	Name  string // "illm w8a8", "llama.cpp Q8_0"
	Form  string // what varies under a name; the faster form is the one compared
	Rival string // LlamaCpp, …; "": ours
	Ops   []Op   // what it can do
	Run   func(ctx context.Context, c Case) (Sample, error)
}

// Ours tells whether the subject is not a rival.
func (s Subject) Ours() bool { return s.Rival == "" }

// Options of Measure; zero means the default.
type Options struct {
	Rounds   int           // counted rounds (10); Memory is measured once
	Warmup   int           // rounds before them (1); −1: none
	Pause    time.Duration // between two subjects, so that the one before sleeps (30 ms); −1: none
	Threads  int           // for the record: what the subjects were started with
	Seed     uint64        // of the bootstrap (1)
	Progress func(done, total int, c Case)
}

func (o *Options) defaults() {
	if o.Rounds == 0 {
		o.Rounds = 10
	}
	if o.Warmup == 0 {
		o.Warmup = 1
	}
	if o.Pause == 0 {
		o.Pause = 30 * time.Millisecond
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	o.Warmup, o.Pause = max(o.Warmup, 0), max(o.Pause, 0)
}

// Result is what one subject did of one case.
type Result struct {
	Case    Case      `json:"case"`
	Name    string    `json:"name"`
	Form    string    `json:"form,omitempty"`
	Rival   string    `json:"rival,omitempty"`
	Seconds []float64 `json:"seconds,omitempty"` // by round
	Bytes   int64     `json:"bytes,omitempty"`
	Base    int64     `json:"base,omitempty"`
	Check   string    `json:"check,omitempty"`
	Missing string    `json:"missing,omitempty"` // why there are no numbers
}

// Table is the whole comparison.
type Table struct {
	Threads int       `json:"threads"`
	Rounds  int       `json:"rounds"`
	Warmup  int       `json:"warmup"`
	Seed    uint64    `json:"seed"`
	Busy    float64   `json:"busy"` // share of the processors others used before the start; −1: not known
	Results []Result  `json:"results"`
	Missing []Missing `json:"missing,omitempty"` // rivals that never took part
}

// Measure runs every case with every subject that can. The subjects of a case
// take turns, in alternating order, so that a change of the machine's speed meets
// all of them and a round is a pair for each ratio. A subject that fails loses
// the case, with the reason in its Result; so does one whose Check differs from
// that of the first subject that has one (ours, if it is first). The error is
// that of ctx alone; what was measured until then is in the table.
func Measure(ctx context.Context, subjects []Subject, cases []Case, opt Options) (*Table, error) {
	opt.defaults()
	t := &Table{Threads: opt.Threads, Rounds: opt.Rounds, Warmup: opt.Warmup, Seed: opt.Seed, Busy: busy(ctx, 500*time.Millisecond)}
	for n, c := range cases {
		if opt.Progress != nil {
			opt.Progress(n, len(cases), c)
		}
		rs, err := measureCase(ctx, subjects, c, opt)
		t.Results = append(t.Results, rs...)
		if err != nil {
			return t, err
		}
	}
	if opt.Progress != nil {
		opt.Progress(len(cases), len(cases), Case{})
	}
	return t, nil
}

func measureCase(ctx context.Context, subjects []Subject, c Case, opt Options) ([]Result, error) {
	var list []Subject
	var results []Result
	for _, s := range subjects {
		if slices.Contains(s.Ops, c.Op) {
			list = append(list, s)
			results = append(results, Result{Case: c, Name: s.Name, Form: s.Form, Rival: s.Rival})
		}
	}
	rounds, warmup := opt.Rounds, opt.Warmup
	if c.Op == Memory {
		rounds, warmup = 1, 0
	}
	for round := range warmup + rounds {
		for _, i := range turn(len(list), round) {
			r := &results[i]
			if r.Missing != "" {
				continue
			}
			if err := pause(ctx, opt.Pause); err != nil {
				return results, err
			}
			s, err := list[i].Run(ctx, c)
			if ctx.Err() != nil {
				return results, ctx.Err()
			}
			if err == nil && !(s.Seconds > 0) {
				err = fmt.Errorf("expected a positive time, found %v", s.Seconds)
			}
			if err != nil {
				*r = Result{Case: c, Name: r.Name, Form: r.Form, Rival: r.Rival, Missing: firstLine(err.Error())}
				continue
			}
			r.Bytes, r.Base, r.Check = s.Bytes, s.Base, s.Check
			if round >= warmup {
				r.Seconds = append(r.Seconds, s.Seconds)
			}
		}
		if round == 0 {
			compareChecks(results)
		}
	}
	return results, nil
}

// turn is the order of a round: there and back.
func turn(n, round int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}

// compareChecks excludes those who computed something else.
func compareChecks(results []Result) {
	want := ""
	for i := range results {
		r := &results[i]
		switch {
		case r.Check == "" || r.Missing != "":
		case want == "":
			want = r.Check
		case r.Check != want:
			r.Missing = fmt.Sprintf("its product differs: sum of the outer rows %s, expected %s", r.Check, want)
			r.Seconds = nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Repeat gives the seconds of one call of run(i): the median of as many calls as
// fill the time least. That is how a subject measures a GEMM that takes
// microseconds, and how the rivals' workers do; a call during which a thread lost
// its processor is one of many. i chooses the copy of the weights: i mod
// Case.Copies.
func Repeat(least time.Duration, run func(i int)) float64 {
	var times []float64
	begin := time.Now()
	for last := time.Duration(0); last < least; {
		run(len(times))
		this := time.Since(begin)
		times = append(times, (this - last).Seconds())
		last = this
	}
	if len(times) == 0 {
		return 0
	}
	return median(times)
}
