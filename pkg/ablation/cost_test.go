package ablation_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/illm-go/illm/pkg/ablation"
)

// TestCosts: medians and maxima of made-up curves; what a curve does not say comes from its factor file, or stays open.
func TestCosts(t *testing.T) {
	files := fstest.MapFS{
		"a-w4a4-fsbr.jsonl": {Data: []byte(`{"block":0,"epoch":1,"loss":3,"seconds":8}
{"block":0,"epoch":2,"loss":3,"seconds":4}
{"block":0,"epoch":0,"loss":1,"initial":6,"best":2,"seconds":14}
`)},
		"backends/a-w4a4-fsbr-go.jsonl": {Data: []byte(`{"block":0,"epoch":1,"loss":3,"seconds":2}
{"block":0,"epoch":0,"loss":1,"initial":6,"seconds":5,"backend":"go","device_bytes":2000000000,"host_bytes":3000000000,"windows":2,"window":64,"batch":1}
{"block":1,"epoch":1,"loss":3,"seconds":6}
{"block":1,"epoch":0,"loss":1,"initial":6,"seconds":9,"backend":"go","device_bytes":1000000000,"host_bytes":4000000000,"windows":2,"window":64,"batch":1}
`)},
		"b-w8a8-fsbr.jsonl": {Data: []byte(`{"block":0,"epoch":1,"loss":3,"seconds":8}`)},
		"README.md":         {Data: []byte("no curve")},

		"a-w4a4-fsbr@no_qk.jsonl": {Data: []byte("broken, and not read")},
		"a-w4a4-fsbr@seed3.jsonl": {Data: []byte("broken, and not read")},
		"a-w4a4-fsbr@n16.jsonl":   {Data: []byte("broken, and not read")},
	}
	costs, err := ablation.ReadCosts(files, func(name string) map[string]string {
		if name == "a-w4a4-fsbr" {
			return map[string]string{"backend": "xla:cuda", "windows": "128", "window": "1024", "batch": "8"}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a-w4a4-fsbr xla:cuda 128 × 1024 8 1 2 14 62.5 – –",
		"a-w4a4-fsbr-go go 2 × 64 1 2 1 9 3e+03 2.00 4.00",
		"b-w8a8-fsbr – – – 1 1 – – – –",
	}
	g := ablation.CostTable(costs)
	for i, row := range g.Rows {
		if got := strings.Join(row, " "); i >= len(want) || got != want[i] {
			t.Errorf("row %d: %s, want %s", i, got, want[min(i, len(want)-1)])
		}
	}
	if len(g.Rows) != len(want) {
		t.Errorf("%d rows", len(g.Rows))
	}
	if _, err := ablation.ReadCosts(fstest.MapFS{"x.jsonl": {}}, func(string) map[string]string { return nil }); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty curve: %v", err)
	}
}

// TestDaysOn: the short run's time for a window, times what the long run did.
func TestDaysOn(t *testing.T) {
	costs := []ablation.Cost{
		{Name: "a-w4a4-fsbr", Backend: "xla", Windows: 100, Tokens: 1024, Blocks: 9, Epochs: 20, Window: 1},
		{Name: "a-w4a4-go-files", Backend: "go", Windows: 2, Tokens: 1024, Blocks: 9, Epochs: 1, Window: 4800},
		{Name: "b-w4a4-fsbr", Backend: "xla", Windows: 100, Tokens: 2048, Blocks: 9, Epochs: 20, Window: 1},
	}
	if days, ok := ablation.DaysOn(costs, "a-w4a4-fsbr", "go"); !ok || days != 1 { // 4.8 s · 100 · 20 · 9 = 86400 s
		t.Errorf("%g days, %v; want 1", days, ok)
	}
	for _, c := range [][2]string{{"b-w4a4-fsbr", "go"}, {"a-w4a4-fsbr", "xla:cpu"}, {"c-w4a4-fsbr", "go"}} {
		if days, ok := ablation.DaysOn(costs, c[0], c[1]); ok {
			t.Errorf("%v: %g days from no run", c, days)
		}
	}
}

// TestJump: the block with the largest ratio to the one before, not the largest difference.
func TestJump(t *testing.T) {
	tr := &ablation.Training{Name: "x", Blocks: []ablation.BlockTraining{{Initial: 1}, {Initial: 30}, {Initial: 100}}}
	if have := tr.Jump(); have != "x: the initial loss grows most at block 1, from 1 to 30 (× 30)." {
		t.Errorf("%q", have)
	}
	if have := (&ablation.Training{Name: "x", Blocks: tr.Blocks[:1]}).Jump(); !strings.Contains(have, "no two blocks") {
		t.Errorf("one block: %q", have)
	}
}
