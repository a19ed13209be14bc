package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// ErrUnavailable is wrapped by errors that say: not in the cache, and the network
// did not give it. Callers may fall back to something that needs no network.
var ErrUnavailable = errors.New("not in the cache and not to be downloaded")

// Client fetches into a cache. The zero value uses the environment's settings.
type Client struct {
	Cache    string   // folder; "": CacheDir()
	Python   []string // command that runs Python with pip; nil: python3, else python
	Endpoint string   // Hugging Face hub; "": HF_ENDPOINT, else the hub's own address
	HTTP     *http.Client

	// Progress is told how far the download of a file is; total is 0 if the length
	// is not known. It is called from one goroutine at a time.
	Progress func(name string, done, total int64)
}

// CacheDir returns the folder for downloads: ILLM_CACHE, else illm in the
// platform's cache folder ($XDG_CACHE_HOME or ~/.cache on Linux).
func CacheDir() (string, error) {
	if dir := os.Getenv("ILLM_CACHE"); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("hub: ILLM_CACHE=%s: %w", dir, err)
		}
		return abs, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("hub: find the cache folder: %w: set ILLM_CACHE to a folder", err)
	}
	return filepath.Join(dir, "illm"), nil
}

// Fetch returns the path of a model called name ("smollm2", "hf:ORG/NAME"): a
// GGUF file, or a folder with config.json and safetensors files. What is cached
// is returned without touching the network.
func Fetch(ctx context.Context, name string) (string, error) {
	return new(Client).Fetch(ctx, name)
}

// Fetch is the function Fetch with this client's settings.
func (c *Client) Fetch(ctx context.Context, name string) (string, error) {
	if err := ctx.Err(); err != nil { // before the library starts work that outlives the call
		return "", fmt.Errorf("hub: fetch %s: %w", name, err)
	}
	switch {
	case name == SmolLM2:
		return c.fetchWheelModel(ctx)
	case strings.HasPrefix(name, "hf:"):
		return c.fetchRepo(ctx, name)
	}
	return "", fmt.Errorf("hub: fetch: expected %q or hf:ORG/NAME[@REVISION], found %q", SmolLM2, name)
}

// Cached returns what Fetch would return if that is possible without a download.
func (c *Client) Cached(name string) (path string, ok bool) {
	dir, err := c.dir()
	if err != nil {
		return "", false
	}
	if name == SmolLM2 {
		path = filepath.Join(dir, wheelFolder, wheelModelFile)
		return path, sizeIs(path, wheelModelSize)
	}
	id, err := parseRepo(name)
	if err != nil {
		return "", false
	}
	return cachedRepo(dir, id)
}

func (c *Client) dir() (string, error) {
	if c.Cache != "" {
		return filepath.Abs(c.Cache)
	}
	return CacheDir()
}

func (c *Client) progress(name string, done, total int64) {
	if c.Progress != nil {
		c.Progress(name, done, total)
	}
}

func (c *Client) client() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return http.DefaultClient
}

// makeDir makes a folder of the cache.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return cacheError(err)
	}
	return nil
}

// cacheError says what to do about a cache that cannot be written.
func cacheError(err error) error {
	return fmt.Errorf("hub: write to the cache: %w: set ILLM_CACHE to a writable folder with enough room", err)
}

// sizeIs tells whether path is a plain file of that many bytes.
func sizeIs(path string, size int64) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Size() == size
}
