package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/illm-go/illm/pkg/quant"
)

// MaxTrial is the longest text of a Trial: one chunk, whose state between two blocks is all there is.
const MaxTrial = chunkRows

// Trial is one text that is run again and again with other clips in a single layer, for a search of clips by layer. Layer
// by layer it keeps the chunk as the layer's attention finds it, so that what lies before the layer is computed once.
// One goroutine at a time; Close gives the workers back.
type Trial struct {
	s     *Session
	ids   []int32
	clips quant.Clips // of every layer, as kept so far
	layer int

	h  []int32 // the chunk in front of the layer's attention
	q  []uint8
	qp []quant.RowParams
}

// NewTrial begins at layer 0 with the model's own clips. The text has 1 to MaxTrial tokens; constant grids, which were
// made for one clip, are refused.
func (m *Model) NewTrial(ids []int32) (*Trial, error) {
	if len(ids) < 1 || len(ids) > MaxTrial {
		return nil, fmt.Errorf("engine: trial of clips: expected a text of 1 to %d tokens, found %d", MaxTrial, len(ids))
	}
	if m.static != nil {
		return nil, fmt.Errorf("engine: trial of clips: expected dynamic ranges, found constant grids of %d sites", len(m.static.sites))
	}
	for i, id := range ids {
		if id < 0 || int(id) >= m.vocab {
			return nil, fmt.Errorf("engine: trial of clips: token %d is %d: expected 0 to %d", i, id, m.vocab-1)
		}
	}
	s, err := m.NewSession(len(ids))
	if err != nil {
		return nil, err
	}
	t := &Trial{s: s, ids: slices.Clone(ids), clips: make(quant.Clips, m.layers)}
	for i := range t.clips {
		t.clips[i] = m.clips.Of(m.spec, i)
	}
	t.Restart()
	return t, nil
}

// Close ends the workers.
func (t *Trial) Close() { t.s.Close() }

// Layer is the layer whose clip is tried; Clips are those of all layers, as kept so far.
func (t *Trial) Layer() int { return t.layer }

// Clips returns a copy of the clips of all layers, as kept so far.
func (t *Trial) Clips() quant.Clips { return slices.Clone(t.clips) }

// Restart goes back to layer 0 with the clips that were kept, for another pass.
func (t *Trial) Restart() {
	t.s.begin(t.ids)
	t.s.enter(0)
	t.save(0)
}

// Keep gives the layer the clip c for good and goes on to the next one; behind the last layer it stays.
func (t *Trial) Keep(c quant.Clip) {
	t.set(c)
	if t.clips[t.layer] = c; t.layer == t.s.m.layers-1 {
		return
	}
	t.load()
	t.s.attention()
	t.s.enter(t.layer + 1)
	t.save(t.layer + 1)
}

// Logits calls fn with the logits behind each token, with the clip c in the layer and those kept in the others, as
// Session.AppendAll does.
func (t *Trial) Logits(ctx context.Context, c quant.Clip, fn func(i int, l Logits) error) error {
	t.set(c)
	defer t.set(t.clips[t.layer])
	t.load()
	for l := t.layer; l < t.s.m.layers; l++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.s.attention()
		t.s.enter(l + 1)
	}
	return t.s.heads(0, fn)
}

// set gives the layer the clip c in every worker.
func (t *Trial) set(c quant.Clip) {
	for _, w := range t.s.workers {
		w.setClip(t.layer, c, t.s.m.spec.Clip)
	}
}

// save keeps the chunk in front of the attention of a layer. Its keys and values stay in the cache: what comes behind the
// layer writes to other layers.
func (t *Trial) save(layer int) {
	t.layer = layer
	t.h, t.q, t.qp = append(t.h[:0], t.s.h...), append(t.q[:0], t.s.q...), append(t.qp[:0], t.s.qp...)
}

func (t *Trial) load() {
	s := t.s
	copy(s.h, t.h)
	copy(s.q, t.q)
	copy(s.qp, t.qp)
	s.layer, s.first, s.last = t.layer, t.layer == 0, false
}
