package ablation

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/eval/tasks"
)

// Shard is part I of N of a study's work, I = 1 … N. The zero value is all of it.
type Shard struct{ I, N int }

// ParseShard reads "i/n".
func ParseShard(s string) (Shard, error) {
	left, right, ok := strings.Cut(s, "/")
	i, err1 := strconv.Atoi(left)
	n, err2 := strconv.Atoi(right)
	if !ok || err1 != nil || err2 != nil || n < 1 || i < 1 || i > n {
		return Shard{}, fmt.Errorf("shard %q: expected i/n with 1 ≤ i ≤ n, such as 2/8", s)
	}
	return Shard{i, n}, nil
}

// piece is the largest number of windows that one piece of work holds: small enough to spread a long text over many
// machines, large enough that opening the models does not count.
const piece = 8

// Cut divides batches into pieces of at most 8 windows, or of one zero-shot task of one configuration, and returns those
// of the shard: pieces are dealt out in turn, so every piece belongs to exactly one of the N shards. Windows of a
// configuration are scored against the base model together, whatever the shard; results depend on the window, or the
// question, alone. Times cannot be cut: they are errors.
func (s Shard) Cut(batches [][]Config) ([][]Config, error) {
	var out [][]Config
	turn := 0
	for _, batch := range batches {
		if len(batch) == 0 {
			continue
		}
		mine := func() bool { turn++; return s.N == 0 || (turn-1)%s.N == s.I-1 }
		switch batch[0]["corpus"] {
		case Speed:
			return nil, fmt.Errorf("ablation: shard of %s: times belong to a machine, not to a part of the work: set corpus to texts and %s, and measure them in one piece", batch[0], ZeroShot)
		case ZeroShot:
			for _, c := range batch {
				for _, t := range tasks.All() {
					if mine() {
						d := maps.Clone(c)
						d["task"] = t.Name
						out = append(out, []Config{d})
					}
				}
			}
			continue
		}
		first := 0
		total, err := batch[0].Int("windows")
		if err != nil {
			return nil, err
		}
		if batch[0]["first"] != "" {
			if first, err = batch[0].Int("first"); err != nil {
				return nil, err
			}
		}
		if total == 0 {
			return nil, fmt.Errorf("ablation: shard of %s: expected a number of windows, found all: set windows", batch[0])
		}
		step := min(piece, (total+max(s.N, 1)-1)/max(s.N, 1)) // a short text is spread too
		for at := 0; at < total; at += step {
			if !mine() {
				continue
			}
			part := make([]Config, len(batch))
			for i, c := range batch {
				d := maps.Clone(c)
				d["first"], d["windows"] = strconv.Itoa(first+at), strconv.Itoa(min(step, total-at))
				part[i] = d
			}
			out = append(out, part)
		}
	}
	return out, nil
}
