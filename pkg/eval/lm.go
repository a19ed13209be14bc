package eval

import (
	"context"
	"time"

	"github.com/illm-go/illm/pkg/record"
)

// LM is a language model as this package sees it.
type LM interface {
	// Vocab returns the number V of tokens.
	Vocab() int

	// Logits runs the model over tokens from an empty cache and calls fn once for
	// each position; logits [V] score the token after tokens[pos], up to a
	// constant. fn may be called for several positions at once and in any order;
	// logits are only valid until fn returns. An error of fn ends the run and is
	// returned.
	Logits(ctx context.Context, tokens []int32, fn func(pos int, logits []float32) error) error
}

// Counter is an LM that counts things while it runs, such as codes that were cut off.
type Counter interface {
	LM

	// Counts returns the totals so far, always as many. Run keeps each window's share in the journal, so that windows
	// that were finished earlier or elsewhere count too.
	Counts() []int64
}

// Variant is a model to be scored.
type Variant struct {
	Name string
	LM   LM

	// Key identifies model and configuration for the journal, as record.Hash of
	// everything that can change a bit of its logits. Empty: not journalled.
	Key string
}

// Options of Run; the zero value is the protocol of the paper's tables: every
// whole window of 2048 tokens, no journal.
type Options struct {
	Window  int // tokens in a window; 0: 2048
	First   int // number of the first window
	Windows int // windows to score; 0: all from First on

	Journal string // folder for finished windows; "": none
	BaseKey string // identifies the base model as Variant.Key does a variant
	By      string // what computes in place of this program's own code, kept with every window; "": nothing does

	// KeepPositions keeps the KL divergence of each position in Result.KL.
	KeepPositions bool

	// Progress is told of each finished (window, variant), from one goroutine.
	Progress func(Progress)
}

// Progress is one step of a run.
type Progress struct {
	Done, Total int           // windows × models, the base included if it must run
	Window      int           // number of the window
	Model       string        // name of the variant, "base" for the base model
	Reused      bool          // read from the journal
	Took        time.Duration // of this step
	MeanNLL     float64       // of this window
}

// Report is what Run returns.
type Report struct {
	Window, First, Windows int
	Base                   *Result // nil without a base model
	Results                []Result
}

// Result is one model's score.
type Result struct {
	Name    string
	Window  int                 // tokens in a window
	Stats   []record.WindowStat // one a window, in order
	KL      []float32           // per position, windows in order; only with KeepPositions
	Summary Summary
	Counts  []int64       // of a Counter, over all windows; nil for another LM
	Wall    time.Duration // spent on this model; windows from the journal count nothing
	Reused  int           // windows that came from the journal
	By      []string      // what computed windows in place of this program's own code (Options.By)
}
