package ptq

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"sync"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
)

// Calibration is what a pass of the float model over calibration text gives.
type Calibration struct {
	MaxAbs  float64 `json:"max_abs"` // largest |h| of the residual stream
	Hash    string  `json:"sha256"`  // of the token ids, little-endian uint32, windows in order
	Windows int     `json:"windows"`
	Window  int     `json:"window"`
	Text    string  `json:"text"` // name of the corpus
}

// CalibrationWindows is the number of windows of a round-to-nearest
// calibration; CalibrationWindow their length in tokens.
const (
	CalibrationWindows = 16
	CalibrationWindow  = 2048
)

// Windows cuts the first n windows of the given length from ids; where the text
// is shorter than one window it is one window of what there is.
func Windows(ids []int32, n, length int) [][]int32 {
	if len(ids) < length {
		return [][]int32{ids}
	}
	var w [][]int32
	for i := 0; i < n && (i+1)*length <= len(ids); i++ {
		w = append(w, ids[i*length:(i+1)*length])
	}
	return w
}

// Hash is the calibration hash of token windows.
func Hash(windows [][]int32) string {
	h := sha256.New()
	for _, w := range windows {
		for _, id := range w {
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], uint32(id))
			h.Write(b[:])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// maxTap keeps the largest magnitude of the residual stream.
type maxTap struct {
	mu  sync.Mutex
	max float32
	bad bool
}

// Tap reads the residual rows and leaves them as they are.
func (t *maxTap) Tap(b *floatref.Block) {
	if b.Site != floatref.Residual && b.Site != floatref.ResidualMid {
		return
	}
	var top float32
	bad := false
	for r := range b.Rows {
		for _, v := range b.Row(r) {
			if v < 0 {
				v = -v
			}
			if !(v <= math.MaxFloat32) {
				bad = true
			}
			top = max(top, v)
		}
	}
	t.mu.Lock()
	t.max, t.bad = max(t.max, top), t.bad || bad
	t.mu.Unlock()
}

// Calibrate runs the float model over the windows and returns the range of its
// residual stream. progress, if not nil, is called after each window.
func Calibrate(ctx context.Context, m *model.Model, text string, windows [][]int32, threads int, progress func(done, total int)) (Calibration, error) {
	return CalibrateFrom(ctx, m.Config, m, floatref.Options{Threads: threads}, text, windows, progress)
}

// CalibrateFrom is Calibrate of weights from any source; opt says what acts at run
// time. Its tap must leave the residual stream alone.
func CalibrateFrom(ctx context.Context, cfg model.Config, src floatref.Source, opt floatref.Options, text string, windows [][]int32, progress func(done, total int)) (Calibration, error) {
	if len(windows) == 0 || len(windows[0]) == 0 {
		return Calibration{}, fmt.Errorf("ptq: calibrate: expected at least one token of text")
	}
	var tap maxTap
	if opt.Tap == nil {
		opt.Tap = &tap
	} else {
		opt.Tap = floatref.Taps{opt.Tap, &tap}
	}
	ref, err := floatref.NewFrom(cfg, src, opt)
	if err != nil {
		return Calibration{}, fmt.Errorf("ptq: calibrate: %w", err)
	}
	s, err := ref.NewSession(len(windows[0]))
	if err != nil {
		return Calibration{}, fmt.Errorf("ptq: calibrate: %w", err)
	}
	for i, w := range windows {
		if err := ctx.Err(); err != nil {
			return Calibration{}, err
		}
		s.Reset()
		if _, err := s.Append(w); err != nil {
			return Calibration{}, fmt.Errorf("ptq: calibrate: window %d: %w", i, err)
		}
		if progress != nil {
			progress(i+1, len(windows))
		}
	}
	if tap.bad {
		return Calibration{}, fmt.Errorf("ptq: calibrate: the float model's residual stream is not finite: the weights are damaged")
	}
	return Calibration{MaxAbs: float64(tap.max), Hash: Hash(windows), Windows: len(windows), Window: len(windows[0]), Text: text}, nil
}
