package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/illm-go/illm/data"
)

// shippedModel returns a folder below the cache with the files of a model that this
// program carries: weights are mapped from files, and the processes of a notebook
// share them. The folder is named by its content. It appears by one rename; one that
// was damaged since is made again.
func shippedModel(name string, files fs.FS) (string, error) {
	parts := data.ModelParts(files)
	list := sha256.New()
	for _, part := range parts {
		h := sha256.New()
		if err := copyPart(h, files, part); err != nil {
			return "", fmt.Errorf("catalog: model %s: %w", name, err)
		}
		fmt.Fprintf(list, "%x  %s\n", h.Sum(nil), part)
	}
	parent, err := cacheFolder("models")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, name+"-"+hex.EncodeToString(list.Sum(nil)[:6]))
	if sameFiles(dir, files, parts) {
		return dir, nil
	}
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("catalog: unpack model %s into %s: %w: free some room, or set ILLM_CACHE to a folder that can be written", name, parent, err)
	}
	temp, err := os.MkdirTemp(parent, ".tmp-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(temp) // nothing is left to remove after success
	for _, part := range parts {
		if err := writePart(filepath.Join(temp, part), files, part); err != nil {
			return fail(err)
		}
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return fail(err)
	}
	if os.Rename(temp, dir) == nil || sameFiles(dir, files, parts) { // or another process was faster
		return dir, nil
	}
	// Damaged: moved away first, because whoever has it mapped may go on.
	if err := os.Rename(dir, temp+"-old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	defer os.RemoveAll(temp + "-old")
	if err := os.Rename(temp, dir); err != nil && !sameFiles(dir, files, parts) {
		return fail(err)
	}
	return dir, nil
}

func copyPart(w io.Writer, files fs.FS, part string) error {
	in, err := files.Open(part)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(w, in)
	return err
}

func writePart(path string, files fs.FS, part string) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(copyPart(out, files, part), out.Sync(), out.Close())
}

// sameFiles compares the files in dir with the parts, byte by byte.
func sameFiles(dir string, files fs.FS, parts []string) bool {
	for _, part := range parts {
		if !sameFile(filepath.Join(dir, part), files, part) {
			return false
		}
	}
	return true
}

func sameFile(path string, files fs.FS, part string) bool {
	a, err := os.Open(path)
	if err != nil {
		return false
	}
	defer a.Close()
	b, err := files.Open(part)
	if err != nil {
		return false
	}
	defer b.Close()
	return equalStreams(a, b)
}

func equalStreams(a, b io.Reader) bool {
	const size = 256 << 10
	x, y := make([]byte, size), make([]byte, size)
	for {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return false
		}
		if errA != nil || errB != nil { // io.EOF or io.ErrUnexpectedEOF at the end of both
			return ended(errA) && ended(errB)
		}
	}
}

func ended(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }
