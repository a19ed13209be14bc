package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/model"
)

// run runs the command line on the pure-Go backend.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	t.Setenv(backendVariable, "go")
	cmd := rootCmd()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// TestPretrain trains a tiny model from files, and again from its checkpoint, and opens the export.
func TestPretrain(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, data []byte) {
		if err := os.WriteFile(at(name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var tokens []byte
	for i := range 500 {
		tokens = binary.LittleEndian.AppendUint16(tokens, uint16(i*i%16))
	}
	write("train.bin", tokens)
	config, err := json.Marshal(model.Config{
		Architecture: model.LLaMA, Layers: 1, Hidden: 8, Heads: 2, KVHeads: 1, HeadDim: 4, FFN: 12, Vocab: 16, MaxContext: 8,
		NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 100, TiedHead: true, BOS: -1, EOS: 0, EOSAll: []int{0},
	})
	if err != nil {
		t.Fatal(err)
	}
	write("config.json", config)
	args := []string{"pretrain", "--model", at("config.json"), "--tokens", at("train.bin"), "--valid", at("train.bin"), "--out", at("model"),
		"--checkpoint", at("run"), "--batch", "4", "--steps", "12", "--warmup", "2", "--precision", "f32", "--peak-tflops", "1"}
	for range 2 {
		out, err := run(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"steps":12`, "validation over the whole stream"} {
			if !strings.Contains(out, want) {
				t.Errorf("output without %q:\n%s", want, out)
			}
		}
	}
	m, err := model.OpenWeights(at("model"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Config.Layers != 1 || m.Config.Hidden != 8 {
		t.Errorf("exported %+v", m.Config)
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		want string
		args []string
	}{
		{"unknown command", []string{"train"}},
		{"expected --tokens", []string{"pretrain", "--steps", "1"}},
		{"one of --steps and --minutes", []string{"pretrain", "--tokens", "x"}},
		{"expected a file or one of tiny-llama, tiny-opt", []string{"pretrain", "--tokens", "x", "--steps", "1", "--model", "tiny-gpt"}},
		{"unknown flag: --step:", []string{"pretrain", "--step", "1"}},
	} {
		if _, err := run(t, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want %q", test.args, err, test.want)
		} else if !errors.Is(err, errUsage) {
			t.Errorf("%q: %v is not marked as wrong usage", test.args, err)
		}
	}
	if _, err := run(t, "pretrain", "--tokens", "no-such.bin", "--steps", "1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that the file is missing", err)
	}
}

// A file that is not finished never has its name: an earlier one stays.
func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "train.bin")
	cut := errors.New("disk full")
	for _, fail := range []error{nil, cut} {
		err := writeFile(path, func(w *bufio.Writer) error {
			if _, err := w.WriteString(map[bool]string{true: "whole", false: "ha"}[fail == nil]); err != nil {
				return err
			}
			return errors.Join(w.Flush(), fail)
		})
		if !errors.Is(err, fail) {
			t.Errorf("error %v, want %v", err, fail)
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "whole" {
			t.Errorf("content %q, %v", raw, err)
		}
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}
