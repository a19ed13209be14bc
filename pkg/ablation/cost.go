package ablation

import (
	"cmp"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// Took is how much a block was trained, where, and what it took, as the trainer writes it into the curve.
type Took struct {
	Windows, Batch int
	Tokens         int `json:"window"` // of a window
	Backend        string
	Device         int64 `json:"device_bytes"` // most on the device until then: buffers, and a program's scratch where its compiler tells
	Host           int64 `json:"host_bytes"`   // largest resident set of the process until then
}

// Cost is what the training of a recipe took.
type Cost struct {
	Name, Backend          string
	Blocks, Epochs         int
	Windows, Tokens, Batch int
	Block                  float64 // median seconds of a block, all of it
	Window                 float64 // median milliseconds of a window of training: forward, backward, update
	Device, Host           int64   // 0: not recorded
}

// Cost sums a curve up. made is the header of its factor file, for what the curve itself does not say; nil: none.
func (t *Training) Cost(made map[string]string) Cost {
	c := Cost{Name: t.Name, Blocks: len(t.Blocks), Backend: made["backend"]}
	number := func(key string) int { n, _ := strconv.Atoi(made[key]); return n }
	c.Windows, c.Tokens, c.Batch = number("windows"), number("window"), number("batch")
	var blocks, windows []float64
	for _, b := range t.Blocks {
		if b.Took.Windows > 0 {
			c.Windows, c.Tokens, c.Batch = b.Took.Windows, b.Took.Tokens, b.Took.Batch
		}
		if b.Took.Backend != "" {
			c.Backend = b.Took.Backend
		}
		c.Device, c.Host = max(c.Device, b.Took.Device), max(c.Host, b.Took.Host)
		c.Epochs = max(c.Epochs, len(b.Losses))
		if b.Seconds > 0 {
			blocks = append(blocks, b.Seconds)
		}
	}
	c.Block = middle(blocks)
	for _, b := range t.Blocks {
		for _, s := range b.Epochs {
			if c.Windows > 0 {
				windows = append(windows, 1000*s/float64(c.Windows))
			}
		}
	}
	c.Window = middle(windows)
	if c.Backend == "SimpleGo (go)" {
		c.Backend = "go"
	}
	return c
}

// middle is the upper median, 0 without values.
func middle(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// ReadCosts sums up every curve of a folder and its subfolders; made finds the header of a factor file by the curve's name.
// It is sorted by model, window's cost and name. Trainings that studies repeat without a kind of smoothing, on other windows or
// on fewer are left out: they cost what the plain one does.
func ReadCosts(files fs.FS, made func(name string) map[string]string) ([]Cost, error) {
	var costs []Cost
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".jsonl") {
			return err
		}
		name := strings.TrimSuffix(path, ".jsonl")
		if repeats.MatchString(name) {
			return nil
		}
		t, err := ReadTraining(files, name)
		if err != nil {
			return err
		}
		if t.Name = name[strings.LastIndex(name, "/")+1:]; t.Name == name {
			costs = append(costs, t.Cost(made(name)))
		} else {
			costs = append(costs, t.Cost(nil))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ablation: training costs: %w", err)
	}
	slices.SortStableFunc(costs, func(a, b Cost) int {
		return cmp.Or(cmp.Compare(a.model(), b.model()), cmp.Compare(a.Window, b.Window), cmp.Compare(a.Name, b.Name))
	})
	return costs, nil
}

// repeats matches the variants of Retrained and Calibration.
var repeats = regexp.MustCompile(`@(no_|only_|seed|n)[a-z0-9_]+$`)

// model is the name up to the recipe.
func (c Cost) model() string {
	if i := strings.LastIndex(c.Name, "-w"); i > 0 {
		return c.Name[:i]
	}
	return c.Name
}

// CostTable has a row for each training. What a file does not say is "–".
func CostTable(costs []Cost) chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"training", "backend", "windows × tokens", "batch", "blocks", "epochs", "s a block", "ms a window", "device, GB", "host, GB"}}
	or := func(ok bool, text string) string {
		if !ok {
			return "–"
		}
		return text
	}
	gb := func(n int64) string { return or(n > 0, fmt.Sprintf("%.2f", float64(n)/1e9)) }
	for _, c := range costs {
		g.Rows = append(g.Rows, []string{c.Name, or(c.Backend != "", c.Backend), or(c.Windows > 0, fmt.Sprintf("%d × %d", c.Windows, c.Tokens)), or(c.Batch > 0, strconv.Itoa(c.Batch)),
			strconv.Itoa(c.Blocks), strconv.Itoa(c.Epochs), or(c.Block > 0, fmt.Sprintf("%.3g", c.Block)), or(c.Window > 0, fmt.Sprintf("%.3g", c.Window)), gb(c.Device), gb(c.Host)})
	}
	return g
}

// Jump says into which block the loss with the initial factors grows most, and by how much: where an error comes up that
// training has to begin with.
func (t *Training) Jump() string {
	at, most := 0, 0.0
	for i := 1; i < len(t.Blocks); i++ {
		if before := t.Blocks[i-1].Initial; before > 0 && t.Blocks[i].Initial/before > most {
			at, most = i, t.Blocks[i].Initial/before
		}
	}
	if at == 0 {
		return t.Name + ": the curve has no two blocks to compare."
	}
	return fmt.Sprintf("%s: the initial loss grows most at block %d, from %.3g to %.3g (× %.3g).", t.Name, at, t.Blocks[at-1].Initial, t.Blocks[at].Initial, most)
}

// DaysOn estimates from the cost table what a training takes on a backend where only a short run was made: its milliseconds
// a window there times windows, epochs and blocks of the long one. The short run's windows must be as long, its model the same.
func DaysOn(costs []Cost, name, backend string) (days float64, ok bool) {
	var long, short *Cost
	for i := range costs {
		if c := &costs[i]; c.Name == name {
			long = c
		} else if c.Backend == backend && c.Window > 0 && strings.HasPrefix(c.Name, strings.TrimSuffix(name, "-fsbr")) {
			short = c
		}
	}
	if long == nil || short == nil || short.Tokens != long.Tokens || short.Blocks != long.Blocks {
		return 0, false
	}
	return short.Window / 1000 * float64(long.Windows*long.Epochs*long.Blocks) / 86400, true
}
