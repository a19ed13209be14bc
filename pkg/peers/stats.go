package peers

import (
	"bufio"
	"context"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// resamples of the bootstrap.
const resamples = 2000

// Spread is a median with its quartiles.
type Spread struct {
	Median, Q1, Q3 float64
	N              int
}

// Spread of the seconds; zero if there are none.
func (r Result) Spread() Spread {
	if len(r.Seconds) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(r.Seconds))
	return Spread{quantile(v, 0.5), quantile(v, 0.25), quantile(v, 0.75), len(v)}
}

// memory is what the model and its run took.
func (r Result) memory() int64 { return r.Bytes - r.Base }

// quantile interpolates between the order statistics of sorted v: the k-th of n
// lies at (k−1)/(n−1). (gonum's LinInterp puts the median of two at the smaller.)
func quantile(v []float64, q float64) float64 {
	x := q * float64(len(v)-1)
	i := int(x)
	j := min(i+1, len(v)-1)
	return v[i] + (x-float64(i))*(v[j]-v[i])
}

// Ratio says how many times faster (Memory: smaller) ours is than a rival: above
// one, ours wins. Value is the median over rounds of their time by ours in the
// same round; Low and High bound it with 95 % confidence (percentile bootstrap
// over rounds; equal to Value where there is one round).
type Ratio struct {
	Case   Case    `json:"case"`
	Ours   string  `json:"ours"`
	Theirs string  `json:"theirs"`
	Rival  string  `json:"rival"`
	Form   string  `json:"form,omitempty"` // the rival's, the better one
	Value  float64 `json:"value"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	N      int     `json:"n"`
}

// Ratios compares each of ours with the better form of each rival, by case.
func (t *Table) Ratios() []Ratio { return t.ratios(false) }

// ratios is Ratios, with own with the others of ours too.
func (t *Table) ratios(own bool) []Ratio {
	var out []Ratio
	best := t.Best()
	for _, ours := range best {
		if ours.Rival != "" {
			continue
		}
		for _, theirs := range best {
			if theirs.Rival == "" && !own || theirs.Name == ours.Name || theirs.Case != ours.Case {
				continue
			}
			r := Ratio{Case: ours.Case, Ours: ours.Name, Theirs: theirs.Name, Rival: theirs.Rival, Form: theirs.Form}
			if r.Case.Op == Memory {
				r.Value, r.N = float64(theirs.memory())/float64(ours.memory()), 1
				r.Low, r.High = r.Value, r.Value
			} else {
				r.Value, r.Low, r.High, r.N = ratio(theirs.Seconds, ours.Seconds, t.seed(r))
			}
			out = append(out, r)
		}
	}
	return out
}

// Best keeps, of the results with numbers that share case and name, the form
// with the smallest median (Memory: the fewest bytes), in the table's order.
func (t *Table) Best() []Result {
	var out []Result
	for _, r := range t.Results {
		if r.Missing != "" || len(r.Seconds) == 0 {
			continue
		}
		i := slices.IndexFunc(out, func(o Result) bool { return o.Case == r.Case && o.Name == r.Name })
		switch {
		case i < 0:
			out = append(out, r)
		case r.Case.Op == Memory && r.memory() < out[i].memory(), r.Case.Op != Memory && r.Spread().Median < out[i].Spread().Median:
			out[i] = r
		}
	}
	return out
}

// seed makes the bootstrap of a ratio independent of the others in the table.
func (t *Table) seed(r Ratio) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.Case.Name() + "\x00" + r.Ours + "\x00" + r.Theirs)) // never fails
	return t.Seed ^ h.Sum64()
}

// ratio is the median of the paired ratios and its 95 % interval.
func ratio(a, b []float64, seed uint64) (value, low, high float64, n int) {
	n = min(len(a), len(b))
	if n == 0 {
		return 0, 0, 0, 0
	}
	pairs := make([]float64, n)
	for i := range pairs {
		pairs[i] = a[i] / b[i]
	}
	value = median(slices.Clone(pairs))
	rnd := rand.New(rand.NewPCG(seed, 0))
	medians, draw := make([]float64, resamples), make([]float64, n)
	for i := range medians {
		for j := range draw {
			draw[j] = pairs[rnd.IntN(n)]
		}
		medians[i] = median(draw)
	}
	slices.Sort(medians)
	return value, quantile(medians, 0.025), quantile(medians, 0.975), n
}

func median(v []float64) float64 { slices.Sort(v); return quantile(v, 0.5) }

// busy is the share of the processors' time that was used while we waited: by
// others, for nothing of ours runs. −1 where the system does not tell.
func busy(ctx context.Context, wait time.Duration) float64 {
	idle0, total0, ok := ticks()
	if !ok || pause(ctx, wait) != nil {
		return -1
	}
	idle, total, _ := ticks()
	if total <= total0 {
		return -1
	}
	return 1 - float64(idle-idle0)/float64(total-total0)
}

// ticks reads the idle and the total time of all processors.
func ticks() (idle, total int64, ok bool) {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) < 6 || fields[0] != "cpu" {
		return 0, 0, false
	}
	for i, s := range fields[1:] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, 0, false
		}
		if i == 3 || i == 4 { // idle, iowait
			idle += n
		}
		if i < 8 { // guest times are within user's
			total += n
		}
	}
	return idle, total, true
}
