package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// stubHub serves repositories the way the hub does: a JSON listing, large files
// by way of a redirection that states their hash.
type stubHub struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newHub(t *testing.T, repositories map[string]map[string]string) *stubHub {
	h := new(stubHub)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked = append(h.asked, r.URL.Path)
		h.mu.Unlock()
		for name, files := range repositories {
			kind, id, _ := strings.Cut(name, ":")
			base := "/" + id
			if kind != "models" {
				base = "/" + kind + base
			}
			switch path := r.URL.Path; {
			case path == "/api/"+kind+"/"+id+"/revision/main":
				var siblings []map[string]string
				for f := range files {
					siblings = append(siblings, map[string]string{"rfilename": f})
				}
				_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "sha": commit, "siblings": siblings})
				return
			case strings.HasPrefix(path, base+"/resolve/"+commit+"/"):
				file := strings.TrimPrefix(path, base+"/resolve/"+commit+"/")
				body, ok := files[file]
				if !ok {
					break
				}
				if strings.HasSuffix(file, ".safetensors") {
					sum := sha256.Sum256([]byte(body))
					w.Header().Set("X-Linked-Etag", `"`+hex.EncodeToString(sum[:])+`"`)
					http.Redirect(w, r, "/cdn"+path, http.StatusFound)
					return
				}
				git := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(body), body))
				w.Header().Set("ETag", `"`+hex.EncodeToString(git[:])+`"`)
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte(body)))
				return
			case strings.HasPrefix(path, "/cdn"+base+"/"):
				file := strings.TrimPrefix(path, "/cdn"+base+"/resolve/"+commit+"/")
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte(files[file])))
				return
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *stubHub) count(part string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.asked {
		if strings.Contains(a, part) {
			n++
		}
	}
	return n
}

// TestRepo fetches a sharded model through HF_ENDPOINT, leaves out what no
// loader needs, and returns it again with the hub gone.
func TestRepo(t *testing.T) {
	files := map[string]string{
		"config.json":    `{"model_type":"llama"}`,
		"tokenizer.json": "{}",
		"README.md":      "read me",
		"model.safetensors.index.json": `{"weight_map":{"a":"model-00001-of-00002.safetensors",
			"b":"model-00002-of-00002.safetensors","c":"model-00001-of-00002.safetensors"}}`,
		"model-00001-of-00002.safetensors": "weights one",
		"model-00002-of-00002.safetensors": "weights two",
		"consolidated.safetensors":         "the same once more",
		"pytorch_model.bin":                "not wanted",
		"onnx/model.onnx":                  "not wanted",
		"../../escape.json":                "not wanted",
	}
	h := newHub(t, map[string]map[string]string{"models:org/tiny": files})
	t.Setenv("HF_ENDPOINT", h.URL+"/")
	c := &Client{Cache: t.TempDir()}
	if _, err := c.Fetch(context.Background(), "hf:org/tiny"); err == nil {
		t.Fatal("a file name that leaves the repository: expected an error, found none")
	}
	delete(files, "../../escape.json")
	dir, err := c.Fetch(context.Background(), "hf:org/tiny")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"config.json", "tokenizer.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} {
		mustHold(t, filepath.Join(dir, f), []byte(files[f]))
	}
	for _, f := range []string{"consolidated.safetensors", "pytorch_model.bin", "onnx"} {
		mustNotExist(t, filepath.Join(dir, f))
	}
	// A file that was cut since is not taken for whole, and is fetched again.
	asked := len(h.asked)
	shard := filepath.Join(dir, "model-00002-of-00002.safetensors")
	cut := func() {
		t.Helper()
		if err := os.Truncate(shard, 3); err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Cached("hf:org/tiny"); ok {
			t.Error("a cut file: said to be cached")
		}
	}
	cut()
	if again, err := c.Fetch(context.Background(), "hf:org/tiny"); err != nil || again != dir {
		t.Errorf("after a file was cut: %s %v, expected %s", again, err, dir)
	}
	mustHold(t, shard, []byte("weights two"))
	if n := len(h.asked) - asked; n != 3 { // listing, file, redirection
		t.Errorf("%d requests for one file, expected 3: %q", n, h.asked[asked:])
	}
	h.Close()
	if again, err := c.Fetch(context.Background(), "hf:org/tiny@main"); err != nil || again != dir {
		t.Errorf("with the hub gone: %s %v, expected %s", again, err, dir)
	}
	cut()
	_, err = c.Fetch(context.Background(), "hf:org/tiny")
	mustSay(t, err, "hub: list org/tiny at http://127.0.0.1", "HF_ENDPOINT")
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v: expected ErrUnavailable", err)
	}
}

func TestRepoErrors(t *testing.T) {
	config, weights := "{}", "w"
	h := newHub(t, map[string]map[string]string{
		"models:org/bare":   {"README.md": "x"},
		"models:org/torch":  {"config.json": config, "pytorch_model.bin": weights},
		"models:org/broken": {"config.json": config, "a.safetensors": weights, "model.safetensors.index.json": "{"},
		"models:org/lost":   {"config.json": config, "a.safetensors": weights, "model.safetensors.index.json": `{"weight_map":{"t":"b.safetensors"}}`},
		"models:org/empty":  {"config.json": config, "a.safetensors": weights, "model.safetensors.index.json": `{}`},
	})
	c := &Client{Cache: t.TempDir(), Endpoint: h.URL}
	for name, want := range map[string]string{
		"bare":   "expected a file config.json in the repository",
		"torch":  "expected *.safetensors in the repository",
		"broken": "read model.safetensors.index.json",
		"lost":   `tensor t: expected a file of the repository, found "b.safetensors"`,
		"empty":  "expected a weight_map, found none",
		"no":     "bad status code 404",
	} {
		_, err := c.Fetch(context.Background(), "hf:org/"+name)
		mustSay(t, err, "hub: ", "org/"+name, want)
		if _, ok := c.Cached("hf:org/" + name); ok {
			t.Errorf("%s: said to be cached", name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Fetch(ctx, "hf:org/torch"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, expected context.Canceled", err)
	}
}

// TestRepoDamagedInTransit alters a byte on the way: no model comes of it, and
// the next try with a sound server does.
func TestRepoDamagedInTransit(t *testing.T) {
	files := map[string]string{"config.json": "{}", "model.safetensors": "weights"}
	h := newHub(t, map[string]map[string]string{"models:org/tiny": files})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/cdn/") {
			_, _ = w.Write([]byte("Weights"))
			return
		}
		h.Config.Handler.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	c := &Client{Cache: t.TempDir(), Endpoint: proxy.URL}
	_, err := c.Fetch(context.Background(), "hf:org/tiny")
	mustSay(t, err, "model.safetensors", "expected hash")
	if _, ok := c.Cached("hf:org/tiny"); ok {
		t.Error("said to be cached")
	}
	c.Endpoint = h.URL
	dir, err := c.Fetch(context.Background(), "hf:org/tiny")
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, filepath.Join(dir, "model.safetensors"), []byte("weights"))
	if n := h.count("/resolve/" + commit + "/config.json"); n != 1 {
		t.Errorf("config.json was fetched %d times, expected once", n)
	}
}

func TestDatasetFile(t *testing.T) {
	h := newHub(t, map[string]map[string]string{"datasets:org/text": {"a/b c.txt": "hello"}})
	c := &Client{Cache: t.TempDir(), Endpoint: h.URL}
	path, err := c.DatasetFile(context.Background(), "org/text", "a/b c.txt")
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, []byte("hello"))
	h.Close()
	if again, err := c.DatasetFile(context.Background(), "org/text", "a/b c.txt"); err != nil || again != path {
		t.Errorf("with the hub gone: %s %v", again, err)
	}
	h = newHub(t, map[string]map[string]string{"datasets:org/text": {"x": "hello"}})
	c.Endpoint = h.URL
	_, err = c.DatasetFile(context.Background(), "org/text", "y")
	mustSay(t, err, "expected a file y in the data set")
}
