package artifact

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"os"
	"path/filepath"
)

// Writer builds an artefact beside its final place and moves it there when it
// is whole, so that no reader ever sees half a file.
type Writer struct {
	path   string
	file   *os.File
	buf    *bufio.Writer
	sum    hash.Hash
	offset int64
	err    error
}

// Create begins an artefact that Finish will place at path.
func Create(path string) (*Writer, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("artifact: create %s: %w: expected a folder that can be written to: choose another (--out, or ILLM_CACHE for the cache)", path, err)
	}
	w := &Writer{path: path, file: f, buf: bufio.NewWriterSize(f, 1<<20), sum: sha256.New(), offset: prologueBytes}
	_, w.err = w.buf.Write(make([]byte, prologueBytes))
	return w, nil
}

// Bytes appends a section.
func (w *Writer) Bytes(b []byte) Section {
	if pad := -w.offset & (sectionAlign - 1); pad > 0 {
		w.write(make([]byte, pad))
	}
	s := Section{Offset: w.offset, Bytes: int64(len(b))}
	w.write(b)
	return s
}

// Int32s appends a section of little-endian 32-bit integers.
func (w *Writer) Int32s(v []int32) Section {
	b := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(b[4*i:], uint32(x))
	}
	return w.Bytes(b)
}

// Int64s appends a section of little-endian 64-bit integers.
func (w *Writer) Int64s(v []int64) Section {
	b := make([]byte, 8*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(b[8*i:], uint64(x))
	}
	return w.Bytes(b)
}

// Int16s appends a section of little-endian 16-bit integers.
func (w *Writer) Int16s(v []int16) Section {
	b := make([]byte, 2*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint16(b[2*i:], uint16(x))
	}
	return w.Bytes(b)
}

// Uint64s appends a section of little-endian 64-bit unsigned integers.
func (w *Writer) Uint64s(v []uint64) Section {
	b := make([]byte, 8*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(b[8*i:], x)
	}
	return w.Bytes(b)
}

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	w.sum.Write(b)
	if _, w.err = w.buf.Write(b); w.err == nil {
		w.offset += int64(len(b))
	}
}

// Finish appends the header and places the file; the identity is returned.
func (w *Writer) Finish(h *Header) (id string, err error) {
	defer func() {
		if err != nil {
			w.Abort()
			err = fmt.Errorf("artifact: write %s: %w", w.path, err)
		}
	}()
	if w.err != nil {
		return "", w.stopped(w.err)
	}
	if w.err = h.check(w.offset); w.err != nil {
		return "", w.err
	}
	head, err := encodeHeader(h)
	if err != nil {
		return "", err
	}
	p := prologue{version: Version, headerLen: uint32(len(head)), headerOffset: uint64(w.offset), headerHash: sha256.Sum256(head)}
	copy(p.payloadHash[:], w.sum.Sum(nil))
	if err := w.place(head, &p); err != nil {
		return "", w.stopped(err)
	}
	return identity(&p), nil
}

// place writes what is still missing and moves the file to its place.
func (w *Writer) place(head []byte, p *prologue) error {
	if _, err := w.buf.Write(head); err != nil {
		return err
	}
	if err := w.buf.Flush(); err != nil {
		return err
	}
	if _, err := w.file.WriteAt(p.encode(), 0); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	if err := w.file.Chmod(0o644); err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	return os.Rename(w.file.Name(), w.path)
}

// stopped says what to do about an error of the file system: almost always the disk is full.
func (w *Writer) stopped(err error) error {
	return fmt.Errorf("after %d bytes: %w: make room in %s, or choose another folder (--out, or ILLM_CACHE for the cache); what was there before stays",
		w.offset, err, filepath.Dir(w.path))
}

// Abort drops what was written. After Finish it does nothing.
func (w *Writer) Abort() {
	w.file.Close()
	if _, err := os.Stat(w.file.Name()); err == nil {
		os.Remove(w.file.Name())
	}
}
