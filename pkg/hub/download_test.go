package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// content is bytes that do not compress and have a known hash.
func content(n int) ([]byte, string) {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	sum := sha256.Sum256(b)
	return b, hex.EncodeToString(sum[:])
}

// server is a stub that serves one file and notes what was asked.
type server struct {
	*httptest.Server
	body []byte
	etag string
	cut  int // break the connection after so many bytes of a reply; 0: never

	mu     sync.Mutex
	ranges []string
}

func serve(t *testing.T, body []byte, etag string) *server {
	s := &server{body: body, etag: etag}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.ranges = append(s.ranges, r.Header.Get("Range"))
		cut := s.cut
		s.mu.Unlock()
		if etag != "" {
			w.Header().Set("ETag", etag)
		}
		if cut > 0 {
			w = &cutter{w, cut}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.body))
	}))
	t.Cleanup(s.Close)
	return s
}

// cutter breaks the connection in the middle of the body.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	if c.left -= len(b); c.left < 0 {
		_, _ = c.ResponseWriter.Write(b[:len(b)+c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(b)
}

func mustHold(t *testing.T, path string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, %v; expected the %d served", filepath.Base(path), len(got), err, len(want))
	}
	if left, _ := filepath.Glob(path + "*.part*"); len(left) > 0 {
		t.Errorf("%q left behind", left)
	}
}

func mustNotExist(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: expected no file: %v", path, err)
	}
}

func mustSay(t *testing.T, err error, want ...string) {
	t.Helper()
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Fatalf("error %v, expected %q in it", err, w)
		}
	}
}

func TestDownload(t *testing.T) {
	body, sum := content(300_000)
	s := serve(t, body, `"tag"`)
	dst := filepath.Join(t.TempDir(), "sub", "file")
	var last, calls int64
	c := &Client{Progress: func(name string, done, total int64) {
		if name != "file" || total != 300_000 || done < last {
			t.Errorf("progress %s %d of %d after %d", name, done, total, last)
		}
		last, calls = done, calls+1
	}}
	check := Check{Size: 300_000, SHA256: sum}
	if err := c.Download(context.Background(), s.URL, dst, check); err != nil {
		t.Fatal(err)
	}
	mustHold(t, dst, body)
	if last != 300_000 || calls < 2 {
		t.Errorf("progress ended at %d after %d calls", last, calls)
	}
	s.Close()
	if err := c.Download(context.Background(), s.URL, dst, check); err != nil {
		t.Errorf("with the file there and the server gone: %v", err)
	}
}

// TestResume breaks the connection four times; each new call asks for the rest.
func TestResume(t *testing.T) {
	body, sum := content(1_000_000)
	s := serve(t, body, `"tag"`)
	s.cut = 300_000
	dst := filepath.Join(t.TempDir(), "file")
	var err error
	for range 3 {
		err = new(Client).Download(context.Background(), s.URL, dst, Check{SHA256: sum})
		mustSay(t, err, "broken off after", "of 1000000 bytes", "run again to continue")
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v: expected ErrUnavailable", err)
		}
		mustNotExist(t, dst)
	}
	if err = new(Client).Download(context.Background(), s.URL, dst, Check{SHA256: sum}); err != nil {
		t.Fatal(err)
	}
	mustHold(t, dst, body)
	if s.ranges[0] != "" || !strings.HasPrefix(s.ranges[1], "bytes=") || !strings.HasPrefix(s.ranges[3], "bytes=") {
		t.Errorf("ranges %q, expected none and then three", s.ranges)
	}
}

// TestResumeChanged continues a part of a file that the server has replaced.
func TestResumeChanged(t *testing.T) {
	body, sum := content(100_000)
	for name, etag := range map[string]string{"entity tag": `"new"`, "hash alone": ""} {
		s := serve(t, body, etag)
		dst := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(dst+".part", make([]byte, 40_000), 0o666); err != nil {
			t.Fatal(err)
		}
		if etag != "" {
			if err := os.WriteFile(dst+".part.etag", []byte(`"old"`), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if err := new(Client).Download(context.Background(), s.URL, dst, Check{SHA256: sum}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		mustHold(t, dst, body)
		want := 1 // the tag makes the server send everything at once
		if etag == "" {
			want = 2 // the hash shows it afterwards
		}
		if len(s.ranges) != want || s.ranges[0] != "bytes=40000-" {
			t.Errorf("%s: requests %q, expected %d", name, s.ranges, want)
		}
	}
}

// TestPartTooLong begins with a part longer than the file.
func TestPartTooLong(t *testing.T) {
	body, sum := content(1000)
	for _, size := range []int64{0, 1000} {
		s := serve(t, body, "")
		dst := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(dst+".part", make([]byte, 4000), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := new(Client).Download(context.Background(), s.URL, dst, Check{Size: size, SHA256: sum}); err != nil {
			t.Fatal(err)
		}
		mustHold(t, dst, body)
	}
}

// TestWrongContent must never leave a file under the final name.
func TestWrongContent(t *testing.T) {
	body, sum := content(5000)
	bad := bytes.Clone(body)
	bad[77] ^= 1
	for _, c := range []struct {
		name  string
		body  []byte
		check Check
		want  string
	}{
		{"hash", bad, Check{SHA256: sum}, "expected hash " + sum},
		{"size", body[:4000], Check{Size: 5000, SHA256: sum}, "expected 5000 bytes, found 4000 announced"},
		{"longer", append(bytes.Clone(body), 1), Check{Size: 5000}, "expected 5000 bytes, found 5001 announced"},
	} {
		s := serve(t, c.body, "")
		dst := filepath.Join(t.TempDir(), "file")
		err := new(Client).Download(context.Background(), s.URL, dst, c.check)
		mustSay(t, err, "hub: download ", c.want, "try again later")
		mustNotExist(t, dst)
		mustNotExist(t, dst+".part")
	}
	// A body without an announced length must not fill the disk.
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 1000 {
			if _, err := w.Write(body); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	dst := filepath.Join(t.TempDir(), "file")
	err := new(Client).Download(context.Background(), endless.URL, dst, Check{Size: 5000})
	mustSay(t, err, "expected 5000 bytes, found more")
}

// TestStatedHash checks against what the hub says of a file: SHA-256 in the
// redirection of a large file, git's hash in the tag of a small one.
func TestStatedHash(t *testing.T) {
	body, sum := content(9000)
	git := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(body)), body...))
	direct := serve(t, body, `W/"`+hex.EncodeToString(git[:])+`"`)
	linked := func(hash string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Linked-Etag", `"`+hash+`"`)
			http.Redirect(w, r, serve(t, body, `"other"`).URL, http.StatusFound)
		}))
		t.Cleanup(s.Close)
		return s
	}
	dst := filepath.Join(t.TempDir(), "file")
	for i, url := range []string{direct.URL, linked(sum).URL} {
		if err := new(Client).Download(context.Background(), url, fmt.Sprint(dst, i), Check{Stated: true}); err != nil {
			t.Errorf("right hash: %v", err)
		}
	}
	wrong := strings.Repeat("0", 64)
	err := new(Client).Download(context.Background(), linked(wrong).URL, dst, Check{Stated: true})
	mustSay(t, err, "expected hash "+wrong)
	mustNotExist(t, dst)
	direct.body = body[1:]
	err = new(Client).Download(context.Background(), direct.URL, dst, Check{Stated: true})
	mustSay(t, err, "expected hash "+hex.EncodeToString(git[:]))
}

func TestNoServer(t *testing.T) {
	s := serve(t, nil, "")
	url := strings.Replace(s.URL, "http://", "http://name:secret@", 1) + "/file?token=secret"
	s.Close()
	dst := filepath.Join(t.TempDir(), "file")
	err := new(Client).Download(context.Background(), url, dst, Check{})
	mustSay(t, err, "hub: download http://127.0.0.1", "/file: ", "refused", "check the network")
	if !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v: expected ErrUnavailable and no credentials", err)
	}
	missing := httptest.NewServer(http.NotFoundHandler())
	defer missing.Close()
	err = new(Client).Download(context.Background(), missing.URL, dst, Check{})
	mustSay(t, err, "expected status 200, found 404 Not Found")
	mustNotExist(t, dst)
}

// TestCancel stops in the middle of a body and continues later.
func TestCancel(t *testing.T) {
	body, sum := content(600_000)
	s := serve(t, body, `"tag"`)
	ctx, cancel := context.WithCancel(context.Background())
	stall := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "600000")
		_, _ = w.Write(body[:200_000])
		w.(http.Flusher).Flush()
		select {
		case <-stall:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(stall)
	dst := filepath.Join(t.TempDir(), "file")
	c := &Client{Progress: func(_ string, done, _ int64) {
		if done == 200_000 {
			cancel()
		}
	}}
	err := c.Download(ctx, slow.URL, dst, Check{SHA256: sum})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, expected context.Canceled", err)
	}
	mustNotExist(t, dst)
	if err := c.Download(context.Background(), s.URL, dst, Check{SHA256: sum}); err != nil {
		t.Fatal(err)
	}
	mustHold(t, dst, body)
	if s.ranges[0] != "bytes=200000-" {
		t.Errorf("range %q, expected what was missing", s.ranges[0])
	}
}

// TestConcurrent lets eight downloads of one file wait for one another.
func TestConcurrent(t *testing.T) {
	body, sum := content(400_000)
	s := serve(t, body, `"tag"`)
	dst := filepath.Join(t.TempDir(), "file")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := new(Client).Download(context.Background(), s.URL, dst, Check{SHA256: sum}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	mustHold(t, dst, body)
	if len(s.ranges) != 1 {
		t.Errorf("%d requests, expected 1", len(s.ranges))
	}
}

// TestUnwritableCache gives a file where the cache should be: nobody can make a
// folder there, root included.
func TestUnwritableCache(t *testing.T) {
	body, _ := content(10)
	s := serve(t, body, "")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	err := new(Client).Download(context.Background(), s.URL, filepath.Join(file, "x"), Check{})
	mustSay(t, err, "hub: write to the cache", "ILLM_CACHE")

	t.Run("read-only", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		if os.WriteFile(filepath.Join(dir, "probe"), nil, 0o666) == nil {
			t.Skip("this user may write to read-only folders")
		}
		err := new(Client).Download(context.Background(), s.URL, filepath.Join(dir, "x"), Check{})
		mustSay(t, err, "hub: write to the cache", "ILLM_CACHE")
	})
}

func TestContentRange(t *testing.T) {
	for s, want := range map[string][2]int64{"bytes 5-9/10": {5, 10}, "bytes 0-0/1": {0, 1}} {
		if from, total, ok := contentRange(s); !ok || from != want[0] || total != want[1] {
			t.Errorf("%q: %d %d %v, expected %v", s, from, total, ok, want)
		}
	}
	for _, s := range []string{"", "bytes", "bytes 5-9/*", "bytes */10", "bytes -5-9/10", "bytes 11-12/10", "5-9/10", "bytes 5/10"} {
		if _, _, ok := contentRange(s); ok {
			t.Errorf("%q: accepted", s)
		}
	}
}

func TestCacheDir(t *testing.T) {
	t.Setenv("ILLM_CACHE", "relative")
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if dir, err := CacheDir(); err != nil || dir != filepath.Join(wd, "relative") {
		t.Errorf("%s %v, expected an absolute path", dir, err)
	}
	t.Setenv("ILLM_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	t.Setenv("LocalAppData", "")
	if dir, err := CacheDir(); err == nil {
		t.Errorf("%s with no home, expected an error", dir)
	} else {
		mustSay(t, err, "set ILLM_CACHE")
	}
}
