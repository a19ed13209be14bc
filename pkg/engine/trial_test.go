package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/quant"
)

// tried returns a copy of the logit rows of a trial under a clip.
func tried(t *testing.T, x *engine.Trial, n int, c quant.Clip) []engine.Logits {
	t.Helper()
	out := make([]engine.Logits, n)
	var mu sync.Mutex
	err := x.Logits(ctx, c, func(i int, l engine.Logits) error {
		mu.Lock()
		defer mu.Unlock()
		l.T = slices.Clone(l.T)
		out[i] = l
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every clip of every layer gives the bits of a model that was loaded with the list, in any order, in a second pass too,
// with as many rows as a worker takes and with few.
func TestTrial(t *testing.T) {
	for _, c := range []struct {
		shape, recipe string
		n             int
	}{{"64", "w4a4", 70}, {"opt", "w8a8", 70}, {"64", "w8a8kv16", 20}, {"64", "w8a8", 5}, {"28", "w6a6", 1}} {
		d := shaped(c.shape)
		a := d.artefact(t, c.recipe, "illm", nil, nil)
		ids := d.ids(c.n)
		whole := func(clips quant.Clips) string {
			m, err := engine.New(a, engine.Options{Threads: 1, Clips: clips})
			if err != nil {
				t.Fatal(err)
			}
			return hash(t, rows(t, m, ids, c.n))
		}
		x, err := load(t, a, 2).NewTrial(ids)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		for _, step := range []struct {
			layer int
			keep  quant.Clip
		}{{0, 700}, {1, 0}, {0, 250}, {1, 900}} {
			if x.Layer() != step.layer {
				t.Fatalf("%v: layer %d, want %d", c, x.Layer(), step.layer)
			}
			kept := x.Clips()
			for _, try := range []quant.Clip{300, 0, 15000, 300} {
				list := slices.Clone(kept)
				list[step.layer] = try
				if got, want := hash(t, tried(t, x, c.n, try)), whole(list); got != want {
					t.Fatalf("%v: clips %v: hash %s, want %s", c, list, got[:12], want[:12])
				}
			}
			if x.Keep(step.keep); step.layer == 1 {
				x.Restart()
			}
		}
		if got := x.Clips(); !slices.Equal(got, quant.Clips{250, 900}) {
			t.Errorf("%v: kept %v", c, got)
		}
	}
}

func TestTrialRefuses(t *testing.T) {
	d := shaped("64")
	a := d.artefact(t, "w8a8", "illm", nil, nil)
	m := load(t, a, 1)
	fixed := loadStatic(t, a, d.grids(t, "w8a8-statichead", "illm", d.ids(8)), 1)
	for _, c := range []struct {
		m    *engine.Model
		ids  []int32
		want string
	}{
		{m, nil, "found 0"}, {m, make([]int32, engine.MaxTrial+1), "1 to 512"}, {m, []int32{0, 160}, "token 1 is 160"}, {m, []int32{-1}, "token 0"}, {fixed, d.ids(8), "constant grids"},
	} {
		if _, err := c.m.NewTrial(c.ids); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d tokens: %v, want %q", len(c.ids), err, c.want)
		}
	}
	x, err := m.NewTrial(d.ids(30))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := x.Logits(done, 0, func(int, engine.Logits) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	stop := errors.New("stop")
	if err := x.Logits(ctx, 0, func(int, engine.Logits) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the caller: %v", err)
	}
}
