package eval

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/illm-go/illm/pkg/record"
)

// runID is what the windows of different variants have in common; with the
// variant's key it names a journal file.
type runID struct {
	Format  int
	Window  int
	Tokens  string
	Base    string
	Variant string
}

// journalFormat is raised when a line's meaning changes.
const journalFormat = 2

// entry is one finished (window, variant).
type entry struct {
	record.WindowStat
	KLs    []float32 // KL divergence by position; nil without a base
	Counts []int64   // what a Counter counted; nil for another model
	By     string    // what computed it, as Options.By
}

// line is the form of an entry in the file: positions as base64 of
// little-endian float32.
type line struct {
	record.WindowStat
	KLs    string  `json:"kls,omitempty"`
	Counts []int64 `json:"counts,omitempty"`
	By     string  `json:"by,omitempty"`
}

// journal is the file of one variant.
type journal struct{ path string }

// hashTokens returns the SHA-256 of the ids as little-endian uint32.
func hashTokens(tokens []int32) string {
	h := sha256.New()
	var b []byte
	for len(tokens) > 0 {
		n := min(len(tokens), 1<<14)
		b = b[:0]
		for _, t := range tokens[:n] {
			b = binary.LittleEndian.AppendUint32(b, uint32(t))
		}
		h.Write(b)
		tokens = tokens[n:]
	}
	return hex.EncodeToString(h.Sum(nil))
}

// openJournal reads the finished windows of the variant called key; n is the
// number of predictions a window has, compared says that lines must carry the
// divergence, counts how many numbers of a Counter. A line that is torn, damaged or of another shape counts as not
// done: its window runs again.
func openJournal(dir string, id runID, key string, n int, compared bool, counts int) (*journal, map[int]entry, error) {
	id.Format, id.Variant = journalFormat, key
	name, err := record.Hash(id)
	if err != nil {
		return nil, nil, fmt.Errorf("eval: journal: %w", err)
	}
	j := &journal{path: filepath.Join(dir, name+".jsonl")}
	old := map[int]entry{}
	f, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, old, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("eval: journal: %w", err)
	}
	defer f.Close()
	err = record.ReadLines(f, func(_ int, b []byte, whole bool) error {
		if e, ok := parseEntry(b, n, compared, counts); whole && ok {
			old[e.Index] = e
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("eval: journal %s: %w: remove the file to start over", j.path, err)
	}
	return j, old, nil
}

func parseEntry(b []byte, n int, compared bool, counts int) (entry, bool) {
	var l line
	if json.Unmarshal(b, &l) != nil || l.Index < 0 || l.N != n || len(l.Counts) != counts {
		return entry{}, false
	}
	raw, err := base64.StdEncoding.DecodeString(l.KLs)
	if err != nil || compared && len(raw) != 4*n || !compared && len(raw) != 0 {
		return entry{}, false
	}
	e := entry{WindowStat: l.WindowStat, Counts: l.Counts, By: l.By}
	for ; len(raw) >= 4; raw = raw[4:] {
		e.KLs = append(e.KLs, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
	}
	return e, true
}

// append writes a finished window; it is on disk when append returns.
func (j *journal) append(e entry) error {
	l := line{WindowStat: e.WindowStat, Counts: e.Counts, By: e.By}
	var raw []byte
	for _, v := range e.KLs {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	l.KLs = base64.StdEncoding.EncodeToString(raw)
	b, err := json.Marshal(l)
	if err == nil {
		err = record.AppendLine(j.path, b)
	}
	if err != nil {
		return fmt.Errorf("eval: journal: %w", err)
	}
	return nil
}
