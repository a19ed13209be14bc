package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

// A list that repeats the spec's clip gives its bits, on every path of the softmax; another list does not.
func TestClipsRepeated(t *testing.T) {
	for _, c := range []struct{ shape, recipe, mode string }{
		{"64", "w8a8", "illm"}, {"64", "w4a4", "precise"}, {"opt", "w4a4", "illm"}, {"64", "w8a8kv16", "illm"}, {"64", "w8a8-statichead", "illm"}, {"64", "w8a8-static", "published"},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			d := shaped(c.shape)
			base, _, static := strings.Cut(c.recipe, "-")
			a := d.artefact(t, base, c.mode, nil, nil)
			ids := d.ids(40)
			opt := engine.Options{Threads: 2}
			if static {
				opt.Static = d.grids(t, c.recipe, c.mode, ids[:8])
			}
			if c.mode == string(quant.Published) {
				opt.Residual = slices.Repeat([]int32{200}, d.Hidden)
			}
			run := func(clips quant.Clips) string {
				o := opt
				o.Clips = clips
				m, err := engine.New(a, o)
				if err != nil {
					t.Fatal(err)
				}
				return hash(t, rows(t, m, ids, 40))
			}
			want := run(nil)
			if got := run(quant.Clips{15000, 15000}); got != want {
				t.Errorf("the default in every layer: hash %s, want %s", got[:12], want[:12])
			}
			last := run(quant.Clips{15000, 300})
			if last == want || run(quant.Clips{300, 15000}) == want || run(quant.Clips{300, 15000}) == last {
				t.Error("another clip in one layer leaves the logits alone")
			}
		})
	}
}

// With clips by layer the engine gives the bits of the plain forward pass, whose layers have operators of their own.
func TestClipsAgainstPlain(t *testing.T) {
	for _, recipe := range []string{"w8a8", "w4a4kv16", "w8a8-statichead"} {
		for _, clips := range []quant.Clips{{0, 700}, {1500, 0}, {250, 250}} {
			t.Run(recipe+" "+clips.String(), func(t *testing.T) {
				d := shaped("64")
				base, _, static := strings.Cut(recipe, "-")
				a := d.artefact(t, base, "illm", nil, func(h *artifact.Header) { h.Clips = clips })
				ids := d.ids(24)
				p := newPlain(t, a, len(ids))
				opt := engine.Options{Threads: 2}
				if static {
					p.grids, p.beyond = d.grids(t, recipe, "illm", ids[:8]), map[string]int64{}
					opt.Static = p.grids
				}
				want := p.logits(ids)
				m, err := engine.New(a, opt)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(m.Clips(), clips) {
					t.Errorf("clips %v, want %v", m.Clips(), clips)
				}
				for i, l := range rows(t, m, ids, 20, 1, 3) {
					if l.M != want[i].M || l.K != want[i].K || !slices.Equal(l.T, want[i].T) {
						t.Fatalf("token %d: logits %v …, plain %v …", i, l.T[:4], want[i].T[:4])
					}
				}
				for _, n := range m.StaticCounts() {
					if n.Saturated != p.beyond[n.Site] {
						t.Errorf("site %s: %d codes saturated, want %d", n.Site, n.Saturated, p.beyond[n.Site])
					}
				}
			})
		}
	}
}

// Threads, pieces and instruction sets give one hash with clips by layer, and decoding allocates nothing.
func TestClipsSameBits(t *testing.T) {
	d := shaped("64")
	a := d.artefact(t, "w8a8", "illm", nil, func(h *artifact.Header) { h.Clips = quant.Clips{800, 0} })
	ids := d.ids(75)
	want := hash(t, rows(t, load(t, a, 1), ids, 75))
	three := load(t, a, 3)
	for _, pieces := range [][]int{{1}, {2, 3, 17, 9}, {41, 34}} {
		if got := hash(t, rows(t, three, ids, pieces...)); got != want {
			t.Errorf("pieces %v: hash %s, want %s", pieces, got[:12], want[:12])
		}
	}
	limit := cpu.Limit()
	defer cpu.SetLimit(limit)
	for _, set := range []cpu.Set{cpu.Generic, cpu.AVX2, cpu.AVX512, cpu.AVX512VNNI} {
		cpu.SetLimit(set)
		if got := hash(t, rows(t, three, ids, 32, 1)); got != want {
			t.Errorf("instruction set %v: hash %s, want %s", set, got[:12], want[:12])
		}
	}
	cpu.SetLimit(limit)
	s, err := load(t, a, 1).NewSession(64)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	step := func() {
		if s.Len() == 64 {
			s.Reset()
		}
		if _, err := s.AppendLast(ctx, ids[:1]); err != nil {
			t.Fatal(err)
		}
	}
	for range 70 {
		step()
	}
	if n := testing.AllocsPerRun(64, step); n > 0 {
		t.Errorf("%v allocations a token, want 0", n)
	}
}

// What does not go together with a list is refused by name, from a file and from the options.
func TestClipsRefuses(t *testing.T) {
	d := shaped("64")
	plain := d.artefact(t, "w8a8", "illm", nil, nil)
	listed := d.artefact(t, "w8a8", "illm", nil, func(h *artifact.Header) { h.Clips = quant.Clips{8000, 0} })
	twelve, err := quant.NewSpec("w8a8", "12", "")
	if err != nil {
		t.Fatal(err)
	}
	spec := plain.Header.Spec
	exp, err := baseline.WithExp(spec, "taylor3")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		a    *artifact.File
		opt  engine.Options
		want string
	}{
		{"too short", plain, engine.Options{Clips: quant.Clips{8000}}, "expected 2, one a layer, found 1"},
		{"empty", plain, engine.Options{Clips: quant.Clips{}}, "expected 2, one a layer, found 0"},
		{"no clip value", plain, engine.Options{Clips: quant.Clips{8000, -1}}, "layer 1"},
		{"a clip beside a file's list", listed, engine.Options{Spec: &twelve}, "clip 12 beside clips by layer (none×1 8×1)"},
		{"a clip beside a list", plain, engine.Options{Spec: &twelve, Clips: quant.Clips{8000, 8000}}, "leave the clip out"},
		{"a rival's operators", listed, engine.Options{Operators: exp}, "expected the integer operators"},
	} {
		if _, err := engine.New(c.a, c.opt); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.a.Path) {
			t.Errorf("%s: %v, want %q and the path", c.name, err, c.want)
		}
	}
	m, err := engine.New(listed, engine.Options{Clips: quant.Clips{15000, 15000}})
	if err != nil || !slices.Equal(m.Clips(), quant.Clips{15000, 15000}) {
		t.Errorf("a list in place of the file's: %v", err)
	}
}
