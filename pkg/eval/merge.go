package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/record"
)

// MergeJournals adds the finished windows and questions of the journals in the folders from to those in dst, which is
// made if missing, and returns how many were new. Each file of dst that gains some is rewritten in the order of its
// windows, or questions, so the result has the same bytes whatever the order of the folders. Lines that are neither (torn
// ones) are left behind.
//
// Two journals of one name that disagree about a window or question are an error: equal names mean equal model, text and
// code, and equal windows then have equal bits.
func MergeJournals(dst string, from ...string) (added int, err error) {
	all := map[string]map[string][]byte{}
	read := func(dir string, count bool) error {
		names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err != nil {
			return err
		}
		for _, path := range names {
			name := filepath.Base(path)
			if all[name] == nil {
				all[name] = map[string][]byte{}
			}
			n, err := readJournal(path, all[name])
			if err != nil {
				return err
			}
			if count {
				added += n
			}
		}
		return nil
	}
	if err := read(dst, false); err != nil {
		return 0, fmt.Errorf("eval: merge: %w", err)
	}
	for _, dir := range from {
		if _, err := os.Stat(filepath.Dir(dir)); err != nil { // a part without work leaves no journal
			return 0, fmt.Errorf("eval: merge: records folder of %s: %w", dir, err)
		}
		if err := read(dir, true); err != nil {
			return 0, fmt.Errorf("eval: merge: %w", err)
		}
	}
	if err := os.MkdirAll(dst, 0o755); err != nil {
		return 0, fmt.Errorf("eval: merge: %w", err)
	}
	for name, lines := range all {
		if err := writeJournal(filepath.Join(dst, name), lines); err != nil {
			return 0, fmt.Errorf("eval: merge: %w", err)
		}
	}
	return added, nil
}

// unit is one finished window or question of a journal.
type unit struct {
	order string // windows by number, questions by row and tokens
	line  []byte
}

// units takes a whole line apart: a window, or a list of questions. What is neither gives none.
func units(b []byte) (out []unit) {
	var w line
	if json.Unmarshal(b, &w) == nil {
		if w.Index >= 0 && w.N >= 1 {
			out = append(out, unit{fmt.Sprintf("window %09d", w.Index), bytes.Clone(b)})
		}
		return out
	}
	var list []choiceEntry
	if json.Unmarshal(b, &list) != nil {
		return nil
	}
	for _, q := range list {
		if !plausible(q.LL) || q.Question == "" {
			continue
		}
		if one, err := json.Marshal([]choiceEntry{q}); err == nil {
			out = append(out, unit{fmt.Sprintf("question %09d %s", q.Row, q.Question), one})
		}
	}
	return out
}

// by is what computed a unit, "" for this program's own code.
func by(b []byte) string {
	var w line
	if json.Unmarshal(b, &w) == nil {
		return w.By
	}
	var list []choiceEntry
	if json.Unmarshal(b, &list) == nil && len(list) > 0 {
		return list[0].By
	}
	return ""
}

// readJournal adds what a journal has finished to lines and returns how much of it is new. Of what backends have computed
// differently this program's own stays, else the first by the backend's name and its bytes.
func readJournal(path string, lines map[string][]byte) (added int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	err = record.ReadLines(f, func(_ int, b []byte, whole bool) error {
		if !whole {
			return nil
		}
		for _, u := range units(b) {
			switch old, ok := lines[u.order]; {
			case !ok:
				lines[u.order] = u.line
				added++
			case bytes.Equal(old, u.line):
			case by(old) != "" || by(u.line) != "":
				// Float models differ in their last bits from one backend to another, and on an accelerator from run to run.
				if c := strings.Compare(by(u.line), by(old)); c < 0 || c == 0 && bytes.Compare(u.line, old) < 0 {
					lines[u.order] = u.line
				}
			default:
				return fmt.Errorf("%s: %s differs between two journals of the same name: one of them comes from other code or is damaged: remove it", path, u.order)
			}
		}
		return nil
	})
	return added, err
}

// writeJournal puts the lines at path in their order, whole or not at all. A journal without any is left as it is.
func writeJournal(path string, lines map[string][]byte) error {
	if len(lines) == 0 {
		return nil
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(lines)) {
		b.Write(lines[key])
		b.WriteByte('\n')
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == b.String() {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".merge-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(b.String())
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(tmp.Name(), path)
}
