package readme

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// TrainingFile is the record of a training run in a model's folder.
const TrainingFile = "training.json"

// Training is what a trainer says of a finished run. Settings may stand at the top or
// in an object "recipe"; the curve is a list of points or the name of a file beside
// the record that holds one a line.
type Training struct {
	Model     string `json:"model"`
	Data      string `json:"data"`             // the text, in words; "": see dataText
	Train     string `json:"train_sha256"`     // of the tokens trained on
	Tokenizer string `json:"tokenizer_sha256"` // of tokenizer.json
	Backend   string `json:"backend"`
	Device    string `json:"device"`
	Precision string `json:"precision"`

	Seed    uint64  `json:"seed"`
	Batch   int     `json:"batch"`
	Window  int     `json:"window"`
	Rate    float64 `json:"learning_rate"`
	Floor   float64 `json:"learning_rate_floor"`
	Warmup  int     `json:"warmup_steps"`
	Decay   float64 `json:"weight_decay"`
	Clip    float64 `json:"clip"`
	Dropout float64 `json:"dropout"`
	Average float64 `json:"average"`
	Chunks  int     `json:"attention_chunks"`
	Embed   bool    `json:"decay_embeddings"`
	Same    bool    `json:"deterministic"`

	Steps   int      `json:"steps"`
	Tokens  int64    `json:"tokens"`
	Loss    float64  `json:"loss"`  // nats a token, mean of the last steps
	Valid   *float64 `json:"valid"` // over the whole held-out text
	Seconds float64  `json:"seconds"`
	Speed   float64  `json:"tokens_per_second"`
	Share   float64  `json:"share_of_peak"` // of the device's bf16 products, 0…1; 0: not told

	Curve []Point `json:"-"`
}

// Point is a point of the training curve.
type Point struct {
	Tokens int64    `json:"tokens"`
	Loss   float64  `json:"loss"`
	Valid  *float64 `json:"valid"`
}

// ReadTraining reads the record in a model's folder; it wraps fs.ErrNotExist if there is none.
func ReadTraining(dir fs.FS) (*Training, error) {
	raw, err := fs.ReadFile(dir, TrainingFile)
	if err != nil {
		return nil, err
	}
	return parse(raw, dir)
}

// ParseTraining reads a record that holds its curve.
func ParseTraining(raw []byte) (*Training, error) { return parse(raw, nil) }

func parse(raw []byte, dir fs.FS) (*Training, error) {
	fail := func(err error) (*Training, error) { return nil, fmt.Errorf("readme: %s: %w", TrainingFile, err) }
	t := new(Training)
	var parts struct {
		Recipe json.RawMessage `json:"recipe"`
		Curve  json.RawMessage `json:"curve"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return fail(err)
	}
	if parts.Recipe != nil { // first: it has the number of steps that was asked for, the top the one done
		if err := json.Unmarshal(parts.Recipe, t); err != nil {
			return fail(fmt.Errorf("recipe: %w", err))
		}
	}
	if err := json.Unmarshal(raw, t); err != nil {
		return fail(err)
	}
	var file string
	switch {
	case parts.Curve == nil:
	case json.Unmarshal(parts.Curve, &file) == nil && dir != nil:
		lines, err := fs.ReadFile(dir, file)
		if err != nil {
			return fail(fmt.Errorf("curve: %v", err)) // not to be taken for a record that is not there
		}
		if t.Curve, err = readCurve(lines); err != nil {
			return fail(fmt.Errorf("curve %s: %w", file, err))
		}
	default:
		if err := json.Unmarshal(parts.Curve, &t.Curve); err != nil {
			return fail(fmt.Errorf("curve: expected points or the name of a file: %w", err))
		}
	}
	return t, t.check()
}

func readCurve(raw []byte) (points []Point, err error) {
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var p Point
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return nil, err
		}
		points = append(points, p)
	}
	return points, lines.Err()
}

// check refuses a record without what a card has to say.
func (t *Training) check() error {
	for name, ok := range map[string]bool{
		"model": t.Model != "", "steps": t.Steps > 0, "tokens": t.Tokens > 0, "batch": t.Batch > 0, "window": t.Window > 0,
		"learning_rate": t.Rate > 0, "seconds": t.Seconds > 0, "loss": t.Loss > 0 && !math.IsInf(t.Loss, 0), "precision": t.Precision != "", "train_sha256": t.Train != "",
	} {
		if !ok {
			return fmt.Errorf("readme: %s: expected the field %s, found none or nothing in it", TrainingFile, name)
		}
	}
	return nil
}

// command is what trains the model again, for the length that the run had.
func (t *Training) command() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, " "+format, args...) }
	b.WriteString("go run ./kernels/illm train pretrain")
	p("--model %s --tokens DIR/train.bin --valid DIR/valid.bin --tokenizer data/models/%s/tokenizer.json --out OUT --checkpoint RUN", t.Model, t.Model)
	p("--steps %d --batch %d --window %d --lr %g --lr-floor %g --warmup %d --weight-decay %g --clip %g", t.Steps, t.Batch, t.Window, t.Rate, t.Floor, t.Warmup, t.Decay, t.Clip)
	p("--dropout %g --average %g --attention-chunks %d --decay-embeddings=%t --precision %s --seed %d --deterministic=%t", t.Dropout, t.Average, max(1, t.Chunks), t.Embed, t.Precision, t.Seed, t.Same)
	return b.String()
}

// errNoCurve says that a record has no points to draw.
var errNoCurve = errors.New("readme: the training record has no curve")

// curvePoints bounds the points of the drawn curve: each is the mean of its stretch.
const curvePoints = 60

// CurveSVG draws the loss of training and validation over the tokens seen.
func (t *Training) CurveSVG() (string, error) {
	if len(t.Curve) < 2 {
		return "", errNoCurve
	}
	const million = 1e6
	train, valid := chart.Series{Name: "training"}, chart.Series{Name: "validation"}
	stretch := (len(t.Curve) + curvePoints - 1) / curvePoints
	for at := 0; at < len(t.Curve); at += stretch {
		part := t.Curve[at:min(at+stretch, len(t.Curve))]
		sum := 0.0
		for _, p := range part {
			sum += p.Loss
		}
		train.Points = append(train.Points, chart.Point{X: float64(part[len(part)-1].Tokens) / million, Y: sum / float64(len(part))})
	}
	for _, p := range t.Curve {
		if p.Valid != nil {
			valid.Points = append(valid.Points, chart.Point{X: float64(p.Tokens) / million, Y: *p.Valid})
		}
	}
	c := &chart.Chart{Kind: chart.KindLine, Title: "Loss of " + t.Model, X: chart.Axis{Name: "tokens seen", Unit: "millions"},
		Y: chart.Axis{Name: "loss", Unit: "nats per token", Better: chart.Lower}, Series: []chart.Series{train}}
	if len(valid.Points) > 1 {
		c.Series = append(c.Series, valid)
	}
	o, err := c.Render()
	return o.SVG, err
}
