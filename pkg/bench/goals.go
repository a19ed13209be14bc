package bench

import (
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/peers"
)

// goal is a ratio that one of ours is to reach: how many times faster (of memory: smaller) it is than another.
type goal struct {
	op       peers.Op
	ours     string
	theirs   []string // the better of those that are there
	least    float64  // theirs by ours
	from, to int      // rows of a matrix product; to 0: any
	idea     string   // what to try next where it is missed
}

const anyRows = 1 << 30

// goals are the numbers that the project set itself for the comparison. The int4 product of one row reads half of the
// bytes that the bandwidth row counts, hence twice the share.
func goals() []goal {
	libraries := []string{peers.MKL, peers.OneDNN}
	const (
		prefill = "requantise in the epilogue of a tile, from registers, before the sums are stored; softmax and norm in 32-bit lanes"
		narrow  = "nibbles are unpacked for every tile of rows: unpack a panel once for a block of rows"
		decode  = "one worker goes through norm, rotation and SwiGLU alone between two products: share them out by channels, and fold the head's scaling into its product"
		memory  = "codes of the embedding that no prompt asks for need not be resident: leave them mapped when the blocks settle"
		tiles   = "tiles of 12 rows by 32 channels read fewer bytes of weights from the second-level cache"
		stream  = "ask for a panel's first lines while the one before it is multiplied"
		float   = "block the depth, so that a panel stays in the second-level cache"
	)
	list := []goal{
		{op: peers.Prefill, ours: "illm w8a8", theirs: []string{"llama.cpp Q8_0"}, least: 6, idea: prefill},
		{op: peers.Prefill, ours: "illm w8a8", theirs: []string{"llama.cpp Q4_0"}, least: 3.5, idea: prefill},
		{op: peers.Prefill, ours: "illm w4a4", theirs: []string{"illm w8a8"}, least: 1, idea: narrow},
		{op: peers.Prefill, ours: "illm w8a8", theirs: []string{"illm fp32"}, least: 2.5, idea: prefill},
		{op: peers.Decode, ours: "illm w8a8", theirs: []string{"llama.cpp Q8_0"}, least: 2, idea: decode},
		{op: peers.Decode, ours: "illm w4a8", theirs: []string{"llama.cpp Q4_0"}, least: 2.5, idea: decode},
		{op: peers.Decode, ours: "illm w4a4", theirs: []string{"llama.cpp Q4_0"}, least: 2.5, idea: decode},
		{op: peers.Memory, ours: "illm w8a8", theirs: []string{"llama.cpp Q8_0"}, least: 1, idea: memory},
		{op: peers.Memory, ours: "illm w4a8", theirs: []string{"llama.cpp Q4_0"}, least: 1, idea: memory},
		{op: peers.Memory, ours: "illm w4a4", theirs: []string{"llama.cpp Q4_0"}, least: 1, idea: memory},
		{op: peers.GEMM, ours: nameInt8, theirs: []string{namePeak}, least: 0.8, from: 128, to: anyRows, idea: tiles},
		{op: peers.GEMM, ours: nameInt8, theirs: libraries, least: 1, from: 128, to: anyRows, idea: tiles},
		{op: peers.GEMM, ours: nameInt4, theirs: []string{nameInt8}, least: 0.9, from: 128, to: anyRows, idea: tiles},
		{op: peers.GEMM, ours: nameInt8, theirs: []string{nameRead}, least: 0.85, from: 1, to: 1, idea: stream},
		{op: peers.GEMM, ours: nameInt4, theirs: []string{nameRead}, least: 1.7, from: 1, to: 1, idea: stream},
		{op: peers.SGEMM, ours: nameFloat, theirs: append(libraries, peers.OpenBLAS), least: 0.85, idea: float},
	}
	return list
}

// firstToken is the goal for loading a model and answering a prompt of 16 tokens, in seconds.
const firstToken = 0.15

// outcome is a goal with what was measured: over all its cases the worst one.
type outcome struct {
	goal
	worst   peers.Ratio
	reached int // cases
	cases   int
}

// state is "reached", "missed", or "open" where the interval holds the goal.
func (o outcome) state() string {
	switch {
	case o.worst.Low >= o.least:
		return "reached"
	case o.worst.High < o.least:
		return "missed"
	}
	return "open"
}

// what names the comparison.
func (g goal) what() string {
	rows := ""
	switch {
	case g.to == g.from && g.to > 0:
		rows = fmt.Sprintf(", %d row", g.to)
	case g.to > 0:
		rows = fmt.Sprintf(", %d rows and more", g.from)
	}
	theirs := g.theirs[0]
	if len(g.theirs) > 1 {
		last := len(g.theirs) - 1
		theirs = fmt.Sprintf("the best of %s and %s", strings.Join(g.theirs[:last], ", "), g.theirs[last])
	}
	return fmt.Sprintf("%s%s: %s by %s", g.op, rows, g.ours, theirs)
}

// outcomes holds the goals against the table; those without a measured case are left out.
func outcomes(t *peers.Table) []outcome {
	var out []outcome
	best := t.Best()
	for _, g := range goals() {
		o := outcome{goal: g}
		for _, ours := range best {
			if ours.Case.Op != g.op || ours.Name != g.ours || g.to > 0 && (ours.Case.M < g.from || ours.Case.M > g.to) {
				continue
			}
			theirs, ok := fastest(best, ours.Case, g.theirs)
			if !ok {
				continue
			}
			ratio := pair(t.Seed, ours, theirs)
			o.cases++
			if ratio.Value >= g.least {
				o.reached++
			}
			if o.cases == 1 || ratio.Value < o.worst.Value {
				o.worst = ratio
			}
		}
		if o.cases > 0 {
			out = append(out, o)
		}
	}
	return out
}

// fastest is the best result of a case among some names.
func fastest(best []peers.Result, c peers.Case, names []string) (r peers.Result, ok bool) {
	for _, b := range best {
		if b.Case != c || !slices.Contains(names, b.Name) {
			continue
		}
		if !ok || c.Op != peers.Memory && b.Spread().Median < r.Spread().Median || c.Op == peers.Memory && b.Bytes-b.Base < r.Bytes-r.Base {
			r, ok = b, true
		}
	}
	return r, ok
}

// pair says how many times faster a is than b, whoever they are, with the interval over the paired rounds.
func pair(seed uint64, a, b peers.Result) peers.Ratio {
	a.Rival, b.Rival = "", "other"
	t := peers.Table{Seed: seed, Results: []peers.Result{a, b}}
	if rs := t.Ratios(); len(rs) == 1 {
		return rs[0]
	}
	return peers.Ratio{}
}
