package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/model/safetensors"
	"github.com/illm-go/illm/pkg/smooth"
)

// calibrateRun runs the command and returns code, stdout and stderr.
func calibrateRun(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &talk}
	code = a.main(t.Context(), append([]string{"calibrate"}, args...))
	return code, out.String(), talk.String()
}

func calibrationText(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, bytes.Repeat([]byte("the light of bodies "), n/20+1)[:n], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// From weights to an artefact in the cache, and to a file of one's own that eval finds again.
func TestCalibrate(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	t.Setenv("ILLM_FACTORS", "")
	m, text := modeltest.TinyQwen2(t), calibrationText(t, 900)
	code, stdout, stderr := calibrateRun(t, "-m", m, "-r", "w6a6", "--method", "smoothquant", "--text", text, "--windows", "3", "--window", "64")
	if code != exitOK || !strings.Contains(stdout, "artefact ") || !strings.Contains(stdout, "--recipe w6a6-smoothquant") || !strings.Contains(stdout, "data/factors/sha256-") {
		t.Fatalf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	out := filepath.Join(t.TempDir(), "mine.safetensors")
	own := []string{"-m", m, "-r", "w6a6-best", "--text", text, "--windows", "3", "--window", "64", "--out", out}
	if code, stdout, stderr = calibrateRun(t, own...); code != exitOK || strings.Contains(stdout, "artefact") {
		t.Fatalf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	f, err := smooth.Read(out)
	if err != nil || !f.Rotation.Residual || f.Meta[smooth.MetaMethod] != "best" || f.Meta[smooth.MetaMaxAbs] == "" {
		t.Errorf("factors %+v, %v", f, err)
	}
	if code, _, stderr = calibrateRun(t, own...); code != exitUsage || !strings.Contains(stderr, "--force") {
		t.Errorf("over an existing file: code %d, %q", code, stderr)
	}
	if code, stdout, _ = calibrateRun(t, "-m", m, "-r", "w6a6", "--method", "rtn"); code != exitOK || !strings.Contains(stdout, "artefact ") {
		t.Errorf("rtn: code %d, %q", code, stdout)
	}
}

func TestCalibrateRefuses(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	m, text := modeltest.TinyQwen2(t), calibrationText(t, 900)
	short := calibrationText(t, 40)
	nan := damaged(t)
	foreign := filepath.Join(t.TempDir(), "foreign.safetensors")
	if err := (&smooth.Factors{Meta: map[string]string{smooth.MetaSource: strings.Repeat("0", 64)}, Blocks: make([]smooth.Block, 5)}).Write(foreign); err != nil {
		t.Fatal(err)
	}
	base := slices.Clip([]string{"-m", m, "-r", "w4a4", "--text", text, "--windows", "2", "--window", "64"})
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no method", base, exitUsage, "--method is missing"},
		{"unknown method", append(base, "--method", "fsbrr"), exitUsage, `did you mean "fsbr"`},
		{"two methods", append(base, "-r", "w4a4-gptq", "--method", "rotate"), exitUsage, "names a method"},
		{"unknown recipe", append(base, "-r", "w4a9", "--method", "rotate"), exitUsage, "w4a9"},
		{"unknown model", append(base, "-m", "tiny-lama", "--method", "rotate"), exitUsage, "tiny-lama"},
		{"arguments of no trainer", append(base, "--method", "rotate", "--", "--epochs", "3"), exitUsage, "has no trainer"},
		{"arguments", []string{"now"}, exitUsage, "behind --"},
		{"alpha", append(base, "--method", "smoothquant", "--alpha", "0.55"), exitUsage, "1/16"},
		{"rtn to a file", append(base, "--method", "rtn", "--out", "x"), exitUsage, "illm quantize"},
		{"from of another method", append(base, "--method", "gptq", "--from", foreign), exitUsage, "--from goes with"},
		{"from that is not there", append(base, "--method", "best", "--from", "nowhere.safetensors"), exitUsage, "nowhere.safetensors"},
		{"from another model", append(base, "--method", "best", "--from", foreign), exitUsage, "for this model"},
		{"short text", append(base, "--method", "gptq", "--text", short), exitFailure, "at least one window of 64"},
		{"window beyond the context", append(base, "--method", "gptq", "--window", "4096"), exitUsage, "1 to 128 tokens"},
		{"fewer than no window", append(base, "--method", "gptq", "--windows", "-1"), exitUsage, "--windows -1"},
		{"more windows than anybody has", append(base, "--method", "gptq", "--windows", "1000000000"), exitUsage, "1 to 4096"},
		{"a window of less than nothing", append(base, "--method", "gptq", "--window", "-5"), exitUsage, "--window -5"},
		{"a backend of no trainer", append(base, "--method", "gptq", "--backend", "go"), exitUsage, "--backend goes with"},
		{"an unknown backend", append(base, "--method", "fsbr", "--backend", "cuda"), exitUsage, "xla:cuda"},
		{"trained elsewhere for another model", append(base, "--method", "fsbr", "--from", foreign), exitUsage, "for this model"},
		{"a file that holds no factors", append(base, "--method", "fsbr", "--from", text), exitUsage, "text.txt"},
		{"a text that is not there", append(base, "--method", "gptq", "--text", "nowhere.txt"), exitUsage, "nowhere.txt"},
		{"an unknown flag", append(base, "--metod", "gptq"), exitUsage, "unknown flag"},
		{"a clip of no use", append(base, "--method", "gptq", "--clip", "-3"), exitUsage, "-3"},
		{"out is a folder", append(base, "--method", "gptq", "--out", t.TempDir()), exitUsage, ""},
		{"a weight that is no number", append(base, "-m", nan, "--method", "smoothquant"), exitFailure, "model.layers.1.mlp.up_proj.weight"},
		{"no such folder", append(base, "--method", "rotate", "--out", filepath.Join(t.TempDir(), "a", "b")), exitUsage, "make it first"},
	} {
		if code, stdout, stderr := calibrateRun(t, c.args...); code != c.code || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%s: code %d, stdout %q, stderr %q; want code %d and %q", c.name, code, stdout, stderr, c.code, c.want)
		}
	}
}

// damaged is a model with one weight that is not a number.
func damaged(t *testing.T) string {
	t.Helper()
	dir := modeltest.TinyQwen2(t)
	f, err := safetensors.Open(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	tensor, ok := f.Tensor("model.layers.1.mlp.up_proj.weight")
	if !ok || tensor.Type != "F32" {
		t.Fatal("no such tensor")
	}
	raw := mustRead(t, filepath.Join(dir, "model.safetensors"))
	bits := math.Float32bits(float32(math.NaN()))
	for i := range 4 {
		raw[tensor.Offset+40+int64(i)] = byte(bits >> (8 * i))
	}
	f.Close()
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// fakeTrainer draws no tokens and trains nothing: it copies factors, or leaves a state and fails.
const fakeTrainer = `package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	args := strings.Join(os.Args[1:], " ")
	out := ""
	for i, a := range os.Args {
		if a == "--out" {
			out = os.Args[i+1]
		}
	}
	fmt.Fprintln(os.Stderr, "TRAINER", os.Getenv("GOMLX_BACKEND"), args)
	if os.Args[1] == "fsbr" && os.Getenv("FAKE_FACTORS") == "" {
		os.WriteFile(out+".state", nil, 0o600)
		os.Exit(1)
	}
	raw, _ := os.ReadFile(os.Getenv("FAKE_FACTORS"))
	os.WriteFile(out, raw, 0o600)
}
`

// Trained methods draw tokens and train in the clone; an interrupted run goes on; what the trainer leaves is checked.
func TestCalibrateTrained(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module " + place.Module + "\n\ngo 1.26.0\n", "kernels/trainer/main.go": fakeTrainer} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := modeltest.TinyQwen2(t)
	t.Chdir(root)
	t.Setenv("GOFLAGS", "-buildvcs=false")
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	t.Setenv("GOMLX_BACKEND", "")
	t.Setenv("FAKE_FACTORS", "")
	args := []string{"-m", m, "-r", "w6a6", "--method", "fsbr", "--windows", "7", "--backend", "go"}
	code, _, stderr := calibrateRun(t, append(args, "--", "--epochs", "3")...)
	if code != exitFailure || !strings.Contains(stderr, "TRAINER go fsbr --model "+m) || !strings.Contains(stderr, "--windows 7") ||
		!strings.Contains(stderr, "--method fsbr") || !strings.Contains(stderr, "--epochs 3") || strings.Contains(stderr, "--resume") {
		t.Errorf("code %d, %s", code, stderr)
	}
	good := filepath.Join(root, "good")
	e, err := catalog.Open(t.Context(), m, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	source, err := e.Source()
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	f := &smooth.Factors{Meta: map[string]string{smooth.MetaSource: source, smooth.MetaMethod: "fsbr"}}
	if err := f.Write(good); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FAKE_FACTORS", good)
	code, stdout, stderr := calibrateRun(t, args...)
	if code != exitOK || !strings.Contains(stderr, "--resume") || !strings.Contains(stdout, "--recipe w6a6-fsbr") || !strings.Contains(stdout, "artefact ") {
		t.Errorf("code %d, %q, %s", code, stdout, stderr)
	}
	f.Rotation = smooth.Rotation{Residual: true}
	if err := f.Write(good); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(t.TempDir(), "taken.safetensors")
	if code, _, stderr := calibrateRun(t, "-m", m, "-r", "w6a6-fsbr", "--from", good, "--out", taken); code != exitOK || strings.Contains(stderr, "TRAINER") {
		t.Errorf("a file from elsewhere: code %d, %s", code, stderr)
	}
	if g, err := smooth.Read(taken); err != nil || g.Meta[smooth.MetaMaxAbs] == "" {
		t.Errorf("a rotated file without the range of its residual: %v", err)
	}
	f.Meta[smooth.MetaSource] = strings.Repeat("0", 64)
	if err := f.Write(good); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr = calibrateRun(t, args...); code != exitFailure || !strings.Contains(stderr, "made for weights with sha256") {
		t.Errorf("factors of other weights: code %d, %s", code, stderr)
	}
}
