package ablation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/illm-go/illm/pkg/chart"
)

// Training is how the loss of each block fell while a method's factors were trained. The loss is that of the method, in
// units of the block's own output: blocks compare by the part that is left of it.
type Training struct {
	Name   string
	Blocks []BlockTraining
}

// BlockTraining is the training of one block.
type BlockTraining struct {
	Losses  []float64 // mean of each epoch
	Initial float64   // with the initial factors, before the first step
	Final   float64   // with the factors that were kept
	Best    int       // epoch that they are of, from 1; 0: the initial ones
	Seconds float64
	Epochs  []float64 // seconds of each
	Took    Took      // where the curve says so
}

// maxBlocks bounds a number that comes from a file.
const maxBlocks = 4096

// ReadTraining reads the curve NAME.jsonl of a folder, as the trainer wrote it (package fsbr): a line an epoch, and one of
// epoch 0 when a block is done.
func ReadTraining(files fs.FS, name string) (*Training, error) {
	f, err := files.Open(name + ".jsonl")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ablation: training of %s: no curve is shipped: closed-form methods have none, \"illm calibrate\" makes one for the others", name)
	}
	if err != nil {
		return nil, fmt.Errorf("ablation: training of %s: %w", name, err)
	}
	defer f.Close()
	t := &Training{Name: name}
	for dec, n := json.NewDecoder(f), 1; ; n++ {
		var l struct {
			Block, Epoch, Best     int
			Loss, Initial, Seconds float64
			Took
		}
		if err := dec.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("ablation: training of %s, line %d: %w", name, n, err)
		}
		if l.Block < 0 || l.Block > len(t.Blocks) || l.Block >= maxBlocks {
			return nil, fmt.Errorf("ablation: training of %s, line %d: expected block 0 to %d, found %d", name, n, len(t.Blocks), l.Block)
		}
		if l.Block == len(t.Blocks) {
			t.Blocks = append(t.Blocks, BlockTraining{})
		}
		b := &t.Blocks[l.Block]
		if l.Epoch == 0 {
			b.Initial, b.Final, b.Best, b.Seconds = l.Initial, l.Loss, l.Best, l.Seconds
			b.Took = l.Took
			continue
		}
		b.Losses = append(b.Losses, l.Loss)
		b.Epochs = append(b.Epochs, l.Seconds)
	}
	if len(t.Blocks) == 0 {
		return nil, fmt.Errorf("ablation: training of %s: the curve is empty", name)
	}
	return t, nil
}

// Chart draws the loss of every block over the epochs, as a part of what it was with the initial factors.
func (t *Training) Chart() *chart.Chart {
	c := &chart.Chart{Kind: chart.KindLine, Title: "Loss while training", Subtitle: t.Name + ", a line for each block",
		X: chart.Axis{Name: "epoch"}, Y: chart.Axis{Name: "loss / initial loss", Better: chart.Lower}}
	for i, b := range t.Blocks {
		s := chart.Series{Name: strconv.Itoa(i)}
		if b.Initial > 0 {
			s.Points = append(s.Points, chart.Point{X: 0, Y: 1})
			for epoch, loss := range b.Losses {
				s.Points = append(s.Points, chart.Point{X: float64(epoch + 1), Y: loss / b.Initial})
			}
		}
		c.Series = append(c.Series, s)
	}
	return c
}

// Table has a row for each block.
func (t *Training) Table() chart.Grid {
	g := chart.Grid{Head: []string{"block", "initial loss", "loss kept", "part left", "epoch kept", "epochs"}}
	for i, b := range t.Blocks {
		left := "–"
		if b.Initial > 0 {
			left = fmt.Sprintf("%.0f %%", 100*b.Final/b.Initial)
		}
		g.Rows = append(g.Rows, []string{strconv.Itoa(i), short(b.Initial), short(b.Final), left, strconv.Itoa(b.Best), strconv.Itoa(len(b.Losses))})
	}
	return g
}
