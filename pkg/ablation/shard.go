package ablation

import (
	"fmt"
	"strconv"
	"strings"
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

// Cut divides batches into pieces of at most 8 windows and returns those of the shard: pieces are dealt out in turn, so
// every piece belongs to exactly one of the N shards. Windows of a configuration are scored against the base model
// together, whatever the shard; results depend on the window alone.
func (s Shard) Cut(batches [][]Config) ([][]Config, error) {
	var out [][]Config
	turn := 0
	for _, batch := range batches {
		if len(batch) == 0 {
			continue
		}
		first, total := 0, 1
		cut := !measured(batch[0])
		if cut {
			var err error
			if total, err = batch[0].Int("windows"); err != nil {
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
		}
		step := min(piece, (total+max(s.N, 1)-1)/max(s.N, 1)) // a short text is spread too
		for at := 0; at < total; at += step {
			turn++
			if s.N > 0 && (turn-1)%s.N != s.I-1 {
				continue
			}
			part := make([]Config, len(batch))
			for i, c := range batch {
				d := Config{}
				for k, v := range c {
					d[k] = v
				}
				if cut {
					d["first"], d["windows"] = strconv.Itoa(first+at), strconv.Itoa(min(step, total-at))
				}
				part[i] = d
			}
			out = append(out, part)
		}
	}
	return out, nil
}
