package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Options says where a store reads and writes; the zero value reads nothing
// shipped and uses the user's default folder.
type Options struct {
	Shipped fs.FS  // folder of shipped *.jsonl files; nil: none
	Dir     string // the user's folder; "": DefaultDir()
	File    string // file within Dir that Append writes; "": "results.jsonl"
}

// Store is a set of records: those shipped, then those of the user's folder.
// It may be used by several goroutines.
type Store struct {
	dir, file string

	mu       sync.Mutex
	records  []*Record
	warnings []string
}

// DefaultDir returns the folder for the user's own records: ILLM_RECORDS, else
// illm/records below the folder for application data ($XDG_DATA_HOME or
// ~/.local/share; on Windows and macOS the folder of os.UserConfigDir).
func DefaultDir() (string, error) {
	if dir := os.Getenv("ILLM_RECORDS"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "illm", "records"), nil
	}
	if runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("record: find the user's folder: %w: set ILLM_RECORDS", err)
		}
		return filepath.Join(home, ".local", "share", "illm", "records"), nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("record: find the user's folder: %w: set ILLM_RECORDS", err)
	}
	return filepath.Join(dir, "illm", "records"), nil
}

// Open reads all records. Lines that are not whole records are left out and
// reported by Warnings; only an unreadable file is an error. The user's folder
// need not exist yet.
func Open(opt Options) (*Store, error) {
	s := &Store{dir: opt.Dir, file: opt.File}
	if s.dir == "" {
		dir, err := DefaultDir()
		if err != nil {
			return nil, err
		}
		s.dir = dir
	}
	if s.file == "" {
		s.file = "results.jsonl"
	}
	if opt.Shipped != nil {
		if err := s.readAll(opt.Shipped, "shipped", true); err != nil {
			return nil, err
		}
	}
	if err := s.readAll(os.DirFS(s.dir), s.dir, false); err != nil {
		return nil, err
	}
	return s, nil
}

// Dir returns the user's folder.
func (s *Store) Dir() string { return s.dir }

// Warnings lists the lines that were left out, with file, line and reason.
func (s *Store) Warnings() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.warnings...)
}

// readAll reads the *.jsonl files at the top of fsys in the order of their names.
func (s *Store) readAll(fsys fs.FS, where string, shipped bool) error {
	entries, err := fs.ReadDir(fsys, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("record: read %s: %w", where, err)
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".jsonl") {
			continue
		}
		if err := s.readFile(fsys, e.Name(), where, shipped); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) readFile(fsys fs.FS, name, where string, shipped bool) error {
	f, err := fsys.Open(name)
	if err != nil {
		return fmt.Errorf("record: read %s: %w", path.Join(filepath.ToSlash(where), name), err)
	}
	defer f.Close()
	err = ReadLines(f, func(number int, line []byte, whole bool) error {
		r, err := parseLine(line)
		if err != nil {
			what := "not a record"
			if !whole {
				what = "cut off in the middle of a write"
			}
			s.warnings = append(s.warnings, fmt.Sprintf("record: read %s line %d: %s: %v: line left out", path.Join(filepath.ToSlash(where), name), number, what, err))
			return nil
		}
		r.Shipped = shipped
		s.records = append(s.records, r)
		return nil
	})
	if err != nil {
		return fmt.Errorf("record: read %s: %w", path.Join(filepath.ToSlash(where), name), err)
	}
	return nil
}

// Reload reads the user's folder again: what other processes have filed since.
func (s *Store) Reload() error {
	fresh := &Store{dir: s.dir, file: s.file}
	if err := fresh.readAll(os.DirFS(s.dir), s.dir, false); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	shipped := slices.IndexFunc(s.records, func(r *Record) bool { return !r.Shipped })
	if shipped < 0 {
		shipped = len(s.records)
	}
	s.records = append(s.records[:shipped:shipped], fresh.records...)
	for _, w := range fresh.warnings {
		if !slices.Contains(s.warnings, w) {
			s.warnings = append(s.warnings, w)
		}
	}
	return nil
}

// Append fills V, Key and Time, and writes the record as the last line of the
// user's file. After it returns nil the record survives a crash.
func (s *Store) Append(r *Record) error {
	key, err := r.ComputeKey()
	if err != nil {
		return err
	}
	c := *r
	c.V, c.Key, c.Shipped = Version, key, false
	if c.Time.IsZero() {
		c.Time = time.Now().UTC().Truncate(time.Second)
	}
	if c.Metrics == nil {
		return fmt.Errorf("record: append %s: expected at least one metric, found none", short(key))
	}
	line, err := json.Marshal(&c)
	if err != nil {
		return fmt.Errorf("record: append %s: %w", short(key), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := AppendLine(filepath.Join(s.dir, s.file), line); err != nil {
		return err
	}
	*r = c
	s.records = append(s.records, &c)
	return nil
}

// Find returns the record with that key: the user's newest, else the shipped one.
func (s *Store) Find(key string) (*Record, bool) {
	return s.find(func(r *Record) bool { return r.Key == key })
}

// FindShipped returns the shipped record with that key.
func (s *Store) FindShipped(key string) (*Record, bool) {
	return s.find(func(r *Record) bool { return r.Shipped && r.Key == key })
}

func (s *Store) find(ok func(*Record) bool) (*Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.records) - 1; i >= 0; i-- {
		if ok(s.records[i]) {
			return s.records[i], true
		}
	}
	return nil, false
}

// Filter returns, in the order of reading, the records for which ok is true.
// The records belong to the store: do not change them.
func (s *Store) Filter(ok func(*Record) bool) []*Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Record
	for _, r := range s.records {
		if ok(r) {
			out = append(out, r)
		}
	}
	return out
}

// Latest returns, of the records for which ok is true, one a key: the user's
// newest before the shipped one. They are ordered by their axes, name by name.
func (s *Store) Latest(ok func(*Record) bool) []*Record {
	newest := map[string]*Record{}
	for _, r := range s.Filter(ok) {
		newest[r.Key] = r
	}
	out := make([]*Record, 0, len(newest))
	for _, r := range newest {
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := axesString(out[i].Axes), axesString(out[j].Axes)
		if a != b {
			return a < b
		}
		return out[i].Key < out[j].Key
	})
	return out
}

func axesString(axes map[string]string) string {
	b, _ := json.Marshal(axes) // sorted by name; strings cannot fail
	return string(b)
}

// short is the form of a key in a message.
func short(key string) string { return key[:min(12, len(key))] }
