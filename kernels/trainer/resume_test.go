package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/fsbr"
)

// cancelling ends a context as soon as a text is written to it.
type cancelling struct {
	bytes.Buffer
	text   string
	cancel context.CancelFunc
}

func (c *cancelling) Write(b []byte) (int, error) {
	n, err := c.Buffer.Write(b)
	if strings.Contains(c.String(), c.text) {
		c.cancel()
	}
	return n, err
}

// TestFSBRResume: an interrupted run keeps its state, the same command refuses to drop it, --resume ends in the bytes of a
// run that was never interrupted, and so does --force from the start.
func TestFSBRResume(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	folder := tinyModel(t, dir)
	var ws [][]int32
	for i := range 4 {
		w := make([]int32, 8)
		for j := range w {
			w[j] = int32((i*5 + j*j) % 16)
		}
		ws = append(ws, w)
	}
	if err := os.WriteFile(at("tokens.u32"), fsbr.Encode(ws), 0o666); err != nil {
		t.Fatal(err)
	}
	args := func(out string, more ...string) []string {
		return append([]string{"fsbr", "--model", folder, "--tokens", at("tokens.u32"), "--out", at(out), "--epochs", "2", "--batch", "2"}, more...)
	}
	read := func(name string) []byte {
		t.Helper()
		raw, err := os.ReadFile(at(name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if text, err := run(t, args("whole")...); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}

	// Ended after its first block of two.
	interrupt := func(out string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		log := &cancelling{text: "block 0: loss", cancel: cancel}
		cmd := rootCmd()
		cmd.SetOut(log)
		cmd.SetErr(log)
		cmd.SetArgs(args(out))
		err := cmd.ExecuteContext(ctx)
		if !errors.Is(err, fsbr.ErrPaused) || !strings.Contains(err.Error(), "1 blocks are saved in "+at(out)+".state") || !strings.Contains(err.Error(), "--resume") {
			t.Fatalf("interrupted: %v\n%s", err, log)
		}
		if _, err := os.Stat(at(out)); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("factors of half a run: %v", err)
		}
	}
	interrupt("half")
	state, curve := read("half.state"), read("half.jsonl")
	for _, c := range []struct {
		what string
		want string
		more []string
	}{
		{"the same command", at("half") + ".state exists: expected no state of an earlier run: add --resume to go on from it, or --force", nil},
		{"both flags", "--resume and --force together", []string{"--resume", "--force"}},
	} {
		if _, err := run(t, args("half", c.more...)...); !errors.Is(err, errUsage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want wrong usage, %q", c.what, err, c.want)
		}
	}
	t.Run("no backend", func(t *testing.T) { // nothing is dropped before the backend is open
		t.Setenv(backendVariable, "tpu")
		cmd := rootCmd()
		cmd.SetArgs(args("half", "--force"))
		if err := cmd.ExecuteContext(t.Context()); !errors.Is(err, errUsage) || !strings.Contains(err.Error(), "the backends of this build") {
			t.Errorf("error %v, want that there is no such backend", err)
		}
	})
	if !bytes.Equal(read("half.state"), state) || !bytes.Equal(read("half.jsonl"), curve) {
		t.Error("a refused run changed the state or the curve")
	}
	text, err := run(t, args("half", "--resume")...)
	if err != nil || !strings.Contains(text, "1 blocks are done") || strings.Contains(text, "block 0: loss") {
		t.Fatalf("%v: want that block 0 is taken from the state\n%s", err, text)
	}
	if !bytes.Equal(read("half"), read("whole")) {
		t.Error("resumed, the factors have other bytes")
	}
	if _, err := os.Stat(at("half.state")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state stays after the end: %v", err)
	}
	if lines, err := fsbr.ReadCurve(at("half.jsonl")); err != nil || len(lines) != 6 {
		t.Errorf("%d lines in the curve, want those of both blocks: %v", len(lines), err)
	}

	interrupt("anew")
	text, err = run(t, args("anew", "--force")...)
	if err != nil || strings.Contains(text, "resume from") || !strings.Contains(text, "block 0: loss") {
		t.Fatalf("%v: want that it begins anew\n%s", err, text)
	}
	if !bytes.Equal(read("anew"), read("whole")) {
		t.Error("begun anew, the factors have other bytes")
	}
}
