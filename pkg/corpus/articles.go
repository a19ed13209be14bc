package corpus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ArticlesFile is where the training text lies below ILLM_DATA: English Wikipedia
// articles of 2015, one JSON object a line, those that overlap WikiText-2 left out.
const ArticlesFile = "train/enwiki2015.jsonl.xz"

// heldOutOf is the number of articles of which one is held out.
const heldOutOf = 100

// Article is one document of the training text.
type Article struct {
	Title string `json:"title"`
	Style string `json:"style"` // "wikitext": spaced as WikiText; "plain"
	Body  string `json:"text"`
}

// HeldOut reports whether the article belongs to the validation split: the first
// four bytes of the SHA-256 of its title, big-endian, are a multiple of 100.
func (a Article) HeldOut() bool {
	sum := sha256.Sum256([]byte(a.Title))
	return binary.BigEndian.Uint32(sum[:])%heldOutOf == 0
}

// Text is the article as a language model sees it. An article spaced as WikiText is cut into
// rows and joined by two newlines as wikitext2 is; any other one stays as it is.
func (a Article) Text() string {
	if a.Style != "wikitext" {
		return a.Body
	}
	return string(joinRows(rawRows([]byte(a.Body))))
}

// Articles calls fn for each article of the training text, in the order of the file.
// The file is read from ILLM_DATA alone: it is training material, not part of any measurement.
func Articles(ctx context.Context, opt Options, fn func(Article) error) error {
	if opt.Data == "" {
		opt.Data = os.Getenv("ILLM_DATA")
	}
	if opt.Data == "" {
		return fmt.Errorf("corpus: training text: set ILLM_DATA to a folder with %s", ArticlesFile)
	}
	path := filepath.Join(opt.Data, filepath.FromSlash(ArticlesFile))
	err := withFile(path, func(r io.Reader) error {
		d := json.NewDecoder(r)
		for n := 1; ; n++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			var a Article
			if err := d.Decode(&a); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return fmt.Errorf("article %d: expected a JSON object: %w", n, err)
			}
			if a.Title == "" || a.Body == "" {
				return fmt.Errorf(`article %d: expected the fields "title" and "text", found none`, n)
			}
			if err := fn(a); err != nil {
				return err
			}
		}
	})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("corpus: training text: expected %s below ILLM_DATA: %w", ArticlesFile, err)
	}
	if err != nil {
		return fmt.Errorf("corpus: training text: %w", err)
	}
	return nil
}

// readHeldOut makes the text of the validation split: its articles joined by two newlines.
func readHeldOut(path string) ([]byte, error) {
	var out bytes.Buffer
	data := filepath.Dir(filepath.Dir(path))
	err := Articles(context.Background(), Options{Data: data}, func(a Article) error {
		if a.HeldOut() {
			if out.Len() > 0 {
				out.WriteString("\n\n")
			}
			out.WriteString(a.Text())
		}
		return nil
	})
	return out.Bytes(), err
}
