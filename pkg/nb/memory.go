package nb

import (
	"errors"
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/quant"
)

// weightParts are the parts of an artefact, each with the reason for its size.
var weightParts = []struct{ name, why string }{
	{"embedding and head", "one matrix where they are tied; 8 bits a weight at every width"},
	{"codes", "bits a weight of the layers' matrices, rows padded to whole panels"},
	{"scales M", "4 bytes an output channel"},
	{"zero points", "1 byte an output channel"},
	{"sums ΣW", "4 bytes an output channel, for the activations' zero point; of 4-bit matrices filled when loading, not in the file"},
	{"biases", "4 bytes an output channel of a layer that has one"},
	{"norms", "4 bytes a channel for Γ, 8 for β"},
	{"α of SwiGLU", "4 bytes a channel where act-smooth is used"},
	{"positions", "learned positions, or the phases of rotary ones"},
}

// WeightParts is the size of each part of the loaded weights in bytes, by name, from an artefact's header; the tokenizer
// is none.
func WeightParts(h *artifact.Header) map[string]int64 {
	n := map[string]int64{}
	for _, l := range h.Linears {
		if l.Name == artifact.Embedding || strings.HasPrefix(l.Name, "lm_head") || l.Name == artifact.Positions {
			part := "embedding and head"
			if l.Name == artifact.Positions {
				part = "positions"
			}
			n[part] += l.Panel.Bytes + l.Zero.Bytes + l.M.Bytes + int64(4*l.Out) + l.Bias.Bytes
			continue
		}
		n["codes"] += l.Panel.Bytes
		n["scales M"] += l.M.Bytes
		n["zero points"] += l.Zero.Bytes
		n["sums ΣW"] += int64(4 * l.Out)
		n["biases"] += l.Bias.Bytes
	}
	for _, x := range h.Norms {
		n["norms"] += x.Gamma.Bytes + x.Beta.Bytes
	}
	for _, x := range h.HeadNorms {
		n["norms"] += x.Gamma.Bytes
	}
	for _, x := range h.GLUs {
		n["α of SwiGLU"] += x.Alpha.Bytes
	}
	for part, t := range map[string]*artifact.Table16{"embedding and head": h.Embed16, "positions": h.Positions16} {
		if t != nil {
			n[part] += t.Codes.Bytes + t.M.Bytes + t.K.Bytes
		}
	}
	n["positions"] += h.Phi.Bytes
	return n
}

// Memory shows what the weights of a model take, part by part, read from the headers of its artefacts. A model that
// would have to be downloaded first is named instead.
func (s *Session) Memory(model string, recipes ...string) error {
	if s.err != nil {
		return s.err
	}
	if err := catalog.Here(model); errors.Is(err, hub.ErrUnavailable) {
		h := absent(model)
		h.What = "memory of " + model
		Show(h.String())
		note(h)
		return nil
	}
	ctx, stop := interruptible()
	defer stop()
	entry, err := s.runner.Entry(ctx, model)
	if err != nil {
		return err
	}
	float := 4 * entry.Parameters()
	g := chart.Grid{Left: 1, Head: []string{model + ": bytes of"}}
	columns := make([]map[string]int64, len(recipes))
	for i, recipe := range recipes {
		spec, err := quant.NewSpec(recipe, "", "")
		if err != nil {
			return err
		}
		m, err := entry.Integer(ctx, spec)
		if err != nil {
			return err
		}
		columns[i] = WeightParts(&m.Artifact().Header)
		g.Head = append(g.Head, recipe)
	}
	g.Head = append(g.Head, "why")
	sums := make([]int64, len(recipes))
	for _, p := range weightParts {
		row, any := []string{p.name}, false
		for i := range recipes {
			n := columns[i][p.name]
			sums[i] += n
			any = any || n > 0
			row = append(row, fmt.Sprint(n))
		}
		if any {
			g.Rows = append(g.Rows, append(row, p.why))
		}
	}
	all, times := []string{"together"}, []string{"times less than float32"}
	for _, n := range sums {
		all, times = append(all, fmt.Sprint(n)), append(times, fmt.Sprintf("%.2f", float64(float)/float64(n)))
	}
	g.Rows = append(g.Rows, append(all, ""), append(times, fmt.Sprintf("%d weights of 4 bytes: %d", entry.Parameters(), float)))
	Show(g)
	return nil
}
