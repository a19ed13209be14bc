package peers

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeFleet has two rivals behind the fake worker.
func fakeFleet(t *testing.T, env ...string) *Fleet {
	t.Helper()
	f := &Fleet{Versions: map[string]string{}, python: python(t)}
	f.opt = StartOptions{Start: 20 * time.Second, Limit: 5 * time.Second, Tokens: make([]int32, 4096)}
	f.opt.defaults()
	t.Cleanup(f.Close)
	for _, name := range []string{"one", "two"} {
		r := rival{name: name, worker: fakeSource, ops: []Op{Prefill}, forms: []form{{"", map[string]any{"name": name}}}}
		if err := f.add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// fixed is a subject of ours that takes what it is told.
func fixed(name string, seconds ...float64) Subject {
	n := 0
	return Subject{Name: name, Ops: []Op{Prefill}, Run: func(context.Context, Case) (Sample, error) {
		n++
		return Sample{Seconds: seconds[(n-1)%len(seconds)]}, nil
	}}
}

var quick = Options{Rounds: 4, Pause: -1, Threads: 1}

func TestInterleaving(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("FAKE_LOG", log)
	f := fakeFleet(t)
	ours := Subject{Name: "ours", Ops: []Op{Prefill}, Run: func(ctx context.Context, c Case) (Sample, error) {
		h, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return Sample{}, err
		}
		defer h.Close()
		_, err = h.WriteString("ours\n")
		return Sample{Seconds: 0.1}, err
	}}
	tab, err := Measure(t.Context(), append([]Subject{ours}, f.Subjects...), []Case{{Op: Prefill, Tokens: 512}, {Op: Decode, Tokens: 1}}, quick)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	const there, back = "ours one two ", "two one ours "
	if got, want := strings.Join(strings.Fields(string(b)), " ")+" ", there+back+there+back+there; got != want { // one of warm-up, four
		t.Errorf("order\n%s, want\n%s", got, want)
	}
	if len(tab.Results) != 3 {
		t.Fatalf("%d results: nobody decodes", len(tab.Results))
	}
	for _, r := range tab.Results {
		if r.Missing != "" || len(r.Seconds) != 4 {
			t.Errorf("%+v", r)
		}
	}
	ratios := tab.Ratios()
	if len(ratios) != 2 || math.Abs(ratios[0].Value-5.12) > 1e-9 || ratios[0].Low != ratios[0].High || ratios[0].N != 4 {
		t.Errorf("%+v", ratios)
	}
}

// TestOneFails: a rival that dies, hangs or computes something else is named, the rest go on.
func TestOneFails(t *testing.T) {
	for _, c := range []struct {
		settings map[string]any
		want     string
	}{
		{map[string]any{"op": "die"}, "last words"},
		{map[string]any{"op": "hang"}, "no answer within"},
		{map[string]any{"op": "raise"}, "KeyError"},
		{map[string]any{"say": "41"}, "its product differs: sum of the outer rows 41, expected 42"},
	} {
		f := fakeFleet(t)
		f.opt.Limit = 300 * time.Millisecond
		bad := f.workers[0]
		f.Subjects[0].Run = func(ctx context.Context, cs Case) (Sample, error) {
			req := map[string]any{"op": cs.Op, "tokens": cs.Tokens, "name": "one"}
			for k, v := range c.settings {
				req[k] = v
			}
			a, err := bad.call(ctx, req, f.opt.Limit)
			return Sample{Seconds: a.Seconds, Check: a.Check}, err
		}
		ours := fixed("ours", 1)
		run := ours.Run
		ours.Run = func(ctx context.Context, c Case) (Sample, error) {
			s, err := run(ctx, c)
			s.Check = "42"
			return s, err
		}
		tab, err := Measure(t.Context(), append([]Subject{ours}, f.Subjects...), []Case{{Op: Prefill, Tokens: 8}}, quick)
		if err != nil {
			t.Fatal(err)
		}
		if got := tab.Results[1]; !strings.Contains(got.Missing, c.want) || len(got.Seconds) > 0 {
			t.Errorf("%v: %+v, want %q", c.settings, got, c.want)
		}
		if len(tab.Results[0].Seconds) != 4 || len(tab.Results[2].Seconds) != 4 {
			t.Errorf("%v: the others: %+v", c.settings, tab.Results)
		}
		if n := len(tab.Ratios()); n != 1 {
			t.Errorf("%d ratios, want that of the healthy rival", n)
		}
		var text bytes.Buffer
		if err := tab.Text(&text); err != nil || !strings.Contains(text.String(), c.want) {
			t.Errorf("the table does not say why: %v\n%s", err, &text)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	s := Subject{Name: "ours", Ops: []Op{Prefill}, Run: func(context.Context, Case) (Sample, error) {
		if n++; n == 3 {
			cancel()
		}
		return Sample{Seconds: 1}, nil
	}}
	tab, err := Measure(ctx, []Subject{s}, []Case{{Op: Prefill, Tokens: 1}, {Op: Prefill, Tokens: 2}}, quick)
	if !errors.Is(err, context.Canceled) || len(tab.Results) != 1 || len(tab.Results[0].Seconds) != 1 {
		t.Errorf("%v, %+v", err, tab)
	}
}

func TestBestForm(t *testing.T) {
	c := Case{Op: Prefill, Tokens: 100}
	tab := &Table{Seed: 1, Results: []Result{
		{Case: c, Name: "ours", Seconds: []float64{1, 1, 1}},
		{Case: c, Name: "x", Rival: "r", Form: "slow", Seconds: []float64{9, 9, 9}},
		{Case: c, Name: "x", Rival: "r", Form: "fast", Seconds: []float64{2, 3, 4}},
		{Case: c, Name: "y", Rival: "r", Missing: "gone"},
		{Case: Case{Op: Memory, Tokens: 1}, Name: "ours", Seconds: []float64{1}, Bytes: 100},
		{Case: Case{Op: Memory, Tokens: 1}, Name: "x", Rival: "r", Seconds: []float64{1}, Bytes: 300, Base: 50},
	}}
	rs := tab.Ratios()
	if len(rs) != 2 || rs[0].Form != "fast" || rs[0].Value != 3 || rs[0].Low != 2 || rs[0].High != 4 || rs[1].Value != 2.5 {
		t.Errorf("%+v", rs)
	}
	recs, err := tab.Records("tiny", map[string]string{"r": "1.0"})
	if err != nil || len(recs) != 5 {
		t.Fatalf("%d records, %v", len(recs), err)
	}
	m, ok := recs[2].Metric("ratio_ours")
	if rate, _ := recs[2].Metric("rate"); !ok || m.Value != 3 || math.Abs(rate.Value-100.0/3) > 1e-9 {
		t.Errorf("%+v", recs[2].Metrics)
	}
	if _, err := recs[0].ComputeKey(); err != nil {
		t.Error(err)
	}
	if a, b := recs[1].Axes["form"], recs[1].Config["version"]; a != "slow" || b != "1.0" {
		t.Error(a, b)
	}
}

// TestRatio: the interval of known ratios, and the same one each time.
func TestRatio(t *testing.T) {
	var theirs, ours []float64
	for i := range 20 {
		speed := 1 + float64(i%5) // the machine's mood, the same for both
		theirs, ours = append(theirs, 3*speed), append(ours, speed)
	}
	if v, lo, hi, n := ratio(theirs, ours, 1); v != 3 || lo != 3 || hi != 3 || n != 20 {
		t.Error("paired moods do not cancel:", v, lo, hi, n)
	}
	noisy := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	one := slices.Repeat([]float64{1}, 10)
	v, lo, hi, _ := ratio(noisy, one, 1)
	if v != 5.5 || lo < 2 || lo > 4.5 || hi < 6.5 || hi > 9 {
		t.Error(v, lo, hi)
	}
	if _, lo2, hi2, _ := ratio(noisy, one, 1); lo2 != lo || hi2 != hi {
		t.Error("the same seed gives another interval")
	}
	if _, _, _, n := ratio(nil, one, 1); n != 0 {
		t.Error("a ratio of nothing")
	}
}

func TestRepeat(t *testing.T) {
	n := 0
	got := Repeat(60*time.Millisecond, func(i int) {
		if i != n {
			t.Errorf("call %d is told %d", n, i)
		}
		if n++; n == 1 {
			time.Sleep(40 * time.Millisecond) // an interruption
		}
		time.Sleep(time.Millisecond)
	})
	if n < 3 || got < 0.0009 || got > 0.03 {
		t.Errorf("%g s over %d calls", got, n)
	}
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		v       []float64
		q, want float64
	}{{[]float64{1, 2}, 0.5, 1.5}, {[]float64{1, 2, 3}, 0.5, 2}, {[]float64{1, 2, 3, 4, 5}, 0.25, 2}, {[]float64{7}, 0.9, 7}, {[]float64{0, 1}, 1, 1}} {
		if got := quantile(c.v, c.q); got != c.want {
			t.Errorf("quantile(%v, %g) = %g, want %g", c.v, c.q, got, c.want)
		}
	}
}

func TestCases(t *testing.T) {
	cases := GEMMCases(GEMM, Rows(), Shapes())
	for _, c := range cases {
		if c.M <= coldRows && c.Copies*c.N*c.K < coldBytes || c.M > coldRows && c.Copies != 1 {
			t.Errorf("%s: %d copies", c.Name(), c.Copies)
		}
		if c.M > headRows && c.N >= headMatrix {
			t.Errorf("%s: logits of gigabytes", c.Name())
		}
		// The checksum and float32 products stay exact or finite: |C| < 2^31.
		if c.K*255*128 >= math.MaxInt32 {
			t.Errorf("%s overflows int32", c.Name())
		}
	}
	if v, unit, ok := (Case{Op: GEMM, M: 10, N: 10, K: 5}).Rate(1e-6); !ok || unit != "GOPS" || math.Abs(v-1) > 1e-12 {
		t.Error(v, unit, ok)
	}
	if Check([]int32{1, 2, 9, 3, 4, 9}, 2, 2, 3) != "10" {
		t.Error("checksum")
	}
}
