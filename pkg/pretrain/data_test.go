package pretrain

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/model"
)

// TestEpochs: every epoch visits every window from its offset exactly once, in another order, and the same again for the
// same seed.
func TestEpochs(t *testing.T) {
	const tokens, window = 1000, 16
	offsets := map[int]bool{}
	var last []int
	for epoch := range 20 {
		o := epochOrder(tokens, window, 5, epoch)
		if !reflect.DeepEqual(o, epochOrder(tokens, window, 5, epoch)) {
			t.Fatal("the order is not the same again")
		}
		sorted := slices.Sorted(slices.Values(o.starts))
		if slices.Equal(sorted, o.starts) || slices.Equal(o.starts, last) {
			t.Error("windows come in order")
		}
		offset := sorted[0]
		offsets[offset] = true
		for i, s := range sorted {
			if s != offset+i*window {
				t.Fatalf("epoch %d: window %d starts at %d", epoch, i, s)
			}
		}
		if end := sorted[len(sorted)-1] + window; offset >= window || end > tokens-1 || end+window <= tokens-1 {
			t.Errorf("epoch %d: windows cover %d to %d of %d", epoch, offset, end, tokens)
		}
		last = o.starts
	}
	if len(offsets) < 8 {
		t.Errorf("%d offsets in 20 epochs", len(offsets))
	}
	for n := window + 1; n < 3*window; n++ { // hardly a window
		for epoch := range 20 {
			o := epochOrder(n, window, 5, epoch)
			for _, s := range o.starts {
				if s+window+1 > n {
					t.Fatalf("%d tokens: window from %d", n, s)
				}
			}
			if len(o.starts) == 0 {
				t.Fatalf("%d tokens: no window", n)
			}
		}
	}
}

// TestCursor: batches go on over the end of an epoch, and a cursor that is put together from its saved position gives
// the same windows.
func TestCursor(t *testing.T) {
	var data Tokens
	for i := range 100 {
		data.IDs = append(data.IDs, uint16(i))
	}
	c := cursor{data: data, window: 7, seed: 1}
	var at []cursor
	var got [][]int32
	for range 30 {
		at = append(at, cursor{data: data, window: 7, seed: 1, Epoch: c.Epoch, Next: c.Next})
		dst := make([]int32, 3*8)
		c.fill(dst)
		for i, x := range dst {
			if i%8 > 0 && x != dst[i-1]+1 {
				t.Fatalf("no window: %v", dst)
			}
		}
		got = append(got, dst)
	}
	if c.Epoch < 5 {
		t.Errorf("epoch %d behind 90 windows of about 13", c.Epoch)
	}
	for i := range at {
		dst := make([]int32, 3*8)
		if at[i].fill(dst); !slices.Equal(dst, got[i]) {
			t.Errorf("batch %d from its position: %v, want %v", i, dst, got[i])
		}
	}
}

func TestReadTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.bin")
	write := func(b ...byte) {
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(1, 2, 255, 0)
	if got, err := ReadTokens(path, 514); err != nil || !slices.Equal(got.IDs, []uint16{513, 255}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := ReadTokens(path, 513); err == nil || !strings.Contains(err.Error(), "found 513") {
		t.Errorf("error %v, want the id", err)
	}
	write(1, 2, 3)
	if _, err := ReadTokens(path, 513); err == nil || !strings.Contains(err.Error(), "even number") {
		t.Errorf("error %v, want one about the length", err)
	}
}

func TestRate(t *testing.T) {
	const peak, floor = 0.5, 0.1
	for _, c := range []struct {
		step int
		want float64
	}{{0, 0.05}, {4, 0.25}, {9, 0.5}, {10, 0.5}, {10 + 50, 0.5 * (0.1 + 0.9/2)}, {110, 0.05}, {200, 0.05}} {
		if got := rateAt(c.step, 10, 111, peak, floor); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("step %d: %g, want %g", c.step, got, c.want)
		}
	}
}

// TestPresets: sizes from the issue, counted by hand: embedding 8192·384; 9 blocks of 384·(384+128+128+384) + 3·384·896 +
// 2·384; the last norm. OPT: (8192+1024)·256; 5 blocks of 4·(256²+256) + 2·256·1024 + 1024 + 256 + 4·256; the last norm.
func TestPresets(t *testing.T) {
	want := map[string]int{
		"tiny-llama": 8192*384 + 9*(384*(384+128+128+384)+3*384*896+2*384) + 384,
		"tiny-opt":   (8192+1024)*256 + 5*(4*(256*256+256)+2*256*1024+1024+256+4*256) + 2*256,
	}
	for _, name := range Presets() {
		c, ok := Preset(name)
		if !ok {
			t.Fatal(name)
		}
		if err := Check(c); err != nil {
			t.Error(err)
		}
		if got := CostOf(c, c.MaxContext).Parameters; got != want[name] {
			t.Errorf("%s: %d parameters, want %d", name, got, want[name])
		}
	}
	if _, ok := Preset("gpt"); ok {
		t.Error("an unknown preset is known")
	}
}

// TestInitial: statistics of the starting weights, and that they depend on seed and tensor alone.
func TestInitial(t *testing.T) {
	c, _ := Preset("tiny-llama")
	for _, test := range []struct {
		name string
		want float64
	}{{"self_attn.q_proj.weight", 0.02}, {"self_attn.o_proj.weight", 0.02 / math.Sqrt(18)}, {"mlp.down_proj.weight", 0.02 / math.Sqrt(18)}} {
		p := Tensor{model.LayerName(0, test.name), []int{384, 384}}
		w := initial(c, p, 1, 2)
		var sum, sq float64
		for _, x := range w {
			sum += float64(x)
			sq += float64(x) * float64(x)
		}
		n := float64(len(w))
		// The mean of n has a deviation of std/√n, the root mean square one of std/√2n.
		if rms := math.Sqrt(sq / n); math.Abs(sum/n) > 4*test.want/math.Sqrt(n) || math.Abs(rms-test.want) > 4*test.want/math.Sqrt(2*n) {
			t.Errorf("%s: mean %g, rms %g, want rms %g", p.Name, sum/n, rms, test.want)
		}
		if !slices.Equal(w, initial(c, p, 1, 2)) || slices.Equal(w, initial(c, p, 2, 2)) || slices.Equal(w, initial(c, p, 1, 3)) {
			t.Errorf("%s: not a function of seed and index", p.Name)
		}
	}
}
