package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/record"
)

// MergeJournals adds the finished windows of the journals in the folders from to those in dst, which is made if
// missing, and returns how many windows were new. Each file of dst that gains some is rewritten in the order of its
// windows, so the result has the same bytes whatever the order of the folders. Lines that are no finished window (torn
// ones) are left behind.
//
// Two journals of one name that disagree about a window are an error: equal names mean equal model, text and code, and
// equal windows then have equal bits.
func MergeJournals(dst string, from ...string) (added int, err error) {
	all := map[string]map[int][]byte{}
	read := func(dir string, count bool) error {
		names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err != nil {
			return err
		}
		for _, path := range names {
			name := filepath.Base(path)
			if all[name] == nil {
				all[name] = map[int][]byte{}
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

// readJournal adds the whole lines of a journal to lines and returns how many are new.
func readJournal(path string, lines map[int][]byte) (added int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	err = record.ReadLines(f, func(_ int, b []byte, whole bool) error {
		var l line
		if !whole || json.Unmarshal(b, &l) != nil || l.Index < 0 || l.N < 1 {
			return nil
		}
		switch old, ok := lines[l.Index]; {
		case !ok:
			lines[l.Index] = bytes.Clone(b)
			added++
		case !bytes.Equal(old, b):
			return fmt.Errorf("%s: window %d differs between two journals of the same name: one of them comes from other code or is damaged: remove it", path, l.Index)
		}
		return nil
	})
	return added, err
}

// writeJournal puts the lines at path in the order of their windows, whole or not at all.
func writeJournal(path string, lines map[int][]byte) error {
	var order []int
	for i := range lines {
		order = append(order, i)
	}
	slices.Sort(order)
	var b strings.Builder
	for _, i := range order {
		b.Write(lines[i])
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
