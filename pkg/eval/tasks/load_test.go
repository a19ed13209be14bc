package tasks

import (
	"bytes"
	"compress/gzip"
	"context"
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
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/illm-go/illm/pkg/hub"
)

// TestSharedData loads every task from ILLM_DATA; the hashes are proved by the harness (package eval, TestHarnessItems).
func TestSharedData(t *testing.T) {
	if os.Getenv("ILLM_DATA") == "" {
		t.Skip("set ILLM_DATA to the folder of evaluation data")
	}
	for _, task := range All() {
		s, err := Load(context.Background(), task, Options{Client: &hub.Client{Cache: t.TempDir()}})
		if err != nil {
			t.Error(err)
			continue
		}
		if len(s.Items) != task.Items || s.Hash() != task.SHA256 {
			t.Errorf("%s: %d items with %s", task.Name, len(s.Items), s.Hash())
		}
	}
}

// put writes lines as the task's file below dir.
func put(t *testing.T, dir string, task Task, lines string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(task.File))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(lines))
	_ = z.Close()
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// like is the task with the items of lines instead of its own.
func like(t *testing.T, task Task, lines string) Task {
	t.Helper()
	s, err := task.read(strings.NewReader(lines), "lines")
	if err != nil {
		t.Fatal(err)
	}
	task.Items, task.SHA256 = len(s.Items), s.Hash()
	return task
}

const twoLines = `{"sentence":"a _ b","option1":"c","option2":"d","answer":"1"}` + "\n\n" + `{"sentence":"e _ f","option1":"g","option2":"h","answer":"2"}`

// TestHash: the definition, written out for one item.
func TestHash(t *testing.T) {
	task := named(t, WinoGrande)
	s, err := task.read(strings.NewReader(twoLines), "lines")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Items) != 2 || s.Items[1].Row != 2 {
		t.Errorf("rows of %+v: expected 0 and 2, the empty line counts", s.Items)
	}
	s.Items = s.Items[1:]
	var b []byte
	number := func(n byte) { b = append(b, n, 0, 0, 0, 0, 0, 0, 0) }
	text := func(s string) { number(byte(len(s))); b = append(b, s...) }
	number(1) // gold
	number(2) // choices
	for _, option := range []string{"g", "h"} {
		text("e " + option)
		text(" f")
		number(1)
	}
	sum := sha256.Sum256(b)
	if got, want := s.Hash(), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("%s, expected %s", got, want)
	}
}

// TestBadFiles: a file that is not the task's is refused and named, never replaced by a download in silence.
func TestBadFiles(t *testing.T) {
	task := like(t, named(t, WinoGrande), twoLines)
	load := func(lines string) error {
		dir := t.TempDir()
		put(t, dir, task, lines)
		_, err := Load(context.Background(), task, Options{Data: dir, Client: &hub.Client{Cache: t.TempDir()}})
		return err
	}
	if err := load(twoLines); err != nil {
		t.Error(err)
	}
	mustSay(t, load(twoLines[:len(twoLines)-5]), "winogrande.jsonl.gz", "line 3", "JSON", "replace the file")
	mustSay(t, load(strings.Split(twoLines, "\n")[0]), "expected 2 items, found 1")
	mustSay(t, load(strings.Replace(twoLines, "a _ b", "a _ x", 1)), "sha256 "+task.SHA256)
	mustSay(t, load(`{"sentence":"`+strings.Repeat("x", maxLine)+`"}`), "lines of at most")
	dir := t.TempDir()
	put(t, dir, task, twoLines)
	path := filepath.Join(dir, filepath.FromSlash(task.File))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(context.Background(), task, Options{Data: dir, Client: &hub.Client{Cache: t.TempDir()}}); err == nil {
			t.Fatalf("cut to %d of %d bytes: read without an error", n, len(whole))
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Load(ctx, task, Options{Data: dir}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// fakeHub serves one data set repository with one file.
func fakeHub(t *testing.T, repository, file string, content []byte) (*hub.Client, *int) {
	commit, gets := strings.Repeat("a", 40), new(int)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/datasets/"+repository):
			list := map[string]any{"id": repository, "sha": commit, "siblings": []any{map[string]any{"rfilename": file}}}
			_ = json.NewEncoder(w).Encode(list)
		case strings.HasPrefix(r.URL.Path, "/datasets/"+repository+"/resolve/") && strings.HasSuffix(r.URL.Path, "/"+file):
			*gets++
			w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(content))))
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			_, _ = w.Write(content)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return &hub.Client{Cache: t.TempDir(), Endpoint: srv.URL}, gets
}

func parquetOf[T any](t *testing.T, rows ...T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestDownload makes each task from a parquet file with the columns of its data set, and again from the cache.
func TestDownload(t *testing.T) {
	type list struct {
		Text  []string `parquet:"text,list"`
		Label []string `parquet:"label,list"`
	}
	type arc struct {
		ID      string `parquet:"id"`
		Stem    string `parquet:"question"`
		Choices list   `parquet:"choices"`
		Key     string `parquet:"answerKey"`
	}
	type piqa struct {
		Goal  string `parquet:"goal"`
		Sol1  string `parquet:"sol1"`
		Sol2  string `parquet:"sol2"`
		Label int64  `parquet:"label"`
	}
	type boolq struct {
		Question string `parquet:"question"`
		Passage  string `parquet:"passage"`
		Idx      int32  `parquet:"idx"`
		Label    int64  `parquet:"label"`
	}
	type hellaswag struct {
		Activity string   `parquet:"activity_label"`
		Ctx      string   `parquet:"ctx"`
		Endings  []string `parquet:"endings,list"`
		Label    string   `parquet:"label"`
	}
	type winogrande struct {
		Sentence string `parquet:"sentence"`
		Option1  string `parquet:"option1"`
		Option2  string `parquet:"option2"`
		Answer   string `parquet:"answer"`
	}
	for name, c := range map[string]struct {
		file  []byte
		lines string
	}{
		PIQA: {parquetOf(t, piqa{"g", "a", "b", 1}), `{"goal":"g","sol1":"a","sol2":"b","label":1}`},
		ARCEasy: {parquetOf(t, arc{"i", "s", list{[]string{"t", "u", "v"}, []string{"A", "B", "C"}}, "C"}),
			`{"id":"i","question":{"stem":"s","choices":[{"text":"t","label":"A"},{"text":"u","label":"B"},{"text":"v","label":"C"}]},"answerKey":"C"}`},
		BoolQ: {parquetOf(t, boolq{"q", "p", 0, 1}, boolq{"r", "p", 1, 0}),
			`{"question":"q","passage":"p","label":"true"}` + "\n" + `{"question":"r","passage":"p","label":"false"}`},
		HellaSwag: {parquetOf(t, hellaswag{"act", "do [title] it", []string{"a", "b", "c", "d"}, "3"}),
			`{"ctx":"act: do. it","endings":["a","b","c","d"],"label":3}`},
		WinoGrande: {parquetOf(t, winogrande{"a _ b", "c", "d", "2"}), `{"sentence":"a _ b","option1":"c","option2":"d","answer":"2"}`},
	} {
		task := like(t, named(t, name), c.lines)
		client, gets := fakeHub(t, task.hub.repository, task.hub.file, c.file)
		opt := Options{Data: t.TempDir(), Client: client}
		for range 2 {
			s, err := Load(context.Background(), task, opt)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if s.Hash() != task.SHA256 {
				t.Errorf("%s: other items", name)
			}
		}
		if *gets != 1 {
			t.Errorf("%s: %d downloads, expected 1", name, *gets)
		}
		if *gets > 0 { // damaged in every way that cutting can do: an error, no panic
			path := filepath.Join(t.TempDir(), "cut")
			for n := 0; n < len(c.file); n += 7 {
				if err := os.WriteFile(path, c.file[:n], 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := task.hub.convert(path); err == nil {
					t.Fatalf("%s cut to %d bytes: read without an error", name, n)
				}
			}
		}
		task.SHA256 = strings.Repeat("0", 64)
		_, err := Load(context.Background(), task, opt)
		mustSay(t, err, "data set has changed", "ILLM_DATA", task.File)
	}
	client, _ := fakeHub(t, "baber/piqa", "data/validation-00000-of-00001.parquet", parquetOf(t, boolq{}))
	_, err := Load(context.Background(), named(t, PIQA), Options{Data: t.TempDir(), Client: client})
	mustSay(t, err, `column "goal"`)
}

// TestUnavailable: nothing here and no server says where to put the file.
func TestUnavailable(t *testing.T) {
	task := named(t, BoolQ)
	_, err := Load(context.Background(), task, Options{Data: t.TempDir(), Client: &hub.Client{Cache: t.TempDir(), Endpoint: "http://127.0.0.1:1"}})
	if !errors.Is(err, hub.ErrUnavailable) {
		t.Error(err)
	}
	mustSay(t, err, task.File, "ILLM_DATA")
}
