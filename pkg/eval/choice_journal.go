package eval

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/record"
)

// choiceJournalFormat is raised when a line's meaning changes.
const choiceJournalFormat = 1

// flushAfter is how long a finished question may wait to be written: writing syncs the disk, which takes longer than a
// question does on a small model.
const flushAfter = time.Second

// choiceEntry is one finished question; a line of the file holds a list of them.
type choiceEntry struct {
	Question string    `json:"q"` // hashQuestion
	Row      int       `json:"i"`
	LL       []float64 `json:"ll"`
	By       string    `json:"by,omitempty"`
}

// choiceJournal is the file of one model; the zero value forgets everything.
type choiceJournal struct {
	path    string // "": none
	by      string // of new entries
	old     map[string]choiceEntry
	pending []choiceEntry
	last    time.Time
}

// hashQuestion returns the first 16 bytes of the SHA-256 of what the model reads and is scored on, as hex: for each choice
// the number of tokens of input and target, then the tokens, all as little-endian uint32.
func hashQuestion(q tasks.Question) string {
	h := sha256.New()
	var b []byte
	for _, c := range q.Choices {
		b = binary.LittleEndian.AppendUint32(b[:0], uint32(len(c.Input)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(c.Target)))
		for _, list := range [2][]int32{c.Input, c.Target} {
			for _, t := range list {
				b = binary.LittleEndian.AppendUint32(b, uint32(t))
			}
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// openChoiceJournal reads the finished questions of the model. A line that is torn or damaged counts as not done.
func openChoiceJournal(opt ChoiceOptions) (*choiceJournal, error) {
	j := &choiceJournal{last: time.Now(), by: opt.By}
	if opt.Journal == "" || opt.Key == "" {
		return j, nil
	}
	name, err := record.Hash(struct {
		Kind   string
		Format int
		Model  string
	}{"choices", choiceJournalFormat, opt.Key})
	if err != nil {
		return nil, fmt.Errorf("eval: journal: %w", err)
	}
	j.path, j.old = filepath.Join(opt.Journal, name+".jsonl"), map[string]choiceEntry{}
	f, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("eval: journal: %w", err)
	}
	defer f.Close()
	err = record.ReadLines(f, func(_ int, b []byte, whole bool) error {
		var list []choiceEntry
		if whole && json.Unmarshal(b, &list) == nil {
			for _, e := range list {
				if plausible(e.LL) {
					j.old[e.Question] = e
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("eval: journal %s: %w: remove the file to start over", j.path, err)
	}
	return j, nil
}

// plausible tells whether the numbers can be logarithms of probabilities (which rounding may lift above 0 a little).
func plausible(ll []float64) bool {
	for _, v := range ll {
		if math.IsNaN(v) || math.IsInf(v, 0) || v > 1e-9 {
			return false
		}
	}
	return true
}

// add takes a finished question and writes those that wait, once a second.
func (j *choiceJournal) add(hash string, row int, ll []float64) error {
	if j.path == "" {
		return nil
	}
	j.pending = append(j.pending, choiceEntry{hash, row, ll, j.by})
	if time.Since(j.last) < flushAfter {
		return nil
	}
	return j.flush()
}

// flush writes the questions that wait; they are on disk when it returns.
func (j *choiceJournal) flush() error {
	if len(j.pending) == 0 {
		return nil
	}
	b, err := json.Marshal(j.pending)
	if err == nil {
		err = record.AppendLine(j.path, b)
	}
	if err != nil {
		return fmt.Errorf("eval: journal: %w", err)
	}
	j.pending, j.last = j.pending[:0], time.Now()
	return nil
}
