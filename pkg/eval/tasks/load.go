package tasks

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/illm-go/illm/pkg/hub"
)

// Set is the items of a task.
type Set struct {
	Task   Task
	Items  []Item
	Source string // file or data set that they were read from
}

// Options say where to look; the zero value follows the environment.
type Options struct {
	Data   string      // folder laid out as ILLM_DATA; "": ILLM_DATA
	Client *hub.Client // cache and network; nil: the zero Client
}

const (
	maxFile = 64 << 20 // bytes of a task's file, unpacked
	maxLine = 1 << 20
)

// Load returns the items of the task. An error that wraps hub.ErrUnavailable means: not on this machine, and the network
// did not give them.
func Load(ctx context.Context, t Task, opt Options) (*Set, error) {
	if opt.Client == nil {
		opt.Client = new(hub.Client)
	}
	if opt.Data == "" {
		opt.Data = os.Getenv("ILLM_DATA")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("tasks: load %s: %w", t.Name, err)
	}
	if opt.Data != "" {
		path := filepath.Join(opt.Data, filepath.FromSlash(t.File))
		s, err := t.readFile(path)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("tasks: load %s: %w: replace the file, or unset ILLM_DATA to have it downloaded", t.Name, err)
		}
	}
	cached, err := cachePath(opt.Client, t)
	if err != nil {
		return nil, fmt.Errorf("tasks: load %s: %w", t.Name, err)
	}
	if s, err := t.readFile(cached); err == nil {
		return s, nil // a damaged one is made anew
	}
	return t.download(ctx, opt.Client, cached)
}

// cachePath is where the lines of a downloaded task are kept.
func cachePath(c *hub.Client, t Task) (string, error) {
	dir := c.Cache
	if dir == "" {
		var err error
		if dir, err = hub.CacheDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, filepath.FromSlash(t.File)), nil
}

// readFile reads and checks a task's file, packed by gzip.
func (t Task) readFile(path string) (*Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("read %s: expected gzip data: %w", path, err)
	}
	s, err := t.read(z, path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return s, s.check()
}

// read parses lines; empty ones count but say nothing.
func (t Task) read(r io.Reader, source string) (*Set, error) {
	s := &Set{Task: t, Source: source}
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	sc := bufio.NewScanner(limited)
	sc.Buffer(make([]byte, 1<<16), maxLine)
	for row := 0; sc.Scan(); row++ {
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		it, err := t.parse(sc.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", row+1, err)
		}
		it.Row = row
		s.Items = append(s.Items, it)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("line %d: expected lines of at most %d bytes: %w", len(s.Items)+1, maxLine, err)
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("expected at most %d bytes of text, found more", maxFile)
	}
	return s, nil
}

// check compares the items with what the task states.
func (s *Set) check() error {
	if len(s.Items) != s.Task.Items {
		return fmt.Errorf("%s: expected %d items, found %d", s.Source, s.Task.Items, len(s.Items))
	}
	if got := s.Hash(); got != s.Task.SHA256 {
		return fmt.Errorf("%s: expected the items with sha256 %s, found others with %s", s.Source, s.Task.SHA256, got)
	}
	return nil
}

// Hash is the SHA-256 of what the items ask, in their order: for each one gold and the number of choices, and for each
// choice context, continuation and characters; numbers as 8 bytes little-endian, texts behind their length in bytes.
// Names of items and the form of the file do not count.
func (s *Set) Hash() string {
	h := sha256.New()
	var b []byte
	for _, it := range s.Items {
		b = binary.LittleEndian.AppendUint64(b[:0], uint64(it.Gold))
		b = binary.LittleEndian.AppendUint64(b, uint64(len(it.Choices)))
		for _, c := range it.Choices {
			for _, text := range []string{c.Context, c.Continuation} {
				b = binary.LittleEndian.AppendUint64(b, uint64(len(text)))
				b = append(b, text...)
			}
			b = binary.LittleEndian.AppendUint64(b, uint64(c.Chars))
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}
