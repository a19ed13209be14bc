package readme

import (
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/record"
)

// The table shows the newest run, the faster form of each rival, and nothing that is not on record.
func TestPeers(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func() string {
		t.Helper()
		text, err := Rewrite("<!-- table:peers -->\nold\n<!-- /table:peers -->\n", store)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if text := rewrite(); !strings.Contains(text, "No comparison") {
		t.Errorf("without records: %q", text)
	}
	prefill, memory := peers.Case{Op: peers.Prefill, Tokens: 512}, peers.Case{Op: peers.Memory, Tokens: 2048}
	file := func(commit string, when int64, speed float64) {
		tab := peers.Table{Threads: 2, Rounds: 3, Warmup: 1, Seed: 1, Busy: 0.4, Results: []peers.Result{
			{Case: prefill, Name: "illm w8a8", Seconds: []float64{1 / speed, 1 / speed, 1 / speed}},
			{Case: prefill, Name: "llama.cpp Q8_0", Rival: peers.LlamaCpp, Form: "flash attention", Seconds: []float64{8, 8, 8}},
			{Case: prefill, Name: "llama.cpp Q8_0", Rival: peers.LlamaCpp, Form: "plain attention", Seconds: []float64{4, 4, 4}},
			{Case: memory, Name: "illm w8a8", Seconds: []float64{1}, Bytes: 100e6},
			{Case: memory, Name: "llama.cpp Q8_0", Rival: peers.LlamaCpp, Form: "flash attention", Seconds: []float64{1}, Bytes: 300e6, Base: 50e6},
			{Case: peers.Case{Op: peers.GEMM, M: 1, N: 2, K: 3}, Name: "mkl", Rival: peers.MKL, Seconds: []float64{1}},
		}}
		recs, err := tab.Records("smollm2", map[string]string{peers.LlamaCpp: "0.3; details"})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			r.Commit, r.Time = commit, time.Unix(when, 0).UTC()
			r.Env = record.Env{CPU: "a CPU", Threads: 2}
			if err := store.Append(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	file("new", 2000, 1)
	file("old", 1000, 64)
	text := rewrite()
	for _, want := range []string{"| SmolLM2-135M | illm w8a8 | llama.cpp Q8_0 | w8a8 is faster |", "| prefill 512 | 512 tok/s | 128 tok/s | 4.00× [4.00, 4.00] |",
		"| peak memory at 2048 | 100 MB | 250 MB | 2.50× |", "3 interleaved rounds", "a CPU, 2 threads", "llama.cpp is version 0.3.", "busy: others used 40 %"} {
		if !strings.Contains(text, want) {
			t.Errorf("the table does not say %q:\n%s", want, text)
		}
	}
	file("new", 3000, 2) // once more by the same commit: the later figures count
	if text := rewrite(); !strings.Contains(text, "| 1024 tok/s |") || strings.Contains(text, "| 512 tok/s |") {
		t.Errorf("an older run of the same commit is shown:\n%s", text)
	}
}
