package bench

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// TestExpSpeed: every exponential is timed in every form that it has, and a record says in which.
func TestExpSpeed(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{Store: store, Threads: 1}
	recs, err := r.ExpSpeed(context.Background(), ExpRequest{Lengths: []int{64, 300}, Runs: 3, Warmup: 1, Sample: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, x := range baseline.Exponentials() {
		switch {
		case !x.Float:
			want += 2 * 4
		case x.Name != "float64":
			want += 2 * 2
		}
	}
	if len(recs) != want {
		t.Errorf("%d records, want %d", len(recs), want)
	}
	keys := map[string]bool{}
	for _, rec := range recs {
		m, ok := rec.Metric("ns_elem")
		q1, _ := rec.Metric("ns_elem_q1")
		q3, _ := rec.Metric("ns_elem_q3")
		if !ok || rec.Kind != record.Timing || m.N != 3 || !(0 < q1.Value && q1.Value <= m.Value && m.Value <= q3.Value) {
			t.Errorf("%v: %v", rec.Axes, rec.Metrics)
		}
		keys[rec.Key] = true
	}
	if len(keys) != len(recs) {
		t.Errorf("%d keys for %d records", len(keys), len(recs))
	}
	for _, bad := range []ExpRequest{{Names: []string{"exp"}}, {Lengths: []int{0}}, {Lengths: []int{1 << 20}}, {Runs: -1}, {Names: []string{"float64"}, Lengths: []int{64}}} {
		bad.Sample = time.Nanosecond
		if _, err := r.ExpSpeed(context.Background(), bad); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := r.ExpSpeed(ctx, ExpRequest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel: %v", err)
	}
}

// TestOperatorNames: every spelling that a study uses, and what is said of others.
func TestOperatorNames(t *testing.T) {
	spec, err := quant.NewSpec("w8a8", "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"exp:di-exp", "exp:taylor3/sigmoid/s16", "half", "half:softmax+norm", "float32"} {
		if o, err := Operators(spec, name); err != nil || o == nil {
			t.Errorf("%s: %v, %v", name, o, err)
		}
	}
	for _, name := range []string{"", "integer"} {
		if o, err := Operators(spec, name); err != nil || o != nil {
			t.Errorf("%q: %v, %v", name, o, err)
		}
	}
	for name, want := range map[string]string{"quarter": "expected integer", "exp:": "unknown", "half:gate": "softmax, activation or norm", "integer:softmax": "expected integer"} {
		if _, err := Operators(spec, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}
