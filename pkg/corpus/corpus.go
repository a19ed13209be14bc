package corpus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/hub"
)

// Text is a text with its identity.
type Text struct {
	Name   string // as it was asked for
	SHA256 string // of Bytes, hex
	Bytes  []byte
	Source string // file or data set that it was read from
}

// Options say where to look; the zero value follows the environment.
type Options struct {
	Data   string      // folder laid out as ILLM_DATA; "": ILLM_DATA
	Client *hub.Client // cache and network; nil: the zero Client
}

// WikiText2, C4, Calibration, Enwiki and Opticks are the texts with a name.
const (
	WikiText2   = "wikitext2"
	C4          = "c4"
	Calibration = "calibration"
	Enwiki      = "enwiki"
	Opticks     = "opticks"
)

// protocol says how a named text is made.
type protocol struct {
	size   int
	sha256 string // of the text

	local string // below ILLM_DATA; "": none
	read  func(path string) ([]byte, error)
	slow  bool // read takes seconds: the cache is asked first

	repository, file string // on the hub; "": none
	convert          func(path string) ([]byte, error)
}

// c4Documents and calibrationRows are the lengths of the two texts that are the
// beginning of something longer.
const (
	c4Documents     = 1100
	calibrationRows = 3279
)

var protocols = map[string]protocol{
	WikiText2: {
		size: 1_296_370, sha256: "696cca6b65a171b0a358a4be6732cdfdf2dd6164a32e20fd70e3c13fc4dfae83",
		local: "wikitext2/test.txt.gz", read: readRawRows,
		repository: "Salesforce/wikitext", file: "wikitext-2-raw-v1/test-00000-of-00001.parquet", convert: readParquetRows(0),
	},
	C4: {
		size: 2_369_050, sha256: "54e79acbe4a422ed3e21f4ad2951c1910d7e9373c095ec502822bcd8b5d963b3",
		local: "c4/validation.jsonl.gz", read: readC4,
		repository: "allenai/c4", file: "en/c4-validation.00000-of-00008.json.gz", convert: readC4,
	},
	Calibration: {
		size: 1_006_369, sha256: "994bc77199fb591e98457b27c518b4b8b356471ad954e865b78072470523876d",
		local: "wikitext2/train_raw_prefix.txt.gz", read: readRawRows,
		repository: "Salesforce/wikitext", file: "wikitext-2-raw-v1/train-00000-of-00001.parquet", convert: readParquetRows(calibrationRows),
	},
	Enwiki: {
		size: 1_730_993, sha256: "be15efb07937ad9e968d7304490c59f4a30bee1c3d18561040f07e7aec85d7de",
		local: ArticlesFile, read: readHeldOut, slow: true,
	},
	Opticks: {size: 567_198, sha256: "d4a9ac22462b35e7821a4f2706c211093da678620a8f9997989ee7cf8d507bbd"},
}

// Names lists the texts with a name.
func Names() []string { return []string{WikiText2, C4, Calibration, Enwiki, Opticks} }

// Load returns the text called name, or that of the file at the path name. An
// error that wraps hub.ErrUnavailable means: not on this machine, and the network
// did not give it.
func Load(ctx context.Context, name string) (*Text, error) {
	return LoadFrom(ctx, name, Options{})
}

// LoadFrom is Load with options.
func LoadFrom(ctx context.Context, name string, opt Options) (*Text, error) {
	p, named := protocols[name]
	if !named {
		return loadFile(name)
	}
	if opt.Client == nil {
		opt.Client = new(hub.Client)
	}
	if opt.Data == "" {
		opt.Data = os.Getenv("ILLM_DATA")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("corpus: load %s: %w", name, err)
	}
	cached, err := cachePath(opt.Client, name)
	if err != nil {
		return nil, err
	}
	fromCache := func() *Text {
		b, err := os.ReadFile(cached)
		if err != nil {
			return nil
		}
		t, err := p.text(name, b, cached, "")
		if err != nil { // an older protocol or a damaged disk: it is made anew
			return nil
		}
		return t
	}
	if p.slow {
		if t := fromCache(); t != nil {
			return t, nil
		}
	}
	if opt.Data != "" && p.local != "" {
		path := filepath.Join(opt.Data, filepath.FromSlash(p.local))
		b, err := p.read(path)
		if err == nil {
			t, err := p.text(name, b, path, "replace the file, or unset ILLM_DATA to have it downloaded")
			if err == nil && p.slow {
				keep(cached, b)
			}
			return t, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("corpus: load %s: %w", name, err)
		}
	}
	if t := fromCache(); t != nil {
		return t, nil
	}
	if name == Opticks {
		return loadOpticks(ctx, p, cached)
	}
	if p.repository == "" {
		return nil, fmt.Errorf("corpus: load %s: expected %s below ILLM_DATA, found none: set ILLM_DATA, or use the text %q, which is on every machine: %w",
			name, p.local, Opticks, hub.ErrUnavailable)
	}
	return p.download(ctx, opt.Client, name, cached)
}

// text checks the bytes against the protocol.
func (p protocol) text(name string, b []byte, source, cure string) (*Text, error) {
	sum := sha256.Sum256(b)
	got := hex.EncodeToString(sum[:])
	if got != p.sha256 {
		return nil, fmt.Errorf("corpus: load %s from %s: expected %d bytes with sha256 %s, found %d with %s: %s", name, source, p.size, p.sha256, len(b), got, cure)
	}
	return &Text{Name: name, SHA256: got, Bytes: b, Source: source}, nil
}

// download makes the text from the hub's files and keeps it in the cache.
func (p protocol) download(ctx context.Context, c *hub.Client, name, cached string) (*Text, error) {
	path, err := c.DatasetFile(ctx, p.repository, p.file)
	if err != nil {
		return nil, fmt.Errorf("corpus: load %s: %w: or set ILLM_DATA to a folder with %s, or use the text %q, which needs no network", name, err, p.local, Opticks)
	}
	b, err := p.convert(path)
	if err != nil {
		return nil, fmt.Errorf("corpus: load %s: %w", name, err)
	}
	source := p.repository + "/" + p.file
	t, err := p.text(name, b, source, "the data set has changed since this program was written, or its order differs: set ILLM_DATA to a folder with "+p.local)
	if err != nil {
		return nil, err
	}
	keep(cached, b)
	return t, nil
}

func cachePath(c *hub.Client, name string) (string, error) {
	dir := c.Cache
	if dir == "" {
		var err error
		if dir, err = hub.CacheDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "corpora", name+".txt"), nil
}

// keep saves a text for the next time. The text is at hand already, so a cache
// that cannot be written is no error here.
func keep(path string, b []byte) {
	if os.MkdirAll(filepath.Dir(path), 0o777) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return
	}
	_, err = f.Write(b)
	if errors.Join(err, f.Sync(), f.Close()) != nil || os.Rename(f.Name(), path) != nil {
		os.Remove(f.Name())
	}
}

// loadFile reads a user's own text.
func loadFile(path string) (*Text, error) {
	b, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("corpus: load %q: expected one of %s, or a file: %w", path, strings.Join(Names(), ", "), err)
	}
	if err != nil {
		return nil, fmt.Errorf("corpus: load %s: %w", path, err)
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("corpus: load %s: expected some text, found none", path)
	}
	sum := sha256.Sum256(b)
	return &Text{Name: path, SHA256: hex.EncodeToString(sum[:]), Bytes: slices.Clip(b), Source: path}, nil
}
