package corpus

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/illm-go/illm/pkg/hub"
)

// TestRawRows gives a raw file by hand: blank lines are empty rows, the last
// line may lack its newline.
func TestRawRows(t *testing.T) {
	for in, want := range map[string]string{
		" \n = Title = \n \n Text . \n More . \n": "\n\n = Title = \n\n\n\n\n Text . \n\n\n More . \n",
		" a \n b": " a \n\n\n b",
		"":        "",
		"\n\n":    "\n\n",
		"\t\n":    "\t\n", // a tab is no blank
	} {
		if got := string(joinRows(rawRows([]byte(in)))); got != want {
			t.Errorf("%q: %q, expected %q", in, got, want)
		}
	}
}

func write(t *testing.T, path string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, _ = z.Write(b)
	_ = z.Close()
	return buf.Bytes()
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func mustSay(t *testing.T, err error, want ...string) {
	t.Helper()
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Fatalf("error %v, expected %q in it", err, w)
		}
	}
}

// TestFile loads texts of a user in each form.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	docs := []byte("{\"text\":\"one\\u00e9\",\"url\":\"x\"}\n\n{\"text\":\"\"}\n{\"text\":\"three\\n\"}")
	const joined = "one\u00e9\n\n\n\nthree\n"
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"a.txt":      {[]byte("plain\r\n \xff"), "plain\r\n \xff"},
		"b.txt.gz":   {zipped([]byte("packed\n")), "packed\n"},
		"c.jsonl":    {docs, joined},
		"d.jsonl.gz": {zipped(docs), joined},
	} {
		path := write(t, filepath.Join(dir, name), c.file)
		got, err := Load(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got.Bytes) != c.want || got.SHA256 != sum([]byte(c.want)) || got.Name != path {
			t.Errorf("%s: %q, %s; expected %q", name, got.Bytes, got.SHA256, c.want)
		}
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"a.jsonl":    {[]byte("{\"text\":\"x\"}\n{\"text\":"), "line 2: expected a JSON object"},
		"b.jsonl":    {[]byte("{\"txt\":\"x\"}"), `line 1: expected a field "text", found none`},
		"c.jsonl":    {[]byte("{\"text\":7}"), "line 1: expected a JSON object"},
		"d.jsonl.gz": {[]byte("not gzip"), "expected gzip data"},
		"e.txt.gz":   {zipped(bytes.Repeat([]byte("cut off "), 1000))[:30], "unexpected EOF"},
		"f.txt":      {nil, "expected some text, found none"},
	} {
		path := write(t, filepath.Join(dir, name), c.file)
		_, err := Load(context.Background(), path)
		mustSay(t, err, "corpus: load "+path, c.want)
	}
	_, err := Load(context.Background(), "wikitext")
	mustSay(t, err, `corpus: load "wikitext": expected one of wikitext2, c4, calibration, enwiki, opticks, or a file`)
	_, err = Load(context.Background(), dir)
	mustSay(t, err, "corpus: load "+dir)
}

// TestNamed checks the texts of a data folder against the pinned hashes.
func TestNamed(t *testing.T) {
	if os.Getenv("ILLM_DATA") == "" {
		t.Skip("set ILLM_DATA to check the texts")
	}
	for _, name := range []string{WikiText2, C4, Calibration} {
		c := &hub.Client{Cache: t.TempDir(), Endpoint: "http://127.0.0.1:1"}
		text, err := LoadFrom(context.Background(), name, Options{Client: c})
		if err != nil {
			t.Error(err)
		} else if len(text.Bytes) != protocols[name].size {
			t.Errorf("%s: %d bytes, expected %d", name, len(text.Bytes), protocols[name].size)
		}
	}
}

// TestOpticks is read from the Go distribution, then from the cache without one.
func TestOpticks(t *testing.T) {
	c := &hub.Client{Cache: t.TempDir()}
	text, err := LoadFrom(context.Background(), Opticks, Options{Client: c})
	if err != nil {
		t.Fatal(err)
	}
	if len(text.Bytes) != 567198 || !bytes.Contains(text.Bytes, []byte("Refrangib")) {
		t.Errorf("%d bytes, expected 567198 on optics", len(text.Bytes))
	}
	t.Setenv("GOROOT", t.TempDir())
	again, err := LoadFrom(context.Background(), Opticks, Options{Client: c})
	if err != nil || !bytes.Equal(again.Bytes, text.Bytes) {
		t.Errorf("from the cache: %v", err)
	}
	_, err = LoadFrom(context.Background(), Opticks, Options{Client: &hub.Client{Cache: t.TempDir()}})
	mustSay(t, err, "corpus: load opticks", "set GOROOT")
	write(t, filepath.Join(os.Getenv("GOROOT"), opticksFile), []byte("Opticks"))
	_, err = LoadFrom(context.Background(), Opticks, Options{Client: &hub.Client{Cache: t.TempDir()}})
	mustSay(t, err, "expected 567198 bytes with sha256", "found 7 with", "unchanged Go distribution")
}

// withProtocols replaces the pinned texts by small ones of the same shape.
func withProtocols(t *testing.T, change func(map[string]protocol)) {
	old := maps.Clone(protocols)
	t.Cleanup(func() { protocols = old })
	protocols = maps.Clone(old)
	change(protocols)
}

// stub serves data sets as the hub does.
func stub(t *testing.T, files map[string][]byte) *httptest.Server {
	const commit = "89abcdef"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for id, b := range files {
			repo := strings.Join(strings.SplitN(id, "/", 3)[:2], "/")
			file := strings.SplitN(id, "/", 3)[2]
			switch r.URL.Path {
			case "/api/datasets/" + repo + "/revision/main":
				var siblings []map[string]string
				for other := range files {
					if f, ok := strings.CutPrefix(other, repo+"/"); ok {
						siblings = append(siblings, map[string]string{"rfilename": f})
					}
				}
				_ = json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": siblings})
				return
			case "/datasets/" + repo + "/resolve/" + commit + "/" + file:
				w.Header().Set("X-Linked-Etag", `"`+sum(b)+`"`)
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
				return
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// rowsFile makes a parquet file of several row groups and a column more than is
// read.
func rowsFile(t *testing.T, rows []string) []byte {
	t.Helper()
	type row struct {
		ID   int64  `parquet:"id"`
		Text string `parquet:"text,snappy"`
	}
	var buf bytes.Buffer
	w := parquet.NewGenericWriter[row](&buf)
	for i, r := range rows {
		if _, err := w.Write([]row{{int64(i), r}}); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestHub downloads the three texts from a stub and finds them in the cache
// afterwards.
func TestHub(t *testing.T) {
	rows := make([]string, 700)
	for i := range rows {
		if i%3 != 0 {
			rows[i] = fmt.Sprintf(" row %d , with some text \n", i)
		}
	}
	docs := make([]string, 1105)
	var lines bytes.Buffer
	for i := range docs {
		docs[i] = fmt.Sprintf("Document %d.\nLine two.", i)
		b, err := json.Marshal(map[string]string{"text": docs[i], "url": "u"})
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(b, '\n'))
	}
	want := map[string]string{
		WikiText2:   strings.Join(rows, "\n\n"),
		Calibration: strings.Join(rows[:500], "\n\n"),
		C4:          strings.Join(docs[:1100], " "),
	}
	withProtocols(t, func(p map[string]protocol) {
		for name, text := range want {
			q := p[name]
			q.size, q.sha256 = len(text), sum([]byte(text))
			if name == Calibration {
				q.convert = readParquetRows(500)
			}
			p[name] = q
		}
	})
	parquetFile := rowsFile(t, rows)
	s := stub(t, map[string][]byte{
		"Salesforce/wikitext/wikitext-2-raw-v1/test-00000-of-00001.parquet":  parquetFile,
		"Salesforce/wikitext/wikitext-2-raw-v1/train-00000-of-00001.parquet": parquetFile,
		"allenai/c4/en/c4-validation.00000-of-00008.json.gz":                 zipped(lines.Bytes()),
	})
	t.Setenv("ILLM_DATA", t.TempDir()) // a folder without the texts is passed over
	c := &hub.Client{Cache: t.TempDir(), Endpoint: s.URL}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		text, err := LoadFrom(context.Background(), name, Options{Client: c})
		if err != nil {
			t.Fatal(err)
		}
		if string(text.Bytes) != want[name] || !strings.Contains(text.Source, "/") {
			t.Errorf("%s: %d bytes from %s, expected %d", name, len(text.Bytes), text.Source, len(want[name]))
		}
	}
	s.Close()
	for name := range want {
		text, err := LoadFrom(context.Background(), name, Options{Client: c})
		if err != nil || string(text.Bytes) != want[name] {
			t.Errorf("%s with the hub gone: %v", name, err)
		}
	}
	// A text damaged in the cache is made anew from the file at hand.
	cached := filepath.Join(c.Cache, "corpora", C4+".txt")
	if err := os.Truncate(cached, 100); err != nil {
		t.Fatal(err)
	}
	if text, err := LoadFrom(context.Background(), C4, Options{Client: c}); err != nil || string(text.Bytes) != want[C4] {
		t.Errorf("after damage: %v", err)
	}
}

// TestHubErrors asks what to do when a data set is not what it was, or not there.
func TestHubErrors(t *testing.T) {
	t.Setenv("ILLM_DATA", "")
	good := rowsFile(t, slices.Repeat([]string{"row \n"}, 300))
	var other bytes.Buffer
	w := parquet.NewGenericWriter[struct{ Story string }](&other)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		corpus string
		file   []byte
		want   string
	}{
		"changed":    {WikiText2, good, "the data set has changed since this program was written"},
		"too short":  {Calibration, good, "expected 3279 rows, found 300"},
		"no parquet": {WikiText2, []byte("PAR1 not really PAR1"), "expected a parquet file"},
		"cut":        {WikiText2, good[:len(good)-1], "expected a parquet file"},
		"no bytes":   {WikiText2, []byte("P"), "expected a parquet file, found 1 bytes"},
		"no column":  {WikiText2, other.Bytes(), `expected a column "text", found none`},
		"no gzip":    {C4, []byte("{}"), "expected gzip data"},
		"few":        {C4, zipped([]byte("{\"text\":\"x\"}\n")), "expected 1100 documents, found 1"},
	} {
		p := protocols[c.corpus]
		s := stub(t, map[string][]byte{p.repository + "/" + p.file: c.file})
		client := &hub.Client{Cache: t.TempDir(), Endpoint: s.URL}
		_, err := LoadFrom(context.Background(), c.corpus, Options{Client: client})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %q in it", name, err, c.want)
		}
		if _, err := os.Stat(filepath.Join(client.Cache, "corpora", c.corpus+".txt")); err == nil {
			t.Errorf("%s: kept in the cache", name)
		}
	}
	client := &hub.Client{Cache: t.TempDir(), Endpoint: "http://127.0.0.1:1"}
	_, err := LoadFrom(context.Background(), C4, Options{Client: client})
	mustSay(t, err, "corpus: load c4: ", "set ILLM_DATA to a folder with c4/validation.jsonl.gz", `the text "opticks"`)
	if !errors.Is(err, hub.ErrUnavailable) {
		t.Errorf("%v: expected hub.ErrUnavailable", err)
	}
	// A wrong file in ILLM_DATA is an error: not a reason to take another one.
	data := t.TempDir()
	write(t, filepath.Join(data, "wikitext2", "test.txt.gz"), zipped([]byte(" \n a \n")))
	_, err = LoadFrom(context.Background(), WikiText2, Options{Data: data, Client: client})
	mustSay(t, err, "expected 1296370 bytes with sha256 696cca6b", "found ", "unset ILLM_DATA")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = LoadFrom(ctx, C4, Options{Client: client}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, expected context.Canceled", err)
	}
}

// TestParquetDamaged alters each byte of a small parquet file and cuts it at each
// length: an error or some text, never a panic. (Against damage on the way the
// hub's hash guards; the library itself trusts the sizes in the metadata.)
func TestParquetDamaged(t *testing.T) {
	whole := rowsFile(t, []string{"one\n", "", "three\n"})
	dir := t.TempDir()
	var before, after runtime.MemStats
	read := readParquetRows(0)
	text, err := read(write(t, filepath.Join(dir, "whole"), whole))
	if err != nil || string(text) != "one\n\n\n\n\nthree\n" {
		t.Fatalf("undamaged: %q %v", text, err)
	}
	for i := range whole {
		if _, err := read(write(t, filepath.Join(dir, "cut"), whole[:i])); err == nil {
			t.Errorf("cut at byte %d of %d: no error", i, len(whole))
		}
		for _, mask := range []byte{0x01, 0x80} {
			b := bytes.Clone(whole)
			b[i] ^= mask
			runtime.ReadMemStats(&before)
			_, _ = read(write(t, filepath.Join(dir, "bad"), b))
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
				t.Errorf("byte %d altered by %#x: %d bytes allocated for a file of %d", i, mask, n, len(b))
			}
		}
	}
}
