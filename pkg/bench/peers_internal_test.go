package bench

import (
	"bytes"
	"context"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/peers"
)

// What is timed is the product: our three against the definition, every copy of the weights.
func TestMatrices(t *testing.T) {
	x := newMatrices(3)
	defer x.close()
	for _, s := range [][4]int{{1, 70, 13, 3}, {7, 64, 8, 2}, {100, 130, 9, 1}, {200, 65, 64, 1}} {
		c := peers.Case{Op: peers.GEMM, M: s[0], N: s[1], K: s[2], Copies: s[3]}
		a, b := peers.Operands(c)
		sum := func(value func(b int8) int32) string {
			out := make([]int32, c.M*c.N)
			for i := range c.M {
				for j := range c.N {
					for k := range c.K {
						out[i*c.N+j] += int32(a[i*c.K+k]) * value(b[j*c.K+k])
					}
				}
			}
			return peers.Check(out, c.M, c.N, c.N)
		}
		for name, form := range map[string]struct {
			prepare func(peers.Case) (*operands, error)
			want    string
		}{
			"int8": {x.int8, sum(func(b int8) int32 { return int32(b) })},
			"int4": {x.int4, sum(func(b int8) int32 { return int32(b) & 15 })},
		} {
			o, err := form.prepare(c)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 2 * s[3] {
				o.run(i)
				if got := o.check(); got != form.want {
					t.Errorf("%s %v, copy %d: sum %s, want %s", name, s, i, got, form.want)
				}
			}
			if err := o.free(); err != nil {
				t.Error(err)
			}
		}
		seen := make([][]int, c.M)
		for i := range seen {
			seen[i] = make([]int, (c.N+63)/64)
		}
		var mu sync.Mutex
		x.share(c, func(r0, r1, p0, p1 int) {
			mu.Lock()
			defer mu.Unlock()
			for r := r0; r < r1; r++ {
				for p := p0; p < p1; p++ {
					seen[r][p]++
				}
			}
		})
		for r, row := range seen {
			for p, times := range row {
				if times != 1 {
					t.Errorf("%v: row %d of panel %d is multiplied %d times", s, r, p, times)
				}
			}
		}
		for _, name := range []string{nameInt4, nameFloat} {
			prepare := x.int4
			if name == nameFloat {
				prepare = x.float
			}
			sample, err := x.runner(name, prepare)(t.Context(), c)
			if err != nil || !(sample.Seconds > 0) {
				t.Errorf("%s %v: %v s, %v", name, s, sample.Seconds, err)
			}
		}
	}
	c := peers.Case{Op: peers.GEMM, M: 1, N: 64, K: 64}
	for _, s := range x.subjects() {
		if s.Rival != roofline || len(s.Ops) == 0 {
			continue
		}
		sample, err := s.Run(t.Context(), c)
		if err != nil || !(sample.Seconds > 0) || math.IsInf(sample.Seconds, 0) {
			t.Errorf("%s: %v s, %v", s.Name, sample.Seconds, err)
		}
	}
	c.M = 17
	if _, err := x.bandwidth(t.Context(), c); err == nil {
		t.Error("17 rows have a bandwidth")
	}
}

// The kernels read rows to a multiple of 8.
// Every row of every panel is multiplied once, in calls that begin at a tile.
func TestShare(t *testing.T) {
	for _, threads := range []int{1, 3} {
		x := newMatrices(threads)
		for _, c := range []peers.Case{{M: 1, N: 1}, {M: 1, N: 640}, {M: 95, N: 64}, {M: 96, N: 65}, {M: 512, N: 576}, {M: 515, N: 1536}} {
			panels := (c.N + 63) / 64
			var mu sync.Mutex
			times := make([]int, c.M*panels)
			x.share(c, func(r0, r1, p0, p1 int) {
				mu.Lock()
				defer mu.Unlock()
				if r0 < 0 || r0 >= r1 || r1 > c.M || r0%tileRows != 0 || p0 < 0 || p0 >= p1 || p1 > panels {
					t.Errorf("%d×%d: rows %d…%d of panels %d…%d", c.M, c.N, r0, r1, p0, p1)
					return
				}
				for r := r0; r < r1; r++ {
					for p := p0; p < p1; p++ {
						times[r*panels+p]++
					}
				}
			})
			for i, n := range times {
				if n != 1 {
					t.Fatalf("%d×%d, %d threads: row %d of panel %d multiplied %d times", c.M, c.N, threads, i/panels, i%panels, n)
				}
			}
		}
		x.close()
	}
}

func TestStretch(t *testing.T) {
	if got, stride := stretch([]uint8{1, 2, 3, 4, 5, 6}, 2, 3); stride != 8 || got[8] != 4 || got[3] != 0 {
		t.Errorf("rows %v with stride %d", got, stride)
	}
	same := make([]uint8, 16)
	if got, stride := stretch(same, 2, 8); stride != 8 || &got[0] != &same[0] {
		t.Error("rows that fit are copied")
	}
}

// A recipe runs the cases of a model, with engines that stay and fresh ones.
func TestWarm(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	e, err := catalog.Open(t.Context(), modeltest.Tiny(t), catalog.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ids := make([]int32, 64)
	for i := range ids {
		ids[i] = int32(i % 50)
	}
	for _, recipe := range []string{"w4a8", "fp32"} {
		l := Loaded{Recipe: recipe, Threads: 2}
		n, err := l.startOn(t.Context(), e, modelCapacity)
		if err != nil {
			t.Fatal(err)
		}
		l.Path = n.path
		asked := 0
		w := &warm{Loaded: l, line: n, ids: ids, memory: func(ctx context.Context, l Loaded, ids []int32) (int64, error) {
			asked = len(ids)
			return l.PeakOf(ctx, ids)
		}}
		for _, c := range []peers.Case{{Op: peers.Prefill, Tokens: 40}, {Op: peers.Decode, Tokens: 4, Context: 30}, {Op: peers.First, Tokens: 16}, {Op: peers.Prefill, Tokens: 64}} {
			for range 2 {
				if s, err := w.subject().Run(t.Context(), c); err != nil || !(s.Seconds > 0) {
					t.Errorf("%s, %s: %+v, %v", recipe, c.Name(), s, err)
				}
			}
		}
		if peakRSS() > 0 {
			if s, err := w.run(t.Context(), peers.Case{Op: peers.Memory, Tokens: 48}); err != nil || s.Bytes < 1<<20 || asked != 48 {
				t.Errorf("%s: memory %+v of %d tokens, %v", recipe, s, asked, err)
			}
		}
		if _, err := w.run(t.Context(), peers.Case{Op: peers.Prefill, Tokens: 65}); err == nil || !strings.Contains(err.Error(), "64 tokens") {
			t.Errorf("a text that is too short: %v", err)
		}
		n.end()
	}
	if _, err := (Loaded{Path: "no/such", Recipe: "w8a8"}).PeakOf(t.Context(), ids); err == nil {
		t.Error("no error of a file that is not there")
	}
}

// tableOf fakes three rounds.
func tableOf() *peers.Table {
	one := func(op peers.Op, m int, name, form, rival string, seconds ...float64) peers.Result {
		c := peers.Case{Op: op, Tokens: 512}
		if isMatrix(op) {
			c = peers.Case{Op: op, M: m, N: 64, K: 1000, Copies: 1}
		}
		r := peers.Result{Case: c, Name: name, Form: form, Rival: rival, Seconds: seconds}
		if op == peers.Memory {
			r.Bytes = int64(1e6 * seconds[0])
		}
		return r
	}
	return &peers.Table{Threads: 2, Rounds: 3, Warmup: 1, Seed: 1, Busy: 0.5, Results: []peers.Result{
		one(peers.Prefill, 0, "illm w8a8", "", "", 1, 1, 1),
		one(peers.Prefill, 0, "llama.cpp Q8_0", "plain attention", peers.LlamaCpp, 9, 9, 9),
		one(peers.Prefill, 0, "llama.cpp Q8_0", "flash attention", peers.LlamaCpp, 7, 7, 7),
		one(peers.Prefill, 0, "llama.cpp Q4_0", "flash attention", peers.LlamaCpp, 3, 3.5, 4),
		one(peers.First, 0, "illm w8a8", "", "", 0.2, 0.2, 0.2),
		one(peers.Memory, 0, "illm w4a8", "", "", 100),
		one(peers.Memory, 0, "llama.cpp Q4_0", "", peers.LlamaCpp, 90),
		one(peers.GEMM, 128, nameInt8, "", "", 1e-3, 1e-3, 1e-3),
		one(peers.GEMM, 128, nameInt4, "", "", 2e-3, 2e-3, 2e-3),
		one(peers.GEMM, 128, namePeak, "", roofline, 8e-4, 8e-4, 8e-4),
		one(peers.GEMM, 128, peers.MKL, "plain weights", peers.MKL, 3e-3, 3e-3, 3e-3),
		one(peers.GEMM, 128, peers.OneDNN, "", peers.OneDNN, 2e-3, 2e-3, 2e-3),
		one(peers.GEMM, 1, nameInt8, "", "", 1e-3, 1e-3, 1e-3),
		one(peers.GEMM, 1, nameInt4, "", "", 1e-3, 1e-3, 1e-3),
		one(peers.GEMM, 1, nameRead, "", roofline, 9e-4, 9e-4, 9e-4),
		{Case: peers.Case{Op: peers.GEMM, M: 1, N: 64, K: 1000, Copies: 1}, Name: peers.ONNXRuntime, Rival: peers.ONNXRuntime, Missing: "its product differs"},
	}, Missing: []peers.Missing{{Rival: peers.OpenBLAS, Reason: "no wheel\nmore"}}}
}

func TestGoals(t *testing.T) {
	got := map[string]string{}
	for _, o := range outcomes(tableOf()) {
		got[o.what()] = o.state()
	}
	want := map[string]string{
		"prefill: illm w8a8 by llama.cpp Q8_0":                                  "reached",
		"prefill: illm w8a8 by llama.cpp Q4_0":                                  "open",
		"memory: illm w4a8 by llama.cpp Q4_0":                                   "missed",
		"gemm_u8s8, 128 rows and more: illm int8 by arithmetic peak":            "reached",
		"gemm_u8s8, 128 rows and more: illm int8 by the best of mkl and onednn": "reached",
		"gemm_u8s8, 128 rows and more: illm int4 by illm int8":                  "missed",
		"gemm_u8s8, 1 row: illm int8 by read bandwidth":                         "reached",
		"gemm_u8s8, 1 row: illm int4 by read bandwidth":                         "missed",
	}
	for what, state := range want {
		if got[what] != state {
			t.Errorf("%s: %q, want %q", what, got[what], state)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d goals, want %d: %v", len(got), len(want), got)
	}
	for _, o := range outcomes(tableOf()) {
		if o.op == peers.GEMM && len(o.theirs) == 2 && o.worst.Theirs != peers.OneDNN {
			t.Errorf("the better library is %s, want oneDNN", o.worst.Theirs)
		}
	}
}

func TestPeersText(t *testing.T) {
	p := &PeersReport{Table: tableOf(), Versions: map[string]string{peers.LlamaCpp: "1.2", peers.MKL: strings.Repeat("long ", 50)}, Notes: []string{"a note"}}
	var b bytes.Buffer
	if err := p.Text(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"2 threads", "llama.cpp 1.2", "The machine was busy: others used 50 %", "512 tok/s", "w8a8 7×", "200 ms", "90.0 MB", "80 % of peak", "90 % of bandwidth", "45 % of bandwidth",
		"int8 2×", "int4 1×", "– its product differs", "openblas: no wheel\n", "a note", "≥ 6×", "≤ 150 ms", "missed"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	p.Table.Busy = 0.01
	if p.Warning() != "" {
		t.Error("a quiet machine is warned about")
	}
}
