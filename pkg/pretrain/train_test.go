package pretrain

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
)

// byteModel is the smallest model of bytes that learns a text by heart.
func byteModel(family string) model.Config {
	c := model.Config{
		Architecture: family, Layers: 2, Hidden: 32, Heads: 4, KVHeads: 2, HeadDim: 8, FFN: 64, Vocab: 256, MaxContext: 32,
		NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 1000, TiedHead: true, BOS: -1, EOS: 0, EOSAll: []int{0},
	}
	if family == model.OPT {
		c.KVHeads, c.RopeTheta = 4, 0
		c.QKVBias, c.OutBias, c.MLPBias = true, true, true
	}
	return c
}

// poem is some text with long repetitions, 660 bytes.
func poem() Tokens {
	var s strings.Builder
	for _, n := range []string{"ten", "nine", "eight", "seven"} {
		fmt.Fprintf(&s, "%s green bottles hanging on the wall, %s green bottles hanging on the wall, and if one green bottle should accidentally fall, there'll be one less hanging on the wall.\n", n, n)
	}
	var t Tokens
	for _, b := range []byte(s.String()) {
		t.IDs = append(t.IDs, uint16(b))
	}
	return t
}

func options(b backends.Backend, family string) Options {
	return Options{
		Backend: b, Config: byteModel(family), Train: poem(), Valid: poem(), Batch: 8, Window: 32,
		Steps: 60, Rate: 1e-2, Warmup: 10, Decay: -1, Precision: "f32", Seed: 3, LogEvery: 5, ValidEvery: 40, Average: 0.5,
		AttentionChunks: 2,
	}
}

// TestOverfit trains both families to recite a text, exports them, and has the float reference read the export: its loss
// on the same windows is the one that validation found.
func TestOverfit(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for 10 s")
	}
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for _, family := range []string{model.LLaMA, model.OPT} {
			t.Run(family, func(t *testing.T) {
				o := options(b, family)
				o.Steps, o.Rate, o.LogEvery, o.Batch, o.AttentionChunks = 200, 1e-2, 20, 4, 1
				o.Out, o.Dtype = filepath.Join(t.TempDir(), "model"), "F32"
				o.Checkpoints = t.TempDir()
				res, err := Train(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("loss %.3f, validation %.3f in %.1f s", res.Loss, res.Valid, res.Seconds)
				// 256 equally likely bytes have 5.5; the text's letter frequencies alone 2.8.
				if !(res.Valid < 0.9) {
					t.Errorf("validation loss %.3f: the text was not learnt", res.Valid)
				}
				want := reference(t, o)
				if math.Abs(want-res.Valid) > 1e-4 {
					t.Errorf("validation %.6f, float reference on the exported model %.6f", res.Valid, want)
				}
				lines, err := ReadCurve(filepath.Join(o.Checkpoints, "curve.jsonl"))
				if err != nil {
					t.Fatal(err)
				}
				last := lines[len(lines)-1]
				if len(lines) != 11 || last.Step != 200 || last.Valid == nil || *last.Valid != res.Valid || lines[0].Valid != nil || lines[1].Valid == nil {
					t.Errorf("curve of %d lines, last %+v", len(lines), last)
				}
				if d := last.Rate / (o.Rate * 0.1); math.Abs(d-1) > 1e-9 {
					t.Errorf("last learning rate %g, want a tenth of the peak", last.Rate)
				}
			})
		}
	})
}

// reference is the mean of −log p of the exported model over the windows of the validation stream.
func reference(t *testing.T, o Options) float64 {
	t.Helper()
	m, err := model.OpenWeights(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ref, err := floatref.New(m, 1)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	n := (len(o.Valid.IDs) - 1) / o.Window
	for w := range n {
		ids := make([]int32, o.Window+1)
		for i := range ids {
			ids[i] = int32(o.Valid.IDs[w*o.Window+i])
		}
		err := ref.Logits(t.Context(), ids[:o.Window], func(pos int, logits []float32) error {
			var z float64
			for _, l := range logits {
				z += math.Exp(float64(l))
			}
			sum += math.Log(z) - float64(logits[ids[pos+1]])
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return sum / float64(n*o.Window)
}

// stopAt ends a run behind its line of the given step.
func stopAt(o Options, step int) (context.Context, Options) {
	ctx, cancel := context.WithCancelCause(context.Background())
	o.Log = func(format string, args ...any) {
		if strings.HasPrefix(format, "step %d/") && args[0].(int) == step {
			cancel(errStop)
		}
	}
	return ctx, o
}

var errStop = errors.New("stopped by the test")

// weights reads the values of the newest checkpoint.
func weights(t *testing.T, o Options) [][][]float32 {
	t.Helper()
	path, err := latest(o.Checkpoints)
	if err != nil || path == "" {
		t.Fatal(path, err)
	}
	_, groups, err := loadCheckpoint(path, o.defaults().recipe())
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

// TestResume: a run that is interrupted twice ends in the same bits as one that is not, weights, moments and average,
// with dropout too; and its curve is the same but for the times.
func TestResume(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for 6 s, 40 s with xla")
	}
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for _, family := range []string{model.LLaMA, model.OPT} {
			t.Run(family, func(t *testing.T) {
				o := options(b, family)
				o.Steps, o.Dropout, o.Every, o.Valid, o.AttentionChunks = 30, 0.1, time.Nanosecond, Tokens{}, 1
				o.Checkpoints = t.TempDir()
				if _, err := Train(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				parts := o
				parts.Checkpoints = t.TempDir()
				for _, step := range []int{5, 25} {
					ctx, stopped := stopAt(parts, step)
					if _, err := Train(ctx, stopped); !errors.Is(err, ErrPaused) || !errors.Is(err, errStop) {
						t.Fatalf("stopped at step %d: %v", step, err)
					}
				}
				if _, err := Train(t.Context(), parts); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(weights(t, o), weights(t, parts)) {
					t.Error("the interrupted run has other weights")
				}
				curve := func(o Options) []Line {
					lines, err := ReadCurve(filepath.Join(o.Checkpoints, "curve.jsonl"))
					if err != nil {
						t.Fatal(err)
					}
					for i := range lines {
						lines[i].Seconds, lines[i].Speed = 0, 0
					}
					return lines
				}
				if a, b := curve(o), curve(parts); !reflect.DeepEqual(a, b) {
					t.Errorf("curves differ:\n%+v\n%+v", a, b)
				}
				// A finished run is finished: nothing is trained again.
				before := weights(t, o)
				if res, err := Train(t.Context(), o); err != nil || res.Steps != 30 {
					t.Errorf("finished run called again: %+v, %v", res, err)
				}
				if !reflect.DeepEqual(before, weights(t, o)) {
					t.Error("a finished run was changed by calling it again")
				}
			})
		}
	})
}

// TestRefused: a checkpoint of another configuration, vocabulary or recipe, and a damaged one, are refused by name.
func TestRefused(t *testing.T) {
	b := openBackend(t, "go:ops_sequential")
	o := options(b, model.LLaMA)
	o.Steps, o.Checkpoints, o.TokenizerJSON = 2, filepath.Join(t.TempDir(), "run [2]"), []byte("{}") // a name is no pattern
	if _, err := Train(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	path, err := latest(o.Checkpoints)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		want   string
		change func(o *Options)
	}{
		{"config.FFN is 64 in the checkpoint, 48 is asked for", func(o *Options) { o.Config.FFN = 48 }},
		{"tokenizer_sha256", func(o *Options) { o.TokenizerJSON = []byte("[]") }},
		{"train_sha256", func(o *Options) { o.Train.IDs = o.Train.IDs[1:] }},
		{"seed is 3 in the checkpoint, 4 is asked for", func(o *Options) { o.Seed = 4 }},
		{"learning_rate is 0.01 in the checkpoint", func(o *Options) { o.Rate = 0.02 }},
	} {
		other := o
		test.change(&other)
		if _, err := Train(t.Context(), other); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one with %q and %s", err, test.want, path)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		want string
		raw  []byte
	}{
		{"sha256 does not match", func() []byte { r := slices.Clone(raw); r[len(r)-1000] ^= 1; return r }()},
		{"damaged", raw[:len(raw)-1]},
		{"damaged", append(slices.Clone(raw), 0)},
		{"not a checkpoint", raw[:10]},
		{"not a checkpoint", append([]byte("x"), raw...)},
		{"damaged", append(slices.Clone(raw[:16]), 255, 255, 255, 255, 255, 255, 255, 255)},
		{"window -1: delete it", reheader(raw, `"next":`, `"next":-1,"was":`)},
		{"found step -1", reheader(raw, `"step":`, `"step":-1,"was":`)},
	} {
		if err := os.WriteFile(path, test.raw, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Train(t.Context(), o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
}

// reheader returns a checkpoint with old replaced by new in its header, and its length and sha256 right again.
func reheader(raw []byte, old, new string) []byte {
	const fixed = len(checkpointMagic) + 8
	n := int(binary.LittleEndian.Uint64(raw[len(checkpointMagic):]))
	header := strings.Replace(string(raw[fixed:fixed+n]), old, new, 1)
	out := binary.LittleEndian.AppendUint64([]byte(checkpointMagic), uint64(len(header)))
	out = append(append(out, header...), raw[fixed+n:len(raw)-sha256.Size]...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// TestNotFinite: a run that diverges ends with the step's number.
func TestNotFinite(t *testing.T) {
	o := options(openBackend(t, "go:ops_sequential"), model.LLaMA)
	o.Rate, o.Clip, o.Warmup, o.Average = 1e30, -1, 1, 0
	_, err := Train(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "step ") || !strings.Contains(err.Error(), "finite") {
		t.Errorf("error %v, want one that names a step", err)
	}
}

// TestMinutes: the length of a run follows from the speed of its first steps.
func TestMinutes(t *testing.T) {
	o := options(openBackend(t, "go:ops_sequential"), model.LLaMA)
	o.Steps, o.Minutes, o.Valid = 0, 1.0/30, Tokens{}
	o.Config.Layers, o.Config.Hidden, o.Batch, o.Window, o.AttentionChunks = 1, 16, 1, 16, 1
	began := time.Now()
	res, err := Train(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began).Seconds(); res.Steps <= settle+measure || took > 10 {
		t.Errorf("%d steps in %.1f s, want about 2 s", res.Steps, took)
	}
}

func TestBadOptions(t *testing.T) {
	b := openBackend(t, "go:ops_sequential")
	for _, test := range []struct {
		want   string
		change func(o *Options)
	}{
		{"Steps, Minutes", func(o *Options) { o.Minutes = 1 }},
		{"Steps, Minutes", func(o *Options) { o.Steps = 0 }},
		{"Window", func(o *Options) { o.Window = 33 }},
		{"Precision", func(o *Options) { o.Precision = "f16" }},
		{"Dropout", func(o *Options) { o.Dropout = 1 }},
		{"AttentionChunks", func(o *Options) { o.AttentionChunks = 5 }},
		{"Train", func(o *Options) { o.Train.IDs = o.Train.IDs[:32] }},
		{"HeadNorm is true", func(o *Options) { o.Config.HeadNorm = true }},
		{"QKVBias is true", func(o *Options) { o.Config.QKVBias = true }},
		{"token 1: expected an id below the vocabulary of 100, found 101", func(o *Options) { o.Config.Vocab = 100; o.Train.IDs = append([]uint16{5}, o.Train.IDs[1:]...) }},
		{"Rate", func(o *Options) { o.Rate = math.NaN() }},
		{"Decay", func(o *Options) { o.Decay = math.NaN() }},
		{"Minutes", func(o *Options) { o.Steps, o.Minutes = 0, math.Inf(1) }},
		{`found "F8"`, func(o *Options) { o.Out, o.Dtype = filepath.Join(t.TempDir(), "m"), "F8" }},
		{"tokenizer", func(o *Options) { o.Out, o.TokenizerJSON = filepath.Join(t.TempDir(), "m"), []byte("{}") }},
		{"in it: name another folder", func(o *Options) { o.Out = "." }},
	} {
		o := options(b, model.LLaMA)
		test.change(&o)
		if _, err := Train(t.Context(), o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
}
