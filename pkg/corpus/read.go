package corpus

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/therootcompany/xz"
)

// maxText bounds the memory that a file may claim once it is unpacked.
const maxText = 1 << 30

// maxDictionary bounds what an .xz file may ask for: the format's strongest preset needs 64 MiB.
const maxDictionary = 64 << 20

// errStop ends the reading of documents early.
var errStop = errors.New("enough")

// withFile opens a file, unpacked if its name ends in .gz or .xz.
func withFile(path string, fn func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var r io.Reader = bufio.NewReaderSize(f, 1<<16)
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("read %s: expected gzip data: %w", path, err)
		}
		r = z
	}
	if strings.HasSuffix(path, ".xz") {
		z, err := xz.NewReader(r, maxDictionary)
		if err != nil {
			return fmt.Errorf("read %s: expected xz data: %w", path, err)
		}
		r = z
	}
	if err := fn(r); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// readAll reads a whole file of text.
func readAll(path string) (b []byte, err error) {
	err = withFile(path, func(r io.Reader) error {
		b, err = io.ReadAll(io.LimitReader(r, maxText+1))
		if err == nil && len(b) > maxText {
			err = fmt.Errorf("expected at most %d bytes of text, found more", maxText)
		}
		return err
	})
	return b, err
}

// readFile reads a user's file: documents of .jsonl, .jsonl.gz and .jsonl.xz joined by two
// newlines, anything else as it is.
func readFile(path string) ([]byte, error) {
	if name := strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".xz"); !strings.HasSuffix(name, ".jsonl") {
		return readAll(path)
	}
	return joinDocuments(path, "\n\n", 0)
}

// readRawRows makes the text of a raw WikiText file.
func readRawRows(path string) ([]byte, error) {
	b, err := readAll(path)
	if err != nil {
		return nil, err
	}
	return joinRows(rawRows(b)), nil
}

// rawRows cuts a raw WikiText file into rows (see the package comment).
func rawRows(b []byte) [][]byte {
	lines := bytes.SplitAfter(b, []byte("\n"))
	if len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	for i, l := range lines {
		if len(bytes.Trim(l, " \n")) == 0 {
			lines[i] = nil
		}
	}
	return lines
}

// joinRows joins rows by two newlines.
func joinRows(rows [][]byte) []byte { return bytes.Join(rows, []byte("\n\n")) }

// readC4 makes the C4 text from JSON lines.
func readC4(path string) ([]byte, error) { return joinDocuments(path, " ", c4Documents) }

// joinDocuments joins the field "text" of the first n JSON lines (0: of all).
func joinDocuments(path, separator string, n int) ([]byte, error) {
	var out []byte
	count := 0
	err := withFile(path, func(r io.Reader) error {
		err := documents(r, func(text string) error {
			if count > 0 {
				out = append(out, separator...)
			}
			out = append(out, text...)
			if len(out) > maxText {
				return fmt.Errorf("expected at most %d bytes of text, found more", maxText)
			}
			if count++; count == n {
				return errStop
			}
			return nil
		})
		if errors.Is(err, errStop) {
			return nil
		}
		if err == nil && count < n {
			err = fmt.Errorf("expected %d documents, found %d", n, count)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// documents calls fn with the field "text" of each line.
func documents(r io.Reader, fn func(text string) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 1<<16), 64<<20)
	for number := 1; s.Scan(); number++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var d struct {
			Text *string `json:"text"`
		}
		if err := json.Unmarshal(s.Bytes(), &d); err != nil {
			return fmt.Errorf("line %d: expected a JSON object: %w", number, err)
		}
		if d.Text == nil {
			return fmt.Errorf(`line %d: expected a field "text", found none`, number)
		}
		if err := fn(*d.Text); err != nil {
			return err
		}
	}
	return s.Err()
}
