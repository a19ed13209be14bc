package nb

import (
	"context"
	"fmt"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/quant"
)

// SameBits runs a prompt through the integer engine in several ways (threads,
// whole or token by token) and shows the chained SHA-256 of all its logits for
// each.
func (s *Session) SameBits(model, recipe, prompt string) error {
	if s.err != nil {
		return s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, err := s.runner.Entry(ctx, model)
	if err != nil {
		return err
	}
	ids, err := entry.Encode(prompt)
	if err != nil {
		return err
	}
	const most = 256 // tokens: a row of logits is 8 bytes a token id
	if len(ids) == 0 || len(ids) > min(most, entry.MaxContext()) {
		return fmt.Errorf("nb: same bits: prompt of %d tokens: expected 1 to %d", len(ids), min(most, entry.MaxContext()))
	}
	spec, err := quant.NewSpec(recipe, "", "")
	if err != nil {
		return err
	}
	m, err := entry.Integer(ctx, spec)
	if err != nil {
		return err
	}
	g := chart.Grid{Left: 3, Head: []string{"threads", "prompt", "SHA-256 of the logits"}}
	for _, way := range []struct {
		threads, piece int
		name           string
	}{{1, len(ids), "at once"}, {3, len(ids), "at once"}, {1, 1, "token by token"}, {3, 3, "in pieces of 3"}} {
		other, err := engine.New(m.Artifact(), engine.Options{Spec: &spec, Threads: way.threads})
		if err != nil {
			return err
		}
		sum, err := logitHash(ctx, other, ids, way.piece)
		if err != nil {
			return err
		}
		g.Rows = append(g.Rows, []string{fmt.Sprint(way.threads), way.name, fmt.Sprintf("%x", sum)})
	}
	Show(g)
	return nil
}

// logitHash chains the logits behind every token. Rows come in any order, so a
// piece's rows are kept until it is done.
func logitHash(ctx context.Context, m *engine.Model, ids []int32, piece int) ([32]byte, error) {
	var h di.LogitHash
	run, err := m.NewSession(len(ids))
	if err != nil {
		return h.Sum(), err
	}
	defer run.Close()
	for at := 0; at < len(ids); at += piece {
		part := ids[at:min(at+piece, len(ids))]
		rows := make([]engine.Logits, len(part)) // each index is written by one call
		err := run.AppendAll(ctx, part, func(i int, l engine.Logits) error {
			l.T = append([]int64(nil), l.T...)
			rows[i] = l
			return nil
		})
		if err != nil {
			return h.Sum(), err
		}
		for _, l := range rows {
			if err := h.Add(l.T, l.M, l.K); err != nil {
				return h.Sum(), err
			}
		}
	}
	return h.Sum(), nil
}
