package nb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

// way is one of the ways in which a prompt can be computed.
type way struct {
	name    string
	threads int
	piece   int // tokens a call; 0: all
	batch   int // sequences computed at once, of which this is one
	limit   cpu.Set
}

// ways lists what must not matter: threads, splits of the prompt, a batch, and the instruction sets of this machine.
func ways() []way {
	all := []way{
		{"1 thread", 1, 0, 1, cpu.Largest}, {"3 threads", 3, 0, 1, cpu.Largest}, {"token by token", 1, 1, 1, cpu.Largest},
		{"in pieces of 3", 3, 3, 1, cpu.Largest}, {"in pieces of 16", 2, 16, 1, cpu.Largest}, {"in a batch of 4", 2, 0, 4, cpu.Largest},
	}
	for _, set := range []cpu.Set{cpu.Generic, cpu.NEON, cpu.AVX2, cpu.AVXVNNI, cpu.AVX512, cpu.AVX512VNNI} {
		if cpu.Has(set) {
			all = append(all, way{"instructions: " + set.String(), 2, 0, 1, set})
		}
	}
	return all
}

// OneHash runs a prompt in many ways through the integer engine and through the float engine beside it, and shows for
// each the SHA-256 of the logits: of all of them, chained, in integers; of the last row in float. The instruction sets are
// switched while nothing else runs.
func (s *Session) OneHash(model, recipe, prompt string) (chart.Grid, error) {
	g := chart.Grid{Head: []string{"way", recipe + ": hash of all logits", "fp32: hash of the last logits"}}
	if s.err != nil {
		return g, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, err := s.runner.Entry(ctx, model)
	if err != nil {
		return g, err
	}
	ids, err := entry.Encode(prompt)
	if err != nil {
		return g, err
	}
	const most = 256 // tokens: a row of logits is 8 bytes a token id
	if len(ids) == 0 || len(ids) > min(most, entry.MaxContext()) {
		return g, fmt.Errorf("nb: one hash: prompt of %d tokens: expected 1 to %d", len(ids), min(most, entry.MaxContext()))
	}
	spec, err := quant.NewSpec(recipe, "", "")
	if err != nil {
		return g, err
	}
	m, err := entry.Integer(ctx, spec)
	if err != nil {
		return g, err
	}
	cfg, src, err := entry.Weights()
	if err != nil {
		return g, err
	}
	before := cpu.Limit()
	defer cpu.SetLimit(before)
	integers, floats := map[string]bool{}, map[string]bool{}
	for _, w := range ways() {
		cpu.SetLimit(min(w.limit, before))
		piece := w.piece
		if piece == 0 {
			piece = len(ids)
		}
		e, err := engine.New(m.Artifact(), engine.Options{Spec: &spec, Threads: w.threads})
		if err != nil {
			return g, err
		}
		a, err := batched(w.batch, func() ([32]byte, error) { return logitHash(ctx, e, ids, piece) })
		if err != nil {
			return g, err
		}
		f, err := floatref.NewFrom(cfg, src, floatref.Options{Threads: w.threads})
		if err != nil {
			return g, err
		}
		b, err := batched(w.batch, func() ([32]byte, error) { return floatHash(ctx, f, ids, piece) })
		if err != nil {
			return g, err
		}
		x, y := fmt.Sprintf("%x", a[:8]), fmt.Sprintf("%x", b[:8])
		integers[x], floats[y] = true, true
		g.Rows = append(g.Rows, []string{w.name, x, y})
	}
	g.Rows = append(g.Rows, []string{"different hashes", fmt.Sprint(len(integers)), fmt.Sprint(len(floats))})
	return g, nil
}

// batched runs f so many times at once and returns what all of them gave, or an error that they differ.
func batched(n int, f func() ([32]byte, error)) (sum [32]byte, err error) {
	sums, errs := make([][32]byte, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() { defer wg.Done(); sums[i], errs[i] = f() }()
	}
	wg.Wait()
	for i := range n {
		if errs[i] != nil {
			return sum, errs[i]
		}
		if sums[i] != sums[0] {
			return sum, fmt.Errorf("nb: one hash: sequences of a batch differ: %x and %x", sums[0][:8], sums[i][:8])
		}
	}
	return sums[0], nil
}

// floatHash is the SHA-256 of the float logits behind the last token.
func floatHash(ctx context.Context, m *floatref.Model, ids []int32, piece int) (sum [32]byte, err error) {
	run, err := m.NewSession(len(ids))
	if err != nil {
		return sum, err
	}
	var row []float32
	for at := 0; at < len(ids); at += piece {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		if row, err = run.Append(ids[at:min(at+piece, len(ids))]); err != nil {
			return sum, err
		}
	}
	var b []byte
	for _, v := range row {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return sha256.Sum256(b), nil
}
