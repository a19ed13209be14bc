package readme

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// Run is what a trainer leaves behind, raw.
type Run struct {
	Model   string
	State   []byte // a checkpoint file, or its header alone, JSON with an object "recipe"
	Summary []byte // what the trainer printed at its end: JSON with steps, tokens, loss, valid, seconds
	Curve   []byte // curve.jsonl
	Device  string
	Share   float64 // of the device's bf16 peak, 0…1; 0: not told
}

// checkpointMagic starts a checkpoint of package pretrain; the header's length follows, little-endian.
const checkpointMagic = "illm pretrain 1\n"

// storedPoints bounds the curve that a training record keeps.
const storedPoints = 400

// Assemble makes the training record of a finished run.
func Assemble(r Run) ([]byte, error) {
	state := r.State
	if rest, ok := bytes.CutPrefix(state, []byte(checkpointMagic)); ok {
		if len(rest) < 8 || binary.LittleEndian.Uint64(rest) > uint64(len(rest)-8) {
			return nil, fmt.Errorf("readme: checkpoint: the header is cut off: name a complete file")
		}
		state = rest[8:][:binary.LittleEndian.Uint64(rest)]
	}
	var s struct {
		Recipe map[string]any `json:"recipe"`
	}
	if err := json.Unmarshal(state, &s); err != nil || s.Recipe == nil {
		return nil, fmt.Errorf("readme: state: expected a checkpoint, or JSON with an object recipe (%v)", err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(r.Summary, &out); err != nil {
		return nil, fmt.Errorf("readme: summary: expected the line of JSON that the trainer prints at its end: %w", err)
	}
	curve, err := readCurve(r.Curve)
	if err != nil {
		return nil, fmt.Errorf("readme: curve: %w", err)
	}
	out["model"], out["device"], out["recipe"], out["curve"] = r.Model, r.Device, s.Recipe, thin(curve)
	tokens, _ := out["tokens"].(float64)
	if seconds, _ := out["seconds"].(float64); seconds > 0 {
		out["tokens_per_second"] = float64(int64(tokens / seconds))
	}
	if r.Share > 0 {
		out["share_of_peak"] = r.Share
	}
	return json.MarshalIndent(out, "", " ")
}

// thin joins neighbouring points, losses as their mean; measured validations stay.
func thin(curve []Point) []Point {
	stretch := (len(curve) + storedPoints - 1) / storedPoints
	var out []Point
	var sum float64
	var n int
	for i, p := range curve {
		sum, n = sum+p.Loss, n+1
		if p.Valid == nil && n < stretch && i < len(curve)-1 {
			continue
		}
		out = append(out, Point{p.Tokens, float64(int(sum/float64(n)*1e5+0.5)) / 1e5, p.Valid})
		sum, n = 0, 0
	}
	return out
}
