package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/kernels/illm/internal/proc"
)

// pdfTime bounds the printing of one page: a report of every study takes half a minute.
const pdfTime = 5 * time.Minute

// printPDF has Chromium print the page at path into a file beside it, NAME.pdf, and tells where. Its charts are drawn by
// their scripts first, so they look as on the screen.
func (a *app) printPDF(ctx context.Context, path string) error {
	browser, err := findBrowser()
	if err != nil {
		return withCode(exitSetup, fmt.Errorf("print %s: %w: install Chromium, or leave --pdf out", filepath.Base(path), err))
	}
	dir, err := os.MkdirTemp("", "illm-pdf-")
	if err != nil {
		return fmt.Errorf("print: %w: set TMPDIR to a writable folder", err)
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "page.pdf")
	page := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	args := []string{"--headless", "--disable-gpu", "--no-first-run", "--disable-component-update", "--user-data-dir=" + filepath.Join(dir, "profile"),
		"--no-pdf-header-footer", "--virtual-time-budget=30000", "--print-to-pdf=" + made, page.String()}
	if os.Geteuid() == 0 {
		args = append([]string{"--no-sandbox"}, args...) // as a container's only user it has no other way
	}
	limited, cancel := context.WithTimeout(ctx, pdfTime)
	defer cancel()
	cmd := exec.CommandContext(limited, browser, args...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	err = cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	raw, readErr := os.ReadFile(made)
	if err == nil {
		err = readErr
	}
	if err == nil && !bytes.HasPrefix(raw, []byte("%PDF-")) {
		err = errors.New("what it wrote is no PDF")
	}
	if err != nil {
		return fmt.Errorf("print %s: %s: %w: leave --pdf out\n%s", filepath.Base(path), browser, err, proc.Tail(log.String(), 6))
	}
	to := strings.TrimSuffix(path, filepath.Ext(path)) + ".pdf"
	if err := place.WriteFile(to, raw, 0o644); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	a.printf("pdf       %s\n", to)
	return a.record(map[string]any{"kind": "pdf", "pdf": to, "bytes": len(raw)})
}
