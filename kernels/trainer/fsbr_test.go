package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/fsbr"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/smooth"
)

// tinyModel trains a model of 8 channels for two steps and returns its folder.
func tinyModel(t *testing.T, dir string) string {
	t.Helper()
	var tokens []byte
	for i := range 100 {
		tokens = binary.LittleEndian.AppendUint16(tokens, uint16(i*i%16))
	}
	config, err := json.Marshal(model.Config{
		Architecture: model.LLaMA, Layers: 2, Hidden: 8, Heads: 2, KVHeads: 1, HeadDim: 4, FFN: 12, Vocab: 16, MaxContext: 8,
		NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 100, TiedHead: true, BOS: -1, EOS: 0, EOSAll: []int{0},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"train.bin": tokens, "config.json": config} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "model")
	if text, err := run(t, "pretrain", "--model", filepath.Join(dir, "config.json"), "--tokens", filepath.Join(dir, "train.bin"),
		"--out", out, "--batch", "2", "--steps", "2", "--warmup", "1", "--precision", "f32"); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// TestFSBR makes factors of a model in a folder, with outliers too, that belong to its weights.
func TestFSBR(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	folder := tinyModel(t, dir)
	var ws [][]int32
	for i := range 4 {
		w := make([]int32, 8)
		for j := range w {
			w[j] = int32((i*7 + j*j) % 16)
		}
		ws = append(ws, w)
	}
	if err := os.WriteFile(at("tokens.u32"), fsbr.Encode(ws), 0o666); err != nil {
		t.Fatal(err)
	}
	m, err := model.OpenWeights(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	view, err := m.InjectOutliers(1, 64)
	if err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]*model.Model{folder: m, folder + "+outliers": view} {
		out := at("factors.safetensors")
		text, err := run(t, "fsbr", "--model", name, "--tokens", at("tokens.u32"), "--out", out, "--recipe", "w4a4kv8", "--epochs", "2", "--batch", "2")
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		f, err := smooth.Read(out)
		if err != nil {
			t.Fatal(err)
		}
		hash, err := of.Hash()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Check(m.Config), f.CheckSource(hash)); err != nil {
			t.Error(err)
		}
		if f.Meta[smooth.MetaSource] != hash || f.Meta[smooth.MetaMethod] != "fsbr" || f.Meta[smooth.MetaRecipe] != "w4a4kv8" || f.Meta["text"] != "calibration" {
			t.Errorf("meta %v", f.Meta)
		}
		if lines, err := fsbr.ReadCurve(out + ".jsonl"); err != nil || len(lines) != 6 {
			t.Errorf("%d lines in the curve, %v", len(lines), err)
		}
		if _, err := os.Stat(out + ".state"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the state stays after the end: %v", err)
		}
	}
	// In files: the same bytes.
	var same [2][]byte
	for i, where := range []string{"device", "disk"} {
		out := at(where + ".safetensors")
		if text, err := run(t, "fsbr", "--model", folder, "--tokens", at("tokens.u32"), "--out", out, "--epochs", "1", "--batch", "2", "--activations", where, "--scratch", dir); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if same[i], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(same[0], same[1]) {
		t.Error("with activations on disk the file has other bytes")
	}
	// A plan needs no weights: 2 layers of (8 + 4 + 4 + 8)·8 + 3·12·8 + 2·8 weights, tables of 4·8·8 numbers.
	text, err := run(t, "fsbr", "--model", at("config.json"), "--plan", "--windows", "4", "--batch", "2", "--aug-loss")
	for _, want := range []string{"weights of a block, on the host and on the device  0.000 GB", "activations of 4 windows of 8, a table", "disk, 4 files"} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("plan: %v\n%s\nwithout %q", err, text, want)
		}
	}
	// The rest of the flags, and --resume where there is nothing to resume from.
	out := at("rotated.safetensors")
	if text, err := run(t, "fsbr", "--model", folder, "--tokens", at("tokens.u32"), "--out", out, "--recipe", "w4a4", "--epochs", "1", "--batch", "2",
		"--rotate", "residual,value_out,query_key,down", "--kinds", "all,range", "--alpha", "0.5,-1", "--cosine", "--scores", "--resume"); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	f, err := smooth.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	ratios, err := f.Ratios()
	if err := errors.Join(err, f.Check(m.Config)); err != nil || !f.Rotation.Residual || !f.Rotation.Down || len(ratios["attn_in"]) != 2 {
		t.Errorf("rotation %+v, ratios %v, %v", f.Rotation, ratios, err)
	}
	for _, test := range []struct {
		want  string
		usage bool // exit code 2
		args  []string
	}{
		{"expected --tokens", true, nil},
		{"fewer than one window", false, []string{"--tokens", at("short"), "--out", at("f")}},
		{"rotation \"left\": expected a list of residual", true, []string{"--tokens", at("tokens.u32"), "--out", at("f"), "--rotate", "left"}},
		{"unknown name", true, []string{"--tokens", at("tokens.u32"), "--out", at("f"), "--recipe", "w3a3"}},
		{"--windows -1", true, []string{"--tokens", at("tokens.u32"), "--out", at("f"), "--windows", "-1"}},
		{"--activations \"tape\": expected auto, device or disk", true, []string{"--tokens", at("tokens.u32"), "--out", at("f"), "--activations", "tape"}},
		{"--memory 0: expected GB", true, []string{"--tokens", at("tokens.u32"), "--out", at("f"), "--memory", "0"}},
		{`Scratch "no/such": expected a folder`, false, []string{"--tokens", at("tokens.u32"), "--out", at("f"), "--activations", "disk", "--scratch", "no/such", "--batch", "1"}},
		{"clip \"0\"", true, []string{"--tokens", at("tokens.u32"), "--out", at("f"), "--clip", "0"}},
		{"unknown model", false, []string{"--tokens", at("tokens.u32"), "--out", at("f"), "--model", "tiny-gpt"}},
	} {
		if err := os.WriteFile(at("short"), []byte{1, 0, 0, 0}, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := run(t, append([]string{"fsbr", "--model", folder}, test.args...)...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want %q", test.args, err, test.want)
		} else if errors.Is(err, errUsage) != test.usage {
			t.Errorf("%q: error %v, wrong usage: want %v", test.args, err, test.usage)
		}
	}
}

// TestTokens: the same seed draws the same windows.
func TestTokens(t *testing.T) {
	if testing.Short() {
		t.Skip("encodes a book")
	}
	dir := t.TempDir()
	var got [2][]byte
	for i := range got {
		path := filepath.Join(dir, "w.u32")
		if text, err := run(t, "tokens", "--model", "tiny-llama", "--text", "opticks", "--windows", "3", "--window", "20", "--out", path); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got[i] = raw
	}
	if len(got[0]) != 3*20*4 || !bytes.Equal(got[0], got[1]) {
		t.Errorf("%d bytes, the same twice: %v", len(got[0]), bytes.Equal(got[0], got[1]))
	}
}
