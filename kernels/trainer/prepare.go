package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/model/tokenizer"
)

// Files that prepare writes into its folder.
const (
	textFile  = "train.jsonl" // one JSON string a line, an article each: what tokenizer.py reads
	trainFile = "train.bin"
	validFile = "valid.bin"
)

// prepareCmd turns the training text into what tokenizer.py and pretrain read.
func prepareCmd() *cobra.Command {
	var out, tok string
	cmd := &cobra.Command{
		Use:   "prepare",
		Short: "Cut the training text into the training and the validation split",
		Long: `Reads train/enwiki2015.jsonl.xz below ILLM_DATA. Without --tokenizer it writes the
training split as text, train.jsonl, for tokenizer.py to learn a vocabulary from.
With --tokenizer it writes both splits as token ids (uint16, little-endian),
<|endoftext|> before every article: train.bin and valid.bin.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			if tok == "" {
				return prepareText(cmd.Context(), filepath.Join(out, textFile))
			}
			raw, err := os.ReadFile(tok)
			if err != nil {
				return err
			}
			t, err := tokenizer.FromJSON(raw)
			if err != nil {
				return fmt.Errorf("%s: %w", tok, err)
			}
			n, err := prepareTokens(cmd.Context(), t, out)
			if err == nil {
				cmd.Printf("%d tokens to train on, %d to validate\n", n[0], n[1])
			}
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", ".", "folder for the files")
	cmd.Flags().StringVar(&tok, "tokenizer", "", "tokenizer.json: write token ids instead of text")
	return cmd
}

// writeFile calls fn with a buffered writer. The file appears under its name when it is complete, because one that is cut
// between two tokens looks like a shorter one; on an error an earlier file of that name stays as it was.
func writeFile(path string, fn func(w *bufio.Writer) error) (err error) {
	f, err := os.Create(path + ".tmp") // of this name there is one at most, so a crash leaves no pile of them
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := fn(w); err != nil {
		return err
	}
	return errors.Join(w.Flush(), f.Sync())
}

func prepareText(ctx context.Context, path string) error {
	return writeFile(path, func(w *bufio.Writer) error {
		enc := json.NewEncoder(w)
		return corpus.Articles(ctx, corpus.Options{}, func(a corpus.Article) error {
			if a.HeldOut() {
				return nil
			}
			return enc.Encode(a.Text())
		})
	})
}

// endOfText separates articles.
const endOfText = "<|endoftext|>"

// prepareTokens writes both splits and returns their lengths.
func prepareTokens(ctx context.Context, t *tokenizer.Tokenizer, dir string) (n [2]int, err error) {
	eot, ok := t.ID(endOfText)
	if !ok {
		return n, fmt.Errorf("prepare: expected a token %q in the vocabulary, found none", endOfText)
	}
	if t.Vocab() > 1<<16 {
		return n, fmt.Errorf("prepare: expected at most %d token ids, found %d", 1<<16, t.Vocab())
	}
	// Articles are encoded on all cores and written in order.
	type job struct {
		held int
		ids  chan []int32
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs := make(chan job, 4*runtime.GOMAXPROCS(0))
	slots := make(chan struct{}, 2*runtime.GOMAXPROCS(0))
	var readErr error
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(jobs)
		readErr = corpus.Articles(ctx, corpus.Options{}, func(a corpus.Article) error {
			j := job{ids: make(chan []int32, 1)}
			if a.HeldOut() {
				j.held = 1
			}
			slots <- struct{}{}
			go func() {
				j.ids <- t.AppendEncode([]int32{eot}, a.Text())
				<-slots
			}()
			select {
			case jobs <- j:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	err = writeFile(filepath.Join(dir, trainFile), func(train *bufio.Writer) error {
		return writeFile(filepath.Join(dir, validFile), func(valid *bufio.Writer) error {
			w := [2]*bufio.Writer{train, valid}
			for j := range jobs {
				for _, id := range <-j.ids {
					var b [2]byte
					binary.LittleEndian.PutUint16(b[:], uint16(id))
					if _, err := w[j.held].Write(b[:]); err != nil {
						cancel()
						wg.Wait()
						return err
					}
					n[j.held]++
				}
			}
			return readErr
		})
	})
	return n, err
}
