package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// maxLine bounds the memory that one line of a damaged file can claim.
const maxLine = 64 << 20

// AppendLine appends data and a newline to the file as one line that readers see
// whole or not at all, even if several processes append at once. Folders and the
// file are made if missing. A last line torn by a crash is ended first, so that
// it spoils nothing but itself.
//
// data must not contain a newline (JSON of encoding/json has none).
func AppendLine(path string, data []byte) (err error) {
	if bytes.IndexByte(data, '\n') >= 0 {
		return fmt.Errorf("record: append to %s: expected one line, found a newline within it", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("record: append to %s: %w: choose a writable folder with ILLM_RECORDS", path, err)
	}
	lock := flock.New(path + ".lock")
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("record: lock %s: %w: choose a writable folder with ILLM_RECORDS", path, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()

	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return fmt.Errorf("record: append: %w: choose a writable folder with ILLM_RECORDS", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()

	line := make([]byte, 0, len(data)+2)
	if torn, err := endsTorn(f); err != nil {
		return fmt.Errorf("record: append: %w", err)
	} else if torn {
		line = append(line, '\n')
	}
	line = append(append(line, data...), '\n')
	if _, err := f.Write(line); err != nil {
		return fmt.Errorf("record: append: %w: make room, or choose another folder with ILLM_RECORDS; the lines before stay", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("record: append: %w: make room, or choose another folder with ILLM_RECORDS; the lines before stay", err)
	}
	return nil
}

// endsTorn tells whether a non-empty file lacks its last newline.
func endsTorn(f *os.File) (bool, error) {
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return false, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], st.Size()-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// ReadLines calls fn with each line of r, without its newline; empty lines are
// passed over. whole is false for a last line that lacks its newline, which is
// what a crash leaves. fn must not keep the slice. A line above 64 MiB ends the
// reading with an error.
func ReadLines(r io.Reader, fn func(number int, line []byte, whole bool) error) error {
	br := bufio.NewReaderSize(r, 1<<16)
	for number := 1; ; number++ {
		var line []byte
		for {
			part, err := br.ReadSlice('\n')
			if len(line)+len(part) > maxLine {
				return fmt.Errorf("line %d: expected at most %d bytes, found more", number, maxLine)
			}
			line = append(line, part...)
			if err == bufio.ErrBufferFull {
				continue
			}
			if err == io.EOF {
				if len(bytes.TrimSpace(line)) == 0 {
					return nil
				}
				return fn(number, line, false)
			}
			if err != nil {
				return err
			}
			break
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := fn(number, line, true); err != nil {
			return err
		}
	}
}
