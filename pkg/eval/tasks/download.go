package tasks

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"github.com/illm-go/illm/pkg/hub"
)

// source is a task's data set on the hub: one parquet file, whose rows lines turns into the lines of the task's own file.
type source struct {
	repository, file string
	lines            func(f *parquet.File) ([]any, error)
}

// download makes the items from the hub's file and keeps them in the cache.
func (t Task) download(ctx context.Context, c *hub.Client, cached string) (*Set, error) {
	path, err := c.DatasetFile(ctx, t.hub.repository, t.hub.file)
	if err != nil {
		return nil, fmt.Errorf("tasks: load %s: %w: or set ILLM_DATA to a folder with %s", t.Name, err, t.File)
	}
	b, err := t.hub.convert(path)
	if err != nil {
		return nil, fmt.Errorf("tasks: load %s: %w", t.Name, err)
	}
	s, err := t.read(bytes.NewReader(b), t.hub.repository+"/"+t.hub.file)
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return nil, fmt.Errorf("tasks: load %s: %w: the data set has changed since this program was written, or its order differs: set ILLM_DATA to a folder with %s",
			t.Name, err, t.File)
	}
	keep(cached, b)
	return s, nil
}

// convert reads a parquet file as JSON lines.
func (s source) convert(path string) (b []byte, err error) {
	defer func() { // the library panics on some damaged files
		if p := recover(); p != nil {
			b, err = nil, fmt.Errorf("read %s: damaged parquet file: %v: remove it to have it downloaded again", path, p)
		}
	}()
	rows, err := s.rows(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: remove it to have it downloaded again", path, err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, r := range rows {
		if err := enc.Encode(r); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

func (s source) rows(path string) ([]any, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var tail [8]byte // the footer's length, which the library allocates unseen
	if st.Size() < 12 || st.Size() > maxFile {
		return nil, fmt.Errorf("expected a parquet file of 12 to %d bytes, found %d", maxFile, st.Size())
	}
	if _, err := f.ReadAt(tail[:], st.Size()-8); err != nil {
		return nil, err
	}
	if n := int64(binary.LittleEndian.Uint32(tail[:])); string(tail[4:]) != "PAR1" || n > st.Size()-12 {
		return nil, fmt.Errorf("expected a parquet file with a footer below %d bytes, found %d and %q at its end", st.Size()-12, n, tail[4:])
	}
	file, err := parquet.OpenFile(f, st.Size())
	if err != nil {
		return nil, fmt.Errorf("expected a parquet file: %w", err)
	}
	return s.lines(file)
}

// columns reads all rows of a file as T and turns each into a line; the columns in need must be there.
func columns[T any](line func(T) any, need ...string) func(*parquet.File) ([]any, error) {
	return func(f *parquet.File) ([]any, error) {
		for _, name := range need {
			found := false
			for _, field := range f.Schema().Fields() {
				found = found || field.Name() == name
			}
			if !found {
				return nil, fmt.Errorf("expected a column %q, found none", name)
			}
		}
		r := parquet.NewGenericReader[T](f)
		defer r.Close()
		var out []any
		for buf := make([]T, 256); ; {
			n, err := r.Read(buf)
			for _, row := range buf[:n] {
				out = append(out, line(row))
			}
			if errors.Is(err, io.EOF) {
				return out, nil
			}
			if err != nil {
				return nil, err
			}
			clear(buf)
		}
	}
}

type object = map[string]any

// The data sets. Rows come in the order of the tasks' files (the hash of the items proves it or refuses).
var (
	hubPIQA = source{"baber/piqa", "data/validation-00000-of-00001.parquet", columns(func(r struct {
		Goal  string `parquet:"goal"`
		Sol1  string `parquet:"sol1"`
		Sol2  string `parquet:"sol2"`
		Label int64  `parquet:"label"`
	}) any {
		return object{"goal": r.Goal, "sol1": r.Sol1, "sol2": r.Sol2, "label": r.Label}
	}, "goal", "sol1", "sol2", "label")}

	hubBoolQ = source{"aps/super_glue", "boolq/validation-00000-of-00001.parquet", columns(func(r struct {
		Question string `parquet:"question"`
		Passage  string `parquet:"passage"`
		Label    int64  `parquet:"label"`
	}) any {
		return object{"question": r.Question, "passage": r.Passage, "label": r.Label == 1}
	}, "question", "passage", "label")}

	hubHellaSwag = source{"Rowan/hellaswag", "data/validation-00000-of-00001.parquet", columns(func(r struct {
		Activity string   `parquet:"activity_label"`
		Ctx      string   `parquet:"ctx"`
		Endings  []string `parquet:"endings,list"`
		Label    string   `parquet:"label"`
	}) any {
		return object{"ctx": clean(r.Activity + ": " + r.Ctx), "endings": r.Endings, "label": json.Number(r.Label)}
	}, "activity_label", "ctx", "endings", "label")}

	hubWinoGrande = source{"allenai/winogrande", "winogrande_xl/validation-00000-of-00001.parquet", columns(func(r struct {
		Sentence string `parquet:"sentence"`
		Option1  string `parquet:"option1"`
		Option2  string `parquet:"option2"`
		Answer   string `parquet:"answer"`
	}) any {
		return object{"sentence": r.Sentence, "option1": r.Option1, "option2": r.Option2, "answer": r.Answer}
	}, "sentence", "option1", "option2", "answer")}
)

func hubARC(part string) source {
	return source{"allenai/ai2_arc", part + "/test-00000-of-00001.parquet", columns(func(r struct {
		ID       string `parquet:"id"`
		Question string `parquet:"question"`
		Choices  struct {
			Text  []string `parquet:"text,list"`
			Label []string `parquet:"label,list"`
		} `parquet:"choices"`
		Key string `parquet:"answerKey"`
	}) any {
		var list []object
		for i := range min(len(r.Choices.Text), len(r.Choices.Label)) {
			list = append(list, object{"text": r.Choices.Text[i], "label": r.Choices.Label[i]})
		}
		return object{"id": r.ID, "question": object{"stem": r.Question, "choices": list}, "answerKey": r.Key}
	}, "question", "choices", "answerKey")}
}

// keep saves lines for the next time. They are at hand already, so a cache that cannot be written is no error here.
func keep(path string, b []byte) {
	if os.MkdirAll(filepath.Dir(path), 0o777) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return
	}
	z := gzip.NewWriter(f)
	_, err = z.Write(b)
	if errors.Join(err, z.Close(), f.Sync(), f.Close()) != nil || os.Rename(f.Name(), path) != nil {
		os.Remove(f.Name())
	}
}
